/* completion.h - what the parts of goquery_completion share. */
#ifndef COMPLETION_COMPLETION_H
#define COMPLETION_COMPLETION_H

#include "gp/arena.h"
#include "gp/bytes.h"
#include "gp/err.h"
#include "words.h"

/* All append candidates, one per line, to out. GP_ENOMEM, GP_ELIMIT. Nothing to offer is fine. */

/* For the last word of a line by what stands before it (query.md 8.2). */
gp_status complete_line(const line_words *w, gp_arena *arena, gp_buf *out,
                        gp_err *err) GP_MUST_CHECK;

/* A query type (8.2). */
gp_status complete_fields(const char *text, gp_arena *arena, gp_buf *out,
                          gp_err *err) GP_MUST_CHECK;

/* Interfaces in the database root (8.3). root NULL: nothing. */
gp_status complete_ifaces(const char *root, const char *text, gp_arena *arena, gp_buf *out,
                          gp_err *err) GP_MUST_CHECK;

/* A condition (8.4). */
gp_status complete_cond(const char *text, gp_arena *arena, gp_buf *out, gp_err *err) GP_MUST_CHECK;

/* text split at each separator into *t (with room for STEP_MAX_TOKENS); at least one token. */
struct step_text;
gp_status complete_split(const char *text, char separator, gp_arena *arena, struct step_text *t,
                         gp_err *err) GP_MUST_CHECK;

#endif
