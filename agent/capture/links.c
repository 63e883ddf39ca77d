/* links.c - rtnetlink: list links, hear of changes; see capture/links.h. */
#include "capture/links.h"

#include "gp/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RECV_BYTES = 32768, MAX_ROUNDS = 4096, TRIES = 20 };

struct capture_linkwatch {
    struct mnl_socket *nl;
};

typedef struct listing {
    capture_link *v;
    size_t n, cap;
    int failed; /* out of memory, or above CAPTURE_LINKS_MAX */
    int torn;   /* links came or went meanwhile: some may be missing, or twice */
} listing;

static int kind_attr(const struct nlattr *a, void *data)
{
    if (mnl_attr_get_type(a) == IFLA_INFO_KIND && mnl_attr_validate(a, MNL_TYPE_STRING) >= 0 &&
        strncmp(mnl_attr_get_payload(a), "vlan", 5) == 0)
        ((capture_link *)data)->vlan = 1;
    return MNL_CB_OK;
}

static int link_attr(const struct nlattr *a, void *data)
{
    capture_link *l = data;

    switch (mnl_attr_get_type(a)) {
    case IFLA_IFNAME:
        if (mnl_attr_validate(a, MNL_TYPE_STRING) < 0)
            break;
        (void)strncpy(l->name, mnl_attr_get_str(a), sizeof l->name - 1);
        break;
    case IFLA_LINKINFO:
        (void)mnl_attr_parse_nested(a, kind_attr, l);
        break;
    default:
        break;
    }
    return MNL_CB_OK;
}

static int one_link(const struct nlmsghdr *h, void *data)
{
    listing *l = data;
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(h);
    capture_link link = {.index = (uint32_t)info->ifi_index,
                         .arphrd = info->ifi_type,
                         .up = info->ifi_flags & IFF_UP ? 1 : 0};

    (void)mnl_attr_parse(h, sizeof *info, link_attr, &link);
    if (!link.name[0])
        return MNL_CB_OK;
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 32;
        capture_link *v = cap <= CAPTURE_LINKS_MAX ? gp_realloc(l->v, cap, sizeof *v) : NULL;
        if (!v) {
            l->failed = 1;
            return MNL_CB_ERROR;
        }
        l->v = v;
        l->cap = cap;
    }
    l->v[l->n++] = link;
    return MNL_CB_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const capture_link *)a)->name, ((const capture_link *)b)->name);
}

/* libmnl takes "torn" for a failure. */
static void note_torn(void *buf, size_t len, listing *l)
{
    int left = (int)len;

    for (struct nlmsghdr *h = buf; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
        l->torn |= h->nlmsg_flags & NLM_F_DUMP_INTR;
        h->nlmsg_flags &= (uint16_t)~NLM_F_DUMP_INTR;
    }
}

/* Ask for all links and collect the answers. */
static int dump(struct mnl_socket *nl, listing *l)
{
    char buf[RECV_BYTES];
    struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

    h->nlmsg_type = RTM_GETLINK;
    h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    unsigned seq = h->nlmsg_seq = (unsigned)time(NULL);
    struct rtgenmsg *rt = mnl_nlmsg_put_extra_header(h, sizeof *rt);
    rt->rtgen_family = AF_PACKET;
    if (mnl_socket_sendto(nl, h, h->nlmsg_len) < 0)
        return -1;
    unsigned port = mnl_socket_get_portid(nl);
    for (int i = 0; i < MAX_ROUNDS; i++) {
        ssize_t n = mnl_socket_recvfrom(nl, buf, sizeof buf);
        if (n < 0)
            return -1;
        note_torn(buf, (size_t)n, l);
        int r = mnl_cb_run(buf, (size_t)n, seq, port, one_link, l);
        if (r <= MNL_CB_STOP)
            return r;
    }
    return -1;
}

/* 0, or an error number. */
static int list_once(listing *l)
{
    struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

    l->n = 0;
    l->torn = 0;
    int r = nl && mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) == 0 ? dump(nl, l) : -1;
    int sys = errno;
    if (nl)
        (void)mnl_socket_close(nl);
    return r < 0 ? (sys ? sys : EIO) : 0;
}

/* By name, each once. */
static void sort(listing *l)
{
    size_t k = 0;

    if (l->n)
        qsort(l->v, l->n, sizeof *l->v, by_name);
    for (size_t i = 0; i < l->n; i++)
        if (k == 0 || by_name(&l->v[k - 1], &l->v[i]) != 0)
            l->v[k++] = l->v[i];
    l->n = k;
}

gp_status capture_links_list(capture_link **out, size_t *n, gp_err *err)
{
    listing l = {0};
    int sys = 0;

    /* The last one counts also when it is torn: a notice of what tore it is on the way. */
    for (int i = 0; i < TRIES && (i == 0 || (sys == 0 && l.torn)); i++)
        sys = list_once(&l);
    if (sys) {
        gp_free(l.v);
        if (l.failed)
            return gp_fail(err, GP_ENOMEM, 0, "too many network interfaces");
        return gp_fail(err, GP_EIO, sys, "cannot list the network interfaces");
    }
    sort(&l);
    *out = l.v;
    *n = l.n;
    return GP_OK;
}

gp_status capture_linkwatch_open(capture_linkwatch **out, gp_err *err)
{
    capture_linkwatch *w = gp_calloc(1, sizeof *w);

    if (!w)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    w->nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (!w->nl || mnl_socket_bind(w->nl, RTMGRP_LINK, MNL_SOCKET_AUTOPID) < 0) {
        int sys = errno;
        capture_linkwatch_close(w);
        return gp_fail(err, GP_EIO, sys, "cannot watch the network interfaces");
    }
    *out = w;
    return GP_OK;
}

void capture_linkwatch_close(capture_linkwatch *w)
{
    if (!w)
        return;
    if (w->nl)
        (void)mnl_socket_close(w->nl);
    gp_free(w);
}

int capture_linkwatch_fd(const capture_linkwatch *w)
{
    return mnl_socket_get_fd(w->nl);
}

static int is_link(const struct nlmsghdr *h, void *data)
{
    if (h->nlmsg_type == RTM_NEWLINK || h->nlmsg_type == RTM_DELLINK)
        *(int *)data = 1;
    return MNL_CB_OK;
}

int capture_linkwatch_read(capture_linkwatch *w)
{
    char buf[RECV_BYTES];
    int changed = 0;

    for (int i = 0; i < MAX_ROUNDS; i++) {
        ssize_t n = mnl_socket_recvfrom(w->nl, buf, sizeof buf);
        if (n < 0 && errno == ENOBUFS) { /* notices were lost: the caller lists anew */
            changed = 1;
            continue;
        }
        if (n < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? changed : -1;
        if (mnl_cb_run(buf, (size_t)n, 0, 0, is_link, &changed) < 0)
            changed = 1;
    }
    return changed;
}
