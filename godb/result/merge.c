/* merge.c - one result out of many partial ones (query.md 11): exact, in bounded memory. */
#include "gp/clock.h"
#include "gp/mem.h"
#include "number.h"
#include "order.h"
#include "rowtable.h"

#include <string.h>

enum { NO_BINNING_S = 300, STRINGS_SHARE = 4 }; /* a quarter of the memory may be strings */

struct result_merger {
    result_order order;
    int64_t bin_s; /* 0 = time stamps stay as they are */
    int merge_hosts;
    int n_parts;
    rowtable rows;
    result sum; /* labels, statuses and summary so far; its rows are in `rows` */
    uint64_t hits;
    uint32_t *host_map, *iface_map; /* part label -> our label, for the part being added */
    size_t cap_host_map, cap_iface_map;
    size_t strings; /* bytes of sum's arena that were taken from the quota */
};

gp_status result_merger_new(const query_stmt *s, int merge_hosts, size_t mem_limit,
                            result_merger **out, gp_err *err)
{
    result_merger *m = gp_calloc(1, sizeof *m);
    if (!m)
        return gp_fail(err, GP_ENOMEM, 0, "merging: out of memory");
    size_t strings = mem_limit ? mem_limit / STRINGS_SHARE + 4096 : SIZE_MAX;
    gp_status st = result_init(&m->sum, strings, err);
    if (st != GP_OK) {
        gp_free(m);
        return st;
    }
    m->order = result_order_of(s);
    m->merge_hosts = merge_hosts;
    m->bin_s = (s->labels & QUERY_LABEL_TIME) && s->bin_s != NO_BINNING_S ? s->bin_s : 0;
    result_rowtable_init(&m->rows, mem_limit);
    m->sum.fields = s->fields;
    m->sum.condition = result_strdup(&m->sum, s->cond ? s->cond->text : "");
    m->sum.time_first_s = s->first_s;
    m->sum.time_last_s = s->last_s;
    m->sum.query_start_ns = gp_wall_ns();
    if (!m->sum.condition) {
        result_merger_free(m);
        return gp_fail(err, GP_ENOMEM, 0, "merging: out of memory");
    }
    *out = m;
    return GP_OK;
}

void result_merger_free(result_merger *m)
{
    if (!m)
        return;
    if (m->rows.quota && m->strings)
        m->rows.quota->give(m->rows.quota->ctx, m->strings);
    result_rowtable_free(&m->rows);
    result_clear(&m->sum);
    gp_free(m->host_map);
    gp_free(m->iface_map);
    gp_free(m);
}

void result_merger_quota(result_merger *m, const result_quota *q)
{
    m->rows.quota = q;
}

uint64_t result_merger_rows(const result_merger *m)
{
    return m->rows.n;
}

static gp_status map_reserve(uint32_t **map, size_t *cap, size_t n, gp_err *err)
{
    if (n <= *cap)
        return GP_OK;
    uint32_t *p = gp_realloc(*map, n, sizeof *p);
    if (!p)
        return gp_fail(err, GP_ENOMEM, 0, "merging: out of memory for labels");
    *map = p;
    *cap = n;
    return GP_OK;
}

static gp_status map_labels(result_merger *m, const result *part, gp_err *err)
{
    GP_TRY(map_reserve(&m->host_map, &m->cap_host_map, part->n_hosts, err));
    GP_TRY(map_reserve(&m->iface_map, &m->cap_iface_map, part->n_names, err));
    for (size_t i = 0; i < part->n_hosts; i++) {
        m->host_map[i] = m->merge_hosts
                             ? result_host_id(&m->sum, "", "")
                             : result_host_id(&m->sum, part->hosts[i].name, part->hosts[i].id);
        if (m->host_map[i] == UINT32_MAX)
            return gp_fail(err, GP_ELIMIT, 0,
                           "merging: too many host names for the memory allowed");
    }
    for (size_t i = 0; i < part->n_names; i++) {
        m->iface_map[i] = result_iface_id(&m->sum, part->names[i]);
        if (m->iface_map[i] == UINT32_MAX)
            return gp_fail(err, GP_ELIMIT, 0,
                           "merging: too many interface names for the memory allowed");
    }
    return GP_OK;
}

static gp_status add_rows(result_merger *m, const result *part, uint64_t *merged, gp_err *err)
{
    result_row batch[ROWTABLE_BATCH];
    int64_t last = 0, last_bin = 0;
    for (size_t i = 0; i < part->n_rows;) {
        size_t n = 0;
        for (; n < ROWTABLE_BATCH && i < part->n_rows; n++, i++) {
            const result_row *row = &part->rows[i];
            if (row->host >= part->n_hosts || row->iface >= part->n_names)
                return gp_fail(err, GP_EINVAL, 0,
                               "merging: row %zu has a label that is not in the "
                               "label table",
                               i);
            if (row->time_s != last) {
                last = row->time_s;
                last_bin = m->bin_s && last ? query_time_bin(last, m->bin_s) : last;
            }
            result_rowtable_stage(&batch[n], row, m->host_map[row->host], m->iface_map[row->iface],
                                  last_bin);
        }
        GP_TRY(result_rowtable_add(&m->rows, batch, n, merged, err));
    }
    return GP_OK;
}

static void counters_add(result_counters *dst, const result_counters *src)
{
    dst->bytes_rcvd = result_number_add(dst->bytes_rcvd, src->bytes_rcvd);
    dst->bytes_sent = result_number_add(dst->bytes_sent, src->bytes_sent);
    dst->pkts_rcvd = result_number_add(dst->pkts_rcvd, src->pkts_rcvd);
    dst->pkts_sent = result_number_add(dst->pkts_sent, src->pkts_sent);
}

static void stats_add(result_stats *dst, const result_stats *src)
{
    dst->bytes_loaded += src->bytes_loaded;
    dst->bytes_decompressed += src->bytes_decompressed;
    dst->blocks_processed += src->blocks_processed;
    dst->blocks_corrupted += src->blocks_corrupted;
    dst->directories_processed += src->directories_processed;
    dst->workloads += src->workloads;
}

static gp_status add_summary(result_merger *m, const result *part, gp_err *err)
{
    result *s = &m->sum;
    for (size_t i = 0; i < part->n_host_statuses; i++) {
        const result_host_status *h = &part->host_statuses[i];
        GP_TRY(result_add_host_status(s, h->host, h->code, h->message, err));
    }
    for (size_t i = 0; i < part->n_ifaces; i++)
        GP_TRY(result_add_iface(s, part->ifaces[i], err));
    counters_add(&s->totals, &part->totals);
    if (part->has_stats) {
        s->has_stats = 1;
        stats_add(&s->stats, &part->stats);
    }
    if (m->n_parts == 0 || part->time_first_s < s->time_first_s)
        s->time_first_s = part->time_first_s;
    if (m->n_parts == 0 || part->time_last_s > s->time_last_s)
        s->time_last_s = part->time_last_s;
    s->data_available |= part->data_available;
    m->n_parts = 1;
    return GP_OK;
}

/* Labels and texts that came with a part; at most a part's were added before they are counted. */
static gp_status count_strings(result_merger *m, gp_err *err)
{
    size_t now = gp_arena_bytes(m->sum.arena);
    const result_quota *q = m->rows.quota;
    if (!q || now == m->strings)
        return GP_OK;
    if (!q->take(q->ctx, now - m->strings))
        return gp_fail(err, GP_ELIMIT, 0, "merging needs more memory than is allowed");
    m->strings = now;
    return GP_OK;
}

gp_status result_merger_add(result_merger *m, const result *part, gp_err *err)
{
    uint64_t merged = 0;
    GP_TRY(map_labels(m, part, err));
    GP_TRY(add_rows(m, part, &merged, err));
    /* Rows that met an equal key are counted in both totals; a part may hold fewer rows than its
     * total when it was cut. */
    uint64_t total = part->hits_total < part->n_rows ? part->n_rows : part->hits_total;
    m->hits += total - merged;
    GP_TRY(add_summary(m, part, err));
    return count_strings(m, err);
}

gp_status result_merger_host(result_merger *m, const char *host, result_code code,
                             const char *message, gp_err *err)
{
    return result_add_host_status(&m->sum, host, code, message, err);
}

/* Labels and summary of the merger into a fresh result. */
static gp_status copy_summary(const result *s, result *out, gp_err *err)
{
    for (size_t i = 0; i < s->n_host_statuses; i++) {
        const result_host_status *h = &s->host_statuses[i];
        GP_TRY(result_add_host_status(out, h->host, h->code, h->message, err));
    }
    for (size_t i = 0; i < s->n_ifaces; i++)
        GP_TRY(result_add_iface(out, s->ifaces[i], err));
    for (size_t i = 0; i < s->n_hosts; i++)
        if (result_host_id(out, s->hosts[i].name, s->hosts[i].id) != i)
            return gp_fail(err, GP_ENOMEM, 0, "merging: out of memory for host names");
    for (size_t i = 0; i < s->n_names; i++)
        if (result_iface_id(out, s->names[i]) != i)
            return gp_fail(err, GP_ENOMEM, 0, "merging: out of memory for interface names");
    out->condition = result_strdup(out, s->condition);
    if (!out->condition)
        return gp_fail(err, GP_ENOMEM, 0, "merging: out of memory");
    out->fields = s->fields;
    out->totals = s->totals;
    out->time_first_s = s->time_first_s;
    out->time_last_s = s->time_last_s;
    out->data_available = s->data_available;
    out->has_stats = s->has_stats;
    out->stats = s->stats;
    out->query_start_ns = s->query_start_ns;
    out->query_duration_ns = gp_wall_ns() - s->query_start_ns;
    if (out->query_duration_ns < 0) /* the wall clock was set back */
        out->query_duration_ns = 0;
    return GP_OK;
}

static gp_status copy_rows(const result_merger *m, uint64_t limit, result *out, gp_err *err)
{
    if (m->rows.n == 0)
        return GP_OK;
    order_view view = {.chunks = m->rows.chunks, .shift = ROWTABLE_SHIFT, .n = m->rows.n};
    GP_CLEANUP(gp_freep) order_entry *v = NULL;
    size_t n = 0;
    GP_TRY(result_order_select(&m->sum, &view, &m->order, limit, &v, &n, err));
    GP_TRY(result_reserve_rows(out, n, err));
    for (size_t i = 0; i < n; i++)
        out->rows[i] = *result_order_row(&view, v[i].idx);
    out->n_rows = n;
    return GP_OK;
}

gp_status result_merger_get(result_merger *m, uint64_t limit, result *out, gp_err *err)
{
    result r;
    GP_TRY(result_init(&r, SIZE_MAX, err));
    gp_status st = copy_summary(&m->sum, &r, err);
    if (st == GP_OK)
        st = copy_rows(m, limit, &r, err);
    if (st != GP_OK) {
        result_clear(&r);
        return st;
    }
    r.hits_total = m->hits;
    result_finish_status(&r);
    *out = r;
    return GP_OK;
}
