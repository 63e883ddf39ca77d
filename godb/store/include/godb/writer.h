/* writer.h - append blocks to one interface of a database (godb-format.md 5). */
#ifndef GODB_WRITER_H
#define GODB_WRITER_H

#include "godb/columns.h"
#include "gp/err.h"

#include <sys/types.h>

typedef enum godb_sync {
    GODB_SYNC_BLOCK, /* columns, metadata and directories reach the disk with every block (default)
                      */
    GODB_SYNC_DAY,   /* once, when the writer leaves a day or is closed; a bulk: at its commit */
    GODB_SYNC_NONE, /* never; a power loss may cost the day, a process crash still only one block */
} godb_sync;

typedef struct godb_writer_opts {
    uint8_t codec; /* godb_codec_id; default GODB_CODEC_LZ4 */
    int level;     /* compression level; 0 = default */
    mode_t mode;   /* file mode P; 0 = 0644 */
    godb_sync sync;
    int no_index; /* 1: write no per-day index file */
} godb_writer_opts;

#define GODB_WRITER_OPTS_INIT                                                                      \
    {                                                                                              \
        .codec = 3, .level = 0, .mode = 0, .sync = GODB_SYNC_BLOCK                                 \
    }

/* One thread. Holds the interface's lock (released by the kernel when the process dies). */
typedef struct godb_writer godb_writer;

/* Open interface iface below root for writing; directories are made as needed (1.8).
 * GP_EEXIST when another process writes to it; GP_EINVAL for a bad name. opts may be NULL. */
gp_status godb_writer_open(const char *root, const char *iface, const godb_writer_opts *opts,
                           godb_writer **out, gp_err *err) GP_MUST_CHECK;

/* Append one block with timestamp time_s (end of the interval). Rows must be sorted by (sip, dip,
 * dport, proto) within each family without equal keys (3.2): GP_EINVAL otherwise. GP_EEXIST when
 * time_s is not later than the last block of that day. On any failure the database is as before.
 * A day that is damaged so that nothing can be appended is rewritten from its readable blocks, or
 * set aside without any; the original goes to "<root>.quarantine" and godb_writer_note() tells.
 * Committed when it returns, unless inside a bulk. */
gp_status godb_writer_append(godb_writer *w, int64_t time_s, const godb_rows *rows, uint64_t drops,
                             gp_err *err) GP_MUST_CHECK;

/* The same in two steps: when the first returns rows are copied (packed and compressed), and those
 * of a large block can be freed before it is written and indexed. Put may name a later time, too,
 * and after its GP_EEXIST be called again with one; after anything else the block is gone. */
gp_status godb_writer_encode(godb_writer *w, int64_t time_s, const godb_rows *rows, uint64_t drops,
                             gp_err *err) GP_MUST_CHECK;
gp_status godb_writer_put(godb_writer *w, int64_t time_s, gp_err *err) GP_MUST_CHECK;

/* Bulk: metadata of a day is committed once, when a block of another day comes, or at commit; with
 * GODB_SYNC_DAY as with GODB_SYNC_BLOCK not before its columns are on the disk. */
gp_status godb_writer_begin_bulk(godb_writer *w, gp_err *err) GP_MUST_CHECK;
gp_status godb_writer_commit(godb_writer *w, gp_err *err) GP_MUST_CHECK;

/* What went wrong beside a successful call since the last question (the directory could not be
 * renamed, a damaged day was set aside): one line for the log, or NULL. Borrowed until the next
 * call on w. */
const char *godb_writer_note(godb_writer *w);

/* Timestamp of the last block of the interface's newest day; 0 if there is none. */
gp_status godb_writer_last_time(godb_writer *w, int64_t *time_s, gp_err *err) GP_MUST_CHECK;

/* 1 when the interface's path does not lead to the directory that w writes to any more, because
 * that was deleted or moved: what is appended reaches nobody who opens the database by its path.
 * Two system calls. */
int godb_writer_displaced(const godb_writer *w);

/* The directory that w writes to, borrowed until it is closed. */
int godb_writer_dir(const godb_writer *w);

/* Close without committing an open bulk (call godb_writer_commit() before). NULL is fine. */
void godb_writer_close(godb_writer *w);
static inline void godb_writer_closep(godb_writer **w)
{
    godb_writer_close(*w);
}

/* Sort rows given in any order into stored order and add up (or, with replace, let later rows win)
 * equal keys. Shared by the flow table, import and tests. */
typedef struct godb_sorter godb_sorter;

/* One row to be sorted; family 4 or 6, addresses as in gp_addr.bytes, dport in host order. */
typedef struct godb_row {
    uint8_t family, proto;
    uint16_t dport;
    uint8_t sip[16], dip[16];
    uint64_t counter[GODB_N_COUNTERS];
} godb_row;

gp_status godb_sorter_new(godb_sorter **out, gp_err *err) GP_MUST_CHECK;
void godb_sorter_free(godb_sorter *s);
static inline void godb_sorter_freep(godb_sorter **s)
{
    godb_sorter_free(*s);
}
void godb_sorter_clear(godb_sorter *s);
gp_status godb_sorter_add(godb_sorter *s, const godb_row *row) GP_MUST_CHECK;
/* Sort and fold; *out borrows from s until the next add or clear. replace: later rows of equal keys
 * win instead of being added (CSV import, 8.2). */
gp_status godb_sorter_finish(godb_sorter *s, int replace, godb_rows *out,
                             gp_err *err) GP_MUST_CHECK;

#endif
