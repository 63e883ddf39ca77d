/* fleet_bench.c - global queries over a simulated fleet: time to first rows, time to the end,
 * memory.
 *
 * Simulator and client run in this process, global-query as a process of its own.
 * Usage: fleet [--agents N] [--rows N] [--limit N] [--merge-hosts] [--shared PCT] [--silent N]
 *   [--dead N] [--slow N] [--max-wait MS] [--repeat N] [--idle S] [--partials]
 *   [--cancel N] [--in-flight N] [--slow-clients N] [--json] */
#include "sim.h"
#include "throttle.h"

#include "gp/clock.h"
#include "gp/io.h"
#include "gp/mem.h"
#include "gp/num.h"
#include "remote/remote.h"
#include "result/print.h"

#include <argp.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { REACH_MS = 10000 }; /* for --in-flight to be reached */

static struct {
    uint64_t agents, rows, limit, shared, silent, dead, slow, max_wait, repeat, idle, cancel,
        slow_clients, in_flight;
    int merge, partials, json;
} opt = {.agents = 1000, .rows = 1000, .limit = 1000, .shared = 30, .repeat = 10, .in_flight = 256};

static const struct argp_option table[] = {
    {"agents", 'a', "N", 0, "agents", 0},
    {"rows", 'r', "N", 0, "rows of each", 0},
    {"limit", 'l', "N", 0, "rows of the result", 0},
    {"shared", 's', "PCT", 0, "of the keys are common to all agents", 0},
    {"silent", 'i', "N", 0, "agents that never answer", 0},
    {"dead", 'd', "N", 0, "agents that nobody can reach", 0},
    {"slow", 'w', "N", 0, "agents that take 3 s", 0},
    {"max-wait", 'm', "MS", 0, "wait for hosts", 0},
    {"repeat", 'n', "N", 0, "queries", 0},
    {"idle", 't', "S", 0, "seconds of idling to measure", 0},
    {"cancel", 'c', "N", 0, "queries to give up in the middle", 0},
    {"in-flight", 'f', "N", 0, "agents being asked when a query is given up (256)", 0},
    {"slow-clients", 'k', "N", 0, "of another user, who read all rows at 100 kB/s meanwhile", 0},
    {"json", 'j', NULL, 0, "compare with the bytes of the same rows as JSON", 0},
    {"merge-hosts", 'g', NULL, 0, "add up rows of different hosts", 0},
    {"partials", 'p', NULL, 0, "ask for snapshots", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    static const char keys[] = "arlsidwmntckf";
    uint64_t *const where[] = {&opt.agents,   &opt.rows, &opt.limit,  &opt.shared,
                               &opt.silent,   &opt.dead, &opt.slow,   &opt.max_wait,
                               &opt.repeat,   &opt.idle, &opt.cancel, &opt.slow_clients,
                               &opt.in_flight};
    const char *at = key > 0 && key < 128 ? strchr(keys, key) : NULL;
    if (key == 'g') {
        opt.merge = 1;
    } else if (key == 'j') {
        opt.json = 1;
    } else if (key == 'p') {
        opt.partials = 1;
    } else if (at && *at) {
        if (!gp_num_u64(arg, strlen(arg), 100000000, where[at - keys]))
            argp_error(state, "expected a number, got \"%s\"", arg);
    } else {
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static void die(const char *what, const gp_err *err)
{
    fprintf(stderr, "%s: %s\n", what, err->msg);
    exit(1);
}

/* ---- global-query ---- */

static char dir[64] = "/tmp/fleet-bench-XXXXXX";
static pid_t aggr_pid;
static char aggr_addr[256];

static void clean_up(void)
{
    char path[128];
    static const char *const files[] = {"agg.key", "trusted_keys", "endpoints.yaml", "log"};
    if (aggr_pid > 0) {
        kill(aggr_pid, SIGTERM);
        waitpid(aggr_pid, NULL, 0);
    }
    for (size_t i = 0; i < GP_COUNT(files); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        unlink(path);
    }
    rmdir(dir);
}

static void write_file(const char *name, const gp_buf *b)
{
    char path[128];
    gp_err err = {0};
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (gp_write_file_atomic(AT_FDCWD, path, b->data, b->len, 0600, &err) != GP_OK)
        die(path, &err);
}

static void start_aggregator(sim *s)
{
    char exe[256] = "", key[128], trust[128], table_path[128], line[512];
    gp_buf b = {0};
    gp_err err = {0};
    int fds[2];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 32);
    char *slash = n > 0 ? strrchr(exe, '/') : NULL;
    if (!slash)
        exit(1);
    snprintf(slash, 32, "/../bin/global-query");
    snprintf(key, sizeof key, "%s/agg.key", dir);
    snprintf(trust, sizeof trust, "%s/trusted_keys", dir);
    snprintf(table_path, sizeof table_path, "%s/endpoints.yaml", dir);
    if (auth_identity_save(sim_aggregator(s), key, &err) != GP_OK)
        die(key, &err);
    sim_trusted_keys(s, &b);
    write_file("trusted_keys", &b);
    gp_buf_clear(&b);
    sim_endpoints(s, opt.dead, &b);
    write_file("endpoints.yaml", &b);
    gp_buf_free(&b);
    if (pipe2(fds, O_CLOEXEC) != 0)
        exit(1);
    aggr_pid = fork();
    if (aggr_pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(fds[1], STDOUT_FILENO);
        execl(exe, exe, "server", "--server.addr", "tcp://127.0.0.1:0", "--identity.key", key,
              "--identity.trusted_keys", trust, "--querier.config", table_path, "--logging.level",
              "error", NULL);
        _exit(127);
    }
    close(fds[1]);
    FILE *f = fdopen(fds[0], "r");
    if (!f || !fgets(line, sizeof line, f) || sscanf(line, "listening on %255s", aggr_addr) != 1) {
        fprintf(stderr, "%s did not start\n", exe);
        exit(1);
    }
}

/* A figure of /proc/PID/status in KiB. */
static long status_kib(const char *key)
{
    char path[64], line[256];
    long v = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)aggr_pid);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f)) {
        uint64_t n;
        size_t k = strlen(key);
        if (strncmp(line, key, k) != 0)
            continue;
        const char *p = line + k + strspn(line + k, ": \t");
        if (gp_num_u64(p, strspn(p, "0123456789"), INT32_MAX, &n))
            v = (long)n;
    }
    if (f)
        fclose(f);
    return v;
}

/* CPU seconds of the aggregator so far. */
static double cpu_s(void)
{
    char path[64], text[512] = "";
    unsigned long u = 0, s = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)aggr_pid);
    FILE *f = fopen(path, "re");
    if (f && fgets(text, sizeof text, f)) {
        const char *p = strrchr(text, ')');
        if (p)
            sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &u, &s);
    }
    if (f)
        fclose(f);
    return (double)(u + s) / (double)sysconf(_SC_CLK_TCK);
}

/* ---- queries ---- */

static query_stmt *prepare(uint64_t limit)
{
    query_args a = {0};
    query_stmt *s = NULL;
    query_problems p = {0};
    gp_err err = {0};
    query_env env = {.now_s = gp_wall_s()};
    if (query_args_init(&a) != GP_OK || query_args_set(&a.query, "sip,dip") != GP_OK ||
        query_args_set(&a.ifaces, "eth0") != GP_OK)
        exit(1);
    a.num_results = limit;
    a.merge_hosts = opt.merge;
    if (query_prepare(&a, &env, &s, &p, &err) != GP_OK)
        die("query", &err);
    query_args_clear(&a);
    return s;
}

struct seen {
    int64_t start_ns, first_ns;
};

static void on_partial(void *ctx, const result *r, unsigned done, unsigned total)
{
    struct seen *s = ctx;
    (void)done;
    (void)total;
    if (!s->first_ns && r->n_rows)
        s->first_ns = gp_mono_ns() - s->start_ns;
}

static void wait_connected(sim *s, const remote_opts *o)
{
    for (int round = 0; round < 600; round++) {
        wire_host_info *v = NULL;
        size_t n = 0, up = 0;
        void *owner = NULL;
        gp_err err = {0};
        if (remote_hosts(o, &v, &n, &owner, &err) != GP_OK)
            die("hosts", &err);
        for (size_t i = 0; i < n; i++)
            up += strcmp(v[i].state, "connected") == 0;
        wire_hosts_free(v, owner);
        if (up + opt.dead >= opt.agents)
            return;
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
    (void)s;
    fprintf(stderr, "not all agents connected\n");
}

static int cmp_i64(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void check_totals(sim *s, const result *r)
{
    result_counters want = {0};
    size_t ok = 0;
    for (size_t i = 0; i < r->n_host_statuses; i++)
        ok += r->host_statuses[i].code == RESULT_OK;
    for (size_t i = opt.dead + opt.silent; i < opt.agents; i++) {
        want.bytes_rcvd += sim_totals(s, i)->bytes_rcvd;
        want.pkts_sent += sim_totals(s, i)->pkts_sent;
    }
    if (ok + opt.dead + opt.silent != opt.agents && !opt.slow)
        fprintf(stderr, "only %zu hosts ok\n", ok);
    else if (!opt.slow &&
             (want.bytes_rcvd != r->totals.bytes_rcvd || want.pkts_sent != r->totals.pkts_sent))
        fprintf(stderr, "totals are WRONG\n");
}

/* What the rows of r are as JSON objects, a row. */
static void compare_json(sim *s, const result *r)
{
    char *text = NULL;
    size_t len = 0;
    result_print_opts po = {.format = QUERY_JSON};
    FILE *f = open_memstream(&text, &len);
    double ours = (double)sim_bytes(s) / (double)opt.repeat / (double)(opt.agents * opt.rows);
    if (!f || result_print(r, &po, f, stderr, NULL) != GP_OK || fclose(f) != 0)
        exit(1);
    /* statuses and summary go once, rows are what grows */
    const char *rows = strstr(text, "\"rows\"");
    double json = rows ? (double)(len - (size_t)(rows - text)) / (double)r->n_rows : 0;
    printf("a row as JSON: %.1f B, as a batch: %.2f B, %.1f times less\n", json, ours, json / ours);
    free(text); /* layout: allow free - memory of open_memstream */
}

static void measure(sim *s, remote_opts *o)
{
    int64_t *total = gp_calloc(opt.repeat, sizeof *total);
    int64_t *first = gp_calloc(opt.repeat, sizeof *first);
    query_stmt *q = prepare(opt.limit);
    size_t shown = 0, hosts = 0;
    double cpu = cpu_s();
    for (uint64_t i = 0; i < opt.repeat; i++) {
        struct seen seen = {.start_ns = gp_mono_ns()};
        result r = {0};
        gp_err err = {0};
        o->on_partial = opt.partials ? on_partial : NULL;
        o->ctx = &seen;
        if (remote_query(q, o, &r, &err) != GP_OK)
            die("query", &err);
        total[i] = gp_mono_ns() - seen.start_ns;
        first[i] = seen.first_ns ? seen.first_ns : total[i];
        shown = r.n_rows;
        hosts = r.n_host_statuses;
        check_totals(s, &r);
        if (opt.json && i + 1 == opt.repeat && r.n_rows)
            compare_json(s, &r);
        result_clear(&r);
    }
    cpu = (cpu_s() - cpu) / (double)opt.repeat;
    qsort(total, opt.repeat, sizeof *total, cmp_i64);
    qsort(first, opt.repeat, sizeof *first, cmp_i64);
    printf("%" PRIu64 " agents x %" PRIu64 " rows%s, limit %" PRIu64 ", %" PRIu64
           " silent, %" PRIu64 " dead, %" PRIu64
           " slow: first rows p50 %.0f ms, complete p50 %.0f ms max %.0f ms; %zu rows, "
           "%zu hosts; %.1f MB from agents (%.2f B/row); aggregator %.0f ms CPU a query, peak %ld "
           "MiB\n",
           opt.agents, opt.rows, opt.merge ? " merged" : "", opt.limit, opt.silent, opt.dead,
           opt.slow, (double)first[opt.repeat / 2] / 1e6, (double)total[opt.repeat / 2] / 1e6,
           (double)total[opt.repeat - 1] / 1e6, shown, hosts,
           (double)sim_bytes(s) / (double)opt.repeat / 1e6,
           opt.rows ? (double)sim_bytes(s) / (double)opt.repeat / (double)(opt.agents * opt.rows)
                    : 0.0,
           cpu * 1e3, status_kib("VmHWM") / 1024);
    query_stmt_free(q);
    gp_free(total);
    gp_free(first);
}

/* ---- giving up ---- */

struct given_up {
    remote_opts o;
    query_stmt *q;
};

static void *ask_in_vain(void *arg)
{
    struct given_up *g = arg;
    result r = {0};
    (void)!remote_query(g->q, &g->o, &r, NULL);
    result_clear(&r);
    return NULL;
}

/* From the moment the user gives up until the last agent has been told. */
static int64_t give_up_once(sim *s, struct given_up *g)
{
    gp_cancel cancel = GP_CANCEL_INIT;
    uint64_t all = opt.agents < opt.in_flight ? opt.agents : opt.in_flight;
    gp_deadline reach = gp_deadline_in_ms(REACH_MS);
    pthread_t t;
    g->o.cancel = &cancel;
    if (pthread_create(&t, NULL, ask_in_vain, g) != 0)
        exit(1);
    while (sim_running(s) < all && !gp_deadline_passed(reach))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    if (sim_running(s) < all)
        fprintf(stderr, "only %u agents are asked at once\n", sim_running(s));
    int64_t start = gp_mono_ns();
    gp_cancel_set(&cancel, GP_ECANCELLED);
    pthread_join(t, NULL);
    while (sim_running(s))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return sim_told_ns(s) - start;
}

static void measure_cancel(sim *s, const remote_opts *o)
{
    struct given_up g = {.o = *o, .q = prepare(opt.limit)};
    int64_t *took = gp_calloc(opt.cancel, sizeof *took);
    for (uint64_t i = 0; i < opt.agents; i++)
        sim_behave(s, i, SIM_SILENT, 0);
    for (uint64_t i = 0; i < opt.cancel; i++)
        took[i] = give_up_once(s, &g);
    qsort(took, opt.cancel, sizeof *took, cmp_i64);
    printf("cancel: all agents told within p50 %.0f ms, max %.0f ms of %" PRIu64 " queries\n",
           (double)took[opt.cancel / 2] / 1e6, (double)took[opt.cancel - 1] / 1e6, opt.cancel);
    query_stmt_free(g.q);
    gp_free(took);
}

/* ---- clients that read slowly ---- */

enum { MAX_SLOW_CLIENTS = 16, SLOW_BYTES_S = 100000 };

static struct {
    throttle *line;
    char addr[64];
    gp_cancel cancel;
    pthread_t t[MAX_SLOW_CLIENTS];
    struct given_up ask;
} slow = {.cancel = GP_CANCEL_INIT};

static void start_slow_clients(sim *s, const remote_opts *o)
{
    gp_err err = {0};
    if (opt.slow_clients > MAX_SLOW_CLIENTS)
        opt.slow_clients = MAX_SLOW_CLIENTS;
    if (!opt.slow_clients)
        return;
    if (throttle_new(aggr_addr, 0, SLOW_BYTES_S, &slow.line, slow.addr, sizeof slow.addr, &err) !=
        GP_OK)
        die("throttle", &err);
    slow.ask = (struct given_up){.o = *o, .q = prepare(opt.agents * opt.rows)};
    slow.ask.o.addr = slow.addr;
    slow.ask.o.identity = sim_other_user(s);
    slow.ask.o.cancel = &slow.cancel;
    for (uint64_t i = 0; i < opt.slow_clients; i++) {
        if (pthread_create(&slow.t[i], NULL, ask_in_vain, &slow.ask) != 0)
            exit(1);
    }
    /* until the agents have answered and only the clients are waited for */
    while (sim_queries(s) == 0 || sim_running(s))
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
}

static void stop_slow_clients(void)
{
    if (!slow.line)
        return;
    gp_cancel_set(&slow.cancel, GP_ECANCELLED);
    for (uint64_t i = 0; i < opt.slow_clients; i++)
        pthread_join(slow.t[i], NULL);
    printf("%" PRIu64 " slow clients read %.1f MB meanwhile\n", opt.slow_clients,
           (double)throttle_down(slow.line) / 1e6);
    throttle_free(slow.line);
    query_stmt_free(slow.ask.q);
}

int main(int argc, char **argv)
{
    static const struct argp argp = {table, parse, NULL, "fleet benchmark", NULL, NULL, NULL};
    struct rlimit lim;
    sim *s = NULL;
    gp_err err = {0};
    (void)argp_parse(&argp, argc, argv, 0, NULL, NULL);
    if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
        lim.rlim_cur = lim.rlim_max;
        setrlimit(RLIMIT_NOFILE, &lim);
    }
    if (!mkdtemp(dir))
        return 1;
    atexit(clean_up);
    sim_opts so = {
        .n = opt.agents, .rows = opt.rows, .shared_pct = (unsigned)opt.shared, .seed = 7};
    if (sim_new(&so, &s, &err) != GP_OK)
        die("simulator", &err);
    for (uint64_t i = 0; i < opt.silent; i++)
        sim_behave(s, opt.dead + i, SIM_SILENT, 0);
    for (uint64_t i = 0; i < opt.slow; i++)
        sim_behave(s, opt.agents - 1 - i, SIM_DELAY, 3000);
    int64_t t = gp_mono_ms();
    start_aggregator(s);
    remote_opts o = {.addr = aggr_addr,
                     .identity = sim_user(s),
                     .trust = sim_trust(s),
                     .hosts = "any",
                     .max_wait_ms = (int64_t)opt.max_wait};
    wait_connected(s, &o);
    printf("connected in %" PRId64 " ms, aggregator %ld MiB\n", gp_mono_ms() - t,
           status_kib("VmRSS") / 1024);
    if (opt.idle) {
        double cpu = cpu_s();
        nanosleep(&(struct timespec){.tv_sec = (time_t)opt.idle}, NULL);
        printf("idle: %.2f %% of a core over %" PRIu64 " s\n",
               (cpu_s() - cpu) / (double)opt.idle * 100, opt.idle);
    }
    start_slow_clients(s, &o);
    if (opt.repeat)
        measure(s, &o);
    stop_slow_clients();
    if (opt.cancel)
        measure_cancel(s, &o);
    sim_free(s);
    return 0;
}
