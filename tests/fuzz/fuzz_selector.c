/* fuzz_selector.c - any text as a host selector: parse, match, expand within limits; what it
 * expands to it covers. */
#include "wire/selector.h"

#include "gp/mem.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of many brackets the match gives up at some point. */
static gp_status check(void *ctx, const char *name)
{
    const wire_item *it = ctx;
    size_t brackets = 0;
    for (const char *p = it->text; (p = strchr(p, '[')); p++)
        brackets++;
    if (brackets <= 3 && !wire_item_match(it, name))
        __builtin_trap();
    return GP_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"fw01.zrh", "a"};
    wire_selector *s = NULL;
    if (size > 2000)
        return 0;
    char *text = gp_strndup((const char *)data, size);
    if (text && wire_selector_parse(text, &s, NULL) == GP_OK) {
        wire_selector_covers(s, names, 2, names, 1);
        for (size_t i = 0; i < wire_selector_count(s) && i < 50; i++) {
            union {
                const wire_item *c;
                void *m;
            } u = {.c = wire_selector_item(s, i)};
            if (u.c->kind == WIRE_ITEM_RANGE)
                (void)!wire_item_expand(u.c, 200, check, u.m, NULL);
        }
        wire_selector_free(s);
    }
    gp_free(text);
    return 0;
}
