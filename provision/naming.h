/* Claims, tokens, names and tags of a life (engine.md «Names and tokens»). Pure but for the random
 * source. */
#pragma once

#include <stddef.h>

#include "base/fault.h"

enum { CLAIM_LENGTH = 26, CLAIM_SIZE = 27, TOKEN_SIZE = 33, NAMING_ID_MAX = 32 };

#define TAG_MODE "management-mode"
#define MODE_AUTOMATIC "automatic"
#define TAG_CLAIM "svcfs:claim"
#define TAG_PHASE "svcfs:phase"
#define TAG_RETAINED "svcfs:retained-from"

int naming_claim(char out[CLAIM_SIZE], struct fault *f); /* 26 of [0-9a-z]; -EIO */

/* First 32 hex digits of SHA-256("CLAIM/LOGICALID"). */
int naming_token(const char *claim, const char *logical, char out[TOKEN_SIZE]);
/* "ID-h": h the token's first 8 digits, ID cut so that all has at most max bytes, what is not
 * [A-Za-z0-9-] becomes '-'. out has max + 1 bytes. */
int naming_default(const char *id, const char *token, size_t max, char *out);
/* "FAMILY/ID/LOGICALID" with what a secret's name may not hold replaced by '-'; one that ends in a
 * hyphen and six characters gets a further character. */
int naming_secret(const char *family, const char *id, const char *logical, char *out, size_t size);
/* Resource group of a family (id NULL) or a service: FAMILY or FAMILY.ID, by tree.md «Names». */
int naming_group(const char *family, const char *id, char *out, size_t size);

/* Parameter names of the record. out has size bytes; 0 or -ENAMETOOLONG. */
int naming_record(const char *id, char *out, size_t size); /* /svcfs/ID */
int naming_beneath(const char *id, const char *claim, const char *word, unsigned n, char *out,
                   size_t size); /* /svcfs/ID/CLAIM/word-n, n 0: /svcfs/ID/CLAIM/word */
