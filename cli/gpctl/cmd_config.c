/* cmd_config.c - `gpctl config`: running settings of interfaces, reload, another set (6.2). */
#include "gpctl.h"
#include "translate.h"

#include "gp/mem.h"
#include "query/json.h"
#include "rt/config.h"

#include <string.h>

/* ---- show ---- */

static gp_status add_config(void *ctx, const uint8_t *data, size_t len, gp_err *err)
{
    return wire_config_decode(data, len, ctx, err);
}

static gp_status print_table(const wire_config_reply *r, gp_err *err)
{
    static const char *const head[2][GPCTL_BOX_COLS] = {
        {"", "", "ring buffer", "ring buffer"}, {"iface", "promisc", "block size", "num blocks"}};
    gpctl_box *b = gpctl_box_new("Interface Configuration", "LLRL");

    if (!b)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    for (size_t i = 0; i < GP_COUNT(head); i++)
        gpctl_box_head(b, head[i]);
    for (size_t i = 0; i < r->n; i++) {
        char size[24], blocks[24];
        const wire_iface_config *c = &r->v[i];
        (void)snprintf(size, sizeof size, "%llu", (unsigned long long)c->block_size);
        (void)snprintf(blocks, sizeof blocks, "%llu", (unsigned long long)c->num_blocks);
        const char *cells[GPCTL_BOX_COLS] = {c->name, c->promisc ? "true" : "false", size, blocks};
        gpctl_box_row(b, cells, 0);
    }
    gp_status st = gpctl_box_print(b, stdout, gpctl_color(), err);
    gpctl_box_free(b);
    return st;
}

static void json_bool(query_json_object *o, const char *key, int value)
{
    query_json_key(o, key);
    gp_buf_adds(o->out, value ? "true" : "false");
}

static void json_filter(query_json_object *o, const wire_iface_config *c)
{
    query_json_key(o, "extra_bpf_filters");
    if (c->n_filter == 0) {
        gp_buf_adds(o->out, "null");
        return;
    }
    for (size_t i = 0; i < c->n_filter; i++)
        gp_buf_printf(o->out, "%s{\"op\":%u,\"jt\":%u,\"jf\":%u,\"k\":%u}", i ? "," : "[",
                      c->filter[i].op, c->filter[i].jt, c->filter[i].jf, c->filter[i].k);
    gp_buf_addc(o->out, ']');
}

static int print_json(const wire_config_reply *r)
{
    gp_buf b = {0};
    query_json_object o = query_json_open(&b);

    query_json_int(&o, "status_code", 200);
    query_json_key(&o, "ifaces");
    query_json_object all = query_json_open(&b);
    for (size_t i = 0; i < r->n; i++) {
        const wire_iface_config *c = &r->v[i];
        query_json_key(&all, c->name);
        query_json_object one = query_json_open(&b);
        json_bool(&one, "ignore_vlans", c->ignore_vlans);
        json_bool(&one, "promisc", c->promisc);
        query_json_key(&one, "ring_buffer");
        query_json_object ring = query_json_open(&b);
        query_json_int(&ring, "block_size", (int64_t)c->block_size);
        query_json_int(&ring, "num_blocks", (int64_t)c->num_blocks);
        query_json_close(&ring);
        json_filter(&one, c);
        json_bool(&one, "disable", 0); /* disabled ones are not running */
        if (c->sample > 1)
            query_json_int(&one, "sample", c->sample);
        query_json_close(&one);
    }
    query_json_close(&all);
    query_json_close(&o);
    return gpctl_print_json(&b);
}

static int show(const gpctl_opts *o, const cli_line *line)
{
    wire_config_reply r = {0};
    gp_buf req = {0};
    gp_err err = {0};
    int code = 0;

    wire_put_control_request(&req, line->words, line->n_words);
    gp_status st = gpctl_call(o, "config.get", &req, add_config, &r, &err);
    gp_buf_free(&req);
    if (st == GP_OK && o->json)
        code = print_json(&r);
    else if (st == GP_OK)
        st = print_table(&r, &err);
    wire_config_clear(&r);
    return st == GP_OK ? code : gpctl_fail("%s", err.msg);
}

/* ---- change ---- */

static gp_status add_changes(void *ctx, const uint8_t *data, size_t len, gp_err *err)
{
    return wire_changes_decode(data, len, ctx, err);
}

static void print_names(const wire_changes_reply *r, wire_action action, int ok)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        if (r->v[i].action == action && r->v[i].ok == ok)
            printf("%s%s", n++ ? " " : "", r->v[i].name);
}

static void print_changes(const wire_changes_reply *r)
{
    static const char *const heads[WIRE_N_ACTIONS] = {"Enabled", "Updated", "Disabled"};
    int color = gpctl_color();

    putchar('\n');
    for (int a = 0; a < WIRE_N_ACTIONS; a++) {
        size_t failed = 0;
        printf("%12s: [", heads[a]);
        print_names(r, (wire_action)a, 1);
        putchar(']');
        for (size_t i = 0; i < r->n; i++)
            failed += (int)r->v[i].action == a && !r->v[i].ok;
        if (failed) {
            printf(" (%sFAILED: [", color ? "\033[1;31m" : "");
            print_names(r, (wire_action)a, 0);
            printf("]%s)", color ? "\033[0m" : "");
        }
        putchar('\n');
    }
    putchar('\n');
    fflush(stdout);
}

/* A line for every interface that could not be changed, even with --silent; the exit code. */
static int say_failures(const wire_changes_reply *r)
{
    int code = 0;
    for (size_t i = 0; i < r->n; i++)
        if (!r->v[i].ok)
            code = gpctl_fail("%s: %s", r->v[i].name, *r->v[i].error ? r->v[i].error : "failed");
    return code;
}

static int changes_json(const wire_changes_reply *r)
{
    static const char *const keys[WIRE_N_ACTIONS] = {"enabled", "updated", "disabled"};
    gp_buf b = {0};
    query_json_object o = query_json_open(&b);

    query_json_int(&o, "status_code", 200);
    for (int a = 0; a < WIRE_N_ACTIONS; a++) {
        size_t n = 0;
        query_json_key(&o, keys[a]);
        gp_buf_addc(&b, '[');
        for (size_t i = 0; i < r->n; i++) {
            if ((int)r->v[i].action != a)
                continue;
            gp_buf_adds(&b, n++ ? "," : "");
            query_json_object one = query_json_open(&b);
            query_json_text(&one, "name", r->v[i].name);
            json_bool(&one, "success", r->v[i].ok);
            query_json_text_opt(&one, "error", r->v[i].error);
            query_json_close(&one);
        }
        gp_buf_addc(&b, ']');
    }
    query_json_close(&o);
    return gpctl_print_json(&b);
}

static gp_status change(const gpctl_opts *o, const char *method, const gp_buf *req, int *code,
                        gp_err *err)
{
    wire_changes_reply r = {0};
    gp_status st = gpctl_call(o, method, req, add_changes, &r, err);

    if (st == GP_OK && o->json)
        *code = changes_json(&r);
    else if (st == GP_OK && !o->silent)
        print_changes(&r);
    if (st == GP_OK && say_failures(&r))
        *code = 1;
    wire_changes_clear(&r);
    return st;
}

/* ---- a file's interfaces as JSON ---- */

/* Every value stands on the line it has in the file, so that the agent's errors name that. */
typedef struct lines {
    gp_buf *out;
    unsigned at; /* line that is written now, 1 = first */
} lines;

static void go_to(lines *l, const rt_node *n)
{
    for (; l->at < rt_node_line(n); l->at++)
        gp_buf_addc(l->out, '\n');
}

static gp_status put_node(lines *l, const rt_node *n, gp_err *err)
{
    const char *text = NULL;

    go_to(l, n);
    switch (rt_node_kind(n)) {
    case RT_NULL:
        gp_buf_adds(l->out, "null");
        return GP_OK;
    case RT_SCALAR:
        GP_TRY(rt_node_str(n, "", &text, err));
        query_json_string(l->out, text);
        return GP_OK;
    case RT_LIST:
    case RT_MAP:
        break;
    }
    int map = rt_node_kind(n) == RT_MAP;
    gp_buf_addc(l->out, map ? '{' : '[');
    for (size_t i = 0; i < rt_node_count(n); i++) {
        gp_buf_adds(l->out, i ? "," : "");
        if (map) { /* a value's line is that of its key */
            go_to(l, rt_node_at(n, i));
            query_json_string(l->out, rt_node_key(n, i));
            gp_buf_addc(l->out, ':');
        }
        GP_TRY(put_node(l, rt_node_at(n, i), err));
    }
    gp_buf_addc(l->out, map ? '}' : ']');
    return GP_OK;
}

static gp_status read_interfaces(const char *path, gp_buf *out, gp_err *err)
{
    GP_CLEANUP(rt_config_freep) rt_config *c = NULL;
    GP_TRY(rt_config_load(path, &c, err));
    const rt_node *n = rt_config_node(c, "interfaces");
    if (rt_node_kind(n) != RT_MAP || rt_node_count(n) == 0)
        return gp_fail(err, GP_EINVAL, 0, "%s: no interfaces in this file", path);
    lines l = {.out = out, .at = 1};
    GP_TRY(put_node(&l, n, err));
    if (out->failed || out->len > WIRE_MAX_CONFIG_TEXT)
        return gp_fail(err, GP_ELIMIT, 0, "%s: more than %d bytes of interfaces", path,
                       WIRE_MAX_CONFIG_TEXT);
    return GP_OK;
}

/* The agent calls what it was sent "request", and names lines, which are those of the file. */
static gp_status name_file(const char *path, gp_err *err)
{
    static const char sent[] = "request:";
    char text[sizeof err->msg];

    const char *at = strstr(err->msg, sent);
    if (!at)
        return gp_fail_context(err, GP_EINVAL, "%s", path);
    (void)snprintf(text, sizeof text, "%s", at + sizeof sent - 1);
    return gp_fail(err, GP_EINVAL, 0, "%s:%s", path, text);
}

static gp_status set_from_file(const gpctl_opts *o, int *code, gp_err *err)
{
    gp_buf text = {0}, req = {0};
    gp_status st = read_interfaces(o->file, &text, err);

    if (st == GP_OK) {
        wire_put_config_set(&req, text.data, text.len);
        st = change(o, "config.set", &req, code, err);
        if (st == GP_EINVAL)
            st = name_file(o->file, err);
    }
    gp_buf_free(&text);
    gp_buf_free(&req);
    return st;
}

static int run(void *values, const cli_line *line)
{
    const gpctl_opts *o = values;
    gp_err err = {0};
    gp_status st;
    int code = 0;

    if (*o->file && o->reload)
        return gpctl_fail("--file and --reload exclude each other");
    if (*o->file) {
        st = set_from_file(o, &code, &err);
    } else if (o->reload) {
        gp_buf none = {0};
        st = change(o, "config.reload", &none, &code, &err);
    } else {
        return show(o, line);
    }
    return st == GP_OK ? code : gpctl_fail("%s", err.msg);
}

/* ---- translate ---- */

static void say(void *ctx, const char *text)
{
    (void)ctx;
    fprintf(stderr, "%s\n", text);
}

static int run_translate(void *values, const cli_line *line)
{
    GP_CLEANUP(rt_config_freep) rt_config *c = NULL;
    gp_buf out = {0};
    gp_err err = {0};
    (void)values;

    if (line->n_words != 1)
        return gpctl_fail("which file? gpctl config translate OLD.yaml");
    gp_status st = rt_config_load(line->words[0], &c, &err);
    if (st == GP_OK)
        st = translate_config(c, &out, say, NULL, &err);
    if (st == GP_OK)
        fwrite(out.data, 1, out.len, stdout);
    gp_buf_free(&out);
    return st == GP_OK ? 0 : gpctl_fail("%s", err.msg);
}

static const char *const translate_usage[] = {"OLD.yaml", NULL};
static const cli_cmd translate_cmd = {
    .name = "translate",
    .usage = translate_usage,
    .summary = "Print a configuration of the Go suite as one of ours",
    .about =
        "Read a configuration of goProbe or global-query, or an endpoint table, and print what "
        "it is here.\n"
        "Keys that are left out or changed are named on standard error, with their lines. No "
        "agent is asked.\n"
        "\n"
        "Example:\n"
        "  gpctl config translate /etc/goprobe.yaml >/etc/fleetprobe/goprobe.yaml",
    .run = run_translate,
};
static const cli_cmd *const config_subs[] = {&translate_cmd, NULL};

#define AT(m) offsetof(gpctl_opts, m)

static const cli_opt opts[] = {
    {"file", 'f', CLI_STRING, AT(file), "FILE", NULL,
     "Capture the interfaces that this configuration file names instead. Holds until the agent "
     "reads its own file again.",
     "Flags", NULL, CLI_FILE},
    {"reload", 'r', CLI_BOOL, AT(reload), NULL, NULL,
     "Let the agent read its configuration file again and apply it.", NULL, NULL, 0},
    {"silent", 0, CLI_BOOL, AT(silent), NULL, NULL,
     "With --file or --reload: print nothing but what failed.", NULL, NULL, 0},
    {0},
};
static const char *const usage[] = {"[IFACE...]", "--file FILE | --reload", "translate OLD.yaml",
                                    NULL};

const cli_cmd gpctl_config = {
    .name = "config",
    .usage = usage,
    .summary = "Running settings of interfaces; change, reload or translate them",
    .about = "Show the settings of the interfaces that the agent captures, or change them: only "
             "interfaces can\nchange at run time. Other interfaces are neither stopped nor "
             "interrupted.\n"
             "\n"
             "Examples:\n"
             "  gpctl config eth0\n"
             "  gpctl config --reload\n"
             "  gpctl config --file /etc/fleetprobe/goprobe.yaml\n"
             "  gpctl config translate /etc/goprobe.yaml",
    .opts = opts,
    .subs = config_subs,
    .words_from = GPCTL_WORDS,
    .run = run,
};
