/* kind.c - is a directory a goDB at all? Asked before anything in it is called damaged or moved. */
#include "kind.h"

#include "db.h"
#include "dirs.h"
#include "gp/io.h"
#include "gp/num.h"
#include "strv.h"
#include "suffix.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* A walk below one interface; level 0 is the interface, 1 a year, 2 a month. */
struct walk {
    int fd, level;
    godb_iface_kind *out;
};

static int has_file(int dir_fd, const char *name)
{
    struct stat st;
    return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

/* Even of a damaged day something is left: .blockmeta or a column. */
static int looks_like_day(int dir_fd)
{
    int found = has_file(dir_fd, ".blockmeta");

    for (int c = 0; c < GODB_N_COLS && !found; c++)
        found = has_file(dir_fd, godb_col_file((godb_col)c));
    return found;
}

static gp_status count_entry(void *ctx, const char *name, int is_dir)
{
    (void)name, (void)is_dir;
    ++*(size_t *)ctx;
    return GP_OK;
}

int godb_dir_is_foreign(int dir_fd)
{
    size_t n = 0;

    return !looks_like_day(dir_fd) &&
           (godb_dir_each(dir_fd, count_entry, &n, NULL) != GP_OK || n > 0);
}

static int is_name(int level, const char *name)
{
    godb_dayname day;
    uint64_t number;

    return level == 2 ? godb_dayname_is_backup(name) || godb_dayname_parse(name, &day)
                      : gp_num_u64(name, strlen(name), INT32_MAX, &number);
}

static gp_status entry(void *ctx, const char *name, int is_dir)
{
    struct walk *w = ctx;
    int parent = w->fd;

    if (!is_dir || w->out->has_day)
        return GP_OK;
    if (!is_name(w->level, name)) {
        w->out->has_strays = 1;
        return GP_OK;
    }
    GP_CLEANUP(gp_closep) int fd = godb_dir_open(parent, name);
    if (fd < 0)
        return GP_OK; /* vanished, or not for us: no sign of a day */
    if (w->level == 2) {
        w->out->has_day = looks_like_day(fd);
        return GP_OK;
    }
    w->fd = fd;
    w->level++;
    gp_status st = godb_dir_each(fd, entry, w, NULL);
    w->level--;
    w->fd = parent;
    return st == GP_ENOMEM ? st : GP_OK;
}

godb_iface_kind godb_iface_look(const godb_db *db, const char *iface)
{
    godb_iface_kind k = {0};
    GP_CLEANUP(gp_closep) int fd = godb_dir_open(db->fd, iface);
    struct walk w = {.fd = fd, .out = &k};

    if (fd >= 0)
        (void)!godb_dir_each(fd, entry, &w, NULL);
    return k;
}

gp_status godb_db_require(const godb_db *db, gp_err *err)
{
    char **names = NULL;
    size_t n = 0, stray = SIZE_MAX;
    int has_day = 0;

    GP_TRY(godb_db_ifaces(db, &names, &n, err));
    for (size_t i = 0; i < n && !has_day; i++) {
        godb_iface_kind k = godb_iface_look(db, names[i]);
        has_day = k.has_day;
        if (k.has_strays && stray == SIZE_MAX)
            stray = i;
    }
    gp_status st = GP_OK;
    if (!has_day && stray != SIZE_MAX)
        st = gp_fail(err, GP_EINVAL, 0,
                     "%s is not a goDB: no day lies in it, and %s holds directories that are no "
                     "years, months or days",
                     db->path, names[stray]);
    godb_strv_free(names);
    return st;
}
