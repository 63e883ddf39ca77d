/* floor.c - what a query cannot do without: its columns read and decoded, its table's memory
 * touched.
 *
 * Decoding is the reader alone, over all blocks. The table is an array of as many entries as the
 * query has groups; as many random entries as it has rows (after runs are folded) are added to,
 * fetched ahead in batches, in memory that is already there. No keys, no hashing, no growing.
 */
#include "floor.h"

#include "godb/day.h"
#include "gp/mem.h"

#include <string.h>
#include <sys/resource.h>

enum { BATCH = 128, ENTRY_WORDS = 3 };

static double cpu_now(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static gp_status decode_days(const godb_db *db, const godb_days *days, unsigned cols, gp_err *err)
{
    GP_CLEANUP(godb_reader_freep) godb_reader *reader = NULL;

    GP_TRY(godb_reader_new(&reader, err));
    for (size_t i = 0; i < days->n; i++) {
        GP_CLEANUP(godb_day_closep) godb_day *d = NULL;
        GP_TRY(godb_day_open(db, &days->v[i], &d, err));
        for (size_t b = 0; b < godb_day_n_blocks(d); b++)
            for (unsigned c = 0; c < GODB_N_COLS; c++) {
                const uint8_t *bytes;
                if (cols >> c & 1)
                    GP_TRY(godb_reader_col(reader, d, b, (godb_col)c, &bytes, NULL, err));
            }
    }
    return GP_OK;
}

gp_status floor_decode(const godb_db *db, unsigned cols, double *cpu_s, gp_err *err)
{
    godb_days days;

    GP_TRY(godb_db_days(db, "eth0", 0, INT64_MAX / 2, &days, err));
    double start = cpu_now();
    gp_status st = decode_days(db, &days, cols, err);
    *cpu_s = cpu_now() - start;
    godb_days_free(&days);
    return st;
}

gp_status floor_table(uint64_t groups, uint64_t rows, double *cpu_s, gp_err *err)
{
    uint64_t *t = gp_alloc_aligned(groups * ENTRY_WORDS, sizeof *t), x = 88172645463325252u;

    if (!t)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory for %llu groups",
                       (unsigned long long)groups);
    memset(t, 0, groups * ENTRY_WORDS * sizeof *t);
    double start = cpu_now();
    for (uint64_t at = 0; at < rows; at += BATCH) {
        uint64_t *e[BATCH];
        for (unsigned i = 0; i < BATCH; i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            e[i] = t + (uint64_t)((unsigned __int128)x * groups >> 64) * ENTRY_WORDS;
            __builtin_prefetch(e[i], 1);
        }
        for (unsigned i = 0; i < BATCH; i++)
            for (unsigned w = 0; w < ENTRY_WORDS; w++)
                e[i][w] += x;
    }
    *cpu_s = cpu_now() - start;
    gp_free(t);
    return GP_OK;
}
