/* indexfile.h - the bytes of `.index` (docs/godb-format.md 7): records, ties, checksums.
 *
 *   file    "GPIX", u8 version, 3 bytes 0, i64 day_s, then records; all integers little-endian
 *   record   0 u32 length of the record
 *            4 u32 XXH3 of all that follows in the record (low 32 bits, as all checksums here)
 *            8 u32 first block      12 u16 number of blocks (1..65535)
 *           14 u8  flags            15 u8 k, bits of a fingerprint (0: no filter)
 *           16 u64 tie: XXH3 of the descriptors of these blocks
 *           24 u32 x 8 XXH3 of the stored bytes of each column, all blocks of the run
 *           56 u32 keys in the filter
 *           60 u8 seed of the filter, 3 bytes 0
 *           64 u32 XXH3 of time and drops of each block
 *           68 IPv4: sip min, max, dip min, max as u32 (only with flag 1)
 *              IPv6: the same of the upper 64 bits of the addresses as u64 (only with flag 2)
 *              u32 each, only for runs of several blocks: XXH3 of the stored bytes of all columns
 * of one block, so that one bad block does not cost the run filter
 */
#ifndef GODB_STORE_INDEXFILE_H
#define GODB_STORE_INDEXFILE_H

#include "blockmeta.h"
#include "godb/index.h"
#include "gp/bytes.h"

#include <sys/types.h>

#define GODB_INDEX_FILE ".index"

enum {
    GODB_INDEX_HEAD = 16,
    GODB_INDEX_REC = 68, /* bytes of a record before ranges and filter */
    GODB_INDEX_V4 = 1,   /* flags */
    GODB_INDEX_V6 = 2,
    GODB_INDEX_RUN_MAX = 65535,
    GODB_INDEX_PAD = 8, /* readable bytes behind a filter */
};
#define GODB_INDEX_MAX_BYTES ((size_t)1 << 30)

/* One record as parsed or to be written. */
typedef struct godb_index_rec {
    uint32_t first, n; /* blocks */
    uint8_t flags, k, seed;
    uint8_t times_bad; /* 1: times or drops in .blockmeta are not what they were (set on reading) */
    uint32_t times;    /* checksum of them */
    uint64_t tie;
    uint32_t sum[GODB_N_COLS];
    uint64_t min[2][2], max[2][2]; /* [0: IPv4, 1: IPv6 upper half][0: sip, 1: dip] */
    uint32_t keys;
    uint32_t third;            /* slots of a third of the filter */
    const uint8_t *block_sums; /* n x u32, NULL when n is 1; borrowed from the file's bytes */
    const uint8_t *bits;       /* filter; borrowed likewise */
    size_t at;                 /* where it begins in the file */
} godb_index_rec;

/* Hash that ties a record to blocks [first, first + n) of m: rows, lengths, codecs, offsets. */
uint64_t godb_index_tie(const godb_blockmeta *m, uint32_t first, uint32_t n);
/* Checksum of their times and drops. */
uint32_t godb_index_times(const godb_blockmeta *m, uint32_t first, uint32_t n);

/* Hash of an address in column sip or dip. family 4 or 6. */
uint64_t godb_index_hash(godb_col col, unsigned family, const void *addr);

/* Low 32 bits of XXH3. */
uint32_t godb_index_sum(const void *bytes, size_t n);
/* Checksum of a block: of the sums of its columns, its time and its drops. */
uint32_t godb_index_sum_of(const godb_block *b, const uint32_t cols[GODB_N_COLS]);

/* Parse the record at p (at most len bytes, plus GODB_INDEX_PAD readable behind). Returns its
 * length, or 0 when the bytes are no sound record. Untrusted input. */
size_t godb_index_rec_parse(const uint8_t *p, size_t len, godb_index_rec *r);

/* Append head or record. filter: godb_xor_bytes() bytes (NULL when k is 0). */
void godb_index_head_write(gp_buf *out, int64_t day_s);
void godb_index_rec_write(gp_buf *out, const godb_index_rec *r, const uint8_t *filter);

/* Content of an index file against metadata. Zero-initialise, free with godb_index_file_free(). */
typedef struct godb_index_file {
    gp_buf bytes;
    godb_index_rec *rec; /* the sound ones that fit m */
    size_t n;
    uint32_t *of_block; /* per block of m: record + 1, 0 = none */
    size_t n_blocks;
    size_t end;   /* bytes of the file up to the last sound record */
    size_t last;  /* where rec[n - 1] begins, if it is the last one in the file; else 0 */
    size_t stale; /* sound records that fit no block of m */
} godb_index_file;

/* Read .index of the directory. GP_ENOTFOUND without one; a file with a bad head counts as empty
 * (end is 0). */
gp_status godb_index_file_read(int dirfd, const godb_blockmeta *m, godb_index_file *f,
                               gp_err *err) GP_MUST_CHECK;
/* The same for bytes that are in f->bytes already. */
gp_status godb_index_file_parse(const godb_blockmeta *m, godb_index_file *f,
                                gp_err *err) GP_MUST_CHECK;
void godb_index_file_free(godb_index_file *f);

/* XXH3 (low 32 bits) of [off, off + n) of a column file, and of one block: the sums of its columns,
 * its time and its drops. buf: GODB_INDEX_STEP bytes of scratch. */
enum { GODB_INDEX_STEP = 256 * 1024 };
gp_status godb_index_sum_span(const godb_day *d, godb_col col, uint64_t off, uint64_t n,
                              uint8_t *buf, uint32_t *sum, gp_err *err) GP_MUST_CHECK;
gp_status godb_index_sum_block(const godb_day *d, size_t block, uint8_t *buf, uint32_t *sum,
                               gp_err *err) GP_MUST_CHECK;

/* godb_index_verify(), and *whole = 1 when it holds for all blocks of the record. */
gp_status godb_index_verify_run(const godb_index *ix, const godb_day *d, size_t block, godb_col col,
                                int *whole, gp_err *err) GP_MUST_CHECK;

/* Record that covers a block, or NULL. Borrowed from ix. */
const godb_index_rec *godb_index_record(const godb_index *ix, size_t block);

/* Make records for blocks of the day that have none. Blocks from first_new on were just written: a
 * record of them is of others, which a power loss took, and goes. A last record that is small still
 * is made anew together with the blocks behind it. rebuild: all records, as if there was no file.
 * *added (may be NULL) = blocks that had no record. Writes only .index. */
gp_status godb_index_extend(const godb_day *d, mode_t mode, size_t first_new, int rebuild,
                            uint64_t *added, gp_err *err) GP_MUST_CHECK;

#endif
