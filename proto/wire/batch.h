/* batch.h - what the batch encoder and decoder share; private to the room. */
#ifndef WIRE_BATCH_PRIVATE_H
#define WIRE_BATCH_PRIVATE_H

enum {
    BATCH_VERSION = 1,
    BATCH_RAW_CODEC = 0,
    BATCH_ZSTD = 1,
    BATCH_HEAD = 8,  /* bytes before the compressed part */
    BATCH_FIXED = 8, /* bytes before the dictionaries */
    BATCH_PAD = 16,  /* readable bytes after the raw data: ints are loaded eight at a time */
    BATCH_LEVEL = 1, /* zstd: level 3 saved 4 % of the bytes for twice the time */
};

#endif
