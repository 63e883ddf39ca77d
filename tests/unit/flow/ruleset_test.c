/* ruleset_test.c - which interfaces are wanted: names, expressions, order, detection
 * (capture.md 5.4). */
#include "flow/ruleset.h"
#include "test.h"

/* Rules as "name" or "/regex/"; a leading '!' disables, '-' excludes from detection, "*" detects.
 * The settings of rule i have num_blocks i + 1, so that a match tells which rule it was;
 * detection 99. */
static flow_ruleset *build(const char *const *rules)
{
    flow_ruleset *rs = NULL;
    gp_err err = {0};

    want_ok_err(&err, flow_ruleset_new(&rs, &err));
    for (size_t i = 0; rules[i]; i++) {
        capture_conf conf = {.block_size = 1, .num_blocks = i + 1};
        const char *r = rules[i];
        if (*r == '*') {
            conf.num_blocks = 99;
            flow_ruleset_detect(rs, &conf);
        } else if (*r == '-') {
            want_ok_err(&err, flow_ruleset_exclude(rs, r + 1, &err));
        } else {
            conf.disable = *r == '!';
            want_ok_err(&err, flow_ruleset_add(rs, r + (*r == '!'), &conf, &err));
        }
    }
    return rs;
}

static void test_match(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        const char *rules[5];
        const char *hosts; /* existing interfaces */
        const char *want;  /* name=rule; "?" behind names without interface */
    } cases[] = {
        {"literal", {"eth0"}, "eth0 eth1 lo", "eth0=1"},
        {"missing literal is reported", {"eth0", "eth9"}, "eth0", "eth0=1 eth9=2?"},
        {"with an expression it is not", {"eth9", "/^eth/"}, "eth0", "eth0=2"},
        {"unanchored", {"/h0/"}, "eth0 veth01 lo", "eth0=1 veth01=1"},
        {"anchored", {"/^eth[0-9]+$/"}, "eth0 veth0 eth10 ethx", "eth0=1 eth10=1"},
        {"case counts", {"/^ETH/"}, "eth0 ETH1", "ETH1=1"},
        {"upper case class", {"/^\\D+$/"}, "abc eth0", "abc=1"},
        {"literal beats expression", {"/^eth/", "eth1"}, "eth0 eth1", "eth0=1 eth1=2"},
        {"first expression wins", {"/^eth/", "/0$/"}, "eth0 lo0", "eth0=1 lo0=2"},
        {"disabled literal", {"/^eth/", "!eth1"}, "eth0 eth1", "eth0=1"},
        {"disabled expression", {"!/^veth/", "/./"}, "eth0 veth0", "eth0=2"},
        {"literal beats disabled expression", {"!/^eth/", "eth0"}, "eth0 eth1", "eth0=2"},
        {"disabled and missing", {"!eth0", "eth1"}, "eth1", "eth1=2"},
        {"dots and signs in names",
         {"eth0.100", "br-lan"},
         "br-lan eth0.100",
         "br-lan=2 eth0.100=1"},
        {"detection", {"*"}, "eth0 lo", "eth0=99 lo=99"},
        {"detection with exclusions", {"*", "-lo", "-/^veth/"}, "eth0 lo veth0 veth1", "eth0=99"},
        {"detection with a disabled interface", {"*", "!eth0"}, "eth0 eth1", "eth1=99"},
        {"nothing exists", {"/./"}, "", ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char hosts[128], got[256] = "", *save = NULL;
        capture_link links[16] = {0};
        size_t n_links = 0, n;
        flow_wanted *w = NULL;
        gp_err err = {0};
        GP_CLEANUP(flow_ruleset_freep) flow_ruleset *rs = build(cases[i].rules);
        (void)snprintf(hosts, sizeof hosts, "%s", cases[i].hosts);
        for (char *t = strtok_r(hosts, " ", &save); t; t = strtok_r(NULL, " ", &save))
            (void)snprintf(links[n_links++].name, CAPTURE_NAME_CAP, "%s", t);
        want_ok_err(&err, flow_ruleset_match(rs, links, n_links, &w, &n, &err));
        for (size_t k = 0; k < n; k++) {
            size_t len = strlen(got);
            (void)snprintf(got + len, sizeof got - len, "%s%s=%u%s", k ? " " : "", w[k].name,
                           (unsigned)w[k].conf->num_blocks, w[k].exists ? "" : "?");
        }
        gp_free(w);
        if (strcmp(got, cases[i].want) != 0)
            fail_msg("%s: got \"%s\", want \"%s\"", cases[i].what, got, cases[i].want);
    }
}

static void test_bad_patterns(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
    } cases[] = {
        {"/(/", "not a regular expression"},
        {"/[z-a]/", "at character"},
        {"", "expected 1 to 256"},
        {"a-name-of-16-chr", "not an interface name"},
        {"eth0/", "no slash"},
        {"/", "no slash"},
    };
    flow_ruleset *rs = NULL;
    gp_err err = {0};
    capture_conf conf = {0};

    want_ok_err(&err, flow_ruleset_new(&rs, &err));
    for (size_t i = 0; i < COUNT(cases); i++) {
        want_err(GP_EINVAL, &err, cases[i].text,
                 flow_ruleset_add(rs, cases[i].pattern, &conf, &err));
        want_err(GP_EINVAL, &err, cases[i].text, flow_ruleset_exclude(rs, cases[i].pattern, &err));
    }
    flow_ruleset_free(rs);
}

/* D-36: the bound holds for what matches, before anything is opened. An expression that backtracks
 * without end matches nothing instead of hanging. */
static void test_bounds(void **state)
{
    (void)state;
    const char *all[] = {"/./", NULL}, *slow[] = {"/(a+)+$/", NULL};
    GP_CLEANUP(flow_ruleset_freep) flow_ruleset *rs = build(all);
    GP_CLEANUP(flow_ruleset_freep) flow_ruleset *bad = build(slow);
    capture_link *links = gp_calloc(FLOW_MAX_IFACES + 1, sizeof *links);
    flow_wanted *w = NULL;
    size_t n;
    gp_err err = {0};

    assert_non_null(links);
    for (unsigned i = 0; i <= FLOW_MAX_IFACES; i++)
        (void)snprintf(links[i].name, CAPTURE_NAME_CAP, "eth%u", i);
    want_ok_err(&err, flow_ruleset_match(rs, links, FLOW_MAX_IFACES, &w, &n, &err));
    assert_int_equal(n, FLOW_MAX_IFACES);
    gp_free(w);
    want_err(GP_ELIMIT, &err, "1025 interfaces",
             flow_ruleset_match(rs, links, FLOW_MAX_IFACES + 1, &w, &n, &err));
    assert_null(flow_ruleset_conf(bad, "aaaaaaaaaaaaaab"));
    gp_free(links);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_bad_patterns),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
