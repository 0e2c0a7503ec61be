/*
 * A plan is a blueprint for one id. Making one is pure and cheap, so nobody stores plans: the
 * engine makes it anew from the blueprint of the record's hash.
 *
 * The private property "svcfs:PriorityRange" carries the family's setting to the one type that
 * wants it; it is put in after all checks, and no blueprint can write a key like that.
 */
#include "provision/plan.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/str.h"
#include "provision/blueprint_private.h"

enum { OUTPUT_BYTES_MAX = 1024 };

static int no_memory(struct fault *f)
{
    return fault_set(f, -ENOMEM, "no memory");
}

void plan_free(struct plan *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_steps; i++) {
        json_decref(p->steps[i].properties);
        json_decref(p->steps[i].identity);
    }
    free(p->steps);
    free(p->service_id);
    free(p->claim);
    blueprint_unref(p->blueprint);
    free(p);
}

/* A type's message begins with the property it is about, where it is about one: that gives the
 * line. */
static int type_fault(const struct plan *p, const struct json_place *at, json_t *properties,
                      const struct fault *local, struct fault *f)
{
    struct json_place place = {at, NULL, 0};
    char word[64];
    size_t n = 0;

    if (local->err != -EINVAL)
        return fault_copy(f, local);
    while (isalnum((unsigned char)local->message[n]) && n < sizeof(word) - 1)
        n++;
    snprintf(word, sizeof(word), "%.*s", (int)n, local->message);
    if (json_object_get(properties, word)) {
        place.key = word;
        at = &place;
    }
    return json_source_fault(&p->blueprint->source, at, f, "%s", local->message);
}

static int step_identity(const struct plan *p, struct plan_step *step, const struct json_place *at,
                         struct fault *f)
{
    const struct blueprint *b = p->blueprint;
    char token[TOKEN_SIZE];
    struct fault local = FAULT_INIT;
    struct step_ctx s = {
        .service_id = p->service_id,
        .family = b->family,
        .claim = p->claim,
        .region = b->region,
        .account = b->account,
        .partition = b->partition,
        .logical = step->logical,
        .token = token,
    };
    int r = naming_token(p->claim, step->logical, token);

    if (r < 0)
        return fault_set(f, r, "no token could be made");
    r = step->type->identity(&s, step->properties, &step->identity, &local);
    if (r < 0) {
        local.err = r;
        return type_fault(p, at, step->properties, &local, f);
    }
    s.identity = step->identity;
    if (step->type->check && (r = step->type->check(&s, step->properties, &local)) < 0) {
        local.err = r;
        return type_fault(p, at, step->properties, &local, f);
    }
    return 0;
}

static int step_init(const struct plan *p, struct plan_step *step,
                     const struct blueprint_resource *res, const json_t *values, struct fault *f)
{
    const struct blueprint *b = p->blueprint;
    struct json_place top = {NULL, "Resources", 0}, at = {&top, res->logical, 0};
    struct json_place place = {&at, "Properties", 0};
    _cleanup_json_ json_t *empty = json_object();
    int r;

    if (!empty)
        return no_memory(f);
    step->logical = res->logical;
    step->type = res->type;
    step->needs = res->needs;
    step->n_needs = res->n_needs;
    step->retain = res->retain;
    r = blueprint_resolve(b, values, &place, res->properties ? res->properties : empty, NULL,
                          &step->properties, f);
    if (r == 0)
        r = step_identity(p, step, &place, f);
    if (r < 0)
        return r;
    if (*b->priority_range && streq(res->type->name, "AWS::ElasticLoadBalancingV2::ListenerRule") &&
        json_object_set_new(step->properties, PLAN_PRIORITY_RANGE, json_string(b->priority_range)) <
            0)
        return no_memory(f);
    return 0;
}

int plan_new(struct blueprint *b, const char *service_id, const char *claim, struct plan **ret,
             struct fault *f)
{
    _cleanup_(plan_freep) struct plan *p = calloc(1, sizeof(*p));
    _cleanup_json_ json_t *values = NULL;
    int r;

    if (!p)
        return no_memory(f);
    p->blueprint = blueprint_ref(b);
    p->service_id = strdup(service_id);
    p->claim = strdup(claim);
    p->steps = calloc(b->n_resources + 1, sizeof(*p->steps));
    if (!p->service_id || !p->claim || !p->steps)
        return no_memory(f);
    r = blueprint_values(b, service_id, claim, &values, f);
    while (r == 0 && p->n_steps < b->n_resources) {
        struct plan_step *step = &p->steps[p->n_steps];
        r = step_init(p, step, &b->resources[p->n_steps++], values, f);
    }
    if (r < 0)
        return r;
    *ret = steal_ptr(p);
    return 0;
}

struct made {
    const struct plan *plan;
    plan_state_fn state;
    void *arg;
};

static int resolve_made(void *arg, const char *logical, const char *attribute, json_t **ret,
                        struct fault *f)
{
    struct made *m = arg;
    const struct step_state *st;
    const char *value = NULL;
    size_t i = 0;

    while (i < m->plan->n_steps && !streq(m->plan->steps[i].logical, logical))
        i++;
    if (i == m->plan->n_steps)
        return -ENOENT;
    st = m->state(m->arg, i);
    if (!st)
        return fault_set(f, -EINVAL, "%s is not made yet", logical);
    if (!attribute && *st->physical)
        value = st->physical;
    if (attribute)
        value = json_string_value(json_object_get(st->attributes, attribute));
    if (!value)
        return fault_set(f, -EINVAL, "%s gives no %s", logical, attribute ? attribute : "id");
    *ret = json_string(value);
    return *ret ? 0 : no_memory(f);
}

static int resolve(const struct plan *p, plan_state_fn state, void *arg,
                   const struct json_place *at, json_t *v, json_t **ret, struct fault *f)
{
    struct made m = {p, state, arg};
    struct intrinsic_env env = {&p->blueprint->source, NULL, resolve_made, &m};

    return intrinsic_resolve(&env, at, v, ret, f);
}

int plan_resolve(const struct plan *p, size_t step, plan_state_fn state, void *arg, json_t **ret,
                 struct fault *f)
{
    struct json_place top = {NULL, "Resources", 0}, at = {&top, p->steps[step].logical, 0};
    struct json_place place = {&at, "Properties", 0};

    return resolve(p, state, arg, &place, p->steps[step].properties, ret, f);
}

/* Outputs are files of one line: anything but text of one line is cut off. */
static int output_text(json_t *v, char out[OUTPUT_BYTES_MAX + 1])
{
    size_t n;

    if (json_is_string(v))
        snprintf(out, OUTPUT_BYTES_MAX + 1, "%s", json_string_value(v));
    else if (json_is_integer(v))
        snprintf(out, OUTPUT_BYTES_MAX + 1, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
    else if (json_is_real(v))
        snprintf(out, OUTPUT_BYTES_MAX + 1, "%.15g", json_real_value(v));
    else if (json_is_boolean(v))
        snprintf(out, OUTPUT_BYTES_MAX + 1, "%s", json_is_true(v) ? "true" : "false");
    else
        return -EINVAL;
    n = strcspn(out, "\r\n");
    /* snprintf may have cut a character in two. */
    while (n && !str_utf8_valid(out, n))
        n--;
    out[n] = '\0';
    return 0;
}

int plan_outputs(const struct plan *p, plan_state_fn state, void *arg, json_t **ret,
                 struct fault *f)
{
    const struct blueprint *b = p->blueprint;
    struct json_place top = {NULL, "Outputs", 0};
    _cleanup_json_ json_t *values = NULL, *outputs = json_object();
    int r;

    if (!outputs)
        return no_memory(f);
    r = blueprint_values(b, p->service_id, p->claim, &values, f);
    for (size_t i = 0; r == 0 && i < b->n_outputs; i++) {
        struct json_place at = {&top, b->outputs[i].key, 0};
        _cleanup_json_ json_t *known = NULL, *v = NULL;
        char text[OUTPUT_BYTES_MAX + 1];
        r = blueprint_resolve(b, values, &at, b->outputs[i].value, NULL, &known, f);
        if (r == 0)
            r = resolve(p, state, arg, &at, known, &v, f);
        if (r == 0 && output_text(v, text) < 0)
            r = json_source_fault(&b->source, &at, f, "is not a string");
        if (r == 0 && json_object_set_new(outputs, b->outputs[i].name, json_string(text)) < 0)
            r = no_memory(f);
    }
    if (r < 0)
        return r;
    *ret = steal_ptr(outputs);
    return 0;
}
