/* table_test.c - endpoint tables: values, defaults, and errors that name line and key. */
#include "fleet/table.h"

#include "test.h"

static void test_values(void **state)
{
    (void)state;
    static const char text[] = "b:\n  addr: unix:/run/goprobe.sock\n  timeout: 5s\n"
                               "a:\n  addr: 10.0.0.1:8145\n  name: agent-a\n  groups: [x, y]\n"
                               "  key: secret\n  scheme: http://\n  log: true\n"
                               "zrh:\n  addr: tcp://10.9.0.1:8145\n  kind: aggregator\n"
                               "  hosts: 'zrh-*'\n"
                               "nat:\n  addr: dial-in\n  groups: z\n"
                               "off:\n  addr: '[2001:db8::1]:8145'\n  disabled: yes\n";
    fleet_table *t = NULL;
    gp_err err = {0};
    want_ok_err(&err, fleet_table_parse("t", text, strlen(text), &t, &err));
    assert_int_equal(fleet_table_count(t), 5);
    assert_string_equal(fleet_table_at(t, 0)->id, "a"); /* sorted */
    const fleet_endpoint *e = fleet_table_find(t, "a");
    assert_string_equal(e->addr, "tcp://10.0.0.1:8145");
    assert_string_equal(e->name, "agent-a");
    assert_int_equal(e->n_groups, 2);
    assert_string_equal(e->groups[1], "y");
    assert_int_equal(e->timeout_ms, 30 * 60 * 1000);
    assert_int_equal(e->kind, AUTH_KIND_AGENT);
    assert_true(e->log);
    e = fleet_table_find(t, "b");
    assert_string_equal(e->addr, "ipc:///run/goprobe.sock");
    assert_string_equal(e->name, "b");
    assert_int_equal(e->timeout_ms, 5000);
    e = fleet_table_find(t, "zrh");
    assert_int_equal(e->kind, AUTH_KIND_AGGREGATOR);
    assert_string_equal(e->hosts, "zrh-*");
    assert_string_equal(fleet_table_find(t, "nat")->addr, FLEET_DIAL_IN);
    assert_true(fleet_table_find(t, "off")->disabled);
    assert_null(fleet_table_find(t, "c"));
    fleet_table_free(t);
    want_ok_err(&err, fleet_table_parse("t", "", 0, &t, &err));
    assert_int_equal(fleet_table_count(t), 0);
    assert_null(fleet_table_find(t, "a"));
    fleet_table_free(t);
}

/* By id first, then by identity; of several the first. */
static void test_lookup(void **state)
{
    (void)state;
    static const char text[] = "fw-2: {addr: 'h:1', name: b}\nfw-1: {addr: 'h:1', name: a}\n"
                               "fw-0: {addr: 'h:1', name: b}\nc: {addr: 'h:1', name: fw-1}\n"
                               "d: {addr: 'h:1'}\n";
    static const struct {
        const char *host, *id;
    } cases[] = {{"fw-1", "fw-1"}, {"a", "fw-1"}, {"b", "fw-0"}, {"c", "c"},
                 {"d", "d"},       {"e", NULL},   {"", NULL},    {"fw", NULL}};
    fleet_table *t = NULL;
    gp_err err = {0};
    want_ok_err(&err, fleet_table_parse("t", text, strlen(text), &t, &err));
    for (size_t i = 0; i < COUNT(cases); i++) {
        const fleet_endpoint *e = fleet_table_lookup(t, cases[i].host);
        if (!e != !cases[i].id || (e && strcmp(e->id, cases[i].id) != 0))
            fail_msg("\"%s\": %s", cases[i].host, e ? e->id : "not found");
    }
    fleet_table_free(t);
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *what, *text, *msg;
    } cases[] = {
        {"no address", "a: {timeout: 5s}\n", "t:1: a: addr is missing"},
        {"empty address", "a:\n  addr: ''\n", "t:1: a: addr is missing"},
        {"no port", "a:\n  addr: somewhere\n", "t:2: a.addr: expected host:port"},
        {"a port that is none", "a:\n  addr: x:99999\n", "t:2: a.addr: expected host:port"},
        {"nothing after the colon", "a:\n  addr: 'x:'\n", "t:2: a.addr: expected host:port"},
        {"HTTP", "a:\n  addr: http://x:1\n", "t:2: a.addr: HTTP is not spoken"},
        {"relative socket", "a:\n  addr: unix:x.sock\n", "t:2: a.addr: expected an absolute path"},
        {"timeout", "a: {addr: 'x:1', timeout: soon}\n", "t:1: a.timeout: expected a duration"},
        {"misspelt key", "a:\n  addr: x:1\n  timout: 5s\n", "3: a.timout: unknown key"},
        {"kind", "a: {addr: 'x:1', kind: sensor}\n", "t:1: a.kind: expected agent or aggregator"},
        {"hosts of an agent", "a: {addr: 'x:1', hosts: b}\n", "only aggregators have hosts"},
        {"hosts that can't be", "a:\n  addr: x:1\n  kind: aggregator\n  hosts: 'b[9-1]'\n",
         "t:4: a.hosts: host selector: \"b[9-1]\": the range goes backwards"},
        {"group that can't be", "a:\n  addr: x:1\n  groups: [b, 'c,d']\n",
         "\"c,d\" can't be a group"},
        {"list", "a: [x]\n", "t:1: a: expected settings"},
        {"any as ID", "any: {addr: 'x:1'}\n", "a host ID can't be \"any\""},
        {"comma in an ID", "'a,b': {addr: 'x:1'}\n", "a host ID can't be"},
        {"twice", "a: {addr: 'x:1'}\na: {addr: 'y:1'}\n", "appears twice"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        fleet_table *t = NULL;
        gp_err err = {0};
        if (fleet_table_parse("t", cases[i].text, strlen(cases[i].text), &t, &err) == GP_OK ||
            !strstr(err.msg, cases[i].msg))
            fail_msg("%s: got \"%s\", want \"%s\"", cases[i].what, err.msg, cases[i].msg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_lookup),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
