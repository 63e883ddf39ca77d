/* dnsserver.h - a DNS server of a few fixed records on a loopback port. */
#ifndef RESOLVER_TEST_DNSSERVER_H
#define RESOLVER_TEST_DNSSERVER_H

#include <stdint.h>

typedef struct dnsserver dnsserver;

/* Answers: SRV of _goprobe._tcp.zrh.test = fw1.zrh.test, fw2.zrh.test; A of pool.zrh.test =
 * 10.0.0.1, 10.0.0.9; A of silent.zrh.test: no answer ever; all else: no such name. */
dnsserver *dnsserver_start(uint16_t *port);
void dnsserver_stop(dnsserver *s);

#endif
