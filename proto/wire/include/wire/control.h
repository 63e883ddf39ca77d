/* control.h - messages between gpctl and a running agent: status, settings, changes
 * (docs/messages.md 7).
 *
 * Encoders append one message; lists that do not fit one message go in several. Decoders append to
 * a reply that starts as {0} and goes to its _clear() in any case; texts belong to the reply.
 */
#ifndef WIRE_CONTROL_H
#define WIRE_CONTROL_H

#include "gp/arena.h"
#include "gp/bytes.h"
#include "gp/err.h"
#include "wire/limits.h"

enum {
    WIRE_STATUS_MESSAGE = 256,       /* interfaces or changes in one message */
    WIRE_CONFIG_MESSAGE = 64,        /* settings in one message */
    WIRE_MAX_FILTER = 247,           /* instructions of a filter */
    WIRE_CONTROL_BYTES = 16 << 20,   /* memory of a whole reply */
    WIRE_MAX_CONFIG_TEXT = 240 << 10 /* bytes of "config.set" */
};

/* ---- requests ---- */

/* Names of interfaces; none = all. */
void wire_put_control_request(gp_buf *out, const char *const *ifaces, size_t n);
/* *ifaces: n names, valid until wire_control_request_free(*owner). */
gp_status wire_control_request_decode(const void *bytes, size_t len, char *const **ifaces,
                                      size_t *n, void **owner, gp_err *err) GP_MUST_CHECK;
void wire_control_request_free(void *owner);

void wire_put_config_set(gp_buf *out, const void *text, size_t len);
/* *text: a copy of *len bytes, gp_free() it. */
gp_status wire_config_set_decode(const void *bytes, size_t len, char **text, size_t *text_len,
                                 gp_err *err) GP_MUST_CHECK;

/* ---- status ---- */

typedef struct wire_iface_counts {
    uint64_t received, processed, dropped;
    uint64_t errors[3]; /* fragmented, invalid IP header, truncated */
    uint64_t lost, shared;
    uint64_t bytes_in, bytes_out;
} wire_iface_counts;

typedef struct wire_iface_status {
    const char *name, *error; /* error: why it waits, or "" */
    int capturing;
    int64_t started_ns;              /* wall clock; 0 while waiting */
    wire_iface_counts total, recent; /* since opening; since the last rotation */
    uint64_t flows, flow_bytes, ring_bytes, pending_blocks;
    int64_t last_block_s; /* 0 = none yet */
} wire_iface_status;

typedef struct wire_daemon {
    const char *host, *software;
    int64_t started_ns, now_ns;
    int64_t last_writeout_s;  /* of any kind; 0 = none yet */
    int64_t last_scheduled_s; /* by the clock; an agent that does not tell: as last_writeout_s */
    int64_t next_writeout_s;
    uint64_t writes_failed, flows_lost;
    int write_failing;
} wire_daemon;

/* d NULL: a message that only goes on with the list. */
void wire_put_status(gp_buf *out, const wire_daemon *d, const wire_iface_status *v, size_t n);

typedef struct wire_status_reply {
    wire_daemon daemon;
    wire_iface_status *v;
    size_t n;
    gp_arena *arena;
} wire_status_reply;
gp_status wire_status_decode(const void *bytes, size_t len, wire_status_reply *out,
                             gp_err *err) GP_MUST_CHECK;
void wire_status_clear(wire_status_reply *r);

/* ---- settings ---- */

typedef struct wire_insn {
    uint32_t op, jt, jf, k;
} wire_insn;

typedef struct wire_iface_config {
    const char *name;
    int promisc, ignore_vlans;
    uint32_t sample;
    uint64_t block_size, num_blocks;
    const wire_insn *filter;
    size_t n_filter;
} wire_iface_config;

void wire_put_config(gp_buf *out, const wire_iface_config *v, size_t n);

typedef struct wire_config_reply {
    wire_iface_config *v;
    size_t n;
    gp_arena *arena;
} wire_config_reply;
gp_status wire_config_decode(const void *bytes, size_t len, wire_config_reply *out,
                             gp_err *err) GP_MUST_CHECK;
void wire_config_clear(wire_config_reply *r);

/* ---- what a change of settings did ---- */

typedef enum wire_action { WIRE_ENABLED, WIRE_UPDATED, WIRE_DISABLED, WIRE_N_ACTIONS } wire_action;

typedef struct wire_change {
    const char *name, *error;
    wire_action action;
    int ok;
} wire_change;

void wire_put_changes(gp_buf *out, const wire_change *v, size_t n);

typedef struct wire_changes_reply {
    wire_change *v;
    size_t n;
    gp_arena *arena;
} wire_changes_reply;
gp_status wire_changes_decode(const void *bytes, size_t len, wire_changes_reply *out,
                              gp_err *err) GP_MUST_CHECK;
void wire_changes_clear(wire_changes_reply *r);

#endif
