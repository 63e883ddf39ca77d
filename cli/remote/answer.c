/* answer.c - messages of an answer to a result, and the checks against what hosts signed.
 *
 * Nothing in an answer is believed because an aggregator says it: totals must be the sum of what
 * the hosts signed, and rows must carry the label of a host that signed a trailer for this query.
 */
#include "remote_int.h"

#include "gp/mem.h"

#include <string.h>

enum { PARTIAL_STRINGS = 16 * 1024 * 1024 };

void remote_answer_clear(answer *a)
{
    wire_answer_clear(&a->agent_msg);
    gp_buf_free(&a->agent_bytes);
    wire_dec_free(a->dec);
    result_merger_free(a->merger);
    gp_buf_free(&a->evidence);
    a->merger = NULL;
    gp_free(a->signed_ids);
    a->dec = NULL;
    a->signed_ids = NULL;
}

static gp_status remember(answer *a, const char *name, const char *id, gp_err *err)
{
    if (a->n_signed + 2 > a->cap_signed) {
        size_t cap = a->cap_signed ? 2 * a->cap_signed : 64;
        const char **v = gp_realloc(a->signed_ids, cap, sizeof *v);
        if (!v)
            return gp_fail(err, GP_ENOMEM, 0, "answer: out of memory");
        a->signed_ids = v;
        a->cap_signed = cap;
    }
    const char *n = result_strdup(a->out, name), *i = result_strdup(a->out, id);
    if (!n || !i)
        return gp_fail(err, GP_ENOMEM, 0, "answer: out of memory");
    a->signed_ids[a->n_signed++] = n;
    a->signed_ids[a->n_signed++] = i;
    return GP_OK;
}

/* Whose trailer is it? Its name comes from our list of trusted keys, not from the message. */
static gp_status identify(answer *a, const wire_answer *m, auth_peer *who, gp_err *err)
{
    const char *says = m->u.trailer.t.host;
    if (a->local && !a->o->trust) { /* the kernel vouches for the other end of a local socket */
        *who = (auth_peer){.kind = AUTH_KIND_AGENT};
        size_t n = strlen(says);
        if (n >= sizeof who->name)
            return gp_fail(err, GP_ECORRUPT, 0, "host name of %zu bytes", n);
        memcpy(who->name, says, n + 1);
        return GP_OK;
    }
    if (!m->u.trailer.signer || !m->u.trailer.signature)
        return gp_fail(err, GP_EDENIED, 0, "host %s did not sign its answer", says);
    if (!auth_trust_know(a->o->trust, m->u.trailer.signer, m->u.trailer.cert, m->u.trailer.cert_len,
                         gp_wall_s(), who) ||
        who->kind != AUTH_KIND_AGENT)
        return gp_fail(err, GP_EDENIED, 0,
                       "the key that signed the answer of host %s is not among the trusted keys",
                       says);
    if (!auth_verify(m->u.trailer.signer, WIRE_SIGN_TRAILER, m->u.trailer.body,
                     m->u.trailer.body_len, m->u.trailer.signature))
        return gp_fail(err, GP_EDENIED, 0, "the answer of host %s is not what it signed",
                       who->name);
    return GP_OK;
}

static int add_overflows(result_counters *t, const result_counters *c)
{
    int over = __builtin_add_overflow(t->bytes_rcvd, c->bytes_rcvd, &t->bytes_rcvd);
    over += __builtin_add_overflow(t->bytes_sent, c->bytes_sent, &t->bytes_sent);
    over += __builtin_add_overflow(t->pkts_rcvd, c->pkts_rcvd, &t->pkts_rcvd);
    over += __builtin_add_overflow(t->pkts_sent, c->pkts_sent, &t->pkts_sent);
    return over;
}

static gp_status add_trailer(answer *a, const wire_answer *m, gp_err *err)
{
    const wire_trailer *t = &m->u.trailer.t;
    auth_peer who;
    GP_TRY(identify(a, m, &who, err));
    if (memcmp(t->query_id, a->q->id, sizeof t->query_id) != 0)
        return gp_fail(err, GP_EDENIED, 0, "host %s answered another query", who.name);
    for (size_t i = 0; i < a->n_signed; i += 2) {
        if (strcmp(a->signed_ids[i], who.name) == 0)
            return gp_fail(err, GP_ECORRUPT, 0, "host %s is counted twice", who.name);
    }
    if (add_overflows(&a->totals, &t->sum.totals))
        return gp_fail(err, GP_ECORRUPT, 0, "totals of host %s are out of range", who.name);
    memcpy(a->trailer_digest, t->digest, sizeof a->trailer_digest);
    a->trailer_rows = t->sum.rows;
    a->n_trailers++;
    GP_TRY(remember(a, who.name, t->host_id, err));
    /* An agent asked directly sends rows first; they are checked at the end. */
    if (a->o->verify && a->out->n_rows == 0)
        GP_TRY(remote_verify_host(a, who.name, t, err));
    if (a->o->on_host)
        a->o->on_host(a->o->ctx, who.name, t->sum.code, t->sum.message);
    return result_add_host_status(a->out, who.name, t->sum.code, t->sum.message, err);
}

/* The message of the last trailer stays: an agent that is asked directly sends no summary. */
static gp_status keep_trailer(answer *a, const uint8_t *data, size_t len, gp_err *err)
{
    wire_answer_clear(&a->agent_msg);
    gp_buf_clear(&a->agent_bytes);
    gp_buf_add(&a->agent_bytes, data, len);
    if (a->agent_bytes.failed)
        return gp_fail(err, GP_ENOMEM, 0, "answer: out of memory");
    GP_TRY(wire_answer_decode(a->agent_bytes.data, len, &a->agent_msg, err));
    return add_trailer(a, &a->agent_msg, err);
}

static gp_status add_host(answer *a, const wire_answer *m, gp_err *err)
{
    gp_buf text = {.limit = 2000};
    gp_buf_adds(&text, m->u.host.message);
    for (size_t i = 0; i < m->u.host.n_path; i++)
        gp_buf_printf(&text, "%svia %s", text.len ? ", " : "", m->u.host.path[i]);
    const char *s = gp_buf_str(&text);
    if (a->o->on_host)
        a->o->on_host(a->o->ctx, m->u.host.host, m->u.host.code, s ? s : "");
    gp_status st = result_add_host_status(a->out, m->u.host.host, m->u.host.code, s ? s : "", err);
    gp_buf_free(&text);
    return st;
}

static gp_status show_partial(answer *a, const wire_answer *m, gp_err *err)
{
    result r = {0};
    if (!a->o->on_partial)
        return GP_OK;
    gp_status st = result_init(&r, PARTIAL_STRINGS, err);
    r.fields = a->stmt->fields;
    for (size_t i = 0; st == GP_OK && i < m->u.partial.n_batches; i++)
        st = wire_batch_decode(a->dec, m->u.partial.batch[i], m->u.partial.batch_len[i], NULL, NULL,
                               &r, err);
    if (st == GP_OK)
        st = wire_summary_apply(&m->u.partial.summary, &r, err);
    result_order order = result_order_of(a->stmt);
    if (st == GP_OK)
        st = result_sort(&r, &order, 0, err);
    if (st == GP_OK)
        a->o->on_partial(a->o->ctx, &r, m->u.partial.hosts_done, m->u.partial.hosts_total);
    result_clear(&r);
    return st;
}

static gp_status add_batch(answer *a, const wire_answer *m, gp_err *err)
{
    wire_digest_batch(&a->digest, m->u.batch.data, m->u.batch.len);
    return wire_batch_decode(a->dec, m->u.batch.data, m->u.batch.len, NULL, NULL, a->out, err);
}

static gp_status add_message(answer *a, const wire_answer *m, const uint8_t *data, size_t len,
                             gp_err *err)
{
    if (a->has_summary)
        return gp_fail(err, GP_ECORRUPT, 0, "messages after the end of the answer");
    switch (m->kind) {
    case WIRE_HEADER:
        if (m->u.header.protocol > WIRE_PROTOCOL)
            return gp_fail(err, GP_EUNSUPPORTED, 0, "the server answers in protocol version %u",
                           m->u.header.protocol);
        return GP_OK;
    case WIRE_BATCH:
        return add_batch(a, m, err);
    case WIRE_EVIDENCE:
        return a->o->verify ? remote_verify_batch(a, m->u.batch.data, m->u.batch.len, err) : GP_OK;
    case WIRE_PROGRESS:
        if (a->o->on_progress)
            a->o->on_progress(a->o->ctx, &m->u.progress);
        return GP_OK;
    case WIRE_HOST:
        return add_host(a, m, err);
    case WIRE_TRAILER:
        return keep_trailer(a, data, len, err);
    case WIRE_PARTIAL:
        return show_partial(a, m, err);
    case WIRE_SUMMARY:
        a->has_summary = 1;
        if (m->u.summary.rows != a->out->n_rows)
            return gp_fail(err, GP_ECORRUPT, 0, "%zu rows came, the server sent %llu",
                           a->out->n_rows, (unsigned long long)m->u.summary.rows);
        return wire_summary_apply(&m->u.summary, a->out, err);
    default:
        return GP_OK;
    }
}

gp_status remote_answer_add(answer *a, const uint8_t *data, size_t len, gp_err *err)
{
    wire_answer m = {0};
    GP_TRY(wire_answer_decode(data, len, &m, err));
    gp_status st = add_message(a, &m, data, len, err);
    wire_answer_clear(&m);
    return st;
}

/* ---- the end ---- */

/* An agent asked directly: its trailer covers exactly the batches that came. */
static gp_status finish_agent(answer *a, gp_err *err)
{
    uint8_t digest[AUTH_HASH];
    if (a->n_trailers != 1)
        return gp_fail(err, GP_ECORRUPT, 0, "the answer broke off: neither summary nor trailer");
    auth_digest_final(&a->digest, digest);
    if (!auth_equal(digest, a->trailer_digest, sizeof digest) || a->trailer_rows != a->out->n_rows)
        return gp_fail(err, GP_ECORRUPT, 0, "the rows are not those that host %s signed",
                       a->signed_ids[0]);
    GP_TRY(wire_summary_apply(&a->agent_msg.u.trailer.t.sum, a->out, err));
    a->out->hostname = a->signed_ids[0];
    return GP_OK;
}

static gp_status check_totals(const answer *a, gp_err *err)
{
    const result_counters *x = &a->totals, *y = &a->out->totals;
    if (x->bytes_rcvd == y->bytes_rcvd && x->bytes_sent == y->bytes_sent &&
        x->pkts_rcvd == y->pkts_rcvd && x->pkts_sent == y->pkts_sent)
        return GP_OK;
    return gp_fail(err, GP_ECORRUPT, 0, "the totals are not the sum of what the hosts signed");
}

static gp_status check_labels(const answer *a, gp_err *err)
{
    for (size_t i = 0; i < a->out->n_hosts; i++) {
        const result_host *h = &a->out->hosts[i];
        int found = a->stmt->merge_hosts && !*h->name && !*h->id;
        for (size_t k = 0; k < a->n_signed && !found; k += 2)
            found =
                strcmp(h->name, a->signed_ids[k]) == 0 && strcmp(h->id, a->signed_ids[k + 1]) == 0;
        if (!found)
            return gp_fail(err, GP_ECORRUPT, 0, "rows of host \"%s\", which signed no answer",
                           h->name);
    }
    return GP_OK;
}

gp_status remote_answer_finish(answer *a, gp_err *err)
{
    if (!a->has_summary)
        GP_TRY(finish_agent(a, err));
    GP_TRY(check_totals(a, err));
    GP_TRY(check_labels(a, err));
    result_order order = result_order_of(a->stmt);
    GP_TRY(result_sort(a->out, &order, a->stmt->limit, err));
    return a->o->verify && a->has_summary ? remote_verify_rows(a, err) : GP_OK;
}
