/* import_test.c - CSV import: every rule of godb-format.md 8.2, and the corpus. */
#include "dbdump.h"

#include "godb/import.h"

/* Text in a file of its own, imported into root. */
struct input {
    const char *text;
    size_t len; /* 0: strlen(text) */
    const char *schema, *iface;
    uint64_t max_rows;
    unsigned threads;
};

static gp_status import_text(const char *root, const struct input *in, godb_import_stats *st,
                             gp_err *err)
{
    godb_import_opts o = GODB_IMPORT_OPTS_INIT;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    GP_CLEANUP(gp_freep) char *path = gp_asprintf("%s/in.csv", dir);

    o.schema = in->schema;
    o.iface = in->iface;
    o.max_rows = in->max_rows;
    o.threads = in->threads;
    o.writer.sync = GODB_SYNC_NONE;
    test_spew(path, in->text, in->len ? in->len : strlen(in->text));
    GP_CLEANUP(gp_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return godb_import(root, fd, "in.csv", &o, st, err);
}

/* ---- what a row means ---- */

#define ALL                                                                                        \
    "time,iface,sip,dip,dport,proto,packets received,packets sent,"                                \
    "data vol. received,data vol. sent\n"
#define T "1700000100"

static const struct {
    const char *what, *schema, *iface, *text, *want;
    uint64_t read, skipped;
} rows_cases[] = {
    {"plain", NULL, NULL, ALL T ",eth0,10.0.0.1,10.0.0.2,443,6,4,5,600,300\n",
     "eth0 " T " 4|10.0.0.1 10.0.0.2 443 6 600 300 4 5\n", 1, 0},
    {"no line break at the end", NULL, NULL, ALL T ",eth0,10.0.0.1,10.0.0.2,443,6,4,5,600,300",
     "eth0 " T " 4|10.0.0.1 10.0.0.2 443 6 600 300 4 5\n", 1, 0},
    {"CRLF, empty lines, byte order mark", NULL, NULL,
     "\xEF\xBB\xBF\r\n\ntime,iface,sip\r\n\r\n" T ",e,1.2.3.4\r\n\n\n" T ",e,1.2.3.5\r\n",
     "e " T " 4|1.2.3.4 0.0.0.0 0 0 0 0 0 0\ne " T " 4|1.2.3.5 0.0.0.0 0 0 0 0 0 0\n", 2, 0},
    {"CR at the very end", "time,iface,sip", NULL, T ",e,1.2.3.4\r",
     "e " T " 4|1.2.3.4 0.0.0.0 0 0 0 0 0 0\n", 1, 0},
    {"names in any case, order and spacing; others ignored", NULL, NULL,
     "%, DPORT ,host,Time,\" IFACE\t\",,Proto\n1.5,80,h\xC3\xA4," T ",e,,Tcp\n",
     "e " T " 4|0.0.0.0 0.0.0.0 80 6 0 0 0 0\n", 1, 0},
    {"fields are trimmed", NULL, NULL, "time,iface,sip,dport\n " T " ,\t e , 1.2.3.4\t, 7 \n",
     "e " T " 4|1.2.3.4 0.0.0.0 7 0 0 0 0 0\n", 1, 0},
    {"schema given: no heading in the file", "time,iface,dport", NULL, T ",e,1\n" T ",e,2\n",
     "e " T " 4|0.0.0.0 0.0.0.0 1 0 0 0 0 0\ne " T " 4|0.0.0.0 0.0.0.0 2 0 0 0 0 0\n", 2, 0},
    {"heading in the file and schema given: heading is a bad row", "time,iface", NULL,
     "time,iface\n" T ",e\n", "e " T " 4|0.0.0.0 0.0.0.0 0 0 0 0 0 0\n", 2, 1},
    {"interface given", "time,dport", "wan", T ",1\n", "wan " T " 4|0.0.0.0 0.0.0.0 1 0 0 0 0 0\n",
     1, 0},
    {"interface given and in the schema: the schema's counts", "time,iface", "wan", T ",e\n",
     "e " T " 4|0.0.0.0 0.0.0.0 0 0 0 0 0 0\n", 1, 0},
    {"quoted fields", "iface,time,host,dport", NULL,
     "\"a,\"\"b\"\"\"," T ",\"x\ny,\",\"5\"\n\"c\"," T ",\"\",6\n",
     "a,\"b\" " T " 4|0.0.0.0 0.0.0.0 5 0 0 0 0 0\nc " T " 4|0.0.0.0 0.0.0.0 6 0 0 0 0 0\n", 2, 0},
    {"field count varies", "time,iface,dport", NULL,
     T ",e,1,extra,more\n" T ",e\n" T ",e,2\n" T "\n",
     "e " T " 4|0.0.0.0 0.0.0.0 1 0 0 0 0 0\ne " T " 4|0.0.0.0 0.0.0.0 2 0 0 0 0 0\n", 4, 2},
    {"IPv6", "time,iface,sip,dip", NULL, T ",e,2001:DB8::1,fe80:0:0:0:0:0:0:2\n",
     "e " T " 6|2001:db8::1 fe80::2 0 0 0 0 0 0\n", 1, 0},
    {"IPv6 with blanks, so not the quick way", "time,iface,sip,dip", NULL,
     T ",e, 2001:db8::1 ,::2\n" T ",e, ::1,1.2.3.4\n" T ",e, 1.2.3.4,::1\n",
     "e " T " 6|2001:db8::1 ::2 0 0 0 0 0 0\n", 3, 2},
    {"a dot makes it IPv4", "time,iface,sip,dip", NULL,
     T ",e,::ffff:1.2.3.4,64:ff9b::5.6.7.8\n" T ",e,::1.2.3.4,9.9.9.9\n",
     "e " T " 4|1.2.3.4 5.6.7.8 0 0 0 0 0 0\ne " T " 4|1.2.3.4 9.9.9.9 0 0 0 0 0 0\n", 2, 0},
    {"mapped without a dot stays IPv6", "time,iface,sip,dip", NULL, T ",e,::ffff:102:304,::1\n",
     "e " T " 6|::ffff:1.2.3.4 ::1 0 0 0 0 0 0\n", 1, 0},
    {"versions differ", "time,iface,sip,dip", NULL, T ",e,1.2.3.4,::1\n" T ",e,::1,1.2.3.4\n", "",
     2, 2},
    {"one address column missing is 0.0.0.0", "time,iface,sip", NULL, T ",e,::1\n", "", 1, 1},
    {"bad addresses", "time,iface,sip", NULL,
     T ",e,01.2.3.4\n" T ",e,1.2.3\n" T ",e,1.2.3.4.5\n" T ",e,1.2.3.256\n" T ",e,fe80::1%eth0\n" T
       ",e,\n" T ",e,x\n" T ",e,1.2.3.4x\n" T ",e,1..2.3\n" T ",e,1.2.3.\n",
     "", 10, 10},
    {"protocols", "time,iface,proto", NULL,
     T ",e,6\n" T ",e,UDP\n" T ",e,Ipsec-ESP\n" T ",e,255\n" T ",e,3pc\n" T ",e,unknown\n",
     "e " T " 4|0.0.0.0 0.0.0.0 0 6 0 0 0 0\ne " T " 4|0.0.0.0 0.0.0.0 0 17 0 0 0 0\n"
     "e " T " 4|0.0.0.0 0.0.0.0 0 34 0 0 0 0\ne " T " 4|0.0.0.0 0.0.0.0 0 50 0 0 0 0\n"
     "e " T " 4|0.0.0.0 0.0.0.0 0 255 0 0 0 0\n",
     6, 0},
    {"bad protocols", "time,iface,proto", NULL,
     T ",e,256\n" T ",e,esp\n" T ",e,-1\n" T ",e,+6\n" T ",e,\n" T ",e,6.0\n", "", 6, 6},
    {"ports", "time,iface,dport", NULL,
     T ",e,0\n" T ",e,65535\n" T ",e,65536\n" T ",e,-1\n" T ",e,0x50\n" T ",e,080\n",
     "e " T " 4|0.0.0.0 0.0.0.0 0 0 0 0 0 0\ne " T " 4|0.0.0.0 0.0.0.0 80 0 0 0 0 0\n"
     "e " T " 4|0.0.0.0 0.0.0.0 65535 0 0 0 0 0\n",
     6, 3},
    {"counters", "time,iface,dport,data vol. received,packets sent", NULL,
     T ",e,1,18446744073709551615,0\n" T ",e,2,18446744073709551616,1\n" T ",e,3,1k,1\n" T
       ",e,4,+1,1\n" T ",e,5,00000000000000000000000001,2\n",
     "e " T " 4|0.0.0.0 0.0.0.0 1 0 18446744073709551615 0 0 0\n"
     "e " T " 4|0.0.0.0 0.0.0.0 5 0 1 0 0 2\n",
     5, 3},
    {"times", "time,iface", NULL,
     "0,e\n-5,e\n1.5,e\n,e\n99999999999999999999,e\n9223372036854775807,e\n" T ",e\n",
     "e " T " 4|0.0.0.0 0.0.0.0 0 0 0 0 0 0\n", 7, 6},
    {"interface names", "time,iface", NULL,
     T ",\n" T ", \n" T ",.\n" T ",..\n" T ",a/b\n" T ",a\\b\n" T ",.gpdb-merge-stage-1\n" T
       ",a b\n",
     "a b " T " 4|0.0.0.0 0.0.0.0 0 0 0 0 0 0\n", 8, 7},
    {"a later row with the same key replaces", "time,iface,dport,packets sent,data vol. sent", NULL,
     T ",e,1,10,100\n" T ",f,1,7,7\n" T ",e,1,3,0\n",
     "e " T " 4|0.0.0.0 0.0.0.0 1 0 0 0 0 3\nf " T " 4|0.0.0.0 0.0.0.0 1 0 0 7 0 7\n", 3, 0},
    {"blocks per interface and time, also before and after midnight", "time,iface,dport", NULL,
     "86399,b,1\n86399,a,1\n86400,a,2\n86401,b,3\n",
     "a 86399 4|0.0.0.0 0.0.0.0 1 0 0 0 0 0\na 86400 4|0.0.0.0 0.0.0.0 2 0 0 0 0 0\n"
     "b 86399 4|0.0.0.0 0.0.0.0 1 0 0 0 0 0\nb 86401 4|0.0.0.0 0.0.0.0 3 0 0 0 0 0\n",
     4, 0},
    {"skipped rows do not count for the order", "time,iface,dport", NULL,
     "900,e,x\n300,e,1\n0,e,1\n600,e,2\n",
     "e 300 4|0.0.0.0 0.0.0.0 1 0 0 0 0 0\ne 600 4|0.0.0.0 0.0.0.0 2 0 0 0 0 0\n", 4, 2},
    {"nothing but a heading", NULL, NULL, "time,iface\n", "", 0, 0},
    {"nothing, with a schema", "time,iface", NULL, "\n", "", 0, 0},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(rows_cases); i++) {
        const size_t k = i / 2;
        const struct input in = {.text = rows_cases[k].text,
                                 .schema = rows_cases[k].schema,
                                 .iface = rows_cases[k].iface,
                                 .threads = i % 2 ? 1 : 3};
        GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
        godb_import_stats st;
        gp_err err = {0};
        if (import_text(root, &in, &st, &err) != GP_OK)
            fail_msg("%s: %s", rows_cases[k].what, err.msg);
        GP_CLEANUP(gp_freep) char *got = st_dump(root);
        /* mapped addresses are printed with dots here, so the family column tells */
        if (strcmp(got, rows_cases[k].want) != 0)
            fail_msg("%s: got\n%swant\n%s", rows_cases[k].what, got, rows_cases[k].want);
        if (st.rows_read != rows_cases[k].read || st.rows_skipped != rows_cases[k].skipped ||
            st.rows_imported != st.rows_read - st.rows_skipped)
            fail_msg("%s: %llu read, %llu skipped, %llu imported", rows_cases[k].what,
                     (unsigned long long)st.rows_read, (unsigned long long)st.rows_skipped,
                     (unsigned long long)st.rows_imported);
    }
}

/* ---- what ends an import ---- */

static const struct {
    const char *what, *schema, *iface, *text;
    gp_status status;
    const char *error, *want; /* want: rows that are in the database nevertheless */
} error_cases[] = {
    {"empty file", NULL, NULL, "", GP_EINVAL, "in.csv: is empty", ""},
    {"only empty lines", NULL, NULL, "\n\r\n", GP_EINVAL, "in.csv: is empty", ""},
    {"no known name", NULL, NULL, "\nfoo,%\n", GP_EINVAL, "in.csv:2: no known column name", ""},
    {"no known name in the schema", "foo,%", NULL, "1\n", GP_EINVAL, "schema option: no known", ""},
    {"no time", NULL, NULL, "iface,sip\n", GP_EINVAL, "no column 'time'", ""},
    {"no interface", NULL, NULL, "time,sip\n", GP_EINVAL, "no column 'iface'", ""},
    {"a name twice", NULL, NULL, "time,iface,sip,SIP\n", GP_EINVAL, "column 'sip' twice", ""},
    {"bad interface option", "time", "a/b", T "\n", GP_EINVAL, "'a/b' is not an interface name",
     ""},
    {"bare quote", "time,iface", NULL, "300,e\n600,e\n900,f\"\n", GP_ECORRUPT, "in.csv:3: a quote",
     "e 300 4|0.0.0.0 0.0.0.0 0 0 0 0 0 0\n"},
    {"bare quote in a column that is not needed", "time,iface", NULL, "300,e,x\"y\n", GP_ECORRUPT,
     "in.csv:1: a quote", ""},
    {"text behind a quoted field", "time,iface", NULL, "\n300,\"e\"x\n", GP_ECORRUPT,
     "in.csv:2: something follows", ""},
    {"unbalanced quote", "time,iface", NULL, "300,e\n600,e\n\n700,\"f\n800,g\n", GP_ECORRUPT,
     "in.csv:4: a quoted field is not closed", "e 300 4|0.0.0.0 0.0.0.0 0 0 0 0 0 0\n"},
    {"time goes back", "time,iface,dport", NULL, "300,e,1\n300,f,1\n600,e,2\nx\n599,f,3\n",
     GP_EINVAL, "in.csv:5: time goes back from 600 to 599 in row 5",
     "e 300 4|0.0.0.0 0.0.0.0 1 0 0 0 0 0\nf 300 4|0.0.0.0 0.0.0.0 1 0 0 0 0 0\n"},
    {"line numbers with breaks in quotes", "time,iface,x", NULL, "300,e,\"a\n\nb\"\n\n200,e,\n",
     GP_EINVAL, "in.csv:5: time goes back", ""},
};

static void test_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(error_cases); i++) {
        const size_t k = i / 2;
        const struct input in = {.text = error_cases[k].text,
                                 .schema = error_cases[k].schema,
                                 .iface = error_cases[k].iface,
                                 .threads = i % 2 ? 1 : 3};
        GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
        godb_import_stats st;
        gp_err err = {0};
        gp_status got = import_text(root, &in, &st, &err);
        if (got != error_cases[k].status || !strstr(err.msg, error_cases[k].error))
            fail_msg("%s: got \"%s\" (%s)", error_cases[k].what, err.msg, gp_status_name(got));
        GP_CLEANUP(gp_freep) char *have = st_dump(root);
        if (strcmp(have, error_cases[k].want) != 0)
            fail_msg("%s: database has\n%s", error_cases[k].what, have);
    }
}

/* A record that never ends is refused long before the memory is. */
static void test_endless_record(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    GP_CLEANUP(gp_buf_free) gp_buf b = {0};
    gp_err err = {0};

    gp_buf_adds(&b, "time,iface\n300,e\n400,\"");
    gp_buf_fill(&b, 'x', 3000000);
    const struct input in = {.text = gp_buf_str(&b), .len = b.len};
    want_err(GP_ECORRUPT, &err, "in.csv:3: a record of more than",
             import_text(root, &in, NULL, &err));
    gp_buf_clear(&b);
    gp_buf_adds(&b, "time,iface\n300,e,");
    gp_buf_fill(&b, ',', 900000); /* long, but not too long; goes across pieces */
    gp_buf_adds(&b, "\n600,f\n");
    const struct input ok = {.text = gp_buf_str(&b), .len = b.len};
    godb_import_stats st;
    want_ok_err(&err, import_text(root, &ok, &st, &err));
    assert_int_equal(st.rows_imported, 2);
}

/* A NUL in a name is no name; it once made the comparison with "e" read behind its end. */
static void test_nul_in_name(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    static const char text[] = "time,iface\n300,e\n300,e\0\0\0\0\0\0\0\0\n300,\0\n";
    const struct input in = {.text = text, .len = sizeof text - 1};
    godb_import_stats st;

    want_ok(import_text(root, &in, &st, NULL));
    assert_int_equal(st.rows_imported, 1);
    assert_int_equal(st.rows_skipped, 2);
}

static void test_row_limit(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    const struct input in = {.text = "time,iface,dport\n300,e,1\nbad\n300,e,2\n200,e,3\n\"",
                             .max_rows = 3};
    godb_import_stats st;
    gp_err err = {0};

    want_ok_err(&err, import_text(root, &in, &st, &err)); /* row 4 and the quote are not read */
    assert_int_equal(st.rows_read, 3);
    assert_int_equal(st.rows_imported, 2);
    assert_int_equal(st.rows_skipped, 1);
    assert_int_equal(st.blocks, 1);
    assert_int_equal(st.first_skipped_line, 3);
    assert_string_equal(st.first_skipped_why, "row has too few fields");
}

/* ---- existing data ---- */

static void test_append(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    godb_import_stats st;
    gp_err err = {0};

    want_ok(import_text(root, &(struct input){.text = "time,iface,dport\n600,e,1\n"}, &st, NULL));
    want_ok_err(
        &err, import_text(root, &(struct input){.text = "time,iface,dport\n900,e,2\n"}, &st, &err));
    /* an earlier and an existing time are refused with the line; what is fine before stays */
    want_err(GP_EEXIST, &err, "in.csv:4: ",
             import_text(root,
                         &(struct input){.text = "time,iface,dport\n100,f,7\n100,g,7\n900,e,3\n"
                                                 "900,e,4\n1200,f,8\n"},
                         &st, &err));
    want_err(
        GP_EEXIST, &err, "not later than the last one, 900",
        import_text(root, &(struct input){.text = "time,iface\n300,e\n", .threads = 1}, &st, &err));
    /* another day may be older */
    want_ok(import_text(root, &(struct input){.text = "time,iface,dport\n86700,e,5\n"}, &st, NULL));
    GP_CLEANUP(gp_freep) char *have = st_dump(root);
    assert_string_equal(have, "e 600 4|0.0.0.0 0.0.0.0 1 0 0 0 0 0\n"
                              "e 900 4|0.0.0.0 0.0.0.0 2 0 0 0 0 0\n"
                              "e 86700 4|0.0.0.0 0.0.0.0 5 0 0 0 0 0\n"
                              "f 100 4|0.0.0.0 0.0.0.0 7 0 0 0 0 0\n"
                              "g 100 4|0.0.0.0 0.0.0.0 7 0 0 0 0 0\n");
}

static void test_locked(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;
    gp_err err = {0};

    want_ok(godb_writer_open(root, "e", NULL, &w, NULL));
    want_err(GP_EEXIST, &err, "another process writes",
             import_text(root, &(struct input){.text = "time,iface\n300,e\n"}, NULL, &err));
}

/* ---- many interfaces, more than writers may be open ---- */

static void test_many_ifaces(void **state)
{
    (void)state;
    enum { IFACES = 300, TIMES = 4 };
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    GP_CLEANUP(gp_buf_free) gp_buf b = {0}, want = {0};
    godb_import_stats st;
    gp_err err = {0};

    gp_buf_adds(&b, "time,iface,dport\n");
    for (unsigned t = 1; t <= TIMES; t++)
        for (unsigned i = 0; i < IFACES; i++)
            gp_buf_printf(&b, "%u,if%03u,%u\n", 300 * t, i * 7 % IFACES, t);
    for (unsigned i = 0; i < IFACES; i++)
        for (unsigned t = 1; t <= TIMES; t++)
            gp_buf_printf(&want, "if%03u %u 4|0.0.0.0 0.0.0.0 %u 0 0 0 0 0\n", i, 300 * t, t);
    want_ok_err(&err, import_text(root, &(struct input){.text = gp_buf_str(&b)}, &st, &err));
    assert_int_equal(st.ifaces, IFACES);
    assert_int_equal(st.blocks, IFACES * TIMES);
    GP_CLEANUP(gp_freep) char *have = st_dump(root);
    assert_string_equal(have, gp_buf_str(&want));
}

/* ---- several days: those that are over are committed side by side ---- */

static void test_days(void **state)
{
    (void)state;
    enum { IFACES = 5, DAYS = 3, A_DAY = 3 };
    GP_CLEANUP(gp_buf_free) gp_buf b = {0}, want = {0};
    unsigned line = 2;

    gp_buf_adds(&b, "time,iface,dport\n");
    for (unsigned t = 0; t < DAYS * A_DAY; t++)
        for (unsigned i = 0; i < IFACES; i++, line++)
            gp_buf_printf(&b, "%u,if%u,%u\n", 86400 / A_DAY * t + 300, i, t);
    gp_buf_adds(&b, "600,if0,1\n"); /* goes back: the rows of the last time are not written */
    for (unsigned i = 0; i < IFACES; i++)
        for (unsigned t = 0; t < DAYS * A_DAY - 1; t++)
            gp_buf_printf(&want, "if%u %u 4|0.0.0.0 0.0.0.0 %u 0 0 0 0 0\n", i,
                          86400 / A_DAY * t + 300, t);
    for (unsigned threads = 1; threads <= 3; threads++) {
        GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
        struct input in = {.text = gp_buf_str(&b), .threads = threads};
        char where[32];
        godb_import_stats st;
        gp_err err = {0};

        snprintf(where, sizeof where, "in.csv:%u: ", line);
        want_err(GP_EINVAL, &err, where, import_text(root, &in, &st, &err));
        assert_int_equal(st.blocks, IFACES * (DAYS * A_DAY - 1));
        GP_CLEANUP(gp_freep) char *have = st_dump(root);
        assert_string_equal(have, gp_buf_str(&want));
    }
}

/* ---- cancel, progress, a slow pipe ---- */

static void count_progress(void *ctx, const godb_import_stats *st)
{
    assert_true(st->bytes_total == 0 || st->bytes_in <= st->bytes_total);
    ++*(int *)ctx;
}

static void test_cancel_on_silent_pipe(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    godb_import_opts o = GODB_IMPORT_OPTS_INIT;
    gp_cancel cancel = GP_CANCEL_INIT;
    int ends[2], calls = 0;
    gp_err err = {0};
    static const char text[] = "time,iface,dport\n300,e,1\n600,e,2\n";

    for (unsigned threads = 1; threads <= 2; threads++) {
        assert_int_equal(pipe(ends), 0);
        assert_int_equal(write(ends[1], text, strlen(text)), (long)strlen(text));
        cancel = (gp_cancel)GP_CANCEL_INIT;
        cancel.deadline = gp_deadline_in_ms(300);
        o.cancel = &cancel;
        o.threads = threads;
        o.progress = count_progress;
        o.progress_ctx = &calls;
        godb_import_stats st;
        want_status(GP_EDEADLINE, godb_import(root, ends[0], "pipe", &o, &st, &err));
        assert_int_equal(st.blocks, 1); /* the rows of time 600 may not be complete */
        close(ends[0]);
        close(ends[1]);
        if (threads == 1)
            test_rmtree(root);
    }
    assert_true(calls > 0);
}

/* ---- corpus ---- */

static void compare_db(const char *got_root, const char *want_root, const char *iface,
                       int64_t first_s, int64_t last_s)
{
    GP_CLEANUP(godb_db_closep) godb_db *got = NULL, *want = NULL;
    godb_days g = {0}, w = {0};

    want_ok(godb_db_open(got_root, &got, NULL));
    want_ok(godb_db_open(want_root, &want, NULL));
    want_ok(godb_db_days(got, iface, first_s, last_s, &g, NULL));
    want_ok(godb_db_days(want, iface, first_s, last_s, &w, NULL));
    assert_int_equal(g.n, w.n);
    for (size_t i = 0; i < w.n; i++)
        for (int c = 0; c < GODB_N_COLS; c++) {
            GP_CLEANUP(gp_freep)
            char *a = gp_asprintf("%s/%s/%s", got_root, g.v[i].path, godb_col_file((godb_col)c));
            GP_CLEANUP(gp_freep)
            char *b = gp_asprintf("%s/%s/%s", want_root, w.v[i].path, godb_col_file((godb_col)c));
            size_t na = 0, nb = 0;
            GP_CLEANUP(gp_freep) char *x = test_slurp(a, &na);
            GP_CLEANUP(gp_freep) char *y = test_slurp(b, &nb);
            if (na != nb || memcmp(x, y, na) != 0)
                fail_msg("%s differs from %s", a, b);
        }
    godb_days_free(&g);
    godb_days_free(&w);
}

static void test_upstream(void **state)
{
    (void)state;
    static const char db_path[] = SHARED_DIR "/corpus/upstream-testdb";
    if (!test_have_shared())
        skip();
    for (unsigned threads = 1; threads <= 3; threads++) {
        GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
        GP_CLEANUP(gp_closep)
        int fd = open(SHARED_DIR "/corpus/upstream-testdb-flows.csv", O_RDONLY | O_CLOEXEC);
        godb_import_opts o = GODB_IMPORT_OPTS_INIT;
        godb_import_stats st;
        gp_err err = {0};
        GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
        char **names = NULL;
        size_t n = 0;

        o.threads = threads;
        o.writer.sync = GODB_SYNC_NONE;
        want_ok_err(&err, godb_import(root, fd, "flows.csv", &o, &st, &err));
        assert_int_equal(st.rows_read, 23373);
        assert_int_equal(st.rows_imported, 23373);
        assert_int_equal(st.blocks, 1029);
        assert_int_equal(st.ifaces, 7);
        want_ok(godb_db_open(db_path, &db, NULL));
        want_ok(godb_db_ifaces(db, &names, &n, NULL));
        for (size_t i = 0; i < n; i++)
            compare_db(root, db_path, names[i], 0, INT64_MAX);
        godb_strv_free(names);
    }
}

/* ---- damaged days in the way ---- */

static void keep_note(void *ctx, const char *text)
{
    gp_buf *b = ctx;
    gp_buf_printf(b, "%s\n", text);
}

static void cut_file(const char *root, const char *iface, const char *file, off_t len)
{
    GP_CLEANUP(gp_freep) char *day = st_only_day(root, iface);
    GP_CLEANUP(gp_freep) char *path = gp_asprintf("%s/%s/%s", root, day, file);
    assert_int_equal(truncate(path, len), 0);
}

/* Every day that an import moves away is named, with the place where it is, however long that is.
 */
static void test_damaged_days(void **state)
{
    (void)state;
    static const char before[] = T ",a,1.2.3.4\n" T ",b,1.2.3.4\n" T ",c,1.2.3.4\n"
                                   "1700000400,c,9.9.9.9\n",
                      after[] =
                          "1700000700,a,1.2.3.5\n1700000700,b,1.2.3.5\n1700000700,c,1.2.3.5\n";
    for (unsigned threads = 1; threads < 4; threads += 2) {
        GP_CLEANUP(test_tmpdirp) char *top = test_tmpdir();
        GP_CLEANUP(gp_freep) char *root = gp_asprintf("%s/%0150d", top, 7);
        GP_CLEANUP(gp_freep) char *csv = gp_asprintf("%s/in.csv", top);
        GP_CLEANUP(gp_buf_free) gp_buf notes = {0};
        const struct input first = {.text = before, .schema = "time,iface,sip"};
        godb_import_opts o = GODB_IMPORT_OPTS_INIT;
        godb_import_stats st;
        gp_err err = {0};
        size_t n = 0;

        want_ok_err(&err, import_text(root, &first, &st, &err));
        assert_true(st.notes == 0);
        cut_file(root, "a", ".blockmeta", 0);
        cut_file(root, "b", ".blockmeta", 7);
        cut_file(root, "c", "sip.gpf", 4); /* its second block is lost */
        test_spew(csv, after, strlen(after));
        GP_CLEANUP(gp_closep) int fd = open(csv, O_RDONLY | O_CLOEXEC);
        o.schema = first.schema;
        o.threads = threads;
        o.on_note = keep_note;
        o.on_note_ctx = &notes;
        want_ok_err(&err, godb_import(root, fd, "in.csv", &o, &st, &err));
        char *text = gp_buf_take(&notes), *at = text;
        for (char *end; *at; at = end + 1, n++) {
            end = strchr(at, '\n');
            *end = '\0';
            char *place = strstr(at, ".quarantine/"), *path = place ? strstr(at, top) : NULL;
            if (!path)
                fail_msg("no place in: %s", at);
            path[strcspn(path, ";")] = '\0';
            if (access(path, F_OK) != 0)
                fail_msg("it is not there: %s", path);
        }
        assert_true(n == 3 && st.notes == 3);
        gp_free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),           cmocka_unit_test(test_errors),
        cmocka_unit_test(test_endless_record), cmocka_unit_test(test_row_limit),
        cmocka_unit_test(test_nul_in_name),    cmocka_unit_test(test_append),
        cmocka_unit_test(test_locked),         cmocka_unit_test(test_many_ifaces),
        cmocka_unit_test(test_days),           cmocka_unit_test(test_cancel_on_silent_pipe),
        cmocka_unit_test(test_damaged_days),   cmocka_unit_test(test_upstream),
    };
    st_utc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
