/* live_test.c - flows still in memory join the stored ones: once, with condition and time. */
#include "fixture.h"

#include "godb/codec.h"

enum { LIVE_TIME = 4000 }; /* after DAY0 */

/* Two IPv4 rows and one IPv6 row, as an agent hands them over. */
typedef struct source {
    uint8_t sip[4 * 2 + 16], dip[4 * 2 + 16], proto[3], dport[6];
    uint64_t counter[GODB_N_COUNTERS][3];
    int64_t stored_upto_s;
    unsigned gets, releases;
} source;

static void fill(source *s, int64_t stored_upto_s)
{
    *s = (source){.proto = {6, 6, 17}, .stored_upto_s = stored_upto_s};
    gp_put_be32(s->sip, 0x0a000002); /* like row 2 of the stored blocks */
    gp_put_be32(s->sip + 4, 0x0a000003);
    gp_put_be32(s->dip, 0x0a010002);
    gp_put_be32(s->dip + 4, 0x0a010003);
    s->sip[8] = 0x20;
    s->dip[8] = 0x30;
    gp_put_be16(s->dport, 443);
    gp_put_be16(s->dport + 2, 80);
    gp_put_be16(s->dport + 4, 53);
    for (int c = 0; c < GODB_N_COUNTERS; c++)
        for (unsigned i = 0; i < 3; i++)
            s->counter[c][i] = 1000;
}

static gp_status get(void *ctx, const char *iface, godb_rows *rows, int64_t *time_s,
                     int64_t *stored_upto_s, void **handle, gp_err *err)
{
    source *s = ctx;

    if (strcmp(iface, "gone") == 0)
        return gp_fail(err, GP_ENOTFOUND, 0, "%s is not captured", iface);
    s->gets++;
    *rows = (godb_rows){
        .n_v4 = 2, .n_v6 = 1, .sip = s->sip, .dip = s->dip, .proto = s->proto, .dport = s->dport};
    for (int c = 0; c < GODB_N_COUNTERS; c++)
        rows->counter[c] = s->counter[c];
    *time_s = DAY0 + LIVE_TIME;
    *stored_upto_s = s->stored_upto_s;
    *handle = s;
    return GP_OK;
}

static void release(void *ctx, void *handle)
{
    assert_ptr_equal(ctx, handle);
    ((source *)ctx)->releases++;
}

static void test_live(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    fixture_db(dir, "eth0", 1, 10, 4, GODB_CODEC_LZ4);
    static const char *const ifaces[] = {"eth0", "live0", "gone", NULL};
    static const struct {
        const char *what, *query, *ifaces, *cond;
        int64_t upto_s; /* after DAY0 */
        uint64_t hits, bytes;
        unsigned gets;
    } cases[] = {
        {"joined to stored groups", "sip", "eth0", "", 3000, 5, 4 * 10 * 10 + 3000, 1},
        {"later blocks are left out", "sip", "eth0", "", 600, 5, 4 * 2 * 10 + 3000, 1},
        {"all four attributes", "sip,dip,dport,proto", "eth0", "", 3000, 6, 4 * 100 + 3000, 1},
        {"condition", "sip", "eth0", "dport = 443", 3000, 2, 2 * 100 + 1000, 1},
        {"IPv6 only", "sip", "eth0", "snet = 2000::/8", 3000, 1, 1000, 1},
        {"time is its own", "time,sip", "eth0", "", 3000, 43, 4 * 100 + 3000, 1},
        {"time repeats a stored block", "time", "eth0", "", 9000, 11, 4 * 100 + 3000, 1},
        {"no directory", "sip,dip", "live0", "", 0, 3, 3000, 1},
        {"not captured any more", "dport", "gone,eth0", "", 3000, 3, 4 * 100 + 3000, 1},
        {"port sums", "dport,proto", "eth0", "", 3000, 3, 4 * 100 + 3000, 1},
        {"no attribute", "iface", "any", "", 3000, 2, 4 * 100 + 6000, 2},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        source src;
        fill(&src, DAY0 + cases[i].upto_s);
        exec_live live = {.get = get, .release = release, .ifaces = ifaces, .ctx = &src};
        exec_opts o = {.host = "h", .host_id = "1", .live = &live};
        GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
        GP_CLEANUP(query_stmt_freep)
        query_stmt *s = fixture_stmt(cases[i].query, cases[i].ifaces, cases[i].cond, NULL, NULL);
        gp_err err = {0};
        result out;
        want_ok_err(&err, godb_db_open(dir, &db, &err));
        want_ok_err(&err, exec_run(db, s, &o, &out, &err));
        if (out.hits_total != cases[i].hits || out.totals.bytes_rcvd != cases[i].bytes)
            fail_msg("%s: %llu hits, %llu bytes", cases[i].what, (unsigned long long)out.hits_total,
                     (unsigned long long)out.totals.bytes_rcvd);
        assert_int_equal(out.data_available, 1);
        assert_int_equal(src.gets, cases[i].gets);
        assert_int_equal(src.releases, src.gets);
        assert_true(strcmp(cases[i].ifaces, "eth0") != 0 || out.time_last_s == DAY0 + LIVE_TIME);
        result_clear(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_live),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
