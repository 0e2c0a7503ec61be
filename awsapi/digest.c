/* OpenSSL's one-shot digests. A failure means a broken OpenSSL (a FIPS provider may refuse SHA-1).
 */
#include "awsapi/digest.h"

#include <errno.h>
#include <openssl/evp.h>

int digest_sha256_hex(const void *data, size_t len, char out[DIGEST_HEX_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    if (EVP_Digest(len > 0 ? data : "", len, md, &n, EVP_sha256(), NULL) != 1 || n != 32)
        return -EIO;
    for (unsigned i = 0; i < n; i++) {
        out[2 * i] = hex[md[i] >> 4];
        out[2 * i + 1] = hex[md[i] & 15];
    }
    out[64] = '\0';
    return 0;
}

int digest_sha1(const void *data, size_t len, unsigned char out[20])
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    if (EVP_Digest(len > 0 ? data : "", len, md, &n, EVP_sha1(), NULL) != 1 || n != 20)
        return -EIO;
    for (unsigned i = 0; i < n; i++)
        out[i] = md[i];
    return 0;
}
