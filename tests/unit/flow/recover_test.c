/* recover_test.c - checkpoints: what a crash left is stored exactly once, damage is told and costs
 * nothing else. */
#include "capturing.h"

#include "checkpoint.h"
#include "flow/worker.h"
#include "godb/day.h"
#include "godb/writer.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { T0 = 1700000100 };

/* ---- a checkpoint with two IPv4 rows and one IPv6 row ---- */

static const uint8_t addr[24] = {10, 0, 0, 1, 10, 0, 0, 2, 0x20, 1, 0xd, 0xb8, [23] = 7};
static const uint8_t dport[6] = {0, 53, 1, 187, 0, 80}, proto[3] = {17, 6, 6};
static const uint64_t counter[4][3] = {
    {100, 200, 300}, {1, 2, 3}, {10, 20, 30}, {7, 8, 1ull << 40}};

static const godb_rows three_rows = {.n_v4 = 2,
                                     .n_v6 = 1,
                                     .sip = addr,
                                     .dip = addr,
                                     .proto = proto,
                                     .dport = dport,
                                     .counter = {counter[0], counter[1], counter[2], counter[3]}};

enum { RECORDS = 2 * FLOW_CHECKPOINT_V4_BYTES + FLOW_CHECKPOINT_V6_BYTES };

/* Record k of the three: its place. */
static uint8_t *record(uint8_t *records, size_t k)
{
    return records + k * FLOW_CHECKPOINT_V4_BYTES;
}

/* The three rows as godb-format.md 8 has them. */
static void make_records(uint8_t records[RECORDS])
{
    for (size_t k = 0; k < 3; k++) {
        uint8_t *p = record(records, k);
        size_t n = k < 2 ? 4 : 16;
        memcpy(p, addr + 4 * k, n);
        memcpy(p + n, addr + 4 * k, n);
        memcpy(p + 2 * n, dport + 2 * k, 2);
        p[2 * n + 2] = proto[k];
        for (size_t c = 0; c < 4; c++)
            gp_put_le64(p + 2 * n + 3 + 8 * c, counter[c][k]);
    }
}

/* All in one slice. */
static gp_status one_slice(void *ctx, flow_bank **slice, gp_err *err)
{
    flow_bank **bank = ctx;
    (void)err;
    *slice = *bank;
    *bank = NULL;
    return GP_OK;
}

static gp_status no_slice(void *ctx, flow_bank **slice, gp_err *err)
{
    (void)ctx;
    (void)slice;
    return gp_fail(err, GP_ECANCELLED, 0, "no more");
}

static void put_records(const char *db, const char *iface, int64_t after_s, int64_t taken_s,
                        const uint8_t records[RECORDS])
{
    GP_CLEANUP(gp_freep) char *dir = gp_asprintf("%s/%s", db, iface);
    flow_checkpoint c = {.after_s = after_s,
                         .taken_s = taken_s,
                         .drops = 5,
                         .n_v4 = 2,
                         .n_v6 = 1,
                         .records = records};
    flow_bank *bank = NULL;
    gp_err err = {0};

    (void)mkdir(dir, 0755);
    want_ok_err(&err, flow_checkpoint_bank(&c, &bank, &err));
    want_ok_err(&err, flow_checkpoint_write(db, iface, &c, one_slice, &bank, 0640, 0, &err));
}

static void put(const char *db, const char *iface, int64_t after_s, int64_t taken_s)
{
    uint8_t records[RECORDS];

    make_records(records);
    put_records(db, iface, after_s, taken_s, records);
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
    gp_err err = {0};

    want_ok_err(&err, godb_writer_open(db, iface, NULL, &w, &err));
    want_ok_err(&err, godb_writer_append(w, time_s, &three_rows, 0, &err));
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
    assert_int_equal(n, FLOW_CHECKPOINT_HEAD + RECORDS);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    memcpy(b, good, n);
    want_ok_err(&err, flow_checkpoint_parse((uint8_t *)b, n, &c, &err));
    assert_int_equal(c.after_s, T0);
    assert_int_equal(c.taken_s, T0 + 99);
    assert_int_equal(c.drops, 5);
    assert_int_equal(c.n_v4, 2);
    assert_int_equal(c.n_v6, 1);
    uint8_t records[RECORDS];
    make_records(records);
    assert_memory_equal(c.records, records, RECORDS);
    for (size_t i = 0; i < n; i++) { /* every flipped bit of a byte, every length */
        memcpy(b, good, n);
        b[i] = (char)(b[i] ^ 1 << i % 8);
        want_err(GP_ECORRUPT, &err, "", flow_checkpoint_parse((uint8_t *)b, n, &c, &err));
        memcpy(b, good, n);
        want_err(GP_ECORRUPT, &err, "", flow_checkpoint_parse((uint8_t *)b, i, &c, &err));
    }
    want_err(GP_ECORRUPT, &err, "", flow_checkpoint_parse((uint8_t *)b, n + 1, &c, &err));
    /* a write that fails leaves the old one, and nothing else */
    GP_CLEANUP(gp_freep) char *temp = gp_asprintf("%s.tmp", path);
    want_err(GP_ECANCELLED, &err, "no more",
             flow_checkpoint_write(db, "e0", &c, no_slice, NULL, 0640, 1, &err));
    assert_int_not_equal(access(temp, F_OK), 0);
    size_t left;
    GP_CLEANUP(gp_freep) char *still = test_slurp(path, &left);
    assert_int_equal(left, n);
    assert_memory_equal(still, good, n);
    memcpy(b, good, n);
    b[4] = 1;
    want_err(GP_ECORRUPT, &err, "version 1, expected 2",
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

/* Packets that were dropped, of all blocks of an interface. */
static uint64_t stored_drops(const char *root, const char *iface)
{
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    godb_days days = {0};
    uint64_t sum = 0;
    gp_err err = {0};

    want_ok_err(&err, godb_db_open(root, &db, &err));
    want_ok_err(&err, godb_db_days(db, iface, 0, INT64_MAX, &days, &err));
    for (size_t k = 0; k < days.n; k++) {
        GP_CLEANUP(godb_day_closep) godb_day *d = NULL;
        want_ok_err(&err, godb_day_open(db, &days.v[k], &d, &err));
        for (size_t b = 0; b < godb_day_n_blocks(d); b++)
            sum += godb_day_block(d, b)->drops;
    }
    godb_days_free(&days);
    return sum;
}

static void test_exactly_once(void **state)
{
    (void)state;
    fixture *f = no_manager();

    put(f->dir, "e0", 0, T0 + 10); /* no block yet */
    want_after_start("first block", f, 1, 0, T0 + 11);
    assert_int_equal(stored_drops(f->dir, "e0"), 5);
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
    static const int64_t times[][2] = {{-1, T0}, {0, 0}, {0, -5}, {0, INT64_MAX - 86400}};
    for (size_t i = 0; i < COUNT(times); i++) { /* whole, but of no time */
        fixture *f = no_manager();
        put(f->dir, "bad", times[i][0], times[i][1]);
        want_after_start("times", f, 0, 1, 0);
        assert_non_null(strstr(f->s.text, "bad: checkpoint ignored"));
        end(f);
    }
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

/* Killed while a checkpoint was written: what it was written as goes, with and without an older
 * one, whether the interface is captured again or not. */
static void test_half_written(void **state)
{
    (void)state;
    fixture *f = no_manager();
    GP_CLEANUP(gp_freep) char *e0 = gp_asprintf("%s/e0/.checkpoint.tmp", f->dir);
    GP_CLEANUP(gp_freep) char *e1 = gp_asprintf("%s/e1/.checkpoint.tmp", f->dir);

    put(f->dir, "e0", 0, T0);
    put(f->dir, "e1", 0, T0);
    want_after_start("whole ones", f, 2, 0, T0 + 1);
    put(f->dir, "e0", T0 + 1, T0 + 10);
    test_spew(e0, "GPCK", 4);
    test_spew(e1, "GPCK", 4);
    want_after_start("half written", f, 1, 0, T0 + 11);
    assert_int_not_equal(access(e0, F_OK), 0);
    assert_int_not_equal(access(e1, F_OK), 0);
    end(f);
}

/* Entries come as they were made: unsorted, and several of a flow, which is stored once. */
static void test_unsorted(void **state)
{
    (void)state;
    fixture *f = no_manager();
    uint8_t records[RECORDS], t[FLOW_CHECKPOINT_V4_BYTES];

    make_records(records);
    memcpy(t, record(records, 0), sizeof t);
    memcpy(record(records, 0), record(records, 1), sizeof t);
    memcpy(record(records, 1), t, sizeof t);
    (void)mkdir(f->dir, 0755);
    put_records(f->dir, "e0", 0, T0, records);
    want_after_start("unsorted", f, 1, 0, T0 + 1);
    assert_int_equal(f->s.flows[0], 2);
    assert_int_equal(f->s.flows[1], 1);
    memcpy(record(records, 1), record(records, 0), 11); /* the key */
    put_records(f->dir, "e1", 0, T0, records);
    want_after_start("twice", f, 1, 0, T0 + 1);
    assert_int_equal(f->s.flows[0], 2 + 1);
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
    assert_int_equal(atomic_load(&f->s.events[FLOW_EV_WRITE_FAILED]), 0);
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
    (void)usleep(EVERY_MS * 5000); /* tried again and again, told once */
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
        GP_CLEANUP(flow_bank_unrefp) flow_bank *bank = NULL;
        uint64_t totals[FLOW_N_COUNTERS];
        want_ok_err(&err, flow_checkpoint_bank(c, &bank, &err));
        flow_bank_totals(bank, totals);
        sum = totals[FLOW_PKTS_IN];
    }
    gp_buf_free(&b);
    return sum;
}

static void wait_saved(fixture *f, uint64_t n)
{
    gp_deadline until = gp_deadline_in_ms(WAIT_MS);
    flow_checkpoint c;

    while (!gp_deadline_passed(until)) {
        if (saved_packets(f->dir, &c) == n)
            return;
        (void)usleep(LOOK_US);
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
    struct stat now, before;
    gp_deadline until = gp_deadline_in_ms(WAIT_MS);
    do { /* nothing new: no further ones, once the last packet is counted */
        assert_int_equal(stat(path, &before), 0);
        (void)usleep(EVERY_MS * 5000);
        assert_int_equal(stat(path, &now), 0);
    } while (memcmp(&now.st_mtim, &before.st_mtim, sizeof now.st_mtim) != 0 &&
             !gp_deadline_passed(until));
    assert_memory_equal(&now.st_mtim, &before.st_mtim, sizeof now.st_mtim);
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

/* A save that failed is made up for, also when nothing came since. */
static void test_no_room(void **state)
{
    (void)state;
    fixture *f =
        start_with(&(flow_manager_opts){.interval_s = NO_BOUNDARY, .checkpoint_ms = EVERY_MS});
    struct sigaction ignore = {.sa_handler = SIG_IGN}, as_before;
    struct rlimit none, before;
    uint8_t b[100];

    capture_one(f, "v0", &small_ring);
    int in = netns_raw("v1");
    assert_int_equal(sigaction(SIGXFSZ, &ignore, &as_before), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    none = (struct rlimit){FLOW_CHECKPOINT_HEAD + 1, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    for (unsigned i = 0; i < 10; i++)
        netns_send(in, b, make_udp(b, 0, i, 40000, 7));
    wait_processed(f, "v0", 10);
    wait_event(f, FLOW_EV_CHECKPOINT_FAILED, 1, "no room");
    assert_false(there(f->dir, "v0"));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(sigaction(SIGXFSZ, &as_before, NULL), 0);
    wait_saved(f, 10);
    close(in);
    end(f);
}

/* Packets without a place in the table are drops of the checkpoint, of this interval only. */
static void test_drops_are_saved(void **state)
{
    (void)state;
    enum { MORE = 3 * FLOW_ENTRIES_MIN };
    fixture *f = start_with(&(flow_manager_opts){
        .interval_s = NO_BOUNDARY, .max_entries = FLOW_ENTRIES_MIN, .checkpoint_ms = EVERY_MS});
    gp_deadline until = gp_deadline_in_ms(WAIT_MS);
    flow_checkpoint c = {0};
    flow_status now;
    uint8_t b[100];
    capture_conf conf = small_ring;

    conf.num_blocks = 16;
    capture_one(f, "v0", &conf);
    int in = netns_raw("v1");
    for (unsigned i = 0; i < MORE; i++)
        netns_send(in, b, make_udp(b, 0, i, 40000, 7));
    wait_event(f, FLOW_EV_WRITTEN, 1, "early write-out"); /* the next one is not within 10 s */
    for (unsigned i = 0; i < MORE; i++)
        netns_send(in, b, make_udp(b, 0, i, 40000, 7));
    do { /* a busy machine may drop some */
        (void)usleep(LOOK_US);
        now = status_of(f, "v0");
    } while (now.total.capture.processed + now.total.capture.dropped + now.total.lost < 2 * MORE &&
             !gp_deadline_passed(until));
    uint64_t lost = now.total.lost + now.total.capture.dropped - f->s.drops;
    assert_in_range(lost, 1, MORE);
    while ((saved_packets(f->dir, &c) == 0 || c.drops != lost) && !gp_deadline_passed(until))
        (void)usleep(LOOK_US);
    assert_int_equal(c.drops, lost);
    /* a capture that is opened anew counts from 0, and so do its blocks */
    flush(f);
    uint64_t all = f->s.drops;
    conf.num_blocks *= 2;
    capture_one(f, "v0", &conf);
    for (unsigned i = 0; i < 10; i++)
        netns_send(in, b, make_udp(b, 0, i, 40000, 7));
    wait_processed(f, "v0", 10);
    flush(f);
    assert_int_equal(f->s.drops, all);
    close(in);
    end(f);
}

/* Each interface has its turn, and all of them together at most a quarter of the time, however
 * often they want to be saved. */
static void test_turns(void **state)
{
    (void)state;
    enum { FLOWS = 8000, TIMES = 8 };
    static const char *const names[] = {"v0", "v1"};
    fixture *f = start_with(&(flow_manager_opts){.interval_s = NO_BOUNDARY, .checkpoint_ms = 1});
    gp_deadline until = gp_deadline_in_ms(WAIT_MS);
    uint8_t b[100];
    gp_err err = {0};

    (void)apply(f, names, COUNT(names), &small_ring, NULL);
    wait_event(f, FLOW_EV_OPENED, COUNT(names), "start");
    (void)usleep(5000);
    int in = netns_raw("v1");
    for (unsigned i = 0; i < FLOWS; i++)
        netns_send(in, b, make_udp(b, 0, i, 40000, 7));
    int from = atomic_load(&f->s.events[FLOW_EV_CHECKPOINT]);
    while ((atomic_load(&f->s.events[FLOW_EV_CHECKPOINT]) < from + TIMES || !there(f->dir, "v0") ||
            !there(f->dir, "v1")) &&
           !gp_deadline_passed(until))
        netns_send(in, b, make_udp(b, 0, 1, 40000, 7)); /* always something new on both */
    assert_true(there(f->dir, "v0") && there(f->dir, "v1"));
    want_ok_err(&err, flow_manager_close(f->m, &err));
    f->m = NULL;
    assert_true(f->s.checkpoint.n >= TIMES);
    /* a thread that was stopped between a checkpoint and telling of it looks early */
    assert_in_range(f->s.checkpoint.early, 0, f->s.checkpoint.n / 4);
    close(in);
    end(f);
}

/* ---- slices of the running interval ---- */

static flow_worker *start_worker(uint64_t flows)
{
    flow_worker *w = NULL;
    flow_worker_counts now = {0};
    uint8_t b[100];
    capture_conf conf = small_ring;
    gp_err err = {0};

    conf.num_blocks = 16;
    want_ok_err(&err,
                flow_worker_start(&(flow_worker_opts){.iface = "v0", .conf = &conf}, &w, &err));
    (void)usleep(5000);
    int in = netns_raw("v1");
    for (uint64_t i = 0; i < flows; i++)
        netns_send(in, b,
                   make_udp(b, i % 2, (unsigned)i % 60000, 40000 + (unsigned)(i / 60000), 7));
    close(in);
    gp_deadline until = gp_deadline_in_ms(WAIT_MS);
    while (now.capture.processed < flows && !gp_deadline_passed(until)) {
        (void)usleep(1000);
        flow_worker_counts_get(w, &now);
    }
    assert_int_equal(now.capture.processed, flows);
    return w;
}

/* Every entry once, in pieces much smaller than the whole, and not of another interval. */
static void test_slices(void **state)
{
    (void)state;
    enum { FLOWS = 40000, MOST = 16384 };
    flow_worker *w = start_worker(FLOWS);
    flow_slices at = {0};
    flow_bank *b = NULL, *ended = NULL;
    size_t n = 0, slices = 0;
    uint64_t packets = 0, totals[FLOW_N_COUNTERS];
    gp_err err = {0};

    for (; !at.last; slices++) {
        want_ok_err(&err, flow_worker_slice(w, &at, &b, &err));
        assert_in_range(flow_bank_count(b), 1, MOST);
        n += flow_bank_count(b);
        flow_bank_totals(b, totals);
        packets += totals[FLOW_PKTS_IN];
        flow_bank_unref(b);
    }
    flow_slices_free(&at);
    assert_int_equal(n, FLOWS);
    assert_int_equal(packets, FLOWS);
    assert_in_range(slices, 3, 4);
    want_ok_err(&err, flow_worker_slice(w, &at, &b, &err));
    flow_bank_unref(b);
    want_ok_err(&err, flow_worker_rotate(w, &ended, NULL, &err));
    b = NULL;
    want_err(GP_ECANCELLED, &err, "the interval has ended", flow_worker_slice(w, &at, &b, &err));
    assert_null(b);
    assert_int_equal(flow_bank_count(ended), FLOWS);
    flow_slices_free(&at);
    flow_bank_unref(ended);
    flow_worker_stop(w);
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
        wait_planned(f, (steps[i].set_s / I + 1) * I);
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
        cmocka_unit_test(test_format),   cmocka_unit_test(test_exactly_once),
        cmocka_unit_test(test_damaged),  cmocka_unit_test(test_half_written),
        cmocka_unit_test(test_unsorted), cmocka_unit_test(test_locked),
        cmocka_unit_test(test_later),    cmocka_unit_test(test_running),
        cmocka_unit_test(test_no_room),  cmocka_unit_test(test_drops_are_saved),
        cmocka_unit_test(test_turns),    cmocka_unit_test(test_clock_steps),
        cmocka_unit_test(test_slices),
    };
    if (!netns_enter())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
