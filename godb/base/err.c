/* err.c - see gp/err.h. */
#include "gp/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#undef gp_fail /* what the path analysis is told */
#undef gp_fail_context

/* Length to keep when a text is cut at max bytes: never in the middle of a UTF-8 character. */
static size_t cut_utf8(const char *s, size_t len, size_t max)
{
    if (len <= max)
        return len;
    while (max > 0 && ((unsigned char)s[max] & 0xC0) == 0x80)
        max--;
    return max;
}

/* One line for a terminal or a log: foreign text in a message must not inject control characters.
 */
static void keep_printable(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7F)
            *s = ' ';
}

/* head, tail and NUL into err->msg; the head is cut so that the tail (the cause) stays readable. */
static void join(gp_err *err, const char *head, size_t head_len, const char *tail)
{
    size_t tail_len = strlen(tail);

    tail_len = cut_utf8(tail, tail_len, sizeof err->msg - 1 - 64);
    head_len = cut_utf8(head, head_len, sizeof err->msg - 1 - tail_len);
    memmove(err->msg + head_len, tail, tail_len); /* tail may be err->msg itself */
    memcpy(err->msg, head, head_len);
    err->msg[head_len + tail_len] = '\0';
    keep_printable(err->msg);
}

/* What vsnprintf() wrote into a buffer of cap bytes. */
static size_t written(int n, size_t cap)
{
    if (n < 0)
        return 0;
    return (size_t)n < cap ? (size_t)n : cap - 1;
}

gp_status gp_fail(gp_err *err, gp_status code, int sys, const char *fmt, ...)
{
    if (err) {
        char text[sizeof err->msg + 8]; /* local: an argument may be err->msg */
        char tail[96] = "";
        va_list ap;

        va_start(ap, fmt);
        int n = vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        if (sys != 0) {
            const char *why = strerrordesc_np(sys); /* static and thread-safe, unlike strerror */
            if (why)
                (void)snprintf(tail, sizeof tail, ": %s", why);
            else
                (void)snprintf(tail, sizeof tail, ": error %d", sys);
        }
        err->code = code;
        err->sys = sys;
        join(err, text, written(n, sizeof text), tail);
    }
    return code;
}

gp_status gp_fail_context(gp_err *err, gp_status code, const char *fmt, ...)
{
    if (err) {
        char text[sizeof err->msg + 8];
        va_list ap;

        if (err->code == GP_OK) { /* the callee did not explain itself */
            err->sys = 0;
            (void)snprintf(err->msg, sizeof err->msg, "%s", gp_status_name(code));
        }
        va_start(ap, fmt);
        size_t len = written(vsnprintf(text, sizeof text - 2, fmt, ap), sizeof text - 2);
        va_end(ap);
        memcpy(text + len, ": ", 2);
        err->code = code;
        join(err, text, len + 2, err->msg);
    }
    return code;
}

const char *gp_status_name(gp_status st)
{
    switch (st) {
    case GP_OK:
        return "ok";
    case GP_EINVAL:
        return "invalid argument";
    case GP_ENOMEM:
        return "out of memory";
    case GP_EIO:
        return "input/output error";
    case GP_ECORRUPT:
        return "corrupt data";
    case GP_ENOTFOUND:
        return "not found";
    case GP_EEXIST:
        return "exists already";
    case GP_ELIMIT:
        return "limit reached";
    case GP_ECANCELLED:
        return "cancelled";
    case GP_EDEADLINE:
        return "deadline exceeded";
    case GP_EDENIED:
        return "permission denied";
    case GP_EUNAVAILABLE:
        return "unavailable";
    case GP_EUNSUPPORTED:
        return "not supported";
    }
    return "unknown status"; /* a value from a newer peer */
}

int gp_err_shortage(const gp_err *err)
{
    return err->code == GP_ENOMEM || err->sys == EMFILE || err->sys == ENFILE || err->sys == ENOMEM;
}
