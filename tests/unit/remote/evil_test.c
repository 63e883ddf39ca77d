/* evil_test.c - a server that lies: the client must not show what the hosts did not sign. */
#include "remote/remote.h"

#include "auth/digest.h"
#include "gp/clock.h"
#include "rpc/rpc.h"
#include "test.h"
#include "wire/batch.h"
#include "wire/features.h"
#include "wire/query.h"

enum lie {
    HONEST,
    OTHER_QUERY,     /* a trailer of another query */
    UNSIGNED,        /* a trailer without signature */
    STRANGER,        /* signed by a key that the client does not trust */
    BY_AGGREGATOR,   /* signed by the aggregator itself */
    CHANGED_TRAILER, /* totals changed after signing */
    WRONG_TOTALS,    /* summary says more than the hosts */
    EXTRA_HOST,      /* rows of a host without trailer */
    WRONG_ID,        /* rows with the id of another host */
    TWICE,           /* the same host counted twice */
    ROW_COUNT,       /* summary counts a row too many */
    NO_SUMMARY,      /* ends without a summary, two trailers */
    NOTHING,         /* ends at once */
    AFTER_THE_END,   /* a row after the summary */
    GARBAGE,
    LATER_PROTOCOL,
    REFUSED,     /* a status instead of an answer */
    BROKEN_ROWS, /* a damaged batch */
    N_LIES
};

/* What is passed on of the hosts' own batches. */
enum proof {
    NO_PROOF,
    GOOD_PROOF,
    CHANGED_PROOF,   /* a batch was changed */
    MISSING_PROOF,   /* that of one host */
    EXCHANGED_PROOF, /* those of two hosts */
    MOVED_BYTES,     /* good, but the rows that follow say something else with the same totals */
    MOVED_ROW,       /* a row bears the name of the other host */
};

struct server {
    _Atomic enum lie lie; /* set by the test, read by handlers */
    _Atomic enum proof proof;
    auth_identity *aggr, *host[2], *stranger, *user;
    auth_trust *all, *trusted; /* trusted: what the client knows */
    rpc_runtime *rt;
    char addr[128];
};

static struct server srv;

struct out {
    rpc_stream *s;
    gp_buf last;
};

static gp_status send_batch(void *ctx, const uint8_t *bytes, size_t len, size_t rows, gp_err *err)
{
    struct out *o = ctx;
    gp_buf msg = {0};
    (void)rows;
    wire_put_batch(&msg, bytes, len);
    if (srv.lie == BROKEN_ROWS)
        msg.data[msg.len - len + 4] ^= 0x40; /* its length before compression */
    gp_status st = rpc_stream_send(o->s, msg.data, msg.len, err);
    gp_buf_free(&o->last);
    o->last = msg;
    return st;
}

static void put_rows(struct out *o)
{
    result r = {0};
    wire_enc *e = NULL;
    want_ok(result_init(&r, 1 << 20, NULL));
    want_ok(wire_enc_new(&e, NULL));
    result_host_id(&r, "h0", "id0");
    result_host_id(&r, srv.lie == EXTRA_HOST ? "h9" : "h1", srv.lie == WRONG_ID ? "id0" : "id1");
    result_iface_id(&r, "eth0");
    want_ok(result_reserve_rows(&r, 2, NULL));
    for (uint32_t i = 0; i < 2; i++)
        r.rows[r.n_rows++] =
            (result_row){.host = srv.proof == MOVED_ROW ? 1 - i : i,
                         .sip_family = 4,
                         .sip = {10, 0, 0, (uint8_t)i},
                         .c = {.bytes_rcvd = srv.proof == MOVED_BYTES ? 6 - i : 5 + i}};
    (void)!wire_batch_encode(e, &r, r.rows, 2, send_batch, o, NULL);
    wire_enc_free(e);
    result_clear(&r);
}

static gp_status keep_batch(void *ctx, const uint8_t *bytes, size_t len, size_t rows, gp_err *err)
{
    (void)rows, (void)err;
    gp_buf_add(ctx, bytes, len);
    return GP_OK;
}

/* The one batch of a host, as it made it. */
static void own_batch(int host, gp_buf *out)
{
    result r = {0};
    wire_enc *e = NULL;
    want_ok(result_init(&r, 1 << 20, NULL));
    want_ok(wire_enc_new(&e, NULL));
    result_host_id(&r, "called-so", "by-itself");
    result_iface_id(&r, "eth0");
    want_ok(result_reserve_rows(&r, 1, NULL));
    r.rows[r.n_rows++] = (result_row){
        .sip_family = 4, .sip = {10, 0, 0, (uint8_t)host}, .c = {.bytes_rcvd = 5 + (uint64_t)host}};
    want_ok(wire_batch_encode(e, &r, r.rows, 1, keep_batch, out, NULL));
    wire_enc_free(e);
    result_clear(&r);
}

static void put_proof(struct out *o, int host, wire_trailer *t)
{
    gp_buf own = {0}, shown = {0}, msg = {0};
    auth_digest d;
    own_batch(host, &own);
    auth_digest_init(&d);
    wire_digest_batch(&d, own.data, own.len);
    auth_digest_final(&d, t->digest);
    own_batch(srv.proof == EXCHANGED_PROOF ? 1 - host : host, &shown);
    if (srv.proof == CHANGED_PROOF)
        shown.data[shown.len - 1] ^= 1;
    wire_put_evidence(&msg, shown.data, shown.len);
    if (srv.proof != NO_PROOF && (srv.proof != MISSING_PROOF || host == 0))
        (void)!rpc_stream_send(o->s, msg.data, msg.len, NULL);
    gp_buf_free(&own);
    gp_buf_free(&shown);
    gp_buf_free(&msg);
}

static void put_trailer(struct out *o, int host, const wire_query *q)
{
    static const char *const names[] = {"h0", "h1"}, *const ids[] = {"id0", "id1"};
    wire_trailer t = {.host = names[host],
                      .host_id = ids[host],
                      .sum = {.code = RESULT_OK, .rows = 1, .hits = 1, .data_available = 1}};
    gp_buf body = {0}, msg = {0};
    uint8_t sig[AUTH_SIG];
    const auth_identity *id = srv.host[host];
    t.sum.totals.bytes_rcvd = 5 + (uint64_t)host;
    memcpy(t.query_id, q->id, sizeof t.query_id);
    put_proof(o, host, &t);
    if (host == 1) {
        t.query_id[3] ^= srv.lie == OTHER_QUERY;
        id = srv.lie == STRANGER ? srv.stranger : srv.lie == BY_AGGREGATOR ? srv.aggr : id;
    }
    wire_trailer_encode(&body, &t);
    auth_sign(id, WIRE_SIGN_TRAILER, body.data, body.len, sig);
    if (host == 1 && srv.lie == CHANGED_TRAILER) { /* the same length, other totals */
        gp_buf_clear(&body);
        t.sum.totals.bytes_rcvd++;
        wire_trailer_encode(&body, &t);
    }
    int bare = host == 1 && srv.lie == UNSIGNED;
    wire_put_trailer(&msg, body.data, body.len, bare ? NULL : sig,
                     bare ? NULL : auth_identity_sign_pk(id), NULL, 0, NULL, 0);
    (void)!rpc_stream_send(o->s, msg.data, msg.len, NULL);
    gp_buf_free(&body);
    gp_buf_free(&msg);
}

static void put_summary(struct out *o)
{
    gp_buf msg = {0};
    wire_summary s = {.code = RESULT_OK, .rows = 2, .hits = 2, .data_available = 1};
    s.totals.bytes_rcvd = 11 + (srv.lie == WRONG_TOTALS);
    s.rows += srv.lie == ROW_COUNT;
    if (srv.lie == TWICE)
        s.totals.bytes_rcvd += 6;
    wire_put_summary(&msg, &s);
    (void)!rpc_stream_send(o->s, msg.data, msg.len, NULL);
    gp_buf_free(&msg);
}

static rpc_code on_query(void *ctx, rpc_stream *s, const uint8_t *req, size_t len, gp_buf *text)
{
    struct out o = {.s = s};
    wire_request r = {0};
    wire_query q = {0};
    (void)ctx;
    if (wire_request_decode(req, len, &r, NULL) != GP_OK ||
        wire_query_decode(r.body.data, r.body.len, &q, NULL) != GP_OK)
        return RPC_INVALID_ARGUMENT;
    wire_request_clear(&r);
    if (srv.lie == REFUSED) {
        gp_buf_adds(text, "not today");
        wire_query_clear(&q);
        return RPC_PERMISSION_DENIED;
    }
    if (srv.lie == GARBAGE)
        (void)!rpc_stream_send(s, "\xff\xff\xff garbage", 11, NULL);
    if (srv.lie == LATER_PROTOCOL)
        (void)!rpc_stream_send(s, "\x0a\x02\x08\x63", 4, NULL);
    if (srv.lie != NOTHING) {
        put_trailer(&o, 0, &q);
        put_trailer(&o, 1, &q);
        if (srv.lie == TWICE)
            put_trailer(&o, 1, &q);
        put_rows(&o);
        if (srv.lie != NO_SUMMARY)
            put_summary(&o);
        if (srv.lie == AFTER_THE_END)
            (void)!rpc_stream_send(s, o.last.data, o.last.len, NULL);
    }
    gp_buf_free(&o.last);
    wire_query_clear(&q);
    return RPC_OK;
}

static const rpc_method methods[] = {
    {.name = "query", .handler = on_query, .max_request = WIRE_MAX_REQUEST}};

static auth_identity *key(auth_kind kind, const char *name, gp_buf *trusted)
{
    auth_identity *id = NULL;
    want_ok(auth_identity_new(kind, name, &id, NULL));
    auth_trust_entry(id, NULL, trusted);
    gp_buf_addc(trusted, '\n');
    return id;
}

static int begin(void **state)
{
    gp_buf keys = {0};
    gp_err err = {0};
    (void)state;
    srv.aggr = key(AUTH_KIND_AGGREGATOR, "agg", &keys);
    srv.host[0] = key(AUTH_KIND_AGENT, "h0", &keys);
    srv.host[1] = key(AUTH_KIND_AGENT, "h1", &keys);
    srv.user = key(AUTH_KIND_USER, "alice", &keys);
    want_ok(auth_trust_new(&srv.trusted, NULL));
    want_ok_err(&err, auth_trust_parse(srv.trusted, gp_buf_str(&keys), keys.len, &err));
    srv.stranger = key(AUTH_KIND_AGENT, "h1", &keys);
    rpc_opts o = {.identity = srv.aggr, .trust = srv.trusted, .features = WIRE_FEATURES};
    want_ok_err(&err, rpc_runtime_new(&o, &srv.rt, &err));
    want_ok_err(&err, rpc_listen(srv.rt, "tcp://127.0.0.1:0", methods, 1, NULL, srv.addr,
                                 sizeof srv.addr, &err));
    gp_buf_free(&keys);
    return 0;
}

static int end(void **state)
{
    (void)state;
    rpc_runtime_free(srv.rt, 0);
    auth_identity_free(srv.aggr);
    auth_identity_free(srv.host[0]);
    auth_identity_free(srv.host[1]);
    auth_identity_free(srv.user);
    auth_identity_free(srv.stranger);
    auth_trust_free(srv.trusted);
    return 0;
}

static query_stmt *prepare(void)
{
    query_args a = {0};
    query_stmt *s = NULL;
    query_problems p = {0};
    query_env env = {.now_s = gp_wall_s()};
    gp_err err = {0};
    want_ok(query_args_init(&a));
    want_ok(query_args_set(&a.query, "sip"));
    want_ok(query_args_set(&a.ifaces, "eth0"));
    want_ok_err(&err, query_prepare(&a, &env, &s, &p, &err));
    query_args_clear(&a);
    return s;
}

static void test_lies(void **state)
{
    (void)state;
    static const struct {
        enum lie lie;
        const char *what;
        gp_status st;
        const char *text;
    } cases[] = {
        {HONEST, "honest", GP_OK, ""},
        {OTHER_QUERY, "trailer of another query", GP_EDENIED, "answered another query"},
        {UNSIGNED, "trailer without signature", GP_EDENIED, "did not sign"},
        {STRANGER, "unknown key", GP_EDENIED, "not among the trusted keys"},
        {BY_AGGREGATOR, "signed by the aggregator", GP_EDENIED, "not among the trusted keys"},
        {CHANGED_TRAILER, "trailer changed", GP_EDENIED, "is not what it signed"},
        {WRONG_TOTALS, "totals", GP_ECORRUPT, "not the sum"},
        {EXTRA_HOST, "rows of another host", GP_ECORRUPT, "h9"},
        {WRONG_ID, "host id", GP_ECORRUPT, "signed no answer"},
        {TWICE, "host twice", GP_ECORRUPT, "counted twice"},
        {ROW_COUNT, "row count", GP_ECORRUPT, "rows came"},
        {NO_SUMMARY, "no summary", GP_ECORRUPT, "broke off"},
        {NOTHING, "nothing", GP_ECORRUPT, "broke off"},
        {AFTER_THE_END, "row after the end", GP_ECORRUPT, "after the end"},
        {GARBAGE, "garbage", GP_ECORRUPT, "malformed"},
        {LATER_PROTOCOL, "later protocol", GP_EUNSUPPORTED, "version 99"},
        {REFUSED, "refused", GP_EDENIED, "not today"},
        {BROKEN_ROWS, "damaged rows", GP_ECORRUPT, "batch"},
    };
    assert_int_equal(COUNT(cases), N_LIES);
    for (size_t i = 0; i < COUNT(cases); i++) {
        query_stmt *s = prepare();
        result r = {0};
        gp_err err = {0};
        remote_opts o = {.addr = srv.addr,
                         .identity = srv.user,
                         .trust = srv.trusted,
                         .hosts = "any",
                         .timeout_ms = 10000};
        srv.lie = cases[i].lie;
        gp_status st = remote_query(s, &o, &r, &err);
        if (st != cases[i].st || (st != GP_OK && !strstr(err.msg, cases[i].text)))
            fail_msg("%s: got %s \"%s\"", cases[i].what, gp_status_name(st), err.msg);
        if (st == GP_OK)
            assert_int_equal(r.n_rows, 2);
        else
            assert_int_equal(r.n_rows, 0); /* nothing of it is used */
        result_clear(&r);
        query_stmt_free(s);
    }
}

/* --verify: what a broken aggregator may still do within the totals. */
static void test_verify(void **state)
{
    (void)state;
    static const struct {
        enum proof proof;
        const char *what;
        gp_status plain, verified;
        const char *text;
    } cases[] = {
        {GOOD_PROOF, "good", GP_OK, GP_OK, ""},
        {NO_PROOF, "none", GP_OK, GP_ECORRUPT, "the batches of host h0"},
        {CHANGED_PROOF, "changed", GP_OK, GP_ECORRUPT, ""},
        {MISSING_PROOF, "missing", GP_OK, GP_ECORRUPT, "the batches of host h1"},
        {EXCHANGED_PROOF, "exchanged", GP_OK, GP_ECORRUPT, "the batches of host h0"},
        {MOVED_BYTES, "bytes moved between rows", GP_OK, GP_ECORRUPT, "row 1 is not what"},
        {MOVED_ROW, "row moved to the other host", GP_OK, GP_ECORRUPT, "row 1 is not what"},
    };
    srv.lie = HONEST;
    for (size_t i = 0; i < COUNT(cases) * 2; i++) {
        int verify = (int)(i % 2);
        query_stmt *s = prepare();
        result r = {0};
        gp_err err = {0};
        remote_opts o = {.addr = srv.addr,
                         .identity = srv.user,
                         .trust = srv.trusted,
                         .hosts = "any",
                         .verify = verify,
                         .timeout_ms = 10000};
        srv.proof = cases[i / 2].proof;
        gp_status st = remote_query(s, &o, &r, &err);
        if (st != (verify ? cases[i / 2].verified : cases[i / 2].plain) ||
            (st != GP_OK && !strstr(err.msg, cases[i / 2].text)))
            fail_msg("%s, verify %d: got %s \"%s\"", cases[i / 2].what, verify, gp_status_name(st),
                     err.msg);
        result_clear(&r);
        query_stmt_free(s);
    }
    srv.proof = NO_PROOF;
}

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *addr;
        gp_status st;
        const char *text;
    } cases[] = {
        {"nonsense", GP_EINVAL, "expected host:port"},
        {"http://x:1", GP_EINVAL, "HTTP is not spoken"},
        {"127.0.0.1:1", GP_EUNAVAILABLE, "127.0.0.1:1"},
        {"unix:/nonexistent/socket", GP_EUNAVAILABLE, "/nonexistent/socket"},
    };
    query_stmt *s = prepare();
    for (size_t i = 0; i < COUNT(cases); i++) {
        result r = {0};
        gp_err err = {0};
        remote_opts o = {
            .addr = cases[i].addr, .identity = srv.user, .trust = srv.trusted, .timeout_ms = 3000};
        want_err(cases[i].st, &err, cases[i].text, remote_query(s, &o, &r, &err));
    }
    result r = {0};
    gp_err err = {0};
    remote_opts o = {.addr = srv.addr};
    want_err(GP_EINVAL, &err, "trusted keys are needed", remote_query(s, &o, &r, &err));
    query_stmt_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lies),
        cmocka_unit_test(test_verify),
        cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
