/* cmd_index.c - `gpdb index`: make or complete the address indexes of a database. */
#include "gpdb.h"

#include "godb/index.h"
#include "result/print.h"

#include <inttypes.h>
#include <string.h>

#define AT(m) offsetof(gpdb_opts, m)

static const cli_opt opts[] = {
    {"ifaces", 'i', CLI_STRING, AT(ifaces), "LIST", NULL,
     "Interfaces: names separated by commas, !NAME to leave one out, or /regular expression/; all "
     "by "
     "default.",
     "Flags", NULL, 0},
    {"first", 'f', CLI_STRING, AT(first), "TIME", NULL,
     "Days from then on; times as for goquery, e.g. -7d or '2024-03-01 00:00'.", NULL, NULL, 0},
    {"last", 'l', CLI_STRING, AT(last), "TIME", NULL, "Days until then.", NULL, NULL, 0},
    {"rebuild", 0, CLI_BOOL, AT(rebuild), NULL, NULL, "Make existing indexes anew.", NULL, NULL, 0},
    {0},
};

static const char *const usage[] = {"[flags] DB", "-d DB [flags]", NULL};

static void add(godb_index_stats *sum, const godb_index_stats *s)
{
    sum->days += s->days;
    sum->days_changed += s->days_changed;
    sum->blocks += s->blocks;
    sum->data_bytes += s->data_bytes;
    sum->index_bytes += s->index_bytes;
    sum->days_failed += s->days_failed;
}

static void report(const gpdb_opts *o, const godb_index_stats *s)
{
    char a[32], b[32];

    if (o->json) {
        GP_CLEANUP(gp_buf_free) gp_buf buf = {0};
        query_json_object j = query_json_open(&buf);
        gpdb_json_uint(&j, "days", s->days);
        gpdb_json_uint(&j, "days_changed", s->days_changed);
        gpdb_json_uint(&j, "days_failed", s->days_failed);
        gpdb_json_uint(&j, "blocks", s->blocks);
        gpdb_json_uint(&j, "data_bytes", s->data_bytes);
        gpdb_json_uint(&j, "index_bytes", s->index_bytes);
        query_json_close(&j);
        (void)gpdb_json_print(&buf, stdout);
    } else if (!o->quiet) {
        printf("%" PRIu64 " day%s: %" PRIu64 " index%s written, %" PRIu64
               " block%s added; %s of indexes for %s of data (%.1f %%)\n",
               s->days, gpdb_s(s->days), s->days_changed, s->days_changed == 1 ? "" : "es",
               s->blocks, gpdb_s(s->blocks), gpdb_size(s->index_bytes, a, sizeof a),
               gpdb_size(s->data_bytes, b, sizeof b),
               s->data_bytes ? (double)s->index_bytes * 100 / (double)s->data_bytes : 0.0);
    }
}

/* All selected interfaces; one that fails does not stop the others. */
static int build(const gpdb_opts *o, const cli_line *line, const char *db, char *const *all,
                 const gpdb_ifaces *sel, godb_index_stats *sum)
{
    int64_t first_s, last_s;
    gp_err err = {0};
    int code = GPDB_OK;
    gp_cancel *cancel = gpdb_cancel_start();
    gpdb_progress progress;

    if (gpdb_range(o, &first_s, &last_s, &err) != GP_OK)
        return gpdb_usage(line, "%s", err.msg);
    gpdb_progress_start(&progress, o);
    for (size_t i = 0; sel->v ? i < sel->n : all[i] != NULL; i++) {
        const char *iface = sel->v ? sel->v[i] : all[i];
        godb_index_stats st = {0};
        if (gp_cancel_check(cancel) != GP_OK) {
            gpdb_progress_clear(&progress);
            return gpdb_fail(line, "cancelled; indexes made so far are kept");
        }
        gpdb_progress_show(&progress, "%" PRIu64 " days, now %s", sum->days, iface);
        gp_status rc = godb_index_build(db, iface, first_s, last_s, o->rebuild, &st, &err);
        add(sum, &st);
        if (rc != GP_OK || st.days_failed) {
            gpdb_progress_clear(&progress);
            code = gpdb_fail(line, "%s: %s", iface, err.msg);
        }
    }
    gpdb_progress_clear(&progress);
    return code;
}

static int run(void *values, const cli_line *line)
{
    const gpdb_opts *o = values;
    const char *const *words;
    size_t n, n_all;
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    GP_CLEANUP(gpdb_ifaces_free) gpdb_ifaces sel = {0};
    godb_index_stats sum = {0};
    char **all = NULL;
    gp_err err = {0};
    const char *path = gpdb_take_db(o, line, &words, &n);

    if (!path)
        return GPDB_USAGE;
    if (n > 0)
        return gpdb_usage(line, "unexpected word '%s'", words[0]);
    gp_status st = gpdb_ifaces_select(o, path, &sel, &err);
    if (st == GP_OK)
        st = godb_db_open(path, &db, &err);
    if (st == GP_OK)
        st = godb_db_ifaces(db, &all, &n_all, &err);
    if (st != GP_OK)
        return gpdb_fail(line, "%s", err.msg);
    int code = build(o, line, path, all, &sel, &sum);
    godb_strv_free(all);
    if (code != GPDB_USAGE)
        report(o, &sum);
    return code;
}

const cli_cmd gpdb_index = {
    .name = "index",
    .usage = usage,
    .summary = "Make the address indexes",
    .about = "Make the index file of every day that lacks one, and complete those that do not "
             "cover all blocks.\n"
             "With an index a query for one address opens only the blocks that can have it, "
             "and `gpdb check`\n"
             "notices bytes that have changed. Writers keep indexes up to date by themselves; "
             "this is for\n"
             "databases that other programs wrote.\n"
             "\n"
             "Examples:\n"
             "  gpdb index /srv/flows\n"
             "  gpdb index -d /srv/flows -i eth0 -f -30d --rebuild",
    .opts = opts,
    .run = run,
};
