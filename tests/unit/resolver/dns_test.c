/* dns_test.c - the resolver "dns" against a DNS server on loopback. */
#include "dnsserver.h"
#include "gp/clock.h"
#include "resolver/resolver.h"
#include "test.h"

static const char *id_of(void *ctx, size_t i)
{
    (void)ctx;
    static const char *const ids[] = {"sensor-a", "sensor-b", "sensor-c"};
    return ids[i];
}

static const char *address_of(void *ctx, size_t i)
{
    (void)ctx;
    static const char *const at[] = {"tcp://10.0.0.1:8145", "tcp://10.0.0.10:8145",
                                     "tcp://[fd00::1]:8145"};
    return at[i];
}

static const resolver_known known = {.n = 3, .id = id_of, .address = address_of};

static void test_dns(void **state)
{
    (void)state;
    static const struct {
        const char *sel, *want;
        gp_status st;
    } cases[] = {
        {"_goprobe._tcp.zrh.test", "fw1.zrh.test fw2.zrh.test", GP_OK},
        {"_goprobe._tcp.zrh.test,!fw1*", "fw2.zrh.test", GP_OK},
        {"pool.zrh.test", "10.0.0.9 sensor-a", GP_OK}, /* one is known by its address */
        {"pool", "10.0.0.9 sensor-a", GP_OK},          /* with the domain of the configuration */
        {"pool6.zrh.test", "fd00::9 sensor-c", GP_OK}, /* AAAA */
        {"pool,pool6,!10.*", "fd00::9 sensor-a sensor-c", GP_OK},
        {"nowhere.zrh.test", "nowhere.zrh.test", GP_ENOTFOUND},
        {"any", "cannot", GP_EINVAL},
        {"silent.zrh.test", "DNS: silent.zrh.test", GP_EDEADLINE},
    };
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    uint16_t port;
    dnsserver *server = dnsserver_start(&port);
    char *path = gp_asprintf("%s/dns.yaml", dir), text[200];
    snprintf(text, sizeof text, "servers: [\"127.0.0.1:%u\"]\ntimeout: 700ms\ndomain: zrh.test\n",
             port);
    test_spew(path, text, strlen(text));
    resolver_conf conf = {"dns", path, NULL};
    resolver_set *s = NULL;
    gp_err err = {0};
    gp_status st = resolver_set_new(&conf, 1, NULL, &s, &err);
    if (st == GP_EUNSUPPORTED)
        skip_because("built without c-ares");
    want_ok_err(&err, st);
    for (size_t i = 0; i < COUNT(cases); i++) {
        resolver_hosts h = {0};
        gp_buf got = {0};
        int64_t start = gp_mono_ms();
        st = resolver_resolve(s, "dns", cases[i].sel, &known, &h, &err);
        if (st != cases[i].st)
            fail_msg("%s: got %s \"%s\"", cases[i].sel, gp_status_name(st), err.msg);
        for (size_t k = 0; k < h.n; k++)
            gp_buf_printf(&got, "%s%s", k ? " " : "", h.v[k]);
        if (st == GP_OK && strcmp(gp_buf_str(&got), cases[i].want) != 0)
            fail_msg("%s: got %s", cases[i].sel, gp_buf_str(&got));
        assert_true(gp_mono_ms() - start < 5000);
        gp_buf_free(&got);
        resolver_hosts_clear(&h);
    }
    resolver_set_free(s);
    gp_free(path);
    dnsserver_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_dns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
