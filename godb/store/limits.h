/* limits.h - every limit of the store room on what comes from outside, in one place. */
#ifndef GODB_STORE_LIMITS_H
#define GODB_STORE_LIMITS_H

enum {
    GODB_MAX_BLOCKS = 86400,          /* blocks in a day: one a second (2.4) */
    GODB_META_HEAD = 144,             /* bytes of .blockmeta without blocks */
    GODB_META_BLOCK = 88,             /* bytes of .blockmeta for each block */
    GODB_META_MAX = 144 + 88 * 86400, /* bytes; enough for every legal day (2.5) */
    GODB_IFACE_NAME_MAX = 255,        /* bytes; the file system's own limit */
    GODB_DAYNAME_CAP = 128,           /* longest day directory name: 19 + 84, and NUL */
    GODB_ZSTD_MAX_RATIO = 65536,      /* raw bytes for each stored byte (RLE blocks: 43690) */
    GODB_LZ4_MAX_RATIO = 255,         /* raw bytes for each stored byte */
    GODB_PATH_CAP = 1024,             /* bytes of a path below the root */
    GODB_RENAME_TRIES = 64,           /* how often a reader follows a directory that moves */
};
#define GODB_ZSTD_MAX_RAW 0x40000000u /* bytes; cap for codec 2, which has no bound of its own */

#endif
