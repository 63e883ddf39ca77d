/* query.h - what a user asks, between the statement, the signed bytes and the agent that runs it.
 */
#ifndef WIRE_QUERY_H
#define WIRE_QUERY_H

#include "auth/cert.h"
#include "auth/keys.h"
#include "auth/request.h"
#include "gp/bytes.h"
#include "gp/err.h"
#include "query/stmt.h"
#include "wire/limits.h"

#define WIRE_SIGN_QUERY   "query" /* type prefixes of auth_sign() */
#define WIRE_SIGN_TRAILER "trailer"

/* QueryBody of fleet.proto. Zero-initialise; strings are owned (gp_alloc), NULL = "". */
typedef struct wire_query {
    uint8_t id[AUTH_QUERY_ID];
    int64_t issued_s; /* Unix seconds */
    uint32_t ttl_s;
    char *fleet;     /* "" = any */
    char *hosts;     /* selector as typed */
    char *resolver;  /* "" = string */
    char **resolved; /* hosts behind a selector that agents can't evaluate */
    size_t n_resolved;
    int64_t first_s, last_s; /* both included */
    int64_t max_wait_ms;     /* 0 = the aggregator's own limit */
    uint32_t min_hosts;
    uint32_t protocol;
    query_args args; /* without hosts and times, which are above */
} wire_query;
void wire_query_clear(wire_query *q);

/* Can the statement be sent at all? GP_ELIMIT names the argument that is too long or holds control
 * characters. For clients, before they connect. */
gp_status wire_stmt_check(const query_stmt *s, gp_err *err) GP_MUST_CHECK;

/* From a prepared statement: absolute times, names in conditions already addresses, bins resolved.
 * Takes a fresh random id and issued_s = now_s. selector, resolver, fleet may be NULL. */
gp_status wire_query_from_stmt(const query_stmt *s, const char *selector, const char *resolver,
                               const char *fleet, int64_t now_s, uint32_t ttl_s, wire_query *out,
                               gp_err *err) GP_MUST_CHECK;
/* Check everything again and prepare for the engine or the merger. GP_EINVAL with the list of
 * problems as one line. */
gp_status wire_query_to_stmt(const wire_query *q, int64_t now_s, query_stmt **out,
                             gp_err *err) GP_MUST_CHECK;

/* Append the exact bytes that get signed. */
gp_status wire_query_encode(const wire_query *q, gp_buf *out, gp_err *err) GP_MUST_CHECK;
/* GP_ECORRUPT for anything malformed or above the limits; *out is then empty. */
gp_status wire_query_decode(const void *bytes, size_t len, wire_query *out,
                            gp_err *err) GP_MUST_CHECK;

/* SignedRequest of fleet.proto. Zero-initialise. */
typedef struct wire_request {
    gp_buf body;
    int has_signature;
    uint8_t signature[AUTH_SIG], signer[AUTH_SIGN_PK];
    gp_buf cert;                    /* packed chain of the signer (auth_chain_pack); empty = none */
    uint8_t via[WIRE_MAX_HOPS][16]; /* aggregators passed */
    size_t n_via;
    int partials;  /* the caller wants snapshots */
    int evidence;  /* the caller wants every batch as its host signed it */
    char *targets; /* part of the selector for this aggregator; owned; NULL = all of it */
} wire_request;
void wire_request_clear(wire_request *r);
/* Sign r->body. */
void wire_request_sign(wire_request *r, const auth_identity *id);
gp_status wire_request_encode(const wire_request *r, gp_buf *out, gp_err *err) GP_MUST_CHECK;
gp_status wire_request_decode(const void *bytes, size_t len, wire_request *out,
                              gp_err *err) GP_MUST_CHECK;

#endif
