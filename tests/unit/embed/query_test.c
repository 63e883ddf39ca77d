/* query_test.c - godb_query(): what its texts select, what is refused. */
#include "../store/storetest.h"

#include "godb/godb.h"

enum { DAY = 1699920000 };

/* eth0: blocks of 3 and 2 rows on two days; eth1: one IPv6 row. */
static char *make_db(void)
{
    char *root = test_tmpdir();
    const godb_row v4[] = {st_row("10.0.0.1", "192.0.2.1", 443, 6, 100, 10, 2, 1),
                           st_row("10.0.0.2", "192.0.2.1", 443, 6, 300, 10, 1, 1),
                           st_row("10.0.0.3", "192.0.2.1", 53, 17, 200, 500, 3, 1)};
    const godb_row v6 = st_row("2001:db8::1", "2001:db8::2", 22, 6, 7, 7, 1, 1);
    GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL, *w6 = NULL;

    want_ok(godb_writer_open(root, "eth0", NULL, &w, NULL));
    st_append(w, DAY + 300, v4, 3, 0);
    st_append(w, DAY + 86400 + 300, v4, 2, 0);
    want_ok(godb_writer_open(root, "eth1", NULL, &w6, NULL));
    st_append(w6, DAY + 300, &v6, 1, 0);
    return root;
}

static const struct {
    const char *what, *query;
    godb_query_opts o;
    const char *want; /* "sip:bytes received " of each row */
    uint64_t hits;
} asked[] = {
    {"everything", "sip", {0}, "10.0.0.3:200 10.0.0.2:600 10.0.0.1:200 2001:db8::1:7 ", 4},
    {"one interface", "sip", {.ifaces = "eth1"}, "2001:db8::1:7 ", 1},
    {"condition", "sip", {.condition = "dport = 443"}, "10.0.0.2:600 10.0.0.1:200 ", 2},
    {"limit", "sip", {.limit = 1, .sort_by = "bytes"}, "10.0.0.3:200 ", 4},
    {"received only", "sip", {.direction = QUERY_IN, .limit = 1}, "10.0.0.2:600 ", 4},
    {"ascending", "sip", {.ascending = 1, .limit = 1}, "2001:db8::1:7 ", 4},
    {"packets", "sip", {.sort_by = "packets", .limit = 1}, "10.0.0.1:200 ", 4},
    {"from", "sip", {.first = "1700006401"}, "10.0.0.2:300 10.0.0.1:100 ", 2},
    {"until",
     "sip",
     {.ifaces = "eth0", .last = "1700006400"},
     "10.0.0.3:200 10.0.0.2:300 10.0.0.1:100 ",
     3},
    {"expression", "sip", {.ifaces = "/1$/"}, "2001:db8::1:7 ", 1},
    {"one thread", "sip", {.threads = 1, .condition = "sip = 10.0.0.1"}, "10.0.0.1:200 ", 1},
    {"no match", "sip", {.condition = "dport = 1"}, "", 0},
};

static void test_rows(void **state)
{
    (void)state;
    st_utc();
    GP_CLEANUP(test_tmpdirp) char *root = make_db();
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    gp_err err = {0};

    want_ok(godb_db_open(root, &db, NULL));
    for (size_t i = 0; i < COUNT(asked); i++) {
        GP_CLEANUP(result_clear) result r = {0};
        GP_CLEANUP(gp_buf_free) gp_buf got = {0};
        want_ok_err(&err, godb_query(db, asked[i].query, &asked[i].o, &r, &err));
        for (size_t k = 0; k < r.n_rows; k++) {
            char text[GP_ADDR_STRLEN];
            gp_addr a = godb_row_sip(&r.rows[k]);
            gp_addr_format(&a, text, sizeof text);
            gp_buf_printf(&got, "%s:%llu ", text, (unsigned long long)r.rows[k].c.bytes_rcvd);
        }
        if (strcmp(gp_buf_str(&got), asked[i].want) != 0 || r.hits_total != asked[i].hits)
            fail_msg("%s: got %s(%llu), want %s(%llu)", asked[i].what, gp_buf_str(&got),
                     (unsigned long long)r.hits_total, asked[i].want,
                     (unsigned long long)asked[i].hits);
    }
}

/* Without options everything is asked; labels can be looked up, an absent address has family 0. */
static void test_labels(void **state)
{
    (void)state;
    st_utc();
    GP_CLEANUP(test_tmpdirp) char *root = make_db();
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    GP_CLEANUP(result_clear) result r = {0};
    const godb_query_opts hour = {.resolution = "1h"};

    want_ok(godb_db_open(root, &db, NULL));
    want_ok(godb_query(db, "iface,dip", NULL, &r, NULL));
    assert_int_equal(r.n_rows, 2);
    assert_string_equal(r.names[r.rows[0].iface], "eth0");
    assert_string_equal(r.names[r.rows[1].iface], "eth1");
    assert_int_equal(godb_row_dip(&r.rows[1]).family, 6);
    assert_int_equal(godb_row_sip(&r.rows[1]).family, 0);
    assert_int_equal(r.totals.bytes_rcvd, 1007);
    result_clear(&r);
    want_ok(godb_query(db, "time", &hour, &r, NULL));
    assert_int_equal(r.rows[0].time_s % 3600, 0);
}

static const struct {
    const char *what, *query;
    godb_query_opts o;
    const char *text;
} refused[] = {
    {"attribute", "sipp", {0}, "unknown attribute, in sipp (did you mean \"sip\""},
    {"no query", "", {0}, "query"},
    {"condition", "sip", {.condition = "dport ="}, "dport ="},
    {"time", "sip", {.first = "yesterdayish"}, "yesterdayish"},
    {"order of times", "sip", {.first = "200", .last = "100"}, "interval"},
    {"sort", "sip", {.sort_by = "colour"}, "colour"},
    {"resolution", "time", {.resolution = "7m"}, "7m"},
    {"interface", "sip", {.ifaces = "wlan0"}, "no interfaces"},
};

static void test_refused(void **state)
{
    (void)state;
    st_utc();
    GP_CLEANUP(test_tmpdirp) char *root = make_db();
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;

    want_ok(godb_db_open(root, &db, NULL));
    for (size_t i = 0; i < COUNT(refused); i++) {
        result r;
        gp_err err = {0};
        memset(&r, 0xff, sizeof r); /* it is initialised also on failure */
        gp_status st = godb_query(db, refused[i].query, &refused[i].o, &r, &err);
        if (st != GP_EINVAL || !strstr(err.msg, refused[i].text))
            fail_msg("%s: status %d, \"%s\" without \"%s\"", refused[i].what, st, err.msg,
                     refused[i].text);
        result_clear(&r);
    }
}

static void test_cancel(void **state)
{
    (void)state;
    st_utc();
    GP_CLEANUP(test_tmpdirp) char *root = make_db();
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    gp_cancel cancel = GP_CANCEL_INIT;
    const godb_query_opts o = {.cancel = &cancel};
    result r;

    want_ok(godb_db_open(root, &db, NULL));
    gp_cancel_set(&cancel, GP_ECANCELLED);
    assert_int_equal(godb_query(db, "sip", &o, &r, NULL), GP_ECANCELLED);
    result_clear(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
