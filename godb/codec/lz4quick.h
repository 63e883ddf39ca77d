/* lz4quick.h - the front of an LZ4 block, decoded with 512-bit vectors; liblz4 does the rest. */
#ifndef CODEC_LZ4QUICK_H
#define CODEC_LZ4QUICK_H

#include <stddef.h>
#include <stdint.h>

/* 1 when this processor can run the other. */
int godb_lz4quick_ok(void);

/* Decode whole sequences from the front of a block of len bytes to dst, which has room for raw_len.
 * Stops when at least `want` bytes are there, near the end of either, and before whatever it would
 * not accept: src is untrusted, and what is right is for liblz4 to say, which goes on from there.
 *
 * *used: bytes of src that were decoded.
 * returns: bytes at dst. Those behind them may have been written to. */
size_t godb_lz4quick(const uint8_t *src, size_t len, uint8_t *dst, size_t raw_len, size_t want,
                     size_t *used);

#endif
