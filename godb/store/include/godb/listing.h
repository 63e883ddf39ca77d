/* listing.h - totals of an interface over a time range without reading rows (godb-format.md 6.4).
 */
#ifndef GODB_LISTING_H
#define GODB_LISTING_H

#include "godb/columns.h"
#include "godb/db.h"

typedef struct godb_listing {
    godb_totals totals;
    int64_t first_s, last_s; /* covered interval; first_s already has the 300 s subtracted */
    size_t n_days;           /* days in range; 0 = no data */
    unsigned bad_days;       /* days whose metadata could not be read */
    unsigned strays;         /* directories that are no day, or a second copy of one: left out */
    char strays_text[160];   /* which, as far as they fit; "" without any */
} godb_listing;

/* Answer `list` for one interface over [first_s, last_s]. Drops of excluded blocks are subtracted
 * (spec U13 fixed). */
gp_status godb_listing_get(const godb_db *db, const char *iface, int64_t first_s, int64_t last_s,
                           godb_listing *out, gp_err *err) GP_MUST_CHECK;

#endif
