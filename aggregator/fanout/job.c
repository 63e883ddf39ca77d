/* job.c - the run of one query: check, route, start legs within the cap, wait, finish. */
#include "fanout_int.h"

#include "gp/cond.h"
#include "gp/mem.h"
#include "rt/log.h"

#include <string.h>

enum { TICK_MS = 5, PROGRESS_MS = 500, QUIET_MS = 1000 };

/* ---- checks; agents check again, so this is for early and clear answers ---- */

static rpc_code say(gp_buf *text, rpc_code code, const char *why)
{
    gp_buf_adds(text, why);
    return code;
}

static rpc_code check_signer(job *j, gp_buf *text)
{
    const wire_request *r = &j->req;
    gp_err err = {0};
    if (!r->has_signature)
        return say(text, RPC_UNAUTHENTICATED,
                   "queries through an aggregator must be signed (goquery --identity.key FILE)");
    if (!auth_trust_know(j->f->o.trust, r->signer, r->cert.data, r->cert.len, gp_wall_s(), &j->who))
        return say(text, RPC_PERMISSION_DENIED,
                   "the key that signed the query is not trusted here");
    if (auth_scope_signer(&j->who, &err) != GP_OK)
        return say(text, RPC_PERMISSION_DENIED, err.msg);
    if (!auth_verify(r->signer, WIRE_SIGN_QUERY, r->body.data, r->body.len, r->signature))
        return say(text, RPC_PERMISSION_DENIED,
                   "the signature does not fit the query (it was changed on the way)");
    const auth_peer *peer = rpc_stream_peer(j->stream);
    if (peer->local_uid < 0 && memcmp(peer->sign_pk, j->who.sign_pk, AUTH_SIGN_PK) != 0 &&
        !(peer->roles & AUTH_ROLE_RELAY))
        return say(text, RPC_PERMISSION_DENIED, "the caller may not relay queries of others");
    return RPC_OK;
}

/* Clock, roles and span, by the rules of the agents. */
static rpc_code check_rules(const job *j, gp_buf *text)
{
    const wire_query *q = &j->q;
    int64_t now = gp_wall_s();
    gp_err err = {0};
    gp_status st = auth_request_time(q->issued_s, q->ttl_s, now, &err);
    if (st == GP_OK)
        st = auth_scope_query(&j->who, q->args.live, q->first_s, q->last_s, now, &err);
    return st == GP_OK ? RPC_OK : say(text, RPC_PERMISSION_DENIED, err.msg);
}

static rpc_code check_hops(const job *j, gp_buf *text)
{
    for (size_t i = 0; i < j->req.n_via; i++) {
        if (memcmp(j->req.via[i], j->f->instance, 16) == 0)
            return say(text, RPC_FAILED_PRECONDITION,
                       "loop: this aggregator already passed the query on");
    }
    if (j->req.n_via + 1 >= WIRE_MAX_HOPS)
        return say(text, RPC_FAILED_PRECONDITION, "too many aggregators in a row");
    return RPC_OK;
}

static rpc_code check(job *j, gp_buf *text)
{
    gp_err err = {0};
    rpc_code code = check_signer(j, text);
    if (code != RPC_OK)
        return code;
    gp_status st = wire_query_decode(j->req.body.data, j->req.body.len, &j->q, &err);
    if (st != GP_OK)
        return say(text, st == GP_EUNSUPPORTED ? RPC_UNIMPLEMENTED : RPC_INVALID_ARGUMENT, err.msg);
    const char *want = j->f->o.fleet_name, *got = j->q.fleet ? j->q.fleet : "";
    if (want && *want && *got && strcmp(want, got) != 0)
        return say(text, RPC_PERMISSION_DENIED, "the query was signed for another fleet");
    code = check_rules(j, text);
    if (code == RPC_OK)
        code = check_hops(j, text);
    if (code != RPC_OK)
        return code;
    st = wire_query_to_stmt(&j->q, gp_wall_s(), &j->stmt, &err);
    return st == GP_OK ? RPC_OK : say(text, rpc_code_from_status(st), err.msg);
}

/* ---- the run ---- */

/* Start as many hosts as the caps and the other users leave room for. */
static void start_legs(job *j)
{
    size_t left = j->n_legs - j->next_leg, room = j->f->o.limits.max_in_flight - j->in_flight;
    unsigned want = (unsigned)(left < room ? left : room);
    unsigned got = want ? fair_calls_take(j->fair, want) : 0;
    for (unsigned i = 0; i < got; i++) {
        leg *l = &j->legs[j->next_leg++];
        j->in_flight++;
        l->counted = l->in_flight = 1;
        l->begun_ms = gp_mono_ms();
        fanout_leg_start(l);
    }
}

/* All events that are there; waits for the first at most until it is time to look whether the
 * caller has given up, or whether it is our turn again. */
static leg *take_events(job *j)
{
    pthread_mutex_lock(&j->lock);
    if (!j->events)
        (void)gp_cond_wait(&j->wakeup, &j->lock, gp_deadline_in_ms(TICK_MS));
    leg *l = j->events;
    j->events = NULL;
    j->events_tail = &j->events;
    pthread_mutex_unlock(&j->lock);
    return l;
}

/* A leg that says nothing any more gives back the places it took. */
static void end_leg(job *j, leg *l)
{
    l->state = LEG_FINISHED;
    j->in_flight -= (size_t)l->in_flight;
    fair_calls_give(j->fair, (unsigned)l->counted);
    l->in_flight = l->counted = 0;
    j->finished++;
}

static void finish_leg(job *j, leg *l)
{
    fanout_leg_release(l);
    end_leg(j, l);
}

static gp_status handle_events(job *j, leg *l, gp_err *err)
{
    while (l) {
        leg *next = l->next_event;
        if (l->state == LEG_READY) {
            fanout_leg_call(l);
        } else {
            gp_status st = fanout_collect(j, l, err);
            finish_leg(j, l);
            GP_TRY(st);
        }
        l = next;
    }
    return GP_OK;
}

/* Hosts whose time is over before there is a connection. */
static gp_status give_up_connecting(job *j, gp_err *err)
{
    gp_deadline next = GP_NEVER;
    if (!gp_deadline_passed(j->connect_until))
        return GP_OK;
    for (size_t i = 0; i < j->next_leg; i++) {
        leg *l = &j->legs[i];
        if (l->until < next && !gp_deadline_passed(l->until))
            next = l->until;
        if (!gp_deadline_passed(l->until) || l->gone || !fanout_leg_abandon(l))
            continue;
        finish_leg(j, l);
        GP_TRY(fanout_fail_host(j, l->name, RESULT_TIMEOUT, "no connection within the time allowed",
                                err));
    }
    j->connect_until = next;
    return GP_OK;
}

/* Hosts that say nothing, or can't be reached, don't keep others waiting: after a moment they are
 * not among those asked at once any more. */
static void pass_over_quiet(job *j)
{
    int64_t now = gp_mono_ms();
    if (j->next_leg == j->n_legs || now < j->next_quiet_ms)
        return;
    j->next_quiet_ms = now + QUIET_MS / 10;
    for (size_t i = 0; i < j->next_leg; i++) {
        leg *l = &j->legs[i];
        if (!l->in_flight || now - l->begun_ms < QUIET_MS || atomic_load(&l->heard))
            continue;
        l->in_flight = 0;
        j->in_flight--;
    }
}

static int partial_due(job *j)
{
    pthread_mutex_lock(&j->lock);
    int early = j->early_due;
    pthread_mutex_unlock(&j->lock);
    return j->partial_due || early;
}

static gp_status tick(job *j, gp_err *err)
{
    int64_t now = gp_mono_ms();
    if (now >= j->next_progress_ms && j->finished < j->n_legs) {
        j->next_progress_ms = now + PROGRESS_MS;
        GP_TRY(fanout_send_progress(j, err));
    }
    if (j->req.partials && partial_due(j) && now >= j->next_partial_ms && j->finished < j->n_legs) {
        pthread_mutex_lock(&j->lock);
        j->early_due = 0;
        pthread_mutex_unlock(&j->lock);
        j->partial_due = 0;
        GP_TRY(fanout_send_partial(j, err));
        /* A snapshot of many rows costs; never spend more than a fifth of the time on them. */
        int64_t took = gp_mono_ms() - now;
        j->next_partial_ms =
            now + (took * 5 > j->f->o.limits.partial_ms ? took * 5 : j->f->o.limits.partial_ms);
    }
    return GP_OK;
}

/* Callbacks that still come find the job over; then every leg is ours. */
static void close_legs(job *j)
{
    pthread_mutex_lock(&j->lock);
    j->over = 1;
    pthread_mutex_unlock(&j->lock);
    for (size_t i = 0; i < j->next_leg; i++) {
        leg *l = &j->legs[i];
        if (l->call)
            rpc_call_cancel(l->call); /* all first, so that hosts stop at the same time */
    }
}

/* Hosts that did not make it in time; then let go of everything. */
static gp_status give_up_on_rest(job *j, const char *why, gp_err *err)
{
    gp_status st = GP_OK;
    close_legs(j);
    for (size_t i = 0; i < j->n_legs; i++) {
        leg *l = &j->legs[i];
        pthread_mutex_lock(&j->lock); /* a callback may be writing it */
        enum leg_state was = l->state;
        pthread_mutex_unlock(&j->lock);
        if (was == LEG_FINISHED)
            continue;
        if (was != LEG_CONNECTING)
            fanout_leg_release(l); /* waits for a running callback */
        end_leg(j, l);
        if (why && st == GP_OK)
            st = fanout_fail_host(j, l->name, RESULT_TIMEOUT,
                                  was == LEG_NEW ? "there was no time left to ask it" : why, err);
    }
    return st;
}

static gp_status run_legs(job *j, gp_err *err)
{
    gp_cancel *cancel = rpc_stream_cancel(j->stream);
    while (j->finished < j->n_legs) {
        start_legs(j);
        leg *l = take_events(j);
        GP_TRY(handle_events(j, l, err));
        gp_status st = gp_cancel_check(cancel);
        if (st != GP_OK)
            return gp_fail(err, st, 0, "the query was given up");
        if (gp_deadline_passed(j->wait_until))
            return give_up_on_rest(j, "no answer within the time allowed", err);
        GP_TRY(give_up_connecting(j, err));
        pass_over_quiet(j);
        GP_TRY(tick(j, err));
    }
    return GP_OK;
}

static gp_status begin(job *j, gp_err *err)
{
    gp_buf msg = {0};
    wire_request r = j->req; /* borrows */
    r.targets = NULL;
    r.evidence = 0;
    memcpy(r.via[r.n_via++], j->f->instance, 16);
    GP_TRY(wire_request_encode(&r, &j->relay, err));
    r.partials = 0;
    if (j->req.partials)
        GP_TRY(wire_request_encode(&r, &j->relay_plain, err));
    GP_TRY(fanout_acc_new(j->stmt, &j->quota, &j->acc, err));
    GP_TRY(wire_dec_new(&j->dec, err));
    int64_t wait = j->f->o.limits.max_wait_ms;
    if (j->q.max_wait_ms > 0 && j->q.max_wait_ms < wait)
        wait = j->q.max_wait_ms;
    j->wait_until = gp_deadline_in_ms(wait);
    j->connect_until = GP_NEVER;
    j->next_partial_ms = 0; /* the first rows as soon as they are there */
    j->next_progress_ms = gp_mono_ms() + PROGRESS_MS;
    GP_TRY(fanout_route(j, err));
    wire_put_header(&msg, j->f->o.software, (uint32_t)j->n_legs);
    return fanout_send(j, &msg, err);
}

static gp_status finish(job *j, gp_err *err)
{
    if (j->q.min_hosts > j->n_ok)
        return gp_fail(err, GP_EUNAVAILABLE, 0, "%u of %u hosts answered, at least %u are wanted",
                       j->n_ok, j->n_ok + j->n_failed, j->q.min_hosts);
    return fanout_send_final(j, err);
}

static job *job_new(fanout *f, rpc_stream *s)
{
    job *j = gp_calloc(1, sizeof *j);
    if (!j)
        return NULL;
    j->f = f;
    j->stream = s;
    j->events_tail = &j->events;
    atomic_store(&j->refs, 1);
    pthread_mutex_init(&j->lock, NULL);
    gp_cond_init(&j->wakeup);
    return j;
}

static int quota_take(void *ctx, uint64_t bytes)
{
    return fair_bytes_take(((job *)ctx)->fair, bytes);
}

static void quota_give(void *ctx, uint64_t bytes)
{
    fair_bytes_give(((job *)ctx)->fair, bytes);
}

static rpc_code run(job *j, gp_buf *text)
{
    gp_err err = {0};
    int64_t start = gp_mono_ns();
    j->quota = (result_quota){quota_take, quota_give, j};
    gp_status st = begin(j, &err);
    if (st == GP_OK)
        st = run_legs(j, &err);
    if (st == GP_OK)
        st = finish(j, &err);
    int unclean = st != GP_OK;
    if (unclean)
        (void)!give_up_on_rest(j, NULL, NULL);
    fanout_acc_free(j->acc);
    j->acc = NULL;
    if (st != GP_OK)
        gp_buf_adds(text, err.msg);
    if (st == GP_ELIMIT && fair_why(j->fair))
        gp_buf_printf(text, " (%s)", fair_why(j->fair));
    const wire_audit_end end = {.status = gp_status_name(st),
                                .why = st == GP_OK ? "" : err.msg,
                                .rows = j->rows,
                                .hosts_ok = j->n_ok,
                                .hosts_failed = j->n_failed,
                                .took_ns = gp_mono_ns() - start};
    rt_metric_observe(j->f->m_seconds, (double)end.took_ns / 1e9);
    rt_info("query", RT_S("user", j->who.name), RT_S("query", j->q.args.query),
            RT_S("hosts", j->q.hosts), RT_U("ok", j->n_ok), RT_U("failed", j->n_failed),
            RT_S("status", end.status), RT_D("took", end.took_ns), RT_S("error", end.why));
    wire_audit_answer(j->f->o.audit, &j->who, &j->q, &end);
    return rpc_code_from_status(st);
}

/* Taken or refused: that stands in the log before anything runs. */
static void audit(const job *j, rpc_code code, gp_buf *text)
{
    const auth_peer *peer = rpc_stream_peer(j->stream);
    if (code == RPC_OK)
        wire_audit_query(j->f->o.audit, peer, &j->who, &j->q, NULL, NULL);
    else
        wire_audit_query(j->f->o.audit, peer, &j->who, &j->q, rpc_code_name(code),
                         gp_buf_str(text));
}

/* One that was checked: wait for a place, run. */
static rpc_code admit_and_run(job *j, gp_buf *text)
{
    fanout *f = j->f;
    gp_err err = {0};
    gp_status st = fair_enter(f->fair, &j->who, rpc_stream_cancel(j->stream), &j->fair, &err);
    if (st != GP_OK) {
        rt_metric_add(f->m_outcome[3], 1);
        say(text, rpc_code_from_status(st), err.msg);
        audit(j, rpc_code_from_status(st), text);
        return rpc_code_from_status(st);
    }
    audit(j, RPC_OK, text);
    rpc_code code = run(j, text);
    rt_metric_add(f->m_outcome[code == RPC_OK ? 0 : 1], 1);
    fair_leave(j->fair);
    j->fair = NULL;
    return code;
}

rpc_code fanout_on_query(void *ctx, rpc_stream *s, const uint8_t *req, size_t len, gp_buf *text)
{
    fanout *f = ctx;
    gp_err err = {0};
    job *j = job_new(f, s);
    if (!j)
        return say(text, RPC_RESOURCE_EXHAUSTED, "out of memory");
    rpc_code code;
    if (wire_request_decode(req, len, &j->req, &err) != GP_OK)
        code = say(text, RPC_INVALID_ARGUMENT, err.msg);
    else
        code = check(j, text);
    if (code == RPC_OK) {
        code = admit_and_run(j, text);
    } else {
        rt_metric_add(f->m_outcome[2], 1);
        audit(j, code, text);
    }
    if (code != RPC_OK) {
        const char *why = gp_buf_str(text);
        RT_LOG_LIMITED(RT_WARN, 1000, "query failed", RT_S("peer", rpc_stream_peer(s)->name),
                       RT_S("user", j->who.name), RT_S("code", rpc_code_name(code)),
                       RT_S("why", why));
    }
    fanout_job_put(j);
    return code;
}
