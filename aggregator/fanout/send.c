/* send.c - what the caller of a query gets to see: progress, snapshots, the final rows. */
#include "fanout_int.h"

#include "gp/mem.h"

gp_status fanout_send(job *j, gp_buf *msg, gp_err *err)
{
    gp_status st = msg->failed ? gp_fail(err, GP_ENOMEM, 0, "answer: out of memory")
                               : rpc_stream_send(j->stream, msg->data, msg->len, err);
    gp_buf_free(msg);
    return st;
}

gp_status fanout_send_progress(job *j, gp_err *err)
{
    wire_progress p = {.hosts_done = (uint32_t)j->finished, .hosts_total = (uint32_t)j->n_legs};
    gp_buf msg = {0};
    pthread_mutex_lock(&j->lock);
    for (size_t i = 0; i < j->n_legs; i++) {
        const wire_progress *l = &j->legs[i].progress;
        p.blocks_done += l->blocks_done;
        p.blocks_total += l->blocks_total;
        p.rows += l->rows;
        p.bytes += l->bytes;
    }
    pthread_mutex_unlock(&j->lock);
    wire_put_progress(&msg, &p);
    return fanout_send(j, &msg, err);
}

struct collected {
    gp_buf bytes[4];
    size_t n;
};

static gp_status on_partial_batch(void *ctx, const uint8_t *bytes, size_t len, size_t rows,
                                  gp_err *err)
{
    struct collected *c = ctx;
    (void)rows;
    if (c->n >= GP_COUNT(c->bytes)) /* a hundred rows never need more */
        return gp_fail(err, GP_ELIMIT, 0, "snapshot of more than %zu batches", GP_COUNT(c->bytes));
    gp_buf_add(&c->bytes[c->n], bytes, len);
    return c->bytes[c->n++].failed ? gp_fail(err, GP_ENOMEM, 0, "snapshot: out of memory") : GP_OK;
}

gp_status fanout_send_partial(job *j, gp_err *err)
{
    result r = {0};
    wire_enc *enc = NULL;
    struct collected c = {0};
    wire_summary s;
    gp_buf msg = {0};
    uint64_t limit =
        j->stmt->limit < WIRE_MAX_PARTIAL_ROWS ? j->stmt->limit : WIRE_MAX_PARTIAL_ROWS;
    gp_status st = fanout_acc_get(j->acc, limit, &r, err);
    if (st == GP_OK)
        st = wire_enc_new(&enc, err);
    if (st == GP_OK)
        st = wire_batch_encode(enc, &r, r.rows, r.n_rows, on_partial_batch, &c, err);
    if (st == GP_OK) {
        const uint8_t *data[4];
        size_t lens[4];
        for (size_t i = 0; i < c.n; i++) {
            data[i] = c.bytes[i].data;
            lens[i] = c.bytes[i].len;
        }
        wire_summary_of(&r, &s);
        wire_put_partial(&msg, &s, (uint32_t)j->finished, (uint32_t)j->n_legs, data, lens, c.n);
        st = fanout_send(j, &msg, err);
    }
    for (size_t i = 0; i < GP_COUNT(c.bytes); i++)
        gp_buf_free(&c.bytes[i]);
    wire_enc_free(enc);
    result_clear(&r);
    return st;
}

static gp_status on_final_batch(void *ctx, const uint8_t *bytes, size_t len, size_t rows,
                                gp_err *err)
{
    job *j = ctx;
    gp_buf msg = {0};
    j->rows += rows;
    wire_put_batch(&msg, bytes, len);
    return fanout_send(j, &msg, err);
}

gp_status fanout_send_final(job *j, gp_err *err)
{
    result r = {0};
    wire_enc *enc = NULL;
    wire_summary s;
    gp_buf msg = {0};
    /* Merged hosts can't be cut before the last aggregator has added them up. */
    uint64_t limit = j->stmt->merge_hosts && j->req.n_via ? 0 : j->stmt->limit;
    gp_status st = fanout_acc_get(j->acc, limit, &r, err);
    if (st == GP_OK)
        st = wire_enc_new(&enc, err);
    if (st == GP_OK)
        st = wire_batch_encode(enc, &r, r.rows, r.n_rows, on_final_batch, j, err);
    if (st == GP_OK) {
        wire_summary_of(&r, &s);
        wire_put_summary(&msg, &s);
        st = fanout_send(j, &msg, err);
    }
    wire_enc_free(enc);
    result_clear(&r);
    return st;
}
