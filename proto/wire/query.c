/* query.c - query bodies and signed requests: statement <-> struct <-> bytes. */
#include "wire/query.h"

#include "auth/digest.h"
#include "gp/mem.h"
#include "unpack.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void wire_query_clear(wire_query *q)
{
    gp_free(q->fleet);
    gp_free(q->hosts);
    gp_free(q->resolver);
    for (size_t i = 0; i < q->n_resolved; i++)
        gp_free(q->resolved[i]);
    gp_free(q->resolved);
    query_args_clear(&q->args);
    *q = (wire_query){0};
}

static gp_status no_memory(gp_err *err)
{
    return gp_fail(err, GP_ENOMEM, 0, "query: out of memory");
}

/* ---- statement -> struct ---- */

static gp_status set_text(char **member, const char *s)
{
    return query_args_set(member, s && *s ? s : NULL);
}

/* Names were resolved and bins computed by whoever prepared the statement; agents must not do it
 * again with their own DNS and clock (U43, Q18). The condition goes in the form that the
 * statement's arguments have: as typed (spec 3.8), or with addresses where it had names. */
static gp_status fix_args(const query_stmt *s, wire_query *q)
{
    char bin[32];
    snprintf(bin, sizeof bin, "%" PRId64 "s", s->bin_s);
    GP_TRY(set_text(&q->args.condition, s->args.condition));
    GP_TRY(set_text(&q->args.time_resolution, s->bin_s == 300 ? NULL : bin));
    GP_TRY(set_text(&q->args.query_hosts, NULL));
    GP_TRY(set_text(&q->args.hosts_resolver, NULL));
    GP_TRY(set_text(&q->args.first, NULL));
    GP_TRY(set_text(&q->args.last, NULL));
    GP_TRY(set_text(&q->args.format, NULL));
    return GP_OK;
}

/* Arguments within the limits of what is sent; st: the status if they are not. */
static gp_status check_args(const query_args *a, gp_status st, gp_err *err)
{
    const struct {
        const char *what, *text;
        size_t max;
        int (*ok)(const char *s, size_t max);
    } texts[] = {
        {"query type", a->query, WIRE_MAX_TEXT, wire_text_lines_ok},
        {"interfaces", a->ifaces, WIRE_MAX_TEXT, wire_text_lines_ok},
        {"condition", a->condition, WIRE_MAX_CONDITION, wire_text_lines_ok},
        {"time resolution", a->time_resolution, 64, wire_text_ok},
        {"sort key", a->sort_by, 64, wire_text_ok},
        {"caller", a->caller, 1024, wire_text_ok},
        {"host name", a->hostname, WIRE_MAX_LABEL, wire_text_ok},
    };
    for (size_t i = 0; i < GP_COUNT(texts); i++) {
        size_t n = texts[i].text ? strlen(texts[i].text) : 0;
        if (n > texts[i].max)
            return gp_fail(err, st, 0, "%s of %zu bytes: at most %zu can be sent to a server",
                           texts[i].what, n, texts[i].max);
        if (!texts[i].ok(texts[i].text, texts[i].max))
            return gp_fail(err, st, 0,
                           "%s with control characters: they cannot be sent to a server",
                           texts[i].what);
    }
    return GP_OK;
}

gp_status wire_stmt_check(const query_stmt *s, gp_err *err)
{
    return check_args(&s->args, GP_ELIMIT, err);
}

gp_status wire_query_from_stmt(const query_stmt *s, const char *selector, const char *resolver,
                               const char *fleet, int64_t now_s, uint32_t ttl_s, wire_query *out,
                               gp_err *err)
{
    wire_query q = {.issued_s = now_s,
                    .ttl_s = ttl_s,
                    .first_s = s->first_s,
                    .last_s = s->last_s,
                    .protocol = WIRE_PROTOCOL};
    auth_random(q.id, sizeof q.id);
    if (query_args_copy(&q.args, &s->args) != GP_OK || fix_args(s, &q) != GP_OK ||
        set_text(&q.hosts, selector) != GP_OK || set_text(&q.resolver, resolver) != GP_OK ||
        set_text(&q.fleet, fleet) != GP_OK) {
        wire_query_clear(&q);
        return no_memory(err);
    }
    *out = q;
    return GP_OK;
}

/* ---- struct -> statement ---- */

static void one_line(char *s)
{
    for (; *s; s++) {
        if (*s == '\n' || *s == '\t')
            *s = ' ';
    }
}

static gp_status problems_to_err(const query_problems *p, gp_status st, gp_err *err)
{
    gp_buf b = {.limit = 200};
    for (size_t i = 0; i < p->n && !b.failed; i++)
        gp_buf_printf(&b, "%s%s: %s", i ? "; " : "", p->v[i].location, p->v[i].message);
    b.failed = 0; /* what fitted is enough */
    char *text = b.len ? gp_buf_take(&b) : NULL;
    if (text) {
        one_line(text);
        st = gp_fail(err, st, 0, "invalid query: %s", text);
    }
    gp_free(text);
    gp_buf_free(&b);
    return st;
}

gp_status wire_query_to_stmt(const wire_query *q, int64_t now_s, query_stmt **out, gp_err *err)
{
    query_args a = {0};
    query_problems problems = {0};
    char first[32], last[32];
    snprintf(first, sizeof first, "%" PRId64, q->first_s);
    snprintf(last, sizeof last, "%" PRId64, q->last_s);
    if (query_args_copy(&a, &q->args) != GP_OK || query_args_set(&a.first, first) != GP_OK ||
        query_args_set(&a.last, a.live || q->last_s >= QUERY_TIME_MAX ? NULL : last) != GP_OK ||
        query_args_set(&a.format, "json") != GP_OK) {
        query_args_clear(&a);
        return no_memory(err);
    }
    query_env env = {.now_s = now_s, .api_defaults = 1};
    gp_status st = query_prepare(&a, &env, out, &problems, err);
    if (st != GP_OK && problems.n)
        st = problems_to_err(&problems, st, err);
    query_problems_clear(&problems);
    query_args_clear(&a);
    return st;
}

/* ---- struct <-> bytes ---- */

static void args_to_msg(const query_args *a, Fp__Args *m)
{
    fp__args__init(m);
    m->query = wire_unconst(a->query);
    m->ifaces = wire_unconst(a->ifaces);
    m->condition = a->condition;
    m->time_resolution = a->time_resolution;
    m->sort_by = a->sort_by;
    m->caller = a->caller;
    m->hostname = a->hostname;
#define BOOL(f)                                                                                    \
    m->has_##f = a->f != 0;                                                                        \
    m->f = a->f != 0
    BOOL(in);
    BOOL(out);
    BOOL(sum);
    BOOL(sort_ascending);
    BOOL(low_mem);
    BOOL(live);
    BOOL(merge_hosts);
#undef BOOL
#define NUM(f)                                                                                     \
    m->has_##f = a->f != 0;                                                                        \
    m->f = a->f
    NUM(num_results);
    NUM(max_mem_pct);
    NUM(keepalive_ns);
    NUM(host_id);
#undef NUM
}

gp_status wire_query_encode(const wire_query *q, gp_buf *out, gp_err *err)
{
    Fp__QueryBody m = FP__QUERY_BODY__INIT;
    Fp__Args args;
    size_t before = out->len;
    union {
        const uint8_t *c;
        uint8_t *m;
    } id = {.c = q->id};
    args_to_msg(&q->args, &args);
    m.id = (ProtobufCBinaryData){.len = sizeof q->id, .data = id.m};
    m.issued_s = q->issued_s;
    m.ttl_s = q->ttl_s;
    m.fleet = q->fleet;
    m.hosts = wire_unconst(q->hosts);
    m.resolver = q->resolver;
    m.n_resolved = q->n_resolved;
    m.resolved = q->resolved;
    m.first_s = q->first_s;
    m.last_s = q->last_s;
    m.args = &args;
    m.has_protocol = 1;
    m.protocol = q->protocol;
    m.has_max_wait_ms = q->max_wait_ms > 0;
    m.max_wait_ms = q->max_wait_ms;
    m.has_min_hosts = q->min_hosts > 0;
    m.min_hosts = q->min_hosts;
    wire_pack(&m.base, out);
    if (out->failed)
        return no_memory(err);
    if (out->len - before > WIRE_MAX_BODY)
        return gp_fail(
            err, GP_ELIMIT, 0,
            "the query takes %zu bytes, at most %d can be sent (fewer hosts, or a shorter "
            "condition)",
            out->len - before, WIRE_MAX_BODY);
    return GP_OK;
}

static gp_status args_from_msg(const Fp__Args *m, query_args *a)
{
    GP_TRY(set_text(&a->query, m->query));
    GP_TRY(set_text(&a->ifaces, m->ifaces));
    GP_TRY(set_text(&a->condition, m->condition));
    GP_TRY(set_text(&a->time_resolution, m->time_resolution));
    GP_TRY(set_text(&a->sort_by, m->sort_by));
    GP_TRY(set_text(&a->caller, m->caller));
    GP_TRY(set_text(&a->hostname, m->hostname));
    a->in = m->in;
    a->out = m->out;
    a->sum = m->sum;
    a->sort_ascending = m->sort_ascending;
    a->low_mem = m->low_mem;
    a->live = m->live;
    a->merge_hosts = m->merge_hosts;
    a->num_results = m->num_results;
    a->max_mem_pct = m->max_mem_pct;
    a->keepalive_ns = m->keepalive_ns;
    a->host_id = m->host_id;
    return GP_OK;
}

static const char *body_problem(const Fp__QueryBody *m)
{
    if (m->id.len != AUTH_QUERY_ID)
        return "id is not 16 bytes";
    if (m->protocol == 0 || m->protocol > WIRE_PROTOCOL)
        return "protocol version";
    if (!wire_text_ok(m->fleet, WIRE_MAX_LABEL) || !wire_text_ok(m->hosts, WIRE_MAX_TEXT) ||
        !wire_text_ok(m->resolver, 64))
        return "fleet, host selector or resolver is too long or holds control characters";
    if (m->n_resolved > WIRE_MAX_HOSTS)
        return "too many hosts";
    for (size_t i = 0; i < m->n_resolved; i++) {
        if (!wire_text_ok(m->resolved[i], WIRE_MAX_LABEL) || !*m->resolved[i])
            return "a host name";
    }
    if (m->max_wait_ms < 0)
        return "max_wait";
    return NULL;
}

static gp_status copy_body(const Fp__QueryBody *m, wire_query *q)
{
    memcpy(q->id, m->id.data, sizeof q->id);
    q->issued_s = m->issued_s;
    q->ttl_s = m->ttl_s;
    q->first_s = m->first_s;
    q->last_s = m->last_s;
    q->max_wait_ms = m->max_wait_ms;
    q->min_hosts = m->min_hosts;
    q->protocol = m->protocol;
    GP_TRY(set_text(&q->fleet, m->fleet));
    GP_TRY(set_text(&q->hosts, m->hosts));
    GP_TRY(set_text(&q->resolver, m->resolver));
    if (m->n_resolved) {
        q->resolved = gp_calloc(m->n_resolved, sizeof *q->resolved);
        if (!q->resolved)
            return GP_ENOMEM;
    }
    for (size_t i = 0; i < m->n_resolved; i++) {
        q->resolved[i] = gp_strdup(m->resolved[i]);
        if (!q->resolved[i])
            return GP_ENOMEM;
        q->n_resolved = i + 1;
    }
    return args_from_msg(m->args, &q->args);
}

gp_status wire_query_decode(const void *bytes, size_t len, wire_query *out, gp_err *err)
{
    *out = (wire_query){0};
    if (len > WIRE_MAX_BODY)
        return gp_fail(err, GP_ECORRUPT, 0, "query body of %zu bytes", len);
    Fp__QueryBody *m = wire_unpack(&fp__query_body__descriptor, bytes, len);
    if (!m)
        return gp_fail(err, GP_ECORRUPT, 0, "malformed query body");
    const char *problem = body_problem(m);
    gp_status st = GP_OK;
    if (problem && m->protocol > WIRE_PROTOCOL)
        st = gp_fail(err, GP_EUNSUPPORTED, 0,
                     "the query is of protocol version %u, this program speaks up to %d",
                     m->protocol, WIRE_PROTOCOL);
    else if (problem)
        st = gp_fail(err, GP_ECORRUPT, 0, "query body: %s", problem);
    else if (copy_body(m, out) != GP_OK)
        st = no_memory(err);
    else if (check_args(&out->args, GP_ECORRUPT, err) != GP_OK)
        st = gp_fail_context(err, GP_ECORRUPT, "query body");
    if (st != GP_OK)
        wire_query_clear(out);
    wire_unpacked_free(m);
    return st;
}

/* ---- signed requests ---- */

void wire_request_clear(wire_request *r)
{
    gp_buf_free(&r->body);
    gp_buf_free(&r->cert);
    gp_free(r->targets);
    *r = (wire_request){0};
}

void wire_request_sign(wire_request *r, const auth_identity *id)
{
    auth_sign(id, WIRE_SIGN_QUERY, r->body.data, r->body.len, r->signature);
    memcpy(r->signer, auth_identity_sign_pk(id), AUTH_SIGN_PK);
    auth_chain chain;
    auth_identity_chain(id, &chain);
    gp_buf_clear(&r->cert);
    auth_chain_pack(&chain, &r->cert);
    r->has_signature = 1;
}

gp_status wire_request_encode(const wire_request *r, gp_buf *out, gp_err *err)
{
    wire_request w = *r; /* protobuf-c wants non-const pointers */
    ProtobufCBinaryData via[WIRE_MAX_HOPS];
    Fp__SignedRequest m = FP__SIGNED_REQUEST__INIT;
    m.body = (ProtobufCBinaryData){.len = r->body.len, .data = r->body.data};
    m.has_signature = m.has_signer = r->has_signature;
    m.signature = (ProtobufCBinaryData){.len = AUTH_SIG, .data = w.signature};
    m.signer = (ProtobufCBinaryData){.len = AUTH_SIGN_PK, .data = w.signer};
    m.has_certificate = r->has_signature && r->cert.len > 0;
    m.certificate = (ProtobufCBinaryData){.len = r->cert.len, .data = w.cert.data};
    for (size_t i = 0; i < r->n_via && i < WIRE_MAX_HOPS; i++)
        via[i] = (ProtobufCBinaryData){.len = 16, .data = w.via[i]};
    m.n_via = r->n_via;
    m.via = via;
    m.has_partials = r->partials != 0;
    m.has_evidence = m.evidence = r->evidence != 0;
    m.partials = r->partials != 0;
    m.targets = r->targets;
    wire_pack(&m.base, out);
    return out->failed || r->cert.failed ? no_memory(err) : GP_OK;
}

static const char *request_problem(const Fp__SignedRequest *m)
{
    if (m->body.len == 0 || m->body.len > WIRE_MAX_BODY)
        return "size of the body";
    if (m->has_signature != m->has_signer ||
        (m->has_signature && (m->signature.len != AUTH_SIG || m->signer.len != AUTH_SIGN_PK)))
        return "size of signature or key";
    if (m->has_certificate && (!m->has_signature || m->certificate.len > AUTH_PACKED_MAX))
        return "size of the certificate";
    if (m->n_via > WIRE_MAX_HOPS)
        return "too many aggregators in a row";
    if (!wire_text_ok(m->targets, WIRE_MAX_TARGETS))
        return "the part of the host selector is too long or holds control characters";
    for (size_t i = 0; i < m->n_via; i++) {
        if (m->via[i].len != 16)
            return "id of an aggregator";
    }
    return NULL;
}

gp_status wire_request_decode(const void *bytes, size_t len, wire_request *out, gp_err *err)
{
    *out = (wire_request){0};
    Fp__SignedRequest *m =
        len <= WIRE_MAX_REQUEST ? wire_unpack(&fp__signed_request__descriptor, bytes, len) : NULL;
    const char *problem = m ? request_problem(m) : "not a signed request";
    if (problem) {
        wire_unpacked_free(m);
        return gp_fail(err, GP_ECORRUPT, 0, "malformed request: %s", problem);
    }
    gp_buf_add(&out->body, m->body.data, m->body.len);
    out->has_signature = m->has_signature;
    if (m->has_signature) {
        memcpy(out->signature, m->signature.data, AUTH_SIG);
        memcpy(out->signer, m->signer.data, AUTH_SIGN_PK);
        if (m->has_certificate && m->certificate.len)
            gp_buf_add(&out->cert, m->certificate.data, m->certificate.len);
    }
    out->n_via = m->n_via;
    for (size_t i = 0; i < m->n_via; i++)
        memcpy(out->via[i], m->via[i].data, 16);
    out->partials = m->partials;
    out->evidence = m->evidence;
    out->targets = m->targets ? gp_strdup(m->targets) : NULL;
    int failed = out->body.failed || out->cert.failed || (m->targets && !out->targets);
    wire_unpacked_free(m);
    if (failed) {
        wire_request_clear(out);
        return no_memory(err);
    }
    return GP_OK;
}
