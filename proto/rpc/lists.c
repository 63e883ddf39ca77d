/* lists.c - revocation lists travel by themselves: whoever dials sends the newer one, or asks for
 * it, and a list that comes in later is passed on over open connections.
 *
 * Both hellos name the lists in force (docs/protocol.md), so a list spreads from users to
 * aggregators to agents and back with the connections that are made anyway. Lists are signed by
 * the fleet's key: who brings them does not matter. */
#include "internal.h"

#include "gp/bytes.h"

#include <string.h>

enum {
    EXCHANGE_MS = 10000,
    LIST_FLEET = 4, /* where they are in a list (security.md 5) */
    LIST_NUMBER = 36,
};

/* What the peer has of this fleet; NULL: it does not trust the fleet. Lock held. */
static auth_fleet_state *theirs(rpc_conn *c, const uint8_t fleet[AUTH_SIGN_PK])
{
    for (size_t i = 0; i < c->n_lists; i++)
        if (memcmp(c->lists[i].fleet, fleet, AUTH_SIGN_PK) == 0)
            return &c->lists[i];
    return NULL;
}

/* The peer has this list, which was found good. */
static void has_list(rpc_conn *c, const uint8_t *list)
{
    pthread_mutex_lock(&c->lock);
    auth_fleet_state *t = theirs(c, list + LIST_FLEET);
    if (t && t->number < gp_be64(list + LIST_NUMBER))
        t->number = gp_be64(list + LIST_NUMBER);
    pthread_mutex_unlock(&c->lock);
}

static rpc_code serve_list(void *ctx, rpc_stream *s, const uint8_t *req, size_t len, gp_buf *text)
{
    (void)ctx;
    rpc_conn *c = rpc_stream_conn(s);
    gp_buf list = {0};
    gp_err err = {0};
    int taken = 0;
    gp_status st;
    if (len == AUTH_SIGN_PK) { /* asks for the list of this fleet */
        st = auth_trust_revocations(c->rt->o.trust, req, &list);
        if (st == GP_OK)
            st = rpc_stream_send(s, list.data, list.len, &err);
        if (st == GP_OK)
            has_list(c, list.data);
    } else {
        st = auth_trust_revoke(c->rt->o.trust, req, len, &taken, &err);
        if (st == GP_OK)
            has_list(c, req); /* so it is not sent back */
    }
    if (st != GP_OK)
        gp_buf_adds(text, err.msg);
    gp_buf_free(&list);
    rpc_conn_unref(c);
    return rpc_code_from_status(st);
}

const rpc_method rpc_lists_method = {"fleet.revocations", serve_list, AUTH_LIST_MAX, 0, 0, NULL};

/* An answer to our question is taken if it is good; failures leave things as they were. */
static void on_event(void *ctx, rpc_call *call, const rpc_event *ev)
{
    auth_trust *trust = ctx;
    int taken = 0;
    if (ev->kind == RPC_EV_STATUS)
        rpc_call_free(call);
    else if (auth_trust_revoke(trust, ev->data, ev->len, &taken, NULL) != GP_OK)
        taken = 0; /* not of our fleet, or forged */
}

static void call(rpc_conn *c, const void *req, size_t len)
{
    rpc_call *x = NULL;
    gp_status st =
        rpc_call_start(c, rpc_lists_method.name, req, len, gp_deadline_in_ms(EXCHANGE_MS), on_event,
                       c->rt->o.trust, &x, NULL);
    if (st != GP_OK)
        return; /* the connection is gone already; the next one tries again */
}

int rpc_lists_exchange(rpc_conn *c, const auth_fleet_state *ours, size_t n, size_t *budget)
{
    int all = 1;

    for (size_t i = 0; i < n; i++) {
        gp_buf list = {0};
        pthread_mutex_lock(&c->lock);
        const auth_fleet_state *t = theirs(c, ours[i].fleet);
        uint64_t number = t ? t->number : ours[i].number;
        pthread_mutex_unlock(&c->lock);
        if (number > ours[i].number) {
            call(c, ours[i].fleet, AUTH_SIGN_PK);
        } else if (number < ours[i].number &&
                   auth_trust_revocations(c->rt->o.trust, ours[i].fleet, &list) == GP_OK) {
            all &= list.len <= *budget;
            if (list.len <= *budget) {
                *budget -= list.len;
                call(c, list.data, list.len);
                has_list(c, list.data);
            }
        }
        gp_buf_free(&list);
    }
    return all;
}
