/* control.c - the thread that keeps the clock: scheduled write-outs, link changes, broken captures.
 */
#include "gp/clock.h"
#include "gp/mem.h"
#include "internal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    REPAIR_MS = 30000, /* without any event: try again what waits */
    SETTLE_MS = 100,   /* after a link event: more of them follow */
    EARLY_MS = 10000,  /* between two early write-outs of a full table */
    LOOK_MS = 5,       /* between two looks at a clock that is not the system's */
};

void flow_control_wake(flow_manager *m)
{
    uint64_t one = 1;
    atomic_store(&m->reconcile, 1);
    (void)!write(m->wake_fd, &one, sizeof one);
}

/* The timer fires at `next` of the wall clock, and at once when that is over or the clock is set.
 */
static void arm(flow_manager *m, int64_t next)
{
    struct itimerspec ts = {.it_value = {.tv_sec = (time_t)next}};

    pthread_mutex_lock(&m->mu);
    m->info.next_writeout_s = next;
    pthread_mutex_unlock(&m->mu);
    (void)timerfd_settime(m->timer_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &ts, NULL);
}

/* All interfaces, in order of name; what each interval holds is independent of the disk. */
static void rotate_all(flow_manager *m, int64_t time_s)
{
    gp_err err = {0};
    flow_iface **v = NULL;
    size_t n = 0, rotated = 0;
    int64_t t0 = gp_mono_ns();

    if (flow_iface_all(m, &v, &n, &err) != GP_OK)
        return;
    pthread_mutex_lock(&m->admin);
    for (size_t k = 0; k < n; k++)
        if (v[k]->worker)
            rotated += flow_iface_rotate(v[k], time_s, &err) == GP_OK;
    pthread_mutex_unlock(&m->admin);
    flow_iface_unref_all(v, n);
    if (rotated) {
        pthread_mutex_lock(&m->mu);
        m->info.last_scheduled_s = time_s;
        pthread_mutex_unlock(&m->mu);
    }
    flow_emit(m, &(flow_event){.kind = FLOW_EV_ROTATION,
                               .time_s = time_s,
                               .took_ns = gp_mono_ns() - t0,
                               .count = rotated});
}

/* The boundary passed, or the clock was set. After a step forward the newest boundary counts; after
 * a step back the running interval ends with the next boundary of the new time (D-32), and blocks
 * go on one second after the newest until the clock has passed it (4.6). */
static void on_timer(flow_manager *m)
{
    uint64_t ticks;
    char text[128];
    ssize_t r = read(m->timer_fd, &ticks, sizeof ticks);
    int set = r < 0 && errno == ECANCELED;

    pthread_mutex_lock(&m->mu);
    int64_t planned = m->info.next_writeout_s;
    pthread_mutex_unlock(&m->mu);
    int64_t now = flow_now_s(m);
    if (m->wall_ns) /* no kernel watches this clock */
        set = now < planned - m->interval_s || now >= planned + m->interval_s;
    if (set) {
        (void)snprintf(text, sizeof text, "the clock was set; next write-out in %lld s",
                       (long long)(m->interval_s - now % m->interval_s));
        flow_emit_text(m, FLOW_EV_CLOCK, NULL, text);
    }
    if (now >= planned)
        rotate_all(m, now / m->interval_s * m->interval_s);
    arm(m, flow_next_boundary(m));
}

/* A capture that broke off: its flows are written (D-13), then the interface waits to be opened. A
 * full table is written early, but not too often: then we look again when it is time. */
static void close_broken(flow_manager *m, flow_iface *i)
{
    flow_worker_counts c;
    gp_err err = {0};

    if (!i->worker)
        return;
    flow_worker_counts_get(i->worker, &c);
    if (c.failed) {
        flow_iface_stop_all(&i, 1, flow_now_s(m) + 1);
        return;
    }
    if (c.entries < m->max_entries)
        return;
    int64_t now = gp_mono_ms(), from = i->full_ms ? i->full_ms + EARLY_MS : now;
    if (now >= from) {
        i->full_ms = now;
        (void)flow_iface_rotate(i, flow_now_s(m) + 1, &err);
    } else if (from < m->repair_ms) {
        m->repair_ms = from;
    }
}

static const capture_link *find_link(const capture_link *v, size_t n, const char *name)
{
    for (size_t k = 0; k < n; k++)
        if (strcmp(v[k].name, name) == 0)
            return &v[k];
    return NULL;
}

/* An interface that is gone from the host and that no literal rule waits for: hosts of containers
 * make and remove thousands. Only once its last block is stored, so that live queries see all. */
static void forget_gone(flow_manager *m, const flow_wanted *w, size_t n_w)
{
    flow_iface **v = NULL;
    size_t n = 0;
    gp_err err = {0};

    if (flow_iface_all(m, &v, &n, &err) != GP_OK)
        return;
    for (size_t k = 0; k < n; k++) {
        int keep = v[k]->worker || flow_ruleset_names(m->rules, v[k]->name);
        for (size_t i = 0; i < n_w && !keep; i++)
            keep = strcmp(w[i].name, v[k]->name) == 0;
        pthread_mutex_lock(&v[k]->mu);
        keep |= v[k]->head != NULL;
        pthread_mutex_unlock(&v[k]->mu);
        if (keep)
            continue;
        flow_manager_remove(m, v[k]);
        flow_emit_text(m, FLOW_EV_FORGOTTEN, v[k]->name, "");
    }
    flow_iface_unref_all(v, n);
}

void flow_tell_unnamed(flow_manager *m, const capture_link *links, size_t n_links)
{
    char text[128];
    size_t n;
    const capture_link *l = flow_ruleset_unnamed(m->rules, links, n_links, &n);

    if (l && n > m->n_unnamed) {
        (void)snprintf(text, sizeof text,
                       "not captured: control characters in the names of %zu interfaces (index %u)",
                       n, l->index);
        flow_emit_text(m, FLOW_EV_NOTE, NULL, text);
    }
    m->n_unnamed = n;
}

/* Interfaces that the rules want and that appeared since, and those that went; without change of
 * those captured. */
static void follow_rules(flow_manager *m, const capture_link *links, size_t n_links)
{
    GP_CLEANUP(gp_freep) flow_wanted *w = NULL;
    gp_err err = {0};
    size_t n = 0;

    if (!m->rules)
        return;
    if (flow_ruleset_match(m->rules, links, n_links, &w, &n, &err) != GP_OK) {
        flow_emit_text(m, FLOW_EV_OPEN_FAILED, NULL, err.msg);
        return;
    }
    for (size_t k = 0; k < n; k++) {
        flow_iface *i = flow_iface_find(m, w[k].name);
        if (!i)
            (void)flow_manager_add(m, w[k].name, w[k].conf, &err);
        flow_iface_unref(i);
    }
    forget_gone(m, w, n);
    flow_tell_unnamed(m, links, n_links);
}

static void reconcile(flow_manager *m)
{
    GP_CLEANUP(gp_freep) capture_link *links = NULL;
    flow_iface **v = NULL;
    size_t n_links = 0, n = 0;
    gp_err err = {0};

    if (capture_links_list(&links, &n_links, &err) != GP_OK) {
        flow_emit_text(m, FLOW_EV_NOTE, NULL, err.msg);
        return;
    }
    if (flow_iface_all(m, &v, &n, &err) != GP_OK)
        return;
    for (size_t k = 0; k < n; k++)
        close_broken(m, v[k]);
    for (size_t k = 0; k < n; k++) {
        if (v[k]->worker)
            continue;
        const capture_link *l = find_link(links, n_links, v[k]->name);
        if (!l && !v[k]->started_ns && v[k]->error_code == GP_ENOTFOUND)
            continue; /* still not there */
        (void)flow_iface_open(v[k], &err);
    }
    flow_iface_unref_all(v, n);
    follow_rules(m, links, n_links);
}

/* Wait for the next thing to do; 1 = reconcile. */
static int wait_event(flow_manager *m)
{
    struct pollfd fds[3] = {
        {.fd = m->timer_fd, .events = POLLIN},
        {.fd = m->wake_fd, .events = POLLIN},
        {.fd = capture_linkwatch_fd(m->links), .events = POLLIN},
    };
    uint64_t ticks;
    int64_t left = m->repair_ms - gp_mono_ms();
    int due = 0;

    int most = m->wall_ns ? LOOK_MS : REPAIR_MS;
    (void)poll(fds, 3, left < 0 ? 0 : left > most ? most : (int)left);
    if (fds[0].revents || m->wall_ns)
        on_timer(m);
    if (fds[1].revents)
        (void)!read(m->wake_fd, &ticks, sizeof ticks);
    if (fds[2].revents) {
        struct timespec settle = {0, SETTLE_MS * 1000000L};
        (void)nanosleep(&settle, NULL);
        due = capture_linkwatch_read(m->links) != 0;
    }
    return due || atomic_exchange(&m->reconcile, 0) || gp_mono_ms() >= m->repair_ms;
}

void *flow_control_thread(void *arg)
{
    flow_manager *m = arg;

    m->repair_ms = gp_mono_ms() + REPAIR_MS;
    pthread_mutex_lock(&m->mu);
    int64_t first = m->info.next_writeout_s;
    pthread_mutex_unlock(&m->mu);
    arm(m, first);
    for (;;) {
        int due = wait_event(m);
        pthread_mutex_lock(&m->mu);
        int stop = m->stop_control;
        pthread_mutex_unlock(&m->mu);
        if (stop)
            return NULL;
        if (!due)
            continue;
        m->repair_ms = gp_mono_ms() + REPAIR_MS;
        pthread_mutex_lock(&m->admin);
        reconcile(m);
        pthread_mutex_unlock(&m->admin);
    }
}
