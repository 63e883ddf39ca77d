/* audit.c - writing audit logs: each line goes out with one write(), a thread brings lines to disk
 * and signs checkpoints.
 *
 * Two locks: `lock` for the chain and every write, `fd_lock` around fdatasync(), which is slow and
 * must not hold up queries. Who exchanges the file takes both, fd_lock first. */
#include "auth/audit.h"

#include "audit_line.h"
#include "gp/cond.h"
#include "gp/io.h"
#include "gp/mem.h"
#include "gp/num.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    TAIL_MAX = 2 * AUTH_AUDIT_LINE_MAX, /* bytes that hold the last complete line for sure */
    CHECKPOINT_MS = 60000,
    SYNC_MS = 1000,
    TAIL_ROOM = 256,  /* for lost, hash and newline */
    SHORT_TEXT = 256, /* bytes of a text when all are too long together */
    REFUSALS = 100    /* a second; more only count, so that a flood does not push history out */
};

struct auth_audit {
    auth_audit_opts o;
    char *path, *head_path;
    pthread_t thread;
    int has_thread;
    pthread_mutex_t fd_lock; /* see above */
    pthread_mutex_t lock;    /* protects everything below */
    pthread_cond_t wake;
    int fd, stopping;
    int dirty;           /* lines that were not synced */
    uint64_t size;       /* bytes of the file */
    uint64_t seq;        /* of the last line */
    uint64_t lost;       /* lines that could not be written since */
    uint64_t not_signed; /* lines since the last checkpoint */
    const char *due;     /* why an "open" line must come before the next one; NULL = it is there */
    uint64_t torn, missing; /* what that line says; see find_end(), heed_head() */
    int64_t signed_ms;      /* when that was */
    int64_t second;         /* of the monotonic clock, in which so many refusals were written */
    unsigned refusals;
    uint8_t hash[AUTH_HASH];
    gp_buf head; /* the last checkpoint, to be written to head_path after the next sync */
};

/* ---- one line ---- */

static void add_time(gp_buf *b)
{
    int64_t ns = gp_wall_ns();
    time_t s = (time_t)(ns / 1000000000);
    char t[32];
    struct tm tm;
    gmtime_r(&s, &tm);
    strftime(t, sizeof t, "%Y-%m-%dT%H:%M:%S", &tm);
    gp_buf_printf(b, "%s.%03dZ", t, (int)(ns / 1000000 % 1000));
}

/* The last characters of a text that is cut must not be half a UTF-8 sequence. */
static size_t cut(const char *s, size_t max)
{
    size_t n = strnlen(s, max + 1);
    if (n <= max)
        return n;
    n = max;
    while (n && ((unsigned char)s[n] & 0xc0) == 0x80)
        n--;
    return n;
}

/* A JSON string. Bytes above 0x7f go as they are: names are UTF-8. */
static void add_text(gp_buf *b, const char *s, size_t max)
{
    size_t n = cut(s, max);
    gp_buf_addc(b, '"');
    for (size_t i = 0; i < n; i++) {
        unsigned char ch = (unsigned char)s[i];
        if (ch == '"' || ch == '\\')
            gp_buf_printf(b, "\\%c", ch);
        else if (ch < 0x20 || ch == 0x7f)
            gp_buf_printf(b, "\\u%04x", ch);
        else
            gp_buf_addc(b, (char)ch);
    }
    gp_buf_adds(b, s[n] ? "...\"" : "\"");
}

static void add_hex(gp_buf *b, const char *key, const uint8_t *bytes, size_t n)
{
    char hex[2 * AUTH_SIG + 1];
    gp_hex(bytes, n, hex);
    gp_buf_printf(b, ",\"%s\":\"%s\"", key, hex);
}

static void begin_line(const auth_audit *a, gp_buf *b, const char *event)
{
    gp_buf_printf(b, "{\"seq\":%" PRIu64 ",\"time\":\"", a->seq + 1);
    add_time(b);
    gp_buf_printf(b, "\",\"event\":\"%s\"", event);
}

static void add_fields(gp_buf *b, const auth_audit_field *f, size_t max_text)
{
    for (; f && f->key; f++) {
        gp_buf_printf(b, ",\"%s\":", f->key);
        if (f->text)
            add_text(b, f->text, max_text);
        else
            gp_buf_printf(b, "%" PRId64, f->number);
    }
}

/* All of it or nothing: half a line would break the chain. Lock held. */
static gp_status write_line(auth_audit *a, const gp_buf *b, gp_err *err)
{
    if (b->failed)
        return gp_fail(err, GP_ENOMEM, 0, "audit log: out of memory");
    gp_status st = gp_write_full(a->fd, b->data, b->len, err);
    if (st == GP_OK) {
        a->size += b->len;
        return GP_OK;
    }
    if (ftruncate(a->fd, (off_t)a->size) != 0)
        a->lost++; /* the half line stays; its successor will not fit, which is what happened */
    return gp_fail_context(err, st, "audit log %s", a->path);
}

/* Hash and write a begun line. Lock held. */
static gp_status end_line(auth_audit *a, gp_buf *b, gp_err *err)
{
    uint8_t hash[AUTH_HASH];
    if (a->lost)
        gp_buf_printf(b, ",\"lost\":%" PRIu64, a->lost);
    if (!b->failed)
        auth_audit_hash(a->hash, b->data, b->len, hash);
    add_hex(b, "hash", hash, b->failed ? 0 : sizeof hash);
    gp_buf_adds(b, "}\n");
    GP_TRY(write_line(a, b, err));
    memcpy(a->hash, hash, sizeof hash);
    a->seq++;
    a->lost = 0;
    a->not_signed++;
    a->dirty = 1;
    return GP_OK;
}

/* Lock held. */
static gp_status put_checkpoint(auth_audit *a, gp_err *err)
{
    uint8_t bytes[AUTH_AUDIT_SIGNED], sig[AUTH_SIG];
    gp_buf b = {.limit = AUTH_AUDIT_LINE_MAX};
    begin_line(a, &b, "checkpoint");
    add_hex(&b, "prev", a->hash, AUTH_HASH);
    auth_audit_signed(a->seq + 1, a->hash, bytes);
    auth_sign(a->o.identity, AUTH_AUDIT_SIGN, bytes, sizeof bytes, sig);
    add_hex(&b, "key", auth_identity_sign_pk(a->o.identity), AUTH_SIGN_PK);
    add_hex(&b, "sig", sig, sizeof sig);
    gp_status st = end_line(a, &b, err);
    if (st == GP_OK) {
        gp_buf_free(&a->head);
        a->head = b;
        b = (gp_buf){0};
        a->not_signed = 0;
    }
    a->signed_ms = gp_mono_ms();
    gp_buf_free(&b);
    return st;
}

/* The line that begins a file or a run; it names the hash it hangs on. Lock held. */
static gp_status put_open(auth_audit *a, gp_err *err)
{
    auth_audit_field f[6] = {auth_audit_text("why", a->due),
                             auth_audit_text("program", a->o.program),
                             auth_audit_text("name", auth_identity_name(a->o.identity))};
    size_t n = 3;
    gp_buf b = {.limit = AUTH_AUDIT_LINE_MAX};
    if (a->torn)
        f[n++] = auth_audit_number("torn_bytes", (int64_t)a->torn);
    if (a->missing)
        f[n++] = auth_audit_number("missing", (int64_t)a->missing);
    begin_line(a, &b, "open");
    add_hex(&b, "prev", a->hash, AUTH_HASH);
    add_fields(&b, f, AUTH_AUDIT_TEXT_MAX);
    gp_status st = end_line(a, &b, err);
    gp_buf_free(&b);
    if (st == GP_OK) {
        a->due = NULL;
        a->torn = a->missing = 0;
    }
    return st;
}

/* Begin a file or a run. When that fails (disk full), the next line tries again: a file never
 * begins with another one. Lock held. */
static gp_status begin_part(auth_audit *a, const char *why, gp_err *err)
{
    a->due = why;
    gp_status st = put_open(a, err);
    a->lost += st != GP_OK;
    return st == GP_OK ? put_checkpoint(a, err) : st;
}

/* ---- files ---- */

static gp_status open_file(const char *path, int *fd, uint64_t *size, gp_err *err)
{
    struct stat sb;
    int f = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW, 0600);
    if (f < 0)
        return gp_fail(err, GP_EIO, errno, "audit log %s", path);
    gp_status st = GP_OK;
    if (flock(f, LOCK_EX | LOCK_NB) != 0)
        st = gp_fail(err, GP_EEXIST, 0, "audit log %s: another process writes it", path);
    else if (fstat(f, &sb) != 0 || !S_ISREG(sb.st_mode))
        st = gp_fail(err, GP_EINVAL, 0, "audit log %s is not a regular file", path);
    if (st != GP_OK) {
        close(f);
        return st;
    }
    *fd = f;
    *size = (uint64_t)sb.st_size;
    return GP_OK;
}

/* Do these bytes begin the first line of a log? Anything else is not ours to cut. */
static int is_torn_first(const char *p, size_t n)
{
    static const char first[] = "{\"seq\":1,\"time\":\"";
    size_t k = sizeof first - 1;
    return memcmp(p, first, n < k ? n : k) == 0;
}

/* Go on after the last complete line; a->torn: bytes of a line that was not. */
static gp_status find_end(auth_audit *a, gp_err *err)
{
    auth_audit_line l;
    gp_err why = {0};
    if (a->size == 0)
        return GP_OK;
    size_t n = a->size < TAIL_MAX ? (size_t)a->size : TAIL_MAX;
    GP_CLEANUP(gp_freep) char *tail = gp_alloc(n, 1);
    if (!tail)
        return gp_fail(err, GP_ENOMEM, 0, "audit log: out of memory");
    GP_TRY(gp_pread_full(a->fd, tail, n, a->size - n, err));
    const char *nl = memrchr(tail, '\n', n);
    size_t end = nl ? (size_t)(nl - tail) : 0;
    const char *before = end ? memrchr(tail, '\n', end) : NULL;
    size_t start = before ? (size_t)(before - tail) + 1 : 0;
    a->torn = n - (nl ? end + 1 : 0);
    if (a->torn == a->size && is_torn_first(tail, n)) { /* not one line was finished */
        a->size = 0;
    } else if (auth_audit_line_parse(tail + start, end - start, &l, &why) != GP_OK) {
        return gp_fail(err, GP_ECORRUPT, 0,
                       "audit log %s cannot be continued: its last line is damaged (%s); "
                       "keep it elsewhere, a new one is made",
                       a->path, why.msg);
    } else {
        a->size -= a->torn;
        a->seq = l.seq;
        memcpy(a->hash, l.hash, AUTH_HASH);
    }
    if (a->torn && ftruncate(a->fd, (off_t)a->size) != 0)
        return gp_fail(err, GP_EIO, errno, "audit log %s", a->path);
    return GP_OK;
}

/* A signed checkpoint beyond the end of the file says that lines went away: the chain goes on
 * behind it, so that the gap stays visible. a->missing: how many. */
static void heed_head(auth_audit *a)
{
    auth_audit_line l;
    gp_buf b = {0};
    if (gp_read_file(AT_FDCWD, a->head_path, AUTH_AUDIT_LINE_MAX, &b, NULL) == GP_OK &&
        auth_audit_check_head((const char *)b.data, b.len, auth_identity_sign_pk(a->o.identity), &l,
                              NULL) == GP_OK &&
        l.seq > a->seq) {
        if (a->size > 0)
            a->missing = l.seq - a->seq;
        a->seq = l.seq;
        memcpy(a->hash, l.hash, AUTH_HASH);
    }
    gp_buf_free(&b);
}

static gp_status begin(auth_audit *a, gp_err *err)
{
    GP_TRY(open_file(a->path, &a->fd, &a->size, err));
    GP_TRY(find_end(a, err));
    heed_head(a);
    return begin_part(a, "start", err);
}

/* A full disk must not keep a daemon from starting: lines are missing then, as when it fills up
 * later, and that is said. */
static int disk_full(const auth_audit *a, const gp_err *e)
{
    return a->fd >= 0 && (e->sys == ENOSPC || e->sys == EDQUOT || e->sys == EFBIG);
}

/* PATH.1 becomes PATH.2 and so on; the last one is replaced. */
static gp_status shift_files(const auth_audit *a, gp_err *err)
{
    gp_buf from = {0}, to = {0};
    gp_status st = GP_OK;
    for (unsigned i = a->o.keep; st == GP_OK && i > 0; i--) {
        gp_buf_clear(&from);
        gp_buf_clear(&to);
        gp_buf_printf(&to, "%s.%u", a->path, i);
        if (i > 1)
            gp_buf_printf(&from, "%s.%u", a->path, i - 1);
        else
            gp_buf_adds(&from, a->path);
        const char *f = gp_buf_str(&from), *t = gp_buf_str(&to);
        if (!f || !t)
            st = gp_fail(err, GP_ENOMEM, 0, "audit log: out of memory");
        else if (rename(f, t) != 0 && errno != ENOENT)
            st = gp_fail(err, GP_EIO, errno, "audit log: renaming %s", f);
    }
    gp_buf_free(&from);
    gp_buf_free(&to);
    return st;
}

/* Go on in a fresh file (or in that which somebody put there). Both locks held. */
static gp_status change_file(auth_audit *a, const char *why, gp_err *err)
{
    int fd = -1;
    uint64_t size = 0;
    GP_TRY(open_file(a->path, &fd, &size, err));
    if (size > 0) {
        close(fd);
        return gp_fail(err, GP_EEXIST, 0,
                       "audit log %s: expected a new file, it has %" PRIu64 " bytes", a->path,
                       size);
    }
    close(a->fd);
    a->fd = fd;
    a->size = 0;
    return begin_part(a, why, err);
}

static int is_same_file(const auth_audit *a)
{
    struct stat now, ours;
    return stat(a->path, &now) == 0 && fstat(a->fd, &ours) == 0 && now.st_dev == ours.st_dev &&
           now.st_ino == ours.st_ino;
}

/* ---- disk and checkpoints ---- */

/* Lines and the checkpoint among them reach the disk before the head names it. fd_lock held. */
static gp_status sync_all(auth_audit *a, gp_err *err)
{
    gp_status st = GP_OK;
    pthread_mutex_lock(&a->lock);
    gp_buf head = a->head;
    a->head = (gp_buf){0};
    a->dirty = 0;
    pthread_mutex_unlock(&a->lock);
    if (fdatasync(a->fd) != 0)
        st = gp_fail(err, GP_EIO, errno, "audit log %s", a->path);
    else if (head.len && (st = gp_write_file_atomic(AT_FDCWD, a->head_path, head.data, head.len,
                                                    0600, err)) != GP_OK)
        gp_fail_context(err, st, "audit log %s", a->head_path);
    gp_buf_free(&head);
    return st;
}

static void tell(const auth_audit *a, gp_status st, const gp_err *err)
{
    if (st != GP_OK && a->o.on_error)
        a->o.on_error(a->o.ctx, err);
}

static void *run(void *arg)
{
    auth_audit *a = arg;
    pthread_mutex_lock(&a->lock);
    while (!a->stopping) {
        gp_err err = {0};
        gp_status st = GP_OK;
        if (!a->dirty && !a->not_signed) {
            pthread_cond_wait(&a->wake, &a->lock);
            continue;
        }
        (void)gp_cond_wait(&a->wake, &a->lock, gp_deadline_in_ms(a->o.sync_ms));
        if (a->not_signed && gp_mono_ms() - a->signed_ms >= a->o.checkpoint_ms)
            st = put_checkpoint(a, &err);
        int sync = a->dirty;
        pthread_mutex_unlock(&a->lock);
        tell(a, st, &err);
        if (sync) {
            pthread_mutex_lock(&a->fd_lock);
            st = sync_all(a, &err);
            pthread_mutex_unlock(&a->fd_lock);
            tell(a, st, &err);
        }
        pthread_mutex_lock(&a->lock);
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

/* ---- public ---- */

static void free_all(auth_audit *a)
{
    if (a->fd >= 0)
        close(a->fd);
    pthread_cond_destroy(&a->wake);
    pthread_mutex_destroy(&a->lock);
    pthread_mutex_destroy(&a->fd_lock);
    gp_buf_free(&a->head);
    gp_free(a->path);
    gp_free(a->head_path);
    gp_free(a);
}

static auth_audit *new_log(const auth_audit_opts *o)
{
    auth_audit *a = gp_calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->o = *o;
    a->o.keep = o->keep ? o->keep : 1;
    a->o.checkpoint_ms = o->checkpoint_ms > 0 ? o->checkpoint_ms : CHECKPOINT_MS;
    a->o.sync_ms = o->sync_ms > 0 ? o->sync_ms : SYNC_MS;
    a->fd = -1;
    a->path = gp_strdup(o->path);
    a->head_path = gp_asprintf("%s.head", o->path);
    pthread_mutex_init(&a->fd_lock, NULL);
    pthread_mutex_init(&a->lock, NULL);
    gp_cond_init(&a->wake);
    return a;
}

gp_status auth_audit_open(const auth_audit_opts *o, auth_audit **out, gp_err *err)
{
    auth_audit *a = new_log(o);
    if (!a)
        return gp_fail(err, GP_ENOMEM, 0, "audit log: out of memory");
    gp_err why = {0};
    gp_status st = a->path && a->head_path
                       ? begin(a, &why)
                       : gp_fail(&why, GP_ENOMEM, 0, "audit log: out of memory");
    if (st == GP_OK)
        st = sync_all(a, &why);
    if (st != GP_OK && disk_full(a, &why)) {
        tell(a, st, &why);
        st = GP_OK;
    } else if (st != GP_OK && err) {
        *err = why;
    }
    int rc = st == GP_OK ? pthread_create(&a->thread, NULL, run, a) : 0;
    if (rc != 0)
        st = gp_fail(err, GP_EIO, rc, "audit log: no thread");
    if (st != GP_OK) {
        free_all(a);
        return st;
    }
    *out = a;
    return GP_OK;
}

void auth_audit_close(auth_audit *a)
{
    gp_err err = {0};
    if (!a)
        return;
    auth_audit_add(a, "close", NULL);
    pthread_mutex_lock(&a->lock);
    a->stopping = 1;
    gp_status st = put_checkpoint(a, &err);
    pthread_cond_signal(&a->wake);
    pthread_mutex_unlock(&a->lock);
    pthread_join(a->thread, NULL);
    tell(a, st, &err);
    tell(a, sync_all(a, &err), &err);
    free_all(a);
}

gp_status auth_audit_reopen(auth_audit *a, gp_err *err)
{
    if (!a)
        return GP_OK;
    pthread_mutex_lock(&a->fd_lock);
    gp_status st = GP_OK;
    if (!is_same_file(a)) {
        st = sync_all(a, err);
        pthread_mutex_lock(&a->lock);
        if (st == GP_OK)
            st = change_file(a, "reopened", err);
        pthread_mutex_unlock(&a->lock);
    }
    pthread_mutex_unlock(&a->fd_lock);
    return st;
}

/* The file is full: sign its end, move it away, begin another. fd_lock held. */
static gp_status rotate(auth_audit *a, gp_err *err)
{
    pthread_mutex_lock(&a->lock);
    gp_status st = put_checkpoint(a, err);
    pthread_mutex_unlock(&a->lock);
    if (st == GP_OK)
        st = sync_all(a, err);
    pthread_mutex_lock(&a->lock);
    if (st == GP_OK && is_same_file(a)) /* else it was moved, but there was no other */
        st = shift_files(a, err);
    if (st == GP_OK)
        st = change_file(a, "rotated", err);
    pthread_mutex_unlock(&a->lock);
    return st;
}

void auth_audit_refused(auth_audit *a, const char *event, const auth_audit_field *fields)
{
    if (!a)
        return;
    int64_t now = gp_mono_ms() / 1000;
    pthread_mutex_lock(&a->lock);
    a->refusals = a->second == now ? a->refusals + 1 : 1;
    a->second = now;
    int ok = a->refusals <= REFUSALS;
    a->lost += !ok;
    pthread_mutex_unlock(&a->lock);
    if (ok)
        auth_audit_add(a, event, fields);
}

void auth_audit_add(auth_audit *a, const char *event, const auth_audit_field *fields)
{
    gp_buf b = {.limit = AUTH_AUDIT_LINE_MAX - TAIL_ROOM};
    gp_err err = {0};
    if (!a)
        return;
    pthread_mutex_lock(&a->lock);
    int idle = !a->dirty && !a->not_signed; /* else the thread waits for more lines to sync */
    gp_status st = a->due ? put_open(a, &err) : GP_OK;
    begin_line(a, &b, event);
    add_fields(&b, fields, AUTH_AUDIT_TEXT_MAX);
    if (b.failed) { /* nobody escapes by long texts: rather shorter ones than no line */
        gp_buf_clear(&b);
        begin_line(a, &b, event);
        add_fields(&b, fields, SHORT_TEXT);
    }
    b.limit = AUTH_AUDIT_LINE_MAX;
    if (st == GP_OK)
        st = end_line(a, &b, &err);
    a->lost += st != GP_OK;
    int full = st == GP_OK && a->o.max_bytes && a->size >= a->o.max_bytes && !a->stopping;
    if (idle)
        pthread_cond_signal(&a->wake);
    pthread_mutex_unlock(&a->lock);
    tell(a, st, &err);
    gp_buf_free(&b);
    if (!full)
        return;
    pthread_mutex_lock(&a->fd_lock);
    pthread_mutex_lock(&a->lock);
    full = a->size >= a->o.max_bytes; /* another thread may have been faster */
    pthread_mutex_unlock(&a->lock);
    st = full ? rotate(a, &err) : GP_OK;
    pthread_mutex_unlock(&a->fd_lock);
    tell(a, st, &err);
}
