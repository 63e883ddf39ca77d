/* verify.c - every batch against what its host signed, and the rows against all of them.
 *
 * An aggregator that is asked for evidence passes the batches of each host on as they came, in
 * front of the host's trailer. They are merged here once more; what the aggregator made of them
 * must be the same, row by row. */
#include "remote_int.h"

#include <string.h>

enum { PART_STRINGS = 16 * 1024 * 1024, EVIDENCE_MAX = 1 << 30, MERGE_MAX = 1 << 30 };

gp_status remote_verify_batch(answer *a, const uint8_t *batch, size_t len, gp_err *err)
{
    uint8_t n[4];
    a->evidence.limit = EVIDENCE_MAX;
    gp_put_le32(n, (uint32_t)len);
    gp_buf_add(&a->evidence, n, sizeof n);
    gp_buf_add(&a->evidence, batch, len);
    return a->evidence.failed ? gp_fail(err, GP_ELIMIT, 0, "verify: more than %d MiB of one host",
                                        EVIDENCE_MAX >> 20)
                              : GP_OK;
}

/* Decode the batches that came, as rows of this host, into part; digest: over their bytes. */
static gp_status decode(answer *a, const char *name, const char *id, result *part,
                        uint8_t digest[AUTH_HASH], gp_err *err)
{
    auth_digest d;
    size_t at = 0;
    gp_status st = GP_OK;
    auth_digest_init(&d);
    while (st == GP_OK && at < a->evidence.len) {
        const uint8_t *p = a->evidence.data + at + 4;
        size_t len = gp_le32(a->evidence.data + at);
        wire_digest_batch(&d, p, len);
        st = wire_batch_decode(a->dec, p, len, name, id, part, err);
        at += 4 + len;
    }
    auth_digest_final(&d, digest);
    return st;
}

gp_status remote_verify_host(answer *a, const char *name, const wire_trailer *t, gp_err *err)
{
    uint8_t digest[AUTH_HASH];
    result part = {0};
    gp_status st =
        a->merger ? GP_OK
                  : result_merger_new(a->stmt, a->stmt->merge_hosts, MERGE_MAX, &a->merger, err);
    if (st == GP_OK)
        st = result_init(&part, PART_STRINGS, err);
    part.fields = a->stmt->fields;
    if (st == GP_OK)
        st = decode(a, name, t->host_id, &part, digest, err);
    if (st == GP_OK &&
        (!auth_equal(digest, t->digest, sizeof digest) || part.n_rows != t->sum.rows))
        st = gp_fail(err, GP_ECORRUPT, 0,
                     "verify: the batches of host %s are not those that it signed", name);
    if (st == GP_OK)
        st = result_merger_add(a->merger, &part, err);
    a->n_verified += st == GP_OK;
    result_clear(&part);
    gp_buf_clear(&a->evidence);
    return st;
}

static int same_row(const result *x, const result_row *a, const result *y, const result_row *b)
{
    return a->time_s == b->time_s && a->sip_family == b->sip_family &&
           a->dip_family == b->dip_family && memcmp(a->sip, b->sip, sizeof a->sip) == 0 &&
           memcmp(a->dip, b->dip, sizeof a->dip) == 0 && a->dport == b->dport &&
           a->proto == b->proto && a->c.bytes_rcvd == b->c.bytes_rcvd &&
           a->c.bytes_sent == b->c.bytes_sent && a->c.pkts_rcvd == b->c.pkts_rcvd &&
           a->c.pkts_sent == b->c.pkts_sent &&
           strcmp(x->hosts[a->host].name, y->hosts[b->host].name) == 0 &&
           strcmp(x->hosts[a->host].id, y->hosts[b->host].id) == 0 &&
           strcmp(x->names[a->iface], y->names[b->iface]) == 0;
}

gp_status remote_verify_rows(answer *a, gp_err *err)
{
    result own = {0};
    gp_status st = GP_OK;
    if (a->n_verified != a->n_trailers || a->evidence.len)
        return gp_fail(err, GP_ECORRUPT, 0,
                       "verify: batches of %zu of %zu hosts came; the server does not pass them on",
                       a->n_verified, a->n_trailers);
    if (a->n_trailers == 0)
        return a->out->n_rows ? gp_fail(err, GP_ECORRUPT, 0, "verify: rows that no host signed")
                              : GP_OK;
    GP_TRY(result_merger_get(a->merger, a->stmt->limit, &own, err));
    if (own.n_rows != a->out->n_rows)
        st = gp_fail(err, GP_ECORRUPT, 0, "verify: %zu rows came, the hosts' batches make %zu",
                     a->out->n_rows, own.n_rows);
    for (size_t i = 0; st == GP_OK && i < own.n_rows; i++)
        if (!same_row(a->out, &a->out->rows[i], &own, &own.rows[i]))
            st = gp_fail(err, GP_ECORRUPT, 0, "verify: row %zu is not what the hosts' batches make",
                         i + 1);
    result_clear(&own);
    return st;
}
