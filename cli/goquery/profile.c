/* profile.c - time and memory of this process as the kernel counted them. */
#include "profile.h"

#include "gp/bytes.h"
#include "gp/io.h"
#include "gp/mem.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/resource.h>

gp_status goquery_profile_start(const char *dir, gp_err *err)
{
    return gp_mkdir_all(dir, 0750, err);
}

static gp_status put(const char *dir, const char *name, gp_buf *b, gp_err *err)
{
    GP_CLEANUP(gp_freep) char *path = gp_asprintf("%s/%s", dir, name);
    gp_status st = path && !b->failed
                       ? gp_write_file_atomic(AT_FDCWD, path, b->data, b->len, 0640, err)
                       : gp_fail(err, GP_ENOMEM, 0, "out of memory");
    gp_buf_free(b);
    return st;
}

static int64_t microseconds(struct timeval t)
{
    return (int64_t)t.tv_sec * 1000000 + t.tv_usec;
}

gp_status goquery_profile_end(const char *dir, int64_t wall_ns, gp_err *err)
{
    struct rusage u;
    gp_buf cpu = {0}, mem = {0};
    if (getrusage(RUSAGE_SELF, &u) != 0)
        return gp_fail(err, GP_EIO, 0, "cannot read resource usage");
    gp_buf_printf(&cpu, "wall %" PRId64 " us\n", wall_ns / 1000);
    gp_buf_printf(&cpu, "user %" PRId64 " us\nsystem %" PRId64 " us\n", microseconds(u.ru_utime),
                  microseconds(u.ru_stime));
    gp_buf_printf(&cpu, "voluntary_switches %ld count\ninvoluntary_switches %ld count\n",
                  u.ru_nvcsw, u.ru_nivcsw);
    gp_buf_printf(&mem, "max_resident %ld KiB\nminor_faults %ld count\nmajor_faults %ld count\n",
                  u.ru_maxrss, u.ru_minflt, u.ru_majflt);
    gp_buf_printf(&mem, "blocks_read %ld count\nblocks_written %ld count\n", u.ru_inblock,
                  u.ru_oublock);
    gp_status st = put(dir, "goquery_cpu_profile.pprof", &cpu, err);
    gp_status st2 = put(dir, "goquery_mem_profile.pprof", &mem, st == GP_OK ? err : NULL);
    return st == GP_OK ? st2 : st;
}
