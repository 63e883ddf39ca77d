/* watch.c - inotify on the directory of one file. */
#include "watch.h"

#include "gp/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { EVENT_BYTES = 8192, MAX_READS = 64 };

struct agent_watch {
    int fd;
    char *name; /* of the file in its directory */
};

static char *dir_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return gp_strdup(".");
    return slash == path ? gp_strdup("/") : gp_strndup(path, (size_t)(slash - path));
}

agent_watch *agent_watch_open(const char *path)
{
    agent_watch *w = path ? gp_calloc(1, sizeof *w) : NULL;

    if (!w)
        return NULL;
    const char *slash = strrchr(path, '/');
    GP_CLEANUP(gp_freep) char *dir = dir_of(path);
    w->name = gp_strdup(slash ? slash + 1 : path);
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (!dir || !w->name || w->fd < 0 ||
        inotify_add_watch(w->fd, dir, IN_CLOSE_WRITE | IN_MOVED_TO) < 0) {
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
            changed |= (e.mask & IN_Q_OVERFLOW) != 0 || (e.len && strcmp(name, w->name) == 0);
            at += (ssize_t)(sizeof e + e.len);
        }
    }
    return changed;
}
