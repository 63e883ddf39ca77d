/* retain_text.c - limits of retention as people write them: "90d", "20G", "10%". */
#include "godb/retain.h"

#include "gp/mem.h"
#include "gp/num.h"

#include <string.h>

gp_status godb_retain_parse_age(const char *text, int64_t *out_s, gp_err *err)
{
    static const struct {
        char unit;
        int64_t s;
    } units[] = {{'s', 1},     {'m', 60},        {'h', 3600},
                 {'d', 86400}, {'w', 7 * 86400}, {'y', 365 * (int64_t)86400}};
    int64_t sum = 0;
    const char *p = text;

    while (*p) {
        size_t digits = strspn(p, "0123456789");
        uint64_t v;
        int64_t unit = 0, part;
        if (!gp_num_u64(p, digits, INT64_MAX, &v))
            break;
        p += digits;
        for (size_t i = 0; i < GP_COUNT(units); i++)
            if (*p && *p == units[i].unit)
                unit = units[i].s;
        if (unit == 0 || __builtin_mul_overflow((int64_t)v, unit, &part) ||
            __builtin_add_overflow(sum, part, &sum))
            break;
        p++;
    }
    if (p == text || *p || sum <= 0)
        return gp_fail(err, GP_EINVAL, 0, "'%s' is no age: expected for example 90d, 12h, 6w or 1y",
                       text);
    *out_s = sum;
    return GP_OK;
}

gp_status godb_retain_parse_free(const char *text, uint64_t *bytes, double *percent, gp_err *err)
{
    size_t n = strlen(text);
    double p = 0;
    uint64_t b = 0;

    if (n > 0 && text[n - 1] == '%') {
        if (!gp_num_f64(text, n - 1, &p) || !(p >= 0 && p <= 100))
            return gp_fail(err, GP_EINVAL, 0, "%s: expected 0%% to 100%%", text);
    } else if (n > 0 && !gp_num_bytes(text, n, &b)) {
        return gp_fail(err, GP_EINVAL, 0, "%s: expected a size such as 20G, or 10%%", text);
    }
    *bytes = b;
    *percent = p;
    return GP_OK;
}
