/* tree_test.c - aggregators above aggregators: routes, paths, loops, sums. */
#include "rig.h"

#include "gp/clock.h"
#include "wire/features.h"

enum { HOSTS = 6, ROWS = 40 };

struct tree {
    sim *s;
    auth_identity *top_id, *left_id, *right_id;
    auth_trust *trust;
    rig top, left, right;
    gp_buf keys;
};

static auth_identity *key(struct tree *t, const char *name)
{
    auth_identity *id = NULL;
    want_ok(auth_identity_new(AUTH_KIND_AGGREGATOR, name, &id, NULL));
    auth_trust_entry(id, NULL, &t->keys);
    gp_buf_addc(&t->keys, '\n');
    return id;
}

/* Lines of the table of agents first .. last. */
static void some_agents(sim *s, size_t first, size_t last, gp_buf *out)
{
    gp_buf all = {0};
    sim_endpoints(s, 0, &all);
    const char *p = gp_buf_str(&all);
    for (size_t i = 0; i < HOSTS; i++) {
        const char *end = strchr(strchr(p, '\n') + 1, '\n') + 1;
        if (i >= first && i <= last)
            gp_buf_add(out, p, (size_t)(end - p));
        p = end;
    }
    gp_buf_free(&all);
}

/* top -> left (agents 0..2), right (agents 3..4), and agent 5 directly. Group "edge": left and
 * agent 5. left may be of an older version, which lacks some features. */
static void grow_older(struct tree *t, int loop, uint32_t left_lacks)
{
    sim_opts so = {.n = HOSTS, .rows = ROWS, .shared_pct = 50, .seed = 8};
    gp_err err = {0};
    gp_buf table = {0};
    *t = (struct tree){0};
    want_ok_err(&err, sim_new(&so, &t->s, &err));
    sim_trusted_keys(t->s, &t->keys);
    t->top_id = key(t, "top");
    t->left_id = key(t, "left");
    t->right_id = key(t, "right");
    want_ok_err(&err, auth_trust_new(&t->trust, &err));
    want_ok_err(&err, auth_trust_parse(t->trust, gp_buf_str(&t->keys), t->keys.len, &err));
    /* agents must let these aggregators in, too */
    want_ok_err(&err, auth_trust_parse(sim_trust(t->s), gp_buf_str(&t->keys), t->keys.len, &err));
    some_agents(t->s, 0, 2, &table);
    rig_start_older(&t->left, t->left_id, sim_trust(t->s), &table, NULL, left_lacks);
    gp_buf_clear(&table);
    some_agents(t->s, 3, 4, &table);
    if (loop) /* right asks left, left is asked by top: agents 0..2 are reached on two ways */
        gp_buf_printf(&table, "left:\n  addr: %s\n  kind: aggregator\n", t->left.addr);
    rig_start(&t->right, t->right_id, sim_trust(t->s), &table, NULL);
    gp_buf_clear(&table);
    some_agents(t->s, 5, 5, &table);
    gp_buf_printf(&table,
                  "  groups: [edge]\n"
                  "left:\n  addr: %s\n  kind: aggregator\n  hosts: \"agent-000[0-2]\"\n"
                  "  groups: edge\n"
                  "right:\n  addr: %s\n  kind: aggregator\n  hosts: \"agent-000[3-4]\"\n",
                  t->left.addr, t->right.addr);
    rig_start(&t->top, t->top_id, t->trust, &table, NULL);
    rig_wait_connected(&t->left, 3);
    rig_wait_connected(&t->right, loop ? 3 : 2);
    rig_wait_connected(&t->top, 3);
    gp_buf_free(&table);
}

static void grow(struct tree *t, int loop)
{
    grow_older(t, loop, 0);
}

static void fell(struct tree *t)
{
    rig_stop(&t->top);
    rig_stop(&t->right);
    rig_stop(&t->left);
    sim_free(t->s);
    auth_identity_free(t->top_id);
    auth_identity_free(t->left_id);
    auth_identity_free(t->right_id);
    auth_trust_free(t->trust);
    gp_buf_free(&t->keys);
}

static result ask(struct tree *t, const char *hosts, uint64_t limit, int merge)
{
    query_stmt *s = rig_prepare("sip,dip", limit, merge);
    remote_opts o = rig_client(&t->top, t->s);
    o.verify = 1; /* through two levels */
    result r = {0};
    gp_err err = {0};
    o.trust = t->trust;
    o.hosts = hosts;
    if (remote_query(s, &o, &r, &err) != GP_OK)
        fail_msg("%s: %s", hosts, err.msg);
    query_stmt_free(s);
    return r;
}

static void check_totals(struct tree *t, const result *r, const char *hosts)
{
    uint64_t want = 0;
    for (size_t i = 0; i < HOSTS; i++) {
        for (size_t k = 0; k < r->n_host_statuses; k++) {
            if (r->host_statuses[k].code == RESULT_OK &&
                strcmp(r->host_statuses[k].host, sim_host_name(t->s, i)) == 0)
                want += sim_totals(t->s, i)->bytes_rcvd;
        }
    }
    if (want != r->totals.bytes_rcvd)
        fail_msg("%s: totals differ", hosts);
}

/* ok: digits of the hosts that have a status, and no other has; all are ok. */
static void want_hosts(struct tree *t, const char *hosts, const char *ok)
{
    result r = ask(t, hosts, 100000, 0);
    char got[HOSTS + 1] = "";
    size_t n = 0;
    for (size_t h = 0; h < HOSTS; h++) {
        const result_host_status *s = result_find_host_status(&r, sim_host_name(t->s, h));
        if (s && s->code != RESULT_OK)
            fail_msg("%s: %s: %s", hosts, s->host, s->message);
        if (s)
            got[n++] = (char)('0' + h);
    }
    got[n] = 0;
    if (strcmp(got, ok) != 0 || r.n_host_statuses != n)
        fail_msg("%s: got %s, want %s", hosts, got, ok);
    assert_int_equal(r.n_rows, n * ROWS);
    check_totals(t, &r, hosts);
    result_clear(&r);
}

static void test_routes(void **state)
{
    (void)state;
    static const struct {
        const char *hosts, *ok;
    } cases[] = {
        {"any", "012345"},
        {"agent-0001", "1"},
        {"agent-0001,agent-0004,agent-0005", "145"},
        {"any,!agent-0003", "01245"},
        {"agent-000[2-3]", "23"},
        {"agent-*,!agent-000[0-2]", "345"},
        {"left", "012"},
        {"left,!agent-0001", "02"},
        {"any,!left", "345"},
        {"left,any,!agent-0000", "12345"},
        {"@edge", "0125"},
        {"any,!@edge", "34"},
        {"agent-0001,agent-0003,!left", "3"},
    };
    struct tree t;
    grow(&t, 0);
    for (size_t i = 0; i < COUNT(cases); i++)
        want_hosts(&t, cases[i].hosts, cases[i].ok);
    fell(&t);
}

/* Limits in the trusted_keys of the top hold for hosts behind others, which know no limits. */
static void test_limits(void **state)
{
    (void)state;
    static const struct {
        const char *limit, *hosts;
        const char *ok, *denied; /* digits; l, r: left, right */
    } cases[] = {
        {"*", "any", "012345", ""},
        {"agent-0001,agent-0005", "any", "15", ""},
        {"agent-0001", "any", "1", "5"},
        {"agent-0001", "left", "1", ""},
        {"agent-0001", "left,!agent-0001", "", ""},
        {"agent-0001,agent-0004", "agent-000[0-4]", "14", "023"},
        {"agent-000?", "agent-*", "012345", ""},
        {"agent-*", "agent-0*", "012345", ""},
        {"agent-0001,agent-0002", "*2", "2", ""},
        {"*-0001", "agent-*", "", "5lr"}, /* a selector can't say what both mean */
        {"*-0001", "agent-0001,agent-0005", "1", "5"},
        {"!agent-0001,@edge", "any", "", "5lr"},
    };
    struct tree t;
    gp_err err = {0};
    grow(&t, 0);
    const char *at = strstr(gp_buf_str(&t.keys), "user alice ");
    size_t head = (size_t)(strchr(at, '\n') - gp_buf_str(&t.keys));
    for (size_t i = 0; i < COUNT(cases); i++) {
        gp_buf keys = {0};
        char ok[HOSTS + 1] = "", denied[HOSTS + 3] = "";
        size_t n = 0, n_denied = 0;
        gp_buf_printf(&keys, "%.*s hosts=%s%s", (int)head, gp_buf_str(&t.keys), cases[i].limit,
                      gp_buf_str(&t.keys) + head);
        want_ok_err(&err, auth_trust_parse(t.trust, gp_buf_str(&keys), keys.len, &err));
        gp_buf_free(&keys);
        result r = ask(&t, cases[i].hosts, 100000, 0);
        for (size_t h = 0; h < HOSTS + 2; h++) {
            const char *name = h < HOSTS ? sim_host_name(t.s, h) : h == HOSTS ? "left" : "right";
            const result_host_status *s = result_find_host_status(&r, name);
            if (s && s->code == RESULT_OK)
                ok[n++] = (char)('0' + h);
            else if (s && s->code == RESULT_DENIED && strstr(s->message, "is not allowed to ask"))
                denied[n_denied++] = h < HOSTS ? (char)('0' + h) : *name;
        }
        if (strcmp(ok, cases[i].ok) != 0 || strcmp(denied, cases[i].denied) != 0 ||
            r.n_host_statuses != n + n_denied)
            fail_msg("%s of %s: %s, denied %s, %zu in all", cases[i].hosts, cases[i].limit, ok,
                     denied, r.n_host_statuses);
        assert_int_equal(r.n_rows, n * ROWS);
        result_clear(&r);
    }
    fell(&t);
}

/* Where another resolver is the default of the aggregator, a query that names none gets the hosts
 * of that one, and no more. */
static void test_default_resolver(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    char path[500];
    struct tree t;
    resolver_set *rs = NULL;
    gp_err err = {0};
    snprintf(path, sizeof path, "%s/list", dir);
    test_spew(path, "agent-0001\nagent-0005\n@far: agent-0004\n", 39);
    const resolver_conf conf = {.type = "file", .config = path};
    grow(&t, 0);
    want_ok_err(&err, resolver_set_new(&conf, 1, "file", &rs, &err));
    fanout_set_resolvers(t.top.fanout, rs);
    want_hosts(&t, "any", "145");
    want_hosts(&t, "agent-*,!agent-0005", "14");
    want_hosts(&t, "@far", "4");
    want_hosts(&t, "left,!agent-0001", "02");
    want_hosts(&t, "left,any,!agent-000[0-1]", "245");
    fell(&t);
}

static void test_faults_keep_their_path(void **state)
{
    (void)state;
    struct tree t;
    grow(&t, 0);
    sim_behave(t.s, 1, SIM_ERROR, 0);
    result r = ask(&t, "any", 100000, 0);
    const result_host_status *h = rig_status(&r, "agent-0001");
    assert_int_equal(h->code, RESULT_ERROR);
    assert_non_null(strstr(h->message, "disk on fire"));
    assert_non_null(strstr(h->message, "via left"));
    assert_int_equal(r.n_rows, (HOSTS - 1) * ROWS);
    check_totals(&t, &r, "any");
    result_clear(&r);
    /* a whole branch is away */
    rig_stop(&t.right);
    r = ask(&t, "any", 100000, 0);
    assert_int_equal(rig_status(&r, "right")->code, RESULT_UNREACHABLE);
    assert_int_equal(r.n_rows, (HOSTS - 3) * ROWS);
    check_totals(&t, &r, "any");
    result_clear(&r);
    gp_buf table = {0};
    some_agents(t.s, 3, 4, &table);
    rig_start(&t.right, t.right_id, t.trust, &table, NULL);
    gp_buf_free(&table);
    fell(&t);
}

/* Hosts behind an aggregator of an older version: asked for as a whole, or with a status that says
 * what is missing; never more than was asked for. */
static void test_older_aggregator(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        uint32_t lacks;
        const char *hosts;
        int verify;
        size_t ok;
        const char *left; /* what its status says; NULL = it has none */
    } cases[] = {
        {"all of the selector", WIRE_F_TARGETS, "any", 0, HOSTS, NULL},
        {"all but one", WIRE_F_TARGETS, "any,!agent-0003", 0, HOSTS - 1, NULL},
        {"a part of it", WIRE_F_TARGETS, "agent-0001,agent-0004", 0, 1, "a part of the hosts"},
        {"evidence, not wanted", WIRE_F_EVIDENCE, "any", 0, HOSTS, NULL},
        {"evidence, wanted", WIRE_F_EVIDENCE, "any", 1, HOSTS - 3, "does not pass on"},
        {"everything", WIRE_FEATURES, "any", 0, HOSTS, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tree t;
        gp_err err = {0};
        grow_older(&t, 0, cases[i].lacks);
        query_stmt *s = rig_prepare("sip,dip", 100000, 0);
        remote_opts o = rig_client(&t.top, t.s);
        result r = {0};
        o.trust = t.trust;
        o.hosts = cases[i].hosts;
        o.verify = cases[i].verify;
        if (remote_query(s, &o, &r, &err) != GP_OK)
            fail_msg("%s: %s", cases[i].what, err.msg);
        const result_host_status *left = result_find_host_status(&r, "left");
        if (r.n_rows != cases[i].ok * ROWS || !left != !cases[i].left ||
            (left && (left->code != RESULT_ERROR || !strstr(left->message, cases[i].left))))
            fail_msg("%s: %zu rows, left: %s", cases[i].what, r.n_rows,
                     left ? left->message : "no status");
        check_totals(&t, &r, cases[i].what);
        result_clear(&r);
        /* asked itself: --verify is refused at once */
        o.addr = t.left.addr;
        o.verify = 1;
        if (cases[i].lacks & WIRE_F_EVIDENCE)
            want_err(GP_EUNSUPPORTED, &err, "older version", remote_query(s, &o, &r, &err));
        query_stmt_free(s);
        fell(&t);
    }
}

/* Cutting to N at every level, or adding up over all levels, gives what one level gives. */
static void test_levels_are_exact(void **state)
{
    (void)state;
    struct tree t;
    rig flat;
    gp_buf table = {0};
    grow(&t, 0);
    sim_endpoints(t.s, 0, &table);
    rig_start(&flat, sim_aggregator(t.s), t.trust, &table, NULL);
    rig_wait_connected(&flat, HOSTS);
    for (int merge = 0; merge < 2; merge++) {
        for (uint64_t limit = 3; limit < 200; limit *= 4) {
            result a = ask(&t, "any", limit, merge), b = {0};
            query_stmt *s = rig_prepare("sip,dip", limit, merge);
            remote_opts o = rig_client(&flat, t.s);
            o.trust = t.trust;
            want_ok(remote_query(s, &o, &b, NULL));
            assert_int_equal(a.n_rows, b.n_rows);
            assert_int_equal(a.hits_total, b.hits_total);
            for (size_t i = 0; i < a.n_rows; i++) {
                if (memcmp(a.rows[i].sip, b.rows[i].sip, 32) != 0 ||
                    memcmp(&a.rows[i].c, &b.rows[i].c, sizeof a.rows[i].c) != 0)
                    fail_msg("merge %d, limit %zu: row %zu differs", merge, (size_t)limit, i);
            }
            result_clear(&a);
            result_clear(&b);
            query_stmt_free(s);
        }
    }
    rig_stop(&flat);
    gp_buf_free(&table);
    fell(&t);
}

/* Thousands of names behind one aggregator fit its part of the selector; too many are refused with
 * a reason, and harm nobody else. */
static void test_many_names(void **state)
{
    (void)state;
    static const struct {
        const char *hosts;
        size_t statuses, ok;
        result_code left; /* RESULT_OK: it has none of its own */
    } cases[] = {
        {"agent-000[0-5],agent-[1000-8999]", HOSTS + 8000, HOSTS, RESULT_OK},
        {"agent-000[0-5],agent-[1000-9999],agent-[10000-19999]", HOSTS - 3 + 1, HOSTS - 3,
         RESULT_ERROR},
        /* fewer, but they stand in the body as well, because the user's side has resolved a group
         */
        {"@edge,agent-000[0-5],agent-[1000-9999],agent-[10000-12299]", HOSTS - 3 + 1, HOSTS - 3,
         RESULT_ERROR},
    };
    struct tree t;
    gp_err err = {0};
    gp_buf table = {0};
    fleet_table *ft = NULL;
    grow(&t, 0);
    some_agents(t.s, 3, 5, &table);
    gp_buf_printf(&table,
                  "  groups: edge\nleft:\n  addr: %s\n  kind: aggregator\n  hosts: \"agent-*\"\n",
                  t.left.addr);
    want_ok_err(&err, fleet_table_parse("t", table.data, table.len, &ft, &err));
    want_ok_err(&err, fleet_reload(t.top.fleet, ft, &err));
    gp_buf_free(&table);
    rig_wait_connected(&t.top, 4);
    for (size_t i = 0; i < COUNT(cases); i++) {
        result r = ask(&t, cases[i].hosts, 100000, 0);
        size_t ok = 0;
        for (size_t k = 0; k < r.n_host_statuses; k++)
            ok += r.host_statuses[k].code == RESULT_OK;
        const result_host_status *left = result_find_host_status(&r, "left");
        if (r.n_host_statuses != cases[i].statuses || ok != cases[i].ok ||
            (left ? left->code : RESULT_OK) != cases[i].left ||
            (left && !strstr(left->message, "too many names of hosts behind it")))
            fail_msg("%s: %zu statuses, %zu ok, left: %s", cases[i].hosts, r.n_host_statuses, ok,
                     left ? left->message : "-");
        check_totals(&t, &r, cases[i].hosts);
        result_clear(&r);
    }
    fell(&t);
}

/* A host in the table that is behind an aggregator, too, is asked once, whoever is faster. */
static void test_overlap(void **state)
{
    (void)state;
    enum { MORE = 1000 };
    struct tree t;
    gp_err err = {0};
    gp_buf table = {0};
    fleet_table *ft = NULL;
    grow(&t, 0);
    some_agents(t.s, 1, 5, &table); /* all but agent 0 */
    gp_buf_printf(&table, "left:\n  addr: %s\n  kind: aggregator\n  hosts: \"a*\"\n", t.left.addr);
    for (int i = 0; i < MORE; i++) /* many more of them */
        gp_buf_printf(&table, "aa-%04d: {addr: dial-in}\n", i);
    want_ok_err(&err, fleet_table_parse("t", table.data, table.len, &ft, &err));
    want_ok_err(&err, fleet_reload(t.top.fleet, ft, &err));
    gp_buf_free(&table);
    rig_wait_connected(&t.top, HOSTS);
    for (int i = 0; i < 10; i++) {
        sim_behave(t.s, 1, SIM_DELAY, i % 2 ? 20 : 0);
        sim_behave(t.s, 0, SIM_DELAY, i % 2 ? 0 : 20);
        result r = ask(&t, i % 3 ? "any" : "left,agent-*", 100000, i % 2);
        assert_int_equal(r.n_host_statuses, HOSTS + (i % 3 ? MORE : 0));
        for (size_t h = 0; h < HOSTS; h++)
            assert_int_equal(rig_status(&r, sim_host_name(t.s, h))->code, RESULT_OK);
        check_totals(&t, &r, "overlap");
        result_clear(&r);
    }
    fell(&t);
}

/* A loop ends with a status, and no host counts twice. */
static void test_loop(void **state)
{
    (void)state;
    struct tree t;
    gp_err err = {0};
    grow(&t, 1);
    /* left now asks right, which asks left */
    gp_buf table = {0};
    fleet_table *ft = NULL;
    some_agents(t.s, 0, 2, &table);
    gp_buf_printf(&table, "right:\n  addr: %s\n  kind: aggregator\n", t.right.addr);
    want_ok_err(&err, fleet_table_parse("t", table.data, table.len, &ft, &err));
    want_ok_err(&err, fleet_reload(t.left.fleet, ft, &err));
    gp_buf_free(&table);
    rig_wait_connected(&t.left, 4);
    int64_t start = gp_mono_ms();
    result r = ask(&t, "any", 100000, 0);
    assert_true(gp_mono_ms() - start < 10000);
    size_t ok = 0;
    for (size_t i = 0; i < r.n_host_statuses; i++)
        ok += r.host_statuses[i].code == RESULT_OK;
    assert_true(r.n_rows <= HOSTS * ROWS);
    assert_int_equal(r.n_rows, ok * ROWS);
    check_totals(&t, &r, "loop");
    result_clear(&r);
    fell(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_default_resolver),
        cmocka_unit_test(test_faults_keep_their_path),
        cmocka_unit_test(test_older_aggregator),
        cmocka_unit_test(test_levels_are_exact),
        cmocka_unit_test(test_many_names),
        cmocka_unit_test(test_overlap),
        cmocka_unit_test(test_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
