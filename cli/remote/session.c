/* session.c - a connection for one question. */
#include "remote_int.h"

#include "gp/mem.h"
#include "wire/features.h"

#include <string.h>

enum { DIAL_MS = 10000, DEFAULT_TIMEOUT_MS = 30 * 60 * 1000 };

static int starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* Address forms of query.md 2.7 and ours; a fresh string. */
static gp_status normal_addr(const char *addr, char **out, gp_err *err)
{
    if (starts(addr, "http://") || starts(addr, "https://"))
        return gp_fail(err, GP_EINVAL, 0,
                       "%s: HTTP is not spoken here, expected host:port, tcp://host:port or "
                       "unix:/path",
                       addr);
    if (starts(addr, "tcp://") || starts(addr, "ipc://"))
        *out = gp_strdup(addr);
    else if (starts(addr, "unix:"))
        *out = gp_asprintf("ipc://%s", addr + 5);
    else if (strrchr(addr, ':'))
        *out = gp_asprintf("tcp://%s", addr);
    else
        return gp_fail(err, GP_EINVAL, 0,
                       "\"%s\": expected host:port, tcp://host:port or unix:/path", addr);
    return *out ? GP_OK : gp_fail(err, GP_ENOMEM, 0, "out of memory");
}

static gp_status check_keys(const session *s, gp_err *err)
{
    if (s->local || (s->o->identity && s->o->trust))
        return GP_OK;
    return gp_fail(err, GP_EINVAL, 0,
                   "a key and a list of trusted keys are needed to ask a server over TCP "
                   "(--identity.key FILE, "
                   "--identity.trusted_keys FILE; see gpkey)");
}

gp_status remote_session_open(const remote_opts *o, session *s, gp_err *err)
{
    char *addr = NULL;
    *s = (session){.o = o};
    GP_TRY(normal_addr(o->addr, &addr, err));
    s->local = starts(addr, "ipc://");
    s->deadline = gp_deadline_in_ms(o->timeout_ms > 0 ? o->timeout_ms : DEFAULT_TIMEOUT_MS);
    gp_deadline dial = gp_deadline_in_ms(DIAL_MS);
    rpc_opts ro = {
        .workers = 1, .identity = o->identity, .trust = o->trust, .features = WIRE_FEATURES};
    rpc_dial_opts d = {.addr = addr, .deadline = dial < s->deadline ? dial : s->deadline};
    gp_status st = check_keys(s, err);
    if (st == GP_OK)
        st = rpc_runtime_new(&ro, &s->rt, err);
    if (st == GP_OK)
        st = rpc_dial(s->rt, &d, &s->conn, err);
    gp_free(addr);
    if (st != GP_OK) {
        remote_session_close(s);
        return gp_fail_context(err, st, "%s", o->addr);
    }
    return GP_OK;
}

void remote_session_close(session *s)
{
    rpc_conn_close(s->conn);
    rpc_runtime_free(s->rt, 0);
    *s = (session){0};
}
