/* cmd_export.c - `gpdb export`: a database as CSV. */
#include "gpdb.h"

#include "godb/export.h"
#include "gp/io.h"
#include "gp/mem.h"
#include "gp/output.h"
#include "result/print.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define AT(m) offsetof(gpdb_opts, m)

static const cli_opt opts[] = {
    {"ifaces", 'i', CLI_STRING, AT(ifaces), "LIST", NULL,
     "Interfaces: names separated by commas, !NAME to leave one out, or /regular expression/; all "
     "by "
     "default.",
     "What to export", NULL, 0},
    {"first", 'f', CLI_STRING, AT(first), "TIME", NULL,
     "Blocks from then on; times as for goquery, e.g. -7d or '2024-03-01 00:00'.", NULL, NULL, 0},
    {"last", 'l', CLI_STRING, AT(last), "TIME", NULL, "Blocks until then.", NULL, NULL, 0},
    {"output", 'o', CLI_STRING, AT(output), "FILE", NULL,
     "Write to FILE, which appears when it is complete, instead of standard output.", "Output",
     NULL, CLI_FILE},
    {"no-header", 0, CLI_BOOL, AT(no_header), NULL, NULL, "Leave the line with column names out.",
     NULL, NULL, 0},
    {0},
};

static const char *const usage[] = {"[flags] DB", "-d DB [flags]", NULL};

/* Where the text goes. */
struct sink {
    gp_output out;
    int sys;
    uint64_t bytes;
    gpdb_progress progress;
};

static gp_status put(void *ctx, const void *bytes, size_t n)
{
    struct sink *s = ctx;
    gp_err err = {0};
    char text[32];
    gp_status st = gp_write_full(s->out.fd, bytes, n, &err);

    s->sys = err.sys;
    s->bytes += n;
    if (s->out.fd != STDOUT_FILENO || !isatty(STDOUT_FILENO))
        gpdb_progress_show(&s->progress, "%s of CSV", gpdb_size(s->bytes, text, sizeof text));
    return st;
}

static int is_stdout(const char *path)
{
    return !path || !*path || strcmp(path, "-") == 0;
}

/* Standard output is not ours to close. */
static gp_status close_output(gp_output *out, gp_status st, gp_err *err)
{
    if (out->fd == STDOUT_FILENO)
        return st;
    return gp_output_close(out, st, err);
}

/* The summary must not get between the rows. */
static void report(const gpdb_opts *o, const cli_line *line, const godb_export_stats *s, int64_t ns)
{
    FILE *out = is_stdout(o->output) ? stderr : stdout;
    char a[32];

    if (o->json) {
        GP_CLEANUP(gp_buf_free) gp_buf b = {0};
        query_json_object j = query_json_open(&b);
        gpdb_json_uint(&j, "rows", s->rows);
        gpdb_json_uint(&j, "blocks", s->blocks);
        gpdb_json_uint(&j, "bytes", s->bytes);
        gpdb_json_uint(&j, "empty_blocks", s->empty_blocks);
        gpdb_json_uint(&j, "drops", s->drops);
        gpdb_json_uint(&j, "bad_blocks", s->bad_blocks);
        gpdb_json_uint(&j, "bad_days", s->bad_days);
        query_json_text_opt(&j, "first_bad", s->first_bad);
        gpdb_json_seconds(&j, "seconds", ns);
        query_json_close(&j);
        (void)gpdb_json_print(&b, out);
    } else if (!o->quiet) {
        fprintf(out, "%" PRIu64 " row%s of %" PRIu64 " block%s exported in %s", s->rows,
                gpdb_s(s->rows), s->blocks, gpdb_s(s->blocks),
                result_fmt_duration(ns, a, sizeof a));
        if (s->empty_blocks || s->drops)
            fprintf(out,
                    "; CSV has no place for %" PRIu64 " block%s without rows and %" PRIu64
                    " dropped packet%s",
                    s->empty_blocks, gpdb_s(s->empty_blocks), s->drops, gpdb_s(s->drops));
        fputc('\n', out);
    }
    if (s->bad_blocks || s->bad_days)
        (void)gpdb_fail(line, "%" PRIu64 " block%s and %" PRIu64 " day%s could not be read: %s",
                        s->bad_blocks, gpdb_s(s->bad_blocks), s->bad_days, gpdb_s(s->bad_days),
                        s->first_bad);
}

static gp_status export_all(const gpdb_opts *o, const char *path, struct sink *sink,
                            godb_export_stats *stats, gp_err *err)
{
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    GP_CLEANUP(gpdb_ifaces_free) gpdb_ifaces ifaces = {0};
    godb_export_opts eo = GODB_EXPORT_OPTS_INIT;

    GP_TRY(gpdb_range(o, &eo.first_s, &eo.last_s, err));
    GP_TRY(gpdb_ifaces_select(o, path, &ifaces, err));
    GP_TRY(godb_db_open(path, &db, err));
    eo.ifaces = ifaces.v;
    eo.no_header = o->no_header;
    eo.cancel = gpdb_cancel_start();
    return godb_export(db, &eo, put, sink, stats, err);
}

static int run(void *values, const cli_line *line)
{
    const gpdb_opts *o = values;
    const char *const *words;
    size_t n;
    struct sink sink = {.out = {.fd = STDOUT_FILENO}};
    godb_export_stats stats = {0};
    gp_err err = {0};
    const char *db = gpdb_take_db(o, line, &words, &n);

    if (!db)
        return GPDB_USAGE;
    if (n > 0)
        return gpdb_usage(line, "unexpected word '%s' (use -o FILE for a file)", words[0]);
    gpdb_progress_start(&sink.progress, o);
    int64_t start = gp_mono_ns();
    gp_status st = is_stdout(o->output) ? GP_OK : gp_output_open(o->output, 0, &sink.out, &err);
    if (st == GP_OK)
        st = close_output(&sink.out, export_all(o, db, &sink, &stats, &err), &err);
    gpdb_progress_clear(&sink.progress);
    if (st != GP_OK && sink.sys == EPIPE)
        return GPDB_FAILED; /* the reader has seen enough */
    if (st != GP_OK)
        return gpdb_fail(line, "%s%s%s", err.msg, sink.sys ? ": " : "",
                         sink.sys ? strerror(sink.sys) : "");
    report(o, line, &stats, gp_mono_ns() - start);
    return stats.bad_blocks || stats.bad_days ? GPDB_FOUND : GPDB_OK;
}

const cli_cmd gpdb_export = {
    .name = "export",
    .usage = usage,
    .summary = "Write flows as CSV",
    .about = "Write the flows of a database as CSV, sorted by time, that `gpdb import` reads "
             "back identically.\n"
             "Blocks without rows and counts of dropped packets have no place in CSV. Blocks "
             "that cannot be read\n"
             "are left out; then the exit code is 3.\n"
             "\n"
             "Examples:\n"
             "  gpdb export /srv/flows -o flows.csv\n"
             "  gpdb export /srv/flows -i eth0,eth1 -f -7d | zstd > week.csv.zst\n"
             "  gpdb export -d /srv/flows -f '2024-03-01 00:00' -l -30d --no-header | wc -l",
    .opts = opts,
    .run = run,
};
