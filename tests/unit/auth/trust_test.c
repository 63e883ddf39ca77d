/* trust_test.c - trusted_keys files: grammar, defaults, validity, look-ups, reload under readers.
 */
#include "auth/keys.h"
#include "auth/request.h"

#include "gp/num.h"
#include "test.h"

#include <pthread.h>
#include <stdatomic.h>

#define PK1 "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
#define PK2 "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"

static void test_grammar(void **state)
{
    (void)state;
    static const struct {
        const char *what, *text;
        gp_status want;
        const char *part; /* of the error */
    } cases[] = {
        {"empty file", "", GP_OK, ""},
        {"comments and blanks", "# x\n\n   \n  # y\r\n", GP_OK, ""},
        {"plain", "agent fw-1 " PK1 "\n", GP_OK, ""},
        {"no newline, tabs, blanks", "  user\tu  " PK1 "  \t", GP_OK, ""},
        {"all options",
         "user u " PK1 " roles=query,live,status,config.read,config.write,relay hosts=fw*,a-? "
         "ifaces=eth* max-span=31d not-before=2026-01-01 not-after=2027-01-01T12:00:00Z",
         GP_OK, ""},
        {"no roles", "user u " PK1 " roles=none", GP_OK, ""},
        {"two keys of one name", "agent a " PK1 "\nagent a " PK2 "\n", GP_OK, ""},
        {"kind", "agnt fw-1 " PK1, GP_EINVAL, "line 1: kind 'agnt'"},
        {"second line", "agent a " PK1 "\nagent a b\n", GP_EINVAL, "line 2"},
        {"name", "agent a/b " PK1, GP_EINVAL, "name 'a/b'"},
        {"no key", "agent a", GP_EINVAL, "64 hex"},
        {"short key", "agent a d75a", GP_EINVAL, "64 hex"},
        {"not a point", "agent a 0200000000000000000000000000000000000000000000000000000000000000",
         GP_EINVAL, "valid Ed25519"},
        {"small order", "agent a 0100000000000000000000000000000000000000000000000000000000000000",
         GP_EINVAL, "valid Ed25519"},
        {"same key twice", "agent a " PK1 "\nuser b " PK1 "\n", GP_EINVAL, "same"},
        {"unknown option", "agent a " PK1 " color=red", GP_EINVAL, "color"},
        {"option without value", "agent a " PK1 " roles", GP_EINVAL, "NAME=VALUE"},
        {"unknown role", "user a " PK1 " roles=query,admin", GP_EINVAL, "roles=query,admin"},
        {"empty role", "user a " PK1 " roles=query,,live", GP_EINVAL, "roles"},
        {"empty hosts", "user a " PK1 " hosts=", GP_EINVAL, "hosts"},
        {"span", "user a " PK1 " max-span=1week", GP_EINVAL, "max-span"},
        {"negative span", "user a " PK1 " max-span=-1h", GP_EINVAL, "max-span"},
        {"date", "user a " PK1 " not-after=2026-13-01", GP_EINVAL, "not-after"},
        {"date with rest", "user a " PK1 " not-after=2026-01-01x", GP_EINVAL, "not-after"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        auth_trust *t = NULL;
        gp_err err = {0};
        want_ok(auth_trust_new(&t, NULL));
        gp_status st = auth_trust_parse(t, cases[i].text, strlen(cases[i].text), &err);
        if (st != cases[i].want || (st && !strstr(err.msg, cases[i].part)))
            fail_msg("%s: %s \"%s\"", cases[i].what, gp_status_name(st), err.msg);
        auth_trust_free(t);
    }
}

static void test_find(void **state)
{
    (void)state;
    static const char text[] = "user u " PK1 " roles=query hosts=fw* max-span=2d not-before=1000 "
                               "not-after=2000\nagent a " PK2 "\n";
    uint8_t pk1[32], pk2[32], none[32] = {7};
    auth_trust *t = NULL;
    auth_peer p;
    assert_true(gp_unhex(PK1, 64, pk1, 32) && gp_unhex(PK2, 64, pk2, 32));
    want_ok(auth_trust_new(&t, NULL));
    assert_false(auth_trust_find(t, pk1, 1500, &p)); /* empty */
    want_ok(auth_trust_parse(t, text, sizeof text - 1, NULL));
    static const struct {
        int64_t now;
        int found;
    } times[] = {{999, 0}, {1000, 1}, {1500, 1}, {2000, 1}, {2001, 0}};
    for (size_t i = 0; i < COUNT(times); i++)
        if (auth_trust_find(t, pk1, times[i].now, &p) != times[i].found)
            fail_msg("at %lld: want %d", (long long)times[i].now, times[i].found);
    assert_true(auth_trust_find(t, pk1, 1500, &p));
    assert_string_equal(p.name, "u");
    assert_int_equal(p.kind, AUTH_KIND_USER);
    assert_int_equal(p.roles, AUTH_ROLE_QUERY);
    assert_string_equal(p.host_globs, "fw*");
    assert_string_equal(p.iface_globs, "*");
    assert_int_equal(p.max_span_s, 2 * 86400);
    assert_int_equal(p.local_uid, -1);
    assert_true(auth_trust_find(t, pk2, 5, &p));
    assert_int_equal(p.roles, 0);
    assert_string_equal(p.name, "a");
    assert_false(auth_trust_find(t, none, 1500, &p));
    /* A bad file changes nothing. */
    want_status(GP_EINVAL, auth_trust_parse(t, "x", 1, NULL));
    assert_true(auth_trust_find(t, pk2, 5, &p));
    auth_trust_free(t);
}

/* What auth_entry_format writes, auth_entry_parse reads back the same. */
static void test_format(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "agent fw-1 " PK1,
        "user alice " PK2 " roles=query,live hosts=fw*,a ifaces=eth? max-span=31d",
        "user bob " PK2 " roles=none max-span=90061s not-before=2026-01-02T03:04:05Z "
        "not-after=2026-12-31T23:59:59Z",
    };
    for (size_t i = 0; i < COUNT(lines); i++) {
        auth_peer p, q;
        gp_buf out = {0};
        gp_err err = {0};
        want_ok_err(&err, auth_entry_parse(lines[i], strlen(lines[i]), &p, &err));
        auth_entry_format(&p, &out);
        assert_int_equal(out.data[out.len - 1], '\n');
        out.len--;
        assert_string_equal(gp_buf_str(&out), lines[i]);
        want_ok(auth_entry_parse((char *)out.data, out.len, &q, NULL));
        assert_int_equal(p.roles, q.roles);
        gp_buf_free(&out);
    }
}

static void test_globs(void **state)
{
    (void)state;
    static const struct {
        const char *globs, *name;
        int want;
    } cases[] = {
        {"*", "anything", 1},
        {"*", "", 1},
        {"", "x", 0},
        {"fw*", "fw-1", 1},
        {"fw*", "xfw-1", 0},
        {"fw*,edge-?", "edge-1", 1},
        {"edge-?", "edge-", 0},
        {"edge-?", "edge-12", 0},
        {"a,b,c", "b", 1},
        {"a,b,c", "d", 0},
        {"*a*b*c*", "xxaxbxxc", 1},
        {"*a*b*c*", "xxaxcxxb", 0},
        {",,a", "a", 1},
        {"a", "A", 0},
        {"**", "x", 1},
        {"a?c", "abc", 1},
        {"*.example.org", "fw.example.org", 1},
        {"*.example.org", "example.org", 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        if (auth_glob_list_match(cases[i].globs, cases[i].name) != cases[i].want)
            fail_msg("'%s' against '%s'", cases[i].globs, cases[i].name);
    /* Linear enough for hostile patterns. */
    char name[4096];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = 0;
    assert_false(auth_glob_list_match("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", name));
}

typedef struct shared {
    auth_trust *t;
    atomic_int stop;
} shared;

static void *reader(void *arg)
{
    shared *s = arg;
    uint8_t pk1[32];
    uintptr_t hits = 0;
    assert_true(gp_unhex(PK1, 64, pk1, 32));
    while (!s->stop) {
        auth_peer p;
        if (auth_trust_find(s->t, pk1, 0, &p) && strcmp(p.name, "u") == 0)
            hits++;
    }
    return (void *)hits;
}

static void test_reload(void **state)
{
    (void)state;
    shared s = {0};
    pthread_t t[2];
    want_ok(auth_trust_new(&s.t, NULL));
    want_ok(auth_trust_parse(s.t, "user u " PK1, 7 + 64, NULL));
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&t[i], NULL, reader, &s), 0);
    for (int i = 0; i < 300; i++) {
        const char *text = i % 2 ? "user u " PK1 "\nagent b " PK2 : "agent b " PK2 "\nuser u " PK1;
        want_ok(auth_trust_parse(s.t, text, strlen(text), NULL));
        usleep(100);
    }
    s.stop = 1;
    for (int i = 0; i < 2; i++) {
        void *hits;
        pthread_join(t[i], &hits);
        assert_non_null(hits);
    }
    auth_trust_free(s.t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grammar), cmocka_unit_test(test_find),
        cmocka_unit_test(test_format),  cmocka_unit_test(test_globs),
        cmocka_unit_test(test_reload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
