/* leg.c - one host of a query: connect, call, keep what it says until it is done. */
#include "fanout_int.h"

#include "gp/mem.h"
#include "wire/features.h"
#include "wire/limits.h"

#include <stdio.h>
#include <string.h>

void fanout_job_put(job *j)
{
    if (atomic_fetch_sub(&j->refs, 1) != 1)
        return;
    for (size_t i = 0; i < j->n_legs; i++)
        fanout_leg_clear(&j->legs[i]);
    gp_free(j->legs);
    fanout_acc_free(j->acc);
    wire_dec_free(j->dec);
    wire_request_clear(&j->req);
    wire_query_clear(&j->q);
    query_stmt_free(j->stmt);
    gp_buf_free(&j->relay);
    gp_buf_free(&j->relay_plain);
    pthread_cond_destroy(&j->wakeup);
    pthread_mutex_destroy(&j->lock);
    gp_free(j);
}

/* Put the leg on the job's list, unless the job is over and nobody will look. Lock held. */
static void post_locked(leg *l, enum leg_state s)
{
    job *j = l->job;
    l->state = s;
    if (j->over)
        return;
    l->next_event = NULL;
    *j->events_tail = l;
    j->events_tail = &l->next_event;
    pthread_cond_signal(&j->wakeup);
}

static void post(leg *l, enum leg_state s)
{
    pthread_mutex_lock(&l->job->lock);
    post_locked(l, s);
    pthread_mutex_unlock(&l->job->lock);
}

static void on_connected(void *ctx, fleet_link *link, gp_status st, const char *why)
{
    leg *l = ctx;
    job *j = l->job;
    pthread_mutex_lock(&j->lock);
    int live = !j->over && !l->gone;
    if (live) {
        l->link = link;
        if (st != GP_OK) {
            l->code = rpc_code_from_status(st);
            snprintf(l->text, sizeof l->text, "%s", why);
        }
        post_locked(l, st == GP_OK ? LEG_READY : LEG_DONE);
    }
    pthread_mutex_unlock(&j->lock);
    if (!live)
        fleet_link_put(link);
    fanout_job_put(j);
}

int fanout_leg_abandon(leg *l)
{
    pthread_mutex_lock(&l->job->lock);
    l->gone = l->state == LEG_CONNECTING;
    pthread_mutex_unlock(&l->job->lock);
    return l->gone;
}

void fanout_leg_start(leg *l)
{
    job *j = l->job;
    l->state = LEG_CONNECTING;
    l->until = gp_deadline_in_ms(l->timeout_ms);
    if (j->wait_until < l->until)
        l->until = j->wait_until;
    if (l->until < j->connect_until)
        j->connect_until = l->until;
    atomic_fetch_add(&j->refs, 1);
    fleet_connect(j->f->o.fleet, l->id, on_connected, l);
}

/* ---- what the host says; on an internal RPC thread ---- */

/* Room for n more bytes in b; 0 when over the memory of the query. Buffers grow by doubling, and
 * what they hold is what counts. */
static int reserve(leg *l, gp_buf *b, size_t n)
{
    size_t before = b->cap;
    if (gp_buf_reserve(b, n)) {
        if (b->cap == before)
            return 1;
        if (fair_bytes_take(l->job->fair, b->cap - before)) {
            l->bytes += b->cap - before;
            return 1;
        }
    }
    l->malformed = 1;
    snprintf(l->text, sizeof l->text, "its answer does not fit the memory allowed");
    return 0;
}

/* Keep bytes with their length in front. */
static int keep(leg *l, gp_buf *b, const void *bytes, size_t len)
{
    uint8_t n[4];
    if (!reserve(l, b, len + sizeof n))
        return 0;
    gp_put_le32(n, (uint32_t)len);
    gp_buf_add(b, n, sizeof n);
    gp_buf_add(b, bytes, len);
    return 1;
}

/* ---- snapshots: they count for nothing, so one that does not fit is left out ---- */

static void drop_snapshot(leg *l, gp_buf take)
{
    fair_bytes_give(l->job->fair, take.cap);
    gp_buf_free(&take);
}

static void keep_snapshot(leg *l, const uint8_t *data, size_t len)
{
    gp_buf fresh = {0};
    gp_buf_add(&fresh, data, len);
    if (fresh.failed || !fair_bytes_take(l->job->fair, fresh.cap)) {
        gp_buf_free(&fresh);
        return;
    }
    pthread_mutex_lock(&l->job->lock);
    gp_buf old = l->early;
    l->early = fresh;
    l->job->early_due = 1;
    pthread_mutex_unlock(&l->job->lock);
    drop_snapshot(l, old);
}

gp_buf fanout_leg_early_take(leg *l)
{
    pthread_mutex_lock(&l->job->lock);
    gp_buf b = l->early;
    l->early = (gp_buf){0};
    pthread_mutex_unlock(&l->job->lock);
    return b;
}

void fanout_leg_early_put(leg *l, gp_buf take)
{
    pthread_mutex_lock(&l->job->lock);
    if (!l->early.len) {
        l->early = take;
        take = (gp_buf){0};
    }
    pthread_mutex_unlock(&l->job->lock);
    drop_snapshot(l, take);
}

void fanout_leg_early_drop(leg *l)
{
    drop_snapshot(l, fanout_leg_early_take(l));
}

static int on_message(leg *l, const uint8_t *data, size_t len)
{
    wire_answer a = {0};
    gp_err err = {0};
    int ok = 1;
    if (wire_answer_decode(data, len, &a, &err) != GP_OK) {
        l->malformed = 1;
        snprintf(l->text, sizeof l->text, "%s", err.msg);
        return 0;
    }
    switch (a.kind) {
    case WIRE_BATCH:
        wire_digest_batch(&l->digest, a.u.batch.data, a.u.batch.len);
        ok = keep(l, &l->batches, a.u.batch.data, a.u.batch.len);
        break;
    case WIRE_EVIDENCE: /* of hosts behind an aggregator, in front of their trailers */
    case WIRE_TRAILER:
    case WIRE_HOST:
        ok = keep(l, &l->notes, data, len);
        break;
    case WIRE_SUMMARY:
        gp_buf_clear(&l->summary);
        ok = reserve(l, &l->summary, len);
        if (ok)
            gp_buf_add(&l->summary, data, len);
        break;
    case WIRE_PARTIAL:
        keep_snapshot(l, data, len);
        break;
    case WIRE_PROGRESS:
        pthread_mutex_lock(&l->job->lock);
        l->progress = a.u.progress;
        pthread_mutex_unlock(&l->job->lock);
        break;
    default:
        break; /* header, kinds of later versions */
    }
    wire_answer_clear(&a);
    return ok;
}

static void on_event(void *ctx, rpc_call *call, const rpc_event *ev)
{
    leg *l = ctx;
    if (ev->kind == RPC_EV_MSG) {
        atomic_store_explicit(&l->heard, 1, memory_order_relaxed);
        if (!l->malformed && !on_message(l, ev->data, ev->len))
            rpc_call_cancel(call);
        return;
    }
    l->code = ev->code;
    if (ev->code != RPC_OK && !l->malformed)
        snprintf(l->text, sizeof l->text, "%s",
                 ev->text && *ev->text ? ev->text : rpc_code_name(ev->code));
    post(l, LEG_DONE);
}

/* What an aggregator below gets: its part of the selector. One of an older version knows no parts
 * and takes all of it, or can't be asked. */
static gp_status encode_for_child(leg *l, uint32_t has, gp_buf *out, gp_err *err)
{
    wire_request r = l->job->req; /* borrows */
    const char *all = r.targets ? r.targets : l->job->q.hosts ? l->job->q.hosts : "";
    r.targets = l->targets;
    if (!(has & WIRE_F_TARGETS)) {
        if (strcmp(l->targets, all) != 0)
            return gp_fail(err, GP_EUNSUPPORTED, 0,
                           "it is of an older version, which can't be asked for a part of the "
                           "hosts; update it");
        r.targets = NULL;
    }
    if (r.evidence && !(has & WIRE_F_EVIDENCE))
        return gp_fail(err, GP_EUNSUPPORTED, 0,
                       "it is of an older version, which does not pass on what the hosts signed; "
                       "update it");
    r.partials = r.partials && (has & WIRE_F_PARTIALS);
    memcpy(r.via[r.n_via++], l->job->f->instance, 16); /* room was checked */
    GP_TRY(wire_request_encode(&r, out, err));
    if (strlen(l->targets) > WIRE_MAX_TARGETS || out->len > WIRE_MAX_REQUEST)
        return gp_fail(err, GP_EINVAL, 0,
                       "too many names of hosts behind it; use any, a glob or fewer names");
    return GP_OK;
}

void fanout_leg_call(leg *l)
{
    job *j = l->job;
    gp_err err = {0};
    gp_buf own = {0};
    auth_digest_init(&l->digest);
    uint32_t has = rpc_conn_features(fleet_link_conn(l->link));
    gp_status st = l->targets ? encode_for_child(l, has, &own, &err) : GP_OK;
    const gp_buf *body = l->targets                                    ? &own
                         : j->req.partials && !(has & WIRE_F_PARTIALS) ? &j->relay_plain
                                                                       : &j->relay;
    l->state = LEG_CALLING;
    if (st == GP_OK)
        st = rpc_call_start(fleet_link_conn(l->link), "query", body->data, body->len, l->until,
                            on_event, l, &l->call, &err);
    gp_buf_free(&own);
    if (st != GP_OK) {
        l->call = NULL;
        l->code = rpc_code_from_status(st);
        snprintf(l->text, sizeof l->text, "%s", err.msg);
        post(l, LEG_DONE);
    }
}

/* ---- end ---- */

void fanout_leg_release(leg *l)
{
    rpc_call_free(l->call); /* no callback after this */
    l->call = NULL;
    fleet_link_put(l->link);
    l->link = NULL;
    gp_buf_free(&l->batches);
    gp_buf_free(&l->notes);
    gp_buf_free(&l->summary);
    fanout_leg_early_drop(l);
    fair_bytes_give(l->job->fair, l->bytes);
    l->bytes = 0;
}

void fanout_leg_clear(leg *l)
{
    gp_free(l->id);
    gp_free(l->name);
    gp_free(l->targets);
    gp_buf_free(&l->batches);
    gp_buf_free(&l->notes);
    gp_buf_free(&l->summary);
    gp_buf_free(&l->early);
}
