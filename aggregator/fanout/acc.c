/* acc.c - rows of all hosts so far: merged, sorted, cut. */
#include "fanout_int.h"

#include "gp/mem.h"

struct acc {
    result_merger *m;
};

gp_status fanout_acc_new(const query_stmt *s, uint64_t mem_limit, acc **out, gp_err *err)
{
    acc *a = gp_calloc(1, sizeof *a);
    if (!a)
        return gp_fail(err, GP_ENOMEM, 0, "merging: out of memory");
    gp_status st = result_merger_new(s, s->merge_hosts, mem_limit, &a->m, err);
    if (st != GP_OK) {
        gp_free(a);
        return st;
    }
    *out = a;
    return GP_OK;
}

void fanout_acc_free(acc *a)
{
    if (!a)
        return;
    result_merger_free(a->m);
    gp_free(a);
}

gp_status fanout_acc_add(acc *a, const result *part, gp_err *err)
{
    return result_merger_add(a->m, part, err);
}

gp_status fanout_acc_host(acc *a, const char *host, result_code code, const char *text, gp_err *err)
{
    return result_merger_host(a->m, host, code, text, err);
}

gp_status fanout_acc_get(acc *a, uint64_t limit, result *out, gp_err *err)
{
    return result_merger_get(a->m, limit, out, err);
}
