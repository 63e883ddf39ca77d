/* writer.h - buffered output with fast numbers, addresses and JSON strings. */
#ifndef RESULT_WRITER_H
#define RESULT_WRITER_H

#include "gp/err.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    WRITER_BYTES = 1 << 16,
    WRITER_ROOM = 1024, /* most bytes result_writer_room() grants */
};

/* One thread. After a failed write everything is swallowed; result_writer_finish() reports it. */
typedef struct writer {
    FILE *f;
    size_t len;
    int failed, sys;    /* sys: errno of the first failed write */
    char octet[256][4]; /* decimal digits of a byte, length in [3] */
    char buf[WRITER_BYTES];
} writer;

/* NULL if out of memory. result_writer_free() does not write what is left. */
writer *result_writer_new(FILE *f);
void result_writer_free(writer *w);
static inline void result_writer_freep(writer **w)
{
    result_writer_free(*w);
}

/* Write everything and flush the stream. GP_EIO with errno (EPIPE too). */
gp_status result_writer_finish(writer *w, gp_err *err) GP_MUST_CHECK;

void result_writer_flush(writer *w);

/* n <= WRITER_ROOM bytes to write to; account for those used with result_writer_used(). */
static inline char *result_writer_room(writer *w, size_t n)
{
    if (n > WRITER_BYTES - w->len)
        result_writer_flush(w);
    return w->buf + w->len;
}
static inline void result_writer_used(writer *w, const char *end)
{
    w->len = (size_t)(end - w->buf);
}

void result_writer_add(writer *w, const char *p, size_t n);
void result_writer_adds(writer *w, const char *s);
void result_writer_addc(writer *w, char c);
void result_writer_fill(writer *w, char c, size_t n);
void result_writer_u64(writer *w, uint64_t v);
void result_writer_i64(writer *w, int64_t v);
void result_writer_printf(writer *w, const char *fmt, ...) GP_PRINTF(2, 3);

/* Quoted JSON string; <, >, & and the line separators are escaped, bytes that are not UTF-8 become
 * U+FFFD (6.6). */
void result_writer_json(writer *w, const char *s);

/* Quote one CSV field where 6.5 asks for it. */
void result_writer_csv(writer *w, const char *s, size_t n);

/* HTML: < > & " ' as entities. */
void result_writer_html(writer *w, const char *s, size_t n);

/* One cell of a Markdown table: what would end the cell or start markup is escaped. */
void result_writer_markdown(writer *w, const char *s, size_t n);

/* Canonical address text as gp_addr_format, without NUL; at most 45 bytes. family 0 writes nothing.
 */
size_t result_writer_addr(const writer *w, char *p, uint8_t family, const uint8_t bytes[16]);

#endif
