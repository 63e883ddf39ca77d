/* bench.c - how long conditions, whole statements and times take to check; prints one line each. */
#include "gp/bytes.h"
#include "gp/clock.h"
#include "gp/mem.h"
#include "query/stmt.h"

#include <inttypes.h>
#include <stdio.h>

enum { ROUNDS = 7 };

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Best of ROUNDS: parse, and evaluate over flows that match nothing. */
static int bench_cond(const char *what, const char *text, size_t terms)
{
    enum { FLOWS = 1000 };
    int64_t parse = INT64_MAX, match = INT64_MAX;
    size_t bytes = strlen(text);

    for (int i = 0; i < ROUNDS; i++) {
        query_cond *q = NULL;
        gp_err err = {0};
        query_flow f = {.sip = {4, {198, 51, 100, 1}}, .dip = {4, {198, 51, 100, 2}}, .proto = 1};
        int64_t t0 = gp_mono_ns();
        if (query_cond_parse(text, NULL, NULL, 0, &q, NULL, NULL, &err) != GP_OK) {
            (void)fprintf(stderr, "%s: %s\n", what, err.msg);
            return 1;
        }
        int64_t t1 = gp_mono_ns();
        unsigned hits = 0;
        for (int k = 0; k < FLOWS; k++)
            hits += (unsigned)query_cond_match(q, &f);
        int64_t t2 = gp_mono_ns();
        parse = least(parse, t1 - t0);
        match = least(match, t2 - t1);
        query_cond_free(q);
        if (hits == FLOWS + 1)
            return 1;
    }
    printf("%-28s %8zu terms %9zu bytes  parse %9.1f us (%5.0f ns/term, %5.1f MB/s)  match %7.1f "
           "ns/term\n",
           what, terms, bytes, (double)parse / 1e3, (double)parse / (double)terms,
           (double)bytes * 1e3 / (double)parse, (double)match / FLOWS / (double)terms);
    return 0;
}

static int bench_terms(const char *what, const char *joiner, size_t n)
{
    gp_buf b = {0};

    for (size_t i = 0; i < n; i++)
        gp_buf_printf(&b, "%sdip = 10.%zu.%zu.%zu", i ? joiner : "", i >> 16 & 255, i >> 8 & 255,
                      i & 255);
    const char *text = gp_buf_str(&b);
    int rc = text ? bench_cond(what, text, n) : 1;
    gp_buf_free(&b);
    return rc;
}

static int bench_prepare(void)
{
    enum { N = 2000 };
    static const char json[] =
        "{\"query\":\"time,sip,dip\",\"ifaces\":\"eth0,eth1\",\"first\":\"2030-01-02 03:04\","
        "\"last\":\"-1d\",\"condition\":\"dport = 443 & (snet = 10.0.0.0/8 or proto eq udp)\","
        "\"format\":\"json\",\"num_results\":10,\"max_mem_pct\":60}";
    query_env env = {.now_s = 1907755200};
    int64_t best = INT64_MAX;

    for (int i = 0; i < ROUNDS; i++) {
        int64_t t0 = gp_mono_ns();
        for (int k = 0; k < N; k++) {
            query_args a = {0};
            query_stmt *s = NULL;
            query_problems p = {0};
            if (query_args_from_json(&a, json, sizeof json - 1, NULL) != GP_OK ||
                query_prepare(&a, &env, &s, &p, NULL) != GP_OK)
                return 1;
            query_stmt_free(s);
            query_args_clear(&a);
        }
        best = least(best, (gp_mono_ns() - t0) / N);
    }
    printf("%-28s %8.1f us each\n", "arguments to statement", (double)best / 1e3);
    return 0;
}

static int bench_times(void)
{
    enum { N = 200000 };
    char buf[48];
    int64_t t0 = gp_mono_ns(), s = 0;

    for (int i = 0; i < N; i++)
        query_time_format_local(1900000000 + 300 * i, buf, sizeof buf);
    int64_t t1 = gp_mono_ns();
    for (int i = 0; i < N; i++)
        if (query_time_parse("2.1.30 3:04:05 +0200", 0, &s, NULL) != GP_OK)
            return 1;
    int64_t t2 = gp_mono_ns();
    printf("%-28s %8.1f ns each\n%-28s %8.1f ns each\n", "time printed", (double)(t1 - t0) / N,
           "time read, last layout", (double)(t2 - t1) / N);
    return 0;
}

int main(void)
{
    static const size_t sizes[] = {10, 100, 1000, 10000, 40000};
    int rc = 0;

    for (size_t i = 0; i < GP_COUNT(sizes); i++)
        rc |= bench_terms("a | b | c ...", " | ", sizes[i]);
    rc |= bench_terms("a and b and c ...", " and ", 10000);
    rc |= bench_prepare();
    rc |= bench_times();
    return rc;
}
