/* bytes.h - fixed-width integers in byte strings, and a growing byte buffer with a limit. */
#ifndef GP_BYTES_H
#define GP_BYTES_H

#include "gp/err.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Not <endian.h>: its functions are hidden from programs that are compiled as strict C11. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define GP_LITTLE(bits, v) (v)
#define GP_BIG(bits, v)    __builtin_bswap##bits(v)
#else
#define GP_LITTLE(bits, v) __builtin_bswap##bits(v)
#define GP_BIG(bits, v)    (v)
#endif

#define GP_BYTES_ACCESS(load, store, bits, conv)                                                   \
    static inline uint##bits##_t load(const void *p)                                               \
    {                                                                                              \
        uint##bits##_t v;                                                                          \
        memcpy(&v, p, sizeof v);                                                                   \
        return conv(bits, v);                                                                      \
    }                                                                                              \
    static inline void store(void *p, uint##bits##_t v)                                            \
    {                                                                                              \
        v = conv(bits, v);                                                                         \
        memcpy(p, &v, sizeof v);                                                                   \
    }
GP_BYTES_ACCESS(gp_le16, gp_put_le16, 16, GP_LITTLE)
GP_BYTES_ACCESS(gp_le32, gp_put_le32, 32, GP_LITTLE)
GP_BYTES_ACCESS(gp_le64, gp_put_le64, 64, GP_LITTLE)
GP_BYTES_ACCESS(gp_be16, gp_put_be16, 16, GP_BIG)
GP_BYTES_ACCESS(gp_be32, gp_put_be32, 32, GP_BIG)
GP_BYTES_ACCESS(gp_be64, gp_put_be64, 64, GP_BIG)
#undef GP_BYTES_ACCESS
#undef GP_LITTLE
#undef GP_BIG

/* Growing buffer. Zero-initialise: gp_buf b = {0}. One thread. After a failed append `failed` is
 * set and later appends do nothing, so a sequence of appends needs one check at its end. */
typedef struct gp_buf {
    uint8_t *data; /* NULL while cap is 0; always NUL-terminated after gp_buf_str() */
    size_t len;    /* bytes used */
    size_t cap;    /* bytes allocated */
    size_t limit;  /* most bytes ever held; 0 = no limit */
    int failed;    /* 1 after out of memory or the limit */
} gp_buf;

/* Make room for n more bytes; NULL (and failed) if not possible. Does not change len. */
uint8_t *gp_buf_reserve(gp_buf *b, size_t n);
void gp_buf_add(gp_buf *b, const void *bytes, size_t n);
void gp_buf_addc(gp_buf *b, char c);
void gp_buf_adds(gp_buf *b, const char *s);
void gp_buf_printf(gp_buf *b, const char *fmt, ...) GP_PRINTF(2, 3);
/* Append n copies of c. */
void gp_buf_fill(gp_buf *b, char c, size_t n);
/* The content as a C string, owned by b; "" when empty, NULL when failed. */
const char *gp_buf_str(gp_buf *b);
/* Hand the memory out as a C string that the caller frees with gp_free(); NULL when failed. */
char *gp_buf_take(gp_buf *b);
void gp_buf_clear(gp_buf *b); /* len = 0, failed = 0; keeps memory */
void gp_buf_free(gp_buf *b);

/* 1 if s has at most max bytes and no control characters: a name that can be printed and sent. */
int gp_text_ok(const char *s, size_t max);

#endif
