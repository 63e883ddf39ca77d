/* import.h - CSV into a database, streaming (godb-format.md 8.2). */
#ifndef GODB_IMPORT_H
#define GODB_IMPORT_H

#include "godb/columns.h"
#include "godb/writer.h"
#include "gp/clock.h"
#include "gp/err.h"

/* Counters; also filled when the import ends with an error. */
typedef struct godb_import_stats {
    uint64_t rows_read, rows_imported, rows_skipped;
    uint64_t ifaces, blocks;     /* written */
    uint64_t bytes_in;           /* read from the input, compressed or not */
    uint64_t bytes_total;        /* size of the input file; 0 when it is a pipe */
    uint64_t first_skipped_line; /* 0 = none */
    char first_skipped_why[96];
    uint64_t notes; /* oddities that writers reported beside their work: see on_note */
} godb_import_stats;

typedef struct godb_import_opts {
    const char *schema; /* column names; NULL: the first line of the input has them */
    const char *iface;  /* used when the schema has no iface column */
    uint64_t max_rows;  /* data rows to read at most; 0 = all */
    godb_writer_opts writer;
    unsigned threads; /* 0 = one for each CPU; 1 = everything in the calling thread */
    /* Progress, may be NULL: called by the calling thread, a few times a second at most. */
    void (*progress)(void *ctx, const godb_import_stats *so_far);
    void *progress_ctx;
    /* Told about each row that is skipped, may be NULL; why is valid during the call. */
    void (*on_skip)(void *ctx, uint64_t line, const char *why);
    void *on_skip_ctx;
    /* Told at the end about each oddity beside the work, may be NULL: above all a damaged day that
     * was written anew or moved away, and where it is. text is valid during the call. */
    void (*on_note)(void *ctx, const char *text);
    void *on_note_ctx;
    gp_cancel *cancel; /* may be NULL */
} godb_import_opts;

/* An import pushes a day to the disk when it leaves it, not each block. */
#define GODB_IMPORT_OPTS_INIT                                                                      \
    {                                                                                              \
        .writer = {.codec = 3, .sync = GODB_SYNC_DAY }                                             \
    }

/* With writer.sync GODB_SYNC_BLOCK each block is committed by itself; otherwise all blocks of a day
 * are committed at once, and a process that dies leaves days as they were or complete (unless it is
 * GODB_SYNC_NONE, also after a power loss).
 *
 * Import everything that fd gives (read from its current position; not closed). gzip and zstd input
 * is recognised by its first bytes. name: for error texts, e.g. the file name.
 * Rows must be in time order. Errors carry the line number ("name:12: ..."); blocks of earlier
 * times stay in the database, those of the time being read are not written. */
gp_status godb_import(const char *root, int fd, const char *name, const godb_import_opts *opts,
                      godb_import_stats *stats, gp_err *err) GP_MUST_CHECK;

#endif
