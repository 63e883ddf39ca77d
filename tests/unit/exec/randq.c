/* randq.c - random query types, conditions, ranges, orders and limits over the values of a
 * database.
 */
#include "randq.h"

#include "gp/addr.h"

static int chance(test_rng *rng, unsigned percent)
{
    return test_rng_below(rng, 100) < percent;
}

/* ---- conditions ---- */

static naive_cond *node(randq *r, naive_kind kind)
{
    naive_cond *c = gp_arena_alloc(r->arena, 1, sizeof *c);
    assert_non_null(c);
    c->kind = kind;
    return c;
}

static void put_op(randq *r, test_rng *rng, naive_op op)
{
    static const char *const ops[][3] = {
        {"=", "==", " eq "},  {"!=", " ne ", " neq "}, {"<", " lt ", " less "},
        {"<=", " le ", "<="}, {">", " gt ", ">"},      {">=", " ge ", " geq "},
    };
    gp_buf_adds(&r->cond, ops[op][test_rng_below(rng, 3)]);
}

static void addr_term(randq *r, const randdb *db, test_rng *rng, naive_cond *c)
{
    static const char *const plain[] = {"sip", "dip", "host"}, *const net[] = {"snet", "dnet",
                                                                               "net"};
    gp_addr a = {.family = (uint8_t)(chance(rng, 65) ? 4 : 6)};
    int is_net = chance(rng, 40);
    char text[GP_ADDR_STRLEN];

    memcpy(a.bytes,
           a.family == 4 ? db->v4[test_rng_below(rng, RANDDB_V4)]
                         : db->v6[test_rng_below(rng, RANDDB_V6)],
           16);
    c->attr = (naive_attr)test_rng_below(rng, 3);
    c->op = chance(rng, 75) ? NAIVE_EQ : NAIVE_NE;
    c->family = a.family;
    c->prefix = a.family == 4 ? 32 : 128;
    memcpy(c->addr, a.bytes, 16);
    if (is_net)
        c->prefix = (unsigned)test_rng_below(rng, c->prefix + 1);
    gp_buf_adds(&r->cond, is_net ? net[c->attr] : plain[c->attr]);
    put_op(r, rng, c->op);
    gp_addr_format(&a, text, sizeof text);
    if (is_net)
        gp_buf_printf(&r->cond, "%s/%u", text, c->prefix);
    else
        gp_buf_adds(&r->cond, text);
}

static void number_term(randq *r, const randdb *db, test_rng *rng, naive_cond *c)
{
    int port = chance(rng, 60);

    c->attr = port ? NAIVE_DPORT : NAIVE_PROTO;
    c->op = chance(rng, 50) ? NAIVE_EQ : (naive_op)test_rng_below(rng, 6);
    c->value = port ? db->ports[test_rng_below(rng, RANDDB_PORTS)]
                    : db->protos[test_rng_below(rng, RANDDB_PROTOS)];
    gp_buf_adds(&r->cond, port ? "dport" : "proto");
    put_op(r, rng, c->op);
    gp_buf_printf(&r->cond, "%u", c->value);
}

static const naive_cond *term(randq *r, const randdb *db, test_rng *rng)
{
    naive_cond *c = node(r, NAIVE_CMP);

    if (chance(rng, 50))
        addr_term(r, db, rng, c);
    else
        number_term(r, db, rng, c);
    return c;
}

static const naive_cond *tree(randq *r, const randdb *db, test_rng *rng, unsigned depth)
{
    if (depth == 0 || chance(rng, 30))
        return term(r, db, rng);
    if (chance(rng, 20)) {
        naive_cond *c = node(r, NAIVE_NOT);
        gp_buf_adds(&r->cond, "!(");
        c->l = tree(r, db, rng, depth - 1);
        gp_buf_addc(&r->cond, ')');
        return c;
    }
    naive_cond *c = node(r, chance(rng, 55) ? NAIVE_AND : NAIVE_OR);
    gp_buf_addc(&r->cond, '(');
    c->l = tree(r, db, rng, depth - 1);
    gp_buf_adds(&r->cond, c->kind == NAIVE_AND ? " & " : " or ");
    c->r = tree(r, db, rng, depth - 1);
    gp_buf_addc(&r->cond, ')');
    return c;
}

/* A long list of one attribute: these become tables and sets in the engine. */
static const naive_cond *list(randq *r, const randdb *db, test_rng *rng)
{
    unsigned n = 6 + (unsigned)test_rng_below(rng, 30);
    naive_kind kind = chance(rng, 60) ? NAIVE_OR : NAIVE_AND;
    int addr = chance(rng, 50), port = chance(rng, 50), v6 = chance(rng, 40);
    const naive_cond *all = NULL;

    for (unsigned i = 0; i < n; i++) {
        naive_cond *c = node(r, NAIVE_CMP);
        gp_buf_adds(&r->cond, i == 0 ? "(" : kind == NAIVE_OR ? " | " : " & ");
        if (addr) {
            gp_addr a = {.family = v6 ? 6 : 4};
            char text[GP_ADDR_STRLEN];
            memcpy(a.bytes,
                   v6 ? db->v6[test_rng_below(rng, RANDDB_V6)]
                      : db->v4[test_rng_below(rng, RANDDB_V4)],
                   16);
            if (chance(rng, 50))
                test_rng_fill(rng, a.bytes, v6 ? 16 : 4);
            memcpy(c->addr, a.bytes, 16);
            c->family = a.family;
            c->prefix = v6 ? 128 : 32;
            c->attr = port ? NAIVE_SIP : NAIVE_DIP;
            c->op = kind == NAIVE_OR ? NAIVE_EQ : NAIVE_NE;
            gp_addr_format(&a, text, sizeof text);
            gp_buf_printf(&r->cond, "%s %s %s", port ? "sip" : "dip", c->op ? "!=" : "=", text);
        } else {
            c->attr = port ? NAIVE_DPORT : NAIVE_PROTO;
            c->op = kind == NAIVE_OR ? (chance(rng, 80) ? NAIVE_EQ : NAIVE_GT) : NAIVE_NE;
            c->value = (unsigned)(port ? db->ports[test_rng_below(rng, RANDDB_PORTS)]
                                       : test_rng_below(rng, 256));
            gp_buf_printf(&r->cond, "%s %s %u", port ? "dport" : "proto",
                          c->op == NAIVE_EQ   ? "="
                          : c->op == NAIVE_NE ? "!="
                                              : ">",
                          c->value);
        }
        naive_cond *j = node(r, kind);
        j->l = all;
        j->r = c;
        all = all ? j : c;
    }
    gp_buf_addc(&r->cond, ')');
    return all;
}

static void condition(randq *r, const randdb *db, test_rng *rng)
{
    static const char *const dirs[] = {"", "in", "out", "uni", "bi"};
    naive_dir dir = chance(rng, 20) ? (naive_dir)(1 + test_rng_below(rng, 4)) : NAIVE_ALL;
    unsigned what = (unsigned)test_rng_below(rng, 100);

    r->q.dir = dir;
    if (dir != NAIVE_ALL)
        gp_buf_printf(&r->cond, "dir = %s%s", dirs[dir], what < 25 ? "" : " & (");
    if (what < 25) {
        r->q.cond = NULL;
        return;
    }
    r->q.cond = what < 40 ? list(r, db, rng) : tree(r, db, rng, (unsigned)test_rng_below(rng, 4));
    if (dir != NAIVE_ALL)
        gp_buf_addc(&r->cond, ')');
}

/* ---- the rest ---- */

static void key(randq *r, test_rng *rng)
{
    struct {
        const char *name;
        int *flag, on;
    } parts[] = {{"sip", &r->q.sip, 0},     {"dip", &r->q.dip, 0},   {"dport", &r->q.dport, 0},
                 {"proto", &r->q.proto, 0}, {"time", &r->q.time, 0}, {"iface", NULL, 0}};
    unsigned n = 0;

    while (n == 0)
        for (size_t i = 0; i < COUNT(parts); i++)
            n += (unsigned)(parts[i].on = chance(rng, i == 4 ? 30 : i == 5 ? 15 : 45));
    for (size_t i = COUNT(parts); i > 1; i--) { /* any order */
        size_t j = test_rng_below(rng, i);
        __typeof__(parts[0]) x = parts[i - 1];
        parts[i - 1] = parts[j];
        parts[j] = x;
    }
    for (size_t i = 0; i < COUNT(parts); i++) {
        if (!parts[i].on)
            continue;
        gp_buf_printf(&r->query, "%s%s", r->query.len ? "," : "", parts[i].name);
        if (parts[i].flag)
            *parts[i].flag = 1;
    }
}

static void interfaces(randq *r, const randdb *db, test_rng *rng)
{
    if (chance(rng, 50)) {
        gp_buf_adds(&r->ifaces, "any");
        r->q.ifaces = (1u << db->n_ifaces) - 1;
        return;
    }
    while (r->q.ifaces == 0)
        for (unsigned i = 0; i < db->n_ifaces; i++)
            if (chance(rng, 50) && !(r->q.ifaces >> i & 1)) {
                gp_buf_printf(&r->ifaces, "%s%s", r->ifaces.len ? "," : "", db->names[i]);
                r->q.ifaces |= 1u << i;
            }
}

static void range(randq *r, const randdb *db, test_rng *rng)
{
    int64_t a = 1, b = RANDDB_DAY0 + 40 * 86400;

    if (chance(rng, 50)) {
        a = db->times[test_rng_below(rng, db->n_times)] + (int64_t)test_rng_below(rng, 3) - 1;
        b = db->times[test_rng_below(rng, db->n_times)] + (int64_t)test_rng_below(rng, 3) - 1;
    }
    r->q.first_s = a < b ? a : b;
    r->q.last_s = a < b ? b : a;
    snprintf(r->first, sizeof r->first, "%lld", (long long)r->q.first_s);
    snprintf(r->last, sizeof r->last, "%lld", (long long)r->q.last_s);
}

static void resolution(randq *r, test_rng *rng)
{
    static const struct {
        const char *text;
        int64_t s;
    } bins[] = {{"10m", 600}, {"15m", 900}, {"1h", 3600}, {"24h", 86400}};
    size_t i = test_rng_below(rng, COUNT(bins));

    r->resolution = "";
    if (!r->q.time || chance(rng, 60))
        return;
    r->resolution = bins[i].text;
    r->q.bin_s = bins[i].s;
    r->bin_late = chance(rng, 30);
}

void randq_make(randq *r, const randdb *db, test_rng *rng)
{
    static const char *const sorts[] = {"bytes", "packets", "time"};

    *r = (randq){.arena = gp_arena_new(1 << 20)};
    assert_non_null(r->arena);
    key(r, rng);
    interfaces(r, db, rng);
    condition(r, db, rng);
    range(r, db, rng);
    r->q.sort = (naive_sort)test_rng_below(rng, 3);
    r->sort_by = sorts[r->q.sort];
    r->in = chance(rng, 25);
    r->out = chance(rng, 25);
    r->sum = chance(rng, 10);
    r->q.in = r->in && !r->sum;
    r->q.out = r->out && !r->sum;
    r->q.ascending = chance(rng, 30);
    r->threads = 1 + (unsigned)test_rng_below(rng, 4);
    r->low_mem = chance(rng, 10);
    resolution(r, rng);
    r->stream = chance(rng, 30) && !r->bin_late;
    r->query_text = gp_buf_str(&r->query);
    r->cond_text = gp_buf_str(&r->cond);
    r->ifaces_text = gp_buf_str(&r->ifaces);
    r->limit =
        chance(rng, 40) || r->bin_late ? 0 : 1 + test_rng_below(rng, chance(rng, 50) ? 10 : 3000);
}

void randq_free(randq *r)
{
    gp_arena_free(r->arena);
    gp_buf_free(&r->query);
    gp_buf_free(&r->cond);
    gp_buf_free(&r->ifaces);
    *r = (randq){0};
}
