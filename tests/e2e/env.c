/* env.c - a fleet of real processes on loopback for one test. */
#include "env.h"

#include "fleetdb.h"
#include "gp/clock.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

enum { START_MS = 15000, STOP_MS = 10000, MAX_ARGS = 64 };

char *e2e_path(const e2e_env *e, const char *name)
{
    char *p = gp_asprintf("%s/%s", e->dir, name);
    assert_non_null(p);
    return p;
}

/* ---- processes ---- */

/* The child only sets its death signal and execs: nothing of ours runs in it. */
static void spawn(e2e_proc *p, const char *log, const char *netns, char *const *argv)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (*netns) {
            int ns = open(netns, O_RDONLY | O_CLOEXEC);
            if (ns < 0 || setns(ns, CLONE_NEWNET) != 0)
                _exit(126);
        }
        dup2(fds[1], STDOUT_FILENO);
        dup2(fd >= 0 ? fd : fds[1], STDERR_FILENO);
        execv(argv[0], argv);
        _exit(127);
    }
    close(fds[1]);
    *p = (e2e_proc){.pid = pid, .out = fds[0]};
}

/* The line "listening on ADDR". */
static void wait_listening(e2e_proc *p, const char *log)
{
    char buf[1024];
    size_t n = 0;
    gp_deadline end = gp_deadline_in_ms(START_MS);
    while (n + 1 < sizeof buf) {
        struct pollfd pf = {.fd = p->out, .events = POLLIN};
        int64_t left = gp_deadline_left_ms(end);
        ssize_t r = left > 0 && poll(&pf, 1, (int)left) == 1 ? read(p->out, buf + n, 1) : 0;
        if (r <= 0)
            break;
        buf[++n] = 0;
        char *at = strstr(buf, "listening on ");
        if (at && buf[n - 1] == '\n') {
            buf[n - 1] = 0;
            snprintf(p->addr, sizeof p->addr, "%s", at + strlen("listening on "));
            return;
        }
    }
    char *text = test_slurp(log, NULL);
    print_error("%s", text);
    gp_free(text);
    fail_msg("a daemon did not start; its log is above");
}

int e2e_wait(e2e_proc *p)
{
    int status = 0;
    gp_deadline end = gp_deadline_in_ms(STOP_MS);
    if (!p->pid)
        return 0;
    while (waitpid(p->pid, &status, WNOHANG) == 0) {
        if (gp_deadline_passed(end))
            kill(p->pid, SIGKILL);
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    close(p->out);
    p->pid = 0;
    return status;
}

static void start_stop(e2e_proc *p)
{
    if (p->pid) {
        kill(p->pid, SIGCONT);
        kill(p->pid, SIGTERM);
    }
}

/* ---- making ---- */

static void add_key(e2e_env *e, auth_identity **id, auth_kind kind, const char *name,
                    gp_buf *trusted)
{
    char *file = gp_asprintf("%s/%s.key", e->dir, name);
    gp_err err = {0};
    want_ok_err(&err, auth_identity_new(kind, name, id, &err));
    want_ok_err(&err, auth_identity_save(*id, file, &err));
    if (trusted) {
        auth_trust_entry(*id, NULL, trusted);
        if (trusted->len && trusted->data[trusted->len - 1] != '\n')
            gp_buf_addc(trusted, '\n');
    }
    gp_free(file);
}

void e2e_make(e2e_env *e, size_t n_agents)
{
    gp_buf keys = {0};
    gp_err err = {0};
    *e = (e2e_env){.dir = test_tmpdir(), .n_agents = n_agents};
    for (size_t i = 0; i < n_agents; i++) {
        snprintf(e->host[i], sizeof e->host[i], "host%02zu", i);
        add_key(e, &e->agent_id[i], AUTH_KIND_AGENT, e->host[i], &keys);
        char *db = gp_asprintf("%s/db-%s", e->dir, e->host[i]);
        fleetdb_write(db, i, 1);
        gp_free(db);
    }
    add_key(e, &e->aggr_id, AUTH_KIND_AGGREGATOR, "agg", &keys);
    add_key(e, &e->user, AUTH_KIND_USER, "alice", &keys);
    add_key(e, &e->stranger, AUTH_KIND_USER, "mallory", NULL);
    e->trusted_keys = e2e_path(e, "trusted_keys");
    test_spew(e->trusted_keys, keys.data, keys.len);
    gp_buf_free(&keys);
    want_ok_err(&err, auth_trust_new(&e->trust, &err));
    want_ok_err(&err, auth_trust_load(e->trust, e->trusted_keys, &err));
}

static char *unconst(const char *s)
{
    union {
        const char *c;
        char *m;
    } u = {.c = s};
    return u.m;
}

void e2e_start_agent(e2e_env *e, size_t i, const char *const *extra)
{
    char db[320], key[320], log[320];
    static char prog[] = TEST_BIN_DIR "/goprobe", dial_out[] = "--dial-out", with_config[] = "-c";
    char *argv[MAX_ARGS] = {prog,
                            (char[]){"serve"},
                            (char[]){"--db"},
                            db,
                            (char[]){"--key"},
                            key,
                            (char[]){"--trusted-keys"},
                            e->trusted_keys,
                            (char[]){"--listen"},
                            (char[]){"tcp://127.0.0.1:0"}};
    size_t n = 10;
    if (e->trust_of[i])
        argv[7] = unconst(e->trust_of[i]);
    if (e->listen[i])
        argv[9] = unconst(e->listen[i]);
    if (e->dials_out[i]) {
        argv[8] = dial_out;
        argv[9] = e->aggr.addr;
    }
    if (e->config[i]) {
        argv[1] = with_config;
        argv[2] = unconst(e->config[i]);
        argv[n = 3] = NULL;
    }
    snprintf(db, sizeof db, "%s/db-%s", e->dir, e->host[i]);
    snprintf(key, sizeof key, "%s/%s.key", e->dir, e->host[i]);
    snprintf(log, sizeof log, "%s/%s.log", e->dir, e->host[i]);
    for (; extra && *extra && n < MAX_ARGS - 1; extra++) {
        argv[n++] = unconst(*extra);
    }
    char netns[64] = "";
    if (*e->netns[i])
        snprintf(netns, sizeof netns, "/run/netns/%s", e->netns[i]);
    spawn(&e->agent[i], log, netns, argv);
    if (e->config[i]) /* it does not say so on its output */
        snprintf(e->agent[i].addr, sizeof e->agent[i].addr, "%s", e->listen[i]);
    else if (!e->dials_out[i])
        wait_listening(&e->agent[i], log);
}

void e2e_start_aggregator(e2e_env *e, const char *more)
{
    gp_buf b = {0};
    char key[320], log[320];
    static char prog[] = TEST_BIN_DIR "/global-query";
    for (size_t i = 0; i < e->n_agents; i++)
        gp_buf_printf(&b, "%s:\n  addr: %s\n  groups: [%s]\n", e->host[i],
                      e->dials_out[i]     ? "dial-in"
                      : *e->agent[i].addr ? e->agent[i].addr
                                          : "tcp://127.0.0.1:1",
                      i % 2 ? "odd" : "even");
    gp_buf_adds(&b, more ? more : "");
    e->endpoints = e2e_path(e, "endpoints.yaml");
    test_spew(e->endpoints, b.data, b.len);
    gp_buf_free(&b);
    snprintf(key, sizeof key, "%s/agg.key", e->dir);
    snprintf(log, sizeof log, "%s/agg.log", e->dir);
    char *argv[] = {prog,
                    (char[]){"server"},
                    (char[]){"--server.addr"},
                    (char[]){"tcp://127.0.0.1:0"},
                    (char[]){"--identity.key"},
                    key,
                    (char[]){"--identity.trusted_keys"},
                    e->trusted_keys,
                    (char[]){"--querier.config"},
                    e->endpoints,
                    NULL};
    spawn(&e->aggr, log, "", argv);
    wait_listening(&e->aggr, log);
}

void e2e_show_log(const e2e_env *e, const char *name)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s.log", e->dir, name);
    if (access(path, R_OK) != 0)
        return;
    char *text = test_slurp(path, NULL);
    print_message("---- %s\n%s", name, text);
    gp_free(text);
}

void e2e_end(e2e_env *e)
{
    start_stop(&e->aggr);
    e2e_wait(&e->aggr);
    for (size_t i = 0; i < e->n_agents; i++)
        start_stop(&e->agent[i]);
    for (size_t i = 0; i < e->n_agents; i++) {
        e2e_wait(&e->agent[i]);
        auth_identity_free(e->agent_id[i]);
    }
    auth_identity_free(e->aggr_id);
    auth_identity_free(e->user);
    auth_identity_free(e->stranger);
    auth_trust_free(e->trust);
    gp_free(e->trusted_keys);
    gp_free(e->endpoints);
    test_rmtree(e->dir);
    gp_free(e->dir);
    *e = (e2e_env){0};
}
