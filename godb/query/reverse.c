/* reverse.c - host names of addresses through c-ares: hosts file and PTR records. */
#include "query/reverse.h"

#include "gp/mem.h"
#include "lookup_int.h"

#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static const int64_t NS_PER_MS = 1000000;

typedef struct answer {
    char **name;
    size_t *open; /* answers still missing */
} answer;

/* The first name. c-ares lists those of all PTR records as aliases and repeats the last one as the
 * name; of a line of the hosts file the aliases are the names behind the first.
 * DNS names end in a dot; names of the hosts file get it when they have one inside. */
static char *first_name(const struct hostent *host)
{
    const char *name = host->h_name;
    char *const *last = host->h_aliases;
    int ptr = 0;

    while (last && *last) {
        ptr = strcmp(*last, name) == 0;
        last++;
    }
    if (ptr)
        name = host->h_aliases[0];
    size_t n = strlen(name);
    int dot = n > 0 && name[n - 1] != '.' && (ptr || strchr(name, '.'));
    return n ? gp_asprintf("%s%s", name, dot ? "." : "") : NULL;
}

static void on_answer(void *arg, int status, int timeouts, struct hostent *host)
{
    answer *a = arg;

    (void)timeouts;
    --*a->open;
    if (status == ARES_SUCCESS && host && host->h_name && *host->h_name)
        *a->name = first_name(host);
}

static void ask(ares_channel ch, const gp_addr *addr, answer *a)
{
    if (addr->family == 4)
        ares_gethostbyaddr(ch, addr->bytes, 4, AF_INET, on_answer, a);
    else
        ares_gethostbyaddr(ch, addr->bytes, 16, AF_INET6, on_answer, a);
}

gp_status query_reverse_at(const char *servers, const gp_addr *addrs, size_t n, int64_t timeout_ns,
                           char **names, gp_err *err)
{
    int64_t timeout_ms = timeout_ns / NS_PER_MS;
    gp_deadline deadline = gp_deadline_in_ms(timeout_ms < 0 ? 0 : timeout_ms);
    ares_channel ch;
    size_t open = 0;

    if (n == 0 || timeout_ms <= 0)
        return GP_OK;
    if (n > QUERY_MAX_REVERSE)
        return gp_fail(err, GP_EINVAL, 0, "cannot resolve %zu addresses at once, at most %d", n,
                       QUERY_MAX_REVERSE);
    answer *answers = gp_calloc(n, sizeof *answers);
    if (!answers)
        return gp_fail(err, GP_ENOMEM, 0, "reverse lookup of %zu addresses", n);
    gp_status st = query_channel_open(servers, timeout_ms, &ch, err);
    if (st != GP_OK) {
        gp_free(answers);
        return st;
    }
    for (size_t i = 0; i < n; i++) {
        if (addrs[i].family != 4 && addrs[i].family != 6)
            continue;
        open++;
        answers[i] = (answer){.name = &names[i], .open = &open};
        ask(ch, &addrs[i], &answers[i]);
    }
    st = query_channel_run(ch, &open, deadline);
    ares_destroy(ch); /* calls on_answer() for what is still open */
    gp_free(answers);
    return st == GP_EDEADLINE ? GP_OK
           : st == GP_OK      ? GP_OK
                              : gp_fail(err, st, 0, "reverse lookup: %s", gp_status_name(st));
}

gp_status query_reverse_system(const gp_addr *addrs, size_t n, int64_t timeout_ns, char **names,
                               gp_err *err)
{
    return query_reverse_at(NULL, addrs, n, timeout_ns, names, err);
}
