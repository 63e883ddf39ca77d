/* out.c - messages, times and the end of output, for all commands. */
#include "gpctl.h"

#include "gp/num.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NS INT64_C(1000000000)

int gpctl_fail(const char *fmt, ...)
{
    va_list ap;
    fputs("gpctl: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return 1;
}

int gpctl_finish(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    return errno == EPIPE ? 1 : gpctl_fail("cannot write the output: %s", strerror(errno));
}

int gpctl_color(void)
{
    const char *term = getenv("TERM"), *no = getenv("NO_COLOR");
    return isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb") != 0 && !(no && *no);
}

char *gpctl_seconds(int64_t ns, char *buf, size_t cap)
{
    int64_t s = ns > 0 ? (ns + NS / 2) / NS : 0;
    return gp_num_duration_str(s * NS, buf, cap);
}

char *gpctl_time(int64_t s, char *buf, size_t cap)
{
    struct tm tm;
    time_t t = (time_t)s;
    if (s == 0 || !localtime_r(&t, &tm) || !strftime(buf, cap, "%Y-%m-%d %H:%M:%S", &tm))
        (void)snprintf(buf, cap, "-");
    return buf;
}

void gpctl_json_time(gp_buf *out, int64_t s, uint32_t ns)
{
    struct tm tm;
    time_t t = (time_t)s;
    char text[48], frac[16];

    if (s == 0 && ns == 0) { /* the reference's zero time */
        gp_buf_adds(out, "\"0001-01-01T00:00:00Z\"");
        return;
    }
    if (!gmtime_r(&t, &tm) || !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm)) {
        gp_buf_adds(out, "null");
        return;
    }
    (void)snprintf(frac, sizeof frac, ".%09u", (unsigned)(ns % 1000000000u));
    for (size_t n = strlen(frac); n && (frac[n - 1] == '0' || frac[n - 1] == '.'); n--) {
        int dot = frac[n - 1] == '.';
        frac[n - 1] = '\0';
        if (dot)
            break;
    }
    gp_buf_printf(out, "\"%s%sZ\"", text, frac);
}

int gpctl_print_json(gp_buf *b)
{
    gp_buf_addc(b, '\n');
    const char *s = gp_buf_str(b);
    int code = s ? 0 : gpctl_fail("out of memory");
    if (s)
        fputs(s, stdout);
    gp_buf_free(b);
    return code;
}
