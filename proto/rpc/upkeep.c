/* upkeep.c - what a runtime looks after by itself: connections whose peer is not trusted any more
 * end, the others get revocation lists that are newer than theirs, and an own certificate is
 * renewed before it expires.
 *
 * A tick each second on the timer thread. Everything is looked at when trust changed (revocation,
 * reload) and every 30 s (expiry). */
#include "internal.h"

#include "auth/cert.h"

#include <assert.h>
#include <string.h>

enum {
    TICK_S = 1,
    ALL_S = 30,
    RENEW_MS = 10000,
    RENEW_MAX_S = 3600,
    LISTS_A_TICK = 4 << 20, /* bytes: a long list for a thousand peers is not sent at once */
};
static_assert(LISTS_A_TICK >= (size_t)AUTH_LIST_MAX, "any list fits");

/* ---- renewal ---- */

static rpc_code serve_renew(void *ctx, rpc_stream *s, const uint8_t *req, size_t len, gp_buf *text)
{
    (void)ctx;
    rpc_conn *c = rpc_stream_conn(s);
    gp_buf fresh = {0};
    gp_err err = {0};
    gp_status st = auth_issuer_renew(c->rt->o.issuer, c->rt->o.trust, c->peer.sign_pk, req, len,
                                     gp_wall_s(), &fresh, &err);
    if (st == GP_OK)
        st = rpc_stream_send(s, fresh.data, fresh.len, &err);
    atomic_fetch_add(st == GP_OK ? &c->rt->stats.renewed : &c->rt->stats.renew_failed, 1);
    if (st != GP_OK)
        gp_buf_adds(text, err.msg);
    gp_buf_free(&fresh);
    rpc_conn_unref(c);
    return rpc_code_from_status(st);
}

const rpc_method rpc_renew_method = {.name = "fleet.renew",
                                     .handler = serve_renew,
                                     .max_request = AUTH_PACKED_MAX,
                                     .kinds = 1u << AUTH_KIND_AGENT | 1u << AUTH_KIND_AGGREGATOR |
                                              1u << AUTH_KIND_GATEWAY};

static void tell(rpc_runtime *rt, const gp_err *failed)
{
    /* GP_EIO: in use, though not in the file */
    int done = !failed || failed->code == GP_EIO;
    atomic_fetch_add(done ? &rt->stats.renewed : &rt->stats.renew_failed, 1);
    if (rt->o.on_renewal)
        rt->o.on_renewal(rt->o.renewal_ctx, failed);
}

static void on_event(void *ctx, rpc_call *call, const rpc_event *ev)
{
    rpc_runtime *rt = ctx;
    int64_t now_s = gp_wall_s();
    gp_err err = {0};
    if (ev->kind == RPC_EV_MSG) {
        if (auth_renew_in(rt->id, now_s, NULL) != 0)
            return; /* another aggregator was faster */
        gp_status st = auth_renew_take(rt->id, rt->o.trust, ev->data, ev->len, now_s, &err);
        int late = st != GP_OK && st != GP_EIO && auth_renew_in(rt->id, now_s, NULL) != 0;
        if (!late) /* likewise, by a moment */
            tell(rt, st == GP_OK ? NULL : &err);
        return;
    }
    /* Aggregators without an issuing key are no failure, nor are connections that went away. */
    if (ev->code != RPC_OK && ev->code != RPC_UNIMPLEMENTED && ev->code != RPC_UNAVAILABLE &&
        ev->code != RPC_CANCELLED) {
        gp_fail(&err, rpc_code_to_status(ev->code), 0, "refused: %s", ev->text);
        if (err.code == GP_EIO)
            err.code = GP_EDENIED;
        tell(rt, &err);
    }
    rpc_call_free(call);
}

/* Ask a connected aggregator; those without an issuing key say so. */
static void ask_renewal(rpc_conn *c, void *ctx)
{
    const gp_buf *chain = ctx;
    rpc_call *x = NULL;
    if (!rpc_conn_alive(c) || c->peer.kind != AUTH_KIND_AGGREGATOR)
        return;
    c->rt->renew_asked = 1;
    if (rpc_call_start(c, rpc_renew_method.name, chain->data, chain->len,
                       gp_deadline_in_ms(RENEW_MS), on_event, c->rt, &x, NULL) != GP_OK)
        return; /* it went away just now */
}

static void renew(rpc_runtime *rt, int64_t now_s)
{
    int64_t left = 0;
    gp_buf packed = {0};
    auth_chain chain;
    if (now_s < rt->renew_next_s || auth_renew_in(rt->id, now_s, &left) != 0)
        return;
    auth_identity_chain(rt->id, &chain);
    auth_chain_pack(&chain, &packed);
    rt->renew_asked = 0;
    if (!packed.failed)
        rpc_for_all_conns(rt, ask_renewal, &packed);
    gp_buf_free(&packed);
    if (rt->renew_asked) { /* again in a tenth of what is left, but at least every hour */
        int64_t wait = left / 10 < RENEW_MAX_S ? left / 10 : RENEW_MAX_S;
        rt->renew_next_s = now_s + (wait > TICK_S ? wait : TICK_S);
    }
}

/* ---- trust ---- */

static int same_rights(const auth_peer *a, const auth_peer *b)
{
    return a->kind == b->kind && a->roles == b->roles && a->max_span_s == b->max_span_s &&
           strcmp(a->name, b->name) == 0 && strcmp(a->host_globs, b->host_globs) == 0 &&
           strcmp(a->iface_globs, b->iface_globs) == 0;
}

/* One look at all connections. */
typedef struct look {
    int64_t now_s;
    auth_fleet_state ours[AUTH_MAX_FLEETS];
    size_t n_ours, budget;
} look;

static void check_trust(rpc_conn *c, void *ctx)
{
    look *l = ctx;
    auth_peer now;
    pthread_mutex_lock(&c->lock);
    int concerns = c->state == CONN_OPEN && c->peer.local_uid < 0;
    pthread_mutex_unlock(&c->lock);
    if (!concerns)
        return;
    if (!auth_trust_find(c->rt->o.trust, c->peer.sign_pk, l->now_s, &now)) {
        atomic_fetch_add(&c->rt->stats.distrusted, 1);
        rpc_conn_shutdown(c, GP_EDENIED,
                          "'%s' is not trusted any more (revoked, expired or removed)",
                          c->peer.name);
    } else if (!same_rights(&now, &c->peer)) {
        rpc_conn_goaway(c, RPC_PERMISSION_DENIED, "your rights have changed, connect again");
    } else if (!rpc_lists_exchange(c, l->ours, l->n_ours, &l->budget)) {
        c->rt->lists_left = 1;
    }
}

static void tick(void *arg)
{
    rpc_runtime *rt = arg;
    int64_t now_s = gp_wall_s(), mono_s = gp_mono_ms() / 1000;
    uint64_t gen = auth_trust_generation(rt->o.trust);
    if (gen != rt->trust_seen || mono_s >= rt->trust_next_s || rt->lists_left) {
        look l = {.now_s = now_s, .budget = LISTS_A_TICK};
        l.n_ours = auth_trust_fleets(rt->o.trust, l.ours);
        rt->trust_seen = gen;
        rt->trust_next_s = mono_s + ALL_S;
        rt->lists_left = 0;
        rpc_for_all_conns(rt, check_trust, &l);
    }
    if (!rt->anonymous)
        renew(rt, now_s);
    rpc_upkeep_start(rt);
}

void rpc_upkeep_start(rpc_runtime *rt)
{
    if (rt->o.trust)
        rpc_timer_set(rt->wheel, &rt->upkeep, gp_mono_ns() + TICK_S * INT64_C(1000000000), tick,
                      rt);
}
