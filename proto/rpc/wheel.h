/* wheel.h - timers: many short-lived ones, coarse (8 ms), O(1) to set and cancel. Locked inside. */
#ifndef RPC_WHEEL_H
#define RPC_WHEEL_H

#include "gp/err.h"

#include <stdint.h>

typedef struct rpc_wheel rpc_wheel;

/* Lies inside the object that it times. Zero-initialise. */
typedef struct rpc_timer {
    struct rpc_timer *next, *prev;
    int64_t due_ns;
    void (*fn)(void *arg);
    void *arg;
    int armed;
} rpc_timer;

/* Timers fire on a thread of the wheel, with no lock held, never before they are due. */
gp_status rpc_wheel_new(rpc_wheel **out, gp_err *err) GP_MUST_CHECK;
/* Join the thread; timers still armed never fire. */
void rpc_wheel_free(rpc_wheel *w);

/* Arm (t must not be armed). */
void rpc_timer_set(rpc_wheel *w, rpc_timer *t, int64_t due_ns, void (*fn)(void *arg), void *arg);
/* 1 if it was armed and now will not fire; 0 if it was not armed, has fired or is firing. */
int rpc_timer_cancel(rpc_wheel *w, rpc_timer *t);

/* Run fn(arg) soon on the wheel's thread: for what a callback must not do itself. t as above. */
static inline void rpc_timer_soon(rpc_wheel *w, rpc_timer *t, void (*fn)(void *arg), void *arg)
{
    rpc_timer_set(w, t, 0, fn, arg);
}

#endif
