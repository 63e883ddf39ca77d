/* goconvert.c - import with the flags of the old goConvert (godb-format.md 8.3). */
#include "gpdb.h"

#include "gp/mem.h"
#include "gp/num.h"

#include <string.h>

#define AT(m) offsetof(struct old_opts, m)

struct old_opts {
    gpdb_opts o;
    const char *in, *out, *permissions, *encoder;
};

static const cli_opt opts[] = {
    {"in", 'i', CLI_STRING, AT(in), "FILE", NULL, "CSV file; - is standard input.", "Flags", NULL,
     CLI_FILE},
    {"out", 'o', CLI_STRING, AT(out), "DIR", NULL, "Database directory.", NULL, NULL, CLI_DIR},
    {"schema", 's', CLI_STRING, AT(o.schema), "NAMES", NULL,
     "Column names separated by commas, for files without a heading line.", NULL, NULL, 0},
    {"rows", 'n', CLI_U64, AT(o.rows), "N", "1000",
     "Read at most N rows, as the old tool; 0 is all.", NULL, NULL, 0},
    {"iface", 0, CLI_STRING, AT(o.iface), "NAME", NULL,
     "Interface of all rows, when the CSV has no iface column.", NULL, NULL, 0},
    {"encoder", 'e', CLI_STRING, AT(encoder), "ID", "3",
     "Compression: 3 (lz4), 2 (zstd), 1 (null), or a name.", NULL, NULL, 0},
    {"permissions", 'p', CLI_STRING, AT(permissions), "MODE", NULL,
     "Permissions of new files: decimal, or octal with a leading 0. (default 0644)", NULL, NULL, 0},
    {"version", 0, CLI_BOOL, AT(o.version), NULL, NULL, "Show the version.", NULL, NULL, 0},
    {0},
};

static const char *const usage[] = {"-in FILE -out DIR [flags]", NULL};

static int run(void *values, const cli_line *line)
{
    struct old_opts *v = values;

    if (v->o.version) {
        cli_version("goconvert", stdout);
        return GPDB_OK;
    }
    if (line->n_words)
        return gpdb_usage(line, "unexpected word '%s'", line->words[0]);
    if (!v->in || !*v->in || !v->out || !*v->out)
        return gpdb_usage(line, "expected -in FILE and -out DIR");
    v->o.codec = v->encoder;
    v->o.mode = v->permissions;
    v->o.rows_by_default = !cli_given(line, "rows");
    return gpdb_import_files(&v->o, line, v->out, &v->in, 1);
}

const cli_cmd goconvert_root = {
    .name = "goconvert",
    .usage = usage,
    .summary = "Import a CSV file with the flags of the old goConvert",
    .about = "Import a CSV file with the flags of the old goConvert: this is `gpdb import`, "
             "whose help explains\n"
             "the columns. Flags may be written with one dash or two.\n"
             "\n"
             "Example:\n"
             "  goconvert -in flows.csv -out /srv/flows -iface eth0 -schema time,sip,dip -rows 0",
    .opts = opts,
    .run = run,
};

/* The old tool took long flags with one dash: give those of its names a second one. */
static int is_old_flag(const char *arg)
{
    size_t n = strcspn(arg + 1, "=");

    if (arg[0] != '-' || arg[1] == '-')
        return 0;
    for (const cli_opt *o = opts; o->name; o++)
        if (strlen(o->name) == n && strncmp(arg + 1, o->name, n) == 0)
            return 1;
    return strcmp(arg, "-help") == 0;
}

static char **with_two_dashes(int argc, char **argv)
{
    char **v = gp_calloc((size_t)argc + 1, sizeof *v);

    for (int i = 0; v && i < argc; i++) {
        v[i] = i > 0 && is_old_flag(argv[i]) ? gp_asprintf("-%s", argv[i]) : gp_strdup(argv[i]);
        if (!v[i]) {
            godb_strv_free(v);
            return NULL;
        }
    }
    return v;
}

int goconvert_main(int argc, char **argv)
{
    struct old_opts v = {0};
    cli_line line = {.root = &goconvert_root};
    gp_err err = {0};
    char **args = with_two_dashes(argc, argv);
    int code;

    if (!args)
        return gpdb_fail(&line, "out of memory");
    if (cli_parse(&goconvert_root, argc, args, &v, &line, &err) != GP_OK) {
        code = gpdb_usage(&line, "%s", err.msg);
    } else if (line.help) {
        cli_help(&line, line.cmd, stdout);
        code = GPDB_OK;
    } else {
        code = run(&v, &line);
    }
    code = gpdb_finish(&line, code);
    cli_line_free(&line);
    godb_strv_free(args);
    return code;
}
