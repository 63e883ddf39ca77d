/* options.h - everything that can be said on goquery's command line, and its commands. */
#ifndef GOQUERY_OPTIONS_H
#define GOQUERY_OPTIONS_H

#include "cli/args.h"

/* Values of query.md 2.3. Strings are borrowed from argv, the tables or the configuration. */
typedef struct goquery_opts {
    /* what to show */
    const char *ifaces, *condition;
    int in, out, sum;
    const char *sort_by;
    int ascending;
    uint64_t limit;
    const char *format; /* "txt", ... */
    int json;           /* shorthand for format "json" */
    const char *first, *last, *time_resolution;
    int dns;
    int64_t dns_max_rows, dns_timeout_ns;
    int64_t max_mem_pct;
    int low_mem;
    const char *stored_query; /* file, "-" = stdin */
    /* where to ask */
    const char *db_path;
    const char *server_addr;
    const char *hosts, *hosts_resolver;
    const char *identity_key, *trusted_keys; /* "" = the usual places, see server.c */
    const char *fleet;                       /* "" = not said */
    int64_t max_wait_ns;                     /* for hosts; 0 = the server's limit */
    uint64_t min_hosts;                      /* fewer answering hosts are an error */
    int no_retry;    /* no flag: a server that is down is asked once, it was tried before */
    int verify;      /* check every batch of every host */
    int live;        /* flows in memory of agents, too */
    int merge_hosts; /* add up rows of different hosts */
    int strict;      /* exit code 3 when a host failed */
    int streaming;
    int64_t timeout_ns; /* 0 = none */
    int64_t keepalive_ns;
    /* how to show it and what else to write */
    int stats;
    const char *color, *pager; /* "auto", "always", "never" */
    const char *query_log, *log_level, *profile_dir;
    const char *config;
    const char *traceparent, *trace_type, *trace_endpoint;
    int trace;
    /* commands */
    int version;
    int detailed;       /* list -v */
    const char *output; /* report: file or directory; "" = standard output */
    int quiet;          /* report: no summary line when all is well */
    int64_t watch_ns;   /* repeat in this interval; 0 = once */
} goquery_opts;

extern const cli_opt goquery_flags[]; /* ends with a NULL name */
extern const cli_cmd goquery_root;

/* Commands; each prints its own errors and returns the exit code. */
int goquery_query(void *opts, const cli_line *line);
int goquery_list(void *opts, const cli_line *line);
int goquery_hosts(void *opts, const cli_line *line);
int goquery_report(void *opts, const cli_line *line);
int goquery_examples(void *opts, const cli_line *line);
int goquery_version(void *opts, const cli_line *line);
int goquery_help(void *opts, const cli_line *line);

#endif
