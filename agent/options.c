/* options.c - goprobe's command line through argp. */
#include "options.h"

#include <argp.h>
#include <string.h>

#ifndef FLEETPROBE_VERSION
#define FLEETPROBE_VERSION "unknown"
#endif

/* libc looks it up: must not be hidden. */
__attribute__((visibility("default"))) const char *argp_program_version =
    "goprobe " FLEETPROBE_VERSION;

enum { OPT_PCAP = 256, OPT_IFACE, OPT_DB, OPT_LOCAL, OPT_COMPAT, OPT_DUMP, OPT_ENCODER };

static const struct argp_option table[] = {
    {NULL, 0, NULL, 0, "Replay of capture files:", 1},
    {"pcap", OPT_PCAP, "FILE", 0,
     "Read this pcap or pcapng file (may be gzip-compressed; - is standard input) instead of "
     "capturing; may be given up to 256 times, packets are merged by time",
     1},
    {"iface", OPT_IFACE, "NAME", 0, "Store the flows under this interface name", 1},
    {"db", OPT_DB, "DIR", 0, "Database directory; made if it does not exist", 1},
    {"db.encoder_type", OPT_ENCODER, "NAME", 0, "lz4 (default), zstd or null", 1},
    {"local", OPT_LOCAL, "ADDR[/LEN]", 0,
     "Packets from this address or network count as sent, all others as received; may be repeated",
     1},
    {"compat", OPT_COMPAT, NULL, 0,
     "Parse and classify as goProbe does (no IPv4 options, no IPv6 extension headers, no later "
     "correction of direction)",
     1},
    {"dump-flows", OPT_DUMP, NULL, 0,
     "Print the flows of the whole input as CSV instead of writing a database", 1},
    {0},
};

static void add_local(agent_options *o, char *arg, struct argp_state *state)
{
    gp_net *net = &o->local[o->n_local];
    const char *why = NULL;

    if (o->n_local == AGENT_MAX_LOCAL)
        argp_error(state, "--local: at most %d networks", AGENT_MAX_LOCAL);
    if (strchr(arg, '/')) {
        if (!gp_net_parse(arg, strlen(arg), net, &why))
            argp_error(state, "--local %s: %s", arg, why ? why : "expected ADDR/LEN");
    } else if (gp_addr_parse(arg, strlen(arg), &net->addr)) {
        net->prefix = net->addr.family == 6 ? 128 : 32;
    } else {
        argp_error(state, "--local %s: expected an IP address or ADDR/LEN", arg);
    }
    o->n_local++;
}

static void check(const agent_options *o, struct argp_state *state)
{
    if (o->n_pcaps == 0)
        argp_error(state, "--pcap FILE is required");
    if (o->dump_flows && o->db)
        argp_error(state, "--dump-flows and --db exclude each other");
    if (!o->dump_flows && (!o->iface || !o->db))
        argp_error(state, "--pcap needs --iface NAME and --db DIR (or --dump-flows)");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    agent_options *o = state->input;

    switch (key) {
    case OPT_PCAP:
        if (o->n_pcaps == AGENT_MAX_PCAPS)
            argp_error(state, "--pcap: at most %d files", AGENT_MAX_PCAPS);
        o->pcaps[o->n_pcaps++] = arg;
        return 0;
    case OPT_IFACE:
        o->iface = arg;
        return 0;
    case OPT_DB:
        o->db = arg;
        return 0;
    case OPT_ENCODER:
        o->encoder = arg;
        return 0;
    case OPT_LOCAL:
        add_local(o, arg, state);
        return 0;
    case OPT_COMPAT:
        o->compat = 1;
        return 0;
    case OPT_DUMP:
        o->dump_flows = 1;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument \"%s\"", arg);
        return 0;
    case ARGP_KEY_END:
        check(o, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

void agent_options_parse(int argc, char **argv, agent_options *o)
{
    static const struct argp argp = {
        table, parse, NULL, "goprobe - capture packets and store their flows", NULL, NULL, NULL};

    memset(o, 0, sizeof *o);
    argp_err_exit_status = 64;
    (void)argp_parse(&argp, argc, argv, 0, NULL, o);
}
