/* err.h - status codes and the optional error text that every room returns. */
#ifndef GP_ERR_H
#define GP_ERR_H

#define GP_MUST_CHECK       __attribute__((warn_unused_result))
#define GP_PRINTF(fmt, arg) __attribute__((format(printf, fmt, arg)))
#define GP_CLEANUP(fn)      __attribute__((cleanup(fn)))
#define GP_COUNT(a)         (sizeof(a) / sizeof((a)[0]))

typedef enum gp_status {
    GP_OK = 0,
    GP_EINVAL,       /* argument or configuration is wrong; the text says what was expected */
    GP_ENOMEM,       /* allocation failed */
    GP_EIO,          /* system call failed; gp_err.sys holds errno */
    GP_ECORRUPT,     /* bytes from disk or the network are not what the format says */
    GP_ENOTFOUND,    /* the named thing does not exist */
    GP_EEXIST,       /* the named thing exists already, or another writer holds it */
    GP_ELIMIT,       /* a stated limit (memory budget, size, count, rate) was reached */
    GP_ECANCELLED,   /* the caller or user cancelled */
    GP_EDEADLINE,    /* the deadline passed */
    GP_EDENIED,      /* identity, signature, role or scope does not allow it */
    GP_EUNAVAILABLE, /* the peer cannot be reached or is shutting down; trying again may help */
    GP_EUNSUPPORTED, /* valid, but this build or version does not do it */
} gp_status;

/* Where a failure is explained. Callers put it on the stack; NULL means "don't care". */
typedef struct gp_err {
    gp_status code;
    int sys;       /* errno at the point of failure, or 0 */
    char msg[256]; /* one line, no newline, for a person */
} gp_err;

/* Fill *err (if not NULL) and return code, so that failing is one line:
 *     return gp_fail(err, GP_ECORRUPT, 0, "%s: bad magic", path);
 * sys: errno, or 0. When not 0, ": <strerror>" is appended to the text. Control characters
 * become blanks, a text that is too long is cut. An argument may be err->msg itself.
 */
gp_status gp_fail(gp_err *err, gp_status code, int sys, const char *fmt, ...) GP_PRINTF(4, 5);

/* Put "<text>: " in front of err->msg (which keeps its end if the whole gets too long) and set
 * err->code; returns code. When *err was never filled, the name of the status stands for the
 * missing text. err may be NULL. */
gp_status gp_fail_context(gp_err *err, gp_status code, const char *fmt, ...) GP_PRINTF(3, 4);

/* 1 when err tells of memory or descriptors that this process lacks: nothing is known then about
 * the data that could not be read, so it must not be left out as damaged. */
int gp_err_shortage(const gp_err *err);

/* The path analysis of clang-tidy sees one file at a time: tell it that the code given comes back.
 */
#ifdef __clang_analyzer__
static inline gp_status gp_fail_gives_(gp_status returned, gp_status code)
{
    (void)returned;
    return code;
}
#define gp_fail(err, code, ...) gp_fail_gives_(gp_fail(err, code, __VA_ARGS__), code)
#define gp_fail_context(err, code, ...)                                                            \
    gp_fail_gives_(gp_fail_context(err, code, __VA_ARGS__), code)
#endif

/* Short lower-case name of a status ("ok", "not found", ...); static storage. */
const char *gp_status_name(gp_status st);

/* Return early with the same status when expr fails. For functions with nothing to undo. */
#define GP_TRY(expr)                                                                               \
    do {                                                                                           \
        gp_status gp_try_st_ = (expr);                                                             \
        if (gp_try_st_ != GP_OK)                                                                   \
            return gp_try_st_;                                                                     \
    } while (0)

#endif
