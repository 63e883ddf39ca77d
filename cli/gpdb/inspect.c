/* inspect.c - metadata of days and blocks as tables and JSON. */
#include "inspect.h"

#include "godb/codec.h"
#include "gp/mem.h"
#include "gpdb.h"
#include "query/timearg.h"
#include "result/print.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

enum { PAD = 2, MAX_CELLS = 20, CELL_BYTES = 48 };

/* A line of a table under construction; cells beyond the last are dropped. */
typedef struct cells {
    char text[MAX_CELLS][CELL_BYTES];
    const char *p[MAX_CELLS];
    size_t n;
} cells;

static void put(cells *c, const char *fmt, ...) GP_PRINTF(2, 3);
static void put(cells *c, const char *fmt, ...)
{
    va_list ap;

    if (c->n == MAX_CELLS)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(c->text[c->n], CELL_BYTES, fmt, ap);
    va_end(ap);
    c->p[c->n] = c->text[c->n];
    c->n++;
}

static void put_time(cells *c, int64_t time_s)
{
    char text[32];
    put(c, "%s", query_time_format_local(time_s, text, sizeof text));
}

/* Sums over all columns of a block. */
static void sizes(const godb_block *b, uint64_t *stored, uint64_t *raw)
{
    *stored = *raw = 0;
    for (int c = 0; c < GODB_N_COLS; c++) {
        *stored += b->stored[c];
        *raw += b->raw[c];
    }
}

static char codec_letter(uint8_t id)
{
    return id == GODB_CODEC_NULL   ? 'n'
           : id == GODB_CODEC_ZSTD ? 'z'
           : id == GODB_CODEC_LZ4  ? 'l'
                                   : '?';
}

static void put_codecs(cells *c, const godb_block *b)
{
    char text[GODB_N_COLS + 1];

    for (int k = 0; k < GODB_N_COLS; k++)
        text[k] = b->raw[k] == 0 ? '-' : codec_letter(b->codec[k]);
    text[GODB_N_COLS] = '\0';
    put(c, "%s", text);
}

/* ---- blocks of a day ---- */

static void block_line(cells *c, const godb_block *b, size_t i, int detailed)
{
    uint64_t stored, raw;

    sizes(b, &stored, &raw);
    put(c, "%zu", i);
    put_time(c, b->time_s);
    put(c, "%lld", (long long)b->time_s);
    put(c, "%u", b->n_v4);
    put(c, "%u", b->n_v6);
    put(c, "%u", b->drops);
    for (int k = 0; detailed && k < GODB_N_COLS; k++)
        put(c, "%u/%u%c", b->stored[k], b->raw[k], b->raw[k] ? codec_letter(b->codec[k]) : ' ');
    put(c, "%" PRIu64, stored);
    put(c, "%" PRIu64, raw);
    put_codecs(c, b);
    put(c, "%s", b->usable ? "ok" : b->reason ? b->reason : "damaged");
}

static void block_heading(cells *c, int detailed)
{
    static const char *const front[] = {"block", "time", "unix", "IPv4", "IPv6", "drops"};
    static const char *const back[] = {"stored", "raw", "codecs", "state"};

    for (size_t i = 0; i < GP_COUNT(front); i++)
        put(c, "%s", front[i]);
    for (int k = 0; detailed && k < GODB_N_COLS; k++) {
        const char *file = godb_col_file((godb_col)k);
        put(c, "%.*s", (int)strcspn(file, "."), file);
    }
    for (size_t i = 0; i < GP_COUNT(back); i++)
        put(c, "%s", back[i]);
}

static void put_title(const godb_day *d, const godb_dayref *ref, FILE *out)
{
    const godb_totals *t = godb_day_totals(d);
    char day[16], a[32], b[32];

    fprintf(out,
            "%s: day %s, %zu block%s, %" PRIu64 " IPv4 and %" PRIu64 " IPv6 rows, %" PRIu64
            " dropped packets, received %s, sent %s%s\n",
            ref->path, gpdb_day_text(ref->day_s, day, sizeof day), godb_day_n_blocks(d),
            gpdb_s(godb_day_n_blocks(d)), t->v4, t->v6, t->drops,
            gpdb_size(t->bytes_rcvd, a, sizeof a), gpdb_size(t->bytes_sent, b, sizeof b),
            godb_day_sorted(d) ? "" : "; blocks are not in order of time (D4)");
}

gp_status inspect_day_table(const godb_day *d, const godb_dayref *ref, int detailed, FILE *out,
                            int *bad, gp_err *err)
{
    result_table *t = NULL;
    cells c = {.n = 0};

    GP_TRY(result_table_new(&t, err));
    block_heading(&c, detailed);
    gp_status st = result_table_line(t, c.p, c.n, err);
    for (size_t i = 0; i < godb_day_n_blocks(d) && st == GP_OK; i++) {
        const godb_block *b = godb_day_block(d, i);
        c.n = 0;
        block_line(&c, b, i, detailed);
        *bad |= !b->usable;
        st = result_table_line(t, c.p, c.n, err);
    }
    if (st == GP_OK) {
        put_title(d, ref, out);
        st = result_table_print(t, PAD, out, err);
    }
    result_table_free(t);
    return st;
}

static void totals_json(gp_buf *b, const godb_totals *t)
{
    query_json_object j = query_json_open(b);
    gpdb_json_uint(&j, "ipv4_rows", t->v4);
    gpdb_json_uint(&j, "ipv6_rows", t->v6);
    gpdb_json_uint(&j, "drops", t->drops);
    gpdb_json_uint(&j, "bytes_received", t->bytes_rcvd);
    gpdb_json_uint(&j, "bytes_sent", t->bytes_sent);
    gpdb_json_uint(&j, "packets_received", t->pkts_rcvd);
    gpdb_json_uint(&j, "packets_sent", t->pkts_sent);
    query_json_close(&j);
}

static void block_json(gp_buf *out, const godb_block *b, size_t i)
{
    query_json_object j = query_json_open(out);

    gpdb_json_uint(&j, "block", i);
    query_json_int(&j, "time", b->time_s);
    gpdb_json_uint(&j, "ipv4_rows", b->n_v4);
    gpdb_json_uint(&j, "ipv6_rows", b->n_v6);
    gpdb_json_uint(&j, "drops", b->drops);
    gpdb_json_bool(&j, "usable", b->usable);
    query_json_text_opt(&j, "reason", b->usable ? NULL : b->reason);
    query_json_key(&j, "columns");
    query_json_object cols = query_json_open(out);
    for (int k = 0; k < GODB_N_COLS; k++) {
        char name[32];
        const char *file = godb_col_file((godb_col)k);
        (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(file, "."), file);
        query_json_key(&cols, name);
        query_json_object col = query_json_open(out);
        query_json_text(&col, "codec", godb_codec_name(b->codec[k]));
        gpdb_json_uint(&col, "offset", b->offset[k]);
        gpdb_json_uint(&col, "stored", b->stored[k]);
        gpdb_json_uint(&col, "raw", b->raw[k]);
        query_json_close(&col);
    }
    query_json_close(&cols);
    query_json_close(&j);
}

gp_status inspect_day_json(const godb_day *d, const godb_dayref *ref, FILE *out, int *bad,
                           gp_err *err)
{
    GP_CLEANUP(gp_buf_free) gp_buf b = {0};
    query_json_object j = query_json_open(&b);
    char day[16];

    query_json_text(&j, "path", ref->path);
    query_json_text(&j, "day", gpdb_day_text(ref->day_s, day, sizeof day));
    gpdb_json_bool(&j, "sorted", godb_day_sorted(d));
    query_json_key(&j, "totals");
    totals_json(&b, godb_day_totals(d));
    query_json_key(&j, "blocks");
    gp_buf_addc(&b, '[');
    for (size_t i = 0; i < godb_day_n_blocks(d); i++) {
        const godb_block *block = godb_day_block(d, i);
        if (i)
            gp_buf_addc(&b, ',');
        block_json(&b, block, i);
        *bad |= !block->usable;
    }
    gp_buf_addc(&b, ']');
    query_json_close(&j);
    return gpdb_json_print(&b, out) ? GP_OK : gp_fail(err, GP_ENOMEM, 0, "out of memory");
}

/* ---- days of an interface ---- */

/* What a day says about itself; text: why it cannot be read. */
struct day_facts {
    size_t blocks, damaged;
    int64_t first_s, last_s;
    uint64_t stored;
    godb_totals totals;
    gp_err err;
};

static void look(const godb_db *db, const godb_dayref *ref, struct day_facts *f)
{
    GP_CLEANUP(godb_day_closep) godb_day *d = NULL;

    *f = (struct day_facts){.first_s = INT64_MAX, .last_s = 0};
    if (godb_day_open(db, ref, &d, &f->err) != GP_OK)
        return;
    f->totals = *godb_day_totals(d);
    f->blocks = godb_day_n_blocks(d);
    for (size_t i = 0; i < f->blocks; i++) {
        const godb_block *b = godb_day_block(d, i);
        uint64_t stored, raw;
        sizes(b, &stored, &raw);
        f->stored += stored;
        f->damaged += !b->usable;
        f->first_s = b->time_s < f->first_s ? b->time_s : f->first_s;
        f->last_s = b->time_s > f->last_s ? b->time_s : f->last_s;
    }
}

static void day_line(cells *c, const godb_dayref *ref, const struct day_facts *f)
{
    char text[32];

    put(c, "%s", gpdb_day_text(ref->day_s, text, sizeof text));
    if (f->err.code != GP_OK) {
        for (int i = 0; i < 8; i++)
            put(c, "%s", "");
        put(c, "%s", "cannot be read");
        return;
    }
    put(c, "%zu", f->blocks);
    if (f->blocks > 0) {
        put_time(c, f->first_s);
        put_time(c, f->last_s);
    } else {
        put(c, "%s", "");
        put(c, "%s", "");
    }
    put(c, "%" PRIu64, f->totals.v4);
    put(c, "%" PRIu64, f->totals.v6);
    put(c, "%" PRIu64, f->totals.drops);
    put(c, "%s", gpdb_size(f->totals.bytes_rcvd + f->totals.bytes_sent, text, sizeof text));
    put(c, "%s", gpdb_size(f->stored, text, sizeof text));
    if (f->damaged)
        put(c, "%zu damaged", f->damaged);
    else
        put(c, "%s", f->blocks ? "ok" : "no blocks");
}

gp_status inspect_days_table(const godb_db *db, const char *iface, const godb_days *days, FILE *out,
                             int *bad, gp_err *err)
{
    static const char *const head[] = {"day",  "blocks", "first block", "last block", "IPv4",
                                       "IPv6", "drops",  "traffic",     "stored",     "state"};
    result_table *t = NULL;
    struct day_facts f;

    (void)iface;
    GP_TRY(result_table_new(&t, err));
    gp_status st = result_table_line(t, head, GP_COUNT(head), err);
    for (size_t i = 0; i < days->n && st == GP_OK; i++) {
        cells c = {.n = 0};
        look(db, &days->v[i], &f);
        *bad |= f.damaged > 0 || f.err.code != GP_OK;
        day_line(&c, &days->v[i], &f);
        st = result_table_line(t, c.p, c.n, err);
    }
    if (st == GP_OK)
        st = result_table_print(t, PAD, out, err);
    result_table_free(t);
    return st;
}

gp_status inspect_days_json(const godb_db *db, const char *iface, const godb_days *days, FILE *out,
                            int *bad, gp_err *err)
{
    GP_CLEANUP(gp_buf_free) gp_buf b = {0};
    struct day_facts f;
    char text[32];

    gp_buf_addc(&b, '[');
    for (size_t i = 0; i < days->n; i++) {
        look(db, &days->v[i], &f);
        *bad |= f.damaged > 0 || f.err.code != GP_OK;
        if (i)
            gp_buf_addc(&b, ',');
        query_json_object j = query_json_open(&b);
        query_json_text(&j, "iface", iface);
        query_json_text(&j, "day", gpdb_day_text(days->v[i].day_s, text, sizeof text));
        query_json_text(&j, "path", days->v[i].path);
        if (f.err.code != GP_OK) {
            query_json_text(&j, "error", f.err.msg);
        } else {
            gpdb_json_uint(&j, "blocks", f.blocks);
            gpdb_json_uint(&j, "damaged_blocks", f.damaged);
            if (f.blocks) {
                query_json_int(&j, "first", f.first_s);
                query_json_int(&j, "last", f.last_s);
            }
            gpdb_json_uint(&j, "stored_bytes", f.stored);
            query_json_key(&j, "totals");
            totals_json(&b, &f.totals);
        }
        query_json_close(&j);
    }
    gp_buf_addc(&b, ']');
    return gpdb_json_print(&b, out) ? GP_OK : gp_fail(err, GP_ENOMEM, 0, "out of memory");
}
