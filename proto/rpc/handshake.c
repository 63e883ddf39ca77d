/* handshake.c - who is at the other end: three Noise messages with hellos, then a welcome or
 * refusal.
 *
 * dialer -> "e" + hello (versions only, in clear)
 * listener -> "e, ee, s, es" + hello with identity
 * dialer -> "s, se" + hello with identity (or without, on ipc)
 * listener -> STATUS frame on stream 0: OK, or why not. */
#include "gp/mem.h"
#include "internal.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

size_t rpc_hs_max_message(const rpc_conn *c)
{
    return !c->dialer && c->r.hs_step == 0 ? HS_FIRST_MAX : AUTH_HELLO_MAX + 256;
}

/* Write the next Noise message with a hello. */
static gp_status send_hello(rpc_conn *c, const auth_identity *id, gp_err *err)
{
    gp_buf hello = {0}, msg = {0};
    auth_hello_encode(id, id ? c->rt->o.trust : NULL, c->rt->o.features, &hello);
    gp_status st = hello.failed ? gp_fail(err, GP_ENOMEM, 0, "handshake: out of memory")
                                : auth_noise_write(c->noise, hello.data, hello.len, &msg, err);
    if (st == GP_OK) {
        rpc_write_raw(c, msg.data, msg.len);
        c->r.hs_step++;
    }
    gp_buf_free(&hello);
    gp_buf_free(&msg);
    return st;
}

void rpc_hs_start(rpc_conn *c)
{
    gp_err err = {0};
    if (send_hello(c, NULL, &err) != GP_OK)
        rpc_conn_shutdown(c, err.code, "%s: %s", c->link->peer, err.msg);
    rpc_flush(c);
}

/* What a local peer is: the system vouches for its uid, so it may do what the daemon's owner may.
 */
static void local_peer(rpc_conn *c, auth_peer *p)
{
    *p = (auth_peer){.kind = AUTH_KIND_USER,
                     .roles = AUTH_ROLE_QUERY | AUTH_ROLE_LIVE | AUTH_ROLE_STATUS |
                              AUTH_ROLE_CONFIG_READ | AUTH_ROLE_CONFIG_WRITE | AUTH_ROLE_RELAY,
                     .host_globs = "*",
                     .iface_globs = "*"};
    snprintf(p->name, sizeof p->name, "uid-%lld", (long long)c->link->peer_uid);
    gp_put_be64(p->sign_pk,
                (uint64_t)c->link->peer_uid); /* no key: stands for the uid in counters */
}

/* Who sent this hello? Fills c->peer. */
static gp_status identify(rpc_conn *c, const auth_hello *h, gp_err *err)
{
    auth_peer p;
    gp_status st = auth_hello_verify(h, c->rt->o.trust, auth_noise_peer(c->noise), gp_wall_s(),
                                     c->dialer, &p, err);
    if (c->local && (c->dialer || c->local_ok)) {
        /* The key is of interest (who is it), the uid decides. */
        uint32_t roles = st == GP_OK ? p.roles : 0;
        auth_peer by_uid;
        local_peer(c, &by_uid);
        if (st != GP_OK)
            p = by_uid;
        p.roles = roles | by_uid.roles;
        st = GP_OK;
    } else if (c->local && st != GP_OK) {
        return gp_fail(err, GP_EDENIED, 0,
                       "uid %lld may not use this socket; it must be root, the daemon's user or in "
                       "its group",
                       (long long)c->link->peer_uid);
    }
    GP_TRY(st);
    p.local_uid = c->local ? (int)c->link->peer_uid : -1;
    c->peer = p;
    memcpy(c->lists, h->fleets, sizeof c->lists);
    c->n_lists = h->n_fleets;
    return GP_OK;
}

/* ---- dialer ---- */

static gp_status check_wanted(rpc_conn *c, gp_err *err)
{
    auth_kind kind = AUTH_KIND_NONE;
    const char *name = NULL;
    pthread_mutex_lock(&c->lock);
    if (c->dial)
        rpc_dial_wants(c->dial, &kind, &name);
    gp_status st = GP_OK;
    if (c->local)
        st = GP_OK; /* whoever owns the socket file */
    else if (kind != AUTH_KIND_NONE && kind != c->peer.kind)
        st = gp_fail(err, GP_EDENIED, 0, "the peer '%s' is of kind %s; expected %s", c->peer.name,
                     auth_kind_name(c->peer.kind), auth_kind_name(kind));
    else if (name && strcmp(name, c->peer.name) != 0)
        st = gp_fail(err, GP_EDENIED, 0, "the peer is '%s'; expected '%s'", c->peer.name, name);
    pthread_mutex_unlock(&c->lock);
    return st;
}

/* The peer's place in the fair queue; every connection on which it may call needs one. */
static gp_status join_peer(rpc_conn *c, gp_err *err)
{
    int full = 0;
    unsigned max = c->dialer ? UINT_MAX : c->rt->o.max_conns_per_peer; /* ours are our affair */
    c->peer_entry = rpc_peer_get(c->rt->sched, c->peer.sign_pk, max, &full);
    if (c->peer_entry)
        return GP_OK;
    return gp_fail(err, full ? GP_ELIMIT : GP_ENOMEM, 0,
                   "'%s' has too many connections already (%u)", c->peer.name,
                   c->rt->o.max_conns_per_peer);
}

static gp_status dialer_message(rpc_conn *c, const auth_hello *h, gp_err *err)
{
    GP_TRY(identify(c, h, err));
    GP_TRY(check_wanted(c, err));
    if (c->offers || c->rt->o.issuer || c->rt->o.trust) /* it may call */
        GP_TRY(join_peer(c, err));
    GP_TRY(send_hello(c, c->rt->anonymous ? NULL : c->rt->id, err));
    c->r.stage = RS_WELCOME;
    return GP_OK;
}

gp_status rpc_hs_welcome(rpc_conn *c, const rpc_head *h, const uint8_t *text, gp_err *err)
{
    char clean[RPC_MAX_STATUS_TEXT + 1];
    if (c->r.stage != RS_WELCOME)
        return gp_fail(err, GP_ECORRUPT, 0, "protocol error: a second welcome");
    if (h->code != RPC_OK) {
        rpc_text_clean(text, h->len, clean);
        return gp_fail(err, rpc_code_to_status((rpc_code)h->code), 0, "refused: %s", clean);
    }
    c->r.stage = RS_FRAMES;
    rpc_conn_opened(c, GP_OK, NULL);
    auth_fleet_state ours[AUTH_MAX_FLEETS];
    size_t all = SIZE_MAX, n = c->rt->o.trust ? auth_trust_fleets(c->rt->o.trust, ours) : 0;
    rpc_lists_exchange(c, ours, n, &all);
    return GP_OK;
}

/* ---- listener ---- */

/* Send the verdict; a refusal closes the connection when it is out. */
static void verdict(rpc_conn *c, gp_status st, const char *text)
{
    size_t n = strnlen(text, RPC_MAX_STATUS_TEXT);
    c->r.stage = RS_FRAMES;
    rpc_write(c, RPC_F_STATUS, (uint16_t)rpc_code_from_status(st), 0, text, n);
    if (st == GP_OK) {
        rpc_conn_opened(c, GP_OK, NULL);
        return;
    }
    rpc_half_remove(c);
    atomic_fetch_add(&c->rt->stats.refused, 1);
    if (c->rt->o.on_refused)
        c->rt->o.on_refused(c->rt->o.refused_ctx, c->link->peer, NULL, text);
    pthread_mutex_lock(&c->lock);
    gp_fail(&c->why, st, 0, "%s: refused: %s", c->link->peer, text);
    rpc_conn_linger(c);
    pthread_mutex_unlock(&c->lock);
}

static void listener_third(rpc_conn *c, const auth_hello *h)
{
    gp_err err = {0};
    gp_status st = identify(c, h, &err);
    if (st == GP_OK)
        st = join_peer(c, &err);
    verdict(c, st, st == GP_OK ? "" : err.msg);
}

gp_status rpc_hs_message(rpc_conn *c, const uint8_t *msg, size_t len, gp_err *err)
{
    gp_buf payload = {0};
    auth_hello h;
    gp_status st = auth_noise_read(c->noise, msg, len, &payload, err);
    if (st == GP_OK)
        st = auth_hello_decode(payload.data, payload.len, &h, err);
    if (st != GP_OK)
        goto out;
    c->r.hs_step++;
    c->features = h.features & c->rt->o.features; /* the last hello counts: it is authenticated */
    int same = auth_hello_version(&h, err) != 0;
    if (c->dialer) {
        st = same ? dialer_message(c, &h, err) : GP_EUNSUPPORTED;
    } else if (!auth_noise_done(c->noise)) {
        /* Answer even a version that we do not speak: the dialer then learns ours. */
        st = send_hello(c, rpc_own_id(c->rt, c->listener), err);
    } else if (!same) {
        verdict(c, GP_EUNSUPPORTED, err->msg);
    } else {
        listener_third(c, &h);
    }
out:
    gp_buf_free(&payload);
    return st;
}
