/* cond_eval_test.c - table E: conditions on the micro data set, row by row. */
#include "query/cond.h"

#include "cases.h"
#include "gp/num.h"

/* One aggregated row of `sip,dport`. */
typedef struct group {
    gp_addr sip;
    uint16_t dport;
    uint64_t pr, ps, bytes;
} group;

typedef struct groups {
    group v[16];
    size_t n;
} groups;

static uint64_t number(const char *s)
{
    uint64_t v;

    assert_true(gp_num_u64(s, strlen(s), UINT64_MAX, &v));
    return v;
}

static void add(groups *g, const query_flow *f, const char *const *r)
{
    size_t i = 0;

    while (i < g->n && (gp_addr_cmp(&g->v[i].sip, &f->sip) != 0 || g->v[i].dport != f->dport))
        i++;
    if (i == g->n) {
        assert_true(g->n < COUNT(g->v));
        g->v[g->n++] = (group){.sip = f->sip, .dport = f->dport};
    }
    g->v[i].pr += number(r[6]);
    g->v[i].ps += number(r[7]);
    g->v[i].bytes += number(r[8]) + number(r[9]);
}

/* Rows of eth0 that the condition takes, with the rule of U20 that a planner applies. */
static groups aggregate(const query_cond *q, const case_table *flows)
{
    groups g = {0};

    for (size_t i = 0; i < flows->n; i++) {
        const char *const *r = flows->row[i];
        query_flow f = {.dport = (uint16_t)number(r[4]), .proto = (uint8_t)number(r[5])};
        if (strcmp(r[1], "eth0") != 0)
            continue;
        assert_true(gp_addr_parse(r[2], strlen(r[2]), &f.sip));
        assert_true(gp_addr_parse(r[3], strlen(r[3]), &f.dip));
        if (q->family != QUERY_FAMILY_ANY && (int)q->family != f.sip.family)
            continue;
        if (query_cond_match(q, &f))
            add(&g, &f, r);
    }
    return g;
}

static int by_bytes(const void *a, const void *b)
{
    const group *x = a, *y = b;

    return (x->bytes < y->bytes) - (x->bytes > y->bytes);
}

/* "10.0.0.1/80/30/3000,..." or "-". */
static const char *text(groups *g, query_dirfilter filter, gp_buf *b)
{
    qsort(g->v, g->n, sizeof g->v[0], by_bytes);
    gp_buf_clear(b);
    for (size_t i = 0; i < g->n; i++) {
        const group *k = &g->v[i];
        char addr[GP_ADDR_STRLEN];
        if (!query_dirfilter_match(filter, k->pr, k->ps))
            continue;
        gp_addr_format(&k->sip, addr, sizeof addr);
        gp_buf_printf(b, "%s%s/%u/%" PRIu64 "/%" PRIu64, b->len ? "," : "", addr, k->dport,
                      k->pr + k->ps, k->bytes);
    }
    return b->len ? gp_buf_str(b) : "-";
}

static void test_table(void **state)
{
    case_table c = cases_load("evaluation", 22), flows = cases_load("micro-flows", 9);
    gp_buf b = {0};

    (void)state;
    for (size_t i = 0; i < c.n; i++) {
        GP_CLEANUP(query_cond_freep) query_cond *q = NULL;
        const char **r = c.row[i];
        want_ok(query_cond_parse(r[1], NULL, NULL, 0, &q, NULL, NULL, NULL));
        groups g = aggregate(q, &flows);
        const char *got = text(&g, q->dirfilter, &b);
        if (strcmp(got, r[2]) != 0)
            fail_msg("%s: %s: got %s, want %s", r[0], r[1], got, r[2]);
    }
    gp_buf_free(&b);
    cases_free(&flows);
    cases_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
