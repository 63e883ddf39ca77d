/* tlv.h - the canonical encoding of certificates: fields in rising order, each at most once. */
#ifndef AUTH_TLV_H
#define AUTH_TLV_H

#include "gp/bytes.h"

/* Append u8 type, u16 length (big endian), bytes. */
static inline void auth_tlv_add(gp_buf *out, uint8_t type, const void *bytes, size_t len)
{
    uint8_t head[3] = {type, 0, 0};
    gp_put_be16(head + 1, (uint16_t)len);
    gp_buf_add(out, head, sizeof head);
    if (len)
        gp_buf_add(out, bytes, len);
}

typedef struct auth_tlv {
    const uint8_t *p, *end;
    int last; /* type of the field before, -1 at the start */
    uint8_t type;
    const uint8_t *v;
    size_t n;
} auth_tlv;

/* 1: a field is in t; 0: the end; -1: malformed or not in rising order. */
static inline int auth_tlv_next(auth_tlv *t)
{
    if (t->p == t->end)
        return 0;
    if (t->end - t->p < 3)
        return -1;
    t->type = t->p[0];
    t->n = gp_be16(t->p + 1);
    if ((size_t)(t->end - t->p - 3) < t->n || (int)t->type <= t->last)
        return -1;
    t->v = t->p + 3;
    t->last = t->type;
    t->p += 3 + t->n;
    return 1;
}

#endif
