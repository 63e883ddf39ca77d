/* local.c - a statement on a local database, through the engine. */
#include "run.h"

#include "exec/exec.h"
#include "godb/listing.h"
#include "rt/daemon.h"
#include "rt/log.h"

#include <string.h>

enum {
    MAX_EXPLAINED = 3, /* interfaces whose data is described when there is none in range */
    MAX_NAMED = 10,    /* interfaces named when none was selected */
};

static void on_progress(void *ctx, const exec_progress *p)
{
    goquery_progress_tell(ctx, &(goquery_work){.blocks_done = p->blocks_done,
                                               .blocks_total = p->blocks_total,
                                               .days_done = p->days_done,
                                               .days_total = p->days_total,
                                               .rows = p->rows});
}

/* Skipped days, corrupt blocks. */
static void on_warning(void *ctx, const char *text)
{
    (void)ctx;
    rt_warn(text);
}

/* Add what there is to an answer that has nothing: users mistype ranges and names. */
static void explain_missing(const godb_db *db, result *r)
{
    gp_buf b = {0};
    gp_buf_adds(&b, r->status_message);
    for (size_t i = 0; i < r->n_ifaces && i < MAX_EXPLAINED; i++) {
        godb_listing l;
        char first[40], last[40];
        if (godb_listing_get(db, r->ifaces[i], 0, QUERY_TIME_MAX, &l, NULL) != GP_OK)
            continue;
        if (l.n_days == 0)
            gp_buf_printf(&b, "; %s is empty", r->ifaces[i]);
        else
            gp_buf_printf(&b, "; %s has data from %s to %s", r->ifaces[i],
                          query_time_format_local(l.first_s, first, sizeof first),
                          query_time_format_local(l.last_s, last, sizeof last));
    }
    const char *text = gp_buf_str(&b), *kept = text ? result_strdup(r, text) : NULL;
    if (kept)
        r->status_message = kept;
    gp_buf_free(&b);
}

/* "no interfaces provided" and which there are. */
static gp_status explain_no_ifaces(const godb_db *db, const query_stmt *s, gp_err *err)
{
    char **names = NULL;
    size_t n = 0;
    gp_buf b = {0};
    if (godb_db_ifaces(db, &names, &n, NULL) != GP_OK)
        return GP_EINVAL;
    for (size_t i = 0; i < n && i < MAX_NAMED; i++)
        gp_buf_printf(&b, "%s%s", i ? ", " : "", names[i]);
    if (n > MAX_NAMED)
        gp_buf_printf(&b, " and %zu more", n - MAX_NAMED);
    const char *list = gp_buf_str(&b);
    gp_status st =
        n == 0 ? gp_fail(err, GP_EINVAL, 0, "no interfaces provided: there are none in %s",
                         godb_db_path(db))
               : gp_fail(err, GP_EINVAL, 0, "no interfaces provided: \"%.40s\" selects none of %s",
                         s->args.ifaces, list ? list : "those there are");
    gp_buf_free(&b);
    godb_strv_free(names);
    return st;
}

gp_status cli_run_local(const goquery_opts *o, const query_stmt *s, gp_cancel *cancel,
                        goquery_progress *progress, result *out, gp_err *err)
{
    char host[256], host_id[64];
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    GP_TRY(godb_db_open(o->db_path, &db, err));
    godb_host_id(o->db_path, host_id, sizeof host_id);
    int64_t tell_ms = GOQUERY_PROGRESS_MS; /* as often as the shorter of terminal and keepalive */
    if (s->keepalive_ns > 0 && s->keepalive_ns / 1000000 < tell_ms)
        tell_ms = s->keepalive_ns / 1000000;
    exec_opts x = {
        .max_rows = s->limit,
        .bin = 1,
        .cancel = cancel,
        .host = rt_host_name(host, sizeof host),
        .host_id = host_id,
        .progress = on_progress,
        .progress_ctx = progress,
        .progress_ms = tell_ms,
        .warn = on_warning,
    };
    gp_status st = exec_run(db, s, &x, out, err);
    if (st == GP_EINVAL && err && strstr(err->msg, "no interfaces provided"))
        return explain_no_ifaces(db, s, err);
    if (st == GP_OK && out->status == RESULT_MISSING_DATA)
        explain_missing(db, out);
    return st;
}
