/* labels.h - hash index from label text to its position in a table. */
#ifndef RESULT_LABELS_H
#define RESULT_LABELS_H

#include "gp/err.h"

#include <stddef.h>
#include <stdint.h>

struct result_index;

uint64_t result_labels_hash(const char *a, const char *b);

/* Positions stored under hash, one a call; *it starts at 0 and is advanced. UINT32_MAX at the end.
 * x may be NULL. The caller compares the text. */
uint32_t result_labels_find(const struct result_index *x, uint64_t hash, uint32_t *it);

/* Store pos under hash; makes the index on first use. GP_ENOMEM. */
gp_status result_labels_add(struct result_index **x, uint64_t hash, uint32_t pos) GP_MUST_CHECK;

void result_labels_free(struct result_index *x);

#endif
