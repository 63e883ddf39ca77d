/* lists.c - revocation lists travel by themselves: whoever dials sends the newer one, or asks for
 * it.
 *
 * Both hellos name the lists in force (docs/protocol.md). Only dialers call, so that a list spreads
 * from users to aggregators to agents and back with the connections that are made anyway. Lists are
 * signed by the fleet's key: who brings them does not matter. */
#include "internal.h"

#include <string.h>

enum { EXCHANGE_MS = 10000 };

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
    } else {
        st = auth_trust_revoke(c->rt->o.trust, req, len, &taken, &err);
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

void rpc_lists_exchange(rpc_conn *c, const auth_fleet_state *theirs, size_t n)
{
    auth_fleet_state ours[AUTH_MAX_FLEETS];
    size_t k = c->rt->o.trust ? auth_trust_fleets(c->rt->o.trust, ours) : 0;
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < n; j++) {
            if (memcmp(ours[i].fleet, theirs[j].fleet, AUTH_SIGN_PK) != 0)
                continue;
            gp_buf list = {0};
            if (theirs[j].number > ours[i].number)
                call(c, ours[i].fleet, AUTH_SIGN_PK);
            else if (theirs[j].number < ours[i].number &&
                     auth_trust_revocations(c->rt->o.trust, ours[i].fleet, &list) == GP_OK)
                call(c, list.data, list.len);
            gp_buf_free(&list);
        }
}
