/* fuzz_query_cond.c - conditions: whatever is accepted means the same in its two printed forms. */
#include "gp/mem.h"
#include "query/cond.h"

#include <stdlib.h>
#include <string.h>

/* Every name has two addresses, so that names are exercised without a network. */
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
        out[i].v[0] = (gp_addr){6, {0x20, 1, 0x0d, 0xb8}};
        out[i].v[1] = (gp_addr){4, {192, 0, 2, (uint8_t)strlen(names[i])}};
    }
    return GP_OK;
}

static query_cond *parse(const char *text)
{
    query_cond *q = NULL;
    query_caret caret = {0};
    char *message = NULL;
    gp_status st = query_cond_parse(text, two, NULL, 1, &q, &caret, &message, NULL);

    if (st == GP_EINVAL && (!message || (caret.text && caret.offset > strlen(caret.text) + 1)))
        abort();
    query_caret_clear(&caret);
    gp_free(message);
    return q;
}

static void same(const query_cond *q, const char *text)
{
    static const query_flow flows[] = {
        {{4, {192, 0, 2, 1}}, {4, {192, 0, 2, 5}}, 80, 6},
        {{6, {0x20, 1, 0x0d, 0xb8}}, {6, {0}}, 443, 17},
        {{4, {10}}, {4, {255, 255, 255, 255}}, 0, 255},
    };
    query_cond *other = parse(text);

    if (!other || other->family != q->family || other->dirfilter != q->dirfilter ||
        strcmp(other->text, q->text) != 0)
        abort();
    for (size_t i = 0; i < GP_COUNT(flows); i++)
        if (query_cond_match(q, &flows[i]) != query_cond_match(other, &flows[i]))
            abort();
    query_cond_free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = gp_strndup((const char *)data, size);
    if (!text)
        return 0;
    query_cond *q = parse(text);
    if (q) {
        same(q, q->statement_text);
        if (strlen(q->text) < 512 * 1024) /* names are written out, so the result form is longer */
            same(q, q->text);
        query_cond_free(q);
    }
    gp_free(query_cond_sanitise(text));
    gp_free(text);
    return 0;
}
