/* topics.h - the parts of the help that are not about flags. */
#ifndef GOQUERY_TOPICS_H
#define GOQUERY_TOPICS_H

#include <stdint.h>
#include <stdio.h>

/* Columns, query types, conditions and times; now_s: for the samples of time forms. */
void goquery_topics(int64_t now_s, FILE *out);

#endif
