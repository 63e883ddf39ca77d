/* acc.h - rows of all hosts of one query so far: merged, sorted, cut. Private to the room. */
#ifndef FANOUT_ACC_H
#define FANOUT_ACC_H

#include "query/stmt.h"
#include "result/result.h"

#include <stdatomic.h>

/* One thread uses it; shards have threads of their own inside. */
typedef struct fanout_acc fanout_acc;

/* s and quota must outlive it. All rows, labels and copies made of them are taken from quota (from
 * any thread); passing it is GP_ELIMIT. */
gp_status fanout_acc_new(const query_stmt *s, const result_quota *quota, fanout_acc **out,
                         gp_err *err) GP_MUST_CHECK;
void fanout_acc_free(fanout_acc *a);
/* This host's rows are about to be added. GP_EEXIST if there are some already: rows of one host
 * must not count twice. */
gp_status fanout_acc_claim(fanout_acc *a, const char *host, gp_err *err) GP_MUST_CHECK;
/* 1 if the host's rows are in. A failure reported for it then comes from a second way to it. */
int fanout_acc_has(const fanout_acc *a, const char *host);
/* Rows and summary of one answer; take_part is emptied in any case. With shards, an error may show
 * only at the next call or at fanout_acc_get(). */
gp_status fanout_acc_add(fanout_acc *a, result *take_part, gp_err *err) GP_MUST_CHECK;
gp_status fanout_acc_host(fanout_acc *a, const char *host, result_code code, const char *text,
                          gp_err *err) GP_MUST_CHECK;
/* The result so far (it counts as taken until the next call or the end), cut to limit rows (0 = all
 * that are kept: the statement's limit, or everything when hosts are merged). */
gp_status fanout_acc_get(fanout_acc *a, uint64_t limit, result *out, gp_err *err) GP_MUST_CHECK;

#endif
