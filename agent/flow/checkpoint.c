/* checkpoint.c - write and parse checkpoint files (docs/godb-format.md, "Checkpoint"). */
#include "checkpoint.h"

#include "bank.h"
#include "gp/bytes.h"
#include "gp/io.h"
#include "gp/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
    VERSION = 2,
    AT_AFTER = 8,
    AT_TAKEN = 16,
    AT_DROPS = 24,
    AT_V4 = 32,
    AT_V6 = 36,
    AT_SUM = 40,
    PIECE = 1024, /* records written at a time */
};

#define NAME      ".checkpoint"
#define TEMP_NAME ".checkpoint.tmp" /* what it is written as */

static const char magic[8] = {'G', 'P', 'C', 'K', VERSION};

char *flow_checkpoint_path(const char *root, const char *iface)
{
    return gp_asprintf("%s/%s/" NAME, root, iface);
}

static char *temp_path(const char *root, const char *iface)
{
    return gp_asprintf("%s/%s/" TEMP_NAME, root, iface);
}

void flow_checkpoint_remove(const char *root, const char *iface)
{
    GP_CLEANUP(gp_freep) char *path = flow_checkpoint_path(root, iface);
    GP_CLEANUP(gp_freep) char *temp = temp_path(root, iface);
    if (path)
        (void)unlink(path);
    if (temp)
        (void)unlink(temp);
}

void flow_checkpoint_remove_at(int iface_fd)
{
    (void)unlinkat(iface_fd, NAME, 0);
    (void)unlinkat(iface_fd, TEMP_NAME, 0);
}

int flow_checkpoint_left(const char *root, const char *iface)
{
    GP_CLEANUP(gp_freep) char *path = flow_checkpoint_path(root, iface);
    GP_CLEANUP(gp_freep) char *temp = temp_path(root, iface);
    return (path && access(path, F_OK) == 0) || (temp && access(temp, F_OK) == 0);
}

/* ---- writing ---- */

typedef struct sink {
    int fd;
    XXH3_state_t sum;
} sink;

static uint8_t *put_record(uint8_t *p, const flow_row *r)
{
    size_t addr = r->family == 6 ? 16 : 4;

    memcpy(p, r->src, addr);
    memcpy(p + addr, r->dst, addr);
    gp_put_be16(p + 2 * addr, r->dport);
    p[2 * addr + 2] = r->proto;
    p += 2 * addr + 3;
    for (int i = 0; i < FLOW_N_COUNTERS; i++, p += sizeof(uint64_t))
        gp_put_le64(p, r->counter[i]);
    return p;
}

static gp_status put_slice(sink *o, const flow_bank *b, gp_err *err)
{
    uint8_t piece[PIECE * FLOW_CHECKPOINT_V6_BYTES];

    for (size_t i = 0, n = flow_bank_count(b); i < n;) {
        uint8_t *p = piece;
        for (size_t end = n - i < PIECE ? n : i + PIECE; i < end; i++) {
            flow_row r;
            flow_bank_row(b, i, &r);
            p = put_record(p, &r);
        }
        (void)XXH3_64bits_update(&o->sum, piece, (size_t)(p - piece));
        GP_TRY(gp_write_full(o->fd, piece, (size_t)(p - piece), err));
    }
    return GP_OK;
}

static gp_status put_slices(sink *o, flow_checkpoint *c, flow_checkpoint_next next, void *ctx,
                            gp_err *err)
{
    for (;;) {
        GP_CLEANUP(flow_bank_unrefp) flow_bank *b = NULL;
        GP_TRY(next(ctx, &b, err));
        if (!b)
            return GP_OK;
        GP_TRY(put_slice(o, b, err));
        c->n_v4 += b->half[0].count;
        c->n_v6 += b->half[1].count;
    }
}

/* The head comes last: only then all of it is known. */
static gp_status put_all(sink *o, flow_checkpoint *c, flow_checkpoint_next next, void *ctx,
                         gp_err *err)
{
    uint8_t head[FLOW_CHECKPOINT_HEAD] = {0};

    c->n_v4 = c->n_v6 = 0;
    GP_TRY(gp_write_full(o->fd, head, sizeof head, err));
    (void)XXH3_64bits_reset(&o->sum);
    GP_TRY(put_slices(o, c, next, ctx, err));
    memcpy(head, magic, sizeof magic);
    gp_put_le64(head + AT_AFTER, (uint64_t)c->after_s);
    gp_put_le64(head + AT_TAKEN, (uint64_t)c->taken_s);
    gp_put_le64(head + AT_DROPS, c->drops);
    gp_put_le32(head + AT_V4, c->n_v4);
    gp_put_le32(head + AT_V6, c->n_v6);
    (void)XXH3_64bits_update(&o->sum, head, AT_SUM);
    gp_put_le64(head + AT_SUM, XXH3_64bits_digest(&o->sum));
    return gp_pwrite_full(o->fd, head, sizeof head, 0, err);
}

static gp_status fill(const char *temp, flow_checkpoint *c, flow_checkpoint_next next, void *ctx,
                      mode_t mode, int sync, gp_err *err)
{
    GP_CLEANUP(gp_closep)
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
    sink o = {.fd = fd};

    if (fd < 0)
        return gp_fail(err, GP_EIO, errno, "cannot create %s", temp);
    GP_TRY(put_all(&o, c, next, ctx, err));
    if (sync && fsync(fd) < 0)
        return gp_fail(err, GP_EIO, errno, "cannot sync %s", temp);
    return GP_OK;
}

static gp_status sync_dir(const char *root, const char *iface, gp_err *err)
{
    GP_CLEANUP(gp_freep) char *dir = gp_asprintf("%s/%s", root, iface);
    GP_CLEANUP(gp_closep) int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL))
        return gp_fail(err, GP_EIO, errno, "cannot sync directory %s/%s", root, iface);
    return GP_OK;
}

gp_status flow_checkpoint_write(const char *root, const char *iface, flow_checkpoint *c,
                                flow_checkpoint_next next, void *ctx, mode_t mode, int sync,
                                gp_err *err)
{
    GP_CLEANUP(gp_freep) char *path = flow_checkpoint_path(root, iface);
    GP_CLEANUP(gp_freep) char *temp = temp_path(root, iface);

    if (!path || !temp)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    gp_status st = fill(temp, c, next, ctx, mode, sync, err);
    if (st == GP_OK && rename(temp, path) != 0)
        st = gp_fail(err, GP_EIO, errno, "cannot rename %s", temp);
    if (st != GP_OK) {
        (void)unlink(temp); /* the first failure is what counts */
        return st;
    }
    return sync ? sync_dir(root, iface, err) : GP_OK;
}

/* ---- parsing ---- */

static gp_status check_head(const uint8_t *b, size_t n, gp_err *err)
{
    if (n < FLOW_CHECKPOINT_HEAD || memcmp(b, magic, 4) != 0)
        return gp_fail(err, GP_ECORRUPT, 0, "not a checkpoint (%zu bytes)", n);
    if (memcmp(b, magic, sizeof magic) != 0)
        return gp_fail(err, GP_ECORRUPT, 0, "version %u, expected %d", b[4], VERSION);
    uint64_t v4 = gp_le32(b + AT_V4), v6 = gp_le32(b + AT_V6);
    if (v4 + v6 > FLOW_ENTRIES_MAX)
        return gp_fail(err, GP_ECORRUPT, 0, "%llu flows", (unsigned long long)(v4 + v6));
    uint64_t want =
        FLOW_CHECKPOINT_HEAD + v4 * FLOW_CHECKPOINT_V4_BYTES + v6 * FLOW_CHECKPOINT_V6_BYTES;
    if (n != want)
        return gp_fail(err, GP_ECORRUPT, 0, "%zu bytes, expected %llu", n,
                       (unsigned long long)want);
    XXH3_state_t sum;
    (void)XXH3_64bits_reset(&sum);
    (void)XXH3_64bits_update(&sum, b + FLOW_CHECKPOINT_HEAD, n - FLOW_CHECKPOINT_HEAD);
    (void)XXH3_64bits_update(&sum, b, AT_SUM);
    if (XXH3_64bits_digest(&sum) != gp_le64(b + AT_SUM))
        return gp_fail(err, GP_ECORRUPT, 0, "wrong checksum");
    int64_t after = (int64_t)gp_le64(b + AT_AFTER), taken = (int64_t)gp_le64(b + AT_TAKEN);
    if (after < 0 || taken <= 0 || taken >= INT64_MAX - GODB_DAY_S)
        return gp_fail(err, GP_ECORRUPT, 0, "times %lld, %lld", (long long)after, (long long)taken);
    return GP_OK;
}

gp_status flow_checkpoint_parse(const uint8_t *bytes, size_t n, flow_checkpoint *out, gp_err *err)
{
    GP_TRY(check_head(bytes, n, err));
    *out = (flow_checkpoint){.after_s = (int64_t)gp_le64(bytes + AT_AFTER),
                             .taken_s = (int64_t)gp_le64(bytes + AT_TAKEN),
                             .drops = gp_le64(bytes + AT_DROPS),
                             .n_v4 = gp_le32(bytes + AT_V4),
                             .n_v6 = gp_le32(bytes + AT_V6),
                             .records = bytes + FLOW_CHECKPOINT_HEAD};
    return GP_OK;
}

/* A record as an entry: the client is the lower endpoint, its port is gone. */
static const uint8_t *get_record(const uint8_t *p, int v6, flow_entry *e)
{
    size_t addr = v6 ? 16 : 4;
    uint64_t tail = (uint64_t)gp_be16(p + 2 * addr) << 16 | (uint64_t)p[2 * addr + 2] << 32;

    if (v6)
        memcpy(e->key, p, 2 * addr);
    else
        e->key[0] = gp_be32(p) | (uint64_t)gp_be32(p + 4) << 32;
    e->key[v6 ? FLOW_KEY6 - 1 : FLOW_KEY4 - 1] = tail;
    p += 2 * addr + 3;
    for (int i = 0; i < FLOW_N_COUNTERS; i++, p += sizeof(uint64_t))
        e->counter[i] = gp_le64(p);
    return p;
}

gp_status flow_checkpoint_bank(const flow_checkpoint *c, flow_bank **out, gp_err *err)
{
    GP_CLEANUP(flow_bank_unrefp)
    flow_bank *b = flow_bank_plain((size_t)c->n_v4 + c->n_v6, 0);
    const uint8_t *p = c->records;

    for (int v6 = 0; b && v6 < 2; v6++)
        for (uint32_t i = 0, n = v6 ? c->n_v6 : c->n_v4; i < n; i++) {
            flow_entry *e = flow_half_append(&b->half[v6]);
            if (!e)
                return gp_fail(err, GP_ENOMEM, 0, "out of memory for %u flows", n);
            p = get_record(p, v6, e);
        }
    if (!b)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    *out = b;
    b = NULL;
    return GP_OK;
}
