/* What the files of describe*.c share. */
#pragma once

#include "awsapi/describe.h"

/* The table (describe_table.c). */
extern const struct describe_row *const describe_rows;
extern const size_t describe_n_rows;

/* An item as `aws` shows it: names, types, times (describe_shape.c). New; NULL: no memory. */
json_t *describe_shape(const struct describe_row *row, json_t *item);
/* Replaces what looks secret in it by "***" (describe_redact.c). 0, -ENOMEM. */
int describe_redact(json_t *properties);
/* Whether a variable of this name and value is to be hidden. */
bool describe_is_secret(const char *name, const char *value);
