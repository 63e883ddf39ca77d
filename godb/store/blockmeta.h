/* blockmeta.h - the .blockmeta file: parse with every check of 2.5, extend, serialise. */
#ifndef GODB_STORE_BLOCKMETA_H
#define GODB_STORE_BLOCKMETA_H

#include "godb/day.h"
#include "gp/bytes.h"
#include "limits.h"

/* One thread while it is changed; read-only shared afterwards. */
typedef struct godb_blockmeta {
    int64_t day_s;      /* D; timestamps must lie in [D, D + 86400) */
    godb_totals totals; /* header; rows and drops are the sums of the entries where they differ */
    uint64_t append[GODB_N_COLS]; /* A(k), bytes; the sum of stored lengths when append_ok */
    size_t n, cap;                /* blocks used and allocated */
    godb_block *blocks;           /* owned */
    uint32_t *diff;               /* owned; time differences as stored, for exact rewriting */
    int64_t first_s;              /* first timestamp as stored */
    int64_t max_s;                /* latest usable timestamp, INT64_MIN without one */
    int sorted;                   /* timestamps of usable blocks rise strictly */
    int append_ok;                /* a writer may append: A(k) and the last timestamp are sound */
    const char *warning;          /* static text about something tolerated, or NULL */
} godb_blockmeta;

/* Parse len untrusted bytes of the day that begins at day_s into *out (zeroed or freed before).
 * GP_ECORRUPT: size, version or count are wrong; single bad blocks are only marked unusable. */
gp_status godb_blockmeta_parse(const void *bytes, size_t len, int64_t day_s, godb_blockmeta *out,
                               gp_err *err) GP_MUST_CHECK;

/* Empty metadata of a new day. */
void godb_blockmeta_init(godb_blockmeta *m, int64_t day_s);
void godb_blockmeta_free(godb_blockmeta *m);

/* Append a block: time, rows, drops, codec, stored and raw are taken from *b (offset is set here),
 * sums are its four counter sums. GP_EEXIST when it is not later than all others, GP_ELIMIT at the
 * limits of 2.4. Unchanged on failure. */
gp_status godb_blockmeta_push(godb_blockmeta *m, const godb_block *b,
                              const uint64_t sums[GODB_N_COUNTERS], gp_err *err) GP_MUST_CHECK;

/* Append the 144 + 88 n bytes of the file to out (check out->failed). */
void godb_blockmeta_write(const godb_blockmeta *m, gp_buf *out);

/* Set usable and reason of one block from its lengths and codecs (2.5, item 7). */
void godb_block_check(godb_block *b);

#endif
