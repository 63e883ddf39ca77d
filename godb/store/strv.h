/* strv.h - a growing array of owned strings. */
#ifndef GODB_STORE_STRV_H
#define GODB_STORE_STRV_H

#include "gp/err.h"

#include <stddef.h>

/* Zero-initialise; v is freed with godb_strv_free(). One thread. */
typedef struct godb_strv {
    char **v;
    size_t n, cap;
} godb_strv;

gp_status godb_strv_add(godb_strv *s, const char *text) GP_MUST_CHECK;
/* Sort bytewise and end with NULL. */
gp_status godb_strv_finish(godb_strv *s) GP_MUST_CHECK;

#endif
