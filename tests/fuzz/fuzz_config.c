/* fuzz_config.c - any bytes as a configuration file: an error or a tree, never a crash or a hang.
 */
#include "rt/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const rt_node *n, int depth)
{
    const char *s;
    int64_t v;
    int b;
    (void)!rt_node_str(n, "", &s, NULL);
    (void)!rt_node_duration(n, 0, 0, INT64_MAX, &v, NULL);
    (void)!rt_node_bool(n, 0, &b, NULL);
    for (size_t i = 0; i < rt_node_count(n) && depth < 8 && i < 64; i++)
        walk(rt_node_at(n, i), depth + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rt_config *c = NULL;
    if (size > 4096 || rt_config_parse("fuzz", data, size, &c, NULL) != GP_OK)
        return 0;
    walk(rt_config_root(c), 0);
    rt_config_unused(c, NULL, NULL);
    rt_config_free(c);
    return 0;
}
