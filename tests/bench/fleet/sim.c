/* sim.c - a fleet of agents in one process. */
#include "sim.h"

#include "auth/digest.h"
#include "gp/clock.h"
#include "gp/mem.h"
#include "wire/answer.h"
#include "wire/batch.h"
#include "wire/features.h"
#include "wire/info.h"
#include "wire/query.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

typedef struct agent {
    sim *sim;
    size_t index;
    char name[32], addr[128];
    auth_identity *id;
    rpc_service service;
    atomic_int how;
    atomic_uint delay_ms;
    _Atomic(const wire_summary *) says;
    gp_buf batches; /* u32 length, bytes, ... */
    gp_buf early;   /* a snapshot */
    uint64_t rows;
    result_counters totals;
} agent;

struct sim {
    sim_opts o;
    agent *agents;
    auth_identity *aggr, *user, *other;
    auth_trust *trust;
    gp_buf keys;
    rpc_runtime *rt;
    rpc_method methods[2];
    atomic_uint_fast64_t queries, bytes;
    atomic_uint running, most;
    atomic_int_fast64_t told_ns;
};

const char *sim_how_name(sim_how h)
{
    static const char *const names[SIM_N_HOWS] = {"ok",
                                                  "delay",
                                                  "slow",
                                                  "early",
                                                  "silent",
                                                  "deny",
                                                  "busy",
                                                  "error",
                                                  "garbage",
                                                  "bad batch",
                                                  "bad digest",
                                                  "bad count",
                                                  "no trailer",
                                                  "two trailers",
                                                  "other query",
                                                  "other key",
                                                  "cut",
                                                  "early, then cut",
                                                  "rows of a later version",
                                                  "messages of later kinds"};
    return (unsigned)h < SIM_N_HOWS ? names[h] : "?";
}

/* ---- rows ---- */

static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static void make_row(const agent *a, size_t i, result_row *r)
{
    const sim_opts *o = &a->sim->o;
    int shared = mix(i * 31 + o->seed) % 100 < o->shared_pct;
    uint64_t key = mix(shared ? i : (a->index + 1) * UINT64_C(1000003) + i) ^ o->seed;
    uint64_t v = mix(key + a->index * 7919);
    *r = (result_row){.dport = 0};
    if (mix(key + 1) % 5) {
        r->sip_family = r->dip_family = 4;
        gp_put_be32(r->sip, (uint32_t)(0x0a000000 | (key & 0xfffff)));
        gp_put_be32(r->dip, (uint32_t)(0xc0000000 | (key >> 20 & 0xffffff)));
    } else {
        r->sip_family = r->dip_family = 6;
        gp_put_be32(r->sip, 0x20010db8);
        gp_put_be64(r->sip + 8, key & 0xffffff);
        gp_put_be32(r->dip, 0x2a000000);
        gp_put_be64(r->dip + 8, key >> 24);
    }
    r->c.pkts_rcvd = 1 + (v & 1023) * (v >> 60);
    r->c.pkts_sent = 1 + (v >> 10 & 1023);
    r->c.bytes_rcvd = r->c.pkts_rcvd * (64 + (v >> 20 & 1023));
    r->c.bytes_sent = r->c.pkts_sent * (64 + (v >> 30 & 1023));
}

static gp_status keep_batch(void *ctx, const uint8_t *bytes, size_t len, size_t rows, gp_err *err)
{
    agent *a = ctx;
    uint8_t n[4];
    gp_put_le32(n, (uint32_t)len);
    gp_buf_add(&a->batches, n, 4);
    gp_buf_add(&a->batches, bytes, len);
    a->rows += rows;
    return a->batches.failed ? gp_fail(err, GP_ENOMEM, 0, "simulator: out of memory") : GP_OK;
}

static gp_status make_rows(agent *a, wire_enc *enc, gp_err *err)
{
    result r = {0};
    size_t n = a->sim->o.rows;
    gp_status st = result_init(&r, 1 << 20, err);
    if (st == GP_OK)
        st = result_reserve_rows(&r, n ? n : 1, err);
    if (st == GP_OK && (result_host_id(&r, a->name, a->name) == UINT32_MAX ||
                        result_iface_id(&r, "eth0") == UINT32_MAX))
        st = gp_fail(err, GP_ENOMEM, 0, "simulator: out of memory");
    for (size_t i = 0; st == GP_OK && i < n; i++) {
        result_row *x = &r.rows[r.n_rows++];
        make_row(a, i, x);
        a->totals.bytes_rcvd += x->c.bytes_rcvd;
        a->totals.bytes_sent += x->c.bytes_sent;
        a->totals.pkts_rcvd += x->c.pkts_rcvd;
        a->totals.pkts_sent += x->c.pkts_sent;
    }
    if (st == GP_OK && n)
        st = wire_batch_encode(enc, &r, r.rows, r.n_rows, keep_batch, a, err);
    r.n_rows = r.hits_total = r.n_rows < 5 ? r.n_rows : 5;
    if (st == GP_OK)
        st = wire_put_snapshot(&a->early, &r, 0, 1, err);
    result_clear(&r);
    return st;
}

/* ---- answering ---- */

static gp_status send_buf(rpc_stream *s, gp_buf *msg)
{
    gp_status st = msg->failed ? GP_ENOMEM : rpc_stream_send(s, msg->data, msg->len, NULL);
    gp_buf_clear(msg);
    return st;
}

/* Sleep; when the call is over meanwhile, say when this agent heard of it. */
static gp_status nap(agent *a, rpc_stream *s, int64_t ms)
{
    gp_status st = rpc_stream_wait(s, gp_deadline_in_ms(ms));
    if (st != GP_OK)
        atomic_store(&a->sim->told_ns, gp_mono_ns());
    return st;
}

static gp_status send_batches(agent *a, rpc_stream *s, sim_how how, auth_digest *d)
{
    gp_buf msg = {0}, copy = {0};
    gp_status st = GP_OK;
    for (size_t at = 0; at < a->batches.len && st == GP_OK;) {
        size_t len = gp_le32(a->batches.data + at);
        uint8_t *p = a->batches.data + at + 4;
        at += 4 + len;
        gp_buf_clear(&copy);
        gp_buf_add(&copy, p, len);
        if (how == SIM_BAD_BATCH && copy.len > 20)
            copy.data[4] ^= 0x55; /* its length before compression */
        if (how == SIM_OTHER_ROWS)
            copy.data[0] = 99;
        if (how == SIM_MORE_KINDS) /* field 31 */
            st = rpc_stream_send(s, "\xfa\x01\x01x", 4, NULL);
        wire_digest_batch(d, copy.data, copy.len);
        if (how == SIM_BAD_DIGEST)
            copy.data[copy.len / 2] ^= 1;
        wire_put_batch(&msg, copy.data, copy.len);
        atomic_fetch_add(&a->sim->bytes, len);
        if (st == GP_OK)
            st = send_buf(s, &msg);
        if (st == GP_OK && how == SIM_SLOW)
            st = nap(a, s, atomic_load(&a->delay_ms));
    }
    gp_buf_free(&msg);
    gp_buf_free(&copy);
    return st;
}

static gp_status send_trailer(agent *a, rpc_stream *s, sim_how how, const wire_query *q,
                              auth_digest *d)
{
    static const char *const ifaces[] = {"eth0"};
    const wire_summary *says = atomic_load(&a->says);
    wire_trailer t = {.host = a->name,
                      .host_id = a->name,
                      .sum = {.code = RESULT_OK,
                              .first_s = q->first_s,
                              .last_s = q->last_s,
                              .ifaces = ifaces,
                              .n_ifaces = 1,
                              .data_available = 1}};
    if (says)
        t.sum = *says;
    if (t.sum.code == RESULT_OK) {
        t.sum.totals = a->totals;
        t.sum.hits = a->rows;
        t.sum.rows = a->rows + (how == SIM_BAD_COUNT);
    }
    const auth_identity *id =
        how == SIM_OTHER_KEY ? a->sim->agents[(a->index + 1) % a->sim->o.n].id : a->id;
    uint8_t sig[AUTH_SIG];
    gp_buf body = {0}, msg = {0};
    auth_digest_final(d, t.digest);
    memcpy(t.query_id, q->id, sizeof t.query_id);
    t.query_id[0] ^= how == SIM_OTHER_QUERY;
    wire_trailer_encode(&body, &t);
    auth_sign(id, WIRE_SIGN_TRAILER, body.data, body.len, sig);
    gp_status st = GP_OK;
    for (int i = 0; i < 1 + (how == SIM_TWO_TRAILERS) && st == GP_OK; i++) {
        wire_put_trailer(&msg, body.data, body.len, sig, auth_identity_sign_pk(id), NULL, 0, NULL,
                         0);
        st = send_buf(s, &msg);
    }
    gp_buf_free(&body);
    gp_buf_free(&msg);
    return st;
}

static rpc_code misbehave(agent *a, rpc_stream *s, sim_how how, gp_buf *text)
{
    switch (how) {
    case SIM_SILENT:
        return rpc_code_from_status(nap(a, s, 600000));
    case SIM_DENY:
        gp_buf_adds(text, "not for you");
        return RPC_PERMISSION_DENIED;
    case SIM_BUSY:
        gp_buf_adds(text, "too many queries at once");
        return RPC_RESOURCE_EXHAUSTED;
    case SIM_ERROR:
        gp_buf_adds(text, "disk on fire");
        return RPC_INTERNAL;
    case SIM_GARBAGE:
        (void)!rpc_stream_send(s, "\xff\xfe nonsense \x01\x02", 15, NULL);
        return RPC_OK;
    default:
        return RPC_OK;
    }
}

static rpc_code answer(agent *a, rpc_stream *s, sim_how how, const wire_request *r,
                       const wire_query *q)
{
    auth_digest d;
    gp_buf msg = {0};
    auth_digest_init(&d);
    wire_put_header(&msg, "fleetprobe/sim", 1);
    gp_status st = send_buf(s, &msg);
    gp_buf_free(&msg);
    int early = how == SIM_EARLY || how == SIM_EARLY_CUT;
    if (st == GP_OK && early && (r->partials || how == SIM_EARLY_CUT))
        st = rpc_stream_send(s, a->early.data, a->early.len, NULL);
    if (st == GP_OK && (how == SIM_DELAY || early))
        st = nap(a, s, atomic_load(&a->delay_ms));
    const wire_summary *says = atomic_load(&a->says);
    if (st == GP_OK && (!says || says->code == RESULT_OK))
        st = send_batches(a, s, how, &d);
    if (how == SIM_CUT || how == SIM_EARLY_CUT) {
        rpc_conn_close(rpc_stream_conn(s));
        return RPC_OK;
    }
    if (st == GP_OK && how != SIM_NO_TRAILER)
        st = send_trailer(a, s, how, q, &d);
    return rpc_code_from_status(st);
}

static rpc_code on_query(void *ctx, rpc_stream *s, const uint8_t *req, size_t len, gp_buf *text)
{
    agent *a = ctx;
    wire_request r = {0};
    wire_query q = {0};
    auth_peer who;
    gp_err err = {0};
    sim_how how = (sim_how)atomic_load(&a->how);
    rpc_code code = RPC_OK;
    atomic_fetch_add(&a->sim->queries, 1);
    unsigned now = atomic_fetch_add(&a->sim->running, 1) + 1, most = atomic_load(&a->sim->most);
    while (now > most && !atomic_compare_exchange_weak(&a->sim->most, &most, now))
        ;
    if (wire_request_decode(req, len, &r, &err) != GP_OK ||
        wire_query_decode(r.body.data, r.body.len, &q, &err) != GP_OK) {
        gp_buf_adds(text, err.msg);
        code = RPC_INVALID_ARGUMENT;
    } else if (!auth_trust_find(a->sim->trust, r.signer, gp_wall_s(), &who) ||
               !auth_verify(r.signer, WIRE_SIGN_QUERY, r.body.data, r.body.len, r.signature)) {
        gp_buf_adds(text, "signature");
        code = RPC_PERMISSION_DENIED;
    } else {
        code = misbehave(a, s, how, text);
        if (code == RPC_OK && how != SIM_GARBAGE && how != SIM_SILENT)
            code = answer(a, s, how, &r, &q);
    }
    wire_query_clear(&q);
    wire_request_clear(&r);
    atomic_fetch_sub(&a->sim->running, 1);
    return code;
}

static rpc_code on_info(void *ctx, rpc_stream *s, const uint8_t *req, size_t len, gp_buf *text)
{
    agent *a = ctx;
    gp_buf msg = {0};
    wire_info i = {.protocol = WIRE_PROTOCOL,
                   .software = "fleetprobe/sim",
                   .kind = "agent",
                   .host = a->name,
                   .host_id = a->name};
    (void)req, (void)len, (void)text;
    wire_put_info(&msg, &i);
    gp_status st = send_buf(s, &msg);
    gp_buf_free(&msg);
    return rpc_code_from_status(st);
}

/* ---- making ---- */

static gp_status add_key(sim *s, auth_kind kind, const char *name, auth_identity **id, gp_err *err)
{
    GP_TRY(auth_identity_new(kind, name, id, err));
    auth_trust_entry(*id, NULL, &s->keys);
    if (s->keys.len && s->keys.data[s->keys.len - 1] != '\n')
        gp_buf_addc(&s->keys, '\n');
    return GP_OK;
}

static gp_status make_agents(sim *s, gp_err *err)
{
    wire_enc *enc = NULL;
    GP_TRY(wire_enc_new(&enc, err));
    gp_status st = GP_OK;
    for (size_t i = 0; i < s->o.n && st == GP_OK; i++) {
        agent *a = &s->agents[i];
        a->sim = s;
        a->index = i;
        snprintf(a->name, sizeof a->name, "agent-%04zu", i);
        st = add_key(s, AUTH_KIND_AGENT, a->name, &a->id, err);
        if (st == GP_OK)
            st = make_rows(a, enc, err);
    }
    wire_enc_free(enc);
    return st;
}

static gp_status listen_all(sim *s, gp_err *err)
{
    rpc_opts o = {.identity = s->agents[0].id,
                  .trust = s->trust,
                  .workers = 4,
                  .features = WIRE_FEATURES & ~s->o.lacks,
                  .max_workers = (unsigned)(s->o.n + s->o.n / 2) + 64,
                  .max_conns = (unsigned)s->o.n * 4 + 64,
                  .max_conns_per_peer = (unsigned)s->o.n * 4 + 64};
    GP_TRY(rpc_runtime_new(&o, &s->rt, err));
    s->methods[0] =
        (rpc_method){.name = "query", .handler = on_query, .max_request = WIRE_MAX_REQUEST};
    s->methods[1] = (rpc_method){.name = "info", .handler = on_info, .max_request = 4096};
    for (size_t i = 0; i < s->o.n; i++) {
        agent *a = &s->agents[i];
        a->service =
            (rpc_service){.methods = s->methods, .n_methods = 2, .ctx = a, .identity = a->id};
        GP_TRY(rpc_listen_service(s->rt, "tcp://127.0.0.1:0", &a->service, a->addr, sizeof a->addr,
                                  err));
    }
    return GP_OK;
}

gp_status sim_new(const sim_opts *o, sim **out, gp_err *err)
{
    sim *s = gp_calloc(1, sizeof *s);
    if (!s)
        return gp_fail(err, GP_ENOMEM, 0, "simulator: out of memory");
    s->o = *o;
    s->agents = gp_calloc(o->n, sizeof *s->agents);
    gp_status st = s->agents ? make_agents(s, err) : GP_ENOMEM;
    if (st == GP_OK)
        st = add_key(s, AUTH_KIND_AGGREGATOR, "agg", &s->aggr, err);
    if (st == GP_OK)
        st = add_key(s, AUTH_KIND_USER, "alice", &s->user, err);
    if (st == GP_OK)
        st = add_key(s, AUTH_KIND_USER, "bob", &s->other, err);
    if (st == GP_OK)
        st = auth_trust_new(&s->trust, err);
    if (st == GP_OK)
        st = auth_trust_parse(s->trust, gp_buf_str(&s->keys), s->keys.len, err);
    if (st == GP_OK)
        st = listen_all(s, err);
    if (st != GP_OK) {
        sim_free(s);
        return st;
    }
    *out = s;
    return GP_OK;
}

void sim_free(sim *s)
{
    if (!s)
        return;
    rpc_runtime_free(s->rt, 0);
    for (size_t i = 0; s->agents && i < s->o.n; i++) {
        auth_identity_free(s->agents[i].id);
        gp_buf_free(&s->agents[i].batches);
        gp_buf_free(&s->agents[i].early);
    }
    gp_free(s->agents);
    auth_identity_free(s->aggr);
    auth_identity_free(s->user);
    auth_identity_free(s->other);
    auth_trust_free(s->trust);
    gp_buf_free(&s->keys);
    gp_free(s);
}

/* ---- facts ---- */

const char *sim_host_name(const sim *s, size_t i)
{
    return s->agents[i].name;
}

const result_counters *sim_totals(const sim *s, size_t i)
{
    return &s->agents[i].totals;
}

void sim_behave(sim *s, size_t i, sim_how how, unsigned delay_ms)
{
    atomic_store(&s->agents[i].delay_ms, delay_ms);
    atomic_store(&s->agents[i].how, (int)how);
}

void sim_says(sim *s, size_t i, const wire_summary *sum)
{
    atomic_store(&s->agents[i].says, sum);
}

const auth_identity *sim_aggregator(const sim *s)
{
    return s->aggr;
}

const auth_identity *sim_user(const sim *s)
{
    return s->user;
}

const auth_identity *sim_other_user(const sim *s)
{
    return s->other;
}

auth_trust *sim_trust(sim *s)
{
    return s->trust;
}

void sim_trusted_keys(const sim *s, gp_buf *out)
{
    gp_buf_add(out, s->keys.data, s->keys.len);
}

void sim_endpoints(const sim *s, size_t dead, gp_buf *out)
{
    for (size_t i = 0; i < s->o.n; i++)
        gp_buf_printf(out, "%s:\n  addr: %s\n", s->agents[i].name,
                      i < dead ? "tcp://127.0.0.1:1" : s->agents[i].addr);
}

uint64_t sim_queries(const sim *s)
{
    return atomic_load(&s->queries);
}

unsigned sim_running(const sim *s)
{
    return atomic_load(&s->running);
}

unsigned sim_most_running(sim *s)
{
    return atomic_exchange(&s->most, 0);
}

int64_t sim_told_ns(const sim *s)
{
    return atomic_load(&s->told_ns);
}

uint64_t sim_bytes(const sim *s)
{
    return atomic_load(&s->bytes);
}
