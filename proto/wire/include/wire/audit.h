/* audit.h - queries as lines of an audit log, the same at agents and aggregators. */
#ifndef WIRE_AUDIT_H
#define WIRE_AUDIT_H

#include "auth/audit.h"
#include "wire/query.h"

/* A query was taken ("query"), or with code not NULL refused ("denied"). peer: the connection; who:
 * the signer, of kind none when unknown; q may be empty as far as it was not decoded. */
void wire_audit_query(auth_audit *log, const auth_peer *peer, const auth_peer *who,
                      const wire_query *q, const char *code, const char *why);

/* How a query that was taken ended. hosts_*: at an aggregator, else 0. */
typedef struct wire_audit_end {
    const char *status; /* "ok", "DEADLINE_EXCEEDED", ... */
    const char *why;    /* text for a person; "" = none */
    uint64_t rows;
    uint64_t hosts_ok, hosts_failed;
    int64_t took_ns;
} wire_audit_end;
void wire_audit_answer(auth_audit *log, const auth_peer *who, const wire_query *q,
                       const wire_audit_end *end);

/* Something changed the configuration ("SIGHUP", "file", or who asked for it). error NULL: done. */
void wire_audit_config(auth_audit *log, const char *by, const char *what, const char *error);

#endif
