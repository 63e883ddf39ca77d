/* gpctl.h - the commands of gpctl and what they share. */
#ifndef GPCTL_H
#define GPCTL_H

#include "cli/args.h"
#include "gp/bytes.h"
#include "remote/remote.h"
#include "wire/control.h"

#define GPCTL_WORDS "interfaces --names --timeout 1s" /* interfaces, for shell completion */

/* Values of all options. Strings may come from the configuration file; then they belong to conf. */
typedef struct gpctl_opts {
    const char *config, *server, *key, *trust;
    int64_t timeout_ns;
    int json, version;
    int detailed;     /* status */
    int reload;       /* config */
    int silent;       /* config */
    const char *file; /* config */
    int names;        /* interfaces */
    uint64_t count;   /* top; 0 = until it is interrupted, or once where there is no terminal */
    int64_t every_ns; /* top */
} gpctl_opts;

extern const cli_cmd gpctl_root, gpctl_status, gpctl_config, gpctl_interfaces, gpctl_flush,
    gpctl_top;

/* ---- call.c: the agent, through the RPC ---- */

/* Fill in what flags did not say from --config (or ~/.gpctl.yaml) and the environment
 * (GPCTL_SERVER_ADDR, ...). *keep holds the strings: free with gpctl_settings_free(). */
typedef struct gpctl_settings gpctl_settings;
gp_status gpctl_settings_load(gpctl_opts *o, const cli_line *line, gpctl_settings **keep,
                              gp_err *err) GP_MUST_CHECK;
void gpctl_settings_free(gpctl_settings *s);

/* Call a method; an agent that cannot be reached or is busy is tried again after 1, 2 and 4 s
 * within --timeout. */
gp_status gpctl_call(const gpctl_opts *o, const char *method, const gp_buf *req, remote_msg_fn fn,
                     void *ctx, gp_err *err) GP_MUST_CHECK;
/* Status of the named interfaces (n 0: all). */
gp_status gpctl_get_status(const gpctl_opts *o, const char *const *ifaces, size_t n,
                           wire_status_reply *out, gp_err *err) GP_MUST_CHECK;

/* ---- out.c: messages, numbers, terminal ---- */

/* "gpctl: text" on stderr; returns 1, the exit code. */
int gpctl_fail(const char *fmt, ...) GP_PRINTF(1, 2);
/* 0, or 1 with a message if standard output could not be written. */
int gpctl_finish(int code);
int gpctl_color(void);                                     /* 1: standard output takes colours */
char *gpctl_seconds(int64_t ns, char *buf, size_t cap);    /* "26h14m9s"; buf >= 32 bytes */
char *gpctl_time(int64_t s, char *buf, size_t cap);        /* local, or "-" for 0 */
void gpctl_json_time(gp_buf *out, int64_t s, uint32_t ns); /* a JSON string, UTC */
/* Print b as one line and free it; exit code. */
int gpctl_print_json(gp_buf *b);

/* ---- box.c: tables with a frame ---- */

enum { GPCTL_BOX_COLS = 12 };

/* One thread. Failed appends are remembered and fail the printing. */
typedef struct gpctl_box gpctl_box;

/* align: a letter per column, 'L' or 'R'. NULL when out of memory. */
gpctl_box *gpctl_box_new(const char *title, const char *align);
void gpctl_box_free(gpctl_box *b);
/* A line of headings, one per column (copied). */
void gpctl_box_head(gpctl_box *b, const char *const *cells);
/* In the line of headings just added: `cell` stands over n columns from `first` on. */
void gpctl_box_span(gpctl_box *b, size_t first, size_t n, const char *cell);
/* A row (copied); alarm: bit i = show column i in red on a terminal. */
void gpctl_box_row(gpctl_box *b, const char *const *cells, unsigned alarm);
gp_status gpctl_box_print(const gpctl_box *b, FILE *out, int color, gp_err *err) GP_MUST_CHECK;

#endif
