/* report_cmd.c - goquery report FILE.yaml: many queries into one page or a directory of files. */
#include "gp/clock.h"
#include "gp/io.h"
#include "gp/mem.h"
#include "gp/output.h"
#include "interrupt.h"
#include "options.h"
#include "query/json.h"
#include "report.h"
#include "reportpage.h"
#include "result/print.h"
#include "run.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { MAX_PAGE_BYTES = 256 << 20, TIME_ROWS = 1000000 };

typedef struct report_run {
    const goquery_opts *o; /* &own */
    goquery_opts own;
    const cli_line *line;
    const char *path;
    report_file file;
    query_format format; /* QUERY_HTML, QUERY_MD; QUERY_CSV, QUERY_JSON: a directory */
    gp_cancel *cancel;
    int64_t now_s, start_ms;
    gp_buf page;  /* the page, or the index of the directory */
    gp_buf index; /* members of the index */
    size_t failed;
    uint64_t rows;
    unsigned missing_hosts, no_hosts; /* answers; queries that asked nobody */
} report_run;

static int is_page(const report_run *r)
{
    return r->format == QUERY_HTML || r->format == QUERY_MD;
}

static int has_suffix(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);
    return n > m && strcmp(s + n - m, suffix) == 0;
}

/* -e, else by the name of the output, else HTML. */
static gp_status choose_format(report_run *r, gp_err *err)
{
    static const struct {
        const char *name;
        query_format format;
    } formats[] = {
        {"html", QUERY_HTML}, {"md", QUERY_MD}, {"csv", QUERY_CSV}, {"json", QUERY_JSON}};
    const goquery_opts *o = r->o;
    const char *name = o->json ? "json" : o->format;
    if (!o->json && !cli_given(r->line, "results.format"))
        name = has_suffix(o->output, ".md") ? "md" : "html";
    r->format = QUERY_TXT;
    for (size_t i = 0; i < GP_COUNT(formats); i++)
        if (strcmp(name, formats[i].name) == 0)
            r->format = formats[i].format;
    if (r->format == QUERY_TXT)
        return gp_fail(err, GP_EINVAL, 0, "a report can be html, md, csv or json, not \"%.20s\"",
                       name);
    if ((r->format == QUERY_CSV || r->format == QUERY_JSON) && !*o->output)
        return gp_fail(err, GP_EINVAL, 0,
                       "csv and json reports are directories: give one with "
                       "--output DIR");
    return GP_OK;
}

static gp_status load(report_run *r, gp_err *err)
{
    query_args base = {0}, top = {0};
    const goquery_opts *o = r->o;
    gp_status st = query_args_init(&base);
    if (st == GP_OK)
        st = query_args_set(&base.caller, r->line->path);
    if (st == GP_OK)
        st = query_args_set(&top.first, o->first);
    if (st == GP_OK)
        st = query_args_set(&top.last, o->last);
    if (st == GP_OK)
        st = query_args_set(&top.query_hosts, o->hosts);
    if (st == GP_OK)
        st = report_file_load(r->path, &base, &top, &r->file, err);
    query_args_clear(&base);
    query_args_clear(&top);
    return st;
}

/* ---- one query ---- */

/* "Top talkers (eth0)" -> "01-top-talkers-eth0.csv" */
static void file_name(const report_run *r, size_t i, char *buf, size_t cap)
{
    char slug[48];
    size_t n = 0;
    for (const char *p = r->file.v[i].title; *p && n + 1 < sizeof slug; p++) {
        if (isalnum((unsigned char)*p))
            slug[n++] = (char)tolower((unsigned char)*p);
        else if (n && slug[n - 1] != '-')
            slug[n++] = '-';
    }
    while (n && slug[n - 1] == '-')
        n--;
    slug[n] = '\0';
    snprintf(buf, cap, "%02zu-%s.%s", i + 1, n ? slug : "query",
             r->format == QUERY_CSV ? "csv" : "json");
}

static gp_status write_part(const report_run *r, const char *name, const gp_buf *b, gp_err *err)
{
    char *path = gp_asprintf("%s/%s", r->o->output, name);
    if (!path || b->failed) {
        gp_free(path);
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    }
    gp_status st = gp_output_write(path, 0, b->data, b->len, err);
    gp_free(path);
    return st;
}

static void add_index(report_run *r, size_t i, const char *file, const char *error)
{
    if (r->index.len)
        gp_buf_addc(&r->index, ',');
    query_json_object o = query_json_open(&r->index);
    query_json_text(&o, "title", r->file.v[i].title);
    query_json_text_opt(&o, "file", file);
    query_json_text_opt(&o, "error", error);
    query_json_close(&o);
}

static gp_status put_result(report_run *r, size_t i, const query_stmt *s, const result *res,
                            gp_err *err)
{
    const report_query *q = &r->file.v[i];
    gp_buf b = {.limit = MAX_PAGE_BYTES};
    char name[80];
    if (is_page(r))
        return report_page_result(q, i + 1, r->format == QUERY_HTML, s, res, &r->page, err);
    file_name(r, i, name, sizeof name);
    gp_status st = report_render(res, s, r->format, &b, err);
    if (st == GP_OK)
        st = write_part(r, name, &b, err);
    if (st == GP_OK)
        add_index(r, i, name, NULL);
    gp_buf_free(&b);
    return st;
}

static void put_failure(report_run *r, size_t i, const char *text)
{
    const report_query *q = &r->file.v[i];
    r->failed++;
    fprintf(stderr, "%s: query %zu (%s): %s\n", r->path, i + 1, q->title, text);
    if (is_page(r))
        report_page_failure(q, i + 1, r->format == QUERY_HTML, text, &r->page);
    else
        add_index(r, i, NULL, text);
}

/* Without it rows of different hosts look alike on a page, as in a table (1.2). */
static gp_status add_host_column(const report_run *r, query_args *a)
{
    if (!is_page(r) || !*r->o->server_addr || a->merge_hosts || !a->query)
        return GP_OK;
    char *query = query_fields_expand_host(a->query);
    if (!query)
        return GP_ENOMEM;
    gp_free(a->query);
    a->query = query;
    return GP_OK;
}

/* Statement of query i, or a text why there is none (gp_free() it). */
static char *prepare(report_run *r, size_t i, query_stmt **s)
{
    report_query *q = &r->file.v[i];
    goquery_limit limit = {.at = r->cancel->deadline};
    query_env env = {.now_s = r->now_s, .lookup = goquery_lookup, .lookup_ctx = &limit};
    char late[128];
    query_problems problems = {0};
    gp_err err = {0};
    gp_buf text = {0};
    int all_hosts = *r->o->server_addr && !(q->args.query_hosts && *q->args.query_hosts);
    if (query_args_set(&q->args.format, "json") != GP_OK || /* the page is printed from rows */
        (all_hosts && query_args_set(&q->args.query_hosts, "any") != GP_OK) ||
        add_host_column(r, &q->args) != GP_OK)
        return gp_strdup("out of memory");
    if (!*r->o->server_addr && q->args.live)
        return gp_strdup("cannot run live query in local DB mode");
    gp_status st = query_prepare(&q->args, &env, s, &problems, &err);
    if (st == GP_OK)
        return NULL;
    if (limit.late)
        gp_buf_adds(&text,
                    goquery_interrupt_text(GP_EDEADLINE, r->o->timeout_ns, "", late, sizeof late));
    else if (problems.n)
        query_problems_format(&problems, &text);
    else
        gp_buf_adds(&text, err.msg);
    query_problems_clear(&problems);
    return gp_buf_take(&text);
}

/* A chart over time needs all bins, whatever the limit of tables. */
static void lift_limit(report_query *q)
{
    query_fields f;
    if (!q->limited && q->chart != REPORT_BARS && q->args.query &&
        query_fields_parse(q->args.query, &f, NULL, NULL) == GP_OK && f.labels & QUERY_LABEL_TIME)
        q->args.num_results = TIME_ROWS;
}

static void run_query(report_run *r, size_t i)
{
    GP_CLEANUP(query_stmt_freep) query_stmt *s = NULL;
    goquery_progress progress;
    gp_err err = {0};
    result res = {0};
    char text[128];
    lift_limit(&r->file.v[i]);
    char *problem = prepare(r, i, &s);
    if (problem || !s) {
        put_failure(r, i, problem ? problem : "out of memory");
        gp_free(problem);
        return;
    }
    goquery_progress_start(&progress, 0);
    gp_status st = goquery_answer(r->o, s, r->cancel, &progress, &res, &err);
    goquery_progress_end(&progress);
    if (st == GP_OK) {
        r->rows += res.n_rows;
        r->missing_hosts += goquery_missing_hosts(&res);
        if (goquery_no_hosts(&res)) {
            r->no_hosts++;
            fprintf(stderr, "%s: query %zu (%s): no host matches \"%s\"\n", r->path, i + 1,
                    r->file.v[i].title, s->args.query_hosts);
        }
        st = put_result(r, i, s, &res, &err);
        result_clear(&res);
    }
    if (st == GP_EUNAVAILABLE) /* the other queries need not wait once more */
        r->own.no_retry = 1;
    if (st != GP_OK)
        put_failure(r, i, goquery_interrupt_text(st, r->o->timeout_ns, err.msg, text, sizeof text));
}

/* ---- all of it ---- */

static gp_status write_page(report_run *r, gp_err *err)
{
    const char *out = r->o->output;
    if (r->page.failed)
        return gp_fail(err, GP_ELIMIT, 0, "the page is too big or memory is out");
    if (*out)
        return gp_output_write(out, 0, r->page.data, r->page.len, err);
    if (fwrite(r->page.data, 1, r->page.len, stdout) == r->page.len && fflush(stdout) == 0)
        return GP_OK;
    if (errno == EPIPE)
        goquery_pipe_closed();
    return gp_fail(err, GP_EIO, errno, "standard output");
}

static gp_status write_index(report_run *r, gp_err *err)
{
    query_json_object o = query_json_open(&r->page);
    query_json_text(&o, "title", r->file.title);
    query_json_int(&o, "made", r->now_s);
    query_json_key(&o, "queries");
    gp_buf_addc(&r->page, '[');
    gp_buf_add(&r->page, r->index.data, r->index.len);
    gp_buf_addc(&r->page, ']');
    query_json_close(&o);
    gp_buf_addc(&r->page, '\n');
    return write_part(r, "index.json", &r->page, err);
}

static void summarise(const report_run *r, char *buf, size_t cap)
{
    char missing[64] = "";
    if (r->missing_hosts)
        snprintf(missing, sizeof missing, ", %u answers of hosts missing", r->missing_hosts);
    snprintf(buf, cap, "%zu queries, %zu failed, %" PRIu64 " rows%s, in %.1f s", r->file.n,
             r->failed, r->rows, missing, (double)(gp_mono_ms() - r->start_ms) / 1000);
}

static int run(report_run *r)
{
    const goquery_opts *o = r->o;
    gp_err err = {0};
    char summary[256];
    int page;
    if (choose_format(r, &err) != GP_OK || load(r, &err) != GP_OK)
        return goquery_fail("%s", err.msg);
    page = is_page(r);
    if (!page && gp_mkdir_all(o->output, 0755, &err) != GP_OK)
        return goquery_fail("%s", err.msg);
    r->cancel = goquery_interrupt_start(goquery_deadline(o->timeout_ns));
    if (page)
        report_page_begin(&r->file, r->format == QUERY_HTML,
                          *o->server_addr ? o->server_addr : o->db_path, r->now_s, &r->page);
    for (size_t i = 0; i < r->file.n; i++)
        run_query(r, i);
    summarise(r, summary, sizeof summary);
    if (page)
        report_page_end(r->format == QUERY_HTML, summary, &r->page);
    if ((page ? write_page(r, &err) : write_index(r, &err)) != GP_OK)
        return goquery_fail("%s", err.msg);
    if (!o->quiet || r->failed || r->missing_hosts)
        fprintf(stderr, "report %s: %s%s%s\n", r->path, summary, *o->output ? ", written to " : "",
                o->output);
    if (r->failed)
        return GOQUERY_FAILED;
    return o->strict && (r->missing_hosts || r->no_hosts) ? GOQUERY_HOSTS_FAILED : 0;
}

int goquery_report(void *opts, const cli_line *line)
{
    const goquery_opts *o = opts;
    if (line->n_words != 1)
        return goquery_fail("report: expected one report file (see %s help report)", line->program);
    if (!*o->db_path && !*o->server_addr)
        return goquery_fail("report: give the database with -d DIR, or a query server with "
                            "--query.server.addr");
    report_run r = {.own = *o,
                    .line = line,
                    .path = line->words[0],
                    .now_s = gp_wall_s(),
                    .start_ms = gp_mono_ms(),
                    .page = {.limit = MAX_PAGE_BYTES}};
    if (strcmp(r.own.output, "-") == 0)
        r.own.output = ""; /* standard output */
    r.o = &r.own;
    int code = run(&r);
    report_file_free(&r.file);
    gp_buf_free(&r.page);
    gp_buf_free(&r.index);
    return code;
}
