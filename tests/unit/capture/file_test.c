/* file_test.c - capture files: byte orders, precisions, gzip, pcapng, and what must be refused
 * (L-14). */
#include "capture/file.h"
#include "pcapfile.h"

static const uint8_t packet[60] = {[12] = 8, [14] = 0x45};

/* Path below dir; gp_free() it. */
static char *below(const char *dir, const char *name)
{
    char *p = gp_asprintf("%s/%s", dir, name);
    assert_non_null(p);
    return p;
}

static void test_formats(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    for (int v = 0; v < 8; v++) {
        int big = v & 1, ns = v >> 1 & 1, gz = v >> 2;
        GP_CLEANUP(gp_freep) char *path = below(dir, "x.pcap");
        pcapfile w;
        capture_file *f = NULL;
        capture_frame fr;
        gp_err err = {0};

        pcapfile_head(&w, big, ns, 65535, 1);
        pcapfile_record(&w, 1700000000, 500, packet, 60, 1514);
        pcapfile_record(&w, 0xf0000000, 0, packet, 14, 60); /* after 2038 */
        pcapfile_save(&w, path, gz);
        want_ok_err(&err, capture_file_open(path, &f, &err));
        assert_int_equal(capture_file_dlt(f), 1);
        assert_string_equal(capture_file_path(f), path);
        assert_int_equal(capture_file_next(f, &fr, &err), 1);
        assert_int_equal(fr.caplen, 60);
        assert_int_equal(fr.len, 1514);
        assert_memory_equal(fr.data, packet, 60);
        int64_t want = INT64_C(1700000000) * 1000000000 + (ns ? 500 : 500000);
        assert_true(fr.time_ns == want);
        assert_int_equal(capture_file_next(f, &fr, &err), 1);
        assert_true(fr.time_ns == INT64_C(0xf0000000) * 1000000000);
        assert_int_equal(capture_file_next(f, &fr, &err), 0);
        capture_file_close(f);
    }
}

static void test_refused(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    static const struct {
        const char *what;
        uint32_t snaplen, link;
        gp_status want;
        const char *text;
    } cases[] = {
        {"snap length 0", 0, 1, GP_ECORRUPT, "snap length of 0 or above 16 MiB"},
        {"snap length 16 MiB + 1", (16 << 20) + 1, 1, GP_ECORRUPT, "snap length"},
        {"802.11", 65535, 105, GP_EUNSUPPORTED, "link type IEEE802_11 (105) is not supported"},
        {"unknown link type", 65535, 9999, GP_EUNSUPPORTED, "(9999) is not supported"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        GP_CLEANUP(gp_freep) char *path = below(dir, "x.pcap");
        capture_file *f = NULL;
        pcapfile w;
        gp_err err = {0};
        pcapfile_head(&w, (int)(i & 1), 0, cases[i].snaplen, cases[i].link);
        pcapfile_save(&w, path, 0);
        want_err(cases[i].want, &err, cases[i].text, capture_file_open(path, &f, &err));
        if (f)
            fail_msg("%s", cases[i].what);
    }
    capture_file *f = NULL;
    gp_err err = {0};
    GP_CLEANUP(gp_freep) char *none = below(dir, "none");
    GP_CLEANUP(gp_freep) char *text = below(dir, "text");
    GP_CLEANUP(gp_freep) char *empty = below(dir, "empty");
    test_spew(text, "not a capture file at all, but long enough", 42);
    test_spew(empty, "", 0);
    want_err(GP_ENOTFOUND, &err, "none", capture_file_open(none, &f, &err));
    want_err(GP_ECORRUPT, &err, "not a capture file", capture_file_open(text, &f, &err));
    want_err(GP_ECORRUPT, &err, "empty", capture_file_open(empty, &f, &err));
    want_err(GP_ECORRUPT, &err, "", capture_file_open(dir, &f, &err));
}

/* Good records, then a fault: the good ones are delivered, then one error that says what and where.
 */
static void test_breaks_off(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    static const struct {
        const char *what;
        uint32_t caplen; /* that the third record claims; it holds 10 bytes */
        const char *text;
    } cases[] = {
        {"longer than the snap length", 101, "longer than the snap length"},
        {"absurd length", 0xffffffff, "longer than the snap length"},
        {"cut in the record", 60, "truncated"},
    };
    for (size_t i = 0; i < COUNT(cases) * 2; i++) {
        GP_CLEANUP(gp_freep) char *path = below(dir, "x.pcap");
        capture_file *f = NULL;
        capture_frame fr;
        pcapfile w;
        gp_err err = {0};
        pcapfile_head(&w, 0, 0, 100, 1);
        pcapfile_record(&w, 1, 0, packet, 60, 60);
        pcapfile_record(&w, 2, 0, packet, 60, 60);
        pcapfile_record(&w, 3, 0, packet, 10, 60);
        gp_put_le32(w.b.data + w.b.len - 18, cases[i / 2].caplen);
        pcapfile_save(&w, path, (int)(i & 1));
        want_ok_err(&err, capture_file_open(path, &f, &err));
        assert_int_equal(capture_file_next(f, &fr, &err), 1);
        assert_int_equal(capture_file_next(f, &fr, &err), 1);
        assert_int_equal(capture_file_next(f, &fr, &err), -1);
        if (!strstr(err.msg, cases[i / 2].text) || !strstr(err.msg, path))
            fail_msg("%s: \"%s\"", cases[i / 2].what, err.msg);
        capture_file_close(f);
    }
}

/* A minimal pcapng: section header, interface (Ethernet), one enhanced packet of 14 bytes. */
static void test_pcapng(void **state)
{
    (void)state;
    static const uint32_t words[] = {
        0x0a0d0d0a, 28, 0x1a2b3c4d, 1,          0xffffffff, 0xffffffff, 28, /* section */
        1,          20, 1,          65535,      20,                         /* interface */
        6,          48, 0,          0x0006079f, 0x12345678, 14,         1500,
        0,          0,  0,          0,          48 /* packet, time in us */
    };
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    GP_CLEANUP(gp_freep) char *path = below(dir, "x.pcapng");
    capture_file *f = NULL;
    capture_frame fr;
    gp_err err = {0};
    gp_buf b = {0};

    for (size_t i = 0; i < COUNT(words); i++) {
        uint8_t le[4];
        gp_put_le32(le, words[i]);
        gp_buf_add(&b, le, 4);
    }
    test_spew(path, b.data, b.len);
    gp_buf_free(&b);
    want_ok_err(&err, capture_file_open(path, &f, &err));
    assert_int_equal(capture_file_next(f, &fr, &err), 1);
    assert_int_equal(fr.caplen, 14);
    assert_int_equal(fr.len, 1500);
    assert_true(fr.time_ns == INT64_C(0x0006079f12345678) * 1000);
    assert_int_equal(capture_file_next(f, &fr, &err), 0);
    capture_file_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_breaks_off),
        cmocka_unit_test(test_pcapng),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
