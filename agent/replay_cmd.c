/* replay_cmd.c - goprobe --pcap: replay into goDB, with one line of summary. */
#include "replay_cmd.h"

#include "flow/csv.h"
#include "flow/replay.h"
#include "flow/rows.h"
#include "godb/codec.h"
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
    godb_writer *writer;
    flow_rows *rows;
    uint64_t flows;
} store;

static gp_status store_block(void *ctx, int64_t time_s, flow_bank *bank, gp_err *err)
{
    store *s = ctx;
    godb_rows rows;

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
        fprintf(to, " late=%" PRIu64 " (older than a finished interval, counted into the next one)",
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
        if (csv.len) /* data is NULL when there are no flows */
            (void)fwrite(csv.data, 1, csv.len, stdout);
        summary(stderr, o->files[0], &st, lines ? lines - 1 : 0);
    } else {
        fprintf(stderr, "goprobe: %s\n", err.msg);
    }
    gp_buf_free(&csv);
    return rc != GP_OK || st.broken_files || fflush(stdout) != 0;
}

static gp_status store_all(const agent_options *o, const flow_replay_opts *ro, store *s,
                           flow_replay_stats *st, gp_err *err)
{
    godb_writer_opts wo = GODB_WRITER_OPTS_INIT;

    const char *encoder = agent_options_get(o, "db.encoder_type");
    if (encoder) {
        int codec = godb_codec_by_name(encoder);
        if (codec < 0)
            return gp_fail(err, GP_EINVAL, 0, "--db.encoder_type %s: expected lz4, zstd or null",
                           encoder);
        wo.codec = (uint8_t)codec;
    }
    GP_TRY(flow_rows_new(&s->rows, err));
    GP_TRY(godb_writer_open(o->db, o->iface, &wo, &s->writer, err));
    GP_TRY(godb_writer_begin_bulk(s->writer, err));
    GP_TRY(flow_replay(ro, store_block, s, st, err));
    return godb_writer_commit(s->writer, err);
}

int agent_replay(const agent_options *o)
{
    gp_err err = {0};
    flow_replay_stats st = {0};
    store s = {0};
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
    gp_status rc = store_all(o, &ro, &s, &st, &err);
    if (rc == GP_OK)
        summary(stdout, o->iface, &st, s.flows);
    else
        fprintf(stderr, "goprobe: %s\n", err.msg);
    godb_writer_close(s.writer);
    flow_rows_free(s.rows);
    return rc != GP_OK || st.broken_files;
}
