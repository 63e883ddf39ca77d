/* control.c - messages between gpctl and an agent, both ways, limits checked. */
#include "wire/control.h"

#include "gp/mem.h"
#include "schema/control.pb-c.h"
#include "unpack.h"

#include <string.h>

static gp_status malformed(gp_err *err, const char *what)
{
    return gp_fail(err, GP_ECORRUPT, 0, "malformed %s", what);
}

static char *text_or_null(const char *s)
{
    return s && *s ? wire_unconst(s) : NULL;
}

/* ---- requests ---- */

void wire_put_control_request(gp_buf *out, const char *const *ifaces, size_t n)
{
    union {
        const char *const *c;
        char **m;
    } u = {.c = ifaces};
    Fp__ControlRequest m = FP__CONTROL_REQUEST__INIT;
    m.n_ifaces = n;
    m.ifaces = u.m;
    wire_pack(&m.base, out);
}

gp_status wire_control_request_decode(const void *bytes, size_t len, char *const **ifaces,
                                      size_t *n, void **owner, gp_err *err)
{
    Fp__ControlRequest *m = wire_unpack(&fp__control_request__descriptor, bytes, len);
    int ok = m && m->n_ifaces <= WIRE_MAX_IFACES;
    for (size_t i = 0; ok && i < m->n_ifaces; i++)
        ok = wire_text_ok(m->ifaces[i], WIRE_MAX_LABEL);
    if (!ok) {
        wire_unpacked_free(m);
        return malformed(err, "request");
    }
    *ifaces = m->ifaces;
    *n = m->n_ifaces;
    *owner = m;
    return GP_OK;
}

void wire_control_request_free(void *owner)
{
    wire_unpacked_free(owner);
}

void wire_put_config_set(gp_buf *out, const void *text, size_t len)
{
    union {
        const void *c;
        uint8_t *m;
    } u = {.c = text};
    Fp__ConfigSet m = FP__CONFIG_SET__INIT;
    m.text.data = u.m;
    m.text.len = len;
    wire_pack(&m.base, out);
}

gp_status wire_config_set_decode(const void *bytes, size_t len, char **text, size_t *text_len,
                                 gp_err *err)
{
    Fp__ConfigSet *m = wire_unpack(&fp__config_set__descriptor, bytes, len);
    if (!m || m->text.len > WIRE_MAX_CONFIG_TEXT) {
        wire_unpacked_free(m);
        return malformed(err, "configuration request");
    }
    char *copy = gp_alloc(m->text.len + 1, 1);
    if (copy) {
        if (m->text.len)
            memcpy(copy, m->text.data, m->text.len);
        copy[m->text.len] = '\0';
        *text = copy;
        *text_len = m->text.len;
    }
    wire_unpacked_free(m);
    return copy ? GP_OK : gp_fail(err, GP_ENOMEM, 0, "configuration request: out of memory");
}

/* ---- replies in general ---- */

static int keep(gp_arena *a, const char *s, const char **out)
{
    size_t n = s ? strlen(s) : 0;
    char *p = gp_arena_alloc(a, n + 1, 1);
    if (p && n)
        memcpy(p, s, n);
    *out = p;
    return p != NULL;
}

/* Room for `more` elements behind n in *v, and an arena for their texts. The array is never NULL
 * afterwards. */
static gp_status grow(gp_arena **arena, void **v, size_t n, size_t more, size_t size, gp_err *err)
{
    if (more > WIRE_MAX_IFACES || n > WIRE_MAX_IFACES * 4)
        return malformed(err, "list of interfaces: too long");
    if (!*arena)
        *arena = gp_arena_new(WIRE_CONTROL_BYTES);
    void *p = gp_realloc(*v, n + more + 1, size);
    if (p)
        *v = p;
    return p && *arena ? GP_OK : gp_fail(err, GP_ENOMEM, 0, "reply: out of memory");
}

/* ---- status ---- */

static void put_counts(Fp__IfaceCounts *m, const wire_iface_counts *c)
{
    fp__iface_counts__init(m);
    m->has_received = m->has_processed = m->has_dropped = 1;
    m->received = c->received;
    m->processed = c->processed;
    m->dropped = c->dropped;
    m->has_fragmented = c->errors[0] != 0;
    m->fragmented = c->errors[0];
    m->has_invalid = c->errors[1] != 0;
    m->invalid = c->errors[1];
    m->has_truncated = c->errors[2] != 0;
    m->truncated = c->errors[2];
    m->has_lost = c->lost != 0;
    m->lost = c->lost;
    m->has_shared = c->shared != 0;
    m->shared = c->shared;
    m->has_bytes_in = m->has_bytes_out = 1;
    m->bytes_in = c->bytes_in;
    m->bytes_out = c->bytes_out;
}

static void put_daemon(Fp__StatusReply *m, const wire_daemon *d)
{
    m->has_started_ns = m->has_now_ns = m->has_next_writeout_s = 1;
    m->started_ns = d->started_ns;
    m->now_ns = d->now_ns;
    m->next_writeout_s = d->next_writeout_s;
    m->has_last_writeout_s = d->last_writeout_s != 0;
    m->last_writeout_s = d->last_writeout_s;
    m->has_last_scheduled_s = 1;
    m->last_scheduled_s = d->last_scheduled_s;
    m->has_writes_failed = m->has_flows_lost = m->has_write_failing = 1;
    m->writes_failed = d->writes_failed;
    m->flows_lost = d->flows_lost;
    m->write_failing = d->write_failing;
    m->host = text_or_null(d->host);
    m->software = text_or_null(d->software);
}

/* One interface with its two sets of counters, as protobuf-c wants them: side by side in memory. */
typedef struct status_slot {
    Fp__IfaceStatus s;
    Fp__IfaceCounts total, recent;
} status_slot;

static void put_iface(status_slot *slot, const wire_iface_status *v)
{
    Fp__IfaceStatus *m = &slot->s;
    fp__iface_status__init(m);
    m->name = wire_unconst(v->name);
    m->has_capturing = v->capturing;
    m->capturing = v->capturing;
    m->error = text_or_null(v->error);
    m->has_started_ns = v->started_ns != 0;
    m->started_ns = v->started_ns;
    put_counts(&slot->total, &v->total);
    put_counts(&slot->recent, &v->recent);
    m->total = &slot->total;
    m->recent = &slot->recent;
    m->has_flows = m->has_flow_bytes = m->has_ring_bytes = m->has_pending_blocks = 1;
    m->flows = v->flows;
    m->flow_bytes = v->flow_bytes;
    m->ring_bytes = v->ring_bytes;
    m->pending_blocks = v->pending_blocks;
    m->has_last_block_s = v->last_block_s != 0;
    m->last_block_s = v->last_block_s;
}

void wire_put_status(gp_buf *out, const wire_daemon *d, const wire_iface_status *v, size_t n)
{
    GP_CLEANUP(gp_freep) status_slot *slots = gp_calloc(n + 1, sizeof *slots);
    GP_CLEANUP(gp_freep) Fp__IfaceStatus **list = gp_calloc(n + 1, sizeof(Fp__IfaceStatus *));
    Fp__StatusReply m = FP__STATUS_REPLY__INIT;
    if (!slots || !list) {
        out->failed = 1;
        return;
    }
    if (d)
        put_daemon(&m, d);
    for (size_t i = 0; i < n; i++) {
        put_iface(&slots[i], &v[i]);
        list[i] = &slots[i].s;
    }
    m.n_ifaces = n;
    m.ifaces = list;
    wire_pack(&m.base, out);
}

static void get_counts(const Fp__IfaceCounts *m, wire_iface_counts *c)
{
    *c = (wire_iface_counts){0};
    if (!m)
        return;
    *c = (wire_iface_counts){.received = m->received,
                             .processed = m->processed,
                             .dropped = m->dropped,
                             .errors = {m->fragmented, m->invalid, m->truncated},
                             .lost = m->lost,
                             .shared = m->shared,
                             .bytes_in = m->bytes_in,
                             .bytes_out = m->bytes_out};
}

static int get_iface(gp_arena *a, const Fp__IfaceStatus *m, wire_iface_status *v)
{
    *v = (wire_iface_status){.capturing = m->capturing != 0,
                             .started_ns = m->started_ns,
                             .flows = m->flows,
                             .flow_bytes = m->flow_bytes,
                             .ring_bytes = m->ring_bytes,
                             .pending_blocks = m->pending_blocks,
                             .last_block_s = m->last_block_s};
    get_counts(m->total, &v->total);
    get_counts(m->recent, &v->recent);
    return keep(a, m->name, &v->name) && keep(a, m->error, &v->error);
}

static int get_daemon(gp_arena *a, const Fp__StatusReply *m, wire_daemon *d)
{
    *d = (wire_daemon){.started_ns = m->started_ns,
                       .now_ns = m->now_ns,
                       .last_writeout_s = m->last_writeout_s,
                       .last_scheduled_s =
                           m->has_last_scheduled_s ? m->last_scheduled_s : m->last_writeout_s,
                       .next_writeout_s = m->next_writeout_s,
                       .writes_failed = m->writes_failed,
                       .flows_lost = m->flows_lost,
                       .write_failing = m->write_failing};
    return keep(a, m->host, &d->host) && keep(a, m->software, &d->software);
}

static gp_status add_status(const Fp__StatusReply *m, wire_status_reply *out, gp_err *err)
{
    void *v = out->v;
    if (!wire_text_ok(m->host, WIRE_MAX_LABEL) || !wire_text_ok(m->software, WIRE_MAX_LABEL))
        return malformed(err, "status");
    GP_TRY(grow(&out->arena, &v, out->n, m->n_ifaces, sizeof *out->v, err));
    out->v = v;
    if ((m->has_started_ns || !out->daemon.host) && !get_daemon(out->arena, m, &out->daemon))
        return gp_fail(err, GP_ELIMIT, 0, "status: out of memory");
    for (size_t i = 0; i < m->n_ifaces; i++) {
        const Fp__IfaceStatus *s = m->ifaces[i];
        if (!wire_text_ok(s->name, WIRE_MAX_LABEL) ||
            !wire_text_ok(s->error, WIRE_MAX_MESSAGE_TEXT))
            return malformed(err, "status of an interface");
        if (!get_iface(out->arena, s, &out->v[out->n]))
            return gp_fail(err, GP_ELIMIT, 0, "status: out of memory");
        out->n++;
    }
    return GP_OK;
}

gp_status wire_status_decode(const void *bytes, size_t len, wire_status_reply *out, gp_err *err)
{
    Fp__StatusReply *m = wire_unpack(&fp__status_reply__descriptor, bytes, len);
    gp_status st = m ? add_status(m, out, err) : malformed(err, "status");
    wire_unpacked_free(m);
    return st;
}

void wire_status_clear(wire_status_reply *r)
{
    gp_free(r->v);
    gp_arena_free(r->arena);
    *r = (wire_status_reply){0};
}

/* ---- settings ---- */

static int put_filter(Fp__IfaceConfig *m, const wire_iface_config *v, Fp__Instruction *insns,
                      Fp__Instruction **list)
{
    if (v->n_filter > WIRE_MAX_FILTER)
        return 0;
    for (size_t i = 0; i < v->n_filter; i++) {
        Fp__Instruction *x = list[i] = &insns[i];
        fp__instruction__init(x);
        x->has_op = x->has_jt = x->has_jf = x->has_k = 1;
        x->op = v->filter[i].op;
        x->jt = v->filter[i].jt;
        x->jf = v->filter[i].jf;
        x->k = v->filter[i].k;
    }
    m->n_filter = v->n_filter;
    m->filter = list;
    return 1;
}

static int put_iface_config(Fp__IfaceConfig *m, const wire_iface_config *v, Fp__Instruction *insns,
                            Fp__Instruction **list)
{
    fp__iface_config__init(m);
    m->name = wire_unconst(v->name);
    m->has_promisc = m->has_ignore_vlans = m->has_sample = 1;
    m->promisc = v->promisc;
    m->ignore_vlans = v->ignore_vlans;
    m->sample = v->sample;
    m->has_block_size = m->has_num_blocks = 1;
    m->block_size = v->block_size;
    m->num_blocks = v->num_blocks;
    return put_filter(m, v, insns, list);
}

void wire_put_config(gp_buf *out, const wire_iface_config *v, size_t n)
{
    size_t most = (n + 1) * WIRE_MAX_FILTER;
    GP_CLEANUP(gp_freep) Fp__IfaceConfig *slots = gp_calloc(n + 1, sizeof *slots);
    GP_CLEANUP(gp_freep) Fp__IfaceConfig **list = gp_calloc(n + 1, sizeof(Fp__IfaceConfig *));
    GP_CLEANUP(gp_freep) Fp__Instruction *insns = gp_calloc(most, sizeof *insns);
    GP_CLEANUP(gp_freep) Fp__Instruction **ptrs = gp_calloc(most, sizeof(Fp__Instruction *));
    Fp__ConfigReply m = FP__CONFIG_REPLY__INIT;
    int ok = slots && list && insns && ptrs;
    for (size_t i = 0; ok && i < n; i++) {
        list[i] = &slots[i];
        ok = put_iface_config(&slots[i], &v[i], insns + i * WIRE_MAX_FILTER,
                              ptrs + i * WIRE_MAX_FILTER);
    }
    if (!ok) {
        out->failed = 1;
        return;
    }
    m.n_ifaces = n;
    m.ifaces = list;
    wire_pack(&m.base, out);
}

static int get_filter(gp_arena *a, const Fp__IfaceConfig *m, wire_iface_config *v)
{
    wire_insn *p = gp_arena_alloc(a, m->n_filter + 1, sizeof *p);
    for (size_t i = 0; p && i < m->n_filter; i++)
        p[i] = (wire_insn){m->filter[i]->op, m->filter[i]->jt, m->filter[i]->jf, m->filter[i]->k};
    v->filter = p;
    v->n_filter = m->n_filter;
    return p != NULL;
}

static gp_status add_config(const Fp__ConfigReply *m, wire_config_reply *out, gp_err *err)
{
    void *p = out->v;
    GP_TRY(grow(&out->arena, &p, out->n, m->n_ifaces, sizeof *out->v, err));
    out->v = p;
    for (size_t i = 0; i < m->n_ifaces; i++) {
        const Fp__IfaceConfig *c = m->ifaces[i];
        wire_iface_config *v = &out->v[out->n];
        if (!wire_text_ok(c->name, WIRE_MAX_LABEL) || c->n_filter > WIRE_MAX_FILTER)
            return malformed(err, "settings of an interface");
        *v = (wire_iface_config){.promisc = c->promisc != 0,
                                 .ignore_vlans = c->ignore_vlans != 0,
                                 .sample = c->sample,
                                 .block_size = c->block_size,
                                 .num_blocks = c->num_blocks};
        if (!keep(out->arena, c->name, &v->name) || !get_filter(out->arena, c, v))
            return gp_fail(err, GP_ELIMIT, 0, "settings: out of memory");
        out->n++;
    }
    return GP_OK;
}

gp_status wire_config_decode(const void *bytes, size_t len, wire_config_reply *out, gp_err *err)
{
    Fp__ConfigReply *m = wire_unpack(&fp__config_reply__descriptor, bytes, len);
    gp_status st = m ? add_config(m, out, err) : malformed(err, "settings");
    wire_unpacked_free(m);
    return st;
}

void wire_config_clear(wire_config_reply *r)
{
    gp_free(r->v);
    gp_arena_free(r->arena);
    *r = (wire_config_reply){0};
}

/* ---- changes ---- */

void wire_put_changes(gp_buf *out, const wire_change *v, size_t n)
{
    GP_CLEANUP(gp_freep) Fp__ConfigChange *slots = gp_calloc(n + 1, sizeof *slots);
    GP_CLEANUP(gp_freep) Fp__ConfigChange **list = gp_calloc(n + 1, sizeof(Fp__ConfigChange *));
    Fp__ChangesReply m = FP__CHANGES_REPLY__INIT;
    if (!slots || !list) {
        out->failed = 1;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        Fp__ConfigChange *c = list[i] = &slots[i];
        fp__config_change__init(c);
        c->name = wire_unconst(v[i].name);
        c->action = v[i].action;
        c->has_ok = v[i].ok;
        c->ok = v[i].ok;
        c->error = text_or_null(v[i].error);
    }
    m.n_changes = n;
    m.changes = list;
    wire_pack(&m.base, out);
}

static gp_status add_changes(const Fp__ChangesReply *m, wire_changes_reply *out, gp_err *err)
{
    void *p = out->v;
    GP_TRY(grow(&out->arena, &p, out->n, m->n_changes, sizeof *out->v, err));
    out->v = p;
    for (size_t i = 0; i < m->n_changes; i++) {
        const Fp__ConfigChange *c = m->changes[i];
        wire_change *v = &out->v[out->n];
        if (!wire_text_ok(c->name, WIRE_MAX_LABEL) ||
            !wire_text_ok(c->error, WIRE_MAX_MESSAGE_TEXT) || c->action >= WIRE_N_ACTIONS)
            return malformed(err, "list of changes");
        *v = (wire_change){.action = (wire_action)c->action, .ok = c->ok != 0};
        if (!keep(out->arena, c->name, &v->name) || !keep(out->arena, c->error, &v->error))
            return gp_fail(err, GP_ELIMIT, 0, "changes: out of memory");
        out->n++;
    }
    return GP_OK;
}

gp_status wire_changes_decode(const void *bytes, size_t len, wire_changes_reply *out, gp_err *err)
{
    Fp__ChangesReply *m = wire_unpack(&fp__changes_reply__descriptor, bytes, len);
    gp_status st = m ? add_changes(m, out, err) : malformed(err, "list of changes");
    wire_unpacked_free(m);
    return st;
}

void wire_changes_clear(wire_changes_reply *r)
{
    gp_free(r->v);
    gp_arena_free(r->arena);
    *r = (wire_changes_reply){0};
}
