/* import_writers.h - interfaces of an import: their names, and a bounded set of open writers. */
#ifndef GODB_STORE_IMPORT_WRITERS_H
#define GODB_STORE_IMPORT_WRITERS_H

#include "daywriter.h"
#include "godb/writer.h"
#include "strv.h"

enum {
    GODB_IMPORT_MAX_IFACES = 65536, /* interface names in one import */
    GODB_IMPORT_MAX_WRITERS = 128,  /* writers open at a time; fewer when descriptors are scarce */
    GODB_IMPORT_NOTE_BYTES = 1 << 20
};

/* Interface names, numbered in the order of first use. One thread; the names stay where they are
 * until free. Zero-initialise. */
typedef struct godb_names {
    char **v;
    size_t n, cap;
    uint32_t *table; /* open addressing: number + 1, 0 = free */
    size_t table_size;
    uint32_t latest; /* the answer of the last call: rows of an interface come together */
} godb_names;

/* GP_EINVAL: not a usable name. GP_ELIMIT, GP_ENOMEM. */
gp_status godb_names_get(godb_names *names, const char *s, size_t len, uint32_t *out) GP_MUST_CHECK;
void godb_names_free(godb_names *names);

/* Texts for the user, in the order they came, as far as they fit into GODB_IMPORT_NOTE_BYTES. */
typedef struct godb_notes {
    godb_strv kept;
    size_t bytes; /* of the texts kept */
    uint64_t n;   /* all */
} godb_notes;

/* Open writers by interface number; the one not used for the longest time is committed and closed
 * when there are too many. One thread at a time. */
typedef struct godb_writers {
    const char *root; /* borrowed */
    godb_writer_opts opts;
    struct godb_open_writer {
        uint32_t iface;
        const char *name; /* of the interface; borrowed */
        uint64_t used;
        godb_writer *w;
        int64_t day_s; /* of the latest block */
        gp_buf rows;   /* uint64_t of each block put and not yet committed */
    } open[GODB_IMPORT_MAX_WRITERS];
    size_t n, max;
    unsigned threads; /* that may commit side by side: mostly they wait for the disk */
    int64_t day_s;    /* of the latest block; 0 before the first */
    uint64_t clock;
    uint8_t *seen; /* by interface number: 1 once a block was put, 2 once one was committed */
    uint64_t lost_blocks, lost_rows; /* put, but their commit failed */
    size_t n_seen, cap_seen;
    godb_notes notes; /* oddities that writers reported */
} godb_writers;

void godb_writers_init(godb_writers *ws, const char *root, const godb_writer_opts *opts,
                       unsigned threads);
/* Put one block made of that many rows; name lasts until free. Committed at once with
 * GODB_SYNC_BLOCK, else when a block of a later day comes, of whatever interface: no more will come
 * for the days before. */
gp_status godb_writers_append(godb_writers *ws, uint32_t iface, const char *name,
                              const godb_encoded *e, uint64_t rows, gp_err *err) GP_MUST_CHECK;
/* Commit and close all; the first failure is returned, the others are tried all the same. What is
 * lost is counted, and a note names the interface and the day. */
gp_status godb_writers_finish(godb_writers *ws, gp_err *err) GP_MUST_CHECK;
/* Close without committing. */
void godb_writers_free(godb_writers *ws);

#endif
