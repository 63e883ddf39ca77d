/* reportfile.h - the YAML file of a report: titles, and the queries with their arguments. */
#ifndef GOQUERY_REPORTFILE_H
#define GOQUERY_REPORTFILE_H

#include "query/args.h"
#include "rt/config.h"

enum { REPORT_MAX_QUERIES = 200 };

typedef enum report_chart { REPORT_AUTO, REPORT_NONE, REPORT_TIME, REPORT_BARS } report_chart;

typedef struct report_query {
    const char *title, *about; /* borrowed from the file; about may be "" */
    query_args args;
    report_chart chart;
    int table;   /* -1: when there is no chart over time */
    int limited; /* num_results was said for this query, not in the defaults */
} report_query;

typedef struct report_file {
    rt_config *conf; /* owns the texts */
    const char *title, *about;
    report_query *v;
    size_t n;
} report_file;

/* Read path. base: arguments that hold where the file says nothing; top: members that are set here
 * win over the file. GP_EINVAL "FILE:LINE: KEY: ...", unknown keys included. Zero-initialise *out;
 * report_file_free() in any case. */
gp_status report_file_load(const char *path, const query_args *base, const query_args *top,
                           report_file *out, gp_err *err) GP_MUST_CHECK;
void report_file_free(report_file *f);

#endif
