/* storetest.h - what the tests of the store room share: sample blocks, random rows, comparing. */
#ifndef STORETEST_H
#define STORETEST_H

#include "test.h"

#include "godb/day.h"
#include "godb/db.h"
#include "godb/writer.h"
#include "gp/addr.h"

#include <sys/stat.h>
#include <time.h>

/* All tests run in UTC unless they say otherwise. */
static inline void st_utc(void)
{
    setenv("TZ", "UTC", 1);
    tzset();
}

static inline void st_addr(const char *text, uint8_t *family, uint8_t out[16])
{
    gp_addr a = {0};
    assert_true(gp_addr_parse(text, strlen(text), &a));
    memcpy(out, a.bytes, 16);
    *family = a.family;
}

static inline godb_row st_row(const char *sip, const char *dip, uint16_t dport, uint8_t proto,
                              uint64_t br, uint64_t bs, uint64_t pr, uint64_t ps)
{
    godb_row r = {.proto = proto, .dport = dport, .counter = {br, bs, pr, ps}};
    st_addr(sip, &r.family, r.sip);
    st_addr(dip, &r.family, r.dip);
    return r;
}

/* Sort rows and append them as one block. */
static inline void st_append(godb_writer *w, int64_t time_s, const godb_row *rows, size_t n,
                             uint64_t drops)
{
    GP_CLEANUP(godb_sorter_freep) godb_sorter *s = NULL;
    godb_rows sorted;
    gp_err err = {0};

    want_ok(godb_sorter_new(&s, NULL));
    for (size_t i = 0; i < n; i++)
        want_ok(godb_sorter_add(s, &rows[i]));
    want_ok_err(&err, godb_sorter_finish(s, 0, &sorted, &err));
    want_ok_err(&err, godb_writer_append(w, time_s, &sorted, drops, &err));
}

/* The three blocks of godb-format.md 10. */
enum { ST_EXAMPLE_DAY = 1699920000 };
static inline void st_example_block(godb_writer *w, unsigned i)
{
    godb_row rows[8];

    switch (i) {
    case 0:
        rows[0] = st_row("10.0.0.1", "192.0.2.1", 443, 6, 600, 300, 4, 5);
        rows[1] = st_row("2001:db8::1", "2001:db8::2", 22, 6, 255, 256, 1, 1);
        rows[2] = st_row("10.0.0.2", "192.0.2.1", 443, 6, 1500, 70000, 3, 51);
        rows[3] = st_row("10.0.0.1", "192.0.2.1", 53, 17, 0, 72, 0, 1);
        st_append(w, 1700000100, rows, 4, 0);
        break;
    case 1:
        for (unsigned k = 1; k <= 8; k++) {
            char dip[32];
            snprintf(dip, sizeof dip, "198.51.100.%u", k);
            rows[8 - k] = st_row("10.0.0.9", dip, 80, 6, 1000 + k, 0, 1, 0);
        }
        st_append(w, 1700000400, rows, 8, 2);
        break;
    default:
        st_append(w, 1700000700, NULL, 0, 5);
    }
}

/* Path of the only day of iface, below the root; gp_free() it. */
static inline char *st_only_day(const char *root, const char *iface)
{
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    godb_days days = {0};
    gp_err err = {0};

    want_ok_err(&err, godb_db_open(root, &db, &err));
    want_ok_err(&err, godb_db_days(db, iface, 0, INT64_MAX, &days, &err));
    assert_int_equal(days.n, 1);
    char *path = gp_strdup(days.v[0].path);
    godb_days_free(&days);
    assert_non_null(path);
    return path;
}

/* Open the only day of iface. */
static inline godb_day *st_open_only(const godb_db *db, const char *iface)
{
    godb_days days = {0};
    godb_day *d = NULL;
    gp_err err = {0};

    want_ok_err(&err, godb_db_days(db, iface, 0, INT64_MAX, &days, &err));
    assert_int_equal(days.n, 1);
    want_ok_err(&err, godb_day_open(db, &days.v[0], &d, &err));
    godb_days_free(&days);
    return d;
}

#endif
