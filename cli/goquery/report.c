/* report.c - error messages on standard error in the reference's shape. */
#include "report.h"

#include "interrupt.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static const char lead[] = "Error running query: ";

int goquery_fail(const char *fmt, ...)
{
    va_list ap;
    fputs(lead, stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return GOQUERY_FAILED;
}

static int fail_text(gp_buf *b)
{
    const char *text = gp_buf_str(b);
    fprintf(stderr, "%s%s", lead, text ? text : "out of memory\n");
    gp_buf_free(b);
    return GOQUERY_FAILED;
}

int goquery_fail_problems(const query_problems *p)
{
    gp_buf b = {0};
    query_problems_format(p, &b);
    if (isatty(
            STDERR_FILENO)) /* for people; scripts find the shape of the errors and nothing else */
        query_problems_hints(p, &b);
    return fail_text(&b);
}

int goquery_fail_stmt(const query_stmt *s, const char *text)
{
    gp_buf b = {0};
    query_error_dump(s, text, &b);
    return fail_text(&b);
}

int goquery_finish(int code)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    if (errno == EPIPE)
        goquery_pipe_closed();
    if (code) /* that was said already */
        return code;
    gp_err err;
    (void)gp_fail(&err, GP_EIO, errno ? errno : EIO, "cannot write to standard output");
    return goquery_fail("%s", err.msg);
}
