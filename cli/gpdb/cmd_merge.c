/* cmd_merge.c - `gpdb merge`: take over the days of another database. */
#include "gpdb.h"

#include "godb/merge.h"

#include <inttypes.h>
#include <string.h>

#define AT(m) offsetof(gpdb_opts, m)

static const cli_opt opts[] = {
    {"dry-run", 'n', CLI_BOOL, AT(dry_run), NULL, NULL,
     "Show what would be done with each day and change nothing.", "Flags", NULL, 0},
    {"overwrite", 0, CLI_BOOL, AT(overwrite), NULL, NULL,
     "Where both sides have a complete day or the same block, take the source's.", NULL, NULL, 0},
    {"ifaces", 'i', CLI_STRING, AT(ifaces), "LIST", NULL,
     "Interfaces: names separated by commas, !NAME to leave one out, or /regular expression/; all "
     "by "
     "default.",
     NULL, NULL, 0},
    {"tolerance", 't', CLI_DURATION, AT(tolerance_ns), "DURATION", "150s",
     "How far the first and the last block may be from the ends of a day that counts as complete.",
     NULL, NULL, CLI_NOT_BELOW_0},
    {"verbose", 'v', CLI_BOOL, AT(verbose), NULL, NULL, "Show what is done with each day.", NULL,
     NULL, 0},
    {0},
};

static const char *const usage[] = {"[flags] SOURCE DESTINATION", "-d DESTINATION [flags] SOURCE",
                                    NULL};

struct job {
    const gpdb_opts *o;
    const cli_line *line;
    gpdb_progress progress;
    uint64_t days;
    gp_buf json; /* the list of days so far, without brackets */
    gp_buf notes;
};

static const char *action_name(godb_merge_action a)
{
    return a == GODB_MERGE_COPY ? "copy" : a == GODB_MERGE_REBUILD ? "rebuild" : "skip";
}

static void on_day(void *ctx, const godb_merge_day *d)
{
    struct job *j = ctx;
    char day[16];

    j->days++;
    gpdb_day_text(d->day_s, day, sizeof day);
    if (j->o->json) {
        if (j->json.len)
            gp_buf_addc(&j->json, ',');
        query_json_object o = query_json_open(&j->json);
        query_json_text(&o, "iface", d->iface);
        query_json_text(&o, "day", day);
        query_json_text(&o, "action", action_name(d->action));
        gpdb_json_bool(&o, "source_complete", d->src_complete);
        gpdb_json_bool(&o, "destination_present", d->dst_present);
        gpdb_json_bool(&o, "destination_complete", d->dst_complete);
        query_json_close(&o);
    } else if (j->o->verbose || j->o->dry_run) {
        gpdb_progress_clear(&j->progress);
        printf("%-7s %s %s (source %s, destination %s)\n", action_name(d->action), d->iface, day,
               d->src_complete ? "complete" : "incomplete",
               !d->dst_present   ? "absent"
               : d->dst_complete ? "complete"
                                 : "incomplete");
    }
    gpdb_progress_show(&j->progress, "%" PRIu64 " days, now %s %s", j->days, d->iface, day);
}

static void on_note(void *ctx, const char *text)
{
    struct job *j = ctx;

    gpdb_progress_clear(&j->progress);
    gpdb_warn(j->o, j->line, "%s", text);
    if (j->notes.len)
        gp_buf_addc(&j->notes, ',');
    query_json_string(&j->notes, text);
}

static void report_json(struct job *j, const godb_merge_stats *s, gp_status st, const gp_err *err)
{
    GP_CLEANUP(gp_buf_free) gp_buf b = {0};
    query_json_object o = query_json_open(&b);

    query_json_text(&o, "status", st == GP_OK ? "ok" : "error");
    if (st != GP_OK)
        query_json_text(&o, "error", err->msg);
    gpdb_json_bool(&o, "dry_run", j->o->dry_run);
    gpdb_json_uint(&o, "interfaces", s->ifaces);
    gpdb_json_uint(&o, "days_copied", s->days_copied);
    gpdb_json_uint(&o, "days_rebuilt", s->days_rebuilt);
    gpdb_json_uint(&o, "days_skipped", s->days_skipped);
    gpdb_json_uint(&o, "conflicts_destination", s->conflicts_dst);
    gpdb_json_uint(&o, "conflicts_source", s->conflicts_src);
    gpdb_json_uint(&o, "blocks_dropped", s->blocks_dropped);
    query_json_key(&o, "days");
    gp_buf_printf(&b, "[%s]", gp_buf_str(&j->json));
    query_json_key(&o, "notes");
    gp_buf_printf(&b, "[%s]", gp_buf_str(&j->notes));
    query_json_close(&o);
    (void)gpdb_json_print(&b, stdout);
}

static void report_text(const struct job *j, const godb_merge_stats *s)
{
    if (j->o->quiet)
        return;
    printf("%s%" PRIu64 " interface%s: %" PRIu64 " day%s copied, %" PRIu64 " rebuilt, %" PRIu64
           " skipped",
           j->o->dry_run ? "dry run: " : "", s->ifaces, gpdb_s(s->ifaces), s->days_copied,
           gpdb_s(s->days_copied), s->days_rebuilt, s->days_skipped);
    if (s->conflicts_dst || s->conflicts_src)
        printf("; of blocks on both sides %" PRIu64 " kept, %" PRIu64 " replaced", s->conflicts_dst,
               s->conflicts_src);
    if (s->blocks_dropped)
        printf("; %" PRIu64 " damaged block%s of the source left out", s->blocks_dropped,
               gpdb_s(s->blocks_dropped));
    putchar('\n');
}

static int run(void *values, const cli_line *line)
{
    const gpdb_opts *o = values;
    struct job j = {.o = o, .line = line};
    int by_flag = o->db_path && *o->db_path;
    GP_CLEANUP(gpdb_ifaces_free) gpdb_ifaces ifaces = {0};
    godb_merge_stats st = {0};
    gp_err err = {0};

    if (line->n_words != (by_flag ? 1 : 2))
        return gpdb_usage(line, "expected a source and a destination database");
    const char *src = line->words[0], *dst = by_flag ? o->db_path : line->words[1];
    gp_status rc = gpdb_ifaces_select(o, src, &ifaces, &err);
    if (rc == GP_OK) {
        godb_merge_opts mo = {.ifaces = ifaces.v,
                              .overwrite = o->overwrite,
                              .dry_run = o->dry_run,
                              .tolerance_s = o->tolerance_ns / 1000000000,
                              .on_day = on_day,
                              .on_note = on_note,
                              .ctx = &j,
                              .cancel = gpdb_cancel_start()};
        gpdb_progress_start(&j.progress, o);
        rc = godb_merge(src, dst, &mo, &st, &err);
        gpdb_progress_clear(&j.progress);
    }
    if (o->json)
        report_json(&j, &st, rc, &err);
    else if (rc == GP_OK || st.days_copied + st.days_rebuilt > 0)
        report_text(&j, &st);
    gp_buf_free(&j.json);
    gp_buf_free(&j.notes);
    if (rc != GP_OK)
        return gpdb_fail(line, "%s", err.msg);
    return st.blocks_dropped ? GPDB_FOUND : GPDB_OK;
}

const cli_cmd gpdb_merge = {
    .name = "merge",
    .usage = usage,
    .summary = "Take over the days of another database",
    .about = "Merge database SOURCE into DESTINATION, which is made if it does not exist. "
             "SOURCE is not changed.\n"
             "\n"
             "A day that DESTINATION lacks is copied if it is complete, otherwise built from "
             "its blocks. Where\n"
             "both have the day, an incomplete one is completed with the other's blocks; of "
             "two blocks with the\n"
             "same time DESTINATION's stays (--overwrite: SOURCE's). Every block is verified "
             "before it is taken\n"
             "over; damaged ones of SOURCE are left out, and then the exit code is 3. A day "
             "changes in one step,\n"
             "so queries may go on, and a merge that was interrupted can simply be run again. "
             "It stops when\n"
             "another process writes to an interface.\n"
             "\n"
             "Examples:\n"
             "  gpdb merge --dry-run backup/flows /srv/flows\n"
             "  gpdb merge -i eth0,eth1 backup/flows /srv/flows\n"
             "  gpdb merge --overwrite --tolerance 10m repaired /srv/flows",
    .opts = opts,
    .run = run,
};
