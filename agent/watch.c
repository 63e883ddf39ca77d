/* watch.c - inotify on the directory of one file and on that of the file behind symbolic links. */
#include "watch.h"

#include "gp/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EVENT_BYTES = 8192, MAX_READS = 64 };

/* A file in a directory that is watched. */
typedef struct place {
    int wd; /* -1 = none */
    char *name;
} place;

struct agent_watch {
    int fd;
    char *path;
    place link, real; /* as given; behind symbolic links, if that is elsewhere */
    dev_t dev;        /* what path led to last */
    ino_t ino;
};

static char *dir_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return gp_strdup(".");
    return slash == path ? gp_strdup("/") : gp_strndup(path, (size_t)(slash - path));
}

static int watch_place(int fd, const char *path, place *p)
{
    const char *slash = strrchr(path, '/');
    GP_CLEANUP(gp_freep) char *dir = dir_of(path);

    p->name = gp_strdup(slash ? slash + 1 : path);
    p->wd = dir && p->name ? inotify_add_watch(fd, dir, IN_CLOSE_WRITE | IN_MOVED_TO) : -1;
    return p->wd >= 0;
}

static void leave_real(agent_watch *w)
{
    if (w->real.wd >= 0 && w->real.wd != w->link.wd)
        (void)inotify_rm_watch(w->fd, w->real.wd);
    gp_free(w->real.name);
    w->real = (place){.wd = -1};
}

/* 1 if the path leads to another file than before, by whichever link on the way (Kubernetes swaps
 * that of a directory); its directory is watched from now on. */
static int follow(agent_watch *w)
{
    struct stat st;

    if (stat(w->path, &st) != 0 || (st.st_dev == w->dev && st.st_ino == w->ino))
        return 0;
    w->dev = st.st_dev;
    w->ino = st.st_ino;
    leave_real(w);
    char *real = realpath(w->path, NULL);
    if (real)
        (void)watch_place(w->fd, real, &w->real);
    free(real); /* layout: allow free - from realpath() */
    return 1;
}

agent_watch *agent_watch_open(const char *path)
{
    agent_watch *w = path ? gp_calloc(1, sizeof *w) : NULL;

    if (!w)
        return NULL;
    w->link.wd = w->real.wd = -1;
    w->path = gp_strdup(path);
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (!w->path || w->fd < 0 || !watch_place(w->fd, path, &w->link)) {
        agent_watch_close(w);
        return NULL;
    }
    (void)follow(w);
    return w;
}

void agent_watch_close(agent_watch *w)
{
    if (!w)
        return;
    if (w->fd >= 0)
        close(w->fd);
    gp_free(w->link.name);
    gp_free(w->real.name);
    gp_free(w->path);
    gp_free(w);
}

static int is_at(const place *p, const struct inotify_event *e, const char *name)
{
    return e->wd == p->wd && e->len && p->name && strcmp(name, p->name) == 0;
}

int agent_watch_changed(agent_watch *w)
{
    char buf[EVENT_BYTES] __attribute__((aligned(8)));
    int changed = 0;

    for (int i = 0; w && i < MAX_READS; i++) {
        ssize_t n = read(w->fd, buf, sizeof buf);
        if (n <= 0)
            break;
        for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= n;) {
            struct inotify_event e;
            memcpy(&e, buf + at, sizeof e);
            const char *name = buf + at + sizeof e;
            changed |= (e.mask & IN_Q_OVERFLOW) != 0 || is_at(&w->link, &e, name) ||
                       is_at(&w->real, &e, name);
            at += (ssize_t)(sizeof e + e.len);
        }
    }
    return (w && follow(w)) || changed;
}
