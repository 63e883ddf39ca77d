/* out.c - messages and JSON of all commands. */
#include "gpdb.h"

#include "result/print.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* "gpdb import: ", or with an alias its name. */
static void put_name(const cli_line *line)
{
    if (!line->root)
        fputs("gpdb: ", stderr);
    else if (!line->cmd || line->cmd == line->root)
        fprintf(stderr, "%s: ", line->root->name);
    else
        fprintf(stderr, "%s %s: ", line->root->name, line->cmd->name);
}

static void put_line(const cli_line *line, const char *fmt, va_list ap) GP_PRINTF(2, 0);
static void put_line(const cli_line *line, const char *fmt, va_list ap)
{
    (void)fflush(stdout); /* in order, when both are one terminal */
    put_name(line);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
}

/* If the reader of standard output is gone it has seen enough: end as the signal would have ended
 * us. The write that met it may be long ago, so errno is of no use. */
static void end_if_closed(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
    struct sigaction dfl = {.sa_handler = SIG_DFL};

    if (!ferror(stdout) || poll(&p, 1, 0) != 1 || !(p.revents & POLLERR))
        return;
    (void)sigaction(SIGPIPE, &dfl, NULL);
    (void)raise(SIGPIPE);
}

int gpdb_fail(const cli_line *line, const char *fmt, ...)
{
    va_list ap;

    end_if_closed();
    va_start(ap, fmt);
    put_line(line, fmt, ap);
    va_end(ap);
    return GPDB_FAILED;
}

int gpdb_usage(const cli_line *line, const char *fmt, ...)
{
    const char *root = line->root ? line->root->name : "gpdb";
    const char *cmd = line->cmd && line->cmd != line->root ? line->cmd->name : NULL;
    va_list ap;

    va_start(ap, fmt);
    put_line(line, fmt, ap);
    va_end(ap);
    fprintf(stderr, "See: %s %s%s--help\n", root, cmd ? cmd : "", cmd ? " " : "");
    return GPDB_USAGE;
}

void gpdb_warn(const gpdb_opts *o, const cli_line *line, const char *fmt, ...)
{
    va_list ap;

    if (o->quiet)
        return;
    va_start(ap, fmt);
    put_line(line, fmt, ap);
    va_end(ap);
}

char *gpdb_size(uint64_t bytes, char *buf, size_t cap)
{
    (void)result_fmt_size_small(bytes, buf, cap);
    size_t len = strlen(buf);
    if (bytes <= 1024) /* as in queries: a bare number */
        (void)snprintf(buf + len, cap - len, " B");
    return buf;
}

const char *gpdb_s(uint64_t n)
{
    return n == 1 ? "" : "s";
}

int gpdb_finish(const cli_line *line, int code)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    int sys = errno;
    end_if_closed();
    if (code == GPDB_FAILED)
        return code; /* the command has said why */
    return gpdb_fail(line, "writing to standard output failed: %s",
                     sys ? strerror(sys) : "not everything was written");
}

void gpdb_json_uint(query_json_object *j, const char *key, uint64_t v)
{
    query_json_key(j, key);
    gp_buf_printf(j->out, "%llu", (unsigned long long)v);
}

void gpdb_json_seconds(query_json_object *j, const char *key, int64_t ns)
{
    query_json_key(j, key);
    gp_buf_printf(j->out, "%.3f", (double)ns / 1e9);
}

void gpdb_json_bool(query_json_object *j, const char *key, int v)
{
    query_json_key(j, key);
    gp_buf_adds(j->out, v ? "true" : "false");
}

int gpdb_json_print(gp_buf *b, FILE *out)
{
    gp_buf_addc(b, '\n');
    const char *s = gp_buf_str(b);
    if (s)
        fputs(s, out);
    gp_buf_clear(b);
    return s != NULL;
}
