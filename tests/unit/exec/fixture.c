/* fixture.c - small databases with known rows, and queries on them. */
#include "fixture.h"

#include "godb/codec.h"

#include <dirent.h>

void fixture_block(godb_writer *w, int64_t time_s, unsigned n, uint64_t scale)
{
    GP_CLEANUP(godb_sorter_freep) godb_sorter *s = NULL;
    godb_rows rows;
    gp_err err = {0};

    want_ok_err(&err, godb_sorter_new(&s, &err));
    for (unsigned i = 0; i < n; i++) {
        godb_row r = {.family = 4,
                      .proto = i % 2 ? 17 : 6,
                      .dport = i % 2 ? 53 : 443,
                      .counter = {10 * scale, 20 * scale, scale, 2 * scale}};
        gp_put_be32(r.sip, 0x0a000000 + i);
        gp_put_be32(r.dip, 0x0a010000 + i % 4);
        want_ok(godb_sorter_add(s, &r));
    }
    want_ok_err(&err, godb_sorter_finish(s, 0, &rows, &err));
    want_ok_err(&err, godb_writer_append(w, time_s, &rows, 0, &err));
}

void fixture_db(const char *dir, const char *iface, unsigned n_days, unsigned n_blocks, unsigned n,
                uint8_t codec)
{
    GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;
    godb_writer_opts o = GODB_WRITER_OPTS_INIT;
    gp_err err = {0};

    o.codec = codec;
    o.sync = GODB_SYNC_NONE;
    want_ok_err(&err, godb_writer_open(dir, iface, &o, &w, &err));
    want_ok_err(&err, godb_writer_begin_bulk(w, &err));
    for (unsigned d = 0; d < n_days; d++)
        for (unsigned b = 0; b < n_blocks; b++)
            fixture_block(w, DAY0 + d * 86400 + 300 * (1 + (int64_t)b), n, 1);
    want_ok_err(&err, godb_writer_commit(w, &err));
}

query_stmt *fixture_stmt(const char *query, const char *ifaces, const char *cond, const char *first,
                         const char *last)
{
    query_env env = {.now_s = DAY0 + 100 * 86400};
    query_problems problems = {0};
    query_stmt *stmt = NULL;
    query_args a;

    want_ok(query_args_init(&a));
    want_ok(query_args_set(&a.query, query));
    want_ok(query_args_set(&a.ifaces, ifaces ? ifaces : "eth0"));
    want_ok(query_args_set(&a.condition, cond));
    want_ok(query_args_set(&a.first, first ? first : "1"));
    want_ok(query_args_set(&a.last, last));
    if (query_prepare(&a, &env, &stmt, &problems, NULL) != GP_OK)
        fail_msg("%s: %s", query, problems.n ? problems.v[0].message : "?");
    query_args_clear(&a);
    return stmt;
}

char *fixture_find(const char *dir, const char *name)
{
    DIR *d = opendir(dir);
    char *found = NULL;

    assert_non_null(d);
    for (struct dirent *e; !found && (e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        char *path = gp_asprintf("%s/%s", dir, e->d_name);
        assert_non_null(path);
        if (e->d_type == DT_DIR) {
            found = fixture_find(path, name);
        } else if (strcmp(e->d_name, name) == 0) {
            found = path;
            path = NULL;
        }
        gp_free(path);
    }
    closedir(d);
    return found;
}
