/* corpus_test.c - shared vectors and the database that the reference damaged (skipped without
 * them). */
#include "storetest.h"

#include "godb/check.h"
#include "godb/import.h"
#include "godb/packed.h"
#include "godb/repair.h"
#include "gp/num.h"
#include "suffix.h"

#include <jansson.h>

#define D1 SHARED_DIR "/corpus/d1-displaced"

static uint64_t u64_of(const json_t *v)
{
    const char *s = json_string_value(v);
    uint64_t n = 0;

    if (json_is_integer(v))
        return (uint64_t)json_integer_value(v);
    assert_non_null(s);
    assert_true(gp_num_u64(s, strlen(s), UINT64_MAX, &n));
    return n;
}

static uint64_t member(const json_t *o, const char *name)
{
    return u64_of(json_object_get(o, name));
}

static json_t *vectors(void)
{
    json_error_t e;
    json_t *j = json_load_file(SHARED_DIR "/corpus/godb-vectors.json", 0, &e);
    if (!j)
        fail_msg("godb-vectors.json: %s", e.text);
    return j;
}

static void test_suffixes(void **state)
{
    (void)state;
    json_t *j = vectors(), *v;
    size_t i;

    json_array_foreach(json_object_get(j, "suffix_numbers"), i, v)
    {
        const char *text = json_string_value(json_object_get(v, "text"));
        char out[16] = "";
        uint64_t back = 0;
        size_t n = godb_base62_put(member(v, "value"), out);
        if (n != strlen(text) || memcmp(out, text, n) != 0)
            fail_msg("%s: got %.*s", text, (int)n, out);
        assert_true(godb_base62_get(text, n, &back) && back == member(v, "value"));
    }
    assert_true(i > 20);
    json_array_foreach(json_object_get(j, "suffixes"), i, v)
    {
        const char *text = json_string_value(json_object_get(v, "text"));
        godb_totals t = {member(v, "v4"),         member(v, "v6"),         member(v, "drops"),
                         member(v, "bytes_rcvd"), member(v, "bytes_sent"), member(v, "pkts_rcvd"),
                         member(v, "pkts_sent")};
        godb_totals back;
        char name[GODB_DAYNAME_CAP];
        godb_dayname_format(0, &t, name);
        assert_string_equal(name + 2, text);
        assert_true(godb_suffix_get(text, strlen(text), &back));
        assert_memory_equal(&back, &t, sizeof t);
    }
    json_decref(j);
}

static void test_packed(void **state)
{
    (void)state;
    json_t *j = vectors(), *v, *x;
    size_t i, k;

    json_array_foreach(json_object_get(j, "packed_counters"), i, v)
    {
        uint64_t values[16];
        gp_buf b = {0};
        char hex[256];
        json_array_foreach(json_object_get(v, "values"), k, x) values[k] = u64_of(x);
        godb_packed_encode(values, k, &b);
        gp_hex(b.data, b.len, hex);
        assert_string_equal(hex, json_string_value(json_object_get(v, "hex")));
        gp_buf_free(&b);
    }
    assert_true(i > 20);
    json_decref(j);
}

/* The three-block database in three codecs: written out, opened, and equal to our own example. */
static void test_tiny(void **state)
{
    (void)state;
    json_t *j = vectors(), *db_json, *file;
    const char *codec, *name;

    json_object_foreach(json_object_get(j, "tiny_db"), codec, db_json)
    {
        GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
        GP_CLEANUP(test_tmpdirp) char *ours = test_tmpdir();
        const char *dir = json_string_value(json_object_get(db_json, "dir"));
        GP_CLEANUP(gp_freep) char *day = gp_asprintf("%s/%s", root, dir);
        want_ok(gp_mkdir_all(day, 0755, NULL));
        json_object_foreach(json_object_get(db_json, "files"), name, file)
        {
            const char *hex = json_string_value(file);
            GP_CLEANUP(gp_freep) char *path = gp_asprintf("%s/%s", day, name);
            size_t n = strlen(hex) / 2;
            GP_CLEANUP(gp_freep) uint8_t *bytes = gp_alloc(n + 1, 1);
            assert_true(gp_unhex(hex, 2 * n, bytes, n));
            test_spew(path, bytes, n);
        }
        godb_writer *w = NULL;
        want_ok(godb_writer_open(ours, "eth0", NULL, &w, NULL));
        for (unsigned i = 0; i < 3; i++)
            st_example_block(w, i);
        godb_writer_close(w);
        GP_CLEANUP(godb_db_closep) godb_db *a = NULL;
        GP_CLEANUP(godb_db_closep) godb_db *b = NULL;
        GP_CLEANUP(godb_reader_freep) godb_reader *ra = NULL;
        GP_CLEANUP(godb_reader_freep) godb_reader *rb = NULL;
        want_ok(godb_db_open(root, &a, NULL));
        want_ok(godb_db_open(ours, &b, NULL));
        want_ok(godb_reader_new(&ra, NULL));
        want_ok(godb_reader_new(&rb, NULL));
        GP_CLEANUP(godb_day_closep) godb_day *d = st_open_only(a, "eth0");
        GP_CLEANUP(godb_day_closep) godb_day *e = st_open_only(b, "eth0");
        assert_int_equal(godb_day_n_blocks(d), 3);
        assert_memory_equal(godb_day_totals(d), godb_day_totals(e), sizeof(godb_totals));
        for (size_t i = 0; i < 3; i++)
            for (int c = 0; c < GODB_N_COLS; c++) {
                const uint8_t *x, *y;
                gp_err err = {0};
                want_ok_err(&err, godb_reader_col(ra, d, i, (godb_col)c, &x, NULL, &err));
                want_ok(godb_reader_col(rb, e, i, (godb_col)c, &y, NULL, NULL));
                assert_int_equal(godb_day_block(d, i)->raw[c], godb_day_block(e, i)->raw[c]);
                if (x)
                    assert_memory_equal(x, y, godb_day_block(d, i)->raw[c]);
            }
    }
    json_decref(j);
}

static void count(void *ctx, const godb_problem *p)
{
    size_t *n = ctx;
    n[p->kind]++;
}

/* Same blocks and rows in both databases. */
static void same_content(const char *one, const char *two)
{
    GP_CLEANUP(godb_db_closep) godb_db *a = NULL;
    GP_CLEANUP(godb_db_closep) godb_db *b = NULL;
    GP_CLEANUP(godb_reader_freep) godb_reader *ra = NULL;
    GP_CLEANUP(godb_reader_freep) godb_reader *rb = NULL;

    want_ok(godb_db_open(one, &a, NULL));
    want_ok(godb_db_open(two, &b, NULL));
    want_ok(godb_reader_new(&ra, NULL));
    want_ok(godb_reader_new(&rb, NULL));
    GP_CLEANUP(godb_day_closep) godb_day *d = st_open_only(a, "eth0");
    GP_CLEANUP(godb_day_closep) godb_day *e = st_open_only(b, "eth0");
    assert_int_equal(godb_day_n_blocks(d), godb_day_n_blocks(e));
    for (size_t i = 0; i < godb_day_n_blocks(d); i++)
        for (int c = 0; c < GODB_N_COLS; c++) {
            const uint8_t *x, *y;
            gp_err err = {0};
            want_ok_err(&err, godb_reader_col(ra, d, i, (godb_col)c, &x, NULL, &err));
            want_ok_err(&err, godb_reader_col(rb, e, i, (godb_col)c, &y, NULL, &err));
            assert_int_equal(godb_day_block(d, i)->raw[c], godb_day_block(e, i)->raw[c]);
            assert_memory_equal(x, y, godb_day_block(d, i)->raw[c]);
        }
}

/* Damaged by the reference (D1): read = flows.csv, check names it, repair rewrites it. */
static void test_d1(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    GP_CLEANUP(test_tmpdirp) char *copy = test_tmpdir();
    GP_CLEANUP(gp_freep) char *q = gp_asprintf("%s.quarantine", copy);
    GP_CLEANUP(gp_freep)
    char *cp = gp_asprintf("cp -r " D1 "/db/. %s && chmod -R u+w %s", copy, copy);
    godb_import_opts io = GODB_IMPORT_OPTS_INIT;
    godb_import_stats is;
    godb_repair_opts ro = GODB_REPAIR_OPTS_INIT;
    godb_repair_stats rs;
    godb_check_stats cs;
    size_t n[GODB_PROBLEM_N_KINDS] = {0};
    gp_err err = {0};

    int fd = open(D1 "/flows.csv", O_RDONLY);
    assert_true(fd >= 0);
    io.iface = "eth0";
    want_ok_err(&err, godb_import(root, fd, "flows.csv", &io, &is, &err));
    close(fd);
    assert_true(is.rows_imported == 5005 && is.blocks == 2);
    same_content(D1 "/db", root);

    FILE *sh = popen(cp, "r"); /* layout: allow popen - copies the corpus */
    assert_non_null(sh);
    assert_int_equal(pclose(sh), 0);
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    want_ok(godb_db_open(copy, &db, NULL));
    want_ok(godb_check(db, NULL, count, n, &cs, NULL));
    assert_true(n[GODB_PROBLEM_DISPLACED] == 1 && cs.by_severity[GODB_ERROR] == 0);
    ro.dry_run = 0;
    want_ok_err(&err, godb_repair(copy, &ro, NULL, NULL, &rs, &err));
    assert_true(rs.n[GODB_REPAIR_REBUILD] == 1 && rs.failed == 0 && rs.blocks_lost == 0);
    want_ok(godb_check(db, NULL, count, n, &cs, NULL));
    assert_true(cs.by_severity[GODB_ERROR] == 0 && cs.by_severity[GODB_WARNING] == 0);
    same_content(copy, root);
    test_rmtree(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_suffixes),
        cmocka_unit_test(test_packed),
        cmocka_unit_test(test_tiny),
        cmocka_unit_test(test_d1),
    };
    if (!test_have_shared())
        return 77;
    st_utc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
