/* query_cmd.c - a query from arguments to printed table (query.md 2.6). */
#include "options.h"

#include "gp/io.h"
#include "gp/mem.h"
#include "interrupt.h"
#include "names.h"
#include "query/suggest.h"
#include "querylog.h"
#include "report.h"
#include "result/print.h"
#include "rt/log.h"
#include "run.h"
#include "term.h"
#include "trace.h"
#include "watch.h"
#include "wire/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

enum { MAX_STORED_BYTES = 4 << 20, LINES_AROUND_TABLE = 20 };

/* Everything one query holds; released by run_end(). */
typedef struct query_run {
    const goquery_opts *o;
    const cli_line *line;
    query_args args;
    query_stmt *stmt;
    goquery_querylog log;
    goquery_trace trace;
    gp_deadline deadline; /* --query.timeout, from before names are looked up */
    result r;
    int have_result;
    int watching; /* --watch: signals end it without a message */
    FILE *screen; /* --watch on a terminal: where the table is collected */
} query_run;

static int out_of_memory(void)
{
    return goquery_fail("out of memory");
}

/* ---- arguments ---- */

static gp_status set_strings(query_args *a, const goquery_opts *o, const cli_line *line)
{
    const struct {
        char **member;
        const char *value;
    } strings[] = {
        {&a->query, line->n_words && !*o->stored_query ? line->words[0] : ""}, /* 2.8 */
        {&a->ifaces, o->ifaces},
        {&a->condition, o->condition},
        {&a->query_hosts, o->hosts},
        {&a->hosts_resolver, o->hosts_resolver},
        {&a->first, o->first},
        {&a->last, o->last},
        {&a->time_resolution, o->time_resolution},
        {&a->format, o->json ? "json" : o->format},
        {&a->sort_by, o->sort_by},
        {&a->caller, line->path},
    };
    for (size_t i = 0; i < GP_COUNT(strings); i++)
        GP_TRY(query_args_set(strings[i].member, strings[i].value));
    return GP_OK;
}

static gp_status make_args(query_args *a, const goquery_opts *o, const cli_line *line)
{
    GP_TRY(query_args_init(a));
    GP_TRY(set_strings(a, o, line));
    a->in = o->in;
    a->out = o->out;
    a->sum = o->sum;
    a->num_results = o->limit;
    a->sort_ascending = o->ascending;
    a->dns_enabled = o->dns;
    a->dns_timeout_ns = o->dns_timeout_ns;
    a->dns_max_rows = o->dns_max_rows;
    a->max_mem_pct = o->max_mem_pct;
    a->low_mem = o->low_mem;
    a->keepalive_ns = o->keepalive_ns;
    a->merge_hosts = o->merge_hosts;
    a->live = o->live;
    return GP_OK;
}

/* Standard input up to its end. */
static gp_status read_stdin(gp_buf *b, gp_err *err)
{
    for (;;) {
        uint8_t *p = gp_buf_reserve(b, 65536);
        if (!p || b->len > MAX_STORED_BYTES)
            return gp_fail(err, GP_ELIMIT, 0, "more than %d MiB", MAX_STORED_BYTES >> 20);
        ssize_t n = read(STDIN_FILENO, p, 65536);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return gp_fail(err, GP_EIO, errno, "standard input");
        if (n == 0)
            return GP_OK;
        b->len += (size_t)n;
    }
}

/* A stored query on top of what the flags said (2.8). */
static int load_stored(query_run *q)
{
    const char *path = q->o->stored_query;
    int from_stdin = strcmp(path, "-") == 0;
    const char *name = from_stdin ? "standard input" : path;
    gp_buf b = {0};
    gp_err err = {0};
    int code = 0;
    gp_status st = from_stdin ? read_stdin(&b, &err)
                              : gp_read_file(AT_FDCWD, path, MAX_STORED_BYTES, &b, &err);
    if (st != GP_OK) {
        code = goquery_fail("could not open stored query %s: %s", name, err.msg);
    } else if (query_args_from_json(&q->args, b.len ? b.data : (const uint8_t *)"", b.len, &err) !=
               GP_OK) {
        code = goquery_fail("could not decode stored query %s: %s", name, err.msg);
    }
    gp_buf_free(&b);
    return code;
}

/* Flows in memory belong to no block yet, so a live query has no end (5.7). */
static gp_status open_end(query_args *a)
{
    char epoch[24];
    if (!a->live || (a->last && *a->last))
        return GP_OK;
    snprintf(epoch, sizeof epoch, "%lld", (long long)QUERY_TIME_MAX);
    return query_args_set(&a->last, epoch);
}

/* Tables for people get a host column when many hosts answer (1.2). */
static gp_status expand_query(query_run *q)
{
    const char *f = q->args.format ? q->args.format : "";
    int table = strcmp(f, "txt") == 0 || strcmp(f, "md") == 0 || strcmp(f, "html") == 0;
    char *query = table && !q->args.merge_hosts ? query_fields_expand_host(q->args.query)
                                                : query_fields_expand(q->args.query);
    if (!query)
        return GP_ENOMEM;
    gp_free(q->args.query);
    q->args.query = query;
    return GP_OK;
}

/* What each mode needs before anything is checked. */
static int check_mode(query_run *q, int server)
{
    if (q->o->min_hosts > WIRE_MAX_HOSTS)
        return goquery_fail("--min-hosts %" PRIu64 ": a query has at most %d hosts",
                            q->o->min_hosts, WIRE_MAX_HOSTS);
    if (!server && !*q->o->db_path)
        return goquery_fail("db.path is required for local operation: give the database with -d "
                            "DIR, or a query server with --query.server.addr");
    if (!server && q->args.live)
        return goquery_fail("cannot run live query in local DB mode");
    if (server && !(q->args.query_hosts && *q->args.query_hosts)) {
        fputs("No hosts to ask: name them with -q HOSTS, or ask all with -q any\n", stderr);
        return goquery_fail("list of target hosts is empty");
    }
    return 0;
}

/* The arguments as given; bounds that are not are shown as what they default to (2.6). */
static void log_args(const query_run *q, int64_t now_s)
{
    query_args shown = q->args;
    char first[24], last[24];
    int day = query_time_is_day(shown.query ? shown.query : "");
    snprintf(first, sizeof first, "%" PRId64,
             day ? query_time_day_before(now_s) : query_time_month_before(now_s));
    snprintf(last, sizeof last, "%" PRId64, now_s);
    if (!(shown.first && *shown.first))
        shown.first = first;
    if (!(shown.last && *shown.last))
        shown.last = last;
    goquery_querylog_args(&q->log, &shown);
}

/* "lst" is read as a query type; perhaps a command was meant. */
static void hint_command(const query_run *q, const query_problems *p)
{
    const char *names[16];
    size_t n = 0;
    if (p->n == 0 || !isatty(STDERR_FILENO) || strcmp(p->v[0].location, "body.query") != 0 ||
        q->line->n_words == 0 || *q->o->stored_query)
        return;
    for (size_t i = 0; goquery_root.subs[i] && n < GP_COUNT(names); i++)
        names[n++] = goquery_root.subs[i]->name;
    const char *near = query_suggest(q->line->words[0], names, n);
    if (near)
        fprintf(stderr, "did you mean the command \"%s\"?\n", near);
}

static int prepare(query_run *q)
{
    gp_err err = {0};
    query_problems problems = {0};
    goquery_limit limit = {.at = q->deadline};
    query_env env = {.now_s = gp_wall_s(), .lookup = goquery_lookup, .lookup_ctx = &limit};
    char text[128];
    int code = 0;
    log_args(q, env.now_s);
    gp_status st = query_prepare(&q->args, &env, &q->stmt, &problems, &err);
    if (st != GP_OK && limit.late)
        code = goquery_fail(
            "%s", goquery_interrupt_text(GP_EDEADLINE, q->o->timeout_ns, "", text, sizeof text));
    else if (st != GP_OK)
        code = problems.n ? goquery_fail_problems(&problems) : goquery_fail("%s", err.msg);
    hint_command(q, &problems);
    if (st == GP_OK)
        goquery_querylog_stmt(&q->log, q->stmt);
    query_problems_clear(&problems);
    return code;
}

/* ---- running and printing ---- */

static int has_surprise(const query_node *n)
{
    if (!n)
        return 0;
    if (n->kind == QUERY_CMP)
        return n->op == QUERY_NE && (n->attr == QUERY_SIP || n->attr == QUERY_DIP);
    return n->kind == QUERY_OR || has_surprise(n->left) || has_surprise(n->right);
}

/* Users expect both IP versions from `sip != 10.0.0.1`; the language says otherwise (U20). */
static void hint_family(const query_stmt *s)
{
    if (s->cond->family == QUERY_FAMILY_ANY || !has_surprise(s->cond->root) ||
        !isatty(STDERR_FILENO) || s->format != QUERY_TXT)
        return;
    fprintf(stderr,
            "Hint: the condition compares IPv%d addresses only, so IPv%d flows are left out.\n",
            (int)s->cond->family, s->cond->family == QUERY_FAMILY_V4 ? 6 : 4);
}

static int execute(query_run *q)
{
    gp_err err = {0};
    char text[128];
    goquery_progress progress;
    gp_cancel *cancel = goquery_interrupt_start(q->deadline);
    goquery_progress_start(&progress, q->stmt->keepalive_ns);
    gp_status st = goquery_answer(q->o, q->stmt, cancel, &progress, &q->r, &err);
    q->have_result = st == GP_OK;
    goquery_progress_end(&progress);
    if (!q->watching)
        goquery_interrupt_end();
    else if (st == GP_ECANCELLED)
        return GOQUERY_FAILED;
    if (st != GP_OK)
        return goquery_fail_stmt(
            q->stmt, goquery_interrupt_text(st, q->o->timeout_ns, err.msg, text, sizeof text));
    return 0;
}

static int print_to(query_run *q, const result_print_opts *p)
{
    gp_err err = {0};
    goquery_out out = {.f = stdout};
    if (q->screen) {
        out.f = q->screen;
    } else if (p->format == QUERY_TXT && !q->watching) {
        gp_status st = goquery_out_open(q->o->pager, q->r.n_rows + LINES_AROUND_TABLE, &out, &err);
        if (st != GP_OK)
            return goquery_fail("%s", err.msg);
    }
    gp_status st = result_print(&q->r, p, out.f, stderr, &err);
    int paged = out.pager != 0;
    goquery_out_close(&out);
    if (st == GP_OK || (paged && err.sys == EPIPE)) /* the reader has seen enough */
        return 0;
    if (err.sys == EPIPE)
        goquery_pipe_closed();
    return goquery_fail("%s", err.msg);
}

static int print(query_run *q)
{
    const query_stmt *s = q->stmt;
    gp_err err = {0};
    goquery_names *names = NULL;
    result_print_opts p = {
        .format = s->format,
        .labels = s->labels,
        .direction = s->direction,
        .order = result_order_of(s),
        .show_stats = q->o->stats,
        .trace_id = q->trace.trace_id,
    };
    if (query_auto_iface_label(s, q->r.n_ifaces))
        p.labels |= QUERY_LABEL_IFACE;
    if (s->format == QUERY_TXT && goquery_color(q->o->color, &p.color, &err) != GP_OK)
        return goquery_fail("%s", err.msg);
    if (s->format != QUERY_JSON && s->format != QUERY_NDJSON &&
        goquery_names_new(&q->r, s, &names, &err) != GP_OK)
        rt_warn("reverse lookup failed", RT_ERR(&err)); /* addresses will do */
    if (names) {
        p.resolve = goquery_names_get;
        p.resolve_ctx = names;
    }
    int code = print_to(q, &p);
    goquery_names_free(names);
    hint_family(s);
    return code;
}

/* 0, or GOQUERY_HOSTS_FAILED with --strict when a host has no answer or there is none to ask. */
static int host_code(const query_run *q)
{
    int none = goquery_no_hosts(&q->r);
    if (none)
        fprintf(stderr, "no host matches \"%s\"\n", q->stmt->args.query_hosts);
    return q->o->strict && (none || goquery_missing_hosts(&q->r)) ? GOQUERY_HOSTS_FAILED : 0;
}

/* From checked arguments to output. */
static int answer(query_run *q)
{
    q->deadline = goquery_deadline(q->o->timeout_ns);
    int code = prepare(q);
    if (!code)
        code = execute(q);
    if (!code)
        code = print(q);
    goquery_querylog_end(&q->log, q->have_result ? &q->r : NULL);
    return code;
}

/* One round of --watch; relative times move on, as the statement is made anew. */
static int round_of(query_run *q, unsigned rows)
{
    char *text = NULL;
    size_t len = 0;
    if (q->have_result)
        result_clear(&q->r);
    q->have_result = 0;
    query_stmt_free(q->stmt);
    q->stmt = NULL;
    if (rows && !(q->screen = open_memstream(&text, &len)))
        return out_of_memory();
    int code = answer(q);
    if (q->screen) {
        if (fclose(q->screen) == 0 && !code)
            goquery_watch_draw(text, rows);
        q->screen = NULL;
        gp_free(text);
    }
    return goquery_finish(code);
}

/* Until a signal. Only the first round may fail: what works can stop working for a while. */
static int watch(query_run *q)
{
    gp_cancel *cancel = goquery_interrupt_start(GP_NEVER);
    int redraw = strcmp(q->args.format, "txt") == 0 && goquery_term_rows() > 0;
    int fit = redraw && !cli_given(q->line, "results.limit");
    uint64_t most = q->args.num_results;
    int code = 0, rounds = 0;
    q->watching = 1;
    do {
        unsigned rows = redraw ? goquery_term_rows() : 0; /* windows change their size */
        if (fit)
            q->args.num_results = goquery_watch_limit(rows, most);
        int st = round_of(q, rows);
        code = rounds++ == 0 ? st : 0;
    } while (!code && goquery_watch_wait(cancel, q->o->watch_ns));
    return goquery_watch_stopped(cancel) ? 0 : code;
}

static int run(query_run *q)
{
    const goquery_opts *o = q->o;
    int server = *o->server_addr != '\0', code = 0;
    if (make_args(&q->args, o, q->line) != GP_OK)
        return out_of_memory();
    if (*o->stored_query)
        code = load_stored(q);
    if (!code)
        code = check_mode(q, server);
    if (code)
        return code;
    if (open_end(&q->args) != GP_OK || (server && expand_query(q) != GP_OK))
        return out_of_memory();
    if (o->watch_ns > 0)
        return watch(q);
    code = answer(q);
    return code ? code : host_code(q);
}

int goquery_query(void *opts, const cli_line *line)
{
    const goquery_opts *o = opts;
    if (!*o->stored_query && line->n_words == 0)
        return goquery_fail("no query type or command given (try \"%s help\")", line->program);
    if (!*o->stored_query && strcmp(line->words[0], "help") == 0) { /* behind "--" */
        cli_line root = *line;
        root.n_words = 0;
        return goquery_help(opts, &root);
    }
    query_run *q = gp_calloc(1, sizeof *q);
    if (!q)
        return out_of_memory();
    q->o = o;
    q->line = line;
    goquery_querylog_open(&q->log, o->query_log);
    goquery_trace_start(&q->trace, o);
    int code = run(q);
    goquery_trace_end(&q->trace, q->args.query, code == 0);
    goquery_querylog_close(&q->log);
    if (q->have_result)
        result_clear(&q->r);
    query_stmt_free(q->stmt);
    query_args_clear(&q->args);
    gp_free(q);
    return code;
}
