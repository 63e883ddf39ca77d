/* http.c - GET /metrics and the health pages on a loopback address, through libmicrohttpd. */
#include "rt/metrics.h"

#include "gp/addr.h"
#include "gp/mem.h"
#include "gp/num.h"

#include <stdio.h>
#include <string.h>

#ifdef HAVE_MICROHTTPD
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/socket.h>

struct rt_http {
    struct MHD_Daemon *d;
    rt_metrics *m;
    int (*ready)(void *ctx);
    void *ctx;
};

static gp_status parse_addr(const char *text, int allow_remote, struct sockaddr_storage *ss,
                            gp_err *err)
{
    const char *colon = strrchr(text, ':');
    uint64_t port = 0;
    gp_addr a = {0};
    size_t len = colon ? (size_t)(colon - text) : 0;
    const char *host = text;
    if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    }
    if (len == 9 && memcmp(host, "localhost", 9) == 0) {
        host = "127.0.0.1";
        len = 9;
    }
    if (!colon || !gp_num_u64(colon + 1, strlen(colon + 1), 65535, &port) ||
        !gp_addr_parse(host, len, &a))
        return gp_fail(err, GP_EINVAL, 0,
                       "metrics address \"%s\": expected ADDRESS:PORT such as 127.0.0.1:9145",
                       text);
    static const uint8_t loop6[16] = {[15] = 1};
    int loopback = a.family == 4 ? a.bytes[0] == 127 : memcmp(a.bytes, loop6, 16) == 0;
    if (!loopback && !allow_remote)
        return gp_fail(err, GP_EDENIED, 0, "metrics address \"%s\" is not a loopback address",
                       text);
    memset(ss, 0, sizeof *ss);
    if (a.family == 4) {
        struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
        memcpy(&sin.sin_addr, a.bytes, 4);
        memcpy(ss, &sin, sizeof sin);
    } else {
        struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
        memcpy(&sin6.sin6_addr, a.bytes, 16);
        memcpy(ss, &sin6, sizeof sin6);
    }
    return GP_OK;
}

static enum MHD_Result reply(struct MHD_Connection *c, unsigned code, const char *type,
                             const char *text, size_t len)
{
    union {
        const char *c;
        void *v;
    } u = {.c = text};
    struct MHD_Response *r = MHD_create_response_from_buffer(len, u.v, MHD_RESPMEM_MUST_COPY);
    if (!r)
        return MHD_NO;
    MHD_add_response_header(r, "Content-Type", type);
    MHD_add_response_header(r, "Cache-Control", "no-store");
    enum MHD_Result res = MHD_queue_response(c, code, r);
    MHD_destroy_response(r);
    return res;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_len, void **state)
{
    rt_http *h = cls;
    static int seen;
    (void)version;
    (void)upload;
    if (*upload_len) /* no request of ours has a body */
        return MHD_NO;
    if (!*state) { /* headers only so far */
        *state = &seen;
        return MHD_YES;
    }
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return reply(c, 405, "text/plain", "method not allowed\n", 19);
    if (strcmp(url, "/metrics") == 0) {
        gp_buf b = {.limit = 64 * 1024 * 1024};
        rt_metrics_text(h->m, &b);
        enum MHD_Result r = b.failed ? MHD_NO
                                     : reply(c, 200, "text/plain; version=0.0.4; charset=utf-8",
                                             b.len ? (const char *)b.data : "", b.len);
        gp_buf_free(&b);
        return r;
    }
    if (strcmp(url, "/-/info") == 0) {
        gp_buf b = {0};
        rt_metrics_info(h->m, &b);
        enum MHD_Result r =
            b.failed ? MHD_NO : reply(c, 200, "application/json", (const char *)b.data, b.len);
        gp_buf_free(&b);
        return r;
    }
    int is = h->ready ? h->ready(h->ctx) : 1;
    if (strcmp(url, "/-/health") == 0) {
        if (is >= 0)
            return reply(c, 200, "application/json", "{\"status\":\"healthy\"}\n", 21);
        return reply(c, 503, "application/json", "{\"status\":\"unhealthy\"}\n", 23);
    }
    if (strcmp(url, "/-/ready") == 0) {
        if (is > 0)
            return reply(c, 200, "application/json", "{\"status\":\"ready\"}\n", 19);
        return reply(c, 503, "application/json", "{\"status\":\"not ready\"}\n", 23);
    }
    return reply(c, 404, "text/plain", "not found\n", 10);
}

static void bound_text(struct MHD_Daemon *d, const char *addr, char *bound, size_t cap)
{
    const union MHD_DaemonInfo *i = MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT);
    const char *colon = strrchr(addr, ':');
    if (bound && cap)
        snprintf(bound, cap, "%.*s:%u", (int)(colon - addr), addr, i ? (unsigned)i->port : 0);
}

gp_status rt_http_check(const char *addr, int allow_remote, gp_err *err)
{
    struct sockaddr_storage ss;
    return parse_addr(addr, allow_remote, &ss, err);
}

gp_status rt_http_start(const char *addr, int allow_remote, rt_metrics *m, int (*ready)(void *ctx),
                        void *ctx, char *bound, size_t bound_cap, rt_http **out, gp_err *err)
{
    struct sockaddr_storage ss;
    GP_TRY(parse_addr(addr, allow_remote, &ss, err));
    rt_http *h = gp_calloc(1, sizeof *h);
    if (!h)
        return gp_fail(err, GP_ENOMEM, 0, "metrics: out of memory");
    *h = (rt_http){.m = m, .ready = ready, .ctx = ctx};
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL;
    if (ss.ss_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    h->d = MHD_start_daemon(flags, 0, NULL, NULL, on_request, h, MHD_OPTION_SOCK_ADDR,
                            (struct sockaddr *)&ss, MHD_OPTION_CONNECTION_LIMIT, 32u,
                            MHD_OPTION_CONNECTION_TIMEOUT, 10u, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                            (size_t)16384, MHD_OPTION_END);
    if (!h->d) {
        gp_free(h);
        return gp_fail(err, GP_EIO, 0, "metrics: cannot listen on %s (is the address in use?)",
                       addr);
    }
    bound_text(h->d, addr, bound, bound_cap);
    *out = h;
    return GP_OK;
}

void rt_http_stop(rt_http *h)
{
    if (!h)
        return;
    MHD_stop_daemon(h->d);
    gp_free(h);
}

#else /* built without libmicrohttpd */

gp_status rt_http_check(const char *addr, int allow_remote, gp_err *err)
{
    (void)allow_remote;
    return gp_fail(err, GP_EUNSUPPORTED, 0, "metrics on %s: built without libmicrohttpd", addr);
}

gp_status rt_http_start(const char *addr, int allow_remote, rt_metrics *m, int (*ready)(void *ctx),
                        void *ctx, char *bound, size_t bound_cap, rt_http **out, gp_err *err)
{
    (void)allow_remote, (void)m, (void)ready, (void)ctx, (void)bound, (void)bound_cap, (void)out;
    return gp_fail(err, GP_EUNSUPPORTED, 0, "metrics on %s: built without libmicrohttpd", addr);
}

void rt_http_stop(rt_http *h)
{
    (void)h;
}
#endif
