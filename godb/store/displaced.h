/* displaced.h - defect D1 of the reference's writer: where the bytes of damaged columns really are.
 *
 * For a column block that the codec could not shrink the reference left the codec's output in the
 * file at O = the append position, C bytes long, and the R raw bytes behind it, but recorded (O,
 * codec 1, stored R). Later blocks of the same pass (one run of import, merge, ...) are displaced
 * by C as well; the next pass begins at the recorded append position and overwrites what lies
 * there:
 *
 *   descriptors   |---- R: block i ----|-- i+1 --|
 *   file, 1 pass  |codec output, C bytes|---- R raw bytes ----|-- i+1 --|
 *   file, 2 passes|codec output, C by|-- i+1 --|w bytes ------|            (tail is overwritten)
 */
#ifndef GODB_STORE_DISPLACED_H
#define GODB_STORE_DISPLACED_H

#include "blockmeta.h"

typedef enum godb_place_kind {
    GODB_PLACE_HOME,  /* where the descriptor says */
    GODB_PLACE_MOVED, /* the same stored bytes, but at another offset */
    GODB_PLACE_BYTES, /* raw content was put together from what is left */
    GODB_PLACE_LOST,  /* cannot be read for certain */
} godb_place_kind;

typedef struct godb_place {
    godb_place_kind kind;
    uint64_t at;    /* MOVED: bytes from the start of the file */
    uint8_t *bytes; /* BYTES: raw content, owned */
    int hit;        /* 1: the block itself was hit; 0: it only lies behind one that was */
} godb_place;

/* One column file with damage; read-only after the scan. */
typedef struct godb_places {
    size_t n;
    godb_place *v; /* one for each block */
} godb_places;

/* 1 if D1 can have hit a block of these lengths at all; cheap, needs no file. */
int godb_displaced_possible(const godb_block *b, godb_col col);

/* Look for damage in the column file fd. skip(ctx, i) tells blocks that are known to be sound (may
 * be NULL). *out stays NULL when the column is sound, else it is a new table, freed with
 * godb_places_free(). Fails only for I/O and memory. */
gp_status godb_displaced_scan(int fd, const godb_blockmeta *m, godb_col col,
                              int (*skip)(const void *ctx, size_t block), const void *ctx,
                              godb_places **out, gp_err *err) GP_MUST_CHECK;
void godb_places_free(godb_places *p);

#endif
