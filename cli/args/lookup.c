/* lookup.c - which options and commands a command line may name. */
#include "internal.h"

#include <string.h>
#include <strings.h>

/* Depth-first search; 1 when cmd was found below at. */
static int find_path(cli_walk *w, const cli_cmd *at, const cli_cmd *cmd)
{
    if (w->depth == GP_COUNT(w->path))
        return 0;
    w->path[w->depth++] = at;
    if (at == cmd)
        return 1;
    for (size_t i = 0; at->subs && at->subs[i]; i++)
        if (find_path(w, at->subs[i], cmd))
            return 1;
    w->depth--;
    return 0;
}

void cli_walk_start(cli_walk *w, const cli_cmd *root, const cli_cmd *cmd)
{
    *w = (cli_walk){.depth = 0};
    find_path(w, root, cmd);
}

static int same(const cli_opt *a, const cli_opt *b)
{
    return strcmp(a->name, b->name) == 0 || (a->letter && a->letter == b->letter);
}

/* An option of a nearer command has the same name or letter. */
static int hidden_by_own(const cli_walk *w, const cli_opt *o)
{
    for (size_t level = 0; level < w->level; level++) {
        const cli_opt *own = w->path[w->depth - 1 - level]->opts;
        for (; own && own->name; own++)
            if ((level == 0 || own->flags & CLI_PERSISTENT) && same(own, o))
                return 1;
    }
    return 0;
}

const cli_opt *cli_walk_next(cli_walk *w)
{
    for (; w->level < w->depth; w->level++, w->i = 0) {
        const cli_opt *opts = w->path[w->depth - 1 - w->level]->opts;
        while (opts && opts[w->i].name) {
            const cli_opt *o = &opts[w->i++];
            if (w->level == 0 || (o->flags & CLI_PERSISTENT && !hidden_by_own(w, o)))
                return o;
        }
    }
    return NULL;
}

const cli_opt *cli_opt_find(const cli_cmd *root, const cli_cmd *cmd, const char *name, size_t len,
                            char letter)
{
    cli_walk w;
    cli_walk_start(&w, root, cmd);
    for (const cli_opt *o; (o = cli_walk_next(&w));)
        if (name ? strlen(o->name) == len && memcmp(o->name, name, len) == 0
                 : o->letter && o->letter == letter)
            return o;
    return NULL;
}

const cli_opt *cli_find(const cli_line *l, const char *name)
{
    cli_walk w;
    cli_walk_start(&w, l->root, l->cmd);
    for (const cli_opt *o; (o = cli_walk_next(&w));)
        if (strcasecmp(o->name, name) == 0)
            return o;
    return NULL;
}

int cli_given(const cli_line *l, const char *name)
{
    for (size_t i = 0; i < l->n_given; i++)
        if (strcmp(l->given[i]->name, name) == 0)
            return 1;
    return 0;
}

static const cli_cmd *sub(const cli_cmd *cmd, const char *word)
{
    for (size_t i = 0; cmd->subs && cmd->subs[i]; i++)
        if (strcmp(cmd->subs[i]->name, word) == 0)
            return cmd->subs[i];
    return NULL;
}

const cli_cmd *cli_command(const cli_cmd *root, const char *const *words, size_t n)
{
    const cli_cmd *cmd = root, *next;
    for (size_t i = 0; i < n && (next = sub(cmd, words[i])); i++)
        cmd = next;
    return cmd;
}
