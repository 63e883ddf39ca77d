/* service_test.c - settings of the audit log, and what the metrics page shows of the RPC layer. */
#include "svc/service.h"

#include "gp/mem.h"
#include "test.h"

static rt_config *parse(const char *text)
{
    rt_config *c = NULL;
    gp_err err = {0};
    want_ok_err(&err, rt_config_parse("t.yaml", text, strlen(text), &c, &err));
    return c;
}

static void test_audit_settings(void **state)
{
    (void)state;
    static const struct {
        const char *what, *text, *file, *error;
        uint64_t max_bytes;
        unsigned keep;
    } cases[] = {
        {"nothing said", "a: 1\n", "", NULL, 64 << 20, 9},
        {"all", "audit: {file: x.log, max_size: 1M, keep: 3}\n", "x.log", NULL, 1 << 20, 3},
        {"never cut", "audit: {file: x.log, max_size: 0}\n", "x.log", NULL, 0, 9},
        {"keep none", "audit: {file: x.log, keep: 0}\n", NULL, "audit.keep", 0, 0},
        {"no size", "audit: {file: x.log, max_size: big}\n", NULL, "audit.max_size", 0, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        rt_config *c = parse(cases[i].text);
        svc_audit a = {0};
        gp_err err = {0};
        gp_status st = svc_audit_read(c, &a, &err);
        if ((st == GP_OK) != (cases[i].error == NULL) ||
            (cases[i].error && !strstr(err.msg, cases[i].error)))
            fail_msg("%s: %s \"%s\"", cases[i].what, gp_status_name(st), err.msg);
        if (st == GP_OK && (strcmp(a.file, cases[i].file) != 0 ||
                            a.max_bytes != cases[i].max_bytes || a.keep != cases[i].keep))
            fail_msg("%s: got \"%s\" %llu %u", cases[i].what, a.file,
                     (unsigned long long)a.max_bytes, a.keep);
        rt_config_free(c);
    }
}

/* Without a file there is no log, and that is no error. */
static void test_no_audit_log(void **state)
{
    (void)state;
    auth_audit *log = NULL;
    want_ok(svc_audit_open(&(svc_audit){.file = ""}, NULL, "t/1", &log, NULL));
    assert_null(log);
    want_ok(svc_audit_open(&(svc_audit){0}, NULL, "t/1", &log, NULL));
    assert_null(log);
}

static void test_metrics(void **state)
{
    (void)state;
    auth_identity *id = NULL;
    rpc_runtime *rt = NULL;
    rt_metrics *m = NULL;
    gp_buf text = {0};
    gp_err err = {0};
    want_ok_err(&err, auth_identity_new(AUTH_KIND_AGENT, "fw-1", &id, &err));
    want_ok_err(&err, rpc_runtime_new(&(rpc_opts){.identity = id}, &rt, &err));
    want_ok_err(&err, rt_metrics_new(&m, &err));
    svc_rpc_metrics(NULL, rt); /* a daemon without a page */
    svc_rpc_metrics(m, rt);
    assert_null(svc_certificate_metric(m, "t_not_after_seconds", "End.", id)); /* it has none */
    rt_metrics_text(m, &text);
    static const char *const want[] = {
        "# TYPE rpc_connections_open gauge\nrpc_connections_open 0\n",
        "rpc_connections_closed_total{stage=\"handshake\",status=\"PERMISSION_DENIED\"} 0\n",
        "rpc_calls_total{status=\"OK\"} 0\n",
        "# TYPE rpc_certificates_renewed_total counter\n",
    };
    for (size_t i = 0; i < COUNT(want); i++)
        if (!strstr(gp_buf_str(&text), want[i]))
            fail_msg("missing: %s\nin: %s", want[i], gp_buf_str(&text));
    assert_null(strstr(gp_buf_str(&text), "not_after"));
    gp_buf_free(&text);
    rt_metrics_free(m);
    rpc_runtime_free(rt, 0);
    auth_identity_free(id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_audit_settings),
        cmocka_unit_test(test_no_audit_log),
        cmocka_unit_test(test_metrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
