/* others.c - the same echoes and the same rows over our RPC, nng REQ/REP and JSON over HTTP.
 *
 * Usage: rpc_others [rows]   (default 500,000; four attributes, tests/bench/wire/rows.h)
 * Only ours encrypts and authenticates. REQ/REP carries the same columnar batches in one message
 * (64 contexts); HTTP is libmicrohttpd (epoll, one thread) and libcurl with kept connections, its
 * rows are the JSON of `goquery -e json`, parsed with jansson. Loopback, two processes each. */
#include "others.h"

#include "../wire/rows.h"
#include "gp/clock.h"
#include "gp/mem.h"
#include "gp/num.h"
#include "wire/batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ECHOES = 100000, TRANSFERS = 3 };

void others_die(const char *what, const char *text)
{
    fprintf(stderr, "rpc bench: %s: %s\n", what, text);
    exit(1);
}

void others_tell(int ready_fd, const char *addr)
{
    char text[256] = "";
    snprintf(text, sizeof text, "%s", addr);
    if (write(ready_fd, text, sizeof text) != sizeof text)
        others_die("address", "the client is gone");
}

void others_wait(int stop_fd)
{
    char c;
    while (read(stop_fd, &c, 1) > 0)
        ;
}

static gp_status add_batch(void *ctx, const uint8_t *b, size_t len, size_t rows, gp_err *err)
{
    uint8_t head[4];
    (void)rows;
    gp_put_le32(head, (uint32_t)len);
    gp_buf_add(ctx, head, sizeof head);
    gp_buf_add(ctx, b, len);
    return ((gp_buf *)ctx)->failed ? gp_fail(err, GP_ENOMEM, 0, "batches") : GP_OK;
}

void others_encode(const result *r, gp_buf *out)
{
    wire_enc *e = NULL;
    gp_err err = {0};
    if (wire_enc_new(&e, &err) || wire_batch_encode(e, r, r->rows, r->n_rows, add_batch, out, &err))
        others_die("encode", err.msg);
    wire_enc_free(e);
}

size_t others_decode(const uint8_t *bytes, size_t len)
{
    wire_dec *d = NULL;
    result r = {0};
    gp_err err = {0};
    if (wire_dec_new(&d, &err) || result_init(&r, 1 << 24, &err))
        others_die("decode", err.msg);
    for (size_t at = 0; at + 4 <= len;) {
        size_t n = gp_le32(bytes + at);
        at += 4;
        if (n > len - at || wire_batch_decode(d, bytes + at, n, NULL, NULL, &r, &err))
            others_die("decode", err.msg);
        at += n;
    }
    size_t rows = r.n_rows;
    result_clear(&r);
    wire_dec_free(d);
    return rows;
}

/* ---- measuring ---- */

static double cpu_of(int who)
{
    struct rusage u;
    getrusage(who, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

struct figures {
    double echo_s, rows_s; /* wall */
    others_rows rows;
};

/* In a process of its own, so that its CPU time can be told from the others'. */
static void client(const others_transport *t, const char *addr, int out_fd)
{
    struct figures f = {0};
    void *c = t->connect(addr);
    t->echo(c, 1000); /* warm */
    int64_t at = gp_mono_ns();
    t->echo(c, ECHOES);
    f.echo_s = (double)(gp_mono_ns() - at) * 1e-9;
    f.rows_s = 1e9;
    for (int i = 0; i < TRANSFERS; i++) {
        at = gp_mono_ns();
        t->rows(c, &f.rows);
        double s = (double)(gp_mono_ns() - at) * 1e-9;
        f.rows_s = s < f.rows_s ? s : f.rows_s;
    }
    t->close(c);
    if (write(out_fd, &f, sizeof f) != sizeof f)
        others_die(t->name, "nobody listens");
}

static void compare(const others_transport *t, const result *r)
{
    int ready[2], stop[2], out[2];
    char addr[256];
    struct figures f;
    double cpu = cpu_of(RUSAGE_CHILDREN);
    if (pipe(ready) || pipe(stop) || pipe(out))
        others_die(t->name, "pipe");
    if (t->prepare)
        t->prepare();
    pid_t server = fork(); /* this process itself never calls nng */
    if (server == 0) {
        close(stop[1]);
        _exit(t->serve(r, ready[1], stop[0]));
    }
    close(stop[0]);
    close(ready[1]);
    if (read(ready[0], addr, sizeof addr) != sizeof addr)
        others_die(t->name, "the server did not start");
    pid_t asker = fork();
    if (asker == 0) {
        client(t, addr, out[1]);
        _exit(0);
    }
    close(out[1]);
    if (read(out[0], &f, sizeof f) != sizeof f)
        others_die(t->name, "the client failed");
    close(stop[1]);
    waitpid(asker, NULL, 0);
    waitpid(server, NULL, 0);
    close(ready[0]);
    close(out[0]);
    if (f.rows.rows != r->n_rows)
        others_die(t->name, "rows are missing");
    printf("%-34s %9.0f %9.2f %8.1f %9.2f %10.1f\n", t->name, ECHOES / f.echo_s,
           (double)f.rows.rows / f.rows_s / 1e6, (double)f.rows.bytes / (double)f.rows.rows,
           (double)f.rows.bytes / 1048576.0, cpu_of(RUSAGE_CHILDREN) - cpu);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static const others_transport *const all[] = {&others_rpc, &others_reqrep, &others_http};
    uint64_t n = 500000;
    result r = {0};
    gp_err err = {0};
    if (argc > 1 && !gp_num_u64(argv[1], strlen(argv[1]), 100000000, &n))
        others_die(argv[1], "expected a number of rows");
    if (bench_rows(n, 4, &r, &err) != GP_OK)
        others_die("rows", err.msg);
    printf("%llu rows of sip,dip,dport,proto; best of %d; echo: %d of %d bytes, %d in flight\n",
           (unsigned long long)n, TRANSFERS, ECHOES, OTHERS_ECHO_BYTES, OTHERS_IN_FLIGHT);
    printf("%-34s %9s %9s %8s %9s %10s\n", "", "echoes/s", "M rows/s", "B/row", "MiB",
           "CPU s, all");
    fflush(stdout);
    for (size_t i = 0; i < GP_COUNT(all); i++)
        compare(all[i], &r);
    result_clear(&r);
    return 0;
}
