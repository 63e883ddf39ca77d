/* timelayout.c - absolute times in one of the accepted layouts (spec 4.1, item 3).
 *
 * A layout is a string of letters, each standing for one field, and of other characters that stand
 * for themselves; one blank stands for a run of them: Y year, 4 digits     m d  month, day, 2
 * digits       H  hour, 1 or 2 digits   z  +hhmm y year, 2 digits     n e  month, day, 1 or 2
 * digits  M S  2 digits            Z  Z or +hh:mm w b  names of weekday and month, 3 letters A
 * fraction may follow the seconds everywhere. (_D of the spec is e: the blank before it takes all.)
 */
#include "timelayout.h"

#include "gp/err.h"
#include "timezone.h"

#include <string.h>
#include <strings.h>

/* Tried in this order; the first that fits wins, which decides 02-01-30 (spec 4.1). */
static const char *const SINGLES[] = {
    "Y-m-dTH:M:SZ", "w b e H:M:S Y",    "w b d H:M:S z Y",
    "d b y H:M z",  "w, d b Y H:M:S z", "Y-m-d H:M:S",
};
static const char *const DASHED[] = {"Y-m-d", "y-m-d", "d-m-Y", "d-m-y"};
static const char *const DASHED_CLOCK[] = {" H:M:S z", " H:M z", " H:M:S", " H:M"};
static const char *const DOTTED[] = {"d.m.Y", "d.m.y"};
static const char *const DOTTED_CLOCK[] = {" H:M", " H:M z"};
static const char *const LOOSE[] = {"e.n.y", "e.n.Y", "d.n.Y", "e.m.Y", "d.n.y", "e.m.y"};
static const char *const LOOSE_CLOCK[] = {" H:M:S", " H:M:S z", " H:M", " H:M z"};

typedef struct fields {
    query_civil c;
    int zoned;
    int32_t offset_s; /* east of UTC, if zoned */
    uint32_t ns;
} fields;

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* least to most digits, greedy; NULL if there are fewer or the value is outside [lo, hi]. */
static const char *digits(const char *s, int least, int most, int lo, int hi, int *out)
{
    int v = 0, n = 0;

    for (; n < most && is_digit(s[n]); n++)
        v = v * 10 + (s[n] - '0');
    if (n < least || v < lo || v > hi)
        return NULL;
    *out = v;
    return s + n;
}

static const char *name(const char *s, const char *all, int *index)
{
    for (const char *p = all; *p; p += 3)
        if (strncasecmp(s, p, 3) == 0) {
            *index = (int)(p - all) / 3;
            return s + 3;
        }
    return NULL;
}

static const char *zone(const char *s, int colon, fields *f)
{
    int sign = *s == '-' ? -1 : 1, h, m;

    if (colon && *s == 'Z') {
        f->zoned = 1;
        return s + 1;
    }
    if ((*s != '+' && *s != '-') || !(s = digits(s + 1, 2, 2, 0, 24, &h)))
        return NULL;
    if (colon && *s++ != ':')
        return NULL;
    s = digits(s, 2, 2, 0, 59, &m);
    f->zoned = 1;
    f->offset_s = sign * (h * 3600 + (s ? m * 60 : 0));
    return s;
}

static const char *seconds(const char *s, fields *f)
{
    uint32_t unit = 100000000;

    s = digits(s, 2, 2, 0, 59, &f->c.second);
    if (!s || (*s != '.' && *s != ',') || !is_digit(s[1]))
        return s;
    for (s++; is_digit(*s); s++, unit /= 10)
        f->ns += unit * (uint32_t)(*s - '0');
    return s;
}

/* One letter of a layout against s: the rest of s, or NULL. */
static const char *field(char letter, const char *s, fields *f)
{
    int v;

    switch (letter) {
    case 'Y':
        s = digits(s, 4, 4, 0, 9999, &v);
        f->c.year = s ? v : 0;
        return s;
    case 'y':
        s = digits(s, 2, 2, 0, 99, &v);
        f->c.year = s ? (v >= 69 ? 1900 + v : 2000 + v) : 0;
        return s;
    case 'm':
    case 'n':
        return digits(s, letter == 'm' ? 2 : 1, 2, 1, 12, &f->c.month);
    case 'd':
    case 'e':
        return digits(s, letter == 'd' ? 2 : 1, 2, 1, 31, &f->c.day);
    case 'H':
        return digits(s, 1, 2, 0, 23, &f->c.hour);
    case 'M':
        return digits(s, 2, 2, 0, 59, &f->c.minute);
    case 'S':
        return seconds(s, f);
    case 'z':
    case 'Z':
        return zone(s, letter == 'Z', f);
    case 'w':
        return name(s, "SunMonTueWedThuFriSat", &v);
    case 'b':
        s = name(s, "JanFebMarAprMayJunJulAugSepOctNovDec", &v);
        f->c.month = s ? v + 1 : 0;
        return s;
    case ' ':
        if (*s != ' ')
            return NULL;
        return s + strspn(s, " ");
    default:
        return *s == letter ? s + 1 : NULL;
    }
}

static const char *match(const char *layout, const char *s, fields *f)
{
    for (; *layout && s; layout++)
        s = field(*layout, s, f);
    return s;
}

/* date and clock one after the other, to the end of the text. */
static int fits(const char *date, const char *clock, const char *text, fields *f)
{
    *f = (fields){0};
    const char *s = match(date, text, f);
    if (s)
        s = match(clock, s, f);
    return s && *s == 0 && f->c.day <= query_days_in_month(f->c.year, f->c.month);
}

static int fits_any(const char *const *dates, size_t n_dates, const char *const *clocks,
                    size_t n_clocks, const char *text, fields *f)
{
    for (size_t i = 0; i < n_dates; i++)
        for (size_t j = 0; j < n_clocks; j++)
            if (fits(dates[i], clocks[j], text, f))
                return 1;
    return 0;
}

static int64_t instant(const fields *f)
{
    return f->zoned ? query_civil_seconds(&f->c) - f->offset_s : query_zone_instant(&f->c);
}

int query_layout_parse(const char *text, int64_t *out_s)
{
    static const char *const nothing[] = {""};
    fields f;

    if (!fits_any(SINGLES, GP_COUNT(SINGLES), nothing, 1, text, &f) &&
        !fits_any(DASHED, GP_COUNT(DASHED), DASHED_CLOCK, GP_COUNT(DASHED_CLOCK), text, &f) &&
        !fits_any(DOTTED, GP_COUNT(DOTTED), DOTTED_CLOCK, GP_COUNT(DOTTED_CLOCK), text, &f) &&
        !fits_any(LOOSE, GP_COUNT(LOOSE), LOOSE_CLOCK, GP_COUNT(LOOSE_CLOCK), text, &f))
        return 0;
    *out_s = instant(&f);
    return 1;
}

int query_layout_rfc3339(const char *text, int64_t *out_s, uint32_t *ns)
{
    fields f;

    if (!fits(SINGLES[0], "", text, &f))
        return 0;
    *out_s = instant(&f);
    *ns = f.ns;
    return 1;
}
