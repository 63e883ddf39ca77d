/* checkpoint.c - write and parse checkpoint files (docs/godb-format.md, "Checkpoint"). */
#include "checkpoint.h"

#include "flow/table.h"
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
    VERSION = 1,
    AT_AFTER = 8,
    AT_TAKEN = 16,
    AT_DROPS = 24,
    AT_V4 = 32,
    AT_V6 = 36,
    AT_SUM = 40,
    PIECE = 4096, /* counters converted at a time */
};

static const char magic[8] = {'G', 'P', 'C', 'K', VERSION};

char *flow_checkpoint_path(const char *root, const char *iface)
{
    return gp_asprintf("%s/%s/.checkpoint", root, iface);
}

void flow_checkpoint_remove(const char *root, const char *iface)
{
    GP_CLEANUP(gp_freep) char *path = flow_checkpoint_path(root, iface);
    if (path)
        (void)unlink(path);
}

/* ---- writing ---- */

typedef struct sink {
    int fd;
    XXH3_state_t sum;
} sink;

static gp_status put(sink *o, const void *bytes, size_t n, gp_err *err)
{
    if (n == 0) /* a column without rows may be NULL */
        return GP_OK;
    (void)XXH3_64bits_update(&o->sum, bytes, n);
    return gp_write_full(o->fd, bytes, n, err);
}

static gp_status put_counters(sink *o, const uint64_t *v, size_t n, gp_err *err)
{
    uint8_t piece[PIECE * sizeof *v];

    for (size_t i = 0; i < n; i += PIECE) {
        size_t k = n - i < PIECE ? n - i : PIECE;
        for (size_t j = 0; j < k; j++)
            gp_put_le64(piece + j * sizeof *v, v[i + j]);
        GP_TRY(put(o, piece, k * sizeof *v, err));
    }
    return GP_OK;
}

static gp_status put_all(sink *o, const flow_checkpoint *c, gp_err *err)
{
    uint8_t head[FLOW_CHECKPOINT_HEAD] = {0};
    const godb_rows *r = &c->rows;
    size_t n = (size_t)r->n_v4 + r->n_v6, addr = (size_t)r->n_v4 * 4 + (size_t)r->n_v6 * 16;

    memcpy(head, magic, sizeof magic);
    gp_put_le64(head + AT_AFTER, (uint64_t)c->after_s);
    gp_put_le64(head + AT_TAKEN, (uint64_t)c->taken_s);
    gp_put_le64(head + AT_DROPS, c->drops);
    gp_put_le32(head + AT_V4, r->n_v4);
    gp_put_le32(head + AT_V6, r->n_v6);
    (void)XXH3_64bits_reset(&o->sum);
    GP_TRY(gp_write_full(o->fd, head, sizeof head, err));
    (void)XXH3_64bits_update(&o->sum, head, AT_SUM);
    for (int i = 0; i < GODB_N_COUNTERS; i++)
        GP_TRY(put_counters(o, r->counter[i], n, err));
    GP_TRY(put(o, r->sip, addr, err));
    GP_TRY(put(o, r->dip, addr, err));
    GP_TRY(put(o, r->dport, 2 * n, err));
    GP_TRY(put(o, r->proto, n, err));
    gp_put_le64(head, XXH3_64bits_digest(&o->sum));
    return gp_pwrite_full(o->fd, head, sizeof(uint64_t), AT_SUM, err);
}

static gp_status fill(const char *temp, const flow_checkpoint *c, mode_t mode, int sync,
                      gp_err *err)
{
    GP_CLEANUP(gp_closep)
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
    sink o = {.fd = fd};

    if (fd < 0)
        return gp_fail(err, GP_EIO, errno, "cannot create %s", temp);
    GP_TRY(put_all(&o, c, err));
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

gp_status flow_checkpoint_write(const char *root, const char *iface, const flow_checkpoint *c,
                                mode_t mode, int sync, gp_err *err)
{
    GP_CLEANUP(gp_freep) char *path = flow_checkpoint_path(root, iface);
    GP_CLEANUP(gp_freep) char *temp = path ? gp_asprintf("%s.tmp", path) : NULL;

    if (!temp)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    gp_status st = fill(temp, c, mode, sync, err);
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
    uint64_t want = FLOW_CHECKPOINT_HEAD + v4 * (32 + 8 + 3) + v6 * (32 + 32 + 3);
    if (n != want)
        return gp_fail(err, GP_ECORRUPT, 0, "%zu bytes, expected %llu", n,
                       (unsigned long long)want);
    XXH3_state_t sum;
    (void)XXH3_64bits_reset(&sum);
    (void)XXH3_64bits_update(&sum, b, AT_SUM);
    (void)XXH3_64bits_update(&sum, b + FLOW_CHECKPOINT_HEAD, n - FLOW_CHECKPOINT_HEAD);
    if (XXH3_64bits_digest(&sum) != gp_le64(b + AT_SUM))
        return gp_fail(err, GP_ECORRUPT, 0, "wrong checksum");
    int64_t after = (int64_t)gp_le64(b + AT_AFTER), taken = (int64_t)gp_le64(b + AT_TAKEN);
    if (after < 0 || taken <= 0 || taken >= INT64_MAX - GODB_DAY_S)
        return gp_fail(err, GP_ECORRUPT, 0, "times %lld, %lld", (long long)after, (long long)taken);
    return GP_OK;
}

gp_status flow_checkpoint_parse(uint8_t *bytes, size_t n, flow_checkpoint *out, gp_err *err)
{
    GP_TRY(check_head(bytes, n, err));
    uint32_t v4 = gp_le32(bytes + AT_V4), v6 = gp_le32(bytes + AT_V6);
    size_t rows = (size_t)v4 + v6, addr = (size_t)v4 * 4 + (size_t)v6 * 16;
    uint64_t *counter = (uint64_t *)(void *)(bytes + FLOW_CHECKPOINT_HEAD);
    const uint8_t *p = bytes + FLOW_CHECKPOINT_HEAD + rows * GODB_N_COUNTERS * sizeof *counter;

    for (size_t i = 0; i < rows * GODB_N_COUNTERS; i++)
        counter[i] = gp_le64(&counter[i]);
    *out = (flow_checkpoint){.after_s = (int64_t)gp_le64(bytes + AT_AFTER),
                             .taken_s = (int64_t)gp_le64(bytes + AT_TAKEN),
                             .drops = gp_le64(bytes + AT_DROPS),
                             .rows = {.n_v4 = v4,
                                      .n_v6 = v6,
                                      .sip = p,
                                      .dip = p + addr,
                                      .dport = p + 2 * addr,
                                      .proto = p + 2 * addr + 2 * rows}};
    for (int i = 0; i < GODB_N_COUNTERS; i++)
        out->rows.counter[i] = counter + (size_t)i * rows;
    return GP_OK;
}
