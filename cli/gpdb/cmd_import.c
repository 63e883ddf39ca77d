/* cmd_import.c - `gpdb import`: CSV files into a database. */
#include "gpdb.h"

#include "godb/import.h"
#include "gp/io.h"
#include "result/print.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define AT(m) offsetof(gpdb_opts, m)

enum { SHOWN_SKIPS = 5 }; /* rows that are explained without --verbose */

static const char *const syncs[] = {"block", "day", "none", NULL};

static const cli_opt opts[] = {
    {"iface", 'i', CLI_STRING, AT(iface), "NAME", NULL,
     "Interface of all rows, when the CSV has no iface column.", "Input", NULL, 0},
    {"schema", 's', CLI_STRING, AT(schema), "NAMES", NULL,
     "Column names separated by commas, for files without a heading line.", NULL, NULL, 0},
    {"rows", 'n', CLI_U64, AT(rows), "N", "0", "Read at most N rows of each file; 0 is all.", NULL,
     NULL, 0},
    {"verbose", 'v', CLI_BOOL, AT(verbose), NULL, NULL,
     "Explain every row that is skipped, not just the first five.", NULL, NULL, 0},
    {"codec", 'c', CLI_STRING, AT(codec), "NAME", "lz4", "Compression: lz4, zstd, null, or 0 to 3.",
     "Output", NULL, 0},
    {"level", 0, CLI_I64, AT(level), "N", "0", "Compression level; 0 is the default of the codec.",
     NULL, NULL, 0},
    {"mode", 'm', CLI_STRING, AT(mode), "MODE", "0644",
     "Permissions of new files: octal with a leading 0, else decimal or 0x.", NULL, NULL, 0},
    {"sync", 0, CLI_STRING, AT(sync), "WHEN", "day",
     "When data is forced to the disk: after each block, when a day is complete, or none.", NULL,
     syncs, 0},
    {"no-index", 0, CLI_BOOL, AT(no_index), NULL, NULL, "Write no address index.", NULL, NULL, 0},
    {"threads", 0, CLI_U64, AT(threads), "N", "0", "Threads to use; 0 is one for each CPU.", NULL,
     NULL, 0},
    {0},
};

static const char *const usage[] = {"[flags] FILE... DB", "-d DB [flags] FILE...", NULL};

/* State of one file for the call-backs. */
struct job {
    const gpdb_opts *o;
    const cli_line *line;
    const char *file;
    gpdb_progress progress;
    uint64_t skips_shown;
    gp_buf notes; /* for JSON: texts so far, without brackets */
};

static void on_progress(void *ctx, const godb_import_stats *st)
{
    struct job *j = ctx;
    int64_t ms = gpdb_progress_ms(&j->progress);
    char a[32], b[32], share[64] = "";

    if (st->bytes_total > 0 && st->bytes_in > 0 && st->bytes_in <= st->bytes_total) {
        double part = (double)st->bytes_in / (double)st->bytes_total;
        snprintf(share, sizeof share, "%.0f %%, about %.0fs left, ", part * 100,
                 (double)ms / part * (1 - part) / 1000);
    }
    gpdb_progress_show(
        &j->progress, "%s%s rows, %s rows/s", share,
        result_fmt_count_small(st->rows_read, a, sizeof a),
        result_fmt_count_small(ms ? st->rows_read * 1000 / (uint64_t)ms : 0, b, sizeof b));
}

static void on_skip(void *ctx, uint64_t row_line, const char *why)
{
    struct job *j = ctx;

    if (!j->o->verbose && j->skips_shown >= SHOWN_SKIPS)
        return;
    j->skips_shown++;
    gpdb_progress_clear(&j->progress);
    gpdb_warn(j->o, j->line, "%s:%" PRIu64 ": %s; row skipped", j->file, row_line, why);
}

static void on_note(void *ctx, const char *text)
{
    struct job *j = ctx;

    gpdb_progress_clear(&j->progress);
    gpdb_warn(j->o, j->line, "%s", text);
    if (!j->o->json)
        return;
    if (j->notes.len)
        gp_buf_addc(&j->notes, ',');
    query_json_string(&j->notes, text);
}

static void report_json(const struct job *j, const godb_import_stats *st, int64_t ns,
                        gp_status status, const gp_err *err)
{
    GP_CLEANUP(gp_buf_free) gp_buf b = {0};
    query_json_object o = query_json_open(&b);

    query_json_text(&o, "file", j->file);
    query_json_text(&o, "status", status == GP_OK ? "ok" : "error");
    if (status != GP_OK)
        query_json_text(&o, "error", err->msg);
    gpdb_json_uint(&o, "rows_read", st->rows_read);
    gpdb_json_uint(&o, "rows_imported", st->rows_imported);
    gpdb_json_uint(&o, "rows_skipped", st->rows_skipped);
    if (st->first_skipped_line) {
        gpdb_json_uint(&o, "first_skipped_line", st->first_skipped_line);
        query_json_text(&o, "first_skipped_reason", st->first_skipped_why);
    }
    gpdb_json_uint(&o, "interfaces", st->ifaces);
    gpdb_json_uint(&o, "blocks", st->blocks);
    gpdb_json_uint(&o, "bytes_read", st->bytes_in);
    gpdb_json_seconds(&o, "seconds", ns);
    if (j->notes.len) {
        query_json_key(&o, "notes");
        gp_buf_printf(&b, "[%.*s]", (int)j->notes.len, (const char *)j->notes.data);
    }
    query_json_close(&o);
    (void)gpdb_json_print(&b, stdout);
}

static void report_text(const struct job *j, const godb_import_stats *st, int64_t ns)
{
    char a[32], rate[32];

    if (st->rows_skipped > j->skips_shown)
        gpdb_warn(j->o, j->line, "%s: %" PRIu64 " more row%s skipped (-v explains them all)",
                  j->file, st->rows_skipped - j->skips_shown,
                  gpdb_s(st->rows_skipped - j->skips_shown));
    if (j->o->quiet)
        return;
    printf("%s: %" PRIu64 " of %" PRIu64 " row%s imported", j->file, st->rows_imported,
           st->rows_read, gpdb_s(st->rows_read));
    if (st->rows_skipped)
        printf(", %" PRIu64 " skipped", st->rows_skipped);
    printf("; %" PRIu64 " block%s of %" PRIu64 " interface%s in %s (%s rows/s)\n", st->blocks,
           gpdb_s(st->blocks), st->ifaces, gpdb_s(st->ifaces), result_fmt_duration(ns, a, sizeof a),
           result_fmt_count_small(ns > 0 ? (uint64_t)((double)st->rows_read * 1e9 / (double)ns) : 0,
                                  rate, sizeof rate));
}

/* "-" is standard input; *fd is to be closed unless it is. */
static gp_status open_input(const char *file, int *fd, gp_err *err)
{
    struct stat st;

    if (strcmp(file, "-") == 0) {
        *fd = STDIN_FILENO;
        return GP_OK;
    }
    *fd = open(file, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        return gp_fail(err, errno == ENOENT ? GP_ENOTFOUND : GP_EIO, errno, "%s", file);
    if (fstat(*fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        gp_closep(fd);
        return gp_fail(err, GP_EINVAL, 0, "%s is a directory, expected a CSV file", file);
    }
    return GP_OK;
}

static int import_file(const gpdb_opts *o, const cli_line *line, const char *db, const char *file,
                       gp_cancel *cancel)
{
    struct job j = {.o = o, .line = line, .file = strcmp(file, "-") == 0 ? "stdin" : file};
    godb_import_opts io = GODB_IMPORT_OPTS_INIT;
    godb_import_stats st = {0};
    gp_err err = {0};
    int fd = -1;
    gp_status rc = gpdb_writer_opts(o, &io.writer, &err);

    if (rc != GP_OK)
        return gpdb_usage(line, "%s", err.msg);
    io.schema = o->schema && *o->schema ? o->schema : NULL;
    io.iface = o->iface && *o->iface ? o->iface : NULL;
    io.max_rows = o->rows;
    io.threads = o->threads > 256 ? 256 : (unsigned)o->threads;
    io.progress = on_progress;
    io.on_skip = on_skip;
    io.on_note = on_note;
    io.progress_ctx = io.on_skip_ctx = io.on_note_ctx = &j;
    io.cancel = cancel;
    gpdb_progress_start(&j.progress, o);
    int64_t start = gp_mono_ns();
    rc = open_input(file, &fd, &err);
    if (rc == GP_OK)
        rc = godb_import(db, fd, j.file, &io, &st, &err);
    int64_t ns = gp_mono_ns() - start;
    if (fd != STDIN_FILENO)
        gp_closep(&fd);
    gpdb_progress_clear(&j.progress);
    if (o->json)
        report_json(&j, &st, ns, rc, &err);
    else if (rc == GP_OK || st.rows_read > 0)
        report_text(&j, &st, ns);
    if (o->rows_by_default && st.rows_read == o->rows)
        gpdb_warn(o, line, "stopped after %" PRIu64 " rows, the default; -rows 0 reads all",
                  o->rows);
    gp_buf_free(&j.notes);
    if (rc != GP_OK)
        return gpdb_fail(line, "%s", err.msg);
    return st.notes ? GPDB_FOUND : GPDB_OK;
}

int gpdb_import_files(const gpdb_opts *o, const cli_line *line, const char *db,
                      const char *const *files, size_t n)
{
    gp_cancel *cancel = gpdb_cancel_start();
    int found = GPDB_OK;

    for (size_t i = 0; i < n; i++) {
        int code = import_file(o, line, db, files[i], cancel);
        if (code != GPDB_OK && code != GPDB_FOUND)
            return code;
        found = code == GPDB_FOUND ? code : found;
    }
    return found;
}

static int run(void *values, const cli_line *line)
{
    const gpdb_opts *o = values;
    const char *db = o->db_path && *o->db_path ? o->db_path : NULL;
    size_t n = line->n_words;

    if (!db && n > 0)
        db = line->words[--n];
    if (!db || n == 0)
        return gpdb_usage(line, "expected a CSV file and a database directory");
    return gpdb_import_files(o, line, db, line->words, n);
}

const cli_cmd gpdb_import = {
    .name = "import",
    .usage = usage,
    .summary = "Add flows from CSV files",
    .about = "Add the flows of CSV files to a database, which is made if it does not exist. "
             "FILE may be\n"
             "compressed with gzip or zstd; - is standard input.\n"
             "\n"
             "The first line names the columns unless --schema does: time (Unix seconds, "
             "required), iface, sip,\n"
             "dip, dport, proto (number or name), packets received, packets sent, data vol. "
             "received, data vol.\n"
             "sent. Other columns are ignored, missing ones are zero. Rows must be sorted by "
             "time; all rows of\n"
             "an interface with the same time become one block, in which a later row replaces "
             "an earlier one\n"
             "with the same addresses, port and protocol. Rows that cannot be used are "
             "skipped and counted; a\n"
             "row out of order, broken quoting, or a block that is not later than what the "
             "day already has ends\n"
             "the import. Blocks before that are kept; when the disk is full, those that fit, and "
             "the others are\n"
             "named. A damaged day that blocks are added to is written anew from what can be read "
             "of it; the\n"
             "original goes to DB.quarantine, a message says so, and the exit code is 3.\n"
             "\n"
             "Examples:\n"
             "  gpdb import flows.csv /srv/flows\n"
             "  zcat old/*.gz | gpdb import -d /srv/flows -i eth0 -s time,sip,dip,dport,proto -\n"
             "  gpdb import --codec zstd --level 12 flows.csv.zst /srv/archive\n"
             "  gpdb export db1 | gpdb import -d db2 -      copy flows",
    .opts = opts,
    .run = run,
};
