/* columns.h - the eight columns of goDB and a block of rows in memory (godb-format.md 0, 3). */
#ifndef GODB_COLUMNS_H
#define GODB_COLUMNS_H

#include <stddef.h>
#include <stdint.h>

/* The order is that of .blockmeta and of the files. */
typedef enum godb_col {
    GODB_COL_SIP,
    GODB_COL_DIP,
    GODB_COL_PROTO,
    GODB_COL_DPORT,
    GODB_COL_BYTES_RCVD,
    GODB_COL_BYTES_SENT,
    GODB_COL_PKTS_RCVD,
    GODB_COL_PKTS_SENT,
    GODB_N_COLS,
} godb_col;

enum {
    GODB_N_ATTRS = 4,     /* columns 0..3 */
    GODB_N_COUNTERS = 4,  /* columns 4..7 */
    GODB_DAY_S = 86400,   /* seconds in a day directory */
    GODB_BLOCK_S = 300,   /* nominal seconds in a block */
    GODB_FILE_MODE = 0644 /* default mode P of files (1.8) */
};

/* Rows of one block: n_v4 IPv4 rows, then n_v6 IPv6 rows, the same numbering in all columns.
 * Attributes as they are stored (network order); counters widened. Pointers are borrowed from
 * whoever made the struct. */
typedef struct godb_rows {
    uint32_t n_v4, n_v6;
    const uint8_t *sip, *dip;                 /* 4 n_v4 + 16 n_v6 bytes */
    const uint8_t *proto;                     /* n bytes */
    const uint8_t *dport;                     /* 2 n bytes, big-endian */
    const uint64_t *counter[GODB_N_COUNTERS]; /* bytes rcvd, bytes sent, pkts rcvd, pkts sent */
} godb_rows;

/* Day totals: .blockmeta header and directory suffix, in this order (1.5). */
typedef struct godb_totals {
    uint64_t v4, v6, drops;
    uint64_t bytes_rcvd, bytes_sent, pkts_rcvd, pkts_sent;
} godb_totals;

const char *godb_col_file(godb_col c); /* "sip.gpf", ... */

#endif
