/* gen.c - deterministic, Zipf-like flows: few busy hosts, many rare ones, a fifth of them IPv6.
 *
 * A source is drawn by rank (log-uniform: the chance of rank r falls like 1/r). Each source has its
 * own list of destinations, again by rank. A pair has one service port; some flows use a port
 * of their own instead. Sizes are log-uniform too. Tuned so that 18 million rows give about 4.2
 * million (sip, dip), 9 million four-attribute and 6 million (time, sip) groups.
 */
#include "gen.h"

#include "godb/writer.h"
#include "gp/bytes.h"
#include "gp/pool.h"

#include <math.h>
#include <string.h>

enum {
    SOURCES = 60000,
    DESTS = 60000,     /* ranks of one source's list */
    EPHEMERAL_PCT = 32 /* flows on a port of their own */
};

static const double SOURCE_SHAPE = 2.6, DEST_SHAPE = 1.8;

/* splitmix64 */
static uint64_t mix64(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static double unit(uint64_t x)
{
    return (double)(x >> 11) * 0x1p-53;
}

/* 0..n-1; small ranks are likely. */
static uint32_t rank_of(uint64_t x, unsigned n, double shape)
{
    uint32_t r = (uint32_t)exp(pow(unit(x), shape) * log(n)) - 1;
    return r < n ? r : n - 1;
}

static uint64_t size_of(uint64_t x, double lo, double hi)
{
    return (uint64_t)exp(log(lo) + unit(x) * (log(hi) - log(lo)));
}

static void source(uint32_t rank, godb_row *r)
{
    if (rank % 5 == 2) { /* IPv6: sites of 256 hosts with random interface identifiers */
        r->family = 6;
        gp_put_be32(r->sip, 0x20010db8);
        gp_put_be32(r->sip + 4, 0x00010000 + rank / 256);
        gp_put_be64(r->sip + 8, mix64(rank));
    } else {
        r->family = 4;
        gp_put_be32(r->sip, 0x0a110001 + rank);
    }
}

static void dest(uint64_t id, godb_row *r)
{
    uint64_t h = mix64(id);

    if (r->family == 6) {
        gp_put_be32(r->dip, 0x2a000000 + (uint32_t)(h >> 52));
        gp_put_be32(r->dip + 4, (uint32_t)h & 0xff00);
        gp_put_be64(r->dip + 8, mix64(h));
    } else {
        gp_put_be32(r->dip, (uint32_t)(h >> 20));
    }
}

static void service(uint64_t pair, uint64_t x, godb_row *r)
{
    static const struct {
        uint8_t upto, proto;
        uint16_t port;
    } services[] = {{50, 6, 443}, {62, 17, 443}, {74, 17, 53}, {84, 6, 80},  {88, 6, 22},
                    {91, 1, 0},   {94, 17, 123}, {96, 6, 993}, {98, 6, 8080}};
    unsigned pick = (unsigned)(mix64(pair ^ 0x5555) % 100);

    r->proto = 6;
    r->dport = (uint16_t)(1024 + mix64(pair) % 8192);
    for (size_t i = GP_COUNT(services); i-- > 0;)
        if (pick < services[i].upto) {
            r->proto = services[i].proto;
            r->dport = services[i].port;
        }
    if (x % 100 < EPHEMERAL_PCT) {
        r->proto = x >> 32 & 3 ? 6 : 17;
        r->dport = (uint16_t)(1024 + (x >> 40) % 64000);
    }
    if (r->proto == 1 && r->family == 6)
        r->proto = 58;
}

static void flow(uint64_t seed, godb_row *r)
{
    uint64_t a = mix64(seed), b = mix64(a), c = mix64(b), d = mix64(c), e = mix64(d);
    uint32_t s = rank_of(a, SOURCES, SOURCE_SHAPE), t = rank_of(b, DESTS, DEST_SHAPE);
    uint64_t pair = (uint64_t)s << 32 | t;

    memset(r, 0, sizeof *r);
    source(s, r);
    dest(pair, r);
    service(pair, c, r);
    r->counter[2] = size_of(d, 1, 400);
    r->counter[3] = d % 8 == 0 ? 0 : size_of(mix64(d), 1, 250);
    r->counter[0] = r->counter[2] * size_of(e, 40, 1400);
    r->counter[1] = r->counter[3] * size_of(mix64(e), 40, 1400);
}

/* ---- blocks: two threads prepare, each for its own days, and write their own interface part ----
 */

static gp_status one_block(godb_writer *w, godb_sorter *sorter, const gen_opts *o, uint64_t number,
                           int64_t time_s, uint64_t *rows, gp_err *err)
{
    godb_rows out;

    godb_sorter_clear(sorter);
    for (unsigned i = 0; i < o->rows; i++) {
        godb_row r;
        flow(number << 24 | i, &r);
        GP_TRY(godb_sorter_add(sorter, &r));
    }
    GP_TRY(godb_sorter_finish(sorter, 0, &out, err));
    *rows += (uint64_t)out.n_v4 + out.n_v6;
    return godb_writer_append(w, time_s, &out, 0, err);
}

gp_status gen_database(const gen_opts *o, uint64_t *rows, gp_err *err)
{
    GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;
    GP_CLEANUP(godb_sorter_freep) godb_sorter *sorter = NULL;
    godb_writer_opts wo = GODB_WRITER_OPTS_INIT;

    wo.codec = o->codec;
    wo.level = o->level;
    wo.sync = GODB_SYNC_NONE;
    *rows = 0;
    GP_TRY(godb_writer_open(o->root, o->iface, &wo, &w, err));
    GP_TRY(godb_sorter_new(&sorter, err));
    for (unsigned d = 0; d < o->days; d++) {
        GP_TRY(godb_writer_begin_bulk(w, err));
        for (unsigned b = 0; b < o->blocks; b++)
            GP_TRY(
                one_block(w, sorter, o, (uint64_t)d * o->blocks + b,
                          o->first_day_s + (int64_t)d * GODB_DAY_S + (int64_t)b * GODB_BLOCK_S + 7,
                          rows, err));
        GP_TRY(godb_writer_commit(w, err));
    }
    return GP_OK;
}
