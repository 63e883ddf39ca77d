/* day.h - inside of a day opened for reading. */
#ifndef GODB_STORE_DAY_H
#define GODB_STORE_DAY_H

#include "blockmeta.h"
#include "godb/day.h"

#include <stdatomic.h>

struct godb_day {
    uint64_t id; /* never used twice in a process */
    char *path;  /* for messages; the directory may have another name by now */
    int fd;      /* the directory */
    godb_blockmeta meta;
    atomic_int col_fd[GODB_N_COLS]; /* opened on first use, -1 before */
};

/* Descriptor of a column file, borrowed from the day. */
gp_status godb_day_col_fd(const godb_day *d, godb_col col, int *fd, gp_err *err) GP_MUST_CHECK;

#endif
