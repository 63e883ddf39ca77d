/* metrics.c - counters, gauges and histograms, and their Prometheus text. */
#include "rt/metrics.h"

#include "gp/clock.h"
#include "gp/mem.h"
#include "rt/daemon.h"

#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum type { COUNTER, GAUGE, HISTOGRAM };

struct rt_metric {
    rt_metric *next;            /* of the same family */
    char *labels;               /* "" = none */
    atomic_uint_fast64_t count; /* COUNTER; HISTOGRAM: observations */
    _Atomic double value;       /* GAUGE; HISTOGRAM: sum */
    double (*fn)(void *ctx);
    void *ctx;
    size_t n_bounds;
    double *bounds;
    atomic_uint_fast64_t buckets[RT_METRIC_MAX_BUCKETS];
};

struct family {
    struct family *next;
    char *name, *help;
    enum type type;
    rt_metric *first, **tail;
};

struct rt_metrics {
    pthread_mutex_t lock; /* protects lists; values are atomics */
    struct family *first, **tail;
    size_t n;
    double start_s;
    char *name, *version; /* of the program; NULL until rt_metrics_process() */
};

gp_status rt_metrics_new(rt_metrics **out, gp_err *err)
{
    rt_metrics *m = gp_calloc(1, sizeof *m);
    if (!m)
        return gp_fail(err, GP_ENOMEM, 0, "metrics: out of memory");
    pthread_mutex_init(&m->lock, NULL);
    m->tail = &m->first;
    m->start_s = (double)gp_wall_ns() / 1e9;
    *out = m;
    return GP_OK;
}

static void metric_free(rt_metric *x)
{
    if (!x)
        return;
    gp_free(x->labels);
    gp_free(x->bounds);
    gp_free(x);
}

void rt_metrics_free(rt_metrics *m)
{
    if (!m)
        return;
    for (struct family *f = m->first, *fn; f; f = fn) {
        fn = f->next;
        for (rt_metric *x = f->first, *xn; x; x = xn) {
            xn = x->next;
            metric_free(x);
        }
        gp_free(f->name);
        gp_free(f->help);
        gp_free(f);
    }
    pthread_mutex_destroy(&m->lock);
    gp_free(m->name);
    gp_free(m->version);
    gp_free(m);
}

static int name_ok(const char *s)
{
    if (!isalpha((unsigned char)*s) && *s != '_')
        return 0;
    for (; *s; s++) {
        if (!isalnum((unsigned char)*s) && *s != '_' && *s != ':')
            return 0;
    }
    return 1;
}

static struct family *family_get(rt_metrics *m, const char *name, const char *help, enum type t)
{
    for (struct family *f = m->first; f; f = f->next) {
        if (strcmp(f->name, name) == 0)
            return f->type == t ? f : NULL;
    }
    struct family *f = gp_calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->name = gp_strdup(name);
    f->help = gp_strdup(help ? help : "");
    f->type = t;
    f->tail = &f->first;
    if (!f->name || !f->help) {
        gp_free(f->name);
        gp_free(f->help);
        gp_free(f);
        return NULL;
    }
    *m->tail = f;
    m->tail = &f->next;
    return f;
}

static rt_metric *metric_new(const char *labels, const double *bounds, size_t n)
{
    rt_metric *x = gp_calloc(1, sizeof *x);
    if (!x)
        return NULL;
    x->labels = gp_strdup(labels);
    x->n_bounds = n;
    if (n) {
        x->bounds = gp_alloc(n, sizeof *bounds);
        if (x->bounds)
            memcpy(x->bounds, bounds, n * sizeof *bounds);
    }
    if (!x->labels || (n && !x->bounds)) {
        metric_free(x);
        return NULL;
    }
    return x;
}

static rt_metric *get(rt_metrics *m, const char *name, const char *help, const char *labels,
                      enum type t, const double *bounds, size_t n)
{
    rt_metric *x = NULL;
    labels = labels ? labels : "";
    if (!m || !name_ok(name) || n > RT_METRIC_MAX_BUCKETS)
        return NULL;
    pthread_mutex_lock(&m->lock);
    struct family *f = family_get(m, name, help, t);
    if (f) {
        for (x = f->first; x && strcmp(x->labels, labels) != 0; x = x->next)
            ;
        if (!x && m->n < RT_METRICS_MAX && (x = metric_new(labels, bounds, n)) != NULL) {
            *f->tail = x;
            f->tail = &x->next;
            m->n++;
        }
    }
    pthread_mutex_unlock(&m->lock);
    return x;
}

rt_metric *rt_counter(rt_metrics *m, const char *name, const char *help, const char *labels)
{
    return get(m, name, help, labels, COUNTER, NULL, 0);
}

rt_metric *rt_gauge(rt_metrics *m, const char *name, const char *help, const char *labels)
{
    return get(m, name, help, labels, GAUGE, NULL, 0);
}

static rt_metric *with_fn(rt_metrics *m, rt_metric *x, double (*fn)(void *), void *ctx)
{
    if (x) {
        pthread_mutex_lock(&m->lock);
        x->fn = fn;
        x->ctx = ctx;
        pthread_mutex_unlock(&m->lock);
    }
    return x;
}

rt_metric *rt_gauge_fn(rt_metrics *m, const char *name, const char *help, const char *labels,
                       double (*fn)(void *ctx), void *ctx)
{
    return with_fn(m, rt_gauge(m, name, help, labels), fn, ctx);
}

rt_metric *rt_counter_fn(rt_metrics *m, const char *name, const char *help, const char *labels,
                         double (*fn)(void *ctx), void *ctx)
{
    return with_fn(m, rt_counter(m, name, help, labels), fn, ctx);
}

rt_metric *rt_histogram(rt_metrics *m, const char *name, const char *help, const char *labels,
                        const double *bounds, size_t n)
{
    return get(m, name, help, labels, HISTOGRAM, bounds, n);
}

void rt_metric_drop(rt_metrics *m, rt_metric *x)
{
    if (!m || !x)
        return;
    pthread_mutex_lock(&m->lock);
    for (struct family *f = m->first; f; f = f->next) {
        for (rt_metric **p = &f->first; *p; p = &(*p)->next) {
            if (*p != x)
                continue;
            *p = x->next;
            if (f->tail == &x->next)
                f->tail = p;
            m->n--;
            pthread_mutex_unlock(&m->lock);
            metric_free(x);
            return;
        }
    }
    pthread_mutex_unlock(&m->lock);
}

void rt_metric_add(rt_metric *x, uint64_t n)
{
    if (x)
        atomic_fetch_add_explicit(&x->count, n, memory_order_relaxed);
}

void rt_metric_set(rt_metric *x, double v)
{
    if (x)
        atomic_store_explicit(&x->value, v, memory_order_relaxed);
}

void rt_metric_observe(rt_metric *x, double v)
{
    if (!x)
        return;
    for (size_t i = 0; i < x->n_bounds; i++) {
        if (v <= x->bounds[i]) {
            atomic_fetch_add_explicit(&x->buckets[i], 1, memory_order_relaxed);
            break;
        }
    }
    double old = atomic_load_explicit(&x->value, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(&x->value, &old, old + v))
        ;
    atomic_fetch_add_explicit(&x->count, 1, memory_order_relaxed);
}

void rt_label(gp_buf *b, const char *name, const char *value)
{
    gp_buf_printf(b, "%s%s=\"", b->len ? "," : "", name);
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            gp_buf_printf(b, "\\%c", *value);
        else if (*value == '\n')
            gp_buf_adds(b, "\\n");
        else
            gp_buf_addc(b, *value);
    }
    gp_buf_addc(b, '"');
}

static void add_number(gp_buf *out, double v)
{
    if (isnan(v))
        gp_buf_adds(out, "NaN\n");
    else if (isinf(v))
        gp_buf_adds(out, v > 0 ? "+Inf\n" : "-Inf\n");
    else
        gp_buf_printf(out, "%.15g\n", v);
}

static void add_name(gp_buf *out, const char *name, const char *suffix, const char *labels)
{
    gp_buf_printf(out, "%s%s", name, suffix);
    if (*labels)
        gp_buf_printf(out, "{%s}", labels);
    gp_buf_addc(out, ' ');
}

static void add_histogram(gp_buf *out, const struct family *f, rt_metric *x)
{
    /* The count is read first and observed last, so buckets never sum to less than it. */
    uint64_t total = atomic_load(&x->count), sum = 0;
    const char *sep = *x->labels ? "," : "";
    for (size_t i = 0; i < x->n_bounds; i++) {
        sum += atomic_load(&x->buckets[i]);
        gp_buf_printf(out, "%s_bucket{%s%sle=\"%.15g\"} %" PRIu64 "\n", f->name, x->labels, sep,
                      x->bounds[i], sum < total ? sum : total);
    }
    gp_buf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", f->name, x->labels, sep, total);
    add_name(out, f->name, "_sum", x->labels);
    add_number(out, atomic_load(&x->value));
    add_name(out, f->name, "_count", x->labels);
    gp_buf_printf(out, "%" PRIu64 "\n", total);
}

static void add_metric(gp_buf *out, const struct family *f, rt_metric *x)
{
    if (f->type == HISTOGRAM) {
        add_histogram(out, f, x);
        return;
    }
    add_name(out, f->name, "", x->labels);
    if (x->fn)
        add_number(out, x->fn(x->ctx));
    else if (f->type == GAUGE)
        add_number(out, atomic_load(&x->value));
    else
        gp_buf_printf(out, "%" PRIuFAST64 "\n", atomic_load(&x->count));
}

void rt_metrics_text(rt_metrics *m, gp_buf *out)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    pthread_mutex_lock(&m->lock);
    for (const struct family *f = m->first; f; f = f->next) {
        if (!f->first)
            continue;
        gp_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help, f->name,
                      types[f->type]);
        for (rt_metric *x = f->first; x; x = x->next)
            add_metric(out, f, x);
    }
    pthread_mutex_unlock(&m->lock);
}

static double get_resident(void *ctx)
{
    (void)ctx;
    return (double)rt_mem_resident();
}

static double get_cpu(void *ctx)
{
    struct timespec ts = {0};
    (void)ctx;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double get_fds(void *ctx)
{
    (void)ctx;
    double n = -3; /* ".", ".." and the directory itself */
    DIR *d = opendir("/proc/self/fd");
    if (!d)
        return 0;
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

void rt_metrics_process(rt_metrics *m, const char *name, const char *version)
{
    gp_buf label = {0}, metric = {0};
    rt_gauge_fn(m, "process_resident_memory_bytes", "Resident memory size in bytes.", NULL,
                get_resident, NULL);
    rt_counter_fn(m, "process_cpu_seconds_total", "User and system CPU time in seconds.", NULL,
                  get_cpu, NULL);
    rt_gauge_fn(m, "process_open_fds", "Open file descriptors.", NULL, get_fds, NULL);
    rt_metric_set(rt_gauge(m, "process_start_time_seconds",
                           "Start time of the process since the Unix epoch in seconds.", NULL),
                  m->start_s);
    pthread_mutex_lock(&m->lock);
    gp_free(m->name);
    gp_free(m->version);
    m->name = gp_strdup(name);
    m->version = gp_strdup(version);
    pthread_mutex_unlock(&m->lock);
    rt_label(&label, "version", version);
    gp_buf_printf(&metric, "%s_build_info", name);
    const char *l = gp_buf_str(&label), *n = gp_buf_str(&metric);
    if (l && n)
        rt_metric_set(rt_gauge(m, n, "Version of this program; the value is always 1.", l), 1);
    gp_buf_free(&label);
    gp_buf_free(&metric);
}

static void add_text(gp_buf *out, const char *key, const char *value)
{
    if (!value || !*value)
        return;
    gp_buf_printf(out, "%s\"%s\":\"", out->len > 1 ? "," : "", key);
    for (; *value; value++)
        if (*value == '"' || *value == '\\')
            gp_buf_printf(out, "\\%c", *value);
        else if ((unsigned char)*value >= 0x20)
            gp_buf_addc(out, *value);
    gp_buf_addc(out, '"');
}

void rt_metrics_info(rt_metrics *m, gp_buf *out)
{
    static const char *const vars[] = {"POD_NAME", "POD", "PODNAME"};
    const char *pod = NULL;

    for (size_t i = 0; i < GP_COUNT(vars) && !(pod && *pod); i++)
        pod = getenv(vars[i]);
    gp_buf_addc(out, '{');
    pthread_mutex_lock(&m->lock);
    add_text(out, "name", m->name);
    add_text(out, "version", m->version);
    pthread_mutex_unlock(&m->lock);
    add_text(out, "pod", pod);
    gp_buf_adds(out, "}\n");
}
