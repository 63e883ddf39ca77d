/* control.c - the control methods of a running agent: status, settings, changes, flush.
 *
 * The RPC layer has checked the role (docs/security.md); here: does the key's scope cover this host
 * and these interfaces? On ipc:// the socket decides who gets in at all.
 */
#include "serve_int.h"

#include "gp/clock.h"
#include "gp/mem.h"
#include "rt/log.h"
#include "wire/audit.h"
#include "wire/control.h"

#include <stdio.h>
#include <string.h>

enum { FLUSH_MS = 60000, REQUEST_BYTES = 64 * 1024 };

/* ---- who may ---- */

static int covers_host(const serve *s, const auth_peer *p)
{
    int ok = p->local_uid >= 0 || p->kind == AUTH_KIND_AGGREGATOR;
    for (size_t i = 0; i < s->n_names && !ok; i++)
        ok = auth_glob_list_match(p->host_globs, s->names[i]);
    return ok;
}

static int covers_iface(const auth_peer *p, const char *name)
{
    return p->local_uid >= 0 || auth_glob_list_match(p->iface_globs, name);
}

/* Changes of the whole set need a key that is not limited to some interfaces. */
static rpc_code check_all(const serve *s, const auth_peer *p, gp_buf *text)
{
    if (covers_host(s, p) && (p->local_uid >= 0 || strcmp(p->iface_globs, "*") == 0))
        return RPC_OK;
    gp_buf_adds(text, "the key is limited to some hosts or interfaces and may not change this");
    return RPC_PERMISSION_DENIED;
}

static rpc_code fail(gp_buf *text, gp_status st, const gp_err *err)
{
    gp_buf_adds(text, err->msg);
    return rpc_code_from_status(st);
}

/* Log and audit what was asked for and what became of it; returns code. */
static rpc_code audited(const serve *s, const auth_peer *p, const char *what, rpc_code code,
                        gp_buf *text)
{
    char uid[24];
    const char *by = p->name;

    if (p->local_uid >= 0) {
        (void)snprintf(uid, sizeof uid, "uid %d", p->local_uid);
        by = uid;
    }
    const char *why = code == RPC_OK ? NULL : gp_buf_str(text);
    rt_info("changed by request", RT_S("what", what), RT_S("user", by),
            RT_S("status", code == RPC_OK ? "ok" : "failed"), RT_S("why", why ? why : ""));
    wire_audit_config(s->o.audit, by, what, code == RPC_OK ? NULL : why ? why : "out of memory");
    return code;
}

/* ---- status ---- */

static void to_wire_counts(const flow_worker_counts *c, wire_iface_counts *w)
{
    *w = (wire_iface_counts){.received = c->capture.received,
                             .processed = c->capture.processed,
                             .dropped = c->capture.dropped,
                             .lost = c->lost,
                             .shared = c->shared,
                             .bytes_in = c->wire_bytes[CAPTURE_IN],
                             .bytes_out = c->wire_bytes[CAPTURE_OUT]};
    for (int e = 0; e < CAPTURE_N_ERRORS; e++)
        w->errors[e] = c->capture.errors[e];
}

static void to_wire_status(const flow_status *f, wire_iface_status *w)
{
    *w = (wire_iface_status){.name = f->name,
                             .error = f->error,
                             .capturing = f->state == FLOW_CAPTURING,
                             .started_ns = f->started_ns,
                             .flows = f->total.entries,
                             .flow_bytes = f->total.bytes,
                             .ring_bytes = f->ring_bytes,
                             .pending_blocks = f->pending_blocks,
                             .last_block_s = f->last_block_s};
    to_wire_counts(&f->total, &w->total);
    to_wire_counts(&f->recent, &w->recent);
}

/* The status of the interfaces that the request names and the key covers, if it covers this host.
 * *named (may be NULL): 0 when it names none, which means all. */
static rpc_code ask_manager(serve *s, const auth_peer *p, const uint8_t *req, size_t len,
                            flow_status **out, size_t *n, int *named, gp_buf *text)
{
    char *const *names = NULL;
    void *owner = NULL;
    size_t n_names = 0, k = 0;
    gp_err err = {0};
    rpc_code code = RPC_OK;

    if (!covers_host(s, p)) {
        gp_buf_adds(text, "the key is not allowed to ask this host");
        return RPC_PERMISSION_DENIED;
    }
    gp_status st = wire_control_request_decode(req, len, &names, &n_names, &owner, &err);
    if (st != GP_OK)
        return fail(text, GP_EINVAL, &err);
    union {
        char *const *m;
        const char *const *c;
    } u = {.m = names};
    if (named)
        *named = n_names > 0;
    st = flow_manager_status(s->o.control->manager, u.c, n_names, out, n, &err);
    for (size_t i = 0; st == GP_OK && i < n_names && code == RPC_OK; i++) {
        int found = 0;
        for (size_t j = 0; j < *n && !found; j++)
            found = strcmp((*out)[j].name, names[i]) == 0 && covers_iface(p, names[i]);
        if (!found) {
            gp_buf_printf(text, "no interface \"%s\" is captured here", names[i]);
            code = RPC_NOT_FOUND;
        }
    }
    wire_control_request_free(owner);
    if (st != GP_OK)
        return fail(text, st, &err);
    for (size_t i = 0; i < *n; i++)
        if (covers_iface(p, (*out)[i].name))
            (*out)[k++] = (*out)[i];
    *n = k;
    return code;
}

static void get_daemon(serve *s, wire_daemon *d)
{
    flow_manager_info info;
    flow_manager_info_get(s->o.control->manager, &info);
    *d = (wire_daemon){.host = s->o.host,
                       .software = s->o.software,
                       .started_ns = info.started_ns,
                       .now_ns = gp_wall_ns(),
                       .last_writeout_s = info.last_writeout_s,
                       .last_scheduled_s = info.last_scheduled_s,
                       .next_writeout_s = info.next_writeout_s,
                       .writes_failed = info.writes_failed,
                       .flows_lost = info.flows_lost,
                       .write_failing = info.write_failing};
}

/* n things in as many messages as it takes, at most `most` in one; put encodes `k` from `at` on. */
static rpc_code send_parts(rpc_stream *stream, size_t n, size_t most,
                           void (*put)(void *ctx, gp_buf *msg, size_t at, size_t k), void *ctx,
                           gp_buf *text)
{
    rpc_code code;
    size_t at = 0;

    do {
        gp_buf msg = {0};
        size_t k = n - at < most ? n - at : most;
        put(ctx, &msg, at, k);
        code = serve_reply(stream, &msg, text);
        at += k;
    } while (code == RPC_OK && at < n);
    return code;
}

/* What the encoders below work on. */
typedef struct parts {
    const flow_status *v;
    const flow_change *ch;
    wire_daemon daemon;
    wire_iface_status *status;
    wire_iface_config *config;
    wire_insn *insns;
    wire_change *changes;
} parts;

static void put_status(void *ctx, gp_buf *msg, size_t at, size_t k)
{
    parts *p = ctx;

    for (size_t i = 0; i < k; i++)
        to_wire_status(&p->v[at + i], &p->status[i]);
    wire_put_status(msg, at == 0 ? &p->daemon : NULL, p->status, k);
}

static rpc_code send_status(serve *s, rpc_stream *stream, const flow_status *v, size_t n,
                            gp_buf *text)
{
    GP_CLEANUP(gp_freep)
    wire_iface_status *w = gp_calloc(WIRE_STATUS_MESSAGE, sizeof *w);
    parts p = {.v = v, .status = w};

    if (!w)
        return RPC_RESOURCE_EXHAUSTED;
    get_daemon(s, &p.daemon);
    return send_parts(stream, n, WIRE_STATUS_MESSAGE, put_status, &p, text);
}

/* Methods that answer with what the manager knows of interfaces. */
static rpc_code answer(serve *s, rpc_stream *stream, const uint8_t *req, size_t len,
                       rpc_code (*send)(serve *s, rpc_stream *stream, const flow_status *v,
                                        size_t n, gp_buf *text),
                       gp_buf *text)
{
    flow_status *v = NULL;
    size_t n = 0;

    rpc_code code = ask_manager(s, rpc_stream_peer(stream), req, len, &v, &n, NULL, text);
    if (code == RPC_OK)
        code = send(s, stream, v, n, text);
    gp_free(v);
    return code;
}

static rpc_code on_status(void *ctx, rpc_stream *stream, const uint8_t *req, size_t len,
                          gp_buf *text)
{
    return answer(ctx, stream, req, len, send_status, text);
}

/* ---- settings ---- */

static void to_wire_config(const flow_status *f, wire_insn *insns, wire_iface_config *w)
{
    const capture_conf *c = &f->conf;
    for (uint32_t i = 0; i < c->n_extra; i++)
        insns[i] = (wire_insn){c->extra[i].op, c->extra[i].jt, c->extra[i].jf, c->extra[i].k};
    *w = (wire_iface_config){.name = f->name,
                             .promisc = c->promisc,
                             .ignore_vlans = c->ignore_vlans,
                             .sample = c->sample ? c->sample : 1,
                             .block_size = c->block_size,
                             .num_blocks = c->num_blocks,
                             .filter = insns,
                             .n_filter = c->n_extra};
}

static void put_config(void *ctx, gp_buf *msg, size_t at, size_t k)
{
    parts *p = ctx;

    for (size_t i = 0; i < k; i++)
        to_wire_config(&p->v[at + i], p->insns + i * CAPTURE_EXTRA_MAX, &p->config[i]);
    wire_put_config(msg, p->config, k);
}

static rpc_code send_config(serve *s, rpc_stream *stream, const flow_status *v, size_t n,
                            gp_buf *text)
{
    GP_CLEANUP(gp_freep)
    wire_iface_config *w = gp_calloc(WIRE_CONFIG_MESSAGE, sizeof *w);
    GP_CLEANUP(gp_freep)
    wire_insn *insns = gp_calloc((size_t)WIRE_CONFIG_MESSAGE * CAPTURE_EXTRA_MAX, sizeof *insns);
    parts p = {.v = v, .config = w, .insns = insns};
    (void)s;

    if (!w || !insns)
        return RPC_RESOURCE_EXHAUSTED;
    return send_parts(stream, n, WIRE_CONFIG_MESSAGE, put_config, &p, text);
}

static rpc_code on_config_get(void *ctx, rpc_stream *stream, const uint8_t *req, size_t len,
                              gp_buf *text)
{
    return answer(ctx, stream, req, len, send_config, text);
}

static void put_changes(void *ctx, gp_buf *msg, size_t at, size_t k)
{
    static const wire_action actions[] = {[FLOW_ENABLED] = WIRE_ENABLED,
                                          [FLOW_UPDATED] = WIRE_UPDATED,
                                          [FLOW_DISABLED] = WIRE_DISABLED};
    parts *p = ctx;

    for (size_t i = 0; i < k; i++) {
        const flow_change *c = &p->ch[at + i];
        p->changes[i] = (wire_change){
            .name = c->name, .error = c->error, .action = actions[c->action], .ok = c->ok};
    }
    wire_put_changes(msg, p->changes, k);
}

/* What became of a change of the settings; ch is freed. */
static rpc_code send_changes(rpc_stream *stream, gp_status st, flow_change *ch, size_t n,
                             const gp_err *err, gp_buf *text)
{
    GP_CLEANUP(gp_freep)
    wire_change *w = gp_calloc(WIRE_STATUS_MESSAGE, sizeof *w);
    parts p = {.ch = ch, .changes = w};
    rpc_code code = RPC_RESOURCE_EXHAUSTED;

    if (st != GP_OK)
        code = fail(text, st, err);
    else if (w)
        code = send_parts(stream, n, WIRE_STATUS_MESSAGE, put_changes, &p, text);
    gp_free(ch);
    return code;
}

static rpc_code set_interfaces(serve *s, rpc_stream *stream, const uint8_t *req, size_t len,
                               gp_buf *text)
{
    const serve_control *c = s->o.control;
    flow_change *ch = NULL;
    size_t n = 0, conf_len = 0;
    char *conf = NULL;
    gp_err err = {0};

    rpc_code code = check_all(s, rpc_stream_peer(stream), text);
    if (code != RPC_OK)
        return code;
    gp_status st = wire_config_set_decode(req, len, &conf, &conf_len, &err);
    if (st != GP_OK)
        return fail(text, GP_EINVAL, &err);
    st = c->set(c->ctx, conf, conf_len, &ch, &n, &err);
    gp_free(conf);
    return send_changes(stream, st, ch, n, &err, text);
}

static rpc_code on_config_set(void *ctx, rpc_stream *stream, const uint8_t *req, size_t len,
                              gp_buf *text)
{
    return audited(ctx, rpc_stream_peer(stream), "interfaces",
                   set_interfaces(ctx, stream, req, len, text), text);
}

static rpc_code reload(serve *s, rpc_stream *stream, gp_buf *text)
{
    const serve_control *c = s->o.control;
    flow_change *ch = NULL;
    size_t n = 0;
    gp_err err = {0};

    rpc_code code = check_all(s, rpc_stream_peer(stream), text);
    if (code != RPC_OK)
        return code;
    gp_status st = c->reload(c->ctx, &ch, &n, &err);
    return send_changes(stream, st, ch, n, &err, text);
}

static rpc_code on_config_reload(void *ctx, rpc_stream *stream, const uint8_t *req, size_t len,
                                 gp_buf *text)
{
    (void)req;
    (void)len;
    return audited(ctx, rpc_stream_peer(stream), "configuration file", reload(ctx, stream, text),
                   text);
}

/* ---- flush ---- */

/* Until the caller's deadline, but a handler is not held for ever. */
static int64_t flush_time(const rpc_stream *stream)
{
    int64_t left = gp_deadline_left_ms(rpc_stream_deadline(stream));
    return left < FLUSH_MS ? left : FLUSH_MS;
}

/* Of all interfaces those that are captured; one that is named and is not fails, and nothing is
 * written then. */
static rpc_code flush_these(serve *s, rpc_stream *stream, const flow_status *v, size_t n, int named,
                            gp_buf *text)
{
    GP_CLEANUP(gp_freep) const char **names = gp_calloc(n + 1, sizeof *names);
    gp_err err = {0};
    gp_buf msg = {0};
    size_t k = 0;

    if (!names)
        return RPC_RESOURCE_EXHAUSTED;
    for (size_t i = 0; i < n; i++)
        if (named || v[i].state == FLOW_CAPTURING)
            names[k++] = v[i].name;
    gp_status st = GP_OK;
    if (k)
        st = flow_manager_flush(s->o.control->manager, names, k, flush_time(stream), &err);
    if (st != GP_OK)
        return fail(text, st, &err);
    wire_put_control_request(&msg, names, k);
    return serve_reply(stream, &msg, text);
}

static rpc_code flush(serve *s, rpc_stream *stream, const uint8_t *req, size_t len, gp_buf *text)
{
    flow_status *v = NULL;
    size_t n = 0;
    int named = 0;

    rpc_code code = ask_manager(s, rpc_stream_peer(stream), req, len, &v, &n, &named, text);
    if (code == RPC_OK)
        code = flush_these(s, stream, v, n, named, text);
    gp_free(v);
    return code;
}

static rpc_code on_flush(void *ctx, rpc_stream *stream, const uint8_t *req, size_t len,
                         gp_buf *text)
{
    return audited(ctx, rpc_stream_peer(stream), "flush", flush(ctx, stream, req, len, text), text);
}

/* ---- table ---- */

size_t serve_control_methods(rpc_method *v)
{
    const uint32_t people = 1u << AUTH_KIND_USER | 1u << AUTH_KIND_GATEWAY;
    const rpc_method own[SERVE_CONTROL_METHODS] = {
        {.name = "status",
         .handler = on_status,
         .max_request = REQUEST_BYTES,
         .kinds = people | 1u << AUTH_KIND_AGGREGATOR,
         .roles = AUTH_ROLE_STATUS},
        {.name = "config.get",
         .handler = on_config_get,
         .max_request = REQUEST_BYTES,
         .kinds = people,
         .roles = AUTH_ROLE_CONFIG_READ},
        {.name = "config.set",
         .handler = on_config_set,
         .max_request = WIRE_MAX_CONFIG_TEXT + 64,
         .kinds = people,
         .roles = AUTH_ROLE_CONFIG_WRITE},
        {.name = "config.reload",
         .handler = on_config_reload,
         .max_request = REQUEST_BYTES,
         .kinds = people,
         .roles = AUTH_ROLE_CONFIG_WRITE},
        {.name = "flush",
         .handler = on_flush,
         .max_request = REQUEST_BYTES,
         .kinds = people,
         .roles = AUTH_ROLE_CONFIG_WRITE},
    };
    memcpy(v, own, sizeof own);
    return SERVE_CONTROL_METHODS;
}
