/* fuzz_query_time.c - times and resolutions: what is read and printed comes back. */
#include "gp/mem.h"
#include "query/timearg.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = gp_strndup((const char *)data, size), out[64];
    int64_t s, back, bin;
    uint32_t ns;

    if (!text)
        return 0;
    if (query_time_parse(text, 1907755200, &s, NULL) == GP_OK) {
        query_time_format_local(s, out, sizeof out);
        query_time_format_ansic(s, out, sizeof out);
        query_time_format_rfc3339(s, 0, out, sizeof out);
        if (!query_time_parse_rfc3339(out, strlen(out), &back, &ns) || ns != 0)
            abort();
        if (s > INT64_C(-62000000000) && s < INT64_C(253402000000) && back != s)
            abort();
        (void)query_time_month_before(s);
        (void)query_time_day_before(s);
    }
    if (query_time_resolution(text, -1000, 100000000, &bin, NULL) == GP_OK &&
        (bin < 300 || bin % 300 != 0 || query_time_bin(12345, bin) % bin != 0))
        abort();
    (void)query_time_parse_rfc3339((const char *)data, size, &s, &ns);
    gp_free(text);
    return 0;
}
