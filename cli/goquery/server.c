/* server.c - a statement through a query server: keys, the signed call, progress. */
#include "server.h"

#include "rt/log.h"
#include "run.h"

#include <stdio.h>
#include <unistd.h>

enum { FIRST_PAUSE_MS = 1000 };

static int64_t whole_ms(int64_t ns)
{
    return ns / 1000000 + (ns % 1000000 > 0);
}

static void on_retry(void *ctx, const char *why, int64_t pause_ms)
{
    (void)ctx;
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "%s; trying again in %lld s\n", why, (long long)pause_ms / 1000);
}

gp_status goquery_server_open(const goquery_opts *o, goquery_server *s, gp_err *err)
{
    GP_TRY(remote_keys_load(o->identity_key, o->trusted_keys, &s->keys, err));
    s->r = (remote_opts){
        .addr = o->server_addr,
        .identity = s->keys.identity,
        .trust = s->keys.trust,
        .hosts = o->hosts,
        .resolver = o->hosts_resolver,
        .fleet = o->fleet,
        .timeout_ms = whole_ms(o->timeout_ns),
        .max_wait_ms = whole_ms(o->max_wait_ns),
        .verify = o->verify,
        .pause_ms = o->no_retry || o->streaming ? 0 : FIRST_PAUSE_MS, /* 2.7 */
        .on_retry = on_retry,
        .min_hosts = (unsigned)o->min_hosts, /* checked by goquery_query() */
    };
    return GP_OK;
}

void goquery_server_close(goquery_server *s)
{
    remote_keys_clear(&s->keys);
    *s = (goquery_server){0};
}

/* ---- the query ---- */

static void on_progress(void *ctx, const wire_progress *p)
{
    goquery_progress_tell(ctx, &(goquery_work){.blocks_done = p->blocks_done,
                                               .blocks_total = p->blocks_total,
                                               .rows = p->rows,
                                               .hosts_done = p->hosts_done,
                                               .hosts_total = p->hosts_total});
}

static void on_partial(void *ctx, const result *so_far, unsigned done, unsigned total)
{
    (void)ctx;
    rt_info("partial result", RT_U("rows", so_far->n_rows), RT_U("hosts_done", done),
            RT_U("hosts_total", total));
}

gp_status cli_run_server(const goquery_opts *o, const query_stmt *s, gp_cancel *cancel,
                         goquery_progress *progress, result *out, gp_err *err)
{
    goquery_server server = {0};
    gp_status st = goquery_server_open(o, &server, err);
    if (st == GP_OK) {
        remote_opts *r = &server.r;
        r->hosts = s->args.query_hosts; /* a stored query may have said it */
        r->resolver = s->args.hosts_resolver;
        r->cancel = cancel;
        if (cancel->deadline != GP_NEVER) { /* names may have taken their part of it */
            int64_t left = gp_deadline_left_ms(cancel->deadline);
            r->timeout_ms = left > 0 ? left : 1; /* 0 is none */
        }
        r->on_progress = on_progress;
        r->on_partial = o->streaming ? on_partial : NULL;
        r->ctx = progress;
        st = remote_query(s, r, out, err);
    }
    goquery_server_close(&server);
    return st;
}
