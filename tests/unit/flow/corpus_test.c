/* corpus_test.c - the corpus captures give exactly the expected flows and counters
 * (capture.md 9.4). */
#include "flow/csv.h"
#include "flow/replay.h"
#include "test.h"

#include "capture/file.h"

#define PCAPS SHARED_DIR "/corpus/pcap/"

static gp_status keep_csv(void *ctx, int64_t time_s, flow_bank *bank, gp_err *err)
{
    (void)time_s;
    return flow_csv(bank, ctx, err);
}

static void need_corpus(void)
{
    if (!test_have_shared())
        skip();
}

static void want_csv(const char *what, gp_buf *got, const char *path)
{
    GP_CLEANUP(gp_freep) char *want = test_slurp(path, NULL);
    if (got->len == 0)
        gp_buf_adds(got, "sip,dip,dport,proto,packets,bytes,fwd_packets,fwd_bytes,rev_packets,"
                         "rev_bytes,entries\n");
    const char *g = gp_buf_str(got), *w = want;
    for (int line = 1; *g || *w; line++) {
        size_t gl = strcspn(g, "\n"), wl = strcspn(w, "\n");
        while (wl && w[wl - 1] == '\r')
            wl--;
        if (gl != wl || memcmp(g, w, gl) != 0)
            fail_msg("%s line %d: got \"%.*s\", want \"%.*s\"", what, line, (int)gl, g, (int)wl, w);
        g += strcspn(g, "\n");
        w += strcspn(w, "\n");
        g += *g == '\n';
        w += *w == '\n';
    }
}

/* Counters of corpus/pcap/README.md. */
typedef struct counts {
    uint64_t frames, received, processed, errors[3], packets, bytes, entries;
} counts;

static void want_counts(const char *what, const flow_replay_stats *st, const counts *w)
{
    const uint64_t got[] = {st->frames,    st->received,  st->processed,
                            st->errors[0], st->errors[1], st->errors[2],
                            st->packets,   st->bytes,     st->entries};
    const uint64_t want[] = {w->frames,    w->received, w->processed, w->errors[0], w->errors[1],
                             w->errors[2], w->packets,  w->bytes,     w->entries};
    static const char *const name[] = {"frames",     "received", "processed",
                                       "fragmented", "invalid",  "truncated",
                                       "packets",    "bytes",    "entries"};
    for (size_t i = 0; i < COUNT(got); i++)
        if (got[i] != want[i])
            fail_msg("%s: %s %" PRIu64 ", want %" PRIu64, what, name[i], got[i], want[i]);
}

static void replay(const char *file, int compat, gp_buf *csv, flow_replay_stats *st)
{
    GP_CLEANUP(gp_freep) char *path = gp_asprintf("%s%s", PCAPS, file);
    const char *files[] = {path};
    flow_replay_opts o = {.files = files, .n_files = 1, .one_block = 1};
    gp_err err = {0};

    o.table.by_endpoint = 1;
    o.table.compat = compat;
    want_ok_err(&err, flow_replay(&o, keep_csv, csv, st, &err));
    assert_int_equal(st->lost, 0);
    assert_int_equal(st->broken_files, 0);
}

static void test_expected(void **state)
{
    (void)state;
    static const struct {
        const char *file, *csv;
        counts want;
    } cases[] = {
        {"c04-wap-r1.pcap.gz", "c04-wap-r1", {6880, 6880, 6880, {0, 0, 0}, 6880, 3859794, 2}},
        {"default.pcap.gz", "default", {38642, 24937, 24771, {166, 15, 0}, 24756, 7788607, 903}},
        {"fragmented.pcap.gz", "fragmented", {16, 16, 10, {6, 0, 0}, 10, 13728, 6}},
        {"truncated.pcap.gz", "truncated", {3, 3, 3, {0, 0, 3}, 0, 0, 0}},
        {"udpflows.pcap.gz", "udpflows", {217, 217, 217, {0, 0, 0}, 217, 14641, 18}},
        {"endian-be.pcap", "endian-be", {6, 6, 6, {0, 0, 0}, 6, 1946, 2}},
        {"endian-le.pcap", "endian-le", {6, 6, 6, {0, 0, 0}, 6, 1946, 2}},
    };
    need_corpus();
    for (size_t i = 0; i < COUNT(cases); i++) {
        gp_buf csv = {0};
        flow_replay_stats st;
        GP_CLEANUP(gp_freep)
        char *want = gp_asprintf("%sexpected/%s.flows.csv", PCAPS, cases[i].csv);
        replay(cases[i].file, 0, &csv, &st);
        want_csv(cases[i].file, &csv, want);
        want_counts(cases[i].file, &st, &cases[i].want);
        gp_buf_free(&csv);
    }
}

/* Without corrections, but with VLAN and PPPoE decoded (README, last paragraph of the counters). */
static void test_compat(void **state)
{
    (void)state;
    gp_buf csv = {0};
    flow_replay_stats st;

    need_corpus();
    replay("fragmented.pcap.gz", 1, &csv, &st);
    want_csv("fragmented compat", &csv, PCAPS "expected/fragmented.upstream.csv");
    want_counts("fragmented compat", &st, &(counts){16, 16, 15, {1, 0, 0}, 15, 17438, 6});
    gp_buf_clear(&csv);
    replay("default.pcap.gz", 1, &csv, &st);
    assert_int_equal(st.packets, 24759);
    assert_int_equal(st.errors[0], 163);
    size_t lines = 0;
    for (const char *p = gp_buf_str(&csv); *p; p++)
        lines += *p == '\n';
    assert_int_equal(lines, 534 + 1);
    gp_buf_free(&csv);
}

/* D-43 on: five of the six later fragments follow their first one, one was captured without. */
static void test_fragments(void **state)
{
    (void)state;
    flow_replay_opts o = {.one_block = 1, .fragments = 1, .n_files = 1};
    GP_CLEANUP(gp_freep) char *path = gp_asprintf("%sfragmented.pcap.gz", PCAPS);
    const char *files[] = {path};
    flow_replay_stats st;
    gp_buf csv = {0};
    gp_err err = {0};

    o.files = files;
    o.table.by_endpoint = 1;
    want_ok_err(&err, flow_replay(&o, keep_csv, &csv, &st, &err));
    want_counts("fragments", &st, &(counts){16, 16, 10, {6, 0, 0}, 15, 17282, 6});
    assert_non_null(strstr(gp_buf_str(&csv), "2.1.1.2,2.1.1.1,0,1,3,2918,2,1476,1,1442,1\n"));
    gp_buf_clear(&csv);
    o.table.compat = 1; /* has no such thing */
    want_ok_err(&err, flow_replay(&o, keep_csv, &csv, &st, &err));
    want_counts("compat", &st, &(counts){16, 16, 15, {1, 0, 0}, 15, 17438, 6});
    gp_buf_free(&csv);
}

/* The reference's own harness cuts frames to 68 bytes and takes the IP layer at offset 14 whatever
 * the EtherType: with the compat parser under the same conditions we count what it counts. */
static void test_upstream_harness(void **state)
{
    (void)state;
    capture_file *f = NULL;
    flow_table *t = NULL;
    gp_err err = {0};
    flow_table_opts o = {.compat = 1, .by_endpoint = 1};
    flow_replay_stats st = {0};
    capture_frame fr;
    gp_buf csv = {0};

    need_corpus();
    want_ok_err(&err, capture_file_open(PCAPS "default.pcap.gz", &f, &err));
    want_ok_err(&err, flow_table_new(&o, &t, &err));
    while (capture_file_next(f, &fr, &err) == 1) {
        capture_pkt p;
        uint32_t n = fr.caplen < 68 ? fr.caplen : 68;
        capture_result r = capture_parse_ip(fr.data + 14, n - 14, 1, &p);
        st.frames++;
        st.received++;
        st.processed += r != CAPTURE_FRAGMENTED;
        if (r != CAPTURE_FLOW) {
            st.errors[r]++;
            continue;
        }
        p.len = fr.len;
        p.dir = CAPTURE_IN;
        flow_table_add(t, &p, 1);
        st.packets++;
        st.bytes += fr.len;
    }
    st.entries = flow_bank_count(flow_table_active(t));
    want_counts("harness", &st,
                &(counts){38642, 38642, 38312, {330, 23161, 0}, 15151, 5910418, 814});
    want_ok_err(&err, flow_csv(flow_table_active(t), &csv, &err));
    want_csv("harness", &csv, PCAPS "expected/default.upstream.csv");
    gp_buf_free(&csv);
    flow_table_free(t);
    capture_file_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expected),
        cmocka_unit_test(test_compat),
        cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_upstream_harness),
    };
    return test_have_shared() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
