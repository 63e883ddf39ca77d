/* control_test.c - messages between gpctl and an agent: round trips, limits, broken bytes. */
#include "wire/control.h"

#include "gp/mem.h"
#include "test.h"

#include <string.h>

enum { CUTS = 400 };

static char long_name[WIRE_MAX_LABEL + 2];

static void test_request(void **state)
{
    (void)state;
    const char *const names[] = {"eth0", "wan"};
    char *const *got = NULL;
    void *owner = NULL;
    size_t n = 9;
    gp_buf b = {0};

    wire_put_control_request(&b, names, 2);
    want_ok(wire_control_request_decode(b.data, b.len, &got, &n, &owner, NULL));
    assert_int_equal(n, 2);
    assert_string_equal(got[1], "wan");
    wire_control_request_free(owner);
    gp_buf_free(&b);
    want_ok(wire_control_request_decode("", 0, &got, &n, &owner, NULL)); /* all interfaces */
    assert_int_equal(n, 0);
    wire_control_request_free(owner);
}

static void test_request_limits(void **state)
{
    (void)state;
    memset(long_name, 'x', WIRE_MAX_LABEL + 1);
    const char *const bad[] = {"a\nb", "\033[2J", long_name};
    const char *many[WIRE_MAX_IFACES + 1];
    char *const *got = NULL;
    void *owner = NULL;
    size_t n = 0;

    for (size_t i = 0; i < GP_COUNT(bad); i++) {
        gp_buf b = {0};
        wire_put_control_request(&b, &bad[i], 1);
        assert_int_equal(wire_control_request_decode(b.data, b.len, &got, &n, &owner, NULL),
                         GP_ECORRUPT);
        gp_buf_free(&b);
    }
    for (size_t i = 0; i < GP_COUNT(many); i++)
        many[i] = "e";
    for (size_t extra = 0; extra < 2; extra++) {
        gp_buf b = {0};
        wire_put_control_request(&b, many, WIRE_MAX_IFACES + extra);
        assert_int_equal(wire_control_request_decode(b.data, b.len, &got, &n, &owner, NULL),
                         extra ? GP_ECORRUPT : GP_OK);
        if (!extra)
            wire_control_request_free(owner);
        gp_buf_free(&b);
    }
}

static void test_config_set(void **state)
{
    (void)state;
    char *text = NULL, *big = gp_calloc(WIRE_MAX_CONFIG_TEXT + 1, 1);
    size_t len = 0;

    assert_non_null(big);
    for (size_t extra = 0; extra < 2; extra++) {
        gp_buf b = {0};
        wire_put_config_set(&b, big, WIRE_MAX_CONFIG_TEXT + extra);
        assert_int_equal(wire_config_set_decode(b.data, b.len, &text, &len, NULL),
                         extra ? GP_ECORRUPT : GP_OK);
        gp_buf_free(&b);
    }
    assert_int_equal(len, WIRE_MAX_CONFIG_TEXT);
    gp_free(text);
    gp_free(big);

    gp_buf b = {0};
    wire_put_config_set(&b, "{}", 2);
    want_ok(wire_config_set_decode(b.data, b.len, &text, &len, NULL));
    assert_int_equal(len, 2);
    assert_string_equal(text, "{}");
    gp_free(text);
    gp_buf_free(&b);
    assert_int_equal(wire_config_set_decode("", 0, &text, &len, NULL), GP_ECORRUPT);
}

static void put_status(gp_buf *b, const char *name, const char *error)
{
    const wire_daemon d = {.host = "fw-1",
                           .software = "fleetprobe/1",
                           .started_ns = 7,
                           .now_ns = 9,
                           .last_scheduled_s = 5,
                           .next_writeout_s = 300,
                           .writes_failed = 2,
                           .write_failing = 1};
    const wire_iface_status v[] = {
        {.name = "eth0",
         .error = "",
         .capturing = 1,
         .started_ns = 8,
         .total = {.received = UINT64_MAX, .dropped = 1, .errors = {1, 2, 3}, .bytes_out = 5},
         .recent = {.processed = 4, .lost = 6, .shared = 7},
         .flows = 11,
         .ring_bytes = 1 << 20,
         .last_block_s = -1},
        {.name = name, .error = error}};
    wire_put_status(b, &d, v, GP_COUNT(v));
}

static void test_status(void **state)
{
    (void)state;
    const wire_iface_status more = {.name = "tun0", .error = ""};
    wire_status_reply r = {0};
    gp_buf b = {0};

    put_status(&b, "eth9", "no such device");
    want_ok(wire_status_decode(b.data, b.len, &r, NULL));
    gp_buf_clear(&b);
    wire_put_status(&b, NULL, &more, 1); /* the list goes on; the daemon's part stays */
    want_ok(wire_status_decode(b.data, b.len, &r, NULL));
    gp_buf_free(&b);

    assert_string_equal(r.daemon.host, "fw-1");
    assert_int_equal(r.daemon.now_ns, 9);
    assert_int_equal(r.daemon.last_writeout_s, 0);
    assert_int_equal(r.daemon.last_scheduled_s, 5);
    assert_int_equal(r.daemon.writes_failed, 2);
    assert_true(r.daemon.write_failing);
    assert_int_equal(r.n, 3);
    const wire_iface_status *e = &r.v[0];
    assert_true(e->capturing && e->total.received == UINT64_MAX && e->total.processed == 0);
    assert_int_equal(e->total.errors[2], 3);
    assert_int_equal(e->total.bytes_out, 5);
    assert_int_equal(e->recent.processed, 4);
    assert_int_equal(e->recent.shared, 7);
    assert_int_equal(e->flows, 11);
    assert_int_equal(e->last_block_s, -1);
    assert_false(r.v[1].capturing);
    assert_string_equal(r.v[1].error, "no such device");
    assert_string_equal(r.v[2].name, "tun0");
    wire_status_clear(&r);
}

static void test_config(void **state)
{
    (void)state;
    wire_insn insns[WIRE_MAX_FILTER + 1] = {{0x28, 0, 0, 12}, {6, 0, 0, UINT32_MAX}};
    const wire_iface_config v[] = {{.name = "eth0",
                                    .promisc = 1,
                                    .sample = 10,
                                    .block_size = 1 << 20,
                                    .num_blocks = 4,
                                    .filter = insns,
                                    .n_filter = WIRE_MAX_FILTER},
                                   {.name = "tun0", .ignore_vlans = 1, .sample = 1}};
    const wire_iface_config over = {
        .name = "eth0", .filter = insns, .n_filter = WIRE_MAX_FILTER + 1};
    wire_config_reply r = {0};
    gp_buf b = {0};

    wire_put_config(&b, v, GP_COUNT(v));
    want_ok(wire_config_decode(b.data, b.len, &r, NULL));
    gp_buf_free(&b);
    assert_int_equal(r.n, 2);
    assert_true(r.v[0].promisc && !r.v[0].ignore_vlans && r.v[1].ignore_vlans);
    assert_int_equal(r.v[0].sample, 10);
    assert_int_equal(r.v[0].block_size, 1 << 20);
    assert_int_equal(r.v[0].n_filter, WIRE_MAX_FILTER);
    assert_int_equal(r.v[0].filter[0].op, 0x28);
    assert_true(r.v[0].filter[1].k == UINT32_MAX);
    assert_int_equal(r.v[1].n_filter, 0);
    wire_config_clear(&r);

    wire_put_config(&b, &over, 1);
    assert_true(b.failed);
    gp_buf_free(&b);
}

static void test_changes(void **state)
{
    (void)state;
    const wire_change v[] = {{"eth1", "", WIRE_ENABLED, 1},
                             {"eth7", "no such device", WIRE_DISABLED, 0}};
    const wire_change bad = {"eth1", "", WIRE_N_ACTIONS, 1};
    wire_changes_reply r = {0};
    gp_buf b = {0};

    wire_put_changes(&b, v, GP_COUNT(v));
    want_ok(wire_changes_decode(b.data, b.len, &r, NULL));
    assert_int_equal(r.n, 2);
    assert_true(r.v[0].ok && r.v[0].action == WIRE_ENABLED);
    assert_true(!r.v[1].ok && r.v[1].action == WIRE_DISABLED);
    assert_string_equal(r.v[1].error, "no such device");
    gp_buf_clear(&b);
    wire_put_changes(&b, &bad, 1);
    assert_int_equal(wire_changes_decode(b.data, b.len, &r, NULL), GP_ECORRUPT);
    assert_int_equal(r.n, 2); /* what was there stays */
    wire_changes_clear(&r);
    gp_buf_free(&b);
}

/* What gets printed holds no control characters, and lists end somewhere. */
static void test_status_hostile(void **state)
{
    (void)state;
    const char *const bad[][2] = {{"e\033[2J", ""}, {"eth0", "a\033]0;b"}, {long_name, ""}};
    wire_iface_status v[WIRE_STATUS_MESSAGE];
    wire_status_reply r = {0};
    gp_buf b = {0};
    gp_status st = GP_OK;
    size_t sent = 0;

    memset(long_name, 'x', WIRE_MAX_LABEL + 1);
    for (size_t i = 0; i < GP_COUNT(bad); i++) {
        gp_buf_clear(&b);
        put_status(&b, bad[i][0], bad[i][1]);
        assert_int_equal(wire_status_decode(b.data, b.len, &r, NULL), GP_ECORRUPT);
        wire_status_clear(&r);
    }
    for (size_t i = 0; i < GP_COUNT(v); i++)
        v[i] = (wire_iface_status){.name = "e", .error = ""};
    gp_buf_clear(&b);
    wire_put_status(&b, NULL, v, GP_COUNT(v));
    for (; st == GP_OK && sent < 1000; sent++)
        st = wire_status_decode(b.data, b.len, &r, NULL);
    assert_int_not_equal(st, GP_OK);
    assert_true(r.n <= 8 * WIRE_MAX_IFACES);
    wire_status_clear(&r);
    gp_buf_free(&b);
}

/* Every cut and every flipped bit: an error or a reply, never a crash (sanitizers look on). */
static void test_broken(void **state)
{
    (void)state;
    gp_buf b = {0};

    put_status(&b, "eth9", "no such device");
    assert_true(b.len > 50 && b.len < CUTS);
    for (size_t i = 0; i < b.len; i++) {
        wire_status_reply r = {0};
        wire_config_reply c = {0};
        wire_changes_reply h = {0};
        (void)!wire_status_decode(b.data, i, &r, NULL);
        wire_status_clear(&r);
        for (int bit = 0; bit < 8; bit++) {
            b.data[i] ^= (uint8_t)(1 << bit);
            (void)!wire_status_decode(b.data, b.len, &r, NULL);
            (void)!wire_config_decode(b.data, b.len, &c, NULL);
            (void)!wire_changes_decode(b.data, b.len, &h, NULL);
            b.data[i] ^= (uint8_t)(1 << bit);
            wire_status_clear(&r);
            wire_config_clear(&c);
            wire_changes_clear(&h);
        }
    }
    gp_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),        cmocka_unit_test(test_request_limits),
        cmocka_unit_test(test_config_set),     cmocka_unit_test(test_status),
        cmocka_unit_test(test_config),         cmocka_unit_test(test_changes),
        cmocka_unit_test(test_status_hostile), cmocka_unit_test(test_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
