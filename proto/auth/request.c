/* request.c - the rules a signed request must pass: clock window, time to live, replay. */
#include "auth/request.h"

/* A short time to live must not make clocks that differ within the rule fail. */
static int64_t last_of(int64_t issued_s, int64_t ttl_s)
{
    return issued_s + (ttl_s > AUTH_SKEW_S ? ttl_s : AUTH_SKEW_S);
}

gp_status auth_request_time(int64_t issued_s, int64_t ttl_s, int64_t now_s, gp_err *err)
{
    if (issued_s < 0 || issued_s > INT64_MAX - AUTH_MAX_TTL_S || ttl_s < 1 ||
        ttl_s > AUTH_MAX_TTL_S)
        return gp_fail(err, GP_EDENIED, 0, "request: time to live of %lld s; expected 1 to %d",
                       (long long)ttl_s, AUTH_MAX_TTL_S);
    if (issued_s > now_s + AUTH_SKEW_S)
        return gp_fail(err, GP_EDENIED, 0,
                       "request: signed %lld s in the future; check the clocks (accepted: %d s)",
                       (long long)(issued_s - now_s), AUTH_SKEW_S);
    int64_t last_s = last_of(issued_s, ttl_s);
    if (now_s > last_s)
        return gp_fail(err, GP_EDEADLINE, 0,
                       "request: expired %lld s ago, signed %lld s ago; check the clocks "
                       "(accepted: %d s)",
                       (long long)(now_s - last_s), (long long)(now_s - issued_s), AUTH_SKEW_S);
    return GP_OK;
}

gp_status auth_request_check(auth_replay *r, const uint8_t signer[AUTH_SIGN_PK],
                             const uint8_t id[AUTH_QUERY_ID], int64_t issued_s, int64_t ttl_s,
                             int64_t started_s, int64_t now_s, gp_err *err)
{
    GP_TRY(auth_request_time(issued_s, ttl_s, now_s, err));
    if (issued_s < started_s)
        return gp_fail(
            err, GP_EDENIED, 0,
            "request: signed before this process started, so it may be a replay; ask again");
    switch (auth_replay_add(r, signer, id, now_s, last_of(issued_s, ttl_s))) {
    case GP_OK:
        return GP_OK;
    case GP_EEXIST:
        return gp_fail(err, GP_EDENIED, 0, "request: seen before (replay)");
    default:
        return gp_fail(err, GP_ELIMIT, 0,
                       "request: too many requests are open here; try again in a minute");
    }
}
