/* godb.h - libgodb, the embeddable flow database: all that a program needs which links it.
 *
 *     #include <godb/godb.h>
 *     cc top.c $(pkg-config --cflags --libs godb)       or       find_package(godb), godb::godb
 *
 * | to | use | header |
 * |---|---|---|
 * | open a database | godb_db_open | godb/db.h |
 * | list interfaces, their totals | godb_db_ifaces, godb_listing_get | godb/db.h, godb/listing.h |
 * | iterate days | godb_db_days, godb_day_open | godb/db.h, godb/day.h |
 * | iterate blocks and rows | godb_day_block, godb_reader_rows | godb/day.h |
 * | write | godb_sorter_add, godb_writer_append | godb/writer.h |
 * | query | godb_query | here; the rows: result/result.h |
 * | import, export, merge | godb_import, godb_export, godb_merge | godb/import.h, export.h, merge.h
 * | | check, repair, delete old days | godb_check, godb_repair, godb_retain | check.h, repair.h,
 * retain.h | | index | godb_index_build | godb/index.h |
 *
 * Calls that can fail return a gp_status and fill a gp_err (gp/err.h). The library never logs,
 * starts no thread that outlives a call and keeps no global state. Which handles threads may share
 * is said where they are declared. Until version 1.0 the interface may change; the format on disk
 * is stable (docs/godb-format.md).
 */
#ifndef GODB_GODB_H
#define GODB_GODB_H

#include "godb/check.h"
#include "godb/codec.h"
#include "godb/columns.h"
#include "godb/day.h"
#include "godb/db.h"
#include "godb/export.h"
#include "godb/import.h"
#include "godb/index.h"
#include "godb/listing.h"
#include "godb/merge.h"
#include "godb/repair.h"
#include "godb/retain.h"
#include "godb/writer.h"
#include "gp/addr.h"
#include "gp/clock.h"
#include "gp/err.h"
#include "result/print.h"
#include "result/result.h"

#include <string.h>

/* What to ask beside the query itself; texts as `goquery` takes them. {0} asks for everything. */
typedef struct godb_query_opts {
    const char *ifaces;     /* "eth0,eth1", "any" or "/regular expression/"; NULL = any */
    const char *condition;  /* "dport = 443 & sip = 10.0.0.0/8"; NULL = all rows */
    const char *first;      /* "-7d", "1700000000", "2024-03-01 12:00"; NULL = no lower bound */
    const char *last;       /* likewise; both included; NULL = no upper bound */
    const char *resolution; /* width of the time bins, a multiple of "5m", or "auto"; NULL = 5m */
    const char *sort_by;    /* "bytes", "packets" or "time"; NULL = bytes */
    int ascending;          /* 1: smallest first */
    query_direction direction; /* which counters are sorted by */
    uint64_t limit;            /* rows; 0 = all */
    uint64_t mem_limit;        /* bytes; 0 = 60 % of the memory of the machine */
    unsigned threads;          /* 0 = one for each CPU */
    gp_cancel *cancel;         /* may be NULL */
    /* Days and blocks that could not be read and are left out, one line each; may be NULL. Called
     * by the thread that called godb_query(). */
    void (*warn)(void *ctx, const char *text);
    void *warn_ctx;
} godb_query_opts;

/* Group the rows of the database by the attributes and labels of query ("sip,dip", "dport,proto",
 * "time,iface", "raw", "talk_conv"; `goquery help` lists them), sort the groups and keep the first
 * limit of them in *out: rows, totals over all groups, covered time, interfaces, statistics. opts
 * may be NULL. *out is initialised here, also on failure; free it with result_clear(). GP_EINVAL
 * says what is wrong with a text; no matching rows is GP_OK with out->status RESULT_EMPTY or
 * RESULT_MISSING_DATA. */
gp_status godb_query(const godb_db *db, const char *query, const godb_query_opts *opts, result *out,
                     gp_err *err) GP_MUST_CHECK;

/* Addresses of a row; family 0 when the query did not ask for them. */
static inline gp_addr godb_row_sip(const result_row *r)
{
    gp_addr a = {.family = r->sip_family};
    memcpy(a.bytes, r->sip, sizeof a.bytes);
    return a;
}
static inline gp_addr godb_row_dip(const result_row *r)
{
    gp_addr a = {.family = r->dip_family};
    memcpy(a.bytes, r->dip, sizeof a.bytes);
    return a;
}

#endif
