/* others.h - one transport in the comparison of tests/bench/rpc/others.c. */
#ifndef BENCH_OTHERS_H
#define BENCH_OTHERS_H

#include "gp/bytes.h"
#include "gp/err.h"
#include "result/result.h"

#include <stddef.h>
#include <stdint.h>

enum { OTHERS_IN_FLIGHT = 64, OTHERS_ECHO_BYTES = 64 };

/* What a client saw of one transfer of rows. */
typedef struct others_rows {
    size_t rows;
    size_t bytes; /* payload received; framing and encryption add below 1 % in each case */
} others_rows;

/* serve() runs in a process of its own until stop_fd ends, and tells where it listens through
 * ready_fd (256 bytes). The client calls run in another process. r: the rows to send, encoded
 * anew for every request as a server would. */
typedef struct others_transport {
    const char *name;
    void (*prepare)(void); /* before the processes are forked; may be NULL */
    int (*serve)(const result *r, int ready_fd, int stop_fd);
    void *(*connect)(const char *addr); /* exits with a message when it fails */
    /* n echoes of OTHERS_ECHO_BYTES, OTHERS_IN_FLIGHT at a time. */
    void (*echo)(void *client, size_t n);
    void (*rows)(void *client, others_rows *out); /* one transfer, decoded */
    void (*close)(void *client);
} others_transport;

extern const others_transport others_rpc, others_reqrep, others_http;

/* Print "rpc bench: WHAT: TEXT" and exit(1). */
_Noreturn void others_die(const char *what, const char *text);

void others_tell(int ready_fd, const char *addr);
void others_wait(int stop_fd);

/* All batches of r, each behind its u32 length. */
void others_encode(const result *r, gp_buf *out);
/* Decode what others_encode() wrote; the number of rows. */
size_t others_decode(const uint8_t *bytes, size_t len);

#endif
