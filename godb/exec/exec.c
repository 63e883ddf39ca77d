/* exec.c - run a statement: interfaces one after the other, then order, limit and summary. */
#include "exec/exec.h"

#include "final.h"
#include "gp/mem.h"
#include "gp/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { RESULT_STRINGS_MAX = 16 << 20, THREADS_MAX = 256 };

/* ---- set-up ---- */

static gp_status ctx_tables(exec_ctx *x, gp_err *err)
{
    if (getrandom(x->seed, sizeof x->seed, GRND_NONBLOCK) != (ssize_t)sizeof x->seed)
        for (unsigned i = 0; i < EXEC_KW_MAX; i++) /* early boot: better than nothing */
            x->seed[i] = (uint64_t)gp_mono_ns() * (UINT64_C(0x9e3779b97f4a7c15) + 2 * i);
    x->n_tables = x->plan.split ? 2 : 1;
    for (unsigned t = 0; t < x->n_tables; t++)
        GP_TRY(exec_table_init(&x->table[t], x->plan.key[t].kw, EXEC_PARTS, &x->mem, &x->slabs,
                               x->seed, err));
    return GP_OK;
}

/* top_n: rows are cut to the first ones. */
static gp_status ctx_init(exec_ctx *x, int top_n, gp_err *err)
{
    const exec_opts *o = x->opts;

    if (pthread_mutex_init(&x->lock, NULL) != 0)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory for a lock");
    atomic_flag_clear(&x->in_progress);
    exec_mem_init(&x->mem, o->mem_limit, x->stmt->max_mem_pct);
    GP_TRY(exec_slabs_init(&x->slabs, &x->mem, err));
    GP_TRY(exec_plan_build(x->stmt, &x->plan, err));
    GP_TRY(ctx_tables(x, err));
    x->bin_s = o->bin && x->plan.timed && x->stmt->bin_s > GODB_BLOCK_S ? x->stmt->bin_s : 0;
    x->top_n = top_n && x->plan.timed && o->max_rows && o->max_rows <= EXEC_EARLY_MAX;
    if (x->top_n)
        GP_TRY(exec_cut_init(x, o->max_rows, err));
    x->n_threads = o->threads ? o->threads : gp_cpu_count();
    if (x->n_threads > THREADS_MAX)
        x->n_threads = THREADS_MAX;
    if (x->stmt->low_mem)
        x->n_threads = 1; /* one set of buffers instead of one per core */
    x->workers = gp_calloc(x->n_threads, sizeof *x->workers);
    x->warnings = o->warn ? gp_calloc(EXEC_WARN_MAX, sizeof *x->warnings) : NULL;
    if (!x->workers || (o->warn && !x->warnings))
        return gp_fail(err, GP_ENOMEM, 0, "out of memory for %u workers", x->n_threads);
    for (unsigned i = 0; i < x->n_threads; i++)
        GP_TRY(exec_worker_init(&x->workers[i], x, err));
    return GP_OK;
}

static void ctx_free(exec_ctx *x)
{
    for (unsigned i = 0; x->workers && i < x->n_threads; i++)
        exec_worker_free(&x->workers[i]);
    gp_free(x->workers);
    gp_free(x->cut);
    for (size_t i = 0; i < x->n_warnings; i++)
        gp_free(x->warnings[i]);
    gp_free(x->warnings);
    for (unsigned t = 0; t < EXEC_N_FAMILIES; t++)
        exec_table_free(&x->table[t]);
    exec_slabs_free(&x->slabs);
    exec_plan_free(&x->plan);
    pthread_mutex_destroy(&x->lock);
}

/* Hand the warnings to the caller, in the caller's thread. */
static void send_warnings(exec_ctx *x)
{
    for (size_t i = 0; i < x->n_warnings; i++) {
        x->opts->warn(x->opts->warn_ctx, x->warnings[i]);
        gp_free(x->warnings[i]);
    }
    x->n_warnings = 0;
    if (x->warnings_lost && x->opts->warn) {
        char *text = gp_asprintf("%zu more warnings of this kind", x->warnings_lost);
        if (text)
            x->opts->warn(x->opts->warn_ctx, text);
        gp_free(text);
        x->warnings_lost = 0;
    }
}

/* ---- interfaces ---- */

static int cmp_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names in the database and of live flows, sorted, without repeats; elements are borrowed. */
static gp_status all_names(const exec_ctx *x, char **stored, size_t n_stored, char ***out,
                           size_t *n_out, gp_err *err)
{
    const exec_live *l = x->opts->live;
    size_t n_live = 0, n = 0;

    while (l && l->ifaces && l->ifaces[n_live])
        n_live++;
    char **v = gp_alloc(n_stored + n_live + 1, sizeof *v);
    if (!v)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory for interface names");
    for (size_t i = 0; i < n_stored; i++)
        v[n++] = stored[i];
    for (size_t i = 0; i < n_live; i++)
        memcpy(&v[n++], &l->ifaces[i], sizeof *v);
    qsort(v, n, sizeof *v, cmp_name);
    *n_out = 0;
    for (size_t i = 0; i < n; i++)
        if (*n_out == 0 || strcmp(v[i], v[*n_out - 1]) != 0)
            v[(*n_out)++] = v[i];
    *out = v;
    return GP_OK;
}

/* One interface from files to rows. */
static gp_status do_iface(exec_ctx *x, exec_final *f, exec_sink sink, void *sink_ctx,
                          int *have_span, gp_err *err)
{
    GP_TRY(result_add_iface(f->out, x->iface, err));
    f->iface = result_iface_id(f->out, x->iface);
    if (f->iface == UINT32_MAX)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory for interface names");
    GP_TRY(exec_run_iface(x, f->out, have_span, err));
    GP_TRY(sink ? exec_final_stream(f, sink, sink_ctx, err) : exec_final_iface(f, err));
    for (unsigned t = 0; t < x->n_tables; t++)
        exec_table_reset(&x->table[t]);
    exec_slabs_reset(&x->slabs);
    return GP_OK;
}

static gp_status do_ifaces(exec_ctx *x, exec_final *f, exec_sink sink, void *sink_ctx, gp_err *err)
{
    char **stored = NULL, **all = NULL;
    const char **sel = NULL;
    size_t n_stored = 0, n_all = 0, n = 0;
    int have_span = 0;

    gp_status st = godb_db_ifaces(x->db, &stored, &n_stored, err);
    if (x->opts->text_names)
        n_stored = godb_strv_keep_text(stored);
    if (st == GP_OK)
        st = all_names(x, stored, n_stored, &all, &n_all, err);
    if (st == GP_OK)
        st = query_ifsel_select(x->stmt->ifsel, all, n_all, &sel, &n, err);
    if (st == GP_OK && n == 0)
        st = gp_fail(err, GP_EINVAL, 0, "no interfaces provided");
    for (size_t i = 0; st == GP_OK && i < n; i++) {
        x->iface = sel[i];
        st = do_iface(x, f, sink, sink_ctx, &have_span, err);
        send_warnings(x);
    }
    if (!have_span) {
        f->out->time_first_s = x->stmt->first_s;
        f->out->time_last_s = x->stmt->last_s;
    }
    gp_free(sel);
    gp_free(all);
    godb_strv_free(stored);
    return st;
}

/* ---- summary ---- */

static gp_status begin_result(result *out, const query_stmt *stmt, const exec_opts *o,
                              uint32_t *host, gp_err *err)
{
    GP_TRY(result_init(out, RESULT_STRINGS_MAX, err));
    out->query_start_ns = gp_wall_ns();
    out->fields = stmt->fields;
    out->has_stats = 1;
    out->hostname = result_strdup(out, o->host);
    out->condition = result_strdup(out, stmt->cond->text);
    *host = result_host_id(out, o->host, o->host_id);
    if (!out->hostname || !out->condition || *host == UINT32_MAX)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory for the result");
    return GP_OK;
}

static gp_status end_result(exec_ctx *x, result *out, int64_t started_ns, gp_err *err)
{
    result_finish_status(out);
    if (x->days_failed && out->stats.directories_processed == 0 && !x->opts->live)
        return gp_fail(err, GP_EIO, 0, "none of %llu day(s) could be read; gpdb check says why",
                       (unsigned long long)x->days_failed);
    if (x->days_failed) {
        char text[96];
        snprintf(text, sizeof text, "%llu day(s) could not be read and are missing",
                 (unsigned long long)x->days_failed);
        out->status_message = result_strdup(out, text);
    }
    out->query_duration_ns = gp_mono_ns() - started_ns;
    return result_add_host_status(out, out->hostname, out->status, out->status_message, err);
}

static gp_status run(const godb_db *db, const query_stmt *stmt, const exec_opts *opts,
                     exec_sink sink, void *sink_ctx, result *out, gp_err *err)
{
    exec_ctx x = {.db = db, .stmt = stmt, .opts = opts};
    exec_final f = {0};
    int64_t started_ns = gp_mono_ns();
    uint32_t host = 0;

    *out = (result){0};
    gp_status st = begin_result(out, stmt, opts, &host, err);
    if (st == GP_OK)
        st = ctx_init(&x, sink == NULL, err);
    if (st == GP_OK)
        st = exec_final_init(&f, &x, out, err);
    f.host = host;
    if (st == GP_OK && opts->partial && !sink) {
        x.final = &f;
        x.next_partial_ns = started_ns + opts->partial_ms * 1000000;
    }
    if (st == GP_OK)
        st = do_ifaces(&x, &f, sink, sink_ctx, err);
    if (st == GP_OK && !sink)
        st = exec_final_finish(&f, err);
    if (st == GP_OK)
        st = end_result(&x, out, started_ns, err);
    exec_final_free(&f);
    ctx_free(&x);
    if (st != GP_OK)
        result_clear(out);
    return st;
}

gp_status exec_run(const godb_db *db, const query_stmt *stmt, const exec_opts *opts, result *out,
                   gp_err *err)
{
    return run(db, stmt, opts, NULL, NULL, out, err);
}

gp_status exec_stream(const godb_db *db, const query_stmt *stmt, const exec_opts *opts,
                      exec_sink sink, void *sink_ctx, result *out, gp_err *err)
{
    return run(db, stmt, opts, sink, sink_ctx, out, err);
}
