/* SHA-256 in hex, for tokens, hashes of blueprints and signing. */
#pragma once

#include <stddef.h>

enum { DIGEST_HEX_SIZE = 65 };

/* Lower-case hex of SHA-256(data); 0 or -EIO where OpenSSL failed. */
int digest_sha256_hex(const void *data, size_t len, char out[DIGEST_HEX_SIZE]);
/* The same as raw bytes of SHA-1 (MariaDB's mysql_native_password needs it). */
int digest_sha1(const void *data, size_t len, unsigned char out[20]);
