/* fault_test.c - the n-th allocation, thread start or system call fails, for every n.
 *
 * The linker's --wrap puts the functions below in front of libc's, for this program only. Each
 * operation must report the failure, leave things as they were, and leak nothing.
 */
#include "test.h"

#include "gp/arena.h"
#include "gp/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

enum what { MALLOC, THREAD, PREAD, PWRITE, WRITE, READ, FSYNC, FCHMOD, RENAME, CLOSE, N_WHAT };

static struct {
    atomic_int countdown[N_WHAT]; /* 1: the next call fails; 0: none does */
    atomic_int hits;              /* failures that were injected */
    int err;      /* errno of an injected failure; EINTR: the call may be repeated */
    int short_io; /* reads and writes move one byte only */
} fault;

static atomic_int live; /* allocations of the code under test that were not freed */

static int trip(enum what w)
{
    if (atomic_load(&fault.countdown[w]) == 0 || atomic_fetch_sub(&fault.countdown[w], 1) != 1)
        return 0;
    atomic_fetch_add(&fault.hits, 1);
    return 1;
}

static void clear_faults(void)
{
    for (int i = 0; i < N_WHAT; i++)
        atomic_store(&fault.countdown[i], 0);
    fault.err = EIO;
    fault.short_io = 0;
    atomic_store(&fault.hits, 0);
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);
void __wrap_free(void *p);

static void *counted(void *p)
{
    if (p)
        atomic_fetch_add(&live, 1);
    return p;
}

void *__wrap_malloc(size_t n)
{
    return trip(MALLOC) ? NULL : counted(__real_malloc(n));
}

void *__wrap_calloc(size_t n, size_t size)
{
    return trip(MALLOC) ? NULL : counted(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t n)
{
    if (trip(MALLOC))
        return NULL;
    void *q = __real_realloc(p, n);
    return p ? q : counted(q);
}

void *__wrap_aligned_alloc(size_t align, size_t n)
{
    return trip(MALLOC) ? NULL : counted(__real_aligned_alloc(align, n));
}

void __wrap_free(void *p)
{
    if (p)
        atomic_fetch_sub(&live, 1);
    __real_free(p);
}

int __real_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg);

int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg)
{
    return trip(THREAD) ? EAGAIN : __real_pthread_create(t, a, fn, arg);
}

/* Wraps a system call: params is its parameter list, args their names, n the byte count. */
#define WRAP_IO(w, name, n, params, args, short_args)                                              \
    ssize_t __real_##name params;                                                                  \
    ssize_t __wrap_##name params;                                                                  \
    ssize_t __wrap_##name params                                                                   \
    {                                                                                              \
        if (trip(w)) {                                                                             \
            errno = fault.err;                                                                     \
            return fault.err ? -1 : 0;                                                             \
        }                                                                                          \
        return fault.short_io && (n) > 1 ? __real_##name short_args : __real_##name args;          \
    }
WRAP_IO(PREAD, pread, n, (int fd, void *b, size_t n, off_t o), (fd, b, n, o), (fd, b, 1, o))
WRAP_IO(PWRITE, pwrite, n, (int fd, const void *b, size_t n, off_t o), (fd, b, n, o), (fd, b, 1, o))
WRAP_IO(READ, read, n, (int fd, void *b, size_t n), (fd, b, n), (fd, b, 1))
WRAP_IO(WRITE, write, n, (int fd, const void *b, size_t n), (fd, b, n), (fd, b, 1))

#define WRAP_INT(w, name, params, args, before)                                                    \
    int __real_##name params;                                                                      \
    int __wrap_##name params;                                                                      \
    int __wrap_##name params                                                                       \
    {                                                                                              \
        if (trip(w)) {                                                                             \
            before;                                                                                \
            errno = fault.err;                                                                     \
            return -1;                                                                             \
        }                                                                                          \
        return __real_##name args;                                                                 \
    }
WRAP_INT(FSYNC, fsync, (int fd), (fd), (void)0)
WRAP_INT(FCHMOD, fchmod, (int fd, mode_t m), (fd, m), (void)0)
WRAP_INT(RENAME, renameat, (int a, const char *x, int b, const char *y), (a, x, b, y), (void)0)
WRAP_INT(CLOSE, close, (int fd), (fd), (void)__real_close(fd)) /* Linux closes it anyway */

static char *dir, *path; /* path: a file with "old" */

static int set_up(void **state)
{
    (void)state;
    clear_faults();
    dir = test_tmpdir();
    path = gp_asprintf("%s/f", dir);
    test_spew(path, "old", 3);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    clear_faults();
    gp_free(path);
    test_tmpdirp(&dir);
    return 0;
}

/* ---- out of memory ---- */

/* Operations that allocate: 1 when they worked, 0 when they reported "out of memory". */
static int op_mem(void)
{
    void *a = gp_alloc(1, 8), *b = gp_calloc(1, 8), *c = gp_alloc_aligned(1, 8);
    char *d = gp_strdup("x"), *e = gp_strndup("xy", 1), *f = gp_asprintf("%d", 1);
    void *g = gp_alloc(1, 8);
    void *h = g ? gp_realloc(g, 2, 8) : NULL;
    int ok = a && b && c && d && e && f && g && h;

    gp_free(h ? h : g); /* a failed realloc leaves g */
    gp_free(f);
    gp_free(e);
    gp_free(d);
    gp_free(c);
    gp_free(b);
    gp_free(a);
    return ok;
}

static int op_arena(void)
{
    gp_arena *a = gp_arena_new(1 << 24);
    int ok = a != NULL;

    for (int i = 0; ok && i < 200; i++)
        ok = gp_arena_alloc(a, 1, 1000) != NULL;
    ok = ok && gp_arena_alloc(a, 1, 3 << 20);
    gp_arena_free(a);
    return ok;
}

static int op_buf(void)
{
    GP_CLEANUP(gp_buf_free) gp_buf b = {0};

    gp_buf_printf(&b, "%063d", 1); /* 63 characters and the NUL fill the first 64 bytes */
    gp_buf_addc(&b, 'x');
    const char *s = gp_buf_str(&b); /* has to grow for the NUL */
    gp_buf_fill(&b, 'y', 100);
    gp_buf_printf(&b, "%0300d", 2);
    GP_CLEANUP(gp_freep) char *t = gp_buf_take(&b);
    if (b.failed) {
        assert_null(t);
        return 0;
    }
    assert_non_null(s);
    assert_int_equal(strlen(t), 464);
    return 1;
}

static int op_read_file(void)
{
    GP_CLEANUP(gp_buf_free) gp_buf b = {0};
    gp_err err = {0};
    gp_status st = gp_read_file(AT_FDCWD, path, 1000, &b, &err);

    assert_true(st == GP_OK || st == GP_ENOMEM);
    assert_int_equal(b.len, st == GP_OK ? 3 : 0);
    return st == GP_OK;
}

static int op_write_file(void)
{
    gp_status st = gp_write_file_atomic(AT_FDCWD, path, "old", 3, 0600, NULL);
    assert_true(st == GP_OK || st == GP_ENOMEM);
    return st == GP_OK;
}

static int op_mkdir(void)
{
    gp_status st = gp_mkdir_all(dir, 0700, NULL);
    assert_true(st == GP_OK || st == GP_ENOMEM);
    return st == GP_OK;
}

static void nothing(void *arg)
{
    (void)arg;
}

static int op_pool(void)
{
    gp_pool *p = NULL;
    gp_status st = gp_pool_new(2, 0, "fault", &p, NULL);

    for (int i = 0; i < 200 && st == GP_OK; i++)
        st = gp_pool_submit(p, nothing, NULL);
    assert_true(st == GP_OK || st == GP_ENOMEM);
    gp_pool_free(p);
    return st == GP_OK;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        int (*op)(void);
        int at_least; /* allocations it makes */
    } ops[] = {
        {"mem", op_mem, 8},
        {"arena", op_arena, 3},
        {"buf", op_buf, 3},
        {"read file", op_read_file, 1},
        {"write file", op_write_file, 2},
        {"mkdir", op_mkdir, 1},
        {"pool", op_pool, 3},
    };
    for (size_t i = 0; i < COUNT(ops); i++) {
        int before = atomic_load(&live), nth = 1;
        for (;; nth++) {
            clear_faults();
            atomic_store(&fault.countdown[MALLOC], nth);
            int ok = ops[i].op();
            int hit = atomic_load(&fault.hits);
            clear_faults();
            if (ok == hit)
                fail_msg("%s, allocation %d: worked %d, failed %d", ops[i].what, nth, ok, hit);
            if (atomic_load(&live) != before)
                fail_msg("%s, allocation %d: %d leaked", ops[i].what, nth,
                         atomic_load(&live) - before);
            if (ok)
                break;
            assert_true(nth < 1000);
        }
        if (nth - 1 < ops[i].at_least)
            fail_msg("%s: only %d allocations seen", ops[i].what, nth - 1);
    }
}

/* ---- threads ---- */

static void test_thread_start(void **state)
{
    (void)state;
    gp_err err = {0};

    for (int nth = 1; nth <= 4; nth++) {
        gp_pool *p = NULL;
        int before = atomic_load(&live);
        atomic_store(&fault.countdown[THREAD], nth);
        want_err(GP_ELIMIT, &err, "cannot start 4 threads: Resource temporarily unavailable",
                 gp_pool_new(4, 0, "fault", &p, &err));
        assert_null(p);
        assert_int_equal(atomic_load(&live), before);
    }
}

static void mark_index(void *ctx, unsigned i)
{
    ((int *)ctx)[i]++;
}

static void test_parallel_without_threads(void **state)
{
    (void)state;
    for (int nth = 1; nth <= 5; nth++) {
        int marks[6] = {0};
        atomic_store(&fault.countdown[THREAD], nth);
        want_ok(gp_parallel(6, mark_index, marks, NULL)); /* slower, but complete */
        for (size_t i = 0; i < COUNT(marks); i++)
            assert_int_equal(marks[i], 1);
    }
    assert_int_equal(atomic_load(&fault.hits), 5);
}

/* ---- system calls ---- */

static void test_interrupted_and_short(void **state)
{
    (void)state;
    gp_err err = {0};
    char b[16] = {0};

    for (int round = 0; round < 3; round++) {
        GP_CLEANUP(gp_closep) int fd = open(path, O_RDWR | O_TRUNC | O_CLOEXEC);
        GP_CLEANUP(gp_buf_free) gp_buf text = {0};
        fault.err = EINTR;
        fault.short_io = 1;
        for (int w = PREAD; w <= READ; w++)
            atomic_store(&fault.countdown[w], 1 + round); /* at the start, and in the middle */
        want_ok_err(&err, gp_pwrite_full(fd, "world", 5, 6, &err));
        want_ok_err(&err, gp_write_full(fd, "hello ", 6, &err));
        want_ok_err(&err, gp_pread_full(fd, b, 11, 0, &err));
        assert_string_equal(b, "hello world");
        want_ok_err(&err, gp_read_file(AT_FDCWD, path, 11, &text, &err));
        assert_string_equal(gp_buf_str(&text), "hello world");
        assert_int_equal(atomic_load(&fault.hits), 4);
        clear_faults();
    }
}

static void test_io_errors(void **state)
{
    (void)state;
    GP_CLEANUP(gp_closep) int fd = open(path, O_RDWR | O_CLOEXEC);
    GP_CLEANUP(gp_buf_free) gp_buf b = {0};
    gp_err err = {0};
    char c[8];

    atomic_store(&fault.countdown[PREAD], 1);
    want_err(GP_EIO, &err, "Input/output error", gp_pread_full(fd, c, 3, 0, &err));
    atomic_store(&fault.countdown[PWRITE], 1);
    want_err(GP_EIO, &err, "Input/output error", gp_pwrite_full(fd, "x", 1, 0, &err));
    atomic_store(&fault.countdown[READ], 2);
    fault.short_io = 1;
    want_err(GP_EIO, &err, "cannot read", gp_read_file(AT_FDCWD, path, 9, &b, &err));
    assert_int_equal(b.len, 0); /* half a file is none */

    fault.err = 0; /* a write that takes nothing would else loop for ever */
    atomic_store(&fault.countdown[PWRITE], 1);
    want_err(GP_EIO, &err, "Input/output error", gp_pwrite_full(fd, "x", 1, 0, &err));
    atomic_store(&fault.countdown[WRITE], 1);
    want_err(GP_EIO, &err, "Input/output error", gp_write_full(fd, "x", 1, &err));
}

static void test_write_atomic_fails(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        enum what call;
        int nth, err;
        gp_status st;
        const char *content; /* of the file afterwards */
    } cases[] = {
        {"write", WRITE, 1, ENOSPC, GP_EIO, "old"},
        {"second write", WRITE, 2, ENOSPC, GP_EIO, "old"},
        {"interrupted write", WRITE, 1, EINTR, GP_OK, "new"},
        {"mode", FCHMOD, 1, EPERM, GP_EIO, "old"},
        {"sync of the file", FSYNC, 1, EIO, GP_EIO, "old"},
        {"close", CLOSE, 1, EDQUOT, GP_EIO, "old"},
        {"interrupted close", CLOSE, 1, EINTR, GP_OK, "new"},
        {"rename", RENAME, 1, EACCES, GP_EIO, "old"},
        {"sync of the directory", FSYNC, 2, EIO, GP_EIO, "new"}, /* there, maybe not for ever */
        {"directory cannot sync", FSYNC, 2, EINVAL, GP_OK, "new"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        gp_err err = {0};
        clear_faults();
        test_spew(path, "old", 3);
        fault.err = cases[i].err;
        fault.short_io = 1;
        atomic_store(&fault.countdown[cases[i].call], cases[i].nth);
        gp_status st = gp_write_file_atomic(AT_FDCWD, path, "new", 3, 0644, &err);
        int hits = atomic_load(&fault.hits);
        clear_faults();
        if (st != cases[i].st || hits != 1)
            fail_msg("%s: got %s (%s), %d hits", cases[i].what, gp_status_name(st), err.msg, hits);
        if (st != GP_OK && err.sys != cases[i].err)
            fail_msg("%s: errno %d", cases[i].what, err.sys);
        GP_CLEANUP(gp_freep) char *now = test_slurp(path, NULL);
        if (strcmp(now, cases[i].content) != 0 || test_entries(dir) != 1)
            fail_msg("%s: file holds \"%s\", %d files", cases[i].what, now, test_entries(dir));
    }
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_out_of_memory),
        CASE(test_thread_start),
        CASE(test_parallel_without_threads),
        CASE(test_interrupted_and_short),
        CASE(test_io_errors),
        CASE(test_write_atomic_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
