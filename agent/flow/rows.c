/* rows.c - flow entries to sorted database rows. */
#include "flow/rows.h"

#include <string.h>

gp_status flow_rows_add(const flow_bank *b, godb_sorter *s, gp_err *err)
{
    size_t n = flow_bank_count(b);

    for (size_t i = 0; i < n; i++) {
        flow_row f;
        flow_bank_row(b, i, &f);
        godb_row row = {.family = f.family, .proto = f.proto, .dport = f.dport};
        memcpy(row.sip, f.src, 16);
        memcpy(row.dip, f.dst, 16);
        memcpy(row.counter, f.counter, sizeof row.counter);
        if (godb_sorter_add(s, &row) != GP_OK)
            return gp_fail(err, GP_ENOMEM, 0, "out of memory for %zu flows", n);
    }
    return GP_OK;
}
