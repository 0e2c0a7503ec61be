/* One provision of each daemon has a transport, a cache and a client of its own; blueprints are
 * shared. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "tests/unit/engine_scene.h"

static const struct timing quick = {
    .call_ms = 150,
    .claim_ms = 150,
    .settle_ms = 30,
    .children_ms = 30,
    .vanished_ms = 300,
    .leftover_ms = 300,
    .delete_ms = 15000,
    .appear_ms = 500,
    .poll_ms = 20,
    .turn_ms = 20,
    .retry_ms = 20,
    .stop_ms = 200,
    .look_ms = 5,
};

static const struct provision_requester somebody = {1000, "somebody"};

#define BOX "\"Box\": {\"Type\": \"Fake::Box\"}"
#define PIN "\"Pin\": {\"Type\": \"Fake::Pin\", \"Properties\": {\"Box\": {\"Ref\": \"Box\"}}}"
#define FAMILY(settings, resources)                                                                \
    "{\"Metadata\": {\"svcfs\": {\"DeleteGrace\": 0, \"MaxDeletesPerMinute\": 50, "                \
    "\"ServiceIdPattern\": \"[a-z][a-z0-9]{1,23}\"" settings "}}, "                                \
    "\"Resources\": {" resources "}}"

static const char *const families[][2] = {
    {"fam", FAMILY("", BOX ", " PIN)},
    {"kept", FAMILY(", \"Protected\": true", BOX)},
    {"back", FAMILY(", \"OnFailure\": \"ROLLBACK\"", BOX ", " PIN)},
    {"short", FAMILY(", \"CreateTimeout\": 1", BOX)},
};

static void write_families(struct scene *s)
{
    char path[128];

    strcpy(s->dir, "/tmp/svcfs-engine-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        snprintf(path, sizeof(path), "%s/%s.json", s->dir, families[i][0]);
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        assert_true(fputs(families[i][1], f) >= 0);
        assert_int_equal(fclose(f), 0);
    }
}

static void happened(void *arg, _unused_ const char *family, _unused_ const char *id,
                     _unused_ unsigned what)
{
    struct daemon *d = arg;

    d->told++;
    fake_ssm_happened(d->ssm);
}

static void published(void *arg, _unused_ const struct snapshot *old,
                      _unused_ const struct snapshot *new)
{
    fake_ssm_happened(arg);
}

/* --- waiting --- */

void wait_for(struct scene *s, struct daemon *d, condition is, const char *arg, const char *what,
              int line)
{
    struct clock *c = clock_system();
    int64_t end = c->monotonic_ms(c) + BOUND_MS;
    unsigned long seen = fake_ssm_wait(s->ssm, (unsigned long)-1);

    while (!is(s, d, arg)) {
        if (c->monotonic_ms(c) > end)
            fail_msg("line %d: waited in vain for %s %s", line, what, arg);
        seen = fake_ssm_wait(s->ssm, seen);
    }
}
static bool has_snapshot(_unused_ struct scene *s, struct daemon *d, _unused_ const char *arg)
{
    _cleanup_snapshot_ const struct snapshot *snapshot = cache_snapshot(d->cache);

    pthread_mutex_lock(&d->p->lock);
    bool swept = d->p->swept;
    pthread_mutex_unlock(&d->p->lock);
    return snapshot && swept;
}

static bool in_phase(struct daemon *d, const char *id, enum record_phase phase)
{
    struct life *l = life_get(d->p, id);
    bool is = false;

    if (!l)
        return false;
    pthread_mutex_lock(&d->p->lock);
    is = l->record->phase == phase && !life_has_work(l) && !l->engaged;
    pthread_mutex_unlock(&d->p->lock);
    life_unref(d->p, l);
    return is;
}

bool ready(_unused_ struct scene *s, struct daemon *d, const char *id)
{
    return in_phase(d, id, PHASE_READY);
}

bool failed(_unused_ struct scene *s, struct daemon *d, const char *id)
{
    return in_phase(d, id, PHASE_FAILED);
}

bool known(_unused_ struct scene *s, struct daemon *d, const char *id)
{
    struct life *l = life_get(d->p, id);

    life_unref(d->p, l);
    return l != NULL;
}

bool unknown(struct scene *s, struct daemon *d, const char *id)
{
    _cleanup_snapshot_ const struct snapshot *snapshot = cache_snapshot(d->cache);

    return !known(s, d, id) && snapshot && !snapshot_any_service(snapshot, id);
}

bool idle(_unused_ struct scene *s, struct daemon *d, const char *id)
{
    struct life *l = life_get(d->p, id);

    if (!l)
        return true;
    pthread_mutex_lock(&d->p->lock);
    bool is = !l->engaged;
    pthread_mutex_unlock(&d->p->lock);
    life_unref(d->p, l);
    return is;
}

bool empty(struct scene *s, _unused_ struct daemon *d, const char *prefix)
{
    return fake_ssm_count(s->ssm, prefix) == 0;
}

bool there(struct scene *s, _unused_ struct daemon *d, const char *thing)
{
    return fake_thing_there(s->ssm, thing);
}

bool tried_to_delete(struct scene *s, _unused_ struct daemon *d, const char *thing)
{
    return fake_ssm_sent(s->ssm, -1, "FakeDelete", thing) >= 3;
}

bool tried_to_create(struct scene *s, _unused_ struct daemon *d, const char *thing)
{
    return fake_ssm_sent(s->ssm, -1, "FakeCreate", thing) >= 1;
}

bool says_unclear(_unused_ struct scene *s, struct daemon *d, const char *id)
{
    _cleanup_buf_ struct buf text = BUF_INIT(1 << 20);

    provision_events(d->p, "fam", id, &text);
    return strstr(buf_str(&text), "\tunclear\t") != NULL;
}

/* --- the scene --- */

static void daemon_start(struct scene *s, int i)
{
    struct daemon *d = &s->d[i];
    const struct aws_client_options aws = {&s->config, fake_ssm_transport(s->ssm, i),
                                           clock_system(), 1000};
    struct fault f = FAULT_INIT;

    assert_int_equal(aws_client_new(&aws, &d->aws, &f), 0);
    const struct cache_options cache = {.aws = d->aws,
                                        .family_tag = "service-family",
                                        .service_tag = "service-id",
                                        .dependency_tag = "service-dependency",
                                        .account = "123456789012",
                                        .region = "eu-central-1",
                                        .partition = "aws",
                                        .refresh_ms = 60000};
    assert_int_equal(cache_new(&d->cache, &cache, &f), 0);
    const struct provision_options o = {.aws = d->aws,
                                        .cache = d->cache,
                                        .account = "123456789012",
                                        .region = "eu-central-1",
                                        .partition = "aws",
                                        .family_tag = "service-family",
                                        .service_tag = "service-id",
                                        .dependency_tag = "service-dependency",
                                        .blueprints = s->dir,
                                        .refresh_ms = 100,
                                        .lease_ms = s->lease_ms};
    assert_int_equal(provision_new(&d->p, &o, &f), 0);
    d->p->timing = s->timing;
    d->ssm = s->ssm;
    provision_observe(d->p, happened, d);
    cache_observe(d->cache, published, s->ssm);
    assert_int_equal(cache_start(d->cache, &f), 0);
    if (provision_start(d->p, &f) != 0)
        fail_msg("%s", f.message);
    WAIT(s, d, has_snapshot, "");
}

void daemon_stop(struct scene *s, int i)
{
    struct daemon *d = &s->d[i];

    if (!d->p)
        return;
    provision_stop(d->p);
    cache_stop(d->cache);
    provision_free(d->p);
    cache_free(d->cache);
    aws_client_free(d->aws);
    *d = (struct daemon){0};
}

int scene_setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));

    assert_non_null(s);
    s->ssm = fake_ssm_new();
    s->config = (struct aws_config){.region = (char *)"eu-central-1",
                                    .endpoint_url = (char *)"http://127.0.0.1:1",
                                    .access_key_id = (char *)"AKIDEXAMPLE",
                                    .secret_access_key = (char *)"secret"};
    s->timing = quick;
    s->lease_ms = LEASE_MS;
    write_families(s);
    *state = s;
    return 0;
}

int scene_teardown(void **state)
{
    struct scene *s = *state;
    char path[128];

    for (int i = 0; i < 2; i++) {
        fake_ssm_pause(s->ssm, i, false);
        daemon_stop(s, i);
    }
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        snprintf(path, sizeof(path), "%s/%s.json", s->dir, families[i][0]);
        unlink(path);
    }
    rmdir(s->dir);
    fake_ssm_verify(s->ssm);
    fake_ssm_free(s->ssm);
    free(s);
    return 0;
}

struct scene *scene_start(void **state, int daemons)
{
    for (int i = 0; i < daemons; i++)
        daemon_start(*state, i);
    return *state;
}

/* --- what users do and see --- */

int make(struct daemon *d, const char *family, const char *id)
{
    struct fault f = FAULT_INIT;
    int r = provision_mkdir(d->p, family, id, &somebody, NULL, &f);

    if (r < 0)
        print_message("mkdir %s/%s: %s: %s\n", family, id, fault_errno_name(r), f.message);
    return r;
}

int take_away(struct daemon *d, const char *family, const char *id)
{
    struct fault f = FAULT_INIT;
    int r = provision_rmdir(d->p, family, id, &somebody, NULL, &f);

    if (r < 0)
        print_message("rmdir %s/%s: %s: %s\n", family, id, fault_errno_name(r), f.message);
    return r;
}

struct record *record_now(struct scene *s, const char *id)
{
    _cleanup_free_ char *name = str_printf("/svcfs/%s", id);
    _cleanup_free_ char *text = fake_ssm_get(s->ssm, name);
    struct record *r = NULL;

    if (text)
        assert_int_equal(record_parse(id, text, &r, NULL), 0);
    return r;
}

/* beneath(…, "owner-1"): its name; static. */
const char *beneath(struct scene *s, const char *id, const char *word)
{
    static char name[160];
    struct record *r = record_now(s, id);

    assert_non_null(r);
    snprintf(name, sizeof(name), "/svcfs/%s/%s/%s", id, r->claim, word);
    record_free(r);
    return name;
}

const char *beneath_claim(const struct record *r)
{
    static char name[100];

    snprintf(name, sizeof(name), "/svcfs/%s/%s/", r->id, r->claim);
    return name;
}

bool has(struct scene *s, const char *name)
{
    _cleanup_free_ char *text = fake_ssm_get(s->ssm, name);

    return text != NULL;
}

bool released(struct scene *s, const char *name)
{
    _cleanup_free_ char *text = fake_ssm_get(s->ssm, name);
    struct record_owner o;

    return text && record_owner_parse(text, &o) == 0 && o.released;
}

void assert_failed(struct scene *s, const char *id, unsigned spent, const char *text)
{
    struct record *r = record_now(s, id);

    assert_non_null(r);
    assert_int_equal(r->phase, PHASE_FAILED);
    assert_int_equal(r->spent, spent);
    if (!r->error || !strstr(r->error, text))
        fail_msg("error is %s, not %s", r->error ? r->error : "NULL", text);
    record_free(r);
}

/* Nothing is left of it, in the account and in the tree. */
void assert_gone(struct scene *s, struct daemon *d, const char *id)
{
    _cleanup_free_ char *prefix = str_printf("/svcfs/%s", id);

    WAIT(s, d, empty, prefix);
    WAIT(s, d, unknown, id);
    assert_int_equal(fake_thing_count(s->ssm), 0);
}
