/* options.c - the tables of goquery's commands (query.md 2.1, 2.4). */
#include "options.h"

#define AT(m) offsetof(goquery_opts, m)

static const cli_opt list_opts[] = {
    {"detailed", 'v', CLI_BOOL, AT(detailed), NULL, NULL,
     "Show received and sent, IPv4 and IPv6 apart, and dropped packets.", "Flags", NULL, 0},
    {0},
};

static const char *const list_usage[] = {"[IFACE ...] [flags]", NULL};
static const cli_cmd list_cmd = {
    .name = "list",
    .usage = list_usage,
    .summary = "Show interfaces with traffic, number of flows and time covered.",
    .opts = list_opts,
    .run = goquery_list,
};
static const char *const hosts_usage[] = {"[SELECTOR] [flags]", NULL};
static const cli_cmd hosts_cmd = {
    .name = "hosts",
    .usage = hosts_usage,
    .summary = "Show the hosts that a query server would ask, and how they are.",
    .run = goquery_hosts,
};
static const cli_cmd examples_cmd = {
    .name = "examples",
    .summary = "Show worked examples.",
    .run = goquery_examples,
};
static const cli_cmd version_cmd = {
    .name = "version",
    .summary = "Show the version.",
    .run = goquery_version,
};
static const char *const help_usage[] = {"[COMMAND]", NULL};
static const cli_cmd help_cmd = {
    .name = "help",
    .usage = help_usage,
    .summary = "Show help for goquery or one of its commands.",
    .run = goquery_help,
};
static const cli_cmd *const subs[] = {&list_cmd, &hosts_cmd,          &examples_cmd, &version_cmd,
                                      &help_cmd, &cli_completion_cmd, NULL};

static const char *const root_usage[] = {
    "[flags] QUERY_TYPE",
    "[flags] --stored-query FILE|-",
    "list [IFACE ...] [flags]",
    "examples | version | help [COMMAND] | completion SHELL",
    NULL,
};

const cli_cmd goquery_root = {
    .name = "goquery",
    .usage = root_usage,
    .summary = "Query network flows that the capture daemon recorded.",
    .about = "goquery shows who talked to whom, how much and when: it adds up recorded network "
             "flows by the\ncolumns you ask for, from a local database or, through a query server, "
             "from many hosts.",
    .opts = goquery_flags,
    .subs = subs,
    .completer = "goquery_completion",
    .run = goquery_query,
};
