/* session.c - a connection for one question. */
#include "remote_int.h"

#include "gp/mem.h"
#include "wire/features.h"

#include <string.h>

enum { DIAL_MS = 10000 };

static gp_status check_keys(const session *s, gp_err *err)
{
    if (s->local || (s->o->identity && s->o->trust))
        return GP_OK;
    return gp_fail(err, GP_EINVAL, 0,
                   "a key and a list of trusted keys are needed to ask a server over TCP "
                   "(--identity.key FILE, "
                   "--identity.trusted_keys FILE; see gpkey)");
}

/* The address stands before the text already, in the form that the user gave it. */
static void drop_address(const char *addr, gp_err *err)
{
    size_t n = strlen(addr);
    if (err && strncmp(err->msg, addr, n) == 0 && strncmp(err->msg + n, ": ", 2) == 0)
        memmove(err->msg, err->msg + n + 2, strlen(err->msg + n + 2) + 1);
}

gp_status remote_session_open(const remote_opts *o, session *s, gp_err *err)
{
    char *addr = NULL;
    *s = (session){.o = o};
    GP_TRY(rpc_address(o->addr, 0, &addr, err));
    s->local = strncmp(addr, "ipc://", 6) == 0;
    s->deadline = gp_deadline_in_ms(o->timeout_ms > 0 ? o->timeout_ms : REMOTE_DEFAULT_TIMEOUT_MS);
    gp_deadline dial = gp_deadline_in_ms(DIAL_MS);
    rpc_opts ro = {
        .workers = 1, .identity = o->identity, .trust = o->trust, .features = WIRE_FEATURES};
    rpc_dial_opts d = {.addr = addr, .deadline = dial < s->deadline ? dial : s->deadline};
    gp_status st = check_keys(s, err);
    if (st == GP_OK)
        st = rpc_runtime_new(&ro, &s->rt, err);
    if (st == GP_OK)
        st = rpc_dial(s->rt, &d, &s->conn, err);
    if (st != GP_OK)
        drop_address(addr, err);
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
