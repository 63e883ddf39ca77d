/* main.c - gpctl: parse the command line, find the agent, run the command. */
#include "gpctl.h"

#include "gp/io.h"

#include <signal.h>
#include <string.h>
#include <time.h>

#define AT(m) offsetof(gpctl_opts, m)

static const cli_opt opts[] = {
    {"server.addr", 's', CLI_STRING, AT(server), "ADDR", NULL,
     "The agent: unix:/PATH (or ipc:///PATH) on this machine, HOST:PORT (or tcp://HOST:PORT).",
     "General", NULL, CLI_PERSISTENT},
    {"timeout", 't', CLI_DURATION, AT(timeout_ns), "TIME", "10s", "Most time for the command.",
     NULL, NULL, CLI_PERSISTENT},
    {"config", 0, CLI_STRING, AT(config), "FILE", NULL,
     "File with server.addr, timeout, identity.key and identity.trusted_keys. Without it "
     "~/.gpctl.yaml, if that is there.",
     NULL, NULL, CLI_PERSISTENT | CLI_FILE},
    {"identity.key", 0, CLI_STRING, AT(key), "FILE", NULL,
     "Your key (gpkey new user), needed over TCP. Without it ~/.config/fleetprobe/user.key.", NULL,
     NULL, CLI_PERSISTENT | CLI_FILE},
    {"identity.trusted_keys", 0, CLI_STRING, AT(trust), "FILE", NULL,
     "Keys of agents, needed over TCP. Without it trusted_keys beside your key.", NULL, NULL,
     CLI_PERSISTENT | CLI_FILE},
    {"json", 0, CLI_BOOL, AT(json), NULL, NULL, "Print JSON.", NULL, NULL, CLI_PERSISTENT},
    {"version", 0, CLI_BOOL, AT(version), NULL, NULL, "Show the version.", NULL, NULL, 0},
    {0},
};

static int show_version(void *values, const cli_line *line)
{
    (void)values;
    (void)line;
    cli_version("gpctl", stdout);
    return 0;
}

static int show_help(void *values, const cli_line *line)
{
    (void)values;
    cli_help(line, cli_command(line->root, line->words, line->n_words), stdout);
    return 0;
}

static const cli_cmd version_cmd = {
    .name = "version", .summary = "Show the version.", .run = show_version};
static const char *const help_usage[] = {"[COMMAND]", NULL};
static const cli_cmd help_cmd = {.name = "help",
                                 .usage = help_usage,
                                 .summary = "Show help for gpctl or one of its commands.",
                                 .run = show_help};

static const cli_cmd *const subs[] = {&gpctl_status, &gpctl_config,       &gpctl_interfaces,
                                      &gpctl_top,    &gpctl_flush,        &version_cmd,
                                      &help_cmd,     &cli_completion_cmd, NULL};

static const char *const usage[] = {"COMMAND [flags]", NULL};

static int run(void *values, const cli_line *line)
{
    const gpctl_opts *o = values;

    if (o->version)
        return show_version(values, line);
    if (line->n_words)
        return gpctl_fail("unknown command '%s'; see gpctl --help", line->words[0]);
    cli_help(line, line->root, stderr);
    return 1;
}

const cli_cmd gpctl_root = {
    .name = "gpctl",
    .usage = usage,
    .summary = "Status and configuration of a running agent",
    .about = "Look at a running goprobe and tell it what to capture.\n"
             "\n"
             "On the agent's own machine its socket lets in root, the agent's user and its group. "
             "Over TCP a\n"
             "user key is needed whose roles allow it: status, config.read, config.write (gpkey "
             "trust --roles).\n"
             "\n"
             "Examples:\n"
             "  gpctl -s unix:/run/fleetprobe/goprobe.sock status\n"
             "  gpctl -s fw-1:8145 status eth0 eth1 -v\n"
             "  gpctl config --reload              address from ~/.gpctl.yaml or "
             "GPCTL_SERVER_ADDR\n"
             "  gpctl config --file goprobe.yaml   capture what this file says, until the next "
             "reload\n"
             "  gpctl top                          packets and bits per second, live\n"
             "\n"
             "Exit codes: 0 done, 1 failed or wrong usage.",
    .opts = opts,
    .subs = subs,
    .run = run,
};

static int needs_agent(const cli_cmd *c)
{
    return c == &gpctl_status || c == &gpctl_config || c == &gpctl_interfaces ||
           c == &gpctl_flush || c == &gpctl_top;
}

int main(int argc, char **argv)
{
    struct sigaction ign = {.sa_handler = SIG_IGN};
    gpctl_opts o = {0};
    cli_line line = {0};
    gpctl_settings *settings = NULL;
    gp_err err = {0};
    int code;

    gp_hold_std_fds();
    (void)sigaction(SIGPIPE, &ign, NULL);
    tzset();
    if (cli_parse(&gpctl_root, argc, argv, &o, &line, &err) != GP_OK) {
        code = gpctl_fail("%s", err.msg);
    } else if (line.help) {
        cli_help(&line, line.cmd, stdout);
        code = 0;
    } else if (needs_agent(line.cmd) && gpctl_settings_load(&o, &line, &settings, &err) != GP_OK) {
        code = gpctl_fail("%s", err.msg);
    } else {
        code = line.cmd->run(&o, &line);
    }
    code = gpctl_finish(code);
    gpctl_settings_free(settings);
    cli_line_free(&line);
    return code;
}
