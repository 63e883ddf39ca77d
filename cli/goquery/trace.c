/* trace.c - trace identifiers in W3C and B3 form, and the span as one JSON line. */
#include "trace.h"

#include "gp/bytes.h"
#include "gp/clock.h"
#include "gp/num.h"
#include "query/json.h"
#include "query/timearg.h"
#include "rt/log.h"

#include <string.h>
#include <sys/random.h>

/* n hex digits at s that are not all zero, lower-cased into out (n + 1 bytes). */
static int hex_id(const char *s, size_t n, char *out)
{
    unsigned char bytes[16], any = 0;
    if (strlen(s) < n || !gp_unhex(s, n, bytes, n / 2))
        return 0;
    for (size_t i = 0; i < n / 2; i++)
        any |= bytes[i];
    if (!any)
        return 0;
    gp_hex(bytes, n / 2, out);
    return 1;
}

/* W3C: 00-<32>-<16>-<2>; B3: <32 or 16>-<16>[-...]. */
static int parse(goquery_trace *t, const char *s)
{
    size_t n = strcspn(s, "-");
    if (n == 2) {
        s += s[2] ? 3 : 2;
        n = strcspn(s, "-");
        if (n != 32)
            return 0;
    }
    if (n == 32) {
        if (!hex_id(s, 32, t->trace_id))
            return 0;
    } else if (n == 16) {
        memset(t->trace_id, '0', 16);
        if (!hex_id(s, 16, t->trace_id + 16))
            return 0;
    } else {
        return 0;
    }
    return s[n] == '-' && strcspn(s + n + 1, "-") == 16 && hex_id(s + n + 1, 16, t->parent_id);
}

static void random_id(char *out, size_t bytes)
{
    unsigned char b[16] = {0};
    if (getrandom(b, bytes, GRND_NONBLOCK) != (ssize_t)bytes)
        gp_put_be64(b, (uint64_t)gp_wall_ns());
    b[0] |= 1; /* an identifier must not be zero */
    gp_hex(b, bytes, out);
}

void goquery_trace_start(goquery_trace *t, const goquery_opts *o)
{
    *t = (goquery_trace){.start_ns = gp_wall_ns()};
    if (*o->traceparent && !parse(t, o->traceparent)) {
        rt_warn("malformed traceparent ignored", RT_S("traceparent", o->traceparent));
        t->trace_id[0] = t->parent_id[0] = '\0';
    }
    if (!o->trace)
        return;
    if (!*t->trace_id)
        random_id(t->trace_id, 16);
    random_id(t->span_id, 8);
    t->to_stdout = strcmp(o->trace_type, "stdout") == 0;
    if (strcmp(o->trace_type, "otel-grpc") == 0)
        rt_error("traces are not exported: this build has no OTLP exporter",
                 RT_S("endpoint", o->trace_endpoint));
}

static void put_time(query_json_object *j, const char *key, int64_t ns)
{
    char text[64];
    query_json_text(
        j, key,
        query_time_format_rfc3339(ns / 1000000000, (uint32_t)(ns % 1000000000), text, sizeof text));
}

void goquery_trace_end(const goquery_trace *t, const char *query, int ok)
{
    gp_buf b = {0};
    if (!t->to_stdout)
        return;
    query_json_object j = query_json_open(&b);
    query_json_text(&j, "name", "goquery");
    query_json_text(&j, "trace_id", t->trace_id);
    query_json_text(&j, "span_id", t->span_id);
    query_json_text_opt(&j, "parent_span_id", t->parent_id);
    put_time(&j, "start", t->start_ns);
    put_time(&j, "end", gp_wall_ns());
    query_json_text_opt(&j, "query", query);
    query_json_text(&j, "status", ok ? "ok" : "error");
    query_json_close(&j);
    const char *text = gp_buf_str(&b);
    if (text)
        printf("%s\n", text);
    gp_buf_free(&b);
}
