/* local.c - a statement on a local database, through the engine. */
#include "run.h"

#include "exec/exec.h"
#include "rt/daemon.h"
#include "rt/log.h"

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

gp_status cli_run_local(const goquery_opts *o, const query_stmt *s, gp_cancel *cancel,
                        goquery_progress *progress, result *out, gp_err *err)
{
    char host[256], host_id[64];
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    GP_TRY(godb_db_open(o->db_path, &db, err));
    godb_host_id(o->db_path, host_id, sizeof host_id);
    int bins = (s->labels & QUERY_LABEL_TIME) && s->bin_s != 300;
    exec_opts x = {
        .max_rows = bins ? 0 : s->limit,
        .cancel = cancel,
        .host = rt_host_name(host, sizeof host),
        .host_id = host_id,
        .progress = on_progress,
        .progress_ctx = progress,
        .progress_ms = GOQUERY_PROGRESS_MS,
        .warn = on_warning,
    };
    return exec_run(db, s, &x, out, err);
}
