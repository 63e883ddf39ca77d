/* defects_test.c - defects of the reference that a manager must not have (capture.md 11), by
 * number. */
#include "capturing.h"

#include <dlfcn.h>
#include <pcap/pcap.h>

static atomic_int no_stats; /* the kernel does not tell its counters */

int pcap_stats(pcap_t *p, struct pcap_stat *out) /* instead of libpcap's */
{
    static int (*theirs)(pcap_t *, struct pcap_stat *);

    if (atomic_load(&no_stats))
        return PCAP_ERROR;
    if (!theirs)
        *(void **)&theirs = dlsym(RTLD_NEXT, "pcap_stats");
    return theirs(p, out);
}

static void send_some(int fd, unsigned n)
{
    uint8_t b[100];

    for (unsigned i = 0; i < n; i++)
        netns_send(fd, b, make_udp(b, i & 1, 1 + i % 10, 40000 + i, 7));
}

/* D-12: kernel counters that cannot be read cost no flows; the block has no drops and one line
 * tells. */
static void test_d12_no_kernel_counters(void **state)
{
    (void)state;
    fixture *f = start();
    gp_err err = {0};

    capture_one(f, "v0", &small_ring);
    int in = netns_raw("v1");
    send_some(in, 100);
    wait_processed(f, "v0", 100);
    atomic_store(&no_stats, 1);
    send_some(in, 50);
    wait_processed(f, "v0", 150);
    flush(f);
    assert_int_equal(f->s.counter[FLOW_PKTS_IN], 150);
    assert_int_equal(f->s.drops, 0);
    assert_int_equal(atomic_load(&f->s.events[FLOW_EV_NOTE]), 1);
    assert_non_null(strstr(f->s.text, "v0: the kernel's packet counters cannot be read"));
    atomic_store(&no_stats, 0);
    send_some(in, 25);
    wait_processed(f, "v0", 175);
    want_ok_err(&err, flow_manager_close(f->m, &err));
    f->m = NULL;
    assert_int_equal(f->s.counter[FLOW_PKTS_IN], 175);
    assert_int_equal(atomic_load(&f->s.events[FLOW_EV_NOTE]), 1);
    close(in);
    end(f);
}

/* D-33: interfaces are rotated and written in order of their names, however they are configured. */
static void test_d33_order(void **state)
{
    (void)state;
    static const char *const names[] = {"v1", "lo", "v0"}, *const want[] = {"lo", "v0", "v1"};
    fixture *f = start();

    assert_int_equal(apply(f, names, COUNT(names), &small_ring, NULL), 0);
    wait_event(f, FLOW_EV_OPENED, COUNT(names), "start");
    flush(f);
    for (size_t i = 0; i < COUNT(want); i++)
        assert_string_equal(f->s.ifaces[i].name, want[i]);
    end(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_d12_no_kernel_counters),
        cmocka_unit_test(test_d33_order),
    };
    if (!netns_enter())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
