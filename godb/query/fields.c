/* fields.c - query types: names, aliases and shorthands to attributes and labels. */
#include "query/fields.h"

#include "gp/bytes.h"
#include "gp/mem.h"
#include "limits.h"
#include "take.h"
#include "utf8.h"

#include <string.h>

static const struct {
    const char *name;
    int attr;      /* query_attr, or -1 for a label */
    uint8_t label; /* QUERY_LABEL_*, or 0 */
} NAMES[] = {
    {"sip", QUERY_SIP, 0},
    {"src", QUERY_SIP, 0},
    {"dip", QUERY_DIP, 0},
    {"dst", QUERY_DIP, 0},
    {"dport", QUERY_DPORT, 0},
    {"port", QUERY_DPORT, 0},
    {"proto", QUERY_PROTO, 0},
    {"protocol", QUERY_PROTO, 0},
    {"ipproto", QUERY_PROTO, 0},
    {"time", -1, QUERY_LABEL_TIME},
    {"iface", -1, QUERY_LABEL_IFACE},
    {"host", -1, QUERY_LABEL_HOST},
    {"hostname", -1, QUERY_LABEL_HOST},
    {"hostid", -1, QUERY_LABEL_HOSTID},
};

static const struct {
    const char *name, *expansion;
} SHORTHANDS[] = {
    {"talk_src", "sip"},
    {"talk_dst", "dip"},
    {"talk_conv", "sip,dip"},
    {"apps_port", "dport,proto"},
    {"agg_talk_port", "sip,dip,dport,proto"},
    {"raw", "time,host,hostid,iface,sip,dip,dport,proto"},
};

static int is(const char *s, size_t len, const char *name)
{
    return strlen(name) == len && memcmp(s, name, len) == 0;
}

const char *query_attr_name(query_attr a)
{
    static const char *const names[QUERY_N_ATTRS] = {"sip", "dip", "dport", "proto"};
    return (unsigned)a < QUERY_N_ATTRS ? names[a] : "";
}

void query_caret_clear(query_caret *c)
{
    gp_free(c->text);
    gp_free(c->what);
    gp_free(c->word);
    *c = (query_caret){0};
}

static void add_expanded(gp_buf *out, const char *s, size_t len)
{
    for (size_t i = 0; i < GP_COUNT(SHORTHANDS); i++)
        if (is(s, len, SHORTHANDS[i].name)) {
            gp_buf_adds(out, SHORTHANDS[i].expansion);
            return;
        }
    gp_buf_add(out, s, len);
}

char *query_fields_expand(const char *text)
{
    gp_buf bare = {0}, out = {0};
    const char *p = text ? text : "";

    for (size_t n; *p; p += n) { /* all white space goes, also inside names (spec 1.1 rule 1) */
        uint32_t cp = query_utf8_next(p, &n);
        if (!query_utf8_is_space(cp))
            gp_buf_add(&bare, p, n);
    }
    for (const char *s = gp_buf_str(&bare); s;) {
        size_t len = strcspn(s, ",");
        add_expanded(&out, s, len);
        if (!s[len])
            break;
        gp_buf_addc(&out, ',');
        s += len + 1;
    }
    out.failed |= bare.failed;
    gp_buf_free(&bare);
    return query_take(&out);
}

/* Add the element to *f; 0 if nobody knows it. */
static int add_name(query_fields *f, const char *s, size_t len)
{
    for (size_t i = 0; i < GP_COUNT(NAMES); i++) {
        if (!is(s, len, NAMES[i].name))
            continue;
        int a = NAMES[i].attr;
        f->labels |= NAMES[i].label;
        if (a >= 0 && !(f->attr_mask & 1u << a)) {
            f->attr_mask |= (uint8_t)(1u << a);
            f->attrs[f->n_attrs++] = (uint8_t)a;
        }
        return 1;
    }
    return 0;
}

static gp_status fail_unknown(char *joined, size_t at, size_t len, query_caret *caret, gp_err *err)
{
    gp_status st = gp_fail(err, GP_EINVAL, 0, "invalid query type: unknown attribute \"%.*s\"",
                           (int)(len < 64 ? len : 64), joined + at);
    if (!caret) {
        gp_free(joined);
        return st;
    }
    *caret = (query_caret){.text = joined,
                           .offset = query_utf8_len(joined, at),
                           .what = gp_strdup("unknown attribute"),
                           .word = gp_strndup(joined + at, len)};
    if (caret->what && caret->word)
        return st;
    query_caret_clear(caret);
    return gp_fail(err, GP_ENOMEM, 0, "query type");
}

gp_status query_fields_parse(const char *text, query_fields *out, query_caret *caret, gp_err *err)
{
    query_fields f = {0};

    if (text && strnlen(text, QUERY_MAX_TEXT + 1) > QUERY_MAX_TEXT)
        return gp_fail(err, GP_EINVAL, 0, "invalid query type: longer than %d bytes",
                       QUERY_MAX_TEXT);
    char *joined = query_fields_expand(text);
    if (!joined)
        return gp_fail(err, GP_ENOMEM, 0, "query type");
    for (const char *s = joined;;) {
        size_t len = strcspn(s, ",");
        if (!add_name(&f, s, len))
            return fail_unknown(joined, (size_t)(s - joined), len, caret, err);
        if (!s[len])
            break;
        s += len + 1;
    }
    gp_free(joined);
    *out = f;
    return GP_OK;
}

char *query_fields_expand_host(const char *text)
{
    query_fields f = {0};
    char *s = query_fields_expand(text);

    if (!s)
        return NULL;
    gp_status st = query_fields_parse(text, &f, NULL, NULL);
    if (st == GP_EINVAL || (st == GP_OK && f.labels & QUERY_LABEL_HOST))
        return s;
    char *with = st == GP_OK ? gp_asprintf("%s,host", s) : NULL;
    gp_free(s);
    return with;
}
