/* fuzz_result_json.c - any bytes as a JSON result: what is accepted must print in every format, and
 * printing JSON and reading it again must be stable. */
#include "gp/mem.h"
#include "result/print.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *print(const result *r, query_format f, size_t *len)
{
    char *text = NULL;
    result_print_opts o = {.format = f, .labels = 15, .direction = (query_direction)(f & 3)};
    FILE *out = open_memstream(&text, len);
    if (!out)
        abort();
    if (result_print(r, &o, out, NULL, NULL) != GP_OK)
        abort();
    if (fclose(out) != 0)
        abort();
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    result r, again;
    size_t len, len2;
    if (result_from_json(data, size, &r, NULL) != GP_OK)
        return 0;
    for (int f = QUERY_TXT; f <= QUERY_HTML; f++)
        gp_free(print(&r, (query_format)f, &len));
    char *a = print(&r, QUERY_JSON, &len);
    if (result_from_json(a, len, &again, NULL) != GP_OK)
        abort();
    char *b = print(&again, QUERY_JSON, &len2);
    if (len != len2 || memcmp(a, b, len) != 0)
        abort();
    gp_free(a);
    gp_free(b);
    result_clear(&again);
    result_order o = {.sort = QUERY_SORT_BYTES};
    if (result_sort(&r, &o, 3, NULL) != GP_OK)
        abort();
    result_clear(&r);
    return 0;
}
