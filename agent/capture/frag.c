/* frag.c - first fragments by addresses and identification: sets of four, the oldest is replaced.
 */
#include "capture/frag.h"

#include "gp/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

enum { WAYS = 4, SETS = CAPTURE_FRAGS / WAYS };

typedef struct entry {
    capture_pkt first;
    int64_t time_s;
    int used;
} entry;

struct capture_frags {
    uint64_t seed; /* remote parties choose the keys */
    entry e[SETS][WAYS];
};

gp_status capture_frags_new(capture_frags **out, gp_err *err)
{
    capture_frags *f = gp_calloc(1, sizeof *f);

    if (!f)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    if (getrandom(&f->seed, sizeof f->seed, 0) != (ssize_t)sizeof f->seed) {
        gp_free(f);
        return gp_fail(err, GP_EIO, errno, "no random seed");
    }
    *out = f;
    return GP_OK;
}

void capture_frags_free(capture_frags *f)
{
    gp_free(f);
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* IPv4 identifies a packet by addresses, protocol and identification (RFC 791), IPv6 without the
 * protocol (RFC 8200). */
static entry *set_of(capture_frags *f, const capture_pkt *p)
{
    size_t n = p->family == 6 ? 16 : 4;
    uint64_t h = f->seed ^ p->frag_id, w[4] = {0};

    memcpy(&w[0], p->src, n);
    memcpy(&w[2], p->dst, n);
    for (int i = 0; i < 4; i++)
        h = mix(h ^ w[i]);
    return f->e[h % SETS];
}

static int same_packet(const capture_pkt *a, const capture_pkt *b)
{
    size_t n = a->family == 6 ? 16 : 4;

    return a->family == b->family && a->frag_id == b->frag_id &&
           (a->family == 6 || a->proto == b->proto) && memcmp(a->src, b->src, n) == 0 &&
           memcmp(a->dst, b->dst, n) == 0;
}

void capture_frags_first(capture_frags *f, const capture_pkt *p, int64_t time_s)
{
    entry *set = set_of(f, p), *to = &set[0];

    for (int i = 0; i < WAYS; i++) {
        if (!set[i].used || same_packet(&set[i].first, p)) {
            to = &set[i];
            break;
        }
        if (set[i].time_s < to->time_s)
            to = &set[i];
    }
    *to = (entry){.first = *p, .time_s = time_s, .used = 1};
}

int capture_frags_later(capture_frags *f, capture_pkt *p, int64_t time_s)
{
    entry *set = set_of(f, p);

    for (int i = 0; i < WAYS; i++) {
        const entry *e = &set[i];
        if (!e->used || !same_packet(&e->first, p))
            continue;
        if (time_s - e->time_s > CAPTURE_FRAG_LIFE_S)
            return 0;
        p->proto = e->first.proto;
        p->sport = e->first.sport;
        p->dport = e->first.dport;
        p->aux = e->first.aux;
        return 1;
    }
    return 0;
}
