/* audit.c - the fields of audit lines about queries and configuration. */
#include "wire/audit.h"

#include "gp/num.h"

#include <string.h>

enum { MAX_FIELDS = 20 };

typedef struct fields {
    auth_audit_field v[MAX_FIELDS + 1];
    size_t n;
} fields;

static void text(fields *f, const char *key, const char *s)
{
    if (s && *s && f->n < MAX_FIELDS)
        f->v[f->n++] = auth_audit_text(key, s);
}

static void number(fields *f, const char *key, int64_t i)
{
    if (f->n < MAX_FIELDS)
        f->v[f->n++] = auth_audit_number(key, i);
}

void wire_audit_query(auth_audit *log, const auth_peer *peer, const auth_peer *who,
                      const wire_query *q, const char *code, const char *why)
{
    char id[2 * AUTH_QUERY_ID + 1], key[2 * AUTH_SIGN_PK + 1];
    fields f = {0};
    if (!log)
        return;
    if (q->first_s || q->last_s || q->issued_s) { /* decoded */
        gp_hex(q->id, sizeof q->id, id);
        text(&f, "id", id);
    }
    text(&f, "peer", peer->name);
    text(&f, "peer_kind", auth_kind_name(peer->kind));
    if (peer->local_uid >= 0)
        number(&f, "uid", peer->local_uid);
    if (who->kind != AUTH_KIND_NONE) {
        text(&f, "user", who->name);
        gp_hex(who->sign_pk, AUTH_SIGN_PK, key);
        if (who->local_uid < 0)
            text(&f, "key", key);
    }
    text(&f, "hosts", q->hosts);
    text(&f, "query", q->args.query);
    text(&f, "ifaces", q->args.ifaces);
    text(&f, "condition", q->args.condition);
    if (q->first_s || q->last_s) {
        number(&f, "first", q->first_s);
        number(&f, "last", q->last_s);
    }
    if (q->args.live)
        number(&f, "live", 1);
    text(&f, "code", code);
    text(&f, "why", why);
    if (code)
        auth_audit_refused(log, "denied", f.v);
    else
        auth_audit_add(log, "query", f.v);
}

void wire_audit_answer(auth_audit *log, const auth_peer *who, const wire_query *q,
                       const wire_audit_end *end)
{
    char id[2 * AUTH_QUERY_ID + 1];
    fields f = {0};
    if (!log)
        return;
    gp_hex(q->id, sizeof q->id, id);
    text(&f, "id", id);
    text(&f, "user", who->name);
    text(&f, "status", end->status);
    text(&f, "why", end->why);
    number(&f, "rows", (int64_t)end->rows);
    if (end->hosts_ok + end->hosts_failed) {
        number(&f, "hosts_ok", (int64_t)end->hosts_ok);
        number(&f, "hosts_failed", (int64_t)end->hosts_failed);
    }
    number(&f, "took_us", end->took_ns / 1000);
    auth_audit_add(log, "answer", f.v);
}

void wire_audit_config(auth_audit *log, const char *by, const char *what, const char *error)
{
    fields f = {0};
    text(&f, "by", by);
    text(&f, "what", what);
    text(&f, "status", error ? "failed" : "ok");
    text(&f, "why", error);
    auth_audit_add(log, "config", f.v);
}
