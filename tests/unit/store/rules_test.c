/* rules_test.c - rules of godb-format.md that no other test holds, section by section. */
#include "storetest.h"

#include "blockmeta.h"
#include "db.h"
#include "godb/codec.h"
#include "godb/listing.h"
#include "gp/bytes.h"
#include "gp/io.h"
#include "suffix.h"

#include <unistd.h>

enum { DAY = ST_EXAMPLE_DAY };

/* Everything relative to the database of the test. */
static char *root;

static int setup(void **state)
{
    (void)state;
    root = test_tmpdir();
    return chdir(root);
}

static int teardown(void **state)
{
    (void)state;
    umask(022);
    if (chdir("/") != 0)
        return 1;
    test_rmtree(root);
    gp_free(root);
    return 0;
}

/* One block of one row with 10 bytes received and n drops. */
static void put(const char *iface, int64_t time_s, uint64_t drops, const godb_writer_opts *o)
{
    GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;
    godb_row row = st_row("10.0.0.1", "10.0.0.2", 80, 6, 10, 1, 1, 1);
    gp_err err = {0};

    want_ok_err(&err, godb_writer_open(".", iface, o, &w, &err));
    st_append(w, time_s, &row, 1, drops);
    if (godb_writer_note(w))
        fail_msg("note");
}

static void make_dirs(const char *path)
{
    char part[256];

    for (const char *p = path; (p = strchr(p, '/')) || *path; p++) {
        snprintf(part, sizeof part, "%.*s", (int)(p ? p - path : (long)strlen(path)), path);
        (void)mkdir(part, 0755);
        if (!p)
            break;
    }
}

static mode_t mode_of(const char *path)
{
    struct stat st;

    if (lstat(path, &st) != 0)
        fail_msg("%s is missing", path);
    return st.st_mode & 07777;
}

/* ---- 1.2: interfaces; what is no directory is none, links are not followed ---- */

static void test_interfaces(void **state)
{
    (void)state;
    static const char *const dirs[] = {"eth0",           ".hidden",    "with space",
                                       "\xC3\xA4",       "UPPER",      ".gpdb-merge-stage-123",
                                       "lost+found/#12", "lost+found2"};
    static const char want[] = ".hidden,UPPER,eth0,lost+found2,with space,\xC3\xA4,";
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    GP_CLEANUP(gp_buf_free) gp_buf b = {0};
    char **names;
    size_t n;

    for (size_t i = 0; i < COUNT(dirs); i++)
        make_dirs(dirs[i]);
    test_spew("file", "x", 1);
    assert_int_equal(symlink("eth0", "link"), 0);
    want_ok(godb_db_open(".", &db, NULL));
    want_ok(godb_db_ifaces(db, &names, &n, NULL));
    for (size_t i = 0; i < n; i++)
        gp_buf_printf(&b, "%s,", names[i]);
    godb_strv_free(names);
    assert_string_equal(gp_buf_str(&b), want);

    make_dirs("lost+found/2023"); /* somebody's after all */
    want_ok(godb_db_ifaces(db, &names, &n, NULL));
    assert_int_equal(n, 7);
    assert_string_equal(names[3], "lost+found");
    godb_strv_free(names);

    static const char *const bad[] = {"", ".", "..", "a/b", "a\\b", "/"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        godb_writer *w;
        if (godb_iface_name_ok(bad[i]))
            fail_msg("'%s' is taken for a name", bad[i]);
        want_status(GP_EINVAL, godb_writer_open(".", bad[i], NULL, &w, NULL));
    }
}

static void test_links_below(void **state)
{
    (void)state;
    static const char *const links[][2] = {
        {"../real/2023", "eth0/2023"}, /* year, month, day */
        {"../../real/2023/11", "eth1/2023/11"},
        {"../../../real/2023/11/1699920000_1-0-0-a-1-1-1", "eth2/2023/11/1699920000"},
    };
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;

    put("real", DAY + 300, 0, NULL);
    make_dirs("eth0");
    make_dirs("eth1/2023");
    make_dirs("eth2/2023/11");
    want_ok(godb_db_open(".", &db, NULL));
    for (size_t i = 0; i < COUNT(links); i++) {
        godb_days days = {0};
        char iface[24], path[300];
        assert_int_equal(symlink(links[i][0], links[i][1]), 0);
        snprintf(path, sizeof path, "%s/.", links[i][1]);
        assert_int_equal(access(path, F_OK), 0); /* it does lead there */
        snprintf(iface, sizeof iface, "eth%zu", i);
        want_ok(godb_db_days(db, iface, 0, INT64_MAX, &days, NULL));
        assert_int_equal(days.n + days.skipped, 0);
        godb_days_free(&days);
    }
}

/* ---- 1.6: base 62 ---- */

static void test_base62(void **state)
{
    (void)state;
    static const struct {
        uint64_t v;
        const char *text;
    } cases[] = {
        {0, "0"},
        {1, "1"},
        {9, "9"},
        {10, "a"},
        {35, "z"},
        {36, "A"},
        {61, "Z"},
        {62, "01"},
        {63, "11"},
        {64, "21"},
        {255, "74"},
        {256, "84"},
        {3843, "ZZ"},
        {3844, "001"},
        {4095, "341"},
        {4096, "441"},
        {65535, "13h"},
        {65536, "23h"},
        {86400, "ytm"},
        {1456444800, "aP5zA1"},
        {2147483647, "1BCkl2"},
        {4294967295, "3cfFG4"},
        {4294967296, "4cfFG4"},
        {9007199254740992, "8EsXdNGfF"},
        {9223372036854775807, "7M85y0N8lZa"},
        {9223372036854775808u, "8M85y0N8lZa"},
        {UINT64_MAX, "fyha61AhGYl"},
    };
    static const char *const bad[] = {"",         "-",           "1 ",          "{",
                                      "\xC3\xA4", "gyha61AhGYl", "ZZZZZZZZZZZ", "000000000000"};
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[16];
        uint64_t back = 1;
        size_t n = godb_base62_put(cases[i].v, out);
        if (n != strlen(cases[i].text) || memcmp(out, cases[i].text, n) != 0)
            fail_msg("%s: got %.*s", cases[i].text, (int)n, out);
        if (!godb_base62_get(out, n, &back) || back != cases[i].v)
            fail_msg("%s: decoded as %llu", cases[i].text, (unsigned long long)back);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        uint64_t v;
        if (godb_base62_get(bad[i], strlen(bad[i]), &v))
            fail_msg("'%s' is taken for a number", bad[i]);
    }
}

/* ---- 1.7: the day's directory, and no other whose name begins with the same digits ---- */

static void test_january_1970(void **state)
{
    (void)state;
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    godb_days days = {0};

    put("e", 864000 + 300, 0, NULL); /* 86400 is a prefix of 864000 */
    put("e", 86400 + 300, 0, NULL);
    put("e", 86400 + 600, 0, NULL);
    put("e", 864000 + 600, 0, NULL);
    test_spew("e/1970/01/86400.txt", "x", 1); /* a plain file of that name disturbs nobody */
    put("e", 86400 + 900, 0, NULL);
    want_ok(godb_db_open(".", &db, NULL));
    want_ok(godb_db_days(db, "e", 0, INT64_MAX, &days, NULL));
    assert_int_equal(days.n, 2);
    assert_string_equal(days.v[0].path, "e/1970/01/86400_3-0-0-u-3-3-3");
    assert_string_equal(days.v[1].path, "e/1970/01/864000_2-0-0-k-2-2-2");
    godb_days_free(&days);
}

/* Of two directories of the day the writer takes the one with the latest block, and says so. */
static void test_two_candidates(void **state)
{
    (void)state;
    for (int swap = 0; swap < 2; swap++) {
        GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;
        char iface[24], other[64], day[64];
        snprintf(iface, sizeof iface, "e%d", swap);
        put("tmp", DAY + 300, 0, NULL);
        put(iface, DAY + (swap ? 600 : 100), 0, NULL);
        snprintf(other, sizeof other, "%s/2023/11/1699920000", iface);
        snprintf(day, sizeof day, "%s/2023/11/1699920000_1-0-0-a-1-1-1", iface);
        assert_int_equal(rename("tmp/2023/11/1699920000_1-0-0-a-1-1-1", other), 0);
        want_ok(godb_writer_open(".", iface, NULL, &w, NULL));
        st_append(w, DAY + 900, NULL, 0, 0);
        const char *note = godb_writer_note(w);
        if (!note || !strstr(note, "2 directories of day 1699920000"))
            fail_msg("note: %s", note ? note : "none");
        struct stat left, grown;
        assert_int_equal(stat(swap ? other : day, &left), 0); /* the older one is as it was */
        char meta[96];
        snprintf(meta, sizeof meta, "%s/.blockmeta", swap ? day : other);
        if (stat(meta, &grown) != 0) { /* renamed over to its suffix */
            snprintf(meta, sizeof meta, "%s/2023/11/1699920000_1-0-0-a-1-1-1/.blockmeta", iface);
            assert_int_equal(stat(meta, &grown), 0);
        }
        assert_int_equal(grown.st_size, 144 + 2 * 88);
    }
}

/* ---- 1.8: permissions ---- */

static void test_modes(void **state)
{
    (void)state;
    static const struct {
        mode_t p, mask, file, dir, meta;
    } cases[] = {
        {0, 022, 0644, 0755, 0644},    {0644, 0, 0644, 0755, 0644},   {0640, 0, 0640, 0750, 0640},
        {0600, 0, 0600, 0700, 0600},   {0660, 0, 0660, 0770, 0660},   {0666, 0, 0666, 0777, 0666},
        {0666, 027, 0640, 0750, 0666}, {0664, 077, 0600, 0700, 0664},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        godb_writer_opts o = GODB_WRITER_OPTS_INIT;
        char iface[24], path[96];
        snprintf(iface, sizeof iface, "e%zu", i);
        o.mode = cases[i].p;
        umask(cases[i].mask);
        put(iface, DAY + 300, 0, &o);
        put(iface, DAY + 600, 0, &o); /* .blockmeta also when it is replaced */
        static const char *const below[] = {"", "/2023", "/2023/11",
                                            "/2023/11/1699920000_2-0-0-k-2-2-2"};
        for (size_t k = 0; k < COUNT(below); k++) {
            snprintf(path, sizeof path, "%s%s", iface, below[k]);
            if (mode_of(path) != cases[i].dir)
                fail_msg("P %o, umask %o: %s has %o", cases[i].p, cases[i].mask, path,
                         mode_of(path));
        }
        static const char *const files[] = {"sip.gpf", "pkts_sent.gpf", ".blockmeta"};
        for (size_t k = 0; k < COUNT(files); k++) {
            snprintf(path, sizeof path, "%s%s/%s", iface, below[3], files[k]);
            mode_t want = k == 2 ? cases[i].meta : cases[i].file;
            if (mode_of(path) != want)
                fail_msg("P %o, umask %o: %s has %o", cases[i].p, cases[i].mask, path,
                         mode_of(path));
        }
    }
    godb_writer_opts o = GODB_WRITER_OPTS_INIT;
    o.mode = 0600;
    put("e0", DAY + 900, 0, &o); /* existing files keep their mode, .blockmeta does not */
    assert_int_equal(mode_of("e0/2023/11/1699920000_3-0-0-u-3-3-3/sip.gpf"), 0644);
    assert_int_equal(mode_of("e0/2023/11/1699920000_3-0-0-u-3-3-3/.blockmeta"), 0600);
}

/* ---- 2.3, D7: a day without blocks, its append positions not initialised ---- */

static void test_zero_blocks(void **state)
{
    (void)state;
    uint8_t meta[144] = {0};
    static const char dir[] = "e/2023/11/1699920000_0-0-0-0-0-0-0";
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    char path[96];
    godb_listing l;

    memset(meta + 72, 0xA5, 72);
    meta[7] = 1;
    make_dirs(dir);
    snprintf(path, sizeof path, "%s/.blockmeta", dir);
    test_spew(path, (const char *)meta, sizeof meta);
    want_ok(godb_db_open(".", &db, NULL));
    {
        GP_CLEANUP(godb_day_closep) godb_day *d = st_open_only(db, "e");
        assert_int_equal(godb_day_n_blocks(d), 0);
    }
    want_ok(godb_listing_get(db, "e", 0, INT64_MAX, &l, NULL));
    assert_true(l.totals.v4 == 0 && l.bad_days == 0);
    put("e", DAY + 300, 0, NULL);
    struct stat st;
    assert_int_equal(stat("e/2023/11/1699920000_1-0-0-a-1-1-1/sip.gpf", &st), 0);
    assert_int_equal(st.st_size, 4);
}

/* ---- 2.4, 2.5, 5.1, 5.2: what the writer refuses, clamps and clears ---- */

static void test_writer(void **state)
{
    (void)state;
    GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    godb_rows none = {0};

    want_ok(godb_writer_open(".", "e", NULL, &w, NULL));
    st_append(w, DAY + 600, NULL, 0, UINT64_C(1) << 40); /* drops are clamped, in the total too */
    want_status(GP_EEXIST, godb_writer_append(w, DAY + 600, &none, 0, NULL));
    want_status(GP_EEXIST, godb_writer_append(w, DAY + 300, &none, 0, NULL));
    want_status(GP_EEXIST, godb_writer_append(w, DAY, &none, 0, NULL));
    st_append(w, DAY + 601, NULL, 0, 0);
    st_append(w, DAY + GODB_DAY_S - 1, NULL, 0, 0);
    st_append(w, DAY + GODB_DAY_S, NULL, 0, 0); /* midnight belongs to the day that begins */
    st_append(w, DAY - 1, NULL, 0, 0);          /* an earlier day is not an earlier block */
    want_ok(godb_db_open(".", &db, NULL));
    godb_days days = {0};
    want_ok(godb_db_days(db, "e", 0, INT64_MAX, &days, NULL));
    assert_int_equal(days.n, 3);
    assert_string_equal(days.v[0].path, "e/2023/11/1699833600_0-0-0-0-0-0-0");
    assert_string_equal(days.v[1].path, "e/2023/11/1699920000_0-0-3cfFG4-0-0-0-0");
    assert_string_equal(days.v[2].path, "e/2023/11/1700006400_0-0-0-0-0-0-0");
    godb_days_free(&days);
}

/* Encoded, then put: the rows may be gone by then, and a time that is taken costs nothing. */
static void test_two_steps(void **state)
{
    (void)state;
    GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;
    const godb_row row = st_row("10.0.0.1", "10.0.0.2", 53, 17, 1, 2, 3, 4);
    int64_t last = 0;
    gp_err err = {0};

    want_ok_err(&err, godb_writer_open(".", "e", NULL, &w, &err));
    want_err(GP_EINVAL, &err, "nothing was encoded", godb_writer_put(w, DAY + 300, &err));
    for (int i = 0; i < 2; i++) {
        godb_sorter *s = NULL;
        godb_rows rows;
        want_ok(godb_sorter_new(&s, NULL));
        want_ok(godb_sorter_add(s, &row));
        want_ok(godb_sorter_finish(s, 0, &rows, NULL));
        want_ok_err(&err, godb_writer_encode(w, DAY + 300, &rows, 0, &err));
        godb_sorter_free(s);
        if (i == 0)
            want_ok_err(&err, godb_writer_put(w, DAY + 300, &err));
    }
    want_status(GP_EEXIST, godb_writer_put(w, DAY + 300, NULL));
    want_ok_err(&err, godb_writer_put(w, DAY + 300 + 1, &err));
    want_status(GP_EINVAL, godb_writer_put(w, DAY + 300 + 2, NULL));
    want_ok_err(&err, godb_writer_last_time(w, &last, &err));
    assert_int_equal(last, DAY + 300 + 1);
}

/* Without .blockmeta the columns begin anew; strays of a crash go when they are a day old; trailing
 * bytes behind .blockmeta are read, and gone after the next write. */
static void test_leftovers(void **state)
{
    (void)state;
    static const char old_tmp[] = "e/2023/11/1699920000_1-0-0-a-1-1-1/.tmp-metadata-1";
    static const char new_tmp[] = "e/2023/11/1699920000_1-0-0-a-1-1-1/.tmp-metadata-2";
    static const char meta[] = "e/2023/11/1699920000_1-0-0-a-1-1-1/.blockmeta";
    struct timespec long_ago[2] = {{.tv_sec = time(NULL) - 2 * GODB_DAY_S},
                                   {.tv_sec = time(NULL) - 2 * GODB_DAY_S}};
    GP_CLEANUP(gp_freep) char *sip = NULL;
    size_t n = 0;
    struct stat st;

    make_dirs("e/2023/11/1699920000");
    test_spew("e/2023/11/1699920000/sip.gpf", "0123456789", 10);
    put("e", DAY + 300, 0, NULL);
    sip = test_slurp("e/2023/11/1699920000_1-0-0-a-1-1-1/sip.gpf", &n);
    assert_true(n == 10 && memcmp(sip,
                                  "\x0A\0\0\x01"
                                  "456789",
                                  10) == 0);

    test_spew(old_tmp, "x", 1);
    test_spew(new_tmp, "x", 1);
    assert_int_equal(utimensat(AT_FDCWD, old_tmp, long_ago, 0), 0);
    FILE *f = fopen(meta, "ae");
    assert_true(f && fputs("trailing", f) >= 0 && fclose(f) == 0);
    put("e", DAY + 600, 0, NULL);
    assert_int_not_equal(access("e/2023/11/1699920000_2-0-0-k-2-2-2/.tmp-metadata-1", F_OK), 0);
    assert_int_equal(access("e/2023/11/1699920000_2-0-0-k-2-2-2/.tmp-metadata-2", F_OK), 0);
    assert_int_equal(stat("e/2023/11/1699920000_2-0-0-k-2-2-2/.blockmeta", &st), 0);
    assert_int_equal(st.st_size, 144 + 2 * 88);
}

/* ---- 6.3: blocks that are skipped ---- */

/* Two good blocks around one; each case spoils that one. */
static void test_skipped_blocks(void **state)
{
    (void)state;
    static const struct {
        const char *what, *file;
        long at; /* offset in the file of the damage; -1: the file is removed, -2: emptied */
        uint8_t byte;
        int usable; /* by .blockmeta alone */
    } cases[] = {
        {"column missing", "dip.gpf", -1, 0, 1},
        {"column empty", "proto.gpf", -2, 0, 1},
        {"counter width 0", "bytes_rcvd.gpf", 13, 0, 1},
        {"counter width 9", "bytes_rcvd.gpf", 13, 9, 1},
        {"counter of another width", "pkts_rcvd.gpf", 13, 3, 1},
        {"codec 0", ".blockmeta", 72 + 8 + 9 + 8, 0, 0},
        {"codec 9", ".blockmeta", 72 + 8 + 9 + 8, 9, 0},
        {"rows", ".blockmeta", 144 + 72 * 3 + 16 + 3, 5, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
        GP_CLEANUP(godb_reader_freep) godb_reader *r = NULL;
        GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;
        godb_writer_opts o = GODB_WRITER_OPTS_INIT;
        char iface[24], path[128];
        godb_row rows[12];
        unsigned readable = 0;

        for (unsigned k = 0; k < 12; k++)
            rows[k] = st_row("10.0.0.1", "10.0.0.2", (uint16_t)k, 6, k, 1, k, 1);
        snprintf(iface, sizeof iface, "e%zu", i);
        o.codec = GODB_CODEC_NULL;
        o.no_index = 1; /* its checksums would find everything */
        want_ok(godb_writer_open(".", iface, &o, &w, NULL));
        for (int k = 1; k <= 3; k++)
            st_append(w, DAY + 300 * k, rows, 12, 0);
        GP_CLEANUP(gp_freep) char *day = st_only_day(".", iface);
        snprintf(path, sizeof path, "%s/%s", day, cases[i].file);
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        if (cases[i].at >= 0)
            assert_int_equal(pwrite(fd, &cases[i].byte, 1, cases[i].at), 1);
        else
            assert_int_equal(cases[i].at == -1 ? unlink(path) : ftruncate(fd, 0), 0);
        close(fd);

        want_ok(godb_reader_new(&r, NULL));
        want_ok(godb_db_open(".", &db, NULL));
        GP_CLEANUP(godb_day_closep) godb_day *d = st_open_only(db, iface);
        assert_int_equal(godb_day_block(d, 1)->usable, cases[i].usable);
        assert_true(!cases[i].usable == (godb_day_block(d, 1)->reason != NULL));
        for (size_t b = 0; b < 3; b++) {
            godb_rows got;
            gp_err err = {0};
            gp_status st =
                godb_day_block(d, b)->usable ? godb_reader_rows(r, d, b, &got, &err) : GP_ECORRUPT;
            readable += st == GP_OK;
            if ((b != 1 && cases[i].at >= 0) != (st == GP_OK))
                fail_msg("%s: block %zu: %s %s", cases[i].what, b, gp_status_name(st), err.msg);
        }
        assert_int_equal(readable, cases[i].at >= 0 ? 2 : 0);
    }
}

/* ---- 6.4: listings from names ---- */

static void test_listing(void **state)
{
    (void)state;
    static const struct {
        const char *what, *name; /* of the second of three days */
        uint64_t v4;
    } cases[] = {
        {"suffix", "1700006400_2-0-0-k-2-2-2", 6},
        {"no suffix: the metadata", "1700006400", 6},
        {"a suffix that does not parse: the metadata", "1700006400_2-0-0-k-2-2-~", 6},
        {"a suffix is taken at its word", "1700006400_9-0-0-k-2-2-2", 13},
    };
    for (int d = 0; d < 3; d++)
        for (int i = 1; i < 3; i++)
            put("e", DAY + d * GODB_DAY_S + 300 * i, 0, NULL);
    char from[64] = "e/2023/11/1700006400_2-0-0-k-2-2-2", to[64];
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    godb_listing l;

    want_ok(godb_db_open(".", &db, NULL));
    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(to, sizeof to, "e/2023/11/%s", cases[i].name);
        assert_int_equal(rename(from, to), 0);
        memcpy(from, to, sizeof from);
        want_ok(godb_listing_get(db, "e", 0, INT64_MAX, &l, NULL));
        if (l.totals.v4 != cases[i].v4)
            fail_msg("%s: %llu", cases[i].what, (unsigned long long)l.totals.v4);
    }
    /* A block that cannot be decoded is not subtracted. */
    want_ok(godb_listing_get(db, "e", DAY + 301, DAY + 86000, &l, NULL));
    assert_int_equal(l.totals.v4, 1);
    int fd = open("e/2023/11/1699920000_2-0-0-k-2-2-2/bytes_sent.gpf", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0 && pwrite(fd, "\x09", 1, 0) == 1);
    close(fd);
    want_ok(godb_listing_get(db, "e", DAY + 301, DAY + 86000, &l, NULL));
    assert_int_equal(l.totals.v4, 2);
}

static void damage_meta(const char *day, long at, uint8_t byte)
{
    char path[96];
    snprintf(path, sizeof path, "e/2023/11/%s/.blockmeta", day);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0 && pwrite(fd, &byte, 1, at) == 1);
    close(fd);
}

/* Days at the end that are refused, and blocks without a time, do not count or bound anything. */
static void test_listing_of_damage(void **state)
{
    (void)state;
    static const char *const days[] = {"1699920000_2-0-0-k-2-2-2", "1700006400_2-0-0-k-2-2-2",
                                       "1700092800_2-0-0-k-2-2-2"};
    enum { AT_VERSION = 7, AT_FIRST = 136 + 72 * 2, AT_DIFF = 144 + 72 * 2 + 16 + 12 };
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    godb_listing l;

    for (int d = 0; d < 3; d++)
        for (int i = 1; i < 3; i++)
            put("e", DAY + d * GODB_DAY_S + 300 * i, 0, NULL);
    want_ok(godb_db_open(".", &db, NULL));
    damage_meta(days[2], AT_VERSION, 9);
    want_ok(godb_listing_get(db, "e", 0, INT64_MAX, &l, NULL));
    assert_true(l.totals.v4 == 4 && l.bad_days == 1 && l.n_days == 2);
    assert_true(l.first_s == DAY && l.last_s == DAY + GODB_DAY_S + 600);
    damage_meta(days[1], AT_DIFF, 0x7f); /* its second block is who knows where */
    want_ok(godb_listing_get(db, "e", 0, INT64_MAX, &l, NULL));
    assert_true(l.first_s == DAY && l.last_s == DAY + GODB_DAY_S + 300);
    damage_meta(days[0], AT_FIRST, 0x7f); /* both blocks */
    want_ok(godb_listing_get(db, "e", 0, INT64_MAX, &l, NULL));
    assert_true(l.first_s == DAY + GODB_DAY_S && l.last_s == DAY + GODB_DAY_S + 300);
    damage_meta(days[1], AT_FIRST, 0x7f); /* nothing is left but the days themselves */
    want_ok(godb_listing_get(db, "e", 0, INT64_MAX, &l, NULL));
    assert_true(l.first_s == DAY - 300 && l.last_s == DAY + 2 * GODB_DAY_S - 1);
    want_ok(godb_listing_get(db, "e", DAY + 400, DAY + 500, &l, NULL));
    assert_true(l.first_s == DAY + 100 && l.last_s == DAY + 500);
}

/* ---- 7.1: host id ---- */

static void test_host_id(void **state)
{
    (void)state;
    static const char *const files[] = {"machine-id", "dbus-id"};
    char id[80], again[80];

    make_dirs("db");
    godb_host_id_of(files, NULL, id, sizeof id);
    assert_string_equal(id, "UNKNOWN");
    godb_host_id_of(files, "nowhere", id, sizeof id);
    assert_string_equal(id, "UNKNOWN");
    godb_host_id_of(files, "db", id, sizeof id);
    assert_int_equal(strlen(id), 32);
    assert_int_equal(strspn(id, "0123456789abcdef"), 32);
    struct stat st;
    assert_int_equal(stat("db/host.id", &st), 0);
    assert_true(st.st_size == 32 && (st.st_mode & 07777) == 0600);
    godb_host_id_of(files, "db", again, sizeof again);
    assert_string_equal(again, id);
    test_spew("db/host.id", "mine\n\n", 6);
    godb_host_id_of(files, "db", id, sizeof id);
    assert_string_equal(id, "mine");
    test_spew("dbus-id", "two\n", 4);
    godb_host_id_of(files, "db", id, sizeof id);
    assert_string_equal(id, "two");
    test_spew("machine-id", "one\n\n", 5);
    godb_host_id_of(files, "db", id, sizeof id);
    assert_string_equal(id, "one");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_interfaces),        T(test_links_below),    T(test_base62),
        T(test_january_1970),      T(test_two_candidates), T(test_modes),
        T(test_zero_blocks),       T(test_writer),         T(test_two_steps),
        T(test_leftovers),         T(test_skipped_blocks), T(test_listing),
        T(test_two_steps),         T(test_leftovers),      T(test_skipped_blocks),
        T(test_listing_of_damage), T(test_host_id),
    };
    st_utc();
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
