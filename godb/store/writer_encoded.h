/* writer_encoded.h - append a block that was encoded elsewhere, e.g. on another thread. */
#ifndef GODB_STORE_WRITER_ENCODED_H
#define GODB_STORE_WRITER_ENCODED_H

#include "daywriter.h"

/* As godb_writer_append(), for a block that godb_encode_rows() made. */
gp_status godb_writer_append_encoded(godb_writer *w, const godb_encoded *e,
                                     gp_err *err) GP_MUST_CHECK;

/* Commit a bulk as far as the disk has room: its last blocks are taken back until the others fit.
 * *dropped is how many; with any the status is that of the failure that cost them. */
gp_status godb_writer_commit_fitting(godb_writer *w, size_t *dropped, gp_err *err) GP_MUST_CHECK;

#endif
