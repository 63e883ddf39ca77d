/* querylog.c - JSON lines for the query log, each written with one call. */
#include "querylog.h"

#include "cli/args.h"
#include "gp/clock.h"
#include "gp/io.h"
#include "gp/mem.h"
#include "query/json.h"
#include "result/print.h"
#include "rt/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

void goquery_querylog_open(goquery_querylog *l, const char *path)
{
    *l = (goquery_querylog){.fd = -1};
    if (!*path || strcasecmp(path, "devnull") == 0)
        return;
    if (strcasecmp(path, "stdout") == 0 || strcasecmp(path, "stderr") == 0) {
        l->fd = strcasecmp(path, "stdout") == 0 ? STDOUT_FILENO : STDERR_FILENO;
        return;
    }
    l->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    l->owned = l->fd >= 0;
    if (l->fd < 0) {
        gp_err err;
        (void)gp_fail(&err, GP_EIO, errno, "cannot open query log %s", path);
        rt_error("failed to open query log", RT_ERR(&err));
    }
}

void goquery_querylog_close(goquery_querylog *l)
{
    if (l->owned)
        close(l->fd);
    l->fd = -1;
}

/* {"ts":...,"level":"info","msg":...,"version":... and room for one more member. */
static void begin(gp_buf *b, const char *msg)
{
    char ts[64];
    int64_t now = gp_wall_ns();
    query_time_format_rfc3339(now / 1000000000, (uint32_t)(now % 1000000000), ts, sizeof ts);
    gp_buf_adds(b, "{\"ts\":");
    query_json_string(b, ts);
    gp_buf_adds(b, ",\"level\":\"info\",\"msg\":");
    query_json_string(b, msg);
    gp_buf_adds(b, ",\"version\":");
    query_json_string(b, cli_version_short());
}

/* Lost log lines are reported, but do not stop a query. */
static void end(const goquery_querylog *l, gp_buf *b)
{
    gp_err err = {0};
    gp_buf_adds(b, "}\n");
    if (b->failed)
        (void)gp_fail(&err, GP_ENOMEM, 0, "out of memory");
    else if (gp_write_full(l->fd, b->data, b->len, &err) == GP_OK)
        err.code = GP_OK;
    if (err.code != GP_OK)
        rt_error("failed to write query log", RT_ERR(&err));
    gp_buf_free(b);
}

void goquery_querylog_args(const goquery_querylog *l, const query_args *args)
{
    gp_buf b = {0};
    if (l->fd < 0)
        return;
    begin(&b, "preparing query");
    gp_buf_adds(&b, ",\"args\":");
    query_args_to_json(args, &b);
    end(l, &b);
}

void goquery_querylog_stmt(const goquery_querylog *l, const query_stmt *stmt)
{
    gp_buf b = {0};
    if (l->fd < 0)
        return;
    begin(&b, "running query");
    gp_buf_adds(&b, ",\"stmt\":");
    query_stmt_to_json(stmt, &b);
    end(l, &b);
}

void goquery_querylog_end(const goquery_querylog *l, const result *r)
{
    gp_buf b = {0};
    char *text = NULL;
    size_t len = 0;
    if (l->fd < 0)
        return;
    begin(&b, "query finished");
    FILE *f = r ? open_memstream(&text, &len) : NULL;
    if (f) {
        gp_status st = result_print_summary(r, f, NULL);
        if (fclose(f) == 0 && st == GP_OK) {
            gp_buf_adds(&b, ",\"summary\":");
            gp_buf_add(&b, text, len);
        }
        gp_free(text); /* base is malloc's door, so this is free() */
    }
    end(l, &b);
}

void goquery_querylog_text(const goquery_querylog *l, const char *msg, const char *args)
{
    gp_buf b = {0};
    if (l->fd < 0)
        return;
    begin(&b, msg);
    if (args) {
        gp_buf_adds(&b, ",\"args\":");
        query_json_string(&b, args);
    }
    end(l, &b);
}
