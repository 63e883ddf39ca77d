/* options.c - the tables of goquery's flags and commands (query.md 2.3, 2.4). */
#include "options.h"

#define AT(m) offsetof(goquery_opts, m)

static const char *const formats[] = {"txt", "json", "csv", "ndjson", "md", "html", NULL};
static const char *const sort_keys[] = {"bytes", "packets", "time", NULL};
static const char *const levels[] = {"debug", "info", "warn", "error", "fatal", "panic", NULL};
static const char *const whens[] = {"auto", "always", "never", NULL};

static const cli_opt root_opts[] = {
    {"ifaces", 'i', CLI_STRING, AT(ifaces), "LIST", NULL,
     "Interfaces to query: names separated by commas, any for all, !NAME to leave one out, or a "
     "regular expression between slashes, such as /^eth[01]$/. Required.",
     "What to look for", NULL, 0},
    {"condition", 'c', CLI_STRING, AT(condition), "CONDITION", NULL,
     "Count only flows that match, e.g. \"dport = 443 and net = 10.0.0.0/8\" (see below).", NULL,
     NULL, 0},
    {"first", 'f', CLI_STRING, AT(first), "TIME", NULL,
     "From when on (see below). Without it: one month back, for queries with the time label one "
     "day back, for list everything.",
     NULL, NULL, CLI_PERSISTENT},
    {"last", 'l', CLI_STRING, AT(last), "TIME", NULL, "Until when. Without it: now.", NULL, NULL,
     CLI_PERSISTENT},
    {"query.time-resolution", 0, CLI_STRING, AT(time_resolution), "WIDTH", "5m",
     "Width of the time bins of queries with the time label: a multiple of 5m, or auto for about "
     "300 bins over the whole range.",
     NULL, NULL, CLI_PERSISTENT},
    {"stored-query", 0, CLI_STRING, AT(stored_query), "FILE", NULL,
     "Read query arguments as a JSON object from FILE, - for standard input. What it holds wins "
     "over flags.",
     NULL, NULL, CLI_PERSISTENT | CLI_CONFIG | CLI_FILE},
    {"in", 0, CLI_BOOL, AT(in), NULL, NULL, "Show received packets and bytes only.", "What to show",
     NULL, 0},
    {"out", 0, CLI_BOOL, AT(out), NULL, NULL, "Show sent packets and bytes only.", NULL, NULL, 0},
    {"sum", 0, CLI_BOOL, AT(sum), NULL, NULL,
     "Show received and sent added up. Wins over --in and --out.", NULL, NULL, 0},
    {"sort.by", 's', CLI_STRING, AT(sort_by), "KEY", "bytes",
     "Sort by bytes, packets or time. Queries with the time label are sorted by time.", NULL,
     sort_keys, 0},
    {"sort.ascending", 'a', CLI_BOOL, AT(ascending), NULL, NULL, "Smallest first.", NULL, NULL, 0},
    {"results.limit", 'n', CLI_U64, AT(limit), "N", "1000",
     "Show at most N rows. It applies to queries with the time label, too.", NULL, NULL, 0},
    {"results.format", 'e', CLI_STRING, AT(format), "FORMAT", "txt",
     "Output as txt, json, csv, ndjson (one row a line), md or html (fragments for reports).", NULL,
     formats, CLI_PERSISTENT},
    {"json", 0, CLI_BOOL, AT(json), NULL, NULL, "The same as --results.format json.", NULL, NULL,
     CLI_PERSISTENT},
    {"query.stats", 0, CLI_BOOL, AT(stats), NULL, NULL,
     "Show what the query read and decompressed.", NULL, NULL, CLI_PERSISTENT | CLI_CONFIG},
    {"dns-resolution.enabled", 'r', CLI_BOOL, AT(dns), NULL, NULL,
     "Show host names instead of IP addresses in tables (reverse DNS).", NULL, NULL, 0},
    {"dns-resolution.max-rows", 0, CLI_I64, AT(dns_max_rows), "N", "25",
     "Resolve the addresses of the first N rows.", NULL, NULL, 0},
    {"dns-resolution.timeout", 0, CLI_DURATION, AT(dns_timeout_ns), "DURATION", "1s",
     "Time limit for reverse lookups, and for host names in conditions.", NULL, NULL, 0},
    {"color", 0, CLI_STRING, AT(color), "WHEN", "auto",
     "Colours in tables: auto (on a terminal, unless NO_COLOR is set), always or never.", NULL,
     whens, CLI_PERSISTENT},
    {"pager", 0, CLI_STRING, AT(pager), "WHEN", "auto",
     "Show long tables with $PAGER: auto (on a terminal, when the table is longer than the "
     "screen), always or never.",
     NULL, whens, CLI_PERSISTENT},
    {"db.path", 'd', CLI_STRING, AT(db_path), "DIR", NULL,
     "Database to read: the directory with one sub-directory per interface.", "Where to look", NULL,
     CLI_PERSISTENT | CLI_CONFIG | CLI_DIR},
    {"query.server.addr", 0, CLI_STRING, AT(server_addr), "ADDR", NULL,
     "Ask this query server instead of a database. Wins over --db.path.", NULL, NULL,
     CLI_PERSISTENT | CLI_CONFIG},
    {"query.hosts-resolution", 'q', CLI_STRING, AT(hosts), "HOSTS", NULL,
     "Hosts that the query server shall ask: names separated by commas, or any.", NULL, NULL, 0},
    {"query.hosts-resolver-type", 0, CLI_STRING, AT(hosts_resolver), "TYPE", "string",
     "How the query server shall find the hosts.", NULL, NULL, 0},
    {"max-wait", 0, CLI_DURATION, AT(max_wait_ns), "DURATION", "0s",
     "Wait at most this long for hosts; those that are late are named as missing. 0 is the "
     "server's limit.",
     NULL, NULL, CLI_CONFIG},
    {"min-hosts", 0, CLI_U64, AT(min_hosts), "N", "0", "Fail when fewer than N hosts answer.", NULL,
     NULL, CLI_CONFIG},
    {"identity.key", 0, CLI_STRING, AT(identity_key), "FILE", NULL,
     "Key that signs queries to servers (gpkey new user). Without it: fleetprobe/user.key in "
     "$XDG_CONFIG_HOME or ~/.config.",
     NULL, NULL, CLI_PERSISTENT | CLI_CONFIG | CLI_FILE},
    {"identity.trusted_keys", 0, CLI_STRING, AT(trusted_keys), "FILE", NULL,
     "Servers and agents to believe (gpkey trust). Without it: trusted_keys beside the key.", NULL,
     NULL, CLI_PERSISTENT | CLI_CONFIG | CLI_FILE},
    {"fleet", 0, CLI_STRING, AT(fleet), "NAME", NULL, "Sign queries for this fleet only.", NULL,
     NULL, CLI_PERSISTENT | CLI_CONFIG},
    {"merge-hosts", 0, CLI_BOOL, AT(merge_hosts), NULL, NULL,
     "Add up the rows of all hosts instead of showing hosts apart.", NULL, NULL, 0},
    {"strict", 0, CLI_BOOL, AT(strict), NULL, NULL,
     "Exit with code 3 when the result is printed, but a host did not answer.", NULL, NULL, 0},
    {"query.streaming", 0, CLI_BOOL, AT(streaming), NULL, NULL,
     "Receive partial results from the query server while it works.", NULL, NULL,
     CLI_PERSISTENT | CLI_CONFIG},
    {"query.timeout", 0, CLI_DURATION, AT(timeout_ns), "DURATION", "0s",
     "Give up after this time. 0 is never.", "How to work", NULL, CLI_PERSISTENT | CLI_CONFIG},
    {"query.keepalive", 'k', CLI_DURATION, AT(keepalive_ns), "DURATION", "0s",
     "Log progress in this interval (at log level info). 0 is never.", NULL, NULL, 0},
    {"memory.max-pct", 0, CLI_I64, AT(max_mem_pct), "PERCENT", "60",
     "Use at most this share of the physical memory.", NULL, NULL, 0},
    {"memory.low-mode", 0, CLI_BOOL, AT(low_mem), NULL, NULL, "Use less memory, and more time.",
     NULL, NULL, 0},
    {"config", 0, CLI_STRING, AT(config), "FILE", NULL,
     "Read settings from a .yaml, .json, .toml or .env file. Then the environment counts, too "
     "(DB_PATH for db.path and so on).",
     NULL, NULL, CLI_PERSISTENT | CLI_FILE},
    {"query.log", 0, CLI_STRING, AT(query_log), "FILE", NULL,
     "Append what was asked and how it went as JSON lines to FILE.", NULL, NULL,
     CLI_PERSISTENT | CLI_CONFIG | CLI_FILE},
    {"logging.level", 0, CLI_STRING, AT(log_level), "LEVEL", "WARN",
     "Log debug, info, warn, error, fatal or panic messages and above to standard error.", NULL,
     levels, CLI_PERSISTENT | CLI_CONFIG},
    {"profiling.output-dir", 0, CLI_STRING, AT(profile_dir), "DIR", NULL,
     "Write figures about the time and memory used into this directory.", NULL, NULL,
     CLI_PERSISTENT | CLI_CONFIG | CLI_DIR},
    {"traceparent", 0, CLI_STRING, AT(traceparent), "ID", NULL,
     "Trace that this query belongs to (W3C or B3 form).", NULL, NULL, CLI_CONFIG},
    {"tracing.enabled", 0, CLI_BOOL, AT(trace), NULL, NULL, "Export a trace of the query.", NULL,
     NULL, CLI_PERSISTENT},
    {"tracing.collector.type", 0, CLI_STRING, AT(trace_type), "TYPE", NULL,
     "Where traces go: stdout. (otel-grpc is known, but not built in.)", NULL, NULL,
     CLI_PERSISTENT},
    {"tracing.collector.endpoint", 0, CLI_STRING, AT(trace_endpoint), "ADDR", NULL,
     "Address of the collector.", NULL, NULL, CLI_PERSISTENT},
    {"version", 'v', CLI_BOOL, AT(version), NULL, NULL, "Show the version.", NULL, NULL, 0},
    {0},
};

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
static const char *const completion_usage[] = {"bash|zsh|fish|powershell", NULL};
static const cli_cmd completion_cmd = {
    .name = "completion",
    .usage = completion_usage,
    .summary = "Write a completion script for a shell to standard output.",
    .run = goquery_completion,
};
static const cli_cmd *const subs[] = {&list_cmd, &hosts_cmd,      &examples_cmd, &version_cmd,
                                      &help_cmd, &completion_cmd, NULL};

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
    .opts = root_opts,
    .subs = subs,
    .completer = "goquery_completion",
    .run = goquery_query,
};
