/* bench_wire.c - bytes and nanoseconds a row of columnar batches, against JSON of the same rows.
 *
 * Usage: wire [rows]. Rows are Zipf-like, a fifth IPv6, log-uniform counters. */
#include "wire/batch.h"

#include "gp/clock.h"
#include "gp/mem.h"
#include "gp/num.h"
#include "result/print.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

struct out {
    gp_buf bytes;
    size_t *ends, n;
};

static gp_status keep(void *ctx, const uint8_t *b, size_t len, size_t rows, gp_err *err)
{
    struct out *o = ctx;
    (void)rows;
    (void)err;
    gp_buf_add(&o->bytes, b, len);
    o->ends[o->n++] = o->bytes.len;
    return GP_OK;
}

static int by_key(const void *a, const void *b)
{
    const result_row *x = a, *y = b;
    if (x->sip_family != y->sip_family)
        return x->sip_family < y->sip_family ? -1 : 1;
    int c = memcmp(x->sip, y->sip, 16);
    return c ? c : memcmp(x->dip, y->dip, 16);
}

static void run(const char *what, result *r, wire_enc *e, wire_dec *d)
{
    struct out o = {0};
    result back = {0};
    gp_err err = {0};
    int64_t best_enc = INT64_MAX, best_dec = INT64_MAX;
    o.ends = gp_calloc(r->n_rows / 16 + 1024, sizeof *o.ends);
    for (int round = 0; round < 5; round++) {
        gp_buf_clear(&o.bytes);
        o.n = 0;
        int64_t t = gp_mono_ns();
        if (wire_batch_encode(e, r, r->rows, r->n_rows, keep, &o, &err) != GP_OK)
            exit(1);
        t = gp_mono_ns() - t;
        best_enc = t < best_enc ? t : best_enc;
        result_clear(&back);
        if (result_init(&back, 1 << 24, &err) != GP_OK ||
            result_reserve_rows(&back, r->n_rows, &err) != GP_OK)
            exit(1);
        memset(back.rows, 0, r->n_rows * sizeof *back.rows); /* page faults are not the codec's */
        t = gp_mono_ns();
        for (size_t i = 0, at = 0; i < o.n; at = o.ends[i++]) {
            if (wire_batch_decode(d, o.bytes.data + at, o.ends[i] - at, NULL, NULL, &back, &err) !=
                GP_OK)
                exit(1);
        }
        t = gp_mono_ns() - t;
        best_dec = t < best_dec ? t : best_dec;
    }
    double n = (double)r->n_rows;
    printf("%-34s %8zu rows  %6.2f B/row  encode %6.1f ns/row  decode %6.1f ns/row\n", what,
           r->n_rows, (double)o.bytes.len / n, (double)best_enc / n, (double)best_dec / n);
    result_clear(&back);
    gp_buf_free(&o.bytes);
    gp_free(o.ends);
}

static void json_size(const result *r)
{
    char *text = NULL;
    size_t len = 0;
    gp_err err = {0};
    FILE *f = open_memstream(&text, &len);
    result_print_opts o = {.format = QUERY_JSON};
    int64_t t = gp_mono_ns();
    if (!f || result_print(r, &o, f, stderr, &err) != GP_OK)
        exit(1);
    fclose(f);
    printf("%-34s %8zu rows  %6.2f B/row  encode %6.1f ns/row\n", "JSON of the same rows",
           r->n_rows, (double)len / (double)r->n_rows,
           (double)(gp_mono_ns() - t) / (double)r->n_rows);
    free(text); /* layout: allow free - open_memstream's memory */
}

int main(int argc, char **argv)
{
    uint64_t n = 500000;
    wire_enc *e = NULL;
    wire_dec *d = NULL;
    gp_err err = {0};
    if (argc > 1 && !gp_num_u64(argv[1], strlen(argv[1]), 100000000, &n))
        return 64;
    if (wire_enc_new(&e, &err) != GP_OK || wire_dec_new(&d, &err) != GP_OK)
        return 1;
    static const struct {
        const char *what;
        int attrs;
    } shapes[] = {{"sip", 1}, {"sip,dip", 2}, {"sip,dip,dport,proto", 4}};
    for (size_t s = 0; s < GP_COUNT(shapes); s++) {
        result r = {0};
        char what[64];
        if (result_init(&r, 1 << 24, &err) != GP_OK || result_reserve_rows(&r, n, &err) != GP_OK)
            return 1;
        result_host_id(&r, "fw01.zrh.example.net", "8d3c7a5b9e0f4f6c8a1b2c3d4e5f6071");
        for (int i = 0; i < 3; i++)
            result_iface_id(&r, (const char *[]){"eth0", "eth1", "wg0"}[i]);
        if (r.n_hosts == 0 || r.n_names == 0)
            return 1;
        for (uint64_t i = 0; i < n; i++)
            r.rows[r.n_rows++] = make_row(shapes[s].attrs);
        snprintf(what, sizeof what, "%s, any order", shapes[s].what);
        run(what, &r, e, d);
        qsort(r.rows, r.n_rows, sizeof *r.rows, by_key);
        snprintf(what, sizeof what, "%s, sorted", shapes[s].what);
        run(what, &r, e, d);
        if (s == 2) {
            r.status_message = r.condition = r.hostname = "";
            json_size(&r);
        }
        result_clear(&r);
    }
    wire_enc_free(e);
    wire_dec_free(d);
    return 0;
}
