/* fuzz_csv.c - CSV parser: the quick and the careful way agree, pieces and the whole agree.
 *
 * The first line is the schema. Then the text is parsed at once, at once without the quick way, and
 * in two pieces; all three must give the same rows, skips, line numbers and end.
 */
#include "csv.h"
#include "gp/mem.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_RECORDS = 4096 };

struct record {
    godb_csv_result result;
    godb_row row;
    int64_t time_s;
    uint64_t line;
    size_t iface_len;
    uint32_t iface_hash;
};

struct run {
    struct record *v;
    size_t n;
    int error;
};

static void require(int truth)
{
    if (!truth)
        abort();
}

/* 0: nothing more can be read from [*at, end). */
static int step(godb_csv_parser *p, const char **at, const char *end, int last, int careful,
                godb_csv_row *row, struct run *out)
{
    const char *before = *at;
    uint32_t rec_hash = 2166136261;
    godb_csv_result r = careful ? godb_csv_careful(p, at, end, last, row, NULL)
                                : godb_csv_next(p, at, end, last, row, NULL);

    require(r != GODB_CSV_MORE || !last);
    if (r == GODB_CSV_ERROR)
        out->error = 1;
    if (r == GODB_CSV_ERROR || r == GODB_CSV_MORE)
        return 0;
    require(*at > before && *at <= end);
    if (r == GODB_CSV_ROW) {
        for (size_t i = 0; i < row->iface.len; i++) /* every byte of the name can be read */
            rec_hash = (rec_hash ^ (uint8_t)row->iface.s[i]) * 16777619;
        require(row->row.family == 4 || row->row.family == 6);
        require(row->time_s > 0);
    }
    struct record *rec = &out->v[out->n++];
    *rec = (struct record){.result = r, .line = p->at_line};
    if (r == GODB_CSV_ROW) {
        rec->row = row->row;
        rec->time_s = row->time_s;
        rec->iface_len = row->iface.len;
        rec->iface_hash = rec_hash;
    }
    return out->n < MAX_RECORDS;
}

static void run(const char *text, size_t size, size_t cut, int careful, struct run *out)
{
    godb_csv_parser p = {.line = 1};
    godb_csv_row row = {.row = {.family = 4}};
    const char *at = text, *end = text + size;
    gp_err err = {0};

    out->v = gp_calloc(MAX_RECORDS, sizeof *out->v);
    require(out->v != NULL);
    if (godb_csv_split(&p, &at, end, 1, &err) == GODB_CSV_ROW &&
        godb_csv_set_schema(&p, 1, &err) == GP_OK) {
        int go = 1;
        /* like the import: only up to the last line break of a piece */
        const char *limit =
            cut && text + cut > at ? memrchr(at, '\n', (size_t)(text + cut - at)) : NULL;
        while (limit && go && at <= limit)
            go = step(&p, &at, limit + 1, 0, careful, &row, out);
        go = !out->error && out->n < MAX_RECORDS;
        while (go && at < end)
            go = step(&p, &at, end, 1, careful, &row, out);
    }
    godb_csv_free(&p);
}

static void same(const struct run *a, const struct run *b)
{
    require(a->n == b->n && a->error == b->error);
    for (size_t i = 0; i < a->n; i++)
        require(memcmp(&a->v[i], &b->v[i], sizeof a->v[i]) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run r[3] = {{0}, {0}, {0}};

    if (size == 0 || size > 65536)
        return 0;
    char *text = gp_alloc(size, 1); /* exactly so much, so that reading past the end is seen */
    require(text != NULL);
    memcpy(text, data, size);
    run(text, size, 0, 0, &r[0]);
    run(text, size, 0, 1, &r[1]);
    run(text, size, 1 + data[size / 2] * size / 256, 0, &r[2]);
    same(&r[0], &r[1]);
    same(&r[0], &r[2]);
    for (int i = 0; i < 3; i++)
        gp_free(r[i].v);
    gp_free(text);
    return 0;
}
