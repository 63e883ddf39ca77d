/* term.h - what kind of terminal there is, and the pager. */
#ifndef GOQUERY_TERM_H
#define GOQUERY_TERM_H

#include "gp/err.h"

#include <stdio.h>
#include <sys/types.h>

/* --color auto|always|never, NO_COLOR and TERM. GP_EINVAL for another word. */
gp_status goquery_color(const char *text, int *on, gp_err *err) GP_MUST_CHECK;

/* Rows of the terminal on standard output; 0 if it is none. */
unsigned goquery_term_rows(void);

/* Where a table goes: the pager's pipe or standard output. */
typedef struct goquery_out {
    FILE *f;
    pid_t pager; /* 0 = none */
} goquery_out;

/* text: --pager; lines: how many will be printed. A pager that cannot be started is no error: then
 * it is standard output. GP_EINVAL for another word. */
gp_status goquery_out_open(const char *text, unsigned long lines, goquery_out *out,
                           gp_err *err) GP_MUST_CHECK;
/* Close and wait for the pager. */
void goquery_out_close(goquery_out *out);

#endif
