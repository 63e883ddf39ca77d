/* xorfilter.h - a set of 64-bit hashes in about 1.23 k bits each, wrong with probability 2^-k.
 *
 * A key's k-bit fingerprint is the xor of three slots, one in each third of the table (Graf and
 * Lemire, "Xor Filters", 2019). Below 20,000 keys it is smaller than a binary fuse filter.
 */
#ifndef GODB_STORE_XORFILTER_H
#define GODB_STORE_XORFILTER_H

#include "gp/bytes.h"
#include "gp/err.h"

enum { GODB_XOR_MAX_BITS = 8 };

/* Slots of one third for n keys. */
uint32_t godb_xor_third(uint32_t n);
/* Bytes of a table of n keys with k bits. */
uint64_t godb_xor_bytes(uint32_t n, unsigned k);

/* Build over n distinct hashes; appends godb_xor_bytes() bytes to out and sets *seed.
 * GP_ELIMIT when no seed works (practically only for equal hashes). */
gp_status godb_xor_build(const uint64_t *keys, uint32_t n, unsigned k, gp_buf *out, uint8_t *seed,
                         gp_err *err) GP_MUST_CHECK;

/* 0: the key is not in the set. table: as built, at least 8 readable bytes behind it. */
int godb_xor_has(const uint8_t *table, uint32_t third, unsigned k, uint8_t seed, uint64_t key);

#endif
