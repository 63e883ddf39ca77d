/* address_test.c - addresses as users write them. */
#include "rpc/rpc.h"

#include "gp/mem.h"
#include "test.h"

static void test_forms(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *listen, *dial; /* NULL: refused */
        const char *why;           /* why it is refused */
    } cases[] = {
        {"10.0.0.1:8145", "tcp://10.0.0.1:8145", "tcp://10.0.0.1:8145", NULL},
        {"[2001:db8::1]:1", "tcp://[2001:db8::1]:1", "tcp://[2001:db8::1]:1", NULL},
        {"hub-1.example_2:65535", "tcp://hub-1.example_2:65535", "tcp://hub-1.example_2:65535",
         NULL},
        {"tcp://10.in-addr.arpa:1", "tcp://10.in-addr.arpa:1", "tcp://10.in-addr.arpa:1", NULL},
        {"tcp://[::1]:1", "tcp://[::1]:1", "tcp://[::1]:1", NULL},
        {"unix:/a b", "ipc:///a b", "ipc:///a b", NULL},
        {"ipc:///a", "ipc:///a", "ipc:///a", NULL},
        {"localhost:1", "tcp://127.0.0.1:1", "tcp://localhost:1", NULL},
        {"127.0.0.1:0", "tcp://127.0.0.1:0", NULL, "expected host:port"},
        {":8145", "tcp://0.0.0.0:8145", NULL, "expected host:port"},
        {"*:8145", "tcp://*:8145", NULL, "expected an IPv4 address or a name"},
        {"", NULL, NULL, "expected host:port"},
        {"nowhere", NULL, NULL, "expected host:port"},
        {"x:", NULL, NULL, "expected host:port"},
        {"x:65536", NULL, NULL, "expected host:port"},
        {"x:-1", NULL, NULL, "expected host:port"},
        {"2001:db8::1:80", NULL, NULL, "expected host:port"},
        {"300.1.1.1:80", NULL, NULL, "expected an IPv4 address or a name before the port"},
        {"1.2.3:80", NULL, NULL, "expected an IPv4 address or a name"},
        {"80:80", NULL, NULL, "expected an IPv4 address or a name"},
        {"hub.example.:80", "tcp://hub.example.:80", "tcp://hub.example.:80", NULL},
        {".:80", NULL, NULL, "expected an IPv4 address or a name"},
        {"hub..:80", NULL, NULL, "expected an IPv4 address or a name"},
        {"1.2.3.:80", NULL, NULL, "expected an IPv4 address or a name"},
        {"r2:80", "tcp://r2:80", "tcp://r2:80", NULL},
        {"a b:80", NULL, NULL, "expected an IPv4 address or a name"},
        {"[2001:db8::g]:80", NULL, NULL, "expected an IPv6 address between the brackets"},
        {"[]:80", NULL, NULL, "expected"},
        {"unix:", NULL, NULL, "expected an absolute path"},
        {"unix:x.sock", NULL, NULL, "expected an absolute path"},
        {"ipc://x", NULL, NULL, "expected an absolute path"},
        {"http://x:1", NULL, NULL, "HTTP is not spoken here"},
        {"udp://x:1", NULL, NULL, "expected"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        for (int listening = 0; listening < 2; listening++) {
            GP_CLEANUP(gp_freep) char *got = NULL;
            const char *want = listening ? cases[i].listen : cases[i].dial;
            gp_err err = {0};
            gp_status st = rpc_address(cases[i].text, listening, &got, &err);
            if (want ? st != GP_OK || strcmp(got, want) != 0
                     : st != GP_EINVAL || !strstr(err.msg, cases[i].why))
                fail_msg("\"%s\", listening %d: %s \"%s\" %s", cases[i].text, listening,
                         gp_status_name(st), err.msg, got ? got : "");
        }
}

/* Paths that fit into a socket address, and one byte more. */
static void test_long_path(void **state)
{
    (void)state;
    char text[128] = "unix:/";
    gp_err err = {0};

    memset(text + 6, 'a', 106);
    GP_CLEANUP(gp_freep) char *fits = NULL;
    want_ok_err(&err, rpc_address(text, 1, &fits, &err));
    text[112] = 'a';
    char *none = NULL;
    want_err(GP_EINVAL, &err, "expected a path of at most 107 bytes",
             rpc_address(text, 1, &none, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_long_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
