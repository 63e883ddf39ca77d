/* replay.c - merge capture files by time, fold them into flows, rotate by packet time. */
#include "flow/replay.h"

#include "capture/file.h"
#include "capture/frag.h"
#include "gp/mem.h"

#include <string.h>

enum { PENDING = 256 };

#define NS       INT64_C(1000000000)
#define TIME_MAX INT64_C(4102444800) /* 2100-01-01: later times are damage, not time */

typedef struct source {
    capture_file *file;
    capture_parser parser;
    capture_frame head; /* next frame; data NULL at the end of the file */
} source;

typedef struct replay {
    const flow_replay_opts *o;
    flow_replay_stats *st;
    flow_block_fn fn;
    void *fn_ctx;
    source *src;
    size_t n_src;
    capture_frags *frags; /* NULL unless fragments are attributed */
    flow_table *table;
    int64_t end_s; /* end of the running interval; 0 before the first packet */
    capture_pkt pend[PENDING];
    size_t n_pend;
} replay;

/* Fetch the next frame of a file. A file that breaks off ends there, with a warning. */
static void advance(replay *r, source *s)
{
    gp_err err = {0};
    int got = capture_file_next(s->file, &s->head, &err);

    if (got == 1)
        return;
    s->head.data = NULL;
    if (got < 0) {
        r->st->broken_files++;
        if (r->o->warn)
            r->o->warn(r->o->warn_ctx, err.msg);
    }
}

static gp_status open_all(replay *r, gp_err *err)
{
    if (r->o->n_files == 0 || r->o->n_files > FLOW_REPLAY_FILES)
        return gp_fail(err, GP_EINVAL, 0, "%zu capture files, expected 1 to %d", r->o->n_files,
                       FLOW_REPLAY_FILES);
    r->src = gp_calloc(r->o->n_files, sizeof *r->src);
    if (!r->src)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    for (size_t i = 0; i < r->o->n_files; i++) {
        source *s = &r->src[i];
        GP_TRY(capture_file_open(r->o->files[i], &s->file, err));
        r->n_src++;
        s->parser.dlt = capture_file_dlt(s->file);
        s->parser.compat = r->o->table.compat != 0;
        s->parser.dir = CAPTURE_IN;
    }
    for (size_t i = 0; i < r->n_src; i++)
        advance(r, &r->src[i]);
    return GP_OK;
}

/* The file whose next frame is the earliest; the first of those on a tie. */
static source *earliest(replay *r)
{
    source *best = NULL;
    for (size_t i = 0; i < r->n_src; i++) {
        source *s = &r->src[i];
        if (s->head.data && (!best || s->head.time_ns < best->head.time_ns))
            best = s;
    }
    return best;
}

static void flush(replay *r)
{
    flow_table_add(r->table, r->pend, r->n_pend);
    r->n_pend = 0;
}

/* End the running interval: its flows go to the sink if there are any. */
static gp_status rotate(replay *r, gp_err *err)
{
    flow_bank *fresh = NULL, *retired;

    flush(r);
    size_t n = flow_bank_count(flow_table_active(r->table));
    GP_TRY(flow_bank_new(
        n, r->o->table.max_entries ? r->o->table.max_entries : FLOW_ENTRIES_DEFAULT, &fresh, err));
    GP_CLEANUP(flow_bank_unrefp) flow_bank *done = flow_table_rotate(r->table, fresh, &retired);
    flow_bank_unref(retired);
    if (n == 0)
        return GP_OK;
    r->st->blocks++;
    r->st->entries += n;
    return r->fn(r->fn_ctx, r->end_s, done, err);
}

/* Bring the running interval to the packet's time. Packets of a damaged time go with those around
 * them; at the start of a file with the next that has one. */
static gp_status move_to(replay *r, int64_t time_s, gp_err *err)
{
    int64_t end = (time_s / FLOW_INTERVAL_S + 1) * FLOW_INTERVAL_S;

    if (time_s < 0 || time_s > TIME_MAX || (r->end_s && end < r->end_s)) {
        r->st->late++;
        return GP_OK;
    }
    if (r->end_s && end > r->end_s && !r->o->one_block) {
        GP_TRY(rotate(r, err));
        if (end > r->end_s + FLOW_INTERVAL_S) /* an interval without packets ends all flows (4.3) */
            GP_TRY(rotate(r, err));
    }
    r->end_s = end;
    return GP_OK;
}

static int is_local(const flow_replay_opts *o, const capture_pkt *p)
{
    gp_addr a = {.family = p->family};
    memcpy(a.bytes, p->src, p->family == 6 ? 16 : 4);
    for (size_t i = 0; i < o->n_local; i++)
        if (gp_net_has(&o->local[i], &a))
            return 1;
    return 0;
}

static void note_time(flow_replay_stats *st, int64_t ns)
{
    if (st->first_ns == 0 || ns < st->first_ns)
        st->first_ns = ns;
    if (ns > st->last_ns)
        st->last_ns = ns;
}

static gp_status one_frame(replay *r, const source *s, gp_err *err)
{
    flow_replay_stats *st = r->st;
    capture_pkt *p = &r->pend[r->n_pend];

    st->frames++;
    capture_result got = capture_parse(&s->parser, s->head.data, s->head.caplen, s->head.len, p);
    if (got == CAPTURE_NOT_IP)
        return GP_OK;
    st->received++;
    if (got <= CAPTURE_TRUNCATED)
        st->errors[got]++;
    st->processed += got != CAPTURE_FRAGMENTED;
    if (got == CAPTURE_FLOW && p->frag == CAPTURE_FRAG_FIRST && r->frags)
        capture_frags_first(r->frags, p, s->head.time_ns / NS);
    if (got == CAPTURE_FRAGMENTED && r->frags &&
        capture_frags_later(r->frags, p, s->head.time_ns / NS))
        got = CAPTURE_FLOW;
    if (got != CAPTURE_FLOW)
        return GP_OK;
    capture_pkt pkt = *p; /* a rotation flushes pend */
    GP_TRY(move_to(r, s->head.time_ns / NS, err));
    if (r->o->n_local && pkt.dir == CAPTURE_IN && is_local(r->o, &pkt))
        pkt.dir = CAPTURE_OUT;
    st->packets++;
    st->bytes += pkt.len;
    note_time(st, s->head.time_ns);
    r->pend[r->n_pend++] = pkt;
    if (r->n_pend == PENDING)
        flush(r);
    return GP_OK;
}

static gp_status run(replay *r, gp_err *err)
{
    source *s;

    GP_TRY(open_all(r, err));
    GP_TRY(flow_table_new(&r->o->table, &r->table, err));
    if (r->o->fragments && !r->o->table.compat)
        GP_TRY(capture_frags_new(&r->frags, err));
    while ((s = earliest(r)) != NULL) {
        GP_TRY(one_frame(r, s, err));
        advance(r, s);
    }
    if (r->st->packets == 0)
        return GP_OK;
    if (!r->end_s && !r->o->one_block)
        return gp_fail(err, GP_ECORRUPT, 0, "no packet has a time between 1970 and 2100");
    return rotate(r, err);
}

gp_status flow_replay(const flow_replay_opts *o, flow_block_fn fn, void *ctx, flow_replay_stats *st,
                      gp_err *err)
{
    replay *r = gp_calloc(1, sizeof *r);

    if (!r)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    memset(st, 0, sizeof *st);
    r->o = o;
    r->st = st;
    r->fn = fn;
    r->fn_ctx = ctx;
    gp_status rc = run(r, err);
    if (r->table)
        st->lost = flow_table_lost(r->table);
    st->packets -= st->lost;
    flow_table_free(r->table);
    capture_frags_free(r->frags);
    for (size_t i = 0; i < r->n_src; i++)
        capture_file_close(r->src[i].file);
    gp_free(r->src);
    gp_free(r);
    return rc;
}
