/* setaside.c - a writer meets a damaged day. */
#include "setaside.h"

#include "dirs.h"
#include "gp/clock.h"
#include "gp/io.h"
#include "indexfile.h"
#include "quarantine.h"
#include "rebuild.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* New names for the files, .blockmeta last: until then the day stays as damaged as it was, so a
 * crash in between is met by the next write again. */
static gp_status rename_files(int month_fd, const char *name, gp_err *err)
{
    const char *files[GODB_N_COLS + 2];
    long long now = (long long)gp_wall_ns();
    GP_CLEANUP(gp_closep) int fd = godb_dir_open(month_fd, name);

    for (int c = 0; c < GODB_N_COLS; c++)
        files[c] = godb_col_file((godb_col)c);
    files[GODB_N_COLS] = GODB_INDEX_FILE;
    files[GODB_N_COLS + 1] = ".blockmeta";
    if (fd < 0)
        return gp_fail(err, GP_EIO, errno, "%s", name);
    for (size_t i = 0; i < GP_COUNT(files); i++) {
        char to[64];
        snprintf(to, sizeof to, "%s.damaged-%lld", files[i], now);
        if (renameat(fd, files[i], fd, to) != 0 && errno != ENOENT)
            return gp_fail(err, GP_EIO, errno, "renaming %s/%s failed", name, files[i]);
    }
    if (fsync(fd) != 0)
        return gp_fail(err, GP_EIO, errno, "syncing %s failed", name);
    return GP_OK;
}

gp_status godb_day_set_aside(const char *root, const char *iface, int iface_fd, int64_t day_s,
                             const godb_dayopts *opts, const char *why, gp_buf *note, gp_err *err)
{
    char month[32], name[GODB_DAYNAME_CAP], path[GODB_PATH_CAP];
    godb_month m = godb_month_local(day_s);
    godb_rebuild b = {0};
    gp_err other = {0};
    unsigned n = 0;

    snprintf(month, sizeof month, "%d/%02d", m.year, m.month);
    GP_CLEANUP(gp_closep) int month_fd = godb_dir_open(iface_fd, month);
    if (month_fd < 0)
        return gp_fail(err, GP_EIO, errno, "%s/%s", iface, month);
    GP_TRY(godb_day_find_locked(month_fd, day_s, name, &n, err));
    if (n == 0)
        return GP_OK;
    snprintf(path, sizeof path, "%s/%s/%s", iface, month, name);
    gp_buf_printf(note, "%s is damaged (%s): ", path, why);
    gp_status st =
        godb_day_replace(root, NULL, month_fd, name, path, day_s, opts, &b, note, &other);
    if (st == GP_OK) {
        gp_buf_printf(note, "; %llu blocks were kept, %llu are lost; ", (unsigned long long)b.kept,
                      (unsigned long long)b.lost);
        return GP_OK;
    }
    gp_buf_adds(note, "it is now in ");
    if (godb_quarantine(root, NULL, month_fd, name, path, note, &other) != GP_OK) {
        GP_TRY(rename_files(month_fd, name, err));
        gp_buf_printf(note, "files *.damaged-* beside it (%s)", other.msg);
    }
    gp_buf_adds(note, "; ");
    return GP_OK;
}
