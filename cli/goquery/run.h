/* run.h - the two ways to answer a statement: a local database or a query server. */
#ifndef GOQUERY_RUN_H
#define GOQUERY_RUN_H

#include "gp/clock.h"
#include "options.h"
#include "progress.h"
#include "query/stmt.h"
#include "result/result.h"

/* Run s on the database o->db_path (5). *out is made here: rows in order, cut to the limit unless
 * they still have to be put into time bins. GP_ECANCELLED, GP_EDEADLINE, GP_ELIMIT, GP_ENOTFOUND,
 * GP_EINVAL ("no interfaces provided"), GP_EIO. */
gp_status cli_run_local(const goquery_opts *o, const query_stmt *s, gp_cancel *cancel,
                        goquery_progress *progress, result *out, gp_err *err) GP_MUST_CHECK;

/* Ask the query server o->server_addr to run s on the hosts s->args.query_hosts (2.7). s->args is
 * what is to be sent. Same results and errors; GP_EDENIED, GP_EUNAVAILABLE besides. */
gp_status cli_run_server(const goquery_opts *o, const query_stmt *s, gp_cancel *cancel,
                         goquery_progress *progress, result *out, gp_err *err) GP_MUST_CHECK;

/* One of the two, then time bins, order and limit. Nothing to clear in *out after a failure. */
gp_status goquery_answer(const goquery_opts *o, const query_stmt *s, gp_cancel *cancel,
                         goquery_progress *progress, result *out, gp_err *err) GP_MUST_CHECK;

/* Hosts that were asked and did not answer. To have none of the interfaces is an answer. */
unsigned goquery_missing_hosts(const result *r);
/* 1 if the selector means no host at all, so that nobody was asked. */
int goquery_no_hosts(const result *r);

#endif
