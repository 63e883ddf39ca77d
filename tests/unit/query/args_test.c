/* args_test.c - the arguments object: defaults, copies, JSON in and out. */
#include "query/args.h"

#include "gp/bytes.h"
#include "query/stmt.h"
#include "test.h"

static char *to_json(const query_args *a)
{
    gp_buf b = {0};

    query_args_to_json(a, &b);
    return gp_buf_take(&b);
}

static void test_defaults(void **state)
{
    query_args a;

    (void)state;
    want_ok(query_args_init(&a));
    char *s = to_json(&a);
    assert_string_equal(s,
                        "{\"query\":\"\",\"ifaces\":\"\",\"query_hosts_resolver_type\":\"string\","
                        "\"time_resolution\":\"5m\",\"format\":\"txt\",\"sort_by\":\"bytes\","
                        "\"num_results\":1000,\"dns_resolution\":{\"enabled\":false,"
                        "\"timeout\":1000000000,\"max_rows\":25},\"max_mem_pct\":60}");
    gp_free(s);
    query_args_clear(&a);
    s = to_json(&a);
    assert_string_equal(s,
                        "{\"query\":\"\",\"ifaces\":\"\",\"dns_resolution\":{\"enabled\":false}}");
    gp_free(s);
}

/* The example of spec 9.1, and an object with every member: both come back byte for byte. */
static void test_round_trip(void **state)
{
    static const char *const texts[] = {
        "{\"query\":\"sip,host\",\"ifaces\":\"any\",\"query_hosts\":\"edge-7,edge-8\","
        "\"query_hosts_resolver_type\":\"string\",\"condition\":\"dport=443\","
        "\"first\":\"1930000000\",\"last\":\"1930086400\",\"time_resolution\":\"5m\","
        "\"format\":\"json\",\"sort_by\":\"bytes\",\"num_results\":1000,\"dns_resolution\":"
        "{\"enabled\":false,\"timeout\":1000000000,\"max_rows\":25},\"max_mem_pct\":60,"
        "\"caller\":\"goQuery\"}",
        "{\"query\":\"sip\",\"ifaces\":\"eth0\",\"query_hosts\":\"a\",\"query_hosts_resolver_"
        "type\":"
        "\"b\",\"hostname\":\"c\",\"host_id\":9223372036854775807,\"condition\":"
        "\"dport \\u003c 1 \\u0026 proto = \\\"x\\\\\\n\",\"in\":true,\"out\":true,\"sum\":true,"
        "\"first\":\"1\",\"last\":\"2\",\"time_resolution\":\"auto\",\"format\":\"csv\","
        "\"sort_by\":\"time\",\"num_results\":7,\"sort_ascending\":true,\"list\":true,"
        "\"version\":true,\"dns_resolution\":{\"enabled\":true,\"timeout\":5,\"max_rows\":6},"
        "\"max_mem_pct\":-1,\"low_mem\":true,\"keepalive\":-100,\"caller\":\"\xC3\xA4\","
        "\"live\":true,\"merge_hosts\":true}",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        query_args a = {0}, copy = {0};
        gp_err err = {0};
        want_ok_err(&err, query_args_from_json(&a, texts[i], strlen(texts[i]), &err));
        want_ok(query_args_copy(&copy, &a));
        query_args_clear(&a);
        char *s = to_json(&copy);
        assert_string_equal(s, texts[i]);
        gp_free(s);
        query_args_clear(&copy);
    }
}

/* I34 to I41: what a stored query may say, on top of flags. */
static void test_overlay(void **state)
{
    static const struct {
        const char *what, *json;
        const char *query; /* afterwards; NULL: refused */
        uint64_t num_results;
        int64_t dns_timeout_ns;
        const char *error;
    } cases[] = {
        {"I40: the file wins", "{\"num_results\": 2}", "sip", 2, 9, NULL},
        {"I41: absent keeps the flag", "{}", "sip", 5, 9, NULL},
        {"I36: any case", "{\"Query\": \"dip\", \"NUM_RESULTS\": 3}", "dip", 3, 9, NULL},
        {"null leaves the value", "{\"query\": null, \"num_results\": null}", "sip", 5, 9, NULL},
        {"null object", "{\"dns_resolution\": null}", "sip", 5, 9, NULL},
        {"unknown keys", "{\"bogus\": [1, {\"a\": null}], \"query\": \"dport\"}", "dport", 5, 9,
         NULL},
        {"I37: text behind the object", "{\"query\": \"dip\"} trailing", "dip", 5, 9, NULL},
        {"I39: durations as text", "{\"dns_resolution\": {\"timeout\": \"1.5s\"}}", "sip", 5,
         1500000000, NULL},
        {"durations as numbers", "{\"dns_resolution\": {\"Timeout\": 77}}", "sip", 5, 77, NULL},
        {"all rows", "{\"num_results\": 18446744073709551615}", "sip", UINT64_MAX, 9, NULL},
        {"a large number beside small ones",
         "{\"dns_resolution\": {\"timeout\": 12}, \"num_results\": 9300000000000000000}", "sip",
         UINT64_C(9300000000000000000), 12, NULL},
        {"empty text", "{\"query\": \"\"}", "", 5, 9, NULL},
        {"I34", "{\"num_results\": -1}", NULL, 0, 0, "num_results: got a number, want a whole"},
        {"I35", "{\"first\": 1456358400}", NULL, 0, 0, "first: got a number, want a string"},
        {"I38 array", "[]", NULL, 0, 0, "got an array, want an object"},
        {"I38 empty", "", NULL, 0, 0,
         "not JSON: line 1, column 0: an object expected near end of file"},
        {"I38 no JSON", "nojson", NULL, 0, 0, "column 6: an object expected near 'no"},
        {"only null", "null", "sip", 5, 9, NULL},
        {"text behind null", " null x", "sip", 5, 9, NULL},
        {"nearly null", "nullx", NULL, 0, 0, "not JSON"},
        {"half a surrogate pair", "{\"query\": \"\\ud800\"}", "\xEF\xBF\xBD", 5, 9, NULL},
        {"the other half", "{\"query\": \"a\\\\\\uDFFFz\"}", "a\\\xEF\xBF\xBDz", 5, 9, NULL},
        {"half before a pair", "{\"query\": \"\\uD83D\\ud83d\\uDE00\"}",
         "\xEF\xBF\xBD\xF0\x9F\x98\x80", 5, 9, NULL},
        {"no escape", "{\"query\": \"\\\\ud800\"}", "\\ud800", 5, 9, NULL},
        {"half a pair and a large number",
         "{\"query\": \"\\ud800\", \"num_results\": 18446744073709551615}", "\xEF\xBF\xBD",
         UINT64_MAX, 9, NULL},
        {"cut in an escape", "{\"query\": \"\\ud8", NULL, 0, 0, "not JSON"},
        {"2^64", "{\"num_results\": 18446744073709551616}", NULL, 0, 0, "num_results"},
        {"2^64 + 2048", "{\"num_results\":18446744073709553664}", NULL, 0, 0, "num_results"},
        {"2^64 in a text",
         "{\"query\": \"\\\"18446744073709551616\", \"num_results\": 18446744073709551615}",
         "\"18446744073709551616", UINT64_MAX, 9, NULL},
        {"-2^64", "{\"num_results\": -18446744073709551616}", NULL, 0, 0, "num_results"},
        {"fractions", "{\"num_results\": 1.5}", NULL, 0, 0, "want a whole number"},
        {"exponents", "{\"num_results\": 1e3}", NULL, 0, 0, "want a whole number"},
        {"beyond 64 bits", "{\"num_results\": 36893488147419103232}", NULL, 0, 0, "num_results"},
        {"fractions beside large numbers",
         "{\"num_results\": 9300000000000000000, \"max_mem_pct\": 1.5}", NULL, 0, 0, "max_mem_pct"},
        {"signed member beyond its range", "{\"keepalive\": 9300000000000000000}", NULL, 0, 0,
         "keepalive"},
        {"duration without unit", "{\"keepalive\": \"5\"}", NULL, 0, 0, "want a duration"},
        {"text as flag", "{\"live\": \"true\"}", NULL, 0, 0,
         "live: got a string, want true or false"},
        {"flag as text", "{\"query\": true}", NULL, 0, 0,
         "query: got true or false, want a string"},
        {"object as text", "{\"query\": {}}", NULL, 0, 0, "query: got an object, want a string"},
        {"text as object", "{\"dns_resolution\": \"on\"}", NULL, 0, 0, "want an object"},
        {"wrong inside the object", "{\"dns_resolution\": {\"enabled\": 1}}", NULL, 0, 0,
         "dns_resolution.enabled: got a number"},
        {"twice inside the object", "{\"dns_resolution\": {\"enabled\": true, \"Enabled\": true}}",
         NULL, 0, 0, "dns_resolution.enabled: given twice"},
        {"twice", "{\"query\": \"a\", \"query\": \"b\"}", NULL, 0, 0, "duplicate"},
        {"twice in another case", "{\"query\": \"a\", \"QUERY\": \"b\"}", NULL, 0, 0,
         "given twice"},
        {"cut short", "{\"query\": \"a\"", NULL, 0, 0, "not JSON"},
        {"malformed UTF-8", "{\"query\": \"\xFF\"}", NULL, 0, 0, "not JSON"},
        {"NUL in a text", "{\"query\": \"a\\u0000b\"}", NULL, 0, 0, "not JSON"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        query_args a = {.num_results = 5, .dns_timeout_ns = 9};
        gp_err err = {0};
        want_ok(query_args_set(&a.query, "sip"));
        gp_status st = query_args_from_json(&a, cases[i].json, strlen(cases[i].json), &err);
        if (cases[i].query) {
            if (st != GP_OK || strcmp(a.query, cases[i].query) != 0 ||
                a.num_results != cases[i].num_results ||
                a.dns_timeout_ns != cases[i].dns_timeout_ns)
                fail_msg("%s: %s; query %s, %" PRIu64 " results", cases[i].what, err.msg, a.query,
                         a.num_results);
        } else if (st != GP_EINVAL || !strstr(err.msg, cases[i].error) ||
                   strcmp(a.query, "sip") != 0 || a.num_results != 5) {
            fail_msg("%s: got \"%s\"; query %s", cases[i].what, err.msg, a.query);
        }
        query_args_clear(&a);
    }
}

static void test_limits(void **state)
{
    size_t n = 4 * 1024 * 1024 + 1;
    GP_CLEANUP(gp_freep) char *big = gp_alloc(n, 1);
    query_args a = {0};
    gp_err err = {0};

    (void)state;
    assert_non_null(big);
    memset(big, '[', n);
    want_err(GP_EINVAL, &err, "at most", query_args_from_json(&a, big, n, &err));
    want_err(GP_EINVAL, &err, "not JSON", query_args_from_json(&a, big, n - 1, &err));
    memset(big + 1, 0, n - 1); /* nothing behind a NUL is looked for beyond the copy */
    want_err(GP_EINVAL, &err, "not JSON", query_args_from_json(&a, big, n - 1, &err));
    query_args_clear(&a);
}

/* I29 to I33 and the limits of 9.1: all problems, at the member they concern. */
static void test_api(void **state)
{
    static const struct {
        const char *what, *json;
        gp_status st;
        const char *locations, *message, *value; /* of the first */
    } cases[] = {
        {"fine", "{\"query\":\"sip\",\"ifaces\":\"any\"}", GP_OK, "", "", ""},
        {"U44: sort_by time, a bare enabled",
         "{\"query\":\"sip\",\"ifaces\":\"any\",\"sort_by\":\"time\",\"dns_resolution\":"
         "{\"enabled\":true}}",
         GP_OK, "", "", ""},
        {"null object", "{\"query\":\"sip\",\"ifaces\":\"any\",\"dns_resolution\":null}", GP_OK, "",
         "", ""},
        {"I29", "{\"query\":\"sip\",\"ifaces\":\"any\",\"bogus\":7}", GP_EINVAL, "body.bogus",
         "unexpected property", "7"},
        {"case matters", "{\"Query\":\"sip\",\"ifaces\":\"any\"}", GP_EINVAL, "body,body.Query",
         "expected required property query to be present", ""},
        {"I30", "{\"query\":\"si\",\"ifaces\":\"any\"}", GP_EINVAL, "body.query",
         "expected length >= 3", "si"},
        {"I31", "{\"ifaces\":\"any\"}", GP_EINVAL, "body",
         "expected required property query to be present", ""},
        {"I32", "nojson", GP_ECORRUPT, "body", "not JSON", ""},
        {"no object", "[1]", GP_ECORRUPT, "body", "got an array", ""},
        {"text behind the object", "{} x", GP_ECORRUPT, "body", "not JSON", ""},
        {"types", "{\"query\":1,\"ifaces\":\"any\",\"in\":\"x\",\"dns_resolution\":[]}", GP_EINVAL,
         "body.query,body.in,body.dns_resolution", "query: got a number, want a string", "1"},
        {"limits",
         "{\"query\":\"sip\",\"ifaces\":\"a\",\"format\":\"x\",\"sort_by\":\"y\","
         "\"num_results\":0,\"max_mem_pct\":101,\"keepalive\":-1,\"dns_resolution\":"
         "{\"timeout\":-1,\"max_rows\":0,\"x\":{\"y\":[1]}}}",
         GP_EINVAL,
         "body.ifaces,body.format,body.sort_by,body.num_results,body.max_mem_pct,body.keepalive,"
         "body.dns_resolution.timeout,body.dns_resolution.max_rows,body.dns_resolution.x",
         "expected length >= 2", "a"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        query_args a = {0};
        query_problems p = {0};
        gp_err err = {0};
        gp_buf b = {0};
        gp_status st = query_args_from_api(&a, cases[i].json, strlen(cases[i].json), &p, &err);
        for (size_t k = 0; k < p.n; k++)
            gp_buf_printf(&b, "%s%s", k ? "," : "", p.v[k].location);
        if (st != cases[i].st || strcmp(gp_buf_str(&b), cases[i].locations) != 0 ||
            (p.n && (!strstr(p.v[0].message, cases[i].message) ||
                     strcmp(p.v[0].value, cases[i].value) != 0)))
            fail_msg("%s: status %d at %s: %s", cases[i].what, st, gp_buf_str(&b), err.msg);
        assert_true((st == GP_OK) == (a.query != NULL));
        gp_buf_free(&b);
        query_problems_clear(&p);
        query_args_clear(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_overlay),  cmocka_unit_test(test_limits),
        cmocka_unit_test(test_api),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
