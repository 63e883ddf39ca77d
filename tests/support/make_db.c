/* make_db.c - test tool: write a database from lines of flows, or a big one of pseudo-random flows.
 *
 * make_db ROOT < flows     lines of "time,iface,sip,dip,dport,proto,pr,ps,br,bs[,drops]", any order
 * make_db ROOT random IFACE FIRST BLOCKS ROWS    BLOCKS blocks of ROWS flows, from time FIRST on
 */
#include "godb/writer.h"
#include "gp/addr.h"
#include "gp/mem.h"
#include "gp/num.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS = 10, MOST_FIELDS };

typedef struct flow {
    int64_t time_s;
    char iface[32];
    godb_row row;
    uint64_t drops;
} flow;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "make_db: %s: %s\n", what, why);
    exit(1);
}

static void check(gp_status st, const gp_err *err, const char *what)
{
    if (st != GP_OK)
        die(what, err->msg);
}

static uint64_t number(const char *s, uint64_t max)
{
    uint64_t v = 0;
    if (!gp_num_u64(s, strlen(s), max, &v))
        die("not a number in range", s);
    return v;
}

static void parse_line(char *line, flow *f)
{
    char *field[MOST_FIELDS];
    size_t n = 0;
    line[strcspn(line, "\n")] = '\0';
    for (char *p = line; p && n < MOST_FIELDS; n++) {
        field[n] = p;
        p = strchr(p, ',');
        if (p)
            *p++ = '\0';
    }
    if (n < FIELDS)
        die("10 or 11 fields expected", line);
    memset(f, 0, sizeof *f);
    f->time_s = (int64_t)number(field[0], INT64_MAX);
    snprintf(f->iface, sizeof f->iface, "%s", field[1]);
    for (int i = 0; i < 2; i++) {
        gp_addr a;
        if (!gp_addr_parse(field[2 + i], strlen(field[2 + i]), &a))
            die("bad address", field[2 + i]);
        f->row.family = a.family;
        memcpy(i ? f->row.dip : f->row.sip, a.bytes, 16);
    }
    f->row.dport = (uint16_t)number(field[4], 65535);
    f->row.proto = (uint8_t)number(field[5], 255);
    f->row.counter[GODB_COL_PKTS_RCVD - GODB_N_ATTRS] = number(field[6], UINT64_MAX);
    f->row.counter[GODB_COL_PKTS_SENT - GODB_N_ATTRS] = number(field[7], UINT64_MAX);
    f->row.counter[GODB_COL_BYTES_RCVD - GODB_N_ATTRS] = number(field[8], UINT64_MAX);
    f->row.counter[GODB_COL_BYTES_SENT - GODB_N_ATTRS] = number(field[9], UINT64_MAX);
    f->drops = n > FIELDS ? number(field[FIELDS], UINT32_MAX) : 0;
}

static int by_block(const void *a, const void *b)
{
    const flow *x = a, *y = b;
    int c = strcmp(x->iface, y->iface);
    return c ? c : (x->time_s > y->time_s) - (x->time_s < y->time_s);
}

/* Append one block of n flows. */
static void put_block(godb_writer *w, godb_sorter *s, const flow *v, size_t n)
{
    gp_err err = {0};
    godb_rows rows;
    uint64_t drops = 0;
    godb_sorter_clear(s);
    for (size_t i = 0; i < n; i++) {
        check(godb_sorter_add(s, &v[i].row), &err, "sorter");
        drops += v[i].drops;
    }
    check(godb_sorter_finish(s, 0, &rows, &err), &err, "sorter");
    check(godb_writer_append(w, v[0].time_s, &rows, drops, &err), &err, v[0].iface);
}

static void write_all(const char *root, flow *v, size_t n)
{
    gp_err err = {0};
    godb_sorter *s = NULL;
    godb_writer_opts opts = GODB_WRITER_OPTS_INIT;
    opts.sync = GODB_SYNC_NONE;
    check(godb_sorter_new(&s, &err), &err, "sorter");
    qsort(v, n, sizeof *v, by_block);
    for (size_t i = 0; i < n;) {
        godb_writer *w = NULL;
        const char *iface = v[i].iface;
        check(godb_writer_open(root, iface, &opts, &w, &err), &err, iface);
        while (i < n && strcmp(v[i].iface, iface) == 0) {
            size_t j = i;
            while (j < n && by_block(&v[i], &v[j]) == 0)
                j++;
            put_block(w, s, &v[i], j - i);
            i = j;
        }
        godb_writer_close(w);
    }
    godb_sorter_free(s);
}

static void from_stdin(const char *root)
{
    char line[512];
    flow *v = NULL;
    size_t n = 0, cap = 0;
    while (fgets(line, sizeof line, stdin)) {
        if (n == cap) {
            cap = cap ? 2 * cap : 1024;
            v = gp_realloc(v, cap, sizeof *v);
            if (!v)
                die("flows", "out of memory");
        }
        parse_line(line, &v[n++]);
    }
    write_all(root, v, n);
    gp_free(v);
}

static void random_blocks(const char *root, const char *iface, int64_t first, uint64_t blocks,
                          uint64_t rows)
{
    uint64_t x = UINT64_C(0x9e3779b97f4a7c15);
    flow *v = gp_calloc(rows, sizeof *v);
    gp_err err = {0};
    godb_sorter *s = NULL;
    godb_writer *w = NULL;
    godb_writer_opts opts = GODB_WRITER_OPTS_INIT;
    opts.sync = GODB_SYNC_NONE;
    if (!v)
        die("rows", "out of memory");
    check(godb_sorter_new(&s, &err), &err, "sorter");
    check(godb_writer_open(root, iface, &opts, &w, &err), &err, iface);
    for (uint64_t b = 0; b < blocks; b++) {
        for (uint64_t i = 0; i < rows; i++) {
            x ^= x >> 12, x ^= x << 25, x ^= x >> 27;
            uint64_t r = x * UINT64_C(0x2545f4914f6cdd1d);
            v[i].time_s = first + 300 * (int64_t)b;
            v[i].row.family = 4;
            memcpy(v[i].row.sip, &r, 4);
            v[i].row.dip[0] = 10;
            v[i].row.dip[3] = (uint8_t)(r >> 32);
            v[i].row.dport = (uint16_t)(r >> 40);
            v[i].row.proto = 6;
            for (int k = 0; k < GODB_N_COUNTERS; k++)
                v[i].row.counter[k] = r >> (40 + k);
        }
        put_block(w, s, v, rows);
    }
    godb_writer_close(w);
    godb_sorter_free(s);
    gp_free(v);
}

int main(int argc, char **argv)
{
    if (argc == 2)
        from_stdin(argv[1]);
    else if (argc == 7 && strcmp(argv[2], "random") == 0)
        random_blocks(argv[1], argv[3], (int64_t)number(argv[4], INT64_MAX), number(argv[5], 1000),
                      number(argv[6], 1000000));
    else
        die("usage", "make_db ROOT < flows, or make_db ROOT random IFACE FIRST BLOCKS ROWS");
    return 0;
}
