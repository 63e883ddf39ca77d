/* internal.h - what the files of this room share. */
#ifndef CLI_INTERNAL_H
#define CLI_INTERNAL_H

#include "cli/args.h"

/* Walk over the options that a command takes: its own, then persistent ones of its ancestors. Own
 * ones hide others of the same name or letter. */
typedef struct cli_walk {
    const cli_cmd *path[8]; /* root first */
    size_t depth;           /* entries of path */
    size_t level;           /* 0 = the command itself, then upwards */
    size_t i;
} cli_walk;

/* Find the way from root to cmd. */
void cli_walk_start(cli_walk *w, const cli_cmd *root, const cli_cmd *cmd);
/* Next option, NULL at the end. */
const cli_opt *cli_walk_next(cli_walk *w);

/* By long name (exact), or by letter when name is NULL. NULL if the command has none. */
const cli_opt *cli_opt_find(const cli_cmd *root, const cli_cmd *cmd, const char *name, size_t len,
                            char letter);

/* Set a value; shown: how the option is called in messages ("-n, --results.limit"). lists (may be
 * NULL) remembers grown CLI_STRINGS. */
gp_status cli_value_set(const cli_opt *o, const char *text, void *values, const char *shown,
                        cli_line *l, gp_err *err) GP_MUST_CHECK;

#endif
