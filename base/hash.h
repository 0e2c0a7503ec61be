/* Hashes without secrets in them. SHA-256 lives in awsapi/digest.h (OpenSSL). */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* SipHash-2-4 (Aumasson, Bernstein 2012) with the given 16-byte key. */
uint64_t hash_sip(const uint8_t key[16], const void *data, size_t len);
/* SipHash with a fixed key: the same on every machine and in every run (inode numbers). */
uint64_t hash_stable(const void *data, size_t len);
