/* cmd_retain.c - `gpdb retain`: delete old days. */
#include "gpdb.h"

#include "godb/retain.h"
#include "gp/mem.h"
#include "result/print.h"

#include <inttypes.h>
#include <string.h>

#define AT(m) offsetof(gpdb_opts, m)

static const cli_opt opts[] = {
    {"max-age", 0, CLI_STRING, AT(max_age), "AGE", NULL,
     "Delete days that ended longer ago, e.g. 90d, 6w, 1y.", "Limits", NULL, 0},
    {"max-size", 0, CLI_BYTES, AT(max_size), "SIZE", NULL,
     "Delete the oldest days until all selected interfaces together take at most SIZE, e.g. 50G.",
     NULL, NULL, 0},
    {"max-iface-size", 0, CLI_BYTES, AT(max_iface_size), "SIZE", NULL,
     "The same for each interface by itself.", NULL, NULL, 0},
    {"min-free", 0, CLI_STRING, AT(min_free), "SIZE", NULL,
     "Delete the oldest days until so much of the file system is free, e.g. 20G or 10%; none when "
     "all "
     "of them were not enough.",
     NULL, NULL, 0},
    {"ifaces", 'i', CLI_STRING, AT(ifaces), "LIST", NULL,
     "Interfaces: names separated by commas, !NAME to leave one out, or /regular expression/; all "
     "by "
     "default.",
     "Flags", NULL, 0},
    {"apply", 0, CLI_BOOL, AT(apply), NULL, NULL,
     "Delete. Without it only what would be deleted is shown.", NULL, NULL, 0},
    {"yes", 'y', CLI_BOOL, AT(apply), NULL, NULL, "The same as --apply.", NULL, NULL, 0},
    {0},
};

static const char *const usage[] = {"[flags] DB", "-d DB [flags]", NULL};

struct job {
    const gpdb_opts *o;
    const cli_line *line;
    gp_buf json;
};

static void on_day(void *ctx, const godb_retain_day *d)
{
    struct job *j = ctx;
    char day[16], size[32];

    gpdb_day_text(d->day_s, day, sizeof day);
    if (d->status != GP_OK)
        (void)gpdb_fail(j->line, "%s", d->text);
    if (j->o->json) {
        if (j->json.len)
            gp_buf_addc(&j->json, ',');
        query_json_object o = query_json_open(&j->json);
        query_json_text(&o, "iface", d->iface);
        query_json_text(&o, "day", day);
        query_json_text(&o, "path", d->path);
        gpdb_json_uint(&o, "bytes", d->bytes);
        query_json_text(&o, "reason", d->why);
        gpdb_json_bool(&o, "deleted", j->o->apply && d->status == GP_OK);
        query_json_text_opt(&o, "error", d->text);
        query_json_close(&o);
    } else if (!j->o->quiet && d->status == GP_OK) {
        printf("%s %s %s (%s, %s)\n", j->o->apply ? "deleted" : "would delete", d->iface, day,
               gpdb_size(d->bytes, size, sizeof size), d->why);
    }
}

static void report(const struct job *j, const godb_retain_stats *s)
{
    char a[32], b[32], c[32];

    if (j->o->json) {
        GP_CLEANUP(gp_buf_free) gp_buf buf = {0};
        query_json_object o = query_json_open(&buf);
        gpdb_json_bool(&o, "dry_run", !j->o->apply);
        gpdb_json_uint(&o, "days", s->days);
        gpdb_json_uint(&o, "days_deleted", s->days_deleted);
        gpdb_json_uint(&o, "days_failed", s->days_failed);
        gpdb_json_uint(&o, "bytes", s->bytes);
        gpdb_json_uint(&o, "bytes_deleted", s->bytes_deleted);
        gpdb_json_uint(&o, "free_bytes_before", s->free_bytes);
        gpdb_json_uint(&o, "bytes_missing", s->bytes_missing);
        query_json_key(&o, "deleted");
        gp_buf_printf(&buf, "[%.*s]", (int)j->json.len, j->json.len ? (char *)j->json.data : "");
        query_json_close(&o);
        (void)gpdb_json_print(&buf, stdout);
    } else if (!j->o->quiet) {
        printf("%s%" PRIu64 " of %" PRIu64 " day%s, %s of %s%s\n",
               j->o->apply ? "deleted " : "would delete ", s->days_deleted, s->days,
               gpdb_s(s->days), gpdb_size(s->bytes_deleted, a, sizeof a),
               gpdb_size(s->bytes, b, sizeof b),
               j->o->apply || s->days_deleted == 0 ? "" : "; add --apply to do it");
    }
    if (s->bytes_missing)
        gpdb_warn(j->o, j->line, "the limits are missed by %s: %s",
                  gpdb_size(s->bytes_missing, c, sizeof c),
                  s->free_out_of_reach && s->days > 0
                      ? "something else fills the disk, so no day goes for --min-free"
                  : s->days > s->days_deleted
                      ? "days that changed in the last ten minutes or ended less than an hour ago "
                        "are kept"
                      : "there are no more days to delete");
}

static int run(void *values, const cli_line *line)
{
    const gpdb_opts *o = values;
    struct job j = {.o = o, .line = line};
    const char *const *words;
    size_t n;
    GP_CLEANUP(gpdb_ifaces_free) gpdb_ifaces ifaces = {0};
    godb_retain_stats st = {0};
    gp_err err = {0};
    const char *db = gpdb_take_db(o, line, &words, &n);
    godb_retain_opts ro = {
        .max_bytes = o->max_size, .max_iface_bytes = o->max_iface_size, .dry_run = !o->apply};

    if (!db)
        return GPDB_USAGE;
    if (n > 0)
        return gpdb_usage(line, "unexpected word '%s'", words[0]);
    if (o->max_age && *o->max_age &&
        godb_retain_parse_age(o->max_age, &ro.max_age_s, &err) != GP_OK)
        return gpdb_usage(line, "--max-age: %s", err.msg);
    if (o->min_free && godb_retain_parse_free(o->min_free, &ro.min_free_bytes, &ro.min_free_percent,
                                              &err) != GP_OK)
        return gpdb_usage(line, "--min-free %s", err.msg);
    if (!ro.max_age_s && !ro.max_bytes && !ro.max_iface_bytes && !ro.min_free_bytes &&
        !(ro.min_free_percent > 0))
        return gpdb_usage(line, "which limit? Give --max-age, --max-size, --max-iface-size or "
                                "--min-free");
    gp_status rc = gpdb_ifaces_select(o, db, &ifaces, &err);
    if (rc == GP_OK) {
        ro.ifaces = ifaces.v;
        ro.cancel = gpdb_cancel_start();
        rc = godb_retain(db, &ro, on_day, &j, &st, &err);
    }
    if (rc == GP_OK)
        report(&j, &st);
    gp_buf_free(&j.json);
    if (rc != GP_OK)
        return gpdb_fail(line, "%s", err.msg);
    return st.days_failed ? GPDB_FAILED : st.bytes_missing ? GPDB_FOUND : GPDB_OK;
}

const cli_cmd gpdb_retain = {
    .name = "retain",
    .usage = usage,
    .summary = "Delete old days",
    .about = "Delete whole days, the oldest first, by age, by size, or until enough of the "
             "disk is free. Without\n"
             "--apply it only shows what it would delete. Days that may still be written to "
             "are kept: those that\n"
             "ended less than an hour ago, and those that were changed in the last ten "
             "minutes; if a limit is\n"
             "missed because of that, the exit code is 3. Captures and queries may go on "
             "meanwhile.\n"
             "\n"
             "Examples:\n"
             "  gpdb retain /srv/flows --max-age 90d\n"
             "  gpdb retain /srv/flows --max-age 1y --max-size 200G --apply\n"
             "  gpdb retain /srv/flows -i '!uplink' --min-free 10% --apply -q",
    .opts = opts,
    .run = run,
};
