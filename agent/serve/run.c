/* run.c - one allowed query: engine, batches, signed trailer. */
#include "serve_int.h"

#include "gp/clock.h"
#include "gp/mem.h"
#include "rt/log.h"
#include "wire/answer.h"
#include "wire/audit.h"
#include "wire/batch.h"

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PROGRESS_MS = 500, PARTIAL_MS = 500, DEFAULT_MAX_QUERY_MS = 30 * 60 * 1000 };

/* One answer on its way. Progress comes from engine threads while nothing else is sent. */
struct answer {
    serve *s;
    const serve_job *j;
    rpc_stream *stream;
    auth_digest digest;
    uint64_t rows;
    result out;
    gp_status st;
    gp_err err;
};

static gp_status send_msg(rpc_stream *stream, gp_buf *msg, gp_err *err)
{
    gp_status st = msg->failed ? gp_fail(err, GP_ENOMEM, 0, "answer: out of memory")
                               : rpc_stream_send(stream, msg->data, msg->len, err);
    gp_buf_free(msg);
    return st;
}

static void on_progress(void *ctx, const exec_progress *p)
{
    struct answer *a = ctx;
    gp_buf msg = {0};
    wire_progress w = {.blocks_done = p->blocks_done,
                       .blocks_total = p->blocks_total,
                       .rows = p->rows,
                       .bytes = p->bytes,
                       .hosts_total = 1};
    wire_put_progress(&msg, &w);
    (void)!send_msg(a->stream, &msg, NULL); /* a broken stream shows in the cancel flag */
}

/* Rows so far; they count for nothing, so one that can't be sent is left out. */
static void on_partial(void *ctx, const result *so_far)
{
    struct answer *a = ctx;
    gp_buf msg = {0};
    if (wire_put_snapshot(&msg, so_far, 0, 1, NULL) == GP_OK)
        (void)!send_msg(a->stream, &msg, NULL);
    gp_buf_free(&msg);
}

static void on_warn(void *ctx, const char *text)
{
    (void)ctx;
    RT_LOG_LIMITED(RT_WARN, 1000, "query: data skipped", RT_S("why", text));
}

static gp_status on_batch(void *ctx, const uint8_t *bytes, size_t len, size_t rows, gp_err *err)
{
    struct answer *a = ctx;
    gp_buf msg = {0};
    wire_digest_batch(&a->digest, bytes, len);
    a->rows += rows;
    wire_put_batch(&msg, bytes, len);
    return send_msg(a->stream, &msg, err);
}

static gp_status send_header(struct answer *a, gp_err *err)
{
    gp_buf msg = {0};
    wire_put_header(&msg, a->s->o.software, 1);
    return send_msg(a->stream, &msg, err);
}

static gp_status send_rows(struct answer *a, gp_err *err)
{
    wire_enc *enc = NULL;
    if (a->out.n_rows == 0)
        return GP_OK;
    GP_TRY(wire_enc_new(&enc, err));
    gp_status st = wire_batch_encode(enc, &a->out, a->out.rows, a->out.n_rows, on_batch, a, err);
    wire_enc_free(enc);
    return st;
}

static gp_status send_trailer(struct answer *a, gp_err *err)
{
    wire_trailer t = {.host = a->s->o.host, .host_id = a->s->o.host_id};
    uint8_t sig[AUTH_SIG];
    gp_buf body = {0}, msg = {0}, cert = {0};
    auth_chain chain;
    memcpy(t.query_id, a->j->q.id, sizeof t.query_id);
    auth_digest_final(&a->digest, t.digest);
    wire_summary_of(&a->out, &t.sum);
    t.sum.rows = a->rows;
    wire_trailer_encode(&body, &t);
    if (!body.failed) {
        auth_sign(a->s->o.identity, WIRE_SIGN_TRAILER, body.data, body.len, sig);
        auth_identity_chain(a->s->o.identity, &chain);
        auth_chain_pack(&chain, &cert);
        wire_put_trailer(&msg, body.data, body.len, sig, auth_identity_sign_pk(a->s->o.identity),
                         cert.data, cert.len, NULL, 0);
    } else {
        msg.failed = 1;
    }
    gp_buf_free(&body);
    gp_buf_free(&cert);
    return send_msg(a->stream, &msg, err);
}

/* Rows of one host never meet rows of another unless hosts are merged, so the best N of this host
 * hold all it can add to the best N of the fleet (design.md "Merging"). */
static int may_cut(const query_stmt *q)
{
    return !q->merge_hosts;
}

static unsigned partial_rows(const query_stmt *q)
{
    return q->limit < WIRE_MAX_PARTIAL_ROWS ? (unsigned)q->limit : WIRE_MAX_PARTIAL_ROWS;
}

static gp_status execute(struct answer *a, gp_err *err)
{
    serve *s = a->s;
    const query_stmt *q = a->j->stmt;
    exec_live live = s->o.live ? *s->o.live : (exec_live){0};
    union {
        char **m;
        const char *const *c;
    } names = {.m = a->j->ifaces.live};
    live.ifaces = names.c;
    exec_opts o = {.threads = s->o.limits.threads,
                   .mem_limit = s->o.limits.mem_bytes,
                   .max_rows = may_cut(q) ? q->limit : 0,
                   .text_names = 1,
                   .bin = 1, /* so that binned rows can be cut as well */
                   .cancel = rpc_stream_cancel(a->stream),
                   .host = s->o.host,
                   .host_id = s->o.host_id,
                   .live = q->live && s->o.live ? &live : NULL,
                   .progress = on_progress,
                   .progress_ctx = a,
                   .progress_ms = PROGRESS_MS,
                   .partial = a->j->partials ? on_partial : NULL,
                   .partial_ctx = a,
                   .partial_ms = PARTIAL_MS,
                   .partial_rows = partial_rows(q),
                   .warn = on_warn};
    godb_db_follow(s->o.db);
    return exec_run(s->o.db, q, &o, &a->out, err);
}

static void *low_priority(void *arg)
{
    struct answer *a = arg;
    /* Linux: the nice value belongs to the thread, and threads of the engine inherit it. */
    setpriority(PRIO_PROCESS, (id_t)gettid(), a->s->o.limits.nice);
    a->st = send_header(a, &a->err);
    if (a->st == GP_OK)
        a->st = execute(a, &a->err);
    if (a->st == GP_OK)
        a->st = send_rows(a, &a->err);
    if (a->st == GP_OK)
        a->st = send_trailer(a, &a->err);
    return NULL;
}

static rpc_code code_of(const struct answer *a)
{
    if (a->st == GP_OK)
        return RPC_OK;
    return rpc_code_from_status(a->st);
}

rpc_code serve_run(serve *s, const serve_job *j, rpc_stream *stream, gp_buf *text)
{
    struct answer a = {.s = s, .j = j, .stream = stream};
    pthread_t t;
    int64_t limit_ms = s->o.limits.max_query_ms ? s->o.limits.max_query_ms : DEFAULT_MAX_QUERY_MS;
    gp_cancel *cancel = rpc_stream_cancel(stream);
    gp_deadline own = gp_deadline_in_ms(limit_ms);
    if (own < cancel->deadline)
        cancel->deadline = own;
    auth_digest_init(&a.digest);
    int64_t start = gp_mono_ns();
    if (pthread_create(&t, NULL, low_priority, &a) == 0)
        pthread_join(t, NULL);
    else
        a.st = gp_fail(&a.err, GP_ELIMIT, 0, "no thread for the query");
    rpc_code code = code_of(&a);
    if (code != RPC_OK)
        gp_buf_adds(text, a.err.msg);
    const wire_audit_end end = {.status = code == RPC_OK ? result_code_name(a.out.status)
                                                         : rpc_code_name(code),
                                .why = code == RPC_OK ? "" : a.err.msg,
                                .rows = a.rows,
                                .took_ns = gp_mono_ns() - start};
    rt_metric_observe(s->m_seconds, (double)end.took_ns / 1e9);
    rt_metric_add(s->m_rows, a.rows);
    rt_info("query", RT_S("user", j->who.name), RT_S("query", j->q.args.query),
            RT_S("status", end.status), RT_U("rows", a.rows), RT_D("took", end.took_ns),
            RT_S("error", end.why));
    wire_audit_answer(s->o.audit, &j->who, &j->q, &end);
    result_clear(&a.out);
    return code;
}
