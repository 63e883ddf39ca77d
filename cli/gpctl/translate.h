/* translate.h - a configuration of the Go suite as one of ours. Pure: no files, no output. */
#ifndef GPCTL_TRANSLATE_H
#define GPCTL_TRANSLATE_H

#include "gp/bytes.h"
#include "rt/config.h"

/* What became of a key, as "FILE:LINE: KEY: what"; text lives until the call returns. */
typedef void (*translate_note)(void *ctx, const char *text);

/* Append the YAML of our configuration to *out: of goprobe, global-query or an endpoint table,
 * whichever the keys of c belong to. Keys that are left out, changed or unknown are told to note.
 * Fails with GP_EINVAL if c is none of the three, GP_ENOMEM. */
gp_status translate_config(rt_config *c, gp_buf *out, translate_note note, void *ctx,
                           gp_err *err) GP_MUST_CHECK;

#endif
