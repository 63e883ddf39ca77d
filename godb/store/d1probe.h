/* d1probe.h - does codec output of a known raw length begin at an offset of a file? */
#ifndef GODB_STORE_D1PROBE_H
#define GODB_STORE_D1PROBE_H

#include "gp/err.h"

#include <stddef.h>
#include <stdint.h>

/* A column file and what is known about it. One thread. */
typedef struct godb_d1file {
    int fd;
    uint64_t size; /* bytes */
} godb_d1file;

typedef struct godb_d1probe {
    int found;     /* 1: the stored bytes are codec output, not raw content */
    int complete;  /* 1: C is known, and all C bytes are in the file */
    uint64_t c;    /* C: length of the codec output, > R */
    uint64_t tail; /* so many bytes at the end of the output are the end of the raw content as it
                      is; told only when complete, and only a lower bound */
    int zstd;      /* 1: a zstd frame, 0: an LZ4 block */
} godb_d1probe;

enum {
    GODB_D1_MIN_RAW = 4066,  /* below, the output bound of lz4 is not above 4096 bytes (9) */
    GODB_D1_MIN_OVERLAP = 64 /* bytes in which output and raw copy must agree to trust both */
};

/* Probe for output that decodes to raw_len bytes and is longer than that. */
gp_status godb_d1_probe(const godb_d1file *f, uint64_t at, uint32_t raw_len, godb_d1probe *out,
                        gp_err *err) GP_MUST_CHECK;

/* What godb_d1_salvage() is sure of. */
typedef struct godb_d1salvage {
    int whole;     /* every byte of the content */
    int twice;     /* output and raw copy are both untouched and equal */
    size_t agreed; /* bytes in which output and raw copy were compared and found equal; with
                      GODB_D1_MIN_OVERLAP of them C is proven, too */
} godb_d1salvage;

/* Put the raw content of a block with codec output p->c bytes at `at` together into raw (raw_len
 * bytes). Bytes of the file in [dead_from, dead_to) belong to somebody else by now. It is whole
 * when every byte is certain: from the output before dead_from, and from the raw copy behind it. */
gp_status godb_d1_salvage(const godb_d1file *f, uint64_t at, uint32_t raw_len,
                          const godb_d1probe *p, uint64_t dead_from, uint64_t dead_to, uint8_t *raw,
                          godb_d1salvage *res, gp_err *err) GP_MUST_CHECK;

#endif
