/* remote.h - ask an aggregator or an agent: sign, send, collect, check what every host signed. */
#ifndef REMOTE_REMOTE_H
#define REMOTE_REMOTE_H

#include "auth/keys.h"
#include "gp/clock.h"
#include "gp/err.h"
#include "query/stmt.h"
#include "result/result.h"
#include "wire/answer.h"
#include "wire/info.h"

typedef struct remote_opts {
    const char *addr; /* tcp://host:port, host:port, ipc:///path, unix:/path */
    const auth_identity
        *identity;        /* of kind user; NULL: unsigned, for the agent of this machine only */
    auth_trust *trust;    /* servers and agents; NULL: for the agent of this machine only */
    const char *hosts;    /* selector, e.g. "any,!fw3"; may be NULL when asking an agent */
    const char *resolver; /* "": the server's own; NULL: not said, agents take it for string */
    const char *fleet;    /* NULL or "" = not said */
    int64_t timeout_ms;   /* of the whole call; 0 = 30 min */
    int64_t max_wait_ms;  /* for hosts; 0 = the server's limit */
    int verify;           /* check every batch of every host, not only totals; costs its transfer */
    unsigned min_hosts;   /* fewer answering hosts are an error */
    int64_t pause_ms;     /* before a server that is down or busy is asked a second time; twice and
                           * four times that before the third and fourth; 0 = ask once */
    gp_cancel *cancel;    /* may be NULL; looked at every 100 ms */
    /* All optional; called from the calling thread while the query runs. */
    void (*on_progress)(void *ctx, const wire_progress *p);
    void (*on_host)(void *ctx, const char *host, result_code code, const char *message);
    void (*on_retry)(void *ctx, const char *why, int64_t pause_ms); /* before the pause */
    void (*on_partial)(void *ctx, const result *so_far, unsigned hosts_done, unsigned hosts_total);
    void *ctx;
} remote_opts;

/* A user's key and whom it trusts; either may be NULL, which is fine for the agent of this machine.
 */
typedef struct remote_keys {
    auth_identity *identity;
    auth_trust *trust;
} remote_keys;
/* Load the named files, or ("") what lies in the usual places: $XDG_CONFIG_HOME/fleetprobe/ or
 * ~/.config/fleetprobe/, files user.key and trusted_keys. A file that was named must be there.
 * *out starts as {0} and goes to remote_keys_clear() in any case. */
gp_status remote_keys_load(const char *key, const char *trust, remote_keys *out,
                           gp_err *err) GP_MUST_CHECK;
void remote_keys_clear(remote_keys *k);

/* Call a method whose messages the caller understands (wire/control.h): each one goes to fn. Of o
 * only address, keys, time-out and retries are used. A call that may have begun is not repeated. */
typedef gp_status (*remote_msg_fn)(void *ctx, const uint8_t *data, size_t len, gp_err *err);
gp_status remote_call(const remote_opts *o, const char *method, const gp_buf *req, remote_msg_fn fn,
                      void *ctx, gp_err *err) GP_MUST_CHECK;

/* Run the statement there. *out: initialised and filled here: rows sorted (5.5) and cut to the
 * statement's limit, host statuses, summary; labels of hosts come from their trusted names. Hosts
 * that failed are statuses, not errors. Fails with GP_EDENIED (not trusted, not allowed),
 * GP_EUNAVAILABLE, GP_ELIMIT (an argument is longer than can be sent), GP_EDEADLINE, GP_ECANCELLED,
 * GP_EINVAL (the server says the query is wrong), GP_ECORRUPT when the answer is not what the hosts
 * signed: nothing of it is used then. */
gp_status remote_query(const query_stmt *s, const remote_opts *o, result *out,
                       gp_err *err) GP_MUST_CHECK;

/* What the selector o->hosts means there, with health. Free with wire_hosts_free(). */
gp_status remote_hosts(const remote_opts *o, wire_host_info **out, size_t *n, void **owner,
                       gp_err *err) GP_MUST_CHECK;

#endif
