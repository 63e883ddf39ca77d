/* json.h - writing JSON text members into a buffer. */
#ifndef QUERY_JSON_H
#define QUERY_JSON_H

#include "gp/bytes.h"

/* A string with its quotes; <, > and & as \u003c ... (spec 6.6), malformed UTF-8 as U+FFFD. */
void query_json_string(gp_buf *out, const char *s);

/* An object under construction: commas are put where they belong. */
typedef struct query_json_object {
    gp_buf *out;
    int n; /* members so far */
} query_json_object;

query_json_object query_json_open(gp_buf *out);             /* { */
void query_json_close(query_json_object *o);                /* } */
void query_json_key(query_json_object *o, const char *key); /* then append a value */
/* Members; the _opt forms leave out "" / NULL / 0. */
void query_json_text(query_json_object *o, const char *key, const char *value);
void query_json_text_opt(query_json_object *o, const char *key, const char *value);
void query_json_int(query_json_object *o, const char *key, int64_t value);
void query_json_int_opt(query_json_object *o, const char *key, int64_t value);
void query_json_uint_opt(query_json_object *o, const char *key, uint64_t value);
void query_json_true_opt(query_json_object *o, const char *key, int value);

#endif
