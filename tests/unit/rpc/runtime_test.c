/* runtime_test.c - what a new runtime has set up before anybody dials or listens. */
#include "kit.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

/* How many threads of this process have a name that begins with prefix. */
static int threads_named(const char *prefix)
{
    int n = 0;
    DIR *d = opendir("/proc/self/task");
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        char path[sizeof "/proc/self/task//comm" + sizeof e->d_name], name[32] = "";
        (void)snprintf(path, sizeof path, "/proc/self/task/%s/comm", e->d_name);
        FILE *f = fopen(path, "re");
        if (f && fgets(name, sizeof name, f))
            n += strncmp(name, prefix, strlen(prefix)) == 0;
        if (f)
            fclose(f);
    }
    closedir(d);
    return n;
}

/* nng sets itself up at its first call, without a lock that ThreadSanitizer or the C standard would
 * accept: the timer's thread, which dials, and a thread that listens must not both be that first.
 */
static void test_nng_first(void **state)
{
    (void)state;
    kit k;
    kit_keys(&k);
    assert_int_equal(threads_named("nng:"), 0);
    kit_client(&k, NULL);
    assert_true(threads_named("nng:") > 0);
    kit_down(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nng_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
