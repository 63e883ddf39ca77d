/* fuzz_query_ifsel.c - interface selectors and query types. */
#include "gp/mem.h"
#include "query/fields.h"
#include "query/ifsel.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char names[][16] = {"any", "br-lan", "eth0", "eth0.100", "eth1", "lo", "tun0", "wlan0"};
    char *all[GP_COUNT(names)];
    char *text = gp_strndup((const char *)data, size);
    query_ifsel *s = NULL;
    query_fields f;
    query_caret c = {0};

    if (!text)
        return 0;
    for (size_t i = 0; i < GP_COUNT(names); i++)
        all[i] = names[i];
    if (query_ifsel_parse(text, &s, NULL) == GP_OK) {
        const char **v;
        size_t n, k = 0;
        if (query_ifsel_select(s, all, GP_COUNT(names), &v, &n, NULL) == GP_OK) {
            for (size_t i = 0; i < GP_COUNT(names); i++)
                if (query_ifsel_match(s, names[i]) && (k >= n || v[k++] != all[i]))
                    abort();
            if (k != n)
                abort();
            gp_free(v);
        }
        query_ifsel_free(s);
    }
    if (query_fields_parse(text, &f, &c, NULL) == GP_OK && f.n_attrs + f.labels == 0)
        abort();
    query_caret_clear(&c);
    gp_free(query_fields_expand_host(text));
    gp_free(text);
    return 0;
}
