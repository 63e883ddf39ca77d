/* dispatch.c - what the last word of a line is: a value, a flag or a query type (query.md 8.2). */
#include "completion.h"
#include "options.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_FLAGS = 128 };

/* The flag that a word names ("-n", "--results.limit"), or NULL. len: bytes of the word. */
static const cli_opt *flag_of(const char *word, size_t len)
{
    for (const cli_opt *o = goquery_flags; o->name; o++) {
        if (o->flags & CLI_HIDDEN)
            continue;
        if (len == 2 && word[0] == '-' && o->letter && word[1] == o->letter)
            return o;
        if (len > 2 && memcmp(word, "--", 2) == 0 && strlen(o->name) == len - 2 &&
            memcmp(word + 2, o->name, len - 2) == 0)
            return o;
    }
    return NULL;
}

/* Flags that take no value now, but are words of the reference's line (8.2). */
static int takes_nothing(const char *word)
{
    static const char *const no[] = {"-h", "--help", "-resolve-rows", "-resolve-timeout"};
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        if (strcmp(word, no[i]) == 0)
            return 1;
    return 0;
}

/* ~/x as the shell would see it, since the line comes unexpanded. */
static gp_status expand_home(const char *path, gp_arena *arena, const char **out, gp_err *err)
{
    const char *home = getenv("HOME");
    *out = path;
    if (path[0] != '~' || path[1] != '/' || !home)
        return GP_OK;
    size_t h = strlen(home), p = strlen(path);
    char *s = gp_arena_alloc(arena, h + p, 1);
    if (!s)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    memcpy(s, home, h);
    memcpy(s + h, path + 1, p);
    *out = s;
    return GP_OK;
}

/* The database the line names: what follows the last -d; NULL if there is none. */
static const char *db_root(const line_words *w)
{
    static const char long_form[] = "--db.path=";
    const char *root = NULL;
    for (size_t i = 1; i + 1 < w->n; i++) {
        const char *s = w->v[i];
        if (strcmp(s, "-d") == 0 || strcmp(s, "--db.path") == 0)
            root = i + 2 < w->n ? w->v[++i] : root;
        else if (strncmp(s, long_form, sizeof long_form - 1) == 0)
            root = s + sizeof long_form - 1;
        else if (s[0] == '-' && s[1] == 'd')
            root = s + 2 + (s[2] == '=');
    }
    return root;
}

static gp_status complete_value(const line_words *w, const cli_opt *o, const char *text,
                                gp_arena *arena, gp_buf *out, gp_err *err)
{
    if (strcmp(o->name, "condition") == 0)
        return complete_cond(text, arena, out, err);
    if (strcmp(o->name, "ifaces") == 0) {
        const char *root = db_root(w);
        if (root)
            GP_TRY(expand_home(root, arena, &root, err));
        return complete_ifaces(root, text, arena, out, err);
    }
    for (size_t i = 0; o->choices && o->choices[i]; i++)
        if (strncmp(o->choices[i], text, strlen(text)) == 0)
            gp_buf_printf(out, "%s\n", o->choices[i]);
    return GP_OK;
}

/* ---- flags ---- */

static int is_given(const unsigned char *given, const char *name)
{
    for (size_t i = 0; goquery_flags[i].name; i++)
        if (strcmp(goquery_flags[i].name, name) == 0)
            return given[i];
    return 0;
}

/* Mark the flags that the line has, and those that they exclude. */
static void mark_given(const line_words *w, unsigned char *given)
{
    for (size_t i = 1; i + 1 < w->n; i++) {
        const cli_opt *o = flag_of(w->v[i], strcspn(w->v[i], "="));
        if (!o)
            continue;
        given[o - goquery_flags] = 1;
        if (o->type != CLI_BOOL && !strchr(w->v[i], '='))
            i++;
    }
    int sum = is_given(given, "sum"), one = is_given(given, "in") || is_given(given, "out");
    for (size_t i = 0; goquery_flags[i].name; i++) {
        const char *name = goquery_flags[i].name;
        if (strcmp(name, "in") == 0 || strcmp(name, "out") == 0)
            given[i] |= (unsigned char)sum;
        else if (strcmp(name, "sum") == 0)
            given[i] |= (unsigned char)one;
    }
}

/* "<LIST>", or "(Show received packets and bytes only)". */
static void put_hint(const cli_opt *o, gp_buf *out)
{
    if (o->value) {
        gp_buf_printf(out, " <%s>", o->value);
        return;
    }
    const char *end = strstr(o->help, ". ");
    size_t n = end ? (size_t)(end - o->help) : strlen(o->help);
    n -= n && o->help[n - 1] == '.';
    gp_buf_printf(out, " (%.*s)", (int)n, o->help);
}

typedef struct flag_list {
    const char *prefix;
    char first[128]; /* text of the first match */
    size_t n;
    gp_buf lines; /* displays of all matches */
} flag_list;

static void offer_flag(flag_list *l, const cli_opt *o)
{
    char text[128];
    for (int with_letter = o->letter != 0; with_letter >= 0; with_letter--) {
        if (with_letter)
            snprintf(text, sizeof text, "-%c", o->letter);
        else
            snprintf(text, sizeof text, "--%s", o->name);
        if (strncmp(text, l->prefix, strlen(l->prefix)) != 0)
            continue;
        if (l->n++ == 0)
            memcpy(l->first, text, sizeof text);
        gp_buf_adds(&l->lines, text);
        put_hint(o, &l->lines);
        gp_buf_addc(&l->lines, '\n');
    }
}

/* One match is the bare flag, several are shown with hints. */
static void complete_flags(const line_words *w, gp_buf *out)
{
    static const cli_opt help = {.name = "help", .letter = 'h', .help = "Show help."};
    unsigned char given[MAX_FLAGS] = {0};
    flag_list l = {.prefix = w->v[w->n - 1]};
    mark_given(w, given);
    for (size_t i = 0; goquery_flags[i].name; i++)
        if (!given[i] && !(goquery_flags[i].flags & CLI_HIDDEN))
            offer_flag(&l, &goquery_flags[i]);
    offer_flag(&l, &help);
    if (l.n == 1)
        gp_buf_printf(out, "%s\n", l.first);
    else if (l.n)
        gp_buf_add(out, l.lines.data, l.lines.len);
    out->failed |= l.lines.failed;
    gp_buf_free(&l.lines);
}

gp_status complete_line(const line_words *w, gp_arena *arena, gp_buf *out, gp_err *err)
{
    if (w->weird || w->n < 2)
        return GP_OK;
    const char *last = w->v[w->n - 1], *prev = w->v[w->n - 2], *eq = strchr(last, '=');
    const cli_opt *o = w->n > 2 ? flag_of(prev, strlen(prev)) : NULL;
    if (takes_nothing(prev))
        return GP_OK;
    if (o && o->type != CLI_BOOL)
        return complete_value(w, o, last, arena, out, err);
    if (last[0] != '-')
        return complete_fields(last, arena, out, err);
    /* --name=value: bash takes '=' for the end of a word, so only the value is printed */
    if (eq && last[1] == '-') {
        o = flag_of(last, (size_t)(eq - last));
        return o && o->type != CLI_BOOL ? complete_value(w, o, eq + 1, arena, out, err) : GP_OK;
    }
    complete_flags(w, out);
    return GP_OK;
}
