/* bounds.h - every bound of this room in one place. */
#ifndef RPC_BOUNDS_H
#define RPC_BOUNDS_H

enum {
    SMALL_READ = 1024,           /* read buffer of an idle connection, bytes */
    TABLE = 16,                  /* hash buckets for the streams of a connection */
    OUT_HIGH = 512 * 1024,       /* output queue: senders of messages wait above it */
    OUT_LOW = 256 * 1024,        /* and go on below it */
    OUT_PAUSE = 2 * 1024 * 1024, /* above it nothing is read until below OUT_RESUME: who does not
                                    read our answers gets no more of his calls served */
    OUT_RESUME = 1024 * 1024,
    OUT_MAX = 64 * 1024 * 1024, /* calls are refused above it (a client whose server is stuck) */
    DIRECT_MIN = 16 * 1024,     /* payloads from this size are sealed without a copy */
    HALF_OPEN_MAX = 1024,       /* handshakes under way; the oldest goes when one more comes */
    HS_FIRST_MAX = 256,         /* bytes of the first handshake message */
    CREDIT_STEP = 256 * 1024,   /* credit is given back in steps of so much */
    TICK_MS = 5000,             /* keep-alive check */
    LINGER_MS = 2000,           /* most time to flush a refusal or GOAWAY */
    STALL_MS_DEFAULT = 30000,   /* a reader that takes nothing for so long is dropped */
    MAX_ADDRS = 8,              /* addresses tried for one name */
    MAX_OPEN_CALLS = 65536,     /* calls of ours on one connection */
};

#endif
