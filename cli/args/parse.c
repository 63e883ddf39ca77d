/* parse.c - command line to values: GNU style with dots in names (query.md 2.2). */
#include "internal.h"

#include "gp/mem.h"
#include "query/suggest.h"

#include <string.h>

enum { MAX_SUGGEST = 128 };

typedef struct parse {
    int argc;
    char *const *argv;
    int at; /* word being looked at */
    void *values;
    cli_line *line;
    gp_err *err;
} parse;

static int is_flag(const char *word)
{
    return word[0] == '-' && word[1];
}

/* 1 when the flag's value is the next word (for finding the command among flags). */
static int takes_next(const cli_cmd *root, const char *word)
{
    if (word[1] == '-') {
        const char *eq = strchr(word, '=');
        const cli_opt *o = eq ? NULL : cli_opt_find(root, root, word + 2, strlen(word + 2), 0);
        return o && o->type != CLI_BOOL;
    }
    for (const char *p = word + 1; *p; p++) {
        const cli_opt *o = cli_opt_find(root, root, NULL, 0, *p);
        if (!o)
            return 0;
        if (o->type != CLI_BOOL)
            return p[1] == '\0';
        if (p[1] == '=')
            return 0;
    }
    return 0;
}

/* The command is named by the first words that are neither flags nor values. skip[i] is set for
 * words that are part of its name. */
static const cli_cmd *find_command(const parse *p, const cli_cmd *root, unsigned char *skip)
{
    const cli_cmd *cmd = root;
    for (int i = 1; i < p->argc; i++) {
        const char *word = p->argv[i];
        if (strcmp(word, "--") == 0)
            break;
        if (is_flag(word)) {
            i += takes_next(root, word);
            continue;
        }
        const cli_cmd *next = cli_command(cmd, &word, 1);
        if (next == cmd)
            break;
        cmd = next;
        skip[i] = 1;
    }
    return cmd;
}

static gp_status unknown_flag(const parse *p, const char *name, size_t len)
{
    const char *names[MAX_SUGGEST];
    char typed[72];
    size_t n = 0;
    cli_walk w;
    cli_walk_start(&w, p->line->root, p->line->cmd);
    for (const cli_opt *o; n < MAX_SUGGEST && (o = cli_walk_next(&w));)
        if (!(o->flags & CLI_HIDDEN))
            names[n++] = o->name;
    snprintf(typed, sizeof typed, "%.*s", (int)(len < 70 ? len : 70), name);
    const char *near = query_suggest(typed, names, n);
    /* A flag of another command, or the part after the last dot ("limit" for results.limit) */
    for (size_t i = 0; !near && i < n; i++) {
        const char *dot = strrchr(names[i], '.');
        if (dot && strcmp(dot + 1, typed) == 0)
            near = names[i];
    }
    if (near)
        return gp_fail(p->err, GP_EINVAL, 0, "unknown flag: --%s (did you mean --%s?)", typed,
                       near);
    return gp_fail(p->err, GP_EINVAL, 0, "unknown flag: --%s", typed);
}

static gp_status set(const parse *p, const cli_opt *o, const char *text)
{
    char shown[96];
    cli_line *l = p->line;
    if (o->letter)
        snprintf(shown, sizeof shown, "-%c, --%s", o->letter, o->name);
    else
        snprintf(shown, sizeof shown, "--%s", o->name);
    l->given[l->n_given++] = o;
    return cli_value_set(o, text, p->values, shown, l, p->err);
}

/* Every command has --help. It does not stop parsing: what is wrong behind it is still an error. */
static gp_status set_help(const parse *p, const char *text)
{
    static const cli_opt help = {.name = "help", .letter = 'h', .type = CLI_BOOL};
    return cli_value_set(&help, text, &p->line->help, "-h, --help", p->line, p->err);
}

/* --name, --name=value, --name value */
static gp_status long_flag(parse *p, const char *word)
{
    const char *name = word + 2;
    size_t len = strcspn(name, "=");
    if (len == 0 || name[0] == '-')
        return gp_fail(p->err, GP_EINVAL, 0, "bad flag syntax: %.80s", word);
    const cli_opt *o = cli_opt_find(p->line->root, p->line->cmd, name, len, 0);
    if (!o && len == 4 && memcmp(name, "help", 4) == 0)
        return set_help(p, name[4] == '=' ? name + 5 : "true");
    if (!o)
        return unknown_flag(p, name, len);
    if (name[len] == '=')
        return set(p, o, name + len + 1);
    if (o->type == CLI_BOOL)
        return set(p, o, "true");
    if (p->at + 1 >= p->argc)
        return gp_fail(p->err, GP_EINVAL, 0, "flag needs an argument: --%s", o->name);
    return set(p, o, p->argv[++p->at]);
}

/* -n value, -nvalue, -n=value, -ar, -an 5 */
static gp_status short_flags(parse *p, const char *word)
{
    for (const char *s = word + 1; *s; s++) {
        const cli_opt *o = cli_opt_find(p->line->root, p->line->cmd, NULL, 0, *s);
        if (!o && *s == 'h') {
            if (s[1] == '=')
                return set_help(p, s + 2);
            GP_TRY(set_help(p, "true"));
            continue;
        }
        if (!o && (unsigned char)*s < 0x80)
            return gp_fail(p->err, GP_EINVAL, 0, "unknown shorthand flag: '%c' in %.80s", *s, word);
        if (!o)
            return gp_fail(p->err, GP_EINVAL, 0, "unknown shorthand flag in %.80s", word);
        if (s[1] == '=')
            return set(p, o, s + 2);
        if (o->type != CLI_BOOL) {
            if (s[1])
                return set(p, o, s + 1);
            if (p->at + 1 >= p->argc)
                return gp_fail(p->err, GP_EINVAL, 0, "flag needs an argument: '%c' in %.80s", *s,
                               word);
            return set(p, o, p->argv[++p->at]);
        }
        GP_TRY(set(p, o, "true"));
    }
    return GP_OK;
}

static gp_status parse_words(parse *p, const unsigned char *skip)
{
    cli_line *l = p->line;
    int flags = 1;
    for (p->at = 1; p->at < p->argc; p->at++) {
        const char *word = p->argv[p->at];
        if (skip[p->at])
            continue;
        if (!flags || !is_flag(word)) {
            l->words[l->n_words++] = word;
            continue;
        }
        if (strcmp(word, "--") == 0) {
            flags = 0;
            continue;
        }
        GP_TRY(word[1] == '-' ? long_flag(p, word) : short_flags(p, word));
    }
    return GP_OK;
}

static gp_status set_defaults(const cli_cmd *cmd, void *values, gp_err *err)
{
    for (const cli_opt *o = cmd->opts; o && o->name; o++) {
        const char *def = o->def;
        if (!def && o->type == CLI_STRING)
            def = "";
        if (def)
            GP_TRY(cli_value_set(o, def, values, o->name, NULL, err));
    }
    for (size_t i = 0; cmd->subs && cmd->subs[i]; i++)
        GP_TRY(set_defaults(cmd->subs[i], values, err));
    return GP_OK;
}

/* Letters a cluster can hold, so that given[] cannot overflow. */
static size_t count_letters(int argc, char *const *argv)
{
    size_t n = 0;
    for (int i = 1; i < argc; i++)
        n += argv[i][0] == '-' && argv[i][1] != '-' ? strlen(argv[i]) : 1;
    return n;
}

gp_status cli_parse(const cli_cmd *root, int argc, char *const *argv, void *values, cli_line *out,
                    gp_err *err)
{
    const char *path = argc > 0 ? argv[0] : root->name, *slash = strrchr(path, '/');
    *out = (cli_line){.root = root, .cmd = root, .path = path, .program = slash ? slash + 1 : path};
    size_t n = argc > 0 ? (size_t)argc : 1;
    GP_CLEANUP(gp_freep) unsigned char *skip = gp_calloc(n, 1);
    out->words = gp_calloc(n, sizeof *out->words);
    out->given = gp_calloc(count_letters(argc, argv) + 1, sizeof *out->given);
    if (!skip || !out->words || !out->given)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    GP_TRY(set_defaults(root, values, err));
    parse p = {.argc = argc, .argv = argv, .values = values, .line = out, .err = err};
    out->cmd = find_command(&p, root, skip);
    return parse_words(&p, skip);
}

void cli_line_free(cli_line *l)
{
    for (size_t i = 0; i < l->n_lists; i++) {
        gp_free(l->lists[i]->v);
        *l->lists[i] = (cli_strings){0};
    }
    gp_free(l->lists);
    gp_free(l->words);
    gp_free(l->given);
    *l = (cli_line){0};
}
