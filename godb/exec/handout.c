/* handout.c - dynamic hand-out of days and blocks. */
#include "handout.h"

#include "gp/mem.h"

static void day_close(exec_day *d)
{
    godb_day_close(d->day);
    d->index = NULL;
    d->day = NULL;
}

/* The state of a day that was just opened. A day without a usable index is only slower. */
static exec_day day_ready(const exec_sched *s, godb_day *day)
{
    return (exec_day){.day = day,
                      .end = godb_day_n_blocks(day),
                      .claimed = 1,
                      .index = s->want_index ? godb_day_index(day) : NULL};
}

gp_status exec_sched_init(exec_sched *s, const godb_db *db, const godb_dayref *refs, size_t n,
                          gp_err *err)
{
    *s = (exec_sched){.db = db, .refs = refs, .n_days = n};
    s->days = gp_calloc(n ? n : 1, sizeof *s->days);
    if (!s->days)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory for %zu days", n);
    if (pthread_mutex_init(&s->lock, NULL) != 0) {
        gp_free(s->days);
        return gp_fail(err, GP_ENOMEM, 0, "out of memory for a lock");
    }
    if (pthread_cond_init(&s->cond, NULL) != 0) {
        pthread_mutex_destroy(&s->lock);
        gp_free(s->days);
        return gp_fail(err, GP_ENOMEM, 0, "out of memory for a lock");
    }
    return GP_OK;
}

void exec_sched_free(exec_sched *s)
{
    if (!s->days)
        return;
    for (size_t i = 0; i < s->n_days; i++)
        day_close(&s->days[i]);
    gp_free(s->days);
    pthread_cond_destroy(&s->cond);
    pthread_mutex_destroy(&s->lock);
    s->days = NULL;
}

void exec_sched_preopen(exec_sched *s, size_t i, godb_day *day)
{
    s->opened++;
    s->days[i] = day_ready(s, day);
}

/* Close a day that nobody needs any more. */
static void day_release(exec_day *d)
{
    if (--d->users == 0 && d->next == d->end)
        day_close(d);
}

static int take(exec_sched *s, size_t i, size_t *at, size_t *from, size_t *end)
{
    exec_day *d = &s->days[i];

    if (!d->day || d->next == d->end)
        return 0;
    *at = i;
    *from = d->next;
    *end = d->end - d->next > EXEC_GRAB ? d->next + EXEC_GRAB : d->end;
    d->next = *end;
    d->users++;
    return 1;
}

/* The open day with most blocks left. */
static size_t busiest(const exec_sched *s)
{
    size_t best = 0, left = 0;

    for (size_t i = 0; i < s->n_days; i++)
        if (s->days[i].day && s->days[i].end - s->days[i].next > left) {
            best = i;
            left = s->days[i].end - s->days[i].next;
        }
    return best;
}

/* Open day i without holding the lock. */
static int open_day(exec_sched *s, size_t i, gp_err *err)
{
    godb_day *day = NULL;

    s->days[i].claimed = 1;
    s->opening++;
    pthread_mutex_unlock(&s->lock);
    gp_status st = godb_day_open(s->db, &s->refs[i], &day, err);
    exec_day ready = {.claimed = 1};
    if (st == GP_OK)
        ready = day_ready(s, day);
    pthread_mutex_lock(&s->lock);
    s->opening--;
    s->opened += st == GP_OK;
    s->days[i] = ready;
    pthread_cond_broadcast(&s->cond);
    return st == GP_OK;
}

int exec_sched_next(exec_sched *s, size_t *at, size_t *from, size_t *end, int *open_error,
                    gp_err *err)
{
    size_t had = *at;
    int got = 0;

    *open_error = 0;
    pthread_mutex_lock(&s->lock);
    if (had != SIZE_MAX) {
        if (!s->stopped)
            got = take(s, had, at, from, end);
        day_release(&s->days[had]);
    }
    while (!got && !s->stopped) {
        while (s->next_day < s->n_days && s->days[s->next_day].claimed && !got)
            got = take(s, s->next_day++, at, from, end); /* opened before the start */
        if (got)
            break;
        if (s->next_day < s->n_days) {
            size_t i = s->next_day++;
            if (!open_day(s, i, err)) {
                *open_error = got = 1;
                *at = i;
                break;
            }
            got = take(s, i, at, from, end);
            continue;
        }
        got = s->n_days && take(s, busiest(s), at, from, end);
        if (got || s->opening == 0)
            break;
        pthread_cond_wait(&s->cond, &s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return got;
}

void exec_sched_stop(exec_sched *s, size_t at)
{
    pthread_mutex_lock(&s->lock);
    s->stopped = 1;
    if (at != SIZE_MAX)
        day_release(&s->days[at]);
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->lock);
}
