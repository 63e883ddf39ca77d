/* armor.h - text lines "label BASE64" around binary objects. */
#ifndef AUTH_ARMOR_H
#define AUTH_ARMOR_H

#include "gp/bytes.h"

/* Append "label BASE64\n". */
void auth_armor_add(gp_buf *out, const char *label, const void *bytes, size_t len);

/* The next line "label BASE64" at or after *at (other lines must be empty or comments): decode at
 * most cap bytes into out. 1 = got one, 0 = end, -1 = something else or malformed. */
int auth_armor_next(const char *text, size_t len, size_t *at, const char *label, uint8_t *out,
                    size_t cap, size_t *out_len);

#endif
