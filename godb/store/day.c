/* day.c - one day directory opened for reading. */
#include "day.h"

#include "db.h"
#include "dirs.h"
#include "godb/index.h"
#include "gp/io.h"
#include "gp/mem.h"
#include "suffix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_uint_fast64_t next_id = 1; /* distinguishes days whose memory is reused */

/* Look the day up in its month (path without its last part) and open it; -1 with errno. */
static int open_moved(const godb_db *db, const godb_dayref *ref, gp_err *err)
{
    char month[GODB_PATH_CAP], name[GODB_DAYNAME_CAP];
    const char *slash = strrchr(ref->path, '/');
    unsigned n = 0;

    int len =
        snprintf(month, sizeof month, "%.*s", (int)(slash ? slash - ref->path : 0), ref->path);
    if (!slash || len < 0 || (size_t)len >= sizeof month) {
        errno = EINVAL;
        return -1;
    }
    GP_CLEANUP(gp_closep) int month_fd = godb_dir_open(db->fd, month);
    if (month_fd < 0)
        return -1;
    for (int i = 0; i < GODB_RENAME_TRIES; i++) {
        if (godb_day_find(month_fd, ref->day_s, name, &n, err) != GP_OK)
            return -1;
        if (n == 0)
            break;
        int fd = godb_dir_open(month_fd, name);
        if (fd >= 0 || errno != ENOENT)
            return fd;
    }
    errno = ENOENT;
    return -1;
}

/* Read .blockmeta of the open directory fd; *missing is set when it does not exist. */
static gp_status read_meta(int fd, int64_t day_s, godb_blockmeta *m, gp_err *err)
{
    GP_CLEANUP(gp_buf_free) gp_buf buf = {0};

    gp_status st = gp_read_file(fd, ".blockmeta", GODB_META_MAX, &buf, err);
    if (st == GP_ELIMIT)
        return gp_fail(err, GP_ECORRUPT, 0, ".blockmeta has more than %d bytes", GODB_META_MAX);
    GP_TRY(st);
    return godb_blockmeta_parse(buf.data, buf.len, day_s, m, err);
}

/* Open the directory and its metadata; follows the day when it was renamed or replaced. */
static gp_status open_any(const godb_db *db, const godb_dayref *ref, int *fd, godb_blockmeta *m,
                          gp_err *err)
{
    gp_status st = GP_ENOTFOUND;

    *fd = godb_dir_open(db->fd, ref->path);
    for (int i = 0; i < 2; i++) {
        if (*fd < 0 && (errno == ENOENT || i > 0))
            *fd = open_moved(db, ref, err);
        if (*fd < 0)
            return gp_fail(err, errno == ENOENT ? GP_ENOTFOUND : GP_EIO, errno, "%s", ref->path);
        st = read_meta(*fd, ref->day_s, m, err);
        if (st != GP_ENOTFOUND)
            break;
        gp_closep(fd); /* being made, or replaced by a merge: look again, once (6.5) */
        *fd = -1;
        errno = ENOENT;
    }
    return st == GP_OK ? GP_OK : gp_fail_context(err, st, "%s", ref->path);
}

static int can_be_hit(const godb_blockmeta *m, godb_col col)
{
    for (size_t i = 0; i < m->n; i++)
        if (godb_displaced_possible(&m->blocks[i], col))
            return 1;
    return 0;
}

/* Takes fd and m, also on failure. */
static gp_status make_day(int fd, godb_blockmeta *m, const char *path, godb_day **out, gp_err *err)
{
    godb_day *d = gp_calloc(1, sizeof *d);
    if (d)
        d->path = gp_strdup(path);
    if (!d || !d->path) {
        gp_closep(&fd);
        godb_blockmeta_free(m);
        gp_free(d);
        return gp_fail(err, GP_ENOMEM, 0, "%s: out of memory", path);
    }
    d->id = atomic_fetch_add(&next_id, 1);
    d->meta = *m;
    d->fd = fd;
    d->root_fd = -1;
    pthread_mutex_init(&d->scan_lock, NULL);
    for (int c = 0; c < GODB_N_COLS; c++) {
        atomic_init(&d->col_fd[c], -1);
        atomic_init(&d->scanned[c], !can_be_hit(&d->meta, (godb_col)c));
    }
    *out = d;
    return GP_OK;
}

gp_status godb_day_open(const godb_db *db, const godb_dayref *ref, godb_day **out, gp_err *err)
{
    GP_CLEANUP(gp_closep) int fd = -1;
    godb_blockmeta m = {0};

    GP_TRY(open_any(db, ref, &fd, &m, err));
    int mine = fd;
    fd = -1;
    GP_TRY(make_day(mine, &m, ref->path, out, err));
    (*out)->verify = 1;
    (*out)->root_fd = fcntl(db->fd, F_DUPFD_CLOEXEC, 0); /* without it a lost file stays lost */
    return GP_OK;
}

gp_status godb_day_open_fd(int dir_fd, int64_t day_s, const char *path, godb_day **out, gp_err *err)
{
    godb_blockmeta m = {0};

    gp_status st = read_meta(dir_fd, day_s, &m, err);
    if (st != GP_OK)
        return gp_fail_context(err, st, "%s", path);
    int fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) {
        godb_blockmeta_free(&m);
        return gp_fail(err, GP_EIO, errno, "%s", path);
    }
    return make_day(fd, &m, path, out, err);
}

void godb_day_close(godb_day *d)
{
    if (!d)
        return;
    for (int c = 0; c < GODB_N_COLS; c++) {
        int fd = atomic_load(&d->col_fd[c]);
        gp_closep(&fd);
        godb_places_free(d->places[c]);
    }
    godb_index_close(d->index);
    pthread_mutex_destroy(&d->scan_lock);
    gp_closep(&d->root_fd);
    gp_closep(&d->fd);
    godb_blockmeta_free(&d->meta);
    gp_free(d->path);
    gp_free(d);
}

size_t godb_day_n_blocks(const godb_day *d)
{
    return d->meta.n;
}

const godb_block *godb_day_block(const godb_day *d, size_t i)
{
    return &d->meta.blocks[i];
}

size_t godb_day_n_placed(const godb_day *d)
{
    size_t n = d->meta.n;

    while (n > 0 && godb_block_unplaced(&d->meta.blocks[n - 1]))
        n--;
    return n;
}

const godb_totals *godb_day_totals(const godb_day *d)
{
    return &d->meta.totals;
}

int64_t godb_day_start(const godb_day *d)
{
    return d->meta.day_s;
}

int godb_day_dirfd(const godb_day *d)
{
    return d->fd;
}

int godb_day_sorted(const godb_day *d)
{
    return d->meta.sorted;
}

/* Are the blocks of the day still the same, as far as the column is concerned? */
static int same_column(const godb_blockmeta *a, const godb_blockmeta *b, godb_col col)
{
    if (b->n < a->n)
        return 0;
    for (size_t i = 0; i < a->n; i++) {
        const godb_block *x = &a->blocks[i], *y = &b->blocks[i];
        if (x->time_s != y->time_s || x->n_v4 != y->n_v4 || x->n_v6 != y->n_v6 ||
            x->stored[col] != y->stored[col] || x->raw[col] != y->raw[col] ||
            x->codec[col] != y->codec[col] || x->offset[col] != y->offset[col])
            return 0;
    }
    return 1;
}

/* The column file is gone: a merge or repair has replaced the directory since it was opened. Look
 * the day up again; its column will do if it has the same blocks (6.5). -1 with errno. */
static int reopen_column(const godb_day *d, godb_col col)
{
    const godb_db db = {.fd = d->root_fd, .path = d->path};
    const godb_dayref ref = {.day_s = d->meta.day_s, .path = d->path};
    godb_blockmeta m = {0};
    GP_CLEANUP(gp_closep) int fd = -1;
    int file = -1;

    if (d->root_fd >= 0 && open_any(&db, &ref, &fd, &m, NULL) == GP_OK) {
        if (same_column(&d->meta, &m, col))
            file = openat(fd, godb_col_file(col), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        godb_blockmeta_free(&m);
    }
    if (file < 0)
        errno = ENOENT;
    return file;
}

gp_status godb_day_col_fd(const godb_day *day, godb_col col, int *fd, gp_err *err)
{
    godb_day *d = (godb_day *)(uintptr_t)day; /* a cache: fields are atomic, sharing stays legal */
    int have = atomic_load_explicit(&d->col_fd[col], memory_order_acquire);

    if (have < 0) {
        have = openat(d->fd, godb_col_file(col), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (have < 0 && errno == ENOENT)
            have = reopen_column(d, col);
        if (have < 0)
            return gp_fail(err, errno == ENOENT ? GP_ECORRUPT : GP_EIO, errno, "%s/%s", d->path,
                           godb_col_file(col));
        int none = -1;
        if (!atomic_compare_exchange_strong(&d->col_fd[col], &none, have)) {
            close(have); /* another thread was first */
            have = none;
        }
    }
    *fd = have;
    return GP_OK;
}

gp_status godb_day_places(const godb_day *day, godb_col col, const godb_places **out, gp_err *err)
{
    godb_day *d = (godb_day *)(uintptr_t)day; /* a cache, locked */
    gp_status st = GP_OK;

    if (!atomic_load_explicit(&d->scanned[col], memory_order_acquire)) {
        int fd;
        GP_TRY(godb_day_col_fd(d, col, &fd, err));
        pthread_mutex_lock(&d->scan_lock);
        if (!atomic_load_explicit(&d->scanned[col], memory_order_relaxed)) {
            st = godb_displaced_scan(fd, &d->meta, col, NULL, NULL, &d->places[col], err);
            if (st == GP_OK)
                atomic_store_explicit(&d->scanned[col], 1, memory_order_release);
        }
        pthread_mutex_unlock(&d->scan_lock);
    }
    if (st == GP_OK)
        *out = d->places[col];
    return st;
}

const godb_index *godb_day_index(const godb_day *day)
{
    godb_day *d = (godb_day *)(uintptr_t)day; /* a cache, locked */

    if (!atomic_load_explicit(&d->index_ready, memory_order_acquire)) {
        pthread_mutex_lock(&d->scan_lock);
        if (!atomic_load_explicit(&d->index_ready, memory_order_relaxed)) {
            if (godb_index_open(d, &d->index, NULL) != GP_OK)
                d->index = NULL; /* without one the day is only slower to search */
            atomic_store_explicit(&d->index_ready, 1, memory_order_release);
        }
        pthread_mutex_unlock(&d->scan_lock);
    }
    return d->index;
}

void godb_day_verify(godb_day *d, int on)
{
    d->verify = on;
}
