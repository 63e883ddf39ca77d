/* index_build.c - make index records for blocks that have none, from the committed files. */
#include "day.h"
#include "db.h"
#include "dirs.h"
#include "gp/io.h"
#include "index_run.h"
#include "index_sums.h"
#include "indexfile.h"
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum {
    /* Small blocks share a record until they have so many stored bytes: a record's fixed 80 bytes
     * then cost little, and addresses that come again in every block count once. */
    RUN_BYTES = 16 * 1024,
};

struct build {
    const godb_day *d;
    godb_reader *reader;
    godb_index_run run;
    godb_index_sums *sums;
    gp_buf out; /* records */
    uint64_t added;
};

static gp_status end_run(struct build *w, gp_err *err)
{
    uint32_t first = w->run.first, n = w->run.n;
    godb_index_rec rec = {0};

    if (n == 0)
        return GP_OK;
    godb_index_sums_get(w->sums, rec.sum);
    rec.tie = godb_index_tie(&w->d->meta, first, n);
    rec.times = godb_index_times(&w->d->meta, first, n);
    GP_TRY(godb_index_run_write(&w->run, &rec, &w->out, err));
    w->added += n;
    w->run.n = 0;
    return GP_OK;
}

/* Sound, decodable, and where its descriptor says (no D1)? */
static gp_status read_block(struct build *w, size_t i, const uint8_t **sip, const uint8_t **dip,
                            int *ok, gp_err *err)
{
    gp_status st = GP_OK;

    *ok = 0;
    if (!w->d->meta.blocks[i].usable)
        return GP_OK;
    for (int c = 0; c < GODB_N_COLS && st == GP_OK; c++) {
        const godb_places *places = NULL;
        const uint8_t *bytes = NULL;
        if (w->d->meta.blocks[i].stored[c] == 0)
            continue;
        st = godb_day_places(w->d, (godb_col)c, &places, err);
        if (st == GP_OK && places && places->v[i].kind != GODB_PLACE_HOME)
            return GP_OK;
        if (st == GP_OK && c <= GODB_COL_DIP)
            st = godb_reader_col(w->reader, w->d, i, (godb_col)c, &bytes, NULL, err);
        if (c == GODB_COL_SIP)
            *sip = bytes;
        if (c == GODB_COL_DIP)
            *dip = bytes;
    }
    *ok = st == GP_OK;
    return st == GP_ENOMEM ? st : GP_OK; /* anything else: the block stays without a record */
}

static gp_status build_records(struct build *w, const godb_index_file *have, gp_err *err)
{
    size_t n = w->d->meta.n;

    for (size_t i = 0; i < n; i++) {
        const uint8_t *sip = NULL, *dip = NULL;
        int ok = 0;
        if (!have->of_block || have->of_block[i] == 0)
            GP_TRY(read_block(w, i, &sip, &dip, &ok, err));
        if (!ok) {
            GP_TRY(end_run(w, err));
            continue;
        }
        if (w->run.n == 0) {
            godb_index_run_clear(&w->run, (uint32_t)i);
            godb_index_sums_begin(w->sums);
        }
        uint32_t sum;
        GP_TRY(godb_index_sums_add(w->sums, i, &sum, err));
        GP_TRY(godb_index_run_add(&w->run, &w->d->meta.blocks[i], sip, dip, sum, err));
        if (w->run.stored_bytes >= RUN_BYTES || w->run.n == GODB_INDEX_RUN_MAX)
            GP_TRY(end_run(w, err));
    }
    return end_run(w, err);
}

static uint64_t run_bytes(const godb_blockmeta *m, const godb_index_rec *r)
{
    uint64_t bytes = 0;

    for (uint32_t i = r->first; i < r->first + r->n; i++)
        for (int c = 0; c < GODB_N_COLS; c++)
            bytes += m->blocks[i].stored[c];
    return bytes;
}

/* A last record that is small still, followed by new blocks: it goes, and its blocks share a record
 * with them. Returns how many blocks lost their record. */
static uint64_t reopen_last(const godb_blockmeta *m, godb_index_file *f)
{
    if (f->n == 0 || f->last == 0)
        return 0;
    const godb_index_rec *r = &f->rec[f->n - 1];
    size_t next = (size_t)r->first + r->n;
    if (next >= m->n || f->of_block[next] != 0 || run_bytes(m, r) >= RUN_BYTES)
        return 0;
    for (size_t i = r->first; i < next; i++)
        f->of_block[i] = 0;
    f->end = f->last;
    f->n--;
    return r->n;
}

/* Records that reach into the blocks from first_new on go, and all behind them in the file. */
static void drop_from(godb_index_file *f, size_t first_new)
{
    size_t keep = 0;

    while (keep < f->n && (size_t)f->rec[keep].first + f->rec[keep].n <= first_new)
        keep++;
    if (keep == f->n)
        return;
    for (size_t i = 0; i < f->n_blocks; i++)
        if (f->of_block[i] > keep)
            f->of_block[i] = 0;
    f->end = f->rec[keep].at;
    f->last = 0;
    f->n = keep;
}

static int complete(const godb_blockmeta *m, const godb_index_file *have)
{
    for (size_t i = m->n; i-- > 0;) /* new blocks are at the end */
        if (!have->of_block || have->of_block[i] == 0)
            return 0;
    return 1;
}

/* Put the records behind what the file has. A torn write leaves a bad record, which readers and the
 * next call notice by its checksum. */
static gp_status store_records(int dirfd, int64_t day_s, mode_t mode, size_t end,
                               const gp_buf *recs, gp_err *err)
{
    GP_CLEANUP(gp_closep)
    int fd = openat(dirfd, GODB_INDEX_FILE, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, mode);
    GP_CLEANUP(gp_buf_free) gp_buf head = {0};

    if (fd < 0)
        return gp_fail(err, GP_EIO, errno, "opening %s failed", GODB_INDEX_FILE);
    if (end == 0) {
        godb_index_head_write(&head, day_s);
        if (head.failed)
            return gp_fail(err, GP_ENOMEM, 0, "index: out of memory");
        if (ftruncate(fd, 0) != 0)
            return gp_fail(err, GP_EIO, errno, "emptying %s failed", GODB_INDEX_FILE);
        GP_TRY(gp_pwrite_full(fd, head.data, head.len, 0, err));
        end = head.len;
    }
    GP_TRY(gp_pwrite_full(fd, recs->data, recs->len, end, err));
    if (ftruncate(fd, (off_t)(end + recs->len)) != 0)
        return gp_fail(err, GP_EIO, errno, "cutting %s failed", GODB_INDEX_FILE);
    return GP_OK;
}

static gp_status extend(struct build *w, const godb_index_file *have, int dirfd, mode_t mode,
                        gp_err *err)
{
    GP_TRY(godb_reader_new(&w->reader, err));
    GP_TRY(godb_index_sums_new(w->d, &w->sums, err));
    GP_TRY(build_records(w, have, err));
    if (w->out.len == 0)
        return GP_OK;
    return store_records(dirfd, w->d->meta.day_s, mode, have->end, &w->out, err);
}

gp_status godb_index_extend(const godb_day *d, mode_t mode, size_t first_new, int rebuild,
                            uint64_t *added, gp_err *err)
{
    godb_index_file have = {0};
    gp_status st = rebuild ? GP_ENOTFOUND : godb_index_file_read(d->fd, &d->meta, &have, err);

    if (st == GP_ENOTFOUND)
        st = GP_OK;
    struct build w = {.d = d};
    drop_from(&have, first_new);
    if (st == GP_OK && !complete(&d->meta, &have)) {
        uint64_t again = reopen_last(&d->meta, &have);
        st = extend(&w, &have, d->fd, mode, err);
        w.added -= w.added < again ? w.added : again;
    }
    if (st == GP_OK && added)
        *added = w.added;
    godb_reader_free(w.reader);
    godb_index_run_free(&w.run);
    gp_buf_free(&w.out);
    godb_index_sums_free(w.sums);
    godb_index_file_free(&have);
    return st;
}

static void count_bytes(const godb_day *d, godb_index_stats *s)
{
    struct stat st;

    for (int c = 0; c < GODB_N_COLS; c++)
        if (fstatat(d->fd, godb_col_file((godb_col)c), &st, AT_SYMLINK_NOFOLLOW) == 0)
            s->data_bytes += (uint64_t)st.st_size;
    if (fstatat(d->fd, GODB_INDEX_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0)
        s->index_bytes += (uint64_t)st.st_size;
}

/* The files' own mode, so that the index is readable by whom the data is. */
static mode_t mode_of(const godb_day *d)
{
    struct stat st;

    if (fstatat(d->fd, ".blockmeta", &st, AT_SYMLINK_NOFOLLOW) != 0)
        return GODB_FILE_MODE;
    return st.st_mode & 0777;
}

static gp_status build_day(const godb_db *db, const godb_dayref *ref, int rebuild,
                           godb_index_stats *s, gp_err *err)
{
    GP_CLEANUP(godb_day_closep) godb_day *d = NULL;
    uint64_t added = 0;

    GP_TRY(godb_day_open(db, ref, &d, err));
    godb_day_verify(d, 0); /* made from the bytes as they are */
    GP_TRY(godb_index_extend(d, mode_of(d), SIZE_MAX, rebuild, &added, err));
    s->days_changed += added > 0;
    s->blocks += added;
    count_bytes(d, s);
    return GP_OK;
}

gp_status godb_index_build(const char *root, const char *iface, int64_t first_s, int64_t last_s,
                           int rebuild, godb_index_stats *stats, gp_err *err)
{
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    godb_index_stats s = {0};
    godb_days days = {0};
    gp_err first = {0};

    GP_TRY(godb_db_open(root, &db, err));
    GP_CLEANUP(gp_closep) int lock = -1;
    GP_TRY(godb_iface_lock(db->fd, root, iface, &lock, err));
    GP_TRY(godb_db_days(db, iface, first_s, last_s, &days, err));
    for (size_t i = 0; i < days.n; i++) {
        gp_err one = {0};
        s.days++;
        if (build_day(db, &days.v[i], rebuild, &s, &one) != GP_OK && s.days_failed++ == 0)
            first = one;
    }
    godb_days_free(&days);
    *stats = s;
    if (s.days_failed && err)
        *err = first;
    return GP_OK;
}
