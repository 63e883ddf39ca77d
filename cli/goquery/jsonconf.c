/* jsonconf.c - a JSON configuration file as a flat list of keys and values. */
#include "toml.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { MAX_KEY = 128 };

/* Text of a number or a truth value; NULL for others. */
static const char *scalar(const json_t *v, char *buf, size_t cap)
{
    switch (json_typeof(v)) {
    case JSON_STRING:
        return json_string_value(v);
    case JSON_INTEGER:
        snprintf(buf, cap, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
        return buf;
    case JSON_REAL:
        snprintf(buf, cap, "%.17g", json_real_value(v));
        return buf;
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    default:
        return NULL;
    }
}

/* All scalars below an object; lists and keys longer than any setting's are passed over. */
static gp_status walk(json_t *object, const char *prefix, goquery_setting_fn fn, void *ctx,
                      gp_err *err)
{
    const char *name;
    json_t *v;
    json_object_foreach(object, name, v)
    {
        char key[MAX_KEY], text[32];
        int n = snprintf(key, sizeof key, "%s%s%s", prefix, *prefix ? "." : "", name);
        if (n < 0 || (size_t)n >= sizeof key)
            continue;
        const char *value = scalar(v, text, sizeof text);
        if (value)
            GP_TRY(fn(ctx, key, value, 0, err));
        else if (json_is_object(v))
            GP_TRY(walk(v, key, fn, ctx, err));
    }
    return GP_OK;
}

gp_status goquery_json(const char *text, size_t len, goquery_setting_fn fn, void *ctx, gp_err *err)
{
    json_error_t why;
    json_t *root = json_loadb(text, len, JSON_DECODE_ANY, &why);
    gp_status st;
    if (!root)
        return gp_fail(err, GP_EINVAL, 0, "line %d: not JSON: %s", why.line, why.text);
    st = json_is_object(root) ? walk(root, "", fn, ctx, err)
                              : gp_fail(err, GP_EINVAL, 0, "line 1: expected a JSON object");
    json_decref(root);
    return st;
}
