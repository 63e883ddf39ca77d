/* pred_test.c - filters and vectors: predicates against query_cond_match(), keys and counters
 * against plain loops. */
#include "gp/bytes.h"
#include "pred.h"
#include "test.h"
#include "vec.h"

enum { ROWS = EXEC_VEC };

typedef struct rows {
    uint8_t sip[ROWS * 16], dip[ROWS * 16], dport[ROWS * 2], proto[ROWS];
} rows;

static void make_rows(rows *r, test_rng *rng, unsigned width)
{
    for (unsigned i = 0; i < ROWS; i++) {
        uint8_t *a[2] = {r->sip + i * width, r->dip + i * width};
        for (int k = 0; k < 2; k++) {
            memset(a[k], 0, width);
            a[k][0] = width == 4 ? 10 : 0x20;
            a[k][1] = (uint8_t)test_rng_below(rng, 3);
            a[k][width - 1] = (uint8_t)test_rng_below(rng, 12);
        }
        gp_put_be16(r->dport + 2 * i, (uint16_t)(test_rng_below(rng, 3) ? test_rng_below(rng, 12)
                                                                        : test_rng_u64(rng)));
        r->proto[i] =
            (uint8_t)(test_rng_below(rng, 4) ? test_rng_below(rng, 8) : test_rng_u64(rng));
    }
}

static query_flow flow_at(const rows *r, unsigned i, int family)
{
    unsigned width = family == 4 ? 4 : 16;
    query_flow f = {.dport = gp_be16(r->dport + 2 * i), .proto = r->proto[i]};

    f.sip.family = f.dip.family = (uint8_t)family;
    memcpy(f.sip.bytes, r->sip + i * width, width);
    memcpy(f.dip.bytes, r->dip + i * width, width);
    return f;
}

static const char *const conditions[] = {
    "dport = 5",
    "dport != 5",
    "dport < 5",
    "dport <= 5",
    "dport > 5",
    "dport >= 5",
    "dport < 0",
    "dport >= 0",
    "dport > 65535",
    "dport <= 65535",
    "proto = 6",
    "proto != 6",
    "proto < 3",
    "proto >= 250",
    "proto > 255",
    "proto <= 255",
    "sip = 10.1.0.3",
    "sip != 10.1.0.3",
    "snet = 10.1.0.0/16",
    "dnet != 10.0.0.0/9",
    "snet = 0.0.0.0/0",
    "snet != ::/0",
    "dnet = 10.1.0.8/29",
    "sip = 2001::5",
    "dip != 2001::5",
    "snet = 2001::/15",
    "dnet = 2000::/16",
    "host = 10.2.0.1 | host = 2002::1",
    "net != 10.0.0.0/15",
    "dport = 1 | proto = 6 & dip = 10.0.0.1",
    "!(dport = 1 | proto = 6) & !(snet = 10.2.0.0/16 & dport < 100)",
    "dport=1|dport=3|dport=5|dport=7|dport=9|dport=11|dport>60000|dport=2000|dport=2001",
    "dport!=1&dport!=3&dport!=5&dport!=7&dport!=9&dport!=11&dport<60000&dport!=2000",
    "(proto=1|proto=3|proto=5|proto=7|proto=9|proto=11|proto>200|proto=20|proto=21) & dport < 9",
    "sip=10.0.0.1|sip=10.0.0.2|sip=10.0.0.3|sip=10.1.0.4|sip=10.1.0.5|sip=10.2.0.6|sip=10.2.0.7|"
    "sip=10.2.0.8|sip=1.1.1.1",
    "dip!=10.0.0.1&dip!=10.0.0.2&dip!=10.0.0.3&dip!=10.1.0.4&dip!=10.1.0.5&dip!=10.2.0.6&"
    "dip!=10.2.0.7&dip!=10.2.0.8",
    "(dip=2000::1|dip=2000::2|dip=2000::3|dip=2001::4|dip=2001::5|dip=2002::6|dip=2002::7|"
    "dip=2002::8|dip=10.0.0.1) | dport = 3",
    "sip = 10.1.0.3 & dport = 5 & sip != 10.1.0.4 & proto != 17 & dport != 9",
};

static void eval(const exec_filter *f, const exec_cols *cols, uint8_t *mask)
{
    uint8_t *one = gp_alloc(ROWS, 1), *scratch = gp_alloc((size_t)(f->depth + 1) * EXEC_VEC, 1);

    assert_true(one && scratch);
    memset(mask, f->never ? 0 : 1, ROWS);
    for (unsigned i = 0; i < f->n; i++) {
        exec_pred_eval(f->conj[i].p, cols, 0, ROWS, one, scratch);
        exec_k_and(mask, one, ROWS);
    }
    gp_free(one);
    gp_free(scratch);
}

static void test_filters(void **state)
{
    (void)state;
    test_rng rng = test_rng_new(3);
    rows *r = gp_calloc(1, sizeof *r);
    uint8_t *mask = gp_alloc(ROWS, 1);
    assert_true(r && mask);

    for (size_t k = 0; k < COUNT(conditions); k++) {
        query_cond *cond = NULL;
        gp_err err = {0};
        want_ok_err(&err, query_cond_parse(conditions[k], NULL, NULL, 0, &cond, NULL, NULL, &err));
        cond->family = QUERY_FAMILY_ANY; /* U20 has its own test below */
        for (int family = 4; family <= 6; family += 2) {
            gp_arena *arena = gp_arena_new(1 << 20);
            exec_filter f;
            make_rows(r, &rng, family == 4 ? 4 : 16);
            exec_cols cols = {.addr = {r->sip, r->dip}, .dport = r->dport, .proto = r->proto};
            want_ok_err(&err, exec_filter_build(cond, family, arena, &f, &err));
            eval(&f, &cols, mask);
            for (unsigned i = 0; i < ROWS; i++) {
                query_flow flow = flow_at(r, i, family);
                if (mask[i] != !!query_cond_match(cond, &flow))
                    fail_msg("\"%s\": IPv%d row %u: got %u", conditions[k], family, i, mask[i]);
            }
            gp_arena_free(arena);
        }
        query_cond_free(cond);
    }
    gp_free(r);
    gp_free(mask);
}

/* A filter against query_cond_match() on random rows; arena_bytes: what it may take. */
static void check_filter(const char *text, size_t arena_bytes, test_rng *rng)
{
    rows *r = gp_calloc(1, sizeof *r);
    uint8_t *mask = gp_alloc(ROWS, 1);
    gp_arena *arena = gp_arena_new(arena_bytes);
    query_cond *cond = NULL;
    exec_filter f;
    gp_err err = {0};

    assert_true(r && mask && arena);
    want_ok_err(&err, query_cond_parse(text, NULL, NULL, 0, &cond, NULL, NULL, &err));
    make_rows(r, rng, 4);
    exec_cols cols = {.addr = {r->sip, r->dip}, .dport = r->dport, .proto = r->proto};
    want_ok_err(&err, exec_filter_build(cond, 4, arena, &f, &err));
    eval(&f, &cols, mask);
    for (unsigned i = 0; i < ROWS; i++) {
        query_flow flow = flow_at(r, i, 4);
        if (mask[i] != !!query_cond_match(cond, &flow))
            fail_msg("\"%.200s\": row %u: got %u", text, i, mask[i]);
    }
    query_cond_free(cond);
    gp_arena_free(arena);
    gp_free(r);
    gp_free(mask);
}

/* "&" and "|" in any order over one column, with every operator. */
static void random_tree(gp_buf *b, test_rng *rng, const char *attr, unsigned top, unsigned levels)
{
    static const char *const ops[] = {"=", "!=", "<", "<=", ">", ">="};
    if (levels == 0) {
        unsigned v = (unsigned)test_rng_below(rng, test_rng_below(rng, 2) ? 12 : top + 1);
        gp_buf_printf(b, "%s%s%u", attr, ops[test_rng_below(rng, COUNT(ops))], v);
        return;
    }
    unsigned n = 2 + (unsigned)test_rng_below(rng, 3);
    const char *op = test_rng_below(rng, 2) ? "&" : "|";
    gp_buf_addc(b, '(');
    for (unsigned i = 0; i < n; i++) {
        if (i)
            gp_buf_adds(b, op);
        random_tree(b, rng, attr, top, (unsigned)test_rng_below(rng, levels));
    }
    gp_buf_addc(b, ')');
}

/* Thousands of terms on one column make one table, whatever they are joined by: a table a term
 * would take 8 KiB each. */
static void test_many_terms(void **state)
{
    (void)state;
    enum { TERMS = 6000, ROOM = TERMS * 300 };
    static const struct {
        const char *before, *after; /* the number */
    } pattern[] = {
        {"dport=", "|"},
        {"dport!=", "&"},
        {"dport>=", "&dport<4000|"},
        {"(dport!=", "|dport=7)&"},
    };
    test_rng rng = test_rng_new(13);
    gp_buf b = {0};

    for (size_t k = 0; k < COUNT(pattern); k++) {
        gp_buf_clear(&b);
        for (unsigned i = 0; i < TERMS; i++)
            gp_buf_printf(&b, "%s%u%s", pattern[k].before, 2 * i, pattern[k].after);
        gp_buf_adds(&b, "dport=65535");
        check_filter(gp_buf_str(&b), 2 * ROOM, &rng);
    }
    for (unsigned i = 0; i < 200; i++) {
        int port = i % 2 == 0;
        gp_buf_clear(&b);
        random_tree(&b, &rng, port ? "dport" : "proto", port ? 65535 : 255, 6);
        check_filter(gp_buf_str(&b), 1 << 20, &rng);
    }
    gp_buf_free(&b);
}

static void test_too_large(void **state)
{
    (void)state;
    query_cond *cond = NULL;
    exec_filter f;
    gp_err err = {0};
    gp_arena *arena = gp_arena_new(4096);

    want_ok(query_cond_parse(conditions[31], NULL, NULL, 0, &cond, NULL, NULL, NULL));
    want_err(GP_ELIMIT, &err, "condition too large", exec_filter_build(cond, 4, arena, &f, &err));
    gp_arena_free(arena);
    query_cond_free(cond);
}

static void test_family_rule(void **state)
{
    (void)state;
    static const struct {
        const char *cond;
        int never4, never6;
    } cases[] = {
        {"dport = 53 | sip = 192.0.2.1", 0, 1},
        {"sip != 192.0.2.1", 0, 1},
        {"dnet = 2001:db8::/32 | dport = 1", 1, 0},
        {"sip = 192.0.2.1 | sip = 2001:db8::1", 0, 0},
        {"dport = 1", 0, 0},
        {"sip = 192.0.2.1 & sip = 2001:db8::1", 1, 1}, /* nothing can match */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        query_cond *cond = NULL;
        exec_filter f4, f6;
        gp_arena *arena = gp_arena_new(1 << 20);
        want_ok(query_cond_parse(cases[i].cond, NULL, NULL, 0, &cond, NULL, NULL, NULL));
        want_ok(exec_filter_build(cond, 4, arena, &f4, NULL));
        want_ok(exec_filter_build(cond, 6, arena, &f6, NULL));
        if (f4.never != cases[i].never4 || f6.never != cases[i].never6)
            fail_msg("\"%s\": never %d %d", cases[i].cond, f4.never, f6.never);
        gp_arena_free(arena);
        query_cond_free(cond);
    }
}

static void test_select(void **state)
{
    (void)state;
    test_rng rng = test_rng_new(9);
    uint8_t mask[300];
    uint32_t out[308];

    for (unsigned n = 0; n <= 300; n++) {
        size_t want = 0;
        for (unsigned i = 0; i < n; i++)
            mask[i] = test_rng_below(&rng, 5) == 0;
        size_t m = exec_k_select(mask, n, 1000, out);
        for (unsigned i = 0; i < n; i++)
            if (mask[i])
                assert_int_equal(out[want++], 1000 + i);
        assert_int_equal(m, want);
        assert_int_equal(exec_k_count(mask, n), want);
    }
}

/* Counters of all widths, all rows or some, folded or not, by both kinds of kernels. */
static void test_counters(void **state)
{
    (void)state;
    test_rng rng = test_rng_new(11);
    exec_vec *v = gp_calloc(1, sizeof *v);
    uint8_t *raw = gp_calloc(ROWS * 8 + 16, 1);
    uint32_t *sel = gp_calloc(ROWS, sizeof *sel);
    assert_true(v && raw && sel);

    exec_vec_init(v);
    const int wide = v->wide; /* 0: this processor has only the portable ones */
    for (unsigned width = 1; width <= 8; width++)
        for (unsigned mode = 0; mode < 120; mode++) {
            int picked = mode % 2;
            unsigned gap = 1 + mode / 12 % 2 * 23; /* rows between picked ones: few, many */
            exec_fold fold = (exec_fold)(mode / 2 % 3);
            v->wide = wide & (int)(mode / 6 % 2);
            size_t n = 1 + test_rng_below(&rng, ROWS / (picked ? gap + 1 : 1) - 10),
                   from = picked ? 0 : 7, groups = 0;
            uint64_t m = width == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * width)) - 1;
            test_rng_fill(&rng, raw, ROWS * 8);
            if (mode / 24 % 2) /* small values: sums fit 32 bits */
                for (size_t i = 0; i < ROWS * width; i++)
                    raw[i] = i % width < 2 ? raw[i] : 0;
            exec_counter cnt[4] = {{raw, width}, {raw, width}, {raw, width}, {raw, width}};
            uint64_t *sum = gp_calloc(n, sizeof *sum), *key = gp_calloc(n, sizeof *key);
            assert_true(sum && key);
            for (size_t i = 0; i < n; i++) {
                sel[i] = (i ? sel[i - 1] + 1 : 0) + (uint32_t)test_rng_below(&rng, gap);
                v->k[0][i] = i / 3;
                v->k[1][i] = i / 2;
                uint64_t x = gp_le64(raw + width * (picked ? sel[i] : from + i)) & m;
                if (i && fold != EXEC_FOLD_NO && i / 3 == (i - 1) / 3 && i / 2 == (i - 1) / 2) {
                    sum[groups - 1] += x;
                } else {
                    key[groups] = v->k[1][i];
                    sum[groups++] = x;
                }
            }
            exec_vec_counters(v, cnt, picked ? sel : NULL, from, n, 2, fold);
            assert_int_equal(v->n, groups);
            for (size_t i = 0; i < groups; i++) {
                assert_true(v->k[1][i] == key[i]);
                uint64_t got[4];
                exec_vec_get(v, i, got);
                for (unsigned j = 0; j < 4; j++)
                    assert_true(got[j] == sum[i]);
            }
            gp_free(sum);
            gp_free(key);
        }
    gp_free(v);
    gp_free(raw);
    gp_free(sel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filters),   cmocka_unit_test(test_many_terms),
        cmocka_unit_test(test_too_large), cmocka_unit_test(test_family_rule),
        cmocka_unit_test(test_select),    cmocka_unit_test(test_counters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
