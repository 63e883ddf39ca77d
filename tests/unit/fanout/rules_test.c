/* rules_test.c - what the reference gets wrong in fleet.md 15 and annex A of query.md, rule by rule
 * as an aggregator must do it; test_rules() has the table. */
#include "rig.h"

#include "gp/clock.h"
#include "wire/query.h"

#include <arpa/inet.h>
#include <sys/socket.h>

enum { HOSTS = 6, ROWS = 40, FAST_MS = 4000 };

static const sim_opts six = {.n = HOSTS, .rows = ROWS, .seed = 31};

static result ask(const remote_opts *o)
{
    query_stmt *q = rig_prepare("sip,dip", 1000, 0);
    result r = rig_ask(o, q);
    query_stmt_free(q);
    return r;
}

static result ask_all(rig_fleet *f)
{
    remote_opts o = rig_client(&f->r, f->s);
    o.hosts = "agent-*";
    return ask(&o);
}

/* ---- merging: what hosts say about themselves ---- */

/* One host's word: code, span, blocks, data, an interface. */
struct word {
    result_code code;
    int64_t first_s, last_s;
    uint64_t blocks, bytes;
    int data;
    const char *iface, *condition;
};

static wire_summary words_of(const struct word *w, const char **iface)
{
    *iface = w->iface;
    return (wire_summary){.code = w->code,
                          .message = "as it says",
                          .first_s = w->first_s,
                          .last_s = w->last_s,
                          .stats = {.blocks_processed = w->blocks, .bytes_loaded = w->bytes},
                          .ifaces = iface,
                          .n_ifaces = w->iface != NULL,
                          .data_available = w->data,
                          .condition = w->condition};
}

static void test_merging(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        struct word host[2];
        result_code status;
        int64_t first_s, last_s;
        uint64_t blocks, bytes;
        int data;
        const char *ifaces;
    } cases[] = {
        {"U32, Q8: span is the smallest and largest, whoever comes last",
         {{RESULT_OK, 100, 200, 1, 10, 1, "eth0", ""}, {RESULT_OK, 50, 150, 1, 10, 1, "eth0", ""}},
         RESULT_OK,
         50,
         200,
         2,
         20,
         1,
         "eth0"},
        {"Q9: statistics are summed once",
         {{RESULT_OK, 1, 2, 3, 1000, 1, "eth0", ""}, {RESULT_OK, 1, 2, 4, 24, 1, "eth1", ""}},
         RESULT_OK,
         1,
         2,
         7,
         1024,
         1,
         "eth0 eth1"},
        {"U31, Q6: empty and missing are said per host",
         {{RESULT_EMPTY, 1, 2, 3, 0, 1, NULL, ""}, {RESULT_MISSING_DATA, 1, 2, 0, 0, 0, NULL, ""}},
         RESULT_EMPTY,
         1,
         2,
         3,
         0,
         1,
         ""},
        {"U32, Q10: data anywhere makes no rows empty, not missing",
         {{RESULT_MISSING_DATA, 1, 2, 0, 0, 0, NULL, ""}, {RESULT_EMPTY, 1, 2, 1, 0, 1, NULL, ""}},
         RESULT_EMPTY,
         1,
         2,
         1,
         0,
         1,
         ""},
        {"U32, Q10: data nowhere is missing",
         {{RESULT_MISSING_DATA, 1, 2, 0, 0, 0, NULL, ""},
          {RESULT_MISSING_DATA, 1, 2, 0, 0, 0, NULL, ""}},
         RESULT_MISSING_DATA,
         1,
         2,
         0,
         0,
         0,
         ""},
        {"U32: the condition is the one that was asked",
         {{RESULT_OK, 1, 2, 1, 0, 1, "eth0", "dport = 1"},
          {RESULT_OK, 1, 2, 1, 0, 1, "eth0", "dport = 2"}},
         RESULT_OK,
         1,
         2,
         2,
         0,
         1,
         "eth0"},
        {"interfaces: each once, sorted",
         {{RESULT_OK, 1, 2, 1, 0, 1, "wan", ""}, {RESULT_OK, 1, 2, 1, 0, 1, "lan", ""}},
         RESULT_OK,
         1,
         2,
         2,
         0,
         1,
         "lan wan"},
    };
    rig_fleet f;
    rig_fleet_up(&f, &six, NULL, "");
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (unsigned late = 0; late < 2; late++) { /* either one comes last */
            const char *names[2];
            wire_summary says[2];
            gp_buf got = {0};
            remote_opts o = rig_client(&f.r, f.s);
            o.hosts = "agent-0000,agent-0001";
            for (unsigned h = 0; h < 2; h++) {
                says[h] = words_of(&cases[i].host[h], &names[h]);
                sim_says(f.s, h, &says[h]);
                sim_behave(f.s, h, h == late ? SIM_DELAY : SIM_OK, 20);
            }
            result r = ask(&o);
            for (size_t k = 0; k < r.n_ifaces; k++)
                gp_buf_printf(&got, "%s%s", k ? " " : "", r.ifaces[k]);
            if (r.status != cases[i].status || r.time_first_s != cases[i].first_s ||
                r.time_last_s != cases[i].last_s || r.stats.blocks_processed != cases[i].blocks ||
                r.stats.bytes_loaded != cases[i].bytes || r.data_available != cases[i].data ||
                strcmp(gp_buf_str(&got), cases[i].ifaces) != 0 || strcmp(r.condition, "") != 0)
                fail_msg("%s: got %s, %lld to %lld, %zu blocks, %zu bytes, data %d, \"%s\", \"%s\"",
                         cases[i].what, result_code_name(r.status), (long long)r.time_first_s,
                         (long long)r.time_last_s, (size_t)r.stats.blocks_processed,
                         (size_t)r.stats.bytes_loaded, r.data_available, gp_buf_str(&got),
                         r.condition);
            for (unsigned h = 0; h < 2; h++)
                assert_int_equal(rig_status(&r, sim_host_name(f.s, h))->code,
                                 cases[i].host[h].code);
            gp_buf_free(&got);
            result_clear(&r);
        }
    }
    rig_fleet_down(&f);
}

/* ---- one rule, one function ---- */

/* Never more hosts at once than the setting says. */
static void max_concurrent(rig_fleet *f)
{
    sim_most_running(f->s);
    for (size_t i = 0; i < HOSTS; i++)
        sim_behave(f->s, i, SIM_DELAY, 30);
    result r = ask_all(f);
    assert_int_equal(r.n_host_statuses, HOSTS);
    assert_int_equal(sim_most_running(f->s), 2);
    result_clear(&r);
}

/* A silent host, one where nobody listens and one that accepts and says nothing: each ends by its
 * `timeout`, connecting included; the query by max_wait. */
static void one_deadline(rig_fleet *f)
{
    int64_t start = gp_mono_ms();
    remote_opts o = rig_client(&f->r, f->s);
    o.hosts = "agent-*,mute,closed";
    result r = ask(&o);
    assert_int_equal(rig_status(&r, "mute")->code, RESULT_TIMEOUT);
    assert_int_equal(rig_status(&r, "closed")->code, RESULT_UNREACHABLE);
    assert_int_equal(rig_status(&r, "agent-0001")->code, RESULT_OK);
    assert_int_equal(r.hits_total, HOSTS * ROWS);
    result_clear(&r);
    sim_behave(f->s, 2, SIM_SILENT, 0);
    o.hosts = "agent-*";
    o.max_wait_ms = 300;
    r = ask(&o);
    assert_int_equal(rig_status(&r, "agent-0002")->code, RESULT_TIMEOUT);
    assert_int_equal(r.hits_total, (HOSTS - 1) * ROWS);
    result_clear(&r);
    assert_true(gp_mono_ms() - start < FAST_MS); /* a dial alone may take 5 s */
}

struct heard {
    gp_cancel cancel;
    unsigned ok;
};

static void on_host(void *ctx, const char *host, result_code code, const char *message)
{
    struct heard *h = ctx;
    (void)host, (void)message;
    h->ok += code == RESULT_OK;
    if (h->ok == HOSTS / 2)
        gp_cancel_set(&h->cancel, GP_ECANCELLED);
}

/* As many silent hosts as may be asked at once, and more: the others answer all the same. */
static void silent_hosts_make_room(rig_fleet *f)
{
    struct heard h = {.cancel = GP_CANCEL_INIT};
    query_stmt *q = rig_prepare("sip", 10, 0);
    remote_opts o = rig_client(&f->r, f->s);
    result r = {0};
    gp_err err = {0};
    o.hosts = "agent-*";
    o.cancel = &h.cancel;
    o.on_host = on_host;
    o.ctx = &h;
    for (size_t i = 0; i < HOSTS / 2; i++)
        sim_behave(f->s, i, SIM_SILENT, 0);
    want_err(GP_ECANCELLED, &err, "", remote_query(q, &o, &r, &err));
    assert_int_equal(h.ok, HOSTS / 2);
    query_stmt_free(q);
}

/* Of six silent hosts two are asked; the others' status does not say that they were. */
static void late_is_not_asked(rig_fleet *f)
{
    size_t asked = 0, not_asked = 0;
    remote_opts o = rig_client(&f->r, f->s);
    o.hosts = "agent-*";
    o.max_wait_ms = 200;
    for (size_t i = 0; i < HOSTS; i++)
        sim_behave(f->s, i, SIM_SILENT, 0);
    result r = ask(&o);
    for (size_t i = 0; i < r.n_host_statuses; i++) {
        assert_int_equal(r.host_statuses[i].code, RESULT_TIMEOUT);
        asked += strstr(r.host_statuses[i].message, "no time left to ask") == NULL;
        not_asked += strstr(r.host_statuses[i].message, "no time left to ask") != NULL;
    }
    assert_int_equal(asked, 2);
    assert_int_equal(not_asked, HOSTS - 2);
    result_clear(&r);
}

static void trimmed_any(rig_fleet *f)
{
    remote_opts o = rig_client(&f->r, f->s);
    o.hosts = "  ANY ,,!mute, !closed ";
    result r = ask(&o);
    assert_int_equal(r.n_host_statuses, HOSTS);
    result_clear(&r);
}

/* Good or bad, a host has one name. */
static void one_name(rig_fleet *f)
{
    for (int bad = 0; bad < 2; bad++) {
        sim_behave(f->s, 3, bad ? SIM_ERROR : SIM_OK, 0);
        result r = ask_all(f);
        assert_int_equal(r.n_host_statuses, HOSTS);
        assert_int_equal(rig_status(&r, "agent-0003")->code, bad ? RESULT_ERROR : RESULT_OK);
        result_clear(&r);
    }
}

static void overloaded_host_is_seen(rig_fleet *f)
{
    sim_behave(f->s, 4, SIM_BUSY, 0);
    result r = ask_all(f);
    assert_int_equal(rig_status(&r, "agent-0004")->code, RESULT_TOO_MANY_REQUESTS);
    assert_int_equal(r.hits_total, (HOSTS - 1) * ROWS);
    result_clear(&r);
}

struct snapshots {
    unsigned n;
    size_t most_rows;
};

static void on_partial(void *ctx, const result *r, unsigned done, unsigned total)
{
    struct snapshots *s = ctx;
    (void)done, (void)total;
    s->n++;
    s->most_rows = r->n_rows > s->most_rows ? r->n_rows : s->most_rows;
}

/* Hosts come one by one, every 20 ms; snapshots every 100 ms at most, of 100 rows at most. */
static void few_snapshots(rig_fleet *f)
{
    struct snapshots seen = {0};
    remote_opts o = rig_client(&f->r, f->s);
    o.hosts = "agent-*";
    o.on_partial = on_partial;
    o.ctx = &seen;
    for (size_t i = 0; i < HOSTS; i++)
        sim_behave(f->s, i, SIM_DELAY, 60);
    int64_t start = gp_mono_ms();
    result r = ask(&o);
    int64_t took = gp_mono_ms() - start;
    assert_true(seen.n >= 1 && seen.n <= 1 + (unsigned)(took / 100));
    assert_true(seen.most_rows <= WIRE_MAX_PARTIAL_ROWS);
    result_clear(&r);
}

struct seen_progress {
    gp_cancel cancel;
    uint64_t blocks;
};

static void on_progress(void *ctx, const wire_progress *p)
{
    struct seen_progress *s = ctx;
    if (p->hosts_done == 0)
        return;
    s->blocks = p->blocks_done;
    gp_cancel_set(&s->cancel, GP_ECANCELLED);
}

/* A host that is done counts with all its blocks, not with those it told of on the way. */
static void done_counts_whole(rig_fleet *f)
{
    struct seen_progress seen = {.cancel = GP_CANCEL_INIT};
    const wire_summary says = {.code = RESULT_OK, .stats = {.blocks_processed = 441}};
    query_stmt *q = rig_prepare("sip", 10, 0);
    remote_opts o = rig_client(&f->r, f->s);
    result r = {0};
    o.hosts = "agent-0000,agent-0001";
    o.on_progress = on_progress;
    o.ctx = &seen;
    o.cancel = &seen.cancel;
    sim_says(f->s, 0, &says);
    sim_behave(f->s, 1, SIM_SILENT, 0);
    want_status(GP_ECANCELLED, remote_query(q, &o, &r, NULL));
    assert_int_equal(seen.blocks, 441);
    sim_says(f->s, 0, NULL);
    query_stmt_free(q);
}

static void empty_selector(rig_fleet *f)
{
    static const char *const empty[] = {"", " , ,", "   "};
    query_stmt *q = rig_prepare("sip", 10, 0);
    for (size_t i = 0; i < COUNT(empty); i++) {
        remote_opts o = rig_client(&f->r, f->s);
        result r = {0};
        gp_err err = {0};
        o.hosts = empty[i];
        want_err(GP_EINVAL, &err, "selector is empty", remote_query(q, &o, &r, &err));
    }
    query_stmt_free(q);
}

/* A lone host that fails is shown, and so is why, word for word. */
static void lone_failure(rig_fleet *f)
{
    remote_opts o = rig_client(&f->r, f->s);
    o.hosts = "agent-0005";
    sim_behave(f->s, 5, SIM_ERROR, 0);
    result r = ask(&o);
    assert_int_equal(r.n_host_statuses, 1);
    assert_int_equal(rig_status(&r, "agent-0005")->code, RESULT_ERROR);
    assert_string_equal(rig_status(&r, "agent-0005")->message, "disk on fire");
    assert_int_equal(r.status, RESULT_MISSING_DATA);
    result_clear(&r);
}

static void no_hosts(rig_fleet *f)
{
    remote_opts o = rig_client(&f->r, f->s);
    o.hosts = "nothing-is-called-so-*";
    result r = ask(&o);
    assert_int_equal(r.n_host_statuses, 0);
    assert_int_equal(r.status, RESULT_MISSING_DATA);
    result_clear(&r);
}

static void sorted_any(rig_fleet *f)
{
    remote_opts o = rig_client(&f->r, f->s);
    wire_host_info *v = NULL;
    size_t n = 0;
    void *owner = NULL;
    gp_err err = {0};
    want_ok_err(&err, remote_hosts(&o, &v, &n, &owner, &err));
    assert_int_equal(n, HOSTS + 4);
    for (size_t i = 1; i < n; i++)
        assert_true(strcmp(v[i - 1].host, v[i].host) < 0);
    assert_string_equal(v[n - 1].host, "off"); /* shown, but not asked */
    assert_string_equal(v[n - 1].state, "disabled");
    wire_hosts_free(v, owner);
}

/* Hosts and aggregators that are disabled in the endpoint table are asked when they are named only,
 * and then it is said what they are. */
static void disabled_is_left_out(rig_fleet *f)
{
    static const struct {
        const char *hosts, *host; /* host: with a status; NULL = none at all */
    } cases[] = {
        {"off*", NULL},
        {"any,!agent-*,!mute,!closed", NULL},
        {"@lab", NULL},
        {"off", "off"},
        {"[of-og]f,off,any,!agent-*,!mute,!closed", "off"},
        {"o[ff,gg]", "off"},
        {"below", "below"},
        {"far-1", "below"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        remote_opts o = rig_client(&f->r, f->s);
        o.hosts = cases[i].hosts;
        result r = ask(&o);
        const result_host_status *s =
            cases[i].host ? result_find_host_status(&r, cases[i].host) : NULL;
        if ((cases[i].host && (!s || s->code != RESULT_UNREACHABLE ||
                               !strstr(s->message, "disabled in the endpoint table"))) ||
            (!cases[i].host && r.n_host_statuses))
            fail_msg("%s: %zu statuses, %s", cases[i].hosts, r.n_host_statuses,
                     s ? s->message : "-");
        result_clear(&r);
    }
}

/* ---- what the aggregator's own trusted_keys say about a user ---- */

/* The user's line with these options; without options: everything. Everybody else as before. */
static void limit_user(rig_fleet *f, const char *options)
{
    gp_buf keys = {0}, fresh = {0};
    gp_err err = {0};
    sim_trusted_keys(f->s, &keys);
    for (const char *line = gp_buf_str(&keys); line && *line;) {
        size_t n = strcspn(line, "\n");
        int user = strncmp(line, "user alice ", 11) == 0;
        gp_buf_printf(&fresh, "%.*s %s\n", (int)n, line, user ? options : "");
        line += n + (line[n] == '\n');
    }
    want_ok_err(&err, auth_trust_parse(sim_trust(f->s), gp_buf_str(&fresh), fresh.len, &err));
    gp_buf_free(&keys);
    gp_buf_free(&fresh);
}

static gp_status ask_limited(rig_fleet *f, result *r, gp_err *err)
{
    query_stmt *q = rig_prepare("sip,dip", 1000, 0);
    remote_opts o = rig_client(&f->r, f->s);
    gp_status st = remote_query(q, &o, r, err);
    query_stmt_free(q);
    return st;
}

/* The simulated agents allow everything: what is refused, the aggregator refuses. */
static void test_limits(void **state)
{
    (void)state;
    static const struct {
        const char *options, *says; /* NULL: it runs */
        unsigned hosts;             /* that answer; the others are denied */
    } cases[] = {
        {"", NULL, HOSTS},
        {"roles=status", "the user's key has no role \"query\"", 0},
        {"max-span=1s", "at most 1 s", 0},
        {"max-span=400d", NULL, HOSTS},
        {"hosts=agent-0002,agent-0004", NULL, 2},
        {"hosts=nobody", NULL, 0},
    };
    rig_fleet f;
    rig_fleet_up(&f, &six, NULL, "");
    for (size_t i = 0; i < COUNT(cases); i++) {
        result r = {0};
        gp_err err = {0};
        unsigned ok = 0;
        uint64_t before = sim_queries(f.s);
        limit_user(&f, cases[i].options);
        gp_status st = ask_limited(&f, &r, &err);
        if ((st == GP_OK) != !cases[i].says || (st && !strstr(err.msg, cases[i].says)))
            fail_msg("%s: %s \"%s\"", cases[i].options, gp_status_name(st), err.msg);
        for (size_t k = 0; k < r.n_host_statuses; k++) {
            const result_host_status *s = &r.host_statuses[k];
            ok += s->code == RESULT_OK;
            if (s->code != RESULT_OK &&
                (s->code != RESULT_DENIED || !strstr(s->message, "not allowed to ask this host")))
                fail_msg("%s: %s: %s", cases[i].options, s->host, s->message);
        }
        if (ok != cases[i].hosts || sim_queries(f.s) - before != ok ||
            (!cases[i].says && r.n_host_statuses != HOSTS))
            fail_msg("%s: %u of %zu hosts", cases[i].options, ok, r.n_host_statuses);
        if (st == GP_OK)
            result_clear(&r);
    }
    rig_fleet_down(&f);
}

/* A port that takes connections and never says a word. */
static int mute_port(char *line, size_t cap)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    snprintf(line, cap,
             "mute: {addr: 'tcp://127.0.0.1:%u', timeout: 200ms}\n"
             "closed: {addr: 'tcp://127.0.0.1:1'}\n"
             "off: {addr: 'tcp://127.0.0.1:1', disabled: true, groups: lab}\n"
             "below: {addr: dial-in, kind: aggregator, hosts: 'far-*', disabled: true}\n",
             ntohs(a.sin_port));
    return fd;
}

/* A table that calls a host otherwise than it calls itself: it may be asked by either name. */
static void by_identity(rig_fleet *f)
{
    static const char *const selectors[] = {"agent-0003", "fw-3", "fw-3,agent-0003"};
    gp_buf old = {0}, table = {0};
    fleet_table *t = NULL;
    gp_err err = {0};
    sim_endpoints(f->s, 0, &old);
    const char *line = strstr(gp_buf_str(&old), "agent-0003:");
    const char *addr = strstr(line, "addr: ");
    gp_buf_printf(&table, "fw-3: {%.*s, name: agent-0003}\n", (int)strcspn(addr, "\n"), addr);
    want_ok_err(&err, fleet_table_parse("t", table.data, table.len, &t, &err));
    want_ok_err(&err, fleet_reload(f->r.fleet, t, &err));
    for (size_t i = 0; i < COUNT(selectors); i++) {
        remote_opts o = rig_client(&f->r, f->s);
        o.hosts = selectors[i];
        result r = ask(&o);
        assert_int_equal(r.n_host_statuses, 1);
        assert_int_equal(rig_status(&r, "agent-0003")->code, RESULT_OK);
        assert_int_equal(r.n_rows, ROWS);
        result_clear(&r);
    }
    gp_buf_free(&old);
    gp_buf_free(&table);
}

static void test_rules(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        void (*holds)(rig_fleet *f);
    } rules[] = {
        {"Q1: querier.max_concurrent is honoured", max_concurrent},
        {"Q1: silent hosts don't block the others", silent_hosts_make_room},
        {"Q1: who was not asked is not said to be late", late_is_not_asked},
        {"Q2: one deadline bounds a host, connecting included", one_deadline},
        {"Q3: any is trimmed, in any case", trimmed_any},
        {"Q5: good and bad statuses have the same name", one_name},
        {"Q7: an overloaded host has a status", overloaded_host_is_seen},
        {"Q11: snapshots are few and small", few_snapshots},
        {"progress: a host that is done has done all its blocks", done_counts_whole},
        {"Q13: an empty selector is a wrong argument", empty_selector},
        {"Q21: any is sorted", sorted_any},
        {"U32, Q22: a lone failure is shown in full", lone_failure},
        {"disabled hosts are no part of any, globs and groups", disabled_is_left_out},
        {"fleet.md 4.6: no hosts is missing data, no error", no_hosts},
        {"a host has its ID and its identity", by_identity}, /* the last: changes the table */
    };
    fanout_limits l = {.max_in_flight = 2, .partial_ms = 100};
    rig_fleet f;
    char more[400];
    int fd = mute_port(more, sizeof more);
    rig_fleet_up(&f, &six, &l, more);
    for (size_t i = 0; i < COUNT(rules); i++) {
        for (size_t h = 0; h < HOSTS; h++)
            sim_behave(f.s, h, SIM_OK, 0);
        print_message("%s\n", rules[i].what);
        rules[i].holds(&f);
    }
    rig_fleet_down(&f);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merging),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
