/* lz4walk.c - LZ4 sequences by hand: where does a block end, and what does a cut block still give.
 */
#include "godb/lz4walk.h"

#include <string.h>

enum {
    MIN_MATCH = 4,
    LAST_LITERALS = 5, /* a block ends with at least so many literals */
};

/* One sequence: literals, then (unless the block ends) a match. */
typedef struct seq {
    size_t lit_at;  /* where the literals begin in src */
    size_t lit_len; /* bytes */
    size_t offset;  /* distance of the match, 0 when there is none */
    size_t match_len;
    size_t next; /* where the next sequence begins */
    int cut;     /* 1: src ended inside the sequence */
} seq;

/* Length nibble 15 is continued in bytes of 255 and one smaller. 0 when src ends before. */
static int read_length(const uint8_t *src, size_t len, size_t *at, size_t *value)
{
    uint8_t b = 255;

    while (b == 255) {
        if (*at >= len)
            return 0;
        b = src[(*at)++];
        *value += b;
    }
    return 1;
}

/* Header of the literal run that begins at `at`. cut is set when src ends in it. */
static void read_literals(const uint8_t *src, size_t len, size_t at, seq *s)
{
    size_t token = src[at++];

    *s = (seq){.lit_len = token >> 4, .match_len = token & 15};
    if (s->lit_len == 15 && !read_length(src, len, &at, &s->lit_len))
        s->cut = 1;
    s->lit_at = at;
}

/* The match behind the literals. */
static void read_match(const uint8_t *src, size_t len, seq *s)
{
    size_t at = s->lit_at + s->lit_len;

    s->next = len;
    if (at + 2 > len) {
        s->cut = 1;
        return;
    }
    s->offset = (size_t)src[at] | (size_t)src[at + 1] << 8;
    at += 2;
    if (s->match_len == 15 && !read_length(src, len, &at, &s->match_len))
        s->cut = 1;
    s->match_len += MIN_MATCH;
    s->next = at;
}

godb_lz4_walk_result godb_lz4_walk(const uint8_t *src, size_t len, size_t raw_len, size_t sure)
{
    godb_lz4_walk_result r = {0};
    size_t at = 0, made = 0;

    while (at < len) {
        seq s;
        read_literals(src, len, at, &s);
        r.sequences++;
        if (s.lit_at > sure)
            r.plausible = 1; /* its length may be what somebody else wrote: nothing is refuted */
        if (s.cut || s.lit_len > raw_len - made) {
            r.cut = s.cut && s.lit_len <= raw_len - made;
            break; /* at: the sequence that does not fit */
        }
        made += s.lit_len;
        if (made == raw_len && s.lit_len >= LAST_LITERALS && s.lit_len <= len - s.lit_at) {
            r.complete = 1;
            r.consumed = s.lit_at + s.lit_len;
            r.tail = s.lit_len;
            break;
        }
        if (s.lit_at + s.lit_len + 2 > sure)
            r.plausible = 1; /* so may be the match behind it */
        r.cut = s.lit_len >= len - s.lit_at;
        if (r.cut)
            break; /* literals reach behind what there is */
        read_match(src, len, &s);
        if (s.next > sure)
            r.plausible = 1;
        if (s.cut || s.offset == 0 || s.offset > made || s.match_len > raw_len - made) {
            r.cut = s.cut && s.match_len <= raw_len - made;
            break;
        }
        made += s.match_len;
        at = s.next;
        r.cut = at >= len;
        if (at >= sure)
            r.plausible = 1;
    }
    if (r.complete)
        r.plausible = r.consumed > sure;
    else
        r.consumed = at;
    return r;
}

size_t godb_lz4_decode_prefix(const uint8_t *src, size_t len, uint8_t *dst, size_t raw_len)
{
    size_t at = 0, made = 0;

    while (at < len) {
        seq s;
        read_literals(src, len, at, &s);
        if (s.cut || s.lit_len > raw_len - made)
            return made;
        size_t have = len - s.lit_at < s.lit_len ? len - s.lit_at : s.lit_len;
        memcpy(dst + made, src + s.lit_at, have);
        made += have;
        if (have < s.lit_len || made == raw_len)
            return made;
        read_match(src, len, &s);
        if (s.cut || s.offset == 0 || s.offset > made || s.match_len > raw_len - made)
            return made;
        for (size_t i = 0; i < s.match_len; i++, made++) /* may overlap: byte by byte */
            dst[made] = dst[made - s.offset];
        at = s.next;
    }
    return made;
}
