/* addr.c - parse addresses and look names up. */
#include "addr.h"

#include "gp/mem.h"
#include "gp/num.h"
#include "rpc/rpc.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static int starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* Numeric text of the transport; IPv6 in brackets. */
static void set_text(char text[RPC_ADDR_MAX], const char *host, const char *port)
{
    if (strchr(host, ':'))
        snprintf(text, RPC_ADDR_MAX, "tcp://[%.100s]:%.7s", host, port);
    else
        snprintf(text, RPC_ADDR_MAX, "tcp://%.100s:%.7s", host, port);
}

/* No name ends in a label of digits only: that is an IPv4 address which inet_pton() refused. A dot
 * at the end keeps a name from being searched for in domains. */
static int is_name(const char *host)
{
    static const char digits[] = "0123456789",
                      all[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    size_t n = strlen(host);

    n -= n > 1 && host[n - 1] == '.';
    while (n && strchr(digits, host[n - 1]))
        n--;
    return host[strspn(host, all)] == '\0' && n && host[n - 1] != '.';
}

/* NULL, or what was expected. */
static const char *parse_path(const char *s, rpc_addr *a)
{
    const char *path = s + 6;
    if (*path != '/')
        return "expected an absolute path of a socket";
    if (strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path)
        return "expected a path of at most 107 bytes";
    a->ipc = a->numeric = 1;
    snprintf(a->text, sizeof a->text, "%s", s);
    return NULL;
}

static const char *parse(const char *s, int listening, rpc_addr *a)
{
    static const char form[] = "expected host:port, [IPv6]:port or a path (tcp://, ipc://)";
    uint64_t port;
    uint8_t ip[16];
    if (starts(s, "ipc://"))
        return parse_path(s, a);
    if (!starts(s, "tcp://"))
        return form;
    const char *host = s + 6, *colon = strrchr(host, ':');
    if (!colon || !gp_num_u64(colon + 1, strlen(colon + 1), 65535, &port) || (!port && !listening))
        return form;
    size_t n = (size_t)(colon - host);
    int brackets = n >= 2 && host[0] == '[' && host[n - 1] == ']';
    if (brackets) {
        host++;
        n -= 2;
    }
    if (n >= 254 || (n == 0 && !listening) || (!brackets && memchr(host, ':', n)))
        return form;
    memcpy(a->host, host, n);
    if (listening && (n == 0 || strcmp(a->host, "*") == 0))
        memcpy(a->host, "0.0.0.0", 8);
    snprintf(a->port, sizeof a->port, "%u", (unsigned)port);
    a->numeric = inet_pton(brackets ? AF_INET6 : AF_INET, a->host, ip) == 1;
    if (!a->numeric && brackets)
        return "expected an IPv6 address between the brackets";
    if (!a->numeric && !is_name(a->host))
        return "expected an IPv4 address or a name before the port";
    if (a->numeric)
        set_text(a->text, a->host, a->port);
    return NULL;
}

gp_status rpc_addr_parse(const char *s, int listening, rpc_addr *out, gp_err *err)
{
    rpc_addr a = {0};
    const char *why = parse(s, listening, &a);
    if (why)
        return gp_fail(err, GP_EINVAL, 0, "address '%.100s': %s", s, why);
    *out = a;
    return GP_OK;
}

gp_status rpc_addr_resolve(const rpc_addr *a, char out[MAX_ADDRS][RPC_ADDR_MAX], size_t *n,
                           gp_err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *list = NULL;
    size_t got = 0;
    if (a->numeric) {
        memcpy(out[0], a->text, RPC_ADDR_MAX);
        *n = 1;
        return GP_OK;
    }
    int rv = getaddrinfo(a->host, a->port, &hints, &list);
    if (rv)
        return gp_fail(err, rv == EAI_NONAME ? GP_ENOTFOUND : GP_EUNAVAILABLE, 0,
                       "cannot look up '%s': %s", a->host, gai_strerror(rv));
    for (struct addrinfo *i = list; i && got < MAX_ADDRS; i = i->ai_next) {
        char ip[INET6_ADDRSTRLEN];
        if (getnameinfo(i->ai_addr, i->ai_addrlen, ip, sizeof ip, NULL, 0, NI_NUMERICHOST) == 0 &&
            !strchr(ip, '%')) /* no link-local zones: the transport has no form for them */
            set_text(out[got++], ip, a->port);
    }
    freeaddrinfo(list);
    if (!got)
        return gp_fail(err, GP_ENOTFOUND, 0, "'%s' has no address", a->host);
    *n = got;
    return GP_OK;
}

gp_status rpc_address(const char *s, int listening, char **out, gp_err *err)
{
    const char *prefix = "tcp://", *rest = s;

    if (starts(s, "http://") || starts(s, "https://"))
        return gp_fail(err, GP_EINVAL, 0,
                       "HTTP is not spoken here: expected host:port or unix:/path, got \"%s\"", s);
    if (starts(s, "tcp://") || starts(s, "ipc://")) {
        prefix = "";
    } else if (starts(s, "unix:")) {
        prefix = "ipc://";
        rest += 5;
    } else if (listening && starts(s, "localhost:")) { /* must not depend on DNS */
        prefix = "tcp://127.0.0.1";
        rest += 9;
    } else if (listening && *s == ':') {
        prefix = "tcp://0.0.0.0";
    }
    GP_CLEANUP(gp_freep) char *url = gp_asprintf("%s%s", prefix, rest);
    rpc_addr a = {0};
    const char *why = url ? parse(url, listening, &a) : NULL;
    if (!url)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    if (why)
        return gp_fail(err, GP_EINVAL, 0, "%s, got \"%s\"", why, s);
    *out = url;
    url = NULL;
    return GP_OK;
}
