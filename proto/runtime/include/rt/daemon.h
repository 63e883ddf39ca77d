/* daemon.h - signals as events, readiness and watchdog messages to systemd, fleet-wide small facts.
 */
#ifndef RT_DAEMON_H
#define RT_DAEMON_H

#include "gp/err.h"

#include <stddef.h>
#include <stdint.h>

/* Block SIGINT, SIGTERM, SIGHUP, SIGUSR1 (and ignore SIGPIPE) in this and all later threads: first
 * thing in main(), before any thread exists. */
gp_status rt_signals_init(gp_err *err) GP_MUST_CHECK;
/* Wait for one of them or for rt_signals_wake(). Returns the signal number, 0 after timeout_ms
 * (negative: no time-out), -1 after a wake. One thread. */
int rt_signals_wait(int64_t timeout_ms);
/* Make rt_signals_wait() return -1 once; any thread. */
void rt_signals_wake(void);
/* For child processes: the default mask and SIGPIPE again. Async-signal-safe. */
void rt_signals_restore(void);

/* What a daemon does between start and stop. */
typedef struct rt_loop {
    void (*reload)(
        void *ctx);          /* SIGHUP, after the log was opened again; systemd is told around it */
    void (*tick)(void *ctx); /* at least every tick_ms, and after every signal; may be NULL */
    int64_t tick_ms;         /* 0 = no tick */
    void *ctx;
} rt_loop;
/* Say READY=1, answer the watchdog, reload on SIGHUP, until SIGTERM or SIGINT; then say STOPPING=1
 * and return the signal. For the thread of main(), after rt_signals_init(). */
int rt_loop_run(const rt_loop *l);

/* sd_notify(3): "READY=1", "RELOADING=1", "STOPPING=1", "STATUS=...". No-op without NOTIFY_SOCKET;
 * failures are not errors. */
void rt_notify(const char *state);
/* Ready, with the monotonic stamp that Type=notify-reload wants for RELOADING=1. */
void rt_notify_reloading(void);
/* Half of WatchdogSec in ms, or 0 when systemd expects no pings for this process. */
int64_t rt_watchdog_ms(void);

/* /etc/machine-id (32 hex digits), or "" if there is none; buf >= 40 bytes. */
const char *rt_machine_id(char *buf, size_t cap);
/* gethostname(), "" on failure; buf >= 256 bytes. */
const char *rt_host_name(char *buf, size_t cap);
/* Resident memory of this process in bytes, 0 if unknown; physical memory likewise. */
uint64_t rt_mem_resident(void);
uint64_t rt_mem_physical(void);

#endif
