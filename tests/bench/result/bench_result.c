/* bench_result.c - rows per second of printing, sorting, merging and reading results. */
#include "gp/clock.h"
#include "gp/mem.h"
#include "result/print.h"

#include <stdlib.h>
#include <string.h>

enum { REPEAT = 3 };

static uint64_t rng = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t rnd(void)
{
    rng ^= rng >> 12;
    rng ^= rng << 25;
    rng ^= rng >> 27;
    return rng * UINT64_C(0x2545f4914f6cdd1d);
}

static void die(const char *what, const gp_err *err)
{
    fprintf(stderr, "bench_result: %s: %s\n", what, err->msg);
    exit(1);
}

/* n rows of one host with keys out of `keys`; one row in eight is IPv6. Blocks of 1,000 rows share
 * a time stamp when timed. */
static void make(result *r, size_t n, uint64_t keys, const char *host, int timed)
{
    gp_err err = {0};
    if (result_init(r, SIZE_MAX, &err) != GP_OK || result_reserve_rows(r, n, &err) != GP_OK)
        die("rows", &err);
    uint32_t h = result_host_id(r, host, "5f0c1e7a9b3d4c2688aa10e4d7f20b61");
    uint32_t i0 = result_iface_id(r, "eth0");
    for (size_t i = 0; i < n; i++) {
        result_row *row = &r->rows[i];
        uint64_t k = rnd() % keys;
        uint64_t mixed = k * UINT64_C(0x9e3779b97f4a7c15);
        memset(row, 0, sizeof *row);
        row->host = h;
        row->iface = i0;
        row->time_s = timed ? 1700000100 + 300 * (int64_t)(i / 1000) : 0;
        int v6 = (k & 7) == 0;
        row->sip_family = row->dip_family = v6 ? 6 : 4;
        memcpy(row->sip, &mixed, v6 ? 8 : 4);
        memcpy(row->dip, (const char *)&mixed + 2, 4);
        row->dport = (uint16_t)(mixed >> 48);
        row->proto = k & 1 ? 6 : 17;
        row->c = (result_counters){rnd() >> 40, rnd() >> 36, rnd() >> 54, rnd() >> 50};
        r->totals.bytes_rcvd += row->c.bytes_rcvd;
        r->totals.bytes_sent += row->c.bytes_sent;
        r->totals.pkts_rcvd += row->c.pkts_rcvd;
        r->totals.pkts_sent += row->c.pkts_sent;
    }
    r->n_rows = n;
    r->hits_total = n;
    r->hostname = host;
    r->fields =
        (query_fields){.attrs = {QUERY_SIP, QUERY_DIP, QUERY_DPORT, QUERY_PROTO}, .n_attrs = 4};
}

static void report(const char *what, size_t rows, int64_t best_ns, long bytes)
{
    double s = (double)best_ns / 1e9;
    printf("%-28s %9zu rows %8.3f s %8.2f Mrows/s", what, rows, s, (double)rows / s / 1e6);
    if (bytes)
        printf(" %8.1f MB/s %5.1f bytes/row", (double)bytes / s / 1e6,
               (double)bytes / (double)rows);
    putchar('\n');
}

static void bench_print(const result *r, const char *what, query_format f)
{
    int64_t best = INT64_MAX;
    long bytes = 0;
    gp_err err = {0};
    result_print_opts o = {.format = f,
                           .labels = QUERY_LABEL_TIME | QUERY_LABEL_HOST | QUERY_LABEL_IFACE};
    for (int i = 0; i < REPEAT; i++) {
        FILE *out = tmpfile(); /* page cache only */
        if (!out)
            exit(1);
        int64_t t0 = gp_mono_ns();
        if (result_print(r, &o, out, NULL, &err) != GP_OK)
            die(what, &err);
        int64_t took = gp_mono_ns() - t0;
        best = took < best ? took : best;
        bytes = ftell(out);
        fclose(out);
    }
    report(what, r->n_rows, best, bytes);
}

static void bench_json_in(const result *r)
{
    char *text = NULL;
    size_t len = 0;
    gp_err err = {0};
    result_print_opts o = {.format = QUERY_JSON};
    FILE *out = open_memstream(&text, &len);
    if (!out || result_print(r, &o, out, NULL, &err) != GP_OK || fclose(out) != 0)
        die("json", &err);
    result back;
    int64_t t0 = gp_mono_ns();
    if (result_from_json(text, len, &back, &err) != GP_OK)
        die("json", &err);
    report("read JSON", back.n_rows, gp_mono_ns() - t0, (long)len);
    result_clear(&back);
    gp_free(text);
}

static void bench_sort(size_t n, uint64_t limit, query_sort sort, const char *what)
{
    int64_t best = INT64_MAX;
    gp_err err = {0};
    result_order o = {.sort = sort};
    for (int i = 0; i < REPEAT; i++) {
        result r;
        make(&r, n, UINT64_MAX, "edge-7", 1);
        int64_t t0 = gp_mono_ns();
        if (result_sort(&r, &o, limit, &err) != GP_OK)
            die(what, &err);
        int64_t took = gp_mono_ns() - t0;
        best = took < best ? took : best;
        result_clear(&r);
    }
    report(what, n, best, 0);
}

static void bench_merge(const char *what, size_t n_parts, size_t rows, uint64_t keys, int hosts)
{
    int64_t best = INT64_MAX;
    gp_err err = {0};
    query_cond cond = {.text = (char *)(uintptr_t) ""};
    query_stmt s = {.cond = &cond, .bin_s = 300};
    result *parts = gp_calloc(n_parts, sizeof *parts);
    if (!parts)
        exit(1);
    for (size_t i = 0; i < n_parts; i++) {
        char host[32];
        snprintf(host, sizeof host, "edge-%zu", i);
        make(&parts[i], rows, keys, host, 0);
        parts[i].hostname = "";
    }
    for (int k = 0; k < REPEAT; k++) {
        result_merger *m = NULL;
        int64_t t0 = gp_mono_ns();
        if (result_merger_new(&s, !hosts, 0, &m, &err) != GP_OK)
            die(what, &err);
        for (size_t i = 0; i < n_parts; i++)
            if (result_merger_add(m, &parts[i], &err) != GP_OK)
                die(what, &err);
        int64_t took = gp_mono_ns() - t0;
        best = took < best ? took : best;
        result_merger_free(m);
    }
    report(what, n_parts * rows, best, 0);
    for (size_t i = 0; i < n_parts; i++)
        result_clear(&parts[i]);
    gp_free(parts);
}

int main(void)
{
    result r;
    make(&r, 1000000, UINT64_MAX, "edge-7", 1);
    bench_print(&r, "print JSON", QUERY_JSON);
    bench_print(&r, "print NDJSON", QUERY_NDJSON);
    bench_print(&r, "print CSV", QUERY_CSV);
    bench_print(&r, "print text", QUERY_TXT);
    bench_print(&r, "print HTML", QUERY_HTML);
    bench_json_in(&r);
    result_clear(&r);
    bench_sort(2000000, 0, QUERY_SORT_BYTES, "sort all by bytes");
    bench_sort(2000000, 0, QUERY_SORT_TIME, "sort all by time");
    bench_sort(2000000, 1000, QUERY_SORT_BYTES, "top 1000 by bytes");
    bench_merge("merge hosts, 10 k keys", 50, 100000, 10000, 0);
    bench_merge("merge hosts, 1 M keys", 50, 100000, 1000000, 0);
    bench_merge("keep hosts, all distinct", 50, 100000, UINT64_MAX, 1);
    return 0;
}
