/* findings.c - a list of findings with their texts. */
#include "findings.h"

#include "gp/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *godb_problem_name(godb_problem_kind k)
{
    static const char *const names[GODB_PROBLEM_N_KINDS] = {
        "stray-name",   "duplicate-day", "merge-leftover", "tmp-file",       "meta-missing",
        "meta-corrupt", "meta-odd",      "no-blocks",      "block-unusable", "time-order",
        "column-short", "column-tail",   "displaced",      "displaced-lost", "decode",
        "checksum",     "row-order",     "totals",         "suffix",         "index-stale"};
    return (unsigned)k < GP_COUNT(names) ? names[k] : "?";
}

const char *godb_severity_name(godb_severity s)
{
    static const char *const names[] = {"note", "warning", "error"};
    return (unsigned)s < GP_COUNT(names) ? names[s] : "?";
}

/* text without the path in front, which a finding has apart. */
static const char *below(const char *path, const char *text)
{
    size_t n = strlen(path);

    while (n > 0 && strncmp(text, path, n) == 0 && (text[n] == '/' || text[n] == ':'))
        text += n + 1 + (text[n] == ':' && text[n + 1] == ' ');
    return text;
}

void godb_find(godb_findings *f, godb_problem_kind kind, godb_severity severity,
               const godb_spot *at, const char *fmt, ...)
{
    char line[512];
    va_list ap;

    if (f->n >= GODB_MAX_FINDINGS) {
        f->left_out++;
        return;
    }
    if (f->n == f->cap) {
        size_t cap = f->cap ? 2 * f->cap : 16;
        godb_finding *v = gp_realloc(f->v, cap, sizeof *v);
        if (!v) {
            f->failed = 1;
            return;
        }
        f->v = v;
        f->cap = cap;
    }
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    size_t path = f->texts.len;
    gp_buf_add(&f->texts, at->path, strlen(at->path) + 1);
    size_t text = f->texts.len;
    const char *said = below(at->path, line);
    gp_buf_add(&f->texts, said, strlen(said) + 1);
    if (f->texts.failed) {
        f->failed = 1;
        return;
    }
    f->v[f->n++] = (godb_finding){.kind = kind,
                                  .severity = severity,
                                  .col = at->col,
                                  .day_s = at->day_s,
                                  .block = at->block,
                                  .block_s = at->block_s,
                                  .path = path,
                                  .text = text};
}

void godb_findings_free(godb_findings *f)
{
    gp_free(f->v);
    gp_buf_free(&f->texts);
    *f = (godb_findings){0};
}

static void report_one(const godb_problem *p, godb_problem_fn fn, void *ctx,
                       godb_check_stats *stats)
{
    stats->n[p->kind]++;
    stats->by_severity[p->severity]++;
    if (fn)
        fn(ctx, p);
}

void godb_findings_report(const godb_findings *f, godb_problem_fn fn, void *ctx,
                          godb_check_stats *stats)
{
    for (size_t i = 0; i < f->n; i++) {
        const godb_finding *x = &f->v[i];
        const char *texts = (const char *)f->texts.data;
        report_one(&(godb_problem){.kind = x->kind,
                                   .severity = x->severity,
                                   .path = texts + x->path,
                                   .day_s = x->day_s,
                                   .block = x->block,
                                   .block_s = x->block_s,
                                   .col = x->col,
                                   .text = texts + x->text},
                   fn, ctx, stats);
    }
    if (f->left_out > 0) {
        char line[64];
        godb_problem p = {.kind = GODB_PROBLEM_BLOCK_UNUSABLE,
                          .severity = GODB_ERROR,
                          .path = (const char *)f->texts.data + f->v[0].path,
                          .day_s = f->v[0].day_s,
                          .block = -1,
                          .col = -1,
                          .text = line};
        snprintf(line, sizeof line, "%zu more findings in this day", f->left_out);
        report_one(&p, fn, ctx, stats);
    }
}
