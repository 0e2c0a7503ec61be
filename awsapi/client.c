/*
 * One call: encode once; then for each sending wait for the rate limiter, sign, send, judge. The
 * loop knows three ways on after a failure:
 *
 *   read, transient or throttled   → wait as retry.c says, again
 *   clock skew                     → learn the offset from the answer's Date, once again (a write
 * too: a refused signature means that nothing was done) keys expired, source has new   → once again
 * (a write too, for the same reason)
 *
 * and ends on everything else. What makes a write unclear (engine.md 1) is decided in one place,
 * judge(): no whole answer although bytes were sent, an answer that cannot be read, or a 5xx that
 * is not a throttling. A deadline is fixed after the rate limiter has let the call through and is
 * looked at once more by the transport right before the first byte.
 *
 * Rejected: per-service clients (the state is the same for all), and retries above this layer,
 * where nobody knows whether an answer was clear.
 */
#include "awsapi/client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "awsapi/credentials.h"
#include "awsapi/errors.h"
#include "awsapi/protocol.h"
#include "awsapi/retry.h"
#include "awsapi/sigv4.h"
#include "base/log.h"
#include "base/str.h"

enum { TIMEOUT_MS = 10000, TIMEOUTS_OF_READ = 3, SKEW_MS = 60000, HEADERS = 6 };

struct base_url {
    char *url;        /* "http://127.0.0.1:5000/prefix" */
    char *host;       /* as in the Host header */
    const char *path; /* "/prefix" or "", within url */
};

struct aws_client {
    const struct aws_config *config;
    struct http_transport *transport;
    struct clock *clock;
    struct limit *limit;
    struct credentials_source *credentials;
    struct base_url base[AWS_SERVICES];
    struct retry_quota quota;
    atomic_int_least64_t skew_ms; /* AWS's clock minus ours */
    aws_call_observer observer;
    void *observer_arg;
};

/* One aws_call. */
struct call {
    struct aws_client *client;
    const struct aws_action *action;
    const struct aws_ctx *ctx;
    struct encoded request;
    struct retry_state retry;
    int64_t end_ms; /* of all sendings; 0 before the first */
    bool skew_tried, keys_tried;
    int64_t skew_ms; /* with which the last sending was signed */
    char key_id[160];
};

/* curl leaves the scheme's own port out of Host, and what is signed must be what is sent. */
static int set_base(struct base_url *b, const char *url)
{
    const char *host = strstr(url, "://"), *port;
    size_t len;

    b->url = strdup(url);
    if (b->url == NULL || host == NULL)
        return b->url == NULL ? -ENOMEM : -EINVAL;
    host += 3;
    len = strcspn(host, "/");
    b->path = b->url + (host - url) + len;
    port = str_starts(url, "https:") ? ":443" : ":80";
    if (len > strlen(port) && memcmp(host + len - strlen(port), port, strlen(port)) == 0)
        len -= strlen(port);
    b->host = strndup(host, len);
    return b->host != NULL ? 0 : -ENOMEM;
}

static int set_bases(struct aws_client *c)
{
    const struct aws_config *config = c->config;

    for (size_t i = 0; i < AWS_SERVICES; i++) {
        const char *url =
            config->endpoint_urls[i] != NULL ? config->endpoint_urls[i] : config->endpoint_url;
        char standard[256];
        int r = 0;

        if (url == NULL) {
            r = aws_service_url((enum aws_service)i, config->region, config->use_fips,
                                config->use_dualstack, standard, sizeof(standard));
            url = standard;
        }
        if (r == 0)
            r = set_base(&c->base[i], url);
        if (r < 0)
            return r;
    }
    return 0;
}

void aws_client_free(struct aws_client *c)
{
    if (c == NULL)
        return;
    c->transport->free(c->transport);
    if (c->credentials != NULL)
        c->credentials->free(c->credentials);
    limit_free(c->limit);
    for (size_t i = 0; i < AWS_SERVICES; i++) {
        free(c->base[i].url);
        free(c->base[i].host);
    }
    retry_quota_done(&c->quota);
    free(c);
}

int aws_client_new(const struct aws_client_options *o, struct aws_client **ret, struct fault *f)
{
    struct aws_client *c = calloc(1, sizeof(*c));
    int r;

    if (c == NULL) {
        o->transport->free(o->transport);
        return fault_set(f, -ENOMEM, "no memory");
    }
    c->config = o->config;
    c->transport = o->transport;
    c->clock = o->clock;
    atomic_init(&c->skew_ms, 0);
    retry_quota_init(&c->quota);
    r = set_bases(c);
    if (r == 0)
        r = limit_new(&c->limit, o->clock, o->rate_share > 0 ? o->rate_share : 0.67);
    if (r == 0)
        r = credentials_static_new(o->config, &c->credentials);
    if (r < 0) {
        aws_client_free(c);
        return fault_set(f, r, "the AWS client cannot start: %s", fault_errno_name(r));
    }
    *ret = c;
    return 0;
}

struct clock *aws_client_clock(struct aws_client *c)
{
    return c->clock;
}

const char *aws_client_region(const struct aws_client *c)
{
    return c->config->region;
}

void aws_client_observe(struct aws_client *c, aws_call_observer fn, void *arg)
{
    c->observer = fn;
    c->observer_arg = arg;
}

static int64_t now_ms(const struct aws_client *c)
{
    return c->clock->monotonic_ms(c->clock);
}

static double random_fraction(void)
{
    uint32_t bits;

    if (getrandom(&bits, sizeof(bits), 0) != (ssize_t)sizeof(bits))
        return 0.5;
    return bits / 4294967296.0;
}

static void format_amz_date(int64_t wall_ms, char out[17])
{
    time_t t = (time_t)(wall_ms / 1000);
    struct tm tm;

    if (gmtime_r(&t, &tm) == NULL || strftime(out, 17, "%Y%m%dT%H%M%SZ", &tm) != 16)
        memcpy(out, "19700101T000000Z", 17);
}

/* "Sun, 22 Nov 2026 12:00:00 GMT"; not by strptime, whose months are the locale's. */
static int parse_http_date(const char *s, int64_t *ret_ms)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm tm = {0};
    char month[4];
    const char *found;
    time_t t;

    if (sscanf(s, "%*3s, %d %3s %d %d:%d:%d GMT", &tm.tm_mday, month, &tm.tm_year, &tm.tm_hour,
               &tm.tm_min, &tm.tm_sec) != 6)
        return -EINVAL;
    found = strlen(month) == 3 ? strstr(months, month) : NULL;
    if (found == NULL || (found - months) % 3 != 0)
        return -EINVAL;
    tm.tm_mon = (int)(found - months) / 3;
    tm.tm_year -= 1900;
    t = timegm(&tm);
    if (t == (time_t)-1)
        return -EINVAL;
    *ret_ms = (int64_t)t * 1000;
    return 0;
}

static int sign(struct call *k, const struct sigv4_header *headers, size_t n, const char *amz_date,
                const struct aws_credentials *keys, struct buf *out)
{
    const struct aws_client *c = k->client;
    _cleanup_buf_ struct buf path = BUF_INIT(16 * 1024), text = BUF_INIT(64 * 1024);
    struct buf canonical = BUF_INIT(256 * 1024); /* holds the session token: wiped */
    int r = buf_printf(&path, "%s%s", c->base[k->action->service].path, buf_str(&k->request.path));
    struct sigv4_request q = {
        .method = k->request.method,
        .path = buf_str(&path),
        .query = buf_str(&k->request.query),
        .headers = headers,
        .n_headers = n,
        .body = k->request.body.data,
        .body_len = k->request.body.len,
        .amz_date = amz_date,
        .region = c->config->region,
        .signing_name = aws_service_info(k->action->service)->signing_name,
        .access_key_id = keys->access_key_id,
        .secret_access_key = keys->secret_access_key,
    };

    if (r == 0)
        r = sigv4_canonical_request(&q, &canonical);
    if (r == 0)
        r = sigv4_string_to_sign(&q, buf_str(&canonical), &text);
    if (r == 0)
        r = sigv4_authorization(&q, buf_str(&text), out);
    buf_wipe(&canonical);
    return r;
}

static int put_line(struct buf *lines, size_t *offsets, size_t i, const char *name,
                    const char *value)
{
    /* Offsets, since the buffer moves while it grows; the terminators stay between the lines. */
    int r;

    offsets[i] = lines->len;
    r = buf_printf(lines, "%s: %s", name, value);
    return r == 0 ? buf_append(lines, "", 1) : r;
}

/* All header lines of one sending, signed now, one after the other in lines. */
static int build_headers(struct call *k, struct buf *lines, size_t *offsets, size_t *ret_n,
                         struct fault *f)
{
    struct aws_client *c = k->client;
    _cleanup_credentials_ struct aws_credentials keys = {0};
    struct buf authorization = BUF_INIT(4096);
    struct sigv4_header headers[HEADERS];
    char amz_date[17];
    size_t n = 0;
    int r = c->credentials->get(c->credentials, &keys, f);

    if (r < 0)
        return r;
    (void)snprintf(k->key_id, sizeof(k->key_id), "%s", keys.access_key_id);
    k->skew_ms = atomic_load(&c->skew_ms);
    format_amz_date(c->clock->wall_ms(c->clock) + k->skew_ms, amz_date);
    headers[n++] = (struct sigv4_header){"Host", c->base[k->action->service].host};
    headers[n++] = (struct sigv4_header){"X-Amz-Date", amz_date};
    if (k->request.content_type[0] != '\0')
        headers[n++] = (struct sigv4_header){"Content-Type", k->request.content_type};
    if (k->request.target[0] != '\0')
        headers[n++] = (struct sigv4_header){"X-Amz-Target", k->request.target};
    if (keys.session_token != NULL)
        headers[n++] = (struct sigv4_header){"X-Amz-Security-Token", keys.session_token};
    r = sign(k, headers, n, amz_date, &keys, &authorization);
    for (size_t i = 0; i < n && r == 0; i++)
        r = put_line(lines, offsets, i, headers[i].name, headers[i].value);
    if (r == 0)
        r = put_line(lines, offsets, n++, "Authorization", buf_str(&authorization));
    buf_wipe(&authorization);
    if (r < 0)
        return fault_set(f, r, "the request cannot be signed: %s", fault_errno_name(r));
    *ret_n = n;
    return 0;
}

static int build_url(const struct call *k, struct buf *out)
{
    const struct encoded *q = &k->request;

    return buf_printf(out, "%s%s%s%s", k->client->base[k->action->service].url, buf_str(&q->path),
                      q->query.len > 0 ? "?" : "", buf_str(&q->query));
}

static int send_signed(struct call *k, int64_t deadline_ms, struct http_response *ret,
                       struct fault *f)
{
    struct aws_client *c = k->client;
    struct buf lines = BUF_INIT(64 * 1024);
    _cleanup_buf_ struct buf url = BUF_INIT(80 * 1024);
    size_t offsets[HEADERS], n = 0;
    const char *headers[HEADERS];
    int r = build_headers(k, &lines, offsets, &n, f);

    if (r == 0 && build_url(k, &url) < 0)
        r = fault_set(f, -ENOMEM, "no memory");
    if (r == 0) {
        struct http_request request = {
            .method = k->request.method,
            .url = buf_str(&url),
            .headers = headers,
            .n_headers = n,
            .body = k->request.body.data,
            .body_len = k->request.body.len,
            .deadline_ms = deadline_ms,
            .once = k->action->write,
        };

        for (size_t i = 0; i < n; i++)
            headers[i] = lines.data + offsets[i];
        r = c->transport->send(c->transport, &request, k->ctx->cancel, ret, f);
    }
    buf_wipe(&lines);
    return r;
}

/* What came of one sending. */
struct outcome {
    int err;
    enum error_kind kind;
    int64_t retry_after_s, amz_retry_after_ms;
    int64_t date_ms; /* of the answer, or 0 */
};

static int64_t header_number(const struct http_response *r, const char *name)
{
    _cleanup_free_ char *text = http_response_header(r, name);
    char *end;
    long long n;

    if (text == NULL || text[0] < '0' || text[0] > '9')
        return -1;
    errno = 0;
    n = strtoll(text, &end, 10);
    return *end != '\0' || errno != 0 ? -1 : n;
}

static void read_headers(const struct http_response *r, struct outcome *o)
{
    _cleanup_free_ char *date = http_response_header(r, "date");

    o->retry_after_s = header_number(r, "retry-after");
    o->amz_retry_after_ms = header_number(r, "x-amz-retry-after");
    if (date == NULL || parse_http_date(date, &o->date_ms) < 0)
        o->date_ms = 0;
}

static void set_unclear(struct fault *f, int64_t deadline_ms)
{
    f->unclear = true;
    f->unclear_until_ms = deadline_ms;
}

/* An answer came: 0 and *ret, or the failure. */
static struct outcome judge(const struct call *k, const struct http_response *r,
                            int64_t deadline_ms, json_t **ret, struct fault *f)
{
    const struct aws_action *a = k->action;
    struct outcome o = {0};
    struct error_class class;

    read_headers(r, &o);
    if (r->status >= 200 && r->status < 300) {
        o.err = protocol_decode(a, r, ret, f);
        o.kind = o.err == -EPROTO ? ERROR_TRANSIENT : ERROR_FINAL;
        if (o.err < 0) {
            f->http_status = r->status;
            if (a->write)
                set_unclear(f, deadline_ms);
        }
        return o;
    }
    *f = (struct fault){0};
    error_parse(a->service, r, f);
    class = error_classify(a->service, f->code, r->status);
    f->err = o.err = class.err;
    o.kind = class.kind;
    if (a->write && r->status >= 500 && class.kind != ERROR_THROTTLED)
        set_unclear(f, deadline_ms);
    return o;
}

static struct outcome send_once(struct call *k, int64_t deadline_ms, json_t **ret, struct fault *f)
{
    struct http_response response = {0};
    struct outcome o = {.retry_after_s = -1, .amz_retry_after_ms = -1};

    o.err = send_signed(k, deadline_ms, &response, f);
    if (o.err == 0) {
        o = judge(k, &response, deadline_ms, ret, f);
        http_response_done(&response);
        return o;
    }
    if (!k->action->write) {
        f->unclear = false;
        f->unclear_until_ms = 0;
    }
    if (o.err == -EREMOTEIO || o.err == -ETIMEDOUT || o.err == -EHOSTUNREACH)
        o.kind = ERROR_TRANSIENT;
    return o;
}

static int64_t timeout_of(const struct call *k)
{
    return k->ctx->timeout_ms > 0 ? k->ctx->timeout_ms : TIMEOUT_MS;
}

/* Of a sending that begins now. */
static int64_t deadline_of(struct call *k)
{
    int64_t now = now_ms(k->client), deadline;

    if (k->end_ms == 0)
        k->end_ms = now + timeout_of(k) * (k->action->write ? 1 : TIMEOUTS_OF_READ);
    deadline = MIN(now + timeout_of(k), k->end_ms);
    if (k->ctx->not_after_ms != NULL)
        deadline = MIN(deadline, (int64_t)atomic_load(k->ctx->not_after_ms));
    return deadline;
}

/* Signatures are refused for the clock only if it is off: then a second try with the answer's time.
 */
static bool learn_skew(struct call *k, const struct outcome *o)
{
    struct aws_client *c = k->client;
    int64_t skew;

    if (o->kind != ERROR_CLOCK_SKEW || o->date_ms == 0 || k->skew_tried)
        return false;
    skew = o->date_ms - c->clock->wall_ms(c->clock);
    if (skew - k->skew_ms < SKEW_MS && k->skew_ms - skew < SKEW_MS)
        return false;
    atomic_store(&c->skew_ms, skew);
    k->skew_tried = true;
    return true;
}

static bool new_keys(struct call *k, const struct outcome *o)
{
    struct credentials_source *s = k->client->credentials;

    if (o->err != -EKEYEXPIRED || k->keys_tried)
        return false;
    k->keys_tried = true;
    return s->invalidate(s, k->key_id);
}

/* Whether to send again; has waited where that is due. *ret_err: the wait was cancelled. */
static bool go_on(struct call *k, const struct outcome *o, int *ret_err)
{
    struct aws_client *c = k->client;
    struct retry_answer answer = {o->kind, o->retry_after_s, o->amz_retry_after_ms};
    int64_t delay, until;

    if (learn_skew(k, o) || new_keys(k, o))
        return true;
    if (k->action->write || k->ctx->no_retry)
        return false;
    if (!retry_decide(&c->quota, &k->retry, &answer, random_fraction(), &delay))
        return false;
    until = now_ms(c) + delay;
    if (until >= k->end_ms ||
        (k->ctx->not_after_ms != NULL && until >= (int64_t)atomic_load(k->ctx->not_after_ms)))
        return false;
    *ret_err = c->clock->sleep_until(c->clock, until, k->ctx->cancel);
    return *ret_err == 0;
}

static void tell_limit(const struct call *k, const struct outcome *o)
{
    if (o->kind == ERROR_THROTTLED)
        limit_throttled(k->client->limit, k->action->bucket);
    else if (o->err == 0)
        limit_succeeded(k->client->limit, k->action->bucket);
}

static int call_loop(struct call *k, json_t **ret, struct fault *f)
{
    struct aws_client *c = k->client;

    for (;;) {
        struct outcome o;
        int64_t deadline;
        int r = limit_wait(c->limit, k->action->bucket, k->ctx->rate, 0, k->ctx->cancel);

        if (r < 0)
            return fault_set(f, r, "cancelled before it was sent");
        deadline = deadline_of(k);
        if (deadline <= now_ms(c))
            return fault_set(f, -ETIMEDOUT, "its time was over before it could be sent");
        o = send_once(k, deadline, ret, f);
        tell_limit(k, &o);
        log_debug("%s:%s: %s%s%s", aws_service_info(k->action->service)->name, k->action->name,
                  o.err == 0 ? "ok" : fault_errno_name(o.err), o.err == 0 ? "" : " ",
                  o.err == 0 ? "" : f->code);
        if (o.err == 0) {
            retry_succeeded(&c->quota, &k->retry);
            return 0;
        }
        if (!go_on(k, &o, &r))
            return r < 0 ? fault_set(f, r, "cancelled between two tries") : o.err;
    }
}

static const char *next_step(int err)
{
    switch (err) {
    case -EKEYEXPIRED:
        return "renew the credentials (aws sso login, aws configure) and mount again";
    case -EKEYREJECTED:
        return "check the access key, its secret and this machine's clock";
    case -ENOKEY:
        return "aws configure";
    case -EACCES:
        return "let IAM allow this action to the identity in .svcfs/identity";
    case -EDQUOT:
        return "remove what is not needed, or ask for a higher quota in Service Quotas";
    case -EAGAIN:
        return "try again later: AWS limits the rate of the whole account";
    case -EHOSTUNREACH:
        return "check the network, the region and endpoint_url";
    default:
        return "";
    }
}

int aws_call(struct aws_client *c, const struct aws_action *a, const struct aws_ctx *ctx,
             json_t *request, json_t **ret, struct fault *f)
{
    static const struct aws_ctx no_ctx = {0};
    struct call k = {.client = c, .action = a, .ctx = ctx != NULL ? ctx : &no_ctx};
    struct fault fault = FAULT_INIT;
    _cleanup_json_ json_t *answer = NULL;
    int r = protocol_encode(a, request, &k.request, &fault);

    if (r == 0) {
        r = call_loop(&k, &answer, &fault);
        encoded_done(&k.request);
    }
    if (r < 0) {
        (void)str_format(fault.call, sizeof(fault.call), "%s:%s",
                         aws_service_info(a->service)->name, a->name);
        (void)str_format(fault.next, sizeof(fault.next), "%s", next_step(r));
        (void)fault_copy(f, &fault);
    } else if (ret != NULL) {
        *ret = steal_ptr(answer);
    }
    if (c->observer != NULL)
        c->observer(c->observer_arg, a, r, r < 0 ? &fault : NULL);
    return r;
}
