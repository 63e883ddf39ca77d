/* batch.h - result rows as compressed columns: what travels instead of one message a row.
 *
 * Layout, little endian (docs/messages.md 4):
 *   u8 version = 2, u8 codec (0 none, 1 zstd), u16 0, u32 raw_len, u32 bits_len,
 *   raw_len bytes (compressed, one or more frames):
 *     u16 rows (1..8192), u8 family (0, 4, 6), u8 columns, u16 n_hosts, u16 n_ifaces,
 *     n_hosts * {u8 len, name, u8 len, id}, n_ifaces * {u8 len, name},
 *     columns in the order of WIRE_COL_*, then the four counters, each as "numbers" unless said
 *     otherwise. numbers: a symbol a row (batch_num.h), whose open bits stand in the bits;
 *   bits_len bytes: the open bits. */
#ifndef WIRE_BATCH_H
#define WIRE_BATCH_H

#include "gp/bytes.h"
#include "gp/err.h"
#include "result/result.h"

enum {
    WIRE_BATCH_ROWS = 8192,        /* most rows in a batch */
    WIRE_BATCH_BYTES = 250 * 1024, /* most bytes of an encoded batch: fits one RPC message */
    WIRE_BATCH_RAW = 1024 * 1024,  /* most bytes after decompression */
};

enum {                     /* bits of `columns`; absent columns are zero in every row */
       WIRE_COL_HOST = 1,  /* index into the batch's hosts; absent: host 0 */
       WIRE_COL_IFACE = 2, /* index into the batch's interfaces; absent: interface 0 */
       WIRE_COL_TIME = 4,  /* zigzag difference to the previous row */
       WIRE_COL_SIP =
           8, /* IPv4: numbers, difference to the previous row; IPv6: u8 shared prefix, rest */
       WIRE_COL_DIP = 16,   /* IPv4: bytes; IPv6: as sip */
       WIRE_COL_DPORT = 32, /* two byte planes */
       WIRE_COL_PROTO = 64, /* bytes */
};

/* Reusable state of an encoder (buffers, zstd context). One thread. */
typedef struct wire_enc wire_enc;
gp_status wire_enc_new(wire_enc **out, gp_err *err) GP_MUST_CHECK;
void wire_enc_free(wire_enc *e);

/* Called for each finished batch; bytes are valid during the call. Another status than GP_OK stops.
 */
typedef gp_status (*wire_batch_sink)(void *ctx, const uint8_t *bytes, size_t len, size_t rows,
                                     gp_err *err);

/* Encode n rows of r (any number, any order, families mixed) as batches. Rows are put in the order
 * that compresses best; receivers sort anyway. Labels are taken from r's tables. GP_EINVAL when a
 * row has an unknown family, two families, or an index outside the tables. */
gp_status wire_batch_encode(wire_enc *e, const result *r, const result_row *rows, size_t n,
                            wire_batch_sink sink, void *ctx, gp_err *err) GP_MUST_CHECK;

/* Reusable state of a decoder. One thread. */
typedef struct wire_dec wire_dec;
gp_status wire_dec_new(wire_dec **out, gp_err *err) GP_MUST_CHECK;
void wire_dec_free(wire_dec *d);

/* Append the rows of one batch to r->rows and their labels to r's tables.
 * host: label for every row whatever the bytes say (the authenticated name of the sender), with its
 * id; NULL: take the hosts from the batch.
 * GP_ECORRUPT for anything that an encoder does not write; r may then have new labels but no rows.
 */
gp_status wire_batch_decode(wire_dec *d, const void *bytes, size_t len, const char *host,
                            const char *host_id, result *r, gp_err *err) GP_MUST_CHECK;

/* Rows of a batch without decoding its columns (decompresses); GP_ECORRUPT as above. */
gp_status wire_batch_rows(wire_dec *d, const void *bytes, size_t len, size_t *rows,
                          gp_err *err) GP_MUST_CHECK;

#endif
