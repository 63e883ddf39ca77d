/* watch.h - repeating a query: waiting between rounds, and redrawing a terminal. */
#ifndef GOQUERY_WATCH_H
#define GOQUERY_WATCH_H

#include "gp/clock.h"

#include <stddef.h>
#include <stdint.h>

/* Sleep; 0 when a signal asked to stop. Looked at ten times a second. */
int goquery_watch_wait(const gp_cancel *cancel, int64_t ns);
/* 1 when a signal asked to stop. */
int goquery_watch_stopped(const gp_cancel *cancel);

/* Rows of results that fit on a terminal of this height beside headings and footer, at most `most`.
 */
uint64_t goquery_watch_limit(unsigned rows, uint64_t most);

/* Put text on the terminal (standard output) in place of what is there, without flicker; lines
 * below the last row and the ends of lines that are too long are left out. */
void goquery_watch_draw(const char *text, unsigned rows);

#endif
