/* file.c - capture files: gzip by zlib below, libpcap above, and the header checks between.
 *
 *   file --zlib (passes plain bytes through)--> tap --FILE* cookie--> libpcap
 *
 * libpcap clips records that are longer than the snap length the header promises, and takes a snap
 * length of 0 as "no limit"; spec L-14 wants both refused. So the tap looks at the bytes of classic
 * pcap on their way: the file header, then each record header.
 */
#include "capture/file.h"

#include "capture/packet.h"
#include "gp/bytes.h"
#include "gp/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <unistd.h>
#include <zlib.h>

enum {
    FILE_HEAD = 24,   /* classic pcap file header */
    RECORD_HEAD = 16, /* classic pcap record header */
    ZBUF = 128 * 1024,
    NS = 1000000000,
};

/* Byte orders and precisions of classic pcap, as the first four bytes in big-endian order. */
enum {
    MAGIC_US_BE = (int)0xa1b2c3d4,
    MAGIC_US_LE = (int)0xd4c3b2a1,
    MAGIC_NS_BE = (int)0xa1b23c4d,
    MAGIC_NS_LE = (int)0x4d3cb2a1,
};

/* Follows the stream of a classic file: collects the next header, then skips the record's data. */
typedef struct tap {
    int classic; /* -1 not known yet, 0 no (pcapng and others), 1 yes */
    int big;     /* byte order of the file */
    uint32_t snaplen;
    uint8_t head[FILE_HEAD];
    size_t have, want; /* bytes of the header collected, and its size */
    uint64_t skip;     /* record bytes until the next header */
    const char *bad;   /* static text of what was wrong, or NULL */
    int bad_head;      /* it is the file header */
} tap;

struct capture_file {
    char *path;
    gzFile gz;
    FILE *stream; /* owned by pcap once that is open */
    pcap_t *pcap;
    tap tap;
};

static uint32_t tap_u32(const tap *t, size_t off)
{
    return t->big ? gp_be32(t->head + off) : gp_le32(t->head + off);
}

static void tap_file_head(tap *t)
{
    uint32_t magic = gp_be32(t->head);
    t->big = magic == (uint32_t)MAGIC_US_BE || magic == (uint32_t)MAGIC_NS_BE;
    t->classic = t->big || magic == (uint32_t)MAGIC_US_LE || magic == (uint32_t)MAGIC_NS_LE ? 1 : 0;
    if (!t->classic)
        return;
    t->snaplen = tap_u32(t, 16);
    if (t->snaplen == 0 || t->snaplen > CAPTURE_FILE_SNAPLEN_MAX) {
        t->bad = "its header has a snap length of 0 or above 16 MiB";
        t->bad_head = 1;
    }
}

static void tap_head(tap *t)
{
    if (t->classic < 0) {
        tap_file_head(t);
        t->want = RECORD_HEAD;
        return;
    }
    uint32_t caplen = tap_u32(t, 8);
    if (caplen > t->snaplen)
        t->bad = "a record is longer than the snap length of the file";
    t->skip = caplen;
}

/* Watch n bytes go by. Returns how many of them libpcap may see: all, or up to the end of the
 * header that is at fault. */
static size_t tap_feed(tap *t, const uint8_t *bytes, size_t n)
{
    const uint8_t *p = bytes, *end = bytes + n;

    while (p < end && t->classic != 0 && !t->bad) {
        n = (size_t)(end - p);
        size_t step = t->skip ? (t->skip < n ? (size_t)t->skip : n) : t->want - t->have;
        if (step > n)
            step = n;
        if (t->skip) {
            t->skip -= step;
        } else {
            memcpy(t->head + t->have, p, step);
            t->have += step;
            if (t->have == t->want) {
                t->have = 0;
                tap_head(t);
            }
        }
        p += step;
    }
    return (size_t)((t->bad ? p : end) - bytes);
}

static ssize_t cookie_read(void *ctx, char *buf, size_t n)
{
    capture_file *f = ctx;
    unsigned ask = n > ZBUF ? ZBUF : (unsigned)n;

    if (f->tap.bad)
        return 0; /* an end of file; capture_file_next() says why */
    int got = gzread(f->gz, buf, ask);
    if (got < 0) {
        errno = EIO;
        return -1;
    }
    return (ssize_t)tap_feed(&f->tap, (const uint8_t *)buf, (size_t)got);
}

static int cookie_close(void *ctx)
{
    capture_file *f = ctx;
    gzFile gz = f->gz;
    f->gz = NULL;
    return gzclose(gz) == Z_OK ? 0 : -1;
}

static gp_status open_stream(capture_file *f, gp_err *err)
{
    int fd = strcmp(f->path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                                       : open(f->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return gp_fail(err, errno == ENOENT ? GP_ENOTFOUND : GP_EIO, errno, "%s", f->path);
    f->gz = gzdopen(fd, "rb");
    if (!f->gz) {
        close(fd);
        return gp_fail(err, GP_ENOMEM, 0, "%s: out of memory", f->path);
    }
    (void)gzbuffer(f->gz, ZBUF);
    cookie_io_functions_t io = {.read = cookie_read, .close = cookie_close};
    f->stream = fopencookie(f, "rb", io);
    if (!f->stream)
        return gp_fail(err, GP_EIO, errno, "%s: cannot read", f->path);
    (void)setvbuf(f->stream, NULL, _IOFBF, ZBUF);
    return GP_OK;
}

gp_status capture_file_open(const char *path, capture_file **out, gp_err *err)
{
    char text[PCAP_ERRBUF_SIZE] = "";
    GP_CLEANUP(capture_file_closep) capture_file *f = gp_calloc(1, sizeof *f);

    if (!f || !(f->path = gp_strdup(path)))
        return gp_fail(err, GP_ENOMEM, 0, "%s: out of memory", path);
    f->tap = (tap){.classic = -1, .want = FILE_HEAD};
    GP_TRY(open_stream(f, err));
    f->pcap = pcap_fopen_offline_with_tstamp_precision(f->stream, PCAP_TSTAMP_PRECISION_NANO, text);
    if (f->tap.bad_head)
        return gp_fail(err, GP_ECORRUPT, 0, "%s: not a usable capture: %s", path, f->tap.bad);
    if (!f->pcap)
        return gp_fail(err, GP_ECORRUPT, 0, "%s: not a capture file (pcap or pcapng): %s", path,
                       text);
    f->stream = NULL; /* closed by pcap_close() */
    int dlt = pcap_datalink(f->pcap);
    if (!capture_dlt_known(dlt)) {
        const char *name = pcap_datalink_val_to_name(dlt);
        return gp_fail(err, GP_EUNSUPPORTED, 0,
                       "%s: link type %s (%d) is not supported; Ethernet, raw IP, Linux cooked and "
                       "BSD loopback are",
                       path, name ? name : "unknown", dlt);
    }
    *out = f;
    f = NULL;
    return GP_OK;
}

int capture_file_next(capture_file *f, capture_frame *out, gp_err *err)
{
    struct pcap_pkthdr *h;
    const u_char *data;

    int r = pcap_next_ex(f->pcap, &h, &data);
    if (r == 1) {
        /* Classic files hold 32 unsigned bits; libpcap hands 2038 and later out as negative. */
        int64_t s = (int64_t)h->ts.tv_sec;
        if (s < 0 && s >= INT32_MIN)
            s += INT64_C(1) << 32;
        if (s > INT64_MAX / NS - 1 || s < 0)
            s = INT64_MAX / NS - 1;
        *out = (capture_frame){data, h->caplen, h->len, s * NS + h->ts.tv_usec};
        return 1;
    }
    if (f->tap.bad) {
        (void)gp_fail(err, GP_ECORRUPT, 0, "%s: %s", f->path, f->tap.bad);
        return -1;
    }
    if (r == PCAP_ERROR_BREAK)
        return 0;
    (void)gp_fail(err, GP_ECORRUPT, 0, "%s: %s", f->path, pcap_geterr(f->pcap));
    return -1;
}

int capture_file_dlt(const capture_file *f)
{
    return pcap_datalink(f->pcap);
}

const char *capture_file_path(const capture_file *f)
{
    return f->path;
}

void capture_file_close(capture_file *f)
{
    if (!f)
        return;
    if (f->pcap)
        pcap_close(f->pcap);
    else if (f->stream)
        (void)fclose(f->stream);
    if (f->gz)
        (void)gzclose(f->gz);
    gp_free(f->path);
    gp_free(f);
}
