/* answer.c - encoding of the messages that answer a query. */
#include "wire/answer.h"

#include "unpack.h"

#include <string.h>

void wire_digest_batch(auth_digest *d, const void *batch, size_t len)
{
    uint8_t n[4];
    gp_put_le32(n, (uint32_t)len);
    auth_digest_add(d, n, sizeof n);
    auth_digest_add(d, batch, len);
}

void wire_summary_of(const result *r, wire_summary *out)
{
    *out = (wire_summary){.code = r->status,
                          .message = r->status_message,
                          .totals = r->totals,
                          .hits = r->hits_total,
                          .rows = r->n_rows,
                          .stats = r->stats,
                          .first_s = r->time_first_s,
                          .last_s = r->time_last_s,
                          .ifaces = (const char *const *)r->ifaces,
                          .n_ifaces = r->n_ifaces < WIRE_MAX_IFACES ? r->n_ifaces : WIRE_MAX_IFACES,
                          .data_available = r->data_available,
                          .duration_ns = r->query_duration_ns,
                          .condition = r->condition};
}

gp_status wire_summary_apply(const wire_summary *s, result *r, gp_err *err)
{
    r->status = s->code;
    r->status_message = result_strdup(r, s->message ? s->message : "");
    r->condition = result_strdup(r, s->condition ? s->condition : "");
    r->totals = s->totals;
    r->hits_total = s->hits;
    r->has_stats = 1;
    r->stats = s->stats;
    r->time_first_s = s->first_s;
    r->time_last_s = s->last_s;
    r->data_available = s->data_available;
    r->query_duration_ns = s->duration_ns;
    if (!r->status_message || !r->condition)
        return gp_fail(err, GP_ENOMEM, 0, "result: out of memory");
    for (size_t i = 0; i < s->n_ifaces; i++)
        GP_TRY(result_add_iface(r, s->ifaces[i], err));
    return GP_OK;
}

/* ---- parts ---- */

static void put_counters(const result_counters *c, Fp__Counters *m)
{
    fp__counters__init(m);
    m->has_br = m->has_bs = m->has_pr = m->has_ps = 1;
    m->br = c->bytes_rcvd;
    m->bs = c->bytes_sent;
    m->pr = c->pkts_rcvd;
    m->ps = c->pkts_sent;
}

static void put_stats(const result_stats *s, Fp__Stats *m)
{
    fp__stats__init(m);
#define NUM(f)                                                                                     \
    m->has_##f = s->f != 0;                                                                        \
    m->f = s->f
    NUM(bytes_loaded);
    NUM(bytes_decompressed);
    NUM(blocks_processed);
    NUM(blocks_corrupted);
    NUM(directories_processed);
    NUM(workloads);
#undef NUM
}

/* protobuf-c's arrays are not const; it only reads them. */
static char **unconst_list(const char *const *list)
{
    union {
        const char *const *c;
        char **m;
    } u = {.c = list};
    return u.m;
}

static uint8_t *unconst_bytes(const void *p)
{
    union {
        const void *c;
        uint8_t *m;
    } u = {.c = p};
    return u.m;
}

struct summary_msg {
    Fp__Summary m;
    Fp__Counters totals;
    Fp__Stats stats;
};

static void put_summary(const wire_summary *s, struct summary_msg *out)
{
    Fp__Summary *m = &out->m;
    fp__summary__init(m);
    put_counters(&s->totals, &out->totals);
    put_stats(&s->stats, &out->stats);
    m->code = (uint32_t)s->code;
    m->message = s->message && *s->message ? wire_unconst(s->message) : NULL;
    m->totals = &out->totals;
    m->has_hits = m->has_first_s = m->has_last_s = m->has_data_available = m->has_duration_ns = 1;
    m->hits = s->hits;
    m->stats = &out->stats;
    m->first_s = s->first_s;
    m->last_s = s->last_s;
    m->n_ifaces = s->n_ifaces;
    m->ifaces = unconst_list(s->ifaces);
    m->data_available = s->data_available;
    m->duration_ns = s->duration_ns;
    m->condition = s->condition && *s->condition ? wire_unconst(s->condition) : NULL;
    m->has_rows = 1;
    m->rows = s->rows;
}

static void put_answer(gp_buf *out, Fp__Answer__KindCase kind, const void *msg)
{
    Fp__Answer a = FP__ANSWER__INIT;
    union {
        const void *c;
        void *m;
    } u = {.c = msg};
    a.kind_case = kind;
    a.header = u.m; /* all members of the union are pointers here */
    wire_pack(&a.base, out);
}

/* ---- messages ---- */

void wire_put_header(gp_buf *out, const char *software, uint32_t n_hosts)
{
    Fp__Header m = FP__HEADER__INIT;
    m.protocol = WIRE_PROTOCOL;
    m.software = wire_unconst(software);
    m.has_n_hosts = 1;
    m.n_hosts = n_hosts;
    put_answer(out, FP__ANSWER__KIND_HEADER, &m);
}

/* By hand, to save a copy of the rows: field 2, length-delimited. */
/* A message of one field of bytes, without packing it first. */
static void put_bytes(gp_buf *out, int tag, const void *batch, size_t len)
{
    gp_buf_addc(out, (char)tag);
    for (size_t n = len; n > 0; n >>= 7)
        gp_buf_addc(out, (char)(n > 127 ? (n & 127) | 128 : n));
    gp_buf_add(out, batch, len);
}

void wire_put_batch(gp_buf *out, const void *batch, size_t len)
{
    put_bytes(out, 0x12, batch, len);
}

void wire_put_evidence(gp_buf *out, const void *batch, size_t len)
{
    put_bytes(out, 0x42, batch, len);
}

void wire_put_progress(gp_buf *out, const wire_progress *p)
{
    Fp__Progress m = FP__PROGRESS__INIT;
#define NUM(f)                                                                                     \
    m.has_##f = p->f != 0;                                                                         \
    m.f = p->f
    NUM(blocks_done);
    NUM(blocks_total);
    NUM(rows);
    NUM(bytes);
    NUM(hosts_done);
    NUM(hosts_total);
#undef NUM
    put_answer(out, FP__ANSWER__KIND_PROGRESS, &m);
}

void wire_put_host(gp_buf *out, const char *host, result_code code, const char *message,
                   const char *const *path, size_t n_path)
{
    Fp__HostStatus m = FP__HOST_STATUS__INIT;
    m.host = wire_unconst(host);
    m.code = (uint32_t)code;
    m.message = message && *message ? wire_unconst(message) : NULL;
    m.path = unconst_list(path);
    m.n_path = n_path;
    put_answer(out, FP__ANSWER__KIND_HOST, &m);
}

void wire_put_summary(gp_buf *out, const wire_summary *s)
{
    struct summary_msg m;
    put_summary(s, &m);
    put_answer(out, FP__ANSWER__KIND_SUMMARY, &m.m);
}

void wire_put_partial(gp_buf *out, const wire_summary *s, uint32_t hosts_done, uint32_t hosts_total,
                      const uint8_t *const *batches, const size_t *lens, size_t n)
{
    struct summary_msg sum;
    ProtobufCBinaryData b[4];
    Fp__Partial m = FP__PARTIAL__INIT;
    put_summary(s, &sum);
    m.summary = &sum.m;
    m.n_batches = n < GP_COUNT(b) ? n : GP_COUNT(b);
    m.batches = b;
    for (size_t i = 0; i < m.n_batches; i++)
        b[i] = (ProtobufCBinaryData){.len = lens[i], .data = unconst_bytes(batches[i])};
    m.has_hosts_done = m.has_hosts_total = 1;
    m.hosts_done = hosts_done;
    m.hosts_total = hosts_total;
    put_answer(out, FP__ANSWER__KIND_PARTIAL, &m);
}

void wire_trailer_encode(gp_buf *body, const wire_trailer *t)
{
    Fp__TrailerBody m = FP__TRAILER_BODY__INIT;
    Fp__Counters totals;
    Fp__Stats stats;
    const wire_summary *s = &t->sum;
    put_counters(&s->totals, &totals);
    put_stats(&s->stats, &stats);
    m.query_id = (ProtobufCBinaryData){.len = AUTH_QUERY_ID, .data = unconst_bytes(t->query_id)};
    m.host = wire_unconst(t->host);
    m.host_id = t->host_id && *t->host_id ? wire_unconst(t->host_id) : NULL;
    m.code = (uint32_t)s->code;
    m.message = s->message && *s->message ? wire_unconst(s->message) : NULL;
    m.rows = s->rows;
    m.has_hits = m.has_first_s = m.has_last_s = m.has_data_available = m.has_duration_ns = 1;
    m.hits = s->hits;
    m.totals = &totals;
    m.digest = (ProtobufCBinaryData){.len = AUTH_HASH, .data = unconst_bytes(t->digest)};
    m.stats = &stats;
    m.first_s = s->first_s;
    m.last_s = s->last_s;
    m.n_ifaces = s->n_ifaces;
    m.ifaces = unconst_list(s->ifaces);
    m.data_available = s->data_available;
    m.duration_ns = s->duration_ns;
    m.condition = s->condition && *s->condition ? wire_unconst(s->condition) : NULL;
    wire_pack(&m.base, body);
}

void wire_put_trailer(gp_buf *out, const void *body, size_t len, const uint8_t *signature,
                      const uint8_t *signer, const void *cert, size_t cert_len,
                      const char *const *path, size_t n_path)
{
    Fp__SignedTrailer m = FP__SIGNED_TRAILER__INIT;
    m.body = (ProtobufCBinaryData){.len = len, .data = unconst_bytes(body)};
    m.has_signature = m.has_signer = signature != NULL;
    m.signature =
        (ProtobufCBinaryData){.len = signature ? AUTH_SIG : 0, .data = unconst_bytes(signature)};
    m.signer =
        (ProtobufCBinaryData){.len = signature ? AUTH_SIGN_PK : 0, .data = unconst_bytes(signer)};
    m.has_certificate = signature != NULL && cert_len > 0;
    m.certificate = (ProtobufCBinaryData){.len = cert_len, .data = unconst_bytes(cert)};
    m.path = unconst_list(path);
    m.n_path = n_path;
    put_answer(out, FP__ANSWER__KIND_TRAILER, &m);
}
