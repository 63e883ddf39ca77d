/* read.c - input of a connection: bytes to records to frames. Runs only in the receive callback.
 *
 * An idle connection reads into 1 KiB of its own; a long record borrows a 64 KiB block, a busy
 * stream a 256 KiB buffer. Records that lie inside the payload of a big message are decrypted
 * straight into the message. Every length is checked before memory is taken for it. */
#include "gp/mem.h"
#include "internal.h"

#include <string.h>

/* ---- frames ---- */

/* Give up what the frame being read has taken. */
static void drop_partial(rpc_conn *c)
{
    rpc_reader *r = &c->r;
    if (r->msg || r->call)
        rpc_call_msg_drop(r->call, r->msg);
    if (r->stream)
        rpc_stream_drop(r->stream);
    gp_free(r->scratch);
    r->msg = NULL;
    r->call = NULL;
    r->stream = NULL;
    r->scratch = NULL;
}

static void next_head(rpc_reader *r)
{
    r->phase = RD_HEAD;
    r->head_len = 0;
    r->head_need = RPC_FRAME_HEAD;
}

static void body_into(rpc_reader *r, uint8_t *dst, size_t len)
{
    r->phase = RD_BODY;
    r->body = dst;
    r->body_off = 0;
    r->body_len = len;
}

static void skip(rpc_reader *r, size_t len)
{
    r->phase = RD_SKIP;
    r->body_off = 0;
    r->body_len = len;
}

static gp_status on_goaway(rpc_conn *c, const rpc_head *h, const uint8_t *p)
{
    char text[RPC_MAX_STATUS_TEXT + 1];
    rpc_text_clean(p + RPC_GOAWAY_FIXED, h->len - RPC_GOAWAY_FIXED, text);
    pthread_mutex_lock(&c->lock);
    c->goaway_in = 1;
    rpc_calls_end_all(c, gp_be32(p), RPC_UNAVAILABLE, *text ? text : "the peer is shutting down");
    rpc_conn_maybe_finish(c);
    pthread_mutex_unlock(&c->lock);
    return GP_OK;
}

/* A frame other than CALL and MSG, with its whole payload. */
static gp_status on_small(rpc_conn *c, const rpc_head *h, const uint8_t *p, gp_err *err)
{
    switch (h->type) {
    case RPC_F_STATUS:
        return h->stream ? rpc_call_status(c, h, p, err) : rpc_hs_welcome(c, h, p, err);
    case RPC_F_CANCEL:
        return rpc_stream_cancelled(c, h->stream, err);
    case RPC_F_CREDIT:
        return rpc_stream_credit(c, h->stream, gp_be32(p), err);
    case RPC_F_PING:
        rpc_write(c, RPC_F_PONG, 0, 0, p, RPC_PING_LEN);
        return GP_OK;
    case RPC_F_PONG:
        return GP_OK; /* any byte received counts as a sign of life */
    case RPC_F_GOAWAY:
        return on_goaway(c, h, p);
    case RPC_F_CALL:
    case RPC_F_MSG:
        break;
    }
    return gp_fail(err, GP_ECORRUPT, 0, "protocol error: unexpected frame");
}

static gp_status begin_msg(rpc_conn *c, gp_err *err)
{
    rpc_reader *r = &c->r;
    gp_status st = rpc_call_msg_begin(c, &r->h, &r->call, &r->msg, err);
    if (st == GP_ENOTFOUND) {
        skip(r, r->h.len);
        return GP_OK;
    }
    GP_TRY(st);
    body_into(r, r->msg->data, r->h.len);
    return GP_OK;
}

/* The header is complete: check, and decide where the payload goes. *p, *n: bytes that follow. */
static gp_status begin_frame(rpc_conn *c, const uint8_t **p, size_t *n, gp_err *err)
{
    rpc_reader *r = &c->r;
    GP_TRY(rpc_head_parse(r->head, &r->h, err));
    if (r->stage == RS_WELCOME && (r->h.type != RPC_F_STATUS || r->h.stream != 0))
        return gp_fail(err, GP_ECORRUPT, 0, "protocol error: frame before the welcome");
    if (r->h.type == RPC_F_MSG)
        return begin_msg(c, err);
    if (r->h.type == RPC_F_CALL) {
        r->phase = RD_CALL_HEAD;
        r->head_len = 0;
        r->head_need = RPC_CALL_FIXED;
        return GP_OK;
    }
    if (*n >= r->h.len) {
        const uint8_t *payload = *p;
        *p += r->h.len;
        *n -= r->h.len;
        next_head(r);
        return on_small(c, &r->h, payload, err);
    }
    r->scratch = gp_alloc(r->h.len, 1); /* <= RPC_MAX_SMALL */
    if (!r->scratch)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    body_into(r, r->scratch, r->h.len);
    return GP_OK;
}

/* The fixed part and name of a CALL are in r->head: find the method, take memory for the request.
 */
static gp_status begin_call(rpc_conn *c, gp_err *err)
{
    rpc_reader *r = &c->r;
    rpc_call_head ch = {0};
    uint8_t *body = NULL;
    GP_TRY(rpc_call_head_parse(r->head, r->head_len, r->h.len, &ch, &r->head_need, err));
    if (r->head_len < r->head_need)
        return GP_OK;
    size_t rest = r->h.len - r->head_need;
    GP_TRY(rpc_stream_begin(c, &r->h, &ch, &r->stream, &body, err));
    if (r->stream)
        body_into(r, body, rest);
    else
        skip(r, rest);
    return GP_OK;
}

static gp_status end_body(rpc_conn *c, gp_err *err)
{
    rpc_reader *r = &c->r;
    gp_status st = GP_OK;
    if (r->msg) {
        rpc_call *call = r->call;
        rpc_msg *msg = r->msg;
        r->call = NULL;
        r->msg = NULL;
        next_head(r);
        rpc_call_msg_end(call, msg);
    } else if (r->stream) {
        struct rpc_stream *s = r->stream;
        r->stream = NULL;
        next_head(r);
        rpc_stream_run(s);
    } else {
        next_head(r);
        st = on_small(c, &r->h, r->scratch, err);
        gp_free(r->scratch);
        r->scratch = NULL;
    }
    return st;
}

static size_t take(uint8_t *dst, size_t have, size_t want, const uint8_t **p, size_t *n)
{
    size_t m = want - have < *n ? want - have : *n;
    memcpy(dst + have, *p, m);
    *p += m;
    *n -= m;
    return m;
}

/* Plaintext of one record. */
static gp_status feed(rpc_conn *c, const uint8_t *p, size_t n, gp_err *err)
{
    rpc_reader *r = &c->r;
    do {
        switch (r->phase) {
        case RD_HEAD:
        case RD_CALL_HEAD:
            r->head_len += take(r->head, r->head_len, r->head_need, &p, &n);
            if (r->head_len < r->head_need)
                return GP_OK;
            if (r->phase == RD_HEAD)
                GP_TRY(begin_frame(c, &p, &n, err));
            else
                GP_TRY(begin_call(c, err));
            break;
        case RD_BODY:
            r->body_off += take(r->body, r->body_off, r->body_len, &p, &n);
            break;
        case RD_SKIP: {
            size_t m = r->body_len - r->body_off < n ? r->body_len - r->body_off : n;
            r->body_off += m;
            p += m;
            n -= m;
            break;
        }
        }
        if (r->phase == RD_BODY && r->body_off == r->body_len)
            GP_TRY(end_body(c, err));
        else if (r->phase == RD_SKIP && r->body_off == r->body_len)
            next_head(r);
    } while (n);
    return GP_OK;
}

/* ---- records ---- */

static gp_status on_record(rpc_conn *c, uint8_t *rec, size_t len, gp_err *err)
{
    rpc_reader *r = &c->r;
    if (r->stage == RS_HANDSHAKE)
        return rpc_hs_message(c, rec, len, err);
    if (len <= AUTH_NOISE_TAG)
        return gp_fail(err, GP_ECORRUPT, 0, "protocol error: empty record");
    size_t plain = len - AUTH_NOISE_TAG;
    if (r->phase == RD_BODY && r->body_len - r->body_off >= plain && plain >= DIRECT_MIN) {
        GP_TRY(auth_noise_decrypt(c->noise, rec, len, r->body + r->body_off, err));
        r->body_off += plain;
        return r->body_off == r->body_len ? end_body(c, err) : GP_OK;
    }
    GP_TRY(auth_noise_decrypt(c->noise, rec, len, rec, err));
    return feed(c, rec, plain, err);
}

/* All complete records in the buffer. A connection closed meanwhile is noticed at the next receive.
 */
static gp_status consume(rpc_conn *c, gp_err *err)
{
    rpc_reader *r = &c->r;
    size_t at = 0;
    while (r->len - at >= 2) {
        size_t n = gp_be16(r->buf + at);
        if (r->stage == RS_HANDSHAKE && n > rpc_hs_max_message(c))
            return gp_fail(err, GP_EDENIED, 0,
                           "the peer does not speak fleetprobe (first message of %zu bytes)", n);
        if (r->len - at - 2 < n)
            break;
        GP_TRY(on_record(c, r->buf + at + 2, n, err));
        at += 2 + n;
    }
    if (at && r->len > at)
        memmove(r->buf, r->buf + at, r->len - at);
    r->len -= at;
    return GP_OK;
}

/* ---- buffers ---- */

static void use_buf(rpc_reader *r, uint8_t *buf, size_t cap)
{
    if (r->len && buf != r->buf)
        memcpy(buf, r->buf, r->len);
    r->buf = buf;
    r->cap = cap;
}

static void give_back(rpc_conn *c)
{
    rpc_reader *r = &c->r;
    if (r->medium && r->buf != r->medium->data) {
        rpc_block_put(c->rt->blocks, r->medium);
        r->medium = NULL;
    }
    if (r->bulk && r->buf != r->bulk) {
        rpc_bulk_put(c->rt->blocks, r->bulk);
        r->bulk = NULL;
    }
}

/* Choose the buffer for the next receive. last: bytes of the receive before, filled: they filled
 * the buffer, so more is waiting. */
static gp_status choose_buf(rpc_conn *c, size_t last, int filled, gp_err *err)
{
    rpc_reader *r = &c->r;
    size_t need = r->len >= 2 ? 2u + gp_be16(r->buf) : 2;
    if (r->buf == r->small ? (filled || need > SMALL_READ) : (filled && !r->bulk)) {
        if (r->buf == r->small && (r->medium = rpc_block_get(c->rt->blocks)) != NULL)
            use_buf(r, r->medium->data, RPC_RECORD_MAX);
        else if (r->buf != r->small && (r->bulk = rpc_bulk_get(c->rt->blocks)) != NULL)
            use_buf(r, r->bulk, RPC_READ_BULK);
        else if (need > r->cap)
            return gp_fail(err, GP_ENOMEM, 0, "out of memory for input");
    } else if (r->buf != r->small && r->len == 0 && last < SMALL_READ) {
        use_buf(r, r->small, SMALL_READ);
    }
    give_back(c);
    return GP_OK;
}

static void post(rpc_conn *c)
{
    c->link->ops->recv(c->link, c->r.buf + c->r.len, c->r.cap - c->r.len);
}

/* Keep reading unless the peer leaves our answers lying; 1 when it was paused. */
static int pause_if_congested(rpc_conn *c)
{
    pthread_mutex_lock(&c->wlock);
    int pause = c->w.queued > OUT_PAUSE && !c->w.closed;
    c->w.rx_paused = pause;
    pthread_mutex_unlock(&c->wlock);
    return pause;
}

void rpc_read_resume(rpc_conn *c)
{
    post(c);
}

static gp_status received(rpc_conn *c, size_t n, gp_err *err)
{
    rpc_reader *r = &c->r;
    atomic_fetch_add_explicit(&c->rt->stats.bytes_in, n, memory_order_relaxed);
    atomic_store_explicit(&c->rx_ns, gp_mono_ns(), memory_order_relaxed);
    r->len += n;
    int filled = r->len == r->cap;
    rpc_cork(c);
    gp_status st = consume(c, err);
    rpc_uncork(c);
    if (st == GP_OK)
        st = choose_buf(c, n, filled, err);
    return st;
}

void rpc_on_received(void *arg, gp_status st, size_t n)
{
    rpc_conn *c = arg;
    gp_err err = {0};
    if (st != GP_OK) {
        rpc_conn_shutdown(c, st, "%s: connection closed by the peer", c->link->peer);
    } else if ((st = received(c, n, &err)) != GP_OK) {
        rpc_conn_shutdown(c, st, "%s: %s", c->link->peer, err.msg);
    }
    if (st != GP_OK) {
        drop_partial(c);
        rpc_conn_io_done(c);
        return;
    }
    if (!pause_if_congested(c))
        post(c);
}

void rpc_read_free(rpc_conn *c)
{
    rpc_reader *r = &c->r;
    drop_partial(c);
    r->buf = r->small;
    r->len = 0;
    give_back(c);
}
