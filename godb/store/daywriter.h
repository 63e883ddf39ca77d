/* daywriter.h - one day directory opened for appending encoded blocks (godb-format.md 5.2). */
#ifndef GODB_STORE_DAYWRITER_H
#define GODB_STORE_DAYWRITER_H

#include "blockmeta.h"
#include "dirs.h"
#include "godb/writer.h"
#include "gp/bytes.h"

/* How directories and files are made and how hard they are pushed to the disk. */
typedef struct godb_dayopts {
    mode_t mode; /* file mode P (1.8) */
    godb_sync sync;
    int no_index;             /* 1: leave .index alone */
    godb_month *synced_month; /* last one whose directories this process has synced; NULL: none */
} godb_dayopts;

/* One thread. Blocks put are visible to nobody until committed. */
typedef struct godb_daywriter {
    int64_t day_s;
    godb_dayopts opts;
    int month_fd, dir_fd;
    char name[GODB_DAYNAME_CAP]; /* of the day directory, as it is now */
    int made;                    /* the directory is ours and has no .blockmeta yet */
    godb_blockmeta meta;         /* committed blocks, then the ones put since */
    size_t committed;            /* blocks in the .blockmeta on disk */
    uint64_t kept[GODB_N_COLS];  /* append positions in it */
    int torn;                    /* a write failed: columns may have bytes that nobody needs */
    gp_buf before; /* per block put since: struct of daywriter.c, what the metadata said before */
    int fd[GODB_N_COLS];        /* column files written since the last commit, else -1 */
    gp_buf behind[GODB_N_COLS]; /* last bytes put before meta.append that are not written yet */
} godb_daywriter;

/* A block ready for the files. */
typedef struct godb_encoded {
    godb_block block; /* time, rows, drops, codec, stored, raw */
    const uint8_t *payload[GODB_N_COLS];
    uint64_t sums[GODB_N_COUNTERS];
} godb_encoded;

/* Find or make the directory of day_s below the interface directory iface_fd. Something odd that
 * does not stop the work is appended to note. *dw is zeroed before and closed after use, also after
 * a failure. GP_ECORRUPT when what is there cannot be appended to. */
gp_status godb_daywriter_open(godb_daywriter *dw, int iface_fd, int64_t day_s,
                              const godb_dayopts *opts, gp_buf *note, gp_err *err) GP_MUST_CHECK;

/* Take the payloads, to be written behind the append positions by the commit at the latest: small
 * ones together. GP_EEXIST when the block is not later than all others. On failure nothing counts
 * as put, and what was written of the block is cut off: on a full disk the commit of the blocks
 * before it needs the room. */
gp_status godb_daywriter_put(godb_daywriter *dw, const godb_encoded *e, gp_err *err) GP_MUST_CHECK;

/* Make everything put durable (as opts.sync says) and visible. On failure nothing is visible and
 * commit may be called again. Once .blockmeta is replaced the answer is GP_OK, and what then goes
 * wrong (renaming the directory, syncing it) goes to note. */
gp_status godb_daywriter_commit(godb_daywriter *dw, gp_buf *note, gp_err *err) GP_MUST_CHECK;

/* Take back the last n blocks put, or as many as are not committed, to make room after a failed
 * commit. Returns how many. */
size_t godb_daywriter_drop_last(godb_daywriter *dw, size_t n);

/* Drop what is not committed (after a failed write also its bytes in the columns), remove a
 * directory that we made in vain, close. */
void godb_daywriter_close(godb_daywriter *dw);

/* fsync every file and directory of the day, up to iface_fd (GODB_SYNC_DAY). */
gp_status godb_daywriter_sync_all(int iface_fd, int64_t day_s, gp_err *err) GP_MUST_CHECK;

#endif
