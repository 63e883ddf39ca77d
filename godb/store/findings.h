/* findings.h - what checking one day or one tree found, kept until it can be reported in order. */
#ifndef GODB_STORE_FINDINGS_H
#define GODB_STORE_FINDINGS_H

#include "godb/check.h"
#include "gp/bytes.h"

#include <stddef.h>

/* One finding; text and path are offsets into the list's texts. */
typedef struct godb_finding {
    godb_problem_kind kind;
    godb_severity severity;
    int col;
    int64_t day_s, block, block_s;
    size_t path, text;
} godb_finding;

/* Zero-initialise. One thread. After out of memory `failed` is set. */
typedef struct godb_findings {
    godb_finding *v;
    size_t n, cap;
    size_t left_out; /* beyond GODB_MAX_FINDINGS */
    gp_buf texts;
    int failed;
} godb_findings;

enum { GODB_MAX_FINDINGS = 4096 }; /* of one day; a hostile day could have 690,000 */

/* Where a finding belongs. block -1 and col -1: none. */
typedef struct godb_spot {
    const char *path;
    int64_t day_s, block, block_s;
    int col;
} godb_spot;

void godb_find(godb_findings *f, godb_problem_kind kind, godb_severity severity,
               const godb_spot *at, const char *fmt, ...) GP_PRINTF(5, 6);
void godb_findings_free(godb_findings *f);
/* Hand all to fn and count them in stats. */
void godb_findings_report(const godb_findings *f, godb_problem_fn fn, void *ctx,
                          godb_check_stats *stats);

#endif
