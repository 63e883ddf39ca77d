/* check_day.c - verify one day: files, metadata, every column block, checksums, totals, name. */
#include "checkday.h"
#include "db.h"
#include "dirs.h"
#include "godb/packed.h"
#include "gp/io.h"
#include "indexfile.h"
#include "suffix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum { NAME_TRIES = 4 };

struct check {
    const godb_day *d;
    godb_reader *r;
    godb_findings *f;
    godb_spot at; /* the day */
    int no_rows;
};

static godb_spot in_block(const godb_spot *day, const godb_day *d, size_t block, int col)
{
    godb_spot at = *day;
    at.block = (int64_t)block;
    at.block_s = godb_day_block(d, block)->time_s;
    at.col = col;
    return at;
}

static gp_status look_at_entry(void *ctx, const char *name, int is_dir)
{
    struct check *c = ctx;

    if (is_dir)
        godb_find(c->f, GODB_PROBLEM_STRAY_NAME, GODB_WARNING, &c->at,
                  "directory %s inside a day: the reference may fail on it", name);
    else if (strncmp(name, ".tmp-metadata-", 14) == 0)
        godb_find(c->f, GODB_PROBLEM_TMP_FILE, GODB_NOTE, &c->at,
                  "%s: leftover of a write that was interrupted", name);
    return GP_OK;
}

static void check_files(struct check *c)
{
    godb_spot at = c->at;
    gp_err err;

    if (godb_dir_each(c->d->fd, look_at_entry, c, &err) != GP_OK)
        godb_find(c->f, GODB_PROBLEM_META_MISSING, GODB_ERROR, &at, "%s", err.msg);
    for (int k = 0; k < GODB_N_COLS; k++) {
        struct stat st = {0};
        const char *name = godb_col_file((godb_col)k);
        uint64_t want = c->d->meta.append[k];
        at.col = k;
        if (fstatat(c->d->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 && errno != ENOENT)
            godb_find(c->f, GODB_PROBLEM_COLUMN_SHORT, GODB_ERROR, &at, "%s: %s", name,
                      strerror(errno));
        else if ((uint64_t)st.st_size < want)
            godb_find(c->f, GODB_PROBLEM_COLUMN_SHORT, GODB_ERROR, &at,
                      "%s has %lld bytes, .blockmeta says %llu", name, (long long)st.st_size,
                      (unsigned long long)want);
        else if ((uint64_t)st.st_size > want && c->d->meta.n > 0)
            godb_find(c->f, GODB_PROBLEM_COLUMN_TAIL, GODB_NOTE, &at,
                      "%s has %llu bytes behind its end", name,
                      (unsigned long long)((uint64_t)st.st_size - want));
    }
}

/* Strictly rising keys within one address family. */
static int rising(const uint8_t *const col[GODB_N_ATTRS], size_t from, size_t to, size_t off,
                  size_t width)
{
    for (size_t i = from + 1; i < to; i++) {
        const uint8_t *s = col[GODB_COL_SIP] + off + width * (i - from);
        const uint8_t *d = col[GODB_COL_DIP] + off + width * (i - from);
        const uint8_t *port = col[GODB_COL_DPORT] + 2 * i;
        int cmp = memcmp(s - width, s, width);
        if (cmp == 0)
            cmp = memcmp(d - width, d, width);
        if (cmp == 0)
            cmp = memcmp(port - 2, port, 2);
        if (cmp == 0)
            cmp = col[GODB_COL_PROTO][i - 1] - col[GODB_COL_PROTO][i];
        if (cmp >= 0)
            return 0;
    }
    return 1;
}

/* The column could not be read: because of D1, or its payload is bad. */
static void unreadable(const godb_day *d, size_t block, godb_col col, godb_findings *f,
                       const godb_spot *at, const gp_err *err)
{
    const godb_places *p = d->places[col];
    int lost = p && p->v[block].kind == GODB_PLACE_LOST;

    if (err->sys) /* of the file, so it does not tell which block it was for */
        godb_find(f, GODB_PROBLEM_DECODE, GODB_ERROR, at, "block %zu: %s: %s", block,
                  godb_col_file(col), strerror(err->sys));
    else
        godb_find(f, lost ? GODB_PROBLEM_DISPLACED_LOST : GODB_PROBLEM_DECODE, GODB_ERROR, at, "%s",
                  err->msg);
}

void godb_check_block(const godb_day *d, godb_reader *r, size_t block, int no_rows,
                      const char *path, godb_findings *f, godb_block_sums *out)
{
    const godb_block *b = godb_day_block(d, block);
    const godb_spot day = {.path = path, .day_s = d->meta.day_s};
    const uint8_t *col[GODB_N_COLS] = {0};
    size_t n = (size_t)b->n_v4 + b->n_v6;

    *out = (godb_block_sums){.ok = b->usable};
    if (!b->usable) {
        godb_spot at = in_block(&day, d, block, -1);
        godb_find(f, GODB_PROBLEM_BLOCK_UNUSABLE, GODB_ERROR, &at, "block %zu: %s", block,
                  b->reason);
        return;
    }
    for (int c = 0; c < GODB_N_COLS; c++) {
        godb_spot at = in_block(&day, d, block, c);
        gp_err err = {0};
        if (godb_reader_col(r, d, block, (godb_col)c, &col[c], NULL, &err) != GP_OK) {
            unreadable(d, block, (godb_col)c, f, &at, &err);
            out->ok = 0;
            continue;
        }
        const godb_places *p = d->places[c];
        if (p && p->v[block].kind != GODB_PLACE_HOME)
            godb_find(f, GODB_PROBLEM_DISPLACED, GODB_WARNING, &at,
                      "%s: block %zu %s; it is read correctly, other programs show wrong rows",
                      godb_col_file((godb_col)c), block,
                      p->v[block].hit ? "was hit by defect D1"
                                      : "lies behind one hit by defect D1");
        if (c >= GODB_N_ATTRS && n > 0)
            out->sum[c - GODB_N_ATTRS] = godb_packed_sum(col[c], col[c][0], 0, n);
    }
    if (out->ok && !no_rows &&
        (!rising(col, 0, b->n_v4, 0, 4) || !rising(col, b->n_v4, n, 4 * (size_t)b->n_v4, 16))) {
        godb_spot at = in_block(&day, d, block, -1);
        godb_find(f, GODB_PROBLEM_ROW_ORDER, GODB_WARNING, &at,
                  "block %zu: rows are not in strictly rising key order", block);
    }
}

/* Decode all blocks; compare counters with the day's totals. */
static void check_blocks(struct check *c, godb_checked *done)
{
    const godb_blockmeta *m = &c->d->meta;
    uint64_t sum[GODB_N_COUNTERS] = {0};
    int all = 1;

    for (size_t i = 0; i < m->n; i++) {
        const godb_block *b = &m->blocks[i];
        godb_block_sums one;
        godb_check_block(c->d, c->r, i, c->no_rows, c->at.path, c->f, &one);
        all &= one.ok;
        done->blocks++;
        for (int k = 0; k < GODB_N_COUNTERS; k++)
            sum[k] += one.sum[k];
        if (!one.ok)
            continue;
        done->rows += (uint64_t)b->n_v4 + b->n_v6;
        for (int k = 0; k < GODB_N_COLS; k++) {
            done->stored_bytes += b->stored[k];
            done->raw_bytes += b->raw[k];
        }
    }
    const uint64_t want[] = {m->totals.bytes_rcvd, m->totals.bytes_sent, m->totals.pkts_rcvd,
                             m->totals.pkts_sent};
    for (int k = 0; k < GODB_N_COUNTERS && all; k++) {
        godb_spot at = c->at;
        at.col = GODB_N_ATTRS + k;
        if (sum[k] != want[k])
            godb_find(c->f, GODB_PROBLEM_TOTALS, GODB_WARNING, &at,
                      "day total %llu, the blocks add up to %llu", (unsigned long long)want[k],
                      (unsigned long long)sum[k]);
    }
}

/* Checksums of a run; where one is wrong, those of its blocks. */
static void check_record(struct check *c, const godb_index *ix, const godb_index_rec *r)
{
    int others = 0;

    for (int col = 0; col < GODB_N_COLS; col++) {
        gp_err err = {0};
        for (size_t i = r->first; i < (size_t)r->first + r->n; i++) {
            godb_spot at = in_block(&c->at, c->d, i, col);
            int whole = 0;
            gp_status st = godb_index_verify_run(ix, c->d, i, (godb_col)col, &whole, &err);
            others |= st == GP_ENOTFOUND;
            if (st == GP_ECORRUPT)
                godb_find(c->f, GODB_PROBLEM_CHECKSUM, GODB_ERROR, &at, "%s", err.msg);
            if (whole)
                break; /* all blocks of the run are as they were */
        }
    }
    if (others)
        godb_find(c->f, GODB_PROBLEM_INDEX_STALE, GODB_NOTE, &c->at,
                  "%s: a record is of blocks that are there no more", GODB_INDEX_FILE);
}

static void check_index(struct check *c)
{
    GP_CLEANUP(godb_index_closep) godb_index *ix = NULL;
    godb_index_file f = {0};
    struct stat st = {0};

    if (godb_index_file_read(c->d->fd, &c->d->meta, &f, NULL) != GP_OK) {
        godb_index_file_free(&f);
        return; /* none: fine */
    }
    (void)!fstatat(c->d->fd, GODB_INDEX_FILE, &st, AT_SYMLINK_NOFOLLOW);
    if (f.stale > 0 || f.end != (size_t)st.st_size)
        godb_find(c->f, GODB_PROBLEM_INDEX_STALE, GODB_NOTE, &c->at,
                  "%s: %zu records fit no block, %zu bytes are damaged", GODB_INDEX_FILE, f.stale,
                  (size_t)st.st_size - f.end);
    if (godb_index_open(c->d, &ix, NULL) == GP_OK)
        for (size_t k = 0; k < f.n; k++)
            check_record(c, ix, &f.rec[k]);
    godb_index_file_free(&f);
}

/* Suffix against totals. A writer may be between commit and rename, so a difference counts only
 * when it stays. */
static void check_name(struct check *c, const godb_db *db, const godb_dayref *ref)
{
    char month[GODB_PATH_CAP], name[GODB_DAYNAME_CAP] = "", before[GODB_DAYNAME_CAP] = "-";
    const char *slash = strrchr(ref->path, '/');

    snprintf(month, sizeof month, "%.*s", (int)(slash - ref->path), ref->path);
    GP_CLEANUP(gp_closep) int month_fd = godb_dir_open(db->fd, month);
    for (int i = 0; i < NAME_TRIES && month_fd >= 0; i++) {
        GP_CLEANUP(godb_day_closep) godb_day *d = NULL;
        GP_CLEANUP(gp_closep) int fd = -1;
        godb_dayname parsed;
        unsigned n = 0;
        if (godb_day_find(month_fd, ref->day_s, name, &n, NULL) != GP_OK || n != 1 ||
            (fd = godb_dir_open(month_fd, name)) < 0 ||
            godb_day_open_fd(fd, ref->day_s, name, &d, NULL) != GP_OK)
            continue;
        if (!godb_dayname_parse(name, &parsed) || !strchr(name, '_'))
            return; /* no suffix: as before 4.1.0 */
        if (parsed.has_totals && memcmp(&parsed.totals, &d->meta.totals, sizeof parsed.totals) == 0)
            return;
        if (strcmp(name, before) == 0) {
            godb_find(c->f, GODB_PROBLEM_SUFFIX, GODB_WARNING, &c->at,
                      "the name does not carry the totals of .blockmeta");
            return;
        }
        snprintf(before, sizeof before, "%s", name);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

/* .blockmeta itself, as far as it was accepted. */
static void check_meta(struct check *c)
{
    const godb_blockmeta *m = &c->d->meta;

    if (m->warning)
        godb_find(c->f, GODB_PROBLEM_META_ODD, GODB_WARNING, &c->at, "%s", m->warning);
    if (m->n == 0)
        godb_find(c->f, GODB_PROBLEM_NO_BLOCKS, GODB_WARNING, &c->at,
                  "the day has no blocks: queries of the reference fail on it");
    if (!m->sorted)
        godb_find(c->f, GODB_PROBLEM_TIME_ORDER, GODB_WARNING, &c->at,
                  "timestamps decrease (defect D4); read correctly, other programs lose blocks");
}

gp_status godb_check_day(const godb_db *db, godb_reader *r, const godb_dayref *ref, int no_rows,
                         godb_findings *f, godb_checked *done, gp_err *err)
{
    GP_CLEANUP(godb_day_closep) godb_day *d = NULL;
    struct check c = {.r = r, .f = f, .no_rows = no_rows, .at = {ref->path, ref->day_s, -1, 0, -1}};
    gp_err why = {0};
    GP_CLEANUP(gp_closep) int fd = godb_dir_open(db->fd, ref->path);
    /* exactly this directory; only one that was renamed since is looked up by its day */
    gp_status st = fd >= 0 ? godb_day_open_fd(fd, ref->day_s, ref->path, &d, &why)
                           : godb_day_open(db, ref, &d, &why);

    if (st == GP_ENOMEM)
        return gp_fail(err, st, 0, "check: out of memory");
    if (st == GP_ENOTFOUND)
        godb_find(f, GODB_PROBLEM_META_MISSING, GODB_ERROR, &c.at,
                  "no .blockmeta: queries of the reference fail on this day");
    else if (st != GP_OK)
        godb_find(f, GODB_PROBLEM_META_CORRUPT, GODB_ERROR, &c.at, "%s", why.msg);
    if (st == GP_OK) {
        c.d = d;
        godb_day_verify(d,
                        0); /* check_index() tells what has changed, and decoding what is broken */
        check_meta(&c);
        check_files(&c);
        check_blocks(&c, done);
        check_index(&c);
        check_name(&c, db, ref);
    }
    return f->failed ? gp_fail(err, GP_ENOMEM, 0, "check: out of memory") : GP_OK;
}
