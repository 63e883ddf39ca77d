/* day.h - inside of a day opened for reading. */
#ifndef GODB_STORE_DAY_H
#define GODB_STORE_DAY_H

#include "blockmeta.h"
#include "displaced.h"
#include "godb/day.h"

#include <pthread.h>
#include <stdatomic.h>

struct godb_day {
    uint64_t id; /* never used twice in a process */
    char *path;  /* for messages; the directory may have another name by now */
    int fd;      /* the directory */
    int root_fd; /* of the database, to look the day up again (6.5); -1 = not possible */
    godb_blockmeta meta;
    atomic_int col_fd[GODB_N_COLS]; /* opened on first use, -1 before */
    /* Defect D1: scanned on first use of a column that it can have hit. */
    pthread_mutex_t scan_lock;        /* protects places while they are made */
    atomic_int scanned[GODB_N_COLS];  /* 1: places is final */
    godb_places *places[GODB_N_COLS]; /* NULL: the column is sound */
    int verify;                       /* 1: reads are compared with the checksums of the index */
    atomic_int index_ready;           /* 1: index is final */
    struct godb_index *index;         /* opened on first use, under scan_lock; NULL: none */
};

/* Open a day by its directory descriptor, which stays the caller's. path: for messages. Reads are
 * not verified: whoever makes or checks an index looks at the bytes as they are. */
gp_status godb_day_open_fd(int dir_fd, int64_t day_s, const char *path, godb_day **out,
                           gp_err *err) GP_MUST_CHECK;

/* Descriptor of a column file, borrowed from the day. */
gp_status godb_day_col_fd(const godb_day *d, godb_col col, int *fd, gp_err *err) GP_MUST_CHECK;

/* Where the blocks of a column really are; NULL when they are where the descriptors say. Borrowed.
 */
gp_status godb_day_places(const godb_day *d, godb_col col, const godb_places **out,
                          gp_err *err) GP_MUST_CHECK;

#endif
