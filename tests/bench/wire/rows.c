/* rows.c - made rows for benchmarks: xorshift, ranks drawn log-uniformly. */
#include "rows.h"

#include <math.h>

static uint64_t state = 88172645463325252u;

static uint64_t next(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * UINT64_C(0x2545F4914F6CDD1D);
}

static double unit(void)
{
    return (double)(next() >> 11) * 0x1p-53;
}

static uint64_t rank_of(uint64_t n)
{
    return (uint64_t)(pow((double)n, unit())) - 1;
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    return (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
}

static void put_addr(uint8_t *a, int family, uint64_t rank)
{
    uint64_t h = mix(rank + 1);
    if (family == 4) {
        a[0] = (uint8_t)(10 + (h >> 60));
        a[1] = (uint8_t)(h >> 8 & 31);
        gp_put_be16(a + 2, (uint16_t)(h >> 16));
    } else {
        gp_put_be32(a, 0x20010db8);
        gp_put_be32(a + 4, (uint32_t)(h & 0xff));
        gp_put_be64(a + 8, mix(h));
    }
}

static result_row make_row(int attrs)
{
    static const uint16_t ports[] = {443, 443, 443, 53, 80, 22, 123, 993, 8443, 3389};
    int family = next() % 5 ? 4 : 6;
    result_row r = {.iface = (uint32_t)(next() % 3)};
    put_addr(r.sip, family, rank_of(60000));
    r.sip_family = (uint8_t)family;
    if (attrs >= 2) {
        put_addr(r.dip, family, 100000 + rank_of(60000));
        r.dip_family = (uint8_t)family;
    }
    if (attrs >= 4) {
        r.dport = next() % 3 ? ports[next() % 10] : (uint16_t)(1024 + next() % 60000);
        r.proto = r.dport == 53 || r.dport == 123 ? 17 : 6;
    }
    r.c.pkts_rcvd = (uint64_t)pow(10, unit() * 4);
    r.c.pkts_sent = (uint64_t)pow(10, unit() * 4);
    r.c.bytes_rcvd = r.c.pkts_rcvd * (60 + next() % 1400);
    r.c.bytes_sent = r.c.pkts_sent * (60 + next() % 1400);
    return r;
}

gp_status bench_rows(size_t n, int attrs, result *out, gp_err *err)
{
    static const char *const ifaces[] = {"eth0", "eth1", "wg0"};
    gp_status st = result_init(out, 1 << 24, err);
    if (st == GP_OK)
        st = result_reserve_rows(out, n, err);
    if (st != GP_OK)
        return st;
    result_host_id(out, "fw01.zrh.example.net", "8d3c7a5b9e0f4f6c8a1b2c3d4e5f6071");
    for (size_t i = 0; i < GP_COUNT(ifaces); i++)
        result_iface_id(out, ifaces[i]);
    if (out->n_hosts != 1 || out->n_names != GP_COUNT(ifaces))
        return gp_fail(err, GP_ENOMEM, 0, "labels of %zu rows", n);
    for (size_t i = 0; i < n; i++)
        out->rows[out->n_rows++] = make_row(attrs);
    out->status_message = out->condition = out->hostname = "";
    return GP_OK;
}
