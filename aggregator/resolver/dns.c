/* dns.c - the resolver "dns": SRV records and addresses through c-ares.
 *
 * "_goprobe._tcp.zrh.example" means the targets of its SRV records, by name. Any other name means
 * the hosts of the endpoint table at its addresses (A, AAAA); an address that no host has stands
 * for itself, and is then reported as unknown. Exclusions work on what came out. config: YAML with
 * servers: [10.0.0.53, ...], timeout: 2s, domain: zrh.example (all optional). */
#include "kinds.h"

#include "gp/bytes.h"
#include "gp/mem.h"

#ifdef HAVE_CARES

#include "gp/addr.h"
#include "gp/clock.h"
#include "rt/config.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { MAX_NAMES = 1024, MAX_SOCKETS = 64 };
#define DEFAULT_TIMEOUT_NS (INT64_C(3) * 1000000000)

struct dns {
    char *servers; /* "a,b"; NULL = those of the system */
    char *domain;  /* appended to names without a dot; NULL = none */
    int64_t timeout_ms;
};

static void close_dns(void *state)
{
    struct dns *d = state;
    if (!d)
        return;
    gp_free(d->servers);
    gp_free(d->domain);
    gp_free(d);
}

static gp_status read_servers(rt_config *c, struct dns *d, gp_err *err)
{
    const char *const *v;
    size_t n;
    gp_buf b = {0};
    GP_TRY(rt_config_list(c, "servers", &v, &n, err));
    for (size_t i = 0; i < n; i++)
        gp_buf_printf(&b, "%s%s", i ? "," : "", v[i]);
    d->servers = n ? gp_buf_take(&b) : NULL;
    gp_buf_free(&b);
    return n && !d->servers ? gp_fail(err, GP_ENOMEM, 0, "out of memory") : GP_OK;
}

static gp_status check_servers(rt_config *c, const char *servers, gp_err *err)
{
    ares_channel ch;
    if (ares_init(&ch) != ARES_SUCCESS)
        return gp_fail(err, GP_ENOMEM, 0, "DNS: c-ares does not start");
    int bad = ares_set_servers_ports_csv(ch, servers) != ARES_SUCCESS;
    ares_destroy(ch);
    return bad ? rt_config_fail(c, "servers", err, "expected addresses such as 10.0.0.53, got %s",
                                servers)
               : GP_OK;
}

static gp_status read_dns(const char *config, struct dns *d, gp_err *err)
{
    rt_config *c = NULL;
    const char *domain;
    int64_t ns;
    GP_TRY(rt_config_load(config, &c, err));
    gp_status st = rt_config_str(c, "domain", NULL, &domain, err);
    if (st == GP_OK)
        st = rt_config_duration(c, "timeout", DEFAULT_TIMEOUT_NS, 1000000, INT64_C(60000000000),
                                &ns, err);
    if (st == GP_OK) {
        d->timeout_ms = ns / 1000000;
        d->domain = domain ? gp_strdup(domain) : NULL;
        st = domain && !d->domain ? gp_fail(err, GP_ENOMEM, 0, "out of memory")
                                  : read_servers(c, d, err);
    }
    if (st == GP_OK)
        st = rt_config_check(c, 1, err);
    if (st == GP_OK && d->servers)
        st = check_servers(c, d->servers, err);
    rt_config_free(c);
    return st;
}

static gp_status open_dns(const char *config, void **state, gp_err *err)
{
    static int started; /* ares_library_init() counts, but is not for threads: done at start-up */
    if (!started && ares_library_init(ARES_LIB_INIT_ALL) != 0)
        return gp_fail(err, GP_ENOMEM, 0, "c-ares does not start");
    started = 1;
    struct dns *d = gp_calloc(1, sizeof *d);
    if (!d)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    d->timeout_ms = DEFAULT_TIMEOUT_NS / 1000000;
    gp_status st = *config ? read_dns(config, d, err) : GP_OK;
    if (st != GP_OK) {
        close_dns(d);
        return st;
    }
    *state = d;
    return GP_OK;
}

/* ---- one question ---- */

struct ask {
    const resolver_known *known;
    resolver_hosts *out;
    gp_status st;
    gp_err *err;
    const char *name;
    int pending;
};

static void note_failure(struct ask *a, int status)
{
    if (a->st != GP_OK || status == ARES_EDESTRUCTION || status == ARES_ECANCELLED)
        return;
    a->st = gp_fail(
        a->err, status == ARES_ENOTFOUND || status == ARES_ENODATA ? GP_ENOTFOUND : GP_EUNAVAILABLE,
        0, "DNS: %s: %s", a->name, ares_strerror(status));
}

static void on_srv(void *arg, int status, int timeouts, unsigned char *buf, int len)
{
    struct ask *a = arg;
    struct ares_srv_reply *list = NULL;
    (void)timeouts;
    a->pending--;
    if (status == ARES_SUCCESS)
        status = ares_parse_srv_reply(buf, len, &list);
    if (status != ARES_SUCCESS) {
        note_failure(a, status);
        return;
    }
    for (struct ares_srv_reply *s = list; s && a->st == GP_OK; s = s->next) {
        size_t n = strlen(s->host);
        if (n && s->host[n - 1] == '.')
            s->host[n - 1] = 0;
        a->st = resolver_hosts_add(a->out, s->host, a->err);
    }
    ares_free_data(list);
}

/* The hosts of the table whose endpoint is at this address. */
static gp_status add_address(struct ask *a, const char *text)
{
    size_t n = strlen(text), hits = 0;
    for (size_t i = 0; a->known->address && i < a->known->n; i++) {
        const char *at = a->known->address(a->known->ctx, i);
        const char *p = at ? strstr(at, "://") : NULL;
        p = p ? p + 3 : at;
        if (p && *p == '[')
            p++;
        if (!p || strncmp(p, text, n) != 0 || (p[n] != ':' && p[n] != ']'))
            continue;
        GP_TRY(resolver_hosts_add(a->out, a->known->id(a->known->ctx, i), a->err));
        hits++;
    }
    return hits ? GP_OK : resolver_hosts_add(a->out, text, a->err);
}

static void on_addresses(void *arg, int status, int timeouts, struct ares_addrinfo *ai)
{
    struct ask *a = arg;
    (void)timeouts;
    a->pending--;
    if (status != ARES_SUCCESS) {
        note_failure(a, status);
        return;
    }
    for (struct ares_addrinfo_node *n = ai->nodes; n && a->st == GP_OK; n = n->ai_next) {
        char text[64] = "";
        if (getnameinfo(n->ai_addr, (socklen_t)n->ai_addrlen, text, sizeof text, NULL, 0,
                        NI_NUMERICHOST) == 0)
            a->st = add_address(a, text);
    }
    ares_freeaddrinfo(ai);
}

static gp_status wait_answers(ares_channel ch, struct ask *a, gp_deadline end)
{
    while (a->pending) {
        ares_socket_t socks[ARES_GETSOCK_MAXNUM];
        struct pollfd pf[ARES_GETSOCK_MAXNUM];
        nfds_t n = 0;
        /* the macros of c-ares shift a signed 1 into the sign bit */
        unsigned bits = (unsigned)ares_getsock(ch, socks, ARES_GETSOCK_MAXNUM);
        for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
            unsigned r = bits >> i & 1, w = bits >> (i + ARES_GETSOCK_MAXNUM) & 1;
            if (r || w)
                pf[n++] = (struct pollfd){.fd = socks[i],
                                          .events = (short)((r ? POLLIN : 0) | (w ? POLLOUT : 0))};
        }
        int64_t left = gp_deadline_left_ms(end);
        if (left <= 0)
            return gp_fail(a->err, GP_EDEADLINE, 0, "DNS: %s: no answer in time", a->name);
        if (poll(pf, n, left < 50 ? (int)left : 50) <= 0)
            ares_process_fd(ch, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* time-outs */
        for (nfds_t i = 0; i < n; i++) {
            if (pf[i].revents)
                ares_process_fd(ch, pf[i].revents & ~POLLOUT ? pf[i].fd : ARES_SOCKET_BAD,
                                pf[i].revents & POLLOUT ? pf[i].fd : ARES_SOCKET_BAD);
        }
    }
    return a->st;
}

static void ask_name(ares_channel ch, const struct dns *d, struct ask *a, char *full, size_t cap)
{
    int dotted = strchr(a->name, '.') != NULL;
    snprintf(full, cap, "%s%s%s", a->name, !dotted && d->domain ? "." : "",
             !dotted && d->domain ? d->domain : "");
    a->pending++;
    if (full[0] == '_') {
        ares_query(ch, full, ns_c_in, ns_t_srv, on_srv, a);
    } else {
        struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
        ares_getaddrinfo(ch, full, NULL, &hints, on_addresses, a);
    }
}

static gp_status ask_all(const struct dns *d, const wire_selector *sel, struct ask *a,
                         ares_channel ch)
{
    gp_deadline end = gp_deadline_in_ms(d->timeout_ms);
    char full[600];
    size_t names = 0;
    for (size_t i = 0; i < wire_selector_count(sel); i++) {
        const wire_item *it = wire_selector_item(sel, i);
        if (it->negative)
            continue;
        if (it->kind != WIRE_ITEM_NAME)
            return gp_fail(a->err, GP_EINVAL, 0, "DNS: \"%s\" is not a name that can be looked up",
                           it->text);
        if (++names > MAX_NAMES)
            return gp_fail(a->err, GP_ELIMIT, 0, "DNS: more than %d names", MAX_NAMES);
        a->name = it->text;
        ask_name(ch, d, a, full, sizeof full);
        GP_TRY(wait_answers(ch, a, end));
    }
    return GP_OK;
}

static int not_excluded(void *ctx, const char *name)
{
    const wire_selector *sel = ctx;
    for (size_t i = 0; i < wire_selector_count(sel); i++) {
        const wire_item *it = wire_selector_item(sel, i);
        if (it->negative && wire_item_match(it, name))
            return 0;
    }
    return 1;
}

static gp_status resolve_dns(const void *state, const char *selector, const resolver_known *known,
                             resolver_hosts *out, gp_err *err)
{
    const struct dns *d = state;
    GP_CLEANUP(wire_selector_freep) wire_selector *sel = NULL;
    struct ask a = {.known = known, .out = out, .err = err};
    struct ares_options o = {.timeout = (int)(d->timeout_ms / 2 > 0 ? d->timeout_ms / 2 : 1),
                             .tries = 2};
    ares_channel ch;
    GP_TRY(wire_selector_parse(selector, &sel, err));
    if (ares_init_options(&ch, &o, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES) != ARES_SUCCESS)
        return gp_fail(err, GP_ENOMEM, 0, "DNS: c-ares does not start");
    gp_status st = GP_OK;
    if (d->servers && ares_set_servers_ports_csv(ch, d->servers) != ARES_SUCCESS)
        st = gp_fail(err, GP_EINVAL, 0, "DNS: servers \"%s\" are no addresses", d->servers);
    if (st == GP_OK)
        st = ask_all(d, sel, &a, ch);
    ares_destroy(ch); /* ends what is pending; its callbacks run here */
    if (st == GP_OK)
        resolver_hosts_filter(out, not_excluded, sel);
    return st;
}

const resolver_kind resolver_dns = {
    .type = "dns", .open = open_dns, .resolve = resolve_dns, .close = close_dns};

#else /* built without c-ares */

static gp_status open_dns(const char *config, void **state, gp_err *err)
{
    (void)config;
    (void)state;
    return gp_fail(err, GP_EUNSUPPORTED, 0, "built without c-ares");
}

static gp_status resolve_dns(const void *state, const char *selector, const resolver_known *known,
                             resolver_hosts *out, gp_err *err)
{
    (void)state, (void)selector, (void)known, (void)out;
    return gp_fail(err, GP_EUNSUPPORTED, 0, "built without c-ares");
}

const resolver_kind resolver_dns = {.type = "dns", .open = open_dns, .resolve = resolve_dns};
#endif
