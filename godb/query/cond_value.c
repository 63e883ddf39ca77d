/* cond_value.c - operators and values of comparisons (spec 3.3): numbers, addresses, networks. */
#include "cond_int.h"

#include "gp/ipproto.h"
#include "gp/num.h"
#include "limits.h"

#include <string.h>

enum { SHOWN = 80 }; /* bytes of a bad value in an error text */

const char *query_op_text(query_op op)
{
    static const char *const text[] = {"=", "!=", "<", "<=", ">", ">="};
    return text[op];
}

static int shown(const cond_node *n)
{
    return (int)(n->text_len < SHOWN ? n->text_len : SHOWN);
}

/* By the attribute's own name: src is sip by now (3.5). */
static gp_status check_op(cond_ctx *c, const cond_node *n)
{
    static const char *const names[] = {
        [COND_SIP] = "sip",   [COND_DIP] = "dip",   [COND_SNET] = "snet",
        [COND_DNET] = "dnet", [COND_HOST] = "host", [COND_NET] = "net"};

    if (n->op <= QUERY_NE || n->attr == COND_DPORT || n->attr == COND_PROTO)
        return GP_OK;
    return gp_fail(c->err, GP_EINVAL, 0, "comparator \"%s\" not allowed for attribute \"%s\"",
                   query_op_text(n->op), names[n->attr]);
}

static gp_status bad_number(cond_ctx *c, const cond_node *n, const char *what, unsigned max)
{
    int digits = strspn(n->text, "0123456789") >= n->text_len;

    return gp_fail(c->err, GP_EINVAL, 0, "could not parse %s: \"%.*s\" is %s (0 to %u)", what,
                   shown(n), n->text, digits ? "out of range" : "not a number", max);
}

static gp_status set_port(cond_ctx *c, cond_node *n)
{
    uint64_t v;

    if (!gp_num_u64(n->text, n->text_len, UINT16_MAX, &v))
        return bad_number(c, n, "port", UINT16_MAX);
    n->number = (uint16_t)v;
    return GP_OK;
}

static gp_status set_proto(cond_ctx *c, cond_node *n)
{
    uint64_t v;
    int known;

    if (gp_num_u64(n->text, n->text_len, UINT8_MAX, &v)) {
        n->number = (uint16_t)v;
        return GP_OK;
    }
    known = gp_ipproto_number_strict(n->text, n->text_len);
    if (known >= 0) {
        n->number = (uint16_t)known;
        return GP_OK;
    }
    if (strspn(n->text, "0123456789") >= n->text_len)
        return bad_number(c, n, "protocol", UINT8_MAX);
    known = gp_ipproto_number(n->text, n->text_len); /* what people say instead: esp, icmpv6 */
    if (known >= 0)
        return gp_fail(c->err, GP_EINVAL, 0,
                       "could not parse protocol: unknown name \"%.*s\" (did you mean \"%s\"?)",
                       shown(n), n->text, gp_ipproto_name((uint8_t)known));
    return gp_fail(
        c->err, GP_EINVAL, 0,
        "could not parse protocol: unknown name \"%.*s\" (a name such as tcp, or 0 to 255)",
        shown(n), n->text);
}

static gp_status bad_address(cond_ctx *c, const cond_node *n)
{
    return gp_fail(c->err, GP_EINVAL, 0, "could not parse IP address: %.*s", shown(n), n->text);
}

static gp_status add_net(cond_ctx *c, cond_node *n, const gp_net *net)
{
    gp_net *copy = gp_arena_alloc(c->arena, 1, sizeof *copy);

    if (!copy)
        return gp_fail(c->err, GP_ENOMEM, 0, "condition");
    *copy = *net;
    n->nets = copy;
    n->n_nets = 1;
    return GP_OK;
}

/* An address, or something to look up later. */
static gp_status set_host(cond_ctx *c, cond_node *n)
{
    gp_net net = {0};

    if (gp_addr_parse(n->text, n->text_len, &net.addr)) {
        net.prefix = net.addr.family == 4 ? 32 : 128;
        return add_net(c, n, &net);
    }
    int letters = 0;
    for (uint32_t i = 0; i < n->text_len; i++) {
        char ch = n->text[i];
        letters |= (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '-';
    }
    if (!letters)
        return gp_fail(c->err, GP_EINVAL, 0,
                       "invalid value in condition: '%.*s' is neither an ip nor a hostname",
                       shown(n), n->text);
    if (memchr(n->text, ':', n->text_len)) /* no host name has one: a mistyped or zoned address */
        return bad_address(c, n);
    return GP_OK;
}

static gp_status set_net(cond_ctx *c, cond_node *n)
{
    static const char example[] = "use CIDR notation, for example 192.0.2.0/24 or 2001:db8::/32";
    const char *slash = memchr(n->text, '/', n->text_len);
    gp_net net;
    gp_addr addr;
    uint64_t bits;

    if (gp_net_parse(n->text, n->text_len, &net, NULL))
        return add_net(c, n, &net);
    if (!slash)
        return gp_fail(c->err, GP_EINVAL, 0, "prefix length missing in \"%.*s\": %s", shown(n),
                       n->text, example);
    size_t len = (size_t)(slash - n->text), rest = n->text_len - len - 1;
    if (!gp_num_u64(slash + 1, rest, UINT32_MAX, &bits))
        return gp_fail(c->err, GP_EINVAL, 0, "could not parse prefix length \"%.*s\": %s",
                       (int)(rest < 32 ? rest : 32), slash + 1, example);
    if (!gp_addr_parse(n->text, len, &addr))
        return bad_address(c, n);
    int v6 = memchr(n->text, ':', len) != NULL;
    return gp_fail(c->err, GP_EINVAL, 0, "prefix length %llu out of range (0 to %d): %s",
                   (unsigned long long)bits, v6 ? 128 : 32, example);
}

static gp_status set_value(cond_ctx *c, cond_node *n)
{
    switch ((cond_attr)n->attr) {
    case COND_DPORT:
        return set_port(c, n);
    case COND_PROTO:
        return set_proto(c, n);
    case COND_SNET:
    case COND_DNET:
    case COND_NET:
        return set_net(c, n);
    case COND_SIP:
    case COND_DIP:
    case COND_HOST:
        return set_host(c, n);
    case COND_DIR:
        break;
    }
    return GP_OK; /* the direction filter was checked when it was taken out */
}

gp_status query_cond_values(cond_ctx *c)
{
    for (cond_node *n = c->first_cmp; n; n = n->next_cmp) {
        if (n == c->filter)
            continue;
        GP_TRY(check_op(c, n));
        GP_TRY(set_value(c, n));
    }
    return GP_OK;
}
