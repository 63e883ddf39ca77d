/* import.c - CSV into a database, streaming (godb-format.md 8.2). */
#include "godb/import.h"

#include "csv.h"
#include "gp/mem.h"
#include "import_feed.h"
#include "import_pipe.h"
#include "import_writers.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAX_THREADS = 16,
    PROGRESS_MS = 200 /* between two calls of the progress function */
};

/* Rows of one interface with the current time. */
struct pending {
    uint32_t iface;
    uint64_t line, rows; /* line of the first row */
    godb_sorter *sorter;
};

struct import {
    const godb_import_opts *opts;
    const char *name;
    godb_import_stats *stats;
    godb_csv_parser csv;
    godb_pipe *pipe;
    godb_feed *feed;
    int have_schema, full; /* full: the row limit is reached */
    int pipe_failed;       /* at an earlier block; its text names the line */
    uint32_t fixed_iface;  /* number of opts->iface */
    int64_t time_s;        /* current time; 0 before the first row */
    struct pending *pending;
    size_t n_pending, cap_pending;
    uint32_t *slot; /* by interface number: index into pending, plus one; 0 = none */
    size_t cap_slot;
    int64_t next_progress_ms;
};

static gp_status at_line(const struct import *im, gp_status st, gp_err *err)
{
    return gp_fail_context(err, st, "%s:%llu", im->name, (unsigned long long)im->csv.at_line);
}

/* ---- rows ---- */

static gp_status flush_pending(struct import *im, gp_err *err)
{
    gp_status st = GP_OK;

    for (size_t i = 0; i < im->n_pending; i++) {
        struct pending *p = &im->pending[i];
        im->slot[p->iface] = 0;
        if (st == GP_OK)
            st = godb_pipe_submit(im->pipe, p->iface, im->time_s, p->line, p->sorter, p->rows, err);
        else
            godb_sorter_free(p->sorter);
    }
    im->n_pending = 0;
    im->pipe_failed = st != GP_OK;
    return st;
}

static void drop_pending(struct import *im)
{
    for (size_t i = 0; i < im->n_pending; i++)
        godb_sorter_free(im->pending[i].sorter);
    im->n_pending = 0;
}

/* Rows of the interface at the current time, begun if needed. */
static gp_status pending_of(struct import *im, uint32_t iface, struct pending **out, gp_err *err)
{
    if (iface >= im->cap_slot) {
        size_t cap = ((size_t)iface + 32) * 2;
        uint32_t *slot = gp_realloc(im->slot, cap, sizeof *slot);
        if (!slot)
            return gp_fail(err, GP_ENOMEM, 0, "import: out of memory");
        memset(slot + im->cap_slot, 0, (cap - im->cap_slot) * sizeof *slot);
        im->slot = slot;
        im->cap_slot = cap;
    }
    if (im->slot[iface] == 0) {
        if (im->n_pending == im->cap_pending) {
            size_t cap = im->cap_pending ? 2 * im->cap_pending : 32;
            struct pending *p = gp_realloc(im->pending, cap, sizeof *p);
            if (!p)
                return gp_fail(err, GP_ENOMEM, 0, "import: out of memory");
            im->pending = p;
            im->cap_pending = cap;
        }
        struct pending *p = &im->pending[im->n_pending];
        *p = (struct pending){.iface = iface, .line = im->csv.at_line};
        GP_TRY(godb_pipe_sorter(im->pipe, &p->sorter, err));
        im->slot[iface] = (uint32_t)++im->n_pending;
    }
    *out = &im->pending[im->slot[iface] - 1];
    return GP_OK;
}

static void skip_row(struct import *im, godb_csv_col col, const char *why)
{
    godb_import_stats *s = im->stats;
    char text[sizeof s->first_skipped_why];

    s->rows_skipped++;
    if (s->first_skipped_line != 0 && !im->opts->on_skip)
        return;
    (void)snprintf(text, sizeof text, "%s %s",
                   col == GODB_CSV_IGNORED ? "row" : godb_csv_col_name(col), why);
    if (s->first_skipped_line == 0) {
        s->first_skipped_line = im->csv.at_line;
        memcpy(s->first_skipped_why, text, sizeof text);
    }
    if (im->opts->on_skip)
        im->opts->on_skip(im->opts->on_skip_ctx, im->csv.at_line, text);
}

static gp_status add_row(struct import *im, const godb_csv_row *row, gp_err *err)
{
    uint32_t iface = im->fixed_iface;
    struct pending *p = NULL;

    if (im->csv.schema.mask & 1u << GODB_CSV_IFACE) {
        gp_status st = godb_pipe_iface(im->pipe, row->iface.s, row->iface.len, &iface);
        if (st == GP_EINVAL) {
            skip_row(im, GODB_CSV_IFACE, "is not an interface name");
            return GP_OK;
        }
        if (st != GP_OK)
            return gp_fail(err, st, 0, "too many different interface names");
    }
    if (row->time_s != im->time_s) {
        if (row->time_s < im->time_s)
            return gp_fail(
                err, GP_EINVAL, 0,
                "time goes back from %lld to %lld in row %llu; rows must be sorted by time",
                (long long)im->time_s, (long long)row->time_s,
                (unsigned long long)im->stats->rows_read);
        GP_TRY(flush_pending(im, err));
        im->time_s = row->time_s;
    }
    GP_TRY(pending_of(im, iface, &p, err));
    gp_status st = godb_sorter_add(p->sorter, &row->row);
    if (st != GP_OK)
        return gp_fail(err, st, 0, "%llu rows of one block are too many (%s)",
                       (unsigned long long)p->rows, gp_status_name(st));
    p->rows++;
    return GP_OK;
}

/* ---- text ---- */

static gp_status read_heading(struct import *im, const char **at, const char *end, int last,
                              gp_err *err)
{
    godb_csv_result r = godb_csv_split(&im->csv, at, end, last, err);

    if (r == GODB_CSV_ERROR)
        return at_line(im, err ? err->code : GP_ECORRUPT, err);
    if (r != GODB_CSV_ROW)
        return GP_OK;
    gp_status st = godb_csv_set_schema(&im->csv, im->opts->iface != NULL, err);
    im->have_schema = st == GP_OK;
    return st == GP_OK ? GP_OK : at_line(im, st, err);
}

/* Take records from [*at, end) as far as they are complete. */
static gp_status read_rows(struct import *im, const char **at, const char *end, int last,
                           godb_csv_row *row, gp_err *err)
{
    while (*at < end && !im->full) {
        if (!im->have_schema) {
            const char *before = *at;
            GP_TRY(read_heading(im, at, end, last, err));
            if (*at == before)
                return GP_OK;
            continue;
        }
        godb_csv_result r = godb_csv_next(&im->csv, at, end, last, row, err);
        if (r == GODB_CSV_MORE)
            return GP_OK;
        if (r == GODB_CSV_ERROR)
            return at_line(im, err ? err->code : GP_ECORRUPT, err);
        if (r == GODB_CSV_EMPTY)
            continue;
        im->stats->rows_read++;
        if (r == GODB_CSV_SKIP) {
            skip_row(im, im->csv.why_col, im->csv.why);
        } else {
            gp_status st = add_row(im, row, err);
            if (st != GP_OK)
                return im->pipe_failed ? st : at_line(im, st, err);
        }
        im->full = im->stats->rows_read == im->opts->max_rows;
    }
    return GP_OK;
}

static void show_progress(struct import *im)
{
    godb_pipe_stats ps;
    int64_t now = gp_mono_ms();

    im->stats->bytes_in = godb_feed_consumed(im->feed);
    if (!im->opts->progress || now < im->next_progress_ms)
        return;
    im->next_progress_ms = now + PROGRESS_MS;
    godb_pipe_stats_get(im->pipe, &ps);
    im->stats->rows_imported = ps.rows;
    im->stats->blocks = ps.blocks;
    im->opts->progress(im->opts->progress_ctx, im->stats);
}

/* All records of the input, up to the row limit. */
static gp_status read_all(struct import *im, gp_err *err)
{
    const char *at = NULL, *end = NULL;
    godb_csv_row row = {.row = {.family = 4}};
    int last = 0;

    while (!last && !im->full) {
        GP_TRY(gp_cancel_check(im->opts->cancel));
        if (end - at > GODB_CSV_RECORD_MAX) {
            (void)gp_fail(err, GP_ECORRUPT, 0,
                          "a record of more than %d bytes (is a quote not closed?)",
                          GODB_CSV_RECORD_MAX);
            im->csv.at_line = im->csv.line;
            return at_line(im, GP_ECORRUPT, err);
        }
        GP_TRY(godb_feed_next(im->feed, (size_t)(end - at), &at, &end, &last, err));
        const char *lf = end > at ? memrchr(at, '\n', (size_t)(end - at)) : NULL;
        if (lf)
            GP_TRY(read_rows(im, &at, lf + 1, 0, &row, err));
        if (last)
            GP_TRY(read_rows(im, &at, end, 1, &row, err));
        show_progress(im);
    }
    if (!im->have_schema)
        return gp_fail(err, GP_EINVAL, 0, "%s: is empty, expected a line with column names",
                       im->name);
    return flush_pending(im, err);
}

/* ---- setting up ---- */

static gp_status use_schema_option(struct import *im, gp_err *err)
{
    const char *at = im->opts->schema, *end = at + strlen(at);

    im->have_schema = 1;
    if (at == end || godb_csv_split(&im->csv, &at, end, 1, err) != GODB_CSV_ROW || at != end)
        return gp_fail(err, GP_EINVAL, 0, "schema: expected column names separated by commas");
    im->csv.line = 1;
    gp_status st = godb_csv_set_schema(&im->csv, im->opts->iface != NULL, err);
    return st == GP_OK ? GP_OK : gp_fail_context(err, st, "schema option");
}

static gp_status start(struct import *im, const char *root, int fd, unsigned threads, gp_pool *pool,
                       gp_err *err)
{
    const godb_pipe_opts po = {.root = root,
                               .name = im->name,
                               .writer = im->opts->writer,
                               .threads = threads,
                               .pool = pool};
    const char *iface = im->opts->iface;
    struct stat sb;
    off_t pos = lseek(fd, 0, SEEK_CUR);

    if (fstat(fd, &sb) == 0 && S_ISREG(sb.st_mode) && pos >= 0 && sb.st_size > pos)
        im->stats->bytes_total = (uint64_t)(sb.st_size - pos);
    im->csv.line = 1;
    GP_TRY(godb_pipe_new(&po, &im->pipe, err));
    if (iface && godb_pipe_iface(im->pipe, iface, strlen(iface), &im->fixed_iface) != GP_OK)
        return gp_fail(err, GP_EINVAL, 0, "'%s' is not an interface name", iface);
    if (im->opts->schema && *im->opts->schema)
        GP_TRY(use_schema_option(im, err));
    return godb_feed_new(fd, im->name, GODB_CSV_RECORD_MAX, pool, im->opts->cancel, &im->feed, err);
}

/* Days that were moved away are among them: nothing of it may be lost. */
static void tell_notes(struct import *im)
{
    const godb_notes *notes = godb_pipe_notes(im->pipe);
    char more[64];

    im->stats->notes = notes->n;
    if (!im->opts->on_note)
        return;
    for (size_t i = 0; i < notes->kept.n; i++)
        im->opts->on_note(im->opts->on_note_ctx, notes->kept.v[i]);
    if (notes->n > notes->kept.n) {
        (void)snprintf(more, sizeof more, "%llu more messages like these",
                       (unsigned long long)(notes->n - notes->kept.n));
        im->opts->on_note(im->opts->on_note_ctx, more);
    }
}

static gp_status run(struct import *im, const char *root, int fd, unsigned threads, gp_pool *pool,
                     gp_err *err)
{
    godb_pipe_stats ps = {0};
    gp_err late = {0};
    gp_status st = start(im, root, fd, threads, pool, err), end;

    if (st == GP_OK)
        st = read_all(im, err);
    drop_pending(im); /* of an import that failed */
    godb_feed_free(im->feed);
    im->feed = NULL;
    if (im->pipe) {
        end = godb_pipe_finish(im->pipe, &ps, &late);
        if (end != GP_OK) { /* comes first: it concerns earlier rows */
            st = end;
            *err = late;
        }
        tell_notes(im);
        godb_pipe_free(im->pipe);
    }
    im->stats->rows_imported = ps.rows;
    im->stats->blocks = ps.blocks;
    im->stats->ifaces = ps.ifaces;
    return st;
}

gp_status godb_import(const char *root, int fd, const char *name, const godb_import_opts *opts,
                      godb_import_stats *stats, gp_err *err)
{
    static const godb_import_opts defaults = GODB_IMPORT_OPTS_INIT;
    godb_import_stats none;
    gp_err own = {0}; /* texts are looked at even when the caller does not want them */
    struct import im = {.opts = opts ? opts : &defaults, .name = name, .stats = stats};
    gp_pool *pool = NULL;

    if (!stats)
        im.stats = &none;
    *im.stats = (godb_import_stats){0};
    unsigned threads = im.opts->threads ? im.opts->threads : gp_cpu_count();
    if (threads > MAX_THREADS)
        threads = MAX_THREADS;
    if (im.opts->threads == 1)
        threads = 0;
    if (threads > 0 && gp_pool_new(threads + 1, 0, "import", &pool, NULL) != GP_OK)
        threads = 0; /* slower, but it works */
    gp_status st = run(&im, root, fd, threads, pool, err ? err : &own);
    gp_pool_free(pool);
    gp_free(im.pending);
    gp_free(im.slot);
    godb_csv_free(&im.csv);
    if (st == GP_ECANCELLED)
        (void)gp_fail(err, st, 0, "%s: cancelled; complete blocks were kept", name);
    return st;
}
