/* repair.h - bring a damaged database back in order without touching good data. */
#ifndef GODB_REPAIR_H
#define GODB_REPAIR_H

#include "godb/columns.h"
#include "gp/clock.h"
#include "gp/err.h"

/* What is done to a day or an entry of the tree. */
typedef enum godb_repair_kind {
    GODB_REPAIR_RENAME,   /* suffix brought in line with the totals */
    GODB_REPAIR_TRUNCATE, /* bytes behind the append position cut off */
    GODB_REPAIR_REBUILD,  /* day written anew from its readable blocks; the original is set aside */
    GODB_REPAIR_QUARANTINE, /* nothing readable, or a stray name: moved out of the database */
    GODB_REPAIR_REMOVE,     /* empty directory, leftover of a merge or of a write: deleted */
    GODB_REPAIR_INDEX,      /* .index made anew */
    GODB_REPAIR_LEAVE,      /* nothing: check finds it, but what is right cannot be told. With a
                               failure as status: not looked at, another process writes to it */
    GODB_REPAIR_N_KINDS
} godb_repair_kind;

const char *godb_repair_name(godb_repair_kind k); /* "rename", ...; static */

/* One action, done or (dry run) proposed; pointers are valid during the call-back only. */
typedef struct godb_repair_action {
    godb_repair_kind kind;
    const char *path;                  /* below the root */
    uint64_t blocks_kept, blocks_lost; /* of a rebuild */
    gp_status status;                  /* GP_OK, or why it could not be done */
    const char *text;                  /* one line: what is wrong and what is done */
} godb_repair_action;

typedef void (*godb_repair_fn)(void *ctx, const godb_repair_action *a);

typedef struct godb_repair_opts {
    const char *const *ifaces; /* names, NULL-ended; NULL = all */
    int64_t first_s, last_s;   /* days to look at */
    int dry_run;               /* 1: only report */
    const char
        *quarantine;   /* directory that receives what is set aside; NULL = "<root>.quarantine".
                          Must be outside the root (1.9) and on the same file system */
    gp_cancel *cancel; /* may be NULL */
} godb_repair_opts;

#define GODB_REPAIR_OPTS_INIT                                                                      \
    {                                                                                              \
        .first_s = 0, .last_s = INT64_MAX, .dry_run = 1                                            \
    }

typedef struct godb_repair_stats {
    uint64_t days, days_ok;            /* looked at; nothing to do */
    uint64_t n[GODB_REPAIR_N_KINDS];   /* actions of each kind (proposed or done); left alone */
    uint64_t failed;                   /* actions that failed, not in n */
    uint64_t blocks_kept, blocks_lost; /* in rebuilt days */
    uint64_t days_lost; /* in the quarantine with all their blocks, however many these were */
} godb_repair_stats;

/* Look at every day and repair what needs it. Takes the writer's lock of each interface: one that
 * is being written to is skipped with a failed action. Good blocks are copied byte for byte; what
 * is replaced is moved to the quarantine, never deleted. Below an interface without anything of a
 * day nothing is moved at all, and GP_EINVAL is the answer when the root is no goDB. */
gp_status godb_repair(const char *root, const godb_repair_opts *opts, godb_repair_fn fn, void *ctx,
                      godb_repair_stats *stats, gp_err *err) GP_MUST_CHECK;

#endif
