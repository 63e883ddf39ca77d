/* csv.h - flow rows out of CSV text: schema, quoting, fields (godb-format.md 8.2). */
#ifndef GODB_STORE_CSV_H
#define GODB_STORE_CSV_H

#include "godb/writer.h"
#include "gp/bytes.h"

/* Columns with a meaning. The counters are in the order of godb_row.counter. */
typedef enum godb_csv_col {
    GODB_CSV_TIME,
    GODB_CSV_IFACE,
    GODB_CSV_SIP,
    GODB_CSV_DIP,
    GODB_CSV_DPORT,
    GODB_CSV_PROTO,
    GODB_CSV_BYTES_RCVD,
    GODB_CSV_BYTES_SENT,
    GODB_CSV_PKTS_RCVD,
    GODB_CSV_PKTS_SENT,
    GODB_CSV_N_COLS,
    GODB_CSV_IGNORED = GODB_CSV_N_COLS,
} godb_csv_col;

enum {
    GODB_CSV_MAX_COLS = 4096,      /* columns of a schema */
    GODB_CSV_RECORD_MAX = 1 << 20, /* bytes of one record, line breaks in quotes included */
    GODB_CSV_NAME_CACHE = 64,      /* remembered protocol names */
};
#define GODB_CSV_TIME_MAX INT64_C(253402300799) /* end of the year 9999 */

typedef struct godb_csv_field {
    const char *s;
    size_t len;
} godb_csv_field;

/* What is in the input. Read-only once made. */
typedef struct godb_csv_schema {
    uint8_t *col;  /* godb_csv_col of each field that a row must have, owned */
    size_t n;      /* fields that a row must have: the last column with a meaning, plus one */
    unsigned mask; /* bit k: column k is there */
} godb_csv_schema;

/* One row. iface points into the text or the parser, valid until the next call. */
typedef struct godb_csv_row {
    int64_t time_s;
    godb_csv_field iface; /* as in the text, trimmed; empty without such a column */
    godb_row row;         /* family 4 with zeros where columns are missing */
} godb_csv_row;

typedef enum godb_csv_result {
    GODB_CSV_ROW,   /* *row is filled */
    GODB_CSV_EMPTY, /* a line without anything: not a row */
    GODB_CSV_SKIP,  /* a row that cannot be used: why and why_col say the reason */
    GODB_CSV_MORE,  /* the record goes on behind the text: call again with more of it */
    GODB_CSV_ERROR, /* quoting is broken, or the record is too long: err says it */
} godb_csv_result;

/* One thread. Zero-initialise, give it a schema; free. */
typedef struct godb_csv_parser {
    godb_csv_schema schema;
    uint64_t line;         /* number of the line that comes next; set to 1 at the begin */
    uint64_t at_line;      /* line where the latest record began */
    const char *why;       /* of GODB_CSV_SKIP: static text */
    godb_csv_col why_col;  /* the column it is about, or GODB_CSV_IGNORED */
    godb_csv_field *field; /* of the latest record that was read with full care */
    size_t n_fields, cap_fields;
    gp_buf unquoted; /* content of quoted fields */
    struct {
        uint64_t name; /* up to eight bytes of the name, zero-padded; 0 = free */
        int number;
    } cache[GODB_CSV_NAME_CACHE];
} godb_csv_parser;

void godb_csv_free(godb_csv_parser *p);

/* Read one record from *at; it ends at or before end. last: the input ends there, otherwise bytes
 * behind the last line break wait for more text. On ROW, EMPTY and SKIP *at moves behind it.
 * *row: zeroed before the first call, then left alone, as columns that are not there stay zero. */
godb_csv_result godb_csv_next(godb_csv_parser *p, const char **at, const char *end, int last,
                              godb_csv_row *row, gp_err *err);

/* Only split one record into p->field (for a heading). Results as above without SKIP. */
godb_csv_result godb_csv_split(godb_csv_parser *p, const char **at, const char *end, int last,
                               gp_err *err);

/* Make the schema from the fields that were split last. GP_EINVAL: no known name, no time, a name
 * given twice, no interface (iface_given: 1 if there is one from elsewhere). */
gp_status godb_csv_set_schema(godb_csv_parser *p, int iface_given, gp_err *err) GP_MUST_CHECK;

/* Column name as in a heading, e.g. "data vol. received". */
const char *godb_csv_col_name(godb_csv_col c);

/* The same without the quick way. */
godb_csv_result godb_csv_careful(godb_csv_parser *p, const char **at, const char *end, int last,
                                 godb_csv_row *row, gp_err *err);
/* The quick way through an ordinary record: MORE stands for "look at it with care". The byte before
 * end must be a line break. */
godb_csv_result godb_csv_quick(godb_csv_parser *p, const char **at, const char *end,
                               godb_csv_row *row);
/* Number of a protocol name, -1 if unknown; remembers names. */
int godb_csv_proto(godb_csv_parser *p, const char *s, size_t len);

#endif
