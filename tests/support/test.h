/* test.h - small helpers shared by the unit tests; header-only, includes what cmocka needs.
 *
 * All helpers fail the running cmocka test themselves, so callers check nothing. A failing test
 * jumps out past GP_CLEANUP: what it held is then leaked, and its directory stays for a look.
 * One thread (cmocka's assertions are for the thread that runs the test).
 */
#ifndef TEST_H
#define TEST_H

#include "gp/err.h"
#include "gp/io.h"
#include "gp/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) GP_COUNT(a)

/* ---- status ---- */

static inline void test_want_status(gp_status got, gp_status want, const gp_err *err,
                                    const char *expr, const char *file, int line)
{
    if (got != want) {
        print_error("%s: got \"%s\" (%s), want \"%s\"\n", expr, gp_status_name(got),
                    err && err->code != GP_OK ? err->msg : "no text", gp_status_name(want));
        _fail(file, line);
    }
}

/* Fail the test with the status's name and place unless expr gives GP_OK. */
#define want_ok(expr) test_want_status((expr), GP_OK, NULL, #expr, __FILE__, __LINE__)

/* The same for a call that fills a gp_err: shows its text too. err: gp_err *, set up before. */
#define want_ok_err(err, expr) test_want_err((err), GP_OK, (expr), #expr)

/* Fail the test unless expr gives exactly this status. */
#define want_status(want, expr) test_want_status((expr), (want), NULL, #expr, __FILE__, __LINE__)

/* err is looked at after the call, so both are evaluated in order. */
#define test_want_err(err, want, expr, text)                                                       \
    do {                                                                                           \
        gp_status test_got_ = (expr);                                                              \
        test_want_status(test_got_, (want), (err), text, __FILE__, __LINE__);                      \
    } while (0)

/* Fail unless expr gives this status and the text in *err contains part. */
#define want_err(want, err, part, expr)                                                            \
    do {                                                                                           \
        test_want_err((err), (want), (expr), #expr);                                               \
        if (!strstr((err)->msg, (part)))                                                           \
            fail_msg("%s: text \"%s\" does not contain \"%s\"", #expr, (err)->msg, (part));        \
    } while (0)

/* ---- files ---- */

/* A new empty directory below $TMPDIR or /tmp; gp_free() the path after test_rmtree(). */
static inline char *test_tmpdir(void)
{
    const char *base = getenv("TMPDIR");
    char *dir = gp_asprintf("%s/fleetprobe-test-XXXXXX", base && *base ? base : "/tmp");

    if (!dir || !mkdtemp(dir))
        fail_msg("cannot make a temporary directory: %s", strerror(errno));
    return dir;
}

static inline int test_rm_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

/* Remove a directory with everything in it; symbolic links are not followed. */
static inline void test_rmtree(const char *path)
{
    if (nftw(path, test_rm_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0 && errno != ENOENT)
        fail_msg("cannot remove %s: %s", path, strerror(errno));
}

/* Entries of a directory, also temporary ones. */
static inline int test_entries(const char *path)
{
    DIR *d = opendir(path);
    int n = 0;
    assert_non_null(d);
    while (readdir(d))
        n++;
    (void)closedir(d);
    return n - 2; /* . and .. */
}

/* For GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir(); removes the tree and frees the path. */
static inline void test_tmpdirp(char **path)
{
    if (*path) {
        test_rmtree(*path);
        gp_free(*path);
        *path = NULL;
    }
}

/* Whole file, NUL-terminated, gp_free() it; *len (may be NULL): its bytes. At most 1 GiB. */
static inline char *test_slurp(const char *path, size_t *len)
{
    gp_buf b = {0};
    gp_err err = {0};

    want_ok_err(&err, gp_read_file(AT_FDCWD, path, (size_t)1 << 30, &b, &err));
    if (len)
        *len = b.len;
    char *s = gp_buf_take(&b);
    assert_non_null(s);
    return s;
}

/* Make or replace a file with these bytes, mode 0644. */
static inline void test_spew(const char *path, const void *bytes, size_t len)
{
    gp_err err = {0};
    want_ok_err(&err, gp_write_file_atomic(AT_FDCWD, path, bytes, len, 0644, &err));
}

/* skip() that says why; tests/steps.sh shows it at the end. */
#define skip_because(why)                                                                          \
    do {                                                                                           \
        print_message("skipped: %s\n", why);                                                       \
        skip();                                                                                    \
    } while (0)

#ifdef SHARED_DIR
/* Is the corpus outside the repository there? If not, says so, and the test calls skip() or exits
 * with 77. */
static inline int test_have_shared(void)
{
    if (access(SHARED_DIR, R_OK | X_OK) == 0)
        return 1;
    print_message("skipped: no corpus at " SHARED_DIR "\n");
    return 0;
}
#endif

/* ---- random input ---- */

/* xorshift64*: the same numbers on every machine for the same seed. Not for secrets. */
typedef struct test_rng {
    uint64_t state; /* never 0 */
} test_rng;

/* seed: fixed in the test. TEST_SEED in the environment replaces it, to search for new cases. */
static inline test_rng test_rng_new(uint64_t seed)
{
    const char *env = getenv("TEST_SEED");
    uint64_t s = env ? strtoumax(env, NULL, 0) : seed;

    return (test_rng){s ? s : UINT64_C(0x9E3779B97F4A7C15)};
}

static inline uint64_t test_rng_u64(test_rng *r)
{
    uint64_t x = r->state;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    r->state = x;
    return x * UINT64_C(0x2545F4914F6CDD1D);
}

/* 0 .. n - 1 (n > 0); the bias is far below what a test could see. */
static inline uint64_t test_rng_below(test_rng *r, uint64_t n)
{
    return (uint64_t)((unsigned __int128)test_rng_u64(r) * n >> 64);
}

static inline void test_rng_fill(test_rng *r, void *out, size_t n)
{
    uint8_t *p = out;

    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(test_rng_u64(r) >> 56);
}

/* Rounds of a property test: n, times TEST_ROUNDS of the environment (for long nightly runs). */
static inline size_t test_rounds(size_t n)
{
    const char *env = getenv("TEST_ROUNDS");
    uintmax_t factor = env ? strtoumax(env, NULL, 10) : 1;

    return factor > 1 && factor < 1000000 ? n * (size_t)factor : n;
}

#endif
