/* cmd_flush.c - `gpctl flush`: write the running interval now. */
#include "gpctl.h"

#include "gp/mem.h"
#include "query/json.h"

/* Names in the answer, printed as they come. */
typedef struct written {
    const gpctl_opts *o;
    gp_buf json;
    size_t n;
} written;

static gp_status on_names(void *ctx, const uint8_t *data, size_t len, gp_err *err)
{
    written *w = ctx;
    char *const *names = NULL;
    void *owner = NULL;
    size_t n = 0;

    GP_TRY(wire_control_request_decode(data, len, &names, &n, &owner, err));
    for (size_t i = 0; i < n; i++) {
        gp_buf_adds(&w->json, w->n++ ? "," : "");
        query_json_string(&w->json, names[i]);
        if (!w->o->json)
            printf("%s%s", w->n > 1 ? " " : "written: ", names[i]);
    }
    wire_control_request_free(owner);
    return GP_OK;
}

static int run(void *values, const cli_line *line)
{
    const gpctl_opts *o = values;
    written w = {.o = o};
    gp_buf req = {0};
    gp_err err = {0};
    int code = 0;

    wire_put_control_request(&req, line->words, line->n_words);
    if (o->json)
        gp_buf_adds(&w.json, "{\"written\":[");
    gp_status st = gpctl_call(o, "flush", &req, on_names, &w, &err);
    gp_buf_free(&req);
    if (st != GP_OK) {
        code = gpctl_fail("%s", err.msg);
    } else if (o->json) {
        gp_buf_adds(&w.json, "]}");
        return gpctl_print_json(&w.json);
    } else {
        puts(w.n ? "" : "nothing is captured");
    }
    gp_buf_free(&w.json);
    return code;
}

static const char *const usage[] = {"[flags] [IFACE...]", NULL};

const cli_cmd gpctl_flush = {
    .name = "flush",
    .usage = usage,
    .summary = "Write the running interval to the database now",
    .about = "End the running interval of all interfaces, or of those named, and wait until its "
             "flows are on\ndisk. Capture goes on meanwhile; the scheduled write-outs stay where "
             "they are.\n"
             "\n"
             "Example:\n"
             "  gpctl flush eth0 && goquery -d DB -i eth0 -f -5m sip,dip",
    .words_from = GPCTL_WORDS,
    .run = run,
};
