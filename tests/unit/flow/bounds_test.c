/* bounds_test.c - what is bounded stays so and is told: full tables, full rings, slow and failing
 * disks (capture.md 4.9, 11). */
#include "capturing.h"

#include "godb/day.h"
#include "godb/writer.h"

#include <signal.h>
#include <sys/resource.h>

static void wait_stalled(fixture *f, const char *what)
{
    gp_deadline until = gp_deadline_in_ms(WAIT_MS);

    while (!gp_deadline_passed(until)) {
        if (atomic_load(&f->s.stalled))
            return;
        (void)usleep(LOOK_US);
    }
    fail_msg("not reached: %s", what);
}

static void send_flows(int fd, unsigned first, unsigned n)
{
    uint8_t b[100];

    for (unsigned i = first; i < first + n; i++)
        netns_send(fd, b, make_udp(b, 0, 1 + i % 1000, 40000 + i / 1000, 7));
}

/* The capture thread is held up until its ring overflows: every packet is in a flow or counted as
 * dropped, and the blocks hold exactly the drops, whoever asks for status meanwhile (D-10, L-10).
 * What holds it up is the full table, which is written early (D-17). */
static void test_drops(void **state)
{
    (void)state;
    enum { FLOWS = 1200, BURST = 40000 };
    fixture *f = start_with(
        &(flow_manager_opts){.interval_s = NO_BOUNDARY, .max_entries = FLOW_ENTRIES_MIN});
    capture_conf conf = small_ring;
    gp_err err = {0};

    conf.num_blocks = 2;
    capture_one(f, "v0", &conf);
    int in = netns_raw("v1");
    atomic_store(&f->s.stall_at, 1 + FLOW_EV_FULL);
    send_flows(in, 0, FLOWS);
    wait_stalled(f, "full table");
    send_flows(in, 0, BURST);
    for (int i = 0; i < 3; i++)
        (void)status_of(f, "v0");
    atomic_store(&f->s.stall_at, 0);
    wait_event(f, FLOW_EV_WRITTEN, 1, "early write-out");
    send_flows(in, 0, 10);
    flow_status s = {0};
    gp_deadline until = gp_deadline_in_ms(WAIT_MS);
    while (!gp_deadline_passed(until)) {
        s = status_of(f, "v0");
        if (s.total.capture.received == FLOWS + BURST + 10 &&
            s.total.capture.processed + s.total.capture.dropped + s.total.lost ==
                FLOWS + BURST + 10)
            break;
        (void)usleep(LOOK_US);
    }
    assert_int_equal(s.total.capture.received, FLOWS + BURST + 10);
    assert_true(s.total.capture.dropped > 1000);
    assert_int_equal(s.total.capture.processed + s.total.capture.dropped + s.total.lost,
                     FLOWS + BURST + 10);
    assert_true(s.total.shared > 0 && s.total.entries <= FLOW_ENTRIES_MIN * 9 / 8);
    want_ok_err(&err, flow_manager_close(f->m, &err));
    f->m = NULL;
    assert_int_equal(f->s.counter[FLOW_PKTS_IN] + f->s.drops, FLOWS + BURST + 10);
    assert_int_equal(f->s.drops, s.total.capture.dropped + s.total.lost); /* 4.9 */
    assert_true(atomic_load(&f->s.events[FLOW_EV_FULL]) >= 1);
    close(in);
    end(f);
}

/* Packets that find no room in the table are not among those processed: received = processed +
 * dropped + lost (1.8), and the drops of the blocks are what is missing in them (4.9). Early
 * write-outs make room for a few thousand of them at most. */
static void test_overflow(void **state)
{
    (void)state;
    enum { PORTS = 8000 };
    fixture *f = start_with(
        &(flow_manager_opts){.interval_s = NO_BOUNDARY, .max_entries = FLOW_ENTRIES_MIN});
    gp_err err = {0};
    uint8_t b[100];

    capture_one(f, "v0", &small_ring);
    int in = netns_raw("v1");
    for (unsigned i = 0; i < PORTS; i++)
        netns_send(in, b, make_udp(b, 0, 1, 40000, 1 + i));
    flow_status s = {0};
    gp_deadline until = gp_deadline_in_ms(WAIT_MS);
    do {
        (void)usleep(LOOK_US);
        s = status_of(f, "v0");
    } while (!gp_deadline_passed(until) &&
             (s.total.capture.received != PORTS ||
              s.total.capture.processed + s.total.capture.dropped + s.total.lost != PORTS));
    assert_int_equal(s.total.capture.processed + s.total.capture.dropped + s.total.lost, PORTS);
    assert_int_equal(s.total.capture.received, PORTS);
    assert_true(s.total.lost > 0);
    want_ok_err(&err, flow_manager_close(f->m, &err));
    f->m = NULL;
    assert_int_equal(f->s.counter[FLOW_PKTS_IN], s.total.capture.processed);
    assert_int_equal(f->s.drops, s.total.capture.dropped + s.total.lost);
    close(in);
    end(f);
}

/* A table that fills up in every interval is told of in every interval. */
static void test_full_again(void **state)
{
    (void)state;
    fixture *f = start_with(
        &(flow_manager_opts){.interval_s = NO_BOUNDARY, .max_entries = FLOW_ENTRIES_MIN});

    capture_one(f, "v0", &small_ring);
    int in = netns_raw("v1");
    for (int i = 1; i <= 3; i++) {
        send_flows(in, 0, FLOW_ENTRIES_MIN + 100);
        wait_event(f, FLOW_EV_FULL, i, "full table");
        wait_processed(f, "v0", (uint64_t)i * (FLOW_ENTRIES_MIN + 100));
        flush(f);
    }
    assert_int_equal(atomic_load(&f->s.events[FLOW_EV_FULL]), 3);
    assert_int_equal(f->s.counter[FLOW_PKTS_IN], 3 * (FLOW_ENTRIES_MIN + 100));
    close(in);
    end(f);
}

/* A write that takes long holds nobody up but other writes: rotations go on, status and live rows
 * answer (D-11), and everything is stored in the end. */
static void test_slow_disk(void **state)
{
    (void)state;
    fixture *f = gp_calloc(1, sizeof *f);
    godb_rows rows;
    int64_t t, upto;
    void *h = NULL;
    gp_err err = {0};

    init(f);
    atomic_store(&f->s.wall_s, 1700000000);
    start_manager(f, &(flow_manager_opts){.interval_s = 1, .wall_ns = test_clock});
    capture_one(f, "v0", &small_ring);
    int in = netns_raw("v1");
    send_flows(in, 0, 100);
    wait_processed(f, "v0", 100);
    atomic_store(&f->s.stall_at, STALL_ROWS);
    atomic_store(&f->s.wall_s, 1700000001);
    wait_stalled(f, "writing");
    send_flows(in, 0, 100);
    wait_processed(f, "v0", 200); /* which asks for status */
    for (int i = 2; i <= 3; i++) {
        wait_planned(f, 1700000000 + i);
        atomic_store(&f->s.wall_s, 1700000000 + i);
        wait_event(f, FLOW_EV_ROTATION, i, "rotation");
    }
    assert_int_equal(status_of(f, "v0").pending_blocks, 3);
    flow_manager_info info;
    flow_manager_info_get(f->m, &info);
    assert_int_equal(info.last_scheduled_s, 1700000003);
    want_ok_err(&err, flow_manager_live_get(f->m, "v0", &rows, &t, &upto, &h, &err));
    uint64_t live = 0;
    for (uint32_t i = 0; i < rows.n_v4; i++)
        live += rows.counter[FLOW_PKTS_IN][i];
    assert_int_equal(live, 200); /* the block that is being written counts as memory */
    flow_manager_live_release(f->m, h);
    (void)usleep(150000); /* more than a tenth of the interval since the last rotation */
    atomic_store(&f->s.stall_at, 0);
    wait_event(f, FLOW_EV_SLOW, 1, "told");
    want_ok_err(&err, flow_manager_close(f->m, &err));
    f->m = NULL;
    assert_int_equal(f->s.counter[FLOW_PKTS_IN], 200);
    close(in);
    end(f);
}

/* While nothing can be written, memory is bounded: the oldest intervals are given up and counted,
 * the newest are stored (D-15). */
static void test_given_up(void **state)
{
    (void)state;
    enum { ROUNDS = 4, PER_ROUND = 500 };
    fixture *f = start_with(&(flow_manager_opts){.interval_s = NO_BOUNDARY, .keep_bytes = 1});
    GP_CLEANUP(gp_freep) char *dir = gp_asprintf("%s/v0", f->dir);
    flow_manager_info info;
    gp_err err = {0};

    test_spew(dir, "in the way", 10);
    capture_one(f, "v0", &small_ring);
    int in = netns_raw("v1");
    for (unsigned i = 0; i < ROUNDS; i++) {
        send_flows(in, 0, PER_ROUND);
        wait_processed(f, "v0", (i + 1) * PER_ROUND);
        want_err(GP_EIO, &err, "the flows are kept",
                 flow_manager_flush(f->m, NULL, 0, FLUSH_MS, &err));
    }
    flow_manager_info_get(f->m, &info);
    assert_true(info.write_failing);
    /* all but the newest; that of the last round may still be on its way out */
    assert_in_range(info.flows_lost, (ROUNDS - 2) * PER_ROUND, (ROUNDS - 1) * PER_ROUND);
    assert_int_equal(info.flows_lost % PER_ROUND, 0);
    assert_true(status_of(f, "v0").pending_blocks >= 1);
    assert_int_equal(unlink(dir), 0);
    want_ok_err(&err, flow_manager_finish(f->m, &err));
    flow_manager_info_get(f->m, &info);
    assert_int_equal(info.flows_lost,
                     (uint64_t)atomic_load(&f->s.events[FLOW_EV_LOST]) * PER_ROUND);
    assert_int_equal(f->s.counter[FLOW_PKTS_IN] + info.flows_lost, ROUNDS * PER_ROUND);
    close(in);
    end(f);
}

/* At the end there is no later: what cannot be written after a few tries is lost, and that is said.
 */
static void test_end_without_disk(void **state)
{
    (void)state;
    enum { FLOWS = 30 };
    fixture *f = start();
    GP_CLEANUP(gp_freep) char *dir = gp_asprintf("%s/v0", f->dir);
    flow_manager_info info;
    gp_err err = {0};

    test_spew(dir, "in the way", 10);
    capture_one(f, "v0", &small_ring);
    int in = netns_raw("v1");
    send_flows(in, 0, FLOWS);
    wait_processed(f, "v0", FLOWS);
    want_err(GP_EIO, &err, "", flow_manager_flush(f->m, NULL, 0, FLUSH_MS, &err));
    want_err(GP_EIO, &err, "30 flows could not be written", flow_manager_finish(f->m, &err));
    flow_manager_info_get(f->m, &info);
    assert_int_equal(info.flows_lost, FLOWS);
    assert_int_equal(atomic_load(&f->s.events[FLOW_EV_LOST]), 1);
    assert_true(atomic_load(&f->s.events[FLOW_EV_WRITE_FAILED]) >= 2); /* it was tried again */
    close(in);
    end(f);
}

/* Memory of blocks that were written does not count any more: later failures have all of it. */
static void test_written_is_forgotten(void **state)
{
    (void)state;
    enum { GOOD = 9, BAD = 2, PACKETS = 10 };
    fixture *f = start_with(&(flow_manager_opts){.interval_s = NO_BOUNDARY, .keep_bytes = 2 << 20});
    struct rlimit none, before;
    gp_err err = {0};

    capture_one(f, "v0", &small_ring);
    int in = netns_raw("v1");
    struct sigaction ignore = {.sa_handler = SIG_IGN}, as_before;
    assert_int_equal(sigaction(SIGXFSZ, &ignore, &as_before), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    none = (struct rlimit){0, before.rlim_max};
    for (unsigned i = 1; i <= GOOD + BAD; i++) {
        send_flows(in, 0, PACKETS);
        wait_processed(f, "v0", i * PACKETS);
        if (i == GOOD + 1) /* from now on no file grows */
            assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
        gp_status st = flow_manager_flush(f->m, NULL, 0, FLUSH_MS, &err);
        if (st != (i <= GOOD ? GP_OK : GP_EIO))
            fail_msg("write-out %u: %s %s", i, gp_status_name(st), err.msg);
    }
    assert_int_equal(status_of(f, "v0").pending_blocks, BAD);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(sigaction(SIGXFSZ, &as_before, NULL), 0);
    want_ok_err(&err, flow_manager_close(f->m, &err));
    f->m = NULL;
    assert_int_equal(f->s.counter[FLOW_PKTS_IN], (GOOD + BAD) * PACKETS);
    assert_int_equal(atomic_load(&f->s.events[FLOW_EV_WRITE_OK]), 1);
    assert_int_equal(atomic_load(&f->s.events[FLOW_EV_LOST]), 0);
    close(in);
    end(f);
}

/* Somebody else stored later blocks before our first one: ours comes behind them (4.6). A day that
 * cannot be read is set aside, which is told, and the block is stored. */
static void test_foreign_blocks(void **state)
{
    (void)state;
    enum { LATER_S = 4000000200 };
    fixture *f = start();
    godb_writer *w = NULL;
    const godb_rows none = {0};
    gp_err err = {0};
    char line[300];

    capture_one(f, "v0", &small_ring);
    want_ok_err(&err, godb_writer_open(f->dir, "v0", NULL, &w, &err));
    want_ok_err(&err, godb_writer_append(w, LATER_S, &none, 0, &err));
    godb_writer_close(w);
    int in = netns_raw("v1");
    send_flows(in, 0, 10);
    wait_processed(f, "v0", 10);
    flush(f);
    assert_int_equal(f->s.last_s, LATER_S + 1);
    assert_int_equal(atomic_load(&f->s.events[FLOW_EV_NOTE]), 0);
    (void)snprintf(line, sizeof line, "find %s/v0 -name .blockmeta -exec truncate -s 10 {} ;",
                   f->dir);
    assert_int_equal(netns_run(line), 0);
    send_flows(in, 0, 10);
    wait_processed(f, "v0", 20);
    flush(f);
    assert_int_equal(f->s.last_s, LATER_S + 2);
    assert_int_equal(f->s.counter[FLOW_PKTS_IN], 20);
    assert_int_equal(atomic_load(&f->s.events[FLOW_EV_NOTE]), 1);
    if (!strstr(f->s.text, "v0: v0/") || !strstr(f->s.text, "is damaged"))
        fail_msg("told: %s", f->s.text);
    (void)snprintf(line, sizeof line, "rm -r %s.quarantine", f->dir);
    assert_int_equal(netns_run(line), 0);
    close(in);
    end(f);
}

/* Blocks of v0 in a database. */
static size_t stored_blocks(const char *root)
{
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    godb_days days = {0};
    size_t n = 0;
    gp_err err = {0};

    want_ok_err(&err, godb_db_open(root, &db, &err));
    want_ok_err(&err, godb_db_days(db, "v0", 0, INT64_MAX, &days, &err));
    for (size_t k = 0; k < days.n; k++) {
        GP_CLEANUP(godb_day_closep) godb_day *d = NULL;
        want_ok_err(&err, godb_day_open(db, &days.v[k], &d, &err));
        n += godb_day_n_blocks(d);
    }
    godb_days_free(&days);
    return n;
}

/* One more block; where it and those before it are, and how often a move was told. */
static void want_stored(fixture *f, int in, const char *what, size_t blocks, int notes)
{
    send_flows(in, 0, 10);
    flush(f);
    size_t n = stored_blocks(f->dir);
    int told = atomic_load(&f->s.events[FLOW_EV_NOTE]);
    if (n != blocks || told != notes)
        fail_msg("%s: %zu blocks, told %d times, want %zu and %d", what, n, told, blocks, notes);
}

/* Deleted or moved away, the database is made again where it was; when it comes back, it is used
 * again. What cannot be written meanwhile waits. A directory left behind has no checkpoint. */
static void test_moved_database(void **state)
{
    (void)state;
    fixture *f =
        start_with(&(flow_manager_opts){.interval_s = NO_BOUNDARY, .checkpoint_ms = EVERY_MS});
    GP_CLEANUP(gp_freep) char *old = gp_asprintf("%s.old", f->dir);
    GP_CLEANUP(gp_freep) char *left = gp_asprintf("%s/v0/.checkpoint", old);
    GP_CLEANUP(gp_freep) char *iface = gp_asprintf("%s/v0", f->dir);
    gp_err err = {0};

    capture_one(f, "v0", &small_ring);
    int in = netns_raw("v1");
    want_stored(f, in, "start", 1, 0);
    send_flows(in, 0, 10);
    wait_event(f, FLOW_EV_CHECKPOINT, atomic_load(&f->s.events[FLOW_EV_CHECKPOINT]) + 1, "saved");
    assert_int_equal(rename(f->dir, old), 0);
    want_stored(f, in, "moved", 1, 1);
    assert_int_equal(stored_blocks(old), 1);
    assert_int_not_equal(access(left, F_OK), 0);
    test_rmtree(f->dir);
    assert_int_equal(rename(old, f->dir), 0);
    want_stored(f, in, "came back", 2, 2);
    test_rmtree(iface);
    want_stored(f, in, "interface deleted", 1, 3);
    test_rmtree(f->dir);
    want_stored(f, in, "deleted", 1, 4);
    assert_int_equal(atomic_load(&f->s.events[FLOW_EV_WRITE_FAILED]), 0);

    assert_int_equal(rename(f->dir, old), 0);
    test_spew(f->dir, "in the way", 10);
    send_flows(in, 0, 10);
    want_err(GP_EIO, &err, "", flow_manager_flush(f->m, NULL, 0, FLUSH_MS, &err));
    assert_int_equal(unlink(f->dir), 0);
    assert_int_equal(rename(old, f->dir), 0);
    want_stored(f, in, "waited", 3, 4);
    assert_int_equal(atomic_load(&f->s.events[FLOW_EV_LOST]), 0);
    close(in);
    end(f);
}

/* Interfaces that a live query can ask for, as one text. */
static void want_live(fixture *f, const char *want)
{
    GP_CLEANUP(gp_freep) char **v = NULL;
    char got[64] = "";
    gp_err err = {0};

    want_ok_err(&err, flow_manager_live_ifaces(f->m, &v, &err));
    for (size_t i = 0; v[i]; i++)
        (void)snprintf(got + strlen(got), sizeof got - strlen(got), "%s ", v[i]);
    assert_string_equal(got, want);
}

/* An interface that is gone for good is not forgotten before its flows are on the disk. */
static void test_gone_with_flows(void **state)
{
    (void)state;
    static const char *const rules[] = {"/^w0$/", "v0"};
    fixture *f = start();
    GP_CLEANUP(gp_freep) char *dir = gp_asprintf("%s/w0", f->dir);
    gp_err err = {0};

    test_spew(dir, "in the way", 10);
    assert_int_equal(netns_run("ip link add w0 type veth peer name w1"), 0);
    assert_int_equal(netns_run("ip link set w0 addrgenmode none"), 0);
    assert_int_equal(netns_run("ip link set w1 addrgenmode none"), 0);
    assert_int_equal(netns_run("ip link set w0 up"), 0);
    assert_int_equal(netns_run("ip link set w1 up"), 0);
    netns_wait_running("w0");
    (void)apply(f, rules, COUNT(rules), &small_ring, NULL);
    wait_event(f, FLOW_EV_OPENED, 2, "start");
    (void)usleep(5000);
    int in = netns_raw("w1");
    send_flows(in, 0, 5);
    wait_processed(f, "w0", 5);
    int before = atomic_load(&f->s.events[FLOW_EV_WRITE_FAILED]);
    assert_int_equal(netns_run("ip link del w0"), 0);
    wait_event(f, FLOW_EV_WRITE_FAILED, before + 1, "its block");
    assert_int_equal(netns_run("ip link add x0 type veth peer name x1"), 0);
    (void)usleep(400000); /* it is looked for */
    assert_int_equal(netns_run("ip link del x0"), 0);
    assert_int_equal(status_of(f, "w0").pending_blocks, 1);
    want_live(f, "v0 w0 ");
    assert_int_equal(unlink(dir), 0);
    want_ok_err(&err, flow_manager_finish(f->m, &err));
    assert_int_equal(f->s.counter[FLOW_PKTS_IN], 5);
    want_live(f, "");
    close(in);
    end(f);
}

/* Every setting of an interface counts when a configuration is applied (D-19). */
static void test_changed_settings(void **state)
{
    (void)state;
    capture_conf c[9];

    for (size_t i = 0; i < COUNT(c); i++) {
        c[i] = small_ring;
        c[i].n_extra = 1;
        c[i].extra[0] = (capture_insn){.op = 0x15, .k = 0x9999};
    }
    c[1].promisc = 1;
    c[2].ignore_vlans = 1;
    c[3].block_size *= 2;
    c[4].num_blocks *= 2;
    c[5].extra[0].k = 0x8888;
    c[6].n_extra = 0;
    c[7].disable = 1;
    c[8].sample = 10;
    for (size_t i = 0; i < COUNT(c); i++)
        for (size_t k = 0; k < COUNT(c); k++)
            if (capture_conf_equal(&c[i], &c[k]) != (i == k))
                fail_msg("settings %zu and %zu", i, k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drops),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_full_again),
        cmocka_unit_test(test_slow_disk),
        cmocka_unit_test(test_given_up),
        cmocka_unit_test(test_end_without_disk),
        cmocka_unit_test(test_written_is_forgotten),
        cmocka_unit_test(test_foreign_blocks),
        cmocka_unit_test(test_moved_database),
        cmocka_unit_test(test_gone_with_flows),
        cmocka_unit_test(test_changed_settings),
    };
    if (!netns_enter())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
