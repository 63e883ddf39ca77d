/* replay_test.c - capture files into five-minute blocks: time, order, direction, faults. */
#include "flow/replay.h"
#include "flow/rows.h"
#include "pcapfile.h"

enum { T0 = 1699999800 }; /* a multiple of 300 */

/* Blocks that were handed out. */
typedef struct block {
    int64_t time_s;
    size_t entries;
    uint64_t totals[4];
    uint16_t dport; /* of its first flow */
} block;

typedef struct blocks {
    block b[64];
    size_t n;
    gp_status answer; /* what the sink returns */
} blocks;

static gp_status collect(void *ctx, int64_t time_s, flow_bank *bank, gp_err *err)
{
    blocks *s = ctx;
    flow_row row;

    if (s->answer != GP_OK)
        return gp_fail(err, s->answer, 0, "sink full");
    assert_true(s->n < COUNT(s->b));
    block *b = &s->b[s->n++];
    b->time_s = time_s;
    b->entries = flow_bank_count(bank);
    flow_bank_totals(bank, b->totals);
    flow_bank_row(bank, 0, &row);
    b->dport = row.dport;
    return GP_OK;
}

/* UDP between 10.0.0.<s> and 10.0.0.<d>, 60 bytes on the wire. */
static void add_udp(pcapfile *f, uint32_t sec, unsigned s, unsigned sport, unsigned d,
                    unsigned dport)
{
    uint8_t b[42] = {[12] = 8, [14] = 0x45, [23] = 17, [26] = 10, [30] = 10};

    b[29] = (uint8_t)s;
    b[33] = (uint8_t)d;
    gp_put_be16(b + 34, (uint16_t)sport);
    gp_put_be16(b + 36, (uint16_t)dport);
    pcapfile_record(f, sec, 0, b, sizeof b, 60);
}

static char *save(pcapfile *f, const char *dir, const char *name)
{
    char *path = gp_asprintf("%s/%s", dir, name);
    assert_non_null(path);
    pcapfile_save(f, path, 0);
    return path;
}

static void run(const char *const *files, size_t n, flow_replay_opts *o, blocks *out,
                flow_replay_stats *st)
{
    gp_err err = {0};
    memset(out, 0, sizeof *out);
    o->files = files;
    o->n_files = n;
    want_ok_err(&err, flow_replay(o, collect, out, st, &err));
}

static void test_blocks_by_time(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    static const struct {
        uint32_t at;   /* seconds after T0 */
        int64_t block; /* end of its block after T0 */
    } cases[] = {
        {0, 300}, {299, 300}, {300, 600}, {599, 600}, {601, 900}, {3000, 3300}, {100000, 100200},
    };
    pcapfile f;
    blocks got;
    flow_replay_stats st;
    flow_replay_opts o = {0};

    pcapfile_head(&f, 0, 0, 65535, 1);
    for (size_t i = 0; i < COUNT(cases); i++)
        add_udp(&f, T0 + cases[i].at, 1, 40000, 2, 53);
    GP_CLEANUP(gp_freep) char *path = save(&f, dir, "a");
    const char *files[] = {path};
    run(files, 1, &o, &got, &st);
    assert_int_equal(got.n, 5);
    for (size_t i = 0, k = 0; k < got.n; k++) {
        uint64_t pkts = 0;
        int64_t end = cases[i].block;
        for (; i < COUNT(cases) && cases[i].block == end; i++)
            pkts++;
        assert_int_equal(got.b[k].time_s, T0 + end);
        assert_int_equal(got.b[k].totals[FLOW_PKTS_IN], pkts);
    }
    assert_int_equal(st.late, 0);
    assert_true(st.first_ns == INT64_C(1000000000) * T0);
}

/* Packets older than a finished interval count in the running one, and are reported. */
static void test_late_packets(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    pcapfile f;
    blocks got;
    flow_replay_stats st;
    flow_replay_opts o = {0};

    pcapfile_head(&f, 0, 0, 65535, 1);
    add_udp(&f, T0 + 10, 1, 40000, 2, 53);
    add_udp(&f, T0 + 310, 1, 40000, 2, 53);
    add_udp(&f, T0 + 20, 1, 40000, 2, 53);    /* late */
    add_udp(&f, T0 + 305, 1, 40000, 2, 53);   /* out of order within its interval: not late */
    add_udp(&f, 0xfffffff0, 1, 40000, 2, 53); /* 2106: a damaged time stamp */
    GP_CLEANUP(gp_freep) char *path = save(&f, dir, "a");
    const char *files[] = {path};
    run(files, 1, &o, &got, &st);
    assert_int_equal(got.n, 2);
    assert_int_equal(got.b[1].totals[FLOW_PKTS_IN], 4);
    assert_int_equal(st.late, 2);
    assert_int_equal(st.packets, 5);
}

/* A file that begins with damaged times: its packets go with the first that has one, not to 1970;
 * without any there is no block to put them in. */
static void test_damaged_times(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    gp_err err = {0};
    blocks got;
    flow_replay_stats st;

    for (int good = 0; good < 2; good++)
        for (int one = 0; one < 2; one++) {
            pcapfile f;
            flow_replay_opts o = {.one_block = one};
            pcapfile_head(&f, 0, 0, 65535, 1);
            add_udp(&f, 0xfffffff0, 1, 40000, 2, 53);
            add_udp(&f, 0xfffffff0, 1, 40000, 2, 53);
            if (good)
                add_udp(&f, T0 + 10, 1, 40000, 2, 53);
            GP_CLEANUP(gp_freep) char *path = save(&f, dir, "a");
            const char *files[] = {path};
            if (!good && !one) {
                memset(&got, 0, sizeof got);
                o.files = files;
                o.n_files = 1;
                assert_int_equal(flow_replay(&o, collect, &got, &st, &err), GP_ECORRUPT);
                assert_int_equal(got.n, 0);
                continue;
            }
            run(files, 1, &o, &got, &st);
            assert_int_equal(got.n, 1);
            assert_int_equal(got.b[0].totals[FLOW_PKTS_IN], good ? 3 : 2);
            if (good)
                assert_int_equal(got.b[0].time_s, T0 + 300);
            assert_int_equal(st.late, 2);
        }
}

/* Two files are merged by time: the direction is decided by the packet that is first in time. */
static void test_merge(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    pcapfile f, g;
    blocks got;
    flow_replay_stats st;
    flow_replay_opts o = {0};

    pcapfile_head(&f, 0, 0, 65535, 1);
    add_udp(&f, T0 + 10, 2, 123, 1, 123);
    add_udp(&f, T0 + 310, 2, 123, 1, 123);
    pcapfile_head(&g, 1, 1, 65535, 1);
    add_udp(&g, T0 + 5, 1, 123, 2, 123);
    add_udp(&g, T0 + 615, 1, 123, 2, 123);
    GP_CLEANUP(gp_freep) char *a = save(&f, dir, "a");
    GP_CLEANUP(gp_freep) char *b = save(&g, dir, "b");
    const char *files[] = {a, b};
    run(files, 2, &o, &got, &st);
    assert_int_equal(got.n, 3);
    assert_int_equal(got.b[0].entries, 1);
    assert_int_equal(got.b[0].totals[FLOW_PKTS_IN], 2);
    assert_int_equal(st.frames, 4);
}

static void test_local_is_sent(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    pcapfile f;
    blocks got;
    flow_replay_stats st;
    gp_net local;
    const char *why;
    assert_true(gp_net_parse("10.0.0.0/30", 11, &local, &why));
    flow_replay_opts o = {.local = &local, .n_local = 1};

    pcapfile_head(&f, 0, 0, 65535, 1);
    add_udp(&f, T0, 1, 40000, 9, 5000);
    add_udp(&f, T0, 9, 5000, 1, 40000);
    add_udp(&f, T0, 9, 5000, 1, 40000);
    GP_CLEANUP(gp_freep) char *path = save(&f, dir, "a");
    const char *files[] = {path};
    run(files, 1, &o, &got, &st);
    assert_int_equal(got.n, 1);
    assert_int_equal(got.b[0].totals[FLOW_PKTS_OUT], 1);
    assert_int_equal(got.b[0].totals[FLOW_PKTS_IN], 2);
    assert_int_equal(got.b[0].totals[FLOW_BYTES_OUT], 60);
    assert_int_equal(got.b[0].dport, 5000);
}

static void note(void *ctx, const char *text)
{
    int *n = ctx;
    assert_non_null(strstr(text, "truncated"));
    ++*n;
}

static void test_faults(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    pcapfile f;
    blocks got = {0};
    flow_replay_stats st;
    int warnings = 0;
    gp_err err = {0};
    flow_replay_opts o = {.warn = note, .warn_ctx = &warnings};

    pcapfile_head(&f, 0, 0, 65535, 1);
    add_udp(&f, T0, 1, 40000, 9, 5000);
    add_udp(&f, T0, 1, 40000, 9, 5000);
    f.b.len -= 5;
    GP_CLEANUP(gp_freep) char *cut = save(&f, dir, "cut");
    const char *files[] = {cut, "/nonexistent/x"};
    run(files, 1, &o, &got, &st);
    assert_int_equal(got.n, 1);
    assert_int_equal(got.b[0].totals[FLOW_PKTS_IN], 1);
    assert_int_equal(st.broken_files, 1);
    assert_int_equal(warnings, 1);

    o.n_files = 2;
    got.n = 0;
    want_err(GP_ENOTFOUND, &err, "/nonexistent/x", flow_replay(&o, collect, &got, &st, &err));
    assert_int_equal(got.n, 0);
    o.n_files = 0;
    want_err(GP_EINVAL, &err, "expected 1 to 256", flow_replay(&o, collect, &got, &st, &err));
    o.n_files = 1;
    got.answer = GP_EIO;
    want_err(GP_EIO, &err, "sink full", flow_replay(&o, collect, &got, &st, &err));
}

/* A bank becomes rows in stored order with equal keys added up. */
static void test_rows(void **state)
{
    (void)state;
    flow_table *t = NULL;
    flow_rows *s = NULL;
    flow_bank *bank;
    godb_rows rows;
    gp_err err = {0};

    want_ok_err(&err, flow_table_new(NULL, &t, &err));
    want_ok_err(&err, flow_rows_new(&s, &err));
    for (unsigned i = 0; i < 40; i++) {
        capture_pkt p = {.len = 10, .family = i & 1 ? 4 : 6, .proto = 17};
        p.sport = (uint16_t)(40000 + i);
        p.dport = (uint16_t)(1000 + i / 20);
        p.src[3] = (uint8_t)(9 - i % 4);
        p.dst[3] = 77;
        p.dir = i & 2 ? CAPTURE_OUT : CAPTURE_IN;
        flow_table_add(t, &p, 1);
    }
    flow_bank *fresh = NULL, *retired;
    want_ok_err(&err, flow_bank_new(0, FLOW_ENTRIES_DEFAULT, &fresh, &err));
    bank = flow_table_rotate(t, fresh, &retired);
    want_ok_err(&err, flow_rows_make(s, &bank, 1, &rows, &err));
    assert_int_equal(rows.n_v4, 4);
    assert_int_equal(rows.n_v6, 4);
    assert_memory_equal(rows.sip, "\0\0\0\x06\0\0\0\x06\0\0\0\x08\0\0\0\x08", 16);
    assert_memory_equal(rows.dport, "\x03\xe8\x03\xe9\x03\xe8\x03\xe9", 8);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(rows.counter[0][i] + rows.counter[1][i], 50);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(rows.counter[2][i] + rows.counter[3][i], 5);
    flow_rows_free(s);
    flow_bank_unref(bank);
    flow_table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_by_time), cmocka_unit_test(test_late_packets),
        cmocka_unit_test(test_damaged_times),  cmocka_unit_test(test_merge),
        cmocka_unit_test(test_local_is_sent),  cmocka_unit_test(test_faults),
        cmocka_unit_test(test_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
