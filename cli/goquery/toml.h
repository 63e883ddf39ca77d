/* toml.h - TOML, JSON and .env files as a flat list of keys and values. */
#ifndef GOQUERY_TOML_H
#define GOQUERY_TOML_H

#include "gp/err.h"

#include <stddef.h>

enum { GOQUERY_CONFIG_MAX_BYTES = 1 << 20, GOQUERY_TOML_MAX_DEPTH = 16 };

/* Called for every scalar: key is dotted ("db.path"), value its text (strings unquoted). Both only
 * live during the call. line: 0 if the parser does not know it. A status other than GP_OK stops. */
typedef gp_status (*goquery_setting_fn)(void *ctx, const char *key, const char *value,
                                        unsigned line, gp_err *err);

/* Parse TOML 1.0 (text of len bytes). Arrays and tables in arrays are checked and skipped: no
 * setting has them. GP_EINVAL with "line N: ...". */
gp_status goquery_toml(const char *text, size_t len, goquery_setting_fn fn, void *ctx,
                       gp_err *err) GP_MUST_CHECK;

/* Parse a JSON object; lists are passed over, of a key given twice the last counts. GP_EINVAL. */
gp_status goquery_json(const char *text, size_t len, goquery_setting_fn fn, void *ctx,
                       gp_err *err) GP_MUST_CHECK;

/* Parse KEY=VALUE lines with # comments and optional quotes. */
gp_status goquery_dotenv(const char *text, size_t len, goquery_setting_fn fn, void *ctx,
                         gp_err *err) GP_MUST_CHECK;

#endif
