/* others_http.c - JSON over HTTP in the comparison: libmicrohttpd, libcurl with kept connections.
 */
#include "others.h"

#include "gp/mem.h"
#include "result/print.h"

#include <curl/curl.h>
#include <jansson.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>

/* ---- server: GET /rows; POST /echo sends the body back ---- */

static enum MHD_Result reply(struct MHD_Connection *c, struct MHD_Response *r)
{
    enum MHD_Result ok = MHD_queue_response(c, MHD_HTTP_OK, r);
    MHD_destroy_response(r);
    return ok;
}

static struct MHD_Response *rows_response(const result *r)
{
    char *text = NULL;
    size_t len = 0;
    gp_err err = {0};
    FILE *f = open_memstream(&text, &len);
    result_print_opts o = {.format = QUERY_JSON};
    if (!f || result_print(r, &o, f, stderr, &err) != GP_OK || fclose(f) != 0)
        others_die("JSON", err.msg);
    return MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
}

static enum MHD_Result answer(void *ctx, struct MHD_Connection *c, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *n_data, void **state)
{
    gp_buf *body = *state;
    (void)version;
    if (strcmp(method, "GET") == 0 && strcmp(url, "/rows") == 0)
        return reply(c, rows_response(ctx));
    if (!body) {
        *state = gp_calloc(1, sizeof *body);
        return *state ? MHD_YES : MHD_NO;
    }
    if (*n_data) {
        gp_buf_add(body, data, *n_data);
        *n_data = 0;
        return MHD_YES;
    }
    return reply(c, MHD_create_response_from_buffer(body->len, body->data, MHD_RESPMEM_MUST_COPY));
}

static void completed(void *ctx, struct MHD_Connection *c, void **state,
                      enum MHD_RequestTerminationCode why)
{
    (void)ctx, (void)c, (void)why;
    if (*state)
        gp_buf_free(*state);
    gp_free(*state);
    *state = NULL;
}

static int serve(const result *r, int ready_fd, int stop_fd)
{
    char addr[64];
    struct MHD_Daemon *d =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, answer, (void *)(uintptr_t)r,
                         MHD_OPTION_NOTIFY_COMPLETED, completed, NULL, MHD_OPTION_CONNECTION_LIMIT,
                         2 * OTHERS_IN_FLIGHT, MHD_OPTION_END);
    if (!d)
        others_die("http", "the server did not start");
    unsigned port = MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port;
    snprintf(addr, sizeof addr, "http://127.0.0.1:%u", port);
    others_tell(ready_fd, addr);
    others_wait(stop_fd);
    MHD_stop_daemon(d);
    return 0;
}

/* ---- client ---- */

struct client {
    CURLM *multi;
    CURL *echo[OTHERS_IN_FLIGHT], *rows;
    struct curl_slist *no_expect;
    char url[96];
};

static size_t drop(char *data, size_t size, size_t n, void *ctx)
{
    (void)data, (void)ctx;
    return size * n;
}

static size_t keep(char *data, size_t size, size_t n, void *ctx)
{
    gp_buf_add(ctx, data, size * n);
    return size * n;
}

static void *dial(const char *addr)
{
    static const char request[OTHERS_ECHO_BYTES];
    struct client *c = gp_calloc(1, sizeof *c);
    if (!c || curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        others_die("curl", "did not start");
    c->multi = curl_multi_init();
    c->no_expect = curl_slist_append(NULL, "Content-Type: application/octet-stream");
    snprintf(c->url, sizeof c->url, "%s/echo", addr);
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)OTHERS_IN_FLIGHT);
    for (int i = 0; i < OTHERS_IN_FLIGHT; i++) {
        c->echo[i] = curl_easy_init();
        curl_easy_setopt(c->echo[i], CURLOPT_URL, c->url);
        curl_easy_setopt(c->echo[i], CURLOPT_NOPROXY, "*");
        curl_easy_setopt(c->echo[i], CURLOPT_HTTPHEADER, c->no_expect);
        curl_easy_setopt(c->echo[i], CURLOPT_POSTFIELDS, request);
        curl_easy_setopt(c->echo[i], CURLOPT_POSTFIELDSIZE, (long)sizeof request);
        curl_easy_setopt(c->echo[i], CURLOPT_WRITEFUNCTION, drop);
    }
    snprintf(c->url, sizeof c->url, "%s/rows", addr);
    c->rows = curl_easy_init();
    curl_easy_setopt(c->rows, CURLOPT_URL, c->url);
    curl_easy_setopt(c->rows, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(c->rows, CURLOPT_WRITEFUNCTION, keep);
    return c;
}

static void echoes(void *client, size_t n)
{
    struct client *c = client;
    size_t started = 0, done = 0;
    int running, queued;
    for (; started < OTHERS_IN_FLIGHT && started < n; started++)
        curl_multi_add_handle(c->multi, c->echo[started]);
    while (done < n) {
        CURLMsg *m;
        if (curl_multi_perform(c->multi, &running) != CURLM_OK)
            others_die("curl", "perform");
        while ((m = curl_multi_info_read(c->multi, &queued))) {
            CURL *h = m->easy_handle;
            if (m->msg != CURLMSG_DONE)
                continue;
            if (m->data.result != CURLE_OK)
                others_die("echo", curl_easy_strerror(m->data.result));
            done++;
            curl_multi_remove_handle(c->multi, h);
            if (started < n) {
                curl_multi_add_handle(c->multi, h);
                started++;
            }
        }
        if (done < n)
            curl_multi_poll(c->multi, NULL, 0, 1000, NULL);
    }
}

static void transfer(void *client, others_rows *out)
{
    struct client *c = client;
    gp_buf b = {0};
    json_error_t why;
    curl_easy_setopt(c->rows, CURLOPT_WRITEDATA, &b);
    CURLcode rc = curl_easy_perform(c->rows);
    if (rc != CURLE_OK || b.failed)
        others_die("rows", curl_easy_strerror(rc));
    json_t *j = json_loadb((const char *)b.data, b.len, 0, &why);
    if (!j)
        others_die("rows", why.text);
    out->bytes = b.len;
    out->rows = json_array_size(json_object_get(j, "rows"));
    json_decref(j);
    gp_buf_free(&b);
}

static void hang_up(void *client)
{
    struct client *c = client;
    for (int i = 0; i < OTHERS_IN_FLIGHT; i++)
        curl_easy_cleanup(c->echo[i]);
    curl_easy_cleanup(c->rows);
    curl_multi_cleanup(c->multi);
    curl_slist_free_all(c->no_expect);
    curl_global_cleanup();
    gp_free(c);
}

const others_transport others_http = {
    "JSON over HTTP, plain", NULL, serve, dial, echoes, transfer, hang_up};
