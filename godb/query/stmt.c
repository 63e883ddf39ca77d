/* stmt.c - arguments to statement: all checks of spec 7.3, all problems kept. */
#include "query/stmt.h"

#include "args_int.h"
#include "gp/mem.h"
#include "gp/num.h"
#include "problems.h"
#include "query/suggest.h"
#include "take.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What the checks share. A check returns other than GP_OK only for failures of the machine. */
typedef struct job {
    const query_env *env;
    query_stmt *s;
    query_args *a; /* &s->args, with defaults */
    query_problems *problems;
} job;

static const struct {
    const char *name;
    query_format format;
} FORMATS[] = {
    {"txt", QUERY_TXT},       {"json", QUERY_JSON}, {"csv", QUERY_CSV},
    {"ndjson", QUERY_NDJSON}, {"md", QUERY_MD},     {"html", QUERY_HTML},
};

static const struct {
    const char *name;
    query_sort sort;
} SORTS[] = {
    {"bytes", QUERY_SORT_BYTES},
    {"packets", QUERY_SORT_PACKETS},
    {"time", QUERY_SORT_TIME},
};

const char *query_format_name(query_format f)
{
    for (size_t i = 0; i < GP_COUNT(FORMATS); i++)
        if (FORMATS[i].format == f)
            return FORMATS[i].name;
    return "";
}

const char *query_sort_name(query_sort s)
{
    for (size_t i = 0; i < GP_COUNT(SORTS); i++)
        if (SORTS[i].sort == s)
            return SORTS[i].name;
    return "";
}

static const char *text(const char *s)
{
    return s ? s : "";
}

/* "did you mean ...", or NULL when nothing is near. */
static char *hint_for(const char *word, const char *const *list, size_t n)
{
    const char *best = query_suggest(word, list, n);

    return best ? gp_asprintf("did you mean \"%s\" instead of \"%s\"?", best, word) : NULL;
}

/* "unknown format: [csv json txt]" */
static char *choices(const char *what, const char *const *list, size_t n)
{
    gp_buf b = {0};

    gp_buf_printf(&b, "unknown %s: [", what);
    for (size_t i = 0; i < n; i++)
        gp_buf_printf(&b, i ? " %s" : "%s", list[i]);
    gp_buf_addc(&b, ']');
    return query_take(&b);
}

/* Members that are empty or zero get the API's defaults (spec 9.2). */
static gp_status api_defaults(query_args *a)
{
    if (!*text(a->format))
        GP_TRY(query_args_set(&a->format, "json"));
    if (!*text(a->sort_by))
        GP_TRY(query_args_set(&a->sort_by, "bytes"));
    if (!a->num_results)
        a->num_results = QUERY_DEFAULT_RESULTS;
    if (!a->max_mem_pct)
        a->max_mem_pct = QUERY_DEFAULT_MEM_PCT;
    if (!a->dns_timeout_ns)
        a->dns_timeout_ns = QUERY_DEFAULT_DNS_TIMEOUT_NS;
    if (!a->dns_max_rows)
        a->dns_max_rows = QUERY_DEFAULT_DNS_ROWS;
    return GP_OK;
}

static gp_status check_query(job *j)
{
    query_caret c = {0};
    gp_err err = {0};
    gp_status st = query_fields_parse(j->a->query, &j->s->fields, &c, &err);

    if (st == GP_EINVAL) {
        size_t n;
        const char *const *names = query_field_names(&n);
        char *message = c.text ? gp_asprintf("invalid query type: \n\n%s\n%*s^\n%s", c.text,
                                             (int)c.offset, "", c.what)
                               : gp_strdup(err.msg);
        st = query_problem_add(j->problems, "body.query", message, j->a->query,
                               c.word ? hint_for(c.word, names, n) : NULL);
    } else if (st == GP_OK) {
        char *expanded = query_fields_expand(j->a->query);
        st = expanded ? query_args_set(&j->a->query, expanded) : GP_ENOMEM;
        gp_free(expanded);
    }
    query_caret_clear(&c);
    return st;
}

static gp_status check_format(job *j)
{
    size_t n;
    const char *const *names = query_format_names(&n);
    const char *want = text(j->a->format);

    for (size_t i = 0; i < GP_COUNT(FORMATS); i++)
        if (strcmp(want, FORMATS[i].name) == 0) {
            j->s->format = FORMATS[i].format;
            return GP_OK;
        }
    return query_problem_add(j->problems, "body.format", choices("format", names, n), want,
                             hint_for(want, names, n));
}

static gp_status check_sort(job *j)
{
    size_t n;
    const char *const *names = query_sort_names(&n);
    const char *want = text(j->a->sort_by);

    if (!*want)
        GP_TRY(query_args_set(&j->a->sort_by, want = "packets")); /* spec 5.5 */
    for (size_t i = 0; i < GP_COUNT(SORTS); i++)
        if (strcmp(want, SORTS[i].name) == 0) {
            j->s->sort = SORTS[i].sort;
            return GP_OK;
        }
    return query_problem_add(j->problems, "body.sort_by", choices("sort key", names, n), want,
                             hint_for(want, names, n));
}

static gp_status check_ifaces(job *j)
{
    static const char at[] = "body.ifaces";
    gp_err err = {0};

    if (!*text(j->a->ifaces))
        GP_TRY(query_problem_add(j->problems, at, gp_strdup("empty interface name"), "", NULL));
    gp_status st = query_ifsel_parse(j->a->ifaces, &j->s->ifsel, &err);
    if (st == GP_EINVAL)
        return query_problem_add(j->problems, at, gp_strdup(err.msg), j->a->ifaces, NULL);
    return st;
}

/* One bound; *out: 0 if it cannot be read, as the check of the interval wants it (spec 7.3). */
static gp_status read_time(job *j, const char *at, char **member, int64_t fallback, int64_t *out)
{
    gp_err err = {0};
    char epoch[24];

    *out = fallback;
    if (*text(*member)) {
        gp_status st = query_time_parse(*member, j->env->now_s, out, &err);
        if (st == GP_EINVAL) {
            *out = 0;
            return query_problem_add(j->problems, at, gp_strdup(err.msg), *member, NULL);
        }
        GP_TRY(st);
    }
    (void)snprintf(epoch, sizeof epoch, "%" PRId64, *out);
    return query_args_set(member, epoch);
}

static gp_status check_times(job *j, const char *raw_query, const char *raw_first)
{
    int64_t now = j->env->now_s;
    int day = !j->env->api_defaults && query_time_is_day(raw_query);
    int64_t since = day ? query_time_day_before(now) : query_time_month_before(now);

    GP_TRY(read_time(j, "body.first", &j->a->first, since, &j->s->first_s));
    GP_TRY(read_time(j, "body.last", &j->a->last, j->env->api_defaults ? QUERY_TIME_MAX : now,
                     &j->s->last_s));
    if (j->s->first_s <= j->s->last_s)
        return GP_OK;
    return query_problem_add(
        j->problems, "body.first",
        gp_asprintf("invalid time interval: the lower bound must not be later than the upper "
                    "bound%s%s%s",
                    *raw_first ? "" : " (not given, it is one ",
                    *raw_first ? ""
                    : day      ? "day"
                               : "month",
                    *raw_first ? "" : " before now)"),
        *raw_first ? raw_first : j->a->first, NULL);
}

static gp_status check_resolution(job *j)
{
    gp_err err = {0};

    j->s->bin_s = 300;
    if (!(j->s->fields.labels & QUERY_LABEL_TIME))
        return GP_OK; /* not even looked at */
    gp_status st = query_time_resolution(j->a->time_resolution, j->s->first_s, j->s->last_s,
                                         &j->s->bin_s, &err);
    if (st == GP_EINVAL)
        return query_problem_add(j->problems, "body.time_resolution", gp_strdup(err.msg),
                                 j->a->time_resolution, NULL);
    return st;
}

static gp_status check_dns(job *j)
{
    char duration[40];
    int64_t timeout = j->a->dns_timeout_ns, rows = j->a->dns_max_rows;

    if (j->a->dns_enabled && timeout <= 0)
        GP_TRY(query_problem_add_number(j->problems, "body.dns_resolution.timeout",
                                        "invalid resolution timeout", timeout,
                                        gp_num_duration_str(timeout, duration, sizeof duration)));
    if (j->a->dns_enabled && rows <= 0)
        GP_TRY(query_problem_add_number(j->problems, "body.dns_resolution.max_rows",
                                        "invalid number of rows to resolve: must be > 0", rows,
                                        NULL));
    return GP_OK;
}

/* What to write instead of an unknown attribute, or where a direction filter may stand. */
static char *condition_hint(const query_caret *c, const char *message)
{
    size_t n;
    const char *const *names = query_cond_attr_names(&n);

    if (c->word && *c->word && strcmp(c->what, "expected attribute") == 0)
        return hint_for(c->word, names, n);
    if (strstr(message, "misplaced direction filter"))
        return gp_strdup("a direction filter stands alone, or first or second at the top level: "
                         "dir = in & (...), (...) & dir = in");
    return NULL;
}

static gp_status check_condition(job *j)
{
    query_caret c = {0};
    char *description = NULL, *message = NULL;
    gp_err err = {0};
    gp_status st = query_cond_parse(j->a->condition, j->env->lookup, j->env->lookup_ctx,
                                    j->a->dns_timeout_ns, &j->s->cond, &c, &description, &err);

    if (st == GP_EINVAL) {
        char *shown = query_cond_sanitise(j->a->condition);
        if (description && shown)
            message = gp_asprintf("invalid condition: %s%s", c.text ? "\n\n" : "", description);
        st = query_problem_add(j->problems, "body.condition", message, shown,
                               description ? condition_hint(&c, description) : NULL);
        gp_free(shown);
    } else if (st == GP_OK) {
        /* names are looked up once: whoever gets the arguments gets addresses (U43) */
        const query_cond *q = j->s->cond;
        st = query_args_set(&j->a->condition, q->n_names ? q->text : q->statement_text);
    }
    gp_free(description);
    query_caret_clear(&c);
    return st;
}

static gp_status check_hosts(job *j)
{
    if (!j->env->need_hosts || *text(j->a->query_hosts))
        return GP_OK;
    return query_problem_add(j->problems, "body.query_hosts",
                             gp_strdup("no hosts given: name them, or any for all"), "", NULL);
}

static gp_status check_numbers(job *j)
{
    query_args *a = j->a;
    char duration[40];

    if (a->max_mem_pct < 1 || a->max_mem_pct > 100)
        GP_TRY(query_problem_add_number(j->problems, "body.max_mem_pct",
                                        "invalid max memory percentage: must be in (0, 100]",
                                        a->max_mem_pct, NULL));
    if (a->keepalive_ns < 0)
        GP_TRY(query_problem_add_number(
            j->problems, "body.keepalive", "invalid keepalive duration: must be >0",
            a->keepalive_ns, gp_num_duration_str(a->keepalive_ns, duration, sizeof duration)));
    if (a->num_results == 0)
        GP_TRY(query_problem_add_number(j->problems, "body.num_results",
                                        "invalid number of result rows: must be > 0", 0, NULL));
    if (a->live && j->s->last_s != QUERY_TIME_MAX)
        GP_TRY(query_problem_add_number(j->problems, "live",
                                        "query not possible: last timestamp unsupported",
                                        j->s->last_s, NULL));
    return GP_OK;
}

int query_auto_iface_label(const query_stmt *s, size_t selected)
{
    return !(s->fields.labels & QUERY_LABEL_IFACE) &&
           (query_ifsel_is_regex(s->ifsel) || query_ifsel_is_any(s->ifsel) ||
            query_ifsel_n_positive(s->ifsel) > 1 || selected > 1);
}

/* Members that follow from the checked ones. */
static void derive(query_stmt *s)
{
    const query_args *a = &s->args;

    s->labels = s->fields.labels;
    if (query_auto_iface_label(s, 1))
        s->labels |= QUERY_LABEL_IFACE;
    s->direction = a->sum             ? QUERY_SUM
                   : a->in && !a->out ? QUERY_IN
                   : a->out && !a->in ? QUERY_OUT
                                      : QUERY_BOTH;
    s->ascending = a->sort_ascending != 0;
    if (s->fields.labels & QUERY_LABEL_TIME) {
        s->sort = QUERY_SORT_TIME;
        s->ascending = 1;
    }
    s->limit = a->num_results;
    s->live = a->live;
    s->low_mem = a->low_mem;
    s->merge_hosts = a->merge_hosts;
    s->max_mem_pct = (unsigned)a->max_mem_pct;
    s->keepalive_ns = a->keepalive_ns;
    s->dns_enabled = a->dns_enabled;
    s->dns_timeout_ns = a->dns_timeout_ns;
    s->dns_max_rows = a->dns_max_rows;
}

/* raw: the arguments as given; the copy in j->a is brought into the form that is sent on. */
static gp_status check_all(job *j, const query_args *raw)
{
    if (j->env->api_defaults)
        GP_TRY(api_defaults(j->a));
    GP_TRY(check_query(j));
    GP_TRY(check_format(j));
    GP_TRY(check_sort(j));
    GP_TRY(check_ifaces(j));
    GP_TRY(check_times(j, text(raw->query), text(raw->first)));
    GP_TRY(check_resolution(j));
    GP_TRY(check_dns(j));
    GP_TRY(check_condition(j));
    GP_TRY(check_numbers(j));
    return check_hosts(j);
}

gp_status query_prepare(const query_args *args, const query_env *env, query_stmt **out,
                        query_problems *problems, gp_err *err)
{
    query_stmt *s = gp_calloc(1, sizeof *s);

    if (!s)
        return gp_fail(err, GP_ENOMEM, 0, "query");
    job j = {.env = env, .s = s, .a = &s->args, .problems = problems};
    gp_status st = query_args_copy(&s->args, args);
    if (st == GP_OK)
        st = check_all(&j, args);
    if (st != GP_OK) {
        st = gp_fail(err, st, 0, "failed to prepare query: %s", gp_status_name(st));
    } else if (problems->n) {
        const char *m = problems->v[0].message;
        st = gp_fail(err, GP_EINVAL, 0, "%s: %.*s", problems->v[0].location, (int)strcspn(m, "\n"),
                     m);
    } else {
        derive(s);
        *out = s;
        return GP_OK;
    }
    query_stmt_free(s);
    return st;
}

void query_stmt_free(query_stmt *s)
{
    if (!s)
        return;
    query_ifsel_free(s->ifsel);
    query_cond_free(s->cond);
    query_args_clear(&s->args);
    gp_free(s);
}
