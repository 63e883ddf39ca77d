/* export.h - a database as CSV that godb_import() reads back identically. */
#ifndef GODB_EXPORT_H
#define GODB_EXPORT_H

#include "godb/columns.h"
#include "godb/db.h"
#include "gp/clock.h"
#include "gp/err.h"

typedef struct godb_export_stats {
    uint64_t rows, blocks, bytes;
    uint64_t empty_blocks; /* have no rows, so CSV cannot carry them */
    uint64_t bad_blocks;   /* could not be read and are missing */
    uint64_t bad_days;
    uint64_t drops;      /* dropped packets, which CSV cannot carry */
    char first_bad[256]; /* text of the first bad block or day, "" without one */
} godb_export_stats;

typedef struct godb_export_opts {
    const char *const *ifaces; /* names, NULL-ended; NULL = all */
    int64_t first_s, last_s;   /* blocks with first_s <= time <= last_s */
    int no_header;             /* 1: leave the heading out */
    gp_cancel *cancel;         /* may be NULL */
} godb_export_opts;

#define GODB_EXPORT_OPTS_INIT                                                                      \
    {                                                                                              \
        .first_s = 0, .last_s = INT64_MAX                                                          \
    }

/* Takes the text in pieces; a status other than GP_OK ends the export with it. */
typedef gp_status (*godb_export_write)(void *ctx, const void *bytes, size_t n);

/* Rows in order of time, interface and position: columns time, iface, sip, dip, dport, proto,
 * packets received, packets sent, data vol. received, data vol. sent. IPv6 addresses are never
 * written with dots, because the import would take those for IPv4. */
gp_status godb_export(const godb_db *db, const godb_export_opts *opts, godb_export_write out,
                      void *ctx, godb_export_stats *stats, gp_err *err) GP_MUST_CHECK;

#endif
