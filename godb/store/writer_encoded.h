/* writer_encoded.h - append a block that was encoded elsewhere, e.g. on another thread. */
#ifndef GODB_STORE_WRITER_ENCODED_H
#define GODB_STORE_WRITER_ENCODED_H

#include "daywriter.h"

/* As godb_writer_append(), for a block that godb_encode_rows() made. */
gp_status godb_writer_append_encoded(godb_writer *w, const godb_encoded *e,
                                     gp_err *err) GP_MUST_CHECK;

#endif
