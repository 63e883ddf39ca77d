/* cpu.c - how many CPUs this process may use: affinity mask and cgroup quota. */
#include "cpu.h"

#include "gp/io.h"
#include "gp/mem.h"
#include "gp/num.h"
#include "gp/pool.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

enum { MAX_CPUS = 1 << 16, SMALL_FILE = 64 * 1024 };

/* CPUs for quota and period in us; 0 if one of them is none ("max", -1). */
static unsigned quota_cpus(const char *quota, size_t quota_len, const char *period,
                           size_t period_len)
{
    uint64_t q, p;

    if (!gp_num_u64(quota, quota_len, UINT32_MAX, &q) ||
        !gp_num_u64(period, period_len, UINT32_MAX, &p) || p == 0)
        return 0;
    uint64_t cpus = (q + p - 1) / p;
    return cpus == 0 ? 1 : (unsigned)cpus;
}

/* First line of root + dir + "/" + name without its newline; "" if it cannot be read. */
static void read_line(gp_buf *out, const char *root, const char *dir, const char *name)
{
    GP_CLEANUP(gp_freep) char *path = gp_asprintf("%s%s/%s", root, dir, name);

    gp_buf_clear(out);
    if (!path || gp_read_file(AT_FDCWD, path, SMALL_FILE, out, NULL) != GP_OK)
        return;
    const uint8_t *end = out->len ? memchr(out->data, '\n', out->len) : NULL;
    if (end)
        out->len = (size_t)(end - out->data);
}

/* Version 2: cpu.max holds "<quota|max> <period>". */
static unsigned dir_quota_v2(const char *root, const char *dir)
{
    GP_CLEANUP(gp_buf_free) gp_buf b = {0};

    read_line(&b, root, dir, "cpu.max");
    const char *s = gp_buf_str(&b);
    const char *blank = s ? strchr(s, ' ') : NULL;
    return blank ? quota_cpus(s, (size_t)(blank - s), blank + 1, strlen(blank + 1)) : 0;
}

/* Version 1: two files; the quota is -1 when there is none. */
static unsigned dir_quota_v1(const char *root, const char *dir)
{
    GP_CLEANUP(gp_buf_free) gp_buf q = {0};
    GP_CLEANUP(gp_buf_free) gp_buf p = {0};

    read_line(&q, root, dir, "cpu.cfs_quota_us");
    read_line(&p, root, dir, "cpu.cfs_period_us");
    const char *quota = gp_buf_str(&q), *period = gp_buf_str(&p);
    return quota && period ? quota_cpus(quota, q.len, period, p.len) : 0;
}

/* The smallest quota from dir up to the root of the hierarchy: a parent's limits us too. */
static unsigned walk_up(unsigned (*quota)(const char *, const char *), const char *root, char *dir)
{
    unsigned least = 0;

    for (;;) {
        unsigned here = quota(root, dir);
        if (here && (!least || here < least))
            least = here;
        char *slash = strrchr(dir, '/');
        if (!slash)
            return least;
        *slash = '\0';
    }
}

/* Is "cpu" in the comma-separated list? (version 1 mounts "cpu,cpuacct" together) */
static int has_cpu(const char *list)
{
    for (const char *p = list; *p; p += *p == ',') {
        size_t n = strcspn(p, ",");
        if (n == 3 && memcmp(p, "cpu", 3) == 0)
            return 1;
        p += n;
    }
    return 0;
}

/* One line "<id>:<controllers>:<path>" of /proc/self/cgroup. */
static unsigned line_quota(char *line, const char *root)
{
    char *list = strchr(line, ':');
    char *dir = list ? strchr(list + 1, ':') : NULL;

    if (!dir)
        return 0;
    *list++ = '\0';
    *dir++ = '\0';
    if (strstr(dir, "/..")) /* outside our namespace: only its root can be seen */
        *dir = '\0';
    if (*list == '\0')
        return walk_up(dir_quota_v2, root, dir);
    if (!has_cpu(list))
        return 0;
    GP_CLEANUP(gp_freep) char *v1_root = gp_asprintf("%s/%s", root, list);
    return v1_root ? walk_up(dir_quota_v1, v1_root, dir) : 0;
}

unsigned gp_cpu_quota(const char *proc_cgroup, const char *root)
{
    GP_CLEANUP(gp_buf_free) gp_buf b = {0};
    unsigned least = 0;

    if (gp_read_file(AT_FDCWD, proc_cgroup, SMALL_FILE, &b, NULL) != GP_OK)
        return 0;
    GP_CLEANUP(gp_freep) char *text = gp_buf_take(&b);
    char *save = NULL;
    for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line;
         line = strtok_r(NULL, "\n", &save)) {
        unsigned here = line_quota(line, root);
        if (here && (!least || here < least))
            least = here;
    }
    return least;
}

/* CPUs in our affinity mask; the kernel refuses a mask that is too small for the machine. */
static unsigned affinity_cpus(void)
{
    for (size_t cpus = 1024; cpus <= MAX_CPUS; cpus *= 2) {
        cpu_set_t *set = CPU_ALLOC(cpus);
        size_t size = CPU_ALLOC_SIZE(cpus);
        if (!set)
            break;
        int got = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (got > 0)
            return (unsigned)got;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 && online < MAX_CPUS ? (unsigned)online : 1;
}

unsigned gp_cpu_count(void)
{
    unsigned cpus = affinity_cpus();
    unsigned quota = gp_cpu_quota("/proc/self/cgroup", "/sys/fs/cgroup");

    return quota && quota < cpus ? quota : cpus;
}
