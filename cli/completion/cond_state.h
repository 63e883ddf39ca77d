/* cond_state.h - what the tokens of an unfinished condition say about how it may go on. */
#ifndef COMPLETION_COND_STATE_H
#define COMPLETION_COND_STATE_H

#include "step.h"

/* Over the first n tokens of a condition (query.md 8.4). */
typedef struct cond_state {
    size_t open;      /* brackets */
    size_t ops;       /* & and | outside brackets */
    size_t first_op;  /* index of the first of them */
    char first_kind;  /* '&', '|', 0 = none */
    size_t filters;   /* dir or direction where an attribute stands */
    size_t filter_at; /* index of the last one */
    int misplaced;    /* a filter stands neither first nor behind the first & */
} cond_state;

cond_state cond_scan(const char *const *token, size_t n);

int cond_is_comparator(const char *s);
int cond_is_filter(const char *s);       /* dir, direction */
int cond_is_protocol(const char *s);     /* proto, protocol, ipproto */
int cond_is_filter_value(const char *s); /* in, inbound, ... */

/* Is token i a value, that is: does it follow a comparator? */
int cond_is_value(const char *const *token, size_t i);

/* The filter allows nothing that could come next: too many or in the wrong place. */
int cond_is_hopeless(const cond_state *s);

/* A complete condition that must not be continued, because its filter is the last operand, or the
 * first one and the second is complete. */
int cond_is_finished(const char *const *token, size_t n);

#endif
