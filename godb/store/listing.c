/* listing.c - totals of an interface over a range, mostly from directory names (6.4). */
#include "godb/listing.h"

#include "godb/day.h"
#include "godb/packed.h"

#include <stdio.h>
#include <string.h>

/* State over the days of one answer. */
struct listing {
    const godb_db *db;
    godb_reader *reader;
    int64_t first_s, last_s;
    int all_unplaced; /* no day has a block of which the time is known */
    godb_listing *out;
};

/* dir 1 adds, -1 subtracts (modulo 2^64). */
static void combine(godb_totals *t, const godb_totals *x, int dir)
{
    uint64_t *a[] = {&t->v4,         &t->v6,        &t->drops,    &t->bytes_rcvd,
                     &t->bytes_sent, &t->pkts_rcvd, &t->pkts_sent};
    const uint64_t b[] = {x->v4,         x->v6,        x->drops,    x->bytes_rcvd,
                          x->bytes_sent, x->pkts_rcvd, x->pkts_sent};
    for (size_t i = 0; i < GP_COUNT(b); i++)
        *a[i] = dir > 0 ? *a[i] + b[i] : *a[i] - b[i];
}

/* What one block adds to the totals; false if it cannot be decoded. */
static int block_totals(godb_reader *r, const godb_day *d, size_t i, godb_totals *t)
{
    const godb_block *b = godb_day_block(d, i);
    size_t n = (size_t)b->n_v4 + b->n_v6;
    uint64_t sum[GODB_N_COUNTERS] = {0};

    for (int k = 0; k < GODB_N_COUNTERS; k++) {
        const uint8_t *raw;
        if (godb_reader_col(r, d, i, (godb_col)(GODB_N_ATTRS + k), &raw, NULL, NULL) != GP_OK)
            return 0;
        if (n > 0)
            sum[k] = godb_packed_sum(raw, raw[0], 0, n);
    }
    *t = (godb_totals){.v4 = b->n_v4,
                       .v6 = b->n_v6,
                       .drops = b->drops,
                       .bytes_rcvd = sum[0],
                       .bytes_sent = sum[1],
                       .pkts_rcvd = sum[2],
                       .pkts_sent = sum[3]};
    return 1;
}

/* Blocks with lo <= timestamp <= hi count. Decodes the smaller of both sides: the blocks that stay
 * (then *t becomes their sum) or the ones to take away. */
static void limit_day(const struct listing *l, const godb_day *d, int64_t lo, int64_t hi,
                      godb_totals *t)
{
    size_t n = godb_day_n_placed(d), inside = 0;
    godb_totals sum = {0}, one;

    for (size_t i = 0; i < n; i++) {
        int64_t time_s = godb_day_block(d, i)->time_s;
        inside += time_s >= lo && time_s <= hi;
    }
    int keep = inside < n - inside, whole = 1;
    for (int pass = 0; pass < 2; pass++) {
        sum = (godb_totals){0};
        whole = 1;
        for (size_t i = 0; i < n; i++) {
            int64_t time_s = godb_day_block(d, i)->time_s;
            if ((time_s >= lo && time_s <= hi) != keep)
                continue;
            if (block_totals(l->reader, d, i, &one))
                combine(&sum, &one, 1);
            else
                whole = 0;
        }
        /* A block that cannot be decoded is not taken away (6.4), so with one the sum of the others
         * is not the answer. */
        if (!keep || whole)
            break;
        keep = 0;
    }
    if (keep)
        *t = sum;
    else
        combine(t, &sum, -1);
}

/* Smallest timestamp >= at, INT64_MAX if there is none. */
static int64_t first_from(const godb_day *d, int64_t at)
{
    int64_t best = INT64_MAX;

    for (size_t i = 0; i < godb_day_n_placed(d); i++) {
        int64_t t = godb_day_block(d, i)->time_s;
        if (t >= at && t < best)
            best = t;
    }
    return best;
}

/* First and last day of the range: look into the metadata. */
static void edge_day(struct listing *l, const godb_day *d, int is_first, int is_last,
                     godb_totals *t)
{
    size_t n = godb_day_n_placed(d), before = 0;
    int64_t lo = INT64_MIN, hi = INT64_MAX, min = INT64_MAX, max = INT64_MIN;

    for (size_t i = 0; i < n; i++) {
        int64_t time_s = godb_day_block(d, i)->time_s;
        min = time_s < min ? time_s : min;
        max = time_s > max ? time_s : max;
        before += time_s < l->first_s;
    }
    if (is_first) {
        l->out->first_s = min;
        if (l->first_s >= min) {
            lo = l->first_s;
            l->out->first_s = before + 1 < n ? first_from(d, l->first_s) : l->first_s;
        }
    }
    if (is_last) {
        l->out->last_s = max;
        if (l->last_s <= max) {
            hi = first_from(d, l->last_s); /* the block that contains last is included */
            l->out->last_s = hi;
        }
    }
    if (lo > min || hi < max)
        limit_day(l, d, lo, hi, t);
}

/* Blocks are there, but of none the time is known: the day itself bounds them. */
static void span_of_day(const struct listing *l, const godb_day *d)
{
    int64_t from = godb_day_start(d), to = from + GODB_DAY_S - 1;

    if (l->out->first_s == 0)
        l->out->first_s = from > l->first_s ? from : l->first_s;
    l->out->last_s = to < l->last_s ? to : l->last_s;
}

/* outside: before the first day that opens and has blocks, or behind the last. It was looked at, so
 * its name is not believed any more. */
static void add_day(struct listing *l, const godb_dayref *ref, int is_first, int is_last,
                    int outside)
{
    godb_totals t = ref->totals;
    GP_CLEANUP(godb_day_closep) godb_day *d = NULL;

    if (!ref->has_totals || is_first || is_last || outside) {
        if (godb_day_open(l->db, ref, &d, NULL) != GP_OK) {
            l->out->bad_days++;
            return;
        }
        t = *godb_day_totals(d);
        if (godb_day_n_placed(d) > 0)
            edge_day(l, d, is_first, is_last, &t);
        else if (godb_day_n_blocks(d) > 0 && l->all_unplaced)
            span_of_day(l, d);
    }
    combine(&l->out->totals, &t, 1);
    l->out->n_days++;
}

/* A day that can be first or last: it opens and has blocks of which the time is known. */
static int has_blocks(const godb_db *db, const godb_dayref *ref)
{
    GP_CLEANUP(godb_day_closep) godb_day *d = NULL;
    return godb_day_open(db, ref, &d, NULL) == GP_OK && godb_day_n_placed(d) > 0;
}

gp_status godb_listing_get(const godb_db *db, const char *iface, int64_t first_s, int64_t last_s,
                           godb_listing *out, gp_err *err)
{
    godb_listing answer = {0};
    godb_days days = {0};
    GP_CLEANUP(godb_reader_freep) godb_reader *r = NULL;

    GP_TRY(godb_reader_new(&r, err));
    GP_TRY(godb_db_days(db, iface, first_s, last_s, &days, err));
    struct listing l = {
        .db = db, .reader = r, .first_s = first_s, .last_s = last_s, .out = &answer};
    size_t a = 0, z = days.n;
    while (a < days.n && !has_blocks(db, &days.v[a]))
        a++;
    while (z > a && !has_blocks(db, &days.v[z - 1]))
        z--;
    l.all_unplaced = a == days.n;
    for (size_t i = 0; i < days.n; i++)
        add_day(&l, &days.v[i], i == a, i + 1 == z, i < a || i >= z);
    answer.strays = days.skipped;
    if (days.skipped)
        (void)snprintf(answer.strays_text, sizeof answer.strays_text, "%s",
                       days.skipped_text ? days.skipped_text : "");
    godb_days_free(&days);
    if (answer.first_s)
        answer.first_s -= GODB_BLOCK_S;
    *out = answer;
    return GP_OK;
}
