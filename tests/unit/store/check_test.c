/* check_test.c - every kind of damage is named by check, and a sound database is not. */
#include "damage.h"

/* What came out. */
struct found {
    size_t n[GODB_PROBLEM_N_KINDS], all;
    godb_severity severity[GODB_PROBLEM_N_KINDS];
    char last[512];
};

static void on_problem(void *ctx, const godb_problem *p)
{
    struct found *f = ctx;

    f->n[p->kind]++;
    f->all++;
    f->severity[p->kind] = p->severity;
    assert_true(p->text[0] && !strchr(p->text, '\n') && p->path[0]);
    snprintf(f->last, sizeof f->last, "%s %s %s: %s", godb_severity_name(p->severity),
             godb_problem_name(p->kind), p->path, p->text);
}

static void test_damage(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture x = make();
        GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
        godb_check_stats s;
        struct found f = {0};
        gp_err err = {0};

        cases[i].damage(&x);
        want_ok(godb_db_open(x.root, &db, NULL));
        want_ok_err(&err, godb_check(db, NULL, on_problem, &f, &s, &err));
        if (cases[i].kind < 0 && f.all > 0)
            fail_msg("%s: found %s", cases[i].what, f.last);
        if (cases[i].kind >= 0 &&
            (f.n[cases[i].kind] == 0 || f.severity[cases[i].kind] != cases[i].severity))
            fail_msg("%s: not found as %s; last: %s", cases[i].what,
                     godb_problem_name((godb_problem_kind)cases[i].kind), f.last);
        if (cases[i].kind < 0) {
            assert_true(s.ifaces == 2 && s.days == 3 && s.blocks == 3 * BLOCKS);
            assert_true(s.rows == 3 * 120 * (BLOCKS - 1));
        }
        for (size_t k = 0; k < GODB_PROBLEM_N_KINDS; k++)
            assert_true(s.n[k] == f.n[k]);
        drop(&x);
    }
}

static void test_options(void **state)
{
    (void)state;
    struct fixture x = make();
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    const char *one[] = {"eth1", NULL}, *none[] = {"eth9", NULL};
    godb_check_opts o = GODB_CHECK_OPTS_INIT;
    godb_check_stats s;
    gp_cancel stop = GP_CANCEL_INIT;
    gp_err err = {0};

    want_ok(godb_db_open(x.root, &db, NULL));
    o.ifaces = one;
    o.threads = 3;
    want_ok(godb_check(db, &o, NULL, NULL, &s, &err));
    assert_true(s.ifaces == 1 && s.days == 1);
    o.ifaces = none;
    want_err(GP_ENOTFOUND, &err, "eth9", godb_check(db, &o, NULL, NULL, &s, &err));
    o.ifaces = NULL;
    o.first_s = DAY + GODB_DAY_S;
    want_ok(godb_check(db, &o, NULL, NULL, &s, &err));
    assert_true(s.days == 1);
    gp_cancel_set(&stop, GP_ECANCELLED);
    o.cancel = &stop;
    want_status(GP_ECANCELLED, godb_check(db, &o, NULL, NULL, &s, &err));
    drop(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_options),
    };
    st_utc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
