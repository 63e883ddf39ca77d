/* send.c - what the caller of a query gets to see: progress, snapshots, the final rows. */
#include "fanout_int.h"

#include "gp/mem.h"

enum { EARLY_STRINGS = 1 << 20 }; /* bytes of labels of one snapshot */

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

/* The last snapshot of a host that is still at work: rows of one agent get its name, whatever they
 * say. One that does not decode is left out: nothing of it counts. */
static gp_status add_early(job *j, const leg *l, const gp_buf *early, result_merger *m, gp_err *err)
{
    wire_answer a = {0};
    result part = {0};
    const char *host = l->is_aggregator ? NULL : l->name, *id = l->is_aggregator ? NULL : "";
    GP_TRY(result_init(&part, EARLY_STRINGS, err));
    part.fields = j->stmt->fields;
    gp_status st = wire_answer_decode(early->data, early->len, &a, NULL);
    for (size_t i = 0; st == GP_OK && i < a.u.partial.n_batches; i++)
        st = wire_batch_decode(j->dec, a.u.partial.batch[i], a.u.partial.batch_len[i], host, id,
                               &part, NULL);
    if (st == GP_OK)
        st = wire_summary_apply(&a.u.partial.summary, &part, NULL);
    st = st == GP_OK ? result_merger_add(m, &part, err) : GP_OK;
    wire_answer_clear(&a);
    result_clear(&part);
    return st;
}

/* What has come to an end, and what is on its way. */
static gp_status add_all_early(job *j, uint64_t limit, result *r, gp_err *err)
{
    result_merger *m = NULL;
    GP_TRY(result_merger_new(j->stmt, j->stmt->merge_hosts, 0, &m, err));
    result_merger_quota(m, &j->quota);
    gp_status st = result_merger_add(m, r, err);
    for (size_t i = 0; i < j->next_leg && st == GP_OK; i++) {
        gp_buf early = fanout_leg_early_take(&j->legs[i]);
        if (early.len)
            st = add_early(j, &j->legs[i], &early, m, err);
        fanout_leg_early_put(&j->legs[i], early);
    }
    result_clear(r);
    if (st == GP_OK)
        st = result_merger_get(m, limit, r, err);
    result_merger_free(m);
    return st;
}

gp_status fanout_send_partial(job *j, gp_err *err)
{
    result r = {0};
    gp_buf msg = {0};
    uint64_t limit =
        j->stmt->limit < WIRE_MAX_PARTIAL_ROWS ? j->stmt->limit : WIRE_MAX_PARTIAL_ROWS;
    gp_status st = fanout_acc_get(j->acc, limit, &r, err);
    if (st == GP_OK)
        st = add_all_early(j, limit, &r, err);
    if (st == GP_OK)
        st = wire_put_snapshot(&msg, &r, (uint32_t)j->finished, (uint32_t)j->n_legs, err);
    if (st == GP_OK)
        st = fanout_send(j, &msg, err);
    gp_buf_free(&msg);
    result_clear(&r);
    return st == GP_ELIMIT ? GP_OK : st; /* no room for a snapshot: the query may still fit */
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
