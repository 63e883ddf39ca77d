/* csv.c - flows as CSV lines; see flow/csv.h. */
#include "flow/csv.h"

#include "gp/addr.h"
#include "gp/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Stored order: family, source, destination, destination port, protocol. */
static int by_key(const void *pa, const void *pb)
{
    const flow_row *a = pa, *b = pb;
    int c = (a->family > b->family) - (a->family < b->family);

    if (c == 0)
        c = memcmp(a->src, b->src, sizeof a->src);
    if (c == 0)
        c = memcmp(a->dst, b->dst, sizeof a->dst);
    if (c == 0)
        c = (a->dport > b->dport) - (a->dport < b->dport);
    return c ? c : (a->proto > b->proto) - (a->proto < b->proto);
}

static void put_line(gp_buf *out, const flow_row *f, size_t entries)
{
    gp_addr sip = {.family = f->family}, dip = {.family = f->family};
    char s[GP_ADDR_STRLEN], d[GP_ADDR_STRLEN];
    const uint64_t *c = f->counter;

    memcpy(sip.bytes, f->src, 16);
    memcpy(dip.bytes, f->dst, 16);
    (void)gp_addr_format(&sip, s, sizeof s);
    (void)gp_addr_format(&dip, d, sizeof d);
    gp_buf_printf(out, "%s,%s,%u,%u,%" PRIu64 ",%" PRIu64, s, d, f->dport, f->proto,
                  c[FLOW_PKTS_IN] + c[FLOW_PKTS_OUT], c[FLOW_BYTES_IN] + c[FLOW_BYTES_OUT]);
    gp_buf_printf(out, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%zu\n", c[FLOW_PKTS_OUT],
                  c[FLOW_BYTES_OUT], c[FLOW_PKTS_IN], c[FLOW_BYTES_IN], entries);
}

gp_status flow_csv(const flow_bank *b, gp_buf *out, gp_err *err)
{
    size_t n = flow_bank_count(b);
    GP_CLEANUP(gp_freep) flow_row *rows = gp_alloc(n ? n : 1, sizeof *rows);

    if (!rows)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory for %zu flows", n);
    for (size_t i = 0; i < n; i++)
        flow_bank_row(b, i, &rows[i]);
    qsort(rows, n, sizeof *rows, by_key);
    gp_buf_adds(out, FLOW_CSV_HEAD "\n");
    for (size_t i = 0; i < n;) {
        flow_row sum = rows[i];
        size_t first = i++;
        for (; i < n && by_key(&rows[first], &rows[i]) == 0; i++)
            for (int c = 0; c < FLOW_N_COUNTERS; c++)
                sum.counter[c] += rows[i].counter[c];
        put_line(out, &sum, i - first);
    }
    if (out->failed)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory for %zu flows", n);
    return GP_OK;
}
