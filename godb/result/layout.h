/* layout.h - column widths of right-aligned text tables (query.md 6.3). */
#ifndef RESULT_LAYOUT_H
#define RESULT_LAYOUT_H

#include "writer.h"

#include <stddef.h>
#include <stdint.h>

enum { LAYOUT_MAX_COLS = 32 };

typedef struct layout_cell {
    const char *s; /* len bytes, borrowed */
    uint32_t len;
    uint32_t columns; /* on the terminal */
} layout_cell;

/* For every column, runs of consecutive lines that have a cell there form a block with its own
 * width. All lines are shown twice: first to result_layout_measure(), then to result_layout_put(),
 * so nothing is kept but the widths. Zero-initialise, then set pad. One thread. */
typedef struct layout {
    unsigned pad;  /* blanks before the longest cell */
    uint32_t left; /* bit c: column c is aligned to the left */
    struct layout_col {
        uint32_t *width; /* one per block */
        size_t n, cap;
        size_t at; /* block of the current line + 1, while printing */
        int open;  /* the previous line had a cell here */
    } col[LAYOUT_MAX_COLS];
} layout;

gp_status result_layout_measure(layout *l, const layout_cell *cells, size_t n) GP_MUST_CHECK;
/* Between the two passes. */
void result_layout_rewind(layout *l);
/* One line without its newline. */
void result_layout_put(layout *l, const layout_cell *cells, size_t n, writer *w);
void result_layout_free(layout *l);

#endif
