/* export.c - a database as CSV that godb_import() reads back identically.
 *
 * Day by day: the blocks of all interfaces of a day are listed and sorted by time, then decoded and
 * printed one after the other. Import wants times that never decrease over the whole file.
 */
#include "godb/export.h"

#include "csv.h"
#include "encoder.h"
#include "export_rows.h"
#include "godb/day.h"
#include "godb/writer.h"
#include "gp/mem.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    MAX_OPEN = 48,         /* days open at a time: 9 descriptors and a reader each */
    OUT_BYTES = 256 * 1024 /* text handed out at once */
};

/* An interface and its days. */
struct source {
    const char *iface;
    godb_days days;
    size_t at;     /* next day */
    gp_buf prefix; /* the name as a field, between commas */
    /* the day under way */
    const godb_dayref *ref; /* NULL: none */
    godb_day *day;          /* NULL while closed */
    godb_reader *reader;    /* likewise */
    uint64_t used;
};

/* One block of the day under way. */
struct entry {
    int64_t time_s;
    uint32_t source, block;
};

struct export
{
    const godb_db *db;
    const godb_export_opts *opts;
    godb_export_write out;
    void *ctx;
    godb_export_stats *stats;
    struct source *src;
    size_t n_src, n_open;
    uint64_t clock;
    struct entry *entry;
    size_t n_entries, cap_entries;
    godb_sorter *sorter; /* for blocks of writers that did not sort */
    gp_buf text;
};

static void note_bad(struct export *x, const gp_err *err)
{
    if (x->stats->first_bad[0] == '\0')
        (void)snprintf(x->stats->first_bad, sizeof x->stats->first_bad, "%s", err->msg);
}

static void close_source(struct export *x, struct source *s)
{
    if (!s->day)
        return;
    godb_day_close(s->day);
    godb_reader_free(s->reader);
    s->day = NULL;
    s->reader = NULL;
    x->n_open--;
}

/* Have the day of s open, at the cost of the one that was not used for the longest time. */
static gp_status open_source(struct export *x, struct source *s, gp_err *err)
{
    s->used = ++x->clock;
    if (s->day)
        return GP_OK;
    if (x->n_open >= MAX_OPEN) {
        struct source *oldest = NULL;
        for (size_t i = 0; i < x->n_src; i++)
            if (x->src[i].day && (!oldest || x->src[i].used < oldest->used))
                oldest = &x->src[i];
        if (oldest)
            close_source(x, oldest);
    }
    GP_TRY(godb_reader_new(&s->reader, err));
    gp_status st = godb_day_open(x->db, s->ref, &s->day, err);
    if (st != GP_OK) {
        godb_reader_free(s->reader);
        s->reader = NULL;
        s->day = NULL;
        return st;
    }
    x->n_open++;
    return GP_OK;
}

static gp_status add_entry(struct export *x, const struct entry *e, gp_err *err)
{
    if (x->n_entries == x->cap_entries) {
        size_t cap = x->cap_entries ? 2 * x->cap_entries : 1024;
        struct entry *v = gp_realloc(x->entry, cap, sizeof *v);
        if (!v)
            return gp_fail(err, GP_ENOMEM, 0, "export: out of memory");
        x->entry = v;
        x->cap_entries = cap;
    }
    x->entry[x->n_entries++] = *e;
    return GP_OK;
}

/* List the blocks of the day that s has at hand. */
static gp_status list_blocks(struct export *x, uint32_t source, gp_err *err)
{
    struct source *s = &x->src[source];
    gp_err why = {0};
    gp_status st = open_source(x, s, &why);

    if (st == GP_ENOMEM)
        return gp_fail(err, st, 0, "%s", why.msg);
    if (st != GP_OK) {
        x->stats->bad_days++;
        note_bad(x, &why);
        return GP_OK;
    }
    for (size_t i = 0; i < godb_day_n_blocks(s->day); i++) {
        const godb_block *b = godb_day_block(s->day, i);
        if (!godb_block_unplaced(b) &&
            (b->time_s < x->opts->first_s || b->time_s > x->opts->last_s))
            continue;
        GP_TRY(add_entry(x, &(struct entry){b->time_s, source, (uint32_t)i}, err));
    }
    return GP_OK;
}

static int by_time(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->time_s != y->time_s)
        return x->time_s < y->time_s ? -1 : 1;
    if (x->source != y->source)
        return x->source < y->source ? -1 : 1;
    return x->block < y->block ? -1 : x->block > y->block;
}

static gp_status hand_out(struct export *x, gp_err *err)
{
    if (x->text.failed)
        return gp_fail(err, GP_ENOMEM, 0, "export: out of memory");
    gp_status st = x->text.len ? x->out(x->ctx, x->text.data, x->text.len) : GP_OK;
    x->stats->bytes += x->text.len;
    gp_buf_clear(&x->text);
    return st == GP_OK ? GP_OK : gp_fail(err, st, 0, "export: writing failed");
}

/* Rows that another writer left unsorted, or with equal keys, as import would have to get them. */
static gp_status put_in_order(struct export *x, godb_rows *rows, gp_err *err)
{
    if (godb_rows_in_order(rows))
        return GP_OK;
    if (!x->sorter)
        GP_TRY(godb_sorter_new(&x->sorter, err));
    godb_sorter_clear(x->sorter);
    for (size_t i = 0; i < (size_t)rows->n_v4 + rows->n_v6; i++) {
        godb_row r = godb_rows_get(rows, i);
        if (godb_sorter_add(x->sorter, &r) != GP_OK)
            return gp_fail(err, GP_ENOMEM, 0, "export: out of memory");
    }
    return godb_sorter_finish(x->sorter, 0, rows, err);
}

static gp_status put_block(struct export *x, const struct entry *e, gp_err *err)
{
    struct source *s = &x->src[e->source];
    godb_rows rows;
    gp_err why = {0};
    gp_status st = open_source(x, s, &why);

    if (st == GP_OK)
        st = godb_reader_rows(s->reader, s->day, e->block, &rows, &why);
    if (st == GP_ENOMEM)
        return gp_fail(err, st, 0, "%s", why.msg);
    if (st != GP_OK) {
        x->stats->bad_blocks++;
        note_bad(x, &why);
        return GP_OK;
    }
    x->stats->drops += godb_day_block(s->day, e->block)->drops;
    if (rows.n_v4 + rows.n_v6 == 0) {
        x->stats->empty_blocks++;
        return GP_OK;
    }
    GP_TRY(put_in_order(x, &rows, err));
    x->stats->blocks++;
    x->stats->rows += (uint64_t)rows.n_v4 + rows.n_v6;
    size_t n = (size_t)rows.n_v4 + rows.n_v6;
    for (size_t from = 0; from < n;) {
        from = godb_export_rows(&x->text, e->time_s, &s->prefix, &rows, from, OUT_BYTES);
        if (x->text.len >= OUT_BYTES || x->text.failed)
            GP_TRY(hand_out(x, err));
    }
    return GP_OK;
}

/* All interfaces of one day. */
static gp_status put_day(struct export *x, int64_t day_s, gp_err *err)
{
    gp_status st = GP_OK;

    x->n_entries = 0;
    for (size_t i = 0; i < x->n_src && st == GP_OK; i++) {
        struct source *s = &x->src[i];
        s->ref = NULL;
        if (s->at < s->days.n && s->days.v[s->at].day_s == day_s) {
            s->ref = &s->days.v[s->at++];
            st = list_blocks(x, (uint32_t)i, err);
        }
    }
    if (x->n_entries > 1)
        qsort(x->entry, x->n_entries, sizeof *x->entry, by_time);
    for (size_t i = 0; i < x->n_entries && st == GP_OK; i++) {
        st = gp_cancel_check(x->opts->cancel);
        if (st == GP_OK)
            st = put_block(x, &x->entry[i], err);
        else
            (void)gp_fail(err, st, 0, "export: %s", gp_status_name(st));
    }
    for (size_t i = 0; i < x->n_src; i++)
        close_source(x, &x->src[i]);
    return st;
}

static int64_t next_day(const struct export *x)
{
    int64_t day_s = INT64_MAX;

    for (size_t i = 0; i < x->n_src; i++) {
        const struct source *s = &x->src[i];
        if (s->at < s->days.n && s->days.v[s->at].day_s < day_s)
            day_s = s->days.v[s->at].day_s;
    }
    return day_s;
}

static gp_status put_all(struct export *x, gp_err *err)
{
    int64_t day_s;

    if (!x->opts->no_header)
        godb_export_heading(&x->text);
    while ((day_s = next_day(x)) != INT64_MAX)
        GP_TRY(put_day(x, day_s, err));
    return hand_out(x, err);
}

static gp_status add_source(struct export *x, const char *iface, gp_err *err)
{
    struct source *s = &x->src[x->n_src];

    if (!godb_export_name_ok(iface))
        return gp_fail(err, GP_EUNSUPPORTED, 0,
                       "interface '%s' has blanks around its name or control characters in it, "
                       "which CSV cannot carry",
                       iface);
    *s = (struct source){.iface = iface};
    x->n_src++;
    godb_export_field(&s->prefix, iface);
    GP_TRY(godb_db_days(x->db, iface, x->opts->first_s, x->opts->last_s, &s->days, err));
    if (s->days.skipped > 0) {
        gp_err why = {0};
        (void)gp_fail(&why, GP_ECORRUPT, 0, "%s", s->days.skipped_text ? s->days.skipped_text : "");
        x->stats->bad_days += s->days.skipped;
        note_bad(x, &why);
    }
    return GP_OK;
}

gp_status godb_export(const godb_db *db, const godb_export_opts *opts, godb_export_write out,
                      void *ctx, godb_export_stats *stats, gp_err *err)
{
    char **all = NULL;
    size_t n = 0;
    struct export x = {.db = db, .opts = opts, .out = out, .ctx = ctx, .stats = stats};

    *stats = (godb_export_stats){0};
    GP_TRY(godb_db_ifaces(db, &all, &n, err));
    gp_status st = GP_OK;
    for (const char *const *p = opts->ifaces; p && *p && st == GP_OK; p++) {
        int found = 0;
        for (size_t i = 0; i < n; i++)
            found |= strcmp(all[i], *p) == 0;
        if (!found)
            st = gp_fail(err, GP_ENOTFOUND, 0, "no interface '%s' in %s", *p, godb_db_path(db));
    }
    x.src = gp_calloc(n + 1, sizeof *x.src);
    if (st == GP_OK && !x.src)
        st = gp_fail(err, GP_ENOMEM, 0, "export: out of memory");
    for (size_t i = 0; i < n && st == GP_OK; i++) {
        int wanted = !opts->ifaces;
        for (const char *const *p = opts->ifaces; p && *p; p++)
            wanted |= strcmp(all[i], *p) == 0;
        if (wanted)
            st = add_source(&x, all[i], err);
    }
    if (st == GP_OK)
        st = put_all(&x, err);
    for (size_t i = 0; i < x.n_src; i++) {
        close_source(&x, &x.src[i]);
        godb_days_free(&x.src[i].days);
        gp_buf_free(&x.src[i].prefix);
    }
    gp_free(x.src);
    gp_free(x.entry);
    gp_buf_free(&x.text);
    godb_sorter_free(x.sorter);
    godb_strv_free(all);
    return st;
}
