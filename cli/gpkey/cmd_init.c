/* cmd_init.c - gpkey init: make the key of a fleet. */
#include "gpkey.h"

#include <stdio.h>

static const char *const USAGE[] = {"NAME [-o FILE]", NULL};

static const cli_opt OPTS[] = {
    {"out", 'o', CLI_STRING, offsetof(gpkey_values, out), "FILE", NULL,
     "key file to write (default NAME.key here)", "Options", NULL, CLI_FILE},
    {"seal", 0, CLI_BOOL, offsetof(gpkey_values, seal), NULL, NULL,
     "put the key under a pass phrase at once", NULL, NULL, 0},
    {0},
};

static int run(void *values, const cli_line *line)
{
    const gpkey_values *v = values;
    gp_err err = {0};
    gp_buf path = {0}, pub = {0};
    if (line->n_words != 1)
        return gpkey_usage(line, "init: expected the NAME of the fleet");
    gp_status st = gpkey_make(v, AUTH_KIND_FLEET, line->words[0], &path, &pub, &err);
    if (st == GP_OK && !v->quiet)
        printf("%s  secret, the root of all trust: keep it offline\n"
               "%s  public, into every trusted_keys: gpkey trust %s --into trusted_keys\n",
               gp_buf_str(&path), gp_buf_str(&pub), gp_buf_str(&pub));
    gp_buf_free(&path);
    gp_buf_free(&pub);
    return st == GP_OK ? 0 : gpkey_fail(&err);
}

const cli_cmd gpkey_init = {
    .name = "init",
    .usage = USAGE,
    .summary = "Make the key of a fleet, which signs certificates",
    .about =
        "Make the key of a fleet. With it, new agents and users need no changes elsewhere: every\n"
        "program trusts the fleet's public key, and a certificate says who somebody is and what\n"
        "he may do.\n\n"
        "Example:\n"
        "  gpkey init acme -o acme.key\n"
        "  gpkey trust acme.pub --into /etc/fleetprobe/trusted_keys     on every host",
    .opts = OPTS,
    .run = run,
};
