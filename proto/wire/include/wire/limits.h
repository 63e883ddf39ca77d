/* limits.h - what a peer may make us hold or do (docs/messages.md 5). */
#ifndef WIRE_LIMITS_H
#define WIRE_LIMITS_H

enum {
    WIRE_PROTOCOL = 1,    /* version of the messages */
    WIRE_MAX_LABEL = 255, /* bytes of a host name, host id or interface name */
    WIRE_MAX_ROW_BYTES =
        2 * 9 + 9 + 2 * 17 + 3 + 4 * 9, /* worst case of a row before compression */
    WIRE_MAX_REQUEST = 256 * 1024,      /* bytes of a signed request */
    WIRE_MAX_BODY = 192 * 1024,         /* bytes of a query body */
    WIRE_MAX_TEXT = 16 * 1024,          /* bytes of query, interfaces, selector each */
    WIRE_MAX_CONDITION = 64 * 1024,     /* bytes of a condition as it is asked */
    WIRE_MAX_RESULT_CONDITION =
        3 * WIRE_MAX_CONDITION,           /* the same in an answer: `net` is written out twice */
    WIRE_MAX_TARGETS = 128 * 1024,        /* bytes of an aggregator's part of a selector */
    WIRE_MAX_MESSAGE_TEXT = 1024,         /* bytes of a status text */
    WIRE_MAX_HOSTS = 65536,               /* hosts of one query */
    WIRE_MAX_IFACES = 1024,               /* interfaces in one summary */
    WIRE_MAX_HOPS = 8,                    /* aggregators between client and agent */
    WIRE_MAX_PARTIAL_ROWS = 100,          /* rows in a snapshot */
    WIRE_HOSTS_BYTES = 128 * 1024 * 1024, /* strings of a list of hosts */
    WIRE_HOSTS_MESSAGE = 512,             /* hosts in one message of such a list */
    WIRE_UNPACK_BYTES = 4 * 1024 * 1024,  /* memory of one unpacked message */
};

#endif
