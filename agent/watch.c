/* watch.c - inotify on the directory of the file that a path leads to, symbolic links followed. */
#include "watch.h"

#include "gp/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EVENT_BYTES = 8192, MAX_READS = 64 };

struct agent_watch {
    int fd;
    char *path;
    dev_t dev; /* the directory that path led into last */
    ino_t ino;
    int wd;     /* its watch, -1 = none */
    char *name; /* of the file there */
};

/* Watch the file real instead of what was watched before. */
static void watch_file(agent_watch *w, const char *dir, const char *name, const struct stat *st)
{
    if (w->wd >= 0)
        (void)inotify_rm_watch(w->fd, w->wd);
    gp_free(w->name);
    w->dev = st->st_dev;
    w->ino = st->st_ino;
    w->name = gp_strdup(name);
    w->wd = inotify_add_watch(w->fd, dir, IN_CLOSE_WRITE | IN_MOVED_TO);
}

/* 1 if the path leads to another name or directory than before, by whichever link on the way
 * (Kubernetes swaps that of a directory); that one is watched from now on. A new file of the same
 * name is none: it may be half written, and its directory tells when it is closed or renamed. */
static int follow(agent_watch *w)
{
    struct stat st;
    int other = 0;
    char *real = realpath(w->path, NULL), *slash = real ? strrchr(real, '/') : NULL;

    if (slash) {
        *slash = '\0';
        const char *dir = slash == real ? "/" : real;
        other = stat(dir, &st) == 0 && (st.st_dev != w->dev || st.st_ino != w->ino || !w->name ||
                                        strcmp(w->name, slash + 1) != 0);
        if (other)
            watch_file(w, dir, slash + 1, &st);
    }
    free(real); /* layout: allow free - from realpath() */
    return other;
}

agent_watch *agent_watch_open(const char *path)
{
    agent_watch *w = path ? gp_calloc(1, sizeof *w) : NULL;

    if (!w)
        return NULL;
    w->wd = -1;
    w->path = gp_strdup(path);
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (!w->path || w->fd < 0 || !follow(w) || w->wd < 0) {
        agent_watch_close(w);
        return NULL;
    }
    return w;
}

void agent_watch_close(agent_watch *w)
{
    if (!w)
        return;
    if (w->fd >= 0)
        close(w->fd);
    gp_free(w->name);
    gp_free(w->path);
    gp_free(w);
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
            changed |= (e.mask & IN_Q_OVERFLOW) != 0 ||
                       (e.wd == w->wd && e.len && w->name && strcmp(name, w->name) == 0);
            at += (ssize_t)(sizeof e + e.len);
        }
    }
    return (w && follow(w)) || changed;
}
