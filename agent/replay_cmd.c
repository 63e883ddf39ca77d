/* replay_cmd.c - goprobe --pcap: replay into goDB, with one line of summary. */
#include "replay_cmd.h"

#include "flow/csv.h"
#include "flow/replay.h"
#include "flow/rows.h"
#include "godb/writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NS 1000000000

static void warn(void *ctx, const char *text)
{
    (void)ctx;
    fprintf(stderr, "goprobe: warning: %s (packets before that are kept)\n", text);
}

static gp_status print_block(void *ctx, int64_t time_s, flow_bank *bank, gp_err *err)
{
    (void)time_s;
    return flow_csv(bank, ctx, err);
}

typedef struct store {
    const agent_options *o;
    godb_writer_opts opts;
    godb_writer *writer; /* NULL: nothing was read yet */
    flow_rows *rows;
    uint64_t flows;
} store;

/* Only when the input can be read: an error leaves no database behind. */
static gp_status open_writer(store *s, gp_err *err)
{
    if (s->writer)
        return GP_OK;
    GP_TRY(godb_writer_open(s->o->db, s->o->iface, &s->opts, &s->writer, err));
    return godb_writer_begin_bulk(s->writer, err);
}

static gp_status store_block(void *ctx, int64_t time_s, flow_bank *bank, gp_err *err)
{
    store *s = ctx;
    godb_rows rows;

    GP_TRY(open_writer(s, err));
    GP_TRY(flow_rows_make(s->rows, (flow_bank *const[]){bank}, 1, &rows, err));
    s->flows += (uint64_t)rows.n_v4 + rows.n_v6;
    return godb_writer_append(s->writer, time_s, &rows, 0, err);
}

static const char *utc(int64_t ns, char buf[32])
{
    struct tm tm;
    time_t t = ns / NS;

    if (ns == 0 || !gmtime_r(&t, &tm) || strftime(buf, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        return "-";
    return buf;
}

/* One line of key=value; what is zero and bad is left out. */
static void summary(FILE *to, const char *name, const flow_replay_stats *st, uint64_t flows)
{
    char first[32], last[32];

    fprintf(to,
            "%s: frames=%" PRIu64 " received=%" PRIu64 " processed=%" PRIu64 " fragmented=%" PRIu64
            " invalid=%" PRIu64 " truncated=%" PRIu64 " packets=%" PRIu64 " bytes=%" PRIu64,
            name, st->frames, st->received, st->processed, st->errors[CAPTURE_FRAGMENTED],
            st->errors[CAPTURE_INVALID], st->errors[CAPTURE_TRUNCATED], st->packets, st->bytes);
    fprintf(to, " flows=%" PRIu64 " blocks=%" PRIu64 " first=%s last=%s", flows, st->blocks,
            utc(st->first_ns, first), utc(st->last_ns, last));
    if (st->late)
        fprintf(to,
                " late=%" PRIu64 " (older than a finished interval or of no time between 1970 and "
                "2100; counted into another one)",
                st->late);
    if (st->lost)
        fprintf(to, " lost=%" PRIu64 " (flow table full)", st->lost);
    if (st->broken_files)
        fprintf(to, " broken_files=%" PRIu64, st->broken_files);
    fputc('\n', to);
}

static int dump(const flow_replay_opts *o)
{
    gp_err err = {0};
    gp_buf csv = {0};
    flow_replay_stats st;

    gp_status rc = flow_replay(o, print_block, &csv, &st, &err);
    if (rc == GP_OK) {
        uint64_t lines = 0;
        for (size_t i = 0; i < csv.len; i++)
            lines += csv.data[i] == '\n';
        if (csv.len == 0) /* no flows, no block */
            puts(FLOW_CSV_HEAD);
        else
            (void)fwrite(csv.data, 1, csv.len, stdout);
        summary(stderr, o->files[0], &st, lines ? lines - 1 : 0);
    } else {
        fprintf(stderr, "goprobe: %s\n", err.msg);
    }
    gp_buf_free(&csv);
    return rc != GP_OK || st.broken_files || fflush(stdout) != 0;
}

/* Flags and the environment, as for capture. */
static gp_status writer_opts(const agent_options *o, godb_writer_opts *out, gp_err *err)
{
    GP_CLEANUP(rt_config_freep) rt_config *c = NULL;

    *out = (godb_writer_opts)GODB_WRITER_OPTS_INIT;
    GP_TRY(rt_config_new(&c, err));
    GP_TRY(rt_config_use_env(c, "GOPROBE_", err));
    for (size_t i = 0; i < o->n_set; i++)
        GP_TRY(rt_config_set(c, o->set[i].key, o->set[i].value, err));
    GP_TRY(agent_config_writer(c, out, err));
    rt_config_print_warnings(c, "goprobe");
    return GP_OK;
}

static gp_status store_all(const flow_replay_opts *ro, store *s, flow_replay_stats *st, gp_err *err)
{
    GP_TRY(writer_opts(s->o, &s->opts, err));
    GP_TRY(flow_rows_new(&s->rows, err));
    GP_TRY(flow_replay(ro, store_block, s, st, err));
    GP_TRY(open_writer(s, err));
    return godb_writer_commit(s->writer, err);
}

int agent_replay(const agent_options *o)
{
    gp_err err = {0};
    flow_replay_stats st = {0};
    store s = {.o = o};
    flow_replay_opts ro = {.files = o->pcaps,
                           .n_files = o->n_pcaps,
                           .local = o->local,
                           .n_local = o->n_local,
                           .warn = warn};

    ro.table.compat = o->compat;
    ro.fragments = o->fragments;
    if (o->dump_flows) {
        ro.one_block = 1;
        ro.table.by_endpoint = 1;
        return dump(&ro);
    }
    gp_status rc = store_all(&ro, &s, &st, &err);
    if (rc == GP_OK)
        summary(stdout, o->iface, &st, s.flows);
    else
        fprintf(stderr, "goprobe: %s\n", err.msg);
    godb_writer_close(s.writer);
    flow_rows_free(s.rows);
    return rc != GP_OK || st.broken_files;
}
