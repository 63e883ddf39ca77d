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
    .words_like = "-i",
    .run = goquery_list,
};
static const cli_opt hosts_opts[] = {
    {"query.hosts-resolver-type", 0, CLI_STRING, AT(hosts_resolver), "TYPE", "string",
     "How the query server shall find the hosts.", "Flags", NULL, 0},
    {0},
};
static const char *const hosts_usage[] = {"[SELECTOR ...] [flags]", NULL};
static const cli_cmd hosts_cmd = {
    .name = "hosts",
    .usage = hosts_usage,
    .summary = "Show the hosts that a query server would ask, and how they are.",
    .opts = hosts_opts,
    .run = goquery_hosts,
};
static const cli_opt report_opts[] = {
    {"output", 'o', CLI_STRING, AT(output), "PATH", NULL,
     "Write the page to this file, replacing it in one step, or csv and json files into this "
     "directory. Without it the page goes to standard output.",
     "Flags", NULL, CLI_FILE},
    {"quiet", 0, CLI_BOOL, AT(quiet), NULL, NULL, "Say nothing when all queries succeed.", NULL,
     NULL, 0},
    {"query.hosts-resolution", 'q', CLI_STRING, AT(hosts), "HOSTS", NULL,
     "Hosts that the query server shall ask; wins over the file. Without either: any.", NULL, NULL,
     0},
    {"max-wait", 0, CLI_DURATION, AT(max_wait_ns), "DURATION", "0s",
     "Wait at most this long for hosts. 0 is the server's limit.", NULL, NULL,
     CLI_CONFIG | CLI_NOT_BELOW_0},
    {"strict", 0, CLI_BOOL, AT(strict), NULL, NULL,
     "Exit with code 3 when the report is written, but a host did not answer or none was asked.",
     NULL, NULL, 0},
    {0},
};
static const char *const report_usage[] = {"FILE.yaml [flags]", NULL};
static const cli_cmd report_cmd = {
    .name = "report",
    .usage = report_usage,
    .summary = "Run the queries of a file and write one page with tables and charts.",
    .about =
        "Run the queries of a YAML file on a database or a query server and write one page with\n"
        "tables and charts (-e html or md), or a directory of files (-e csv or json).\n"
        "\n"
        "  title: Office, last day\n"
        "  defaults: {ifaces: any, first: -1d, num_results: 20}\n"
        "  queries:\n"
        "    - {title: Traffic, query: time, time_resolution: auto}\n"
        "    - {title: Top talkers, query: talk_conv, description: Who with whom}\n"
        "\n"
        "Members of queries and defaults are those of stored queries, and: stored (a stored "
        "query's\n"
        "file), chart (auto, time, bars or none), table (true or false). -f, -l and -q win over "
        "the\n"
        "file. A summary line goes to standard error. Exit codes: 0 all is well, 1 a query failed\n"
        "(the page says which) or nothing could be written, 3 with --strict a host did not answer.",
    .opts = report_opts,
    .run = goquery_report,
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
static const cli_cmd *const subs[] = {&report_cmd,  &list_cmd, &hosts_cmd,          &examples_cmd,
                                      &version_cmd, &help_cmd, &cli_completion_cmd, NULL};

static const char *const root_usage[] = {
    "[flags] QUERY_TYPE",
    "[flags] --stored-query FILE|-",
    "list [IFACE ...] [flags]",
    "report FILE.yaml [flags]",
    "hosts [SELECTOR ...] [flags]",
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
