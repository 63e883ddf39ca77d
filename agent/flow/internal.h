/* internal.h - inside of the manager: interfaces, locks, and who may touch what. */
#ifndef FLOW_INTERNAL_H
#define FLOW_INTERNAL_H

#include "flow/manager.h"
#include "flow/rows.h"

#include <pthread.h>
#include <stdatomic.h>

/*
 * Locks, in the order they may be taken:
 *   m->admin  one change at a time: apply, rotation, flush, closing. Held for milliseconds, for a
 *             quarter of a second while an interface is drained, and while the newest block of an
 *             interface is looked up, when it is first opened. Never over writing.
 *   i->mu     rotation of one interface against live queries: pending, last_s, worker.
 *   m->mu     the list of interfaces, the write queue, counters. Held for microseconds.
 * The writer thread alone touches i->writer.
 */

enum { FLOW_DB_DIR_MODE = 0755 };

/* A rotated interval that is not on disk yet. */
typedef struct pending {
    struct pending *next;
    int64_t time_s;
    flow_bank *bank;
    uint64_t drops;
    int64_t rotated_ns; /* monotonic */
} pending;

typedef struct flow_iface {
    char name[CAPTURE_NAME_CAP];
    atomic_uint refs;
    capture_conf conf;
    flow_manager *m;

    pthread_mutex_t mu;
    flow_worker *worker;     /* NULL while waiting; changed with admin and mu held */
    int64_t started_ns;      /* wall clock */
    uint64_t capture;        /* m->captures when it was opened */
    flow_worker_counts base; /* at the last rotation */
    int64_t last_s;          /* timestamp of the newest block, written or pending */
    int has_last;            /* last_s is known; admin */
    pending *head, *tail;    /* oldest first */
    uint64_t n_pending;
    int64_t written_s; /* newest block on disk */
    char error[256];   /* why it is waiting */
    gp_status error_code;

    godb_writer *writer;
    int write_failing; /* under mu */

    /* writer thread; times are monotonic */
    int write_failed;       /* the last try; unlike write_failing nobody else resets it */
    int64_t healed_ns;      /* blocks rotated before that waited for failing writes */
    int64_t checkpoint_ms;  /* next checkpoint */
    uint64_t saved;         /* packets seen at the last checkpoint, of the interval after */
    int64_t saved_after_s;  /* this block */
    int has_checkpoint;     /* the file is there */
    int checkpoint_failing; /* told once */

    /* under m->mu */
    int queued;       /* in the write queue */
    int64_t retry_ms; /* monotonic; next try after a failed write, 0 = at once */
    int closing;      /* leaves the list; freed once its flows are written */
    struct flow_iface *next_queued;
    int64_t full_ms; /* last early write-out, monotonic; control thread */
} flow_iface;

struct flow_manager {
    char *db;
    godb_writer_opts writer_opts;
    int compat, fragments;
    size_t max_entries;
    int64_t interval_s;
    uint64_t keep_bytes;
    int64_t checkpoint_ms;       /* 0 = off */
    int64_t checkpoint_after_ms; /* monotonic: none before, of any interface; writer thread */
    int64_t (*wall_ns)(void *ctx);
    void (*event)(void *ctx, const flow_event *e);
    flow_rows_fn rows;
    void *ctx;

    pthread_mutex_t admin;
    flow_ruleset *rules;      /* under admin */
    int finished;             /* under admin */
    size_t n_unnamed;         /* under admin: left out for their names, as told */
    capture_linkwatch *links; /* control thread */
    int64_t repair_ms;        /* monotonic: next look without any event; control thread */

    pthread_mutex_t mu;
    pthread_cond_t work; /* write queue, stop */
    pthread_cond_t done; /* an interface's pending list became empty, or a write failed */
    flow_iface **ifaces; /* sorted by name */
    size_t n_ifaces, cap_ifaces;
    flow_iface *queue_head, *queue_tail;
    flow_manager_info info;
    uint64_t kept_bytes; /* of pending banks */
    int stop;            /* 1: the writer ends when its queue is empty */
    int stop_control;    /* 1: the control thread ends */

    pthread_t control, writer;
    int has_control, has_writer;
    int wake_fd, timer_fd;
    atomic_int reconcile;          /* a worker failed or became full, or links changed */
    atomic_uint_fast64_t captures; /* opened so far, of all interfaces */
    atomic_uint running;           /* captures that are open now */
};

/* Unix time by the manager's clock (flow_manager_opts.wall_ns). */
int64_t flow_now_s(const flow_manager *m);
int64_t flow_next_boundary(const flow_manager *m); /* end of the running interval */

void flow_emit(flow_manager *m, const flow_event *e);
void flow_emit_text(flow_manager *m, flow_event_kind kind, const char *iface, const char *text);

/* iface.c */
flow_iface *flow_iface_new(flow_manager *m, const char *name, const capture_conf *conf);
flow_iface *flow_iface_ref(flow_iface *i);
void flow_iface_unref(flow_iface *i);
/* The interface of this name with a reference, or NULL. */
flow_iface *flow_iface_find(flow_manager *m, const char *name);
/* References to all interfaces, in order; gp_free() the array after unref of each. */
gp_status flow_iface_all(flow_manager *m, flow_iface ***out, size_t *n, gp_err *err);
void flow_iface_unref_all(flow_iface **v, size_t n);
/* Start capture; admin held. Failure is remembered in i->error and told once. */
gp_status flow_iface_open(flow_iface *i, gp_err *err);
/* n flows of an interval are given up: counted and told. */
void flow_lose(flow_iface *i, int64_t time_s, uint64_t n, const char *why);
/* End the running interval as a block of about time_s; admin held. Queues it for writing. */
gp_status flow_iface_rotate(flow_iface *i, int64_t time_s, gp_err *err);
/* Drain, last rotation and stop of several; admin held. They stay in the list. */
void flow_iface_stop_all(flow_iface **v, size_t n, int64_t time_s);

/* manager.c: a new interface in the list, opened if that is possible now; admin held. The status is
 * that of opening. */
gp_status flow_manager_add(flow_manager *m, const char *name, const capture_conf *conf,
                           gp_err *err);

/* Take an interface out of the list; the writer still holds it while blocks are pending. */
void flow_manager_remove(flow_manager *m, const flow_iface *i);

/* writeout.c */
void *flow_writer_thread(void *arg);
/* Open i->writer if that was not done, or again if its directory was deleted or moved; writer
 * thread. */
gp_status flow_writer_open(flow_iface *i, gp_err *err);
void flow_writer_queue(flow_iface *i);
/* Somebody waits for it: a write that failed is tried again now. */
void flow_writer_hurry(flow_iface *i);

/* recover.c */
/* Blocks from the checkpoints that a crash left: of all interfaces, or of one that is locked by w.
 * Failures of the first are told by events, and tried again with the first block. */
void flow_recover_all(flow_manager *m);
gp_status flow_recover(flow_manager *m, const char *iface, godb_writer *w, gp_err *err);
/* Save the running interval; writer thread. */
void flow_checkpoint_take(flow_iface *i);
/* A block was written: there is nothing to recover now. */
void flow_checkpoint_done(flow_iface *i);

/* control.c */
void *flow_control_thread(void *arg);
void flow_control_wake(flow_manager *m);
/* One line when more interfaces than before are left out for their names; admin held. */
void flow_tell_unnamed(flow_manager *m, const capture_link *links, size_t n_links);

#endif
