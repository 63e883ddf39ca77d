/* bench_wire.c - bytes and nanoseconds (CPU) a row of columnar batches, against JSON of the same
 * rows.
 *
 * Usage: wire [rows] (tests/bench/wire/rows.h). */
#include "rows.h"
#include "wire/batch.h"

#include "gp/mem.h"
#include "gp/num.h"
#include "result/print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct out {
    gp_buf bytes;
    size_t *ends, n;
};

/* CPU time of this thread: what else the machine does matters less. */
static int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

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
        int64_t t = cpu_ns();
        if (wire_batch_encode(e, r, r->rows, r->n_rows, keep, &o, &err) != GP_OK)
            exit(1);
        t = cpu_ns() - t;
        best_enc = t < best_enc ? t : best_enc;
        result_clear(&back);
        if (result_init(&back, 1 << 24, &err) != GP_OK ||
            result_reserve_rows(&back, r->n_rows, &err) != GP_OK)
            exit(1);
        memset(back.rows, 0, r->n_rows * sizeof *back.rows); /* page faults are not the codec's */
        t = cpu_ns();
        for (size_t i = 0, at = 0; i < o.n; at = o.ends[i++]) {
            if (wire_batch_decode(d, o.bytes.data + at, o.ends[i] - at, NULL, NULL, &back, &err) !=
                GP_OK)
                exit(1);
        }
        t = cpu_ns() - t;
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
    int64_t t = cpu_ns();
    if (!f || result_print(r, &o, f, stderr, &err) != GP_OK)
        exit(1);
    fclose(f);
    printf("%-34s %8zu rows  %6.2f B/row  encode %6.1f ns/row\n", "JSON of the same rows",
           r->n_rows, (double)len / (double)r->n_rows, (double)(cpu_ns() - t) / (double)r->n_rows);
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
        if (bench_rows(n, shapes[s].attrs, &r, &err) != GP_OK)
            return 1;
        snprintf(what, sizeof what, "%s, any order", shapes[s].what);
        run(what, &r, e, d);
        qsort(r.rows, r.n_rows, sizeof *r.rows, by_key);
        snprintf(what, sizeof what, "%s, sorted", shapes[s].what);
        run(what, &r, e, d);
        if (s == 2) {
            json_size(&r);
        }
        result_clear(&r);
    }
    wire_enc_free(e);
    wire_dec_free(d);
    return 0;
}
