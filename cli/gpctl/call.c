/* call.c - where the agent is, with which key, and calling it. */
#include "gpctl.h"

#include "gp/clock.h"
#include "gp/mem.h"
#include "rt/config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MS INT64_C(1000000)

struct gpctl_settings {
    rt_config *file;
};

/* ---- settings ---- */

/* ~/.gpctl.yaml if it is there (D-23: the tilde is expanded); a fresh string or NULL. */
static char *default_file(void)
{
    const char *home = getenv("HOME");
    char *path = home && *home ? gp_asprintf("%s/.gpctl.yaml", home) : NULL;
    if (path && access(path, F_OK) != 0) {
        gp_free(path);
        path = NULL;
    }
    return path;
}

static gp_status take(gpctl_opts *o, const cli_line *line, rt_config *c, gp_err *err)
{
    const struct {
        const char *key;
        const char **at;
    } texts[] = {{"server.addr", &o->server},
                 {"identity.key", &o->key},
                 {"identity.trusted_keys", &o->trust}};
    for (size_t i = 0; i < GP_COUNT(texts); i++)
        if (!cli_given(line, texts[i].key))
            GP_TRY(rt_config_str(c, texts[i].key, *texts[i].at, texts[i].at, err));
    if (cli_given(line, "timeout"))
        return GP_OK;
    return rt_config_duration(c, "timeout", o->timeout_ns, MS, INT64_MAX, &o->timeout_ns, err);
}

gp_status gpctl_settings_load(gpctl_opts *o, const cli_line *line, gpctl_settings **keep,
                              gp_err *err)
{
    GP_CLEANUP(gp_freep) char *found = *o->config ? NULL : default_file();
    const char *path = *o->config ? o->config : found;
    gpctl_settings *s = gp_calloc(1, sizeof *s);

    if (!s)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    *keep = s;
    if (path)
        GP_TRY(rt_config_load(path, &s->file, err));
    else
        GP_TRY(rt_config_new(&s->file, err));
    GP_TRY(rt_config_use_env(s->file, "GPCTL_", err));
    GP_TRY(take(o, line, s->file, err));
    if (!*o->server)
        return gp_fail(err, GP_EINVAL, 0,
                       "which agent? Give its address: --server.addr unix:/PATH or HOST:PORT");
    if (o->timeout_ns <= 0)
        return gp_fail(err, GP_EINVAL, 0, "--timeout: expected a time above 0");
    return GP_OK;
}

void gpctl_settings_free(gpctl_settings *s)
{
    if (!s)
        return;
    rt_config_free(s->file);
    gp_free(s);
}

/* ---- calls ---- */

static void say_retry(void *ctx, const char *why, int64_t pause_ms)
{
    (void)ctx;
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "gpctl: %s; trying again in %lld s\n", why, (long long)pause_ms / 1000);
}

gp_status gpctl_call(const gpctl_opts *o, const char *method, const gp_buf *req, remote_msg_fn fn,
                     void *ctx, gp_err *err)
{
    remote_keys keys = {0};
    gp_status st = remote_keys_load(o->key, o->trust, &keys, err);
    remote_opts r = {.addr = o->server,
                     .identity = keys.identity,
                     .trust = keys.trust,
                     .timeout_ms = o->timeout_ns / MS + (o->timeout_ns % MS > 0),
                     .pause_ms = 1000,
                     .on_retry = say_retry};

    if (st == GP_OK)
        st = remote_call(&r, method, req, fn, ctx, err);
    remote_keys_clear(&keys);
    return st;
}

static gp_status add_status(void *ctx, const uint8_t *data, size_t len, gp_err *err)
{
    return wire_status_decode(data, len, ctx, err);
}

gp_status gpctl_get_status(const gpctl_opts *o, const char *const *ifaces, size_t n,
                           wire_status_reply *out, gp_err *err)
{
    gp_buf req = {0};
    wire_put_control_request(&req, ifaces, n);
    gp_status st = gpctl_call(o, "status", &req, add_status, out, err);
    gp_buf_free(&req);
    if (st != GP_OK)
        wire_status_clear(out);
    return st;
}
