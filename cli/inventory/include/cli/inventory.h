/* inventory.h - interfaces of a database with their totals, as table and as JSON (query.md 2.9). */
#ifndef CLI_INVENTORY_H
#define CLI_INVENTORY_H

#include "godb/listing.h"

#include <stdio.h>

typedef struct cli_inventory_entry {
    const char *iface; /* borrowed from the inventory */
    godb_listing l;
} cli_inventory_entry;

/* Zero-initialise. */
typedef struct cli_inventory {
    char **names; /* all interfaces of the database */
    cli_inventory_entry *v;
    size_t n;
} cli_inventory;

/* Those interfaces of the database at path that are among words (n_words = 0: all), byte order,
 * with what they hold in [first_s, last_s]. Words that are no interface are passed over. Free *out
 * in any case. */
gp_status cli_inventory_take(const char *path, const char *const *words, size_t n_words,
                             int64_t first_s, int64_t last_s, cli_inventory *out,
                             gp_err *err) GP_MUST_CHECK;
void cli_inventory_free(cli_inventory *inv);

/* Why nothing was found: the database has no interface, or none of those named (its own are named
 * then). GP_ENOTFOUND, always. */
gp_status cli_inventory_none(const cli_inventory *inv, const char *path, const char *const *words,
                             size_t n_words, gp_err *err);

/* The table without the empty line above it; times in local time. */
gp_status cli_inventory_table(const cli_inventory *inv, int detailed, FILE *out,
                              gp_err *err) GP_MUST_CHECK;
/* A JSON array on one line. */
gp_status cli_inventory_json(const cli_inventory *inv, FILE *out, gp_err *err) GP_MUST_CHECK;

#endif
