/* cmd_new.c - gpkey new: make a key pair. */
#include "gpkey.h"

#include <stdio.h>

static const char *const USAGE[] = {"KIND NAME [-o FILE]", NULL};

static const cli_opt OPTS[] = {
    {"out", 'o', CLI_STRING, offsetof(gpkey_values, out), "FILE", NULL,
     "key file to write (default NAME.key here); the public half goes to FILE with .pub", "Options",
     NULL, CLI_FILE},
    {"seal", 0, CLI_BOOL, offsetof(gpkey_values, seal), NULL, NULL,
     "put the key under a pass phrase at once", NULL, NULL, 0},
    {0},
};

static int run(void *values, const cli_line *line)
{
    const gpkey_values *v = values;
    gp_err err = {0};
    gp_buf path = {0}, pub = {0};
    if (line->n_words != 2)
        return gpkey_usage(line, "new: expected KIND and NAME, for example: gpkey new agent fw-1");
    int kind = auth_kind_by_name(line->words[0]);
    if (kind < 0)
        return gpkey_usage(line, "new: kind '%s'; expected agent, aggregator, gateway or user",
                           line->words[0]);
    gp_status st = gpkey_make(v, (auth_kind)kind, line->words[1], &path, &pub, &err);
    if (st == GP_OK && !v->quiet)
        printf("%s  secret, stays on its host\n%s  public, for: gpkey trust %s\n",
               gp_buf_str(&path), gp_buf_str(&pub), gp_buf_str(&pub));
    gp_buf_free(&path);
    gp_buf_free(&pub);
    return st == GP_OK ? 0 : gpkey_fail(&err);
}

const cli_cmd gpkey_new = {
    .name = "new",
    .usage = USAGE,
    .summary = "Make a key pair",
    .about = "Make a key pair for an agent, an aggregator, a gateway or a user.\n\n"
             "The key file is readable by its owner only and is never overwritten. The .pub file\n"
             "holds the line that others put into their trusted_keys.\n\n"
             "Examples:\n"
             "  gpkey new agent fw-1 -o /etc/fleetprobe/agent.key\n"
             "  gpkey new user alice",
    .opts = OPTS,
    .run = run,
};
