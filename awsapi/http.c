/*
 * The transport. One thread owns the multi handle; callers prepare an easy handle, put it into the
 * queue, wake the thread up and wait on a condition variable of their own.
 *
 * A transfer is QUEUED, RUNNING (in the multi handle), DONE. Under the lock of the transport: the
 * state, the lists, `cancelled`. Everything else in a transfer belongs to its caller before it is
 * queued and after it is DONE, and to the thread between.
 *
 * What clause 1 of the engine's protocol (every write is sent once, and not after its deadline)
 * asks of us:
 *  - a write goes over a fresh connection, since curl sends a request again by itself when a reused
 *    connection turns out to be dead;
 *  - right before the request's first byte (CURLOPT_PREREQFUNCTION) the deadline is looked at once
 *    more, by the clock that also counts while the machine is suspended: a process that was stopped
 *    must not send what it had queued before;
 *  - from that moment on the request counts as sent, and any failure as unclear.
 *
 * One connection pool, no HTTP/2: a few dozen calls at a time do not need it, and its
 * retries of refused streams would be one more thing to keep writes away from.
 */
#include "awsapi/http.h"

#include <assert.h>
#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"

enum {
    BODY_MAX = 32 * 1024 * 1024,
    HEADERS_MAX = 64 * 1024,
    CONNECT_MS = 3100,
    POLL_MS = 1000, /* how late a deadline is noticed after a suspend */
    POOL_MAX = 64,
};

enum transfer_state { QUEUED, RUNNING, DONE };

struct http {
    struct http_transport transport;
    struct clock *clock;
    char *ca_bundle;
    CURLM *multi;
    pthread_t thread;
    pthread_mutex_t lock;
    struct transfer *first; /* all transfers that are not DONE */
    bool stopping;
};

struct transfer {
    struct http *http;
    struct transfer *prev, *next;
    enum transfer_state state;
    bool cancelled;
    pthread_cond_t done;
    const struct http_request *request;
    CURL *easy;
    struct curl_slist *headers;
    struct http_response response;
    CURLcode result;
    int err;   /* where the thread ended it: -ECANCELED, -ETIMEDOUT */
    bool sent; /* the first byte may have gone out */
    bool too_big;
    char text[CURL_ERROR_SIZE];
};

void http_response_done(struct http_response *r)
{
    buf_wipe(&r->body);
    buf_done(&r->headers);
}

char *http_response_header(const struct http_response *r, const char *name)
{
    size_t len = strlen(name);

    for (const char *line = buf_str(&r->headers); *line != '\0';) {
        size_t n = strcspn(line, "\n");

        if (n > len + 1 && memcmp(line, name, len) == 0 && line[len] == ':')
            return strndup(line + len + 2, n - len - 2);
        line += n + (line[n] == '\n');
    }
    return NULL;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;

    if (buf_append(&t->response.body, data, size * n) < 0) {
        t->too_big = true;
        return 0;
    }
    return size * n;
}

/* One line; a new status line (after 100 Continue) begins anew. */
static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    struct buf *out = &t->response.headers;
    size_t len = size * n, name_len, value;
    int r = 0;

    if (len >= 5 && memcmp(data, "HTTP/", 5) == 0) {
        buf_truncate(out, 0);
        return size * n;
    }
    while (len > 0 && (data[len - 1] == '\r' || data[len - 1] == '\n' || data[len - 1] == ' '))
        len--;
    for (name_len = 0; name_len < len && data[name_len] != ':'; name_len++)
        ;
    if (name_len == len)
        return size * n;
    for (value = name_len + 1; value < len && (data[value] == ' ' || data[value] == '\t'); value++)
        ;
    for (size_t i = 0; i < name_len && r == 0; i++)
        r = buf_putc(out, (char)tolower((unsigned char)data[i]));
    if (r == 0)
        r = buf_puts(out, ": ");
    if (r == 0)
        r = buf_append(out, data + value, len - value);
    if (r == 0)
        r = buf_putc(out, '\n');
    if (r == 0)
        return size * n;
    t->too_big = true;
    return 0;
}

static bool too_late(const struct transfer *t)
{
    struct clock *clock = t->http->clock;

    return clock->monotonic_ms(clock) >= t->request->deadline_ms;
}

/* The connection stands and the next thing is the request's first byte. */
static int before_request(void *arg, _unused_ char *ip, _unused_ char *local_ip, _unused_ int port,
                          _unused_ int local_port)
{
    struct transfer *t = arg;

    if (too_late(t)) {
        t->err = -ETIMEDOUT;
        return CURL_PREREQFUNC_ABORT;
    }
    t->sent = true;
    return CURL_PREREQFUNC_OK;
}

static CURLcode set_request(struct transfer *t)
{
    const struct http_request *r = t->request;
    CURL *e = t->easy;
    CURLcode c = curl_easy_setopt(e, CURLOPT_URL, r->url);

    if (c == CURLE_OK && streq(r->method, "GET")) {
        c = curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
    } else if (c == CURLE_OK && (streq(r->method, "POST") || r->body_len > 0)) {
        c = curl_easy_setopt(e, CURLOPT_POST, 1L);
        if (c == CURLE_OK)
            c = curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
        if (c == CURLE_OK)
            c = curl_easy_setopt(e, CURLOPT_POSTFIELDS, r->body_len > 0 ? r->body : "");
    }
    if (c == CURLE_OK && !streq(r->method, "GET"))
        c = curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, r->method);
    if (c == CURLE_OK && r->once)
        c = curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
    return c;
}

static CURLcode set_callbacks(struct transfer *t)
{
    CURL *e = t->easy;
    CURLcode c = curl_easy_setopt(e, CURLOPT_PRIVATE, t);

    if (c == CURLE_OK)
        c = curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    if (c == CURLE_OK)
        c = curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
    if (c == CURLE_OK)
        c = curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    if (c == CURLE_OK)
        c = curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
    if (c == CURLE_OK)
        c = curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, before_request);
    if (c == CURLE_OK)
        c = curl_easy_setopt(e, CURLOPT_PREREQDATA, t);
    if (c == CURLE_OK)
        c = curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->text);
    return c;
}

static CURLcode set_manners(struct transfer *t, int64_t rest_ms)
{
    CURL *e = t->easy;
    CURLcode c = curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);

    if (c == CURLE_OK)
        c = curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)rest_ms);
    if (c == CURLE_OK)
        c = curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)MIN(rest_ms, CONNECT_MS));
    if (c == CURLE_OK)
        c = curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    if (c == CURLE_OK)
        c = curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    if (c == CURLE_OK)
        c = curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    if (c == CURLE_OK)
        c = curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
    if (c == CURLE_OK)
        c = curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (c == CURLE_OK)
        c = curl_easy_setopt(e, CURLOPT_USERAGENT, "svcfs/" SVCFS_VERSION);
    /* Otherwise removing a handle waits for a name server that does not answer. */
    if (c == CURLE_OK)
        c = curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
    if (c == CURLE_OK && t->http->ca_bundle != NULL)
        c = curl_easy_setopt(e, CURLOPT_CAINFO, t->http->ca_bundle);
    return c;
}

static int add_header(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);

    if (longer == NULL)
        return -ENOMEM;
    *list = longer;
    return 0;
}

static int prepare(struct transfer *t, int64_t rest_ms, struct fault *f)
{
    CURLcode c;
    int r;

    t->easy = curl_easy_init();
    if (t->easy == NULL)
        return fault_set(f, -ENOMEM, "no memory");
    /* "Expect: 100-continue" would cost a round trip; the others are curl's idea of a form. */
    r = add_header(&t->headers, "Expect:");
    if (r == 0 && t->request->body_len == 0)
        r = add_header(&t->headers, "Content-Type:");
    for (size_t i = 0; i < t->request->n_headers && r == 0; i++)
        r = add_header(&t->headers, t->request->headers[i]);
    if (r < 0)
        return fault_set(f, r, "no memory");
    c = curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
    if (c == CURLE_OK)
        c = set_callbacks(t);
    if (c == CURLE_OK)
        c = set_manners(t, rest_ms);
    if (c == CURLE_OK)
        c = set_request(t);
    if (c != CURLE_OK)
        return fault_set(f, c == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL,
                         "the request cannot be prepared: %s", curl_easy_strerror(c));
    return 0;
}

/* With the lock, in the thread: ends t, whatever it was doing. */
static void finish(struct transfer *t, CURLcode result, int err)
{
    struct http *h = t->http;

    assert(t->state != DONE);
    if (t->state == RUNNING)
        curl_multi_remove_handle(h->multi, t->easy);
    t->result = result;
    if (err != 0)
        t->err = err;
    if (t->prev != NULL)
        t->prev->next = t->next;
    else
        h->first = t->next;
    if (t->next != NULL)
        t->next->prev = t->prev;
    t->state = DONE;
    pthread_cond_signal(&t->done);
}

/* With the lock: starts what is queued, ends what is cancelled or too late. */
static void look_through(struct http *h)
{
    for (struct transfer *t = h->first, *next; t != NULL; t = next) {
        next = t->next;
        if (t->cancelled || h->stopping) {
            finish(t, CURLE_ABORTED_BY_CALLBACK, -ECANCELED);
        } else if (too_late(t)) {
            finish(t, CURLE_OPERATION_TIMEDOUT, -ETIMEDOUT);
        } else if (t->state == QUEUED) {
            if (curl_multi_add_handle(h->multi, t->easy) == CURLM_OK)
                t->state = RUNNING;
            else
                finish(t, CURLE_OUT_OF_MEMORY, -ENOMEM);
        }
    }
}

static void collect_finished(struct http *h)
{
    CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(h->multi, &left)) != NULL) {
        CURLcode result = m->data.result;
        struct transfer *t = NULL;

        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t);
        pthread_mutex_lock(&h->lock);
        finish(t, result, 0);
        pthread_mutex_unlock(&h->lock);
    }
}

static void *run(void *arg)
{
    struct http *h = arg;
    bool stopping = false;

    pthread_setname_np(pthread_self(), "http");
    while (!stopping) {
        int running = 0;

        pthread_mutex_lock(&h->lock);
        look_through(h);
        stopping = h->stopping;
        pthread_mutex_unlock(&h->lock);
        curl_multi_perform(h->multi, &running);
        collect_finished(h);
        if (!stopping)
            curl_multi_poll(h->multi, NULL, 0, running > 0 ? POLL_MS : 60 * 1000, NULL);
    }
    return NULL;
}

static void on_cancel(void *arg)
{
    struct transfer *t = arg;

    pthread_mutex_lock(&t->http->lock);
    t->cancelled = true;
    pthread_mutex_unlock(&t->http->lock);
    curl_multi_wakeup(t->http->multi);
}

static void enqueue_and_wait(struct transfer *t, struct cancel *cancel)
{
    struct cancel_waiter w = {.wake = on_cancel, .arg = t};
    struct http *h = t->http;

    pthread_mutex_lock(&h->lock);
    t->next = h->first;
    if (h->first != NULL)
        h->first->prev = t;
    h->first = t;
    pthread_mutex_unlock(&h->lock);
    curl_multi_wakeup(h->multi);
    cancel_add(cancel, &w);
    pthread_mutex_lock(&h->lock);
    while (t->state != DONE)
        pthread_cond_wait(&t->done, &h->lock);
    pthread_mutex_unlock(&h->lock);
    cancel_remove(cancel, &w);
}

static int result_errno(const struct transfer *t)
{
    if (t->too_big)
        return -EFBIG;
    if (t->err != 0)
        return t->err;
    switch (t->result) {
    case CURLE_OK:
        return 0;
    case CURLE_OUT_OF_MEMORY:
        return -ENOMEM;
    case CURLE_OPERATION_TIMEDOUT:
        /* Before anything was sent, and before the deadline: it was the connect's. */
        return t->sent || too_late(t) ? -ETIMEDOUT : -EHOSTUNREACH;
    default:
        return t->sent ? -EREMOTEIO : -EHOSTUNREACH;
    }
}

/* "https://host:port" of the url: what may be shown to a person (no path, no query). */
static int origin_len(const char *url)
{
    const char *host = strstr(url, "://");

    return (int)(host != NULL ? (size_t)(host + 3 - url) + strcspn(host + 3, "/?") : strlen(url));
}

static int fail(const struct transfer *t, int r, struct fault *f)
{
    const char *url = t->request->url;
    const char *text = t->text[0] != '\0' ? t->text : curl_easy_strerror(t->result);
    int n = origin_len(url);

    switch (r) {
    case -ECANCELED:
        (void)fault_set(f, r, "cancelled while waiting for %.*s", n, url);
        break;
    case -ETIMEDOUT:
        (void)fault_set(f, r, "%.*s did not answer in time", n, url);
        break;
    case -EFBIG:
        (void)fault_set(f, r, "the answer of %.*s is larger than %d MiB", n, url, BODY_MAX >> 20);
        break;
    default:
        (void)fault_set(f, r, "%.*s: %s", n, url, text);
    }
    if (f != NULL && t->sent) {
        f->unclear = true;
        f->unclear_until_ms = t->request->deadline_ms;
    }
    return r;
}

static int send_request(struct http_transport *transport, const struct http_request *request,
                        struct cancel *cancel, struct http_response *ret, struct fault *f)
{
    struct http *h = (struct http *)transport;
    struct transfer t = {
        .http = h,
        .request = request,
        .done = PTHREAD_COND_INITIALIZER,
        .response = {.body = BUF_INIT(BODY_MAX), .headers = BUF_INIT(HEADERS_MAX)},
    };
    int64_t rest = request->deadline_ms - h->clock->monotonic_ms(h->clock);
    long status = 0;
    int r;

    if (cancel_raised(cancel))
        return fail(&t, -ECANCELED, f);
    if (rest <= 0)
        return fail(&t, -ETIMEDOUT, f);
    r = prepare(&t, rest, f);
    if (r == 0) {
        enqueue_and_wait(&t, cancel);
        r = result_errno(&t);
        if (r < 0)
            (void)fail(&t, r, f);
    }
    if (r == 0) {
        curl_easy_getinfo(t.easy, CURLINFO_RESPONSE_CODE, &status);
        *ret = t.response;
        ret->status = (int)status;
    } else {
        http_response_done(&t.response);
    }
    curl_easy_cleanup(t.easy);
    curl_slist_free_all(t.headers);
    pthread_cond_destroy(&t.done);
    return r;
}

static void http_free(struct http_transport *transport)
{
    struct http *h = (struct http *)transport;

    if (h == NULL)
        return;
    pthread_mutex_lock(&h->lock);
    h->stopping = true;
    pthread_mutex_unlock(&h->lock);
    curl_multi_wakeup(h->multi);
    pthread_join(h->thread, NULL);
    curl_multi_cleanup(h->multi);
    pthread_mutex_destroy(&h->lock);
    free(h->ca_bundle);
    free(h);
}

static void init_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static int start_thread(struct http *h)
{
    sigset_t all, old;
    int r;

    /* Signals are the main thread's; and a blocked SIGPIPE makes OpenSSL's writes fail with EPIPE.
     */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    r = pthread_create(&h->thread, NULL, run, h);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return -r;
}

int http_new(struct http_transport **ret, struct clock *clock, const char *ca_bundle,
             struct fault *f)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct http *h;
    int r;

    pthread_once(&once, init_curl);
    h = calloc(1, sizeof(*h));
    if (h == NULL)
        return fault_set(f, -ENOMEM, "no memory");
    h->transport = (struct http_transport){.send = send_request, .free = http_free};
    h->clock = clock;
    pthread_mutex_init(&h->lock, NULL);
    h->ca_bundle = ca_bundle != NULL ? strdup(ca_bundle) : NULL;
    h->multi = curl_multi_init();
    if (h->multi == NULL || (ca_bundle != NULL && h->ca_bundle == NULL)) {
        r = -ENOMEM;
    } else {
        curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)POOL_MAX);
        r = start_thread(h);
    }
    if (r == 0) {
        *ret = &h->transport;
        return 0;
    }
    if (h->multi != NULL)
        curl_multi_cleanup(h->multi);
    free(h->ca_bundle);
    pthread_mutex_destroy(&h->lock);
    free(h);
    return fault_set(f, r, "the HTTP transport cannot start: %s", fault_errno_name(r));
}
