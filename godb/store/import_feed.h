/* import_feed.h - text of an import in pieces, read and decompressed ahead by another thread. */
#ifndef GODB_STORE_IMPORT_FEED_H
#define GODB_STORE_IMPORT_FEED_H

#include "gp/clock.h"
#include "gp/err.h"
#include "gp/pool.h"

#include <stddef.h>
#include <stdint.h>

/* One thread asks for pieces. */
typedef struct godb_feed godb_feed;

/* Text that fd gives. keep_max: bytes that godb_feed_next() must be able to carry over. pool: runs
 * the reading thread (one worker is occupied); NULL: the calling thread reads itself. cancel may be
 * NULL. name: for errors. A byte order mark at the begin is left out. */
gp_status godb_feed_new(int fd, const char *name, size_t keep_max, gp_pool *pool, gp_cancel *cancel,
                        godb_feed **out, gp_err *err) GP_MUST_CHECK;
/* Stops reading, waits for the thread. */
void godb_feed_free(godb_feed *f);
static inline void godb_feed_freep(godb_feed **f)
{
    godb_feed_free(*f);
}

/* The next piece: [*at, *end) begins with the last `keep` bytes of the piece before. *last: the
 * input ends here. Valid until the next call. After the last piece do not call again. */
gp_status godb_feed_next(godb_feed *f, size_t keep, const char **at, const char **end, int *last,
                         gp_err *err) GP_MUST_CHECK;

/* Bytes taken from the file descriptor so far. */
uint64_t godb_feed_consumed(const godb_feed *f);

#endif
