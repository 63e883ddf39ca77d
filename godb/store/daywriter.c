/* daywriter.c - steps 1 to 8 of one write (5.2): columns, then metadata, then the directory name.
 */
#include "daywriter.h"

#include "day.h"
#include "dirs.h"
#include "gp/io.h"
#include "indexfile.h"
#include "suffix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum {
    TMP_NAME_CAP = 48,
    STRAY_TMP_AGE_S = GODB_DAY_S,
    /* Bytes of a column that wait for more: large writes are fewer system calls, and a file written
     * in small pieces lies in the page cache in single pages, which take twice as long to read. */
    BEHIND_MAX = 256 * 1024,
};
#define TMP_PREFIX ".tmp-metadata-"

/* What a block put changes in the metadata beside the append positions. */
struct before {
    godb_totals totals;
    int64_t max_s;
};

static int want_sync(const godb_daywriter *dw)
{
    return dw->opts.sync == GODB_SYNC_BLOCK;
}

/* Open a directory, making it if needed. */
static gp_status make_dir(int parent, const char *name, const godb_dayopts *o, int *fd, int *made,
                          gp_err *err)
{
    *made = mkdirat(parent, name, godb_dir_mode(o->mode)) == 0;
    if (!*made && errno != EEXIST)
        return gp_fail(err, GP_EIO, errno, "making directory %s failed", name);
    *fd = godb_dir_open(parent, name);
    if (*fd < 0)
        return gp_fail(err, GP_EIO, errno, "opening directory %s failed", name);
    return GP_OK;
}

/* The entries of year and month. Whoever made them may have been killed before it synced them, so
 * each process does that once, whether they are new or not. */
static gp_status sync_month(const godb_dayopts *o, godb_month m, int iface_fd, int year_fd,
                            gp_err *err)
{
    godb_month *done = o->synced_month;

    if (o->sync != GODB_SYNC_BLOCK || (done && done->year == m.year && done->month == m.month))
        return GP_OK;
    if (fsync(iface_fd) != 0 || fsync(year_fd) != 0)
        return gp_fail(err, GP_EIO, errno, "syncing the directory of %d/%02d failed", m.year,
                       m.month);
    if (done)
        *done = m;
    return GP_OK;
}

/* <YYYY>/<MM> in local time, as the reference looks for it (1.3). */
static gp_status open_month(godb_daywriter *dw, int iface_fd, gp_err *err)
{
    char year[16], month[16];
    int made;
    godb_month m = godb_month_local(dw->day_s);
    GP_CLEANUP(gp_closep) int year_fd = -1;

    snprintf(year, sizeof year, "%d", m.year);
    snprintf(month, sizeof month, "%02d", m.month);
    GP_TRY(make_dir(iface_fd, year, &dw->opts, &year_fd, &made, err));
    GP_TRY(make_dir(year_fd, month, &dw->opts, &dw->month_fd, &made, err));
    return sync_month(&dw->opts, m, iface_fd, year_fd, err);
}

static gp_status remove_stray(void *ctx, const char *name, int is_dir)
{
    int dirfd = *(int *)ctx;
    struct stat st;

    if (!is_dir && strncmp(name, TMP_PREFIX, strlen(TMP_PREFIX)) == 0 &&
        fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        time(NULL) - st.st_mtim.tv_sec > STRAY_TMP_AGE_S)
        (void)unlinkat(dirfd, name, 0); /* leftover of a crash (5.4) */
    return GP_OK;
}

static gp_status read_meta(godb_daywriter *dw, gp_err *err)
{
    GP_CLEANUP(gp_buf_free) gp_buf buf = {0};
    gp_status st = gp_read_file(dw->dir_fd, ".blockmeta", GODB_META_MAX, &buf, err);

    if (st == GP_ENOTFOUND) {
        godb_blockmeta_init(&dw->meta, dw->day_s);
        return GP_OK;
    }
    if (st == GP_ELIMIT)
        return gp_fail(err, GP_ECORRUPT, 0, ".blockmeta is too large");
    GP_TRY(st);
    GP_TRY(godb_blockmeta_parse(buf.data, buf.len, dw->day_s, &dw->meta, err));
    if (!dw->meta.append_ok)
        return gp_fail(err, GP_ECORRUPT, 0, "%s",
                       dw->meta.warning ? dw->meta.warning : "timestamps are damaged");
    return GP_OK;
}

/* No column file may end below its append position: appending would leave a hole (5.2). */
static gp_status check_lengths(const godb_daywriter *dw, gp_err *err)
{
    for (int c = 0; c < GODB_N_COLS; c++) {
        struct stat st = {0};
        if (fstatat(dw->dir_fd, godb_col_file((godb_col)c), &st, AT_SYMLINK_NOFOLLOW) != 0 &&
            errno != ENOENT)
            return gp_fail(err, GP_EIO, errno, "%s", godb_col_file((godb_col)c));
        if ((uint64_t)st.st_size < dw->meta.append[c])
            return gp_fail(err, GP_ECORRUPT, 0, "%s has %lld bytes, .blockmeta says %llu",
                           godb_col_file((godb_col)c), (long long)st.st_size,
                           (unsigned long long)dw->meta.append[c]);
    }
    return GP_OK;
}

gp_status godb_daywriter_open(godb_daywriter *dw, int iface_fd, int64_t day_s,
                              const godb_dayopts *opts, gp_buf *note, gp_err *err)
{
    unsigned n = 0;

    *dw = (godb_daywriter){.day_s = day_s, .opts = *opts, .month_fd = -1, .dir_fd = -1};
    for (int c = 0; c < GODB_N_COLS; c++)
        dw->fd[c] = -1;
    godb_blockmeta_init(&dw->meta, day_s);
    GP_TRY(open_month(dw, iface_fd, err));
    GP_TRY(godb_day_find_locked(dw->month_fd, day_s, dw->name, &n, err));
    if (n == 0)
        godb_dayname_format(day_s, NULL, dw->name);
    if (n > 1)
        gp_buf_printf(note, "%u directories of day %lld, writing to %s; ", n, (long long)day_s,
                      dw->name);
    GP_TRY(make_dir(dw->month_fd, dw->name, opts, &dw->dir_fd, &dw->made, err));
    if (dw->made)
        return GP_OK;
    gp_status st = read_meta(dw, err);
    if (st == GP_OK)
        st = check_lengths(dw, err);
    if (st != GP_OK)
        return gp_fail_context(err, st, "%s", dw->name);
    dw->committed = dw->meta.n;
    memcpy(dw->kept, dw->meta.append, sizeof dw->kept);
    st = godb_dir_each(dw->dir_fd, remove_stray, &dw->dir_fd, NULL);
    (void)st; /* only tidying: the write goes on */
    return GP_OK;
}

static gp_status write_at(godb_daywriter *dw, godb_col c, const uint8_t *bytes, size_t n,
                          uint64_t off, gp_err *err)
{
    if (dw->fd[c] < 0) {
        /* Neither truncated nor in append mode: bytes behind the append position are overwritten.
         */
        dw->fd[c] = openat(dw->dir_fd, godb_col_file(c),
                           O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, dw->opts.mode);
        if (dw->fd[c] < 0)
            return gp_fail(err, GP_EIO, errno, "%s/%s", dw->name, godb_col_file(c));
    }
    gp_status st = gp_pwrite_full(dw->fd[c], bytes, n, off, err);
    return st == GP_OK ? GP_OK : gp_fail_context(err, st, "%s/%s", dw->name, godb_col_file(c));
}

/* Write what waits. After a failure it still waits. */
static gp_status catch_up(godb_daywriter *dw, godb_col c, gp_err *err)
{
    gp_buf *b = &dw->behind[c];

    if (b->len > 0)
        GP_TRY(write_at(dw, c, b->data, b->len, dw->meta.append[c] - b->len, err));
    gp_buf_clear(b);
    return GP_OK;
}

/* Room for the column of a block, or the column written. */
static gp_status write_column(godb_daywriter *dw, godb_col c, const godb_encoded *e, gp_err *err)
{
    size_t n = e->block.stored[c];

    if (dw->behind[c].len + n > BEHIND_MAX)
        GP_TRY(catch_up(dw, c, err));
    if (n > BEHIND_MAX)
        return write_at(dw, c, e->payload[c], n, dw->meta.append[c], err);
    if (n > 0 && !gp_buf_reserve(&dw->behind[c], n))
        return gp_fail(err, GP_ENOMEM, 0, "%s: out of memory", dw->name);
    return GP_OK;
}

/* Cut a column off at that position, which is not before what .blockmeta says (5.4: we hold the
 * lock, and no reader can know of more). Only to free space: without it the bytes are overwritten.
 */
static void trim_column(godb_daywriter *dw, godb_col c, uint64_t end)
{
    GP_CLEANUP(gp_closep)
    int own = dw->fd[c] < 0
                  ? openat(dw->dir_fd, godb_col_file(c), O_WRONLY | O_NOFOLLOW | O_CLOEXEC)
                  : -1;
    struct stat st;
    int fd = own >= 0 ? own : dw->fd[c];

    if (fd >= 0 && fstat(fd, &st) == 0 && (uint64_t)st.st_size > end &&
        ftruncate(fd, (off_t)end) != 0)
        return;
}

static gp_status put_block(godb_daywriter *dw, const godb_encoded *e, gp_err *err)
{
    const struct before b = {dw->meta.totals, dw->meta.max_s};

    if (!gp_buf_reserve(&dw->before, sizeof b))
        return gp_fail(err, GP_ENOMEM, 0, "%s: out of memory", dw->name);
    for (int c = 0; c < GODB_N_COLS; c++)
        GP_TRY(write_column(dw, (godb_col)c, e, err));
    GP_TRY(godb_blockmeta_push(&dw->meta, &e->block, e->sums, err));
    gp_buf_add(&dw->before, &b, sizeof b);
    return GP_OK;
}

gp_status godb_daywriter_put(godb_daywriter *dw, const godb_encoded *e, gp_err *err)
{
    if (dw->meta.n > 0 && e->block.time_s <= dw->meta.max_s) /* before anything is written */
        return gp_fail(err, GP_EEXIST, 0, "block %lld is not later than the last one, %lld",
                       (long long)e->block.time_s, (long long)dw->meta.max_s);
    gp_status st = put_block(dw, e, err);
    if (st != GP_OK) {
        dw->torn = 1;
        for (int c = 0; c < GODB_N_COLS; c++)
            trim_column(dw, (godb_col)c, dw->meta.append[c] - dw->behind[c].len);
        return st;
    }
    for (int c = 0; c < GODB_N_COLS; c++)
        if (e->block.stored[c] <= BEHIND_MAX)
            gp_buf_add(&dw->behind[c], e->payload[c], e->block.stored[c]);
    return GP_OK;
}

/* Step 6: no metadata before every column is written, synced and closed without an error. */
static gp_status close_columns(godb_daywriter *dw, gp_err *err)
{
    for (int c = 0; c < GODB_N_COLS; c++) {
        GP_TRY(catch_up(dw, (godb_col)c, err));
        int fd = dw->fd[c];
        if (fd < 0)
            continue;
        if (want_sync(dw) && fdatasync(fd) != 0)
            return gp_fail(err, GP_EIO, errno, "syncing %s/%s failed", dw->name,
                           godb_col_file((godb_col)c));
        dw->fd[c] = -1;
        if (close(fd) != 0 && errno != EINTR)
            return gp_fail(err, GP_EIO, errno, "closing %s/%s failed", dw->name,
                           godb_col_file((godb_col)c));
    }
    return GP_OK;
}

/* Temporary file with the new content, complete and with its final mode. */
static gp_status write_tmp(godb_daywriter *dw, const char *name, gp_err *err)
{
    GP_CLEANUP(gp_buf_free) gp_buf buf = {0};
    GP_CLEANUP(gp_closep)
    int fd = openat(dw->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return gp_fail(err, GP_EIO, errno, "making %s/%s failed", dw->name, name);
    godb_blockmeta_write(&dw->meta, &buf);
    if (buf.failed)
        return gp_fail(err, GP_ENOMEM, 0, "metadata of %zu blocks: out of memory", dw->meta.n);
    GP_TRY(gp_write_full(fd, buf.data, buf.len, err));
    if (fchmod(fd, dw->opts.mode) != 0)
        return gp_fail(err, GP_EIO, errno, "setting the mode of .blockmeta failed");
    if (want_sync(dw) && fsync(fd) != 0)
        return gp_fail(err, GP_EIO, errno, "syncing .blockmeta failed");
    if (close(gp_take_fd(&fd)) != 0 && errno != EINTR)
        return gp_fail(err, GP_EIO, errno, "closing .blockmeta failed");
    return GP_OK;
}

/* Step 7, the commit point. */
static gp_status replace_meta(godb_daywriter *dw, gp_err *err)
{
    char name[TMP_NAME_CAP];
    uint64_t digits = 0;

    if (getrandom(&digits, sizeof digits, GRND_NONBLOCK) != (ssize_t)sizeof digits) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        digits = (uint64_t)now.tv_nsec << 20 ^ (uint64_t)getpid();
    }
    snprintf(name, sizeof name, TMP_PREFIX "%llu", (unsigned long long)digits);
    gp_status st = write_tmp(dw, name, err);
    if (st == GP_OK && renameat(dw->dir_fd, name, dw->dir_fd, ".blockmeta") != 0)
        st = gp_fail(err, GP_EIO, errno, "replacing %s/.blockmeta failed", dw->name);
    if (st != GP_OK)
        (void)unlinkat(dw->dir_fd, name, 0);
    return st;
}

/* Step 8. The block is committed whatever happens here. */
static void rename_day(godb_daywriter *dw, gp_buf *note)
{
    char want[GODB_DAYNAME_CAP];

    godb_dayname_format(dw->day_s, &dw->meta.totals, want);
    if (strcmp(want, dw->name) != 0) {
        /* Never over another directory, not even an empty one. */
        if (renameat2(dw->month_fd, dw->name, dw->month_fd, want, RENAME_NOREPLACE) != 0 &&
            (errno != EINVAL || renameat(dw->month_fd, dw->name, dw->month_fd, want) != 0)) {
            gp_buf_printf(note, "renaming %s to %s failed: %s; ", dw->name, want, strerror(errno));
        } else {
            memcpy(dw->name, want, strlen(want) + 1);
        }
    }
    if (want_sync(dw) && fsync(dw->month_fd) != 0)
        gp_buf_printf(note, "syncing the month of %s failed: %s; ", dw->name, strerror(errno));
}

/* The index is made from what is committed, so it can never promise anything else. */
static void update_index(const godb_daywriter *dw, size_t first_new, gp_buf *note)
{
    GP_CLEANUP(godb_day_closep) godb_day *d = NULL;
    gp_err err = {0};

    if (godb_day_open_fd(dw->dir_fd, dw->day_s, dw->name, &d, &err) != GP_OK ||
        godb_index_extend(d, dw->opts.mode, first_new, 0, NULL, &err) != GP_OK)
        gp_buf_printf(note, "index of %s: %s; ", dw->name, err.msg);
}

gp_status godb_daywriter_commit(godb_daywriter *dw, gp_buf *note, gp_err *err)
{
    gp_status st = close_columns(dw, err);

    if (st == GP_OK && dw->meta.n == dw->committed)
        return GP_OK; /* also: never a .blockmeta without blocks (2.3) */
    if (st == GP_OK)
        st = replace_meta(dw, err);
    dw->torn |= st != GP_OK;
    if (st != GP_OK)
        return st;
    size_t first_new = dw->committed;
    dw->committed = dw->meta.n;
    memcpy(dw->kept, dw->meta.append, sizeof dw->kept);
    dw->made = dw->torn = 0;
    gp_buf_clear(&dw->before);
    if (want_sync(dw) && fsync(dw->dir_fd) != 0)
        gp_buf_printf(note, "syncing %s failed: %s; ", dw->name, strerror(errno));
    rename_day(dw, note);
    if (!dw->opts.no_index)
        update_index(dw, first_new, note);
    return GP_OK;
}

size_t godb_daywriter_drop_last(godb_daywriter *dw, size_t n)
{
    godb_blockmeta *m = &dw->meta;
    size_t most = m->n - dw->committed;

    n = n < most ? n : most;
    if (n == 0)
        return 0;
    const godb_block *first = &m->blocks[m->n - n];
    for (int c = 0; c < GODB_N_COLS; c++) {
        uint64_t end = first->offset[c], written = m->append[c] - dw->behind[c].len;
        dw->behind[c].len = end > written ? (size_t)(end - written) : 0;
        trim_column(dw, (godb_col)c, end < written ? end : written);
        m->append[c] = end;
    }
    struct before b;
    dw->before.len -= n * sizeof b;
    memcpy(&b, dw->before.data + dw->before.len, sizeof b);
    m->totals = b.totals;
    m->max_s = b.max_s;
    m->n -= n;
    return n;
}

void godb_daywriter_close(godb_daywriter *dw)
{
    gp_buf_free(&dw->before);
    for (int c = 0; c < GODB_N_COLS && dw->torn && !dw->made; c++)
        trim_column(dw, (godb_col)c, dw->kept[c]);
    for (int c = 0; c < GODB_N_COLS; c++) {
        gp_closep(&dw->fd[c]);
        gp_buf_free(&dw->behind[c]);
    }
    if (dw->made) {
        /* A day without .blockmeta makes queries of the reference fail (5.4). */
        for (int c = 0; c < GODB_N_COLS && dw->dir_fd >= 0; c++)
            (void)unlinkat(dw->dir_fd, godb_col_file((godb_col)c), 0);
        (void)unlinkat(dw->month_fd, dw->name, AT_REMOVEDIR);
    }
    gp_closep(&dw->dir_fd);
    gp_closep(&dw->month_fd);
    godb_blockmeta_free(&dw->meta);
    dw->dir_fd = dw->month_fd = -1;
    dw->made = 0;
}

static gp_status sync_file(int dirfd, const char *name, gp_err *err)
{
    GP_CLEANUP(gp_closep) int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT ? GP_OK : gp_fail(err, GP_EIO, errno, "%s", name);
    return fsync(fd) == 0 ? GP_OK : gp_fail(err, GP_EIO, errno, "syncing %s failed", name);
}

/* Directory of an existing day, its month and year. GP_ENOTFOUND without one. */
static gp_status open_existing(int iface_fd, int64_t day_s, int *year_fd, int *month_fd, int *fd,
                               gp_err *err)
{
    char path[32], name[GODB_DAYNAME_CAP];
    unsigned n = 0;
    godb_month m = godb_month_local(day_s);

    snprintf(path, sizeof path, "%d", m.year);
    *year_fd = godb_dir_open(iface_fd, path);
    snprintf(path, sizeof path, "%02d", m.month);
    *month_fd = *year_fd < 0 ? -1 : godb_dir_open(*year_fd, path);
    if (*month_fd < 0)
        return gp_fail(err, errno == ENOENT ? GP_ENOTFOUND : GP_EIO, errno, "%s", path);
    GP_TRY(godb_day_find_locked(*month_fd, day_s, name, &n, err));
    *fd = n ? godb_dir_open(*month_fd, name) : -1;
    if (*fd < 0)
        return gp_fail(err, GP_ENOTFOUND, 0, "no day %lld", (long long)day_s);
    return GP_OK;
}

gp_status godb_daywriter_sync_all(int iface_fd, int64_t day_s, gp_err *err)
{
    GP_CLEANUP(gp_closep) int year_fd = -1;
    GP_CLEANUP(gp_closep) int month_fd = -1;
    GP_CLEANUP(gp_closep) int fd = -1;

    GP_TRY(open_existing(iface_fd, day_s, &year_fd, &month_fd, &fd, err));
    for (int c = 0; c < GODB_N_COLS; c++)
        GP_TRY(sync_file(fd, godb_col_file((godb_col)c), err));
    GP_TRY(sync_file(fd, ".blockmeta", err));
    if (fsync(fd) != 0 || fsync(month_fd) != 0 || fsync(year_fd) != 0 || fsync(iface_fd) != 0)
        return gp_fail(err, GP_EIO, errno, "syncing the directory of day %lld failed",
                       (long long)day_s);
    return GP_OK;
}
