/* remote_int.h - connection and collected answer; private to the room. */
#ifndef REMOTE_INT_H
#define REMOTE_INT_H

#include "remote/remote.h"
#include "rpc/rpc.h"
#include "wire/batch.h"
#include "wire/query.h"

enum { REMOTE_DEFAULT_TIMEOUT_MS = 30 * 60 * 1000 };

/* One call to one server. */
typedef struct session {
    const remote_opts *o;
    rpc_runtime *rt;
    rpc_conn *conn;
    gp_deadline deadline;
    int local;   /* ipc:// */
    int refused; /* the server is too busy or stops, and has done nothing: ask it again */
} session;
gp_status remote_session_open(const remote_opts *o, session *s, gp_err *err) GP_MUST_CHECK;
void remote_session_close(session *s);
/* Start a call, hand every message to fn, wait for the status. */
gp_status remote_session_call(session *s, const char *method, const gp_buf *req, remote_msg_fn fn,
                              void *ctx, gp_err *err) GP_MUST_CHECK;

/* ---- retry.c ---- */

/* Open a session and ask; up to four times as o->pause_ms says while the server cannot be reached
 * or has set s->refused. *err of the last attempt, or GP_ECANCELLED. */
typedef gp_status (*remote_question)(session *s, void *ctx, gp_err *err);
gp_status remote_ask(const remote_opts *o, remote_question fn, void *ctx,
                     gp_err *err) GP_MUST_CHECK;

/* What has come so far. */
typedef struct answer {
    const remote_opts *o;
    const query_stmt *stmt;
    const wire_query *q;
    int local;
    result *out;
    wire_dec *dec;
    auth_digest digest; /* of all batches: checked when one agent answers by itself */
    uint64_t trailer_rows;
    uint8_t trailer_digest[AUTH_HASH];
    result_counters totals; /* over all trailers */
    size_t n_trailers;
    int has_summary;
    wire_summary agent_summary; /* borrowed from agent_msg */
    wire_answer agent_msg;      /* the last trailer, kept */
    gp_buf agent_bytes;         /* its message */
    const char **signed_ids;    /* in out's arena: name, id, name, id, ... of hosts that signed */
    size_t n_signed, cap_signed;
    result_merger *merger; /* o->verify: what the hosts' own batches add up to */
    gp_buf evidence;       /* batches whose trailer has not come yet: u32 length, bytes, ... */
    size_t n_verified;     /* trailers whose batches came */
} answer;
/* Take in one message. */
gp_status remote_answer_add(answer *a, const uint8_t *data, size_t len, gp_err *err) GP_MUST_CHECK;
/* The call ended well: check that everything fits, and finish *out. */
gp_status remote_answer_finish(answer *a, gp_err *err) GP_MUST_CHECK;
void remote_answer_clear(answer *a);

/* ---- verify.c ---- */
gp_status remote_verify_batch(answer *a, const uint8_t *batch, size_t len,
                              gp_err *err) GP_MUST_CHECK;
/* A trailer of the host called name, whose batches came before it. */
gp_status remote_verify_host(answer *a, const char *name, const wire_trailer *t,
                             gp_err *err) GP_MUST_CHECK;
/* Are the rows those that the hosts' batches make? */
gp_status remote_verify_rows(answer *a, gp_err *err) GP_MUST_CHECK;

#endif
