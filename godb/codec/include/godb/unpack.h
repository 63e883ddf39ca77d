/* unpack.h - bytes of a file or pipe, decompressed on the way when they are gzip or zstd. */
#ifndef GODB_UNPACK_H
#define GODB_UNPACK_H

#include "gp/clock.h"
#include "gp/err.h"

#include <stddef.h>
#include <stdint.h>

/* One thread, except godb_unpack_consumed(). */
typedef struct godb_unpack godb_unpack;

/* Read from fd (borrowed, from its position on). The kind is told by the first bytes: gzip (several
 * members too, RFC 1952), zstd (several frames too, RFC 8878; windows up to 128 MiB), else as it
 * is. name is for error texts. cancel may be NULL; it also ends a wait for a pipe. */
gp_status godb_unpack_open(int fd, const char *name, gp_cancel *cancel, godb_unpack **out,
                           gp_err *err) GP_MUST_CHECK;
void godb_unpack_close(godb_unpack *u); /* NULL is fine; fd stays open */
static inline void godb_unpack_closep(godb_unpack **u)
{
    godb_unpack_close(*u);
}

/* Fill buf with up to cap > 0 bytes of content; *n = 0 only at its end. GP_ECORRUPT when compressed
 * data is damaged or ends early, GP_EUNSUPPORTED for other compressions (xz, bzip2, lz4 frames). */
gp_status godb_unpack_read(godb_unpack *u, void *buf, size_t cap, size_t *n,
                           gp_err *err) GP_MUST_CHECK;

/* Bytes taken from fd so far, for progress. Any thread. */
uint64_t godb_unpack_consumed(const godb_unpack *u);

/* "gzip", "zstd" or "plain". */
const char *godb_unpack_kind(const godb_unpack *u);

#endif
