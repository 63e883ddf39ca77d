/* answer_dec.c - decoding of the messages that answer a query; the bytes come from a peer. */
#include "wire/answer.h"

#include "gp/mem.h"
#include "unpack.h"

#include <string.h>

void wire_answer_clear(wire_answer *a)
{
    wire_unpacked_free(a->owner);
    wire_unpacked_free(a->owner2);
    gp_free(a->ifaces);
    *a = (wire_answer){0};
}

static gp_status corrupt(gp_err *err, const char *what)
{
    return gp_fail(err, GP_ECORRUPT, 0, "malformed answer: %s", what);
}

/* Codes of a newer version are errors for us. */
static result_code code_of(uint32_t c)
{
    return c < RESULT_N_CODES ? (result_code)c : RESULT_ERROR;
}

static const char *text_or_empty(const char *s)
{
    return s ? s : "";
}

static void get_counters(const Fp__Counters *m, result_counters *c)
{
    *c = m ? (result_counters){.bytes_rcvd = m->br,
                               .bytes_sent = m->bs,
                               .pkts_rcvd = m->pr,
                               .pkts_sent = m->ps}
           : (result_counters){0};
}

static void get_stats(const Fp__Stats *m, result_stats *s)
{
    *s = m ? (result_stats){.bytes_loaded = m->bytes_loaded,
                            .bytes_decompressed = m->bytes_decompressed,
                            .blocks_processed = m->blocks_processed,
                            .blocks_corrupted = m->blocks_corrupted,
                            .directories_processed = m->directories_processed,
                            .workloads = m->workloads}
           : (result_stats){0};
}

/* Check and borrow a list of interface names. */
static gp_status get_ifaces(wire_answer *a, char *const *list, size_t n, wire_summary *s,
                            gp_err *err)
{
    if (n > WIRE_MAX_IFACES)
        return corrupt(err, "too many interfaces");
    if (n == 0)
        return GP_OK;
    a->ifaces = gp_alloc(n, sizeof *a->ifaces);
    if (!a->ifaces)
        return gp_fail(err, GP_ENOMEM, 0, "answer: out of memory");
    for (size_t i = 0; i < n; i++) {
        if (!wire_text_ok(list[i], WIRE_MAX_LABEL))
            return corrupt(err, "interface name");
        a->ifaces[i] = list[i];
    }
    s->ifaces = a->ifaces;
    s->n_ifaces = n;
    return GP_OK;
}

static int texts_ok(const char *message, const char *condition)
{
    return wire_text_ok(message, WIRE_MAX_MESSAGE_TEXT) &&
           wire_text_lines_ok(condition, WIRE_MAX_RESULT_CONDITION);
}

static gp_status get_summary(wire_answer *a, const Fp__Summary *m, wire_summary *s, gp_err *err)
{
    if (!texts_ok(m->message, m->condition))
        return corrupt(err, "text of a summary");
    *s = (wire_summary){.code = code_of(m->code),
                        .message = text_or_empty(m->message),
                        .hits = m->hits,
                        .rows = m->rows,
                        .first_s = m->first_s,
                        .last_s = m->last_s,
                        .data_available = m->data_available,
                        .duration_ns = m->duration_ns,
                        .condition = text_or_empty(m->condition)};
    get_counters(m->totals, &s->totals);
    get_stats(m->stats, &s->stats);
    return get_ifaces(a, m->ifaces, m->n_ifaces, s, err);
}

static gp_status check_path(char *const *path, size_t n, gp_err *err)
{
    if (n > WIRE_MAX_HOPS)
        return corrupt(err, "too many aggregators in a row");
    for (size_t i = 0; i < n; i++) {
        if (!wire_text_ok(path[i], WIRE_MAX_LABEL))
            return corrupt(err, "name of an aggregator");
    }
    return GP_OK;
}

static gp_status get_trailer_body(wire_answer *a, const Fp__TrailerBody *m, gp_err *err)
{
    wire_trailer *t = &a->u.trailer.t;
    if (m->query_id.len != AUTH_QUERY_ID || m->digest.len != AUTH_HASH)
        return corrupt(err, "sizes in a trailer");
    if (!*m->host || !wire_text_ok(m->host, WIRE_MAX_LABEL) ||
        !wire_text_ok(m->host_id, WIRE_MAX_LABEL) || !texts_ok(m->message, m->condition))
        return corrupt(err, "text of a trailer");
    memcpy(t->query_id, m->query_id.data, sizeof t->query_id);
    memcpy(t->digest, m->digest.data, sizeof t->digest);
    t->host = m->host;
    t->host_id = text_or_empty(m->host_id);
    t->sum = (wire_summary){.code = code_of(m->code),
                            .message = text_or_empty(m->message),
                            .hits = m->hits,
                            .rows = m->rows,
                            .first_s = m->first_s,
                            .last_s = m->last_s,
                            .data_available = m->data_available,
                            .duration_ns = m->duration_ns,
                            .condition = text_or_empty(m->condition)};
    get_counters(m->totals, &t->sum.totals);
    get_stats(m->stats, &t->sum.stats);
    return get_ifaces(a, m->ifaces, m->n_ifaces, &t->sum, err);
}

static gp_status get_trailer(wire_answer *a, const Fp__SignedTrailer *m, gp_err *err)
{
    if (m->has_signature != m->has_signer ||
        (m->has_signature && (m->signature.len != AUTH_SIG || m->signer.len != AUTH_SIGN_PK)))
        return corrupt(err, "signature of a trailer");
    if (m->has_certificate && (!m->has_signature || m->certificate.len > AUTH_PACKED_MAX))
        return corrupt(err, "certificate of a trailer");
    GP_TRY(check_path(m->path, m->n_path, err));
    Fp__TrailerBody *body = wire_unpack(&fp__trailer_body__descriptor, m->body.data, m->body.len);
    if (!body)
        return corrupt(err, "trailer");
    a->owner2 = body;
    a->u.trailer.body = m->body.data;
    a->u.trailer.body_len = m->body.len;
    a->u.trailer.signature = m->has_signature ? m->signature.data : NULL;
    a->u.trailer.signer = m->has_signer ? m->signer.data : NULL;
    a->u.trailer.cert = m->has_certificate ? m->certificate.data : NULL;
    a->u.trailer.cert_len = m->has_certificate ? m->certificate.len : 0;
    a->u.trailer.path = m->path;
    a->u.trailer.n_path = m->n_path;
    return get_trailer_body(a, body, err);
}

static gp_status get_partial(wire_answer *a, const Fp__Partial *m, gp_err *err)
{
    if (m->n_batches > GP_COUNT(a->u.partial.batch))
        return corrupt(err, "too many batches in a snapshot");
    a->u.partial.hosts_done = m->hosts_done;
    a->u.partial.hosts_total = m->hosts_total;
    a->u.partial.n_batches = m->n_batches;
    for (size_t i = 0; i < m->n_batches; i++) {
        a->u.partial.batch[i] = m->batches[i].data;
        a->u.partial.batch_len[i] = m->batches[i].len;
    }
    return get_summary(a, m->summary, &a->u.partial.summary, err);
}

static gp_status get_host(wire_answer *a, const Fp__HostStatus *m, gp_err *err)
{
    if (!*m->host || !wire_text_ok(m->host, WIRE_MAX_LABEL) ||
        !wire_text_ok(m->message, WIRE_MAX_MESSAGE_TEXT))
        return corrupt(err, "text of a host status");
    GP_TRY(check_path(m->path, m->n_path, err));
    a->u.host.host = m->host;
    a->u.host.message = text_or_empty(m->message);
    a->u.host.code = code_of(m->code);
    a->u.host.path = m->path;
    a->u.host.n_path = m->n_path;
    return GP_OK;
}

/* Batches are most of the bytes and need no unpacking: exactly one field 2. */
static int fast_batch(const uint8_t *p, size_t len, wire_answer *out)
{
    size_t n = 0, i = 1;
    if (len < 2 || p[0] != 0x12)
        return 0;
    for (unsigned shift = 0; i < len && shift < 28; shift += 7, i++) {
        n |= (size_t)(p[i] & 127) << shift;
        if (p[i] < 128) {
            if (len - i - 1 != n)
                return 0;
            *out = (wire_answer){.kind = WIRE_BATCH};
            out->u.batch.data = p + i + 1;
            out->u.batch.len = n;
            return 1;
        }
    }
    return 0;
}

static gp_status get_answer(wire_answer *a, const Fp__Answer *m, gp_err *err)
{
    switch (m->kind_case) {
    case FP__ANSWER__KIND_HEADER:
        a->kind = WIRE_HEADER;
        if (!wire_text_ok(m->header->software, WIRE_MAX_LABEL))
            return corrupt(err, "text of a header");
        a->u.header.protocol = m->header->protocol;
        a->u.header.n_hosts = m->header->n_hosts;
        a->u.header.software = text_or_empty(m->header->software);
        return GP_OK;
    case FP__ANSWER__KIND_BATCH:
        a->kind = WIRE_BATCH;
        a->u.batch.data = m->batch.data;
        a->u.batch.len = m->batch.len;
        return GP_OK;
    case FP__ANSWER__KIND_EVIDENCE:
        a->kind = WIRE_EVIDENCE;
        a->u.batch.data = m->evidence.data;
        a->u.batch.len = m->evidence.len;
        return GP_OK;
    case FP__ANSWER__KIND_PROGRESS:
        a->kind = WIRE_PROGRESS;
        a->u.progress = (wire_progress){.blocks_done = m->progress->blocks_done,
                                        .blocks_total = m->progress->blocks_total,
                                        .rows = m->progress->rows,
                                        .bytes = m->progress->bytes,
                                        .hosts_done = m->progress->hosts_done,
                                        .hosts_total = m->progress->hosts_total};
        return GP_OK;
    case FP__ANSWER__KIND_HOST:
        a->kind = WIRE_HOST;
        return get_host(a, m->host, err);
    case FP__ANSWER__KIND_TRAILER:
        a->kind = WIRE_TRAILER;
        return get_trailer(a, m->trailer, err);
    case FP__ANSWER__KIND_PARTIAL:
        a->kind = WIRE_PARTIAL;
        return get_partial(a, m->partial, err);
    case FP__ANSWER__KIND_SUMMARY:
        a->kind = WIRE_SUMMARY;
        return get_summary(a, m->summary, &a->u.summary, err);
    default:
        a->kind = WIRE_NONE;
        return GP_OK;
    }
}

gp_status wire_answer_decode(const void *bytes, size_t len, wire_answer *out, gp_err *err)
{
    *out = (wire_answer){0};
    if (fast_batch(bytes, len, out))
        return GP_OK;
    Fp__Answer *m = wire_unpack(&fp__answer__descriptor, bytes, len);
    if (!m)
        return corrupt(err, "not a message");
    out->owner = m;
    gp_status st = get_answer(out, m, err);
    if (st != GP_OK)
        wire_answer_clear(out);
    return st;
}
