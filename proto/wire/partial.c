/* partial.c - a snapshot as one message: summary and a few rows. */
#include "gp/mem.h"
#include "wire/answer.h"
#include "wire/batch.h"

enum { MAX_BATCHES = 4 }; /* one per family and one without; a hundred rows never need more */

struct collected {
    gp_buf bytes[MAX_BATCHES];
    size_t n;
};

static gp_status on_batch(void *ctx, const uint8_t *bytes, size_t len, size_t rows, gp_err *err)
{
    struct collected *c = ctx;
    (void)rows;
    if (c->n >= MAX_BATCHES)
        return gp_fail(err, GP_ELIMIT, 0, "snapshot of more than %d batches", MAX_BATCHES);
    gp_buf_add(&c->bytes[c->n], bytes, len);
    return c->bytes[c->n++].failed ? gp_fail(err, GP_ENOMEM, 0, "snapshot: out of memory") : GP_OK;
}

gp_status wire_put_snapshot(gp_buf *out, const result *r, uint32_t hosts_done, uint32_t hosts_total,
                            gp_err *err)
{
    wire_enc *enc = NULL;
    struct collected c = {0};
    const uint8_t *data[MAX_BATCHES];
    size_t lens[MAX_BATCHES];
    wire_summary s;
    GP_TRY(wire_enc_new(&enc, err));
    gp_status st = wire_batch_encode(enc, r, r->rows, r->n_rows, on_batch, &c, err);
    if (st == GP_OK) {
        for (size_t i = 0; i < c.n; i++) {
            data[i] = c.bytes[i].data;
            lens[i] = c.bytes[i].len;
        }
        wire_summary_of(r, &s);
        wire_put_partial(out, &s, hosts_done, hosts_total, data, lens, c.n);
    }
    for (size_t i = 0; i < MAX_BATCHES; i++)
        gp_buf_free(&c.bytes[i]);
    wire_enc_free(enc);
    return st;
}
