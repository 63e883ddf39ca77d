/* help.c - `--help` from the option tables, at most 100 columns wide. */
#include "internal.h"

#include <string.h>

enum { WIDTH = 100, HELP_AT = 40 };

/* Print text in lines of at most WIDTH - indent columns; *col is where the cursor stands. */
static void wrap(FILE *out, const char *text, size_t indent, size_t *col)
{
    while (*text) {
        size_t n = strcspn(text, " \n");
        if (n && *col > indent && *col + 1 + n > WIDTH) {
            fprintf(out, "\n%*s", (int)indent, "");
            *col = indent;
        }
        if (n) {
            if (*col > indent) {
                fputc(' ', out);
                (*col)++;
            }
            fwrite(text, 1, n, out);
            *col += n;
        }
        text += n;
        if (*text == '\n') {
            fprintf(out, "\n%*s", (int)indent, "");
            *col = indent;
        }
        if (*text)
            text++;
    }
}

static void path_of(const cli_walk *w, const char *program, FILE *out)
{
    fprintf(out, "  %s", program);
    for (size_t i = 1; i < w->depth; i++)
        fprintf(out, " %s", w->path[i]->name);
}

static void put_option(const cli_opt *o, FILE *out)
{
    char head[128];
    int n = o->letter ? snprintf(head, sizeof head, "  -%c, --%s", o->letter, o->name)
                      : snprintf(head, sizeof head, "      --%s", o->name);
    if (o->value)
        n += snprintf(head + n, sizeof head - (size_t)n, " %s", o->value);
    size_t col = (size_t)n;
    fputs(head, out);
    if (col + 1 >= HELP_AT) {
        fprintf(out, "\n%*s", HELP_AT, "");
    } else {
        fprintf(out, "%*s", (int)(HELP_AT - col), "");
    }
    col = HELP_AT;
    wrap(out, o->help, HELP_AT, &col);
    if (o->def && *o->def && strcmp(o->def, "0") != 0 && strcmp(o->def, "0s") != 0) {
        char def[96];
        snprintf(def, sizeof def, "(default %s)", o->def);
        wrap(out, def, HELP_AT, &col);
    }
    fputc('\n', out);
}

/* All options of the walk below their headings, in table order. */
static void put_options(const cli_line *l, const cli_cmd *cmd, FILE *out)
{
    cli_walk w;
    const char *group = NULL, *shown = "";
    cli_walk_start(&w, l->root, cmd);
    for (const cli_opt *o; (o = cli_walk_next(&w));) {
        group = o->group ? o->group : group;
        if (o->flags & CLI_HIDDEN)
            continue;
        const char *heading = group ? group : "Flags";
        if (w.level > 0)
            heading = "Flags of all commands";
        if (strcmp(heading, shown) != 0)
            fprintf(out, "\n%s:\n", heading);
        shown = heading;
        put_option(o, out);
    }
    static const cli_opt help = {.name = "help", .letter = 'h', .help = "Show this help."};
    if (!*shown)
        fputs("\nFlags:\n", out);
    put_option(&help, out);
}

static void put_commands(const cli_cmd *cmd, FILE *out)
{
    if (!cmd->subs || !cmd->subs[0])
        return;
    fputs("\nCommands:\n", out);
    for (size_t i = 0; cmd->subs[i]; i++) {
        size_t col = 16;
        fprintf(out, "  %-13s ", cmd->subs[i]->name);
        wrap(out, cmd->subs[i]->summary, 16, &col);
        fputc('\n', out);
    }
}

void cli_help(const cli_line *l, const cli_cmd *cmd, FILE *out)
{
    cli_walk w;
    cli_walk_start(&w, l->root, cmd);
    fprintf(out, "%s\n\nUsage:\n", cmd->about ? cmd->about : cmd->summary);
    static const char *const plain[] = {"[flags]", NULL};
    const char *const *usage = cmd->usage ? cmd->usage : plain;
    for (size_t i = 0; usage[i]; i++) {
        path_of(&w, l->program, out);
        fprintf(out, " %s\n", usage[i]);
    }
    put_commands(cmd, out);
    put_options(l, cmd, out);
}
