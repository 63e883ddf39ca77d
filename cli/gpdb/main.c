/* main.c - gpdb: parse the command line, run the command; goconvert is a link to it. */
#include "gpdb.h"

#include "gp/io.h"
#include "gp/mem.h"

#include <signal.h>
#include <string.h>
#include <time.h>

#define AT(m) offsetof(gpdb_opts, m)

static const cli_opt opts[] = {
    {"db.path", 'd', CLI_STRING, AT(db_path), "DIR", NULL,
     "Database directory. It may also be given as the first word (last word for import).",
     "General", NULL, CLI_PERSISTENT | CLI_DIR},
    {"json", 0, CLI_BOOL, AT(json), NULL, NULL, "Print the result as JSON.", NULL, NULL,
     CLI_PERSISTENT},
    {"quiet", 'q', CLI_BOOL, AT(quiet), NULL, NULL,
     "Print no progress, warnings and summaries; errors only.", NULL, NULL, CLI_PERSISTENT},
    {"version", 0, CLI_BOOL, AT(version), NULL, NULL, "Show the version.", NULL, NULL, 0},
    {0},
};

static const cli_cmd *const subs[] = {
    &gpdb_import, &gpdb_export, &gpdb_merge, &gpdb_list,          &gpdb_inspect, &gpdb_check,
    &gpdb_repair, &gpdb_retain, &gpdb_index, &cli_completion_cmd, NULL};

static const char *const usage[] = {"COMMAND [flags]", NULL};

static int run(void *values, const cli_line *line)
{
    const gpdb_opts *o = values;

    if (o->version) {
        cli_version("gpdb", stdout);
        return GPDB_OK;
    }
    if (line->n_words)
        return gpdb_usage(line, "unknown command '%s'", line->words[0]);
    cli_help(line, line->root, stderr);
    return GPDB_USAGE;
}

const cli_cmd gpdb_root = {
    .name = "gpdb",
    .usage = usage,
    .summary = "Look after flow databases",
    .about = "Look after flow databases (goDB): import and export CSV, merge, list, inspect, "
             "check, repair,\n"
             "delete old days.\n"
             "\n"
             "Examples:\n"
             "  gpdb import flows.csv.gz /srv/flows      add flows from a CSV file\n"
             "  gpdb merge old-db /srv/flows --dry-run   what would be taken over from "
             "another database\n"
             "  gpdb list /srv/flows                     interfaces, traffic and time covered\n"
             "  gpdb check /srv/flows                    verify every block\n"
             "  gpdb retain /srv/flows --max-age 90d     what is older than 90 days (add "
             "--apply)\n"
             "\n"
             "`gpdb COMMAND --help` explains a command. Exit codes: 0 done, 1 failed, 2 wrong "
             "usage, 3 done, but\n"
             "something is damaged or was left out.",
    .opts = opts,
    .subs = subs,
    .run = run,
};

static int is_goconvert(const char *argv0)
{
    const char *slash = argv0 ? strrchr(argv0, '/') : NULL;
    const char *name = slash ? slash + 1 : argv0 ? argv0 : "";
    return strcasecmp(name, "goconvert") == 0;
}

int main(int argc, char **argv)
{
    struct sigaction ign = {.sa_handler = SIG_IGN};
    gpdb_opts o = {0};
    cli_line line = {0};
    gp_err err = {0};
    int code;

    gp_hold_std_fds();
    (void)sigaction(SIGPIPE, &ign, NULL);
    tzset();
    gp_raise_fd_limit();
    if (is_goconvert(argv[0]))
        return goconvert_main(argc, argv);
    if (cli_parse(&gpdb_root, argc, argv, &o, &line, &err) != GP_OK) {
        code = gpdb_usage(&line, "%s", err.msg);
    } else if (line.help) {
        cli_help(&line, line.cmd, stdout);
        code = GPDB_OK;
    } else {
        code = line.cmd->run(&o, &line);
    }
    code = gpdb_finish(&line, code);
    cli_line_free(&line);
    return code;
}
