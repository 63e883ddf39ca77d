/* audit_test.c - audit logs: chain, checkpoints, restart, torn lines, rotation, every tampering. */
#include "auth/audit.h"

#include "gp/io.h"
#include "gp/mem.h"
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 4 << 20 };

typedef struct env {
    char dir[64], path[96];
    auth_identity *id;
    auth_audit *log;
} env;

static int setup(void **state)
{
    env *e = gp_calloc(1, sizeof *e);
    snprintf(e->dir, sizeof e->dir, "/tmp/audit_test.XXXXXX");
    assert_non_null(mkdtemp(e->dir));
    snprintf(e->path, sizeof e->path, "%s/a.log", e->dir);
    want_ok(auth_identity_new(AUTH_KIND_AGENT, "fw-1", &e->id, NULL));
    *state = e;
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = {"a.log",      "a.log.1", "a.log.2", "a.log.3",
                                        "a.log.head", "moved",   "b.log"};
    env *e = *state;
    auth_audit_close(e->log);
    auth_identity_free(e->id);
    for (size_t i = 0; i < COUNT(names); i++) {
        char p[128];
        snprintf(p, sizeof p, "%s/%s", e->dir, names[i]);
        unlink(p);
    }
    assert_int_equal(rmdir(e->dir), 0);
    gp_free(e);
    return 0;
}

static gp_status open_with(env *e, uint64_t max_bytes, gp_err *err)
{
    const auth_audit_opts o = {.path = e->path,
                               .identity = e->id,
                               .program = "test/1",
                               .max_bytes = max_bytes,
                               .keep = 3,
                               .checkpoint_ms = 20,
                               .sync_ms = 5};
    return auth_audit_open(&o, &e->log, err);
}

static void add(env *e, const char *what, int64_t n)
{
    const auth_audit_field f[] = {auth_audit_text("what", what), auth_audit_number("n", n), {0}};
    auth_audit_add(e->log, "query", f);
}

static void close_log(env *e)
{
    auth_audit_close(e->log);
    e->log = NULL;
}

static void load(const char *path, gp_buf *b)
{
    gp_buf_clear(b);
    want_ok(gp_read_file(AT_FDCWD, path, FILE_MAX, b, NULL));
}

static void store(const char *path, const void *bytes, size_t n)
{
    want_ok(gp_write_file_atomic(AT_FDCWD, path, bytes, n, 0600, NULL));
}

/* Check all lines; *bad: number of the first bad one. */
static gp_status check_bytes(auth_audit_check *c, const char *p, size_t len, size_t *bad,
                             gp_err *err)
{
    size_t no = 0;
    for (size_t at = 0; at < len;) {
        const char *nl = memchr(p + at, '\n', len - at);
        size_t n = nl ? (size_t)(nl - p) - at : len - at;
        *bad = ++no;
        GP_TRY(auth_audit_check_line(c, p + at, n, err));
        at += n + 1;
    }
    *bad = 0;
    return GP_OK;
}

static void want_good(env *e, const char *path, auth_audit_check *c)
{
    gp_buf b = {0};
    gp_err err = {0};
    size_t bad;
    c->want_key = auth_identity_sign_pk(e->id);
    load(path, &b);
    gp_status st = check_bytes(c, (char *)b.data, b.len, &bad, &err);
    if (st != GP_OK)
        fail_msg("%s:%zu: %s", path, bad, err.msg);
    gp_buf_free(&b);
}

static void test_life(void **state)
{
    env *e = *state;
    struct stat sb;
    auth_audit_check c = {0};
    want_ok(open_with(e, 0, NULL));
    add(e, "sip,dip", 1);
    add(e, "quote \" backslash \\ newline \n tab \t bell \a", -2);
    close_log(e);
    assert_int_equal(stat(e->path, &sb), 0);
    assert_int_equal(sb.st_mode & 0777, 0600);
    want_good(e, e->path, &c);
    assert_int_equal(c.last_seq, c.lines); /* open, checkpoint, 2, close, checkpoint */
    assert_true(c.lines >= 6 && c.checkpoints >= 2 && c.not_signed == 0);
    gp_buf b = {0};
    load(e->path, &b);
    assert_non_null(
        strstr(gp_buf_str(&b),
               ",\"what\":\"quote \\\" backslash \\\\ newline \\u000a tab \\u0009 bell \\u0007\","
               "\"n\":-2,\"hash\":\""));
    gp_buf_free(&b);
    /* A second run goes on with the same chain. */
    want_ok(open_with(e, 0, NULL));
    add(e, "proto", 3);
    close_log(e);
    auth_audit_check again = {0};
    want_good(e, e->path, &again);
    assert_true(again.lines >= c.lines + 5);
    auth_audit_add(NULL, "query", NULL); /* no log: nothing happens */
    want_ok(auth_audit_reopen(NULL, NULL));
}

/* The thread signs without being asked. */
static void test_checkpoints_come(void **state)
{
    env *e = *state;
    want_ok(open_with(e, 0, NULL));
    add(e, "sip", 1);
    for (int i = 0; i < 2000; i++) { /* at most 20 s; normally 30 ms */
        auth_audit_check c = {0};
        gp_buf head = {0};
        char path[128];
        auth_audit_line l;
        want_good(e, e->path, &c);
        snprintf(path, sizeof path, "%s.head", e->path);
        load(path, &head);
        want_ok(auth_audit_check_head((char *)head.data, head.len, auth_identity_sign_pk(e->id), &l,
                                      NULL));
        gp_buf_free(&head);
        if (c.not_signed == 0 && c.lines >= 4 && l.seq == c.last_seq)
            return;
        usleep(10000);
    }
    fail_msg("no checkpoint came");
}

static void test_torn_line(void **state)
{
    env *e = *state;
    gp_buf b = {0}, cut = {0};
    auth_audit_check c = {0};
    want_ok(open_with(e, 0, NULL));
    add(e, "sip", 1);
    close_log(e);
    load(e->path, &b);
    const char *last = memrchr(b.data, '\n', b.len - 1);
    size_t whole = (size_t)(last + 1 - (char *)b.data);
    char head[128];
    snprintf(head, sizeof head, "%s.head", e->path);
    for (size_t n = whole + 1; n < b.len;
         n += 37) { /* power went while the last line was written */
        store(e->path, b.data, n);
        unlink(head);
        want_ok(open_with(e, 0, NULL));
        close_log(e);
        c = (auth_audit_check){0};
        want_good(e, e->path, &c);
        load(e->path, &cut);
        char want[40];
        snprintf(want, sizeof want, "\"torn_bytes\":%zu,", n - whole);
        assert_non_null(strstr(gp_buf_str(&cut), want));
    }
    /* Also when it was the very first one. */
    store(e->path, b.data, 30);
    unlink(head);
    want_ok(open_with(e, 0, NULL));
    close_log(e);
    c = (auth_audit_check){0};
    want_good(e, e->path, &c);
    assert_int_equal(c.first_seq, 1);
    gp_buf_free(&b);
    gp_buf_free(&cut);
}

static void test_not_ours(void **state)
{
    env *e = *state;
    static const char *const texts[] = {"fleetprobe-key-v1 agent x 00", "hello\n", "\n",
                                        "{\"seq\":1}\n", "{\"seq\":7,\"time\":\""};
    gp_buf b = {0};
    for (size_t i = 0; i < COUNT(texts); i++) { /* somebody's file: refuse it, leave it alone */
        gp_err err = {0};
        store(e->path, texts[i], strlen(texts[i]));
        want_err(GP_ECORRUPT, &err, "last line", open_with(e, 0, &err));
        load(e->path, &b);
        assert_string_equal(gp_buf_str(&b), texts[i]);
    }
    gp_buf_free(&b);
}

static void test_one_writer(void **state)
{
    env *e = *state;
    gp_err err = {0};
    want_ok(open_with(e, 0, NULL));
    auth_audit *first = e->log;
    want_err(GP_EEXIST, &err, "another process", open_with(e, 0, &err));
    e->log = first;
}

static void test_rotation(void **state)
{
    env *e = *state;
    auth_audit_check c = {0};
    char path[128];
    want_ok(open_with(e, 8000, NULL));
    for (int i = 0; i < 200; i++)
        add(e, "sip,dip,dport,proto", i);
    close_log(e);
    for (int i = 3; i >= 0; i--) { /* one chain across the files */
        snprintf(path, sizeof path, i ? "%s.%d" : "%s", e->path, i);
        want_good(e, path, &c);
    }
    assert_true(c.first_seq > 1 && c.lines < 200); /* the oldest ones went away */
    snprintf(path, sizeof path, "%s.4", e->path);
    assert_int_equal(access(path, F_OK), -1);
    /* Renamed by somebody else, then SIGHUP. */
    snprintf(path, sizeof path, "%s/moved", e->dir);
    want_ok(open_with(e, 0, NULL));
    add(e, "before", 1);
    want_ok(auth_audit_reopen(e->log, NULL)); /* still the same file: nothing happens */
    assert_int_equal(rename(e->path, path), 0);
    add(e, "in between", 2);
    want_ok(auth_audit_reopen(e->log, NULL));
    add(e, "after", 3);
    close_log(e);
    c = (auth_audit_check){0};
    want_good(e, path, &c);
    want_good(e, e->path, &c);
}

/* Renamed while nobody ran: the chain goes on from the last checkpoint. */
static void test_moved_while_down(void **state)
{
    env *e = *state;
    auth_audit_check c = {0};
    char path[128];
    snprintf(path, sizeof path, "%s/moved", e->dir);
    want_ok(open_with(e, 0, NULL));
    close_log(e);
    assert_int_equal(rename(e->path, path), 0);
    want_ok(open_with(e, 0, NULL));
    close_log(e);
    want_good(e, path, &c);
    want_good(e, e->path, &c);
}

static void test_truncated(void **state)
{
    env *e = *state;
    gp_buf b = {0};
    gp_err err = {0};
    size_t bad;
    want_ok(open_with(e, 0, NULL));
    for (int i = 0; i < 10; i++)
        add(e, "sip", i);
    close_log(e);
    load(e->path, &b);
    const char *third = (char *)b.data;
    for (int i = 0; i < 3; i++)
        third = strchr(third, '\n') + 1;
    store(e->path, b.data, (size_t)(third - (char *)b.data));
    /* The daemon starts again: the gap is said and stays visible. */
    want_ok(open_with(e, 0, NULL));
    close_log(e);
    load(e->path, &b);
    assert_non_null(strstr(gp_buf_str(&b), "\"missing\":"));
    auth_audit_check c = {0};
    want_err(GP_ECORRUPT, &err, "are missing", check_bytes(&c, (char *)b.data, b.len, &bad, &err));
    assert_int_equal(bad, 4);
    gp_buf_free(&b);
}

static char *line_at(gp_buf *b, int no)
{
    char *p = (char *)(uintptr_t)gp_buf_str(b);
    while (no-- > 1)
        p = strchr(p, '\n') + 1;
    return p;
}

static void test_tampering(void **state)
{
    env *e = *state;
    gp_buf good = {0}, b = {0};
    auth_identity *other = NULL;
    size_t bad;
    want_ok(auth_identity_new(AUTH_KIND_AGENT, "eve", &other, NULL));
    want_ok(open_with(e, 0, NULL));
    for (int i = 0; i < 5; i++)
        add(e, "sip", i);
    close_log(e);
    load(e->path, &good);
    /* Every bit of every byte: some line does not fit. */
    for (size_t i = 0; i < good.len; i++) {
        auth_audit_check c = {.want_key = auth_identity_sign_pk(e->id)};
        gp_buf_clear(&b);
        gp_buf_add(&b, good.data, good.len);
        b.data[i] ^= (uint8_t)(1 << (i % 8));
        if (check_bytes(&c, (char *)b.data, b.len, &bad, NULL) == GP_OK)
            fail_msg("byte %zu changed: not noticed", i);
        size_t line = 1;
        for (size_t k = 0; k < i; k++)
            line += good.data[k] == '\n';
        if (bad != line && bad != line + 1)
            fail_msg("byte %zu in line %zu changed: line %zu named", i, line, bad);
    }
    /* A line taken out, doubled, exchanged. */
    static const struct {
        const char *what;
        int order[4];
        const char *part;
    } moves[] = {{"removed", {3, 5}, "missing"},
                 {"doubled", {3, 4, 4, 5}, "inserted"},
                 {"exchanged", {3, 5, 4}, "missing"}};
    for (size_t i = 0; i < COUNT(moves); i++) {
        auth_audit_check c = {0};
        gp_err err = {0};
        gp_buf_clear(&b);
        gp_buf_add(&b, good.data, (size_t)(line_at(&good, 3) - (char *)good.data));
        for (size_t k = 0; k < 4 && moves[i].order[k]; k++) {
            char *p = line_at(&good, moves[i].order[k]);
            gp_buf_add(&b, p, (size_t)(strchr(p, '\n') + 1 - p));
        }
        gp_status st = check_bytes(&c, (char *)b.data, b.len, &bad, &err);
        if (st == GP_OK || !strstr(err.msg, moves[i].part))
            fail_msg("%s: %s", moves[i].what, err.msg);
    }
    /* The beginning cut off; signed by somebody else. */
    auth_audit_check c = {0};
    gp_err err = {0};
    char *third = line_at(&good, 3);
    want_err(GP_ECORRUPT, &err, "beginning is missing",
             check_bytes(&c, third, good.len - (size_t)(third - (char *)good.data), &bad, &err));
    c = (auth_audit_check){.want_key = auth_identity_sign_pk(other)};
    want_err(GP_EDENIED, &err, "another key",
             check_bytes(&c, (char *)good.data, good.len, &bad, &err));
    assert_int_equal(bad, 2);
    auth_identity_free(other);
    gp_buf_free(&good);
    gp_buf_free(&b);
}

/* A long or strange text never keeps a line from being written. */
static void test_long_texts(void **state)
{
    env *e = *state;
    enum { LEN = 100000 };
    static char text[LEN + 1];
    auth_audit_check c = {0};
    memset(text, 1, LEN);
    want_ok(open_with(e, 0, NULL));
    const auth_audit_field f[] = {auth_audit_text("a", text),
                                  auth_audit_text("b", text),
                                  auth_audit_text("c", text),
                                  auth_audit_text("d", text),
                                  {0}};
    auth_audit_add(e->log, "query", f);
    add(e, "next", 1);
    close_log(e);
    want_good(e, e->path, &c);
    gp_buf b = {0};
    load(e->path, &b);
    assert_null(strstr(gp_buf_str(&b), "lost"));
    assert_non_null(strstr(gp_buf_str(&b), "\"d\":\"\\u0001"));
    gp_buf_free(&b);
}

static void test_flood_of_refusals(void **state)
{
    env *e = *state;
    auth_audit_check c = {0};
    want_ok(open_with(e, 0, NULL));
    for (int i = 0; i < 5000; i++)
        auth_audit_refused(e->log, "denied", NULL);
    add(e, "honest", 1);
    close_log(e);
    want_good(e, e->path, &c);
    gp_buf b = {0};
    load(e->path, &b);
    assert_non_null(strstr(gp_buf_str(&b), "\"what\":\"honest\""));
    assert_non_null(strstr(gp_buf_str(&b), "\"lost\":")); /* and it is said that there were more */
    gp_buf_free(&b);
}

static atomic_int failures;
static void count_failure(void *ctx, const gp_err *err)
{
    (void)ctx;
    (void)err;
    atomic_fetch_add(&failures, 1);
}

/* A full disk: /dev/full is none of ours to make, so a file size limit stands for it. Returns the
 * limit before. */
static rlim_t limit_files(rlim_t bytes)
{
    struct rlimit l;
    assert_int_equal(sigaction(SIGXFSZ, &(struct sigaction){.sa_handler = SIG_IGN}, NULL), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
    rlim_t before = l.rlim_cur;
    l.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
    return before;
}

static void open_counting(env *e)
{
    const auth_audit_opts o = {.path = e->path,
                               .identity = e->id,
                               .program = "test/1",
                               .checkpoint_ms = 1000000,
                               .on_error = count_failure};
    want_ok(auth_audit_open(&o, &e->log, NULL));
}

/* The log is good and holds text. */
static void want_text(env *e, const char *text)
{
    auth_audit_check c = {0};
    gp_buf b = {0};
    want_good(e, e->path, &c);
    load(e->path, &b);
    assert_non_null(strstr(gp_buf_str(&b), text));
    gp_buf_free(&b);
}

static void test_cannot_write(void **state)
{
    env *e = *state;
    open_counting(e);
    rlim_t before = limit_files(2000);
    for (int i = 0; i < 50; i++)
        add(e, "sip,dip,dport,proto", i);
    (void)limit_files(before);
    assert_true(atomic_load(&failures) > 10);
    add(e, "again", 1);
    close_log(e);
    want_text(e, "\"what\":\"again\",\"n\":1,\"lost\":");
}

/* A daemon starts on a full disk all the same, and says that lines are missing when there is room:
 * in the line with which every file begins, also one that is made anew. */
static void test_opens_on_full_disk(void **state)
{
    env *e = *state;
    for (int fresh = 0; fresh < 2; fresh++) {
        int failed = atomic_load(&failures);
        if (!fresh) {
            open_counting(e);
            close_log(e);
        }
        rlim_t before = limit_files(10);
        open_counting(e);
        add(e, "full", 1);
        add(e, "full", 2);
        (void)limit_files(before);
        assert_true(atomic_load(&failures) >= failed + 3);
        add(e, "again", 1);
        close_log(e);
        want_text(e, "\"event\":\"open\",\"prev\":");
        want_text(e, ",\"lost\":3,\"hash\":");
        want_text(e, "\"what\":\"again\",\"n\":1,\"hash\":");
        char head[128];
        snprintf(head, sizeof head, "%s.head", e->path);
        assert_int_equal(unlink(e->path) + unlink(head), 0);
    }
}

/* The same for a file that is made while the daemon runs. */
static void test_new_file_on_full_disk(void **state)
{
    env *e = *state;
    gp_err err = {0};
    open_counting(e);
    assert_int_equal(unlink(e->path), 0); /* logrotate took it */
    rlim_t before = limit_files(10);
    want_status(GP_EIO, auth_audit_reopen(e->log, &err));
    (void)limit_files(before);
    add(e, "again", 1);
    close_log(e);
    want_text(e, "\"why\":\"reopened\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_life, setup, teardown),
        cmocka_unit_test_setup_teardown(test_checkpoints_come, setup, teardown),
        cmocka_unit_test_setup_teardown(test_torn_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_ours, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_writer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rotation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_moved_while_down, setup, teardown),
        cmocka_unit_test_setup_teardown(test_truncated, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tampering, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_texts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flood_of_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cannot_write, setup, teardown),
        cmocka_unit_test_setup_teardown(test_opens_on_full_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_new_file_on_full_disk, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
