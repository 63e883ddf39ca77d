/* batch.h - what the batch encoder and decoder share; private to the room. */
#ifndef WIRE_BATCH_PRIVATE_H
#define WIRE_BATCH_PRIVATE_H

enum {
    BATCH_VERSION = 2,
    BATCH_RAW_CODEC = 0,
    BATCH_ZSTD = 1,
    BATCH_HEAD = 12,  /* bytes before the compressed part */
    BATCH_FIXED = 8,  /* bytes before the dictionaries */
    BATCH_LEVEL = -1, /* zstd; what is left to it has few repetitions, so it need not look hard */
};

#endif
