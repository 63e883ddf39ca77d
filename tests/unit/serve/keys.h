/* keys.h - an agent and a user who trust each other, for tests of the services. */
#ifndef TESTS_SERVE_KEYS_H
#define TESTS_SERVE_KEYS_H

#include "auth/keys.h"
#include "test.h"

/* trust: what the agent knows of the user, with these options (NULL: the usual roles); client: what
 * the user knows. Each goes to its _free(). */
static inline void make_keys(const char *agent_name, const char *user_options,
                             auth_identity **agent, auth_identity **user, auth_trust **trust,
                             auth_trust **client)
{
    gp_buf b = {0};
    gp_err err = {0};

    want_ok(auth_identity_new(AUTH_KIND_AGENT, agent_name, agent, NULL));
    want_ok(auth_identity_new(AUTH_KIND_USER, "alice", user, NULL));
    auth_trust_entry(*user, user_options, &b);
    want_ok(auth_trust_new(trust, NULL));
    want_ok_err(&err, auth_trust_parse(*trust, gp_buf_str(&b), b.len, &err));
    gp_buf_clear(&b);
    auth_trust_entry(*agent, NULL, &b);
    want_ok(auth_trust_new(client, NULL));
    want_ok_err(&err, auth_trust_parse(*client, gp_buf_str(&b), b.len, &err));
    gp_buf_free(&b);
}

#endif
