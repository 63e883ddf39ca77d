/* dbdump.h - a whole database as text, one line for each row, so that tests can compare it. */
#ifndef DBDUMP_H
#define DBDUMP_H

#include "storetest.h"

static inline void st_dump_rows(gp_buf *out, const char *iface, const godb_block *b,
                                const godb_rows *r)
{
    char s[GP_ADDR_STRLEN], d[GP_ADDR_STRLEN];

    for (size_t i = 0; i < (size_t)r->n_v4 + r->n_v6; i++) {
        int v6 = i >= r->n_v4;
        size_t off = v6 ? 4 * (size_t)r->n_v4 + 16 * (i - r->n_v4) : 4 * i, w = v6 ? 16 : 4;
        gp_addr a = {.family = v6 ? 6 : 4}, c = {.family = v6 ? 6 : 4};
        memcpy(a.bytes, r->sip + off, w);
        memcpy(c.bytes, r->dip + off, w);
        (void)gp_addr_format(&a, s, sizeof s);
        (void)gp_addr_format(&c, d, sizeof d);
        gp_buf_printf(out, "%s %lld %d|%s %s %u %u %llu %llu %llu %llu\n", iface,
                      (long long)b->time_s, v6 ? 6 : 4, s, d,
                      (unsigned)(r->dport[2 * i] << 8 | r->dport[2 * i + 1]), r->proto[i],
                      (unsigned long long)r->counter[0][i], (unsigned long long)r->counter[1][i],
                      (unsigned long long)r->counter[2][i], (unsigned long long)r->counter[3][i]);
    }
}

static inline void st_dump_iface(gp_buf *out, const godb_db *db, const char *iface)
{
    godb_days days = {0};
    GP_CLEANUP(godb_reader_freep) godb_reader *r = NULL;

    want_ok(godb_reader_new(&r, NULL));
    want_ok(godb_db_days(db, iface, 0, INT64_MAX, &days, NULL));
    for (size_t k = 0; k < days.n; k++) {
        GP_CLEANUP(godb_day_closep) godb_day *d = NULL;
        want_ok(godb_day_open(db, &days.v[k], &d, NULL));
        for (size_t i = 0; i < godb_day_n_blocks(d); i++) {
            godb_rows rows;
            want_ok(godb_reader_rows(r, d, i, &rows, NULL));
            st_dump_rows(out, iface, godb_day_block(d, i), &rows);
        }
    }
    godb_days_free(&days);
}

/* Rows as "iface time 4|sip dip dport proto br bs pr ps" lines, in the order of interface, time and
 * position; "" when there is no database. gp_free() it. */
static inline char *st_dump(const char *root)
{
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    gp_buf out = {0};
    char **names = NULL;
    size_t n = 0;

    if (godb_db_open(root, &db, NULL) == GP_OK) {
        want_ok(godb_db_ifaces(db, &names, &n, NULL));
        for (size_t i = 0; i < n; i++)
            st_dump_iface(&out, db, names[i]);
        godb_strv_free(names);
    }
    char *text = gp_buf_take(&out);
    return text ? text : gp_strdup("");
}

/* A row with these values and everything else zero. */
static inline godb_row st_port_row(uint16_t dport, uint64_t bytes)
{
    return st_row("10.0.0.1", "10.0.0.2", dport, 6, bytes, 0, 1, 0);
}

/* Write one block of a single row (port, bytes) to root/iface at time_s. */
static inline void st_put(const char *root, const char *iface, int64_t time_s, uint16_t dport,
                          uint64_t bytes)
{
    GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;
    godb_writer_opts o = GODB_WRITER_OPTS_INIT;
    godb_row r = st_port_row(dport, bytes);
    gp_err err = {0};

    o.sync = GODB_SYNC_NONE;
    want_ok_err(&err, godb_writer_open(root, iface, &o, &w, &err));
    st_append(w, time_s, &r, 1, 0);
}

#endif
