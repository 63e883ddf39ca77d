/* worker.h - one thread that captures an interface and owns its flow table.
 *
 * Everything else asks: rotate, snapshot, drain. The worker answers between two batches of packets,
 * so it never waits for anyone; a snapshot is copied in slices of under a millisecond.
 */
#ifndef FLOW_WORKER_H
#define FLOW_WORKER_H

#include "capture/live.h"
#include "flow/table.h"
#include "gp/err.h"

#include <stdint.h>

/* Locked inside; any thread may ask. */
typedef struct flow_worker flow_worker;

typedef struct flow_worker_opts {
    const char *iface;
    const capture_conf *conf; /* copied */
    size_t max_entries;       /* 0 = FLOW_ENTRIES_DEFAULT */
    int compat;
    int fragments; /* CAPTURE_FRAGMENTS */
    /* Called once, from the worker, when the interface is gone or broken for good. The worker then
     * only answers requests, so that its flows can be fetched. */
    void (*on_fail)(void *ctx, const char *text);
    void (*on_full)(void *ctx); /* the table reached its bound: rotate soon; once per interval */
    void *ctx;
} flow_worker_opts;

/* Everything countable, as of the worker's last turn; received and dropped at most 0.1 s older. */
typedef struct flow_worker_counts {
    capture_counts capture; /* processed: without those lost, so that received = processed +
                               errors[CAPTURE_FRAGMENTED] + dropped + lost */
    uint64_t lost;    /* packets that found no entry: table and spare full, or out of memory */
    uint64_t shared;  /* packets in entries without source port: the table was full (4.9) */
    uint64_t entries; /* 5-tuples of the running interval */
    uint64_t bytes;   /* memory of the running interval's bank */
    uint64_t wire_bytes[2]; /* of packets put in flows: received, sent */
    /* Longest time that reading waited for a rotation or a slice of a snapshot; the same in CPU
     * time of the thread: what other programs cannot add to. */
    uint64_t pause_ns, pause_cpu_ns;
    int failed;   /* 1 after on_fail */
    int no_stats; /* 1: the kernel did not tell received and dropped, which are those of before */
} flow_worker_counts;

/* Open the interface and start. Errors of capture_live_open(). */
gp_status flow_worker_start(const flow_worker_opts *o, flow_worker **out,
                            gp_err *err) GP_MUST_CHECK;

/* End the interval: *bank is frozen and belongs to the caller; *counts (may be NULL) are exact as
 * of the rotation. Takes about a millisecond. GP_EDEADLINE when the worker does not answer within
 * 10 s. */
gp_status flow_worker_rotate(flow_worker *w, flow_bank **bank, flow_worker_counts *counts,
                             gp_err *err) GP_MUST_CHECK;

/* A frozen copy of the running interval's entries; capture goes on meanwhile. */
gp_status flow_worker_snapshot(flow_worker *w, flow_bank **copy, gp_err *err) GP_MUST_CHECK;

/* Where flow_worker_slice() is; all zero at first. */
typedef struct flow_slices {
    flow_bank *of; /* the running interval, with a reference */
    flow_bank_cursor at;
    int last; /* nothing follows */
} flow_slices;

/* The running interval's entries piece by piece, about a MiB each, for who needs them once and not
 * all at a time: *slice is a frozen bank with the next entries, each as it is now. GP_ECANCELLED:
 * the interval has ended since the first slice. Not after s->last; free s in any case. */
gp_status flow_worker_slice(flow_worker *w, flow_slices *s, flow_bank **slice,
                            gp_err *err) GP_MUST_CHECK;
static inline void flow_slices_free(flow_slices *s)
{
    flow_bank_unref(s->of);
    *s = (flow_slices){0};
}

void flow_worker_counts_get(flow_worker *w, flow_worker_counts *out);

/* Text of what failed; "" while capturing. Into buf; returns buf. */
const char *flow_worker_error(flow_worker *w, char *buf, size_t cap);

uint64_t flow_worker_ring_bytes(const flow_worker *w);

/* Let no packet in any more and process what the rings hold; begin on all workers first, then wait:
 * about a quarter of a second for all together. Rotation afterwards gives the last flows exactly.
 */
void flow_worker_drain_begin(flow_worker *w);
void flow_worker_drain_wait(flow_worker *w);

/* Stop the thread and free; flows that were not fetched are gone. NULL is fine. */
void flow_worker_stop(flow_worker *w);

#endif
