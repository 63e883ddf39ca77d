/* selector.c - host selectors: parse, match, expand. */
#include "wire/selector.h"

#include "gp/mem.h"
#include "gp/num.h"
#include "wire/limits.h"

#include <stdio.h>
#include <string.h>

struct wire_selector {
    char *text; /* owns the items' strings */
    wire_item *items;
    size_t n;
};

void wire_selector_free(wire_selector *s)
{
    if (!s)
        return;
    gp_free(s->text);
    gp_free(s->items);
    gp_free(s);
}

size_t wire_selector_count(const wire_selector *s)
{
    return s->n;
}

const wire_item *wire_selector_item(const wire_selector *s, size_t i)
{
    return i < s->n ? &s->items[i] : NULL;
}

/* ---- ranges ---- */

/* One alternative inside brackets: "07-11" or any other text. */
struct alt {
    const char *s;
    size_t len;
    int is_range;
    uint64_t lo, hi;
    size_t width; /* digits, when numbers are padded; else 0 */
};

static struct alt parse_alt(const char *s, size_t len)
{
    struct alt a = {.s = s, .len = len};
    const char *dash = memchr(s, '-', len);
    size_t n_lo = dash ? (size_t)(dash - s) : 0, n_hi = dash ? len - n_lo - 1 : 0;
    if (dash && n_hi && n_lo && gp_num_u64(s, n_lo, 999999999, &a.lo) &&
        gp_num_u64(dash + 1, n_hi, 999999999, &a.hi)) {
        a.is_range = 1;
        a.width = (n_lo > 1 && s[0] == '0') || n_lo == n_hi ? n_lo : 0;
    }
    return a;
}

/* Next alternative of a bracket's content; 0 at the end. */
static int next_alt(const char **p, const char *end, struct alt *out)
{
    if (*p > end)
        return 0;
    const char *comma = memchr(*p, ',', (size_t)(end - *p));
    size_t len = (size_t)((comma ? comma : end) - *p);
    *out = parse_alt(*p, len);
    *p += len + 1;
    return 1;
}

/* ---- parsing ---- */

static gp_status bad_item(gp_err *err, const char *item, const char *why)
{
    return gp_fail(err, GP_EINVAL, 0, "host selector: \"%s\": %s", item, why);
}

static gp_status check_brackets(const char *s, gp_err *err)
{
    for (const char *p = s; *p; p++) {
        if (*p == ']')
            return bad_item(err, s, "']' without '['");
        if (*p != '[')
            continue;
        const char *end = strchr(p, ']');
        if (!end || end == p + 1)
            return bad_item(err, s, "expected a range such as [01-20]");
        struct alt a;
        for (const char *q = p + 1; next_alt(&q, end, &a);) {
            if (a.len == 0 || memchr(a.s, '[', a.len))
                return bad_item(err, s, "expected a range such as [01-20]");
            if (a.is_range && a.lo > a.hi)
                return bad_item(err, s, "the range goes backwards");
        }
        p = end;
    }
    return GP_OK;
}

static gp_status classify(char *s, wire_item *it, gp_err *err)
{
    *it = (wire_item){0};
    if (*s == '!') {
        it->negative = 1;
        s++;
    }
    it->text = s;
    if (!*s || *s == '!')
        return bad_item(err, s, "expected a host after '!'");
    if (strlen(s) > WIRE_MAX_LABEL)
        return bad_item(err, s, "a host name has at most 255 bytes");
    for (const char *p = s; *p; p++) {
        if ((unsigned char)*p <= ' ' || *p == 0x7f)
            return bad_item(err, s, "blanks are not allowed inside a host name");
    }
    if (*s == '@') {
        it->kind = WIRE_ITEM_GROUP;
        it->text = s + 1;
        return s[1] ? GP_OK : bad_item(err, s, "expected a group name after '@'");
    }
    if ((s[0] | 32) == 'a' && (s[1] | 32) == 'n' && (s[2] | 32) == 'y' && s[3] == 0) {
        it->kind = WIRE_ITEM_ANY;
        return GP_OK;
    }
    GP_TRY(check_brackets(s, err));
    it->kind = strpbrk(s, "*?") ? WIRE_ITEM_GLOB
               : strchr(s, '[') ? WIRE_ITEM_RANGE
                                : WIRE_ITEM_NAME;
    return GP_OK;
}

/* End of the item at p: a comma outside brackets, or the end of the text. */
static char *item_end(char *p)
{
    for (int depth = 0; *p && (*p != ',' || depth); p++) {
        if (*p == '[')
            depth = 1;
        else if (*p == ']')
            depth = 0;
    }
    return p;
}

static char *trim(char *s, char *end)
{
    while (s < end && (*s == ' ' || *s == '\t' || *s == '\n' || *s == '\r'))
        s++;
    while (end > s && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\n' || end[-1] == '\r'))
        end--;
    *end = 0;
    return s;
}

static gp_status split_items(wire_selector *s, gp_err *err)
{
    size_t cap = 1;
    for (const char *p = s->text; *p; p++)
        cap += *p == ',';
    if (cap > WIRE_SELECTOR_ITEMS)
        return gp_fail(err, GP_ELIMIT, 0, "host selector: more than %d items", WIRE_SELECTOR_ITEMS);
    s->items = gp_calloc(cap, sizeof *s->items);
    if (!s->items)
        return gp_fail(err, GP_ENOMEM, 0, "host selector: out of memory");
    for (char *p = s->text, *end;; p = end + 1) {
        end = item_end(p);
        int last = *end == 0;
        char *item = trim(p, end);
        if (*item) {
            GP_TRY(classify(item, &s->items[s->n], err));
            s->n++;
        }
        if (last)
            return GP_OK;
    }
}

gp_status wire_selector_parse(const char *text, wire_selector **out, gp_err *err)
{
    wire_selector *s = gp_calloc(1, sizeof *s);
    if (!s)
        return gp_fail(err, GP_ENOMEM, 0, "host selector: out of memory");
    s->text = gp_strdup(text ? text : "");
    gp_status st =
        s->text ? split_items(s, err) : gp_fail(err, GP_ENOMEM, 0, "host selector: out of memory");
    if (st != GP_OK) {
        wire_selector_free(s);
        return st;
    }
    *out = s;
    return GP_OK;
}

/* ---- matching ---- */

static int match(const char *pat, const char *s, unsigned *steps);

/* The alternatives of "[...]" at pat against the start of s, then the rest. */
static int match_range(const char *pat, const char *s, unsigned *steps)
{
    const char *end = strchr(pat, ']');
    struct alt a;
    for (const char *q = pat + 1; next_alt(&q, end, &a);) {
        if (!a.is_range) {
            if (strncmp(s, a.s, a.len) == 0 && match(end + 1, s + a.len, steps))
                return 1;
            continue;
        }
        size_t digits = strspn(s, "0123456789");
        for (size_t n = 1; n <= digits && (n <= 9 || n <= a.width); n++) {
            uint64_t v;
            /* as printed by expand_alt() */
            int shape = n == a.width || (n > a.width && (n == 1 || s[0] != '0'));
            if (shape && gp_num_u64(s, n, UINT64_MAX, &v) && v >= a.lo && v <= a.hi &&
                match(end + 1, s + n, steps))
                return 1;
        }
    }
    return 0;
}

/* steps bounds the work: patterns are signed by users, but still foreign. */
static int match(const char *pat, const char *s, unsigned *steps)
{
    for (; *pat; pat++) {
        if (*steps == 0)
            return 0;
        (*steps)--;
        if (*pat == '*') {
            for (;; s++) {
                if (match(pat + 1, s, steps))
                    return 1;
                if (!*s)
                    return 0;
            }
        }
        if (*pat == '[')
            return match_range(pat, s, steps);
        if (!*s || (*pat != '?' && *pat != *s))
            return 0;
        s++;
    }
    return *s == 0;
}

int wire_item_match(const wire_item *it, const char *host)
{
    unsigned steps = 100000;
    switch (it->kind) {
    case WIRE_ITEM_ANY:
        return 1;
    case WIRE_ITEM_NAME:
        return strcmp(it->text, host) == 0;
    case WIRE_ITEM_RANGE:
    case WIRE_ITEM_GLOB:
        return match(it->text, host, &steps);
    default:
        return 0;
    }
}

/* ---- expanding ---- */

struct expand {
    gp_status (*fn)(void *ctx, const char *);
    void *ctx;
    size_t left;
    gp_err *err;
    const char *item;
};

static gp_status expand_at(struct expand *x, const char *pat, char *buf, size_t len);

static gp_status expand_alt(struct expand *x, const struct alt *a, const char *rest, char *buf,
                            size_t len)
{
    enum { CAP = WIRE_MAX_LABEL + 16 };
    if (!a->is_range) {
        if (len + a->len >= CAP)
            return bad_item(x->err, x->item, "a host name has at most 255 bytes");
        memcpy(buf + len, a->s, a->len);
        return expand_at(x, rest, buf, len + a->len);
    }
    for (uint64_t v = a->lo; v <= a->hi; v++) {
        int n = snprintf(buf + len, CAP - len, "%0*llu", (int)a->width, (unsigned long long)v);
        if (n < 0 || len + (size_t)n >= CAP)
            return bad_item(x->err, x->item, "a host name has at most 255 bytes");
        GP_TRY(expand_at(x, rest, buf, len + (size_t)n));
    }
    return GP_OK;
}

static gp_status expand_at(struct expand *x, const char *pat, char *buf, size_t len)
{
    size_t n = strcspn(pat, "[");
    if (len + n > WIRE_MAX_LABEL)
        return bad_item(x->err, x->item, "a host name has at most 255 bytes");
    memcpy(buf + len, pat, n);
    len += n;
    pat += n;
    if (!*pat) {
        if (x->left == 0)
            return gp_fail(x->err, GP_ELIMIT, 0, "host selector: \"%s\" means too many hosts",
                           x->item);
        x->left--;
        buf[len] = 0;
        return x->fn(x->ctx, buf);
    }
    const char *end = strchr(pat, ']');
    struct alt a;
    for (const char *q = pat + 1; next_alt(&q, end, &a);)
        GP_TRY(expand_alt(x, &a, end + 1, buf, len));
    return GP_OK;
}

gp_status wire_item_expand(const wire_item *it, size_t max,
                           gp_status (*fn)(void *ctx, const char *), void *ctx, gp_err *err)
{
    char buf[WIRE_MAX_LABEL + 17];
    struct expand x = {.fn = fn, .ctx = ctx, .left = max, .err = err, .item = it->text};
    return expand_at(&x, it->text, buf, 0);
}

/* ---- cover ---- */

static int in_list(const char *s, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(s, list[i]) == 0)
            return 1;
    }
    return 0;
}

static int item_takes(const wire_item *it, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (wire_item_match(it, names[i]))
            return 1;
    }
    return 0;
}

wire_cover wire_selector_covers(const wire_selector *s, const char *const *names, size_t n_names,
                                const char *const *groups, size_t n_groups)
{
    int taken = 0, unknown = 0;
    for (size_t i = 0; i < s->n; i++) {
        const wire_item *it = &s->items[i];
        int hit = it->kind == WIRE_ITEM_GROUP ? in_list(it->text, groups, n_groups)
                                              : item_takes(it, names, n_names);
        if (hit && it->negative)
            return WIRE_COVERS_NOT;
        if (hit)
            taken = 1;
        else if (it->kind == WIRE_ITEM_GROUP)
            unknown = 1; /* somebody else may know this group */
    }
    /* An unknown group can only add hosts (positive) or take this one away (negative). */
    for (size_t i = 0; taken && i < s->n; i++) {
        const wire_item *it = &s->items[i];
        if (it->negative && it->kind == WIRE_ITEM_GROUP && !in_list(it->text, groups, n_groups))
            return WIRE_COVERS_UNKNOWN;
    }
    return taken ? WIRE_COVERS : unknown ? WIRE_COVERS_UNKNOWN : WIRE_COVERS_NOT;
}
