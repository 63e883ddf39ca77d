/* args_decode.h - members of the arguments object from JSON values. */
#ifndef QUERY_ARGS_DECODE_H
#define QUERY_ARGS_DECODE_H

#include "args_int.h"

#include <jansson.h>

typedef struct query_decoder {
    query_args *a;
    int wide; /* not 0: the text has a number beyond int64, so all numbers came as reals */
    gp_err *err;
} query_decoder;

/* The object in a text, json_decref() it; NULL with err filled. more_flags: of jansson. */
json_t *query_json_load(const void *bytes, size_t len, size_t more_flags, int *wide,
                        gp_err *err) GP_MUST_CHECK;

/* Store one value; GP_EINVAL with "<member>: got ..., want ..." for another type. */
gp_status query_member_set(const query_decoder *d, const query_member *m, json_t *v) GP_MUST_CHECK;

#endif
