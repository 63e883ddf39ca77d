/* cpu.h - private: the cgroup part of gp_cpu_count(), with its files as parameters for tests. */
#ifndef GP_CPU_H
#define GP_CPU_H

/* CPUs that the cgroup quota allows (rounded up), or 0 when there is no quota.
 * proc_cgroup: /proc/self/cgroup; root: /sys/fs/cgroup. Version 2 and version 1 hierarchies. */
unsigned gp_cpu_quota(const char *proc_cgroup, const char *root);

#endif
