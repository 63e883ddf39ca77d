/* bench_year.c - a needle in a year: `host = a.b.c.d` with the index of every day and without.
 *
 * Usage: year [days [blocks-a-day [rows-a-block [directory]]]]. The host talks once in 30 days.
 * Files are in the page cache; best of three.
 */
#include "office.h"

#include "godb/godb.h"
#include "gp/mem.h"
#include "gp/num.h"

#include <string.h>
#include <unistd.h>

enum { DAY_S = 86400, FIRST = 1672531200, REPEAT = 3 };

static gp_err err;

#define DO(expr)                                                                                   \
    do {                                                                                           \
        if ((expr) != GP_OK) {                                                                     \
            fprintf(stderr, "year: %s\n", err.msg);                                                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static const godb_row needle = {
    .family = 4, .sip = {10, 0, 0, 7}, .dip = {198, 51, 100, 7}, .dport = 443, .proto = 6};

static void write_year(const char *root, const uint64_t n[3])
{
    godb_writer_opts o = GODB_WRITER_OPTS_INIT;
    GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;
    GP_CLEANUP(godb_sorter_freep) godb_sorter *s = NULL;
    godb_rows rows;

    o.sync = GODB_SYNC_NONE;
    DO(godb_sorter_new(&s, &err));
    DO(godb_writer_open(root, "eth0", &o, &w, &err));
    DO(godb_writer_begin_bulk(w, &err));
    for (uint64_t d = 0; d < n[0]; d++)
        for (uint64_t b = 0; b < n[1]; b++) {
            office_block(s, n[2]);
            if (d % 30 == 7 && b == n[1] / 2)
                DO(godb_sorter_add(s, &needle));
            DO(godb_sorter_finish(s, 0, &rows, &err));
            DO(godb_writer_append(w, FIRST + (int64_t)(d * DAY_S + (b + 1) * (DAY_S / (n[1] + 1))),
                                  &rows, 0, &err));
        }
    DO(godb_writer_commit(w, &err));
}

/* Blocks that the indexes of all days do not rule out. */
static void count_blocks(const godb_db *db, uint64_t *open, uint64_t *all)
{
    GP_CLEANUP(godb_days_free) godb_days days = {0};
    gp_addr a = {.family = 4};

    memcpy(a.bytes, needle.dip, 4);
    const godb_index_key keys[] = {godb_index_key_of(GODB_COL_SIP, &a),
                                   godb_index_key_of(GODB_COL_DIP, &a)};
    *open = *all = 0;
    DO(godb_db_days(db, "eth0", 0, INT64_MAX, &days, &err));
    for (size_t i = 0; i < days.n; i++) {
        GP_CLEANUP(godb_day_closep) godb_day *d = NULL;
        DO(godb_day_open(db, &days.v[i], &d, &err));
        const godb_index *ix = godb_day_index(d);
        for (size_t b = 0; b < godb_day_n_blocks(d); b++, ++*all)
            *open +=
                !ix || godb_index_may_have(ix, b, &keys[0]) || godb_index_may_have(ix, b, &keys[1]);
    }
}

static double ask(const godb_db *db, const char *what)
{
    const godb_query_opts q = {.condition = "host = 198.51.100.7", .threads = 1};
    uint64_t open, all;
    double t = 0;
    result_stats st = {0};
    size_t rows = 0;

    for (int k = 0; k < REPEAT; k++) {
        GP_CLEANUP(result_clear) result r = {0};
        int64_t a = gp_mono_ns();
        DO(godb_query(db, "time,sip,dip", &q, &r, &err));
        double s = (double)(gp_mono_ns() - a) * 1e-9;
        t = k == 0 || s < t ? s : t;
        st = r.stats;
        rows = r.n_rows;
    }
    count_blocks(db, &open, &all);
    printf("%-13s %8.1f ms, %llu of %llu blocks opened, %.1f MB read, %zu rows\n", what, t * 1e3,
           (unsigned long long)open, (unsigned long long)all, (double)st.bytes_loaded * 1e-6, rows);
    return t;
}

static int drop_index(const char *p, const struct stat *st, int t, struct FTW *f)
{
    (void)st;
    return t == FTW_F && strcmp(p + f->base, ".index") == 0 ? unlink(p) : 0;
}

int main(int argc, char **argv)
{
    uint64_t n[3] = {365, 24, 2000};
    char base[512];
    godb_index_stats st;

    for (int i = 1; i < argc && i < 4; i++)
        if (!gp_num_u64(argv[i], strlen(argv[i]), 1000000, &n[i - 1]) || n[i - 1] == 0) {
            fprintf(stderr, "usage: %s [days [blocks-a-day [rows-a-block [directory]]]]\n",
                    argv[0]);
            return 64;
        }
    snprintf(base, sizeof base, "%s/bench-year-XXXXXX", argc > 4 ? argv[4] : "/tmp");
    if (!mkdtemp(base))
        return 1;
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    write_year(base, n);
    DO(godb_index_build(base, "eth0", 0, INT64_MAX, 1, &st, &err));
    printf("%llu days of %llu blocks of %llu rows: %.1f MB, index %.2f %%\n",
           (unsigned long long)n[0], (unsigned long long)n[1], (unsigned long long)n[2],
           (double)st.data_bytes * 1e-6, 100.0 * (double)st.index_bytes / (double)st.data_bytes);
    DO(godb_db_open(base, &db, &err));
    double with = ask(db, "with index");
    (void)nftw(base, drop_index, 16, FTW_PHYS);
    double without = ask(db, "without index");
    printf("speed-up %.0f\n", without / with);
    office_rm(base);
    return 0;
}
