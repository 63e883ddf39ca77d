/* killed_test.c - a writer is killed 200 times while readers watch: every block that it reported is
 * there, once and right, at any moment, also while its directory is being renamed. */
#include "content.h"

#include "gp/clock.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum {
    DAY = 1699920000,
    STEP_S = 30,
    ROUNDS = 200,
    READERS = 2,
    MAX_TIMES = 600000, /* bits in written */
};

struct shared {
    atomic_int_fast64_t written_s; /* every block up to here was reported as written */
    atomic_int stop;
    atomic_uint reads, blocks, failures;
    char text[300]; /* of the first failure */
};

static struct shared *sh;

/* In a child: append blocks from the last one on until killed. */
static void writer(const char *root, int64_t next_s)
{
    godb_writer_opts o = GODB_WRITER_OPTS_INIT;
    godb_writer *w = NULL;
    godb_sorter *s = NULL;
    int64_t last_s = 0;

    o.sync = GODB_SYNC_NONE; /* a killed process loses nothing that it gave to the kernel */
    if (godb_sorter_new(&s, NULL) != GP_OK ||
        godb_writer_open(root, "eth0", &o, &w, NULL) != GP_OK ||
        godb_writer_last_time(w, &last_s, NULL) != GP_OK)
        _exit(1);
    /* what was killed behind the commit is there without having been reported */
    for (int64_t t = last_s >= next_s ? last_s + STEP_S : next_s;; t += STEP_S) {
        godb_rows rows = content_block(s, t);
        gp_err err = {0};
        if (godb_writer_append(w, t, &rows, content_drops(t), &err) != GP_OK) {
            fprintf(stderr, "%s\n", err.msg);
            _exit(2);
        }
        atomic_store(&sh->written_s, t);
    }
}

static void complain(const char *fmt, ...) GP_PRINTF(1, 2);
static void complain(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    if (atomic_fetch_add(&sh->failures, 1) == 0)
        vsnprintf(sh->text, sizeof sh->text, fmt, ap);
    va_end(ap);
}

/* All blocks of one day; *last_s is the latest time so far. */
static size_t read_day(godb_reader *r, const godb_day *d, godb_sorter *s, int64_t *last_s)
{
    for (size_t i = 0; i < godb_day_n_blocks(d); i++) {
        const godb_block *b = godb_day_block(d, i);
        godb_rows got, want;
        gp_err err = {0};
        if (b->time_s <= *last_s)
            complain("block %lld twice or out of order", (long long)b->time_s);
        *last_s = b->time_s;
        if (godb_reader_rows(r, d, i, &got, &err) != GP_OK) {
            complain("block %lld: %s", (long long)b->time_s, err.msg);
            continue;
        }
        want = content_block(s, b->time_s);
        if (!content_equal(&got, &want))
            complain("block %lld: wrong rows", (long long)b->time_s);
    }
    return godb_day_n_blocks(d);
}

/* One look at the whole database: nothing that was reported before may be missing. */
static void read_all(const char *root, godb_reader *r, godb_sorter *s)
{
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    godb_days days = {0};
    gp_err err = {0};
    int64_t reported_s = atomic_load(&sh->written_s), last_s = 0;
    size_t blocks = 0;

    if (godb_db_open(root, &db, &err) != GP_OK ||
        godb_db_days(db, "eth0", 0, INT64_MAX, &days, &err) != GP_OK) {
        complain("%s", err.msg);
        return;
    }
    if (days.skipped)
        complain("skipped: %s", days.skipped_text);
    for (size_t i = 0; i < days.n; i++) {
        GP_CLEANUP(godb_day_closep) godb_day *d = NULL;
        gp_status st = godb_day_open(db, &days.v[i], &d, &err);
        if (st == GP_OK)
            blocks += read_day(r, d, s, &last_s);
        else if (st != GP_ENOTFOUND || days.v[i].day_s + GODB_DAY_S <= reported_s)
            complain("%s", err.msg); /* a day being made has no .blockmeta yet */
    }
    if (last_s < reported_s)
        complain("block %lld was reported, the last one seen is %lld", (long long)reported_s,
                 (long long)last_s);
    godb_days_free(&days);
    atomic_fetch_add(&sh->reads, 1);
    atomic_fetch_add(&sh->blocks, (unsigned)blocks);
}

static void reader(const char *root)
{
    GP_CLEANUP(godb_reader_freep) godb_reader *r = NULL;
    GP_CLEANUP(godb_sorter_freep) godb_sorter *s = NULL;

    if (godb_reader_new(&r, NULL) != GP_OK || godb_sorter_new(&s, NULL) != GP_OK)
        _exit(1);
    while (!atomic_load(&sh->stop))
        read_all(root, r, s);
}

static pid_t start(void (*fn)(const char *), const char *root)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        fn(root);
        _exit(0);
    }
    return pid;
}

static void start_writer(const char *root)
{
    int64_t last = atomic_load(&sh->written_s);
    writer(root, last ? last + STEP_S : DAY + 23 * 3600); /* soon a new day */
}

static int count_blocks(const char *root)
{
    GP_CLEANUP(godb_reader_freep) godb_reader *r = NULL;
    GP_CLEANUP(godb_sorter_freep) godb_sorter *s = NULL;

    want_ok(godb_reader_new(&r, NULL));
    want_ok(godb_sorter_new(&s, NULL));
    unsigned before = atomic_load(&sh->blocks);
    read_all(root, r, s);
    return (int)(atomic_load(&sh->blocks) - before);
}

static void test_killed(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    test_rng rng = test_rng_new(77);
    pid_t readers[READERS];
    size_t rounds = test_rounds(ROUNDS);

    sh = mmap(NULL, sizeof *sh, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(sh != MAP_FAILED);
    for (int i = 0; i < READERS; i++)
        readers[i] = start(reader, root);
    for (size_t k = 0; k < rounds; k++) {
        int status = 0;
        int64_t before = atomic_load(&sh->written_s), start_ms = gp_mono_ms();
        pid_t pid = start(start_writer, root);
        /* let it write at least one block, then kill it anywhere */
        while (atomic_load(&sh->written_s) == before && gp_mono_ms() - start_ms < 20000)
            usleep(200);
        usleep((useconds_t)test_rng_below(&rng, 4000));
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (!WIFSIGNALED(status))
            fail_msg("round %zu: the writer ended by itself with %d", k, WEXITSTATUS(status));
    }
    atomic_store(&sh->stop, 1);
    for (int i = 0; i < READERS; i++)
        waitpid(readers[i], NULL, 0);
    int n = count_blocks(root);
    print_message("%d blocks, %u reads of all of them, %u blocks read\n", n,
                  atomic_load(&sh->reads), atomic_load(&sh->blocks));
    if (atomic_load(&sh->failures))
        fail_msg("%u failures, first: %s", atomic_load(&sh->failures), sh->text);
    assert_true(n >= (int)rounds);
    munmap(sh, sizeof *sh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_killed)};
    st_utc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
