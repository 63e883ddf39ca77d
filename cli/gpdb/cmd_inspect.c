/* cmd_inspect.c - `gpdb inspect`: the days of an interface, or the blocks of a day. */
#include "gpdb.h"

#include "gp/mem.h"
#include "gp/num.h"
#include "inspect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define AT(m) offsetof(gpdb_opts, m)

enum { LEVELS = 4 }; /* <interface>/<year>/<month>/<day> */

static const cli_opt opts[] = {
    {"verbose", 'v', CLI_BOOL, AT(verbose), NULL, NULL,
     "Blocks of a day: codec, stored and raw bytes of each column.", "Flags", NULL, 0},
    {"first", 'f', CLI_STRING, AT(first), "TIME", NULL,
     "Days from then on; times as for goquery, e.g. -7d or '2024-03-01 00:00'.", NULL, NULL, 0},
    {"last", 'l', CLI_STRING, AT(last), "TIME", NULL, "Days until then.", NULL, NULL, 0},
    {0},
};

static const char *const usage[] = {"[flags] DB IFACE [DAY]", "-d DB [flags] IFACE [DAY]",
                                    "[flags] DAY_DIRECTORY", NULL};

/* The days [first_s, last_s] of an interface. */
static int show_days(const gpdb_opts *o, const cli_line *line, const godb_db *db, const char *iface)
{
    godb_days days = {0};
    int64_t first_s, last_s;
    gp_err err = {0};

    if (gpdb_range(o, &first_s, &last_s, &err) != GP_OK)
        return gpdb_usage(line, "%s", err.msg);
    gp_status st = godb_db_days(db, iface, first_s, last_s, &days, &err);
    if (st == GP_OK && days.n == 0 && days.skipped == 0)
        st = gp_fail(&err, GP_ENOTFOUND, 0, "no days of interface '%s' in %s", iface,
                     godb_db_path(db));
    if (st == GP_OK && days.skipped)
        gpdb_warn(o, line, "left out: %s", days.skipped_text ? days.skipped_text : "stray names");
    int bad = days.skipped != 0;
    if (st == GP_OK)
        st = o->json ? inspect_days_json(db, iface, &days, stdout, &bad, &err)
                     : inspect_days_table(db, iface, &days, stdout, &bad, &err);
    godb_days_free(&days);
    if (st != GP_OK)
        return gpdb_fail(line, "%s", err.msg);
    return bad ? GPDB_FOUND : GPDB_OK;
}

static int show_blocks(const gpdb_opts *o, const cli_line *line, const godb_db *db,
                       const godb_dayref *ref)
{
    GP_CLEANUP(godb_day_closep) godb_day *d = NULL;
    gp_err err = {0};
    int bad = 0;

    gp_status st = godb_day_open(db, ref, &d, &err);
    if (st == GP_OK)
        st = o->json ? inspect_day_json(d, ref, stdout, &bad, &err)
                     : inspect_day_table(d, ref, o->verbose, stdout, &bad, &err);
    if (st != GP_OK)
        return gpdb_fail(line, "%s", err.msg);
    return bad ? GPDB_FOUND : GPDB_OK;
}

static int show_day(const gpdb_opts *o, const cli_line *line, const godb_db *db, const char *iface,
                    const char *text)
{
    godb_days days = {0};
    int64_t day_s;
    gp_err err = {0};
    char day[16];

    if (!gpdb_day_parse(text, &day_s))
        return gpdb_usage(line, "'%s' is no day: expected YYYY-MM-DD or Unix time", text);
    /* so long after its begin and before its end that no neighbour is selected */
    gp_status st = godb_db_days(db, iface, day_s + GODB_BLOCK_S,
                                day_s + GODB_DAY_S - GODB_BLOCK_S - 1, &days, &err);
    int code = GPDB_FAILED;
    if (st == GP_OK && days.n > 0)
        code = show_blocks(o, line, db, &days.v[0]);
    else if (st == GP_OK)
        (void)gpdb_fail(line, "interface '%s' has no day %s", iface,
                        gpdb_day_text(day_s, day, sizeof day));
    else
        (void)gpdb_fail(line, "%s", err.msg);
    godb_days_free(&days);
    return code;
}

/* A path that ends in <interface>/<year>/<month>/<day>: the root is in front of it. */
static int show_directory(const gpdb_opts *o, const cli_line *line, const char *given)
{
    GP_CLEANUP(gp_freep) char *path = NULL;
    GP_CLEANUP(gp_freep) char *rel = NULL;
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    gp_err err = {0};
    char *real = realpath(given, NULL);
    uint64_t day;

    if (real)
        path = gp_strdup(real);
    free(real); /* layout: allow free - from realpath */
    if (!path)
        return gpdb_fail(line, "%s: %s", given, strerror(errno));
    char *cut = path + strlen(path);
    for (int i = 0; i < LEVELS && cut > path; i++)
        for (cut--; cut > path && *cut != '/';)
            cut--;
    const char *name = strrchr(path, '/') + 1;
    if (cut == path || !gp_num_u64(name, strcspn(name, "_"), INT64_MAX, &day) ||
        day % GODB_DAY_S != 0)
        return gpdb_usage(line, "%s is no day directory; expected DB IFACE [DAY]", given);
    rel = gp_strdup(cut + 1);
    *cut = '\0';
    if (!rel || godb_db_open(path, &db, &err) != GP_OK)
        return gpdb_fail(line, "%s", rel ? err.msg : "out of memory");
    godb_dayref ref = {.day_s = (int64_t)day, .path = rel};
    return show_blocks(o, line, db, &ref);
}

static int run(void *values, const cli_line *line)
{
    const gpdb_opts *o = values;
    const char *const *words;
    size_t n;
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    gp_err err = {0};
    const char *path = gpdb_take_db(o, line, &words, &n);

    if (!path)
        return GPDB_USAGE;
    if (n == 0 && path == line->words[0])
        return show_directory(o, line, path);
    if (n == 0)
        return gpdb_usage(line, "expected an interface");
    if (n > 2)
        return gpdb_usage(line, "unexpected word '%s'", words[2]);
    if (godb_db_open(path, &db, &err) != GP_OK)
        return gpdb_fail(line, "%s", err.msg);
    return n == 1 ? show_days(o, line, db, words[0]) : show_day(o, line, db, words[0], words[1]);
}

const cli_cmd gpdb_inspect = {
    .name = "inspect",
    .usage = usage,
    .summary = "Days of an interface, blocks of a day",
    .about = "Show the days of an interface, or the blocks of one day: time, rows, dropped "
             "packets, sizes and\n"
             "codecs (n null, z zstd, l lz4, in the order sip, dip, proto, dport, bytes "
             "received, bytes sent,\n"
             "packets received, packets sent). DAY is a UTC day as YYYY-MM-DD, or any second "
             "of it in Unix time.\n"
             "Only metadata is read; `gpdb check` verifies the data itself. Exit code 3: some "
             "metadata is\n"
             "damaged.\n"
             "\n"
             "Examples:\n"
             "  gpdb inspect /srv/flows eth0\n"
             "  gpdb inspect /srv/flows eth0 2024-03-01 -v\n"
             "  gpdb inspect --json /srv/flows/eth0/2024/03/1709251200_4f-0-0-a-b-c-d",
    .opts = opts,
    .run = run,
};
