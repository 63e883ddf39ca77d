/* printers.h - the printers behind result_print(), one per format. */
#ifndef RESULT_PRINTERS_H
#define RESULT_PRINTERS_H

#include "columns.h"
#include "footer.h"

gp_status result_print_txt(const result *r, const result_print_opts *o, writer *w,
                           gp_err *err) GP_MUST_CHECK;
gp_status result_print_csv(const result *r, const result_print_opts *o, writer *w,
                           gp_err *err) GP_MUST_CHECK;
gp_status result_print_json(const result *r, const result_print_opts *o, writer *w,
                            gp_err *err) GP_MUST_CHECK;
gp_status result_print_ndjson(const result *r, const result_print_opts *o, writer *w,
                              gp_err *err) GP_MUST_CHECK;
gp_status result_print_md(const result *r, const result_print_opts *o, writer *w,
                          gp_err *err) GP_MUST_CHECK;
gp_status result_print_html(const result *r, const result_print_opts *o, writer *w,
                            gp_err *err) GP_MUST_CHECK;

#endif
