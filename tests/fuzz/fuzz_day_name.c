/* fuzz_day_name.c - names of day directories: what is accepted is written and read back the same.
 */
#include "suffix.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char name[200], back[GODB_DAYNAME_CAP];
    godb_dayname d;
    uint64_t v;

    if (size >= sizeof name)
        return 0;
    memcpy(name, data, size);
    name[size] = '\0';
    if (godb_dayname_parse(name, &d)) {
        godb_dayname again;
        godb_dayname_format(d.day_s, d.has_totals ? &d.totals : NULL, back);
        if (!godb_dayname_parse(back, &again) || again.day_s != d.day_s ||
            again.has_totals != d.has_totals ||
            memcmp(&again.totals, &d.totals, sizeof d.totals) != 0)
            abort();
    }
    if (godb_base62_get(name, size, &v)) {
        char text[16];
        size_t n = godb_base62_put(v, text);
        uint64_t w;
        if (n > size || !godb_base62_get(text, n, &w) || w != v)
            abort();
    }
    return 0;
}
