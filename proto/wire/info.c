/* info.c - the small unary messages. */
#include "wire/info.h"

#include "gp/arena.h"
#include "gp/mem.h"
#include "unpack.h"

#include <string.h>

static gp_status malformed(gp_err *err, const char *what)
{
    return gp_fail(err, GP_ECORRUPT, 0, "malformed %s", what);
}

void wire_put_hosts_request(gp_buf *out, const char *selector, const char *resolver)
{
    Fp__HostsRequest m = FP__HOSTS_REQUEST__INIT;
    m.selector = wire_unconst(selector);
    m.resolver = resolver && *resolver ? wire_unconst(resolver) : NULL;
    wire_pack(&m.base, out);
}

gp_status wire_hosts_request_decode(const void *bytes, size_t len, char **selector, char **resolver,
                                    gp_err *err)
{
    Fp__HostsRequest *m =
        len <= WIRE_MAX_REQUEST ? wire_unpack(&fp__hosts_request__descriptor, bytes, len) : NULL;
    if (!m || !wire_text_ok(m->selector, WIRE_MAX_TEXT) || !wire_text_ok(m->resolver, 64)) {
        wire_unpacked_free(m);
        return malformed(err, "request");
    }
    *selector = gp_strdup(m->selector);
    *resolver = gp_strdup(m->resolver ? m->resolver : "");
    wire_unpacked_free(m);
    if (*selector && *resolver)
        return GP_OK;
    gp_free(*selector);
    gp_free(*resolver);
    return gp_fail(err, GP_ENOMEM, 0, "request: out of memory");
}

void wire_put_hosts(gp_buf *out, const wire_host_info *v, size_t n)
{
    GP_CLEANUP(gp_freep) Fp__HostInfo *hosts = gp_alloc(n ? n : 1, sizeof *hosts);
    GP_CLEANUP(gp_freep) Fp__HostInfo **list = gp_alloc(n ? n : 1, sizeof *list);
    Fp__HostsReply m = FP__HOSTS_REPLY__INIT;
    if (!hosts || !list) {
        out->failed = 1;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        Fp__HostInfo *h = hosts + i;
        fp__host_info__init(h);
        h->host = wire_unconst(v[i].host);
        h->state = wire_unconst(v[i].state);
        h->address = wire_unconst(v[i].address);
        h->detail = v[i].detail && *v[i].detail ? wire_unconst(v[i].detail) : NULL;
        h->software = v[i].software && *v[i].software ? wire_unconst(v[i].software) : NULL;
        h->has_rtt_us = v[i].rtt_us >= 0;
        h->rtt_us = v[i].rtt_us;
        h->has_since_s = v[i].since_s != 0;
        h->since_s = v[i].since_s;
        list[i] = h;
    }
    m.n_hosts = n;
    m.hosts = list;
    wire_pack(&m.base, out);
}

static const char *shown(const char *s)
{
    return s ? s : "";
}

static int host_ok(const Fp__HostInfo *h)
{
    return wire_text_ok(h->host, WIRE_MAX_LABEL) && wire_text_ok(h->state, 64) &&
           wire_text_ok(h->address, WIRE_MAX_LABEL) &&
           wire_text_ok(h->detail, WIRE_MAX_MESSAGE_TEXT) &&
           wire_text_ok(h->software, WIRE_MAX_LABEL);
}

static int keep_text(gp_arena *a, const char *s, const char **out)
{
    size_t n = s ? strlen(s) : 0;
    char *p = gp_arena_alloc(a, n + 1, 1);
    if (p && n)
        memcpy(p, s, n);
    *out = p;
    return p != NULL;
}

static int keep_host(gp_arena *a, const Fp__HostInfo *h, wire_host_info *v)
{
    *v = (wire_host_info){.rtt_us = h->has_rtt_us ? h->rtt_us : -1, .since_s = h->since_s};
    return keep_text(a, h->host, &v->host) && keep_text(a, h->state, &v->state) &&
           keep_text(a, h->address, &v->address) && keep_text(a, h->detail, &v->detail) &&
           keep_text(a, h->software, &v->software);
}

static gp_status keep_hosts(const Fp__HostsReply *m, wire_host_info **out, size_t *n, void **owner,
                            gp_err *err)
{
    if (m->n_hosts > WIRE_MAX_HOSTS - *n)
        return malformed(err, "list of hosts: too long");
    if (!*owner)
        *owner = gp_arena_new(WIRE_HOSTS_BYTES);
    wire_host_info *v = gp_realloc(*out, *n + m->n_hosts + 1, sizeof *v);
    if (v)
        *out = v;
    if (!*owner || !v)
        return gp_fail(err, GP_ENOMEM, 0, "hosts: out of memory");
    for (size_t i = 0; i < m->n_hosts; i++) {
        if (!host_ok(m->hosts[i]))
            return malformed(err, "list of hosts");
        if (!keep_host(*owner, m->hosts[i], &v[*n]))
            return gp_fail(err, GP_ELIMIT, 0, "hosts: out of memory");
        ++*n;
    }
    return GP_OK;
}

gp_status wire_hosts_decode(const void *bytes, size_t len, wire_host_info **out, size_t *n,
                            void **owner, gp_err *err)
{
    Fp__HostsReply *m = wire_unpack(&fp__hosts_reply__descriptor, bytes, len);
    gp_status st = m ? keep_hosts(m, out, n, owner, err) : malformed(err, "list of hosts");
    wire_unpacked_free(m);
    return st;
}

void wire_hosts_free(wire_host_info *v, void *owner)
{
    gp_free(v);
    gp_arena_free(owner);
}

void wire_put_info(gp_buf *out, const wire_info *i)
{
    Fp__InfoReply m = FP__INFO_REPLY__INIT;
    m.protocol = i->protocol;
    m.software = wire_unconst(i->software);
    m.kind = wire_unconst(i->kind);
    m.host = wire_unconst(i->host);
    m.host_id = wire_unconst(i->host_id);
    m.has_started_s = m.has_queries_running = 1;
    m.started_s = i->started_s;
    m.queries_running = i->queries_running;
    wire_pack(&m.base, out);
}

gp_status wire_info_decode(const void *bytes, size_t len, wire_info *out, void **owner, gp_err *err)
{
    Fp__InfoReply *m = wire_unpack(&fp__info_reply__descriptor, bytes, len);
    if (!m || !wire_text_ok(m->software, WIRE_MAX_LABEL) || !wire_text_ok(m->kind, 64) ||
        !wire_text_ok(m->host, WIRE_MAX_LABEL) || !wire_text_ok(m->host_id, WIRE_MAX_LABEL)) {
        wire_unpacked_free(m);
        return malformed(err, "info");
    }
    *out = (wire_info){.protocol = m->protocol,
                       .queries_running = m->queries_running,
                       .software = shown(m->software),
                       .kind = shown(m->kind),
                       .host = shown(m->host),
                       .host_id = shown(m->host_id),
                       .started_s = m->started_s};
    *owner = m;
    return GP_OK;
}

void wire_info_free(void *owner)
{
    wire_unpacked_free(owner);
}

void wire_put_ifaces(gp_buf *out, const char *const *ifaces, size_t n)
{
    union {
        const char *const *c;
        char **m;
    } u = {.c = ifaces};
    Fp__IfacesReply m = FP__IFACES_REPLY__INIT;
    m.n_ifaces = n;
    m.ifaces = u.m;
    wire_pack(&m.base, out);
}

gp_status wire_ifaces_decode(const void *bytes, size_t len, char *const **out, size_t *n,
                             void **owner, gp_err *err)
{
    Fp__IfacesReply *m = wire_unpack(&fp__ifaces_reply__descriptor, bytes, len);
    int ok = m && m->n_ifaces <= WIRE_MAX_IFACES * 64;
    for (size_t i = 0; ok && i < m->n_ifaces; i++)
        ok = wire_text_ok(m->ifaces[i], WIRE_MAX_LABEL);
    if (!ok) {
        wire_unpacked_free(m);
        return malformed(err, "list of interfaces");
    }
    *out = m->ifaces;
    *n = m->n_ifaces;
    *owner = m;
    return GP_OK;
}

void wire_ifaces_free(void *owner)
{
    wire_unpacked_free(owner);
}
