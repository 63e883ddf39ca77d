/* io_test.c - gp/io.h on real files, pipes and /dev/full. Injected failures: fault_test.c. */
#include "test.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char *dir; /* fresh for each test */

static int set_up(void **state)
{
    (void)state;
    dir = test_tmpdir();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_tmpdirp(&dir);
    return 0;
}

static void test_pread_pwrite(void **state)
{
    (void)state;
    GP_CLEANUP(gp_freep) char *path = gp_asprintf("%s/f", dir);
    GP_CLEANUP(gp_closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    GP_CLEANUP(gp_closep) int ro = open(path, O_RDONLY | O_CLOEXEC);
    gp_err err = {0};
    char b[16] = {0};

    assert_true(fd >= 0 && ro >= 0);
    want_ok_err(&err, gp_pwrite_full(fd, "world", 5, 6, &err));
    want_ok_err(&err, gp_pwrite_full(fd, "hello ", 6, 0, &err));
    want_ok_err(&err, gp_pread_full(ro, b, 11, 0, &err));
    assert_string_equal(b, "hello world");
    want_ok_err(&err, gp_pread_full(ro, b, 0, 500, &err)); /* nothing is always there */
    want_ok_err(&err, gp_pread_full(ro, b, 5, 6, &err));
    assert_memory_equal(b, "world", 5);

    want_err(GP_ECORRUPT, &err, "ends at byte 11, expected 1 more",
             gp_pread_full(ro, b, 6, 6, &err));
    want_err(GP_ECORRUPT, &err, "ends at byte 99", gp_pread_full(ro, b, 6, 99, &err));
    want_err(GP_EIO, &err, "Bad file descriptor", gp_pwrite_full(ro, "x", 1, 0, &err));
    assert_int_equal(err.sys, EBADF);
    want_err(GP_EIO, &err, "Bad file descriptor", gp_pread_full(-1, b, 1, 0, &err));
    want_err(GP_EINVAL, &err, "out of range", gp_pread_full(ro, b, 1, UINT64_MAX, &err));
    want_err(GP_EINVAL, &err, "out of range", gp_pread_full(ro, b, 1, INT64_MAX, &err));
    want_err(GP_EINVAL, &err, "out of range", gp_pwrite_full(fd, b, 2, UINT64_MAX - 1, &err));
    want_status(GP_ECORRUPT, gp_pread_full(ro, b, 6, 6, NULL));
}

static void test_write(void **state)
{
    (void)state;
    GP_CLEANUP(gp_freep) char *path = gp_asprintf("%s/f", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    gp_err err = {0};
    size_t len;

    want_ok(gp_write_full(fd, "ab", 2, NULL));
    want_ok(gp_write_full(fd, "cde", 3, NULL));
    want_ok(gp_write_full(fd, NULL, 0, NULL));
    GP_CLEANUP(gp_freep) char *back = test_slurp(path, &len);
    assert_string_equal(back, "abcde");
    assert_int_equal(len, 5);
    want_err(GP_EIO, &err, "No space left on device", gp_write_full(full, "x", 1, &err));
    assert_int_equal(err.sys, ENOSPC);

    errno = E2BIG;
    gp_closep(&fd);
    gp_closep(&full);
    assert_int_equal(fd, -1);
    gp_closep(&fd); /* twice is fine */
    assert_int_equal(errno, E2BIG);
}

static void test_read_file(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        size_t size, limit, buf_limit;
        gp_status st;
    } cases[] = {
        {"empty", 0, 10, 0, GP_OK},
        {"empty, limit 0", 0, 0, 0, GP_OK},
        {"small", 5, 10, 0, GP_OK},
        {"at the limit", 10, 10, 0, GP_OK},
        {"over the limit", 11, 10, 0, GP_ELIMIT},
        {"limit 0", 1, 0, 0, GP_ELIMIT},
        {"no limit to speak of", 5, SIZE_MAX, 0, GP_OK},
        {"larger than a step", 200000, 300000, 0, GP_OK},
        {"larger than a step, at the limit", 200000, 200000, 0, GP_OK},
        {"buffer's limit reached", 10, 100, 13, GP_OK}, /* 3 bytes are in it */
        {"buffer's limit passed", 11, 100, 13, GP_ELIMIT},
    };
    GP_CLEANUP(gp_freep) char *path = gp_asprintf("%s/f", dir);
    static uint8_t bytes[200000];
    test_rng rng = test_rng_new(9);
    test_rng_fill(&rng, bytes, sizeof bytes);

    for (size_t i = 0; i < COUNT(cases); i++) {
        GP_CLEANUP(gp_buf_free) gp_buf b = {.limit = cases[i].buf_limit};
        gp_err err = {0};
        test_spew(path, bytes, cases[i].size);
        gp_buf_adds(&b, "pre");
        gp_status st = gp_read_file(AT_FDCWD, path, cases[i].limit, &b, &err);
        if (st != cases[i].st)
            fail_msg("%s: got %s (%s)", cases[i].what, gp_status_name(st), err.msg);
        assert_int_equal(b.len, 3 + (st == GP_OK ? cases[i].size : 0)); /* as before on failure */
        assert_memory_equal(b.data, "pre", 3);
        if (st == GP_OK && cases[i].size)
            assert_memory_equal(b.data + 3, bytes, cases[i].size);
        if (st != GP_OK)
            assert_non_null(strstr(err.msg, "larger than the limit of"));
    }
}

static void test_read_file_failures(void **state)
{
    (void)state;
    GP_CLEANUP(gp_freep) char *missing = gp_asprintf("%s/none", dir);
    GP_CLEANUP(gp_buf_free) gp_buf b = {0};
    gp_err err = {0};

    want_err(GP_ENOTFOUND, &err, "/none: No such file",
             gp_read_file(AT_FDCWD, missing, 10, &b, &err));
    want_err(GP_EIO, &err, "Is a directory", gp_read_file(AT_FDCWD, dir, 10, &b, &err));
    want_status(GP_ENOTFOUND, gp_read_file(AT_FDCWD, missing, 10, &b, NULL));
    b.failed = 1;
    want_status(GP_ENOMEM, gp_read_file(AT_FDCWD, "/proc/self/stat", 1 << 20, &b, NULL));

    gp_buf_clear(&b); /* /proc says size 0 */
    want_ok(gp_read_file(AT_FDCWD, "/proc/self/status", 1 << 20, &b, NULL));
    assert_non_null(strstr(gp_buf_str(&b), "VmRSS:"));

    gp_buf_clear(&b);
    GP_CLEANUP(gp_freep) char *f = gp_asprintf("%s/f", dir);
    test_spew(f, "in dir", 6);
    GP_CLEANUP(gp_closep) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    want_ok(gp_read_file(fd, "f", 100, &b, NULL));
    assert_string_equal(gp_buf_str(&b), "in dir");
}

static void *feed_pipe(void *arg)
{
    int fd = *(int *)arg;
    for (int i = 0; i < 1000; i++) /* short writes, so short reads */
        if (write(fd, "0123456789", 10) != 10)
            break;
    (void)close(fd);
    return NULL;
}

static void test_read_pipe(void **state)
{
    (void)state;
    for (size_t limit = 9999; limit <= 10001; limit++) {
        GP_CLEANUP(gp_buf_free) gp_buf b = {0};
        int ends[2];
        pthread_t t;
        char path[32];
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        (void)snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
        assert_int_equal(pthread_create(&t, NULL, feed_pipe, &ends[1]), 0);
        gp_status st = gp_read_file(AT_FDCWD, path, limit, &b, NULL);
        assert_int_equal(pthread_join(t, NULL), 0);
        (void)close(ends[0]);
        assert_int_equal(st, limit < 10000 ? GP_ELIMIT : GP_OK);
        assert_int_equal(b.len, limit < 10000 ? 0 : 10000);
    }
}

static void test_write_atomic(void **state)
{
    (void)state;
    GP_CLEANUP(gp_freep) char *path = gp_asprintf("%s/conf", dir);
    GP_CLEANUP(gp_freep) char *nodir = gp_asprintf("%s/no/conf", dir);
    GP_CLEANUP(gp_freep) char *sub = gp_asprintf("%s/sub", dir);
    struct stat st;
    gp_err err = {0};

    mode_t old = umask(0077);
    want_ok_err(&err, gp_write_file_atomic(AT_FDCWD, path, "one", 3, 0644, &err));
    (void)umask(old);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644); /* whatever the umask says */
    want_ok_err(&err, gp_write_file_atomic(AT_FDCWD, path, "two!", 4, 0600, &err));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    GP_CLEANUP(gp_freep) char *back = test_slurp(path, NULL);
    assert_string_equal(back, "two!");
    want_ok(gp_write_file_atomic(AT_FDCWD, path, NULL, 0, 0600, NULL));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 0);
    assert_int_equal(test_entries(dir), 1); /* no temporary file is left */

    want_err(GP_EIO, &err, "No such file",
             gp_write_file_atomic(AT_FDCWD, nodir, "x", 1, 0600, &err));
    assert_int_equal(mkdir(sub, 0700), 0); /* a directory is in the way: rename fails */
    want_err(GP_EIO, &err, "cannot rename",
             gp_write_file_atomic(AT_FDCWD, sub, "x", 1, 0600, &err));
    assert_int_equal(test_entries(dir), 2);

    GP_CLEANUP(gp_closep) int fd = open(sub, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    want_ok_err(&err, gp_write_file_atomic(fd, "rel", "y", 1, 0640, &err));
    assert_int_equal(fstatat(fd, "rel", &st, 0), 0);
    assert_int_equal(test_entries(sub), 1);

    for (int i = 0; i < 100; i++) { /* left behind by a crashed process with our pid */
        GP_CLEANUP(gp_freep) char *stale = gp_asprintf("%s/.tmp-st-%ld-%d", dir, (long)getpid(), i);
        GP_CLEANUP(gp_closep) int made = open(stale, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(made >= 0);
    }
    GP_CLEANUP(gp_closep) int top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    want_ok_err(&err, gp_write_file_atomic(top, "st", "y", 1, 0640, &err));
    assert_int_equal(test_entries(dir), 2 + 100 - 1 + 1); /* one of them became "st" */

    char name[251]; /* as long as a file name may be, nearly */
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    want_ok_err(&err, gp_write_file_atomic(fd, name, "z", 1, 0640, &err));
    assert_int_equal(test_entries(sub), 2);
}

static void test_mkdir_all(void **state)
{
    (void)state;
    static const struct {
        const char *what, *path;
        gp_status st;
        const char *made;
    } cases[] = {
        {"one", "a", GP_OK, "a"},
        {"existing", "a", GP_OK, "a"},
        {"several", "b/c/d", GP_OK, "b/c/d"},
        {"half there", "b/c/e/f", GP_OK, "b/c/e/f"},
        {"slashes", "g//h///i//", GP_OK, "g/h/i"},
        {"dots", "j/../k/./l", GP_OK, "k/l"},
        {"a file in the way", "file/x", GP_EIO, NULL},
        {"is a file", "file", GP_EIO, NULL},
    };
    GP_CLEANUP(gp_freep) char *file = gp_asprintf("%s/file", dir);
    gp_err err = {0};
    struct stat st;

    test_spew(file, "", 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        GP_CLEANUP(gp_freep) char *path = gp_asprintf("%s/%s", dir, cases[i].path);
        gp_status got = gp_mkdir_all(path, 0750, &err);
        if (got != cases[i].st)
            fail_msg("%s: got %s (%s)", cases[i].what, gp_status_name(got), err.msg);
        if (got != GP_OK) {
            assert_int_equal(err.sys, ENOTDIR);
            continue;
        }
        GP_CLEANUP(gp_freep) char *made = gp_asprintf("%s/%s", dir, cases[i].made);
        assert_int_equal(stat(made, &st), 0);
        assert_true(S_ISDIR(st.st_mode));
        assert_int_equal(st.st_mode & 07777 & ~0750U, 0);
    }
    want_ok(gp_mkdir_all("/", 0755, NULL));
    want_err(GP_EINVAL, &err, "empty name", gp_mkdir_all("", 0755, &err));
    want_err(GP_EIO, &err, "/proc/none", gp_mkdir_all("/proc/none/x", 0755, &err));
}

/* In a child, as the test's own descriptors are the harness's. */
static int child_holds(int closed)
{
    char c = 0;
    if (close(closed) != 0)
        return 1;
    gp_hold_std_fds();
    gp_hold_std_fds(); /* twice is fine */
    int next = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (next <= STDERR_FILENO)
        return 2;
    errno = 0;
    if ((closed ? write(closed, &c, 1) : read(closed, &c, 1)) >= 0 || errno != EBADF)
        return 3;
    return 0;
}

static void test_hold_std_fds(void **state)
{
    (void)state;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        int status = 0;
        pid_t pid = fork();
        if (pid == 0)
            _exit(child_holds(fd));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (status != 0)
            fail_msg("descriptor %d closed: child ends with %d", fd, WEXITSTATUS(status));
    }
}

/* Soft and hard limit before, soft limit after; in a child, as a hard limit stays lowered. */
static int child_raises(rlim_t soft, rlim_t hard, rlim_t want)
{
    struct rlimit lim = {.rlim_cur = soft, .rlim_max = hard};

    if (setrlimit(RLIMIT_NOFILE, &lim) != 0)
        return 1;
    gp_raise_fd_limit();
    if (getrlimit(RLIMIT_NOFILE, &lim) != 0)
        return 2;
    return lim.rlim_cur == want && lim.rlim_max == hard ? 0 : 3;
}

static void test_raise_fd_limit(void **state)
{
    (void)state;
    struct rlimit lim;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &lim), 0);
    rlim_t most = lim.rlim_max < GP_FD_LIMIT ? lim.rlim_max : GP_FD_LIMIT;
    const struct {
        const char *what;
        rlim_t soft, hard, want;
    } cases[] = {
        {"to the hard limit", 32, 128, 128},
        {"already there", 128, 128, 128},
        {"bounded", 128, lim.rlim_max, most},
        {"higher stays", lim.rlim_max, lim.rlim_max, lim.rlim_max},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int status = 0;
        pid_t pid = fork();
        if (pid == 0)
            _exit(child_raises(cases[i].soft, cases[i].hard, cases[i].want));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (status != 0)
            fail_msg("%s: child ends with %d", cases[i].what, WEXITSTATUS(status));
    }
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_pread_pwrite),       CASE(test_write),        CASE(test_read_file),
        CASE(test_read_file_failures), CASE(test_read_pipe),    CASE(test_write_atomic),
        CASE(test_mkdir_all),          CASE(test_hold_std_fds), CASE(test_raise_fd_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
