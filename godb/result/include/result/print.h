/* print.h - results as text table, CSV, JSON, NDJSON, Markdown and HTML (spec query.md 6). */
#ifndef RESULT_PRINT_H
#define RESULT_PRINT_H

#include "result/result.h"

#include <stdio.h>

typedef struct result_print_opts {
    query_format format;
    unsigned labels; /* QUERY_LABEL_* to show (text, CSV) */
    query_direction direction;
    result_order order;   /* for "Sorted by" */
    int show_stats;       /* --query.stats */
    const char *trace_id; /* 32 hex digits, or NULL */
    int color;            /* ANSI colours in text */
    /* Reverse DNS: name for an address, or NULL; may be NULL. Used for text and CSV only. */
    const char *(*resolve)(void *ctx, const gp_addr *a);
    void *resolve_ctx;
} result_print_opts;

/* Print to out; status and host lines go to `notes` for CSV, JSON-like formats (stderr) and to out
 * for text (design.md; U40). Streams: no copy of the result is built. Fails with GP_EIO on a write
 * error (EPIPE included, err->sys tells). */
gp_status result_print(const result *r, const result_print_opts *o, FILE *out, FILE *notes,
                       gp_err *err) GP_MUST_CHECK;

/* The member `summary` of the JSON object alone, without a newline: for query logs. */
gp_status result_print_summary(const result *r, FILE *out, gp_err *err) GP_MUST_CHECK;

/* Number formats of 6.2; each writes into buf (>= 32 bytes) and returns it. */
char *result_fmt_count(uint64_t v, char *buf, size_t cap);       /* "7.00  ", "1.00 k" */
char *result_fmt_count_small(uint64_t v, char *buf, size_t cap); /* "7", "1.00 k" */
char *result_fmt_size(uint64_t v, char *buf, size_t cap);        /* "0.00   B" */
char *result_fmt_size_small(uint64_t v, char *buf, size_t cap);  /* "340", "1.00 MB" */
char *result_fmt_duration(int64_t ns, char *buf, size_t cap);    /* "1d1h30m0s", "18ms" */

/* Decode a JSON result object as 6.6 (from files or other servers) into *out. */
gp_status result_from_json(const void *bytes, size_t len, result *out, gp_err *err) GP_MUST_CHECK;

/* Text table of 6.3, right-aligned unless said otherwise: rows of cells, blocks of consecutive
 * lines that have a cell. */
typedef struct result_table result_table;
gp_status result_table_new(result_table **out, gp_err *err) GP_MUST_CHECK;
void result_table_free(result_table *t);
/* Append one line of n cells (copied). */
gp_status result_table_line(result_table *t, const char *const *cells, size_t n,
                            gp_err *err) GP_MUST_CHECK;
/* Align column col (< 32) to the left instead. */
void result_table_left(result_table *t, unsigned col);
/* The lines as CSV (6.5) or as a Markdown table, whose first line is the head. Errors as for
 * result_table_print(). */
gp_status result_table_csv(const result_table *t, FILE *out, gp_err *err) GP_MUST_CHECK;
gp_status result_table_markdown(const result_table *t, FILE *out, gp_err *err) GP_MUST_CHECK;
/* Print with the given padding per cell (2 for results, 4 for `list`). */
gp_status result_table_print(const result_table *t, unsigned padding, FILE *out,
                             gp_err *err) GP_MUST_CHECK;

#endif
