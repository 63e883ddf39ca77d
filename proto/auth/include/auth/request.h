/* request.h - user-signed query bodies, time window and replay cache, signed trailers. */
#ifndef AUTH_REQUEST_H
#define AUTH_REQUEST_H

#include "auth/keys.h"

enum {
    AUTH_SKEW_S = 60,      /* accepted clock difference, seconds */
    AUTH_MAX_TTL_S = 3600, /* longest time to live of a signed query */
    AUTH_QUERY_ID = 16     /* random bytes that name a query */
};

/* Ids already seen, kept until they expire. Bounded: GP_ELIMIT rather than forgetting a live id.
 * Locked inside. */
typedef struct auth_replay auth_replay;
gp_status auth_replay_new(size_t max_ids, auth_replay **out, gp_err *err) GP_MUST_CHECK;
void auth_replay_free(auth_replay *r);
/* GP_OK and remembered until expires_s, GP_EEXIST when seen before. A process that starts must
 * treat queries issued before its start as replays: see auth_request_check. */
gp_status auth_replay_add(auth_replay *r, const uint8_t signer[AUTH_SIGN_PK],
                          const uint8_t id[AUTH_QUERY_ID], int64_t now_s,
                          int64_t expires_s) GP_MUST_CHECK;

/* Clock and time to live alone: issued_s no more than 60 s ahead of now_s, not past its life, ttl_s
 * 1..AUTH_MAX_TTL_S. GP_EDENIED, GP_EDEADLINE when expired; the text says by how many seconds. */
gp_status auth_request_time(int64_t issued_s, int64_t ttl_s, int64_t now_s,
                            gp_err *err) GP_MUST_CHECK;
/* The rules for a signed body after its signature was verified: issued_s within +-60 s of now when
 * it is first seen or later but before issued_s + ttl_s, ttl_s <= AUTH_MAX_TTL_S, not issued before
 * started_s (start of this process; a restarted agent has an empty cache), not seen before.
 * GP_EDENIED with a text naming the rule; GP_EDEADLINE when expired. */
gp_status auth_request_check(auth_replay *r, const uint8_t signer[AUTH_SIGN_PK],
                             const uint8_t id[AUTH_QUERY_ID], int64_t issued_s, int64_t ttl_s,
                             int64_t started_s, int64_t now_s, gp_err *err) GP_MUST_CHECK;

/* Shell-style glob list match ("fw*,edge-?" ; "*" = all). */
int auth_glob_list_match(const char *globs, const char *name);
/* Is every name that the one list matches matched by the other, too? Sound, not complete: equal
 * globs, "prefix*" over anything that begins with that prefix, and any glob over a literal. */
int auth_globs_within(const char *inner, const char *outer);

/* What a key's roles and limits let its holder ask; GP_EDENIED with a text for him. A peer that the
 * local socket let in may all of it. */
/* Keys of users and gateways sign queries, others don't. */
gp_status auth_scope_signer(const auth_peer *who, gp_err *err) GP_MUST_CHECK;
/* Roles and longest span of a query over first_s..last_s (Unix seconds); live: of running
 * intervals, too. */
gp_status auth_scope_query(const auth_peer *who, int live, int64_t first_s, int64_t last_s,
                           int64_t now_s, gp_err *err) GP_MUST_CHECK;
/* A host known by any of n names. */
gp_status auth_scope_host(const auth_peer *who, const char *const *names, size_t n,
                          gp_err *err) GP_MUST_CHECK;

#endif
