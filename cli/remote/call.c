/* call.c - one call whose messages the caller understands. */
#include "remote_int.h"

#include <string.h>

/* Not every server has every method: say which one would, not which one is missing. */
static gp_status not_there(const session *s, const char *method, gp_err *err)
{
    if (strcmp(method, "hosts") == 0)
        return gp_fail(err, GP_EUNSUPPORTED, 0,
                       "%s is an agent, which knows no other hosts: ask a query server "
                       "(global-query)",
                       s->o->addr);
    return gp_fail(err, GP_EUNSUPPORTED, 0,
                   "%s does not capture (it is goprobe serve or global-query): ask an agent that "
                   "does",
                   s->o->addr);
}

static gp_status final_status(const session *s, const char *method, const rpc_event *ev,
                              gp_err *err)
{
    if (ev->code == RPC_OK)
        return GP_OK;
    if (ev->code == RPC_UNIMPLEMENTED)
        return not_there(s, method, err);
    return gp_fail(err, rpc_code_to_status(ev->code), 0, "%s",
                   ev->text && *ev->text ? ev->text : rpc_code_name(ev->code));
}

gp_status remote_session_call(session *s, const char *method, const gp_buf *req, remote_msg_fn fn,
                              void *ctx, gp_err *err)
{
    rpc_call *call = NULL;
    rpc_event ev = {0};
    if (req->failed)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    GP_TRY(
        rpc_call_start(s->conn, method, req->data, req->len, s->deadline, NULL, NULL, &call, err));
    gp_status st = GP_OK;
    size_t n = 0;
    for (;
         st == GP_OK && (st = rpc_call_recv(call, -1, &ev, err)) == GP_OK && ev.kind == RPC_EV_MSG;
         n++)
        st = fn(ctx, ev.data, ev.len, err);
    if (st == GP_OK) {
        st = final_status(s, method, &ev, err);
        s->refused = ev.code == RPC_RESOURCE_EXHAUSTED && n == 0;
    }
    rpc_call_free(call);
    return st;
}

struct any_call {
    const char *method;
    const gp_buf *req;
    remote_msg_fn fn;
    void *ctx;
};

static gp_status ask(session *s, void *ctx, gp_err *err)
{
    const struct any_call *c = ctx;
    return remote_session_call(s, c->method, c->req, c->fn, c->ctx, err);
}

gp_status remote_call(const remote_opts *o, const char *method, const gp_buf *req, remote_msg_fn fn,
                      void *ctx, gp_err *err)
{
    struct any_call c = {method, req, fn, ctx};
    return remote_ask(o, ask, &c, err);
}
