/*
 * The watcher on ten thousand records: what it asks SSM for, what it tells, and what it costs when
 * nothing happens. The test takes the watcher's turns itself, on a clock that only calls and the
 * test move; look-ups, records read and what the cache is told are counted where the linker sends
 * them past here.
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "provision/internal.h"

enum { MANY = 10000, REFRESH_MS = 60000, KINDS = 4, PAGE = 10 };

struct service {
    char id[16], claim[CLAIM_SIZE];
    const char *phase; /* code of the record */
    unsigned spent;
    bool removed, intent, is_protected, broken;
    const char *error;  /* as JSON, or NULL */
    const char *tagged; /* svcfs:phase in the index; NULL: not there */
    const char *part;   /* family of a resource in the index with its claim; NULL: there is none */
};

struct account {
    struct http_transport transport; /* first */
    struct clock_fake clock;
    struct aws_config config;
    struct aws_client *client;
    struct cache *cache;
    struct provision *p;
    pthread_mutex_t lock; /* what follows */
    struct service *services;
    size_t n;
    bool refuse;
    unsigned pages, gets, beneath,
        looks;              /* by path /svcfs, GetParameter, by another path, FakeGet */
    unsigned views, events; /* told to the observer */
    char last_view[32];
};

/* --- counted on their way --- */

static atomic_uint lookups, parsed, told;

void *__real_map_get(const struct map *m, const char *key);
void *__wrap_map_get(const struct map *m, const char *key);
void *__wrap_map_get(const struct map *m, const char *key)
{
    lookups++;
    return __real_map_get(m, key);
}

bool __real_map_next(const struct map *m, struct map_iter *it, const char **key, void **value);
bool __wrap_map_next(const struct map *m, struct map_iter *it, const char **key, void **value);
bool __wrap_map_next(const struct map *m, struct map_iter *it, const char **key, void **value)
{
    lookups++;
    return __real_map_next(m, it, key, value);
}

int __real_record_parse(const char *id, const char *text, struct record **ret, struct fault *f);
int __wrap_record_parse(const char *id, const char *text, struct record **ret, struct fault *f);
int __wrap_record_parse(const char *id, const char *text, struct record **ret, struct fault *f)
{
    parsed++;
    return __real_record_parse(id, text, ret, f);
}

int __real_cache_put_record(struct cache *c, const struct cache_record *r);
int __wrap_cache_put_record(struct cache *c, const struct cache_record *r);
int __wrap_cache_put_record(struct cache *c, const struct cache_record *r)
{
    told++;
    return __real_cache_put_record(c, r);
}

/* --- the account --- */

static char *record_text(const struct service *s)
{
    if (s->broken)
        return strdup("{\"v\": 99}");
    return str_printf("{\"v\":1,\"c\":\"%s\",\"f\":\"fam\",\"p\":\"%s\",\"n\":%u,\"w\":\"alice\","
                      "\"h\":\"host1\",\"t\":1700000000000,\"u\":1700000001000,\"l\":60000,"
                      "\"g\":10000,\"m\":5,\"b\":\"0123456789abcdef\","
                      "\"s\":[[\"Box\",\"box\",{\"n\":\"%s-Box\"},\"%s-Box\"]],"
                      "\"o\":{\"url\":\"https://%s.example.edu/\"}%s%s}",
                      s->claim, s->phase, s->spent, s->id, s->id, s->id, s->error ? ",\"e\":" : "",
                      s->error ? s->error : "");
}

/* Parameter kind of s, in the order of names: the record, then what stands beneath. NULL: none. */
static json_t *parameter(const struct service *s, size_t kind)
{
    static const char *const words[KINDS] = {"", "delete-1", "owner-1", "protect"};
    const bool there[KINDS] = {!s->removed, s->intent, true, s->is_protected};
    _cleanup_free_ char *value = NULL, *name = NULL;

    if (!there[kind])
        return NULL;
    if (kind == 0) {
        name = str_printf("/svcfs/%s", s->id);
        value = record_text(s);
    } else {
        name = str_printf("/svcfs/%s/%s/%s", s->id, s->claim, words[kind]);
        value = strdup("{\"nonce\":\"00000000000000000000000000\",\"lease\":60000,\"host\":\"h\","
                       "\"released\":true,\"beat\":2}");
    }
    return json_pack("{s:s, s:s}", "Name", name, "Value", value);
}

static struct service *service(struct account *a, const char *id)
{
    for (size_t i = 0; i < a->n; i++)
        if (streq(a->services[i].id, id))
            return &a->services[i];
    return NULL;
}

static json_t *by_path(struct account *a, json_t *request)
{
    const char *path = json_string_value(json_object_get(request, "Path"));
    const char *token = json_string_value(json_object_get(request, "NextToken"));
    size_t at = token ? strtoul(token, NULL, 10) : 0, end = a->n * KINDS;
    json_t *list = json_array();

    if (streq(path, "/svcfs")) {
        a->pages++;
    } else { /* /svcfs/ID/CLAIM */
        char id[16] = "";
        a->beneath++;
        snprintf(id, sizeof(id), "%.*s", (int)strcspn(path + 7, "/"), path + 7);
        at = (size_t)(service(a, id) - a->services) * KINDS + 1;
        end = at + KINDS - 1;
    }
    for (; at < end; at++) {
        json_t *item = parameter(&a->services[at / KINDS], at % KINDS);
        if (item && json_array_size(list) == PAGE) {
            json_decref(item);
            break;
        }
        if (item)
            json_array_append_new(list, item);
    }
    json_t *answer = json_pack("{s:o}", "Parameters", list);
    if (at < end) {
        char next[24];
        snprintf(next, sizeof(next), "%zu", at);
        json_object_set_new(answer, "NextToken", json_string(next));
    }
    return answer;
}

static json_t *get(struct account *a, json_t *request)
{
    struct service *s =
        service(a, str_after(json_string_value(json_object_get(request, "Name")), "/svcfs/"));
    json_t *item = s ? parameter(s, 0) : NULL;

    a->gets++;
    return item ? json_pack("{s:o}", "Parameter", item) : NULL;
}

static json_t *indexed(const struct service *s, const char *arn, const char *family,
                       const char *phase)
{
    const char *const tags[][2] = {{"service-family", family},
                                   {"service-id", s->id},
                                   {TAG_MODE, MODE_AUTOMATIC},
                                   {TAG_CLAIM, s->claim},
                                   {TAG_PHASE, phase}};
    json_t *list = json_array();

    for (size_t k = 0; k < ARRAY_SIZE(tags); k++)
        if (tags[k][1])
            json_array_append_new(list,
                                  json_pack("{s:s, s:s}", "Key", tags[k][0], "Value", tags[k][1]));
    return json_pack("{s:s, s:o}", "ResourceARN", arn, "Tags", list);
}

/* The index: the tagged records and parts, whatever was asked for. */
static json_t *resources(struct account *a)
{
    json_t *list = json_array();

    for (size_t i = 0; i < a->n; i++) {
        const struct service *s = &a->services[i];
        _cleanup_free_ char *record =
            str_printf("arn:aws:ssm:eu-central-1:123456789012:parameter/svcfs/%s", s->id);
        _cleanup_free_ char *part =
            str_printf("arn:aws:ec2:eu-central-1:123456789012:security-group/sg-%s", s->id);
        if (s->tagged)
            json_array_append_new(list, indexed(s, record, "fam", s->tagged));
        if (s->part)
            json_array_append_new(list, indexed(s, part, s->part, NULL));
    }
    return json_pack("{s:o}", "ResourceTagMappingList", list);
}

static json_t *answer_to(struct account *a, const struct http_request *r, json_t *request)
{
    char target[64] = "";

    for (size_t i = 0; i < r->n_headers; i++)
        if (str_after(r->headers[i], "X-Amz-Target: "))
            snprintf(target, sizeof(target), "%s", strrchr(r->headers[i], '.') + 1);
    if (streq(target, "GetParametersByPath"))
        return by_path(a, request);
    if (streq(target, "GetParameter"))
        return get(a, request);
    if (streq(target, "GetResources"))
        return resources(a);
    if (streq(target, "FakeGet")) {
        a->looks++;
        return json_pack("{s:O, s:b}", "Claim", json_object_get(request, "Claim"), "Usable", 1);
    }
    return json_pack("{s:[], s:[]}", "GroupIdentifiers", "TagValues");
}

static int send_answer(struct http_transport *t, const struct http_request *r,
                       _unused_ struct cancel *cancel, struct http_response *ret,
                       _unused_ struct fault *f)
{
    struct account *a = (struct account *)t;
    _cleanup_json_ json_t *request =
        r->body_len > 0 ? json_loadb(r->body, r->body_len, 0, NULL) : json_object();

    pthread_mutex_lock(&a->lock);
    _cleanup_json_ json_t *found = a->refuse ? NULL : answer_to(a, r, request);
    const char *code = a->refuse ? "AccessDeniedException" : "ParameterNotFound";
    pthread_mutex_unlock(&a->lock);
    *ret = (struct http_response){
        .status = found ? 200 : 400, .body = BUF_INIT(1 << 24), .headers = BUF_INIT(1024)};
    _cleanup_free_ char *text =
        found ? json_dumps(found, JSON_COMPACT) : str_printf("{\"__type\":\"%s\"}", code);
    return buf_puts(&ret->body, text);
}

static void free_nothing(_unused_ struct http_transport *t)
{
}

static void observe(void *arg, const char *family, const char *id, unsigned what)
{
    struct account *a = arg;

    assert_true(streq(family, "fam") || streq(family, "fam2"));
    pthread_mutex_lock(&a->lock);
    a->views += (what & PROVISION_VIEW) != 0;
    a->events += (what & PROVISION_EVENTS) != 0;
    snprintf(a->last_view, sizeof(a->last_view), "%s", id);
    pthread_mutex_unlock(&a->lock);
}

/* Between them what the account holds is changed: the refresher may come at any time, since the
 * clock is advanced. */
static void begin_change(struct account *a)
{
    pthread_mutex_lock(&a->lock);
}

static void end_change(struct account *a)
{
    pthread_mutex_unlock(&a->lock);
}

static void forget_counts(struct account *a)
{
    begin_change(a);
    a->pages = a->gets = a->beneath = a->looks = a->views = a->events = 0;
    end_change(a);
    lookups = parsed = told = 0;
}

static struct account *account_new(size_t n)
{
    struct account *a = calloc(1, sizeof(*a));
    struct fault f = FAULT_INIT;

    assert_non_null(a);
    a->transport = (struct http_transport){send_answer, free_nothing};
    clock_fake_init(&a->clock, 1000000, 1795348800000);
    a->config = (struct aws_config){.region = (char *)"eu-central-1",
                                    .access_key_id = (char *)"AKIDEXAMPLE",
                                    .secret_access_key = (char *)"secret"};
    pthread_mutex_init(&a->lock, NULL);
    a->n = n;
    a->services = calloc(n, sizeof(*a->services));
    for (size_t i = 0; i < n; i++) {
        a->services[i].phase = "r";
        snprintf(a->services[i].id, sizeof(a->services[i].id), "s%05zu", i);
        snprintf(a->services[i].claim, CLAIM_SIZE, "%026zu", i + 1);
    }
    const struct aws_client_options client = {&a->config, &a->transport, &a->clock.clock, 0};
    assert_int_equal(aws_client_new(&client, &a->client, &f), 0);
    const struct cache_options cache = {.aws = a->client,
                                        .family_tag = "service-family",
                                        .service_tag = "service-id",
                                        .dependency_tag = "service-dependency",
                                        .account = "123456789012",
                                        .region = "eu-central-1",
                                        .partition = "aws",
                                        .refresh_ms = REFRESH_MS};
    assert_int_equal(cache_new(&a->cache, &cache, &f), 0);
    const struct provision_options o = {.aws = a->client,
                                        .cache = a->cache,
                                        .account = "123456789012",
                                        .region = "eu-central-1",
                                        .partition = "aws",
                                        .family_tag = "service-family",
                                        .service_tag = "service-id",
                                        .dependency_tag = "service-dependency",
                                        .refresh_ms = REFRESH_MS,
                                        .lease_ms = 60000,
                                        .read_only = true};
    assert_int_equal(provision_new(&a->p, &o, &f), 0);
    provision_observe(a->p, observe, a);
    a->p->health_busy = true; /* until a test is about health */
    forget_counts(a);
    return a;
}

static void account_free(struct account *a)
{
    provision_stop(a->p);
    cache_stop(a->cache);
    provision_free(a->p);
    cache_free(a->cache);
    aws_client_free(a->client);
    pthread_mutex_destroy(&a->lock);
    free(a->services);
    free(a);
}
DEFINE_CLEANUP(struct account *, account_free)
#define _cleanup_account_ _cleanup_(account_freep)

/* --- time --- */

static int64_t now(struct account *a)
{
    return a->clock.clock.monotonic_ms(&a->clock.clock);
}

/* Turns until nothing is due; gives when something is. */
static int64_t settle(struct account *a)
{
    for (int i = 0; i < 10 * MANY; i++) {
        int64_t next = watch_turn(a->p);
        if (next > now(a))
            return next;
    }
    fail_msg("the watcher never rests");
    return 0;
}

static void advance(struct account *a, int64_t ms)
{
    a->clock.clock.sleep_until(&a->clock.clock, now(a) + ms, NULL);
}

/* The time of the next sweep, and that sweep. */
static void sweep_again(struct account *a)
{
    uint64_t before = a->p->sweep;

    forget_counts(a);
    while (a->p->sweep == before || a->p->watch.sweeping) {
        int64_t next = settle(a);
        if (a->p->sweep == before)
            advance(a, next - now(a));
    }
    settle(a);
}

/* --- ten thousand --- */

static void test_many(void **state)
{
    _cleanup_account_ struct account *a = account_new(MANY);
    (void)state;

    /* Learnt: 20,000 parameters, ten a call, nothing twice. */
    int64_t begun = now(a);
    settle(a);
    int64_t took = now(a) - begun;
    assert_int_equal(a->pages, 2 * MANY / PAGE);
    assert_int_equal(a->gets + a->beneath, 0);
    assert_int_equal(map_size(a->p->lives), MANY);
    assert_int_equal(a->views, MANY);
    assert_int_equal(told, MANY);
    assert_int_equal(parsed, MANY);

    /* The rest is as long as the sweep was, so a third of SSM's 40 calls a second is not passed. */
    assert_true(took > REFRESH_MS);
    assert_int_equal(a->p->watch.sweep_ms, now(a) + took);
    assert_true(a->pages * 1000.0 / (double)(2 * took) <= 40 / 3.0 + 0.5);

    /* Ten idle turns look nothing up, whatever the number of services. */
    forget_counts(a);
    for (int i = 0; i < 10; i++) {
        advance(a, 5000);
        settle(a);
    }
    assert_int_equal(lookups, 0);
    assert_int_equal(a->pages + a->gets + a->beneath + a->views, 0);

    /* A second sweep: the same calls, and nobody hears of it. */
    sweep_again(a);
    assert_int_equal(a->pages, 2 * MANY / PAGE);
    assert_int_equal(a->gets + a->beneath, 0);
    assert_int_equal(parsed, 0);
    assert_int_equal(told, 0);
    assert_int_equal(a->views + a->events, 0);

    /* One record changed: that one is parsed, and told. */
    a->services[77].phase = "f";
    sweep_again(a);
    assert_int_equal(parsed, 1);
    assert_int_equal(told, 1);
    assert_int_equal(a->views, 1);
    assert_string_equal(a->last_view, "s00077");

    /* Only another text, the same for the cache. */
    a->services[78].error = "\"step: x\\n\"";
    sweep_again(a);
    assert_int_equal(told, 0);
    assert_int_equal(a->views, 1);

    /* One is gone: it is asked for by itself, once. */
    a->services[79].removed = true;
    sweep_again(a);
    assert_int_equal(a->gets, 1);
    assert_int_equal(a->views, 1);
    assert_int_equal(map_size(a->p->lives), MANY - 1);
    assert_int_equal(map_size(a->p->vanished), 1);
    sweep_again(a);
    assert_int_equal(map_size(a->p->vanished), 0);
}

/* --- what is told --- */

static void test_news(void **state)
{
    _cleanup_account_ struct account *a = account_new(3);
    (void)state;

    settle(a);
    assert_int_equal(a->views, 3);
    sweep_again(a);
    assert_int_equal(a->views, 0);

    a->services[0].is_protected = true;
    sweep_again(a);
    assert_int_equal(a->views, 1);
    assert_int_equal(told, 0); /* it stands where it stood */

    a->services[1].broken = true;
    sweep_again(a);
    assert_int_equal(a->views, 1);
    sweep_again(a);
    assert_int_equal(a->views, 0);
    a->services[1].broken = false;
    sweep_again(a);
    assert_int_equal(a->views, 1);
    assert_int_equal(parsed, 0); /* it is the text that was known before */

    a->services[2].intent = true;
    sweep_again(a);
    assert_int_equal(a->views, 1);
    assert_int_equal(told, 1);

    struct life *l = life_get(a->p, "s00000");
    forget_counts(a);
    life_event(a->p, l, NULL, "x", NULL, "y");
    assert_int_equal(a->events, 1);
    assert_int_equal(a->views, 0);
    life_set_health(a->p, l, false, "");
    assert_int_equal(a->views, 1);
    life_set_key(a->p, l, "mariadb/database/x", true); /* the index shows it */
    assert_int_equal(a->views, 1);
    assert_int_equal(told, 1);
    life_tell(a->p, l);
    life_set_key(a->p, l, "mariadb/database/x", true);
    assert_int_equal(told, 1);
    life_set_intent(a->p, l, 1);
    life_set_intent(a->p, l, 1);
    assert_int_equal(a->views, 2);
    assert_int_equal(told, 2);
    life_unref(a->p, l);
}

/* A sweep that is refused costs nobody a notification who has a life. */
static void test_refused(void **state)
{
    _cleanup_account_ struct account *a = account_new(1);
    (void)state;

    settle(a);
    a->refuse = true;
    forget_counts(a);
    while (!a->p->records_fault.err) {
        advance(a, REFRESH_MS);
        settle(a);
    }
    assert_int_equal(a->views, 0);
    a->refuse = false;
    sweep_again(a);
    assert_int_equal(a->p->records_fault.err, 0);
    assert_int_equal(a->views, 0);
}

/* --- the tag index --- */

static void refresh(struct account *a)
{
    struct fault f = FAULT_INIT;

    if (cache_refresh(a->cache, NULL, &f) != 0)
        fail_msg("%s", f.message);
    cache_flush(a->cache);
    advance(a, a->p->timing.turn_ms);
}

/* What the tags say is looked into at once, once, and long before the sweep. */
static void test_tags(void **state)
{
    _cleanup_account_ struct account *a = account_new(3);
    (void)state;

    for (size_t i = 0; i < 2; i++)
        a->services[i].tagged = "ready";
    assert_int_equal(cache_start(a->cache, NULL), 0);
    begin_change(a);
    a->services[2].removed = true;
    end_change(a);
    refresh(a);
    settle(a);
    uint64_t sweep = a->p->sweep;
    forget_counts(a);
    refresh(a);
    settle(a);
    assert_int_equal(a->gets, 0);

    begin_change(a);
    a->services[0].phase = "d"; /* another machine's teardown */
    a->services[0].tagged = "deleting";
    end_change(a);
    refresh(a);
    settle(a);
    assert_int_equal(a->gets, 1);
    assert_int_equal(a->views, 1);
    begin_change(a);
    a->services[0].phase = "f"; /* it ended */
    a->services[0].tagged = "failed";
    a->services[0].spent = 1;
    end_change(a);
    refresh(a);
    advance(a, a->p->timing.poll_ms);
    settle(a);
    assert_int_equal(a->gets, 2);
    assert_int_equal(a->views, 2);

    begin_change(a);
    a->services[2].removed = false; /* another machine's claim */
    a->services[2].phase = "c";
    a->services[2].tagged = "creating";
    end_change(a);
    refresh(a);
    settle(a);
    assert_int_equal(map_size(a->p->lives), 3);
    assert_int_equal(a->gets, 3);

    begin_change(a);
    a->services[1].tagged = "failed"; /* the record says otherwise: once is enough */
    end_change(a);
    refresh(a);
    settle(a);
    refresh(a);
    settle(a);
    assert_int_equal(a->gets, 4);
    assert_int_equal(a->p->sweep, sweep);
}

static enum service_status status_in(struct account *a, const char *family, const char *id)
{
    _cleanup_snapshot_ const struct snapshot *s = cache_snapshot(a->cache);
    const struct index_family *f = snapshot_family(s, family);
    const struct index_service *service = f ? snapshot_service_by_id(f, id) : NULL;
    struct service_row row;

    assert_non_null(service);
    provision_row(a->p, service, &row);
    return row.status;
}

static enum service_status status_of(struct account *a, const char *id)
{
    return status_in(a, "fam", id);
}

/* The index shows parts and no record: one read tells whether there is one. */
static void test_parts(void **state)
{
    _cleanup_account_ struct account *a = account_new(3);
    (void)state;

    for (size_t i = 0; i < 2; i++)
        a->services[i].removed = true;
    assert_int_equal(cache_start(a->cache, NULL), 0);
    refresh(a);
    settle(a);

    begin_change(a);
    a->services[0].removed = false; /* another machine's: its record is tagged and not seen yet */
    a->services[0].phase = "c";
    a->services[0].part = "fam";
    a->services[1].part = "fam"; /* what is left of one */
    end_change(a);
    forget_counts(a);
    refresh(a);
    assert_int_equal(status_of(a, "s00000"), STATUS_UNKNOWN);
    assert_int_equal(status_of(a, "s00001"), STATUS_UNKNOWN);
    settle(a);
    cache_flush(a->cache);
    assert_int_equal(status_of(a, "s00000"), STATUS_CREATING);
    assert_int_equal(status_of(a, "s00001"), STATUS_UNMANAGED);
    assert_int_equal(a->gets, 2);
    assert_int_equal(a->views, 2);

    begin_change(a);
    a->services[0].phase = "r";   /* nothing is polled */
    end_change(a);
    for (int i = 0; i < 3; i++) { /* it is not asked again, whatever else changes */
        sweep_again(a);
        begin_change(a);
        a->services[2].tagged = i % 2 ? NULL : "ready";
        end_change(a);
        forget_counts(a);
        refresh(a);
        watch_turn(a->p);
        assert_int_equal(status_of(a, "s00001"), STATUS_UNMANAGED);
        assert_int_equal(a->gets, 0);
    }
    begin_change(a);
    a->services[1].part = NULL; /* the id may come back */
    end_change(a);
    refresh(a);
    settle(a);
    assert_int_equal(map_size(a->p->recordless), 0);
}

/* A part of a service that has a record is shown in another family: that is nobody's. */
static void test_parts_elsewhere(void **state)
{
    for (int late = 0; late < 2; late++) { /* late: nothing is known of the record yet */
        _cleanup_account_ struct account *a = account_new(1);
        (void)state;

        a->services[0].tagged = late ? NULL : "ready";
        a->services[0].part = "fam2";
        assert_int_equal(cache_start(a->cache, NULL), 0);
        refresh(a);
        settle(a);
        assert_int_equal(status_in(a, "fam2", "s00000"), STATUS_UNMANAGED);
        cache_flush(a->cache);
        assert_int_equal(status_of(a, "s00000"), STATUS_READY);
        forget_counts(a);
        for (int i = 0; i < 2; i++) {
            begin_change(a);
            a->services[0].tagged = i == 0 ? "ready" : NULL;
            end_change(a);
            refresh(a);
            watch_turn(a->p);
        }
        assert_int_equal(a->gets, 0);
    }
}

/* Several are asked for, and a sweep of the records ends before all were read. */
static void test_parts_and_sweep(void **state)
{
    _cleanup_account_ struct account *a = account_new(4);
    (void)state;

    for (size_t i = 0; i < 4; i++) {
        a->services[i].removed = true;
        a->services[i].part = "fam";
    }
    assert_int_equal(cache_start(a->cache, NULL), 0);
    refresh(a);
    a->p->watch.sweep_ms = now(a);
    settle(a);
    assert_int_equal(a->gets, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(status_of(a, a->services[i].id), STATUS_UNMANAGED);
}

/* Nothing is said of what cannot be read, and it is read when it can. */
static void test_parts_refused(void **state)
{
    _cleanup_account_ struct account *a = account_new(1);
    (void)state;

    a->services[0].removed = true;
    assert_int_equal(cache_start(a->cache, NULL), 0);
    refresh(a);
    settle(a);
    begin_change(a);
    a->services[0].part = "fam";
    end_change(a);
    refresh(a);
    begin_change(a);
    a->refuse = true;
    end_change(a);
    settle(a);
    assert_int_equal(status_of(a, "s00000"), STATUS_UNKNOWN);
    assert_non_null(map_get(a->p->bad_records, "s00000"));
    begin_change(a);
    a->refuse = false;
    end_change(a);
    sweep_again(a);
    advance(a, a->p->timing.turn_ms);
    settle(a);
    assert_int_equal(status_of(a, "s00000"), STATUS_UNMANAGED);
}

/* Work of others is read again each poll_ms, and nothing else is. */
static void test_poll(void **state)
{
    _cleanup_account_ struct account *a = account_new(20);
    (void)state;

    a->services[5].phase = "c";
    settle(a);
    forget_counts(a);
    for (int i = 0; i < 10; i++) {
        advance(a, a->p->timing.poll_ms / 5);
        settle(a);
    }
    assert_int_equal(a->gets, 2);
    assert_int_equal(a->beneath, 2);
    assert_int_equal(a->pages, 0);
    a->services[5].phase = "r";
    advance(a, a->p->timing.poll_ms);
    settle(a);
    assert_int_equal(a->gets, 3);
    advance(a, a->p->timing.poll_ms);
    settle(a);
    assert_int_equal(a->gets, 3);
    assert_int_equal(a->pages, 0);
}

/* --- health --- */

static void await_look(struct account *a)
{
    pthread_mutex_lock(&a->p->lock);
    while (a->p->health_busy)
        pthread_cond_wait(&a->p->changed, &a->p->lock);
    pthread_mutex_unlock(&a->p->lock);
}

/* One after the other, each once within the interval. */
static void test_health(void **state)
{
    _cleanup_account_ struct account *a = account_new(7);
    (void)state;

    settle(a);
    forget_counts(a);
    a->p->health_busy = false;
    for (unsigned i = 1; i <= 7; i++) {
        settle(a);
        await_look(a);
        assert_int_equal(a->looks, i);
        assert_int_equal(a->views, i);
        advance(a, 1000); /* longer than a look of one step */
    }
    for (size_t i = 0; i < a->n; i++) {
        struct life *l = life_get(a->p, a->services[i].id);
        assert_true(l->checked_ms > 0);
        life_unref(a->p, l);
    }
    lookups = 0;
    int64_t next = settle(a);
    assert_int_equal(lookups, 0);
    assert_int_equal(a->looks, 7);
    assert_true(next <= now(a) + 5000);
}

/* --- rows --- */

static void check_row(struct account *a, const struct index_service *s, enum service_status status,
                      bool has_error)
{
    struct service_view *v = NULL;
    struct service_row row;

    assert_int_equal(provision_view(a->p, NULL, s, &v), 0);
    provision_row(a->p, s, &row);
    assert_int_equal(v->status, status);
    assert_int_equal(row.status, status);
    assert_int_equal(row.has_error, has_error);
    assert_int_equal(v->error != NULL, has_error);
    assert_int_equal(row.created_wall_ms, v->created_wall_ms);
    assert_int_equal(row.changed_wall_ms, v->changed_wall_ms);
    assert_int_equal(row.checked_wall_ms, v->checked_wall_ms);
    assert_string_equal(row.url, v->url ? v->url : "");
    service_view_free(v);
}

static void test_rows(void **state)
{
    _cleanup_account_ struct account *a = account_new(8);
    static const struct index_label family = {.id = "fam"};
    static const struct {
        const char *phase, *error, *tagged;
        bool intent, broken, removed, has_error;
        enum service_status status;
    } rows[8] = {
        {"r", NULL, "ready", false, false, false, false, STATUS_READY},
        {"c", NULL, "creating", false, false, false, false, STATUS_CREATING},
        {"f", "\"step: x\\n\"", "failed", false, false, false, true, STATUS_FAILED},
        {"f", NULL, "failed", false, false, false, false, STATUS_FAILED},
        {"r", NULL, "ready", true, false, false, false, STATUS_DELETING},
        {"d", NULL, "deleting", false, false, false, false, STATUS_DELETING},
        {"r", NULL, "ready", false, true, false, true, STATUS_UNKNOWN},
        {"r", NULL, "failed", false, false, true, true, STATUS_FAILED}, /* by its tags alone */
    };
    struct index_service s[8];
    (void)state;

    for (size_t i = 0; i < a->n; i++) {
        a->services[i].phase = rows[i].phase;
        a->services[i].error = rows[i].error;
        a->services[i].intent = rows[i].intent;
        a->services[i].broken = rows[i].broken;
        a->services[i].removed = rows[i].removed;
        s[i] = (struct index_service){.id = a->services[i].id,
                                      .family = &family,
                                      .managed = true,
                                      .phase = rows[i].tagged,
                                      .claim = ""};
    }
    settle(a);
    for (size_t i = 0; i < a->n; i++)
        check_row(a, &s[i], rows[i].status, rows[i].has_error);

    struct life *l = life_get(a->p, s[0].id);
    struct service_row row;
    provision_row(a->p, &s[0], &row);
    assert_int_equal(row.events_len, 0);
    assert_int_equal(row.events_wall_ms, 0);
    life_event(a->p, l, NULL, "x", NULL, "y");
    _cleanup_buf_ struct buf events = BUF_INIT(10000);
    assert_int_equal(provision_events(a->p, "fam", s[0].id, &events), 0);
    provision_row(a->p, &s[0], &row);
    assert_int_equal(row.events_len, events.len);
    assert_int_equal(row.events_wall_ms, now(a) + a->clock.wall_offset_ms);
    life_set_health(a->p, l, true, "Box: is gone");
    check_row(a, &s[0], STATUS_DEGRADED, true);
    life_unref(a->p, l);

    s[0].managed = false;
    check_row(a, &s[0], STATUS_UNMANAGED, false);
    s[7].phase = "";
    check_row(a, &s[7], STATUS_UNKNOWN, true);
    a->p->records_fault.err = -EACCES;
    s[7].phase = "ready";
    check_row(a, &s[7], STATUS_UNKNOWN, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_news),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_poll),
        cmocka_unit_test(test_health),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_parts_refused),
        cmocka_unit_test(test_parts_elsewhere),
        cmocka_unit_test(test_parts_and_sweep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
