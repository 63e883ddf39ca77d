/* remote.c - the two questions a client can ask. */
#include "remote/remote.h"

#include "gp/mem.h"
#include "remote_int.h"
#include "wire/features.h"
#include "wire/selector.h"

#include <string.h>

enum {
    POLL_MS = 5, /* how soon a cancel of the user goes out */
    MIN_TTL_S = 60,
    RESULT_STRINGS = 256 * 1024 * 1024, /* labels of the largest fleet */
};

static int given(const char *s)
{
    return s && *s;
}

/* ---- the query ---- */

/* Only the aggregator knows what a group or another resolver means; agents check the list instead,
 * so it must be among what the user signs. */
static gp_status needs_resolving(const remote_opts *o, int *yes, gp_err *err)
{
    wire_selector *sel = NULL;
    *yes = o->resolver && strcmp(o->resolver, "string") != 0; /* "": what the server takes */
    if (*yes || !given(o->hosts))
        return GP_OK;
    GP_TRY(wire_selector_parse(o->hosts, &sel, err));
    for (size_t i = 0; i < wire_selector_count(sel); i++)
        *yes |= wire_selector_item(sel, i)->kind == WIRE_ITEM_GROUP;
    wire_selector_free(sel);
    return GP_OK;
}

typedef struct host_list {
    wire_host_info *v;
    size_t n;
    void *owner;
} host_list;

static gp_status add_hosts(void *ctx, const uint8_t *data, size_t len, gp_err *err)
{
    host_list *l = ctx;
    return wire_hosts_decode(data, len, &l->v, &l->n, &l->owner, err);
}

static gp_status ask_hosts(session *s, wire_host_info **out, size_t *n, void **owner, gp_err *err)
{
    gp_buf req = {0};
    host_list l = {0};
    wire_put_hosts_request(&req, given(s->o->hosts) ? s->o->hosts : "any", s->o->resolver);
    gp_status st = remote_session_call(s, "hosts", &req, add_hosts, &l, err);
    gp_buf_free(&req);
    if (st != GP_OK) {
        wire_hosts_free(l.v, l.owner);
        l = (host_list){0};
    }
    *out = l.v;
    *n = l.n;
    *owner = l.owner;
    return st;
}

static gp_status resolve(session *s, wire_query *q, gp_err *err)
{
    wire_host_info *v = NULL;
    size_t n = 0;
    void *owner = NULL;
    int yes;
    GP_TRY(needs_resolving(s->o, &yes, err));
    if (!yes || rpc_conn_peer(s->conn)->kind == AUTH_KIND_AGENT)
        return GP_OK;
    GP_TRY(ask_hosts(s, &v, &n, &owner, err));
    gp_status st = GP_OK;
    q->resolved = gp_calloc(n ? n : 1, sizeof *q->resolved);
    for (size_t i = 0; q->resolved && i < n; i++) {
        q->resolved[i] = gp_strdup(v[i].host);
        if (!q->resolved[i])
            break;
        q->n_resolved = i + 1;
    }
    if (!q->resolved || q->n_resolved != n)
        st = gp_fail(err, GP_ENOMEM, 0, "out of memory");
    wire_hosts_free(v, owner);
    return st;
}

static gp_status build(session *s, const query_stmt *stmt, wire_query *q, gp_buf *out, gp_err *err)
{
    const remote_opts *o = s->o;
    int64_t left_s = gp_deadline_left_ms(s->deadline) / 1000 + MIN_TTL_S;
    uint32_t ttl = (uint32_t)(left_s > AUTH_MAX_TTL_S ? AUTH_MAX_TTL_S : left_s);
    uint32_t has = rpc_conn_features(s->conn);
    wire_request r = {.partials = o->on_partial && (has & WIRE_F_PARTIALS), .evidence = o->verify};
    if (o->verify && rpc_conn_peer(s->conn)->kind == AUTH_KIND_AGGREGATOR &&
        !(has & WIRE_F_EVIDENCE))
        return gp_fail(err, GP_EUNSUPPORTED, 0,
                       "the server is of an older version, which does not pass on what the hosts "
                       "signed: ask without --verify, or update it");
    GP_TRY(wire_query_from_stmt(stmt, o->hosts, o->resolver, o->fleet, gp_wall_s(), ttl, q, err));
    q->max_wait_ms = o->max_wait_ms;
    q->min_hosts = o->min_hosts;
    gp_status st = resolve(s, q, err);
    if (st == GP_OK)
        st = wire_query_encode(q, &r.body, err);
    if (st == GP_OK && o->identity)
        wire_request_sign(&r, o->identity);
    if (st == GP_OK)
        st = wire_request_encode(&r, out, err);
    wire_request_clear(&r);
    return st;
}

/* The end of an answer; to ask once more repeats nothing when there was none. */
static gp_status last_word(session *s, const rpc_event *ev, int came, gp_err *err)
{
    if (ev->code == RPC_OK)
        return GP_OK;
    s->refused = !came && (ev->code == RPC_RESOURCE_EXHAUSTED || ev->code == RPC_UNAVAILABLE);
    return gp_fail(err, rpc_code_to_status(ev->code), 0, "%s",
                   given(ev->text) ? ev->text : rpc_code_name(ev->code));
}

static gp_status collect(session *s, rpc_call *call, answer *a, gp_err *err)
{
    int came = 0;
    for (;;) {
        rpc_event ev;
        gp_status st = gp_cancel_check(s->o->cancel);
        if (st != GP_OK)
            return gp_fail(err, st, 0,
                           st == GP_EDEADLINE ? "the query took too long"
                                              : "the query was given up");
        st = rpc_call_recv(call, POLL_MS, &ev, err);
        if (st == GP_EDEADLINE)
            continue; /* nothing yet; the call's own deadline comes as a status */
        s->refused = st == GP_EUNAVAILABLE && !came;
        if (st != GP_OK)
            return st;
        if (ev.kind == RPC_EV_STATUS)
            return last_word(s, &ev, came, err);
        came = 1;
        GP_TRY(remote_answer_add(a, ev.data, ev.len, err));
    }
}

static gp_status run(session *s, const query_stmt *stmt, result *out, gp_err *err)
{
    wire_query q = {0};
    gp_buf req = {0};
    rpc_call *call = NULL;
    answer a = {.o = s->o, .stmt = stmt, .q = &q, .local = s->local, .out = out};
    auth_digest_init(&a.digest);
    gp_status st = build(s, stmt, &q, &req, err);
    if (st == GP_OK)
        st = wire_dec_new(&a.dec, err);
    if (st == GP_OK)
        st = rpc_call_start(s->conn, "query", req.data, req.len, s->deadline, NULL, NULL, &call,
                            err);
    if (st == GP_OK)
        st = collect(s, call, &a, err);
    if (st == GP_OK)
        st = remote_answer_finish(&a, err);
    rpc_call_free(call);
    remote_answer_clear(&a);
    gp_buf_free(&req);
    wire_query_clear(&q);
    return st;
}

struct question {
    const query_stmt *stmt;
    result *out;
};

static gp_status ask_query(session *s, void *ctx, gp_err *err)
{
    struct question *q = ctx;
    result r = {0};
    int64_t start = gp_mono_ns(), wall = gp_wall_ns();
    gp_status st = result_init(&r, RESULT_STRINGS, err);
    r.fields = q->stmt->fields;
    if (st == GP_OK)
        st = run(s, q->stmt, &r, err);
    if (st != GP_OK) {
        result_clear(&r);
        return st;
    }
    r.query_start_ns = wall;
    if (r.query_duration_ns == 0)
        r.query_duration_ns = gp_mono_ns() - start;
    *q->out = r;
    return GP_OK;
}

gp_status remote_query(const query_stmt *s, const remote_opts *o, result *out, gp_err *err)
{
    struct question q = {s, out};
    GP_TRY(wire_stmt_check(s, err));
    return remote_ask(o, ask_query, &q, err);
}

static gp_status ask_for_hosts(session *s, void *ctx, gp_err *err)
{
    host_list *q = ctx;
    return ask_hosts(s, &q->v, &q->n, &q->owner, err);
}

gp_status remote_hosts(const remote_opts *o, wire_host_info **out, size_t *n, void **owner,
                       gp_err *err)
{
    host_list q = {0};
    gp_status st = remote_ask(o, ask_for_hosts, &q, err);
    *out = q.v;
    *n = q.n;
    *owner = q.owner;
    return st;
}
