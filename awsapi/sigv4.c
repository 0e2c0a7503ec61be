/*
 * AWS Signature Version 4, written out because libcurl's signer before 8.14 gets unsorted queries,
 * valueless parameters and paths with %3A wrong, and those are what Resource Groups and EFS need.
 *
 * Traps that are handled here: a path segment is encoded once on the wire and once more in the
 * canonical request (":" → %3A → %253A), after dot segments are removed; the query is sorted by
 * encoded name, then value, and "k" becomes "k="; headers are sorted by name, not by line, which
 * differs where one name is another's prefix. The three stages are functions of their own, so that
 * a test compares each with what AWS's own SDK computes.
 */
#include "awsapi/sigv4.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "awsapi/digest.h"
#include "awsapi/uri.h"
#include "base/str.h"

enum { HEADERS_MAX = 32, QUERY_MAX = 256, KEY_LEN = 32 };

/* Appends path without ".", ".." and empty segments, each byte but "/" encoded (again). */
static int put_canonical_path(struct buf *out, const char *path)
{
    _cleanup_buf_ struct buf clean = BUF_INIT(64 * 1024);
    const char *p = path;
    int r = 0;

    while (r == 0 && *p != '\0') {
        size_t len;

        p += strspn(p, "/");
        len = strcspn(p, "/");
        if (len == 2 && memcmp(p, "..", 2) == 0) {
            char *slash = clean.len > 0 ? strrchr(clean.data, '/') : NULL;

            if (slash != NULL)
                buf_truncate(&clean, (size_t)(slash - clean.data));
        } else if (len > 0 && !(len == 1 && *p == '.')) {
            r = buf_putc(&clean, '/');
            if (r == 0)
                r = buf_append(&clean, p, len);
        }
        p += len;
    }
    if (r == 0 && (clean.len == 0 || str_ends(path, "/")))
        r = buf_putc(&clean, '/');
    if (r == 0)
        r = uri_encode(out, buf_str(&clean), clean.len, "/");
    return r;
}

struct parameter {
    char *name, *value; /* encoded */
};

static int compare_parameters(const void *a, const void *b)
{
    const struct parameter *x = a, *y = b;
    int r = strcmp(x->name, y->name);

    return r != 0 ? r : strcmp(x->value, y->value);
}

/* What is encoded on the wire is decoded first, so that %2f and a bare ":" come out canonical too.
 */
static int encode_again(const char *s, size_t len, char **ret)
{
    _cleanup_buf_ struct buf plain = BUF_INIT(64 * 1024);
    _cleanup_buf_ struct buf out = BUF_INIT(256 * 1024);
    int r = uri_decode(&plain, s, len);

    if (r == 0)
        r = uri_encode(&out, buf_str(&plain), plain.len, "");
    if (r < 0)
        return r;
    *ret = buf_steal(&out);
    return *ret != NULL ? 0 : -ENOMEM;
}

static int split_query(const char *query, struct parameter *params, size_t *n)
{
    const char *p = query;
    int r = 0;

    while (r == 0 && *p != '\0') {
        size_t len = strcspn(p, "&"), name_len = strcspn(p, "=&");

        if (len > 0) {
            struct parameter *q = &params[*n];
            const char *value = name_len < len ? p + name_len + 1 : p + len;

            if (*n == QUERY_MAX)
                return -EINVAL;
            (*n)++;
            r = encode_again(p, name_len, &q->name);
            if (r == 0)
                r = encode_again(value, (size_t)(p + len - value), &q->value);
        }
        p += len;
        if (*p == '&')
            p++;
    }
    return r;
}

static int put_canonical_query(struct buf *out, const char *query)
{
    struct parameter params[QUERY_MAX] = {0};
    size_t n = 0;
    int r = split_query(query, params, &n);

    if (r == 0)
        qsort(params, n, sizeof(params[0]), compare_parameters);
    for (size_t i = 0; i < n && r == 0; i++)
        r = buf_printf(out, "%s%s=%s", i > 0 ? "&" : "", params[i].name, params[i].value);
    for (size_t i = 0; i < n; i++) {
        free(params[i].name);
        free(params[i].value);
    }
    return r;
}

static int compare_headers(const void *a, const void *b)
{
    const struct sigv4_header *x = *(const struct sigv4_header *const *)a;
    const struct sigv4_header *y = *(const struct sigv4_header *const *)b;
    int r = strcasecmp(x->name, y->name);

    /* The same name twice: in the order given; the pointers are into one array. */
    return r != 0 ? r : (x > y) - (x < y);
}

static int sort_headers(const struct sigv4_request *r, const struct sigv4_header **sorted)
{
    if (r->n_headers > HEADERS_MAX)
        return -EINVAL;
    for (size_t i = 0; i < r->n_headers; i++)
        sorted[i] = &r->headers[i];
    qsort(sorted, r->n_headers, sizeof(sorted[0]), compare_headers);
    return 0;
}

static bool same_as_previous(const struct sigv4_header **sorted, size_t i)
{
    return i > 0 && strcasecmp(sorted[i - 1]->name, sorted[i]->name) == 0;
}

static int put_lower(struct buf *out, const char *s)
{
    int r = 0;

    for (; *s != '\0' && r == 0; s++)
        r = buf_putc(out, (char)tolower((unsigned char)*s));
    return r;
}

/* Without white space at either end, and one space for several within. */
static int put_trimmed(struct buf *out, const char *s)
{
    bool gap = false;
    size_t begin = out->len;
    int r = 0;

    for (; *s != '\0' && r == 0; s++) {
        if (*s == ' ' || *s == '\t') {
            gap = true;
            continue;
        }
        if (gap && out->len > begin)
            r = buf_putc(out, ' ');
        gap = false;
        if (r == 0)
            r = buf_putc(out, *s);
    }
    return r;
}

static int put_canonical_headers(struct buf *out, const struct sigv4_request *q)
{
    const struct sigv4_header *sorted[HEADERS_MAX];
    int r = sort_headers(q, sorted);

    for (size_t i = 0; r == 0 && i < q->n_headers; i++) {
        if (same_as_previous(sorted, i)) {
            r = buf_putc(out, ',');
        } else {
            if (i > 0)
                r = buf_putc(out, '\n');
            if (r == 0)
                r = put_lower(out, sorted[i]->name);
            if (r == 0)
                r = buf_putc(out, ':');
        }
        if (r == 0)
            r = put_trimmed(out, sorted[i]->value);
    }
    return r == 0 ? buf_putc(out, '\n') : r;
}

static int put_signed_headers(struct buf *out, const struct sigv4_request *q)
{
    const struct sigv4_header *sorted[HEADERS_MAX];
    int r = sort_headers(q, sorted);

    for (size_t i = 0; r == 0 && i < q->n_headers; i++) {
        if (same_as_previous(sorted, i))
            continue;
        if (i > 0)
            r = buf_putc(out, ';');
        if (r == 0)
            r = put_lower(out, sorted[i]->name);
    }
    return r;
}

int sigv4_canonical_request(const struct sigv4_request *q, struct buf *out)
{
    char hash[DIGEST_HEX_SIZE];
    int r = digest_sha256_hex(q->body, q->body_len, hash);

    if (r < 0)
        return -EINVAL;
    r = buf_printf(out, "%s\n", q->method);
    if (r == 0)
        r = put_canonical_path(out, q->path);
    if (r == 0)
        r = buf_putc(out, '\n');
    if (r == 0)
        r = put_canonical_query(out, q->query);
    if (r == 0)
        r = buf_putc(out, '\n');
    if (r == 0)
        r = put_canonical_headers(out, q);
    if (r == 0)
        r = buf_putc(out, '\n');
    if (r == 0)
        r = put_signed_headers(out, q);
    if (r == 0)
        r = buf_printf(out, "\n%s", hash);
    return r;
}

static int put_scope(struct buf *out, const struct sigv4_request *q)
{
    if (strlen(q->amz_date) != 16)
        return -EINVAL;
    return buf_printf(out, "%.8s/%s/%s/aws4_request", q->amz_date, q->region, q->signing_name);
}

int sigv4_string_to_sign(const struct sigv4_request *q, const char *canonical_request,
                         struct buf *out)
{
    char hash[DIGEST_HEX_SIZE];
    int r = digest_sha256_hex(canonical_request, strlen(canonical_request), hash);

    if (r < 0)
        return -EINVAL;
    r = buf_printf(out, "AWS4-HMAC-SHA256\n%s\n", q->amz_date);
    if (r == 0)
        r = put_scope(out, q);
    if (r == 0)
        r = buf_printf(out, "\n%s", hash);
    return r;
}

static int hmac(const void *key, size_t key_len, const char *data, size_t data_len,
                unsigned char out[KEY_LEN])
{
    unsigned n = 0;

    if (HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)data, data_len, out, &n) ==
            NULL ||
        n != KEY_LEN)
        return -EINVAL;
    return 0;
}

static int derive_key(const struct sigv4_request *q, unsigned char key[KEY_LEN])
{
    struct buf first = BUF_INIT(1024);
    int r = buf_printf(&first, "AWS4%s", q->secret_access_key);

    if (r == 0)
        r = hmac(first.data, first.len, q->amz_date, 8, key);
    if (r == 0)
        r = hmac(key, KEY_LEN, q->region, strlen(q->region), key);
    if (r == 0)
        r = hmac(key, KEY_LEN, q->signing_name, strlen(q->signing_name), key);
    if (r == 0)
        r = hmac(key, KEY_LEN, "aws4_request", strlen("aws4_request"), key);
    buf_wipe(&first);
    return r;
}

int sigv4_authorization(const struct sigv4_request *q, const char *string_to_sign, struct buf *out)
{
    unsigned char key[KEY_LEN], signature[KEY_LEN];
    int r;

    r = buf_printf(out, "AWS4-HMAC-SHA256 Credential=%s/", q->access_key_id);
    if (r == 0)
        r = put_scope(out, q);
    if (r == 0)
        r = buf_puts(out, ", SignedHeaders=");
    if (r == 0)
        r = put_signed_headers(out, q);
    if (r == 0)
        r = buf_puts(out, ", Signature=");
    if (r == 0)
        r = derive_key(q, key);
    if (r == 0)
        r = hmac(key, sizeof(key), string_to_sign, strlen(string_to_sign), signature);
    explicit_bzero(key, sizeof(key));
    for (size_t i = 0; r == 0 && i < sizeof(signature); i++)
        r = buf_printf(out, "%02x", signature[i]);
    return r;
}
