/* unpack.c - bytes of a file or pipe, decompressed on the way when they are gzip or zstd. */
#include "godb/unpack.h"

#include "gp/mem.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum {
    IN_CAP = 256 * 1024,  /* bytes read at once */
    MAGIC_MAX = 5,        /* bytes that tell the kind */
    POLL_MS = 200,        /* how long a cancel may go unseen on a silent pipe */
    GZIP_WINDOW = 15 + 16 /* 32 KiB window, gzip header expected (zlib.h, inflateInit2) */
};

typedef enum kind { PLAIN, GZIP, ZSTD } kind;

struct godb_unpack {
    int fd;
    const char *name; /* owned */
    gp_cancel *cancel;
    kind kind;
    uint8_t *in; /* IN_CAP bytes */
    size_t at, len;
    int eof;
    int open_member; /* inside a gzip member or zstd frame */
    int members;     /* finished ones */
    z_stream z;
    int z_ready;
    ZSTD_DStream *zd;
    atomic_uint_fast64_t consumed;
};

/* Read behind the first off bytes of the buffer, which it then begins with. */
static gp_status read_some(godb_unpack *u, size_t off, gp_err *err)
{
    struct pollfd p = {.fd = u->fd, .events = POLLIN};

    for (;;) {
        GP_TRY(gp_cancel_check(u->cancel));
        int ready = poll(&p, 1, POLL_MS);
        if (ready == 0 || (ready < 0 && errno == EINTR))
            continue;
        ssize_t n = read(u->fd, u->in + off, IN_CAP - off);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            return gp_fail(err, GP_EIO, errno, "reading %s failed", u->name);
        u->at = 0;
        u->len = off + (size_t)n;
        u->eof = n == 0;
        atomic_fetch_add_explicit(&u->consumed, (uint64_t)n, memory_order_relaxed);
        return GP_OK;
    }
}

/* Have some input, unless there is no more. */
static gp_status fill(godb_unpack *u, gp_err *err)
{
    return u->at < u->len || u->eof ? GP_OK : read_some(u, 0, err);
}

static gp_status detect(godb_unpack *u, gp_err *err)
{
    static const struct {
        const char *magic;
        size_t len;
        const char *what;
    } foreign[] = {{"\xfd"
                    "7zXZ",
                    5, "xz"},
                   {"BZh", 3, "bzip2"},
                   {"\x04\x22\x4d\x18", 4, "lz4"},
                   {"PK\x03\x04", 4, "zip"}};
    while (u->len < MAGIC_MAX && !u->eof) /* a pipe may give byte by byte */
        GP_TRY(read_some(u, u->len, err));
    const uint8_t *b = u->in;

    for (size_t i = 0; i < GP_COUNT(foreign); i++)
        if (u->len >= foreign[i].len && memcmp(b, foreign[i].magic, foreign[i].len) == 0)
            return gp_fail(err, GP_EUNSUPPORTED, 0,
                           "%s: %s is not supported here (gzip and zstd are); decompress it into a "
                           "pipe",
                           u->name, foreign[i].what);
    if (u->len >= 2 && b[0] == 0x1F && b[1] == 0x8B) {
        u->kind = GZIP;
        if (inflateInit2(&u->z, GZIP_WINDOW) != Z_OK)
            return gp_fail(err, GP_ENOMEM, 0, "%s: out of memory", u->name);
        u->z_ready = 1;
        u->open_member = 1;
    } else if (u->len >= 4 && memcmp(b + 1, "\xb5\x2f\xfd", 3) == 0 && b[0] == 0x28) {
        u->kind = ZSTD;
        if (!(u->zd = ZSTD_createDStream()))
            return gp_fail(err, GP_ENOMEM, 0, "%s: out of memory", u->name);
        u->open_member = 1;
    }
    return GP_OK;
}

gp_status godb_unpack_open(int fd, const char *name, gp_cancel *cancel, godb_unpack **out,
                           gp_err *err)
{
    GP_CLEANUP(godb_unpack_closep) godb_unpack *u = gp_calloc(1, sizeof *u);

    if (u) {
        u->fd = fd;
        u->cancel = cancel;
        u->name = gp_strdup(name);
        u->in = gp_alloc(IN_CAP, 1);
    }
    if (!u || !u->in || !u->name)
        return gp_fail(err, GP_ENOMEM, 0, "%s: out of memory", name);
    GP_TRY(detect(u, err));
    *out = u;
    u = NULL;
    return GP_OK;
}

void godb_unpack_close(godb_unpack *u)
{
    if (!u)
        return;
    if (u->z_ready)
        (void)inflateEnd(&u->z);
    ZSTD_freeDStream(u->zd);
    gp_free((void *)(uintptr_t)u->name);
    gp_free(u->in);
    gp_free(u);
}

static gp_status cut_short(const godb_unpack *u, gp_err *err)
{
    return gp_fail(err, GP_ECORRUPT, 0, "%s: the %s data ends in the middle", u->name,
                   godb_unpack_kind(u));
}

static gp_status read_plain(godb_unpack *u, void *buf, size_t cap, size_t *n)
{
    *n = u->len - u->at < cap ? u->len - u->at : cap;
    memcpy(buf, u->in + u->at, *n);
    u->at += *n;
    return GP_OK;
}

/* Between two gzip members: another one, or zeros up to the end as tapes leave them. */
static gp_status next_member(godb_unpack *u, gp_err *err)
{
    while (u->at < u->len && u->in[u->at] == 0)
        u->at++;
    if (u->at == u->len)
        return GP_OK;
    if (u->in[u->at] != 0x1F)
        return gp_fail(err, GP_ECORRUPT, 0, "%s: something follows the gzip data", u->name);
    if (inflateReset(&u->z) != Z_OK)
        return gp_fail(err, GP_ENOMEM, 0, "%s: out of memory", u->name);
    u->open_member = 1;
    return GP_OK;
}

static gp_status read_gzip(godb_unpack *u, void *buf, size_t cap, size_t *n, gp_err *err)
{
    if (!u->open_member) {
        GP_TRY(next_member(u, err));
        if (!u->open_member)
            return GP_OK;
    }
    u->z.next_in = u->in + u->at;
    u->z.avail_in = (uInt)(u->len - u->at);
    u->z.next_out = buf;
    u->z.avail_out = cap > UINT32_MAX ? UINT32_MAX : (uInt)cap;
    uInt room = u->z.avail_out;
    int rc = inflate(&u->z, Z_NO_FLUSH);
    u->at = u->len - u->z.avail_in;
    *n = room - u->z.avail_out;
    if (rc == Z_STREAM_END)
        u->open_member = 0;
    else if (rc != Z_OK && rc != Z_BUF_ERROR)
        return gp_fail(err, GP_ECORRUPT, 0, "%s: damaged gzip data%s%s", u->name,
                       u->z.msg ? ": " : "", u->z.msg ? u->z.msg : "");
    return GP_OK;
}

static gp_status read_zstd(godb_unpack *u, void *buf, size_t cap, size_t *n, gp_err *err)
{
    ZSTD_inBuffer in = {u->in, u->len, u->at};
    ZSTD_outBuffer out = {buf, cap, 0};
    size_t rc = ZSTD_decompressStream(u->zd, &out, &in);

    if (ZSTD_isError(rc))
        return gp_fail(err, GP_ECORRUPT, 0, "%s: damaged zstd data: %s", u->name,
                       ZSTD_getErrorName(rc));
    u->at = in.pos;
    u->open_member = rc != 0;
    *n = out.pos;
    return GP_OK;
}

gp_status godb_unpack_read(godb_unpack *u, void *buf, size_t cap, size_t *n, gp_err *err)
{
    for (*n = 0; *n == 0;) {
        GP_TRY(fill(u, err));
        if (u->kind == PLAIN)
            return read_plain(u, buf, cap, n);
        int flushing = u->at == u->len; /* no input left, output may still be held back */
        if (u->eof && flushing && !u->open_member)
            return GP_OK;
        GP_TRY(u->kind == GZIP ? read_gzip(u, buf, cap, n, err) : read_zstd(u, buf, cap, n, err));
        if (u->eof && flushing && *n == 0 && u->open_member)
            return cut_short(u, err);
    }
    return GP_OK;
}

uint64_t godb_unpack_consumed(const godb_unpack *u)
{
    return atomic_load_explicit(&u->consumed, memory_order_relaxed);
}

const char *godb_unpack_kind(const godb_unpack *u)
{
    return u->kind == GZIP ? "gzip" : u->kind == ZSTD ? "zstd" : "plain";
}
