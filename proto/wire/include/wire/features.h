/* features.h - what a peer may be able to do beyond protocol version 1; told in the handshake
 * (docs/protocol.md, "Hello"). A program of an older version lacks bits, and is asked without. */
#ifndef WIRE_FEATURES_H
#define WIRE_FEATURES_H

enum {
    WIRE_F_PARTIALS = 1, /* snapshots of queries that run */
    WIRE_F_EVIDENCE = 2, /* an aggregator passes on what hosts signed */
    WIRE_F_TARGETS = 4,  /* an aggregator takes a part of the selector */
    WIRE_FEATURES = 7,   /* all that this build has: for rpc_opts.features */
};

#endif
