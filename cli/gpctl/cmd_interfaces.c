/* cmd_interfaces.c - `gpctl interfaces`: state, memory and write-out of each interface. */
#include "gpctl.h"

#include "query/json.h"
#include "result/print.h"

#define NS INT64_C(1000000000)

static void add_row(gpctl_box *b, const wire_iface_status *v, int64_t now_ns)
{
    char since[32] = "-", ring[32], flows[32], memory[32], pending[32], last[32];

    if (v->capturing)
        gpctl_seconds(now_ns - v->started_ns, since, sizeof since);
    (void)snprintf(pending, sizeof pending, "%llu", (unsigned long long)v->pending_blocks);
    const char *cells[GPCTL_BOX_COLS] = {v->name,
                                         v->capturing ? "capturing" : "waiting",
                                         since,
                                         result_fmt_size(v->ring_bytes, ring, sizeof ring),
                                         result_fmt_count(v->flows, flows, sizeof flows),
                                         result_fmt_size(v->flow_bytes, memory, sizeof memory),
                                         pending,
                                         gpctl_time(v->last_block_s, last, sizeof last),
                                         v->error};
    gpctl_box_row(b, cells, v->capturing ? 0 : 1u << 1);
}

static gp_status print_table(const wire_status_reply *r, gp_err *err)
{
    static const char *const head[2][GPCTL_BOX_COLS] = {
        {"", "", "active", "ring", "", "flow", "blocks", "last block", ""},
        {"iface", "state", "for", "buffer", "flows", "memory", "to write", "on disk", "why"}};
    gpctl_box *b = gpctl_box_new("Interfaces", "LLRRRRRLL");

    if (!b)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    for (size_t i = 0; i < GP_COUNT(head); i++)
        gpctl_box_head(b, head[i]);
    for (size_t i = 0; i < r->n; i++)
        add_row(b, &r->v[i], r->daemon.now_ns);
    gp_status st = gpctl_box_print(b, stdout, gpctl_color(), err);
    gpctl_box_free(b);
    return st;
}

static int print_json(const wire_status_reply *r)
{
    gp_buf b = {0};

    gp_buf_addc(&b, '[');
    for (size_t i = 0; i < r->n; i++) {
        const wire_iface_status *v = &r->v[i];
        gp_buf_adds(&b, i ? "," : "");
        query_json_object o = query_json_open(&b);
        query_json_text(&o, "name", v->name);
        query_json_text(&o, "state", v->capturing ? "capturing" : "waiting");
        query_json_text_opt(&o, "error", v->error);
        if (v->started_ns) {
            query_json_key(&o, "started_at");
            gpctl_json_time(&b, v->started_ns / NS, (uint32_t)(v->started_ns % NS));
        }
        query_json_int(&o, "ring_bytes", (int64_t)v->ring_bytes);
        query_json_int(&o, "flows", (int64_t)v->flows);
        query_json_int(&o, "flow_bytes", (int64_t)v->flow_bytes);
        query_json_int(&o, "pending_blocks", (int64_t)v->pending_blocks);
        query_json_int(&o, "shared_total", (int64_t)v->total.shared);
        query_json_int(&o, "lost_total", (int64_t)v->total.lost);
        if (v->last_block_s) {
            query_json_key(&o, "last_block");
            gpctl_json_time(&b, v->last_block_s, 0);
        }
        query_json_close(&o);
    }
    gp_buf_addc(&b, ']');
    return gpctl_print_json(&b);
}

static int run(void *values, const cli_line *line)
{
    const gpctl_opts *o = values;
    wire_status_reply r = {0};
    gp_err err = {0};
    int code = 0;

    gp_status st = gpctl_get_status(o, line->words, line->n_words, &r, &err);
    if (st == GP_OK && o->names)
        for (size_t i = 0; i < r.n; i++)
            puts(r.v[i].name);
    else if (st == GP_OK && o->json)
        code = print_json(&r);
    else if (st == GP_OK)
        st = print_table(&r, &err);
    wire_status_clear(&r);
    return st == GP_OK ? code : gpctl_fail("%s", err.msg);
}

static const cli_opt opts[] = {
    {"names", 0, CLI_BOOL, offsetof(gpctl_opts, names), NULL, NULL, "Only the names, one a line.",
     "Flags", NULL, 0},
    {0},
};
static const char *const usage[] = {"[flags] [IFACE...]", NULL};

const cli_cmd gpctl_interfaces = {
    .name = "interfaces",
    .usage = usage,
    .summary = "State, memory and write-out of each interface",
    .about = "Show for each wanted interface whether it is captured (and if not, why), the ring "
             "memory it really\ngot, flows of the running interval, blocks that wait for the disk, "
             "and the newest block.\n"
             "\n"
             "Example:\n"
             "  gpctl interfaces --json",
    .opts = opts,
    .words_from = GPCTL_WORDS,
    .run = run,
};
