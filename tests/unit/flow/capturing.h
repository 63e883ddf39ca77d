/* capturing.h - a manager that captures in a network namespace, and all that reaches the disk. */
#ifndef TEST_CAPTURING_H
#define TEST_CAPTURING_H

#include "flow/manager.h"
#include "gp/clock.h"
#include "netns.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    FLUSH_MS = 20000,
    EVERY_MS = 20,            /* between checkpoints */
    NO_BOUNDARY = 1000000000, /* no scheduled rotation before 2033 */
    STALL_ROWS = 1000,
    WAIT_MS = 60000, /* for what comes within milliseconds on a machine that is not busy */
    LOOK_US = 5000,
};

/* Everything that reached the disk, and events by kind. */
typedef struct sink {
    pthread_mutex_t mu;
    uint64_t counter[4], flows[2], blocks;
    uint64_t dports[65536]; /* packets by destination port */
    int64_t last_s;         /* of the newest block of any interface */
    struct {
        char name[16];
        int64_t last_s;
    } ifaces[8];
    int not_rising; /* 1: an interface got a block that is not later than the one before */
    atomic_int events[FLOW_EV_NOTE + 1];
    char text[256];
    uint64_t drops;      /* of all blocks */
    atomic_int stall_at; /* 1 + event kind, or STALL_ROWS: its thread waits there */
    atomic_int stalled;  /* it does */
    atomic_llong wall_s; /* of the manager's clock, where a test has set one */
    struct { /* writing thread: the last checkpoint, and how many came sooner than it had taken */
        int64_t end_ns, took_ns;
        unsigned n, early;
    } checkpoint;
} sink;

/* Wait here as long as the test wants. */
static inline void stall(sink *s, int at)
{
    if (atomic_load(&s->stall_at) != at)
        return;
    atomic_store(&s->stalled, 1);
    while (atomic_load(&s->stall_at) == at)
        (void)usleep(1000);
    atomic_store(&s->stalled, 0);
}

static inline void on_rows(void *ctx, const char *iface, int64_t time_s, const godb_rows *r)
{
    sink *s = ctx;

    stall(s, STALL_ROWS);
    pthread_mutex_lock(&s->mu);
    for (uint32_t i = 0; i < r->n_v4 + r->n_v6; i++) {
        for (int c = 0; c < 4; c++)
            s->counter[c] += r->counter[c][i];
        s->dports[gp_be16(r->dport + 2 * i)] += r->counter[2][i] + r->counter[3][i];
    }
    s->flows[0] += r->n_v4;
    s->flows[1] += r->n_v6;
    s->blocks++;
    size_t k = 0;
    while (s->ifaces[k].name[0] && strcmp(s->ifaces[k].name, iface) != 0)
        k++;
    (void)snprintf(s->ifaces[k].name, sizeof s->ifaces[k].name, "%s", iface);
    s->not_rising |= time_s <= s->ifaces[k].last_s;
    s->ifaces[k].last_s = s->last_s = time_s;
    pthread_mutex_unlock(&s->mu);
}

static inline void on_event(void *ctx, const flow_event *e)
{
    sink *s = ctx;

    if (e->kind == FLOW_EV_WRITTEN) {
        pthread_mutex_lock(&s->mu);
        s->drops += e->drops;
        pthread_mutex_unlock(&s->mu);
    }
    if (e->kind == FLOW_EV_CHECKPOINT) {
        int64_t now = gp_mono_ns();
        s->checkpoint.early +=
            s->checkpoint.n++ && now - e->took_ns < s->checkpoint.end_ns + s->checkpoint.took_ns;
        s->checkpoint.end_ns = now;
        s->checkpoint.took_ns = e->took_ns;
    }
    atomic_fetch_add(&s->events[e->kind], 1);
    stall(s, 1 + (int)e->kind);
    if (e->kind == FLOW_EV_OPEN_FAILED || e->kind == FLOW_EV_FAILED ||
        e->kind == FLOW_EV_WRITE_FAILED || e->kind == FLOW_EV_LOST || e->kind == FLOW_EV_NOTE) {
        pthread_mutex_lock(&s->mu);
        (void)snprintf(s->text, sizeof s->text, "%s: %s", e->iface ? e->iface : "-", e->text);
        pthread_mutex_unlock(&s->mu);
    }
}

typedef struct fixture {
    sink s;
    char *dir;
    flow_manager *m;
} fixture;

static const capture_conf small_ring = {.block_size = 1 << 20, .num_blocks = 4};

/* flow_manager_opts.wall_ns: sink.wall_s. */
static inline int64_t test_clock(void *ctx)
{
    return (int64_t)atomic_load(&((sink *)ctx)->wall_s) * 1000000000;
}

static inline void init(fixture *f)
{
    assert_non_null(f);
    pthread_mutex_init(&f->s.mu, NULL);
    f->dir = test_tmpdir();
}

/* A manager with these options (NULL: no scheduled rotation) on the database below dir. */
static inline void start_manager(fixture *f, const flow_manager_opts *opts)
{
    flow_manager_opts o = opts ? *opts : (flow_manager_opts){.interval_s = NO_BOUNDARY};
    gp_err err = {0};

    o.db = f->dir;
    if (!o.writer.codec)
        o.writer = (godb_writer_opts)GODB_WRITER_OPTS_INIT;
    o.writer.sync = GODB_SYNC_NONE;
    o.event = on_event;
    o.rows = on_rows;
    o.ctx = &f->s;
    want_ok_err(&err, flow_manager_new(&o, &f->m, &err));
}

static inline fixture *start_with(const flow_manager_opts *opts)
{
    fixture *f = gp_calloc(1, sizeof *f);

    init(f);
    start_manager(f, opts);
    return f;
}

static inline fixture *start(void)
{
    return start_with(NULL);
}

static inline void end(fixture *f)
{
    gp_err err = {0};
    want_ok_err(&err, flow_manager_close(f->m, &err));
    assert_false(f->s.not_rising);
    test_rmtree(f->dir);
    gp_free(f->dir);
    pthread_mutex_destroy(&f->s.mu);
    gp_free(f);
}

/* Apply names (or expressions) with settings; the changes go to *ch, n is returned. */
static inline size_t apply(fixture *f, const char *const *names, size_t n, const capture_conf *conf,
                           flow_change **ch)
{
    flow_ruleset *rs = NULL;
    gp_err err = {0};
    size_t k = 0;

    want_ok_err(&err, flow_ruleset_new(&rs, &err));
    for (size_t i = 0; i < n; i++)
        want_ok_err(&err, flow_ruleset_add(rs, names[i], conf, &err));
    want_ok_err(&err, flow_manager_apply(f->m, rs, ch, &k, &err));
    return k;
}

static inline void capture_one(fixture *f, const char *name, const capture_conf *conf)
{
    flow_change *ch = NULL;
    assert_int_equal(apply(f, &name, 1, conf, &ch), 1);
    if (!ch[0].ok)
        fail_msg("%s: %s", name, ch[0].error);
    gp_free(ch);
    (void)usleep(5000); /* packets of the first millisecond are not ours yet */
}

static inline void wait_forgotten(fixture *f, const char *name)
{
    gp_deadline until = gp_deadline_in_ms(WAIT_MS);
    size_t n = 1;

    while (n && !gp_deadline_passed(until)) {
        flow_status *s = NULL;
        want_ok(flow_manager_status(f->m, &name, 1, &s, &n, NULL));
        gp_free(s);
        (void)usleep(LOOK_US);
    }
    assert_int_equal(n, 0);
}

static inline flow_status status_of(fixture *f, const char *name)
{
    flow_status *s = NULL;
    size_t n;
    gp_err err = {0};

    want_ok_err(&err, flow_manager_status(f->m, &name, 1, &s, &n, &err));
    assert_int_equal(n, 1);
    flow_status one = *s;
    gp_free(s);
    return one;
}

static inline void flush(fixture *f)
{
    gp_err err = {0};
    want_ok_err(&err, flow_manager_flush(f->m, NULL, 0, FLUSH_MS, &err));
}

/* Wait until n packets were processed. */
static inline void wait_processed(fixture *f, const char *name, uint64_t n)
{
    gp_deadline until = gp_deadline_in_ms(WAIT_MS);
    flow_status s = {0};
    while (!gp_deadline_passed(until)) {
        s = status_of(f, name);
        if (s.total.capture.processed + s.total.capture.errors[0] + s.total.lost >= n)
            return;
        (void)usleep(LOOK_US);
    }
    fail_msg("%s: processed %" PRIu64 " of %" PRIu64 ", received %" PRIu64, name,
             s.total.capture.processed, n, s.total.capture.received);
}

/* A boundary that passes before it is planned is not made up for (4.1). */
static inline void wait_planned(fixture *f, int64_t at_s)
{
    gp_deadline until = gp_deadline_in_ms(WAIT_MS);
    flow_manager_info info = {0};

    while (!gp_deadline_passed(until)) {
        flow_manager_info_get(f->m, &info);
        if (info.next_writeout_s == at_s)
            return;
        (void)usleep(LOOK_US);
    }
    fail_msg("next write-out at %" PRId64 ", want %" PRId64, info.next_writeout_s, at_s);
}

/* A UDP frame; v6 chooses the family. len: bytes on the wire. */
static inline size_t make_udp(uint8_t *b, int v6, unsigned host, unsigned sport, unsigned dport)
{
    memset(b, 0, 100);
    memset(b, 2, 12);
    b[12] = v6 ? 0x86 : 8;
    b[13] = v6 ? 0xdd : 0;
    uint8_t *ip = b + 14, *l4 = ip + (v6 ? 40 : 20);
    ip[0] = v6 ? 0x60 : 0x45;
    ip[v6 ? 6 : 9] = 17;
    ip[v6 ? 8 : 12] = 10;
    ip[v6 ? 22 : 14] = (uint8_t)(host >> 8);
    ip[v6 ? 23 : 15] = (uint8_t)host;
    ip[v6 ? 24 : 16] = 10;
    ip[v6 ? 39 : 19] = 99;
    gp_put_be16(l4, (uint16_t)sport);
    gp_put_be16(l4 + 2, (uint16_t)dport);
    return v6 ? 80 : 70;
}

static inline void wait_event(fixture *f, flow_event_kind kind, int n, const char *what)
{
    gp_deadline until = gp_deadline_in_ms(WAIT_MS);

    while (!gp_deadline_passed(until)) {
        if (atomic_load(&f->s.events[kind]) >= n)
            return;
        (void)usleep(LOOK_US);
    }
    fail_msg("%s: %d events of kind %d, want %d; last text \"%s\"", what,
             atomic_load(&f->s.events[kind]), kind, n, f->s.text);
}

#endif
