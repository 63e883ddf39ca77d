/* writer.c - append blocks to one interface: encode all columns in memory, then one commit. */
#include "godb/writer.h"

#include "daywriter.h"
#include "dirs.h"
#include "encoder.h"
#include "godb/db.h"
#include "gp/io.h"
#include "gp/mem.h"
#include "lock.h"
#include "setaside.h"
#include "writer_encoded.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LARGE_BYTES = 4 << 20 }; /* buffers of a block that are not kept for the next one */

struct godb_writer {
    char *root, *iface;
    int iface_fd; /* also carries the lock */
    godb_writer_opts opts;
    godb_encoder encoder;
    godb_payload payload; /* of the block being written */
    godb_encoded encoded; /* points into payload */
    int has_encoded;
    godb_daywriter day; /* open only during append, or during a bulk */
    int day_open, bulk;
    godb_month synced;      /* whose directories are known to be on the disk */
    int64_t unsynced_day_s; /* GODB_SYNC_DAY: day to sync when leaving it; -1 = none */
    gp_buf note;
};

static gp_status open_iface(godb_writer *w, gp_err *err)
{
    mode_t mode = godb_dir_mode(w->opts.mode);
    int sync = w->opts.sync != GODB_SYNC_NONE;
    GP_CLEANUP(gp_closep) int root_fd = -1;

    GP_TRY(godb_root_make(w->root, GODB_ROOT_MODE, sync, &root_fd, err));
    if (mkdirat(root_fd, w->iface, mode) != 0 && errno != EEXIST)
        return gp_fail(err, GP_EIO, errno, "making %s/%s failed", w->root, w->iface);
    GP_TRY(godb_iface_lock(root_fd, w->root, w->iface, &w->iface_fd, err));
    if (sync && fsync(root_fd) != 0)
        return gp_fail(err, GP_EIO, errno, "syncing %s failed", w->root);
    return GP_OK;
}

gp_status godb_writer_open(const char *root, const char *iface, const godb_writer_opts *opts,
                           godb_writer **out, gp_err *err)
{
    static const godb_writer_opts defaults = GODB_WRITER_OPTS_INIT;

    if (!godb_iface_name_ok(iface))
        return gp_fail(err, GP_EINVAL, 0, "'%s' is not an interface name", iface);
    GP_CLEANUP(godb_writer_closep) godb_writer *w = gp_calloc(1, sizeof *w);
    if (!w)
        return gp_fail(err, GP_ENOMEM, 0, "writer: out of memory");
    w->iface_fd = -1;
    w->unsynced_day_s = -1;
    w->opts = opts ? *opts : defaults;
    w->opts.mode = w->opts.mode ? w->opts.mode & 07777 : GODB_FILE_MODE;
    if (w->opts.codec != GODB_CODEC_NULL && w->opts.codec != GODB_CODEC_ZSTD &&
        w->opts.codec != GODB_CODEC_LZ4)
        return gp_fail(err, GP_EUNSUPPORTED, 0, "codec %u (%s) cannot be written", w->opts.codec,
                       godb_codec_name(w->opts.codec));
    w->root = gp_strdup(root);
    w->iface = gp_strdup(iface);
    if (!w->root || !w->iface)
        return gp_fail(err, GP_ENOMEM, 0, "writer: out of memory");
    GP_TRY(godb_encoder_init(&w->encoder, err));
    tzset(); /* localtime_r() need not do it, and paths follow local time (1.3) */
    GP_TRY(open_iface(w, err));
    *out = w;
    w = NULL;
    return GP_OK;
}

int godb_writer_displaced(const godb_writer *w)
{
    struct stat held, there;
    char path[GODB_PATH_CAP + PATH_MAX];

    int n = snprintf(path, sizeof path, "%s/%s", w->root, w->iface);
    if (n < 0 || (size_t)n >= sizeof path || fstat(w->iface_fd, &held) != 0)
        return 0;
    if (stat(path, &there) != 0)
        return errno == ENOENT || errno == ENOTDIR;
    return held.st_dev != there.st_dev || held.st_ino != there.st_ino;
}

int godb_writer_dir(const godb_writer *w)
{
    return w->iface_fd;
}

/* A bulk commits once a day, so GODB_SYNC_DAY can have the order of GODB_SYNC_BLOCK for nothing. */
static godb_dayopts day_opts(godb_writer *w)
{
    godb_sync sync = w->bulk && w->opts.sync == GODB_SYNC_DAY ? GODB_SYNC_BLOCK : w->opts.sync;
    return (godb_dayopts){.mode = w->opts.mode,
                          .sync = sync,
                          .no_index = w->opts.no_index,
                          .synced_month = &w->synced};
}

/* Leaving a day with GODB_SYNC_DAY: everything of it to the disk. */
static void sync_left_day(godb_writer *w)
{
    gp_err err = {0};

    if (w->unsynced_day_s >= 0 &&
        godb_daywriter_sync_all(w->iface_fd, w->unsynced_day_s, &err) != GP_OK)
        gp_buf_printf(&w->note, "%s; ", err.msg);
    w->unsynced_day_s = -1;
}

static void close_day(godb_writer *w)
{
    if (w->day_open)
        godb_daywriter_close(&w->day);
    w->day_open = 0;
}

void godb_writer_close(godb_writer *w)
{
    if (!w)
        return;
    close_day(w);
    if (w->iface_fd >= 0)
        sync_left_day(w);
    gp_closep(&w->iface_fd);
    godb_payload_free(&w->payload);
    godb_encoder_free(&w->encoder);
    gp_buf_free(&w->note);
    gp_free(w->root);
    gp_free(w->iface);
    gp_free(w);
}

const char *godb_writer_note(godb_writer *w)
{
    static const char lost[] = "out of memory for a message";

    if (w->note.len == 0 && !w->note.failed)
        return NULL;
    if (w->note.len >= 2 && memcmp(w->note.data + w->note.len - 2, "; ", 2) == 0)
        w->note.len -= 2;
    const char *text = gp_buf_str(&w->note);
    w->note.len = 0; /* the text stays in place until the next one is written */
    w->note.failed = 0;
    return text ? text : lost;
}

static gp_status commit_day(godb_writer *w, gp_err *err)
{
    GP_TRY(godb_daywriter_commit(&w->day, &w->note, err));
    if (w->day.opts.sync == GODB_SYNC_DAY)
        w->unsynced_day_s = w->day.day_s;
    return GP_OK;
}

/* Have the day of time_s open. */
static gp_status enter_day(godb_writer *w, int64_t time_s, gp_err *err)
{
    const godb_dayopts o = day_opts(w);
    int64_t day_s = time_s / GODB_DAY_S * GODB_DAY_S;

    if (w->day_open && w->day.day_s == day_s)
        return GP_OK;
    if (w->day_open) {
        GP_TRY(commit_day(w, err));
        close_day(w);
    }
    if (w->unsynced_day_s >= 0 && w->unsynced_day_s != day_s)
        sync_left_day(w);
    w->day_open = 1; /* close_day() also cleans up after a failed open */
    gp_err why = {0};
    gp_status st = godb_daywriter_open(&w->day, w->iface_fd, day_s, &o, &w->note, &why);
    if (st == GP_ECORRUPT) { /* losing every write until midnight would be worse (5.4) */
        close_day(w);
        GP_TRY(
            godb_day_set_aside(w->root, w->iface, w->iface_fd, day_s, &o, why.msg, &w->note, err));
        w->day_open = 1;
        st = godb_daywriter_open(&w->day, w->iface_fd, day_s, &o, &w->note, &why);
    }
    if (st != GP_OK) {
        close_day(w);
        if (err)
            *err = why;
    }
    return st;
}

gp_status godb_writer_encode(godb_writer *w, int64_t time_s, const godb_rows *rows, uint64_t drops,
                             gp_err *err)
{
    gp_status st = godb_encode_rows(&w->encoder, w->opts.codec, w->opts.level, time_s, rows, drops,
                                    &w->payload, &w->encoded, err);

    w->has_encoded = st == GP_OK;
    return st == GP_OK ? GP_OK : gp_fail_context(err, st, "%s/%s", w->root, w->iface);
}

gp_status godb_writer_put(godb_writer *w, int64_t time_s, gp_err *err)
{
    if (!w->has_encoded || time_s < w->encoded.block.time_s)
        return gp_fail(err, GP_EINVAL, 0, "%s/%s: nothing was encoded for %lld", w->root, w->iface,
                       (long long)time_s);
    w->encoded.block.time_s = time_s;
    gp_status st = godb_writer_append_encoded(w, &w->encoded, err);
    w->has_encoded &= st == GP_EEXIST; /* not once its bytes are gone */
    return st;
}

gp_status godb_writer_append(godb_writer *w, int64_t time_s, const godb_rows *rows, uint64_t drops,
                             gp_err *err)
{
    GP_TRY(godb_writer_encode(w, time_s, rows, drops, err));
    return godb_writer_put(w, time_s, err);
}

/* A large block was written: making its index needs memory, too. */
static void drop_large(godb_writer *w)
{
    godb_encoder fresh = {0};
    size_t held = w->encoder.packed.cap;

    for (int c = 0; c < GODB_N_COLS; c++)
        held += w->payload.col[c].cap;
    if (held <= LARGE_BYTES || w->bulk || godb_encoder_init(&fresh, NULL) != GP_OK)
        return;
    godb_payload_free(&w->payload);
    godb_encoder_free(&w->encoder);
    w->encoder = fresh;
    w->has_encoded = 0;
}

gp_status godb_writer_append_encoded(godb_writer *w, const godb_encoded *e, gp_err *err)
{
    gp_status st = enter_day(w, e->block.time_s, err);

    if (st == GP_OK)
        st = godb_daywriter_put(&w->day, e, err);
    if (st == GP_OK && e == &w->encoded)
        drop_large(w);
    if (st == GP_OK && !w->bulk)
        st = commit_day(w, err);
    if (!w->bulk)
        close_day(w);
    return st == GP_OK ? GP_OK : gp_fail_context(err, st, "%s/%s", w->root, w->iface);
}

gp_status godb_writer_begin_bulk(godb_writer *w, gp_err *err)
{
    if (w->bulk)
        return gp_fail(err, GP_EINVAL, 0, "a bulk write is open already");
    sync_left_day(w); /* what the bulk continues must not be behind it */
    w->bulk = 1;
    return GP_OK;
}

gp_status godb_writer_commit(godb_writer *w, gp_err *err)
{
    if (w->day_open) {
        gp_status st = commit_day(w, err);
        if (st != GP_OK)
            return gp_fail_context(err, st, "%s/%s", w->root, w->iface);
        close_day(w);
    }
    w->bulk = 0;
    return GP_OK;
}

static int is_full(const gp_err *why)
{
    return why->sys == ENOSPC || why->sys == EDQUOT;
}

gp_status godb_writer_commit_fitting(godb_writer *w, size_t *dropped, gp_err *err)
{
    gp_err why = {0}, later = {0};
    gp_status st = godb_writer_commit(w, &why), again = st;

    *dropped = 0;
    later = why;
    while (again != GP_OK && w->day_open && is_full(&later)) {
        size_t some = (w->day.meta.n - w->day.committed) / 8 + 1;
        size_t n = godb_daywriter_drop_last(&w->day, some);
        if (n == 0)
            break;
        *dropped += n;
        again = godb_writer_commit(w, &later);
    }
    if (again != GP_OK && w->day_open)
        *dropped += godb_daywriter_drop_last(&w->day, SIZE_MAX);
    if (st != GP_OK && err)
        *err = why;
    return st;
}

gp_status godb_writer_last_time(godb_writer *w, int64_t *time_s, gp_err *err)
{
    godb_db *db = NULL;
    godb_days days = {0};
    int64_t first, last = 0;

    GP_TRY(godb_db_open(w->root, &db, err));
    gp_status st = godb_db_days(db, w->iface, 0, INT64_MAX, &days, err);
    for (size_t i = days.n; st == GP_OK && i-- > 0;) {
        char path[GODB_PATH_CAP];
        snprintf(path, sizeof path, "%s/%s", w->root, days.v[i].path);
        GP_CLEANUP(gp_closep) int fd = godb_dir_open(AT_FDCWD, path);
        if (fd >= 0 && godb_day_span(fd, days.v[i].day_s, &first, &last))
            break;
        last = 0;
    }
    if (w->day_open && w->day.meta.n > 0 && w->day.meta.max_s > last)
        last = w->day.meta.max_s; /* an open bulk */
    if (st == GP_OK)
        *time_s = last;
    godb_days_free(&days);
    godb_db_close(db);
    return st;
}
