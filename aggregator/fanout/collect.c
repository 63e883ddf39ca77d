/* collect.c - a host has answered: check its trailer against its rows, merge them, tell the caller.
 *
 * Rows count only with a trailer that fits them; so a host that dies in mid-answer adds nothing. */
#include "fanout_int.h"

#include "gp/mem.h"
#include "rt/log.h"

#include <string.h>

enum { PART_STRINGS = 8 * 1024 * 1024 }; /* bytes of labels of one host's answer */

result_code fanout_result_code(rpc_code c)
{
    switch (c) {
    case RPC_OK:
        return RESULT_OK;
    case RPC_DEADLINE_EXCEEDED:
        return RESULT_TIMEOUT;
    case RPC_UNAVAILABLE:
        return RESULT_UNREACHABLE;
    case RPC_PERMISSION_DENIED:
    case RPC_UNAUTHENTICATED:
        return RESULT_DENIED;
    case RPC_RESOURCE_EXHAUSTED:
        return RESULT_TOO_MANY_REQUESTS;
    case RPC_NOT_FOUND:
        return RESULT_NOT_FOUND;
    default:
        return RESULT_ERROR;
    }
}

gp_status fanout_fail_host(job *j, const char *host, result_code code, const char *text,
                           gp_err *err)
{
    gp_buf msg = {0};
    if (fanout_acc_has(j->acc, host)) /* its rows came on another way */
        return GP_OK;
    j->n_failed++;
    rt_metric_add(j->f->m_host[code], 1);
    GP_TRY(fanout_acc_host(j->acc, host, code, text, err));
    wire_put_host(&msg, host, code, text, NULL, 0);
    return fanout_send(j, &msg, err);
}

/* Next item of a buffer of length-prefixed items; 0 at its end. */
static int next_item(const gp_buf *b, size_t *at, const uint8_t **p, size_t *len)
{
    if (*at + 4 > b->len)
        return 0;
    *len = gp_le32(b->data + *at);
    *p = b->data + *at + 4;
    *at += 4 + *len;
    return 1;
}

/* What a host that is done has done: its last word on the way was before that. */
static void all_done(job *j, leg *l, const wire_summary *sum)
{
    pthread_mutex_lock(&j->lock);
    l->progress.blocks_done = l->progress.blocks_total = sum->stats.blocks_processed;
    pthread_mutex_unlock(&j->lock);
}

/* ---- an agent ---- */

/* *bytes: taken for the rows, to be given back when they are gone. */
static gp_status decode_batches(job *j, const leg *l, const char *host, const char *host_id,
                                result *part, uint64_t *bytes, gp_err *err)
{
    size_t at = 0, len;
    const uint8_t *p;
    while (next_item(&l->batches, &at, &p, &len)) {
        size_t before = part->cap_rows;
        GP_TRY(wire_batch_decode(j->dec, p, len, host, host_id, part, err));
        uint64_t more = (part->cap_rows - before) * sizeof(result_row);
        if (more && !fair_bytes_take(j->fair, more))
            return gp_fail(err, GP_ELIMIT, 0, "its answer does not fit the memory allowed");
        *bytes += more;
    }
    return GP_OK;
}

static gp_status check_trailer(job *j, leg *l, const wire_answer *a, const auth_peer *peer,
                               gp_err *err)
{
    const wire_trailer *t = &a->u.trailer.t;
    uint8_t digest[AUTH_HASH];
    auth_digest_final(&l->digest, digest);
    if (memcmp(t->query_id, j->q.id, sizeof t->query_id) != 0)
        return gp_fail(err, GP_ECORRUPT, 0, "its trailer is of another query");
    if (!auth_equal(t->digest, digest, sizeof digest))
        return gp_fail(err, GP_ECORRUPT, 0, "its rows do not fit its trailer");
    if (!a->u.trailer.signer || memcmp(a->u.trailer.signer, peer->sign_pk, AUTH_SIGN_PK) != 0)
        return gp_fail(err, GP_ECORRUPT, 0, "its trailer is not signed by its own key");
    return GP_OK;
}

static gp_status relay_trailer(job *j, const wire_answer *a, const char *const *path, size_t n_path,
                               gp_err *err)
{
    gp_buf msg = {0};
    wire_put_trailer(&msg, a->u.trailer.body, a->u.trailer.body_len, a->u.trailer.signature,
                     a->u.trailer.signer, a->u.trailer.cert, a->u.trailer.cert_len, path, n_path);
    return fanout_send(j, &msg, err);
}

static gp_status merge_agent(job *j, leg *l, const wire_answer *a, const auth_peer *peer,
                             gp_err *err)
{
    const wire_trailer *t = &a->u.trailer.t;
    uint64_t bytes = 0;
    result part = {0};
    GP_TRY(check_trailer(j, l, a, peer, err));
    GP_TRY(result_init(&part, PART_STRINGS, err));
    part.fields = j->stmt->fields;
    gp_status st = decode_batches(j, l, peer->name, t->host_id, &part, &bytes, err);
    if (st == GP_OK && part.n_rows != t->sum.rows)
        st = gp_fail(err, GP_ECORRUPT, 0, "its trailer counts %llu rows, it sent %zu",
                     (unsigned long long)t->sum.rows, part.n_rows);
    if (st == GP_OK)
        st = wire_summary_apply(&t->sum, &part, err);
    if (st == GP_OK)
        st = result_add_host_status(&part, peer->name, t->sum.code, t->sum.message, err);
    if (st == GP_OK)
        st = fanout_acc_claim(j->acc, peer->name, err);
    if (st == GP_OK)
        st = fanout_acc_add(j->acc, &part, err);
    if (st == GP_OK) {
        all_done(j, l, &t->sum);
        rt_metric_add(j->f->m_rows, t->sum.rows);
        rt_metric_add(j->f->m_host[t->sum.code], 1);
    }
    result_clear(&part);
    fair_bytes_give(j->fair, bytes);
    return st;
}

/* The caller wants to see what the host signed. */
static gp_status send_evidence(job *j, const leg *l, gp_err *err)
{
    size_t at = 0, len;
    const uint8_t *p;
    while (j->req.evidence && next_item(&l->batches, &at, &p, &len)) {
        gp_buf msg = {0};
        wire_put_evidence(&msg, p, len);
        GP_TRY(fanout_send(j, &msg, err));
    }
    return GP_OK;
}

/* Exactly one trailer and nothing else. */
static gp_status collect_agent(job *j, leg *l, gp_err *err)
{
    auth_peer peer = *rpc_conn_peer(fleet_link_conn(l->link));
    wire_answer a = {0};
    const uint8_t *p;
    size_t at = 0, len;
    gp_err why = {0};
    gp_status st = GP_OK;
    if (!next_item(&l->notes, &at, &p, &len) || wire_answer_decode(p, len, &a, &why) != GP_OK ||
        a.kind != WIRE_TRAILER || at != l->notes.len)
        st = gp_fail(&why, GP_ECORRUPT, 0, "it did not end with exactly one trailer");
    if (st == GP_OK)
        st = merge_agent(j, l, &a, &peer, &why);
    if (st == GP_ELIMIT || st == GP_ENOMEM) { /* our memory, not its fault: the query ends */
        wire_answer_clear(&a);
        return gp_fail(err, st, 0, "%s: %s", peer.name, why.msg);
    }
    if (st == GP_OK) {
        j->n_ok++;
        j->partial_due = 1;
        st = send_evidence(j, l, err);
        if (st == GP_OK)
            st = relay_trailer(j, &a, NULL, 0, err);
    } else {
        rt_warn("answer refused", RT_S("host", l->id), RT_S("why", why.msg));
        st = fanout_fail_host(j, l->name, RESULT_ERROR, why.msg, err);
    }
    wire_answer_clear(&a);
    return st;
}

/* ---- an aggregator below ---- */

/* Names that signed trailers or statuses below; rows of others are refused. */
static gp_status read_notes(job *j, leg *l, const char *name, result *part, unsigned *n_ok,
                            gp_err *err)
{
    size_t at = 0, len;
    const uint8_t *p;
    while (next_item(&l->notes, &at, &p, &len)) {
        wire_answer a = {0};
        gp_status st = wire_answer_decode(p, len, &a, err);
        if (st == GP_OK && a.kind == WIRE_TRAILER) {
            const wire_trailer *t = &a.u.trailer.t;
            auth_peer who;
            if (memcmp(t->query_id, j->q.id, sizeof t->query_id) != 0)
                st = gp_fail(err, GP_ECORRUPT, 0, "a trailer is of another query");
            else if (!a.u.trailer.signer ||
                     !auth_trust_know(j->f->o.trust, a.u.trailer.signer, a.u.trailer.cert,
                                      a.u.trailer.cert_len, gp_wall_s(), &who))
                st = gp_fail(err, GP_EDENIED, 0, "the key of host %s is not trusted here", t->host);
            else if (!auth_verify(a.u.trailer.signer, WIRE_SIGN_TRAILER, a.u.trailer.body,
                                  a.u.trailer.body_len, a.u.trailer.signature))
                st = gp_fail(err, GP_EDENIED, 0, "the trailer of host %s is not signed by it",
                             t->host);
            else if (fanout_acc_has(j->acc, who.name) || result_find_host_status(part, who.name))
                st = gp_fail(err, GP_EEXIST, 0, "host %s is reached on two ways", who.name);
            else
                st = result_add_host_status(part, who.name, t->sum.code, t->sum.message, err);
            ++*n_ok;
        } else if (st == GP_OK && a.kind == WIRE_HOST && !fanout_acc_has(j->acc, a.u.host.host)) {
            gp_buf text = {.limit = 1000};
            gp_buf_printf(&text, "%s%svia %s", a.u.host.message, *a.u.host.message ? ", " : "",
                          name);
            const char *s = gp_buf_str(&text);
            st = result_add_host_status(part, a.u.host.host, a.u.host.code, s ? s : "", err);
            gp_buf_free(&text);
        }
        wire_answer_clear(&a);
        GP_TRY(st);
    }
    return GP_OK;
}

/* All was checked: from now on these hosts have answered. */
static gp_status claim_all(job *j, const leg *l, gp_err *err)
{
    size_t at = 0, len;
    const uint8_t *p;
    while (next_item(&l->notes, &at, &p, &len)) {
        wire_answer a = {0};
        auth_peer who;
        GP_TRY(wire_answer_decode(p, len, &a, err));
        gp_status st = GP_OK;
        if (a.kind == WIRE_TRAILER &&
            auth_trust_know(j->f->o.trust, a.u.trailer.signer, a.u.trailer.cert,
                            a.u.trailer.cert_len, gp_wall_s(), &who))
            st = fanout_acc_claim(j->acc, who.name, err);
        wire_answer_clear(&a);
        GP_TRY(st);
    }
    return GP_OK;
}

static gp_status merge_child(job *j, leg *l, const char *name, unsigned *n_ok, gp_err *err)
{
    wire_answer sum = {0};
    uint64_t bytes = 0;
    result part = {0};
    if (!l->summary.len || wire_answer_decode(l->summary.data, l->summary.len, &sum, err) != GP_OK)
        return gp_fail(err, GP_ECORRUPT, 0, "it ended without a summary");
    gp_status st = result_init(&part, PART_STRINGS, err);
    part.fields = j->stmt->fields;
    if (st == GP_OK)
        st = decode_batches(j, l, NULL, NULL, &part, &bytes, err);
    if (st == GP_OK && part.n_rows != sum.u.summary.rows)
        st = gp_fail(err, GP_ECORRUPT, 0, "its summary counts %llu rows, it sent %zu",
                     (unsigned long long)sum.u.summary.rows, part.n_rows);
    if (st == GP_OK)
        st = wire_summary_apply(&sum.u.summary, &part, err);
    if (st == GP_OK)
        st = read_notes(j, l, name, &part, n_ok, err);
    for (size_t i = 0; st == GP_OK && !j->stmt->merge_hosts && i < part.n_hosts; i++) {
        if (!result_find_host_status(&part, part.hosts[i].name))
            st = gp_fail(err, GP_ECORRUPT, 0, "it sent rows of host %s without its trailer",
                         part.hosts[i].name);
    }
    if (st == GP_OK)
        st = claim_all(j, l, err);
    if (st == GP_OK)
        st = fanout_acc_add(j->acc, &part, err);
    if (st == GP_OK)
        all_done(j, l, &sum.u.summary);
    result_clear(&part);
    fair_bytes_give(j->fair, bytes);
    wire_answer_clear(&sum);
    return st;
}

/* Pass trailers and statuses on with our neighbour's name in front of their path. */
static gp_status relay_notes(job *j, leg *l, const char *name, gp_err *err)
{
    size_t at = 0, len;
    const uint8_t *p;
    while (next_item(&l->notes, &at, &p, &len)) {
        wire_answer a = {0};
        const char *path[WIRE_MAX_HOPS] = {name};
        gp_buf msg = {0};
        GP_TRY(wire_answer_decode(p, len, &a, err));
        if (a.kind == WIRE_EVIDENCE) {
            wire_put_evidence(&msg, a.u.batch.data, a.u.batch.len);
            wire_answer_clear(&a);
            GP_TRY(fanout_send(j, &msg, err));
            continue;
        }
        size_t n = a.kind == WIRE_TRAILER ? a.u.trailer.n_path : a.u.host.n_path;
        char *const *old = a.kind == WIRE_TRAILER ? a.u.trailer.path : a.u.host.path;
        size_t k = 1;
        for (size_t i = 0; i < n && k < WIRE_MAX_HOPS; i++)
            path[k++] = old[i];
        gp_status st;
        if (a.kind == WIRE_TRAILER) {
            st = relay_trailer(j, &a, path, k, err);
        } else if (fanout_acc_has(j->acc, a.u.host.host)) {
            st = GP_OK;
        } else {
            wire_put_host(&msg, a.u.host.host, a.u.host.code, a.u.host.message, path, k);
            j->n_failed++;
            st = fanout_send(j, &msg, err);
        }
        wire_answer_clear(&a);
        GP_TRY(st);
    }
    return GP_OK;
}

static gp_status collect_child(job *j, leg *l, gp_err *err)
{
    const char *name = rpc_conn_peer(fleet_link_conn(l->link))->name;
    unsigned n_ok = 0;
    gp_err why = {0};
    gp_status st = merge_child(j, l, name, &n_ok, &why);
    if (st == GP_ELIMIT || st == GP_ENOMEM)
        return gp_fail(err, st, 0, "%s: %s", name, why.msg);
    if (st != GP_OK) {
        rt_warn("answer refused", RT_S("aggregator", l->id), RT_S("why", why.msg));
        return fanout_fail_host(j, l->name, RESULT_ERROR, why.msg, err);
    }
    j->n_ok += n_ok;
    j->partial_due = 1;
    return relay_notes(j, l, name, err);
}

gp_status fanout_collect(job *j, leg *l, gp_err *err)
{
    fanout_leg_early_drop(l); /* the whole answer may need its place */
    if (l->malformed || l->code != RPC_OK) {
        result_code c = l->malformed ? RESULT_ERROR : fanout_result_code(l->code);
        return fanout_fail_host(j, l->name, c, l->text, err);
    }
    rt_metric_add(j->f->m_bytes, l->batches.len + l->notes.len);
    return l->is_aggregator ? collect_child(j, l, err) : collect_agent(j, l, err);
}
