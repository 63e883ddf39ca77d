/* output_test.c - gp/output.h on files, links, FIFOs and what /proc names. */
#include "test.h"

#include "gp/output.h"

#include <sys/stat.h>

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

static char *in_dir(const char *name)
{
    char *path = gp_asprintf("%s/%s", dir, name);
    assert_non_null(path);
    return path;
}

static void want_file(const char *what, const char *name, mode_t type, mode_t mode,
                      const char *text)
{
    GP_CLEANUP(gp_freep) char *path = in_dir(name);
    struct stat st;
    if (lstat(path, &st) != 0 || (st.st_mode & S_IFMT) != type)
        fail_msg("%s: %s is not of type %o", what, name, type);
    if (mode && (st.st_mode & 07777) != mode)
        fail_msg("%s: %s has mode %o, want %o", what, name, st.st_mode & 07777, mode);
    if (!text)
        return;
    GP_CLEANUP(gp_freep) char *got = test_slurp(path, NULL);
    if (strcmp(got, text) != 0)
        fail_msg("%s: %s holds \"%s\", want \"%s\"", what, name, got, text);
}

static void test_modes(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        mode_t old; /* of the file that is there; 0: none */
        mode_t mode, want;
    } cases[] = {
        {"new, less the umask", 0, 0, 0640},
        {"new, exact", 0, 0644, 0644},
        {"keeps what others may", 0666, 0, 0666},
        {"keeps what others may not", 0600, 0, 0600},
        {"keeps it against the caller", 0600, 0644, 0600},
    };
    GP_CLEANUP(gp_freep) char *path = in_dir("f");
    gp_err err = {0};
    mode_t before = umask(0027);

    for (size_t i = 0; i < COUNT(cases); i++) {
        (void)unlink(path);
        if (cases[i].old) {
            test_spew(path, "old", 3);
            assert_int_equal(chmod(path, cases[i].old), 0);
        }
        want_ok_err(&err, gp_output_write(path, cases[i].mode, "new", 3, &err));
        want_file(cases[i].what, "f", S_IFREG, cases[i].want, "new");
    }
    (void)umask(before);
    assert_int_equal(test_entries(dir), 1);
}

static void test_links(void **state)
{
    (void)state;
    GP_CLEANUP(gp_freep) char *sub = in_dir("sub");
    GP_CLEANUP(gp_freep) char *target = in_dir("sub/file");
    GP_CLEANUP(gp_freep) char *far = in_dir("far");
    GP_CLEANUP(gp_freep) char *near = in_dir("sub/near");
    GP_CLEANUP(gp_freep) char *dangling = in_dir("dangling");
    GP_CLEANUP(gp_freep) char *loop = in_dir("loop");
    gp_err err = {0};

    assert_int_equal(mkdir(sub, 0700), 0);
    test_spew(target, "old", 3);
    assert_int_equal(chmod(target, 0600), 0);
    assert_int_equal(symlink("file", near), 0); /* from its own directory */
    assert_int_equal(symlink(near, far), 0);
    assert_int_equal(symlink("sub/fresh", dangling), 0);
    assert_int_equal(symlink("loop", loop), 0);

    want_ok_err(&err, gp_output_write(far, 0, "new", 3, &err));
    want_file("through two links", "far", S_IFLNK, 0, NULL);
    want_file("through two links", "sub/near", S_IFLNK, 0, NULL);
    want_file("through two links", "sub/file", S_IFREG, 0600, "new");
    want_ok_err(&err, gp_output_write(dangling, 0, "there", 5, &err));
    want_file("to nothing yet", "dangling", S_IFLNK, 0, NULL);
    want_file("to nothing yet", "sub/fresh", S_IFREG, 0, "there");
    want_err(GP_EIO, &err, "Too many levels", gp_output_write(loop, 0, "x", 1, &err));
    assert_int_equal(test_entries(dir), 4);
}

static void test_fifo(void **state)
{
    (void)state;
    GP_CLEANUP(gp_freep) char *fifo = in_dir("fifo");
    GP_CLEANUP(gp_freep) char *link = in_dir("link");
    char got[8] = {0};
    gp_err err = {0};

    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(symlink("fifo", link), 0);
    GP_CLEANUP(gp_closep) int fd = open(fifo, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    assert_true(fd >= 0);
    want_ok_err(&err, gp_output_write(fifo, 0644, "one", 3, &err));
    want_ok_err(&err, gp_output_write(link, 0644, "two", 3, &err));
    want_file("FIFO", "fifo", S_IFIFO, 0600, NULL);
    want_file("link to a FIFO", "link", S_IFLNK, 0, NULL);
    assert_int_equal(read(fd, got, sizeof got), 6);
    assert_string_equal(got, "onetwo");
    assert_int_equal(test_entries(dir), 2);
}

/* /dev/stdout of a shell's redirection: the open file is meant, not one of the same name. */
static void test_descriptor(void **state)
{
    (void)state;
    GP_CLEANUP(gp_freep) char *path = in_dir("f");
    GP_CLEANUP(gp_freep) char *moved = in_dir("moved");
    GP_CLEANUP(gp_closep) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    char name[48];
    gp_err err = {0};

    assert_int_equal(rename(path, moved), 0);
    (void)snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    test_spew(path, "other", 5);
    want_ok_err(&err, gp_output_write(name, 0, "text", 4, &err));
    want_file("descriptor", "moved", S_IFREG, 0600, "text");
    want_file("descriptor", "f", S_IFREG, 0, "other");
    assert_int_equal(unlink(moved), 0);
    want_ok_err(&err, gp_output_write(name, 0, "text", 4, &err));
    assert_int_equal(test_entries(dir), 1);
}

static void test_failures(void **state)
{
    (void)state;
    GP_CLEANUP(gp_freep) char *path = in_dir("f");
    GP_CLEANUP(gp_freep) char *nowhere = in_dir("no/f");
    gp_output out = GP_OUTPUT_INIT;
    gp_err err = {0};

    test_spew(path, "old", 3);
    want_ok_err(&err, gp_output_open(path, 0, &out, &err));
    want_ok_err(&err, gp_write_full(out.fd, "half", 4, &err));
    want_file("while it is written", "f", S_IFREG, 0, "old");
    want_status(GP_ECANCELLED, gp_output_close(&out, GP_ECANCELLED, &err));
    want_file("given up", "f", S_IFREG, 0, "old");
    want_ok_err(&err, gp_output_close(&out, GP_OK, &err)); /* nothing is open */
    assert_int_equal(test_entries(dir), 1);

    want_err(GP_EIO, &err, "No such file", gp_output_write(nowhere, 0, "x", 1, &err));
    want_err(GP_EIO, &err, "Is a directory", gp_output_write(dir, 0, "x", 1, &err));
    assert_int_equal(test_entries(dir), 1);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_modes),      CASE(test_links),    CASE(test_fifo),
        CASE(test_descriptor), CASE(test_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
