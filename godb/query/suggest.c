/* suggest.c - "did you mean": edit distance, and the lists of known words. */
#include "query/suggest.h"

#include <string.h>
#include <strings.h>

#define LIST(fn, ...)                                                                              \
    const char *const *fn(size_t *n)                                                               \
    {                                                                                              \
        static const char *const list[] = {__VA_ARGS__};                                           \
        *n = sizeof list / sizeof list[0];                                                         \
        return list;                                                                               \
    }

LIST(query_field_names, "sip", "dip", "dport", "proto", "src", "dst", "port", "protocol", "ipproto",
     "time", "iface", "host", "hostname", "hostid", "talk_conv", "talk_src", "talk_dst",
     "apps_port", "agg_talk_port", "raw")
LIST(query_cond_attr_names, "sip", "dip", "snet", "dnet", "dport", "proto", "dir", "src", "dst",
     "host", "net", "port", "protocol", "ipproto", "direction")
LIST(query_dir_values, "in", "out", "uni", "bi", "inbound", "outbound", "unidirectional",
     "bidirectional")
LIST(query_format_names, "csv", "html", "json", "md", "ndjson", "txt")
LIST(query_sort_names, "bytes", "packets", "time")

enum { MAX_LEN = 64 };

static int same(char a, char b)
{
    return strncasecmp(&a, &b, 1) == 0;
}

/* Optimal string alignment distance: three rows of the usual table. */
static size_t distance(const char *a, size_t na, const char *b, size_t nb)
{
    size_t row[3][MAX_LEN + 1];

    for (size_t j = 0; j <= nb; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t *cur = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];
        cur[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t best = up[j - 1] + !same(a[i - 1], b[j - 1]);
            if (up[j] + 1 < best)
                best = up[j] + 1;
            if (cur[j - 1] + 1 < best)
                best = cur[j - 1] + 1;
            if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]) &&
                up2[j - 2] + 1 < best)
                best = up2[j - 2] + 1;
            cur[j] = best;
        }
    }
    return row[na % 3][nb];
}

const char *query_suggest(const char *word, const char *const *candidates, size_t n)
{
    size_t len = strlen(word), least = MAX_LEN;
    const char *best = NULL;

    if (len == 0 || len > MAX_LEN)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t cl = strlen(candidates[i]);
        if (cl > MAX_LEN)
            continue;
        size_t longer = cl > len ? cl : len, allowed = longer / 3 ? longer / 3 : 1;
        size_t d = distance(word, len, candidates[i], cl);
        if (d <= allowed && d < longer && d < least) {
            least = d;
            best = candidates[i];
        }
    }
    return best;
}
