/* throttle.h - a relay on loopback that passes bytes on as slowly as it is told. In front of an
 * agent it makes one that reads slowly, in front of an aggregator a client that does. */
#ifndef BENCH_FLEET_THROTTLE_H
#define BENCH_FLEET_THROTTLE_H

#include "gp/err.h"

#include <stddef.h>
#include <stdint.h>

/* Owns one thread; everything else may be called from any. */
typedef struct throttle throttle;
/* to: "tcp://127.0.0.1:PORT". Rates are bytes a second of each connection, towards `to` (up) and
 * back (down); 0 = as fast as it comes. addr: where to connect. */
gp_status throttle_new(const char *to, unsigned up, unsigned down, throttle **out, char *addr,
                       size_t cap, gp_err *err) GP_MUST_CHECK;
void throttle_free(throttle *t); /* its connections end */
void throttle_rates(throttle *t, unsigned up, unsigned down);
/* Bytes passed on so far. */
uint64_t throttle_down(const throttle *t);

#endif
