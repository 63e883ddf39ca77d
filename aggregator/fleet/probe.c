/* probe.c - signs of life of idle connections, with round-trip time and version. */
#include "fleet_int.h"

#include "gp/clock.h"
#include "gp/mem.h"
#include "wire/info.h"

#include <stdio.h>
#include <string.h>

enum { PROBE_MS = 10000 };

static void on_event(void *ctx, rpc_call *call, const rpc_event *ev)
{
    struct probe *b = ctx;
    (void)call;
    if (ev->kind == RPC_EV_MSG) {
        wire_info i;
        void *owner = NULL;
        if (wire_info_decode(ev->data, ev->len, &i, &owner, NULL) == GP_OK) {
            snprintf(b->software, sizeof b->software, "%s", i.software);
            wire_info_free(owner);
        }
        return;
    }
    b->ok = ev->code == RPC_OK;
    b->st = rpc_code_to_status(ev->code);
    b->start_ns = gp_mono_ns() - b->start_ns; /* now the round trip */
    atomic_store(&b->done, 1);
}

void fleet_probe(fleet *f, struct peer *p, int64_t next_ms)
{
    p->health_ms = next_ms;
    if (p->probing)
        return;
    struct probe *b = gp_calloc(1, sizeof *b);
    if (!b)
        return;
    b->peer = p;
    b->link = p->link;
    b->start_ns = gp_mono_ns();
    atomic_fetch_add(&p->refs, 1);
    atomic_fetch_add(&p->link->refs, 1);
    p->probing = 1;
    b->next = f->probes;
    f->probes = b;
    if (rpc_call_start(b->link->conn, "info", NULL, 0, gp_deadline_in_ms(PROBE_MS), on_event, b,
                       &b->call, NULL) != GP_OK) {
        b->call = NULL;
        b->st = GP_EUNAVAILABLE;
        atomic_store(&b->done, 1);
    }
}

static void finish(fleet *f, struct probe *b)
{
    struct peer *p = b->peer;
    fleet_link *drop = NULL;
    rpc_call_free(b->call);
    pthread_mutex_lock(&f->lock);
    p->probing = 0;
    if (b->ok) {
        p->rtt_us = b->start_ns / 1000;
        memcpy(p->software, b->software, sizeof p->software);
    } else if (p->link == b->link && b->st == GP_EDEADLINE) {
        drop = p->link; /* silent: let the next walk dial anew */
        p->link = NULL;
        p->state = FLEET_BACKOFF;
        p->since_s = gp_wall_s();
        p->next_try_ms = 0;
        p->last_code = GP_EDEADLINE;
        snprintf(p->error, sizeof p->error, "no sign of life for %d s", PROBE_MS / 1000);
    }
    pthread_mutex_unlock(&f->lock);
    fleet_link_put(drop);
    fleet_link_put(b->link);
    fleet_peer_put(p);
    gp_free(b);
}

void fleet_probes_collect(fleet *f)
{
    for (struct probe **at = &f->probes; *at;) {
        struct probe *b = *at;
        if (!atomic_load(&b->done)) {
            at = &b->next;
            continue;
        }
        *at = b->next;
        finish(f, b);
    }
}

void fleet_probes_end(fleet *f)
{
    while (f->probes) {
        struct probe *b = f->probes;
        f->probes = b->next;
        finish(f, b); /* rpc_call_free() cancels and waits for the callback */
    }
}
