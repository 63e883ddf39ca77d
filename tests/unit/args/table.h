/* table.h - a small program's tables for the tests of this room. */
#ifndef ARGS_TABLE_H
#define ARGS_TABLE_H

#include "cli/args.h"

typedef struct table_values {
    int sum, in, asc, version, detailed;
    const char *ifaces, *format, *first, *db;
    uint64_t limit, bytes;
    int64_t rows, keepalive;
    cli_strings hosts;
} table_values;

#define AT(m) offsetof(table_values, m)

static const char *const table_formats[] = {"csv", "json", "txt", NULL};

static const cli_opt table_root_opts[] = {
    {"ifaces", 'i', CLI_STRING, AT(ifaces), "LIST", NULL, "Interfaces.", "What", NULL, 0},
    {"sum", 0, CLI_BOOL, AT(sum), NULL, NULL, "Add up.", NULL, NULL, 0},
    {"in", 'r', CLI_BOOL, AT(in), NULL, NULL, "Received.", NULL, NULL, 0},
    {"sort.ascending", 'a', CLI_BOOL, AT(asc), NULL, NULL, "Smallest first.", "How", NULL, 0},
    {"results.limit", 'n', CLI_U64, AT(limit), "N", "1000", "Most rows.", NULL, NULL, 0},
    {"results.format", 'e', CLI_STRING, AT(format), "FORMAT", "txt", "Output format.", NULL,
     table_formats, CLI_PERSISTENT},
    {"first", 'f', CLI_STRING, AT(first), "TIME", NULL, "From when on.", NULL, NULL,
     CLI_PERSISTENT},
    {"max-rows", 0, CLI_I64, AT(rows), "N", "25", "Rows to resolve.", NULL, NULL, 0},
    {"keepalive", 'k', CLI_DURATION, AT(keepalive), "DURATION", NULL, "Interval.", NULL, NULL, 0},
    {"size", 0, CLI_BYTES, AT(bytes), "BYTES", NULL, "Size.", NULL, NULL, 0},
    {"host", 0, CLI_STRINGS, AT(hosts), "NAME", NULL, "Host, may be repeated.", NULL, NULL, 0},
    {"version", 'v', CLI_BOOL, AT(version), NULL, NULL, "Show the version.", NULL, NULL, 0},
    {"db.path", 'd', CLI_STRING, AT(db), "DIR", NULL,
     "Database root. A long text that goes on and on, so that it has to be wrapped somewhere near "
     "the right margin of the terminal, which is at column one hundred.",
     "Where", NULL, CLI_PERSISTENT | CLI_CONFIG | CLI_DIR},
    {"secret", 0, CLI_BOOL, AT(sum), NULL, NULL, "Hidden.", NULL, NULL, CLI_HIDDEN},
    {0},
};

static const cli_opt table_list_opts[] = {
    {"detailed", 'v', CLI_BOOL, AT(detailed), NULL, NULL, "More columns.", "Flags", NULL, 0},
    {0},
};

static const char *const table_list_usage[] = {"[IFACE ...] [flags]", NULL};
static const cli_cmd table_list = {
    .name = "list", .usage = table_list_usage, .summary = "Inventory.", .opts = table_list_opts};
static const cli_cmd table_set = {.name = "set", .summary = "Change."};
static const cli_cmd *const table_config_subs[] = {&table_set, NULL};
static const cli_cmd table_config = {
    .name = "config", .summary = "Settings.", .subs = table_config_subs};
static const cli_cmd *const table_subs[] = {&table_list, &table_config, NULL};
static const char *const table_usage[] = {"[flags] QUERY_TYPE", "list [IFACE ...]", NULL};
static const cli_cmd table_root = {
    .name = "tool",
    .usage = table_usage,
    .summary = "Asks questions.",
    .opts = table_root_opts,
    .subs = table_subs,
};

#endif
