/* server.c - a statement through a query server: keys, the signed call, progress. */
#include "server.h"

#include "gp/mem.h"
#include "rt/log.h"
#include "run.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- keys ---- */

/* <configuration directory>/fleetprobe/<name> if it can be read, else NULL; a fresh string. */
static char *usual_place(const char *name)
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    char *path = NULL;
    if (xdg && *xdg == '/')
        path = gp_asprintf("%s/fleetprobe/%s", xdg, name);
    else if (home && *home == '/')
        path = gp_asprintf("%s/.config/fleetprobe/%s", home, name);
    if (path && access(path, R_OK) != 0) {
        gp_free(path);
        path = NULL;
    }
    return path;
}

/* trusted_keys in the directory of the key file, if it can be read; a fresh string. */
static char *beside(const char *key)
{
    const char *slash = strrchr(key, '/');
    int dir = slash ? (int)(slash - key) + 1 : 0;
    char *path = gp_asprintf("%.*strusted_keys", dir, key);
    if (path && access(path, R_OK) != 0) {
        gp_free(path);
        path = NULL;
    }
    return path;
}

gp_status goquery_server_open(const goquery_opts *o, goquery_server *s, gp_err *err)
{
    GP_CLEANUP(gp_freep) char *found_key = NULL;
    GP_CLEANUP(gp_freep) char *found_trust = NULL;
    const char *key = o->identity_key, *trust = o->trusted_keys;
    if (!*key)
        key = found_key = usual_place("user.key");
    if (!*trust)
        trust = found_trust = key ? beside(key) : usual_place("trusted_keys");
    if (key)
        GP_TRY(auth_identity_load(key, &s->identity, err));
    if (trust) {
        GP_TRY(auth_trust_new(&s->trust, err));
        GP_TRY(auth_trust_load(s->trust, trust, err));
    }
    s->r = (remote_opts){
        .addr = o->server_addr,
        .identity = s->identity,
        .trust = s->trust,
        .hosts = o->hosts,
        .resolver = o->hosts_resolver,
        .fleet = o->fleet,
        .timeout_ms = (o->timeout_ns + 999999) / 1000000,
        .max_wait_ms = (o->max_wait_ns + 999999) / 1000000,
        .verify = o->verify,
        .min_hosts = o->min_hosts > UINT32_MAX ? UINT32_MAX : (unsigned)o->min_hosts,
    };
    return GP_OK;
}

void goquery_server_close(goquery_server *s)
{
    auth_trust_free(s->trust);
    auth_identity_free(s->identity);
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
        r->on_progress = on_progress;
        r->on_partial = o->streaming ? on_partial : NULL;
        r->ctx = progress;
        st = remote_query(s, r, out, err);
    }
    goquery_server_close(&server);
    return st;
}
