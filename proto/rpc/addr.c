/* addr.c - parse addresses and look names up. */
#include "addr.h"

#include "gp/num.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static gp_status bad(gp_err *err, const char *s)
{
    return gp_fail(err, GP_EINVAL, 0,
                   "address '%.100s': expected tcp://HOST:PORT, tcp://[IPV6]:PORT or ipc:///PATH",
                   s);
}

static gp_status parse_ipc(const char *s, rpc_addr *a, gp_err *err)
{
    const char *path = s + 6;
    if (*path != '/')
        return bad(err, s);
    if (strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path)
        return gp_fail(err, GP_EINVAL, 0, "socket path of %zu bytes is too long (at most %zu): %s",
                       strlen(path), sizeof((struct sockaddr_un *)0)->sun_path - 1, path);
    a->ipc = a->numeric = 1;
    snprintf(a->text, sizeof a->text, "%s", s);
    return GP_OK;
}

/* Numeric text of the transport; IPv6 in brackets. */
static void set_text(char text[RPC_ADDR_MAX], const char *host, const char *port)
{
    if (strchr(host, ':'))
        snprintf(text, RPC_ADDR_MAX, "tcp://[%.100s]:%.7s", host, port);
    else
        snprintf(text, RPC_ADDR_MAX, "tcp://%.100s:%.7s", host, port);
}

gp_status rpc_addr_parse(const char *s, int listening, rpc_addr *out, gp_err *err)
{
    rpc_addr a = {0};
    uint64_t port;
    uint8_t ip[16];
    if (strncmp(s, "ipc://", 6) == 0) {
        GP_TRY(parse_ipc(s, &a, err));
        *out = a;
        return GP_OK;
    }
    if (strncmp(s, "tcp://", 6) != 0)
        return bad(err, s);
    const char *host = s + 6, *colon = strrchr(host, ':');
    if (!colon || !gp_num_u64(colon + 1, strlen(colon + 1), 65535, &port) || (!port && !listening))
        return bad(err, s);
    size_t n = (size_t)(colon - host);
    int brackets = n >= 2 && host[0] == '[' && host[n - 1] == ']';
    if (brackets) {
        host++;
        n -= 2;
    }
    if (n >= 254 || (n == 0 && !listening) || (!brackets && memchr(host, ':', n)))
        return bad(err, s);
    memcpy(a.host, host, n);
    if (listening && (n == 0 || strcmp(a.host, "*") == 0))
        memcpy(a.host, "0.0.0.0", 8);
    snprintf(a.port, sizeof a.port, "%u", (unsigned)port);
    a.numeric = inet_pton(brackets ? AF_INET6 : AF_INET, a.host, ip) == 1;
    if (brackets && !a.numeric)
        return bad(err, s);
    if (a.numeric)
        set_text(a.text, a.host, a.port);
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
