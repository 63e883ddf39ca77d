/* columns.h - which columns a result has, and the text of each cell (query.md 6.3, 6.5). */
#ifndef RESULT_COLUMNS_H
#define RESULT_COLUMNS_H

#include "layout.h"
#include "result/print.h"
#include "writer.h"

typedef enum column {
    COLUMN_TIME,
    COLUMN_HOST,
    COLUMN_HOSTID,
    COLUMN_IFACE,
    COLUMN_SIP,
    COLUMN_DIP,
    COLUMN_DPORT,
    COLUMN_PROTO,
    COLUMN_PKTS_IN, /* counters from here on */
    COLUMN_PKTS_OUT,
    COLUMN_PKTS_SUM,
    COLUMN_PKTS_PCT,
    COLUMN_BYTES_IN,
    COLUMN_BYTES_OUT,
    COLUMN_BYTES_SUM,
    COLUMN_BYTES_PCT,
} column;

enum {
    COLUMNS_MAX = 14,         /* 4 labels, 4 attributes, 6 counters */
    COLUMNS_NAME_BYTES = 1100 /* longest resolved name shown */
};

static inline int result_column_is_counter(column c)
{
    return c >= COLUMN_PKTS_IN && c != COLUMN_PKTS_PCT && c != COLUMN_BYTES_PCT;
}
static inline int result_column_is_pct(column c)
{
    return c == COLUMN_PKTS_PCT || c == COLUMN_BYTES_PCT;
}

/* Everything about one print run that cells need. Borrows r, o and w. One thread. */
typedef struct columns {
    const result *r;
    const result_print_opts *o;
    const writer *w; /* for its table of digits */
    column col[COLUMNS_MAX];
    size_t n;
    uint64_t pkts_total, bytes_total;       /* what percentages refer to */
    layout_cell *hosts, *host_ids, *ifaces; /* label texts ready for a terminal; in arena */
    gp_arena *arena;
    int64_t time_s; /* time whose text is in time_text; rows of one block come together */
    char time_text[40];
    char text[COLUMNS_MAX][48];       /* numbers, addresses */
    char name[2][COLUMNS_NAME_BYTES]; /* resolved sip, dip */
    layout_cell cell[COLUMNS_MAX];
} columns;

/* clean: labels are made safe for a terminal (text, Markdown, HTML); otherwise they are as they are
 * (CSV). GP_ENOMEM. */
gp_status result_columns_init(columns *x, const result *r, const result_print_opts *o,
                              const writer *w, int clean, gp_err *err) GP_MUST_CHECK;
void result_columns_free(columns *x);

/* Cells of one row in x->cell; raw: plain integers and epoch seconds as CSV has them. Valid until
 * the next call. */
void result_columns_row(columns *x, const result_row *row, int raw);
/* Cells of the totals line: counters only. */
void result_columns_totals(columns *x, int raw);

/* Header texts: two lines for text, one for CSV. */
const char *result_column_head1(column c);
const char *result_column_head2(column c);
const char *result_column_csv(const columns *x, column c);

/* Sum of received and sent, or one of them, as a counter column shows it. */
uint64_t result_column_value(column c, const result_counters *v);

#endif
