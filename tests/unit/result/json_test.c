/* json_test.c - reading JSON results: what is printed comes back, bad input is an error. */
#include "test.h"

#include "build.h"
#include "golden.h"

/* Text that was read and is printed again must be the same. */
static void round_trip(const char *what, const char *text)
{
    result r;
    gp_err err = {0};
    want_ok_err(&err, result_from_json(text, strlen(text), &r, &err));
    result_print_opts o = {.format = QUERY_JSON};
    char *got = build_print(&r, &o, NULL);
    build_want(what, got, text);
    gp_free(got);
    result_clear(&r);
}

static void test_example(void **state)
{
    (void)state;
    round_trip("M10", golden_json_both);
}

static void test_round_trip(void **state)
{
    (void)state;
    static const spec_row rows[] = {
        {1930467600, "ed\"ge", "1", "lan1", "::ffff:1.2.3.4", "2001:db8::1", 58, 0, 340, 0, 5, 0},
        {0, "h", "", "wan0", "10.0.0.1", NULL, 6, 443, UINT64_MAX - 340,
         UINT64_C(9223372036854775808), 31, 24},
    };
    result r;
    want_ok(result_init(&r, SIZE_MAX, NULL));
    build_rows(&r, rows, COUNT(rows));
    static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, [12] = 1, 2, 3, 4};
    memcpy(r.rows[0].sip, mapped, 16);
    r.rows[0].sip_family = 6;
    r.fields = build_fields("dport,sip");
    r.query_start_ns = -1500000001;
    r.resolution_ns = INT64_C(1000000000000000000);
    want_ok(result_add_iface(&r, "lan1", NULL));
    want_ok(result_add_host_status(&r, "b", RESULT_TIMEOUT, "late", NULL));
    want_ok(result_add_host_status(&r, "a", RESULT_OK, "", NULL));
    result_print_opts o = {.format = QUERY_JSON};
    char *text = build_print(&r, &o, NULL);
    round_trip("all kinds of members", text);
    gp_free(text);
    result_clear(&r);
}

static void test_lenient(void **state)
{
    (void)state;
    static const struct {
        const char *what, *text;
    } cases[] = {
        {"nothing", "{}"},
        {"unknown members", "{\"$schema\":\"x\",\"summary\":{\"foo\":[1]},\"rows\":[{\"x\":1}]}"},
        {"null everywhere", "{\"status\":null,\"hosts_statuses\":null,\"summary\":{\"interfaces\":"
                            "null,\"stats\":null,\"hits\":null},\"query\":null,\"rows\":null}"},
        {"rows first, with spaces",
         " { \"rows\" : [ { } , { \"labels\" : { \"iface\" : \"],}\\\"\" } } ] , "
         "\"hostname\" : \"h\" } "},
        {"escaped name of rows", "{\"ro\\u0077s\":[{}]}"},
        {"a string that looks like rows", "{\"hostname\":\"\\\"rows\\\":[\",\"rows\":[]}"},
        {"long fraction", "{\"x\":[0.12345678901234567890,-1e5,1234567890123456789012.5]}"},
        {"rejected for load", "{\"status\":{\"code\":\"too many requests\",\"message\":\"too many "
                              "concurrent requests\"},\"hosts_statuses\":null,\"rows\":null}"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        result r;
        gp_err err = {0};
        if (result_from_json(cases[i].text, strlen(cases[i].text), &r, &err) != GP_OK)
            fail_msg("%s: %s", cases[i].what, err.msg);
        result_clear(&r);
    }
}

static void test_bad(void **state)
{
    (void)state;
    static const struct {
        const char *what, *text, *error;
    } cases[] = {
        {"empty", "", "not valid JSON"},
        {"not an object", "[]", "not an object"},
        {"cut", "{\"rows\":[{\"labels\":", "not valid JSON"},
        {"member twice", "{\"rows\":[],\"rows\":[]}", "not valid JSON"},
        {"comma at the end", "{\"rows\":[{},]}", "nothing after a comma"},
        {"comma at the start", "{\"rows\":[,{}]}", "not valid JSON"},
        {"no comma", "{\"rows\":[{} {}]}", "not valid JSON"},
        {"brackets do not match", "{\"rows\":[{]}", "not valid JSON"},
        {"row is a number", "{\"rows\":[{},5]}", "row 1: result: member"},
        {"rows not closed", "{\"rows\":[{}", "not valid JSON"},
        {"member of a row twice", "{\"rows\":[{\"labels\":{},\"labels\":{}}]}", "row 0:"},
        {"text behind", "{} x", "not valid JSON"},
        {"status unknown", "{\"status\":{\"code\":\"fine\"}}", "unknown status \"fine\""},
        {"status is text", "{\"status\":\"ok\"}", "\"status\" is not an object"},
        {"host status", "{\"hosts_statuses\":{\"a\":1}}", "hosts_statuses"},
        {"negative counter", "{\"rows\":[{\"counters\":{\"br\":-1}}]}", "row 0: result: member"},
        {"too big", "{\"rows\":[{\"counters\":{\"br\":18446744073709551616}}]}", "64 bits"},
        {"big text", "{\"rows\":[{\"counters\":{\"br\":\"18446744073709551615\"}}]}", "64 bits"},
        {"big port", "{\"rows\":[{\"attributes\":{\"dport\":9223372036854775808}}]}", "0..65535"},
        {"fraction", "{\"rows\":[{},{\"counters\":{\"br\":1.5}}]}", "row 1:"},
        {"port", "{\"rows\":[{\"attributes\":{\"dport\":65536}}]}", "0..65535"},
        {"proto", "{\"rows\":[{\"attributes\":{\"proto\":256}}]}", "0..255"},
        {"address", "{\"rows\":[{\"attributes\":{\"sip\":\"1.2.3\"}}]}", "an IP address"},
        {"time", "{\"rows\":[{\"labels\":{\"timestamp\":\"x\"}}]}", "RFC 3339"},
        {"iface", "{\"rows\":[{\"labels\":{\"iface\":5}}]}", "a string"},
        {"rows", "{\"rows\":{}}", "an array"},
        {"attribute", "{\"query\":{\"attributes\":[\"sip\",\"sip\"]}}", "different attributes"},
        {"unknown attribute", "{\"query\":{\"attributes\":[\"sport\"]}}", "different attributes"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        result r;
        gp_err err = {0};
        gp_status st = result_from_json(cases[i].text, strlen(cases[i].text), &r, &err);
        if (st != GP_ECORRUPT || !strstr(err.msg, cases[i].error))
            fail_msg("%s: got %s: %s", cases[i].what, gp_status_name(st), err.msg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_lenient),
        cmocka_unit_test(test_bad),
    };
    setenv("TZ", "UTC", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
