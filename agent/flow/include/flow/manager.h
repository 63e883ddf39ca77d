/* manager.h - all captured interfaces of a host: capture, five-minute write-outs, live rows,
 * status.
 *
 * Threads: one worker per interface (flow/worker.h), one that keeps the clock and hears of link
 * changes, one that writes to disk. None of the calls below waits for the disk, except
 * flow_manager_flush() and flow_manager_close().
 */
#ifndef FLOW_MANAGER_H
#define FLOW_MANAGER_H

#include "flow/ruleset.h"
#include "flow/worker.h"
#include "godb/columns.h"
#include "godb/writer.h"
#include "gp/err.h"

#include <stddef.h>
#include <stdint.h>

/* What happened, for the log and the metrics. Called from any of the manager's threads, with no
 * lock held but the one of changes: must not call the manager's flush, apply or close. */
typedef enum flow_event_kind {
    FLOW_EV_OPENED,       /* an interface is captured */
    FLOW_EV_CLOSED,       /* not any more; its flows are on the way to disk */
    FLOW_EV_OPEN_FAILED,  /* text says why; once per state change */
    FLOW_EV_FAILED,       /* capture broke off; text says why */
    FLOW_EV_FORGOTTEN,    /* an interface is gone from the host and from the list */
    FLOW_EV_ROTATED,      /* one interface: entries, totals, drops, counts, capture */
    FLOW_EV_ROTATION,     /* all: count = interfaces, took_ns */
    FLOW_EV_WRITTEN,      /* one block: time_s, count = flows, took_ns */
    FLOW_EV_SLOW,         /* a block took longer than a tenth of the interval from rotation to disk:
                             took_ns, count = percent of the interval */
    FLOW_EV_WRITE_FAILED, /* flows are kept and tried again; text */
    FLOW_EV_WRITE_OK,     /* writing works again: the first block since a failure was written */
    FLOW_EV_LOST,         /* flows were given up: count; text says why */
    FLOW_EV_FULL,         /* the flow table reached its bound; early write-out */
    FLOW_EV_CLOCK,        /* the clock was set: text */
    FLOW_EV_CHECKPOINT,   /* the running interval was saved: count = flows, took_ns */
    FLOW_EV_CHECKPOINT_FAILED, /* text; once per state change */
    FLOW_EV_RECOVERED,         /* a checkpoint became the block time_s: count = flows */
    FLOW_EV_NOTE,              /* something to know, text */
} flow_event_kind;

typedef struct flow_event {
    flow_event_kind kind;
    const char *iface; /* or NULL */
    const char *text;  /* or "" */
    int64_t time_s;    /* of a block */
    int64_t took_ns;
    uint64_t count;
    const flow_worker_counts *counts; /* FLOW_EV_ROTATED */
    uint64_t capture;                 /* FLOW_EV_ROTATED: whose counts, see flow_status */
    uint64_t entries;                 /* FLOW_EV_ROTATED */
    uint64_t totals[FLOW_N_COUNTERS]; /* FLOW_EV_ROTATED */
    uint64_t drops;                   /* FLOW_EV_ROTATED, FLOW_EV_WRITTEN */
} flow_event;

/* The flows of a block that reached the disk: for syslog and the like; in the writing thread. */
typedef void (*flow_rows_fn)(void *ctx, const char *iface, int64_t time_s, const godb_rows *rows);

typedef struct flow_manager_opts {
    const char *db; /* database root; made if missing */
    godb_writer_opts writer;
    int compat;            /* capture.compat */
    int fragments;         /* capture.fragments; nothing in compat mode */
    size_t max_entries;    /* per interface; 0 = FLOW_ENTRIES_DEFAULT */
    int64_t interval_s;    /* 0 = 300; anything else is for tests */
    uint64_t keep_bytes;   /* most memory for flows that could not be written yet; 0 = 512 MiB */
    int64_t checkpoint_ms; /* db.checkpoint: time between two saves of the running interval, so that
                              a crash costs no more than that; 0 = off */
    int64_t (*wall_ns)(void *ctx); /* for tests: the wall clock instead of gp_wall_ns() */
    void (*event)(void *ctx, const flow_event *e); /* may be NULL */
    flow_rows_fn rows;                             /* may be NULL */
    void *ctx;
} flow_manager_opts;

/* Locked inside: any thread. */
typedef struct flow_manager flow_manager;

/* Write what a crash left in checkpoints (events tell), start the threads; captures nothing yet. */
gp_status flow_manager_new(const flow_manager_opts *o, flow_manager **out,
                           gp_err *err) GP_MUST_CHECK;

/* Stop capture, process what the rings hold, write everything. *err (may be NULL) says what could
 * not be written. Status and live calls still answer afterwards; apply and flush fail. Once. */
gp_status flow_manager_finish(flow_manager *m, gp_err *err);

/* Finish if that was not done, and free. NULL is fine. */
gp_status flow_manager_close(flow_manager *m, gp_err *err);

/* ---- configuration ---- */

typedef enum flow_action { FLOW_ENABLED, FLOW_UPDATED, FLOW_DISABLED } flow_action;

typedef struct flow_change {
    char name[CAPTURE_NAME_CAP];
    flow_action action;
    int ok;
    char error[256]; /* when not ok */
} flow_change;

/* Make rs the wanted set (taken over, also on failure) and bring capture in line with it: what is
 * not wanted or changed is written out and closed, what is wanted and not captured is opened.
 * *changes: sorted by name, gp_free() it; may be NULL; what is only waited for no more is not in
 * it. Interfaces that cannot be opened are no failure: they are opened as soon as they can be. */
gp_status flow_manager_apply(flow_manager *m, flow_ruleset *rs, flow_change **changes, size_t *n,
                             gp_err *err) GP_MUST_CHECK;

/* ---- status ---- */

typedef enum flow_state {
    FLOW_CAPTURING,
    FLOW_WAITING, /* wanted, but cannot be opened now */
} flow_state;

typedef struct flow_status {
    char name[CAPTURE_NAME_CAP];
    flow_state state;
    char error[256];           /* why it is waiting */
    capture_conf conf;         /* running settings */
    int64_t started_ns;        /* wall clock, when this capture was opened; 0 if waiting */
    uint64_t capture;          /* number of this capture; later ones have higher numbers */
    flow_worker_counts total;  /* since then */
    flow_worker_counts recent; /* since the last rotation (the "+" columns); entries as in total */
    uint64_t ring_bytes;
    uint64_t pending_blocks; /* rotated, not yet on disk */
    int64_t last_block_s;    /* newest block on disk by this process, 0 if none */
} flow_status;

/* Status of all interfaces, or of those named (n_names 0 = all), sorted by name; gp_free() it.
 * Names that are not known are left out. Never waits for disk or rotation. */
gp_status flow_manager_status(flow_manager *m, const char *const *names, size_t n_names,
                              flow_status **out, size_t *n, gp_err *err) GP_MUST_CHECK;

typedef struct flow_manager_info {
    int64_t started_ns;       /* wall clock */
    int64_t last_writeout_s;  /* timestamp of the last write-out of any kind, 0 if none; one on
                                 demand may lie some seconds ahead */
    int64_t last_scheduled_s; /* of the last one by the clock, 0 if none */
    int64_t next_writeout_s;  /* next scheduled one */
    uint64_t writes_failed;   /* since start */
    uint64_t flows_lost;      /* given up since start */
    int applied;              /* 1 after the first apply: ready */
    int write_failing;        /* 1 while the newest try of some interface failed: unhealthy */
} flow_manager_info;
void flow_manager_info_get(flow_manager *m, flow_manager_info *out);

/* ---- write-out on demand ---- */

/* Write the running interval of all interfaces, or of those named, as a block of this second (a
 * query up to now has it) and wait until it is on disk. GP_ENOTFOUND for a name that is not
 * captured, GP_EDEADLINE after timeout_ms, GP_EIO when a write failed (its flows are kept). */
gp_status flow_manager_flush(flow_manager *m, const char *const *names, size_t n_names,
                             int64_t timeout_ms, gp_err *err) GP_MUST_CHECK;

/* ---- live rows; signatures of exec_live (exec/exec.h), ctx = the manager ---- */

/* Rows that are in no block with time <= *stored_upto_s, sorted as stored: the running interval and
 * what is waiting for the disk. *time_s: end of the running interval. For an interface that is not
 * captured: no rows and *stored_upto_s = INT64_MAX. Capture goes on meanwhile. *handle goes to
 * flow_manager_live_release(), also when it is NULL. */
gp_status flow_manager_live_get(void *ctx, const char *iface, godb_rows *rows, int64_t *time_s,
                                int64_t *stored_upto_s, void **handle, gp_err *err);
void flow_manager_live_release(void *ctx, void *handle);
/* Names of interfaces that are captured or have flows waiting for the disk, NULL-ended; gp_free()
 * the one block. */
gp_status flow_manager_live_ifaces(flow_manager *m, char ***names, gp_err *err) GP_MUST_CHECK;

#endif
