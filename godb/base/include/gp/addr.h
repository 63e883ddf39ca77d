/* addr.h - IPv4 and IPv6 addresses and networks as bytes in network order. */
#ifndef GP_ADDR_H
#define GP_ADDR_H

#include "gp/err.h"

#include <stddef.h>
#include <stdint.h>

enum { GP_ADDR_STRLEN = 64 }; /* enough for every text form, NUL included */

/* family 0 means "absent"; unused bytes are zero, so two addresses compare with memcmp. */
typedef struct gp_addr {
    uint8_t family;    /* 0, 4 or 6 */
    uint8_t bytes[16]; /* network order; IPv4 in the first four */
} gp_addr;

typedef struct gp_net {
    gp_addr addr;   /* host bits cleared */
    uint8_t prefix; /* bits, 0..32 or 0..128 */
} gp_net;

/* Text to address as query.md 3.3 says: dotted quad without leading zeros, or IPv6 (mixed
 * notation allowed, no zone). Text that contains a dot is IPv4 even as "::ffff:a.b.c.d";
 * other mixed forms ("64:ff9b::a.b.c.d") have no IPv4 meaning and stay IPv6. False if it is none;
 * *out is then untouched. */
int gp_addr_parse(const char *s, size_t len, gp_addr *out);

/* Canonical text (RFC 5952; mapped IPv4 as ::ffff:a.b.c.d; family 0 as "invalid IP").
 * Writes at most cap bytes with NUL; returns the length. */
size_t gp_addr_format(const gp_addr *a, char *buf, size_t cap);

/* Order of query.md 5.5: absent < IPv4 < IPv6, then numeric. <0, 0, >0. */
int gp_addr_cmp(const gp_addr *a, const gp_addr *b);

/* "ADDR/LEN"; host bits are ignored; an address with a colon is IPv6, "::ffff:a.b.c.d" too.
 * Stricter than the reference (query.md 3.3: U16, U24). *why (may be NULL) gets a static text for
 * a person on failure; *out is then untouched. */
int gp_net_parse(const char *s, size_t len, gp_net *out, const char **why);

/* Same family and the first prefix bits equal. */
int gp_net_has(const gp_net *n, const gp_addr *a);

#endif
