/* oom_test.c - the n-th allocation fails, for every n: reported as such, nothing leaked.
 *
 * The linker's --wrap puts the functions below in front of libc's, for this program only (jansson,
 * PCRE2 and c-ares are shared libraries and keep theirs).
 */
#include "query/stmt.h"
#include "query/tokens.h"

#include "test.h"

static long countdown; /* 1: the next allocation fails; 0: none does */
static int tripped;    /* one did */
static long live;      /* allocations not freed */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);

static int trip(void)
{
    if (countdown == 0 || --countdown > 0)
        return 0;
    tripped = 1;
    return 1;
}

static void *counted(void *p)
{
    live += p != NULL;
    return p;
}

void *__wrap_malloc(size_t n)
{
    return trip() ? NULL : counted(__real_malloc(n));
}

void *__wrap_calloc(size_t n, size_t size)
{
    return trip() ? NULL : counted(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t n)
{
    if (trip())
        return NULL;
    void *q = __real_realloc(p, n);
    live += q && !p;
    return q;
}

void __wrap_free(void *p)
{
    live -= p != NULL;
    __real_free(p);
}

static gp_status two(void *ctx, const char *const *names, size_t n, int64_t timeout_ns,
                     query_addrs *out, gp_err *err)
{
    (void)ctx;
    (void)timeout_ns;
    for (size_t i = 0; i < n; i++) {
        out[i].v = gp_calloc(2, sizeof *out[i].v);
        if (!out[i].v)
            return gp_fail(err, GP_ENOMEM, 0, "%s", names[i]);
        out[i].n = 2;
        out[i].v[0] = (gp_addr){6, {0x20, 1}};
        out[i].v[1] = (gp_addr){4, {10}};
    }
    return GP_OK;
}

static const char GOOD[] =
    "{\"query\":\"time,raw\",\"ifaces\":\"any,!eth0\",\"condition\":\"dir = in & (host = n or ! "
    "port < 5 "
    "or proto = tcp) & (snet = 10.0.0.0/8 | dip = m | port = 1 | port = 2)\",\"first\":\"-1d\","
    "\"caller\":\"x\"}";
static const char BAD[] =
    "{\"query\":\"sip,foo\",\"ifaces\":\"\",\"format\":\"jsn\",\"sort_by\":\"bytez\",\"first\":"
    "\"x\","
    "\"last\":\"-1d\",\"condition\":\"sipp = 1 & port = 2\",\"max_mem_pct\":-5,\"keepalive\":-1,"
    "\"live\":true,\"dns_resolution\":{\"enabled\":true,\"timeout\":-1,\"max_rows\":-1}}";
static const char PATTERN[] =
    "{\"query\":\"sip\",\"ifaces\":\"/eth/\",\"condition\":\"port = 1 & dir = x\"}";

/* From JSON to a statement or its problems, and all their texts. */
static gp_status everything(const char *json)
{
    query_env env = {.now_s = 1907755200, .lookup = two, .api_defaults = 1};
    query_args a = {0}, again = {0};
    query_stmt *s = NULL;
    query_problems p = {0};
    gp_buf b = {0};
    gp_status st = query_args_init(&a);

    if (st == GP_OK)
        st = query_args_from_json(&a, json, strlen(json), NULL);
    if (st == GP_OK)
        st = query_prepare(&a, &env, &s, &p, NULL);
    assert_true((st == GP_OK) == (s != NULL));
    query_problems_format(&p, &b);
    query_problems_hints(&p, &b);
    query_problems_to_json(&p, &b);
    if (s) {
        query_error_dump(s, "x", &b);
        query_stmt_to_json(s, &b);
        query_args_to_json(&s->args, &b);
        if (query_args_copy(&again, &s->args) != GP_OK)
            st = GP_ENOMEM;
    }
    if (b.failed)
        st = GP_ENOMEM;
    query_stmt_free(s);
    query_problems_clear(&p);
    query_args_clear(&a);
    query_args_clear(&again);
    gp_buf_free(&b);
    return st;
}

static void every_allocation(const char *what, gp_status want, gp_status (*run)(const char *),
                             const char *text)
{
    long n = 1;

    for (;; n++) {
        countdown = n;
        tripped = 0;
        long before = live;
        gp_status st = run(text);
        countdown = 0;
        if (live != before)
            fail_msg("%s: allocation %ld fails: %ld left behind", what, n, live - before);
        if (!tripped) {
            if (st != want)
                fail_msg("%s: undisturbed: status %d", what, st);
            break;
        }
        if (st != GP_ENOMEM && (st == GP_OK || st != want)) /* a missing hint is no failure */
            fail_msg("%s: allocation %ld fails: status \"%s\"", what, n, gp_status_name(st));
    }
    if (n < 3)
        fail_msg("%s: only %ld allocations", what, n - 1);
}

static void test_statements(void **state)
{
    (void)state;
    every_allocation("good arguments", GP_OK, everything, GOOD);
    every_allocation("bad arguments", GP_EINVAL, everything, BAD);
    every_allocation("pattern", GP_EINVAL, everything, PATTERN);
}

static gp_status api(const char *text)
{
    query_args a = {0};
    query_problems p = {0};
    gp_status st = query_args_from_api(&a, text, strlen(text), &p, NULL);

    query_args_clear(&a);
    query_problems_clear(&p);
    return st;
}

static gp_status expand(const char *text)
{
    char *s = query_fields_expand_host(text), *c = query_cond_sanitise(text);
    gp_status st = s && c ? GP_OK : GP_ENOMEM;

    gp_free(s);
    gp_free(c);
    return st;
}

static gp_status condition(const char *text)
{
    query_cond *q = NULL;
    query_caret caret = {0};
    char *message = NULL;
    gp_status st = query_cond_parse(text, two, NULL, 1, &q, &caret, &message, NULL);

    if (st == GP_EINVAL && !message) /* the only thing that can still fail then */
        st = GP_ENOMEM;
    query_cond_free(q);
    query_caret_clear(&caret);
    gp_free(message);
    return st;
}

static gp_status select_ifaces(const char *text)
{
    char name[] = "eth0", *all[] = {name};
    const char **v = NULL;
    size_t n = 0;
    query_ifsel *s = NULL;
    gp_status st = query_ifsel_parse(text, &s, NULL);

    if (st == GP_OK)
        st = query_ifsel_select(s, all, 1, &v, &n, NULL);
    gp_free(v);
    query_ifsel_free(s);
    return st;
}

static void test_parts(void **state)
{
    gp_buf big = {0};

    (void)state;
    every_allocation("expanding", GP_OK, expand, "talk_conv");
    every_allocation("a condition", GP_OK, condition, "sip = n | (! dip = m & port = 1)");
    every_allocation("a bad condition", GP_EINVAL, condition,
                     "sip = n | ((! dip = m & port = 1) | x");
    every_allocation("an API request", GP_OK, api, "{\"query\":\"sip\",\"ifaces\":\"any\"}");
    every_allocation("a bad API request", GP_EINVAL, api, "{\"query\":1,\"x\":2,\"in\":true}");
    every_allocation("interfaces", GP_OK, select_ifaces, "eth0,eth1,!eth2");
    for (int i = 0; i < 2000; i++)
        gp_buf_printf(&big, "%s((port = %d & (port = 1 | sip = n)))", i ? " | " : "", i);
    every_allocation("a long condition", GP_OK, condition, gp_buf_str(&big));
    gp_buf_free(&big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statements),
        cmocka_unit_test(test_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
