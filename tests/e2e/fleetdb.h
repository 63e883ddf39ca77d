/* fleetdb.h - generated databases of a fleet: parts per host, and the whole in one.
 *
 * Host i has the interfaces "eth0" (every host has it; flows of different hosts overlap) and "h<i>"
 * (only this host). The whole database has eth0 of all hosts added up and every h<i>. */
#ifndef E2E_FLEETDB_H
#define E2E_FLEETDB_H

#include <stddef.h>
#include <stdint.h>

enum {
    FLEETDB_FIRST_S = 1748736000, /* 2025-06-01 00:00 UTC */
    FLEETDB_DAYS = 2,
    FLEETDB_BLOCKS = 6, /* a day, an hour apart */
    FLEETDB_ROWS = 120, /* a block and interface, about */
};

/* Flows of hosts first .. first + n - 1 into a new database at path. */
void fleetdb_write(const char *path, size_t first, size_t n);

#endif
