/* lookup.c - host names to addresses through c-ares: hosts file and DNS.
 *
 * Driven by poll() in the calling thread. No threads and no state between calls: the channel lives
 * for one call, so nothing can leak or hang behind a limit that was hit (getaddrinfo_a() cannot be
 * stopped once it runs).
 */
#include "gp/clock.h"
#include "gp/mem.h"
#include "limits.h"
#include "lookup_int.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

enum { TRIES = 3, TRY_MIN_MS = 100, TRY_MAX_MS = 2000, RECEIVE_BYTES = 512 * 1024 };

static const int64_t NS_PER_MS = 1000000;

typedef struct answer {
    query_addrs *out;
    size_t *open; /* answers still missing */
    int status;   /* ARES_* */
} answer;

static pthread_once_t init_once = PTHREAD_ONCE_INIT;
static int init_status;

/* ares_library_init() counts calls without a lock. */
static void init(void)
{
    init_status = ares_library_init(ARES_LIB_INIT_ALL);
}

static int copy_addrs(query_addrs *out, const struct ares_addrinfo_node *list)
{
    size_t n = 0;

    for (const struct ares_addrinfo_node *k = list; k && n < QUERY_MAX_ADDRS; k = k->ai_next)
        n++;
    out->v = gp_calloc(n, sizeof *out->v);
    if (!out->v)
        return 0;
    for (const struct ares_addrinfo_node *k = list; k && out->n < n; k = k->ai_next) {
        gp_addr *a = &out->v[out->n];
        if (k->ai_family == AF_INET) {
            struct sockaddr_in sa;
            memcpy(&sa, k->ai_addr, sizeof sa);
            a->family = 4;
            memcpy(a->bytes, &sa.sin_addr, 4);
            out->n++;
        } else if (k->ai_family == AF_INET6) {
            struct sockaddr_in6 sa;
            memcpy(&sa, k->ai_addr, sizeof sa);
            a->family = 6;
            memcpy(a->bytes, &sa.sin6_addr, 16);
            out->n++;
        }
    }
    return 1;
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    answer *a = arg;

    (void)timeouts;
    a->status = status;
    --*a->open;
    if (status == ARES_SUCCESS && info && !copy_addrs(a->out, info->nodes))
        a->status = ARES_ENOMEM;
    ares_freeaddrinfo(info);
}

gp_status query_channel_run(ares_channel ch, const size_t *open, gp_deadline deadline)
{
    while (*open) {
        ares_socket_t socks[ARES_GETSOCK_MAXNUM];
        struct pollfd fds[ARES_GETSOCK_MAXNUM];
        nfds_t n = 0;
        unsigned bits = (unsigned)ares_getsock(ch, socks, ARES_GETSOCK_MAXNUM);

        for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
            /* not ARES_GETSOCK_WRITABLE(): it shifts 1 into the sign bit */
            int r = (int)(bits >> i & 1), w = (int)(bits >> (i + ARES_GETSOCK_MAXNUM) & 1);
            if (r || w)
                fds[n++] =
                    (struct pollfd){socks[i], (short)((r ? POLLIN : 0) | (w ? POLLOUT : 0)), 0};
        }
        int64_t left = gp_deadline_left_ms(deadline);
        if (left <= 0)
            return GP_EDEADLINE;
        struct timeval max = {left / 1000, left % 1000 * 1000}, tv;
        const struct timeval *next = ares_timeout(ch, &max, &tv);
        int wait_ms = (int)(next->tv_sec * 1000 + next->tv_usec / 1000) + 1;
        int ready = poll(fds, n, wait_ms < 1000 ? wait_ms : 1000);
        if (ready < 0 && errno != EINTR)
            return GP_EIO;
        if (ready <= 0)
            ares_process_fd(ch, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* retries and time-outs */
        for (nfds_t i = 0; ready > 0 && i < n; i++)
            if (fds[i].revents)
                ares_process_fd(ch, fds[i].fd,
                                fds[i].events & POLLOUT ? fds[i].fd : ARES_SOCKET_BAD);
    }
    return GP_OK;
}

gp_status query_channel_open(const char *servers, int64_t timeout_ms, ares_channel *ch, gp_err *err)
{
    struct ares_options o = {.tries = TRIES, .socket_receive_buffer_size = RECEIVE_BYTES};
    int64_t each = timeout_ms / 2;

    o.timeout = (int)(each < TRY_MIN_MS ? TRY_MIN_MS : each > TRY_MAX_MS ? TRY_MAX_MS : each);
    pthread_once(&init_once, init);
    int rc =
        init_status == ARES_SUCCESS
            ? ares_init_options(ch, &o, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_RCVBUF)
            : init_status;
    if (rc == ARES_SUCCESS && servers) {
        rc = ares_set_servers_ports_csv(*ch, servers);
        if (rc != ARES_SUCCESS)
            ares_destroy(*ch);
    }
    if (rc != ARES_SUCCESS)
        return gp_fail(err, rc == ARES_ENOMEM ? GP_ENOMEM : GP_EIO, 0, "name lookup: %s",
                       ares_strerror(rc));
    return GP_OK;
}

/* The first failed name in the order asked, if any. */
static gp_status judge(const char *const *names, const answer *a, size_t n, gp_err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (a[i].status == ARES_SUCCESS)
            continue;
        gp_status st = a[i].status == ARES_ETIMEOUT ? GP_EDEADLINE
                       : a[i].status == ARES_ENOMEM ? GP_ENOMEM
                                                    : GP_ENOTFOUND;
        return gp_fail(err, st, 0, "could not resolve \"%.64s\": %s", names[i],
                       ares_strerror(a[i].status));
    }
    return GP_OK;
}

static int in_hosts_file(ares_channel ch, const char *name, int family, query_addrs *out)
{
    struct hostent *h = NULL;
    size_t width = family == AF_INET ? 4 : 16;

    if (ares_gethostbyname_file(ch, name, family, &h) != ARES_SUCCESS)
        return 1;
    for (size_t i = 0; h->h_addr_list[i] && out->n < QUERY_MAX_ADDRS; i++) {
        gp_addr *v = gp_realloc(out->v, out->n + 1, sizeof *v);
        if (!v) {
            ares_free_hostent(h);
            return 0;
        }
        out->v = v;
        v[out->n] = (gp_addr){.family = family == AF_INET ? 4 : 6};
        memcpy(v[out->n++].bytes, h->h_addr_list[i], width);
    }
    ares_free_hostent(h);
    return 1;
}

/* "host.": the hosts file has names without the dot, which only keeps search domains away; c-ares
 * compares them as they stand. 1: answered. */
static int try_hosts_file(ares_channel ch, const char *name, answer *a)
{
    size_t n = strlen(name);

    if (n < 2 || name[n - 1] != '.')
        return 0;
    GP_CLEANUP(gp_freep) char *bare = gp_strndup(name, n - 1);
    if (!bare || !in_hosts_file(ch, bare, AF_INET, a->out) ||
        !in_hosts_file(ch, bare, AF_INET6, a->out))
        a->status = ARES_ENOMEM;
    else if (a->out->n == 0)
        return 0;
    --*a->open;
    return 1;
}

gp_status query_lookup_at(const char *servers, const char *const *names, size_t n,
                          int64_t timeout_ns, query_addrs *out, gp_err *err)
{
    struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_flags = ARES_AI_NOSORT};
    int64_t timeout_ms = timeout_ns / NS_PER_MS;
    gp_deadline deadline = gp_deadline_in_ms(timeout_ms < 0 ? 0 : timeout_ms);
    ares_channel ch = NULL;
    size_t open = n;

    if (n == 0)
        return GP_OK;
    if (timeout_ms <= 0)
        return gp_fail(err, GP_EDEADLINE, 0, "no time to resolve \"%.64s\"", names[0]);
    GP_TRY(query_channel_open(servers, timeout_ms, &ch, err));
    answer *answers = gp_calloc(n, sizeof *answers);
    if (!answers) {
        ares_destroy(ch);
        return gp_fail(err, GP_ENOMEM, 0, "name lookup of %zu names", n);
    }
    for (size_t i = 0; i < n; i++) {
        answers[i] = (answer){.out = &out[i], .open = &open};
        if (!try_hosts_file(ch, names[i], &answers[i]))
            ares_getaddrinfo(ch, names[i], NULL, &hints, on_answer, &answers[i]);
    }
    gp_status st = query_channel_run(ch, &open, deadline);
    ares_destroy(ch); /* calls on_answer() for what is still open */
    if (st == GP_OK)
        st = judge(names, answers, n, err);
    else
        (void)gp_fail(err, st, 0, "name lookup: %s", gp_status_name(st));
    gp_free(answers);
    return st;
}

gp_status query_lookup_system(void *ctx, const char *const *names, size_t n, int64_t timeout_ns,
                              query_addrs *out, gp_err *err)
{
    (void)ctx;
    return query_lookup_at(NULL, names, n, timeout_ns, out, err);
}
