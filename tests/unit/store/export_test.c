/* export_test.c - CSV export: format, order, what CSV cannot carry, and that import reads it back.
 */
#include "dbdump.h"

#include "blockmeta.h"
#include "godb/export.h"
#include "godb/import.h"

static gp_status to_buf(void *ctx, const void *bytes, size_t n)
{
    gp_buf_add(ctx, bytes, n);
    return GP_OK;
}

static char *export_text(const char *root, const godb_export_opts *o, godb_export_stats *st)
{
    static const godb_export_opts all = GODB_EXPORT_OPTS_INIT;
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    gp_buf out = {0};
    gp_err err = {0};
    godb_export_stats none;

    want_ok_err(&err, godb_db_open(root, &db, &err));
    want_ok_err(&err, godb_export(db, o ? o : &all, to_buf, &out, st ? st : &none, &err));
    char *text = gp_buf_take(&out);
    return text ? text : gp_strdup("");
}

static void import_text(const char *root, const char *text)
{
    godb_import_opts o = GODB_IMPORT_OPTS_INIT;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    GP_CLEANUP(gp_freep) char *path = gp_asprintf("%s/in.csv", dir);
    godb_import_stats st;
    gp_err err = {0};

    o.writer.sync = GODB_SYNC_NONE;
    test_spew(path, text, strlen(text));
    GP_CLEANUP(gp_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    want_ok_err(&err, godb_import(root, fd, "in.csv", &o, &st, &err));
    if (st.rows_skipped)
        fail_msg("line %llu: %s", (unsigned long long)st.first_skipped_line, st.first_skipped_why);
}

#define HEADING                                                                                    \
    "time,iface,sip,dip,dport,proto,packets received,packets sent,"                                \
    "data vol. received,data vol. sent\n"

static void test_format(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL, *v = NULL;
    godb_row mapped = st_row("::1", "::2", 65535, 255, UINT64_MAX, 0, 1, 2);
    godb_export_stats st;

    memcpy(mapped.sip, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x01\x02\x03\x04", 16);
    want_ok(godb_writer_open(root, "eth0", NULL, &w, NULL));
    for (unsigned i = 0; i < 3; i++)
        st_example_block(w, i);
    want_ok(godb_writer_open(root, "a,\"b", NULL, &v, NULL));
    st_append(v, 1700000100, &mapped, 1, 3);
    GP_CLEANUP(gp_freep) char *got = export_text(root, NULL, &st);
    static const char want[] =
        HEADING "1700000100,\"a,\"\"b\",::ffff:102:304,::2,65535,255,1,2,18446744073709551615,0\n"
                "1700000100,eth0,10.0.0.1,192.0.2.1,53,17,0,1,0,72\n"
                "1700000100,eth0,10.0.0.1,192.0.2.1,443,6,4,5,600,300\n"
                "1700000100,eth0,10.0.0.2,192.0.2.1,443,6,3,51,1500,70000\n"
                "1700000100,eth0,2001:db8::1,2001:db8::2,22,6,1,1,255,256\n"
                "1700000400,eth0,10.0.0.9,198.51.100.1,80,6,1,0,1001,0\n";
    assert_memory_equal(got, want, sizeof want - 1);
    assert_int_equal(st.rows, 13);
    assert_int_equal(st.blocks, 3);
    assert_int_equal(st.empty_blocks, 1);
    assert_int_equal(st.drops, 3 + 2 + 5);
    assert_int_equal(st.bytes, strlen(got));
    assert_int_equal(st.bad_blocks + st.bad_days, 0);
}

static void test_selection(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    static const char *const one[] = {"b", NULL}, *const missing[] = {"b", "x", NULL};
    godb_export_opts o = GODB_EXPORT_OPTS_INIT;

    for (int64_t t = 600; t <= 1800; t += 600) {
        st_put(root, "a", t, 1, 1);
        st_put(root, "b", t + 86400, 2, 2);
    }
    o.ifaces = one;
    o.first_s = 87600;
    o.last_s = 87600;
    o.no_header = 1;
    GP_CLEANUP(gp_freep) char *got = export_text(root, &o, NULL);
    assert_string_equal(got, "87600,b,10.0.0.1,10.0.0.2,2,6,1,0,2,0\n");
    o.ifaces = missing;
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    gp_buf out = {0};
    godb_export_stats st;
    gp_err err = {0};
    want_ok(godb_db_open(root, &db, NULL));
    want_err(GP_ENOTFOUND, &err, "no interface 'x'", godb_export(db, &o, to_buf, &out, &st, &err));
    gp_buf_free(&out);
}

static void test_names_that_csv_cannot_carry(void **state)
{
    (void)state;
    static const char *const bad[] = {" a", "a ", "a\nb", "\ta"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
        GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
        godb_export_opts o = GODB_EXPORT_OPTS_INIT;
        godb_export_stats st;
        gp_buf out = {0};
        st_put(root, bad[i], 600, 1, 1);
        want_ok(godb_db_open(root, &db, NULL));
        want_status(GP_EUNSUPPORTED, godb_export(db, &o, to_buf, &out, &st, NULL));
        gp_buf_free(&out);
    }
}

/* A block that cannot be read is left out and counted, the rest is there. */
static void test_damage(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    godb_export_stats st;

    st_put(root, "e", 600, 1, 1);
    st_put(root, "e", 900, 2, 2);
    st_put(root, "e", 86400 + 600, 3, 3);
    GP_CLEANUP(gp_freep)
    char *path = gp_asprintf("%s/e/1970/01/0_2-0-0-3-0-2-0/bytes_rcvd.gpf", root);
    GP_CLEANUP(gp_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "\x09", 1, 0), 1); /* width byte of the first block */
    GP_CLEANUP(gp_freep)
    char *meta = gp_asprintf("%s/e/1970/01/86400_1-0-0-3-0-1-0/.blockmeta", root);
    test_spew(meta, "x", 1);
    GP_CLEANUP(gp_freep) char *got = export_text(root, NULL, &st);
    assert_string_equal(got, HEADING "900,e,10.0.0.1,10.0.0.2,2,6,1,0,2,0\n");
    assert_int_equal(st.bad_blocks, 1);
    assert_int_equal(st.bad_days, 1);
    assert_non_null(strstr(st.first_bad, "blockmeta") ? st.first_bad : strstr(st.first_bad, "e/"));
}

/* Blocks of many interfaces, more than may be open at a time, come in order of time. */
static void test_many_ifaces(void **state)
{
    (void)state;
    enum { IFACES = 60, BLOCKS = 3 };
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    GP_CLEANUP(test_tmpdirp) char *back = test_tmpdir();
    char name[16];

    for (int i = 0; i < IFACES; i++) {
        snprintf(name, sizeof name, "if%02d", i);
        for (int b = 0; b < BLOCKS; b++)
            st_put(root, name, 300 * (b + 1) + i % 7, (uint16_t)i, (uint64_t)b);
    }
    GP_CLEANUP(gp_freep) char *csv = export_text(root, NULL, NULL);
    import_text(back, csv);
    GP_CLEANUP(gp_freep) char *a = st_dump(root);
    GP_CLEANUP(gp_freep) char *b = st_dump(back);
    assert_string_equal(a, b);
}

/* ---- property: export, import, export gives the same text and the same column files ---- */

static void random_db(test_rng *rng, const char *root)
{
    unsigned ifaces = 1 + (unsigned)test_rng_below(rng, 4);

    for (unsigned i = 0; i < ifaces; i++) {
        char name[16];
        GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;
        godb_writer_opts o = GODB_WRITER_OPTS_INIT;
        int64_t t = 1700000000 + (int64_t)test_rng_below(rng, 100000);
        o.sync = GODB_SYNC_NONE;
        o.no_index = 1;
        snprintf(name, sizeof name, "e%u", i);
        want_ok(godb_writer_open(root, name, &o, &w, NULL));
        want_ok(godb_writer_begin_bulk(w, NULL));
        for (uint64_t b = test_rng_below(rng, 6); b > 0;
             b--, t += 1 + (int64_t)test_rng_below(rng, 40000)) {
            size_t n = 1 + test_rng_below(rng, test_rng_below(rng, 8) ? 20 : 3000);
            godb_row *rows = gp_calloc(n, sizeof *rows);
            for (size_t k = 0; k < n; k++) {
                godb_row *r = &rows[k];
                r->family = test_rng_below(rng, 3) ? 4 : 6;
                test_rng_fill(rng, r->sip, r->family == 4 ? 4 : 16);
                test_rng_fill(rng, r->dip, r->family == 4 ? 4 : 16);
                if (r->family == 6 && test_rng_below(rng, 4) == 0) /* looks like IPv4 */
                    memcpy(r->sip, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
                if (r->family == 6 && test_rng_below(rng, 4) == 0)
                    memset(r->dip, 0, test_rng_below(rng, 17));
                r->dport = (uint16_t)test_rng_u64(rng);
                r->proto = (uint8_t)test_rng_u64(rng);
                for (int c = 0; c < 4; c++)
                    r->counter[c] = test_rng_u64(rng) >> test_rng_below(rng, 64);
            }
            st_append(w, t, rows, n, 0);
            gp_free(rows);
        }
        want_ok(godb_writer_commit(w, NULL));
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    test_rng rng = test_rng_new(11);

    for (size_t round = test_rounds(60); round > 0; round--) {
        GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
        GP_CLEANUP(test_tmpdirp) char *back = test_tmpdir();
        random_db(&rng, root);
        GP_CLEANUP(gp_freep) char *csv = export_text(root, NULL, NULL);
        import_text(back, csv);
        GP_CLEANUP(gp_freep) char *a = st_dump(root);
        GP_CLEANUP(gp_freep) char *b = st_dump(back);
        assert_string_equal(a, b);
        GP_CLEANUP(gp_freep) char *again = export_text(back, NULL, NULL);
        assert_string_equal(csv, again);
    }
}

/* Another writer's block with unsorted rows and equal keys: added up, as a reader sees them. */
static void test_unsorted_rows(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;
    godb_row rows[3] = {st_port_row(1, 5), st_port_row(2, 6), st_port_row(3, 7)};
    godb_writer_opts o = GODB_WRITER_OPTS_INIT;

    o.no_index = 1;
    o.codec = 1; /* null: the ports lie in the file as they are */
    want_ok(godb_writer_open(root, "e", &o, &w, NULL));
    st_append(w, 600, rows, 3, 0);
    GP_CLEANUP(gp_freep) char *path = gp_asprintf("%s/e/1970/01/0_3-0-0-i-0-3-0/dport.gpf", root);
    test_spew(path, "\0\3\0\1\0\3", 6);
    GP_CLEANUP(gp_freep) char *got = export_text(root, NULL, NULL);
    assert_string_equal(got, HEADING "600,e,10.0.0.1,10.0.0.2,1,6,1,0,6,0\n"
                                     "600,e,10.0.0.1,10.0.0.2,3,6,2,0,12,0\n");
}

static void test_corpus(void **state)
{
    (void)state;
    if (!test_have_shared())
        skip();
    godb_export_stats st;
    GP_CLEANUP(gp_freep)
    char *got = export_text(SHARED_DIR "/corpus/upstream-testdb", NULL, &st);
    GP_CLEANUP(gp_freep)
    char *want = test_slurp(SHARED_DIR "/corpus/upstream-testdb-flows.csv", NULL);
    assert_int_equal(st.rows, 23373);
    assert_string_equal(got, want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_selection),
        cmocka_unit_test(test_names_that_csv_cannot_carry),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_many_ifaces),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_unsorted_rows),
        cmocka_unit_test(test_corpus),
    };
    st_utc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
