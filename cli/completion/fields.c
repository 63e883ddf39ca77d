/* fields.c - query types: the columns not yet taken, and shorthands in front (query.md 8.2). */
#include "completion.h"
#include "step.h"

#include <string.h>

/* Canonical name of a column, however it is spelt; NULL for what is none. */
static const char *canonical(const char *name)
{
    static const char *const names[][2] = {
        {"time", "time"},     {"iface", "iface"},    {"sip", "sip"},       {"src", "sip"},
        {"dip", "dip"},       {"dst", "dip"},        {"dport", "dport"},   {"port", "dport"},
        {"proto", "proto"},   {"protocol", "proto"}, {"ipproto", "proto"}, {"host", "host"},
        {"hostid", "hostid"}, {"hostname", "host"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i][0], name) == 0)
            return names[i][1];
    return NULL;
}

static void suggest(void *ctx, const step_text *t, step_items *out)
{
    static const char *const columns[] = {"time", "iface", "sip", "dip", "dport", "proto"};
    static const char *const shorthands[] = {"talk_conv", "talk_src",      "talk_dst",
                                             "apps_port", "agg_talk_port", "raw"};
    (void)ctx;
    for (size_t i = 0; i + 1 < t->n; i++)
        if (!canonical(t->token[i]))
            return; /* a shorthand says it all, and a misspelt name cannot be helped */
    for (size_t c = 0; c < sizeof columns / sizeof *columns; c++) {
        int used = 0;
        for (size_t i = 0; i + 1 < t->n; i++)
            used |= strcmp(canonical(t->token[i]), columns[c]) == 0;
        if (!used)
            step_offer(out, columns[c], NULL, 1);
    }
    for (size_t i = 0; t->n == 1 && i < sizeof shorthands / sizeof *shorthands; i++)
        step_offer(out, shorthands[i], NULL, 1);
}

gp_status complete_split(const char *text, char separator, gp_arena *arena, step_text *t,
                         gp_err *err)
{
    size_t len = strlen(text);
    char *copy = gp_arena_alloc(arena, len + 1, 1);
    *t = (step_text){.token = gp_arena_alloc(arena, STEP_MAX_TOKENS, sizeof *t->token)};
    if (!copy || !t->token)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    memcpy(copy, text, len + 1);
    for (char *p = copy; p && t->n < STEP_MAX_TOKENS;) {
        t->token[t->n++] = p;
        p = strchr(p, separator);
        if (p)
            *p++ = '\0';
    }
    return GP_OK;
}

gp_status complete_fields(const char *text, gp_arena *arena, gp_buf *out, gp_err *err)
{
    step_text t;
    GP_TRY(complete_split(text, ',', arena, &t, err));
    return step_complete(&t, ",", suggest, NULL, arena, out, err);
}
