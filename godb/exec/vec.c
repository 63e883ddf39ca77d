/* vec.c - pack keys, unpack counters and fold equal neighbours, a vector at a time. */
#include "vec.h"

#include "gp/bytes.h"
#include "simd.h"
#include "vec512.h"

#include <string.h>

void exec_vec_init(exec_vec *v)
{
#ifdef EXEC_VEC512
    v->wide = exec_v512_ok();
#else
    v->wide = 0;
#endif
}

/* ---- keys ---- */

EXEC_SIMD static void pack32(uint64_t *restrict k, const uint8_t *restrict src, size_t n,
                             unsigned shift, int first)
{
    if (first)
        for (size_t i = 0; i < n; i++)
            k[i] = (uint64_t)gp_be32(src + 4 * i) << shift;
    else
        for (size_t i = 0; i < n; i++)
            k[i] |= (uint64_t)gp_be32(src + 4 * i) << shift;
}

EXEC_SIMD static void pack16(uint64_t *restrict k, const uint8_t *restrict src, size_t n,
                             unsigned shift, int first)
{
    if (first)
        for (size_t i = 0; i < n; i++)
            k[i] = (uint64_t)gp_be16(src + 2 * i) << shift;
    else
        for (size_t i = 0; i < n; i++)
            k[i] |= (uint64_t)gp_be16(src + 2 * i) << shift;
}

EXEC_SIMD static void pack8(uint64_t *restrict k, const uint8_t *restrict src, size_t n,
                            unsigned shift, int first)
{
    if (first)
        for (size_t i = 0; i < n; i++)
            k[i] = (uint64_t)src[i] << shift;
    else
        for (size_t i = 0; i < n; i++)
            k[i] |= (uint64_t)src[i] << shift;
}

EXEC_SIMD static void pack128(uint64_t *restrict k0, uint64_t *restrict k1,
                              const uint8_t *restrict src, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        k0[i] = gp_be64(src + 16 * i);
        k1[i] = gp_be64(src + 16 * i + 8);
    }
}

/* The same for rows picked by sel. */
static void gather(uint64_t *restrict k, const uint8_t *restrict src, const uint32_t *sel, size_t n,
                   const exec_keyfield *f, unsigned bytes)
{
    uint64_t keep = f->first ? 0 : UINT64_MAX;

    if (bytes == 4)
        for (size_t i = 0; i < n; i++)
            k[i] = (k[i] & keep) | (uint64_t)gp_be32(src + 4 * (size_t)sel[i]) << f->shift;
    else if (bytes == 2)
        for (size_t i = 0; i < n; i++)
            k[i] = (k[i] & keep) | (uint64_t)gp_be16(src + 2 * (size_t)sel[i]) << f->shift;
    else
        for (size_t i = 0; i < n; i++)
            k[i] = (k[i] & keep) | (uint64_t)src[sel[i]] << f->shift;
}

static void gather128(uint64_t *restrict k0, uint64_t *restrict k1, const uint8_t *restrict src,
                      const uint32_t *sel, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        k0[i] = gp_be64(src + 16 * (size_t)sel[i]);
        k1[i] = gp_be64(src + 16 * (size_t)sel[i] + 8);
    }
}

void exec_vec_keys(exec_vec *v, const exec_keylayout *l, unsigned f, const exec_cols *cols,
                   const uint32_t *sel, size_t from, size_t n)
{
    v->n = n;
    if (l->n_fields == 0)
        memset(v->k[0], 0, n * sizeof v->k[0][0]);
    for (unsigned i = 0; i < l->n_fields; i++) {
        const exec_keyfield *k = &l->f[i];
        uint64_t *w = v->k[k->word];
        const uint8_t *src = k->attr <= QUERY_DIP     ? cols->addr[k->attr]
                             : k->attr == QUERY_DPORT ? cols->dport
                                                      : cols->proto;
        unsigned bytes = k->attr <= QUERY_DIP ? (f == 0 ? 4 : 16) : k->attr == QUERY_DPORT ? 2 : 1;
        if (bytes == 16 && sel)
            gather128(w, v->k[k->word + 1], src, sel, n);
        else if (bytes == 16)
            pack128(w, v->k[k->word + 1], src + 16 * from, n);
        else if (sel)
            gather(w, src, sel, n, k, bytes);
        else if (bytes == 4)
            pack32(w, src + 4 * from, n, k->shift, k->first);
        else if (bytes == 2)
            pack16(w, src + 2 * from, n, k->shift, k->first);
        else
            pack8(w, src + from, n, k->shift, k->first);
    }
}

/* ---- counters ---- */

static uint64_t width_mask(unsigned w)
{
    return w >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * w)) - 1;
}

EXEC_SIMD static void unpack(const uint8_t *restrict p, unsigned w, size_t n,
                             uint64_t *restrict out)
{
    uint64_t m = width_mask(w);

    switch (w) {
    case 1:
        for (size_t i = 0; i < n; i++)
            out[i] = p[i];
        break;
    case 2:
        for (size_t i = 0; i < n; i++)
            out[i] = gp_le16(p + 2 * i);
        break;
    case 3: /* constant strides let the compiler unroll */
        for (size_t i = 0; i < n; i++)
            out[i] = gp_le64(p + 3 * i) & 0xffffff;
        break;
    case 4:
        for (size_t i = 0; i < n; i++)
            out[i] = gp_le32(p + 4 * i);
        break;
    default:
        for (size_t i = 0; i < n; i++)
            out[i] = gp_le64(p + w * i) & m;
        break;
    }
}

static void unpack_sel(const uint8_t *restrict p, unsigned w, const uint32_t *sel, size_t n,
                       uint64_t *restrict out)
{
    uint64_t m = width_mask(w);

    for (size_t i = 0; i < n; i++)
        out[i] = gp_le64(p + (size_t)w * sel[i]) & m;
}

uint64_t exec_counter_sum(const exec_counter *c, const uint32_t *sel, size_t from, size_t n)
{
    uint64_t m = width_mask(c->width), sum = 0;

    if (sel)
        for (size_t i = 0; i < n; i++)
            sum += gp_le64(c->p + (size_t)c->width * sel[i]) & m;
    else
        for (size_t i = 0; i < n; i++)
            sum += gp_le64(c->p + (from + i) * c->width) & m;
    return sum;
}

/* ---- runs of equal keys ---- */

EXEC_SIMD static void mark(const uint64_t *restrict k, size_t n, uint8_t *restrict differs)
{
    for (size_t i = 1; i < n; i++)
        differs[i] = k[i] != k[i - 1];
}

EXEC_SIMD static void mark_more(const uint64_t *restrict k, size_t n, uint8_t *restrict differs)
{
    for (size_t i = 1; i < n; i++)
        differs[i] |= k[i] != k[i - 1];
}

/* sum[i] = values before row i: differences give the sums of runs without a branch on the data. */
static void running(const uint8_t *restrict p, unsigned w, const uint32_t *sel, size_t n,
                    uint64_t *restrict sum)
{
    uint64_t m = width_mask(w), s = 0;

    sum[0] = 0;
    if (sel)
        for (size_t i = 0; i < n; i++)
            sum[i + 1] = s += gp_le64(p + (size_t)w * sel[i]) & m;
    else
        for (size_t i = 0; i < n; i++)
            sum[i + 1] = s += gp_le64(p + w * i) & m;
}

/* Are n rows to be folded to m groups? */
static int fold_pays(size_t n, size_t m, exec_fold fold)
{
    return m < n && (fold == EXEC_FOLD_ALL || m <= n - n / 8);
}

/* Find the runs of equal keys; returns how many, with starts set, or 0 when folding does not pay.
 */
static size_t find_runs(exec_vec *v, unsigned kw, exec_fold fold)
{
    size_t n = v->n;

    if (n < 2 || fold == EXEC_FOLD_NO)
        return 0;
    v->differs[0] = 1;
    mark(v->k[0], n, v->differs);
    for (unsigned w = 1; w < kw; w++)
        mark_more(v->k[w], n, v->differs);
    size_t m = exec_k_count(v->differs, n);
    if (!fold_pays(n, m, fold))
        return 0;
    exec_k_select(v->differs, n, 0, v->starts);
    v->starts[m] = (uint32_t)n;
    return m;
}

/* v->c, n groups, to v->low and v->high. */
EXEC_SIMD static void side_by_side(exec_vec *v, size_t n)
{
    uint64_t any = 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t a = v->c[0][i], b = v->c[1][i], c = v->c[2][i], d = v->c[3][i];
        v->low[i] = (exec_quad){(uint32_t)a, (uint32_t)b, (uint32_t)c, (uint32_t)d};
        any |= a | b | c | d;
    }
    v->has_high = any >> 32 != 0;
    for (size_t i = 0; v->has_high && i < n; i++)
        v->high[i] = (exec_quad){(uint32_t)(v->c[0][i] >> 32), (uint32_t)(v->c[1][i] >> 32),
                                 (uint32_t)(v->c[2][i] >> 32), (uint32_t)(v->c[3][i] >> 32)};
}

#ifdef EXEC_VEC512
/* Counters of up to 32 bits, from columns to v->low at once. 0: not for these rows. */
static int counters_quads(exec_vec *v, const exec_counter cnt[4], const uint32_t *sel, size_t from,
                          size_t n, unsigned kw, exec_fold fold)
{
    exec_counter c[4];
    size_t base = sel ? sel[0] : from, span = sel ? sel[n - 1] - base + 1 : n;

    if (span > EXEC_VEC || span > 8 * n) /* of few rows far apart each value is picked instead */
        return 0;
    for (unsigned j = 0; j < 4; j++) {
        c[j] = (exec_counter){cnt[j].p + base * cnt[j].width, cnt[j].width};
        if (c[j].width > 4)
            return 0;
    }
    int folds =
        n > 1 && fold != EXEC_FOLD_NO && fold_pays(n, exec_v512_runs(v, n, kw, v->differs), fold);
    v->has_high = 0;
    if (folds && !sel)
        return exec_v512_fold_quads(v, c, n, kw, v->differs);
    exec_v512_quads(v, c, span);
    for (size_t i = 0; sel && i < n; i++)
        v->low[i] = v->low[sel[i] - base];
    return folds ? exec_v512_fold_low(v, n, kw, v->differs) : 1;
}

/* exec_vec_counters() with wide kernels. */
static void counters_wide(exec_vec *v, const exec_counter cnt[4], const uint32_t *sel, size_t from,
                          size_t n, unsigned kw, exec_fold fold)
{
    exec_counter c[4];

    if (n == 0 || counters_quads(v, cnt, sel, from, n, kw, fold))
        return;
    for (unsigned j = 0; j < 4; j++) {
        c[j] = (exec_counter){cnt[j].p + from * cnt[j].width, cnt[j].width};
        if (sel) {
            unpack_sel(cnt[j].p, cnt[j].width, sel, n, v->c[j]);
            c[j] = (exec_counter){(const uint8_t *)v->c[j], sizeof v->c[j][0]};
        }
    }
    if (n > 1 && fold != EXEC_FOLD_NO && fold_pays(n, exec_v512_runs(v, n, kw, v->differs), fold))
        exec_v512_fold(v, c, n, kw, v->differs);
    else
        for (unsigned j = 0; j < 4 && !sel; j++)
            exec_v512_unpack(c[j].p, c[j].width, n, v->c[j]);
    side_by_side(v, v->n);
}
#endif

void exec_vec_counters(exec_vec *v, const exec_counter cnt[4], const uint32_t *sel, size_t from,
                       size_t n, unsigned kw, exec_fold fold)
{
    size_t m;

    v->n = n;
#ifdef EXEC_VEC512
    if (v->wide) {
        counters_wide(v, cnt, sel, from, n, kw, fold);
        return;
    }
#endif
    m = find_runs(v, kw, fold);
    for (unsigned j = 0; j < 4; j++) {
        const uint8_t *p = sel ? cnt[j].p : cnt[j].p + from * cnt[j].width;
        if (m) {
            running(p, cnt[j].width, sel, n, v->sum);
            for (size_t r = 0; r < m; r++)
                v->c[j][r] = v->sum[v->starts[r + 1]] - v->sum[v->starts[r]];
        } else if (sel) {
            unpack_sel(p, cnt[j].width, sel, n, v->c[j]);
        } else {
            unpack(p, cnt[j].width, n, v->c[j]);
        }
    }
    for (unsigned w = 0; w < kw && m; w++)
        for (size_t r = 0; r < m; r++)
            v->k[w][r] = v->k[w][v->starts[r]];
    v->n = m ? m : n;
    side_by_side(v, v->n);
}

int exec_vec_rising(const exec_vec *v, unsigned kw)
{
    unsigned ok = 1;

    if (kw == 1) {
        for (size_t i = 1; i < v->n; i++)
            ok &= v->k[0][i - 1] < v->k[0][i];
        return (int)ok;
    }
    for (size_t i = 1; i < v->n && ok; i++) {
        unsigned less = 0, same = 1;
        for (unsigned w = 0; w < kw; w++) {
            less |= same & (v->k[w][i - 1] < v->k[w][i]);
            same &= v->k[w][i - 1] == v->k[w][i];
        }
        ok &= less;
    }
    return (int)ok;
}
