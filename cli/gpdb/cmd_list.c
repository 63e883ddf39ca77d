/* cmd_list.c - `gpdb list`: interfaces, their traffic and the time covered, as `goquery list`. */
#include "gpdb.h"

#include "cli/inventory.h"

#include <string.h>

#define AT(m) offsetof(gpdb_opts, m)

static const cli_opt opts[] = {
    {"verbose", 'v', CLI_BOOL, AT(verbose), NULL, NULL,
     "More columns: directions, IP versions, dropped packets.", "Flags", NULL, 0},
    {"first", 'f', CLI_STRING, AT(first), "TIME", NULL,
     "From when on; times as for goquery, e.g. -7d or '2024-03-01 00:00'.", NULL, NULL, 0},
    {"last", 'l', CLI_STRING, AT(last), "TIME", NULL, "Until when. Without it: now.", NULL, NULL,
     0},
    {0},
};

static const char *const usage[] = {"[flags] DB [IFACE...]", "-d DB [flags] [IFACE...]", NULL};

static int run(void *values, const cli_line *line)
{
    const gpdb_opts *o = values;
    const char *const *words;
    size_t n;
    GP_CLEANUP(cli_inventory_free) cli_inventory inv = {0};
    int64_t first_s, last_s;
    gp_err err = {0};
    const char *db = gpdb_take_db(o, line, &words, &n);

    if (!db)
        return GPDB_USAGE;
    if (gpdb_range(o, &first_s, &last_s, &err) != GP_OK)
        return gpdb_usage(line, "%s", err.msg);
    if (last_s == INT64_MAX)
        last_s = gp_wall_s();
    gp_status st = cli_inventory_take(db, words, n, first_s, last_s, &inv, &err);
    int bad = 0;
    for (size_t i = 0; i < inv.n && st == GP_OK; i++) {
        const godb_listing *l = &inv.v[i].l;
        bad |= l->bad_days || l->strays;
        if (l->bad_days)
            gpdb_warn(o, line, "%s: %u day%s cannot be read, left out", inv.v[i].iface, l->bad_days,
                      gpdb_s(l->bad_days));
        if (l->strays)
            gpdb_warn(o, line, "%u director%s left out: %s", l->strays,
                      l->strays == 1 ? "y" : "ies", l->strays_text);
    }
    if (st == GP_OK && o->json) {
        st = cli_inventory_json(&inv, stdout, &err);
    } else if (st == GP_OK) {
        putchar('\n');
        st = inv.n ? cli_inventory_table(&inv, o->verbose, stdout, &err)
                   : cli_inventory_none(&inv, db, words, n, &err);
    }
    if (st != GP_OK)
        return gpdb_fail(line, "%s", err.msg);
    return bad ? GPDB_FOUND : GPDB_OK;
}

const cli_cmd gpdb_list = {
    .name = "list",
    .usage = usage,
    .summary = "Interfaces, their traffic and the time covered",
    .about = "Show the interfaces of a database, their traffic, and the time they cover, as "
             "`goquery list` does.\n"
             "Times are local.\n"
             "\n"
             "Examples:\n"
             "  gpdb list /srv/flows\n"
             "  gpdb list -v -f -30d /srv/flows eth0 eth1\n"
             "  gpdb list -d /srv/flows --json",
    .opts = opts,
    .run = run,
};
