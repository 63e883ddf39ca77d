/* db.h - inside of a database handle. */
#ifndef GODB_STORE_DB_H
#define GODB_STORE_DB_H

#include "godb/db.h"

struct godb_db {
    char *path; /* as given */
    int fd;     /* root directory */
};

#define GODB_STAGE_PREFIX ".gpdb-merge-stage-" /* directories below the root (7.2) */

#endif
