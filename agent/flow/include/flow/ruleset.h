/* ruleset.h - which interfaces are wanted: names, regular expressions, detection (capture.md 5.4).
 */
#ifndef FLOW_RULESET_H
#define FLOW_RULESET_H

#include "capture/links.h"
#include "capture/live.h"
#include "gp/err.h"

#include <stddef.h>

enum { FLOW_MAX_IFACES = 1024 };

/* Read-only once built; any number of threads may then match. */
typedef struct flow_ruleset flow_ruleset;

gp_status flow_ruleset_new(flow_ruleset **out, gp_err *err) GP_MUST_CHECK;
void flow_ruleset_free(flow_ruleset *rs); /* NULL is fine */
static inline void flow_ruleset_freep(flow_ruleset **rs)
{
    flow_ruleset_free(*rs);
}

/* Add a rule: a name, or "/regex/" (PCRE2, unanchored, case-sensitive). conf is copied;
 * conf->disable excludes what matches. GP_EINVAL when the expression does not compile or the name
 * cannot be one. */
gp_status flow_ruleset_add(flow_ruleset *rs, const char *pattern, const capture_conf *conf,
                           gp_err *err) GP_MUST_CHECK;
/* Detection: every interface that no exclusion matches, with conf. */
void flow_ruleset_detect(flow_ruleset *rs, const capture_conf *conf);
/* Exclude a name or "/regex/" from detection. */
gp_status flow_ruleset_exclude(flow_ruleset *rs, const char *pattern, gp_err *err) GP_MUST_CHECK;

/* One interface to capture. conf is borrowed from the ruleset. */
typedef struct flow_wanted {
    char name[CAPTURE_NAME_CAP];
    const capture_conf *conf;
    int exists; /* 0: a literal name without interface */
} flow_wanted;

/* Settings for an interface of this name, or NULL if it is not wanted. A literal rule beats an
 * expression; of several expressions the first counts. */
const capture_conf *flow_ruleset_conf(const flow_ruleset *rs, const char *name);

/* 1 if a rule wants exactly this name: such an interface is waited for while it does not exist. */
int flow_ruleset_names(const flow_ruleset *rs, const char *name);

/* Interfaces that the rules want, but that flow_ruleset_match() leaves out: control characters in
 * their names could be neither printed nor sent. The first of *n, borrowed from links, or NULL. */
const capture_link *flow_ruleset_unnamed(const flow_ruleset *rs, const capture_link *links,
                                         size_t n_links, size_t *n);

/* The wanted interfaces of a host with these links, sorted by name; free *out with gp_free(). When
 * there are no expressions and no detection, literal names without interface are in it too (to be
 * reported); otherwise they are left out until they exist. GP_ELIMIT above FLOW_MAX_IFACES. */
gp_status flow_ruleset_match(const flow_ruleset *rs, const capture_link *links, size_t n_links,
                             flow_wanted **out, size_t *n, gp_err *err) GP_MUST_CHECK;

#endif
