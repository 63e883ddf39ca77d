/* problems.h - collecting what is wrong with the arguments. */
#ifndef QUERY_PROBLEMS_H
#define QUERY_PROBLEMS_H

#include "query/stmt.h"

/* Append one problem. message and hint are taken over (hint may be NULL, a NULL message means out
 * of memory); value is copied. GP_ENOMEM, else GP_OK. */
gp_status query_problem_add(query_problems *p, const char *location, char *message,
                            const char *value, char *hint) GP_MUST_CHECK;
/* The same for a value that is a number; text: how people read it, NULL = in decimal. */
gp_status query_problem_add_number(query_problems *p, const char *location, const char *message,
                                   int64_t number, const char *text) GP_MUST_CHECK;

#endif
