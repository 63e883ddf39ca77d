/* lz4walk.h - follows the sequences of an LZ4 block whose compressed length is not known. */
#ifndef GODB_LZ4WALK_H
#define GODB_LZ4WALK_H

#include <stddef.h>
#include <stdint.h>

/* What godb_lz4_walk() found. */
typedef struct godb_lz4_walk_result {
    int complete; /* 1: the block ends, after a literal run, with exactly raw_len bytes of output */
    int plausible; /* 1: nothing in the bytes that are surely the block's speaks against it, and it
                      goes on behind them */
    int cut;       /* 1: src ended inside a sequence that is valid so far */
    size_t consumed;  /* bytes of src used; with complete: the length C of the compressed block */
    size_t tail;      /* literals the block ends with; 0 unless complete */
    size_t sequences; /* sequences seen, the last one included */
} godb_lz4_walk_result;

/* Walk the LZ4 block that begins at src and may extend over at most len bytes, expecting raw_len
 * bytes of output. Nothing is decoded. `sure`: so many bytes are
 * surely the block's if there is one, and it is longer (defect D1: the stored length in the
 * descriptor). What is behind may be overwritten: a sequence that needs a byte of it can refute
 * nothing, so a walk that is valid up to there is plausible even when it is not complete.
 * Untrusted input. Source: LZ4 block format; godb-format.md 9, D1. */
godb_lz4_walk_result godb_lz4_walk(const uint8_t *src, size_t len, size_t raw_len, size_t sure);

/* Decode the sequences of src (len bytes) into dst until the input or raw_len bytes of output end;
 * returns how many bytes of output are certain. For blocks whose tail is lost (D1). */
size_t godb_lz4_decode_prefix(const uint8_t *src, size_t len, uint8_t *dst, size_t raw_len);

#endif
