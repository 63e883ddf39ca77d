/* fuzz_query_args.c - arguments from JSON: what is accepted is printed and read back unchanged. */
#include "gp/mem.h"
#include "query/stmt.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    query_args a = {0}, again = {0};
    gp_buf one = {0}, two = {0};

    query_problems p = {0};
    gp_status api = query_args_from_api(&a, data, size, &p, NULL);
    if ((api == GP_OK) != (p.n == 0))
        abort();
    query_problems_clear(&p);
    query_args_clear(&a);
    if (query_args_from_json(&a, data, size, NULL) != GP_OK)
        return 0;
    query_args_to_json(&a, &one);
    if (query_args_from_json(&again, one.data, one.len, NULL) != GP_OK)
        abort();
    query_args_to_json(&again, &two);
    /* beyond int64 numbers go through a double, so only then may digits differ */
    if (a.num_results <= INT64_MAX && a.host_id <= INT64_MAX &&
        (one.len != two.len || memcmp(one.data, two.data, one.len) != 0))
        abort();
    for (int defaults = 0; defaults < 2; defaults++) {
        query_env env = {.now_s = 1907755200, .api_defaults = defaults};
        query_stmt *s = NULL;
        gp_status st = query_prepare(&a, &env, &s, &p, NULL);
        if (st != GP_OK && st != GP_EINVAL)
            abort();
        gp_buf_clear(&two);
        query_problems_format(&p, &two);
        query_problems_to_json(&p, &two);
        if (s) {
            query_error_dump(s, "x", &two);
            query_stmt_to_json(s, &two);
        }
        query_problems_clear(&p);
        query_stmt_free(s);
    }
    query_args_clear(&a);
    query_args_clear(&again);
    gp_buf_free(&one);
    gp_buf_free(&two);
    return 0;
}
