/* armor.c - binary objects as lines of text that survive mail and terminals. */
#include "armor.h"

#include <sodium.h>
#include <string.h>

void auth_armor_add(gp_buf *out, const char *label, const void *bytes, size_t len)
{
    gp_buf_printf(out, "%s ", label);
    size_t n = sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_ORIGINAL);
    uint8_t *dst = gp_buf_reserve(out, n);
    if (dst) {
        sodium_bin2base64((char *)dst, n, bytes, len, sodium_base64_VARIANT_ORIGINAL);
        out->len += n - 1; /* without the NUL */
    }
    gp_buf_addc(out, '\n');
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

int auth_armor_next(const char *text, size_t len, size_t *at, const char *label, uint8_t *out,
                    size_t cap, size_t *out_len)
{
    size_t ln = strlen(label);
    while (*at < len) {
        const char *p = text + *at, *nl = memchr(p, '\n', len - *at);
        size_t n = nl ? (size_t)(nl - p) : len - *at;
        *at += n + 1;
        while (n && is_blank(p[n - 1]))
            n--;
        if (n == 0 || *p == '#')
            continue;
        const char *end = NULL;
        if (n <= ln || memcmp(p, label, ln) != 0 || p[ln] != ' ' ||
            sodium_base642bin(out, cap, p + ln + 1, n - ln - 1, NULL, out_len, &end,
                              sodium_base64_VARIANT_ORIGINAL) != 0 ||
            end != p + n)
            return -1;
        return 1;
    }
    return 0;
}
