/* import_writers.c - interfaces of an import: their names, and a bounded set of open writers. */
#include "import_writers.h"

#include "db.h"
#include "dirs.h"
#include "gp/io.h"
#include "gp/mem.h"
#include "gp/pool.h"
#include "limits.h"
#include "writer_encoded.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

enum {
    FDS_PER_WRITER = 14, /* interface, month, day, eight columns, and what an open briefly needs */
    FDS_ELSEWHERE = 64
};

/* ---- names ---- */

static uint64_t hash(const char *s, size_t len)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (size_t i = 0; i < len; i++)
        h = (h ^ (uint8_t)s[i]) * UINT64_C(0x100000001b3);
    return h ^ h >> 29;
}

static int is_name(const char *have, const char *s, size_t len)
{
    return strlen(have) == len && memcmp(have, s, len) == 0; /* s may have a NUL in it */
}

/* Slot of the name, or the free one where it belongs. */
static uint32_t *find(godb_names *names, const char *s, size_t len)
{
    size_t i = hash(s, len) & (names->table_size - 1);

    while (names->table[i] && !is_name(names->v[names->table[i] - 1], s, len))
        i = (i + 1) & (names->table_size - 1);
    return &names->table[i];
}

static gp_status grow_table(godb_names *names)
{
    size_t size = names->table_size ? 2 * names->table_size : 64;
    uint32_t *table = gp_calloc(size, sizeof *table);
    char **v = table ? gp_realloc(names->v, size, sizeof *v) : NULL;

    if (v)
        names->v = v;
    if (!table || !v) {
        gp_free(table);
        return GP_ENOMEM;
    }
    gp_free(names->table);
    names->table = table;
    names->table_size = size;
    names->cap = size / 2; /* at most half full */
    for (uint32_t i = 0; i < names->n; i++)
        *find(names, v[i], strlen(v[i])) = i + 1;
    return GP_OK;
}

static int usable(const char *s, size_t len)
{
    char name[GODB_IFACE_NAME_MAX + 1];

    if (len == 0 || len > GODB_IFACE_NAME_MAX || memchr(s, '\0', len))
        return 0;
    memcpy(name, s, len);
    name[len] = '\0';
    /* Staging trees of a merge are not seen as interfaces (7.2). */
    return godb_iface_name_ok(name) &&
           strncmp(name, GODB_STAGE_PREFIX, strlen(GODB_STAGE_PREFIX)) != 0;
}

gp_status godb_names_get(godb_names *names, const char *s, size_t len, uint32_t *out)
{
    if (names->n > 0 && is_name(names->v[names->latest], s, len)) {
        *out = names->latest;
        return GP_OK;
    }
    if (names->n == names->cap)
        GP_TRY(grow_table(names));
    uint32_t *slot = find(names, s, len);
    if (*slot == 0) {
        if (!usable(s, len))
            return GP_EINVAL;
        if (names->n == GODB_IMPORT_MAX_IFACES)
            return GP_ELIMIT;
        names->v[names->n] = gp_strndup(s, len);
        if (!names->v[names->n])
            return GP_ENOMEM;
        *slot = (uint32_t)++names->n;
    }
    *out = names->latest = *slot - 1;
    return GP_OK;
}

void godb_names_free(godb_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        gp_free(names->v[i]);
    gp_free(names->v);
    gp_free(names->table);
    *names = (godb_names){0};
}

/* ---- writers ---- */

void godb_writers_init(godb_writers *ws, const char *root, const godb_writer_opts *opts,
                       unsigned threads)
{
    struct rlimit lim = {.rlim_cur = 1024};

    *ws = (godb_writers){
        .root = root, .opts = *opts, .max = GODB_IMPORT_MAX_WRITERS, .threads = threads};
    (void)getrlimit(RLIMIT_NOFILE, &lim);
    rlim_t fit = lim.rlim_cur > FDS_ELSEWHERE ? (lim.rlim_cur - FDS_ELSEWHERE) / FDS_PER_WRITER : 0;
    if (fit < ws->max)
        ws->max = fit > 1 ? (size_t)fit : 1;
}

static void add_note(godb_writers *ws, const char *text)
{
    ws->notes.n++;
    size_t len = strlen(text);
    if (len <= GODB_IMPORT_NOTE_BYTES - ws->notes.bytes &&
        godb_strv_add(&ws->notes.kept, text) == GP_OK)
        ws->notes.bytes += len;
}

static void take_note(godb_writers *ws, godb_writer *w)
{
    const char *text = godb_writer_note(w);

    if (text)
        add_note(ws, text);
}

/* Commit what the writer has. Side by side for different writers. */
static gp_status commit_one(godb_writers *ws, struct godb_open_writer *o, gp_err *err)
{
    GP_TRY(godb_writer_commit(o->w, err));
    if (o->rows.len > 0)
        ws->seen[o->iface] = 2;
    gp_buf_clear(&o->rows);
    return GP_OK;
}

/* The last n blocks it has taken cannot be kept. */
static void count_lost(godb_writers *ws, const struct godb_open_writer *o, size_t n)
{
    char text[GODB_IFACE_NAME_MAX + 160], day[16] = "?";
    size_t all = o->rows.len / sizeof(uint64_t);
    uint64_t rows = 0;
    struct tm tm;

    for (size_t i = all - n; i < all; i++) {
        uint64_t one;
        memcpy(&one, o->rows.data + i * sizeof one, sizeof one);
        rows += one;
    }
    ws->lost_blocks += n;
    ws->lost_rows += rows;
    if (n == all && ws->seen[o->iface] == 1) {
        ws->seen[o->iface] = 0;
        ws->n_seen--;
    }
    if (gmtime_r(&(time_t){o->day_s}, &tm))
        (void)strftime(day, sizeof day, "%F", &tm);
    (void)snprintf(text, sizeof text,
                   "%s: %zu of %zu new blocks of %s could not be written and are lost (%llu rows)",
                   o->name, n, all, day, (unsigned long long)rows);
    add_note(ws, text);
}

/* Commit what fits and close. */
static gp_status finish_one(godb_writers *ws, struct godb_open_writer *o, gp_err *err)
{
    size_t lost = 0, n = o->rows.len / sizeof(uint64_t);
    gp_status st = godb_writer_commit_fitting(o->w, &lost, err);

    lost = lost < n ? lost : n;
    take_note(ws, o->w);
    if (lost > 0)
        count_lost(ws, o, lost);
    if (n > lost)
        ws->seen[o->iface] = 2;
    godb_writer_close(o->w);
    gp_buf_free(&o->rows);
    return st;
}

/* Commit and close the writer in slot i. */
static gp_status retire(godb_writers *ws, size_t i, gp_err *err)
{
    gp_status st = finish_one(ws, &ws->open[i], err);

    ws->open[i] = ws->open[--ws->n];
    return st;
}

/* A root that an import makes has the mode of the directories below it (1.8). */
static gp_status make_root(const godb_writers *ws, gp_err *err)
{
    mode_t p = ws->opts.mode ? ws->opts.mode : GODB_FILE_MODE;
    GP_CLEANUP(gp_closep) int fd = -1;

    return godb_root_make(ws->root, godb_dir_mode(p), ws->opts.sync != GODB_SYNC_NONE, &fd, err);
}

static gp_status writer_of(godb_writers *ws, uint32_t iface, const char *name,
                           struct godb_open_writer **out, gp_err *err)
{
    size_t oldest = 0;

    for (size_t i = 0; i < ws->n; i++) {
        if (ws->open[i].iface == iface) {
            ws->open[i].used = ++ws->clock;
            *out = &ws->open[i];
            return GP_OK;
        }
        if (ws->open[i].used < ws->open[oldest].used)
            oldest = i;
    }
    if (ws->n == ws->max)
        GP_TRY(retire(ws, oldest, err));
    godb_writer *w = NULL;
    if (ws->n == 0)
        GP_TRY(make_root(ws, err));
    GP_TRY(godb_writer_open(ws->root, name, &ws->opts, &w, err));
    *out = &ws->open[ws->n++];
    **out = (struct godb_open_writer){.iface = iface, .name = name, .used = ++ws->clock, .w = w};
    return ws->opts.sync == GODB_SYNC_BLOCK ? GP_OK : godb_writer_begin_bulk(w, err);
}

/* Commits that several threads share out among themselves. */
struct commits {
    godb_writers *ws;
    atomic_size_t next; /* writer that nobody has taken */
    pthread_mutex_t mu;
    gp_status st; /* first failure */
    gp_err err;
};

static void commit_some(void *ctx, unsigned thread)
{
    struct commits *x = ctx;

    (void)thread;
    for (size_t i; (i = atomic_fetch_add(&x->next, 1)) < x->ws->n;) {
        gp_err err = {0};
        gp_status st = commit_one(x->ws, &x->ws->open[i], &err);
        if (st == GP_OK)
            continue;
        pthread_mutex_lock(&x->mu);
        if (x->st == GP_OK) {
            x->st = st;
            x->err = err;
        }
        pthread_mutex_unlock(&x->mu);
    }
}

/* Commit what all writers have. All are tried; the first failure is returned. */
static gp_status commit_all(godb_writers *ws, gp_err *err)
{
    struct commits x = {.ws = ws, .mu = PTHREAD_MUTEX_INITIALIZER};
    unsigned threads = ws->n < ws->threads ? (unsigned)ws->n : ws->threads;

    if (threads > 1)
        GP_TRY(gp_parallel(threads, commit_some, &x, err));
    else
        commit_some(&x, 0);
    for (size_t i = 0; i < ws->n; i++)
        take_note(ws, ws->open[i].w);
    if (x.st != GP_OK && err)
        *err = x.err;
    return x.st;
}

/* The first block of another day. */
static gp_status enter_day(godb_writers *ws, int64_t day_s, gp_err *err)
{
    ws->day_s = day_s;
    if (ws->opts.sync == GODB_SYNC_BLOCK)
        return GP_OK;
    GP_TRY(commit_all(ws, err));
    for (size_t i = 0; i < ws->n; i++)
        GP_TRY(godb_writer_begin_bulk(ws->open[i].w, err));
    return GP_OK;
}

static gp_status room_to_see(godb_writers *ws, uint32_t iface, gp_err *err)
{
    if (iface >= ws->cap_seen) {
        size_t cap = ((size_t)iface + 64) * 2;
        uint8_t *seen = gp_realloc(ws->seen, cap, 1);
        if (!seen)
            return gp_fail(err, GP_ENOMEM, 0, "import: out of memory");
        memset(seen + ws->cap_seen, 0, cap - ws->cap_seen);
        ws->seen = seen;
        ws->cap_seen = cap;
    }
    return GP_OK;
}

gp_status godb_writers_append(godb_writers *ws, uint32_t iface, const char *name,
                              const godb_encoded *e, uint64_t rows, gp_err *err)
{
    struct godb_open_writer *o = NULL;
    int64_t day_s = e->block.time_s / GODB_DAY_S * GODB_DAY_S;

    if (day_s != ws->day_s)
        GP_TRY(enter_day(ws, day_s, err));
    GP_TRY(writer_of(ws, iface, name, &o, err));
    GP_TRY(room_to_see(ws, iface, err));
    if (!gp_buf_reserve(&o->rows, sizeof rows))
        return gp_fail(err, GP_ENOMEM, 0, "import: out of memory");
    gp_status st = godb_writer_append_encoded(o->w, e, err);
    take_note(ws, o->w);
    if (st != GP_OK)
        return st;
    ws->n_seen += !ws->seen[iface];
    o->day_s = day_s;
    if (ws->opts.sync == GODB_SYNC_BLOCK) {
        ws->seen[iface] = 2;
        return GP_OK;
    }
    ws->seen[iface] |= !ws->seen[iface];
    gp_buf_add(&o->rows, &rows, sizeof rows);
    return GP_OK;
}

gp_status godb_writers_finish(godb_writers *ws, gp_err *err)
{
    gp_status st = GP_OK;

    (void)!commit_all(ws, NULL); /* one by one those that failed: the first to close leave room */
    while (ws->n > 0) {
        gp_err why = {0};
        gp_status one = finish_one(ws, &ws->open[--ws->n], &why);
        if (st == GP_OK && one != GP_OK) {
            st = one;
            if (err)
                *err = why;
        }
    }
    return st;
}

void godb_writers_free(godb_writers *ws)
{
    while (ws->n > 0) {
        godb_writer_close(ws->open[--ws->n].w);
        gp_buf_free(&ws->open[ws->n].rows);
    }
    gp_free(ws->seen);
    ws->seen = NULL;
    godb_strv_free(ws->notes.kept.v);
    ws->notes = (godb_notes){0};
}
