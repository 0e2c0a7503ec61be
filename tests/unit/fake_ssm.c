/*
 * A request is decided under one lock, so what arrives has one order. A write that is late waits in
 * a queue and is applied by whatever comes after its time, before that is looked at.
 *
 * The checks follow engine.md's clauses and know nothing of provision's state: who owned what is
 * told from the parameters that arrived, when a lease ended from the answers that were given.
 */
#include "tests/unit/fake_ssm.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/str.h"
#include "provision/record.h"

enum { MAX_ITEMS = 400, MAX_SENT = 20000, DAEMONS = 2, LATE_MS = 15 };

struct parameter {
    char *name, *value;
    int daemon;         /* who wrote it last */
    int64_t written_ms; /* when that arrived */
};

struct thing {
    char name[100], claim[CLAIM_SIZE];
    bool busy;
};

struct rule {
    int daemon;
    const char *operation, *name_end;
    unsigned times;
    enum fate fate;
};

/* What a daemon may believe of its lease. */
struct lease_seen {
    int daemon;
    char claim[CLAIM_SIZE];
    int64_t end_ms;
};

struct sent {
    int daemon;
    char operation[64], name[128];
    int64_t unclear_until_ms; /* 0: it was answered */
    bool makes;               /* with Overwrite=false */
    bool done;                /* it has arrived, which others can see */
};

struct late {
    int daemon;
    int64_t at_ms;
    char operation[64];
    json_t *request;
};

struct fake_transport_of {
    struct http_transport transport; /* first */
    struct fake_ssm *ssm;
    int daemon;
};

struct fake_ssm {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned long happened;
    struct fake_transport_of transports[DAEMONS];
    bool paused[DAEMONS], dead[DAEMONS];
    struct parameter parameters[MAX_ITEMS];
    size_t n_parameters;
    struct thing things[MAX_ITEMS];
    size_t n_things;
    const char *slow;
    struct rule rules[16];
    size_t n_rules;
    struct lease_seen leases[MAX_ITEMS];
    size_t n_leases;
    struct sent *sent;
    size_t n_sent;
    struct late late[64];
    size_t n_late;
    unsigned violations;
    char first_violation[512];
};

static int64_t now(void)
{
    return clock_system()->monotonic_ms(clock_system());
}

_printf_(2, 3) static void violation(struct fake_ssm *s, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    if (s->violations++ == 0)
        vsnprintf(s->first_violation, sizeof(s->first_violation), fmt, ap);
    va_end(ap);
}

/* --- the account --- */

static struct parameter *find(struct fake_ssm *s, const char *name)
{
    for (size_t i = 0; i < s->n_parameters; i++)
        if (streq(s->parameters[i].name, name))
            return &s->parameters[i];
    return NULL;
}

static void set(struct fake_ssm *s, const char *name, const char *value, int daemon)
{
    struct parameter *p = find(s, name);

    if (!p) {
        assert_in_range(s->n_parameters, 0, MAX_ITEMS - 1);
        p = &s->parameters[s->n_parameters++];
        *p = (struct parameter){.name = strdup(name)};
    }
    free(p->value);
    p->value = strdup(value);
    p->daemon = daemon;
    p->written_ms = now();
}

static void unset(struct fake_ssm *s, struct parameter *p)
{
    free(p->name);
    free(p->value);
    *p = s->parameters[--s->n_parameters];
}

static struct thing *thing_find(struct fake_ssm *s, const char *name)
{
    for (size_t i = 0; i < s->n_things; i++)
        if (streq(s->things[i].name, name))
            return &s->things[i];
    return NULL;
}

static struct thing *thing_add(struct fake_ssm *s, const char *name, const char *claim)
{
    struct thing *t = &s->things[s->n_things++];

    assert_in_range(s->n_things, 1, MAX_ITEMS);
    *t = (struct thing){0};
    snprintf(t->name, sizeof(t->name), "%s", name);
    snprintf(t->claim, sizeof(t->claim), "%s", claim);
    return t;
}

static struct parameter *highest_owner(struct fake_ssm *s, const char *id, const char *claim,
                                       unsigned *ret_n)
{
    struct parameter *best = NULL;
    struct record_child c;

    *ret_n = 0;
    for (size_t i = 0; i < s->n_parameters; i++)
        if (record_parse_name(s->parameters[i].name, &c) == 0 && streq(c.id, id) &&
            streq(c.claim, claim) && c.word == CHILD_OWNER && c.n > *ret_n) {
            best = &s->parameters[i];
            *ret_n = c.n;
        }
    return best;
}

static struct record *record_of(struct fake_ssm *s, const char *id)
{
    char name[100];
    struct record *r = NULL;

    snprintf(name, sizeof(name), "/svcfs/%s", id);
    struct parameter *p = find(s, name);
    return p && record_parse(id, p->value, &r, NULL) == 0 ? r : NULL;
}

/* --- engine.md --- */

static struct lease_seen *lease_of(struct fake_ssm *s, int daemon, const char *claim)
{
    for (size_t i = 0; i < s->n_leases; i++)
        if (s->leases[i].daemon == daemon && streq(s->leases[i].claim, claim))
            return &s->leases[i];
    return NULL;
}

static void lease_until(struct fake_ssm *s, int daemon, const char *claim, int64_t end_ms)
{
    struct lease_seen *l = lease_of(s, daemon, claim);

    if (!l) {
        assert_in_range(s->n_leases, 0, MAX_ITEMS - 1);
        l = &s->leases[s->n_leases++];
        *l = (struct lease_seen){.daemon = daemon};
        snprintf(l->claim, sizeof(l->claim), "%s", claim);
    }
    l->end_ms = MAX(l->end_ms, end_ms);
}

static const char *field(json_t *request, const char *name)
{
    const char *v = json_string_value(json_object_get(request, name));

    return v ? v : "";
}

static bool is_true(json_t *request, const char *name)
{
    return json_is_true(json_object_get(request, name));
}

/* 3, 4: what only the owner sends has a deadline within its lease. */
static void check_deadline(struct fake_ssm *s, int daemon, const char *operation, json_t *request,
                           int64_t deadline_ms)
{
    struct record_child c = {0};
    char claim[CLAIM_SIZE] = "";
    const char *name = field(request, "Name");

    if (streq(operation, "FakeCreate") || streq(operation, "FakeDelete")) {
        snprintf(claim, sizeof(claim), "%s", field(request, "Claim"));
    } else if (record_parse_name(name, &c) == 0 && !c.claim[0]) {
        if (streq(operation, "PutParameter") && !is_true(request, "Overwrite"))
            return; /* a claim */
        struct record *r = record_of(s, c.id);
        if (r)
            memcpy(claim, r->claim, sizeof(claim));
        record_free(r);
    }
    if (!claim[0])
        return;
    struct lease_seen *l = lease_of(s, daemon, claim);
    if (!l || deadline_ms > l->end_ms)
        violation(s, "%s %s by %d: deadline %lld ms after its lease", operation, name, daemon,
                  (long long)(l ? deadline_ms - l->end_ms : -1));
}

/* 1: nothing is sent again before the deadline of one that is unclear; no create after one that was
 * answered. */
static void check_once(struct fake_ssm *s, int daemon, const char *operation, const char *name,
                       bool makes)
{
    struct record_child c;

    /* Renewals do not undo each other; what comes late beneath a dead claim is a leftover. */
    if (record_parse_name(name, &c) == 0 && c.claim[0] &&
        (c.word == CHILD_OWNER || streq(operation, "DeleteParameter")))
        return;
    for (size_t i = 0; i < s->n_sent; i++) {
        const struct sent *e = &s->sent[i];

        /* Of two daemons both may claim, or ask for the same: the parameter says who was first. */
        if (streq(e->name, name) && e->unclear_until_ms > now() &&
            (e->daemon == daemon || !(makes || e->makes || e->done)))
            violation(s, "%s %s by %d although %s is unclear", operation, name, daemon,
                      e->operation);
    }
}

/* A thing is made once in a life; a step that was stopped must not make it again. */
static void check_created(struct fake_ssm *s, json_t *request)
{
    for (size_t i = 0; i < s->n_things; i++)
        if (streq(s->things[i].name, field(request, "Name")) &&
            streq(s->things[i].claim, field(request, "Claim")))
            violation(s, "%s was made twice", s->things[i].name);
}

/* 7: at the time of arrival. */
static void check_owner(struct fake_ssm *s, int daemon, const char *id, const char *claim,
                        const char *what)
{
    struct record *r = record_of(s, id);
    unsigned n;
    struct parameter *owner = highest_owner(s, id, claim, &n);

    if (!r || !streq(r->claim, claim))
        violation(s, "%s of %s by %d: its record is gone", what, id, daemon);
    else if (!owner || owner->daemon != daemon)
        violation(s, "%s of %s by %d, the owner is %d", what, id, daemon,
                  owner ? owner->daemon : -1);
    record_free(r);
}

/* 6 */
static void check_take(struct fake_ssm *s, int daemon, const struct record_child *c)
{
    struct record_owner o;
    unsigned n;
    struct parameter *owner = highest_owner(s, c->id, c->claim, &n);

    if (c->n != n + 1)
        violation(s, "owner-%u of %s by %d: the highest is %u", c->n, c->id, daemon, n);
    if (owner && record_owner_parse(owner->value, &o) == 0 && !o.released &&
        now() - owner->written_ms < o.lease_ms)
        violation(s, "owner-%u of %s taken by %d while %d owns it", c->n, c->id, daemon,
                  owner->daemon);
    struct record *r = record_of(s, c->id);
    char name[100];
    snprintf(name, sizeof(name), "/svcfs/%s", c->id);
    if (!owner && r && streq(r->claim, c->claim) && find(s, name)->daemon != daemon &&
        find(s, name)->daemon >= 0 && now() - find(s, name)->written_ms < r->lease_ms)
        violation(s, "owner-1 of %s taken by %d within the claim's lease", c->id, daemon);
    record_free(r);
}

static void check_put(struct fake_ssm *s, int daemon, json_t *request)
{
    struct record_child c;
    const char *name = field(request, "Name");

    if (record_parse_name(name, &c) < 0) {
        violation(s, "PutParameter of %s", name);
        return;
    }
    if (!c.claim[0] && is_true(request, "Overwrite")) {
        struct record *r = NULL;
        if (record_parse(c.id, field(request, "Value"), &r, NULL) == 0)
            check_owner(s, daemon, c.id, r->claim, "overwrite");
        else
            violation(s, "%s is no record", name);
        record_free(r);
    } else if (c.claim[0] && c.word == CHILD_OWNER && !is_true(request, "Overwrite")) {
        check_take(s, daemon, &c);
    }
}

/* An answer reached the daemon: its lease counts from before the sending. */
static void note_lease(struct fake_ssm *s, int daemon, const char *operation, json_t *request,
                       int64_t sent_ms)
{
    struct record_child c;
    struct record_owner o;
    struct record *r = NULL;
    const char *name = field(request, "Name"), *value = field(request, "Value");

    if (!streq(operation, "PutParameter") || record_parse_name(name, &c) < 0)
        return;
    if (c.claim[0] && c.word == CHILD_OWNER && record_owner_parse(value, &o) == 0)
        lease_until(s, daemon, c.claim, sent_ms + o.lease_ms);
    else if (!c.claim[0] && !is_true(request, "Overwrite") &&
             record_parse(c.id, value, &r, NULL) == 0)
        lease_until(s, daemon, r->claim, sent_ms + r->lease_ms);
    record_free(r);
}

/* --- operations: the error code, or NULL and *ret --- */

static const char *put_parameter(struct fake_ssm *s, int daemon, json_t *request)
{
    const char *name = field(request, "Name");

    if (!is_true(request, "Overwrite") && find(s, name))
        return "ParameterAlreadyExists";
    check_put(s, daemon, request);
    set(s, name, field(request, "Value"), daemon);
    return NULL;
}

static const char *delete_parameter(struct fake_ssm *s, int daemon, json_t *request)
{
    struct parameter *p = find(s, field(request, "Name"));
    struct record_child c;

    if (!p)
        return "ParameterNotFound";
    if (record_parse_name(p->name, &c) == 0 && !c.claim[0]) {
        struct record *r = record_of(s, c.id);
        if (r && lease_of(s, daemon, r->claim))
            check_owner(s, daemon, c.id, r->claim, "delete of the record");
        else
            violation(s, "%s deletes a record that it never owned", c.id);
        for (size_t i = 0; r && i < s->n_things; i++)
            if (streq(s->things[i].claim, r->claim))
                violation(s, "the record of %s went before %s", c.id, s->things[i].name);
        record_free(r);
    } else {
        struct record *r = record_of(s, c.id);
        bool undo = c.word == CHILD_OWNER && p->daemon == daemon;
        if (r && streq(r->claim, c.claim) && !undo)
            violation(s, "%s was deleted beneath a living record", p->name);
        record_free(r);
    }
    unset(s, p);
    return NULL;
}

static const char *thing_create(struct fake_ssm *s, int daemon, json_t *request)
{
    check_owner(s, daemon, field(request, "Id"), field(request, "Claim"), "create");
    check_created(s, request);
    if (thing_find(s, field(request, "Name")))
        return "ThingAlreadyExists";
    thing_add(s, field(request, "Name"), field(request, "Claim"));
    return NULL;
}

static const char *thing_delete(struct fake_ssm *s, int daemon, json_t *request)
{
    struct thing *t = thing_find(s, field(request, "Name"));

    check_owner(s, daemon, field(request, "Id"), field(request, "Claim"), "delete");
    if (!t)
        return "ThingNotFound";
    if (!streq(t->claim, field(request, "Claim")))
        violation(s, "%s is a stranger's and was deleted", t->name);
    if (t->busy)
        return "ResourceInUse";
    *t = s->things[--s->n_things];
    return NULL;
}

static json_t *thing_get(struct fake_ssm *s, json_t *request)
{
    struct thing *t = thing_find(s, field(request, "Name"));

    if (!t)
        return json_object();
    return json_pack("{s:s, s:b}", "Claim", t->claim, "Usable",
                     !s->slow || !str_ends(t->name, s->slow));
}

static json_t *by_path(struct fake_ssm *s, json_t *request)
{
    json_t *list = json_array();
    const char *after = field(request, "NextToken");
    _cleanup_free_ char *prefix = str_printf("%s/", field(request, "Path"));
    size_t n = 0;

    for (;;) {
        const struct parameter *next = NULL;
        for (size_t i = 0; i < s->n_parameters; i++) {
            const struct parameter *p = &s->parameters[i];
            if (str_starts(p->name, prefix) && strcmp(p->name, after) > 0 &&
                (!next || strcmp(p->name, next->name) < 0))
                next = p;
        }
        if (!next)
            return json_pack("{s:o}", "Parameters", list);
        if (n++ == 10)
            return json_pack("{s:o, s:s}", "Parameters", list, "NextToken", after);
        json_array_append_new(list,
                              json_pack("{s:s, s:s}", "Name", next->name, "Value", next->value));
        after = next->name;
    }
}

/* Those that write give a code or NULL; the others an answer as well. */
static const char *apply(struct fake_ssm *s, int daemon, const char *operation, json_t *request,
                         json_t **ret)
{
    if (streq(operation, "PutParameter"))
        return put_parameter(s, daemon, request);
    if (streq(operation, "DeleteParameter"))
        return delete_parameter(s, daemon, request);
    if (streq(operation, "FakeCreate"))
        return thing_create(s, daemon, request);
    if (streq(operation, "FakeDelete"))
        return thing_delete(s, daemon, request);
    if (streq(operation, "FakeGet")) {
        *ret = thing_get(s, request);
    } else if (streq(operation, "GetParametersByPath")) {
        *ret = by_path(s, request);
    } else if (streq(operation, "GetParameter")) {
        struct parameter *p = find(s, field(request, "Name"));
        if (!p)
            return "ParameterNotFound";
        *ret = json_pack("{s:{s:s, s:s}}", "Parameter", "Name", p->name, "Value", p->value);
    } else if (streq(operation, "GetResources")) {
        *ret = json_pack("{s:[]}", "ResourceTagMappingList");
    } else if (streq(operation, "groups-list")) {
        *ret = json_pack("{s:[]}", "GroupIdentifiers");
    } else if (streq(operation, "groups")) {
        *ret = json_pack("{s:{s:s, s:s}}", "Group", "GroupArn", "arn:aws:resource-groups:x", "Name",
                         field(request, "Name"));
    } else if (streq(operation, "tags")) {
        return "NotFoundException";
    }
    return NULL;
}

/* --- a request --- */

static void apply_late(struct fake_ssm *s)
{
    for (size_t i = 0; i < s->n_late;) {
        struct late l = s->late[i];
        json_t *none = NULL;

        if (l.at_ms > now()) {
            i++;
            continue;
        }
        s->late[i] = s->late[--s->n_late];
        apply(s, l.daemon, l.operation, l.request, &none);
        json_decref(none);
        json_decref(l.request);
    }
}

/* "AmazonSSM.PutParameter" or the last part of the path. */
static void operation_of(const struct http_request *r, char *out, size_t size)
{
    const char *target = NULL;

    for (size_t i = 0; i < r->n_headers; i++)
        if (str_after(r->headers[i], "X-Amz-Target: "))
            target = strrchr(r->headers[i], '.');
    if (!target)
        target = strrchr(r->url, '/');
    snprintf(out, size, "%s", target + 1);
    out[strcspn(out, "?")] = 0;
}

static struct rule *rule_of(struct fake_ssm *s, int daemon, const char *operation, const char *name)
{
    for (size_t i = 0; i < s->n_rules; i++) {
        struct rule *r = &s->rules[i];
        if (r->times > 0 && (r->daemon < 0 || r->daemon == daemon) &&
            streq(r->operation, operation) && str_ends(name, r->name_end)) {
            r->times--;
            return r;
        }
    }
    return NULL;
}

static void wake(void *arg)
{
    fake_ssm_happened(arg);
}

/* Waits while the daemon stands still, with the lock held. */
static int wait_while_paused(struct fake_ssm *s, int daemon, struct cancel *cancel)
{
    struct cancel_waiter w = {.wake = wake, .arg = s};

    if (!s->paused[daemon])
        return 0;
    pthread_mutex_unlock(&s->lock);
    cancel_add(cancel, &w);
    pthread_mutex_lock(&s->lock);
    while (s->paused[daemon] && !cancel_raised(cancel))
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
    cancel_remove(cancel, &w);
    pthread_mutex_lock(&s->lock);
    return cancel_raised(cancel) ? -ECANCELED : 0;
}

static int answer(struct http_response *ret, int status, json_t *body)
{
    char *text = json_dumps(body, JSON_COMPACT);

    *ret = (struct http_response){
        .status = status, .body = BUF_INIT(1 << 20), .headers = BUF_INIT(4096)};
    assert_int_equal(buf_puts(&ret->body, text), 0);
    free(text);
    return 0;
}

static int answer_error(struct http_response *ret, const char *code)
{
    _cleanup_(json_decrefp) json_t *body = json_pack("{s:s, s:s}", "__type", code, "message", "no");

    return answer(ret, 400, body);
}

static struct sent *note_sent(struct fake_ssm *s, int daemon, const char *operation,
                              const char *name)
{
    assert_in_range(s->n_sent, 0, MAX_SENT - 1);
    struct sent *e = &s->sent[s->n_sent++];

    *e = (struct sent){.daemon = daemon};
    snprintf(e->operation, sizeof(e->operation), "%s", operation);
    snprintf(e->name, sizeof(e->name), "%s", name);
    return e;
}

static int unclear(struct fake_ssm *s, struct sent *e, const struct rule *rule, json_t *request,
                   const struct http_request *r, struct fault *f)
{
    json_t *none = NULL;

    e->unclear_until_ms = r->deadline_ms;
    if (rule->fate == FATE_DONE) {
        e->done = true;
        apply(s, e->daemon, e->operation, request, &none);
    } else if (rule->fate == FATE_LATE) {
        struct late *l = &s->late[s->n_late++];
        assert_in_range(s->n_late, 1, ARRAY_SIZE(s->late));
        *l = (struct late){.daemon = e->daemon,
                           .at_ms = r->deadline_ms - LATE_MS,
                           .request = json_incref(request)};
        snprintf(l->operation, sizeof(l->operation), "%s", e->operation);
    }
    json_decref(none);
    (void)fault_set(f, -EREMOTEIO, "the connection broke");
    f->unclear = true;
    f->unclear_until_ms = r->deadline_ms;
    return -EREMOTEIO;
}

static int decide(struct fake_ssm *s, int daemon, const char *operation, json_t *request,
                  const struct http_request *r, struct http_response *ret, struct fault *f)
{
    const char *name = field(request, *field(request, "Name") ? "Name" : "Path");
    struct rule *rule = rule_of(s, daemon, operation, name);
    bool makes = streq(operation, "PutParameter") && !is_true(request, "Overwrite");
    int64_t sent_ms = now();
    json_t *body = NULL;

    if (s->dead[daemon] || (rule && rule->fate == FATE_UNREACHABLE))
        return fault_set(f, -EHOSTUNREACH, "no way to the host");
    if (r->deadline_ms <= sent_ms)
        return fault_set(f, -ETIMEDOUT, "its time was over before the first byte");
    if (r->once) {
        check_deadline(s, daemon, operation, request, r->deadline_ms);
        check_once(s, daemon, operation, name, makes);
    }
    struct sent *e = note_sent(s, daemon, operation, name);
    e->makes = makes;
    if (rule && rule->fate == FATE_REFUSED)
        return answer_error(ret, "ThrottlingException");
    if (rule && rule->fate == FATE_DENIED)
        return answer_error(ret, "AccessDeniedException");
    if (rule)
        return unclear(s, e, rule, request, r, f);
    const char *code = apply(s, daemon, operation, request, &body);
    if (!code)
        note_lease(s, daemon, operation, request, sent_ms);
    if (!body)
        body = json_object();
    int e2 = code ? answer_error(ret, code) : answer(ret, 200, body);
    json_decref(body);
    return e2;
}

static int fake_send(struct http_transport *transport, const struct http_request *r,
                     struct cancel *cancel, struct http_response *ret, struct fault *f)
{
    struct fake_transport_of *t = (struct fake_transport_of *)transport;
    struct fake_ssm *s = t->ssm;
    char operation[64];
    _cleanup_(json_decrefp) json_t *request =
        r->body_len > 0 ? json_loadb(r->body, r->body_len, 0, NULL) : json_object();

    operation_of(r, operation, sizeof(operation));
    pthread_mutex_lock(&s->lock);
    int e = wait_while_paused(s, t->daemon, cancel);
    if (e == 0) {
        apply_late(s);
        e = decide(s, t->daemon, operation, request, r, ret, f);
    } else {
        (void)fault_set(f, e, "cancelled before the first byte");
    }
    s->happened++;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return e;
}

static void fake_free(_unused_ struct http_transport *t)
{
}

/* --- for tests --- */

struct fake_ssm *fake_ssm_new(void)
{
    struct fake_ssm *s = calloc(1, sizeof(*s));
    pthread_condattr_t attr;

    assert_non_null(s);
    s->sent = calloc(MAX_SENT, sizeof(*s->sent));
    assert_non_null(s->sent);
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &attr);
    pthread_condattr_destroy(&attr);
    for (int i = 0; i < DAEMONS; i++)
        s->transports[i] = (struct fake_transport_of){{fake_send, fake_free}, s, i};
    return s;
}

void fake_ssm_free(struct fake_ssm *s)
{
    while (s->n_parameters > 0)
        unset(s, &s->parameters[0]);
    for (size_t i = 0; i < s->n_late; i++)
        json_decref(s->late[i].request);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s->sent);
    free(s);
}

void fake_ssm_verify(struct fake_ssm *s)
{
    if (s->violations > 0)
        fail_msg("%u against engine.md; the first: %s", s->violations, s->first_violation);
}

struct http_transport *fake_ssm_transport(struct fake_ssm *s, int daemon)
{
    return &s->transports[daemon].transport;
}

void fake_ssm_happened(struct fake_ssm *s)
{
    pthread_mutex_lock(&s->lock);
    s->happened++;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

unsigned long fake_ssm_wait(struct fake_ssm *s, unsigned long seen)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += 50 * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&s->lock);
    while (s->happened == seen && pthread_cond_timedwait(&s->changed, &s->lock, &t) == 0)
        ;
    seen = s->happened;
    apply_late(s);
    pthread_mutex_unlock(&s->lock);
    return seen;
}

void fake_ssm_fault(struct fake_ssm *s, int daemon, const char *operation, const char *name_end,
                    unsigned times, enum fate fate)
{
    pthread_mutex_lock(&s->lock);
    assert_in_range(s->n_rules, 0, ARRAY_SIZE(s->rules) - 1);
    s->rules[s->n_rules++] = (struct rule){daemon, operation, name_end, times, fate};
    pthread_mutex_unlock(&s->lock);
}

void fake_ssm_pause(struct fake_ssm *s, int daemon, bool paused)
{
    pthread_mutex_lock(&s->lock);
    s->paused[daemon] = paused;
    pthread_mutex_unlock(&s->lock);
    fake_ssm_happened(s);
}

void fake_ssm_kill(struct fake_ssm *s, int daemon)
{
    pthread_mutex_lock(&s->lock);
    s->dead[daemon] = true;
    pthread_mutex_unlock(&s->lock);
}

char *fake_ssm_get(struct fake_ssm *s, const char *name)
{
    pthread_mutex_lock(&s->lock);
    struct parameter *p = find(s, name);
    char *value = p ? strdup(p->value) : NULL;
    pthread_mutex_unlock(&s->lock);
    return value;
}

void fake_ssm_put(struct fake_ssm *s, const char *name, const char *value)
{
    pthread_mutex_lock(&s->lock);
    set(s, name, value, -1);
    pthread_mutex_unlock(&s->lock);
}

void fake_ssm_remove(struct fake_ssm *s, const char *name)
{
    pthread_mutex_lock(&s->lock);
    struct parameter *p = find(s, name);
    if (p)
        unset(s, p);
    pthread_mutex_unlock(&s->lock);
}

size_t fake_ssm_count(struct fake_ssm *s, const char *prefix)
{
    size_t n = 0;

    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->n_parameters; i++)
        n += str_starts(s->parameters[i].name, prefix);
    pthread_mutex_unlock(&s->lock);
    return n;
}

unsigned fake_ssm_sent(struct fake_ssm *s, int daemon, const char *operation, const char *name_end)
{
    unsigned n = 0;

    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->n_sent; i++)
        n += (daemon < 0 || s->sent[i].daemon == daemon) &&
             streq(s->sent[i].operation, operation) && str_ends(s->sent[i].name, name_end);
    pthread_mutex_unlock(&s->lock);
    return n;
}

void fake_thing_put(struct fake_ssm *s, const char *name, const char *claim)
{
    pthread_mutex_lock(&s->lock);
    thing_add(s, name, claim ? claim : "");
    pthread_mutex_unlock(&s->lock);
}

bool fake_thing_there(struct fake_ssm *s, const char *name)
{
    pthread_mutex_lock(&s->lock);
    bool there = thing_find(s, name) != NULL;
    pthread_mutex_unlock(&s->lock);
    return there;
}

size_t fake_thing_count(struct fake_ssm *s)
{
    pthread_mutex_lock(&s->lock);
    size_t n = s->n_things;
    pthread_mutex_unlock(&s->lock);
    return n;
}

void fake_thing_busy(struct fake_ssm *s, const char *name, bool busy)
{
    pthread_mutex_lock(&s->lock);
    thing_find(s, name)->busy = busy;
    pthread_mutex_unlock(&s->lock);
}

void fake_thing_slow(struct fake_ssm *s, const char *name_end)
{
    pthread_mutex_lock(&s->lock);
    s->slow = name_end;
    pthread_mutex_unlock(&s->lock);
}
