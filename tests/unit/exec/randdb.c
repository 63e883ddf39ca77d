/* randdb.c - make random databases through the writer, then shuffle some blocks in the files. */
#include "randdb.h"

#include "godb/codec.h"
#include "godb/day.h"
#include "godb/writer.h"

static uint64_t counter(test_rng *rng)
{
    switch (test_rng_below(rng, 8)) {
    case 0:
    case 1:
        return 0;
    case 2:
        return test_rng_u64(rng) >> (20 + test_rng_below(rng, 30)); /* up to 44 bits */
    default:
        return test_rng_below(rng, 300);
    }
}

naive_row randdb_row(const randdb *db, test_rng *rng)
{
    naive_row r = {0};

    r.family = test_rng_below(rng, 3) ? 4 : 6;
    if (r.family == 4) {
        memcpy(r.sip, db->v4[test_rng_below(rng, RANDDB_V4)], 16);
        memcpy(r.dip, db->v4[test_rng_below(rng, RANDDB_V4)], 16);
    } else {
        memcpy(r.sip, db->v6[test_rng_below(rng, RANDDB_V6)], 16);
        memcpy(r.dip, db->v6[test_rng_below(rng, RANDDB_V6)], 16);
    }
    if (test_rng_below(rng, 10) == 0) /* one that hardly comes again */
        test_rng_fill(rng, r.dip, r.family == 4 ? 4 : 16);
    r.dport = test_rng_below(rng, 6) ? db->ports[test_rng_below(rng, RANDDB_PORTS)]
                                     : (uint16_t)test_rng_u64(rng);
    r.proto = test_rng_below(rng, 12) ? db->protos[test_rng_below(rng, RANDDB_PROTOS)]
                                      : (uint8_t)test_rng_u64(rng);
    for (int i = 0; i < 4; i++)
        r.c[i] = counter(rng);
    return r;
}

static void remember(randdb *db, const naive_row *r)
{
    if (db->n == db->cap) {
        db->cap = db->cap ? db->cap * 2 : 1024;
        db->rows = gp_realloc(db->rows, db->cap, sizeof *db->rows);
        assert_non_null(db->rows);
    }
    db->rows[db->n++] = *r;
}

/* Row i of a block as the test sees it. */
static naive_row row_at(const godb_rows *rows, uint32_t i, int iface, int64_t time_s)
{
    naive_row r = {.iface = iface, .time_s = time_s, .family = i < rows->n_v4 ? 4 : 6};
    size_t len = r.family == 4 ? 4 : 16;
    size_t at =
        r.family == 4 ? 4 * (size_t)i : 4 * (size_t)rows->n_v4 + 16 * (size_t)(i - rows->n_v4);

    memcpy(r.sip, rows->sip + at, len);
    memcpy(r.dip, rows->dip + at, len);
    r.proto = rows->proto[i];
    r.dport = gp_be16(rows->dport + 2 * (size_t)i);
    for (int j = 0; j < 4; j++)
        r.c[j] = rows->counter[j][i];
    return r;
}

static void write_block(randdb *db, test_rng *rng, godb_writer *w, int64_t time_s)
{
    static const unsigned sizes[] = {0, 1, 3, 10, 30, 30, 100, 100, 300, 2500};
    size_t n = test_rng_below(rng, sizes[test_rng_below(rng, COUNT(sizes))] + 1);
    GP_CLEANUP(godb_sorter_freep) godb_sorter *s = NULL;
    gp_err err = {0};
    godb_rows out;

    if (test_rng_below(rng, 40) == 0)
        n = 6000; /* several vectors */
    want_ok_err(&err, godb_sorter_new(&s, &err));
    for (size_t i = 0; i < n; i++) {
        naive_row r = randdb_row(db, rng);
        godb_row g = {.family = r.family, .proto = r.proto, .dport = r.dport};
        memcpy(g.sip, r.sip, 16);
        memcpy(g.dip, r.dip, 16);
        memcpy(g.counter, r.c, sizeof g.counter);
        want_ok(godb_sorter_add(s, &g));
    }
    want_ok_err(&err, godb_sorter_finish(s, 0, &out, &err));
    want_ok_err(&err, godb_writer_append(w, time_s, &out, 0, &err));
    db->times[db->n_times++] = time_s;
}

/* ---- what readers must stand: rows of a part in any order, keys twice (godb-format.md 3.2) ----
 */

static void swap_bytes(int fd, uint64_t a, uint64_t b, size_t len)
{
    uint8_t x[16], y[16];
    gp_err err = {0};

    want_ok_err(&err, gp_pread_full(fd, x, len, a, &err));
    want_ok_err(&err, gp_pread_full(fd, y, len, b, &err));
    assert_int_equal(pwrite(fd, y, len, (off_t)a), (ssize_t)len);
    assert_int_equal(pwrite(fd, x, len, (off_t)b), (ssize_t)len);
}

/* Exchange rows i and j (of one part) in column c, which is stored raw; or copy i over j. */
static void mix_column(int fd, const godb_block *b, godb_col c, uint32_t i, uint32_t j, int copy)
{
    size_t n = (size_t)b->n_v4 + b->n_v6, len, at[2];
    uint32_t row[2] = {i, j};

    for (int k = 0; k < 2; k++) {
        uint32_t r = row[k];
        len = r < b->n_v4 ? 4 : 16;
        at[k] = r < b->n_v4 ? 4 * (size_t)r : 4 * (size_t)b->n_v4 + 16 * (size_t)(r - b->n_v4);
        if (c == GODB_COL_PROTO || c == GODB_COL_DPORT) {
            len = c == GODB_COL_PROTO ? 1 : 2;
            at[k] = len * r;
        } else if ((int)c >= GODB_N_ATTRS) {
            len = (b->raw[c] - 1) / n;
            at[k] = 1 + len * r;
        }
    }
    if (copy) {
        uint8_t x[16];
        gp_err err = {0};
        want_ok_err(&err, gp_pread_full(fd, x, len, b->offset[c] + at[0], &err));
        assert_int_equal(pwrite(fd, x, len, (off_t)(b->offset[c] + at[1])), (ssize_t)len);
    } else {
        swap_bytes(fd, b->offset[c] + at[0], b->offset[c] + at[1], len);
    }
}

static void shuffle_day(test_rng *rng, const godb_day *d)
{
    int fd[GODB_N_COLS];

    for (int c = 0; c < GODB_N_COLS; c++)
        fd[c] = openat(godb_day_dirfd(d), godb_col_file((godb_col)c), O_RDWR | O_CLOEXEC);
    for (size_t i = 0; i < godb_day_n_blocks(d); i++) {
        const godb_block *b = godb_day_block(d, i);
        int raw = b->n_v4 > 1 && test_rng_below(rng, 2) == 0;
        for (int c = 0; c < GODB_N_COLS; c++)
            raw &= b->codec[c] == GODB_CODEC_NULL;
        for (unsigned k = 0; raw && k < 1 + b->n_v4 / 4; k++) {
            uint32_t x = (uint32_t)test_rng_below(rng, b->n_v4);
            uint32_t y = (uint32_t)test_rng_below(rng, b->n_v4);
            int copy = test_rng_below(rng, 4) == 0;
            for (int c = 0; c < GODB_N_COLS; c++)
                if (!copy || c < GODB_N_ATTRS)
                    mix_column(fd[c], b, (godb_col)c, x, y, copy);
        }
    }
    for (int c = 0; c < GODB_N_COLS; c++)
        gp_closep(&fd[c]);
    (void)unlinkat(godb_day_dirfd(d), ".index", 0); /* its checksums would tell */
}

/* Shuffle (for databases without compression), then read back what the files say now. */
static void read_back(randdb *db, test_rng *rng, int shuffle)
{
    GP_CLEANUP(godb_db_closep) godb_db *g = NULL;
    GP_CLEANUP(godb_reader_freep) godb_reader *reader = NULL;
    gp_err err = {0};

    want_ok_err(&err, godb_db_open(db->dir, &g, &err));
    want_ok_err(&err, godb_reader_new(&reader, &err));
    for (unsigned f = 0; f < db->n_ifaces; f++) {
        godb_days days;
        want_ok_err(&err, godb_db_days(g, db->names[f], 0, INT64_MAX / 2, &days, &err));
        for (size_t i = 0; i < days.n; i++) {
            GP_CLEANUP(godb_day_closep) godb_day *d = NULL;
            want_ok_err(&err, godb_day_open(g, &days.v[i], &d, &err));
            if (shuffle)
                shuffle_day(rng, d);
            for (size_t b = 0; b < godb_day_n_blocks(d); b++) {
                godb_rows rows;
                want_ok_err(&err, godb_reader_rows(reader, d, b, &rows, &err));
                for (uint32_t k = 0; k < rows.n_v4 + rows.n_v6; k++) {
                    naive_row r = row_at(&rows, k, (int)f, godb_day_block(d, b)->time_s);
                    remember(db, &r);
                }
            }
        }
        godb_days_free(&days);
    }
}

static void values(randdb *db, test_rng *rng)
{
    static const uint16_t ports[] = {0, 22, 53, 80, 443, 1024, 8080, 65535};
    static const uint8_t protos[] = {1, 6, 17, 58, 255, 0};

    for (unsigned i = 0; i < RANDDB_V4; i++) {
        uint32_t a = 0x0a000000 + (uint32_t)(i / 4) * 0x10000 + (uint32_t)i * 37;
        if (i % 5 == 4)
            a = (uint32_t)test_rng_u64(rng);
        gp_put_be32(db->v4[i], a);
    }
    for (unsigned i = 0; i < RANDDB_V6; i++) {
        gp_put_be64(db->v6[i], UINT64_C(0x20010db800000000) + i / 3);
        gp_put_be64(db->v6[i] + 8, i % 3 ? test_rng_u64(rng) : 0); /* U27 */
    }
    for (unsigned i = 0; i < RANDDB_PORTS; i++)
        db->ports[i] = i < COUNT(ports) ? ports[i] : (uint16_t)test_rng_u64(rng);
    memcpy(db->protos, protos, sizeof protos);
}

void randdb_make(randdb *db, test_rng *rng)
{
    static const uint8_t codecs[] = {GODB_CODEC_LZ4, GODB_CODEC_NULL, GODB_CODEC_ZSTD};
    static const char *const names[] = {"eth0", "any1", "Wan-2"};
    godb_writer_opts wo = GODB_WRITER_OPTS_INIT;
    gp_err err = {0};

    *db = (randdb){.dir = test_tmpdir()};
    db->n_ifaces = 1 + (unsigned)test_rng_below(rng, RANDDB_IFACES);
    db->n_days = 1 + (unsigned)test_rng_below(rng, 3);
    db->times = gp_calloc(RANDDB_IFACES * 3 * 40, sizeof *db->times);
    assert_non_null(db->times);
    values(db, rng);
    wo.codec = codecs[test_rng_below(rng, COUNT(codecs))];
    wo.sync = GODB_SYNC_NONE;
    for (unsigned f = 0; f < db->n_ifaces; f++) {
        GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;
        db->names[f] = names[f];
        want_ok_err(&err, godb_writer_open(db->dir, names[f], &wo, &w, &err));
        want_ok_err(&err, godb_writer_begin_bulk(w, &err));
        for (unsigned d = 0; d < db->n_days; d++) {
            size_t n = 1 + test_rng_below(rng, 39);
            int64_t t = RANDDB_DAY0 + (int64_t)d * 86400;
            for (size_t b = 0; b < n; b++) {
                t += 1 + (int64_t)test_rng_below(rng, 600);
                write_block(db, rng, w, t);
            }
        }
        want_ok_err(&err, godb_writer_commit(w, &err));
    }
    read_back(db, rng, wo.codec == GODB_CODEC_NULL);
}

void randdb_free(randdb *db)
{
    test_rmtree(db->dir);
    gp_free(db->dir);
    gp_free(db->rows);
    gp_free(db->times);
    *db = (randdb){0};
}
