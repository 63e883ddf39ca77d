/* syslog.c - flows to /var/run/goprobe.sock in the reference's format; never holds the writer up.
 */
#include "syslog.h"

#include "gp/addr.h"
#include "gp/bytes.h"
#include "gp/clock.h"
#include "gp/ipproto.h"
#include "gp/mem.h"
#include "rt/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    PRIORITY = 6,     /* facility kernel, severity info */
    BUDGET_MS = 1000, /* per block */
    BACK_OFF_MS = 60000,
    CHUNK = 64 * 1024, /* bytes formatted before they are sent */
};

struct agent_syslog {
    struct sockaddr_un addr;
    int fd; /* -1 = not connected */
    int64_t not_before_ms;
    gp_buf buf;
};

gp_status agent_syslog_new(const char *socket_path, agent_syslog **out, gp_err *err)
{
    agent_syslog *s = gp_calloc(1, sizeof *s);

    if (!s)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    s->fd = -1;
    s->addr.sun_family = AF_UNIX;
    if (strlen(socket_path) >= sizeof s->addr.sun_path) {
        gp_free(s);
        return gp_fail(err, GP_EINVAL, 0, "%s: socket path too long", socket_path);
    }
    memcpy(s->addr.sun_path, socket_path, strlen(socket_path) + 1);
    *out = s;
    return GP_OK;
}

static void disconnect(agent_syslog *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

void agent_syslog_free(agent_syslog *s)
{
    if (!s)
        return;
    disconnect(s);
    gp_buf_free(&s->buf);
    gp_free(s);
}

static int reach(agent_syslog *s)
{
    if (s->fd >= 0)
        return 1;
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd >= 0 && connect(s->fd, (struct sockaddr *)&s->addr, sizeof s->addr) == 0)
        return 1;
    disconnect(s);
    return 0;
}

/* Send everything in the buffer until the deadline; 0 when that did not work. */
static int send_all(agent_syslog *s, int64_t deadline_ms)
{
    size_t at = 0;

    while (at < s->buf.len) {
        ssize_t n = send(s->fd, s->buf.data + at, s->buf.len - at, MSG_NOSIGNAL);
        if (n > 0) {
            at += (size_t)n;
            continue;
        }
        int64_t left = deadline_ms - gp_mono_ms();
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK) || left <= 0)
            return 0;
        struct pollfd p = {.fd = s->fd, .events = POLLOUT};
        (void)poll(&p, 1, (int)left);
    }
    gp_buf_clear(&s->buf);
    return 1;
}

/* "<6>Nov 23 14:05:00 ntm[123]: time,iface,sip,dip,dport,proto,bytes: ...; packets: ..." */
static void format(gp_buf *b, const char *stamp, const char *iface, int64_t time_s,
                   const godb_rows *r, uint32_t i)
{
    gp_addr sip = {.family = i < r->n_v4 ? 4 : 6}, dip = sip;
    char s[GP_ADDR_STRLEN], d[GP_ADDR_STRLEN], proto[24];
    size_t size = i < r->n_v4 ? 4 : 16;
    size_t off = i < r->n_v4 ? i * 4 : (size_t)r->n_v4 * 4 + (size_t)(i - r->n_v4) * 16;

    memcpy(sip.bytes, r->sip + off, size);
    memcpy(dip.bytes, r->dip + off, size);
    (void)gp_addr_format(&sip, s, sizeof s);
    (void)gp_addr_format(&dip, d, sizeof d);
    gp_buf_printf(b, "<%d>%s ntm[%d]: %" PRId64 ",%s,%s,%s,%u,%s,", PRIORITY, stamp, (int)getpid(),
                  time_s, iface, s, d, gp_be16(r->dport + 2 * i),
                  gp_ipproto_format(r->proto[i], proto, sizeof proto));
    gp_buf_printf(b,
                  "bytes: received=%" PRIu64 " sent=%" PRIu64 "; packets: received=%" PRIu64
                  " sent=%" PRIu64 "\n",
                  r->counter[0][i], r->counter[1][i], r->counter[2][i], r->counter[3][i]);
}

void agent_syslog_rows(agent_syslog *s, const char *iface, int64_t time_s, const godb_rows *rows)
{
    uint32_t n = rows->n_v4 + rows->n_v6, done = 0;
    int64_t now = gp_mono_ms();
    char stamp[32];
    struct tm tm;
    time_t t = time(NULL);

    if (n == 0 || now < s->not_before_ms)
        return;
    if (!localtime_r(&t, &tm) || strftime(stamp, sizeof stamp, "%b %e %H:%M:%S", &tm) == 0)
        return;
    int ok = reach(s);
    while (ok && done < n) {
        uint32_t i = done;
        while (i < n && s->buf.len < CHUNK)
            format(&s->buf, stamp, iface, time_s, rows, i++);
        ok = !s->buf.failed && send_all(s, now + BUDGET_MS);
        if (ok)
            done = i;
    }
    if (ok)
        return;
    disconnect(s);
    gp_buf_clear(&s->buf);
    s->not_before_ms = gp_mono_ms() + BACK_OFF_MS;
    rt_error("flows not sent to syslog; trying again in a minute", RT_S("iface", iface),
             RT_S("socket", s->addr.sun_path), RT_U("flows", n - done));
}
