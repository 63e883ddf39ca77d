/* watch_test.c - changes of the configuration file, by writing, by rename and by swapped links. */
#include "watch.h"

#include "test.h"

#include <sys/stat.h>

static void put(const char *dir, const char *name, const char *text)
{
    GP_CLEANUP(gp_freep) char *path = gp_asprintf("%s/%s", dir, name);
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void move(const char *dir, const char *from, const char *to)
{
    GP_CLEANUP(gp_freep) char *a = gp_asprintf("%s/%s", dir, from);
    GP_CLEANUP(gp_freep) char *b = gp_asprintf("%s/%s", dir, to);
    assert_int_equal(rename(a, b), 0);
}

static void point(const char *dir, const char *name, const char *target)
{
    GP_CLEANUP(gp_freep) char *tmp = gp_asprintf("%s/%s.new", dir, name);
    GP_CLEANUP(gp_freep) char *path = gp_asprintf("%s/%s", dir, name);
    assert_int_equal(symlink(target, tmp), 0);
    assert_int_equal(rename(tmp, path), 0);
}

static void make(const char *dir, const char *name)
{
    GP_CLEANUP(gp_freep) char *path = gp_asprintf("%s/%s", dir, name);
    assert_int_equal(mkdir(path, 0755), 0);
}

static agent_watch *watch(const char *dir, const char *name)
{
    GP_CLEANUP(gp_freep) char *path = gp_asprintf("%s/%s", dir, name);
    agent_watch *w = agent_watch_open(path);

    assert_non_null(w);
    assert_int_equal(agent_watch_changed(w), 0);
    return w;
}

/* Once, and only once. */
static void want_change(agent_watch *w)
{
    assert_int_equal(agent_watch_changed(w), 1);
    assert_int_equal(agent_watch_changed(w), 0);
}

static void test_file(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    GP_CLEANUP(gp_freep) char *path = gp_asprintf("%s/c", dir);

    put(dir, "c", "1");
    agent_watch *w = watch(dir, "c");
    put(dir, "c", "2"); /* written in place */
    want_change(w);
    put(dir, "new", "3");
    assert_int_equal(agent_watch_changed(w), 0);
    move(dir, "new", "c");
    want_change(w);
    assert_int_equal(unlink(path), 0); /* the old settings stay */
    assert_int_equal(agent_watch_changed(w), 0);
    put(dir, "c", "4");
    want_change(w);
    assert_int_equal(unlink(path), 0);
    FILE *f = fopen(path, "w"); /* half of it is no configuration */
    assert_non_null(f);
    assert_true(fputs("5", f) >= 0 && fflush(f) == 0);
    assert_int_equal(agent_watch_changed(w), 0);
    assert_int_equal(fclose(f), 0);
    want_change(w);
    agent_watch_close(w);
}

/* As Kubernetes mounts a ConfigMap: c -> ..data/c, ..data -> ..1. */
static void test_configmap(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();

    for (int i = 1; i <= 3; i++) {
        char name[16], file[16];
        (void)snprintf(name, sizeof name, "..%d", i);
        (void)snprintf(file, sizeof file, "..%d/c", i);
        make(dir, name);
        put(dir, file, "x");
    }
    point(dir, "..data", "..1");
    point(dir, "c", "..data/c");
    agent_watch *w = watch(dir, "c");
    point(dir, "..data", "..2");
    want_change(w);
    put(dir, "..1/c", "left alone");
    assert_int_equal(agent_watch_changed(w), 0);
    put(dir, "..2/c", "in place");
    want_change(w);
    point(dir, "..data", "..3");
    want_change(w);
    agent_watch_close(w);
}

/* A link into another tree, whose middle is swapped. */
static void test_elsewhere(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();

    make(dir, "etc");
    make(dir, "v1");
    make(dir, "v2");
    put(dir, "v1/c", "1");
    put(dir, "v2/c", "2");
    point(dir, "current", "v1");
    point(dir, "etc/c", "../current/c");
    agent_watch *w = watch(dir, "etc/c");
    point(dir, "current", "v2");
    want_change(w);
    point(dir, "etc/c", "../v1/c");
    want_change(w);
    agent_watch_close(w);
}

/* The directory is replaced by another one of the same name. */
static void test_directory(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();

    make(dir, "conf");
    put(dir, "conf/c", "1");
    agent_watch *w = watch(dir, "conf/c");
    make(dir, "next");
    put(dir, "next/c", "2");
    move(dir, "conf", "old");
    assert_int_equal(agent_watch_changed(w), 0);
    move(dir, "next", "conf");
    want_change(w);
    put(dir, "old/c", "left alone");
    assert_int_equal(agent_watch_changed(w), 0);
    put(dir, "conf/c", "3");
    want_change(w);
    agent_watch_close(w);
}

static void test_nothing(void **state)
{
    (void)state;
    assert_null(agent_watch_open(NULL));
    assert_null(agent_watch_open("/nonexistent/dir/c"));
    assert_int_equal(agent_watch_changed(NULL), 0);
    agent_watch_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file),      cmocka_unit_test(test_configmap),
        cmocka_unit_test(test_elsewhere), cmocka_unit_test(test_directory),
        cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
