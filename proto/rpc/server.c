/* server.c - listening: addresses, accepted streams, which local users may connect. */
#include "addr.h"
#include "gp/mem.h"
#include "internal.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Root, our user, our group as the peer's main group: decided without asking the name service. */
static int local_by_ids(const rpc_link *l)
{
    return l->peer_uid == 0 || l->peer_uid == (int64_t)geteuid() ||
           l->peer_gid == (int64_t)getegid();
}

/* Is our group among the peer user's other groups? May block in the name service. */
static int local_by_group(const rpc_link *l)
{
    char buf[4096];
    struct passwd pw, *found = NULL;
    gid_t groups[256], ours = getegid();
    int n = (int)GP_COUNT(groups);
    if (getpwuid_r((uid_t)l->peer_uid, &pw, buf, sizeof buf, &found) != 0 || !found)
        return 0;
    if (getgrouplist(pw.pw_name, pw.pw_gid, groups, &n) < 0)
        n = (int)GP_COUNT(groups);
    for (int i = 0; i < n; i++)
        if (groups[i] == ours)
            return 1;
    return 0;
}

static void check_then_start(void *arg)
{
    rpc_conn *c = arg;
    c->local_ok = local_by_group(c->link);
    rpc_conn_start(c);
    rpc_conn_unref(c);
}

void rpc_accept_link(rpc_listener *lis, rpc_link *l)
{
    rpc_runtime *rt = lis->rt;
    rpc_conn *c = NULL;
    atomic_fetch_add(&rt->stats.accepted, 1);
    pthread_mutex_lock(&rt->lock);
    int full = rt->n_accepted >= rt->o.max_conns;
    pthread_mutex_unlock(&rt->lock);
    if (full) { /* no words for it: a handshake costs more than this peer should get now */
        atomic_fetch_add(&rt->stats.refused, 1);
        atomic_fetch_add(&rt->stats.closed[0][RPC_RESOURCE_EXHAUSTED], 1);
        l->ops->close(l);
        l->ops->free(l);
        return;
    }
    if (rpc_conn_new(rt, l, lis, NULL, &c, NULL) != GP_OK) {
        atomic_fetch_add(&rt->stats.refused, 1);
        return;
    }
    c->local_ok = c->local && local_by_ids(l);
    if (c->local && !c->local_ok) {
        c->job.fn = check_then_start;
        c->job.arg = c;
        rpc_sched_run(rt->sched, &c->job); /* takes over our reference */
        return;
    }
    rpc_conn_start(c);
    rpc_conn_unref(c);
}

static void accepted(void *ctx, rpc_link *l)
{
    rpc_accept_link(ctx, l);
}

gp_status rpc_listen(rpc_runtime *rt, const char *addr, const rpc_method *methods, size_t n,
                     void *ctx, char *bound, size_t bound_cap, gp_err *err)
{
    const rpc_service s = {.methods = methods, .n_methods = n, .ctx = ctx};
    return rpc_listen_service(rt, addr, &s, bound, bound_cap, err);
}

gp_status rpc_listen_service(rpc_runtime *rt, const char *addr, const rpc_service *service,
                             char *bound, size_t bound_cap, gp_err *err)
{
    rpc_addr a;
    char text[MAX_ADDRS][RPC_ADDR_MAX];
    size_t n_addr = 0;
    GP_TRY(rpc_addr_parse(addr, 1, &a, err));
    GP_TRY(rpc_addr_resolve(&a, text, &n_addr, err));
    rpc_listener *lis = gp_calloc(1, sizeof *lis);
    if (!lis)
        return gp_fail(err, GP_ENOMEM, 0, "%s: out of memory", addr);
    *lis = (rpc_listener){.rt = rt,
                          .methods = service->methods,
                          .n_methods = service->n_methods,
                          .ctx = service->ctx,
                          .id = service->identity,
                          .local = a.ipc};
    pthread_mutex_lock(&rt->lock);
    lis->next = rt->listeners;
    rt->listeners = lis;
    pthread_mutex_unlock(&rt->lock);
    /* On failure the entry stays, without acceptor, until the runtime is freed. */
    return rpc_nng_listen(text[0], accepted, lis, bound, bound_cap, &lis->acceptor, err);
}
