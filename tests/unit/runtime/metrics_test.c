/* metrics_test.c - Prometheus text and the loopback page. */
#include "rt/metrics.h"

#include "gp/num.h"
#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static double seven(void *ctx)
{
    (void)ctx;
    return 7.5;
}

static void test_text(void **state)
{
    (void)state;
    rt_metrics *m = NULL;
    gp_buf b = {0}, l = {0};
    static const double bounds[] = {0.1, 1, 10};
    assert_int_equal(rt_metrics_new(&m, NULL), GP_OK);
    rt_label(&l, "iface", "a\"b\\c\n");
    rt_metric *c = rt_counter(m, "fp_packets_total", "Packets seen.", gp_buf_str(&l));
    rt_metric_add(c, 3);
    rt_metric_add(rt_counter(m, "fp_packets_total", "Packets seen.", gp_buf_str(&l)), 4);
    rt_gauge_fn(m, "fp_temp", "A gauge.", NULL, seven, NULL);
    rt_metric *h = rt_histogram(m, "fp_seconds", "A histogram.", NULL, bounds, 3);
    rt_metric_observe(h, 0.05);
    rt_metric_observe(h, 5);
    rt_metric_observe(h, 50);
    assert_null(rt_counter(m, "1bad", "", NULL));
    assert_null(rt_gauge(m, "fp_packets_total", "other type", NULL));
    rt_metric_add(NULL, 1);
    rt_metrics_text(m, &b);
    assert_string_equal(gp_buf_str(&b),
                        "# HELP fp_packets_total Packets seen.\n"
                        "# TYPE fp_packets_total counter\n"
                        "fp_packets_total{iface=\"a\\\"b\\\\c\\n\"} 7\n"
                        "# HELP fp_temp A gauge.\n# TYPE fp_temp gauge\nfp_temp 7.5\n"
                        "# HELP fp_seconds A histogram.\n# TYPE fp_seconds histogram\n"
                        "fp_seconds_bucket{le=\"0.1\"} 1\nfp_seconds_bucket{le=\"1\"} 1\n"
                        "fp_seconds_bucket{le=\"10\"} 2\nfp_seconds_bucket{le=\"+Inf\"} 3\n"
                        "fp_seconds_sum 55.05\nfp_seconds_count 3\n");
    rt_metric_drop(m, c);
    rt_metric_drop(m, h);
    gp_buf_clear(&b);
    rt_metrics_text(m, &b);
    assert_string_equal(gp_buf_str(&b),
                        "# HELP fp_temp A gauge.\n# TYPE fp_temp gauge\nfp_temp 7.5\n");
    gp_buf_free(&b);
    gp_buf_free(&l);
    rt_metrics_free(m);
}

static void get_page(const char *bound, const char *request, char *buf, size_t cap)
{
    struct sockaddr_in sa = {.sin_family = AF_INET};
    struct timeval tv = {.tv_sec = 5};
    uint64_t port = 0;
    const char *colon = strrchr(bound, ':');
    assert_true(gp_num_u64(colon + 1, strlen(colon + 1), 65535, &port) && port > 0);
    sa.sin_port = htons((uint16_t)port);
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(send(fd, request, strlen(request), 0), (ssize_t)strlen(request));
    size_t n = 0;
    for (ssize_t r; n + 1 < cap && (r = recv(fd, buf + n, cap - 1 - n, 0)) > 0;)
        n += (size_t)r;
    buf[n] = 0;
    close(fd);
}

/* Not ready at first; what *ctx says. */
static int is_ready(void *ctx)
{
    return *(int *)ctx;
}

static void test_http(void **state)
{
    (void)state;
    rt_metrics *m = NULL;
    rt_http *h = NULL;
    gp_err err = {0};
    char bound[64], page[8192];
    int ready = 0;
    assert_int_equal(unsetenv("POD_NAME"), 0);
    assert_int_equal(setenv("POD", "p-\"0", 1), 0);
    assert_int_equal(rt_metrics_new(&m, NULL), GP_OK);
    rt_metrics_process(m, "fleetprobe", "1.0");
    assert_int_equal(rt_http_start("192.0.2.1:0", 0, m, NULL, NULL, NULL, 0, &h, &err), GP_EDENIED);
    assert_int_equal(rt_http_start("nonsense", 0, m, NULL, NULL, NULL, 0, &h, &err), GP_EINVAL);
    gp_status st =
        rt_http_start("127.0.0.1:0", 0, m, is_ready, &ready, bound, sizeof bound, &h, &err);
    if (st == GP_EUNSUPPORTED)
        skip_because("built without libmicrohttpd");
    assert_int_equal(st, GP_OK);
    static const struct {
        const char *what, *request, *want;
        int ready;
    } cases[] = {
        {"metrics", "GET /metrics HTTP/1.0\r\n\r\n", "fleetprobe_build_info{version=\"1.0\"} 1\n",
         0},
        {"health", "GET /-/health HTTP/1.0\r\n\r\n", "200 OK", 0},
        {"info", "GET /-/info HTTP/1.0\r\n\r\n",
         "\r\n\r\n{\"name\":\"fleetprobe\",\"version\":\"1.0\",\"pod\":\"p-\\\"0\"}\n", 0},
        {"not ready", "GET /-/ready HTTP/1.0\r\n\r\n", "503", 0},
        {"ready", "GET /-/ready HTTP/1.0\r\n\r\n", "{\"status\":\"ready\"}", 1},
        {"healthy", "GET /-/health HTTP/1.0\r\n\r\n", "{\"status\":\"healthy\"}", 1},
        {"unhealthy", "GET /-/health HTTP/1.0\r\n\r\n", "503", -1},
        {"so not ready", "GET /-/ready HTTP/1.0\r\n\r\n", "503", -1},
        {"unknown page", "GET /x HTTP/1.0\r\n\r\n", "404", 1},
        {"other method", "DELETE /metrics HTTP/1.0\r\n\r\n", "405", 1},
    };
    for (size_t i = 0; i < GP_COUNT(cases); i++) {
        ready = cases[i].ready;
        get_page(bound, cases[i].request, page, sizeof page);
        if (!strstr(page, cases[i].want))
            fail_msg("%s: got %s", cases[i].what, page);
    }
    rt_http_stop(h);
    rt_metrics_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_http),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
