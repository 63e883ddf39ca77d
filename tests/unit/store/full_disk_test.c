/* full_disk_test.c - an import onto a disk that gets full: what it reports as imported is there.
 *
 * The linker's --wrap puts a model of a small disk in front of the system calls that take or give
 * space.
 */
#include "dbdump.h"

#include "godb/check.h"
#include "godb/import.h"

enum { DAY = 1699920000 };

static struct {
    uint64_t used, size; /* bytes; size 0: endless */
} disk;

ssize_t __real_write(int fd, const void *buf, size_t n);
ssize_t __real_pwrite(int fd, const void *buf, size_t n, off_t off);
int __real_ftruncate(int fd, off_t end);
int __real_unlinkat(int dirfd, const char *name, int flags);
int __real_renameat(int from, const char *a, int to, const char *b);
ssize_t __wrap_write(int fd, const void *buf, size_t n);
ssize_t __wrap_pwrite(int fd, const void *buf, size_t n, off_t off);
int __wrap_ftruncate(int fd, off_t end);
int __wrap_unlinkat(int dirfd, const char *name, int flags);
int __wrap_renameat(int from, const char *a, int to, const char *b);

/* How many of n bytes at off the disk takes. */
static size_t take(int fd, size_t n, off_t off)
{
    struct stat st;

    if (disk.size == 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return n;
    uint64_t inside = off < st.st_size ? (uint64_t)(st.st_size - off) : 0;
    uint64_t left = inside + disk.size - disk.used;
    size_t fit = n <= left ? n : (size_t)left;
    disk.used += fit > inside ? fit - inside : 0;
    return fit;
}

ssize_t __wrap_write(int fd, const void *buf, size_t n)
{
    size_t fit = take(fd, n, lseek(fd, 0, SEEK_CUR));

    errno = ENOSPC;
    return n > 0 && fit == 0 ? -1 : __real_write(fd, buf, fit);
}

ssize_t __wrap_pwrite(int fd, const void *buf, size_t n, off_t off)
{
    size_t fit = take(fd, n, off);

    errno = ENOSPC;
    return n > 0 && fit == 0 ? -1 : __real_pwrite(fd, buf, fit, off);
}

int __wrap_ftruncate(int fd, off_t end)
{
    struct stat st;

    if (disk.size > 0 && fstat(fd, &st) == 0 && st.st_size > end)
        disk.used -= (uint64_t)(st.st_size - end);
    return __real_ftruncate(fd, end);
}

static void gone(int dirfd, const char *name)
{
    struct stat st;

    if (disk.size > 0 && fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
        disk.used -= (uint64_t)st.st_size;
}

int __wrap_unlinkat(int dirfd, const char *name, int flags)
{
    gone(dirfd, name);
    return __real_unlinkat(dirfd, name, flags);
}

int __wrap_renameat(int from, const char *a, int to, const char *b)
{
    gone(to, b);
    return __real_renameat(from, a, to, b);
}

/* ---- */

static const struct full_case {
    const char *what;
    unsigned ifaces, blocks, rows; /* rows of a block */
    int step_s;                    /* between two blocks */
    uint64_t disk_bytes;           /* for what is imported after the first block */
    godb_sync sync;
    int want_kept, want_lost; /* at least one block of the second import; -1: as it happens */
} cases[] = {
    {"large blocks of one day", 1, 8, 25000, 300, 2000000, GODB_SYNC_DAY, 1, -1},
    {"the same without sync", 1, 8, 25000, 300, 2000000, GODB_SYNC_NONE, 1, -1},
    {"the same block by block", 1, 8, 25000, 300, 2000000, GODB_SYNC_BLOCK, 1, 0},
    {"small blocks that wait for each other", 1, 100, 1500, 300, 1000000, GODB_SYNC_DAY, 1, 1},
    {"several interfaces and days", 8, 9, 500, GODB_DAY_S / 3, 300000, GODB_SYNC_DAY, 1, 1},
    {"not even one", 2, 3, 1000, 300, 6000, GODB_SYNC_DAY, 0, 1},
};

/* Rows that hardly compress, of blocks [from, to). */
static void make_csv(const char *path, const struct full_case *c, unsigned from, unsigned to)
{
    FILE *f = fopen(path, "we");
    uint64_t x = 1;

    assert_non_null(f);
    (void)fputs("time,iface,sip,dip,dport,proto,packets received,data vol. received\n", f);
    for (unsigned b = from; b < to; b++)
        for (unsigned i = 0; i < c->ifaces; i++)
            for (unsigned r = 0; r < c->rows; r++) {
                x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
                unsigned v = (unsigned)(x >> 33);
                fprintf(f, "%d,eth%u,10.%u.%u.%u,10.0.%u.%u,%u,6,%u,%u\n",
                        DAY + 300 + c->step_s * (int)b, i, v & 255, v >> 8 & 255, v >> 16 & 255,
                        r >> 8 & 255, r & 255, (v >> 4) & 0xffff, v & 1023, v >> 3);
            }
    assert_int_equal(fclose(f), 0);
}

static void count_notes(void *ctx, const char *text)
{
    *(unsigned *)ctx += strstr(text, "are lost") != NULL;
}

static gp_status import(const char *root, const char *csv, const struct full_case *c,
                        godb_import_stats *st, unsigned *lost)
{
    godb_import_opts o = GODB_IMPORT_OPTS_INIT;
    GP_CLEANUP(gp_closep) int fd = open(csv, O_RDONLY | O_CLOEXEC);
    gp_err err = {0};

    assert_true(fd >= 0);
    o.threads = 1;
    o.writer.sync = c->sync;
    o.on_note = count_notes;
    o.on_note_ctx = lost;
    gp_status rc = godb_import(root, fd, "in.csv", &o, st, &err);
    if (rc != GP_OK && (rc != GP_EIO || err.sys != ENOSPC))
        fail_msg("%s: %s", c->what, err.msg);
    return rc;
}

static void on_problem(void *ctx, const godb_problem *p)
{
    if (p->severity == GODB_ERROR)
        fail_msg("%s: %s: %s", (const char *)ctx, p->path, p->text);
}

static void one_case(const struct full_case *c)
{
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    GP_CLEANUP(gp_freep) char *csv = gp_asprintf("%s/in.csv", dir);
    GP_CLEANUP(gp_freep) char *root = gp_asprintf("%s/db", dir);
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    GP_CLEANUP(gp_freep) char *what = gp_asprintf("%s", c->what);
    godb_import_stats first, then;
    godb_check_opts o = GODB_CHECK_OPTS_INIT;
    godb_check_stats there;
    unsigned lost = 0;

    make_csv(csv, c, 0, 1);
    want_ok(import(root, csv, c, &first, &lost));
    make_csv(csv, c, 1, c->blocks);
    disk.used = 0;
    disk.size = c->disk_bytes;
    gp_status rc = import(root, csv, c, &then, &lost);
    disk.size = 0;
    if (rc != GP_EIO)
        fail_msg("%s: the disk did not get full", c->what);
    want_ok(godb_db_open(root, &db, NULL));
    o.threads = 1;
    want_ok(godb_check(db, &o, on_problem, what, &there, NULL));
    if (there.blocks != first.blocks + then.blocks ||
        there.rows != first.rows_imported + then.rows_imported)
        fail_msg("%s: %llu blocks, %llu rows reported; there are %llu blocks, %llu rows", c->what,
                 (unsigned long long)(first.blocks + then.blocks),
                 (unsigned long long)(first.rows_imported + then.rows_imported),
                 (unsigned long long)there.blocks, (unsigned long long)there.rows);
    if (c->want_kept != (then.blocks > 0) || (c->want_lost >= 0 && c->want_lost != (lost > 0)))
        fail_msg("%s: %llu blocks kept, %u messages about lost ones", c->what,
                 (unsigned long long)then.blocks, lost);
}

static void test_full_disk(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        one_case(&cases[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_full_disk)};
    st_utc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
