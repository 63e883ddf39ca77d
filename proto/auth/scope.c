/* scope.c - what the roles and limits of a key let its holder ask; agents and aggregators judge by
 * the same rules. */
#include "auth/request.h"

/* Limits bind keys; on the socket its owner and mode decided. */
static int by_key(const auth_peer *who)
{
    return who->local_uid < 0;
}

gp_status auth_scope_signer(const auth_peer *who, gp_err *err)
{
    if (who->kind == AUTH_KIND_USER || who->kind == AUTH_KIND_GATEWAY)
        return GP_OK;
    return gp_fail(err, GP_EDENIED, 0, "queries must be signed by a user or gateway key");
}

gp_status auth_scope_query(const auth_peer *who, int live, int64_t first_s, int64_t last_s,
                           int64_t now_s, gp_err *err)
{
    int64_t span;
    if (!by_key(who))
        return GP_OK;
    if (!(who->roles & AUTH_ROLE_QUERY))
        return gp_fail(err, GP_EDENIED, 0, "the user's key has no role \"query\"");
    if (live && !(who->roles & AUTH_ROLE_LIVE))
        return gp_fail(err, GP_EDENIED, 0, "the user's key has no role \"live\"");
    if (last_s > now_s)
        last_s = now_s;
    if (who->max_span_s > 0 &&
        (__builtin_sub_overflow(last_s, first_s, &span) || span > who->max_span_s))
        return gp_fail(err, GP_EDENIED, 0, "the user's key allows time ranges of at most %lld s",
                       (long long)who->max_span_s);
    return GP_OK;
}

gp_status auth_scope_host(const auth_peer *who, const char *const *names, size_t n, gp_err *err)
{
    int ok = !by_key(who);
    for (size_t i = 0; i < n && !ok; i++)
        ok = auth_glob_list_match(who->host_globs, names[i]);
    return ok ? GP_OK
              : gp_fail(err, GP_EDENIED, 0, "the user's key is not allowed to ask this host");
}
