/* netns_test.c - twelve agents in network namespaces of their own: killed, frozen, cut off, slow,
 * busy, denied, on a full disk, restarted in mid-query. The result is always the sum over the hosts
 * reported ok.
 *
 * Needs root (namespaces, veth); skipped otherwise.
 *
 *   hub (aggregator, this process): bridge 10.77.0.1/24
 *     |- n00: 10.77.0.10   |- n01: 10.77.0.11   ... one veth pair per agent */
#include "env.h"
#include "gp/clock.h"
#include "remote/remote.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

enum { N = 12, SKIPPED = 77, DISK = 9, BUSY = 10, DENIED = 11, SETTLE_MS = 15000 };

static e2e_env env;
static char hub[24];
static char listen_at[N][64];
static char denied_keys[400], small_disk[400], small_config[400];
static result_counters totals[N];

/* ---- namespaces ---- */

/* Run a program to its end; its exit code. */
static int run(const char *first, ...)
{
    char *argv[24] = {0};
    size_t n = 0;
    pid_t pid;
    int status = 0;
    va_list ap;
    posix_spawn_file_actions_t fa;
    union {
        const char *c;
        char *m;
    } u = {.c = first};
    va_start(ap, first);
    for (; u.c && n < COUNT(argv) - 1; u.c = va_arg(ap, const char *))
        argv[n++] = u.m;
    va_end(ap);
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_addopen(&fa, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&fa, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    int rc = posix_spawnp(&pid, argv[0], &fa, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&fa);
    if (rc != 0 || waitpid(pid, &status, 0) != pid)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void enter(const char *ns)
{
    char path[80];
    snprintf(path, sizeof path, "/run/netns/%s", ns);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(setns(fd, CLONE_NEWNET), 0);
    close(fd);
}

static void remove_namespaces(void)
{
    for (size_t i = 0; i < N; i++)
        run("ip", "netns", "del", env.netns[i], NULL);
    run("ip", "netns", "del", hub, NULL);
}

static void make_agent_ns(size_t i)
{
    char veth[32], addr[64];
    snprintf(env.netns[i], sizeof env.netns[i], "%s-%02zu", hub, i);
    snprintf(veth, sizeof veth, "v%02zu", i);
    snprintf(addr, sizeof addr, "10.77.0.%zu/24", 10 + i);
    snprintf(listen_at[i], sizeof listen_at[i], "tcp://10.77.0.%zu:8145", 10 + i);
    env.listen[i] = listen_at[i];
    assert_int_equal(run("ip", "netns", "add", env.netns[i], NULL), 0);
    assert_int_equal(run("ip", "-n", hub, "link", "add", veth, "type", "veth", "peer", "name",
                         "eth0", "netns", env.netns[i], NULL),
                     0);
    assert_int_equal(run("ip", "-n", hub, "link", "set", veth, "master", "br0", "up", NULL), 0);
    assert_int_equal(run("ip", "-n", env.netns[i], "addr", "add", addr, "dev", "eth0", NULL), 0);
    assert_int_equal(run("ip", "-n", env.netns[i], "link", "set", "eth0", "up", NULL), 0);
    assert_int_equal(run("ip", "-n", env.netns[i], "link", "set", "lo", "up", NULL), 0);
}

/* 0 when this machine does not let us. */
static int make_namespaces(void)
{
    snprintf(hub, sizeof hub, "fp%d", (int)getpid());
    if (geteuid() != 0 || run("ip", "netns", "add", hub, NULL) != 0)
        return 0;
    if (run("ip", "-n", hub, "link", "add", "br0", "type", "bridge", NULL) != 0) {
        run("ip", "netns", "del", hub, NULL);
        return 0;
    }
    run("ip", "-n", hub, "addr", "add", "10.77.0.1/24", "dev", "br0", NULL);
    run("ip", "-n", hub, "link", "set", "br0", "up", NULL);
    run("ip", "-n", hub, "link", "set", "lo", "up", NULL);
    for (size_t i = 0; i < N; i++)
        make_agent_ns(i);
    return 1;
}

/* ---- queries ---- */

static remote_opts opts(void)
{
    return (remote_opts){.addr = env.aggr.addr,
                         .identity = env.user,
                         .trust = env.trust,
                         .hosts = "any",
                         .timeout_ms = 30000,
                         .max_wait_ms = 1500};
}

static result ask(const remote_opts *o)
{
    query_args a = {0};
    query_stmt *s = NULL;
    query_problems p = {0};
    gp_err err = {0};
    result r = {0};
    query_env qe = {.now_s = gp_wall_s()};
    want_ok(query_args_init(&a));
    want_ok(query_args_set(&a.query, "sip,dip"));
    want_ok(query_args_set(&a.ifaces, "any"));
    want_ok(query_args_set(&a.first, "1748736000"));
    want_ok(query_args_set(&a.last, "1748908800"));
    a.num_results = 1000000;
    want_ok_err(&err, query_prepare(&a, &qe, &s, &p, &err));
    query_args_clear(&a);
    if (remote_query(s, o, &r, &err) != GP_OK)
        fail_msg("%s", err.msg);
    query_stmt_free(s);
    return r;
}

static result_code status_of(const result *r, size_t host, const char **message)
{
    const result_host_status *s = result_find_host_status(r, env.host[host]);
    if (!s)
        fail_msg("no status of %s", env.host[host]);
    *message = s->message;
    return s->code;
}

static void add(result_counters *t, const result_counters *c)
{
    t->bytes_rcvd += c->bytes_rcvd;
    t->bytes_sent += c->bytes_sent;
    t->pkts_rcvd += c->pkts_rcvd;
    t->pkts_sent += c->pkts_sent;
}

/* Hosts busy and denied have their status always; `odd` has one of the two given, all others are
 * ok, and totals and rows are those of the ok ones. */
static void check(const char *what, const result *r, size_t odd, result_code a, result_code b)
{
    result_counters want = {0}, rows = {0};
    assert_int_equal(r->n_host_statuses, N);
    for (size_t i = 0; i < N; i++) {
        const char *message = "";
        result_code c = status_of(r, i, &message);
        int good = i == BUSY     ? c == RESULT_TOO_MANY_REQUESTS
                   : i == DENIED ? c == RESULT_DENIED
                   : i == odd    ? c == a || c == b
                                 : c == RESULT_OK;
        if (!good)
            fail_msg("%s: %s is %s \"%s\"", what, env.host[i], result_code_name(c), message);
        if (c == RESULT_OK)
            add(&want, &totals[i]);
    }
    for (size_t i = 0; i < r->n_rows; i++)
        add(&rows, &r->rows[i].c);
    if (memcmp(&want, &r->totals, sizeof want) != 0)
        fail_msg("%s: totals are not those of the hosts reported ok", what);
    if (memcmp(&want, &rows, sizeof want) != 0)
        fail_msg("%s: the rows don't add up", what);
}

static void ask_and_check(const char *what, size_t odd, result_code a, result_code b)
{
    remote_opts o = opts();
    result r = ask(&o);
    check(what, &r, odd, a, b);
    result_clear(&r);
}

static void wait_connected(size_t host)
{
    for (int64_t end = gp_mono_ms() + SETTLE_MS; gp_mono_ms() < end;) {
        wire_host_info *v = NULL;
        size_t n = 0;
        void *owner = NULL;
        remote_opts o = opts();
        gp_err err = {0};
        int up = 0;
        o.hosts = env.host[host];
        want_ok_err(&err, remote_hosts(&o, &v, &n, &owner, &err));
        up = n == 1 && strcmp(v[0].state, "connected") == 0;
        wire_hosts_free(v, owner);
        if (up)
            return;
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    fail_msg("%s does not come back", env.host[host]);
}

/* After a disturbance has ended, a query is complete again. */
static void wait_whole(const char *what)
{
    remote_opts o = opts();
    for (int64_t end = gp_mono_ms() + SETTLE_MS; gp_mono_ms() < end;) {
        size_t ok = 0;
        const char *message;
        result r = ask(&o);
        for (size_t i = 0; i < N; i++)
            ok += status_of(&r, i, &message) == RESULT_OK;
        if (ok == N - 2) {
            check(what, &r, N, RESULT_OK, RESULT_OK);
            result_clear(&r);
            return;
        }
        result_clear(&r);
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
    fail_msg("%s: not all hosts are back", what);
}

/* ---- disturbances ---- */

static void test_all_well(void **state)
{
    (void)state;
    ask_and_check("all well", N, RESULT_OK, RESULT_OK);
}

static void test_frozen(void **state)
{
    (void)state;
    assert_int_equal(kill(env.agent[3].pid, SIGSTOP), 0);
    ask_and_check("frozen", 3, RESULT_TIMEOUT, RESULT_TIMEOUT);
    assert_int_equal(kill(env.agent[3].pid, SIGCONT), 0);
    wait_whole("thawed");
}

static void test_cut(void **state)
{
    (void)state;
    assert_int_equal(run("ip", "-n", hub, "link", "set", "v05", "down", NULL), 0);
    ask_and_check("cut off", 5, RESULT_TIMEOUT, RESULT_UNREACHABLE);
    assert_int_equal(run("ip", "-n", hub, "link", "set", "v05", "up", NULL), 0);
    wait_whole("cable back");
}

static void test_slow(void **state)
{
    (void)state;
    int delay = run("tc", "-n", hub, "qdisc", "add", "dev", "v06", "root", "netem", "delay",
                    "150ms", NULL) == 0;
    if (!delay && run("tc", "-n", hub, "qdisc", "add", "dev", "v06", "root", "tbf", "rate",
                      "400kbit", "burst", "1600", "latency", "400ms", NULL) != 0) {
        skip_because("neither tc netem nor tbf here: the slow link is left to test_halting");
    }
    int64_t start = gp_mono_ms();
    ask_and_check("slow", 6, RESULT_OK, RESULT_OK);
    assert_true(!delay || gp_mono_ms() - start >= 150);
    assert_int_equal(run("tc", "-n", hub, "qdisc", "del", "dev", "v06", "root", NULL), 0);
}

/* A host that gets on in small steps only; needs nothing of the kernel. */
struct halting {
    pid_t pid;
    atomic_int stop;
};

static void *halt_again_and_again(void *arg)
{
    struct halting *h = arg;
    while (!atomic_load(&h->stop)) {
        kill(h->pid, SIGSTOP);
        nanosleep(&(struct timespec){.tv_nsec = 30000000}, NULL);
        kill(h->pid, SIGCONT);
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    return NULL;
}

static void test_halting(void **state)
{
    (void)state;
    struct halting h = {.pid = env.agent[6].pid};
    pthread_t t;
    remote_opts o = opts();
    o.max_wait_ms = 20000; /* patient: it does answer */
    assert_int_equal(pthread_create(&t, NULL, halt_again_and_again, &h), 0);
    result r = ask(&o);
    atomic_store(&h.stop, 1);
    pthread_join(t, NULL);
    check("halting", &r, 6, RESULT_OK, RESULT_OK);
    result_clear(&r);
}

struct event {
    size_t seen, host;
    int restart;
};

/* All that can answer have: now the frozen one dies. */
static void on_host(void *ctx, const char *host, result_code code, const char *message)
{
    struct event *e = ctx;
    (void)host;
    (void)code;
    (void)message;
    if (++e->seen != N - 1)
        return;
    kill(env.agent[e->host].pid, SIGKILL);
    e2e_wait(&env.agent[e->host]);
    if (e->restart)
        e2e_start_agent(&env, e->host, NULL);
}

static void kill_in_mid_query(const char *what, size_t host, int restart)
{
    struct event e = {.host = host, .restart = restart};
    remote_opts o = opts();
    o.max_wait_ms = 20000;
    o.on_host = on_host;
    o.ctx = &e;
    assert_int_equal(kill(env.agent[host].pid, SIGSTOP), 0);
    result r = ask(&o);
    check(what, &r, host, RESULT_UNREACHABLE, RESULT_UNREACHABLE);
    result_clear(&r);
}

static void test_killed(void **state)
{
    (void)state;
    kill_in_mid_query("killed", 7, 0);
    ask_and_check("dead", 7, RESULT_UNREACHABLE, RESULT_UNREACHABLE);
    e2e_start_agent(&env, 7, NULL);
    wait_connected(7);
    wait_whole("started again");
}

static void test_restarted(void **state)
{
    (void)state;
    kill_in_mid_query("restarted in mid-query", 8, 1);
    wait_connected(8);
    wait_whole("restarted");
}

/* ---- a full disk ---- */

/* Fill the small file system to its last byte. */
static void fill_disk(const char *path)
{
    static const char zeros[4096];
    struct statvfs fs;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    while (write(fd, zeros, sizeof zeros) > 0)
        ;
    assert_int_equal(errno, ENOSPC);
    close(fd);
    assert_int_equal(statvfs(path, &fs), 0);
    assert_int_equal(fs.f_bavail, 0);
}

static int flush(void)
{
    char sock[512];
    snprintf(sock, sizeof sock, "unix:%s/small.sock", env.dir);
    return run(TEST_BIN_DIR "/gpctl", "--server.addr", sock, "flush", NULL);
}

/* An agent that captures and can't write any more answers from what it has, also when it is started
 * anew there; with room again it writes. */
static void test_disk_full(void **state)
{
    char *filler = gp_asprintf("%s/filler", small_disk);
    (void)state;
    assert_int_equal(flush(), 0);
    fill_disk(filler);
    assert_int_equal(flush(), 1);
    ask_and_check("disk full", N, RESULT_OK, RESULT_OK);
    kill(env.agent[DISK].pid, SIGKILL);
    e2e_wait(&env.agent[DISK]);
    e2e_start_agent(&env, DISK, NULL);
    wait_connected(DISK);
    fill_disk(filler); /* what the old one let go */
    assert_int_equal(flush(), 1);
    wait_whole("started on a full disk");
    assert_int_equal(unlink(filler), 0);
    assert_int_equal(flush(), 0);
    ask_and_check("room again", N, RESULT_OK, RESULT_OK);
    gp_free(filler);
}

static int goquery(const char *hosts, const char *strict)
{
    char key[400];
    snprintf(key, sizeof key, "%s/alice.key", env.dir);
    return run(TEST_BIN_DIR "/goquery", "--query.server.addr", env.aggr.addr, "-q", hosts, "-i",
               "eth0", "-f", "1748736000", "-l", "1748908800", "--identity.key", key,
               "--identity.trusted_keys", env.trusted_keys, "sip", strict, NULL);
}

static void test_exit_codes(void **state)
{
    (void)state;
    assert_int_equal(goquery("host00,host01", "--strict"), 0);
    assert_int_equal(goquery("host00,host11", NULL), 0);       /* as the reference: printed = 0 */
    assert_int_equal(goquery("host00,host11", "--strict"), 3); /* a host did not answer */
    assert_int_equal(goquery("!", NULL), 1);
}

/* ---- set up ---- */

static void learn_totals(void)
{
    for (size_t i = 0; i < N - 2; i++) {
        remote_opts o = opts();
        const char *message = "";
        o.hosts = env.host[i];
        result r = ask(&o);
        if (status_of(&r, i, &message) != RESULT_OK)
            fail_msg("%s: %s", env.host[i], message);
        totals[i] = r.totals;
        assert_true(totals[i].bytes_rcvd > 0);
        result_clear(&r);
    }
}

/* trusted_keys of an agent that knows the aggregator, but no user. */
static void make_denying(void)
{
    gp_buf b = {0};
    auth_trust_entry(env.aggr_id, NULL, &b);
    snprintf(denied_keys, sizeof denied_keys, "%s/denying_keys", env.dir);
    test_spew(denied_keys, b.data, b.len);
    gp_buf_free(&b);
    env.trust_of[DENIED] = denied_keys;
}

/* Database and audit log of one agent on a file system of two megabytes, which only we and our
 * children see. 0 when this machine does not let us. */
static int make_small_disk(void)
{
    gp_buf b = {0};
    snprintf(small_disk, sizeof small_disk, "%s/small", env.dir);
    snprintf(small_config, sizeof small_config, "%s/small.yaml", env.dir);
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return 0;
    assert_int_equal(mkdir(small_disk, 0700), 0);
    if (mount("small", small_disk, "tmpfs", 0, "size=2m") != 0)
        return 0;
    char *from = gp_asprintf("%s/db-%s", env.dir, env.host[DISK]);
    char *to = gp_asprintf("%s/db", small_disk);
    assert_int_equal(run("cp", "-a", from, to, NULL), 0);
    gp_buf_printf(&b,
                  "db: {path: %s}\n"
                  "api:\n  addr: ['tcp://10.77.0.%d:8145', 'ipc://%s/small.sock']\n"
                  "  key_file: %s/%s.key\n  trusted_keys: %s\n"
                  "audit: {file: %s/audit}\n"
                  "interfaces: {eth0: {ring_buffer: {block_size: 65536, num_blocks: 4}}}\n",
                  to, 10 + DISK, env.dir, env.dir, env.host[DISK], env.trusted_keys, small_disk);
    test_spew(small_config, b.data, b.len);
    env.config[DISK] = small_config;
    gp_buf_free(&b);
    gp_free(from);
    gp_free(to);
    return 1;
}

static int begin(void **state)
{
    static const char *const full[] = {"--max-rate", "0.000001", NULL};
    (void)state;
    e2e_make(&env, N);
    if (!make_small_disk() || !make_namespaces()) {
        umount(small_disk);
        e2e_end(&env);
        print_message("needs root and network namespaces: skipped\n");
        exit(SKIPPED);
    }
    make_denying();
    enter(hub);
    for (size_t i = 0; i < N; i++)
        e2e_start_agent(&env, i, i == BUSY ? full : NULL);
    e2e_start_aggregator(&env, NULL);
    for (size_t i = 0; i < N; i++)
        wait_connected(i);
    remote_opts o = opts(); /* takes the only token that the full one has */
    o.hosts = env.host[BUSY];
    result r = ask(&o);
    result_clear(&r);
    learn_totals();
    return 0;
}

static int end(void **state)
{
    (void)state;
    remove_namespaces(); /* the names; those who live in them end next */
    umount2(small_disk, MNT_DETACH);
    e2e_end(&env);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_well),   cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_cut),        cmocka_unit_test(test_slow),
        cmocka_unit_test(test_halting),    cmocka_unit_test(test_disk_full),
        cmocka_unit_test(test_killed),     cmocka_unit_test(test_restarted),
        cmocka_unit_test(test_exit_codes),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
