/* ipproto.h - IP protocol numbers and their names (spec query.md 10, godb-format.md 8.4). */
#ifndef GP_IPPROTO_H
#define GP_IPPROTO_H

#include <stddef.h>
#include <stdint.h>

/* Display name ("TCP", "IPv6-ICMP"), or NULL for numbers without one (61, 63, 68, ...). */
const char *gp_ipproto_name(uint8_t number);

/* Name in any case to number; -1 if unknown. Aliases (icmpv6, esp, ah, ospf) are accepted too. */
int gp_ipproto_number(const char *name, size_t len);

/* Exactly the names that CSV import accepts: no aliases. -1 if unknown. */
int gp_ipproto_number_strict(const char *name, size_t len);

/* Name, or the number as text, into buf (>= 24 bytes); returns buf. */
char *gp_ipproto_format(uint8_t number, char *buf, size_t cap);

#endif
