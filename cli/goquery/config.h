/* config.h - settings from a configuration file and the environment (query.md 2.5). */
#ifndef GOQUERY_CONFIG_H
#define GOQUERY_CONFIG_H

#include "gp/arena.h"
#include "options.h"

/* Read o->config, if it is set, and then the environment, into options that may come from there and
 * were not given as flags. Texts live in arena. Blank db.path and query.server.addr count as unset.
 * GP_EINVAL, GP_EIO, GP_ENOTFOUND with a line for the user. */
gp_status goquery_config(goquery_opts *o, const cli_line *line, gp_arena *arena,
                         gp_err *err) GP_MUST_CHECK;

#endif
