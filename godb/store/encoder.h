/* encoder.h - rows of a block to eight encoded columns in memory, before anything is written. */
#ifndef GODB_STORE_ENCODER_H
#define GODB_STORE_ENCODER_H

#include "daywriter.h"
#include "godb/codec.h"

/* One thread: compression contexts and scratch space. Zero-initialise and free. */
typedef struct godb_encoder {
    godb_codec *codec;
    gp_buf packed; /* one counter column before compression */
} godb_encoder;

/* Payloads of one encoded block. Zero-initialise; reused from block to block. */
typedef struct godb_payload {
    gp_buf col[GODB_N_COLS];
} godb_payload;

gp_status godb_encoder_init(godb_encoder *x, gp_err *err) GP_MUST_CHECK;
void godb_encoder_free(godb_encoder *x);
void godb_payload_free(godb_payload *p);

/* Check rows (order, limits: GP_EINVAL, GP_ELIMIT) and encode them with codec and level. *e points
 * into p. */
gp_status godb_encode_rows(godb_encoder *x, uint8_t codec, int level, int64_t time_s,
                           const godb_rows *rows, uint64_t drops, godb_payload *p, godb_encoded *e,
                           gp_err *err) GP_MUST_CHECK;

/* 1 if rows rise strictly by (sip, dip, dport, proto) within each family, as blocks must (3.2). */
int godb_rows_in_order(const godb_rows *rows);

/* Encode raw columns of an existing block (as godb_reader_col() gives them, of b->raw[] bytes each)
 * anew: time, rows and drops as in *b, rows in the order they have. */
gp_status godb_encode_raw(godb_encoder *x, uint8_t codec, int level, const godb_block *b,
                          const uint8_t *const raw[GODB_N_COLS], godb_payload *p, godb_encoded *e,
                          gp_err *err) GP_MUST_CHECK;

#endif
