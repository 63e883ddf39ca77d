/* import_feed.c - text of an import in pieces, read and decompressed ahead by another thread.
 *
 * A ring of pieces. Each has room in front for what the reader of the piece before kept, so that a
 * record never has to be put together from two places.
 */
#include "import_feed.h"

#include "godb/unpack.h"
#include "gp/mem.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

enum {
    PIECES = 4,
    PIECE_BYTES = 256 * 1024, /* stays in a second-level cache until it is parsed */
    BOM_BYTES = 3,
    WAKE_MS = 100 /* how long a cancel may go unseen */
};

struct piece {
    char *mem; /* room in front, then PIECE_BYTES */
    size_t len;
    int last;
    gp_status st; /* instead of bytes */
    gp_err err;
};

struct godb_feed {
    godb_unpack *in;
    size_t room; /* bytes in front of each piece */
    int fd;
    const char *name;
    gp_cancel *cancel; /* the user's */
    gp_cancel stop;    /* ours, for the reading thread */
    struct piece piece[PIECES];
    struct piece *current; /* what the caller has; NULL before the first */
    const char *end;       /* of its text */
    int threaded;
    pthread_mutex_t mu;
    pthread_cond_t change;
    uint64_t made, used; /* pieces filled, pieces given back */
    int running;
};

/* Read the first bytes until it is known whether there is a byte order mark. */
static gp_status read_first(godb_feed *f, struct piece *p, gp_err *err)
{
    char *mem = p->mem + f->room;
    size_t n = 1;

    while (p->len < BOM_BYTES && n > 0) {
        GP_TRY(godb_unpack_read(f->in, mem + p->len, PIECE_BYTES - p->len, &n, err));
        p->len += n;
    }
    p->last = n == 0;
    if (p->len >= BOM_BYTES && memcmp(mem, "\xEF\xBB\xBF", BOM_BYTES) == 0) {
        p->len -= BOM_BYTES;
        memmove(mem, mem + BOM_BYTES, p->len);
    }
    return GP_OK;
}

static void fill(godb_feed *f, struct piece *p)
{
    p->len = 0;
    p->last = 0;
    if (f->in) {
        p->st = godb_unpack_read(f->in, p->mem + f->room, PIECE_BYTES, &p->len, &p->err);
        p->last = p->len == 0;
        return;
    }
    p->st = godb_unpack_open(f->fd, f->name, f->threaded ? &f->stop : f->cancel, &f->in, &p->err);
    if (p->st == GP_OK)
        p->st = read_first(f, p, &p->err);
}

static void reading_thread(void *arg)
{
    godb_feed *f = arg;
    int more = 1;

    pthread_mutex_lock(&f->mu);
    while (more) {
        while (f->made - f->used == PIECES && gp_cancel_check(&f->stop) == GP_OK)
            pthread_cond_wait(&f->change, &f->mu);
        if (gp_cancel_check(&f->stop) != GP_OK)
            break;
        struct piece *p = &f->piece[f->made % PIECES];
        pthread_mutex_unlock(&f->mu);
        fill(f, p);
        more = p->st == GP_OK && !p->last;
        pthread_mutex_lock(&f->mu);
        f->made++;
        pthread_cond_broadcast(&f->change);
    }
    f->running = 0;
    pthread_cond_broadcast(&f->change);
    pthread_mutex_unlock(&f->mu);
}

gp_status godb_feed_new(int fd, const char *name, size_t keep_max, gp_pool *pool, gp_cancel *cancel,
                        godb_feed **out, gp_err *err)
{
    GP_CLEANUP(godb_feed_freep) godb_feed *f = gp_calloc(1, sizeof *f);

    if (!f)
        return gp_fail(err, GP_ENOMEM, 0, "import: out of memory");
    pthread_mutex_init(&f->mu, NULL);
    pthread_cond_init(&f->change, NULL);
    f->fd = fd;
    f->name = name;
    f->room = keep_max;
    f->cancel = cancel;
    f->stop = (gp_cancel)GP_CANCEL_INIT;
    f->threaded = pool != NULL;
    for (size_t i = 0; i < (pool ? PIECES : 2); i++)
        if (!(f->piece[i].mem = gp_alloc(keep_max + PIECE_BYTES, 1)))
            return gp_fail(err, GP_ENOMEM, 0, "import: out of memory");
    if (pool) {
        f->running = 1;
        gp_status st = gp_pool_submit(pool, reading_thread, f);
        if (st != GP_OK) {
            f->running = 0;
            return gp_fail(err, st, 0, "import: starting the reading thread failed");
        }
    }
    *out = f;
    f = NULL;
    return GP_OK;
}

void godb_feed_free(godb_feed *f)
{
    if (!f)
        return;
    pthread_mutex_lock(&f->mu);
    gp_cancel_set(&f->stop, GP_ECANCELLED);
    pthread_cond_broadcast(&f->change);
    while (f->running)
        pthread_cond_wait(&f->change, &f->mu);
    pthread_mutex_unlock(&f->mu);
    for (size_t i = 0; i < PIECES; i++)
        gp_free(f->piece[i].mem);
    godb_unpack_close(f->in);
    pthread_cond_destroy(&f->change);
    pthread_mutex_destroy(&f->mu);
    gp_free(f);
}

/* Wait for the next piece of the reading thread; looks for the user's cancel meanwhile. */
static gp_status wait_piece(godb_feed *f, gp_err *err)
{
    gp_status st = GP_OK;

    pthread_mutex_lock(&f->mu);
    while (f->made == f->used + (f->current != NULL) && st == GP_OK) {
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        t.tv_nsec += WAKE_MS * 1000000L;
        t.tv_sec += t.tv_nsec / 1000000000L;
        t.tv_nsec %= 1000000000L;
        (void)pthread_cond_timedwait(&f->change, &f->mu, &t);
        st = gp_cancel_check(f->cancel);
    }
    pthread_mutex_unlock(&f->mu);
    return st == GP_OK ? GP_OK : gp_fail(err, st, 0, "%s: %s", f->name, gp_status_name(st));
}

/* Give the piece before back; only now, because the kept bytes had to be copied. */
static void give_back(godb_feed *f, struct piece *next)
{
    pthread_mutex_lock(&f->mu);
    if (f->current)
        f->used++;
    f->current = next;
    pthread_cond_broadcast(&f->change);
    pthread_mutex_unlock(&f->mu);
}

gp_status godb_feed_next(godb_feed *f, size_t keep, const char **at, const char **end, int *last,
                         gp_err *err)
{
    struct piece *p;

    if (f->threaded) {
        GP_TRY(wait_piece(f, err));
        p = &f->piece[(f->used + (f->current != NULL)) % PIECES];
    } else {
        p = f->current == &f->piece[0] ? &f->piece[1] : &f->piece[0];
        fill(f, p);
    }
    if (p->st != GP_OK) {
        if (err)
            *err = p->err;
        return p->st;
    }
    char *text = p->mem + f->room;
    if (keep > 0)
        memcpy(text - keep, f->end - keep, keep);
    give_back(f, p);
    *at = text - keep;
    *end = f->end = text + p->len;
    *last = p->last;
    return GP_OK;
}

uint64_t godb_feed_consumed(const godb_feed *f)
{
    /* f->in is set before the first piece is handed over */
    return f->current ? godb_unpack_consumed(f->in) : 0;
}
