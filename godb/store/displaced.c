/* displaced.c - defect D1: decide for every block of a damaged column where its bytes are.
 *
 * The unknowns are the passes: a pass begins where the descriptors say, and from its first hit
 * block on everything lies `delta` bytes later. Block after block the two possibilities "still the
 * same pass" (at recorded offset + delta) and "a new pass begins" (at the recorded offset) are
 * tested against conditions that the truth must meet. What stays open, or was overwritten, is lost.
 */
#include "displaced.h"

#include "d1probe.h"
#include "godb/codec.h"
#include "gp/io.h"
#include "gp/mem.h"

#include <errno.h>
#include <sys/stat.h>

enum {
    SURE = 4,   /* bytes that must agree before "equal" is taken for proof */
    SLACK = 24, /* C - R is at most R / 255 + SLACK */
};

/* What is decided about one block. */
struct fate {
    int pass;          /* number of the pass it was written in */
    int open;          /* 1: nothing refuted either possibility yet */
    int proven;        /* content was verified by two copies */
    uint64_t from, to; /* bytes of the file it occupies: [from, to) */
};

struct scan {
    godb_d1file f;
    const godb_blockmeta *m;
    godb_col col;
    godb_codec *codec;
    godb_places *p;
    struct fate *fate;
    int pass;
    uint64_t delta; /* displacement in the current pass */
    int broken;     /* 1: delta is not certain any more, until a pass begins */
    /* About the latest hit block: output and raw copy end at hit_end; up to ok_lo the file is as
     * its pass left it; below ok_hi a later pass wrote (UINT64_MAX: none did). */
    uint64_t hit_from, hit_end, ok_lo, ok_hi;
    /* The content of that block if it is certain, and C with it (else NULL, borrowed): then so is
     * what its pass wrote in [known_from, hit_end), whatever is there now. */
    const uint8_t *known;
    uint64_t known_len, known_from;
    size_t verified; /* blocks before it lie, if verified, before what is looked at now */
};

int godb_displaced_possible(const godb_block *b, godb_col col)
{
    return b->codec[col] == GODB_CODEC_NULL && b->raw[col] >= GODB_D1_MIN_RAW;
}

void godb_places_free(godb_places *p)
{
    if (!p)
        return;
    for (size_t i = 0; p->v && i < p->n; i++)
        gp_free(p->v[i].bytes);
    gp_free(p->v);
    gp_free(p);
}

static const godb_block *block_of(const struct scan *s, size_t i)
{
    return &s->m->blocks[i];
}

/* Could the block's stored bytes be at `at`? 1 = nothing speaks against it. */
static gp_status possible_at(struct scan *s, size_t i, uint64_t at, int *ok, gp_err *err)
{
    const godb_block *b = block_of(s, i);
    size_t n = b->stored[s->col], rows = (size_t)b->n_v4 + b->n_v6;
    int counter = (int)s->col >= GODB_N_ATTRS;
    GP_CLEANUP(gp_freep) uint8_t *stored = NULL;
    GP_CLEANUP(gp_freep) uint8_t *raw = NULL;

    *ok = 0;
    if (!b->usable || at > s->f.size || n > s->f.size - at)
        return GP_OK;
    stored = gp_alloc(n, 1);
    raw = gp_alloc(b->raw[s->col], 1);
    if (!stored || !raw)
        return gp_fail(err, GP_ENOMEM, 0, "salvage: out of memory");
    GP_TRY(gp_pread_full(s->f.fd, stored, n, at, err));
    gp_status st =
        godb_codec_decode(s->codec, b->codec[s->col], stored, n, raw, b->raw[s->col], err);
    if (st == GP_ENOMEM)
        return st;
    size_t w = rows ? (b->raw[s->col] - 1u) / rows : 1;
    *ok = st == GP_OK && (!counter || raw[0] == w);
    return GP_OK;
}

static void place(struct scan *s, size_t i, godb_place_kind kind, uint64_t at)
{
    uint64_t n = block_of(s, i)->stored[s->col];

    s->p->v[i] = (godb_place){.kind = kind, .at = at};
    s->fate[i] = (struct fate){.pass = s->pass, .from = at, .to = at + n};
}

/* End of everything that later passes may have written, if they begin right behind block i. */
static gp_status later_end(struct scan *s, size_t i, uint64_t *end, gp_err *err)
{
    *end = s->m->append[s->col];
    for (size_t j = i + 1; j < s->m->n; j++) {
        const godb_block *b = block_of(s, j);
        godb_d1probe p;
        if (!godb_displaced_possible(b, s->col))
            continue;
        GP_TRY(godb_d1_probe(&s->f, b->offset[s->col], b->raw[s->col], &p, err));
        uint64_t to = b->offset[s->col] + p.c + b->raw[s->col];
        if (p.found && p.complete && to > *end)
            *end = to;
    }
    return GP_OK;
}

/* Output and raw copy disagree somewhere: a later pass wrote there. How far is the file intact for
 * certain, and where at the latest is it not? raw: what the output decodes to. */
static gp_status compare_copies(struct scan *s, uint64_t home, uint64_t at, uint32_t raw_len,
                                const godb_d1probe *p, const uint8_t *raw, gp_err *err)
{
    uint64_t copy_at = at + p->c, have = copy_at < s->f.size ? s->f.size - copy_at : 0;
    size_t n = have < raw_len ? (size_t)have : raw_len, same = 0, tail = 0;
    GP_CLEANUP(gp_freep) uint8_t *copy = gp_alloc(n + 1, 1);

    if (!copy)
        return gp_fail(err, GP_ENOMEM, 0, "salvage: out of memory");
    GP_TRY(gp_pread_full(s->f.fd, copy, n, copy_at, err));
    while (same < n && copy[same] == raw[same])
        same++;
    while (n == raw_len && tail < n && copy[n - 1 - tail] == raw[n - 1 - tail])
        tail++;
    s->ok_hi = n == raw_len ? copy_at + same : UINT64_MAX;
    /* Of the output of an undisplaced block only the bytes behind R could be overwritten. They end
     * in literals: equal tails show that they are not. */
    if (at == home && tail >= p->c - raw_len + SURE)
        s->ok_lo = copy_at + same;
    return GP_OK;
}

/* Content and C of block i are certain. The end of an undisplaced output lies before anything a
 * later pass could write, up to its last literals: so these are certain, too. */
static void know(struct scan *s, size_t i, uint64_t at, const godb_d1probe *p, const uint8_t *raw)
{
    uint64_t raw_len = block_of(s, i)->raw[s->col], more = p->c - raw_len;
    int plain = at == block_of(s, i)->offset[s->col] && p->tail >= more && p->tail <= raw_len;

    s->known = raw;
    s->known_len = raw_len;
    s->known_from = at + p->c - (plain ? more : 0);
}

/* Does [from, to) hold anything else now than what the pass of the latest hit block wrote there?
 * Then a later pass did. */
static gp_status changed_since(struct scan *s, uint64_t from, uint64_t to, int *changed,
                               gp_err *err)
{
    GP_CLEANUP(gp_freep) uint8_t *now = NULL;

    *changed = 0;
    from = from > s->known_from ? from : s->known_from;
    to = to < s->hit_end ? to : s->hit_end;
    to = to < s->f.size ? to : s->f.size;
    if (!s->known || from >= to)
        return GP_OK;
    now = gp_alloc((size_t)(to - from), 1);
    if (!now)
        return gp_fail(err, GP_ENOMEM, 0, "salvage: out of memory");
    GP_TRY(gp_pread_full(s->f.fd, now, (size_t)(to - from), from, err));
    uint64_t copy_at = s->hit_end - s->known_len;
    for (uint64_t q = from; q < to && !*changed; q++) {
        uint64_t back = (q < copy_at ? copy_at : s->hit_end) - q; /* from the end of the content */
        *changed = now[q - from] != s->known[s->known_len - back];
    }
    return GP_OK;
}

/* C is known: find the content, and what it says about the passes. */
static gp_status salvage(struct scan *s, size_t i, uint64_t at, const godb_d1probe *p,
                         uint8_t **raw, gp_err *err)
{
    const godb_block *b = block_of(s, i);
    uint32_t raw_len = b->raw[s->col];
    uint64_t next = b->offset[s->col] + raw_len, later = 0;
    int last = next >= s->m->append[s->col];
    godb_d1salvage got;

    s->fate[i].to = s->hit_end = at + p->c + raw_len;
    GP_TRY(godb_d1_salvage(&s->f, at, raw_len, p, UINT64_MAX, UINT64_MAX, *raw, &got, err));
    int whole = got.whole;
    if (got.twice) {
        s->p->v[i].kind = GODB_PLACE_MOVED;
        s->p->v[i].at = at + p->c;
        s->fate[i].proven = 1;
        s->ok_lo = s->hit_end;
        s->ok_hi = UINT64_MAX;
        return GP_OK;
    }
    GP_TRY(godb_d1_salvage(&s->f, at, raw_len, p, at + p->c, UINT64_MAX, *raw, &got, err));
    if (got.whole)
        GP_TRY(compare_copies(s, b->offset[s->col], at, raw_len, p, *raw, err));
    if (!whole || !last) { /* somebody wrote behind the recorded end since */
        GP_TRY(later_end(s, i, &later, err));
        GP_TRY(godb_d1_salvage(&s->f, at, raw_len, p, next, later, *raw, &got, err));
        whole = got.whole;
    }
    if (whole) {
        s->p->v[i].kind = GODB_PLACE_BYTES;
        s->p->v[i].bytes = *raw;
        s->fate[i].proven = 1;
        if (got.agreed >= GODB_D1_MIN_OVERLAP)
            know(s, i, at, p, *raw);
        *raw = NULL;
    }
    return GP_OK;
}

/* Block i was hit, its codec output begins at `at`. */
static gp_status hit(struct scan *s, size_t i, uint64_t at, const godb_d1probe *p, gp_err *err)
{
    uint32_t raw_len = block_of(s, i)->raw[s->col];
    uint64_t more = raw_len / 255 + SLACK; /* at least C - R */
    GP_CLEANUP(gp_freep) uint8_t *raw = gp_alloc(raw_len, 1);

    if (!raw)
        return gp_fail(err, GP_ENOMEM, 0, "salvage: out of memory");
    place(s, i, GODB_PLACE_LOST, at);
    s->p->v[i].hit = 1;
    s->hit_from = at;
    s->known = NULL;
    s->delta += p->complete ? p->c : raw_len + more;
    s->broken |= !p->complete;
    s->ok_lo = block_of(s, i)->offset[s->col] + raw_len; /* no later pass writes below that */
    s->ok_hi = at + raw_len + more;
    s->hit_end = at + 2 * (uint64_t)raw_len + more;
    return p->complete ? salvage(s, i, at, p, &raw, err) : GP_OK;
}

/* A pass begins at block i (or goes on undisplaced): its bytes are where the descriptor says. */
static gp_status at_home(struct scan *s, size_t i, gp_err *err)
{
    const godb_block *b = block_of(s, i);
    uint64_t at = b->offset[s->col];
    godb_d1probe p = {0};

    if (s->delta > 0) {
        s->delta = 0;
        s->broken = 0;
        s->known = NULL;
        s->pass++;
    }
    if (godb_displaced_possible(b, s->col))
        GP_TRY(godb_d1_probe(&s->f, at, b->raw[s->col], &p, err));
    if (p.found)
        return hit(s, i, at, &p, err);
    place(s, i, GODB_PLACE_HOME, at);
    return GP_OK;
}

/* The pass goes on: delta bytes behind the recorded offset. */
static gp_status at_delta(struct scan *s, size_t i, int open, gp_err *err)
{
    const godb_block *b = block_of(s, i);
    uint64_t at = b->offset[s->col] + s->delta;
    godb_d1probe p = {0};

    if (!s->broken && godb_displaced_possible(b, s->col))
        GP_TRY(godb_d1_probe(&s->f, at, b->raw[s->col], &p, err));
    if (p.found)
        return hit(s, i, at, &p, err);
    place(s, i, s->broken ? GODB_PLACE_LOST : GODB_PLACE_MOVED, at);
    s->fate[i].open = open && !s->broken;
    return GP_OK;
}

/* Do bytes [from, to) lie where an earlier block of this pass is proven to be still intact? */
static int still_there(struct scan *s, size_t i, uint64_t from, uint64_t to)
{
    if (from >= s->hit_from)
        return to <= s->ok_lo;
    while (s->verified < i) { /* rises with the recorded offsets */
        const struct fate *f = &s->fate[s->verified];
        int twice = f->proven && s->p->v[s->verified].kind == GODB_PLACE_MOVED;
        if (twice && f->pass == s->pass && f->to >= to)
            return f->from <= from;
        s->verified++;
    }
    return 0;
}

/* One block while delta > 0. */
static gp_status decide(struct scan *s, size_t i, gp_err *err)
{
    const godb_block *b = block_of(s, i);
    uint64_t home = b->offset[s->col], n = b->stored[s->col];
    /* Decoding with a codec is proof; a width byte is not, but a wrong one disproves. */
    int proof = b->codec[s->col] != GODB_CODEC_NULL || b->n_v4 + b->n_v6 == 0;
    int intact = s->ok_lo == s->hit_end && !s->broken, home_ok = 0, moved_ok = 0, changed = 0;

    if (n >= SURE && still_there(s, i, home, home + n))
        return at_delta(s, i, 0, err); /* the earlier pass's bytes are still there */
    if (home + n > s->ok_hi)
        return at_home(s, i, err); /* a later pass wrote before the end of this block */
    if (godb_displaced_possible(b, s->col)) {
        godb_d1probe p = {0}; /* a hit block betrays itself */
        GP_TRY(godb_d1_probe(&s->f, home, b->raw[s->col], &p, err));
        if (p.found)
            return at_home(s, i, err);
        if (!s->broken)
            GP_TRY(godb_d1_probe(&s->f, home + s->delta, b->raw[s->col], &p, err));
        if (p.found)
            return at_delta(s, i, 0, err);
    }
    GP_TRY(possible_at(s, i, home, &home_ok, err));
    if (home_ok && !s->broken) /* then whoever wrote there began his pass with this block */
        GP_TRY(changed_since(s, home, home + n, &changed, err));
    if (changed)
        return at_home(s, i, err);
    if (intact) /* otherwise delta may be a guess, and what lies there is overwritten */
        GP_TRY(possible_at(s, i, home + s->delta, &moved_ok, err));
    if (home_ok && intact && home + s->delta + n > s->f.size)
        return at_home(s, i, err); /* it cannot be the other way: files do not shrink */
    if (home_ok && !moved_ok && proof)
        return at_home(s, i, err);
    if (moved_ok && (!home_ok || !proof))
        return at_delta(s, i, home_ok, err);
    place(s, i, GODB_PLACE_LOST, home);
    s->broken |= godb_displaced_possible(b, s->col); /* was it hit, too? */
    return GP_OK;
}

/* Open blocks are settled by the next decided one of the same pass, or by the file's length: a pass
 * that nobody wrote behind ends the file exactly at its own end. */
static void settle_open(struct scan *s)
{
    int ok = s->f.size == s->m->append[s->col] + s->delta, pass = s->pass;

    for (size_t i = s->m->n; i-- > 0;) {
        if (block_of(s, i)->stored[s->col] == 0)
            continue;
        if (s->fate[i].pass != pass) {
            pass = s->fate[i].pass;
            ok = 0;
        }
        if (!s->fate[i].open)
            ok = s->p->v[i].kind != GODB_PLACE_LOST;
        else if (!ok)
            s->p->v[i].kind = GODB_PLACE_LOST;
    }
}

/* Blocks of an earlier pass that lie where a later pass wrote. */
static void bury_overwritten(struct scan *s)
{
    uint64_t low = UINT64_MAX; /* lowest byte written by passes after that of block i */
    uint64_t low_here = UINT64_MAX;
    int pass = s->pass;

    for (size_t i = s->m->n; i-- > 0;) {
        if (block_of(s, i)->stored[s->col] == 0)
            continue;
        struct fate *f = &s->fate[i];
        if (f->pass != pass) {
            pass = f->pass;
            low = low_here < low ? low_here : low;
        }
        if (f->from < low_here)
            low_here = f->from;
        if (!f->proven && s->p->v[i].kind == GODB_PLACE_MOVED && f->to > low)
            s->p->v[i].kind = GODB_PLACE_LOST;
        if (s->p->v[i].kind == GODB_PLACE_LOST && !s->p->v[i].hit &&
            block_of(s, i)->offset[s->col] < low) /* it may have begun a pass */
            low = block_of(s, i)->offset[s->col];
    }
}

static gp_status resolve(struct scan *s, gp_err *err)
{
    for (size_t i = 0; i < s->m->n; i++) {
        if (block_of(s, i)->stored[s->col] == 0) {
            s->p->v[i].kind = GODB_PLACE_HOME;
            continue;
        }
        if (s->delta == 0)
            GP_TRY(at_home(s, i, err));
        else
            GP_TRY(decide(s, i, err));
    }
    settle_open(s);
    bury_overwritten(s);
    return GP_OK;
}

/* The first hit block of a pass is where its descriptor says, so a column without one is sound. */
static gp_status any_hit(const godb_d1file *f, const godb_blockmeta *m, godb_col col,
                         int (*skip)(const void *, size_t), const void *ctx, int *found,
                         gp_err *err)
{
    *found = 0;
    for (size_t i = 0; i < m->n && !*found; i++) {
        const godb_block *b = &m->blocks[i];
        godb_d1probe p;
        if (!godb_displaced_possible(b, col) || (skip && skip(ctx, i)))
            continue;
        GP_TRY(godb_d1_probe(f, b->offset[col], b->raw[col], &p, err));
        *found = p.found;
    }
    return GP_OK;
}

gp_status godb_displaced_scan(int fd, const godb_blockmeta *m, godb_col col,
                              int (*skip)(const void *ctx, size_t block), const void *ctx,
                              godb_places **out, gp_err *err)
{
    struct stat st;
    int found = 0;

    if (fstat(fd, &st) != 0)
        return gp_fail(err, GP_EIO, errno, "%s", godb_col_file(col));
    struct scan s = {.f = {.fd = fd, .size = (uint64_t)st.st_size}, .m = m, .col = col};
    GP_TRY(any_hit(&s.f, m, col, skip, ctx, &found, err));
    if (!found)
        return GP_OK;
    GP_CLEANUP(gp_freep) struct fate *fate = gp_calloc(m->n, sizeof *fate);
    s.fate = fate;
    s.p = gp_calloc(1, sizeof *s.p);
    if (s.p)
        s.p->v = gp_calloc(m->n, sizeof *s.p->v);
    gp_status res = fate && s.p && s.p->v ? godb_codec_new(&s.codec, err)
                                          : gp_fail(err, GP_ENOMEM, 0, "salvage: out of memory");
    if (res == GP_OK) {
        s.p->n = m->n;
        res = resolve(&s, err);
    }
    godb_codec_free(s.codec);
    if (res != GP_OK) {
        godb_places_free(s.p);
        return res;
    }
    *out = s.p;
    return GP_OK;
}
