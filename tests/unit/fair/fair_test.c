/* fair_test.c - places, calls and bytes between users: nobody takes everything, what becomes free
 * goes to who holds least, the books balance. */
#include "fair/fair.h"

#include "test.h"

#include <pthread.h>
#include <unistd.h>

static auth_peer user(const char *name)
{
    auth_peer p = {.local_uid = -1};
    snprintf(p.name, sizeof p.name, "%s", name);
    memcpy(p.sign_pk, p.name, 8);
    return p;
}

static fair_limits limits(void)
{
    return (fair_limits){.max_calls = 10,
                         .max_concurrent = 5,
                         .max_per_user = 5,
                         .max_waiting = 5,
                         .max_queue_ms = -1,
                         .mem_bytes = 800,
                         .mem_total = 1000};
}

static fair *start(const fair_limits *l)
{
    fair *f = NULL;
    want_ok(fair_new(l, &f, NULL));
    return f;
}

static fair_query *enter(fair *f, const char *name)
{
    auth_peer p = user(name);
    gp_cancel c = GP_CANCEL_INIT;
    gp_err err = {0};
    fair_query *q = NULL;
    want_ok_err(&err, fair_enter(f, &p, &c, &q, &err));
    return q;
}

static void refused(fair *f, const char *name, const char *why)
{
    auth_peer p = user(name);
    gp_cancel c = GP_CANCEL_INIT;
    gp_err err = {0};
    fair_query *q = NULL;
    want_err(GP_ELIMIT, &err, why, fair_enter(f, &p, &c, &q, &err));
}

static void stop(fair *f)
{
    fair_counts c;
    fair_count(f, &c);
    assert_int_equal(c.users + c.running + c.waiting + c.calls, 0);
    assert_int_equal(c.bytes, 0);
    fair_free(f);
}

static void test_places(void **state)
{
    (void)state;
    fair_limits l = limits();
    fair *f = start(&l);
    fair_query *q[5];
    for (int i = 0; i < 4; i++)
        q[i] = enter(f, "heavy");
    refused(f, "heavy", "too many queries at once"); /* the last place is not for who has four */
    q[4] = enter(f, "light");
    refused(f, "third", "too many queries at once");
    for (int i = 0; i < 5; i++)
        fair_leave(q[i]);
    stop(f);
    l.max_per_user = 2;
    f = start(&l);
    q[0] = enter(f, "heavy");
    q[1] = enter(f, "heavy");
    refused(f, "heavy", "2 queries of yours are running");
    fair_leave(q[0]);
    fair_leave(q[1]);
    stop(f);
}

/* Who waits is let in as soon as there is a place: first who has least, then who came first. */
struct waiter {
    fair *f;
    const char *name;
    gp_deadline deadline;
    gp_status st;
    fair_query *q;
    pthread_t t;
    atomic_int done;
};

static void *wait_main(void *arg)
{
    struct waiter *w = arg;
    auth_peer p = user(w->name);
    gp_cancel c = {0, w->deadline ? w->deadline : GP_NEVER};
    w->st = fair_enter(w->f, &p, &c, &w->q, NULL);
    atomic_store(&w->done, 1);
    return NULL;
}

static void wait_start(struct waiter *w, fair *f, const char *name, gp_deadline deadline)
{
    fair_counts c, before;
    fair_count(f, &before);
    *w = (struct waiter){.f = f, .name = name, .deadline = deadline};
    assert_int_equal(pthread_create(&w->t, NULL, wait_main, w), 0);
    do {
        usleep(500);
        fair_count(f, &c);
    } while (c.waiting == before.waiting && !atomic_load(&w->done));
}

static void wait_in(struct waiter *w)
{
    pthread_join(w->t, NULL);
    want_status(GP_OK, w->st);
}

static void test_queue(void **state)
{
    (void)state;
    fair_limits l = limits();
    l.max_concurrent = 2;
    l.max_queue_ms = 60000;
    fair *f = start(&l);
    fair_query *a = enter(f, "heavy"), *b = enter(f, "other");
    struct waiter heavy, second, light, late;
    wait_start(&heavy, f, "heavy", 0);
    wait_start(&second, f, "heavy", 0);
    wait_start(&light, f, "light", 0);
    wait_start(&late, f, "late", gp_deadline_in_ms(20));
    pthread_join(late.t, NULL);
    want_status(GP_EDEADLINE, late.st); /* its deadline does not wait for its turn */
    fair_leave(b);
    wait_in(&light); /* although heavy came first */
    assert_false(atomic_load(&heavy.done));
    fair_leave(a);
    wait_in(&heavy); /* now nobody has less */
    assert_false(atomic_load(&second.done));
    fair_stop(f);
    pthread_join(second.t, NULL);
    want_status(GP_EUNAVAILABLE, second.st);
    auth_peer p = user("new");
    gp_cancel c = GP_CANCEL_INIT;
    fair_query *q = NULL;
    want_status(GP_EUNAVAILABLE, fair_enter(f, &p, &c, &q, NULL));
    fair_leave(light.q);
    fair_leave(heavy.q);
    stop(f);
}

static void test_queue_is_shared(void **state)
{
    (void)state;
    fair_limits l = limits();
    l.max_concurrent = 1;
    l.max_per_user = 3;
    l.max_queue_ms = 60000;
    fair *f = start(&l);
    fair_query *a = enter(f, "heavy");
    struct waiter w[4];
    for (int i = 0; i < 3; i++)
        wait_start(&w[i], f, "heavy", 0);
    refused(f, "heavy", "too many queries"); /* its part of the queue is full, the queue is not */
    wait_start(&w[3], f, "light", 0);
    fair_leave(a);
    for (int i = 0; i < 4; i++) {
        int k = i == 3 ? 3 : i; /* nobody runs anything, so it goes by arrival */
        wait_in(&w[k]);
        fair_leave(w[k].q);
    }
    stop(f);
}

static void test_calls(void **state)
{
    (void)state;
    fair_limits l = limits();
    fair *f = start(&l);
    fair_query *h1 = enter(f, "heavy"), *h2 = enter(f, "heavy"), *light = enter(f, "light");
    assert_int_equal(fair_calls_take(h1, 50), 8); /* four fifths of ten, however many it wants */
    assert_int_equal(fair_calls_take(h2, 50), 0); /* a second query does not help */
    assert_int_equal(fair_calls_take(light, 5), 1);
    fair_calls_give(h1, 3); /* the light user's turn */
    assert_int_equal(fair_calls_take(light, 4), 3);
    assert_int_equal(fair_calls_take(h1, 45), 0);
    assert_int_equal(fair_calls_take(h2, 45), 0);
    fair_calls_give(light, 3);                      /* one of them is granted to it again, */
    assert_int_equal(fair_calls_take(light, 0), 0); /* but it wants nothing more: for others */
    assert_int_equal(fair_calls_take(h1, 45), 0);
    assert_int_equal(fair_calls_take(h2, 45), 2); /* between own queries: who has less */
    fair_leave(h1);
    fair_leave(h2);
    assert_int_equal(fair_calls_take(light, 50), 7);
    fair_leave(light);
    stop(f);
}

static void test_weights(void **state)
{
    (void)state;
    static const fair_weight w[] = {{"boss", 3}};
    fair_limits l = limits();
    l.max_calls = 100;
    l.weights = w;
    l.n_weights = COUNT(w);
    fair *f = start(&l);
    fair_query *boss = enter(f, "boss"), *clerk = enter(f, "clerk");
    unsigned b = fair_calls_take(boss, 500), c = fair_calls_take(clerk, 500);
    for (int i = 0; i < 300; i++) { /* calls end and others begin */
        fair_query *q = i & 1 ? boss : clerk;
        unsigned *n = i & 1 ? &b : &c;
        if (*n) {
            fair_calls_give(q, 1);
            --*n;
        }
        b += fair_calls_take(boss, 500);
        c += fair_calls_take(clerk, 500);
    }
    if (b < 2 * c || b > 4 * c)
        fail_msg("three times the weight has %u calls, the other %u", b, c);
    assert_true(b + c <= 100);
    fair_leave(boss);
    fair_leave(clerk);
    stop(f);
}

static void test_bytes(void **state)
{
    (void)state;
    fair_limits l = limits();
    fair *f = start(&l);
    fair_query *h1 = enter(f, "heavy"), *h2 = enter(f, "heavy"), *light = enter(f, "light");
    assert_null(fair_why(h1));
    assert_true(fair_bytes_take(h1, 600));
    assert_false(fair_bytes_take(h1, 201));
    assert_string_equal(fair_why(h1), "limits.query_memory");
    assert_true(fair_bytes_take(h2, 200)); /* the user has 800 of 1,000 */
    assert_false(fair_bytes_take(h2, 1));
    assert_non_null(strstr(fair_why(h2), "kept for other users"));
    assert_true(fair_bytes_take(light, 160));
    assert_false(fair_bytes_take(light, 41));
    assert_string_equal(fair_why(light), "limits.total_memory");
    fair_bytes_give(h1, 600);
    assert_true(fair_bytes_take(light, 400));
    assert_false(fair_bytes_take(light, UINT64_MAX));
    fair_leave(h1);
    fair_leave(h2);
    fair_leave(light);
    stop(f);
}

/* Random takes and gives of random users: never over a limit, and zero in the end. */
static void test_books(void **state)
{
    (void)state;
    test_rng g = test_rng_new(81);
    fair_limits l = limits();
    l.max_concurrent = 12;
    fair *f = start(&l);
    static const char *const names[] = {"ann", "ben", "cay"};
    struct {
        fair_query *q;
        unsigned calls;
        uint64_t bytes;
    } v[9] = {0};
    for (size_t i = 0; i < COUNT(v); i++)
        v[i].q = enter(f, names[i % 3]);
    for (size_t n = 0; n < test_rounds(20000); n++) {
        size_t i = test_rng_below(&g, COUNT(v));
        uint64_t b = test_rng_below(&g, 300);
        fair_counts c;
        switch (test_rng_below(&g, 4)) {
        case 0:
            v[i].calls += fair_calls_take(v[i].q, (unsigned)test_rng_below(&g, 6));
            break;
        case 1:
            if (v[i].calls) {
                fair_calls_give(v[i].q, 1);
                v[i].calls--;
            }
            break;
        case 2:
            v[i].bytes += fair_bytes_take(v[i].q, b) ? b : 0;
            break;
        default:
            b = b < v[i].bytes ? b : v[i].bytes;
            fair_bytes_give(v[i].q, b);
            v[i].bytes -= b;
        }
        fair_count(f, &c);
        uint64_t bytes = 0, calls = 0;
        for (size_t k = 0; k < COUNT(v); k++) {
            bytes += v[k].bytes;
            calls += v[k].calls;
        }
        assert_true(c.bytes == bytes && bytes <= l.mem_total);
        assert_true(c.calls >= calls && c.calls <= l.max_calls);
    }
    for (size_t i = 0; i < COUNT(v); i++)
        fair_leave(v[i].q);
    stop(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),          cmocka_unit_test(test_queue),
        cmocka_unit_test(test_queue_is_shared), cmocka_unit_test(test_calls),
        cmocka_unit_test(test_weights),         cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_books),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
