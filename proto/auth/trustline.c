/* trustline.c - the grammar of a trusted_keys line: kind, name, public key, options. */
#include "trustline.h"

#include "gp/num.h"
#include "identity.h"

#include <sodium.h>
#include <string.h>
#include <time.h>

static const struct {
    const char *name;
    uint32_t bit;
} ROLES[] = {
    {"query", AUTH_ROLE_QUERY},
    {"live", AUTH_ROLE_LIVE},
    {"status", AUTH_ROLE_STATUS},
    {"config.read", AUTH_ROLE_CONFIG_READ},
    {"config.write", AUTH_ROLE_CONFIG_WRITE},
    {"relay", AUTH_ROLE_RELAY},
};

int auth_roles_parse(const char *s, size_t len, uint32_t *out)
{
    uint32_t bits = 0;
    if (len == 4 && memcmp(s, "none", 4) == 0) {
        *out = 0;
        return 0;
    }
    for (size_t i = 0; i <= len;) {
        const char *comma = memchr(s + i, ',', len - i);
        size_t n = comma ? (size_t)(comma - s) - i : len - i;
        size_t r = 0;
        while (r < GP_COUNT(ROLES) &&
               (strlen(ROLES[r].name) != n || memcmp(ROLES[r].name, s + i, n) != 0))
            r++;
        if (r == GP_COUNT(ROLES))
            return -1;
        bits |= ROLES[r].bit;
        i += n + 1;
    }
    *out = bits;
    return 0;
}

void auth_roles_format(uint32_t roles, gp_buf *out)
{
    const char *sep = "";
    for (size_t r = 0; r < GP_COUNT(ROLES); r++)
        if (roles & ROLES[r].bit) {
            gp_buf_printf(out, "%s%s", sep, ROLES[r].name);
            sep = ",";
        }
    if (!*sep)
        gp_buf_adds(out, "none");
}

uint32_t auth_roles_default(auth_kind k)
{
    switch (k) {
    case AUTH_KIND_USER:
        return AUTH_ROLE_QUERY | AUTH_ROLE_LIVE | AUTH_ROLE_STATUS;
    case AUTH_KIND_AGGREGATOR:
        return AUTH_ROLE_RELAY | AUTH_ROLE_STATUS;
    case AUTH_KIND_GATEWAY:
        return AUTH_ROLE_QUERY | AUTH_ROLE_STATUS;
    case AUTH_KIND_AGENT:
    case AUTH_KIND_ISSUER:
    case AUTH_KIND_FLEET:
    case AUTH_KIND_NONE:
        break;
    }
    return 0;
}

/* "2026-01-31", "2026-01-31T10:00:00Z" or Unix seconds; false if it is none. */
static int parse_time(const char *s, size_t len, int64_t *out)
{
    char buf[32];
    uint64_t n;
    if (gp_num_u64(s, len, 253402300799u, &n)) { /* until the end of year 9999 */
        *out = (int64_t)n;
        return 1;
    }
    if (len >= sizeof buf)
        return 0;
    memcpy(buf, s, len);
    buf[len] = 0;
    struct tm tm = {0};
    const char *end = strptime(buf, len > 10 ? "%Y-%m-%dT%H:%M:%SZ" : "%Y-%m-%d", &tm);
    if (!end || *end)
        return 0;
    *out = (int64_t)timegm(&tm);
    return *out >= 0;
}

/* Duration with days as the largest unit ("31d", "12h", "90m", "0"), in seconds. */
static int parse_span(const char *s, size_t len, int64_t *out)
{
    uint64_t n;
    int64_t ns;
    if (len > 1 && s[len - 1] == 'd' && gp_num_u64(s, len - 1, 36500, &n)) {
        *out = (int64_t)n * 86400;
        return 1;
    }
    if (!gp_num_duration_ns(s, len, &ns) || ns < 0)
        return 0;
    *out = ns / 1000000000;
    return ns % 1000000000 == 0;
}

/* Globs go into a fixed field; only characters that names may have, and '*', '?', ','. */
static int copy_globs(const char *s, size_t len, char *dst, size_t cap)
{
    if (len == 0 || len >= cap)
        return 0;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] <= ' ' || (unsigned char)s[i] > '~')
            return 0;
    memcpy(dst, s, len);
    dst[len] = 0;
    return 1;
}

static gp_status parse_option(const char *opt, size_t len, auth_peer *p, gp_err *err)
{
    const char *eq = memchr(opt, '=', len);
    if (!eq)
        return gp_fail(err, GP_EINVAL, 0, "option '%.*s': expected NAME=VALUE", (int)len, opt);
    size_t n = (size_t)(eq - opt), vn = len - n - 1;
    const char *v = eq + 1, *want;
    int ok;
#define IS(name) (n == sizeof(name) - 1 && memcmp(opt, name, n) == 0)
    if (IS("roles")) {
        ok = auth_roles_parse(v, vn, &p->roles) == 0;
        want = "a comma list of query, live, status, config.read, config.write, relay; or none";
    } else if (IS("hosts")) {
        ok = copy_globs(v, vn, p->host_globs, sizeof p->host_globs);
        want = "a comma list of host globs, at most 255 characters";
    } else if (IS("ifaces")) {
        ok = copy_globs(v, vn, p->iface_globs, sizeof p->iface_globs);
        want = "a comma list of interface globs, at most 255 characters";
    } else if (IS("max-span")) {
        ok = parse_span(v, vn, &p->max_span_s);
        want = "a time such as 31d, 12h or 0 (no limit)";
    } else if (IS("not-before")) {
        ok = parse_time(v, vn, &p->not_before_s);
        want = "a time such as 2026-01-31 or 2026-01-31T10:00:00Z";
    } else if (IS("not-after")) {
        ok = parse_time(v, vn, &p->not_after_s) && p->not_after_s > 0;
        want = "a time such as 2026-01-31 or 2026-01-31T10:00:00Z";
    } else {
        return gp_fail(err, GP_EINVAL, 0,
                       "unknown option '%.*s'; expected roles, hosts, ifaces, max-span, not-before "
                       "or not-after",
                       (int)n, opt);
    }
#undef IS
    if (!ok)
        return gp_fail(err, GP_EINVAL, 0, "%.*s: expected %s", (int)len, opt, want);
    return GP_OK;
}

/* Next word of the line from *at; its length, 0 at the end. */
static size_t next_word(const char *line, size_t len, size_t *at, const char **word)
{
    while (*at < len && (line[*at] == ' ' || line[*at] == '\t'))
        (*at)++;
    *word = line + *at;
    size_t from = *at;
    while (*at < len && line[*at] != ' ' && line[*at] != '\t')
        (*at)++;
    return *at - from;
}

gp_status auth_entry_parse(const char *line, size_t len, auth_peer *out, gp_err *err)
{
    const char *w;
    char kind[16];
    size_t at = 0, n = next_word(line, len, &at, &w);
    auth_peer p = {.local_uid = -1, .host_globs = "*", .iface_globs = "*"};

    if (memchr(line, 0, len))
        return gp_fail(err, GP_EINVAL, 0, "NUL byte in the line");
    snprintf(kind, sizeof kind, "%.*s", (int)(n < sizeof kind ? n : sizeof kind - 1), w);
    int k = auth_kind_by_name(kind);
    if (k < 0 || k == AUTH_KIND_ISSUER)
        return gp_fail(err, GP_EINVAL, 0,
                       "kind '%s'; expected agent, aggregator, gateway, user or fleet", kind);
    p.kind = (auth_kind)k;
    p.roles = auth_roles_default(p.kind);
    n = next_word(line, len, &at, &w);
    if (!auth_name_ok(w, n))
        return gp_fail(err, GP_EINVAL, 0,
                       "name '%.*s': expected 1 to 64 characters of A-Z a-z 0-9 . _ @ -",
                       (int)(n > 80 ? 80 : n), w);
    memcpy(p.name, w, n);
    n = next_word(line, len, &at, &w);
    if (!gp_unhex(w, n, p.sign_pk, AUTH_SIGN_PK))
        return gp_fail(err, GP_EINVAL, 0, "public key of '%s': expected 64 hexadecimal digits",
                       p.name);
    if (crypto_sign_ed25519_pk_to_curve25519(p.dh_pk, p.sign_pk) != 0)
        return gp_fail(err, GP_EINVAL, 0, "public key of '%s' is not a valid Ed25519 key", p.name);
    while ((n = next_word(line, len, &at, &w)) > 0)
        GP_TRY(parse_option(w, n, &p, err));
    *out = p;
    return GP_OK;
}

/* "2026-01-31T10:00:00Z" of Unix seconds. */
static void add_time(gp_buf *out, const char *key, int64_t s)
{
    char buf[32];
    struct tm tm;
    time_t t = (time_t)s;
    gmtime_r(&t, &tm);
    strftime(buf, sizeof buf, "%Y-%m-%dT%H:%M:%SZ", &tm);
    gp_buf_printf(out, " %s=%s", key, buf);
}

void auth_entry_format(const auth_peer *p, gp_buf *out)
{
    char hex[2 * AUTH_SIGN_PK + 1];
    gp_hex(p->sign_pk, AUTH_SIGN_PK, hex);
    gp_buf_printf(out, "%s %s %s", auth_kind_name(p->kind), p->name, hex);
    if (p->roles != auth_roles_default(p->kind)) {
        gp_buf_adds(out, " roles=");
        auth_roles_format(p->roles, out);
    }
    if (strcmp(p->host_globs, "*") != 0)
        gp_buf_printf(out, " hosts=%s", p->host_globs);
    if (strcmp(p->iface_globs, "*") != 0)
        gp_buf_printf(out, " ifaces=%s", p->iface_globs);
    if (p->max_span_s % 86400)
        gp_buf_printf(out, " max-span=%llds", (long long)p->max_span_s);
    else if (p->max_span_s)
        gp_buf_printf(out, " max-span=%lldd", (long long)p->max_span_s / 86400);
    if (p->not_before_s)
        add_time(out, "not-before", p->not_before_s);
    if (p->not_after_s)
        add_time(out, "not-after", p->not_after_s);
    gp_buf_addc(out, '\n');
}
