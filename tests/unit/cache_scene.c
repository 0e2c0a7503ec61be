#include "tests/unit/cache_scene.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

static void wake(void *arg)
{
    struct aws *a = arg;

    pthread_mutex_lock(&a->lock);
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

/* What is asked for. */
enum question { GROUPS, NAMES, LOOKUP, FAMILY_PAGES, CENSUS, TYPE, RECORDS, STRAYS };

static bool has(const struct http_request *r, const char *text)
{
    return r->body_len > 0 && memmem(r->body, r->body_len, text, strlen(text));
}

static enum question question_of(const struct http_request *r)
{
    if (strstr(r->url, "groups-list"))
        return GROUPS;
    if (has(r, "ResourceARNList"))
        return LOOKUP;
    if (!has(r, "TagFilters"))
        return NAMES;
    if (has(r, "Values"))
        return FAMILY_PAGES;
    if (has(r, "ResourceTypeFilters"))
        return has(r, "ssm:parameter") ? RECORDS : TYPE;
    return has(r, "service-family") ? CENSUS : STRAYS;
}

/* Both locked. */
static void note(struct aws *a, enum question q, const struct http_request *r)
{
    if (q == LOOKUP)
        snprintf(a->asked_for, sizeof(a->asked_for), "%.*s", (int)r->body_len,
                 (const char *)r->body);
    a->lookups += q == LOOKUP;
    a->sweeps += q == CENSUS || q == TYPE;
    a->typed += q == TYPE;
    a->families += q == FAMILY_PAGES;
    a->named += q == NAMES;
    a->held++;
    pthread_cond_broadcast(&a->changed);
}

static bool answer(struct aws *a, enum question q, struct buf *body)
{
    bool refused = q == GROUPS ? a->refuse_groups
                               : a->refuse || (q == NAMES && a->refuse_names) ||
                                     (q == LOOKUP && a->refuse_lookups) ||
                                     (q == FAMILY_PAGES && a->refuse_family);

    if (refused)
        buf_puts(body, "{\"__type\": \"AccessDeniedException\", \"message\": \"no\"}");
    else if (q == GROUPS)
        buf_puts(body, "{\"GroupIdentifiers\": []}");
    else if (q == NAMES)
        buf_printf(body, "{\"TagValues\": [%s]}", a->names);
    else
        buf_printf(body, "{\"ResourceTagMappingList\": [%s]}",
                   q == FAMILY_PAGES ? a->family
                   : q == LOOKUP     ? a->looked_up
                   : q == STRAYS     ? ""
                                     : a->resources);
    return refused;
}

static int send_answer(struct http_transport *transport, const struct http_request *r,
                       struct cancel *cancel, struct http_response *ret, struct fault *f)
{
    struct aws *a = (struct aws *)transport;
    struct cancel_waiter w = {.wake = wake, .arg = a};
    enum question q = question_of(r);
    struct buf body = BUF_INIT(100000);

    cancel_add(cancel, &w);
    pthread_mutex_lock(&a->lock);
    note(a, q, r);
    while ((a->hold || (a->hold_sweeps && q >= CENSUS)) && !cancel_raised(cancel))
        pthread_cond_wait(&a->changed, &a->lock);
    a->held--;
    bool refused = answer(a, q, &body);
    pthread_mutex_unlock(&a->lock);
    cancel_remove(cancel, &w);
    if (cancel_raised(cancel)) {
        buf_done(&body);
        return fault_set(f, -ECANCELED, "cancelled");
    }
    *ret = (struct http_response){
        .status = refused ? 403 : 200, .body = body, .headers = BUF_INIT(1024)};
    return 0;
}

static void free_nothing(_unused_ struct http_transport *t)
{
}

static void observe(void *arg, const struct snapshot *old, const struct snapshot *now)
{
    struct aws *a = arg;

    pthread_mutex_lock(&a->lock);
    a->observed++;
    a->published += old != now && now->whole;
    a->sketched += old != now && !now->whole;
    a->last_old = old;
    a->last_now = now;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

struct aws *aws_new(const char *save_path)
{
    struct aws *a = calloc(1, sizeof(*a));

    assert_non_null(a);
    a->transport = (struct http_transport){send_answer, free_nothing};
    clock_fake_init(&a->clock, 1000000, 0);
    a->config = (struct aws_config){.region = (char *)"eu-central-1",
                                    .access_key_id = (char *)"AKIDEXAMPLE",
                                    .secret_access_key = (char *)"secret"};
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->changed, NULL);
    a->resources = a->family = ENTRY(SG("sg-1"), "wp", "n1");
    a->names = "\"wp\"";
    a->looked_up = "";
    const struct aws_client_options client = {&a->config, &a->transport, &a->clock.clock, 0};
    assert_int_equal(aws_client_new(&client, &a->client, NULL), 0);
    const struct cache_options o = {.aws = a->client,
                                    .family_tag = "service-family",
                                    .service_tag = "service-id",
                                    .dependency_tag = "service-dependency",
                                    .account = "123456789012",
                                    .region = "eu-central-1",
                                    .partition = "aws",
                                    .refresh_ms = REFRESH_MS,
                                    .save_path = save_path};
    assert_int_equal(cache_new(&a->cache, &o, NULL), 0);
    cache_observe(a->cache, observe, a);
    return a;
}

void aws_free(struct aws *a)
{
    cache_stop(a->cache);
    cache_free(a->cache);
    aws_client_free(a->client);
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

void set(struct aws *a, bool *what, bool value)
{
    pthread_mutex_lock(&a->lock);
    *what = value;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

void set_text(struct aws *a, const char **what, const char *text)
{
    pthread_mutex_lock(&a->lock);
    *what = text;
    pthread_mutex_unlock(&a->lock);
}

unsigned count(struct aws *a, const unsigned *what)
{
    pthread_mutex_lock(&a->lock);
    unsigned n = *what;
    pthread_mutex_unlock(&a->lock);
    return n;
}

bool has_service(struct aws *a, const char *id)
{
    _cleanup_snapshot_ const struct snapshot *s = cache_snapshot(a->cache);

    return s && snapshot_any_service(s, id);
}
