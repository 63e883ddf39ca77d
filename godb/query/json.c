/* json.c - writing JSON text members into a buffer. */
#include "query/json.h"

#include "utf8.h"

#include <inttypes.h>

void query_json_string(gp_buf *out, const char *s)
{
    gp_buf_addc(out, '"');
    for (size_t n; *s; s += n) {
        uint32_t c = query_utf8_next(s, &n);
        switch (c) {
        case '"':
        case '\\':
            gp_buf_addc(out, '\\');
            gp_buf_addc(out, (char)c);
            break;
        case '\n':
            gp_buf_adds(out, "\\n");
            break;
        case '\r':
            gp_buf_adds(out, "\\r");
            break;
        case '\t':
            gp_buf_adds(out, "\\t");
            break;
        default:
            if (c < 0x20 || c == '<' || c == '>' || c == '&' || c == 0x2028 || c == 0x2029)
                gp_buf_printf(out, "\\u%04x", c);
            else if (c == 0xFFFD)
                gp_buf_adds(out, "\xEF\xBF\xBD");
            else
                gp_buf_add(out, s, n);
        }
    }
    gp_buf_addc(out, '"');
}

query_json_object query_json_open(gp_buf *out)
{
    gp_buf_addc(out, '{');
    return (query_json_object){.out = out};
}

void query_json_close(query_json_object *o)
{
    gp_buf_addc(o->out, '}');
}

void query_json_key(query_json_object *o, const char *key)
{
    if (o->n++)
        gp_buf_addc(o->out, ',');
    query_json_string(o->out, key);
    gp_buf_addc(o->out, ':');
}

void query_json_text(query_json_object *o, const char *key, const char *value)
{
    query_json_key(o, key);
    query_json_string(o->out, value ? value : "");
}

void query_json_text_opt(query_json_object *o, const char *key, const char *value)
{
    if (value && *value)
        query_json_text(o, key, value);
}

void query_json_int(query_json_object *o, const char *key, int64_t value)
{
    query_json_key(o, key);
    gp_buf_printf(o->out, "%" PRId64, value);
}

void query_json_int_opt(query_json_object *o, const char *key, int64_t value)
{
    if (value)
        query_json_int(o, key, value);
}

void query_json_uint_opt(query_json_object *o, const char *key, uint64_t value)
{
    if (!value)
        return;
    query_json_key(o, key);
    gp_buf_printf(o->out, "%" PRIu64, value);
}

void query_json_true_opt(query_json_object *o, const char *key, int value)
{
    if (!value)
        return;
    query_json_key(o, key);
    gp_buf_adds(o->out, "true");
}
