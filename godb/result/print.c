/* print.c - checks a result, picks the printer and puts notes where they belong (query.md 6.1). */
#include "result/print.h"

#include "printers.h"

/* Last second whose RFC 3339 text has a four-digit year in every zone. */
int64_t result_time_clamp(int64_t time_s)
{
    const int64_t last = INT64_C(253402300799) - 86400;
    return time_s > last ? last : time_s;
}

/* Labels index tables; a wrong index would be read outside of them. */
static gp_status check(const result *r, const result_print_opts *o, gp_err *err)
{
    if ((unsigned)o->direction > QUERY_OUT || (unsigned)o->order.direction > QUERY_OUT)
        return gp_fail(err, GP_EINVAL, 0, "printing: unknown counter direction");
    for (size_t i = 0; i < r->n_rows; i++)
        if (r->rows[i].host >= r->n_hosts || r->rows[i].iface >= r->n_names)
            return gp_fail(err, GP_EINVAL, 0, "printing: row %zu has no host or interface", i);
    return GP_OK;
}

/* Status and host lines: on stdout for what people read, apart from data for programs. */
static gp_status put_notes(const result *r, const result_print_opts *o, writer *w, FILE *notes,
                           gp_err *err)
{
    gp_buf b = {0};
    result_footer_status(r, &b);
    int failed = b.failed;
    if (o->format == QUERY_TXT && b.len)
        result_writer_add(w, (const char *)b.data, b.len);
    else if (notes && b.len)
        (void)!fwrite(b.data, 1, b.len, notes); /* lost notes do not stop the result */
    gp_buf_free(&b);
    return failed ? gp_fail(err, GP_ENOMEM, 0, "printing: out of memory") : GP_OK;
}

gp_status result_print(const result *r, const result_print_opts *o, FILE *out, FILE *notes,
                       gp_err *err)
{
    static gp_status (*const printers[])(const result *, const result_print_opts *, writer *,
                                         gp_err *) = {
        [QUERY_TXT] = result_print_txt, [QUERY_JSON] = result_print_json,
        [QUERY_CSV] = result_print_csv, [QUERY_NDJSON] = result_print_ndjson,
        [QUERY_MD] = result_print_md,   [QUERY_HTML] = result_print_html,
    };
    if ((unsigned)o->format >= GP_COUNT(printers))
        return gp_fail(err, GP_EINVAL, 0, "printing: unknown format");
    GP_TRY(check(r, o, err));
    GP_CLEANUP(result_writer_freep) writer *w = result_writer_new(out);
    if (!w)
        return gp_fail(err, GP_ENOMEM, 0, "printing: out of memory");
    int in_fragment = o->format == QUERY_MD || o->format == QUERY_HTML;
    if (!in_fragment && o->format != QUERY_JSON)
        GP_TRY(put_notes(r, o, w, notes, err));
    GP_TRY(printers[o->format](r, o, w, err));
    return result_writer_finish(w, err);
}
