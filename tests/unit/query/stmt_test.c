/* stmt_test.c - preparing a statement: table I, defaults, what is derived. */
#include "query/stmt.h"

#include "cases.h"

enum { NOW = 1907755200 }; /* 2030-06-15T12:00:00Z */

static const char BASE[] = "{\"query\":\"sip\",\"ifaces\":\"eth0\",\"first\":\"1000\",\"last\":"
                           "\"2000\",\"format\":\"json\","
                           "\"num_results\":10,\"max_mem_pct\":60,\"sort_by\":\"bytes\"}";

/* What one preparation gave. */
typedef struct outcome {
    gp_status st;
    query_stmt *s;
    query_problems p;
    gp_err err;
} outcome;

static outcome prepare(const query_args *a, int api)
{
    query_env env = {.now_s = NOW, .api_defaults = api};
    outcome o = {0};

    o.st = query_prepare(a, &env, &o.s, &o.p, &o.err);
    if ((o.st == GP_OK) != (o.s != NULL) || (o.st == GP_EINVAL) != (o.p.n > 0))
        fail_msg("status %d with %zu problems", o.st, o.p.n);
    return o;
}

static void outcome_free(outcome *o)
{
    query_stmt_free(o->s);
    query_problems_clear(&o->p);
}

/* The base object or, with base NULL, nothing; then the changes. */
static outcome prepare_json(const char *base, const char *changes, int api)
{
    query_args a = {0};
    gp_err err = {0};

    if (base)
        want_ok(query_args_from_json(&a, base, strlen(base), NULL));
    want_ok_err(&err, query_args_from_json(&a, changes, strlen(changes), &err));
    outcome o = prepare(&a, api);
    query_args_clear(&a);
    return o;
}

static const char *locations(const outcome *o, gp_buf *b)
{
    gp_buf_clear(b);
    for (size_t i = 0; i < o->p.n; i++)
        gp_buf_printf(b, "%s%s", i ? "," : "", o->p.v[i].location);
    return o->p.n ? gp_buf_str(b) : "-";
}

static void test_table(void **state)
{
    case_table c = cases_load("arguments", 45);
    gp_buf b = {0};

    (void)state;
    setenv("TZ", "UTC", 1);
    for (size_t i = 0; i < c.n; i++) {
        const char **r = c.row[i];
        if (strcmp(r[2], "decode") == 0) {
            query_args a = {0};
            want_status(GP_EINVAL, query_args_from_json(&a, r[1], strlen(r[1]), NULL));
            query_args_clear(&a);
            continue;
        }
        outcome o = prepare_json(BASE, r[1], 0);
        if (strcmp(locations(&o, &b), r[2]) != 0)
            fail_msg("%s: %s: got %s, want %s", r[0], r[1], locations(&o, &b), r[2]);
        outcome_free(&o);
    }
    outcome o = prepare_json(NULL, "{}", 0); /* I02 */
    assert_string_equal(locations(&o, &b), "body.query,body.format,body.ifaces,body.ifaces,"
                                           "body.max_mem_pct,body.num_results");
    outcome_free(&o);
    gp_buf_free(&b);
    cases_free(&c);
}

static void test_labels(void **state)
{
    case_table c = cases_load("labels", 8);

    (void)state;
    for (size_t i = 0; i < c.n; i++) {
        const char **r = c.row[i];
        query_args a = {0};
        want_ok(query_args_init(&a));
        want_ok(query_args_set(&a.ifaces, r[1]));
        want_ok(query_args_set(&a.query, r[2]));
        outcome o = prepare(&a, 0);
        int column = (o.s->labels & QUERY_LABEL_IFACE) != 0;
        int named = (o.s->fields.labels & QUERY_LABEL_IFACE) != 0;
        int automatic = query_auto_iface_label(o.s, strtoumax(r[3], NULL, 10));
        if (column != (strcmp(r[4], "yes") == 0) || (named || automatic) != column)
            fail_msg("%s: column %d, automatic %d", r[0], column, automatic);
        outcome_free(&o);
        query_args_clear(&a);
    }
    cases_free(&c);
}

/* F105 to F108 and 9.2: bounds that are not given. */
static void test_time_defaults(void **state)
{
    static const struct {
        const char *what, *json;
        int api;
        int64_t first, last;
    } cases[] = {
        {"F105", "{\"query\":\"sip\"}", 0, 1905076800, NOW},
        {"F106", "{\"query\":\"time,sip\"}", 0, NOW - 86400, NOW},
        {"F107", "{\"query\":\"raw\"}", 0, NOW - 86400, NOW},
        {"API: a month always, no upper bound", "{\"query\":\"raw\"}", 1, 1905076800,
         QUERY_TIME_MAX},
        {"relative", "{\"first\":\"-2d\",\"last\":\"-1d\"}", 0, NOW - 172800, NOW - 86400},
    };
    static const char base[] = "{\"query\":\"sip\",\"ifaces\":\"eth0\",\"format\":\"json\","
                               "\"num_results\":10,\"max_mem_pct\":60}";
    (void)state;
    setenv("TZ", "UTC", 1);
    for (size_t i = 0; i < COUNT(cases); i++) {
        outcome o = prepare_json(base, cases[i].json, cases[i].api);
        char first[24], last[24];
        if (o.st != GP_OK || o.s->first_s != cases[i].first || o.s->last_s != cases[i].last)
            fail_msg("%s: %s", cases[i].what, o.err.msg);
        (void)snprintf(first, sizeof first, "%" PRId64, cases[i].first);
        (void)snprintf(last, sizeof last, "%" PRId64, cases[i].last);
        assert_string_equal(o.s->args.first, first); /* sent on as epochs (U38) */
        assert_string_equal(o.s->args.last, last);
        outcome_free(&o);
    }
}

static void test_api_defaults(void **state)
{
    outcome o = prepare_json(NULL, "{\"query\":\"sip\",\"ifaces\":\"eth0\"}", 1);

    (void)state;
    assert_int_equal(o.st, GP_OK);
    assert_int_equal(o.s->format, QUERY_JSON);
    assert_int_equal(o.s->sort, QUERY_SORT_BYTES);
    assert_int_equal(o.s->limit, 1000);
    assert_int_equal(o.s->max_mem_pct, 60);
    assert_int_equal(o.s->dns_timeout_ns, 1000000000);
    outcome_free(&o);
    /* U44: a bare `enabled` gets the other defaults too; sort_by time is fine */
    o = prepare_json(NULL,
                     "{\"query\":\"sip\",\"ifaces\":\"eth0\",\"sort_by\":\"time\","
                     "\"dns_resolution\":{\"enabled\":true}}",
                     1);
    assert_int_equal(o.st, GP_OK);
    assert_int_equal(o.s->dns_max_rows, 25);
    outcome_free(&o);
}

static void test_need_hosts(void **state) /* I33 */
{
    query_env env = {.now_s = NOW, .api_defaults = 1, .need_hosts = 1};
    query_args a = {0};
    query_stmt *s = NULL;
    query_problems p = {0};

    (void)state;
    want_ok(query_args_set(&a.query, "sip"));
    want_ok(query_args_set(&a.ifaces, "eth0"));
    want_status(GP_EINVAL, query_prepare(&a, &env, &s, &p, NULL));
    assert_int_equal(p.n, 1);
    assert_string_equal(p.v[0].location, "body.query_hosts");
    query_problems_clear(&p);
    want_ok(query_args_set(&a.query_hosts, "any"));
    want_ok(query_prepare(&a, &env, &s, &p, NULL));
    query_stmt_free(s);
    query_args_clear(&a);
}

static void test_derived(void **state)
{
    static const struct {
        const char *what, *json;
        query_direction direction;
        query_sort sort;
        int ascending;
        int64_t bin_s;
    } cases[] = {
        {"plain", "{}", QUERY_BOTH, QUERY_SORT_BYTES, 0, 300},
        {"empty sort key means packets", "{\"sort_by\":\"\"}", QUERY_BOTH, QUERY_SORT_PACKETS, 0,
         300},
        {"in", "{\"in\":true}", QUERY_IN, QUERY_SORT_BYTES, 0, 300},
        {"out, ascending (U4)", "{\"out\":true,\"sort_ascending\":true}", QUERY_OUT,
         QUERY_SORT_BYTES, 1, 300},
        {"both flags", "{\"in\":true,\"out\":true}", QUERY_BOTH, QUERY_SORT_BYTES, 0, 300},
        {"sum wins", "{\"in\":true,\"sum\":true}", QUERY_SUM, QUERY_SORT_BYTES, 0, 300},
        {"time queries",
         "{\"query\":\"time,sip\",\"sort_by\":\"packets\",\"time_resolution\":\"1h\"}", QUERY_BOTH,
         QUERY_SORT_TIME, 1, 3600},
        {"sorted by time without the label", "{\"sort_by\":\"time\",\"time_resolution\":\"1h\"}",
         QUERY_BOTH, QUERY_SORT_TIME, 0, 300},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        outcome o = prepare_json(BASE, cases[i].json, 0);
        if (o.st != GP_OK || o.s->direction != cases[i].direction || o.s->sort != cases[i].sort ||
            o.s->ascending != cases[i].ascending || o.s->bin_s != cases[i].bin_s)
            fail_msg("%s: %s", cases[i].what, o.err.msg);
        outcome_free(&o);
    }
}

/* Messages, values and hints of the first problem. */
static void test_problems(void **state)
{
    static const struct {
        const char *json, *message, *value, *hint;
    } cases[] = {
        {"{\"query\":\"sip,dpt\"}", "invalid query type: \n\nsip,dpt\n    ^\nunknown attribute",
         "sip,dpt", "did you mean \"dst\" instead of \"dpt\"?"},
        {"{\"format\":\"jsn\"}", "unknown format: [csv html json md ndjson txt]", "jsn",
         "did you mean \"json\" instead of \"jsn\"?"},
        {"{\"sort_by\":\"Time\"}", "unknown sort key: [bytes packets time]", "Time",
         "did you mean \"time\" instead of \"Time\"?"},
        {"{\"ifaces\":\"\"}", "empty interface name", "", NULL},
        {"{\"first\":\"3000\"}",
         "invalid time interval: the lower bound must not be later than the upper bound", "3000",
         NULL},
        {"{\"query\":\"time\",\"time_resolution\":\"7m\"}",
         "time resolution must be a multiple of 5m0s", "7m", NULL},
        {"{\"dns_resolution\":{\"enabled\":true,\"timeout\":-1,\"max_rows\":1}}",
         "invalid resolution timeout", "-1ns", NULL},
        {"{\"condition\":\"DPORT >= 80 AND sipp = 10.1.1.1\"}",
         "invalid condition: \n\ndport >= 80 & sipp = 10.1.1.1\n              ^\nexpected "
         "attribute",
         "dport >= 80 & sipp = 10.1.1.1", "did you mean \"sip\" instead of \"sipp\"?"},
        {"{\"condition\":\"dport=1|dir=in\"}", "invalid condition: misplaced direction filter",
         "dport = 1 | dir = in",
         "a direction filter stands alone, or first or second at the top level: dir = in & (...), "
         "(...) "
         "& dir = in"},
        {"{\"condition\":\"dport = 1 x\"}",
         "invalid condition: \n\ndport = 1 x\n          ^\ninput unexpectedly continues",
         "dport = 1 x", NULL},
        {"{\"max_mem_pct\":500}", "invalid max memory percentage: must be in (0, 100]", "500",
         NULL},
        {"{\"keepalive\":-100}", "invalid keepalive duration: must be >0", "-100ns", NULL},
        {"{\"num_results\":0}", "invalid number of result rows: must be > 0", "0", NULL},
        {"{\"live\":true}", "query not possible: last timestamp unsupported", "2000", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        outcome o = prepare_json(BASE, cases[i].json, 0);
        assert_true(o.p.n >= 1);
        const query_problem *p = &o.p.v[0];
        if (strcmp(p->message, cases[i].message) != 0 || strcmp(p->value, cases[i].value) != 0 ||
            (p->hint == NULL) != (cases[i].hint == NULL) ||
            (p->hint && strcmp(p->hint, cases[i].hint) != 0))
            fail_msg("%s: got \"%s\" / \"%s\" / \"%s\"", cases[i].json, p->message, p->value,
                     p->hint ? p->hint : "none");
        assert_true(!strchr(o.err.msg, '\n') && o.err.code == GP_EINVAL);
        outcome_free(&o);
    }
}

static gp_status one_address(void *ctx, const char *const *names, size_t n, int64_t timeout_ns,
                             query_addrs *out, gp_err *err)
{
    *(int64_t *)ctx = timeout_ns;
    for (size_t i = 0; i < n; i++) {
        out[i].v = gp_calloc(1, sizeof *out[i].v);
        if (!out[i].v)
            return gp_fail(err, GP_ENOMEM, 0, "%s", names[i]);
        out[i].v[0] = (gp_addr){4, {192, 0, 2, 1}};
        out[i].n = 1;
    }
    return GP_OK;
}

/* Names go through the lookup of the environment with the limit of the arguments. */
static void test_lookup(void **state)
{
    int64_t limit = 0;
    query_env env = {.now_s = NOW, .lookup = one_address, .lookup_ctx = &limit};
    query_args a = {0};
    query_stmt *s = NULL;
    query_problems p = {0};

    (void)state;
    want_ok(query_args_init(&a));
    a.dns_timeout_ns = 123;
    want_ok(query_args_set(&a.query, " talk_conv ,\tsip"));
    want_ok(query_args_set(&a.ifaces, "eth0"));
    want_ok(query_args_set(&a.condition, "HOST = Mail.Example"));
    want_ok(query_prepare(&a, &env, &s, &p, NULL));
    assert_int_equal(limit, 123);
    assert_string_equal(s->cond->text, "(sip = 192.0.2.1 | dip = 192.0.2.1)");
    assert_string_equal(s->cond->statement_text, "host = mail.example");
    assert_string_equal(s->args.condition, "(sip = 192.0.2.1 | dip = 192.0.2.1)"); /* U43 */
    assert_string_equal(s->args.query, "sip,dip,sip");
    query_stmt_free(s);
    query_args_clear(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),         cmocka_unit_test(test_labels),
        cmocka_unit_test(test_time_defaults), cmocka_unit_test(test_api_defaults),
        cmocka_unit_test(test_derived),       cmocka_unit_test(test_need_hosts),
        cmocka_unit_test(test_problems),      cmocka_unit_test(test_lookup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
