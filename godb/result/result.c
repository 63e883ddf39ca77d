/* result.c - a result's life: strings, rows, host statuses, interfaces and the final status. */
#include "result/result.h"

#include "gp/mem.h"
#include "labels.h"

#include <string.h>

static const char *const code_names[RESULT_N_CODES] = {
    [RESULT_OK] = "ok",
    [RESULT_EMPTY] = "empty",
    [RESULT_MISSING_DATA] = "missing data",
    [RESULT_ERROR] = "error",
    [RESULT_TOO_MANY_REQUESTS] = "too many requests",
    [RESULT_TIMEOUT] = "timeout",
    [RESULT_UNREACHABLE] = "unreachable",
    [RESULT_DENIED] = "denied",
    [RESULT_NOT_FOUND] = "not found",
};

const char *result_code_name(result_code c)
{
    return (unsigned)c < RESULT_N_CODES ? code_names[c] : "error";
}

int result_code_from_name(const char *name)
{
    for (int i = 0; name && i < RESULT_N_CODES; i++)
        if (strcmp(name, code_names[i]) == 0)
            return i;
    return -1;
}

gp_status result_init(result *r, size_t mem_limit, gp_err *err)
{
    gp_arena *arena = gp_arena_new(mem_limit);
    if (!arena)
        return gp_fail(err, GP_ENOMEM, 0, "result: out of memory");
    *r = (result){.arena = arena, .hostname = "", .status_message = "", .condition = ""};
    return GP_OK;
}

void result_clear(result *r)
{
    result_labels_free(r->host_index);
    result_labels_free(r->name_index);
    gp_free(r->rows);
    gp_arena_free(r->arena);
    *r = (result){0};
}

const char *result_strdup(result *r, const char *s)
{
    if (!s || !*s)
        return "";
    size_t n = strlen(s) + 1;
    char *p = gp_arena_alloc(r->arena, n, 1);
    if (p)
        memcpy(p, s, n);
    return p;
}

/* Make room for one more entry in an arena table (old tables stay behind in the arena: at most as
 * much again). cap 0 with n > 0 is a table that somebody else made; it is copied. */
static void *table_grow(result *r, void *table, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return table;
    size_t want = n < 8 ? 8 : 2 * n;
    void *p = gp_arena_alloc(r->arena, want, size);
    if (!p)
        return NULL;
    if (n)
        memcpy(p, table, n * size);
    *cap = want;
    return p;
}

static uint32_t find_host(const result *r, uint64_t hash, const char *name, const char *id)
{
    for (uint32_t pos, it = 0; (pos = result_labels_find(r->host_index, hash, &it)) != UINT32_MAX;)
        if (strcmp(r->hosts[pos].name, name) == 0 && strcmp(r->hosts[pos].id, id) == 0)
            return pos;
    return UINT32_MAX;
}

int result_has_host(const result *r, const char *name, const char *id)
{
    return find_host(r, result_labels_hash(name, id), name, id) != UINT32_MAX;
}

uint32_t result_host_id(result *r, const char *name, const char *id)
{
    if (!name)
        name = "";
    if (!id)
        id = "";
    uint64_t hash = result_labels_hash(name, id);
    uint32_t old = find_host(r, hash, name, id);
    if (old != UINT32_MAX)
        return old;
    result_host *t = table_grow(r, r->hosts, r->n_hosts, &r->cap_hosts, sizeof *t);
    if (!t)
        return UINT32_MAX;
    r->hosts = t;
    const char *n = result_strdup(r, name), *i = result_strdup(r, id);
    if (!n || !i || result_labels_add(&r->host_index, hash, (uint32_t)r->n_hosts) != GP_OK)
        return UINT32_MAX;
    t[r->n_hosts] = (result_host){n, i};
    return (uint32_t)r->n_hosts++;
}

uint32_t result_iface_id(result *r, const char *name)
{
    if (!name)
        name = "";
    uint64_t hash = result_labels_hash(name, "");
    for (uint32_t pos, it = 0; (pos = result_labels_find(r->name_index, hash, &it)) != UINT32_MAX;)
        if (strcmp(r->names[pos], name) == 0)
            return pos;
    const char **t = table_grow(r, r->names, r->n_names, &r->cap_names, sizeof *t);
    if (!t)
        return UINT32_MAX;
    r->names = t;
    const char *n = result_strdup(r, name);
    if (!n || result_labels_add(&r->name_index, hash, (uint32_t)r->n_names) != GP_OK)
        return UINT32_MAX;
    t[r->n_names] = n;
    return (uint32_t)r->n_names++;
}

/* Where the status of host is, or belongs. */
static size_t status_pos(const result *r, const char *host)
{
    size_t lo = 0, hi = r->n_host_statuses;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (strcmp(r->host_statuses[mid].host, host) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

const result_host_status *result_find_host_status(const result *r, const char *host)
{
    size_t i = status_pos(r, host);
    return i < r->n_host_statuses && strcmp(r->host_statuses[i].host, host) == 0
               ? &r->host_statuses[i]
               : NULL;
}

gp_status result_add_host_status(result *r, const char *host, result_code code, const char *message,
                                 gp_err *err)
{
    size_t lo = status_pos(r, host);
    result_host_status *t =
        table_grow(r, r->host_statuses, r->n_host_statuses, &r->cap_host_statuses, sizeof *t);
    const char *m = result_strdup(r, message);
    if (!t || !m)
        return gp_fail(err, GP_ENOMEM, 0, "result: out of memory for host statuses");
    r->host_statuses = t;
    if (lo < r->n_host_statuses && strcmp(t[lo].host, host) == 0) {
        t[lo].code = code;
        t[lo].message = m;
        return GP_OK;
    }
    const char *h = result_strdup(r, host);
    if (!h)
        return gp_fail(err, GP_ENOMEM, 0, "result: out of memory for host statuses");
    memmove(t + lo + 1, t + lo, (r->n_host_statuses - lo) * sizeof *t);
    t[lo] = (result_host_status){h, code, m};
    r->n_host_statuses++;
    return GP_OK;
}

gp_status result_add_iface(result *r, const char *name, gp_err *err)
{
    size_t lo = 0, hi = r->n_ifaces;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (strcmp(r->ifaces[mid], name) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo < r->n_ifaces && strcmp(r->ifaces[lo], name) == 0)
        return GP_OK;
    const char **t = table_grow(r, r->ifaces, r->n_ifaces, &r->cap_ifaces, sizeof *t);
    const char *n = result_strdup(r, name);
    if (!t || !n)
        return gp_fail(err, GP_ENOMEM, 0, "result: out of memory for interface names");
    r->ifaces = t;
    memmove(t + lo + 1, t + lo, (r->n_ifaces - lo) * sizeof *t);
    t[lo] = n;
    r->n_ifaces++;
    return GP_OK;
}

gp_status result_reserve_rows(result *r, size_t n, gp_err *err)
{
    size_t want;
    if (__builtin_add_overflow(r->n_rows, n, &want))
        return gp_fail(err, GP_ENOMEM, 0, "result: too many rows");
    if (want <= r->cap_rows)
        return GP_OK;
    if (want < r->cap_rows + r->cap_rows / 2)
        want = r->cap_rows + r->cap_rows / 2;
    if (want < 64)
        want = 64;
    result_row *p = gp_realloc(r->rows, want, sizeof *p);
    if (!p)
        return gp_fail(err, GP_ENOMEM, 0, "result: out of memory for %zu rows", want);
    r->rows = p;
    r->cap_rows = want;
    return GP_OK;
}

void result_finish_status(result *r)
{
    if (r->n_rows > 0 || r->hits_total > 0) {
        r->status = RESULT_OK;
        r->status_message = "";
    } else if (r->data_available) {
        r->status = RESULT_EMPTY;
        r->status_message = "query returned no results";
    } else {
        r->status = RESULT_MISSING_DATA;
        r->status_message = "no data available for the specified interface(s) / time range";
    }
}
