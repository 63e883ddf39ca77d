/* db.c - a database root and its interface directories (godb-format.md 1.1, 1.2). */
#include "db.h"

#include "dirs.h"
#include "gp/io.h"
#include "gp/mem.h"
#include "gp/num.h"
#include "strv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

gp_status godb_db_open(const char *path, godb_db **out, gp_err *err)
{
    GP_CLEANUP(gp_closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return gp_fail(err, errno == ENOENT ? GP_ENOTFOUND : GP_EIO, errno, "database %s", path);
    godb_db *db = gp_calloc(1, sizeof *db);
    char *copy = gp_strdup(path);
    if (!db || !copy) {
        gp_free(db);
        gp_free(copy);
        return gp_fail(err, GP_ENOMEM, 0, "database %s: out of memory", path);
    }
    *db = (godb_db){.path = copy, .fd = gp_take_fd(&fd)};
    *out = db;
    return GP_OK;
}

void godb_db_close(godb_db *db)
{
    if (!db)
        return;
    gp_closep(&db->fd);
    gp_free(db->path);
    gp_free(db);
}

void godb_db_follow(const godb_db *db)
{
    struct stat held, there;

    if (stat(db->path, &there) != 0 || fstat(db->fd, &held) != 0 ||
        (held.st_dev == there.st_dev && held.st_ino == there.st_ino))
        return;
    GP_CLEANUP(gp_closep) int fd = open(db->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) /* under the same number, so that other threads never see it closed */
        (void)dup3(fd, db->fd, O_CLOEXEC);
}

const char *godb_db_path(const godb_db *db)
{
    return db->path;
}

int godb_iface_name_ok(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len <= GODB_IFACE_NAME_MAX && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0 && strpbrk(name, "/\\") == NULL;
}

static gp_status find_year(void *ctx, const char *name, int is_dir)
{
    int *found = ctx;
    uint64_t year;
    *found |= is_dir && gp_num_u64(name, strlen(name), INT32_MAX, &year);
    return GP_OK;
}

/* What a file system keeps in its root, where a database may be, too. Mostly only root can read it.
 * Nobody's interface is called that; should one be, it has years. */
static int is_lost_found(const godb_db *db, const char *name)
{
    if (strcmp(name, "lost+found") != 0)
        return 0;
    int years = 0;
    GP_CLEANUP(gp_closep) int fd = godb_dir_open(db->fd, name);
    return fd < 0 || (godb_dir_each(fd, find_year, &years, NULL) == GP_OK && !years);
}

struct list {
    const godb_db *db;
    godb_strv v;
};

static gp_status add_iface(void *ctx, const char *name, int is_dir)
{
    struct list *l = ctx;
    /* Staging trees of a merge look like interfaces (7.2). */
    if (!is_dir || strncmp(name, GODB_STAGE_PREFIX, strlen(GODB_STAGE_PREFIX)) == 0 ||
        is_lost_found(l->db, name))
        return GP_OK;
    return godb_strv_add(&l->v, name);
}

gp_status godb_db_ifaces(const godb_db *db, char ***names, size_t *n, gp_err *err)
{
    struct list l = {.db = db};
    gp_status st = godb_dir_each(db->fd, add_iface, &l, err);

    if (st == GP_OK)
        st = godb_strv_finish(&l.v);
    if (st != GP_OK) {
        godb_strv_free(l.v.v);
        return st == GP_ENOMEM ? gp_fail(err, st, 0, "listing interfaces: out of memory")
                               : gp_fail_context(err, st, "database %s", db->path);
    }
    *names = l.v.v;
    *n = l.v.n;
    return GP_OK;
}
