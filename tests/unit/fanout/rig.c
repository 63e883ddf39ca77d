/* rig.c - an aggregator in the test's process, in front of simulated agents. */
#include "rig.h"

#include "gp/clock.h"
#include "wire/features.h"

#include <time.h>

void rig_start(rig *r, const auth_identity *id, auth_trust *trust, const gp_buf *table,
               const fanout_limits *limits)
{
    rig_start_older(r, id, trust, table, limits, 0);
}

void rig_start_older(rig *r, const auth_identity *id, auth_trust *trust, const gp_buf *table,
                     const fanout_limits *limits, uint32_t lacks)
{
    gp_err err = {0};
    fleet_table *t = NULL;
    resolver_set *rs = NULL;
    size_t n;
    *r = (rig){0};
    rpc_opts ro = {.identity = id,
                   .trust = trust,
                   .workers = 4,
                   .max_workers = 40,
                   .features = WIRE_FEATURES & ~lacks};
    want_ok_err(&err, rpc_runtime_new(&ro, &r->rt, &err));
    want_ok_err(&err, fleet_table_parse("endpoints", table->data, table->len, &t, &err));
    fleet_opts fo = {.rt = r->rt, .backoff_min_ms = 2, .backoff_max_ms = 20};
    want_ok_err(&err, fleet_new(&fo, t, &r->fleet, &err));
    want_ok_err(&err, resolver_set_new(NULL, 0, NULL, &rs, &err));
    fanout_opts o = {.fleet = r->fleet, .identity = id, .trust = trust};
    if (limits)
        o.limits = *limits;
    want_ok_err(&err, fanout_new(&o, rs, &r->fanout, &err));
    const rpc_method *m = fanout_methods(r->fanout, &n);
    want_ok_err(&err, rpc_listen(r->rt, "tcp://127.0.0.1:0", m, n, r->fanout, r->addr,
                                 sizeof r->addr, &err));
}

void rig_stop(rig *r)
{
    fanout_stop(r->fanout, 5000);
    fleet_stop(r->fleet);
    rpc_runtime_free(r->rt, 0);
    fleet_free(r->fleet);
    fanout_free(r->fanout);
    *r = (rig){0};
}

void rig_wait_connected(rig *r, unsigned n)
{
    unsigned c[FLEET_DISABLED + 1] = {0};
    for (int i = 0; i < 1000; i++) {
        fleet_counts(r->fleet, c);
        if (c[FLEET_CONNECTED] >= n)
            return;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    fail_msg("%u of %u hosts connected", c[FLEET_CONNECTED], n);
}

query_stmt *rig_prepare(const char *query, uint64_t limit, int merge_hosts)
{
    query_args a = {0};
    query_stmt *s = NULL;
    query_problems p = {0};
    gp_err err = {0};
    query_env env = {.now_s = gp_wall_s()};
    want_ok(query_args_init(&a));
    want_ok(query_args_set(&a.query, query));
    want_ok(query_args_set(&a.ifaces, "eth0"));
    a.num_results = limit;
    a.merge_hosts = merge_hosts;
    if (query_prepare(&a, &env, &s, &p, &err) != GP_OK)
        fail_msg("%s: %s", query, p.n ? p.v[0].message : err.msg);
    query_args_clear(&a);
    return s;
}

remote_opts rig_client(const rig *r, sim *s)
{
    return (remote_opts){.addr = r->addr,
                         .identity = sim_user(s),
                         .trust = sim_trust(s),
                         .hosts = "any",
                         .timeout_ms = 30000};
}

const result_host_status *rig_status(const result *r, const char *host)
{
    const result_host_status *s = result_find_host_status(r, host);
    if (!s)
        fail_msg("no status of %s", host);
    return s;
}

result rig_ask(const remote_opts *o, const query_stmt *stmt)
{
    result r = {0};
    gp_err err = {0};
    if (remote_query(stmt, o, &r, &err) != GP_OK)
        fail_msg("%s", err.msg);
    return r;
}

void rig_fleet_up(rig_fleet *f, const sim_opts *so, const fanout_limits *limits, const char *more)
{
    gp_buf table = {0};
    gp_err err = {0};
    want_ok_err(&err, sim_new(so, &f->s, &err));
    sim_endpoints(f->s, 0, &table);
    gp_buf_adds(&table, more);
    rig_start(&f->r, sim_aggregator(f->s), sim_trust(f->s), &table, limits);
    rig_wait_connected(&f->r, (unsigned)so->n);
    gp_buf_free(&table);
}

void rig_fleet_down(rig_fleet *f)
{
    rig_stop(&f->r);
    sim_free(f->s);
}

static void *query_main(void *arg)
{
    rig_query *q = arg;
    result res = {0};
    q->st = remote_query(q->stmt, &q->o, &res, &q->err);
    q->hits = res.hits_total;
    result_clear(&res);
    return NULL;
}

void rig_query_start(rig_query *q, const remote_opts *o, const query_stmt *stmt)
{
    *q = (rig_query){.o = *o, .stmt = stmt, .cancel = GP_CANCEL_INIT};
    q->o.cancel = &q->cancel;
    assert_int_equal(pthread_create(&q->t, NULL, query_main, q), 0);
}

void rig_query_wait(rig_query *q)
{
    assert_int_equal(pthread_join(q->t, NULL), 0);
}
