/* request_test.c - time window, time to live, replay cache and its bounds. */
#include "auth/request.h"

#include "test.h"

static const uint8_t ALICE[AUTH_SIGN_PK] = {1}, BOB[AUTH_SIGN_PK] = {2};

static void id_of(uint32_t n, uint8_t id[AUTH_QUERY_ID])
{
    memset(id, 0, AUTH_QUERY_ID);
    gp_put_le32(id, n);
}

static void test_rules(void **state)
{
    (void)state;
    enum { NOW = 1000000, START = NOW - 5000 };
    static const struct {
        const char *what;
        int64_t issued, ttl;
        gp_status want;
        const char *part;
    } cases[] = {
        {"now", NOW, 30, GP_OK, ""},
        {"clock 60 s ahead", NOW + 60, 30, GP_OK, ""},
        {"clock 61 s ahead", NOW + 61, 30, GP_EDENIED,
         "signed 61 s in the future; check the clocks"},
        {"60 s old, short ttl", NOW - 60, 1, GP_OK, ""},
        {"61 s old, short ttl", NOW - 61, 1, GP_EDEADLINE, "expired"},
        {"old but within its ttl", NOW - 3000, 3600, GP_OK, ""},
        {"last second", NOW - 3600, 3600, GP_OK, ""},
        {"past its ttl", NOW - 3601, 3600, GP_EDEADLINE,
         "expired 1 s ago, signed 3601 s ago; check"},
        {"ttl 0", NOW, 0, GP_EDENIED, "time to live"},
        {"ttl negative", NOW, -1, GP_EDENIED, "time to live"},
        {"ttl too long", NOW, 3601, GP_EDENIED, "time to live"},
        {"before our start", START - 1, 3600, GP_EDEADLINE, "expired"},
        {"overflow", INT64_MAX, 3600, GP_EDENIED, ""},
        {"negative time", -5, 3600, GP_EDENIED, ""},
    };
    auth_replay *r = NULL;
    want_ok(auth_replay_new(1000, &r, NULL));
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t id[AUTH_QUERY_ID];
        gp_err err = {0};
        id_of((uint32_t)i, id);
        gp_status st =
            auth_request_check(r, ALICE, id, cases[i].issued, cases[i].ttl, START, NOW, &err);
        if (st != cases[i].want || (st && !strstr(err.msg, cases[i].part)))
            fail_msg("%s: %s \"%s\"", cases[i].what, gp_status_name(st), err.msg);
        if (st == GP_OK) /* and never a second time */
            want_err(
                GP_EDENIED, &err, "replay",
                auth_request_check(r, ALICE, id, cases[i].issued, cases[i].ttl, START, NOW, &err));
    }
    uint8_t id[AUTH_QUERY_ID];
    gp_err err = {0};
    id_of(100, id);
    want_err(GP_EDENIED, &err, "before this process started",
             auth_request_check(r, ALICE, id, NOW - 10, 100, NOW - 9, NOW, &err));
    auth_replay_free(r);
}

static void test_scope(void **state)
{
    (void)state;
    enum { NOW = 1000000, Q = AUTH_ROLE_QUERY, L = AUTH_ROLE_LIVE };
    static const struct {
        const char *what;
        uint32_t roles;
        int64_t max_span;
        int uid, live;
        int64_t first, last;
        const char *says; /* NULL: allowed */
    } cases[] = {
        {"query", Q, 0, -1, 0, 0, NOW, NULL},
        {"other roles only", ~(uint32_t)Q, 0, -1, 0, 0, NOW, "no role \"query\""},
        {"no role, on the socket", 0, 1, 0, 1, 0, NOW, NULL},
        {"live", Q | L, 0, -1, 1, 0, NOW, NULL},
        {"live without the role", Q, 0, -1, 1, 0, NOW, "no role \"live\""},
        {"span as allowed", Q, 100, -1, 0, NOW - 100, NOW, NULL},
        {"span beyond", Q, 100, -1, 0, NOW - 101, NOW, "at most 100 s"},
        {"span into the future counts to now", Q, 100, -1, 0, NOW - 100, NOW + 900, NULL},
        {"span that overflows", Q, 100, -1, 0, INT64_MIN, NOW, "at most 100 s"},
    };
    static const char *const names[] = {"fw-1", "edge"};
    gp_err err = {0};
    for (size_t i = 0; i < COUNT(cases); i++) {
        auth_peer p = {
            .roles = cases[i].roles, .max_span_s = cases[i].max_span, .local_uid = cases[i].uid};
        gp_status st =
            auth_scope_query(&p, cases[i].live, cases[i].first, cases[i].last, NOW, &err);
        if ((st == GP_OK) != (cases[i].says == NULL) || (st && !strstr(err.msg, cases[i].says)))
            fail_msg("%s: %s \"%s\"", cases[i].what, gp_status_name(st), err.msg);
    }
    auth_peer p = {.local_uid = -1, .host_globs = "x,ed*"};
    want_ok(auth_scope_host(&p, names, 2, NULL));
    want_err(GP_EDENIED, &err, "not allowed to ask this host", auth_scope_host(&p, names, 1, &err));
    p.local_uid = 0;
    want_ok(auth_scope_host(&p, names, 1, NULL));
    for (auth_kind k = AUTH_KIND_NONE; k <= AUTH_KIND_FLEET; k++) {
        p.kind = k;
        assert_int_equal(auth_scope_signer(&p, NULL) == GP_OK,
                         k == AUTH_KIND_USER || k == AUTH_KIND_GATEWAY);
    }
}

/* A refused request may not take a place in the cache. */
static void test_replay_and_expiry(void **state)
{
    (void)state;
    auth_replay *r = NULL;
    uint8_t id[AUTH_QUERY_ID];
    want_ok(auth_replay_new(10000, &r, NULL));
    for (uint32_t i = 0; i < 2000; i++) {
        id_of(i, id);
        want_ok(auth_replay_add(r, ALICE, id, 100, 100 + (int64_t)(i * 7 % 50)));
    }
    for (uint32_t i = 0; i < 2000; i++) {
        id_of(i, id);
        want_status(GP_EEXIST, auth_replay_add(r, ALICE, id, 100, 200));
        want_ok(auth_replay_add(r, BOB, id, 100, 110)); /* another signer, another request */
    }
    /* At 125 exactly those that expire from 125 on are still known. */
    for (uint32_t i = 0; i < 2000; i++) {
        int64_t expires = 100 + (int64_t)(i * 7 % 50);
        id_of(i, id);
        gp_status st = auth_replay_add(r, ALICE, id, 125, 126);
        if (st != (expires >= 125 ? GP_EEXIST : GP_OK))
            fail_msg("id %u that expires at %lld: %s", i, (long long)expires, gp_status_name(st));
    }
    auth_replay_free(r);
}

/* Full: refused, never forgotten. One signer gets a quarter. */
static void test_bounds(void **state)
{
    (void)state;
    enum { MAX = 400 };
    auth_replay *r = NULL;
    uint8_t id[AUTH_QUERY_ID], who[AUTH_SIGN_PK] = {0};
    want_ok(auth_replay_new(MAX, &r, NULL));
    for (uint32_t i = 0; i < MAX / 4; i++) {
        id_of(i, id);
        want_ok(auth_replay_add(r, ALICE, id, 0, 10));
    }
    id_of(9999, id);
    want_status(GP_ELIMIT, auth_replay_add(r, ALICE, id, 0, 10));
    for (uint8_t s = 10; s < 13; s++) { /* others still get in, until all is full */
        who[0] = s;
        for (uint32_t i = 0; i < MAX / 4; i++) {
            id_of(i, id);
            want_ok(auth_replay_add(r, who, id, 0, 10));
        }
    }
    who[0] = 99;
    want_status(GP_ELIMIT, auth_replay_add(r, who, id, 0, 10));
    id_of(0, id);
    want_status(GP_EEXIST, auth_replay_add(r, ALICE, id, 10, 10));
    want_ok(auth_replay_add(r, who, id, 11, 20)); /* all expired */
    auth_replay_free(r);
    want_status(GP_EINVAL, auth_replay_new(0, &r, NULL));
}

/* Against a plain model, seeded. */
static void test_model(void **state)
{
    (void)state;
    enum { IDS = 64, MAX = 32 };
    test_rng rng = test_rng_new(7);
    auth_replay *r = NULL;
    int64_t expires[IDS];
    memset(expires, 0xff, sizeof expires); /* -1: unknown */
    want_ok(auth_replay_new(MAX, &r, NULL));
    int64_t now = 1;
    for (size_t round = 0; round < test_rounds(20000); round++) {
        uint32_t n = (uint32_t)test_rng_below(&rng, IDS);
        int64_t e = now + (int64_t)test_rng_below(&rng, 20);
        uint8_t id[AUTH_QUERY_ID];
        now += test_rng_below(&rng, 4) == 0;
        size_t held = 0;
        for (size_t i = 0; i < IDS; i++)
            held += expires[i] >= now;
        gp_status want = expires[n] >= now ? GP_EEXIST : (held == MAX ? GP_ELIMIT : GP_OK);
        id_of(n, id);
        gp_status got = auth_replay_add(r, ALICE, id, now, e);
        if (got != want)
            fail_msg("round %zu: %s, want %s", round, gp_status_name(got), gp_status_name(want));
        if (got == GP_OK)
            expires[n] = e;
    }
    auth_replay_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_scope),
        cmocka_unit_test(test_replay_and_expiry),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
