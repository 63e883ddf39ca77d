/* cmd_top.c - `gpctl top`: packets and bits per second of each interface, again and again. */
#include "gpctl.h"

#include "gp/clock.h"
#include "gp/mem.h"
#include "query/json.h"
#include "result/print.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { FRAME_LINES = 7 }; /* of a table beside its rows: borders, headings, the cursor's line */

#define NS INT64_C(1000000000)

static volatile sig_atomic_t stopped;

static void on_signal(int sig)
{
    (void)sig;
    stopped = 1;
}

typedef struct rate {
    const wire_iface_status *v;
    double packets, bits_in, bits_out, dropped; /* per second */
} rate;

static const wire_iface_status *find(const wire_status_reply *r, const wire_iface_status *v)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->v[i].name, v->name) == 0 && r->v[i].started_ns == v->started_ns)
            return &r->v[i];
    return NULL;
}

/* Counters only grow while a capture lasts; "received" may shrink a little, which is not shown. */
static double per_second(uint64_t now, uint64_t before, double seconds)
{
    return now > before && seconds > 0 ? (double)(now - before) / seconds : 0;
}

static int busiest_first(const void *a, const void *b)
{
    const rate *x = a, *y = b;
    double d = y->bits_in + y->bits_out - x->bits_in - x->bits_out;
    return d > 0 ? 1 : d < 0 ? -1 : strcmp(x->v->name, y->v->name);
}

/* Rates between two answers; new captures count from their start. */
static size_t rates(const wire_status_reply *old, const wire_status_reply *now, rate *out)
{
    static const wire_iface_counts zero;
    size_t n = 0;

    for (size_t i = 0; i < now->n; i++) {
        const wire_iface_status *v = &now->v[i], *o = find(old, v);
        if (!v->capturing)
            continue;
        int64_t from = o ? old->daemon.now_ns : v->started_ns;
        double s = (double)(now->daemon.now_ns - from) / (double)NS;
        const wire_iface_counts *a = o ? &o->total : &zero, *b = &v->total;
        out[n++] = (rate){.v = v,
                          .packets = per_second(b->processed, a->processed, s),
                          .bits_in = 8 * per_second(b->bytes_in, a->bytes_in, s),
                          .bits_out = 8 * per_second(b->bytes_out, a->bytes_out, s),
                          .dropped = per_second(b->dropped + b->lost, a->dropped + a->lost, s)};
    }
    qsort(out, n, sizeof *out, busiest_first);
    return n;
}

/* ---- output ---- */

static void add_row(gpctl_box *b, const rate *r)
{
    char packets[32], in[32], out[32], dropped[32], flows[32];
    const char *cells[GPCTL_BOX_COLS] = {
        r->v->name,
        result_fmt_count((uint64_t)(r->packets + 0.5), packets, sizeof packets),
        result_fmt_count((uint64_t)(r->bits_in + 0.5), in, sizeof in),
        result_fmt_count((uint64_t)(r->bits_out + 0.5), out, sizeof out),
        result_fmt_count((uint64_t)(r->dropped + 0.5), dropped, sizeof dropped),
        result_fmt_count(r->v->flows, flows, sizeof flows)};
    gpctl_box_row(b, cells, r->dropped > 0 ? 1u << 4 : 0);
}

static gp_status print_table(const rate *v, size_t n, gp_err *err)
{
    static const char *const head[2][GPCTL_BOX_COLS] = {
        {"", "packets", "bits in", "bits out", "dropped", "flows of"},
        {"iface", "/ s", "/ s", "/ s", "/ s", "interval"}};
    gpctl_box *b = gpctl_box_new("Interface Traffic", "LRRRRR");

    if (!b)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    for (size_t i = 0; i < GP_COUNT(head); i++)
        gpctl_box_head(b, head[i]);
    for (size_t i = 0; i < n; i++)
        add_row(b, &v[i]);
    gp_status st = gpctl_box_print(b, stdout, gpctl_color(), err);
    gpctl_box_free(b);
    return st;
}

static int print_json(const rate *v, size_t n, int64_t now_ns)
{
    gp_buf b = {0};
    query_json_object o = query_json_open(&b);

    query_json_key(&o, "time");
    gpctl_json_time(&b, now_ns / NS, (uint32_t)(now_ns % NS));
    query_json_key(&o, "ifaces");
    query_json_object all = query_json_open(&b);
    for (size_t i = 0; i < n; i++) {
        query_json_key(&all, v[i].v->name);
        gp_buf_printf(&b,
                      "{\"packets_per_s\":%.1f,\"bits_in_per_s\":%.1f,\"bits_out_per_s\":%.1f,"
                      "\"dropped_per_s\":%.1f,\"flows\":%llu}",
                      v[i].packets, v[i].bits_in, v[i].bits_out, v[i].dropped,
                      (unsigned long long)v[i].v->flows);
    }
    query_json_close(&all);
    query_json_close(&o);
    return gpctl_print_json(&b);
}

/* Interfaces that fit on the screen; the least busy ones are left out. */
static size_t screen_rows(void)
{
    struct winsize ws;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) != 0 || ws.ws_row == 0)
        return SIZE_MAX;
    return ws.ws_row > FRAME_LINES ? (size_t)ws.ws_row - FRAME_LINES : 1;
}

static int show(const gpctl_opts *o, const wire_status_reply *old, const wire_status_reply *now,
                int terminal)
{
    GP_CLEANUP(gp_freep) rate *v = gp_calloc(now->n + 1, sizeof *v);
    gp_err err = {0};

    if (!v)
        return gpctl_fail("out of memory");
    size_t n = rates(old, now, v);
    if (o->json)
        return print_json(v, n, now->daemon.now_ns);
    if (terminal) {
        size_t most = screen_rows();
        n = n < most ? n : most;
        fputs("\033[H\033[J", stdout);
    }
    return print_table(v, n, &err) == GP_OK ? 0 : gpctl_fail("%s", err.msg);
}

/* ---- keys ---- */

/* A terminal whose keys come one by one and unseen; Ctrl-C stays a signal, but does not cut off the
 * table that is being printed. */
typedef struct keyboard {
    struct termios before;
    int on;
} keyboard;

static void keyboard_take(keyboard *k)
{
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &k->before) != 0)
        return;
    struct termios raw = k->before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_lflag |= NOFLSH;
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    k->on = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

static void keyboard_give_back(const keyboard *k)
{
    if (k->on)
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &k->before);
}

/* A key was pressed: is it q? The end of the input ends keys, not us. */
static void read_keys(keyboard *k)
{
    char c[64];
    ssize_t n = read(STDIN_FILENO, c, sizeof c);

    for (ssize_t i = 0; i < n; i++)
        if (c[i] == 'q' || c[i] == 'Q')
            stopped = 1;
    if (n <= 0)
        k->on = 0;
}

/* 0 when a signal or a key ended the wait. */
static int wait_for(keyboard *k, int64_t ns)
{
    gp_deadline until = gp_deadline_in_ms(ns / 1000000);

    while (!stopped && !gp_deadline_passed(until)) {
        struct pollfd in = {.fd = k->on ? STDIN_FILENO : -1, .events = POLLIN};
        int64_t left = gp_deadline_left_ms(until);
        if (poll(&in, 1, left > 3600000 ? 3600000 : (int)left) > 0)
            read_keys(k);
    }
    return !stopped;
}

/* Look again and again; rounds 0 = until the end is asked for. */
static int watch(const gpctl_opts *o, const cli_line *line, keyboard *k, uint64_t rounds,
                 gp_err *err)
{
    wire_status_reply old = {0};
    int terminal = isatty(STDOUT_FILENO), code = 0;

    gp_status st = gpctl_get_status(o, line->words, line->n_words, &old, err);
    for (uint64_t i = 0; st == GP_OK && code == 0 && (!rounds || i < rounds); i++) {
        wire_status_reply now = {0};
        if (!wait_for(k, o->every_ns))
            break;
        st = gpctl_get_status(o, line->words, line->n_words, &now, err);
        if (st != GP_OK)
            break;
        code = show(o, &old, &now, terminal);
        wire_status_clear(&old);
        old = now;
        if (fflush(stdout) != 0)
            break;
    }
    wire_status_clear(&old);
    return st == GP_OK || stopped ? code : -1;
}

static int run(void *values, const cli_line *line)
{
    const gpctl_opts *o = values;
    struct sigaction act = {.sa_handler = on_signal};
    int terminal = isatty(STDOUT_FILENO);
    keyboard k = {0};
    gp_err err = {0};

    if (o->every_ns < NS / 10)
        return gpctl_fail("--interval: expected at least 100ms");
    (void)sigaction(SIGINT, &act, NULL);
    (void)sigaction(SIGTERM, &act, NULL);
    (void)sigaction(SIGHUP, &act, NULL);
    if (terminal)
        keyboard_take(&k);
    keyboard was = k;
    int code = watch(o, line, &k,
                     o->count                               ? o->count
                     : terminal || cli_given(line, "count") ? 0
                                                            : 1,
                     &err);
    keyboard_give_back(&was);
    return code < 0 ? gpctl_fail("%s", err.msg) : code;
}

#define AT(m) offsetof(gpctl_opts, m)

static const cli_opt opts[] = {
    {"interval", 'i', CLI_DURATION, AT(every_ns), "TIME", "2s", "Time between two looks.", "Flags",
     NULL, 0},
    {"count", 'n', CLI_U64, AT(count), "N", NULL,
     "Stop after so many tables; 0: go on until it is interrupted. Without a terminal: 1.", NULL,
     NULL, 0},
    {0},
};
static const char *const usage[] = {"[flags] [IFACE...]", NULL};

const cli_cmd gpctl_top = {
    .name = "top",
    .usage = usage,
    .summary = "Packets and bits per second of each interface",
    .about =
        "Show packets, bits and drops per second of each interface, the busiest first, until q "
        "or Ctrl-C.\nWith --json one line per look.\n"
        "\n"
        "Examples:\n"
        "  gpctl top\n"
        "  gpctl top eth0 -i 10s -n 6 --json",
    .opts = opts,
    .words_from = GPCTL_WORDS,
    .run = run,
};
