/* packed.c - packed counters: encode, decode and sum with one loop per width. */
#include "godb/packed.h"

enum { WORD = 8 };

unsigned godb_packed_width(const uint8_t *raw, size_t len, size_t n)
{
    if (len == 0)
        return n == 0 ? 1 : 0;
    unsigned w = raw[0];
    if (w < 1 || w > WORD || n > (SIZE_MAX - 1) / WORD || len != 1 + (size_t)w * n)
        return 0;
    return w;
}

void godb_packed_encode(const uint64_t *values, size_t n, gp_buf *out)
{
    uint64_t all = 0;
    for (size_t i = 0; i < n; i++)
        all |= values[i];
    unsigned w = all ? (unsigned)(WORD - __builtin_clzll(all) / 8) : 1;

    if (n > (SIZE_MAX - 1 - WORD) / WORD) {
        out->failed = 1;
        return;
    }
    /* Each store writes a whole word, later ones overwrite its upper bytes; hence WORD spare. */
    uint8_t *p = gp_buf_reserve(out, 1 + w * n + WORD);
    if (!p)
        return;
    *p++ = (uint8_t)w;
    switch (w) {
    case 1:
        for (size_t i = 0; i < n; i++)
            p[i] = (uint8_t)values[i];
        break;
    case 2:
        for (size_t i = 0; i < n; i++)
            gp_put_le16(p + 2 * i, (uint16_t)values[i]);
        break;
    case 4:
        for (size_t i = 0; i < n; i++)
            gp_put_le32(p + 4 * i, (uint32_t)values[i]);
        break;
    default:
        for (size_t i = 0; i < n; i++)
            gp_put_le64(p + w * i, values[i]);
    }
    out->len += 1 + w * n;
}

/* Values [from, from + count) that may be read as whole words without touching a byte behind the
 * last value asked for; the caller does the rest byte by byte. */
static size_t whole_words(unsigned w, size_t count)
{
    size_t tail = (WORD - w + w - 1) / w; /* values that end less than a word before the end */
    return count > tail ? count - tail : 0;
}

void godb_packed_decode(const uint8_t *raw, unsigned w, size_t from, size_t count, uint64_t *values)
{
    const uint8_t *p = raw + 1 + (size_t)w * from;
    size_t i = 0;

    switch (w) {
    case 1:
        for (; i < count; i++)
            values[i] = p[i];
        return;
    case 2:
        for (; i < count; i++)
            values[i] = gp_le16(p + 2 * i);
        return;
    case 4:
        for (; i < count; i++)
            values[i] = gp_le32(p + 4 * i);
        return;
    case WORD:
        for (; i < count; i++)
            values[i] = gp_le64(p + 8 * i);
        return;
    default:
        break;
    }
    uint64_t mask = (1ull << (8 * w)) - 1;
    for (size_t fast = whole_words(w, count); i < fast; i++)
        values[i] = gp_le64(p + w * i) & mask;
    for (; i < count; i++)
        values[i] = godb_packed_get(raw, w, from + i);
}

uint64_t godb_packed_sum(const uint8_t *raw, unsigned w, size_t from, size_t count)
{
    const uint8_t *p = raw + 1 + (size_t)w * from;
    uint64_t sum = 0;
    size_t i = 0;

    switch (w) {
    case 1:
        for (; i < count; i++)
            sum += p[i];
        return sum;
    case 2:
        for (; i < count; i++)
            sum += gp_le16(p + 2 * i);
        return sum;
    case 4:
        for (; i < count; i++)
            sum += gp_le32(p + 4 * i);
        return sum;
    case WORD:
        for (; i < count; i++)
            sum += gp_le64(p + 8 * i);
        return sum;
    default:
        break;
    }
    uint64_t mask = (1ull << (8 * w)) - 1;
    for (size_t fast = whole_words(w, count); i < fast; i++)
        sum += gp_le64(p + w * i) & mask;
    for (; i < count; i++)
        sum += godb_packed_get(raw, w, from + i);
    return sum;
}
