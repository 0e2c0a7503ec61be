/* Making descriptions: one block of memory each, immutable once it is shared. NULL: no memory. */
#pragma once

#include <jansson.h>

#include "awsapi/describe.h"
#include "cache/describe.h"

/* properties: as shown; lent. */
const struct description *description_new(const struct describe_row *row, const char *key,
                                          json_t *properties);
/* The same with its edges alone, known again by the hash of its text. */
const struct description *description_without_text(const struct description *d);
/* Whether the texts are, also where one is kept no more. */
bool description_same(const struct description *a, const struct description *b);
void description_set_changed(const struct description *d,
                             int64_t wall_ms); /* before it is shared */
