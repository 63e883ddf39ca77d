/* args.h - command lines: one table per command that parses, explains and completes (query.md 2).
 */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "gp/err.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum cli_type {
    CLI_BOOL,     /* int; takes a value only with '=' */
    CLI_STRING,   /* const char *, borrowed from argv or the table */
    CLI_U64,      /* uint64_t; 10, 0x10, 0o10, 010, 0b10, 1_000 */
    CLI_I64,      /* int64_t; the same with a sign */
    CLI_DURATION, /* int64_t nanoseconds; query.md 4.5 */
    CLI_BYTES,    /* uint64_t; 64M, 1.5G */
    CLI_STRINGS,  /* cli_strings; every use adds one */
} cli_type;

enum {
    CLI_PERSISTENT = 1,   /* sub-commands take it too */
    CLI_HIDDEN = 2,       /* works, but is not shown */
    CLI_CONFIG = 4,       /* may come from configuration file and environment */
    CLI_FILE = 8,         /* completion: value is a file */
    CLI_DIR = 16,         /* completion: value is a directory */
    CLI_HELPER = 32,      /* completion: ask the root's completer for values */
    CLI_NOT_BELOW_0 = 64, /* CLI_I64, CLI_DURATION: a negative value is refused */
    CLI_ONE_OF = 128,     /* CLI_STRING: anything but the choices is refused */
};

/* Values of CLI_STRINGS. Borrowed texts; v is freed by cli_line_free() of the line that set it. */
typedef struct cli_strings {
    const char **v;
    size_t n;
} cli_strings;

typedef struct cli_opt {
    const char *name; /* "results.limit"; NULL ends a table */
    char letter;      /* 'n', or 0 */
    cli_type type;
    size_t at;                  /* offsetof() the value in the program's struct */
    const char *value;          /* what the value is called in help: "FILE"; NULL for CLI_BOOL */
    const char *def;            /* default as text, shown and applied; NULL = 0, false, "" */
    const char *help;           /* what it does */
    const char *group;          /* heading in help; NULL = that of the option before */
    const char *const *choices; /* NULL-ended, for completion (and CLI_ONE_OF); NULL = free */
    unsigned flags;             /* CLI_* */
} cli_opt;

typedef struct cli_cmd cli_cmd;
typedef struct cli_line cli_line;

/* A program (root) or one of its commands. */
struct cli_cmd {
    const char *name;           /* "goquery", "list" */
    const char *const *usage;   /* NULL-ended; each is shown after the command's path */
    const char *summary;        /* one line */
    const char *about;          /* text of --help, at most 100 columns; NULL = the summary */
    const cli_opt *opts;        /* ended by a NULL name; NULL = none */
    const cli_cmd *const *subs; /* NULL-ended; NULL = none */
    const char *completer;      /* root: helper program (query.md 8), or NULL */
    const char *words_from;     /* shell completion: a command of this program that prints what its
                                   positional arguments may be, one a line; NULL = files */
    const char *words_like;     /* shell completion: the flag ("-i") whose value, as the helper
                                   completes     it, each positional argument is; NULL = none */
    /* Run it with the program's struct; returns the exit code. */
    int (*run)(void *values, const cli_line *line);
};

/* A parsed command line. Borrows from the table and argv. */
struct cli_line {
    const cli_cmd *root;
    const cli_cmd *cmd;  /* root or a command below it */
    const char *path;    /* argv[0] */
    const char *program; /* its base name */
    const char **words;  /* positional arguments without command names */
    size_t n_words;
    int help;              /* -h or --help was given */
    const cli_opt **given; /* options seen on the command line */
    size_t n_given;
    cli_strings **lists; /* private: to be freed */
    size_t n_lists;
};

/* Defaults into *values, then the command line. GP_EINVAL with a one-line text as query.md 2.2 has
 * it. *out is filled on failure too as far as it got; cli_line_free() in any case. */
gp_status cli_parse(const cli_cmd *root, int argc, char *const *argv, void *values, cli_line *out,
                    gp_err *err) GP_MUST_CHECK;
void cli_line_free(cli_line *l);

/* 1 if the option was on the command line. */
int cli_given(const cli_line *l, const char *name);

/* Option of the command by long name (case ignored, its own and persistent ones), or NULL. */
const cli_opt *cli_find(const cli_line *l, const char *name);

/* Set one option's value from text (configuration, environment); text must outlive values for
 * strings. GP_EINVAL; `source` names where it came from in the message. */
gp_status cli_set(const cli_opt *o, const char *text, void *values, const char *source,
                  gp_err *err) GP_MUST_CHECK;

/* Help of a command, at most 100 columns wide. */
void cli_help(const cli_line *l, const cli_cmd *cmd, FILE *out);
/* Command below root by path of words, as far as they match; root if none does. */
const cli_cmd *cli_command(const cli_cmd *root, const char *const *words, size_t n);

/* Completion script for "bash", "zsh", "fish" or "powershell". GP_ENOTFOUND for another shell. */
gp_status cli_completion(const cli_cmd *root, const char *program, const char *shell, FILE *out,
                         gp_err *err) GP_MUST_CHECK;
/* The command `completion SHELL` for any program; help for an unknown shell, exit code 0. */
extern const cli_cmd cli_completion_cmd;

/* "<program> devel" or the release text with build time, commit and toolchain (query.md 2.4). */
void cli_version(const char *program, FILE *out);
/* "devel", "1.2.0-0123abcd" or "0123abcd"; static. */
const char *cli_version_short(void);

#endif
