/* lists_test.c - revocation lists spread with connections, in both directions, and end trust. */
#include "auth/cert.h"
#include "kit.h"

#include <string.h>
#include <unistd.h>

static gp_buf make_list(const auth_identity *fleet, uint64_t number, const uint8_t *key)
{
    auth_revlist l = {.number = number, .issued_s = 1};
    auth_revoked r = {.type = AUTH_REVOKED_KEY};
    gp_buf b = {0};
    memcpy(r.id, key, AUTH_SIGN_PK);
    assert_int_equal(auth_revlist_add(&l, &r, NULL), GP_OK);
    assert_int_equal(auth_revlist_sign(&l, fleet, &b, NULL), GP_OK);
    auth_revlist_free(&l);
    return b;
}

static void add_fleet(auth_trust *t, const auth_identity *peer, const auth_identity *fleet)
{
    gp_buf text = {0};
    auth_trust_entry(peer, NULL, &text);
    auth_trust_entry(fleet, NULL, &text);
    assert_int_equal(auth_trust_parse(t, gp_buf_str(&text), text.len, NULL), GP_OK);
    gp_buf_free(&text);
}

/* Wait until t's list has this number; 1 if so. */
static int wait_number(auth_trust *t, uint64_t want)
{
    auth_fleet_state f[AUTH_MAX_FLEETS];
    for (int i = 0; i < 5000; i++) {
        if (auth_trust_fleets(t, f) == 1 && f[0].number == want)
            return 1;
        usleep(1000);
    }
    return 0;
}

/* Both ends trust each other and a new fleet. */
static auth_identity *both_trust(kit *k)
{
    auth_identity *fleet = NULL;
    kit_up(k);
    assert_int_equal(auth_identity_new(AUTH_KIND_FLEET, "acme", &fleet, NULL), GP_OK);
    add_fleet(k->server_trust, k->user, fleet);
    add_fleet(k->client_trust, k->agent, fleet);
    return fleet;
}

static void test_exchange(void **state)
{
    (void)state;
    kit k;
    auth_identity *fleet = both_trust(&k);
    int taken = 0;
    rpc_conn_close(kit_dial(&k)); /* neither has one */

    gp_buf b = make_list(fleet, 3, auth_identity_sign_pk(k.stranger));
    assert_int_equal(auth_trust_revoke(k.client_trust, b.data, b.len, &taken, NULL), GP_OK);
    rpc_conn *c = kit_dial(&k); /* the dialer brings it */
    assert_true(wait_number(k.server_trust, 3));
    rpc_conn_close(c);
    gp_buf_free(&b);

    b = make_list(fleet, 7, auth_identity_sign_pk(k.stranger));
    assert_int_equal(auth_trust_revoke(k.server_trust, b.data, b.len, &taken, NULL), GP_OK);
    c = kit_dial(&k); /* and fetches it */
    assert_true(wait_number(k.client_trust, 7));
    rpc_conn_close(c);
    gp_buf_free(&b);

    b = make_list(fleet, 8, auth_identity_sign_pk(k.user)); /* the dialer brings its own end */
    assert_int_equal(auth_trust_revoke(k.client_trust, b.data, b.len, &taken, NULL), GP_OK);
    c = kit_dial(&k);
    assert_true(wait_number(k.server_trust, 8));
    rpc_conn_close(c);
    gp_buf_free(&b);
    gp_err err = {0};
    rpc_dial_opts o = {.addr = k.addr, .deadline = gp_deadline_in_ms(5000)};
    assert_int_equal(rpc_dial(k.client, &o, &c, &err), GP_EDENIED);
    kit_down(&k);
    auth_identity_free(fleet);
}

/* A list that comes in while a connection is open is passed on over it, whoever dialed. */
static void test_open_connection(void **state)
{
    (void)state;
    kit k;
    auth_identity *fleet = both_trust(&k);
    int taken = 0;
    rpc_conn *c = kit_dial(&k);

    gp_buf b = make_list(fleet, 3, auth_identity_sign_pk(k.stranger));
    assert_int_equal(auth_trust_revoke(k.client_trust, b.data, b.len, &taken, NULL), GP_OK);
    assert_true(wait_number(k.server_trust, 3));
    gp_buf_free(&b);
    b = make_list(fleet, 7, auth_identity_sign_pk(k.stranger));
    assert_int_equal(auth_trust_revoke(k.server_trust, b.data, b.len, &taken, NULL), GP_OK);
    assert_true(wait_number(k.client_trust, 7));
    gp_buf_free(&b);
    assert_true(rpc_conn_alive(c));
    rpc_conn_close(c);
    kit_down(&k);
    auth_identity_free(fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_exchange),
                                       cmocka_unit_test(test_open_connection)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
