/* handout.h - hands the blocks of one interface's days out to the workers. */
#ifndef EXEC_HANDOUT_H
#define EXEC_HANDOUT_H

#include "godb/day.h"
#include "godb/db.h"
#include "godb/index.h"

#include <pthread.h>

enum { EXEC_GRAB = 16 }; /* blocks handed out at once */

/* One day; fields are protected by exec_sched.lock. */
typedef struct exec_day {
    const godb_index *index; /* borrowed from day; NULL: none, or not wanted */
    godb_day *day;           /* NULL before it is opened and after it is closed */
    size_t next, end;        /* blocks not handed out yet */
    unsigned users;          /* workers that hold blocks of it */
    int claimed;             /* somebody opens or has opened it */
} exec_day;

/* Locked inside. A worker stays with its day while it can (its reader has the files open), then
 * opens the next one, then helps with the day that has most blocks left. */
typedef struct exec_sched {
    const godb_db *db;
    const godb_dayref *refs;
    int want_index; /* the condition can make use of one */
    exec_day *days;
    size_t n_days, next_day;
    unsigned opened;  /* days */
    unsigned opening; /* workers that are opening a day: others wait for its blocks */
    int stopped;
    pthread_mutex_t lock;
    pthread_cond_t cond;
} exec_sched;

/* refs is borrowed; both vectors have n entries. */
gp_status exec_sched_init(exec_sched *s, const godb_db *db, const godb_dayref *refs, size_t n,
                          gp_err *err) GP_MUST_CHECK;
void exec_sched_free(exec_sched *s);
/* Before the workers start: use an open day (taken over on GP_OK or not at all). */
void exec_sched_preopen(exec_sched *s, size_t i, godb_day *day);

/* Blocks for a worker. *at: index of the day the worker had before (SIZE_MAX: none), given back
 * here; set to the day of the new blocks [*from, *end). Returns 0 when there is nothing left.
 * When *open_error is set, day *at could not be opened (*err says why): there is nothing to scan;
 * call again with *at = SIZE_MAX. */
int exec_sched_next(exec_sched *s, size_t *at, size_t *from, size_t *end, int *open_error,
                    gp_err *err);
/* Give back the day of a worker that stops early, and make the others stop as well. */
void exec_sched_stop(exec_sched *s, size_t at);

#endif
