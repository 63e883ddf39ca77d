/* cond_property_test.c - random condition trees against a naive evaluation. */
#include "query/cond.h"

#include "gp/bytes.h"
#include "test.h"

enum { MAX_NODES = 200, FLOWS = 24 };

/* The model: a tree as a person would think of it, with values from a small pool so that they hit.
 */
typedef struct model model;
struct model {
    enum { M_CMP, M_AND, M_OR, M_NOT } kind;
    model *a, *b;
    int attr; /* index into ATTRS */
    int op;   /* index into OPS */
    int value;
};

static const char *const ATTRS[][4] = {
    {"sip", "src", NULL, NULL},    {"dip", "dst", NULL, NULL},
    {"snet", NULL, NULL, NULL},    {"dnet", NULL, NULL, NULL},
    {"host", NULL, NULL, NULL},    {"net", NULL, NULL, NULL},
    {"dport", "port", NULL, NULL}, {"proto", "protocol", "ipproto", NULL},
};
enum { SIP, DIP, SNET, DNET, HOST, NET, DPORT, PROTO };

static const char *const OPS[6][6] = {
    {"=", "==", "===", " eq ", " -eq ", " equals "},
    {"!=", "!==", " ne ", " -ne ", " neq ", " -neq "},
    {"<", " l ", " -l ", " lt ", " -lt ", " less "},
    {"<=", "<==", " le ", " -le ", " leq ", " -leq "},
    {">", " g ", " -g ", " gt ", " -gt ", " greater "},
    {">=", ">==", " ge ", " -ge ", " geq ", " -geq "},
};

static const char *const ADDRS[] = {
    "10.0.0.1", "10.0.0.2", "32.1.13.184", "2001:db8::", "2001:db8::1", "::1", "255.255.255.255"};
static const struct {
    const char *text, *addr;
    int bits;
} NETS[] = {{"10.0.0.0/8", "10.0.0.0", 8},
            {"10.0.0.2/31", "10.0.0.2", 31},
            {"32.0.0.0/5", "32.0.0.0", 5},
            {"0.0.0.0/0", "0.0.0.0", 0},
            {"2001:db8::/32", "2001:db8::", 32},
            {"2001:db8::/127", "2001:db8::", 127},
            {"::/0", "::", 0},
            {"2001:d00::/21", "2001:d00::", 21}};
static const struct {
    const char *text;
    unsigned n;
} PROTOS[] = {{"6", 6}, {"tcp", 6},   {"UDP", 17},      {"tp++", 39},
              {"0", 0}, {"255", 255}, {"ipv6-icmp", 58}};
static const unsigned PORTS[] = {0, 53, 80, 443, 65535};

static model *random_tree(test_rng *r, model *pool, size_t *used, unsigned depth)
{
    model *m = &pool[(*used)++];
    unsigned pick = (unsigned)test_rng_below(r, 10);

    *m = (model){0};
    if (depth == 0 || pick < 3 || *used + 4 > MAX_NODES) {
        m->kind = M_CMP;
        m->attr = (int)test_rng_below(r, COUNT(ATTRS));
        m->op = (int)test_rng_below(r, m->attr >= DPORT ? 6 : 2);
        m->value = (int)test_rng_below(r, 840); /* reduced by the pool's size */
        return m;
    }
    m->kind = pick < 5 ? M_NOT : pick < 7 ? M_AND : M_OR;
    m->a = random_tree(r, pool, used, depth - 1);
    if (m->kind != M_NOT)
        m->b = random_tree(r, pool, used, depth - 1);
    return m;
}

static void blanks(test_rng *r, gp_buf *b)
{
    static const char *const some[] = {"", "", " ", "  ", "\t", "\n"};
    gp_buf_adds(b, some[test_rng_below(r, COUNT(some))]);
}

static void write_cmp(test_rng *r, const model *m, gp_buf *b)
{
    size_t n = 0;

    while (n < 4 && ATTRS[m->attr][n])
        n++;
    blanks(r, b);
    gp_buf_adds(b, ATTRS[m->attr][test_rng_below(r, n)]);
    blanks(r, b);
    gp_buf_adds(b, OPS[m->op][test_rng_below(r, 6)]);
    blanks(r, b);
    if (m->attr == DPORT)
        gp_buf_printf(b, "%s%u", test_rng_below(r, 4) ? "" : "00", PORTS[m->value % 5]);
    else if (m->attr == PROTO)
        gp_buf_adds(b, PROTOS[m->value % 7].text);
    else if (m->attr == SNET || m->attr == DNET || m->attr == NET)
        gp_buf_adds(b, NETS[m->value % 8].text);
    else
        gp_buf_adds(b, ADDRS[m->value % 7]);
}

/* Any spelling of the tree; brackets where they are needed, and sometimes where not. */
static void write_tree(test_rng *r, const model *m, int above, gp_buf *b)
{
    static const char *const ands[] = {" and ", "&", " && ", "\nAND\t", " & ", " * "};
    static const char *const ors[] = {" or ", "|", " || ", "\tOR\n", " | ", " + "};
    static const char *const open[] = {"(", "[", "{"}, *const close[] = {")", "]", "}"};
    int level = m->kind == M_OR ? 0 : m->kind == M_AND ? 1 : m->kind == M_NOT ? 2 : 3;
    int bracket = level < above || (m->kind == M_NOT && above == 2) || test_rng_below(r, 8) == 0;

    if (bracket)
        gp_buf_adds(b, open[test_rng_below(r, 3)]);
    blanks(r, b);
    switch (m->kind) {
    case M_CMP:
        write_cmp(r, m, b);
        break;
    case M_NOT:
        gp_buf_adds(b, test_rng_below(r, 2) ? "!"
                       : b->len && b->data[b->len - 1] > ' ' && !strchr("([{", b->data[b->len - 1])
                           ? " not "
                           : "not ");
        write_tree(r, m->a, 2, b);
        break;
    case M_AND:
    case M_OR:
        write_tree(r, m->a, level, b);
        gp_buf_adds(b, (m->kind == M_AND ? ands : ors)[test_rng_below(r, 6)]);
        write_tree(r, m->b, level, b);
        break;
    }
    blanks(r, b);
    if (bracket)
        gp_buf_adds(b, close[test_rng_below(r, 3)]);
}

/* Bit by bit, as a definition would say it. */
static int naive_in_net(const gp_addr *a, const char *net, int bits)
{
    gp_addr n = {0};

    assert_true(gp_addr_parse(net, strlen(net), &n));
    if (n.family != a->family)
        return 0;
    for (int i = 0; i < bits; i++)
        if (((n.bytes[i / 8] ^ a->bytes[i / 8]) >> (7 - i % 8)) & 1)
            return 0;
    return 1;
}

static int naive_address(const model *m, const gp_addr *a)
{
    if (m->attr == SNET || m->attr == DNET || m->attr == NET)
        return naive_in_net(a, NETS[m->value % 8].addr, NETS[m->value % 8].bits);
    const char *text = ADDRS[m->value % 7];
    return naive_in_net(a, text, strchr(text, ':') ? 128 : 32);
}

static int naive_compare(unsigned a, int op, unsigned b)
{
    switch (op) {
    case 0:
        return a == b;
    case 1:
        return a != b;
    case 2:
        return a < b;
    case 3:
        return a <= b;
    case 4:
        return a > b;
    default:
        return a >= b;
    }
}

static int naive(const model *m, const query_flow *f)
{
    int is;

    switch (m->kind) {
    case M_NOT:
        return !naive(m->a, f);
    case M_AND:
        return naive(m->a, f) && naive(m->b, f);
    case M_OR:
        return naive(m->a, f) || naive(m->b, f);
    case M_CMP:
        break;
    }
    switch (m->attr) {
    case DPORT:
        return naive_compare(f->dport, m->op, PORTS[m->value % 5]);
    case PROTO:
        return naive_compare(f->proto, m->op, PROTOS[m->value % 7].n);
    case SIP:
    case SNET:
        is = naive_address(m, &f->sip);
        break;
    case DIP:
    case DNET:
        is = naive_address(m, &f->dip);
        break;
    default:
        is = naive_address(m, &f->sip) || naive_address(m, &f->dip);
        break;
    }
    return m->op == 0 ? is : !is;
}

static query_flow random_flow(test_rng *r)
{
    query_flow f = {.dport = (uint16_t)PORTS[test_rng_below(r, 5)],
                    .proto = (uint8_t)PROTOS[test_rng_below(r, 7)].n};
    const char *s = ADDRS[test_rng_below(r, 7)], *d = ADDRS[test_rng_below(r, 7)];

    assert_true(gp_addr_parse(s, strlen(s), &f.sip));
    assert_true(gp_addr_parse(d, strlen(d), &f.dip));
    if (test_rng_below(r, 4) == 0)
        f.dport = (uint16_t)test_rng_u64(r);
    return f;
}

static query_cond *parse(const char *text)
{
    query_cond *q = NULL;
    char *message = NULL;
    gp_status st = query_cond_parse(text, NULL, NULL, 0, &q, NULL, &message, NULL);

    if (st != GP_OK)
        fail_msg("%s\n%s", text, message);
    return q;
}

/* Text to tree to evaluation, and the same by way of the two printed forms. */
static void test_random_trees(void **state)
{
    test_rng r = test_rng_new(20240501);
    model pool[MAX_NODES];
    size_t yes = 0, no = 0;

    (void)state;
    for (size_t round = 0; round < test_rounds(20000); round++) {
        size_t used = 0;
        gp_buf b = {0};
        model *m = random_tree(&r, pool, &used, (unsigned)test_rng_below(&r, 8));
        write_tree(&r, m, 0, &b);
        const char *text = gp_buf_str(&b);
        query_cond *q = parse(text), *by_stmt = parse(q->statement_text), *by_text = parse(q->text);
        assert_string_equal(by_stmt->text, q->text);
        assert_string_equal(by_text->text, q->text);
        for (int i = 0; i < FLOWS; i++) {
            query_flow f = random_flow(&r);
            int want = naive(m, &f);
            if (query_cond_match(q, &f) != want || query_cond_match(by_text, &f) != want)
                fail_msg("round %zu: want %d for flow %d of: %s\nresult form %s", round, want, i,
                         text, q->text);
            *(want ? &yes : &no) += 1;
        }
        query_cond_free(q);
        query_cond_free(by_stmt);
        query_cond_free(by_text);
        gp_buf_free(&b);
    }
    assert_true(yes > no / 10 && no > yes / 10); /* the test sees both outcomes often */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_trees)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
