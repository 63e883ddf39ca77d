/* main.c - gpkey: keys, trust and certificates of a fleet. */
#include "gpkey.h"

#include "gp/io.h"

#include <stdio.h>

static const cli_opt OPTS[] = {
    {"quiet", 'q', CLI_BOOL, offsetof(gpkey_values, quiet), NULL, NULL, "print nothing but errors",
     "General", NULL, CLI_PERSISTENT},
    {"version", 0, CLI_BOOL, offsetof(gpkey_values, version), NULL, NULL, "show the version", NULL,
     NULL, 0},
    {0},
};

static const cli_cmd *const SUBS[] = {
    &gpkey_new,     &gpkey_show,     &gpkey_trust,  &gpkey_init,         &gpkey_issue,
    &gpkey_request, &gpkey_sign_csr, &gpkey_verify, &gpkey_renew,        &gpkey_revoke,
    &gpkey_seal,    &gpkey_unseal,   &gpkey_audit,  &cli_completion_cmd, NULL};

static const char *const USAGE[] = {"COMMAND [options]", NULL};

static int run(void *values, const cli_line *line)
{
    const gpkey_values *v = values;
    if (v->version) {
        cli_version("gpkey", stdout);
        return 0;
    }
    if (line->n_words)
        return gpkey_usage(line, "unknown command '%s'", line->words[0]);
    cli_help(line, line->root, stderr);
    return 2;
}

static const cli_cmd ROOT = {
    .name = "gpkey",
    .usage = USAGE,
    .summary = "Keys and trust of a fleet",
    .about = "Make the keys with which agents, aggregators and users know each other.\n\n"
             "Start of a small fleet:\n"
             "  gpkey new agent fw-1            on each sensor\n"
             "  gpkey new aggregator agg        on the aggregator\n"
             "  gpkey new user alice            for each user\n"
             "  gpkey trust agg.pub alice.pub --into trusted_keys      on each sensor\n"
             "  gpkey trust fw-1.pub alice.pub --into trusted_keys     on the aggregator\n"
             "  gpkey trust agg.pub fw-1.pub --into trusted_keys       for each user\n\n"
             "Larger fleets use certificates; nobody's list changes when a host is added:\n"
             "  gpkey init acme                                once, kept offline\n"
             "  gpkey trust acme.pub --into trusted_keys       the same file everywhere\n"
             "  gpkey issue agent fw-1 --by acme.key           gives fw-1.key and fw-1.crt\n"
             "  gpkey issue user alice --by acme.key --roles query,live",
    .opts = OPTS,
    .subs = SUBS,
    .run = run,
};

int main(int argc, char **argv)
{
    gpkey_values v = {0};
    cli_line line = {0};
    gp_err err = {0};
    int rc;
    gp_hold_std_fds();
    if (cli_parse(&ROOT, argc, argv, &v, &line, &err) != GP_OK) {
        fprintf(stderr, "gpkey: %s\n", err.msg);
        rc = 2;
    } else if (line.help) {
        cli_help(&line, line.cmd, stdout);
        rc = 0;
    } else {
        rc = line.cmd->run(&v, &line);
    }
    rc = gpkey_finish(rc);
    auth_identity_free(v.signer);
    cli_line_free(&line);
    return rc;
}
