/* stmt_text_test.c - error texts, dump and log of a statement, byte for byte. */
#include "query/stmt.h"

#include "test.h"

enum { NOW = 1930553400 }; /* 2031-03-06T08:50:00Z */

static gp_status prepare(const char *json, query_stmt **s, query_problems *p)
{
    query_env env = {.now_s = NOW};
    query_args a;
    gp_err err = {0};

    setenv("TZ", "UTC", 1);
    want_ok(query_args_init(&a));
    want_ok_err(&err, query_args_from_json(&a, json, strlen(json), &err));
    gp_status st = query_prepare(&a, &env, s, p, NULL);
    query_args_clear(&a);
    return st;
}

/* The example of spec 7.1. */
static void test_problems_text(void **state)
{
    query_stmt *s = NULL;
    query_problems p = {0};
    gp_buf b = {0};

    (void)state;
    want_status(GP_EINVAL, prepare("{\"ifaces\":\"wan0\",\"query\":\"sip,dpt\","
                                   "\"condition\":\"dport >= 80 & sipp = 10.1.1.1\"}",
                                   &s, &p));
    query_problems_format(&p, &b);
    assert_string_equal(gp_buf_str(&b), "failed to prepare query:\n"
                                        "\n"
                                        "    query (value: sip,dpt)\n"
                                        "    ----------------------\n"
                                        "    invalid query type: \n"
                                        "    \n"
                                        "    sip,dpt\n"
                                        "        ^\n"
                                        "    unknown attribute\n"
                                        "    \n"
                                        "    condition (value: dport >= 80 & sipp = 10.1.1.1)\n"
                                        "    ------------------------------------------------\n"
                                        "    invalid condition: \n"
                                        "    \n"
                                        "    dport >= 80 & sipp = 10.1.1.1\n"
                                        "                  ^\n"
                                        "    expected attribute\n");
    gp_buf_clear(&b);
    query_problems_hints(&p, &b);
    assert_string_equal(gp_buf_str(&b), "did you mean \"dst\" instead of \"dpt\"?\n"
                                        "did you mean \"sip\" instead of \"sipp\"?\n");
    query_problems_clear(&p);
    gp_buf_free(&b);
}

/* The example of spec 9.4, and a location whose heading the reference garbles (U35). */
static void test_problems_json(void **state)
{
    query_stmt *s = NULL;
    query_problems p = {0};
    gp_buf b = {0};

    (void)state;
    want_status(GP_EINVAL,
                prepare("{\"ifaces\":\"wan0\",\"query\":\"sip,dpt\",\"max_mem_pct\":500}", &s, &p));
    query_problems_to_json(&p, &b);
    assert_string_equal(
        gp_buf_str(&b),
        "[{\"message\":\"invalid query type: \\n\\nsip,dpt\\n    ^\\nunknown "
        "attribute\",\"location\":\"body.query\",\"value\":\"sip,dpt\"},{\"message\":"
        "\"invalid max memory percentage: must be in (0, 100]\",\"location\":"
        "\"body.max_mem_pct\",\"value\":500}]");
    query_problems_clear(&p);
    gp_buf_clear(&b);
    want_status(GP_EINVAL, prepare("{\"ifaces\":\"wan0\",\"query\":\"sip\",\"dns_resolution\":"
                                   "{\"enabled\":true,\"timeout\":-5}}",
                                   &s, &p));
    query_problems_format(&p, &b);
    assert_non_null(strstr(gp_buf_str(&b), "    dns_resolution.timeout (value: -5ns)\n    -----"));
    query_problems_clear(&p);
    gp_buf_free(&b);
}

static void test_dump(void **state)
{
    static const struct {
        const char *what, *json, *want;
    } cases[] = {
        {"all parts",
         "{\"query\":\"talk_conv\",\"ifaces\":\"eth0,!eth1\",\"first\":\"1930383600\","
         "\"condition\":"
         "\"dport=80 and (proto=tcp)\",\"dns_resolution\":{\"enabled\":true}}",
         "failed to execute query\n\n      Error: no interfaces provided\n  Statement:\n\n"
         "        query: sip,dip\n       ifaces: [eth0 !eth1]\n    \n"
         "    condition: dport = 80 & ( proto = tcp )\n\t\t\n"
         "         from: Tue Mar  4 09:40:00 2031\n           to: Thu Mar  6 08:50:00 2031\n    \n"
         "        limit: 1000\n    \n          dns: true\n    \n"},
        {"no condition, a pattern, no upper bound",
         "{\"query\":\"sip\",\"ifaces\":\"/a,b/"
         "\",\"first\":\"0\",\"last\":\"9223371974719179007\"}",
         "failed to execute query\n\n      Error: no interfaces provided\n  Statement:\n\n"
         "        query: sip\n       ifaces: [/a,b/]\n    \n"
         "         from: Thu Jan  1 00:00:00 1970\n           to: Fri Dec 31 23:59:59 9999\n    \n"
         "        limit: 1000\n    \n"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        GP_CLEANUP(query_stmt_freep) query_stmt *s = NULL;
        query_problems p = {0};
        gp_buf b = {0};
        want_ok(prepare(cases[i].json, &s, &p));
        query_error_dump(s, "no interfaces provided", &b);
        assert_string_equal(gp_buf_str(&b), cases[i].want);
        gp_buf_free(&b);
    }
}

static void test_log(void **state)
{
    static const struct {
        const char *json, *want;
    } cases[] = {
        {"{\"query\":\"time,sip\",\"ifaces\":\"eth0,eth1\",\"first\":\"1000\",\"last\":\"2000\","
         "\"condition\":\"dport<80\",\"time_resolution\":\"1h\",\"caller\":\"goquery\"}",
         "{\"ifaces\":[\"eth0\",\"eth1\"],\"label_selector\":{\"timestamp\":true,\"iface\":true},"
         "\"query_type\":\"time,sip\",\"condition\":\"dport \\u003c 80\",\"direction\":"
         "\"bi-directional\",\"from\":1000,\"to\":2000,\"time_bin_size\":3600000000000,"
         "\"format\":\"txt\",\"limit\":1000,\"sort_by\":\"time\",\"sort_ascending\":true,"
         "\"caller\":\"goquery\",\"dns_resolution\":{\"enabled\":false,\"timeout\":1000000000,"
         "\"max_rows\":25},\"max_mem_pct\":60}"},
        {"{\"query\":\"hostid,dport\",\"ifaces\":\"eth0\",\"first\":\"1\",\"in\":true,\"live\":"
         "true,"
         "\"last\":\"9223371974719179007\",\"low_mem\":true,\"keepalive\":7,\"merge_hosts\":true,"
         "\"format\":\"ndjson\"}",
         "{\"ifaces\":[\"eth0\"],\"label_selector\":{\"host_id\":true},\"query_type\":"
         "\"hostid,dport\",\"direction\":\"in\",\"from\":1,\"to\":9223371974719179007,"
         "\"format\":\"ndjson\",\"limit\":1000,\"sort_by\":\"bytes\",\"dns_resolution\":"
         "{\"enabled\":false,\"timeout\":1000000000,\"max_rows\":25},\"max_mem_pct\":60,"
         "\"low_mem\":true,\"keepalive\":7,\"live\":true,\"merge_hosts\":true}"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        GP_CLEANUP(query_stmt_freep) query_stmt *s = NULL;
        query_problems p = {0};
        gp_buf b = {0};
        want_ok(prepare(cases[i].json, &s, &p));
        query_stmt_to_json(s, &b);
        assert_string_equal(gp_buf_str(&b), cases[i].want);
        gp_buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_problems_text),
        cmocka_unit_test(test_problems_json),
        cmocka_unit_test(test_dump),
        cmocka_unit_test(test_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
