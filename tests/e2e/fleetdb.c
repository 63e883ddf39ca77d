/* fleetdb.c - generated databases of a fleet: parts per host, and the whole in one. */
#include "fleetdb.h"

#include "godb/writer.h"
#include "gp/num.h"
#include "test.h"

/* TEST_SEED of the environment: other flows, for the nightly run. */
static uint64_t seed(void)
{
    const char *env = getenv("TEST_SEED");
    uint64_t v = 0;
    if (env && !gp_num_u64(env, strlen(env), 1000000000, &v))
        fail_msg("TEST_SEED: expected a number, got \"%s\"", env);
    return v * UINT64_C(0x9e3779b97f4a7c15);
}

/* The flows of one block depend on nothing but seed, host, interface and block. */
static void add_block(godb_sorter *s, size_t host, int shared, unsigned block)
{
    test_rng rng = {.state =
                        1 + seed() + host * 1000003 + (unsigned)shared * 7919 + block * 104729};
    for (int i = 0; i < 8; i++)
        test_rng_u64(&rng);
    for (unsigned i = 0; i < FLEETDB_ROWS; i++) {
        static const uint16_t ports[] = {22, 53, 80, 123, 443, 993, 8443, 50000};
        godb_row r = {.family = test_rng_below(&rng, 5) ? 4 : 6, .proto = 6};
        size_t n = r.family == 4 ? 4 : 16;
        r.sip[0] = r.dip[0] = r.family == 4 ? 10 : 0x20;
        r.sip[n - 1] = (uint8_t)test_rng_below(&rng, 40);
        r.dip[n - 1] = (uint8_t)test_rng_below(&rng, 25);
        r.dip[n - 2] = (uint8_t)test_rng_below(&rng, 2);
        r.dport = ports[test_rng_below(&rng, COUNT(ports))];
        r.proto = r.dport == 53 || r.dport == 123 ? 17 : 6;
        for (int k = 0; k < 4; k++)
            r.counter[k] =
                test_rng_below(&rng, 3) ? test_rng_below(&rng, k < 2 ? 1000000 : 900) : 0;
        r.counter[2] += r.counter[0] != 0;
        r.counter[3] += 1;
        want_ok(godb_sorter_add(s, &r));
    }
}

static void write_iface(const char *path, const char *iface, size_t first, size_t n, int shared)
{
    GP_CLEANUP(godb_sorter_freep) godb_sorter *s = NULL;
    godb_writer *w = NULL;
    godb_writer_opts o = GODB_WRITER_OPTS_INIT;
    gp_err err = {0};
    o.sync = GODB_SYNC_NONE;
    want_ok_err(&err, godb_sorter_new(&s, &err));
    want_ok_err(&err, godb_writer_open(path, iface, &o, &w, &err));
    for (unsigned b = 0; b < FLEETDB_DAYS * FLEETDB_BLOCKS; b++) {
        godb_rows rows;
        int64_t t = FLEETDB_FIRST_S + (int64_t)(b / FLEETDB_BLOCKS) * GODB_DAY_S +
                    (int64_t)(b % FLEETDB_BLOCKS + 1) * 3600;
        godb_sorter_clear(s);
        for (size_t h = first; h < first + n; h++)
            add_block(s, h, shared, b);
        want_ok_err(&err, godb_sorter_finish(s, 0, &rows, &err));
        want_ok_err(&err, godb_writer_append(w, t, &rows, 0, &err));
    }
    godb_writer_close(w);
}

void fleetdb_write(const char *path, size_t first, size_t n)
{
    gp_err err = {0};
    char iface[32];
    want_ok_err(&err, gp_mkdir_all(path, 0755, &err));
    write_iface(path, "eth0", first, n, 1);
    for (size_t h = first; h < first + n; h++) {
        snprintf(iface, sizeof iface, "h%zu", h);
        write_iface(path, iface, h, 1, 0);
    }
}
