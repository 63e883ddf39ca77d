/* log.c - log lines: one write() each, so that lines of threads and processes never mix. */
#include "rt/log.h"

#include "gp/bytes.h"
#include "gp/clock.h"
#include "gp/mem.h"
#include "gp/num.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 8192 };

static const char *const level_names[RT_N_LEVELS] = {"debug", "info", "warn", "error", "fatal"};
static const char level_priority[RT_N_LEVELS] = {'7', '6', '4', '3', '2'}; /* syslog(3) */

/* Where lines go: a descriptor, syslog(3), or the journal's socket (systemd.journal-fields(7)). */
typedef enum target { TO_FD, TO_SYSLOG, TO_JOURNAL } target;

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

/* The process-wide log; `lock` protects all but level. */
static struct {
    pthread_mutex_t lock;
    atomic_int level;
    rt_encoding encoding;
    target target;
    int fd, own_fd, priorities; /* fd: TO_JOURNAL: a socket of ours */
    char *path;                 /* of a file or of the journal's socket */
    const char *version;
} the_log = {.lock = PTHREAD_MUTEX_INITIALIZER, .level = RT_INFO, .fd = STDERR_FILENO};

int rt_level_by_name(const char *name)
{
    for (int i = 0; i < RT_N_LEVELS; i++) {
        if (strcasecmp(name, level_names[i]) == 0)
            return i;
    }
    if (strcasecmp(name, "warning") == 0)
        return RT_WARN;
    return strcasecmp(name, "panic") == 0 ? RT_FATAL : -1;
}

int rt_encoding_by_name(const char *name)
{
    static const char *const names[] = {"logfmt", "json", "plain"};
    for (int i = 0; i < 3; i++) {
        if (strcasecmp(name, names[i]) == 0)
            return i;
    }
    return -1;
}

/* journald sets JOURNAL_STREAM to "DEVICE:INODE" of the stream it gave us (systemd.exec(5)). */
static int stderr_is_journal(void)
{
    const char *s = getenv("JOURNAL_STREAM");
    struct stat sb;
    char want[64];
    if (!s || fstat(STDERR_FILENO, &sb) != 0)
        return 0;
    snprintf(want, sizeof want, "%ju:%ju", (uintmax_t)sb.st_dev, (uintmax_t)sb.st_ino);
    return strcmp(s, want) == 0;
}

static int to_journal(int fd, const char *path, const void *data, size_t len)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof sa.sun_path) {
        errno = ENAMETOOLONG;
        return 0;
    }
    memcpy(sa.sun_path, path, strlen(path));
    return sendto(fd, data, len, MSG_NOSIGNAL, (const struct sockaddr *)&sa, sizeof sa) >= 0;
}

static gp_status open_journal(const char *path, int *fd, char **keep, gp_err *err)
{
    *fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (*fd < 0 || !to_journal(*fd, path, "", 0)) {
        int why = errno;
        if (*fd >= 0)
            close(*fd);
        return gp_fail(err, GP_EIO, why, "logging.destination: journal at %s", path);
    }
    *keep = gp_strdup(path);
    if (!*keep) {
        close(*fd);
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    }
    return GP_OK;
}

static gp_status open_destination(const char *dest, int *fd, int *own, char **path, gp_err *err)
{
    if (!dest || !*dest || strcasecmp(dest, "stderr") == 0) {
        *fd = STDERR_FILENO;
        return GP_OK;
    }
    if (strcasecmp(dest, "stdout") == 0) {
        *fd = STDOUT_FILENO;
        return GP_OK;
    }
    if (strcasecmp(dest, "devnull") == 0)
        return GP_OK;
    *fd = open(dest, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
    if (*fd < 0)
        return gp_fail(err, GP_EIO, errno, "logging.destination: %s", dest);
    *path = gp_strdup(dest);
    if (!*path) {
        close(*fd);
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    }
    *own = 1;
    return GP_OK;
}

gp_status rt_log_init(const rt_log_opts *o, gp_err *err)
{
    int fd = -1, own = 0;
    char *path = NULL;
    target t = TO_FD;
    if (o->destination && strcasecmp(o->destination, "syslog") == 0) {
        t = TO_SYSLOG;
        openlog(program_invocation_short_name, LOG_PID, LOG_DAEMON);
    } else if (o->destination && strcasecmp(o->destination, "journal") == 0) {
        t = TO_JOURNAL;
        own = 1;
        GP_TRY(open_journal(o->journal ? o->journal : JOURNAL_SOCKET, &fd, &path, err));
    } else {
        GP_TRY(open_destination(o->destination, &fd, &own, &path, err));
    }
    pthread_mutex_lock(&the_log.lock);
    if (the_log.own_fd)
        close(the_log.fd);
    gp_free(the_log.path);
    the_log.fd = fd;
    the_log.own_fd = own;
    the_log.path = path;
    the_log.target = t;
    the_log.encoding = o->encoding;
    the_log.version = o->version;
    the_log.priorities = o->priorities < 0 ? fd == STDERR_FILENO && stderr_is_journal()
                                           : o->priorities && t == TO_FD;
    pthread_mutex_unlock(&the_log.lock);
    atomic_store(&the_log.level, (int)o->level);
    return GP_OK;
}

gp_status rt_log_reopen(gp_err *err)
{
    gp_status st = GP_OK;
    pthread_mutex_lock(&the_log.lock);
    if (the_log.own_fd && the_log.target == TO_FD) {
        int fd = open(the_log.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
        if (fd < 0) {
            st = gp_fail(err, GP_EIO, errno, "%s", the_log.path);
        } else {
            close(the_log.fd);
            the_log.fd = fd;
        }
    }
    pthread_mutex_unlock(&the_log.lock);
    return st;
}

void rt_log_set_level(rt_level l)
{
    atomic_store(&the_log.level, (int)l);
}

int rt_log_enabled(rt_level l)
{
    return (int)l >= atomic_load_explicit(&the_log.level, memory_order_relaxed);
}

int rt_limit_pass(rt_limit *l, int64_t interval_ms, uint64_t *suppressed)
{
    int_fast64_t now = gp_mono_ms(), next = atomic_load(&l->next_ms);
    /* one thread of those that race here wins the slot; the others count as suppressed */
    if (now < next || !atomic_compare_exchange_strong(&l->next_ms, &next, now + interval_ms)) {
        atomic_fetch_add(&l->suppressed, 1);
        return 0;
    }
    *suppressed = (uint64_t)atomic_exchange(&l->suppressed, 0);
    return 1;
}

/* ---- encoding ---- */

static void add_time(gp_buf *b)
{
    struct tm tm;
    int64_t ns = gp_wall_ns();
    time_t s = (time_t)(ns / 1000000000);
    char t[40], zone[8];
    localtime_r(&s, &tm);
    strftime(t, sizeof t, "%Y-%m-%dT%H:%M:%S", &tm);
    strftime(zone, sizeof zone, "%z", &tm); /* +hhmm */
    gp_buf_printf(b, "%s.%03d", t, (int)(ns / 1000000 % 1000));
    if (tm.tm_gmtoff == 0)
        gp_buf_addc(b, 'Z');
    else
        gp_buf_printf(b, "%.3s:%.2s", zone, zone + 3);
}

static void add_escaped(gp_buf *b, const char *s)
{
    for (; *s; s++) {
        unsigned char ch = (unsigned char)*s;
        if (ch == '"' || ch == '\\')
            gp_buf_printf(b, "\\%c", ch);
        else if (ch == '\n')
            gp_buf_adds(b, "\\n");
        else if (ch == '\t')
            gp_buf_adds(b, "\\t");
        else if (ch < 0x20 || ch == 0x7f)
            gp_buf_printf(b, "\\u%04x", ch);
        else
            gp_buf_addc(b, (char)ch);
    }
}

static void add_quoted(gp_buf *b, const char *s)
{
    gp_buf_addc(b, '"');
    add_escaped(b, s);
    gp_buf_addc(b, '"');
}

static int needs_quotes(const char *s)
{
    if (!*s)
        return 1;
    for (; *s; s++) {
        unsigned char ch = (unsigned char)*s;
        if (ch <= ' ' || ch == '"' || ch == '=' || ch == '\\' || ch == 0x7f)
            return 1;
    }
    return 0;
}

static void add_value(gp_buf *b, const rt_field *f, int json)
{
    char t[32];
    const char *s = f->v.s ? f->v.s : "";
    switch (f->type) {
    case RT_F_STR:
        if (json || needs_quotes(s))
            add_quoted(b, s);
        else
            gp_buf_adds(b, s);
        break;
    case RT_F_I64:
        gp_buf_printf(b, "%" PRId64, f->v.i);
        break;
    case RT_F_U64:
        gp_buf_printf(b, "%" PRIu64, f->v.u);
        break;
    case RT_F_F64:
        gp_buf_printf(b, isfinite(f->v.f) ? "%.6g" : json ? "null" : "%f", f->v.f);
        break;
    case RT_F_DUR:
        gp_num_duration_str(f->v.i, t, sizeof t);
        gp_buf_printf(b, json ? "\"%s\"" : "%s", t);
        break;
    case RT_F_BOOL:
        gp_buf_adds(b, f->v.i ? "true" : "false");
        break;
    }
}

/* Without time for those that write their own. */
static void add_line(gp_buf *b, rt_level l, const char *msg, const rt_field *fields)
{
    int json = the_log.encoding == RT_JSON, timed = the_log.target == TO_FD;
    if (json) {
        gp_buf_adds(b, timed ? "{\"ts\":\"" : "{");
        if (timed)
            add_time(b);
        gp_buf_printf(b, "%s\"level\":\"%s\",\"msg\":", timed ? "\"," : "", level_names[l]);
        add_quoted(b, msg);
    } else if (the_log.encoding == RT_LOGFMT) {
        gp_buf_adds(b, timed ? "ts=" : "");
        if (timed)
            add_time(b);
        gp_buf_printf(b, "%slevel=%s msg=", timed ? " " : "", level_names[l]);
        add_quoted(b, msg);
    } else {
        gp_buf_addc(b, (char)toupper((unsigned char)*msg));
        if (*msg)
            add_escaped(b, msg + 1);
    }
    if (the_log.version && the_log.encoding != RT_PLAIN)
        gp_buf_printf(b, json ? ",\"version\":\"%s\"" : " version=%s", the_log.version);
    for (const rt_field *f = fields; f && f->key; f++) {
        gp_buf_printf(b, json ? ",\"%s\":" : " %s=", f->key);
        add_value(b, f, json);
    }
    gp_buf_adds(b, json ? "}\n" : "\n");
}

/* Nowhere to say it when this fails. */
static void write_all(const gp_buf *b)
{
    for (size_t done = 0; done < b->len;) {
        ssize_t n = write(the_log.fd, b->data + done, b->len - done);
        if (n < 0 && errno != EINTR)
            return;
        done += n > 0 ? (size_t)n : 0;
    }
}

void rt_log_write(rt_level l, const char *msg, const rt_field *fields)
{
    gp_buf b = {.limit = LINE_MAX_BYTES};
    int saved = errno;
    pthread_mutex_lock(&the_log.lock);
    if (the_log.fd >= 0 || the_log.target == TO_SYSLOG) {
        if (the_log.target == TO_JOURNAL)
            gp_buf_printf(&b, "PRIORITY=%c\nSYSLOG_IDENTIFIER=%s\nMESSAGE=", level_priority[l],
                          program_invocation_short_name);
        else if (the_log.priorities)
            gp_buf_printf(&b, "<%c>", level_priority[l]);
        add_line(&b, l, msg, fields);
        if (b.failed && b.len) /* a line over the limit: cut it, keep it one line */
            b.data[b.len - 1] = '\n';
        if (b.len && the_log.target == TO_SYSLOG)
            syslog(level_priority[l] - '0', "%.*s", (int)b.len - 1, (const char *)b.data);
        else if (the_log.target == TO_JOURNAL)
            (void)to_journal(the_log.fd, the_log.path, b.data, b.len);
        else
            write_all(&b);
    }
    pthread_mutex_unlock(&the_log.lock);
    gp_buf_free(&b);
    errno = saved;
}
