/* codec.h - column block payloads: lz4, zstd, null (docs/godb-format.md 4) with the raw fall-back.
 */
#ifndef GODB_CODEC_H
#define GODB_CODEC_H

#include "gp/bytes.h"
#include "gp/err.h"

#include <stddef.h>
#include <stdint.h>

typedef enum godb_codec_id {
    GODB_CODEC_LZ4CUST = 0, /* historic; not readable */
    GODB_CODEC_NULL = 1,
    GODB_CODEC_ZSTD = 2,
    GODB_CODEC_LZ4 = 3,
} godb_codec_id;

enum { GODB_CODEC_DEFAULT_LEVEL = 6 };

/* Per-thread compression and decompression contexts, made on first use. */
typedef struct godb_codec godb_codec;
gp_status godb_codec_new(godb_codec **out, gp_err *err) GP_MUST_CHECK;
void godb_codec_free(godb_codec *c);

/* Decode one stored block into exactly raw_len bytes at dst. GP_ECORRUPT when the payload does not
 * give exactly raw_len bytes or does not consume exactly stored_len; GP_EUNSUPPORTED for id 0 and
 * unknown ids. dst must have raw_len bytes; src is untrusted. */
gp_status godb_codec_decode(godb_codec *c, uint8_t id, const void *src, size_t stored_len,
                            void *dst, size_t raw_len, gp_err *err) GP_MUST_CHECK;

/* Decode at least the first head bytes (head <= raw_len; dst has raw_len bytes all the same). For
 * readers that need the front of a block only: what lies behind is not checked, and what dst holds
 * there is not defined. Cheaper for lz4; the other codecs decode everything. */
gp_status godb_codec_decode_head(godb_codec *c, uint8_t id, const void *src, size_t stored_len,
                                 void *dst, size_t raw_len, size_t head, gp_err *err) GP_MUST_CHECK;

/* Encode raw_len bytes with codec id and level (<= 0: default 6), appending to out. *id_used is
 * GODB_CODEC_NULL when the codec output was longer than the input (raw fall-back, 3.6). */
gp_status godb_codec_encode(godb_codec *c, uint8_t id, int level, const void *raw, size_t raw_len,
                            gp_buf *out, uint8_t *id_used, gp_err *err) GP_MUST_CHECK;

/* Name as in configuration ("lz4", "zstd", "null", "lz4cust", any case) to id; -1 if unknown. */
int godb_codec_by_name(const char *name);
const char *godb_codec_name(uint8_t id); /* "?" for unknown ids */

#endif
