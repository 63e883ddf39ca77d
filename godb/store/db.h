/* db.h - inside of a database handle. */
#ifndef GODB_STORE_DB_H
#define GODB_STORE_DB_H

#include "godb/db.h"

struct godb_db {
    char *path; /* as given */
    int fd;     /* root directory */
};

/* godb_host_id() with other files than those of the system. */
void godb_host_id_of(const char *const machine[2], const char *db_path, char *buf, size_t cap);

#define GODB_STAGE_PREFIX ".gpdb-merge-stage-" /* directories below the root (7.2) */

#endif
