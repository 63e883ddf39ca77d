/* main.c - rpc benchmark over loopback, both ends on this machine: calls/s, MiB/s, handshakes,
 * memory of 1,000 connections. Server and client are two processes.
 *
 * Usage: rpc [unary|stream|handshakes|conns]...   (default: all) */
#include "gp/clock.h"
#include "gp/mem.h"
#include "rpc/rpc.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { IN_FLIGHT = 64, UNARY_CALLS = 400000, STREAM_MIB = 4096, CONNS = 1000 };

static void die(const gp_err *err)
{
    fprintf(stderr, "rpc bench: %s\n", err->msg);
    exit(1);
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* ---- server process ---- */

static rpc_code echo(void *ctx, rpc_stream *s, const uint8_t *req, size_t len, gp_buf *text)
{
    (void)ctx, (void)text;
    return rpc_code_from_status(rpc_stream_send(s, req, len, NULL));
}

/* Streams the number of MiB that the request names, in messages of the largest size. */
static rpc_code flood(void *ctx, rpc_stream *s, const uint8_t *req, size_t len, gp_buf *text)
{
    (void)ctx, (void)text;
    uint32_t mib = len == 4 ? gp_le32(req) : 0;
    uint8_t *msg = gp_calloc(RPC_MAX_PAYLOAD, 1);
    gp_status st = msg ? GP_OK : GP_ENOMEM;
    for (uint64_t i = 0; i < (uint64_t)mib * 4 && st == GP_OK; i++)
        st = rpc_stream_send(s, msg, RPC_MAX_PAYLOAD, NULL);
    gp_free(msg);
    return rpc_code_from_status(st);
}

static const rpc_method METHODS[] = {{"echo", echo, 4096, 0, 0, NULL},
                                     {"flood", flood, 64, 0, 0, NULL}};

static int serve(const auth_identity *id, auth_trust *trust, int ready_fd, int stop_fd)
{
    rpc_runtime *rt = NULL;
    gp_err err = {0};
    char bound[256] = "", c;
    rpc_opts o = {.identity = id, .trust = trust, .max_conns_per_peer = 2 * CONNS};
    if (rpc_runtime_new(&o, &rt, &err) ||
        rpc_listen(rt, "tcp://127.0.0.1:0", METHODS, GP_COUNT(METHODS), NULL, bound, sizeof bound,
                   &err))
        die(&err);
    if (write(ready_fd, bound, sizeof bound) < 0)
        return 1;
    while (read(stop_fd, &c, 1) > 0) /* until the client process is gone */
        ;
    rpc_runtime_free(rt, 1000);
    return 0;
}

/* ---- client process ---- */

typedef struct bench {
    rpc_runtime *rt;
    char addr[256];
    pid_t server;
    atomic_long done, bytes, failed;
    atomic_int left;
    rpc_conn *conn;
} bench;

static rpc_conn *dial(bench *b)
{
    gp_err err = {0};
    rpc_conn *c = NULL;
    rpc_dial_opts o = {.addr = b->addr, .deadline = gp_deadline_in_ms(5000)};
    if (rpc_dial(b->rt, &o, &c, &err))
        die(&err);
    return c;
}

static double cpu_s(int who)
{
    struct rusage r;
    getrusage(who, &r);
    return (double)r.ru_utime.tv_sec + (double)r.ru_stime.tv_sec +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1e-6;
}

static void start_call(bench *b);

static void on_echo(void *ctx, rpc_call *call, const rpc_event *ev)
{
    bench *b = ctx;
    if (ev->kind != RPC_EV_STATUS)
        return;
    if (ev->code != RPC_OK)
        atomic_fetch_add(&b->failed, 1);
    rpc_call_free(call);
    atomic_fetch_add(&b->done, 1);
    start_call(b);
}

static void start_call(bench *b)
{
    static const uint8_t req[64];
    gp_err err = {0};
    rpc_call *call = NULL;
    if (atomic_fetch_sub(&b->left, 1) <= 0)
        return;
    if (rpc_call_start(b->conn, "echo", req, sizeof req, gp_deadline_in_ms(60000), on_echo, b,
                       &call, &err))
        die(&err);
}

static void unary(bench *b)
{
    b->conn = dial(b);
    b->done = 0;
    b->left = UNARY_CALLS;
    double cpu = cpu_s(RUSAGE_SELF);
    int64_t t = gp_mono_ns();
    for (int i = 0; i < IN_FLIGHT; i++)
        start_call(b);
    while (atomic_load(&b->done) < UNARY_CALLS)
        pause_ms(1);
    double s = (double)(gp_mono_ns() - t) * 1e-9;
    printf(
        "unary, %d in flight, 64-byte echo: %.0f calls/s (client %.1f us CPU a call, %ld failed)\n",
        IN_FLIGHT, UNARY_CALLS / s, (cpu_s(RUSAGE_SELF) - cpu) * 1e6 / UNARY_CALLS, b->failed);
    rpc_conn_close(b->conn);

    b->conn = dial(b);
    gp_buf reply = {0};
    enum { ONE = 20000 };
    t = gp_mono_ns();
    for (int i = 0; i < ONE; i++) {
        gp_err err = {0};
        gp_buf_clear(&reply);
        if (rpc_call_unary(b->conn, "echo", "x", 1, GP_NEVER, &reply, &err))
            die(&err);
    }
    s = (double)(gp_mono_ns() - t) * 1e-9;
    printf("unary, one at a time: %.0f calls/s, %.1f us each\n", ONE / s, s / ONE * 1e6);
    gp_buf_free(&reply);
    rpc_conn_close(b->conn);
}

static void on_flood(void *ctx, rpc_call *call, const rpc_event *ev)
{
    bench *b = ctx;
    (void)call;
    if (ev->kind == RPC_EV_MSG)
        atomic_fetch_add_explicit(&b->bytes, (long)ev->len, memory_order_relaxed);
    else
        atomic_fetch_add(&b->done, 1);
}

static void stream(bench *b, int calls)
{
    rpc_call *call[16];
    uint8_t req[4];
    gp_err err = {0};
    b->conn = dial(b);
    b->bytes = 0;
    b->done = 0;
    gp_put_le32(req, (uint32_t)(STREAM_MIB / calls));
    int64_t t = gp_mono_ns();
    for (int i = 0; i < calls; i++)
        if (rpc_call_start(b->conn, "flood", req, 4, GP_NEVER, on_flood, b, &call[i], &err))
            die(&err);
    while (atomic_load(&b->done) < calls)
        pause_ms(1);
    double s = (double)(gp_mono_ns() - t) * 1e-9;
    printf("stream, %2d calls, 256 KiB messages: %.0f MiB/s\n", calls,
           (double)b->bytes / 1048576.0 / s);
    for (int i = 0; i < calls; i++)
        rpc_call_free(call[i]);
    rpc_conn_close(b->conn);
}

/* A field of /proc/PID/status. */
static long proc_field(pid_t pid, const char *field)
{
    char path[64], line[256];
    long v = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, field, strlen(field)) == 0)
            sscanf(line + strlen(field) + 1, "%ld", &v);
    if (f)
        fclose(f);
    return v;
}

static void on_dial(void *ctx, rpc_conn *c, const gp_err *err)
{
    bench *b = ctx;
    if (!c)
        die(err);
    rpc_conn_close(c);
    atomic_fetch_add(&b->done, 1);
}

static void handshakes(bench *b)
{
    gp_err err = {0};
    b->done = 0;
    int64_t t = gp_mono_ns();
    for (int i = 0; i < CONNS; i++) {
        rpc_dial_opts o = {.addr = b->addr, .deadline = gp_deadline_in_ms(5000)};
        while (i - atomic_load(&b->done) >= 64)
            pause_ms(1);
        if (rpc_dial_async(b->rt, &o, on_dial, b, &err))
            die(&err);
    }
    while (atomic_load(&b->done) < CONNS)
        pause_ms(1);
    double s = (double)(gp_mono_ns() - t) * 1e-9;
    printf("handshakes, 64 at once: %d in %.2f s (%.0f us each, both ends)\n", CONNS, s,
           s / CONNS * 1e6);
}

static void conns(bench *b)
{
    static rpc_conn *c[CONNS];
    gp_err err = {0};
    gp_buf reply = {0};
    rpc_conn_close(dial(b)); /* threads and pools are there */
    long mine = proc_field(getpid(), "VmRSS:"), theirs = proc_field(b->server, "VmRSS:");
    for (int i = 0; i < CONNS; i++) {
        c[i] = dial(b);
        if (rpc_call_unary(c[i], "echo", "x", 1, GP_NEVER, &reply, &err))
            die(&err);
    }
    gp_buf_free(&reply);
    printf("%d open connections, each used once: server +%.1f MiB (%ld threads), client +%.1f MiB "
           "(%ld threads)\n",
           CONNS, (double)(proc_field(b->server, "VmRSS:") - theirs) / 1024,
           proc_field(b->server, "Threads:"),
           (double)(proc_field(getpid(), "VmRSS:") - mine) / 1024,
           proc_field(getpid(), "Threads:"));
    for (int i = 0; i < CONNS; i++)
        rpc_conn_close(c[i]);
}

static int wanted(int argc, char **argv, const char *what)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], what) == 0)
            return 1;
    return argc == 1;
}

int main(int argc, char **argv)
{
    auth_identity *agent = NULL, *user = NULL;
    auth_trust *trust = NULL;
    gp_buf text = {0};
    gp_err err = {0};
    bench b = {0};
    int ready[2], stop[2];
    struct rlimit lim;
    getrlimit(RLIMIT_NOFILE, &lim);
    lim.rlim_cur = lim.rlim_max;
    setrlimit(RLIMIT_NOFILE, &lim);
    if (auth_identity_new(AUTH_KIND_AGENT, "a", &agent, &err) ||
        auth_identity_new(AUTH_KIND_USER, "u", &user, &err) || auth_trust_new(&trust, &err))
        die(&err);
    auth_trust_entry(agent, NULL, &text);
    auth_trust_entry(user, NULL, &text);
    if (auth_trust_parse(trust, gp_buf_str(&text), text.len, &err))
        die(&err);
    gp_buf_free(&text);
    if (pipe(ready) || pipe(stop))
        return 1;
    b.server = fork(); /* before the first nng call */
    if (b.server == 0) {
        close(stop[1]);
        _exit(serve(agent, trust, ready[1], stop[0]));
    }
    close(stop[0]);
    close(ready[1]);
    if (read(ready[0], b.addr, sizeof b.addr) <= 0)
        return 1;
    rpc_opts o = {.identity = user, .trust = trust};
    if (rpc_runtime_new(&o, &b.rt, &err))
        die(&err);
    if (wanted(argc, argv, "conns"))
        conns(&b);
    if (wanted(argc, argv, "handshakes"))
        handshakes(&b);
    if (wanted(argc, argv, "unary"))
        unary(&b);
    if (wanted(argc, argv, "stream"))
        for (int n = 1; n <= 4; n *= 2)
            stream(&b, n);
    rpc_runtime_free(b.rt, 0);
    close(stop[1]);
    waitpid(b.server, NULL, 0);
    auth_trust_free(trust);
    auth_identity_free(agent);
    auth_identity_free(user);
    return 0;
}
