/* cmd_check.c - `gpdb check`: verify every block of a database. */
#include "gpdb.h"

#include "godb/check.h"
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
    {"verbose", 'v', CLI_BOOL, AT(verbose), NULL, NULL, "Show harmless findings too.", NULL, NULL,
     0},
    {"no-rows", 0, CLI_BOOL, AT(no_rows), NULL, NULL, "Do not look at the order of rows: faster.",
     NULL, NULL, 0},
    {"threads", 0, CLI_U64, AT(threads), "N", "0", "Threads to use; 0 is one for each CPU.", NULL,
     NULL, 0},
    {0},
};

static const char *const usage[] = {"[flags] DB", "-d DB [flags]", NULL};

struct job {
    const gpdb_opts *o;
    gpdb_progress progress;
    gp_buf json; /* findings so far, without brackets */
};

static void on_problem(void *ctx, const godb_problem *p)
{
    struct job *j = ctx;

    if (p->severity == GODB_NOTE && !j->o->verbose)
        return;
    if (!j->o->json) {
        gpdb_progress_clear(&j->progress);
        printf("%-7s %s: %s [%s]\n", godb_severity_name(p->severity), p->path, p->text,
               godb_problem_name(p->kind));
        return;
    }
    if (j->json.len)
        gp_buf_addc(&j->json, ',');
    query_json_object o = query_json_open(&j->json);
    query_json_text(&o, "severity", godb_severity_name(p->severity));
    query_json_text(&o, "kind", godb_problem_name(p->kind));
    query_json_text(&o, "path", p->path);
    if (p->day_s)
        query_json_int(&o, "day", p->day_s);
    if (p->block >= 0) {
        query_json_int(&o, "block", p->block);
        query_json_int(&o, "time", p->block_s);
    }
    if (p->col >= 0)
        query_json_text(&o, "file", godb_col_file((godb_col)p->col));
    query_json_text(&o, "text", p->text);
    query_json_close(&o);
}

static void on_progress(void *ctx, uint64_t done, uint64_t total)
{
    struct job *j = ctx;
    int64_t ms = gpdb_progress_ms(&j->progress);

    if (done > 0 && total >= done)
        gpdb_progress_show(&j->progress, "%" PRIu64 " of %" PRIu64 " days, about %.0fs left", done,
                           total, (double)ms / (double)done * (double)(total - done) / 1000);
}

static void report_json(struct job *j, const godb_check_stats *s, int64_t ns)
{
    GP_CLEANUP(gp_buf_free) gp_buf b = {0};
    query_json_object o = query_json_open(&b);

    query_json_text(&o, "status",
                    s->by_severity[GODB_ERROR]     ? "error"
                    : s->by_severity[GODB_WARNING] ? "warning"
                                                   : "ok");
    gpdb_json_uint(&o, "interfaces", s->ifaces);
    gpdb_json_uint(&o, "days", s->days);
    gpdb_json_uint(&o, "blocks", s->blocks);
    gpdb_json_uint(&o, "rows", s->rows);
    gpdb_json_uint(&o, "stored_bytes", s->stored_bytes);
    gpdb_json_uint(&o, "raw_bytes", s->raw_bytes);
    gpdb_json_uint(&o, "errors", s->by_severity[GODB_ERROR]);
    gpdb_json_uint(&o, "warnings", s->by_severity[GODB_WARNING]);
    gpdb_json_uint(&o, "notes", s->by_severity[GODB_NOTE]);
    query_json_key(&o, "kinds");
    query_json_object kinds = query_json_open(&b);
    for (int k = 0; k < GODB_PROBLEM_N_KINDS; k++)
        if (s->n[k])
            gpdb_json_uint(&kinds, godb_problem_name((godb_problem_kind)k), s->n[k]);
    query_json_close(&kinds);
    gpdb_json_seconds(&o, "seconds", ns);
    query_json_key(&o, "findings");
    gp_buf_printf(&b, "[%s]", gp_buf_str(&j->json));
    query_json_close(&o);
    (void)gpdb_json_print(&b, stdout);
}

static void report_text(const struct job *j, const godb_check_stats *s, int64_t ns)
{
    char a[32], b[32], c[32], d[32];

    if (j->o->quiet)
        return;
    printf("%" PRIu64 " day%s of %" PRIu64
           " interface%s, %s block%s, %s row%s, %s (raw %s) in %s: ",
           s->days, gpdb_s(s->days), s->ifaces, gpdb_s(s->ifaces),
           result_fmt_count_small(s->blocks, a, sizeof a), gpdb_s(s->blocks),
           result_fmt_count_small(s->rows, b, sizeof b), gpdb_s(s->rows),
           gpdb_size(s->stored_bytes, c, sizeof c), gpdb_size(s->raw_bytes, d, sizeof d),
           result_fmt_duration(ns, (char[32]){0}, 32));
    if (s->by_severity[GODB_ERROR] + s->by_severity[GODB_WARNING] == 0)
        printf("no problems");
    else
        printf("%" PRIu64 " error%s, %" PRIu64 " warning%s", s->by_severity[GODB_ERROR],
               gpdb_s(s->by_severity[GODB_ERROR]), s->by_severity[GODB_WARNING],
               gpdb_s(s->by_severity[GODB_WARNING]));
    if (s->by_severity[GODB_NOTE])
        printf(", %" PRIu64 " harmless finding%s%s", s->by_severity[GODB_NOTE],
               gpdb_s(s->by_severity[GODB_NOTE]), j->o->verbose ? "" : " (-v shows them)");
    putchar('\n');
}

static int run(void *values, const cli_line *line)
{
    const gpdb_opts *o = values;
    struct job j = {.o = o};
    const char *const *words;
    size_t n;
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    GP_CLEANUP(gpdb_ifaces_free) gpdb_ifaces ifaces = {0};
    godb_check_opts co = GODB_CHECK_OPTS_INIT;
    godb_check_stats st = {0};
    gp_err err = {0};
    const char *path = gpdb_take_db(o, line, &words, &n);

    if (!path)
        return GPDB_USAGE;
    if (n > 0)
        return gpdb_usage(line, "unexpected word '%s'", words[0]);
    if (gpdb_range(o, &co.first_s, &co.last_s, &err) != GP_OK)
        return gpdb_usage(line, "%s", err.msg);
    gp_status rc = gpdb_ifaces_select(o, path, &ifaces, &err);
    if (rc == GP_OK)
        rc = godb_db_open(path, &db, &err);
    int64_t start = gp_mono_ns();
    if (rc == GP_OK) {
        co.ifaces = ifaces.v;
        co.threads = o->threads > 256 ? 256 : (unsigned)o->threads;
        co.no_rows = o->no_rows;
        co.progress = on_progress;
        co.progress_ctx = &j;
        co.cancel = gpdb_cancel_start();
        gpdb_progress_start(&j.progress, o);
        rc = godb_check(db, &co, on_problem, &j, &st, &err);
        gpdb_progress_clear(&j.progress);
    }
    if (rc == GP_OK && o->json)
        report_json(&j, &st, gp_mono_ns() - start);
    else if (rc == GP_OK)
        report_text(&j, &st, gp_mono_ns() - start);
    gp_buf_free(&j.json);
    if (rc != GP_OK)
        return gpdb_fail(line, "%s", err.msg);
    return st.by_severity[GODB_ERROR] + st.by_severity[GODB_WARNING] ? GPDB_FOUND : GPDB_OK;
}

const cli_cmd gpdb_check = {
    .name = "check",
    .usage = usage,
    .summary = "Verify every block",
    .about = "Read and verify all of a database: names, metadata, every column of every "
             "block, order of rows,\n"
             "totals, and checksums where there is an index. Nothing is changed. Each finding "
             "is an error (rows\n"
             "cannot be read), a warning (`gpdb repair` shows what can be done) or a note "
             "(harmless). Exit code 0:\n"
             "no errors and warnings; 3: there are some; 1: it cannot be read, or is no "
             "database.\n"
             "\n"
             "Examples:\n"
             "  gpdb check /srv/flows\n"
             "  gpdb check -d /srv/flows -i eth0 -f -7d -v\n"
             "  gpdb check /srv/flows --json | jq '.findings[].path'",
    .opts = opts,
    .run = run,
};
