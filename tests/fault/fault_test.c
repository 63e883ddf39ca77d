/* fault_test.c - the Nth system call of a writing run goes wrong, for every N and in every way.
 *
 * After each run the database opens, every block that was reported as written reads back exactly,
 * nothing else shows up, no row is wrong, and a second run goes on where the first one stopped.
 */
#include "content.h"
#include "fault_io.h"

#include "godb/check.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum {
    DAY = 1699920000,
    MAX_BLOCKS = 64,
    MAX_CALLS = 4000, /* more than any run makes */
};

/* What the writing process tells: memory shared with it, if it is one of its own. */
struct shared {
    int state[MAX_BLOCKS]; /* 0 not tried, 1 trying, 2 written, 3 refused */
    int hit, open_fds[2];
    char note[256];
};

/* One run: which times, and how. */
struct run {
    const char *what;
    godb_sync sync;
    int bulk; /* all blocks in one bulk */
    int no_index;
    int64_t first_s; /* time of block 0 */
    int step_s;
    int blocks;
};

static const struct run runs[] = {
    {"single writes", GODB_SYNC_BLOCK, 0, 0, DAY + 300, 300, 2},
    {"across midnight", GODB_SYNC_DAY, 0, 0, DAY + GODB_DAY_S - 300, 300, 2},
    /* small columns wait for more, those of the blocks 1 and 3 (1,200 rows) are written at once */
    {"bulk", GODB_SYNC_BLOCK, 1, 0, DAY + 76 * 300, 300, 5},
    {"no sync", GODB_SYNC_NONE, 0, 1, DAY + 300, 300, 2},
};

static int64_t time_of(const struct run *r, int i)
{
    return r->first_s + (int64_t)r->step_s * i;
}

static int count_fds(void)
{
    int n = 0;
    for (int fd = 3; fd < 200; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* Write blocks [from, to). */
static void write_blocks(const char *root, const struct run *r, int from, int to, struct shared *sh)
{
    godb_writer_opts o = GODB_WRITER_OPTS_INIT;
    godb_writer *w = NULL;
    godb_sorter *s = NULL;

    o.sync = r->sync;
    o.no_index = r->no_index;
    if (godb_sorter_new(&s, NULL) != GP_OK)
        abort();
    gp_status st = godb_writer_open(root, "eth0", &o, &w, NULL);
    if (st == GP_OK && r->bulk)
        st = godb_writer_begin_bulk(w, NULL);
    for (int i = from; i < to && st == GP_OK; i++) {
        int64_t t = time_of(r, i);
        godb_rows rows = content_block(s, t);
        sh->state[i] = 1;
        gp_status one = godb_writer_append(w, t, &rows, content_drops(t), NULL);
        if (!r->bulk || one != GP_OK)
            sh->state[i] = one == GP_OK ? 2 : 3;
    }
    if (st == GP_OK && r->bulk) {
        st = godb_writer_commit(w, NULL);
        for (int i = from; i < to; i++)
            if (sh->state[i] == 1)
                sh->state[i] = st == GP_OK ? 2 : 3;
    }
    godb_writer_close(w);
    godb_sorter_free(s);
}

/* Plan the fault, write. */
static void attempt(const char *root, const struct run *r, int from, int to, fault_mode mode,
                    long nth, struct shared *sh)
{
    sh->hit = 0;
    sh->open_fds[0] = count_fds();
    fault_plan(mode, nth);
    write_blocks(root, r, from, to, sh);
    sh->hit = fault_hit();
    fault_plan(FAULT_NONE, 0);
    sh->open_fds[1] = count_fds();
}

/* The same in a process that may be killed by it; only then, since forking is what takes time under
 * the address sanitizer. 1 if it lived. */
static int attempt_deadly(const char *root, const struct run *r, int from, int to, fault_mode mode,
                          long nth, struct shared *sh)
{
    int status = 0;

    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        attempt(root, r, from, to, mode, nth, sh);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status)) {
        if (WTERMSIG(status) != SIGKILL)
            fail_msg("the writer died of signal %d", WTERMSIG(status));
        return 0;
    }
    assert_int_equal(WEXITSTATUS(status), 0);
    return 1;
}

static const char *where(const struct run *r, fault_mode mode, long nth)
{
    static char text[128];
    snprintf(text, sizeof text, "%s, %s at call %ld", r->what, fault_mode_name(mode), nth);
    return text;
}

/* Everything in the database against what the writer said. lived: it was not killed, so blocks that
 * it reported as failed must not be there. */
static void verify(const char *root, const struct run *r, const struct shared *sh, int lived,
                   const char *ctx)
{
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    GP_CLEANUP(godb_reader_freep) godb_reader *rd = NULL;
    godb_sorter *s = NULL;
    godb_days days = {0};
    int seen[MAX_BLOCKS] = {0};
    gp_err err = {0};

    want_ok(godb_sorter_new(&s, NULL));
    want_ok(godb_reader_new(&rd, NULL));
    want_ok_err(&err, godb_db_open(root, &db, &err));
    want_ok_err(&err, godb_db_days(db, "eth0", 0, INT64_MAX, &days, &err));
    if (days.skipped)
        fail_msg("%s: days skipped: %s", ctx, days.skipped_text);
    for (size_t k = 0; k < days.n; k++) {
        GP_CLEANUP(godb_day_closep) godb_day *d = NULL;
        gp_status st = godb_day_open(db, &days.v[k], &d, &err);
        if (st == GP_ENOTFOUND && !lived)
            continue; /* killed between making the directory and the commit (5.4) */
        if (st != GP_OK)
            fail_msg("%s: %s", ctx, err.msg);
        for (size_t b = 0; b < godb_day_n_blocks(d); b++) {
            const godb_block *blk = godb_day_block(d, b);
            int64_t i = (blk->time_s - r->first_s) / r->step_s;
            godb_rows got, want;
            assert_true(i >= 0 && i < MAX_BLOCKS && time_of(r, (int)i) == blk->time_s);
            if (seen[i]++)
                fail_msg("%s: block %d twice", ctx, (int)i);
            if (godb_reader_rows(rd, d, b, &got, &err) != GP_OK)
                fail_msg("%s: block %d: %s", ctx, (int)i, err.msg);
            want = content_block(s, blk->time_s);
            if (!content_equal(&got, &want) || blk->drops != content_drops(blk->time_s))
                fail_msg("%s: block %d has wrong rows", ctx, (int)i);
        }
    }
    for (int i = 0; i < MAX_BLOCKS; i++) {
        if (sh->state[i] == 2 && !seen[i])
            fail_msg("%s: block %d was reported as written and is not there", ctx, i);
        if (seen[i] && (sh->state[i] == 0 || (lived && sh->state[i] == 3)))
            fail_msg("%s: block %d was reported as failed and is there", ctx, i);
    }
    godb_days_free(&days);
    godb_sorter_free(s);
}

/* Nothing that a failed (not killed) write leaves is an error for check. */
static void on_problem(void *ctx, const godb_problem *p)
{
    if (p->severity == GODB_ERROR)
        fail_msg("%s: check: %s: %s", (const char *)ctx, p->path, p->text);
}

static void verify_check(const char *root, char *ctx)
{
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    godb_check_opts o = GODB_CHECK_OPTS_INIT;
    godb_check_stats stats;

    o.threads = 1;
    want_ok(godb_db_open(root, &db, NULL));
    want_ok(godb_check(db, &o, on_problem, ctx, &stats, NULL));
}

/* One run with the fault, then one without. False: the run makes less than nth calls. */
static int one(const struct run *r, fault_mode mode, long nth, struct shared *sh)
{
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    char ctx[160];

    memset(sh, 0, sizeof *sh);
    snprintf(ctx, sizeof ctx, "%s", where(r, mode, nth));
    /* a first block without faults, so that there is something to lose */
    attempt(root, r, 0, 1, FAULT_NONE, 0, sh);
    assert_int_equal(sh->state[0], 2);
    int lived = 1;
    if (mode < FAULT_KILL)
        attempt(root, r, 1, r->blocks, mode, nth, sh);
    else
        lived = attempt_deadly(root, r, 1, r->blocks, mode, nth, sh);
    if (lived && sh->open_fds[0] != sh->open_fds[1])
        fail_msg("%s: %d descriptors before, %d after", ctx, sh->open_fds[0], sh->open_fds[1]);
    int hit = !lived || sh->hit;
    verify(root, r, sh, lived, ctx);
    if (lived)
        verify_check(root, ctx);
    for (int i = 0; i < MAX_BLOCKS; i++) /* a retry of what failed is not asked for */
        sh->state[i] = sh->state[i] == 2 ? 2 : 1;
    attempt(root, r, r->blocks, r->blocks + 2, FAULT_NONE, 0, sh);
    if (sh->state[r->blocks] != 2 || sh->state[r->blocks + 1] != 2)
        fail_msg("%s: writing does not go on", ctx);
    verify(root, r, sh, 0, ctx);
    return hit;
}

static struct shared *make_shared(void)
{
    void *p = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                   -1, 0);
    assert_true(p != MAP_FAILED);
    return p;
}

/* all: every run; otherwise only the first one, unless TEST_ROUNDS asks for more. */
static void every_call(fault_mode mode, int all)
{
    struct shared *sh = make_shared();
    long total = 0;

    for (size_t k = 0; k < (all || test_rounds(1) > 1 ? COUNT(runs) : 1); k++) {
        long nth = 1;
        while (nth < MAX_CALLS && one(&runs[k], mode, nth, sh))
            nth++;
        assert_true(nth > 20 && nth < MAX_CALLS);
        total += nth - 1;
    }
    print_message("%s: %ld system calls hit\n", fault_mode_name(mode), total);
    munmap(sh, sizeof *sh);
}

static void test_eio(void **state)
{
    (void)state;
    every_call(FAULT_EIO, 1);
}
static void test_enospc(void **state)
{
    (void)state;
    every_call(FAULT_ENOSPC, 0);
}
static void test_short(void **state)
{
    (void)state;
    every_call(FAULT_SHORT, 0);
}
static void test_half(void **state)
{
    (void)state;
    every_call(FAULT_HALF_EIO, 0);
}
static void test_kill(void **state)
{
    (void)state;
    every_call(FAULT_KILL, 1);
}
static void test_kill_half(void **state)
{
    (void)state;
    every_call(FAULT_KILL_HALF, 0);
}
static void test_kill_after(void **state)
{
    (void)state;
    every_call(FAULT_KILL_AFTER, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* processes are forked as long as they are small */
        cmocka_unit_test(test_kill),       cmocka_unit_test(test_kill_half),
        cmocka_unit_test(test_kill_after), cmocka_unit_test(test_eio),
        cmocka_unit_test(test_enospc),     cmocka_unit_test(test_short),
        cmocka_unit_test(test_half),
    };
    st_utc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
