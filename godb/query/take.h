/* take.h - the content of a buffer as a string, whatever became of the buffer. */
#ifndef QUERY_TAKE_H
#define QUERY_TAKE_H

#include "gp/bytes.h"

/* For the end of a function that built a text: NULL after a failed append, and then nothing is left
 * behind either (gp_buf_take() keeps the memory of a failed buffer). */
static inline char *query_take(gp_buf *b)
{
    char *s = gp_buf_take(b);

    gp_buf_free(b);
    return s;
}

#endif
