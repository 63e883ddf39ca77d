/* fuzz_endpoints.c - any bytes as an endpoint table. */
#include "fleet/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fleet_table *t = NULL;
    if (size > 4096 || fleet_table_parse("fuzz", data, size, &t, NULL) != GP_OK)
        return 0;
    for (size_t i = 0; i < fleet_table_count(t); i++) {
        if (fleet_table_find(t, fleet_table_at(t, i)->id) != fleet_table_at(t, i))
            __builtin_trap();
    }
    fleet_table_free(t);
    return 0;
}
