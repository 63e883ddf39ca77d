/* recover_test.c - checkpoints: what a crash left is stored exactly once, damage is told and costs
 * nothing else. */
#include "capturing.h"

#include "checkpoint.h"
#include "godb/writer.h"

#include <sys/stat.h>

enum { T0 = 1700000100 };

/* ---- a checkpoint with two IPv4 rows and one IPv6 row ---- */

static const uint8_t addr[24] = {10, 0, 0, 1, 10, 0, 0, 2, 0x20, 1, 0xd, 0xb8, [23] = 7};
static const uint8_t dport[6] = {0, 53, 1, 187, 0, 80}, proto[3] = {17, 6, 6};
static const uint64_t counter[4][3] = {
    {100, 200, 300}, {1, 2, 3}, {10, 20, 30}, {7, 8, 1ull << 40}};

static flow_checkpoint three_rows(int64_t after_s, int64_t taken_s)
{
    return (flow_checkpoint){.after_s = after_s,
                             .taken_s = taken_s,
                             .drops = 5,
                             .rows = {.n_v4 = 2,
                                      .n_v6 = 1,
                                      .sip = addr,
                                      .dip = addr,
                                      .proto = proto,
                                      .dport = dport,
                                      .counter = {counter[0], counter[1], counter[2], counter[3]}}};
}

static void put(const char *db, const char *iface, int64_t after_s, int64_t taken_s)
{
    GP_CLEANUP(gp_freep) char *dir = gp_asprintf("%s/%s", db, iface);
    flow_checkpoint c = three_rows(after_s, taken_s);
    gp_err err = {0};

    (void)mkdir(dir, 0755);
    want_ok_err(&err, flow_checkpoint_write(db, iface, &c, 0640, 0, &err));
}

static int there(const char *db, const char *iface)
{
    GP_CLEANUP(gp_freep) char *path = flow_checkpoint_path(db, iface);
    return access(path, F_OK) == 0;
}

/* A block of the same rows. */
static void store(const char *db, const char *iface, int64_t time_s)
{
    GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;
    flow_checkpoint c = three_rows(0, 1);
    gp_err err = {0};

    want_ok_err(&err, godb_writer_open(db, iface, NULL, &w, &err));
    want_ok_err(&err, godb_writer_append(w, time_s, &c.rows, 0, &err));
}

static void test_format(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *db = test_tmpdir();
    GP_CLEANUP(gp_freep) char *path = flow_checkpoint_path(db, "e0");
    flow_checkpoint c;
    gp_err err = {0};
    struct stat st;
    size_t n;

    put(db, "e0", T0, T0 + 99);
    GP_CLEANUP(gp_freep) char *good = test_slurp(path, &n);
    GP_CLEANUP(gp_freep) char *b = gp_alloc(n + 8, 1);
    assert_int_equal(n, FLOW_CHECKPOINT_HEAD + 2 * 43 + 67);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    memcpy(b, good, n);
    want_ok_err(&err, flow_checkpoint_parse((uint8_t *)b, n, &c, &err));
    assert_int_equal(c.after_s, T0);
    assert_int_equal(c.taken_s, T0 + 99);
    assert_int_equal(c.drops, 5);
    assert_int_equal(c.rows.n_v4, 2);
    assert_int_equal(c.rows.n_v6, 1);
    assert_memory_equal(c.rows.sip, addr, 24);
    assert_memory_equal(c.rows.dip, addr, 24);
    assert_memory_equal(c.rows.dport, dport, 6);
    assert_memory_equal(c.rows.proto, proto, 3);
    for (int i = 0; i < 4; i++)
        assert_memory_equal(c.rows.counter[i], counter[i], 24);
    for (size_t i = 0; i < n; i++) { /* every flipped bit of a byte, every length */
        memcpy(b, good, n);
        b[i] = (char)(b[i] ^ 1 << i % 8);
        want_err(GP_ECORRUPT, &err, "", flow_checkpoint_parse((uint8_t *)b, n, &c, &err));
        memcpy(b, good, n);
        want_err(GP_ECORRUPT, &err, "", flow_checkpoint_parse((uint8_t *)b, i, &c, &err));
    }
    want_err(GP_ECORRUPT, &err, "", flow_checkpoint_parse((uint8_t *)b, n + 1, &c, &err));
    memcpy(b, good, n);
    b[4] = 2;
    want_err(GP_ECORRUPT, &err, "version 2, expected 1",
             flow_checkpoint_parse((uint8_t *)b, n, &c, &err));
}

/* ---- start after a crash ---- */

/* Blocks, packets received and newest time after a manager came and went. */
static void want_after_start(const char *what, fixture *f, uint64_t blocks, int notes,
                             int64_t last_s)
{
    gp_err err = {0};

    memset(f->s.ifaces, 0, sizeof f->s.ifaces);
    f->s.blocks = 0;
    f->s.last_s = 0;
    memset(f->s.counter, 0, sizeof f->s.counter);
    for (size_t i = 0; i < COUNT(f->s.events); i++)
        atomic_store(&f->s.events[i], 0);
    start_manager(f, NULL);
    want_ok_err(&err, flow_manager_close(f->m, &err));
    f->m = NULL;
    if (f->s.blocks != blocks || (last_s && f->s.last_s != last_s) ||
        f->s.counter[FLOW_PKTS_IN] != blocks * 60 ||
        atomic_load(&f->s.events[FLOW_EV_RECOVERED]) != (int)blocks ||
        atomic_load(&f->s.events[FLOW_EV_NOTE]) != notes)
        fail_msg("%s: %" PRIu64 " blocks, last %" PRId64 ", packets %" PRIu64 ", notes %d (%s)",
                 what, f->s.blocks, f->s.last_s, f->s.counter[FLOW_PKTS_IN],
                 atomic_load(&f->s.events[FLOW_EV_NOTE]), f->s.text);
}

static fixture *no_manager(void)
{
    fixture *f = start();
    gp_err err = {0};

    want_ok_err(&err, flow_manager_close(f->m, &err));
    f->m = NULL;
    return f;
}

static void test_exactly_once(void **state)
{
    (void)state;
    fixture *f = no_manager();

    put(f->dir, "e0", 0, T0 + 10); /* no block yet */
    want_after_start("first block", f, 1, 0, T0 + 11);
    assert_false(there(f->dir, "e0"));
    want_after_start("nothing left", f, 0, 0, 0);
    put(f->dir, "e0", 0, T0 + 10); /* killed between block and removal */
    want_after_start("stale", f, 0, 0, 0);
    assert_false(there(f->dir, "e0"));
    put(f->dir, "e0", T0 + 11, T0 + 300);
    want_after_start("next interval", f, 1, 0, T0 + 301);
    put(f->dir, "e0", T0 + 301, T0); /* the clock was set back meanwhile */
    want_after_start("clock", f, 1, 0, T0 + 302);
    put(f->dir, "e0", T0 + 900, T0 + 950); /* a power loss took the last blocks */
    want_after_start("older database", f, 1, 0, T0 + 951);
    store(f->dir, "e0", T0 + 5000); /* someone else's blocks are later: in doubt, not twice */
    put(f->dir, "e0", T0 + 951, T0 + 4000);
    want_after_start("overtaken", f, 0, 0, 0);
    put(f->dir, "a", 0, T0 + 1);
    put(f->dir, "b", 0, T0 + 2);
    want_after_start("all interfaces", f, 2, 0, 0);
    end(f);
}

/* Damage: one line, nothing else lost. */
static void test_damaged(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        int cut, flip; /* bytes kept, or -1; byte to change, or -1 */
    } cases[] = {
        {"empty", 0, -1},      {"half a head", 20, -1}, {"torn", 100, -1},
        {"one byte", 200, -1}, {"magic", -1, 0},        {"version", -1, 4},
        {"time", -1, 17},      {"count", -1, 32},       {"checksum", -1, 44},
        {"counter", -1, 60},   {"last byte", -1, 200},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        fixture *f = no_manager();
        GP_CLEANUP(gp_freep) char *path = flow_checkpoint_path(f->dir, "bad");
        size_t n;
        put(f->dir, "bad", 0, T0);
        put(f->dir, "good", 0, T0);
        GP_CLEANUP(gp_freep) char *b = test_slurp(path, &n);
        assert_int_equal(n, 201);
        if (cases[i].flip >= 0)
            b[cases[i].flip] ^= 0x10;
        test_spew(path, b, cases[i].cut >= 0 ? (size_t)cases[i].cut : n);
        want_after_start(cases[i].what, f, 1, 1, T0 + 1);
        assert_non_null(strstr(f->s.text, "bad: checkpoint ignored, the flows in it are lost"));
        assert_false(there(f->dir, "bad"));
        want_after_start(cases[i].what, f, 0, 0, 0);
        end(f);
    }
}

/* Rows out of order with a right checksum: a foreign writer's; told, removed. */
static void test_unsorted(void **state)
{
    (void)state;
    fixture *f = no_manager();
    flow_checkpoint c = three_rows(0, T0);
    uint8_t twice[24];
    gp_err err = {0};

    put(f->dir, "e0", 0, T0);
    memcpy(twice, addr, sizeof twice);
    memcpy(twice, addr + 4, 4);
    memcpy(twice + 4, addr, 4);
    c.rows.sip = twice;
    want_ok_err(&err, flow_checkpoint_write(f->dir, "e0", &c, 0644, 0, &err));
    want_after_start("unsorted", f, 0, 1, 0);
    assert_false(there(f->dir, "e0"));
    end(f);
}

/* The file of an agent that runs is not ours. */
static void test_locked(void **state)
{
    (void)state;
    fixture *f = no_manager();
    godb_writer *w = NULL;
    gp_err err = {0};

    put(f->dir, "e0", 0, T0);
    want_ok_err(&err, godb_writer_open(f->dir, "e0", NULL, &w, &err));
    want_after_start("locked", f, 0, 0, 0);
    assert_true(there(f->dir, "e0"));
    godb_writer_close(w);
    want_after_start("free", f, 1, 0, T0 + 1);
    end(f);
}

/* A database that cannot be written at the start: the file waits, and comes before the first block.
 */
static void test_later(void **state)
{
    (void)state;
    fixture *f = no_manager();
    GP_CLEANUP(gp_freep) char *year = gp_asprintf("%s/v0/2023", f->dir);
    gp_err err = {0};
    uint8_t b[100];

    put(f->dir, "v0", 0, T0);
    test_spew(year, "in the way", 10);
    start_manager(f, &(flow_manager_opts){.interval_s = NO_BOUNDARY, .checkpoint_ms = EVERY_MS});
    assert_int_equal(atomic_load(&f->s.events[FLOW_EV_WRITE_FAILED]), 1);
    capture_one(f, "v0", &small_ring);
    int in = netns_raw("v1");
    netns_send(in, b, make_udp(b, 0, 1, 40000, 7));
    wait_event(f, FLOW_EV_CHECKPOINT_FAILED, 1, "the old one is not overwritten");
    assert_true(there(f->dir, "v0"));
    assert_int_equal(atomic_load(&f->s.events[FLOW_EV_RECOVERED]), 0);
    assert_int_equal(unlink(year), 0);
    wait_event(f, FLOW_EV_RECOVERED, 1, "recovered");
    want_ok_err(&err, flow_manager_close(f->m, &err));
    f->m = NULL;
    assert_int_equal(f->s.blocks, 2);
    assert_int_equal(f->s.counter[FLOW_PKTS_IN], 60 + 1);
    assert_int_equal(atomic_load(&f->s.events[FLOW_EV_CHECKPOINT_FAILED]), 1); /* told once */
    close(in);
    end(f);
}

/* ---- while capturing ---- */

/* Packets in the checkpoint of v0; 0 when there is none. */
static uint64_t saved_packets(const char *db, flow_checkpoint *c)
{
    GP_CLEANUP(gp_freep) char *path = flow_checkpoint_path(db, "v0");
    gp_buf b = {0};
    gp_err err = {0};
    uint64_t sum = 0;

    if (gp_read_file(AT_FDCWD, path, 1 << 24, &b, &err) == GP_OK) {
        want_ok_err(&err, flow_checkpoint_parse(b.data, b.len, c, &err));
        for (uint32_t i = 0; i < c->rows.n_v4 + c->rows.n_v6; i++)
            sum += c->rows.counter[FLOW_PKTS_IN][i];
    }
    gp_buf_free(&b);
    return sum;
}

static void wait_saved(fixture *f, uint64_t n)
{
    flow_checkpoint c;

    for (int i = 0; i < 1000; i++) {
        if (saved_packets(f->dir, &c) == n)
            return;
        (void)usleep(10000);
    }
    fail_msg("%" PRIu64 " packets in the checkpoint, want %" PRIu64, saved_packets(f->dir, &c), n);
}

/* Intervals come and go: the file always holds the running one, and none is left at the end. */
static void test_running(void **state)
{
    (void)state;
    fixture *f =
        start_with(&(flow_manager_opts){.interval_s = NO_BOUNDARY, .checkpoint_ms = EVERY_MS});
    GP_CLEANUP(gp_freep) char *path = flow_checkpoint_path(f->dir, "v0");
    char *kept = NULL;
    size_t n_kept = 0;
    uint8_t b[100];
    gp_err err = {0};

    capture_one(f, "v0", &small_ring);
    int in = netns_raw("v1");
    for (unsigned round = 1; round <= 3; round++) {
        for (unsigned i = 0; i < 200 * round; i++)
            netns_send(in, b, make_udp(b, i % 3 == 0, 1 + i % 10, 40000 + i, 7));
        wait_saved(f, 200ULL * round);
        if (round == 3) {
            kept = test_slurp(path, &n_kept);
            break;
        }
        flush(f);
        assert_false(there(f->dir, "v0"));
    }
    int before = atomic_load(&f->s.events[FLOW_EV_CHECKPOINT]);
    (void)usleep(EVERY_MS * 5000); /* nothing new: no further ones */
    assert_int_equal(atomic_load(&f->s.events[FLOW_EV_CHECKPOINT]), before);
    flow_checkpoint c;
    assert_int_equal(saved_packets(f->dir, &c), 600);
    assert_int_equal(c.after_s, f->s.last_s);
    want_ok_err(&err, flow_manager_close(f->m, &err));
    f->m = NULL;
    assert_false(there(f->dir, "v0"));
    assert_int_equal(f->s.counter[FLOW_PKTS_IN], 1200);
    test_spew(path, kept, n_kept); /* as if killed after the last block */
    want_after_start("stale", f, 0, 0, 0);
    gp_free(kept);
    close(in);
    end(f);
}

/* ---- a clock that is set while capture runs (D-32) ---- */

static void send_some(fixture *f, int fd, unsigned n, uint64_t *sent)
{
    uint8_t b[100];

    for (unsigned i = 0; i < n; i++)
        netns_send(fd, b, make_udp(b, i & 1, 1 + i % 5, 40000 + i % 7, 7));
    *sent += n;
    wait_processed(f, "v0", *sent);
}

static void test_clock_steps(void **state)
{
    (void)state;
    enum { I = 300, B = 1700000100 / I * I }; /* interval, a boundary */
    static const struct {
        const char *what;
        int64_t set_s;    /* the clock is set to */
        int writes, says; /* a write-out follows; an event tells of the step */
        int64_t block_s;  /* its timestamp */
    } steps[] = {
        {"inside an interval", B + 20, 0, 0, 0},
        {"the boundary", B + 300, 1, 0, B + 300},
        {"forward over three", B + 1217, 1, 1, B + 1200},
        {"boundary after that", B + 1500, 1, 0, B + 1500},
        {"forward inside", B + 1790, 0, 0, 0},
        {"boundary", B + 1801, 1, 0, B + 1800},
        {"back inside", B + 1799, 0, 1, 0},
        {"the same boundary again", B + 1800, 1, 0, B + 1801},
        {"back two hours", B - 7190, 0, 1, 0},
        {"aligned in the new time", B - 6900, 1, 0, B + 1802},
        {"and again", B - 6600, 1, 0, B + 1803},
        {"back to right", B + 2105, 1, 1, B + 2100},
        {"as before", B + 2400, 1, 0, B + 2400},
        {"a day forward", B + 2400 + 86400, 1, 1, B + 2400 + 86400},
    };
    fixture *f = gp_calloc(1, sizeof *f);
    uint64_t sent = 0, blocks = 0;
    int told = 0;
    gp_err err = {0};

    init(f);
    atomic_store(&f->s.wall_s, B + 10);
    start_manager(f, &(flow_manager_opts){.interval_s = I, .wall_ns = test_clock});
    capture_one(f, "v0", &small_ring);
    int in = netns_raw("v1");
    for (size_t i = 0; i < COUNT(steps); i++) {
        uint64_t before = sent;
        send_some(f, in, 10 + (unsigned)i, &sent);
        atomic_store(&f->s.wall_s, steps[i].set_s);
        blocks += (uint64_t)steps[i].writes;
        told += steps[i].says;
        if (steps[i].writes)
            wait_event(f, FLOW_EV_WRITTEN, (int)blocks, steps[i].what);
        wait_event(f, FLOW_EV_CLOCK, told, steps[i].what);
        (void)usleep(30000); /* several looks at the clock: nothing more follows */
        pthread_mutex_lock(&f->s.mu);
        uint64_t stored = f->s.counter[FLOW_PKTS_IN];
        if (f->s.blocks != blocks || (steps[i].writes && f->s.last_s != steps[i].block_s) ||
            (steps[i].writes ? stored != sent : stored > before) ||
            atomic_load(&f->s.events[FLOW_EV_CLOCK]) != told)
            fail_msg("%s: %" PRIu64 " blocks, want %" PRIu64 "; last at B%+" PRId64 "; %" PRIu64
                     " packets of %" PRIu64,
                     steps[i].what, f->s.blocks, blocks, f->s.last_s - B, stored, sent);
        pthread_mutex_unlock(&f->s.mu);
        flow_manager_info info;
        flow_manager_info_get(f->m, &info);
        assert_int_equal(info.next_writeout_s, (steps[i].set_s / I + 1) * I);
    }
    want_ok_err(&err, flow_manager_close(f->m, &err));
    f->m = NULL;
    assert_int_equal(f->s.counter[FLOW_PKTS_IN], sent);
    close(in);
    end(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),  cmocka_unit_test(test_exactly_once),
        cmocka_unit_test(test_damaged), cmocka_unit_test(test_unsorted),
        cmocka_unit_test(test_locked),  cmocka_unit_test(test_later),
        cmocka_unit_test(test_running), cmocka_unit_test(test_clock_steps),
    };
    if (!netns_enter())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
