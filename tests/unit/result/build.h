/* build.h - short ways to make results in tests. Include after test.h. */
#ifndef RESULT_BUILD_H
#define RESULT_BUILD_H

#include "gp/addr.h"
#include "result/print.h"
#include "result/result.h"

typedef struct spec_row {
    int64_t time_s;
    const char *host, *host_id, *iface, *sip, *dip; /* NULL = absent */
    uint8_t proto;
    uint16_t dport;
    uint64_t br, bs, pr, ps;
} spec_row;

static inline void build_addr(const char *s, uint8_t *family, uint8_t bytes[16])
{
    gp_addr a = {0};
    if (s && !gp_addr_parse(s, strlen(s), &a))
        fail_msg("bad address %s", s);
    *family = a.family;
    memcpy(bytes, a.bytes, 16);
}

/* Append rows; totals and hits follow. */
static inline void build_rows(result *r, const spec_row *v, size_t n)
{
    want_ok(result_reserve_rows(r, n, NULL));
    for (size_t i = 0; i < n; i++) {
        result_row *row = &r->rows[r->n_rows++];
        memset(row, 0, sizeof *row);
        row->time_s = v[i].time_s;
        row->host = result_host_id(r, v[i].host, v[i].host_id);
        row->iface = result_iface_id(r, v[i].iface);
        build_addr(v[i].sip, &row->sip_family, row->sip);
        build_addr(v[i].dip, &row->dip_family, row->dip);
        row->proto = v[i].proto;
        row->dport = v[i].dport;
        row->c = (result_counters){v[i].br, v[i].bs, v[i].pr, v[i].ps};
        r->totals.bytes_rcvd += v[i].br;
        r->totals.bytes_sent += v[i].bs;
        r->totals.pkts_rcvd += v[i].pr;
        r->totals.pkts_sent += v[i].ps;
    }
    r->hits_total += n;
}

/* "sip,dip" to fields without the language room. */
static inline query_fields build_fields(const char *names)
{
    query_fields f = {0};
    for (const char *p = names; *p;) {
        size_t n = strcspn(p, ",");
        for (unsigned a = 0; a < QUERY_N_ATTRS; a++)
            if (strlen(query_attr_name((query_attr)a)) == n &&
                strncmp(p, query_attr_name((query_attr)a), n) == 0) {
                f.attrs[f.n_attrs++] = (uint8_t)a;
                f.attr_mask = (uint8_t)(f.attr_mask | 1U << a);
            }
        p += n + (p[n] == ',');
    }
    return f;
}

/* What result_print() writes to out and notes; gp_free() both. notes may be NULL. */
static inline char *build_print(const result *r, const result_print_opts *o, char **notes)
{
    char *text = NULL, *note_text = NULL;
    size_t len = 0, note_len = 0;
    gp_err err = {0};
    FILE *out = open_memstream(&text, &len), *n = open_memstream(&note_text, &note_len);
    assert_non_null(out);
    assert_non_null(n);
    want_ok_err(&err, result_print(r, o, out, n, &err));
    assert_int_equal(fclose(out), 0);
    assert_int_equal(fclose(n), 0);
    if (notes)
        *notes = note_text;
    else
        gp_free(note_text);
    return text;
}

/* Fail with both texts and the place where they part. */
static inline void build_want(const char *what, const char *got, const char *want)
{
    size_t i = 0;
    if (strcmp(got, want) == 0)
        return;
    while (got[i] && got[i] == want[i])
        i++;
    fail_msg("%s: differs at byte %zu\n--- got\n%s--- want\n%s---", what, i, got, want);
}

#endif
