/* problems.c - what is wrong with the arguments, as text or JSON (spec 7, 9.4). */
#include "problems.h"

#include "gp/mem.h"
#include "query/json.h"
#include "utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void query_problems_clear(query_problems *p)
{
    for (size_t i = 0; i < p->n; i++) {
        gp_free(p->v[i].location);
        gp_free(p->v[i].message);
        gp_free(p->v[i].value);
        gp_free(p->v[i].hint);
    }
    gp_free(p->v);
    *p = (query_problems){0};
}

gp_status query_problem_add(query_problems *p, const char *location, char *message,
                            const char *value, char *hint)
{
    query_problem *v = gp_realloc(p->v, p->n + 1, sizeof *v);
    char *copy = gp_strdup(value ? value : ""), *at = gp_strdup(location);

    if (v)
        p->v = v;
    if (!v || !copy || !at || !message) {
        gp_free(at);
        gp_free(message);
        gp_free(hint);
        gp_free(copy);
        return GP_ENOMEM;
    }
    p->v[p->n++] = (query_problem){.location = at, .message = message, .value = copy, .hint = hint};
    return GP_OK;
}

gp_status query_problem_add_number(query_problems *p, const char *location, const char *message,
                                   int64_t number, const char *text)
{
    char decimal[24];

    (void)snprintf(decimal, sizeof decimal, "%" PRId64, number);
    GP_TRY(query_problem_add(p, location, gp_strdup(message), text ? text : decimal, NULL));
    p->v[p->n - 1].value_is_number = 1;
    p->v[p->n - 1].number = number;
    return GP_OK;
}

/* Text with every line, the empty ones too, indented by four blanks. */
static void add_indented(gp_buf *out, const char *text)
{
    for (;;) {
        size_t len = strcspn(text, "\n");
        gp_buf_adds(out, "    ");
        gp_buf_add(out, text, len);
        gp_buf_addc(out, '\n');
        if (!text[len])
            return;
        text += len + 1;
    }
}

void query_problems_format(const query_problems *p, gp_buf *out)
{
    static const char body[] = "body.";

    gp_buf_adds(out, "failed to prepare query:\n");
    for (size_t i = 0; i < p->n; i++) {
        const query_problem *q = &p->v[i];
        const char *field = q->location;
        if (strncmp(field, body, sizeof body - 1) == 0)
            field += sizeof body - 1;
        gp_buf_adds(out, i ? "    \n" : "\n");
        size_t width = query_utf8_len(field, strlen(field)) +
                       query_utf8_len(q->value, strlen(q->value)) + strlen(" (value: )");
        gp_buf_printf(out, "    %s (value: %s)\n    ", field, q->value);
        gp_buf_fill(out, '-', width);
        gp_buf_addc(out, '\n');
        add_indented(out, q->message);
    }
}

void query_problems_hints(const query_problems *p, gp_buf *out)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].hint)
            gp_buf_printf(out, "%s\n", p->v[i].hint);
}

void query_problems_to_json(const query_problems *p, gp_buf *out)
{
    gp_buf_addc(out, '[');
    for (size_t i = 0; i < p->n; i++) {
        if (i)
            gp_buf_addc(out, ',');
        query_json_object o = query_json_open(out);
        query_json_text(&o, "message", p->v[i].message);
        query_json_text(&o, "location", p->v[i].location);
        if (p->v[i].value_is_number)
            query_json_int(&o, "value", p->v[i].number);
        else
            query_json_text(&o, "value", p->v[i].value);
        query_json_close(&o);
    }
    gp_buf_addc(out, ']');
}
