/* options.h - command line of goprobe. */
#ifndef AGENT_OPTIONS_H
#define AGENT_OPTIONS_H

#include "config.h"
#include "gp/addr.h"

#include <stddef.h>

enum { AGENT_MAX_LOCAL = 64, AGENT_MAX_PCAPS = 256, AGENT_MAX_SET = 64 };

typedef struct agent_options {
    const char *config;                /* file, or NULL: flags and environment alone */
    int check_config;                  /* 1: only check it */
    agent_override set[AGENT_MAX_SET]; /* with pcaps only keys of agent_config_writer() */
    size_t n_set;

    const char *pcaps[AGENT_MAX_PCAPS]; /* replay these instead of capturing */
    size_t n_pcaps;
    const char *iface, *db;
    gp_net local[AGENT_MAX_LOCAL];
    size_t n_local;
    int compat, fragments;
    int dump_flows;
} agent_options;

/* Parse argv; prints usage and exits with 64 on a mistake, 0 after --help and --version. Strings in
 * *o are borrowed from argv. */
void agent_options_parse(int argc, char **argv, agent_options *o);

#endif
