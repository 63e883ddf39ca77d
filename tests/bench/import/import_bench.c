/* import_bench.c - rows/s and MB/s of CSV import: plain, gzip and zstd, one and more threads.
 *
 * Usage: import [million-rows] [directory]. Makes the CSV itself: flows of an office network, one
 * interface, 288 blocks a day, about 5000 rows a block; then the same rows in small blocks of many
 * interfaces.
 */
#include "godb/import.h"
#include "gp/bytes.h"
#include "gp/clock.h"
#include "gp/io.h"
#include "gp/num.h"
#include "gp/pool.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static uint64_t rng_state = 88172645463325252ULL;

static uint64_t rng(void)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state;
}

static uint64_t below(uint64_t n)
{
    return (rng() >> 16) % n;
}

/* Small numbers are more likely than large ones. */
static uint64_t skewed(uint64_t n)
{
    return below(below(below(n) + 1) + 1);
}

static void make_row(gp_buf *b, long long time_s, unsigned iface)
{
    static const unsigned ports[] = {443, 443, 443, 80, 53, 53, 22, 123, 5060, 8080};
    unsigned port = below(4) ? ports[below(10)] : (unsigned)below(65536);
    unsigned host = (unsigned)skewed(2000);
    uint64_t pkts = 1 + skewed(400);

    gp_buf_printf(b, "%lld,eth%u,10.0.%u.%u,%u.%u.%u.%u,%u,%u,%llu,%llu,%llu,%llu\n", time_s, iface,
                  host >> 8, host & 255, 20 + (unsigned)skewed(150), (unsigned)skewed(256),
                  (unsigned)skewed(256), (unsigned)below(256), port, port == 53 ? 17u : 6u,
                  (unsigned long long)pkts, (unsigned long long)(pkts * 2 / 3),
                  (unsigned long long)(pkts * (64 + below(1200))),
                  (unsigned long long)(pkts * (40 + below(200))));
}

static void make_csv(const char *path, uint64_t rows, unsigned per_block, unsigned ifaces)
{
    FILE *f = fopen(path, "we");
    gp_buf b = {0};
    long long time_s = 1700000100;

    if (!f) {
        perror(path);
        exit(1);
    }
    gp_buf_adds(&b, "time,iface,sip,dip,dport,proto,packets received,packets sent,"
                    "data vol. received,data vol. sent\n");
    for (uint64_t n = 0; n < rows; time_s += 300)
        for (unsigned i = 0; i < ifaces; i++) {
            for (unsigned k = 0; k < per_block && n < rows; k++, n++)
                make_row(&b, time_s, i);
            (void)fwrite(b.data, 1, b.len, f);
            gp_buf_clear(&b);
        }
    fclose(f);
    gp_buf_free(&b);
}

static int rm_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static double import_once(const char *csv, const char *root, unsigned threads,
                          godb_import_stats *stats)
{
    godb_import_opts o = GODB_IMPORT_OPTS_INIT;
    gp_err err = {0};
    int fd = open(csv, O_RDONLY | O_CLOEXEC);

    o.threads = threads;
    int64_t start = gp_mono_ns();
    if (fd < 0 || godb_import(root, fd, csv, &o, stats, &err) != GP_OK) {
        fprintf(stderr, "%s: %s\n", csv, err.msg);
        exit(1);
    }
    double s = (double)(gp_mono_ns() - start) / 1e9;
    close(fd);
    (void)nftw(root, rm_one, 16, FTW_DEPTH | FTW_PHYS);
    return s;
}

static void measure(const char *what, const char *csv, const char *dir, unsigned threads,
                    uint64_t text_bytes)
{
    char root[512];
    godb_import_stats st;
    double best = 1e9;

    snprintf(root, sizeof root, "%s/db", dir);
    for (int i = 0; i < 3; i++) {
        double s = import_once(csv, root, threads, &st);
        best = s < best ? s : best;
    }
    printf("%-34s %2u threads  %9.0f rows/s  %7.1f MB/s of text  (%llu rows, %llu blocks)\n", what,
           threads, (double)st.rows_imported / best, (double)text_bytes / best / 1e6,
           (unsigned long long)st.rows_imported, (unsigned long long)st.blocks);
    fflush(stdout);
}

static void measure_file(const char *dir, const char *what, uint64_t rows, unsigned per_block,
                         unsigned ifaces)
{
    static const char *const packers[] = {NULL, "gzip -1", "zstd -q -3"};
    static const char *const suffix[] = {"", ".gz", ".zst"};
    char csv[512], label[64];
    struct stat sb = {0};

    snprintf(csv, sizeof csv, "%s/bench.csv", dir);
    make_csv(csv, rows, per_block, ifaces);
    (void)stat(csv, &sb);
    uint64_t text = (uint64_t)sb.st_size;
    for (int k = 0; k < 3; k++) {
        char packed[544], cmd[1200];
        snprintf(packed, sizeof packed, "%s%s", csv, suffix[k]);
        if (packers[k]) {
            snprintf(cmd, sizeof cmd, "%s -c '%s' > '%s'", packers[k], csv, packed);
            if (system(cmd) != 0) { /* layout: allow system - a benchmark's own fixed command */
                printf("%s: not available\n", packers[k]);
                continue;
            }
        }
        snprintf(label, sizeof label, "%s%s", what, suffix[k]);
        if (k == 0)
            measure(label, packed, dir, 1, text);
        measure(label, packed, dir, gp_cpu_count(), text);
        if (k > 0)
            unlink(packed);
    }
    unlink(csv);
}

int main(int argc, char **argv)
{
    uint64_t millions = 3;
    char dir[256];
    const char *base = argc > 2 ? argv[2] : "/tmp";

    if (argc > 1 && !gp_num_u64(argv[1], strlen(argv[1]), 1000, &millions)) {
        fprintf(stderr, "usage: import [million-rows] [directory]\n");
        return 2;
    }
    snprintf(dir, sizeof dir, "%s/import-bench-XXXXXX", base);
    if (!mkdtemp(dir)) {
        perror(dir);
        return 1;
    }
    setenv("TZ", "UTC", 1);
    measure_file(dir, "5000 rows a block", millions * 1000000, 5000, 1);
    measure_file(dir, "300 rows a block, 20 interfaces", millions * 1000000, 300, 20);
    measure_file(dir, "25 rows a block, 20 interfaces", millions * 200000, 25, 20);
    rmdir(dir);
    return 0;
}
