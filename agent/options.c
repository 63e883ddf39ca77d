/* options.c - goprobe's command line through argp: capture by configuration, or replay of files. */
#include "options.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

#ifndef FLEETPROBE_VERSION
#define FLEETPROBE_VERSION "unknown"
#endif

/* libc looks it up: must not be hidden. */
__attribute__((visibility("default"))) const char *argp_program_version =
    "goprobe " FLEETPROBE_VERSION;

enum {
    OPT_PCAP = 256,
    OPT_IFACE,
    OPT_DB,
    OPT_LOCAL,
    OPT_COMPAT,
    OPT_FRAGMENTS,
    OPT_DUMP,
    OPT_CHECK,
    OPT_KEY = 1024, /* + index into agent_keys */
    MAX_OPTIONS = 96,
};

static const struct argp_option fixed[] = {
    {"config", 'c', "FILE", 0, "Configuration, YAML or JSON", 1},
    {"check-config", OPT_CHECK, NULL, 0, "Check the configuration and exit", 1},
    {"pcap", OPT_PCAP, "FILE", 0,
     "Read this pcap or pcapng file (may be gzip-compressed; - is standard input) instead of "
     "capturing; may be given up to 256 times, packets are merged by time",
     2},
    {"iface", OPT_IFACE, "NAME", 0, "Store the flows under this interface name", 2},
    {"db", OPT_DB, "DIR", 0, "Database directory; made if it does not exist", 2},
    {"local", OPT_LOCAL, "ADDR[/LEN]", 0,
     "Packets from this address or network count as sent, all others as received; may be repeated",
     2},
    {"compat", OPT_COMPAT, NULL, 0,
     "Parse and classify as goProbe does (no IPv4 options, no IPv6 extension headers, no later "
     "correction of direction)",
     2},
    {"fragments", OPT_FRAGMENTS, NULL, 0,
     "Count later fragments of a packet into the flow of its first one (not with --compat)", 2},
    {"dump-flows", OPT_DUMP, NULL, 0,
     "Print the flows of the whole input as CSV instead of writing a database", 2},
};

static const char doc[] =
    "goprobe - capture packets and store their flows\v"
    "Without --pcap goprobe captures on the interfaces of its configuration until it gets SIGTERM. "
    "Keys of the configuration can be given as flags (below) or as environment variables "
    "(GOPROBE_DB_PATH); flags win over the environment, that over the file. With --pcap only "
    "db.encoder_type, db.permissions and db.sync can be given.\n\n"
    "Examples:\n"
    "  goprobe -c /etc/fleetprobe/goprobe.yaml\n"
    "  goprobe -c new.yaml --check-config\n"
    "  goprobe --db.path /srv/flows --autodetection.enabled\n"
    "  goprobe --pcap trace.pcap.gz --iface eth0 --db /srv/flows\n"
    "  goprobe version";

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

/* Of the keys of a configuration replay knows few; what it would ignore it refuses. */
static void check_keys(const agent_options *o, struct argp_state *state)
{
    static const char *const known[] = {"db.encoder_type", "db.permissions", "db.sync"};
    static const struct {
        const char *key, *flag;
    } instead[] = {
        {"db.path", "--db"}, {"capture.compat", "--compat"}, {"capture.fragments", "--fragments"}};

    for (size_t i = 0; i < o->n_set; i++) {
        const char *key = o->set[i].key;
        int ok = 0;
        for (size_t k = 0; k < GP_COUNT(known) && !ok; k++)
            ok = strcmp(key, known[k]) == 0;
        if (ok && o->dump_flows)
            argp_error(state, "--%s: --dump-flows writes no database", key);
        for (size_t k = 0; k < GP_COUNT(instead); k++)
            if (strcmp(key, instead[k].key) == 0)
                argp_error(state, "--%s is for capture; with --pcap use %s", key, instead[k].flag);
        if (!ok)
            argp_error(state, "--%s has no effect with --pcap", key);
    }
}

static void check(const agent_options *o, struct argp_state *state)
{
    if (o->n_pcaps == 0) {
        if (o->iface || o->db || o->n_local || o->dump_flows)
            argp_error(state, "--iface, --db, --local and --dump-flows need --pcap FILE; the "
                              "capture's database is --db.path");
        if (o->compat || o->fragments)
            argp_error(state, "--compat and --fragments need --pcap FILE; for capture use "
                              "--capture.compat and --capture.fragments");
        return;
    }
    if (o->config || o->check_config)
        argp_error(state, "--pcap takes no configuration; what there is to say are flags");
    if (o->compat && o->fragments)
        argp_error(state, "--compat and --fragments exclude each other");
    if (o->dump_flows && o->db)
        argp_error(state, "--dump-flows and --db exclude each other");
    check_keys(o, state);
    if (!o->dump_flows && (!o->iface || !o->db))
        argp_error(state, "--pcap needs --iface NAME and --db DIR (or --dump-flows)");
}

static error_t parse_key(int key, char *arg, struct argp_state *state)
{
    agent_options *o = state->input;

    if (key < OPT_KEY || key >= OPT_KEY + MAX_OPTIONS)
        return ARGP_ERR_UNKNOWN;
    if (o->n_set == AGENT_MAX_SET)
        argp_error(state, "too many flags");
    o->set[o->n_set++] = (agent_override){agent_keys[key - OPT_KEY].key, arg ? arg : "true"};
    return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    agent_options *o = state->input;

    switch (key) {
    case 'c':
        o->config = arg;
        return 0;
    case OPT_CHECK:
        o->check_config = 1;
        return 0;
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
    case OPT_LOCAL:
        add_local(o, arg, state);
        return 0;
    case OPT_COMPAT:
        o->compat = 1;
        return 0;
    case OPT_FRAGMENTS:
        o->fragments = 1;
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
        return parse_key(key, arg, state);
    }
}

void agent_options_parse(int argc, char **argv, agent_options *o)
{
    struct argp_option all[MAX_OPTIONS] = {{0}};
    struct argp argp = {all, parse, NULL, doc, NULL, NULL, NULL};
    size_t n = 0;

    memset(o, 0, sizeof *o);
    for (; n < GP_COUNT(fixed); n++)
        all[n] = fixed[n];
    for (int i = 0; agent_keys[i].key && n + 1 < MAX_OPTIONS; i++, n++)
        all[n] = (struct argp_option){.name = agent_keys[i].key,
                                      .key = OPT_KEY + i,
                                      .arg = agent_keys[i].arg,
                                      .flags = (agent_keys[i].flag ? OPTION_ARG_OPTIONAL : 0) |
                                               (agent_keys[i].help ? 0 : OPTION_HIDDEN),
                                      .doc = agent_keys[i].help,
                                      .group = 3};
    argp_err_exit_status = 64;
    (void)argp_parse(&argp, argc, argv, 0, NULL, o);
}
