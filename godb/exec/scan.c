/* scan.c - a worker: its scratch, and the way of one block from columns to groups. */
#include "scan.h"

#include "godb/packed.h"
#include "gp/mem.h"
#include "vec512.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void exec_warn(exec_ctx *x, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    if (!x->opts->warn)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    pthread_mutex_lock(&x->lock);
    char *copy = x->n_warnings < EXEC_WARN_MAX ? gp_strdup(text) : NULL;
    if (copy)
        x->warnings[x->n_warnings++] = copy;
    else
        x->warnings_lost++;
    pthread_mutex_unlock(&x->lock);
}

gp_status exec_worker_init(exec_worker *w, exec_ctx *x, gp_err *err)
{
    unsigned depth = 0;
    void *p = NULL;

    *w = (exec_worker){.x = x};
    GP_TRY(godb_reader_new(&w->reader, err));
    GP_TRY(exec_mem_alloc(&x->mem, sizeof *w->vec, &p, err));
    w->vec = p;
    exec_vec_init(w->vec);
    for (unsigned f = 0; f < EXEC_N_FAMILIES; f++) {
        if (x->plan.filter[f].depth > depth)
            depth = x->plan.filter[f].depth;
        for (unsigned i = 0; i < EXEC_CONJ_MAX; i++)
            w->order[f][i] = (uint8_t)i;
    }
    w->scratch_bytes = (size_t)(depth + 1) * EXEC_VEC;
    GP_TRY(exec_mem_alloc(&x->mem, w->scratch_bytes, &p, err));
    w->scratch = p;
    exec_direct_init(&w->direct, &x->plan, &x->mem);
    exec_leaves_init(&w->leaves, &x->mem);
    GP_TRY(exec_slabs_init(&w->local_slabs, &x->mem, err));
    return GP_OK;
}

void exec_worker_free(exec_worker *w)
{
    if (!w->x)
        return;
    exec_mem *mem = &w->x->mem;
    for (unsigned f = 0; f < EXEC_N_FAMILIES; f++) {
        exec_feed_free(&w->feed[f]);
        exec_table_free(&w->local[f]);
    }
    exec_slabs_free(&w->local_slabs);
    exec_direct_free(&w->direct);
    exec_leaves_free(&w->leaves);
    exec_mem_free(mem, w->vec, sizeof *w->vec);
    exec_mem_free(mem, w->scratch, w->scratch_bytes);
    exec_mem_free(mem, w->mask, w->cap_rows);
    exec_mem_free(mem, w->sel, (w->cap_rows + EXEC_VEC_ROOM) * sizeof *w->sel);
    godb_reader_free(w->reader);
    w->x = NULL;
}

/* ---- columns of a block ---- */

static void live_col(exec_block *b, godb_col c)
{
    const godb_rows *r = b->live;
    const void *const p[GODB_N_COLS] = {
        r->sip,        r->dip,        r->proto,      r->dport,
        r->counter[0], r->counter[1], r->counter[2], r->counter[3],
    };

    b->col[c] = p[c];
}

/* Bytes of column c that hold the rows needed. */
static size_t col_bytes(const exec_block *b, godb_col c)
{
    size_t n = (size_t)b->n[0] + b->n[1], rows = b->rows;

    switch (c) {
    case GODB_COL_SIP:
    case GODB_COL_DIP:
        return rows <= b->n[0] ? 4 * rows : 4 * (size_t)b->n[0] + 16 * (rows - b->n[0]);
    case GODB_COL_PROTO:
        return rows;
    case GODB_COL_DPORT:
        return 2 * rows;
    default:
        return 1 + (b->raw[c] - 1) / n * rows;
    }
}

gp_status exec_block_col(exec_worker *w, exec_block *b, godb_col c, gp_err *err)
{
    if (b->col[c])
        return GP_OK;
    if (b->live) {
        live_col(b, c);
        return GP_OK;
    }
    if (b->raw[c] == 0)
        return gp_fail(err, GP_ECORRUPT, 0, "column %s is empty", godb_col_file(c));
    size_t head = col_bytes(b, c);
    GP_TRY(godb_reader_col_head(w->reader, b->day, b->index, c, head, &b->col[c],
                                &w->stats.bytes_loaded, err));
    w->stats.bytes_decompressed += head;
    return GP_OK;
}

void exec_block_cols(const exec_block *b, unsigned f, exec_cols *out)
{
    size_t v4 = f ? b->n[0] : 0; /* rows before the part */
    const uint8_t *const *c = b->col;

    *out = (exec_cols){
        .addr = {c[GODB_COL_SIP] ? c[GODB_COL_SIP] + 4 * v4 : NULL,
                 c[GODB_COL_DIP] ? c[GODB_COL_DIP] + 4 * v4 : NULL},
        .dport = c[GODB_COL_DPORT] ? c[GODB_COL_DPORT] + 2 * v4 : NULL,
        .proto = c[GODB_COL_PROTO] ? c[GODB_COL_PROTO] + v4 : NULL,
    };
}

/* Attributes of the key and the counters. */
static gp_status load_columns(exec_worker *w, exec_block *b, gp_err *err)
{
    static const struct {
        unsigned attr;
        godb_col col;
    } keys[] = {{QUERY_SIP, GODB_COL_SIP},
                {QUERY_DIP, GODB_COL_DIP},
                {QUERY_DPORT, GODB_COL_DPORT},
                {QUERY_PROTO, GODB_COL_PROTO}};

    for (size_t i = 0; i < GP_COUNT(keys); i++)
        if (w->x->plan.key_attrs >> keys[i].attr & 1)
            GP_TRY(exec_block_col(w, b, keys[i].col, err));
    for (godb_col c = GODB_COL_BYTES_RCVD; c < GODB_N_COLS; c++)
        GP_TRY(exec_block_col(w, b, c, err));
    return GP_OK;
}

/* Counter columns from row `row` on. */
static gp_status counters(const exec_block *b, size_t row, exec_counter out[4], gp_err *err)
{
    size_t n = (size_t)b->n[0] + b->n[1];

    for (unsigned j = 0; j < 4; j++) {
        const uint8_t *p = b->col[GODB_N_ATTRS + j];
        unsigned width = 8;
        if (!b->live) {
            width = godb_packed_width(p, b->raw[GODB_N_ATTRS + j], n);
            if (width == 0)
                return gp_fail(err, GP_ECORRUPT, 0, "column %s does not hold %zu values",
                               godb_col_file((godb_col)(GODB_N_ATTRS + j)), n);
            p++;
        }
        out[j] = (exec_counter){.p = p + row * width, .width = width};
    }
    return GP_OK;
}

/* ---- groups ---- */

gp_status exec_feed_ready(exec_worker *w, unsigned t, gp_err *err)
{
    return w->feed[t].t ? GP_OK : exec_feed_init(&w->feed[t], &w->x->table[t], err);
}

/* Vectors of one part into table t. */
enum { STEP = 1024 }; /* rows at once where that is free to choose: they stay in the L1 cache */

static gp_status add_table(exec_worker *w, const exec_block *b, unsigned f, const exec_cols *cols,
                           const exec_counter cnt[4], const uint32_t *sel, size_t n, gp_err *err)
{
    const exec_plan *p = &w->x->plan;
    exec_vec *v = w->vec;
    unsigned t = p->split ? f : 0, kw = p->key[f].kw;
    /* The block's groups are complete in one vector when it is sorted: no table needed then. */
    int whole = p->timed && p->split && p->sorted_prefix && n <= EXEC_VEC;
    exec_fold fold = !p->sorted_prefix || p->unique ? EXEC_FOLD_NO
                     : whole                        ? EXEC_FOLD_ALL
                                                    : EXEC_FOLD_PAYS;

    size_t step = p->timed ? EXEC_VEC : STEP;
    if (p->timed)
        kw--;
    for (size_t at = 0; at < n; at += step) {
        size_t m = n - at < step ? n - at : step;
        const uint32_t *s = sel ? sel + at : NULL;
        exec_vec_keys(v, &p->key[f], f, cols, s, at, m);
        exec_vec_counters(v, cnt, s, at, m, kw, fold);
        if (whole && exec_vec_rising(v, kw))
            return exec_emit_timed(w, b->time_s, t, err);
        GP_TRY(p->timed ? exec_local_add(w, t, err) : exec_front_add(w, t, err));
    }
    return GP_OK;
}

/* Neighbouring rows, as conditions on sip pick in sorted blocks, need no list: columns and counters
 * begin at the first of them instead. */
static const uint32_t *drop_list(const uint32_t *sel, size_t n, unsigned f, exec_cols *cols,
                                 exec_counter cnt[4])
{
    if (sel[n - 1] - sel[0] + 1 != n)
        return sel;
    size_t skip = sel[0], width = f == 0 ? 4 : 16;
    for (unsigned i = 0; i < 2; i++)
        if (cols->addr[i])
            cols->addr[i] += skip * width;
    if (cols->dport)
        cols->dport += 2 * skip;
    if (cols->proto)
        cols->proto += skip;
    for (unsigned j = 0; j < 4; j++)
        cnt[j].p += skip * cnt[j].width;
    return NULL;
}

/* Rows in sel, or all when it is NULL, n, to the arrays of sums. */
static gp_status add_direct(exec_worker *w, const exec_cols *cols, const exec_counter cnt[4],
                            const uint32_t *sel, size_t n, gp_err *err)
{
    GP_TRY(exec_feed_ready(w, 0, err));
    for (size_t at = 0; at < n; at += EXEC_VEC) {
        size_t m = n - at < EXEC_VEC ? n - at : EXEC_VEC;
        const uint32_t *s = sel ? sel + at : NULL;
        exec_vec_counters(w->vec, cnt, s, at, m, 0, EXEC_FOLD_NO);
        GP_TRY(exec_direct_add(&w->direct, cols, s, at, m, w->vec, &w->feed[0], err));
    }
    return GP_OK;
}

#ifdef EXEC_VEC512
/* The rows [at, at + m) as bits: those in mask, or all when it is NULL. */
static void row_bits(const uint8_t *mask, size_t at, size_t m, uint64_t bits[EXEC_VEC / 64])
{
    if (mask) {
        exec_v512_bits(mask + at, m, bits);
        return;
    }
    memset(bits, 0xff, EXEC_VEC / 8);
    if (m % 64)
        bits[m / 64] = (UINT64_C(1) << m % 64) - 1;
}

/* Keys that many rows have are summed up by masks, without a list of rows; the others as usual. */
static gp_status add_direct_hot(exec_worker *w, const exec_cols *cols, const exec_counter cnt[4],
                                const uint8_t *mask, size_t n, gp_err *err)
{
    uint32_t *list = w->vec->starts;
    uint64_t bits[EXEC_VEC / 64];

    GP_TRY(exec_feed_ready(w, 0, err));
    for (size_t at = 0; at < n; at += EXEC_VEC) {
        size_t m = n - at < EXEC_VEC ? n - at : EXEC_VEC;
        row_bits(mask, at, m, bits);
        GP_TRY(exec_direct_hot(&w->direct, cols, cnt, at, m, bits, w->vec, &w->feed[0], err));
        size_t left = exec_v512_list(bits, m, (uint32_t)at, list);
        if (left)
            GP_TRY(add_direct(w, cols, cnt, list, left, err));
    }
    return GP_OK;
}

/* The sums of n rows: those in mask, or all when it is NULL. */
static void add_sum(exec_worker *w, const exec_counter cnt[4], const uint8_t *mask, size_t n)
{
    uint64_t bits[EXEC_VEC / 64];

    for (size_t at = 0; at < n; at += EXEC_VEC) {
        size_t m = n - at < EXEC_VEC ? n - at : EXEC_VEC;
        row_bits(mask, at, m, bits);
        for (unsigned j = 0; j < 4; j++) {
            const exec_counter c = {cnt[j].p + at * cnt[j].width, cnt[j].width};
            w->sum[j] += exec_v512_sum(&c, m, bits);
        }
    }
    w->has_sum = 1;
}
#endif

/* Numbers of the rows in mask, to w->sel. */
static void list_rows(exec_worker *w, const uint8_t *mask, size_t n)
{
#ifdef EXEC_VEC512
    if (w->vec->wide) {
        size_t m = 0;
        for (size_t at = 0; at < n; at += EXEC_VEC) {
            uint64_t bits[EXEC_VEC / 64];
            size_t rows = n - at < EXEC_VEC ? n - at : EXEC_VEC;
            exec_v512_bits(mask + at, rows, bits);
            m += exec_v512_list(bits, rows, (uint32_t)at, w->sel + m);
        }
        return;
    }
#endif
    exec_k_select(mask, n, 0, w->sel);
}

/* n rows of part f: those in mask, or all when it is NULL. */
static gp_status add_part(exec_worker *w, const exec_block *b, unsigned f, const uint8_t *mask,
                          size_t n, gp_err *err)
{
    const exec_plan *p = &w->x->plan;
    const uint32_t *sel = NULL;
    exec_counter cnt[4];
    exec_cols cols;

    GP_TRY(counters(b, f ? b->n[0] : 0, cnt, err));
    exec_block_cols(b, f, &cols);
#ifdef EXEC_VEC512
    uint32_t decoded = f ? b->rows - b->n[0] : b->rows; /* more may be, of the other part */
    uint32_t rows = decoded < b->n[f] ? decoded : b->n[f];
    if (w->vec->wide && p->agg == EXEC_AGG_SUM) {
        add_sum(w, cnt, mask, rows);
        return GP_OK;
    }
    /* Few groups: of what a condition leaves, and by protocol alone. */
    if (w->vec->wide && p->agg == EXEC_AGG_DIRECT && (mask || !w->direct.by_port))
        return add_direct_hot(w, &cols, cnt, mask, rows, err);
#endif
    if (mask) {
        list_rows(w, mask, b->n[f]);
        sel = drop_list(w->sel, n, f, &cols, cnt);
    }
    if (p->agg == EXEC_AGG_DIRECT)
        return add_direct(w, &cols, cnt, sel, n, err);
    if (p->agg == EXEC_AGG_TABLE)
        return add_table(w, b, f, &cols, cnt, sel, n, err);
    for (unsigned j = 0; j < 4; j++)
        w->sum[j] += exec_counter_sum(&cnt[j], sel, 0, n);
    w->has_sum = 1;
    return GP_OK;
}

/* The one group of a query without attributes. */
static gp_status flush_sum(exec_worker *w, const exec_block *b, gp_err *err)
{
    exec_vec *v = w->vec;

    if (!w->has_sum)
        return GP_OK;
    v->n = 1;
    v->k[0][0] = 0;
    v->has_high = 0;
    exec_vec_set(v, 0, w->sum);
    memset(w->sum, 0, sizeof w->sum);
    w->has_sum = 0;
    if (b)
        return exec_emit_timed(w, b->time_s, 0, err);
    GP_TRY(exec_feed_ready(w, 0, err));
    return exec_feed_add(&w->feed[0], v, err);
}

static gp_status scan_rows(exec_worker *w, exec_block *b, gp_err *err)
{
    const exec_plan *p = &w->x->plan;
    const uint8_t *mask[EXEC_N_FAMILIES];
    size_t n[EXEC_N_FAMILIES];

    /* IPv6 rows lie behind the IPv4 rows: without them the front of each column is enough. */
    b->rows = b->n[0] + (p->filter[1].never ? 0 : b->n[1]);
    for (unsigned f = 0; f < EXEC_N_FAMILIES; f++)
        GP_TRY(exec_filter_block(w, b, f, &n[f], &mask[f], err));
    if (n[0] + n[1] == 0)
        return GP_OK;
    unsigned last = n[1] ? 1 : 0; /* part with the last row needed */
    uint32_t rows = b->n[last];
    while (mask[last] && !mask[last][rows - 1])
        rows--;
    b->rows = (last ? b->n[0] : 0) + rows;
    GP_TRY(load_columns(w, b, err));
    for (unsigned f = 0; f < EXEC_N_FAMILIES; f++)
        if (n[f])
            GP_TRY(add_part(w, b, f, mask[f], n[f], err));
    if (!p->timed)
        return GP_OK;
    if (p->agg == EXEC_AGG_SUM)
        return flush_sum(w, b, err);
    for (unsigned t = 0; t < w->x->n_tables; t++)
        GP_TRY(exec_local_flush(w, b->time_s, t, err));
    return GP_OK;
}

/* A missing file is the reason of each of its blocks: the first one is named, the rest counted. */
static void tell_more(exec_worker *w)
{
    if (w->skip_more)
        exec_warn(w->x, "%s: %u more block(s) skipped: %s", w->x->iface, w->skip_more, w->skip_why);
    w->skip_more = 0;
    w->skip_why[0] = '\0';
}

static void tell_skipped(exec_worker *w, int64_t time_s, const char *why)
{
    if (strcmp(w->skip_why, why) == 0) {
        w->skip_more++;
        return;
    }
    tell_more(w);
    snprintf(w->skip_why, sizeof w->skip_why, "%s", why);
    exec_warn(w->x, "%s: block %lld skipped: %s", w->x->iface, (long long)time_s, why);
}

gp_status exec_scan_block(exec_worker *w, exec_block *b, gp_err *err)
{
    gp_err why = {0};
    gp_status st = scan_rows(w, b, &why);

    w->rows += (uint64_t)b->n[0] + b->n[1];
    int unreadable =
        st == GP_ECORRUPT || st == GP_EIO || st == GP_EUNSUPPORTED || st == GP_ENOTFOUND;
    if (unreadable && !gp_err_shortage(&why)) {
        w->stats.blocks_corrupted++;
        tell_skipped(w, b->time_s, why.msg);
        return GP_OK;
    }
    if (st != GP_OK && err)
        *err = why;
    return st;
}

gp_status exec_worker_finish(exec_worker *w, gp_err *err)
{
    const exec_plan *p = &w->x->plan;

    tell_more(w);
    if (p->agg == EXEC_AGG_SUM && !p->timed)
        GP_TRY(flush_sum(w, NULL, err));
    if (p->agg == EXEC_AGG_DIRECT) {
        GP_TRY(exec_feed_ready(w, 0, err));
        GP_TRY(exec_direct_flush(&w->direct, w->vec, &w->feed[0], err));
    }
    for (unsigned t = 0; t < w->x->n_tables; t++) {
        if (!p->timed)
            GP_TRY(exec_front_flush(w, t, err));
        GP_TRY(exec_feed_flush(&w->feed[t], err));
    }
    return GP_OK;
}
