/* skew_test.c - agents of other versions: what is not understood gets a status that says so, what
 * may be ignored is ignored, and the others are not harmed. */
#include "rig.h"

#include "auth/hello.h"
#include "auth/noise.h"
#include "gp/bytes.h"
#include "wire/features.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

enum { AGENTS = 4, ROWS = 30, MAX_MSG = 4352 };

/* ---- an agent of a later version: it speaks protocol versions 2 to 3 only ---- */

struct later {
    auth_identity *id;
    int fd;
    char addr[64];
    pthread_t t;
};

static int read_all(int fd, uint8_t *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t r = read(fd, p + at, n - at);
        if (r <= 0)
            return 0;
        at += (size_t)r;
    }
    return 1;
}

/* Message 1 in, message 2 out: there the dialer sees which versions there are. */
static void shake(const struct later *l, int fd)
{
    uint8_t len[2], msg[MAX_MSG];
    gp_buf payload = {0}, hello = {0}, out = {0};
    auth_noise *n = NULL;
    want_ok(auth_noise_new(l->id, 0, "fleetprobe-noise-v1", 19, &n, NULL));
    if (read_all(fd, len, 2) && gp_be16(len) <= MAX_MSG && read_all(fd, msg, gp_be16(len)) &&
        auth_noise_read(n, msg, gp_be16(len), &payload, NULL) == GP_OK) {
        auth_hello_encode(l->id, NULL, 0, &hello);
        hello.data[4] = 2;
        hello.data[5] = 3;
        want_ok(auth_noise_write(n, hello.data, hello.len, &out, NULL));
        gp_put_be16(len, (uint16_t)out.len);
        if (write(fd, len, 2) == 2 && write(fd, out.data, out.len) == (ssize_t)out.len)
            (void)!read(fd, msg, 1); /* until it has gone */
    }
    auth_noise_free(n);
    gp_buf_free(&payload);
    gp_buf_free(&hello);
    gp_buf_free(&out);
}

static void *later_main(void *arg)
{
    struct later *l = arg;
    int fd;
    while ((fd = accept(l->fd, NULL, NULL)) >= 0) {
        shake(l, fd);
        close(fd);
    }
    return NULL;
}

static void later_start(struct later *l)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    want_ok(auth_identity_new(AUTH_KIND_AGENT, "later", &l->id, NULL));
    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(l->fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(l->fd, 8), 0);
    assert_int_equal(getsockname(l->fd, (struct sockaddr *)&a, &n), 0);
    snprintf(l->addr, sizeof l->addr, "tcp://127.0.0.1:%u", ntohs(a.sin_port));
    assert_int_equal(pthread_create(&l->t, NULL, later_main, l), 0);
}

static void later_stop(struct later *l)
{
    shutdown(l->fd, SHUT_RDWR); /* ends accept() */
    pthread_join(l->t, NULL);
    close(l->fd);
    auth_identity_free(l->id);
}

/* ---- an agent that lacks the method ---- */

struct poorer {
    auth_identity *id;
    rpc_runtime *rt;
    char addr[128];
};

static rpc_code on_info(void *ctx, rpc_stream *s, const uint8_t *req, size_t len, gp_buf *text)
{
    (void)ctx, (void)s, (void)req, (void)len, (void)text;
    return RPC_OK;
}

static void poorer_start(struct poorer *p, auth_trust *trust)
{
    static const rpc_method only = {.name = "info", .handler = on_info, .max_request = 64};
    gp_err err = {0};
    want_ok(auth_identity_new(AUTH_KIND_AGENT, "poorer", &p->id, NULL));
    rpc_opts o = {.identity = p->id, .trust = trust, .workers = 1};
    want_ok_err(&err, rpc_runtime_new(&o, &p->rt, &err));
    want_ok_err(&err, rpc_listen(p->rt, "tcp://127.0.0.1:0", &only, 1, NULL, p->addr,
                                 sizeof p->addr, &err));
}

static void trust_both(sim *s, const struct later *l, const struct poorer *p)
{
    gp_buf b = {0};
    sim_trusted_keys(s, &b);
    auth_trust_entry(l->id, NULL, &b);
    gp_buf_addc(&b, '\n');
    auth_trust_entry(p->id, NULL, &b);
    want_ok(auth_trust_parse(sim_trust(s), gp_buf_str(&b), b.len, NULL));
    gp_buf_free(&b);
}

static void test_other_versions(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        sim_how how;
        result_code code;
        const char *text;
    } cases[] = {
        {"agent-0000", SIM_OK, RESULT_OK, ""},
        {"agent-0001", SIM_OTHER_ROWS, RESULT_ERROR, "encoded as version 99, this program reads 2"},
        {"agent-0002", SIM_MORE_KINDS, RESULT_OK, ""},
        {"agent-0003", SIM_OK, RESULT_OK, ""},
        {"later", SIM_N_HOWS, RESULT_ERROR,
         "versions 2 to 3, this program 1 to 1; update the older one"},
        {"poorer", SIM_N_HOWS, RESULT_ERROR, "no such method"},
    };
    sim_opts so = {.n = AGENTS, .rows = ROWS, .seed = 12};
    sim *s = NULL;
    rig r;
    gp_buf table = {0};
    gp_err err = {0};
    struct later later = {0};
    struct poorer poorer = {0};
    want_ok_err(&err, sim_new(&so, &s, &err));
    later_start(&later);
    poorer_start(&poorer, sim_trust(s));
    trust_both(s, &later, &poorer);
    sim_endpoints(s, 0, &table);
    gp_buf_printf(&table, "later:\n  addr: %s\npoorer:\n  addr: %s\n", later.addr, poorer.addr);
    rig_start(&r, sim_aggregator(s), sim_trust(s), &table, NULL);
    rig_wait_connected(&r, AGENTS + 1);
    for (size_t i = 0; i < AGENTS; i++)
        sim_behave(s, i, cases[i].how, 0);
    query_stmt *stmt = rig_prepare("sip,dip", 1000, 0);
    remote_opts o = rig_client(&r, s);
    result res = rig_ask(&o, stmt);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const result_host_status *h = rig_status(&res, cases[i].host);
        if (h->code != cases[i].code || !strstr(h->message, cases[i].text))
            fail_msg("%s: got %s \"%s\", want \"%s\"", h->host, result_code_name(h->code),
                     h->message, cases[i].text);
    }
    assert_int_equal(res.hits_total, (AGENTS - 1) * ROWS);
    result_clear(&res);
    query_stmt_free(stmt);
    rig_stop(&r);
    later_stop(&later);
    rpc_runtime_free(poorer.rt, 0);
    auth_identity_free(poorer.id);
    sim_free(s);
    gp_buf_free(&table);
}

struct snapshots {
    unsigned early; /* with rows, before any host was done */
    unsigned all;
};

static void count_early(void *ctx, const result *r, unsigned done, unsigned total)
{
    struct snapshots *s = ctx;
    (void)total;
    s->early += done == 0 && r->n_rows > 0;
    s->all++;
}

/* Snapshots are asked for where both ends know them; without, the answer is the same, later. */
static void test_older_without_snapshots(void **state)
{
    (void)state;
    enum { NOBODY, AGENTS_ARE, SERVER_IS, N };
    for (int older = 0; older < N; older++) {
        uint32_t of_agents = older == AGENTS_ARE ? WIRE_F_PARTIALS : 0;
        uint32_t of_server = older == SERVER_IS ? WIRE_F_PARTIALS : 0;
        sim_opts so = {.n = 2, .rows = ROWS, .seed = 12, .lacks = of_agents};
        fanout_limits l = {.partial_ms = 10};
        rig_fleet f;
        gp_buf table = {0};
        gp_err err = {0};
        struct snapshots seen = {0};
        want_ok_err(&err, sim_new(&so, &f.s, &err));
        sim_endpoints(f.s, 0, &table);
        rig_start_older(&f.r, sim_aggregator(f.s), sim_trust(f.s), &table, &l, of_server);
        rig_wait_connected(&f.r, 2);
        for (size_t i = 0; i < 2; i++)
            sim_behave(f.s, i, SIM_EARLY, 300 * (unsigned)(i + 1)); /* one after the other */
        query_stmt *stmt = rig_prepare("sip,dip", 1000, 0);
        remote_opts o = rig_client(&f.r, f.s);
        o.on_partial = count_early;
        o.ctx = &seen;
        result res = rig_ask(&o, stmt);
        assert_int_equal(res.hits_total, 2 * ROWS);
        assert_int_equal(seen.early > 0, older == NOBODY);
        assert_true(older != SERVER_IS || seen.all == 0);
        result_clear(&res);
        query_stmt_free(stmt);
        rig_fleet_down(&f);
        gp_buf_free(&table);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_other_versions),
        cmocka_unit_test(test_older_without_snapshots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
