/* query.c - one call from the text of a query to its rows. */
#include "exec/exec.h"
#include "godb/godb.h"
#include "query/stmt.h"

#include <stdio.h>
#include <unistd.h>

static const char *or_else(const char *text, const char *otherwise)
{
    return text && *text ? text : otherwise;
}

/* *a: {0}; to be cleared by the caller, also on failure. */
static gp_status make_args(const char *query, const godb_query_opts *o, query_args *a)
{
    char last[32];

    (void)snprintf(last, sizeof last, "%lld", (long long)QUERY_TIME_MAX);
    GP_TRY(query_args_init(a));
    GP_TRY(query_args_set(&a->query, query));
    GP_TRY(query_args_set(&a->ifaces, or_else(o->ifaces, "any")));
    GP_TRY(query_args_set(&a->condition, o->condition));
    GP_TRY(query_args_set(&a->first, or_else(o->first, "0")));
    GP_TRY(query_args_set(&a->last, or_else(o->last, last)));
    GP_TRY(query_args_set(&a->time_resolution, or_else(o->resolution, "5m")));
    GP_TRY(query_args_set(&a->sort_by, or_else(o->sort_by, "bytes")));
    a->sort_ascending = o->ascending != 0;
    a->num_results = o->limit ? o->limit : UINT64_MAX;
    a->in = o->direction == QUERY_IN;
    a->out = o->direction == QUERY_OUT;
    a->sum = o->direction == QUERY_SUM;
    return GP_OK;
}

/* One line of the first problem: what is wrong, in which text, what was perhaps meant. The message
 * may have lines with a caret between its first and its last one. */
static gp_status refuse(const query_problem *p, gp_err *err)
{
    const char *m = p->message, *last = strrchr(m, '\n'),
               *hint = p->hint && *p->hint ? p->hint : NULL;
    int first = (int)strcspn(m, "\n");

    while (last && first > 0 && (m[first - 1] == ' ' || m[first - 1] == ':'))
        first--;
    return gp_fail(err, GP_EINVAL, 0, "%.*s%s%s%s%s%s%s%s", first, m, last ? ": " : "",
                   last ? last + 1 : "", p->value && *p->value ? ", in " : "",
                   p->value ? p->value : "", hint ? " (" : "", hint ? hint : "", hint ? ")" : "");
}

static gp_status prepare(const char *query, const godb_query_opts *o, query_stmt **s, gp_err *err)
{
    GP_CLEANUP(query_args_clear) query_args a = {0};
    GP_CLEANUP(query_problems_clear) query_problems problems = {0};
    const query_env env = {.now_s = gp_wall_s()};

    gp_status st = make_args(query, o, &a);
    if (st != GP_OK)
        return gp_fail(err, st, 0, "query: out of memory");
    st = query_prepare(&a, &env, s, &problems, err);
    return problems.n ? refuse(&problems.v[0], err) : st;
}

gp_status godb_query(const godb_db *db, const char *query, const godb_query_opts *opts, result *out,
                     gp_err *err)
{
    const godb_query_opts everything = {0}, *o = opts ? opts : &everything;
    GP_CLEANUP(query_stmt_freep) query_stmt *s = NULL;
    char host[256] = "", host_id[64];

    *out = (result){0};
    GP_TRY(prepare(query, o, &s, err));
    if (gethostname(host, sizeof host - 1) != 0)
        host[0] = '\0';
    godb_host_id(godb_db_path(db), host_id, sizeof host_id);
    const exec_opts x = {.threads = o->threads,
                         .mem_limit = o->mem_limit,
                         .max_rows = o->limit,
                         .bin = 1,
                         .cancel = o->cancel,
                         .host = host,
                         .host_id = host_id,
                         .warn = o->warn,
                         .warn_ctx = o->warn_ctx};
    return exec_run(db, s, &x, out, err);
}
