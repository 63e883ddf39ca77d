/* footer.h - what is said about a result besides its rows (query.md 6.1, 6.4). */
#ifndef RESULT_FOOTER_H
#define RESULT_FOOTER_H

#include "gp/bytes.h"
#include "result/print.h"

enum { FOOTER_MAX = 12 };

/* Lines of the footer in order. Texts live in buf. */
typedef struct footer {
    const char *key[FOOTER_MAX]; /* static */
    size_t text[FOOTER_MAX];     /* offset of the NUL-terminated text in buf */
    size_t n;
    gp_buf buf;
} footer;

/* GP_ENOMEM. result_footer_free() in any case. Labels are safe for a terminal. */
gp_status result_footer_make(footer *f, const result *r, const result_print_opts *o,
                             gp_err *err) GP_MUST_CHECK;
void result_footer_free(footer *f);
static inline const char *result_footer_text(const footer *f, size_t i)
{
    return (const char *)f->buf.data + f->text[i];
}

/* Times later than the year 9999 cannot be written: the last that can (U36). */
int64_t result_time_clamp(int64_t time_s);

/* "accumulated data volume (sent and received)", ...; static. */
const char *result_footer_sorted_by(const result_order *o);

/* Interface names joined by commas, appended to out. */
void result_footer_ifaces(const result *r, gp_buf *out);

/* Status line and lines of failed hosts (6.1), each ending in a newline, appended to out. */
void result_footer_status(const result *r, gp_buf *out);

#endif
