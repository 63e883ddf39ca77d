/* main.c - goquery: parse the command line, set up, run the command. */
#include "config.h"
#include "gp/clock.h"
#include "gp/io.h"
#include "interrupt.h"
#include "options.h"
#include "profile.h"
#include "report.h"
#include "rt/log.h"
#include "topics.h"

#include <string.h>
#include <time.h>

static int show_help(const cli_line *line, const cli_cmd *cmd)
{
    cli_help(line, cmd, stdout);
    if (cmd == &goquery_root)
        goquery_topics(gp_wall_s(), stdout);
    return 0;
}

int goquery_help(void *opts, const cli_line *line)
{
    (void)opts;
    return show_help(line, cli_command(line->root, line->words, line->n_words));
}

int goquery_version(void *opts, const cli_line *line)
{
    (void)opts;
    cli_version(line->program, stdout);
    return 0;
}

/* Messages that come before there is a query carry no prefix (7.1). */
static int plain_fail(const char *text)
{
    fprintf(stderr, "%s\n", text);
    return GOQUERY_FAILED;
}

/* What became of flags of old versions that have no flag of the same name; NULL for others. */
static const char *modern(const char *name)
{
    static const char *const old[][2] = {
        {"list", "there is a command for that: list"},
        {"resolve", "the flag is now -r"},
        {"resolve-rows", "the flag is now --dns-resolution.max-rows"},
        {"resolve-timeout", "the flag is now --dns-resolution.timeout"},
    };
    for (size_t i = 0; i < GP_COUNT(old); i++)
        if (strcmp(name, old[i][0]) == 0)
            return old[i][1];
    return NULL;
}

/* -sum and -in look like flags of old versions, but mean -s um and -i n. */
static void warn_single_dash(int argc, char *const *argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        const char *word = argv[i];
        if (word[0] != '-' || word[1] == '-' || strlen(word) < 3)
            continue;
        const char *now = modern(word + 1);
        if (now)
            fprintf(stderr, "Warning: %s is read as -%c %s; %s\n", word, word[1], word + 2, now);
        for (const cli_opt *o = goquery_root.opts; o->name; o++)
            if (strcmp(o->name, word + 1) == 0)
                fprintf(stderr, "Warning: %s is read as -%c %s; the flag is written -%s\n", word,
                        word[1], word + 2, word);
    }
}

static gp_status set_up_log(const goquery_opts *o, gp_err *err)
{
    int level = rt_level_by_name(o->log_level);
    if (level < 0)
        return gp_fail(err, GP_EINVAL, 0,
                       "unknown log level \"%.40s\": expected debug, info, warn, error, fatal or "
                       "panic",
                       o->log_level);
    rt_log_opts log = {
        .level = (rt_level)level,
        .encoding = o->json || strcmp(o->format, "json") == 0 ? RT_JSON : RT_LOGFMT,
        .version = cli_version_short(),
    };
    return rt_log_init(&log, err);
}

static int run(goquery_opts *o, const cli_line *line)
{
    gp_err err = {0};
    int64_t start = gp_mono_ns();
    if (*o->profile_dir && goquery_profile_start(o->profile_dir, &err) != GP_OK)
        return goquery_fail("%s", err.msg);
    int code = o->version && line->cmd == &goquery_root ? goquery_version(o, line)
                                                        : line->cmd->run(o, line);
    if (code == 0 && *o->profile_dir &&
        goquery_profile_end(o->profile_dir, gp_mono_ns() - start, &err) != GP_OK)
        return goquery_fail("%s", err.msg);
    return code;
}

int main(int argc, char **argv)
{
    goquery_opts o = {0};
    cli_line line;
    gp_err err = {0};
    int code;
    gp_hold_std_fds();
    gp_raise_fd_limit();
    goquery_pipe_ignore();
    tzset();
    warn_single_dash(argc, argv);
    gp_arena *arena = gp_arena_new(1 << 20);
    gp_status st = cli_parse(&goquery_root, argc, argv, &o, &line, &err);
    if (st != GP_OK)
        code = goquery_fail("%s", err.msg);
    else if (line.help)
        code = show_help(&line, line.cmd);
    else if (!arena)
        code = plain_fail("out of memory");
    else if (goquery_config(&o, &line, arena, &err) != GP_OK || set_up_log(&o, &err) != GP_OK)
        code = plain_fail(err.msg);
    else
        code = run(&o, &line);
    code = goquery_finish(code);
    cli_line_free(&line);
    gp_arena_free(arena);
    return code;
}
