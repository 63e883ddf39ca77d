/* cpu_test.c - gp_cpu_count() with the affinity mask, gp_cpu_quota() on made-up cgroup trees. */
#include "test.h"

#include "cpu.h"
#include "gp/pool.h"

#include <sched.h>

struct file {
    const char *path, *text;
};

static void test_quota(void **state)
{
    (void)state;
    static const struct {
        const char *what, *proc_cgroup;
        struct file files[4];
        unsigned want;
    } cases[] = {
        {"no quota", "0::/a/b\n", {{"a/b/cpu.max", "max 100000\n"}}, 0},
        {"two CPUs", "0::/a/b\n", {{"a/b/cpu.max", "200000 100000\n"}}, 2},
        {"rounded up", "0::/a/b\n", {{"a/b/cpu.max", "150000 100000\n"}}, 2},
        {"less than one", "0::/a/b\n", {{"a/b/cpu.max", "1000 100000\n"}}, 1},
        {"parent is stricter",
         "0::/a/b\n",
         {{"a/b/cpu.max", "400000 100000\n"}, {"a/cpu.max", "300000 100000\n"}},
         3},
        {"child is stricter",
         "0::/a/b\n",
         {{"a/b/cpu.max", "400000 100000\n"}, {"a/cpu.max", "500000 100000\n"}},
         4},
        {"only the root, as in a container", "0::/\n", {{"cpu.max", "200000 100000\n"}}, 2},
        {"outside the namespace", "0::/../../x\n", {{"cpu.max", "200000 100000\n"}}, 2},
        {"files missing", "0::/a/b\n", {{0}}, 0},
        {"garbage", "0::/a\n", {{"a/cpu.max", "many 100000\n"}}, 0},
        {"no period", "0::/a\n", {{"a/cpu.max", "100000\n"}}, 0},
        {"period 0", "0::/a\n", {{"a/cpu.max", "100000 0\n"}}, 0},
        {"empty file", "0::/a\n", {{"a/cpu.max", ""}}, 0},
        {"version 1",
         "5:memory:/a\n4:cpu,cpuacct:/a\n",
         {{"cpu,cpuacct/a/cpu.cfs_quota_us", "250000\n"},
          {"cpu,cpuacct/a/cpu.cfs_period_us", "100000\n"}},
         3},
        {"version 1, no quota",
         "4:cpu,cpuacct:/a\n",
         {{"cpu,cpuacct/a/cpu.cfs_quota_us", "-1\n"},
          {"cpu,cpuacct/a/cpu.cfs_period_us", "100000\n"}},
         0},
        {"version 1, other controllers only",
         "4:cpuset,cpuacct:/a\n",
         {{"cpuset,cpuacct/a/cpu.cfs_quota_us", "100000\n"},
          {"cpuset,cpuacct/a/cpu.cfs_period_us", "100000\n"}},
         0},
        {"both versions",
         "1:cpu:/a\n0::/a\n",
         {{"cpu/a/cpu.cfs_quota_us", "500000\n"},
          {"cpu/a/cpu.cfs_period_us", "100000\n"},
          {"a/cpu.max", "600000 100000\n"}},
         5},
        {"lines of nonsense", "\n:\n::\nx\n0:\n", {{0}}, 0},
        {"nothing", "", {{0}}, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
        GP_CLEANUP(gp_freep) char *root = gp_asprintf("%s/root", dir);
        GP_CLEANUP(gp_freep) char *proc = gp_asprintf("%s/cgroup", dir);
        test_spew(proc, cases[i].proc_cgroup, strlen(cases[i].proc_cgroup));
        for (size_t f = 0; f < COUNT(cases[i].files) && cases[i].files[f].path; f++) {
            const struct file *file = &cases[i].files[f];
            GP_CLEANUP(gp_freep) char *path = gp_asprintf("%s/%s", root, file->path);
            GP_CLEANUP(gp_freep)
            char *parent = gp_strndup(path, (size_t)(strrchr(path, '/') - path));
            want_ok(gp_mkdir_all(parent, 0755, NULL));
            test_spew(path, file->text, strlen(file->text));
        }
        unsigned got = gp_cpu_quota(proc, root);
        if (got != cases[i].want)
            fail_msg("%s: got %u, want %u", cases[i].what, got, cases[i].want);
    }
    assert_int_equal(gp_cpu_quota("/nonexistent/cgroup", "/nonexistent"), 0);
}

static void test_affinity(void **state)
{
    (void)state;
    cpu_set_t all, one;
    unsigned n = gp_cpu_count();

    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    assert_in_range(n, 1, CPU_COUNT(&all));
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &all)) {
            CPU_SET(i, &one);
            break;
        }
    }
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(gp_cpu_count(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
    assert_int_equal(gp_cpu_count(), n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quota),
        cmocka_unit_test(test_affinity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
