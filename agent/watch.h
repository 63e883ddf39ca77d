/* watch.h - did the configuration file change? */
#ifndef AGENT_WATCH_H
#define AGENT_WATCH_H

typedef struct agent_watch agent_watch;

/* Watch a file through its directory, so that replacing it by rename is seen too, and follow
 * symbolic links on the way to it, whichever of them is swapped. NULL (no path, file or inotify)
 * watches nothing. */
agent_watch *agent_watch_open(const char *path);
void agent_watch_close(agent_watch *w); /* NULL is fine */

/* 1 if the file was written or replaced since the last call (or the opening); never waits. */
int agent_watch_changed(agent_watch *w);

#endif
