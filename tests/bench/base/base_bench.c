/* base_bench.c - speed of what runs once per row: address text, numbers, arena, buffer. */
#include "gp/addr.h"
#include "gp/arena.h"
#include "gp/bytes.h"
#include "gp/clock.h"
#include "gp/ipproto.h"
#include "gp/mem.h"
#include "gp/num.h"
#include "gp/pool.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { N = 1 << 16, ROUNDS = 50 };

static gp_addr v4[N], v6[N];
static char v4_text[N][GP_ADDR_STRLEN], v6_text[N][GP_ADDR_STRLEN];
static uint64_t sink; /* keeps the optimiser from dropping the work */

static void report(const char *what, int64_t start_ns, uint64_t n)
{
    double s = (double)(gp_mono_ns() - start_ns) / 1e9;
    printf("%-28s %8.1f M/s  %7.1f ns each\n", what, (double)n / s / 1e6, s * 1e9 / (double)n);
}

static void make_input(void)
{
    uint64_t x = 88172645463325252;
    for (size_t i = 0; i < N; i++) {
        for (size_t k = 0; k < 16; k++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            v4[i].bytes[k] = k < 4 ? (uint8_t)(x >> 32) : 0;
            v6[i].bytes[k] = k < 4 || k > 9 ? (uint8_t)(x >> 40) : 0; /* 2001:db8::... shape */
        }
        v4[i].family = 4;
        v6[i].family = 6;
        (void)gp_addr_format(&v4[i], v4_text[i], GP_ADDR_STRLEN);
        (void)gp_addr_format(&v6[i], v6_text[i], GP_ADDR_STRLEN);
    }
}

static void bench_format(const char *what, const gp_addr *all)
{
    char buf[GP_ADDR_STRLEN];
    int64_t t = gp_mono_ns();
    for (int r = 0; r < ROUNDS; r++)
        for (size_t i = 0; i < N; i++)
            sink += gp_addr_format(&all[i], buf, sizeof buf) + (uint8_t)buf[0];
    report(what, t, (uint64_t)N * ROUNDS);
}

static void bench_ntop(const char *what, const gp_addr *all, int family)
{
    char buf[GP_ADDR_STRLEN];
    int64_t t = gp_mono_ns();
    for (int r = 0; r < ROUNDS / 10; r++)
        for (size_t i = 0; i < N; i++)
            sink += inet_ntop(family, all[i].bytes, buf, sizeof buf) != NULL;
    report(what, t, (uint64_t)N * (ROUNDS / 10));
}

static void bench_parse(const char *what, char (*all)[GP_ADDR_STRLEN])
{
    gp_addr a;
    int64_t t = gp_mono_ns();
    for (int r = 0; r < ROUNDS; r++)
        for (size_t i = 0; i < N; i++)
            sink += (unsigned)gp_addr_parse(all[i], strlen(all[i]), &a);
    report(what, t, (uint64_t)N * ROUNDS);
}

static void bench_text(void)
{
    static const char *const names[] = {"tcp", "UDP", "ipv6-icmp", "gre", "ospfigp"};
    static const char digits[] = "1234567890123";
    uint64_t v;
    int64_t t = gp_mono_ns();
    for (uint64_t i = 0; i < (uint64_t)N * ROUNDS; i++) {
        const char *s = names[i % GP_COUNT(names)];
        sink += (unsigned)gp_ipproto_number_strict(s, strlen(s));
    }
    report("protocol name to number", t, (uint64_t)N * ROUNDS);
    t = gp_mono_ns();
    for (uint64_t i = 0; i < (uint64_t)N * ROUNDS; i++)
        if (gp_num_u64(&digits[i & 7], 13 - (i & 7), UINT64_MAX, &v))
            sink += v;
    report("decimal to u64", t, (uint64_t)N * ROUNDS);
}

static void bench_memory(void)
{
    int64_t t = gp_mono_ns();
    for (int r = 0; r < ROUNDS; r++) {
        gp_arena *a = gp_arena_new((size_t)1 << 30);
        for (size_t i = 0; a && i < N; i++)
            sink += gp_arena_alloc(a, 1, 40) != NULL;
        gp_arena_free(a);
    }
    report("arena, 40 bytes", t, (uint64_t)N * ROUNDS);
    t = gp_mono_ns();
    for (int r = 0; r < ROUNDS; r++) {
        GP_CLEANUP(gp_buf_free) gp_buf b = {0};
        for (size_t i = 0; i < N; i++)
            gp_buf_add(&b, v4_text[i], 12);
        sink += b.len;
    }
    report("buffer append, 12 bytes", t, (uint64_t)N * ROUNDS);
}

static void tiny_job(void *arg)
{
    (void)arg;
}

static void bench_pool(void)
{
    gp_pool *p = NULL;
    if (gp_pool_new(gp_cpu_count(), 0, "bench", &p, NULL) != GP_OK)
        return;
    int64_t t = gp_mono_ns();
    for (int i = 0; i < 200000; i++)
        if (gp_pool_submit(p, tiny_job, NULL) != GP_OK)
            break;
    gp_pool_wait(p);
    report("pool, empty jobs", t, 200000);
    gp_pool_free(p);
}

int main(void)
{
    make_input();
    bench_format("IPv4 to text", v4);
    bench_ntop("IPv4 to text, inet_ntop", v4, AF_INET);
    bench_format("IPv6 to text", v6);
    bench_ntop("IPv6 to text, inet_ntop", v6, AF_INET6);
    bench_parse("text to IPv4", v4_text);
    bench_parse("text to IPv6", v6_text);
    bench_text();
    bench_memory();
    bench_pool();
    printf("(%u CPUs, sink %" PRIu64 ")\n", gp_cpu_count(), sink);
    return 0;
}
