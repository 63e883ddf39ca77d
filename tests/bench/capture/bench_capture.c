/* bench_capture.c - packets/s of parse + classify + flow update on one core, from memory.
 *
 *   capture [flows [packets [ipv6-percent]]]     default: 10,000 and 1,000,000 flows
 *
 * Frames of UDP and TCP, both directions, flows picked at random (uniform: the worst case for the
 * cache), 160 bytes each in one buffer; parsed in batches of 256 as the live path does it. The
 * frame buffer holds 65,536 frames, so reading it costs what reading a capture ring costs. Times
 * are CPU time.
 */
#include "flow/table.h"
#include "gp/mem.h"
#include "gp/num.h"

#include <inttypes.h>
#include <pcap/dlt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { FRAME = 128, FRAMES = 65536, BATCH = 256, LEN4 = 14 + 20 + 20, LEN6 = 14 + 40 + 20 };

static uint64_t rng = 0x9E3779B97F4A7C15u;

static uint64_t next_rand(void)
{
    rng ^= rng >> 12;
    rng ^= rng << 25;
    rng ^= rng >> 27;
    return rng * 0x2545F4914F6CDD1Du;
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

/* One frame of flow number id; reply: server to client. */
static void make_frame(uint8_t *f, uint64_t id, int reply, int v6)
{
    uint64_t h = mix(id + 1);
    unsigned cport = 32768 + (unsigned)(h & 0x7fff), sport = 1024 + (unsigned)(h >> 15 & 0x3ff);
    uint8_t a[16] = {0x20, 1, 0x0d, 0xb8}, b[16] = {0x20, 1, 0x0d, 0xb9};

    memset(f, 0, FRAME);
    memcpy(a + 8, &h, 8);
    uint64_t g = mix(h);
    memcpy(b + 8, &g, 8);
    if (!v6) {
        memcpy(a, &h, 4);
        memcpy(b, &g, 4);
    }
    const uint8_t *src = reply ? b : a, *dst = reply ? a : b;
    put16(f + 12, v6 ? 0x86dd : 0x0800);
    uint8_t *ip = f + 14, *l4 = ip + (v6 ? 40 : 20);
    uint8_t proto = id & 1 ? 6 : 17;
    ip[0] = v6 ? 0x60 : 0x45;
    if (v6) {
        ip[6] = proto;
        memcpy(ip + 8, src, 16);
        memcpy(ip + 24, dst, 16);
    } else {
        ip[9] = proto;
        memcpy(ip + 12, src, 4);
        memcpy(ip + 16, dst, 4);
    }
    put16(l4, reply ? sport : cport);
    put16(l4 + 2, reply ? cport : sport);
    l4[13] = 0x10;
}

/* Fresh random flow numbers into all frames: packets of `flows` flows in random order. */
static void fill(uint8_t *frames, uint64_t flows, unsigned v6_percent)
{
    for (size_t i = 0; i < FRAMES; i++) {
        uint64_t id = next_rand() % flows;
        make_frame(frames + i * FRAME, id, next_rand() & 1, mix(id) % 100 < v6_percent);
    }
}

/* CPU time of this thread: what other programs on the machine take does not count. */
static int64_t cpu_ns(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static void run(uint64_t flows, uint64_t packets, unsigned v6_percent)
{
    uint8_t *frames = gp_alloc_aligned(FRAMES, FRAME);
    flow_table *t = NULL;
    gp_err err = {0};
    capture_parser parser = {.dlt = DLT_EN10MB, .dir = CAPTURE_IN};
    capture_pkt pkts[BATCH];
    int64_t parse_ns = 0, total_ns = 0;

    if (!frames || flow_table_new(NULL, &t, &err) != GP_OK)
        return;
    uint64_t done = 0, warm = flows * 4 < FRAMES ? FRAMES : flows * 4;
    for (int phase = 0; phase < 2; phase++) { /* warm up, then measure */
        uint64_t want = phase ? packets : warm;
        for (done = 0; done < want; done += FRAMES) {
            fill(frames, flows, v6_percent);
            int64_t t0 = cpu_ns();
            for (size_t i = 0; i < FRAMES; i += BATCH) {
                size_t n = 0;
                for (size_t k = i; k < i + BATCH; k++)
                    n += capture_parse(&parser, frames + k * FRAME, FRAME, 1000, &pkts[n]) ==
                         CAPTURE_FLOW;
                flow_table_add(t, pkts, n);
            }
            if (phase)
                total_ns += cpu_ns() - t0;
            t0 = cpu_ns(); /* parsing alone, for comparison */
            for (size_t k = 0; k < FRAMES; k++)
                (void)capture_parse(&parser, frames + k * FRAME, FRAME, 1000, &pkts[k % BATCH]);
            if (phase)
                parse_ns += cpu_ns() - t0;
        }
    }
    printf("flows %8" PRIu64 "  v6 %3u %%  packets %" PRIu64 "  %6.2f M packets/s  %5.1f ns (parse "
           "%.1f)  entries %zu  memory %.1f MiB\n",
           flows, v6_percent, done, (double)done * 1e3 / (double)total_ns,
           (double)total_ns / (double)done, (double)parse_ns / (double)done,
           flow_bank_count(flow_table_active(t)),
           (double)flow_bank_bytes(flow_table_active(t)) / 1048576.0);
    flow_table_free(t);
    gp_free(frames);
}

int main(int argc, char **argv)
{
    uint64_t arg[3] = {0, 20000000, 0};

    for (int i = 1; i < argc && i <= 3; i++)
        if (!gp_num_u64(argv[i], strlen(argv[i]), 1000000000, &arg[i - 1])) {
            fprintf(stderr, "usage: capture [flows [packets [ipv6-percent]]]\n");
            return 64;
        }
    if (arg[0]) {
        run(arg[0], arg[1], (unsigned)arg[2]);
        return 0;
    }
    run(10000, arg[1], 0);
    run(10000, arg[1], 20);
    run(1000000, arg[1], 0);
    run(1000000, arg[1], 20);
    return 0;
}
