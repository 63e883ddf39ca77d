/* selector.h - host selectors: "any,!fw3", "fw[01-20].zrh", "edge-*", "@dmz" (docs/queries.md).
 *
 * The same text is read by the aggregator, which turns it into hosts, and by every agent, which
 * checks that the user's signed selector covers it. So the grammar lives here.
 *
 *   selector = item { "," item };  item = [ "!" ] ( "any" | "@" group | name );
 *   a name may hold "*" and "?" (globs) and ranges "[1-9]", "[01-20]", "[a,b,07-11]".
 * Blanks around items and empty items are dropped. Excluded hosts are taken away whatever the
 * order; a selector of exclusions only selects nothing. */
#ifndef WIRE_SELECTOR_H
#define WIRE_SELECTOR_H

#include "gp/err.h"

#include <stddef.h>

enum { WIRE_SELECTOR_ITEMS = 65536 };

typedef enum wire_item_kind {
    WIRE_ITEM_ANY,
    WIRE_ITEM_GROUP, /* text without the '@' */
    WIRE_ITEM_NAME,  /* exactly this host */
    WIRE_ITEM_RANGE, /* has ranges but no globs: a finite list of names */
    WIRE_ITEM_GLOB,  /* matches known hosts only */
} wire_item_kind;

typedef struct wire_item {
    wire_item_kind kind;
    int negative;
    const char *text;
} wire_item;

/* Read-only after parsing. */
typedef struct wire_selector wire_selector;
/* GP_EINVAL with what is wrong and where. An empty selector has no items. */
gp_status wire_selector_parse(const char *text, wire_selector **out, gp_err *err) GP_MUST_CHECK;
void wire_selector_free(wire_selector *s);
static inline void wire_selector_freep(wire_selector **s)
{
    wire_selector_free(*s);
}
size_t wire_selector_count(const wire_selector *s);
const wire_item *wire_selector_item(const wire_selector *s, size_t i);

/* Does the item take this host? ANY, NAME, RANGE and GLOB only. Case matters. */
int wire_item_match(const wire_item *it, const char *host);

/* Call fn for each name of a RANGE item in order; at most max names (GP_ELIMIT). */
gp_status wire_item_expand(const wire_item *it, size_t max,
                           gp_status (*fn)(void *ctx, const char *), void *ctx,
                           gp_err *err) GP_MUST_CHECK;

typedef enum wire_cover { WIRE_COVERS_NOT, WIRE_COVERS, WIRE_COVERS_UNKNOWN } wire_cover;
/* Does the selector take a host that is known under any of these names and is in these groups?
 * UNKNOWN: it depends on a group that is not among them. */
wire_cover wire_selector_covers(const wire_selector *s, const char *const *names, size_t n_names,
                                const char *const *groups, size_t n_groups);

#endif
