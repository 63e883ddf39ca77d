/* bench_store.c - write MB/s, decode GB/s per codec against the plain libraries and the programs
 * lz4 and zstd, check, index, needle.
 *
 * Usage: store [rows-per-block [blocks [directory]]]. Prints one line per measurement, best of
 * three.
 */
#include "office.h"

#include "godb/check.h"
#include "godb/codec.h"
#include "godb/day.h"
#include "godb/index.h"
#include "gp/clock.h"
#include "gp/mem.h"
#include "gp/num.h"

#include <fcntl.h>
#include <lz4.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zstd.h>

enum { DAY = 1699920000, REPEAT = 3 };

static void die(const gp_err *err)
{
    fprintf(stderr, "bench: %s\n", err->msg);
    exit(1);
}
#define DO(expr)                                                                                   \
    do {                                                                                           \
        if ((expr) != GP_OK)                                                                       \
            die(&err);                                                                             \
    } while (0)

static gp_err err;
struct run {
    char *root;
    size_t rows, blocks;
    uint64_t raw, stored; /* bytes of all columns */
};

static double best(double a, double b)
{
    return a == 0 || b < a ? b : a;
}

static void count(struct run *r, const godb_day *d)
{
    r->raw = r->stored = 0;
    for (size_t i = 0; i < godb_day_n_blocks(d); i++)
        for (int c = 0; c < GODB_N_COLS; c++) {
            r->raw += godb_day_block(d, i)->raw[c];
            r->stored += godb_day_block(d, i)->stored[c];
        }
}

static godb_day *open_day(const struct run *r)
{
    godb_db *db = NULL;
    godb_days days = {0};
    godb_day *d = NULL;

    DO(godb_db_open(r->root, &db, &err));
    DO(godb_db_days(db, "eth0", 0, INT64_MAX, &days, &err));
    DO(godb_day_open(db, &days.v[0], &d, &err));
    godb_days_free(&days);
    godb_db_close(db);
    return d;
}

static void bench_write(struct run *r, uint8_t codec, int bulk)
{
    godb_sorter *s = NULL;
    double t = 0;

    DO(godb_sorter_new(&s, &err));
    for (int k = 0; k < REPEAT; k++) {
        godb_writer_opts o = GODB_WRITER_OPTS_INIT;
        godb_writer *w = NULL;
        office_rm(r->root);
        o.codec = codec;
        DO(godb_writer_open(r->root, "eth0", &o, &w, &err));
        if (bulk)
            DO(godb_writer_begin_bulk(w, &err));
        int64_t spent = 0;
        office_seed = 88172645463325252u;
        for (size_t i = 0; i < r->blocks; i++) {
            godb_rows rows;
            office_block(s, r->rows);
            int64_t a = gp_mono_ns();
            DO(godb_sorter_finish(s, 0, &rows, &err));
            DO(godb_writer_append(w, DAY + 300 * (int64_t)(i + 1), &rows, 0, &err));
            spent += gp_mono_ns() - a;
        }
        int64_t a = gp_mono_ns();
        if (bulk)
            DO(godb_writer_commit(w, &err));
        godb_writer_close(w);
        t = best(t, (double)(spent + gp_mono_ns() - a) * 1e-9);
    }
    godb_sorter_free(s);
    double n = (double)r->rows * (double)r->blocks;
    godb_day *d = open_day(r);
    count(r, d);
    godb_day_close(d);
    printf("write %-4s %-6s %8.0f rows/s, %.0f MB/s raw, %.1f MB/s stored\n",
           godb_codec_name(codec), bulk ? "bulk" : "single", n / t, (double)r->raw / t * 1e-6,
           (double)r->stored / t * 1e-6);
}

/* All columns of all blocks through the reader, column by column, as a scan does. */
static void bench_read(struct run *r, uint8_t codec, int verify)
{
    double t = 0;

    for (int k = 0; k < 3 * REPEAT; k++) {
        godb_day *d = open_day(r);
        godb_reader *rd = NULL;
        DO(godb_reader_new(&rd, &err));
        count(r, d);
        int64_t a = gp_mono_ns();
        godb_day_verify(d, verify);
        for (size_t i = 0; i < godb_day_n_blocks(d); i++)
            for (int c = 0; c < GODB_N_COLS; c++) {
                const uint8_t *bytes;
                DO(godb_reader_col(rd, d, i, (godb_col)c, &bytes, NULL, &err));
            }
        t = best(t, (double)(gp_mono_ns() - a) * 1e-9);
        godb_reader_free(rd);
        godb_day_close(d);
    }
    printf("read  %-4s %-6s %8.2f GB/s raw, %.2f GB/s stored\n", godb_codec_name(codec),
           verify ? "verify" : "", (double)r->raw / t * 1e-9, (double)r->stored / t * 1e-9);
}

/* The same payloads, in memory, through the library alone. */
static void bench_library(struct run *r, uint8_t codec)
{
    godb_day *d = open_day(r);
    gp_buf all = {0};
    uint8_t *out = gp_alloc(r->rows * 16 + 64, 1);
    ZSTD_DCtx *z = ZSTD_createDCtx();
    double t = 0;

    for (int c = 0; c < GODB_N_COLS; c++) { /* column files behind each other */
        int fd = openat(godb_day_dirfd(d), godb_col_file((godb_col)c), O_RDONLY);
        off_t n = lseek(fd, 0, SEEK_END);
        uint8_t *p = gp_buf_reserve(&all, (size_t)n);
        if (!p || pread(fd, p, (size_t)n, 0) != n)
            exit(1);
        all.len += (size_t)n;
        close(fd);
    }
    for (int k = 0; k < 3 * REPEAT; k++) {
        int64_t a = gp_mono_ns();
        const uint8_t *p = all.data;
        for (int c = 0; c < GODB_N_COLS; c++)
            for (size_t i = 0; i < godb_day_n_blocks(d); i++) {
                const godb_block *b = godb_day_block(d, i);
                if (b->codec[c] == GODB_CODEC_LZ4)
                    (void)LZ4_decompress_safe((const char *)p, (char *)out, (int)b->stored[c],
                                              (int)b->raw[c]);
                else if (b->codec[c] == GODB_CODEC_ZSTD)
                    (void)ZSTD_decompressDCtx(z, out, b->raw[c], p, b->stored[c]);
                else
                    memcpy(out, p, b->raw[c]);
                p += b->stored[c];
            }
        t = best(t, (double)(gp_mono_ns() - a) * 1e-9);
    }
    printf("plain %-4s library %6.2f GB/s raw\n", godb_codec_name(codec),
           (double)r->raw / t * 1e-9);
    ZSTD_freeDCtx(z);
    gp_free(out);
    gp_buf_free(&all);
    godb_day_close(d);
}

static double children_s(void)
{
    struct rusage u;
    (void)getrusage(RUSAGE_CHILDREN, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

/* The same bytes, all column files behind each other, through `program -d`. r: codec null. */
static void bench_program(const struct run *r, const char *program)
{
    char cmd[1024];
    double wall = 0, cpu = 0;

    snprintf(cmd, sizeof cmd,
             "command -v %s >/dev/null && cat '%s'/eth0/*/*/*/*.gpf | %s -q -6 -c > '%s.packed'",
             program, r->root, program, r->root);
    if (system(cmd) != 0) { /* layout: allow system - a benchmark's own fixed command */
        printf("program %s -d: skipped, there is no %s\n", program, program);
        return;
    }
    snprintf(cmd, sizeof cmd, "%s -d -q -c < '%s.packed' > /dev/null", program, r->root);
    for (int k = 0; k < REPEAT; k++) {
        int64_t a = gp_mono_ns();
        double c = children_s();
        if (system(cmd) != 0) /* layout: allow system - as above */
            exit(1);
        wall = best(wall, (double)(gp_mono_ns() - a) * 1e-9);
        cpu = best(cpu, children_s() - c);
    }
    printf("program %s -d %6.2f GB/s raw, %.2f GB a CPU second\n", program,
           (double)r->raw / wall * 1e-9, (double)r->raw / cpu * 1e-9);
}

static void bench_check(struct run *r, unsigned threads)
{
    godb_check_opts o = GODB_CHECK_OPTS_INIT;
    godb_check_stats s;
    godb_db *db = NULL;
    double t = 0;

    o.threads = threads;
    DO(godb_db_open(r->root, &db, &err));
    for (int k = 0; k < REPEAT; k++) {
        int64_t a = gp_mono_ns();
        DO(godb_check(db, &o, NULL, NULL, &s, &err));
        t = best(t, (double)(gp_mono_ns() - a) * 1e-9);
    }
    printf("check %u thread(s)  %8.2f GB/s raw, %.2f GB/s stored\n", threads,
           (double)s.raw_bytes / t * 1e-9, (double)s.stored_bytes / t * 1e-9);
    godb_db_close(db);
}

/* Bytes of sip and dip that a query for one address has to decode, with and without the index. */
static void bench_needle(struct run *r)
{
    godb_index_stats st;
    godb_index *ix = NULL;
    size_t hit = 0, asked = 0;

    int64_t a = gp_mono_ns();
    DO(godb_index_build(r->root, "eth0", 0, INT64_MAX, 1, &st, &err));
    double build = (double)(gp_mono_ns() - a) * 1e-9;
    godb_day *d = open_day(r);
    a = gp_mono_ns();
    DO(godb_index_open(d, &ix, &err));
    double load = (double)(gp_mono_ns() - a) * 1e-9;
    a = gp_mono_ns();
    for (int k = 0; k < 1000; k++) {
        gp_addr addr = {.family = 4};
        gp_put_be32(addr.bytes, (uint32_t)office_rnd());
        godb_index_key s = godb_index_key_of(GODB_COL_SIP, &addr);
        godb_index_key e = godb_index_key_of(GODB_COL_DIP, &addr);
        for (size_t i = 0; i < godb_day_n_blocks(d); i++, asked++)
            hit += godb_index_may_have(ix, i, &s) || godb_index_may_have(ix, i, &e);
    }
    double probe = (double)(gp_mono_ns() - a) / (double)asked;
    printf("index %.2f %% of the data, built at %.1f M rows/s, loaded in %.0f us, %.0f ns a probe, "
           "needle opens 1 of %.0f blocks\n",
           100.0 * (double)st.index_bytes / (double)st.data_bytes,
           (double)r->rows * (double)r->blocks / build * 1e-6, load * 1e6, probe,
           (double)asked / (double)(hit ? hit : 1));
    godb_index_close(ix);
    godb_day_close(d);
}

int main(int argc, char **argv)
{
    uint64_t rows = 10000, blocks = 100;
    const char *dir = argc > 3 ? argv[3] : "/tmp";

    if ((argc > 1 && !gp_num_u64(argv[1], strlen(argv[1]), 5000000, &rows)) ||
        (argc > 2 && !gp_num_u64(argv[2], strlen(argv[2]), 280, &blocks))) {
        fprintf(stderr, "usage: %s [rows-per-block [blocks [directory]]]\n", argv[0]);
        return 64;
    }
    char *base = gp_asprintf("%s/bench-store-XXXXXX", dir);
    if (!base || !mkdtemp(base))
        return 1;
    struct run r = {.root = gp_asprintf("%s/db", base), .rows = rows, .blocks = blocks};
    static const uint8_t codecs[] = {GODB_CODEC_NULL, GODB_CODEC_LZ4, GODB_CODEC_ZSTD};
    for (size_t i = 0; i < sizeof codecs; i++) {
        if (codecs[i] == GODB_CODEC_LZ4)
            bench_write(&r, codecs[i], 0);
        bench_write(&r, codecs[i], 1);
        bench_read(&r, codecs[i], 0);
        bench_read(&r, codecs[i], 1);
        bench_library(&r, codecs[i]);
        if (codecs[i] == GODB_CODEC_NULL) {
            bench_program(&r, "lz4");
            bench_program(&r, "zstd");
        }
        printf("      %-4s %.1f bytes a row stored, %.1f raw\n", godb_codec_name(codecs[i]),
               (double)r.stored / (double)(rows * blocks), (double)r.raw / (double)(rows * blocks));
    }
    bench_check(&r, 1);
    bench_check(&r, 2);
    bench_needle(&r);
    office_rm(base);
    gp_free(r.root);
    gp_free(base);
    return 0;
}
