/*
 * AWS::ElasticLoadBalancingV2::ListenerRule. A rule has no name: its identity is that it forwards
 * to our target group, so the target group must be one of the same blueprint. The look goes from
 * the target group's load balancers over their listeners to the rules; the ARN of create's answer
 * is kept as a hint and spares that way.
 *
 * CreateRule has no idempotency: a second sending makes a second rule. What may be sent again is
 * what was clearly refused: PriorityInUse (the next free priority, of rules read anew) and "full"
 * (the next listener).
 *
 * Before anything is sent, the rules of all listeners named are read: a rule of somebody else's
 * with our host name would take, or lose, its traffic.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "awsapi/elbv2.h"
#include "base/str.h"
#include "provision/types/elbv2.h"
#include "provision/types/priority.h"

enum { TRIES = 16, RESERVED_MS = 60 * 1000, LISTENERS_MAX = 64, HOSTS_MAX = 16 };

static const struct property properties[] = {
    {"ListenerArn", PROPERTY_JSON, NULL, true}, /* a text, or a list */
    {"Priority", PROPERTY_INTEGER, NULL, false},
    {"Conditions[].Field", PROPERTY_STRING, NULL, true},
    {"Conditions[].Values", PROPERTY_LIST, NULL, false},
    {"Conditions[].HostHeaderConfig.Values", PROPERTY_LIST, NULL, true},
    {"Conditions[].PathPatternConfig.Values", PROPERTY_LIST, NULL, true},
    {"Conditions[].HttpHeaderConfig.HttpHeaderName", PROPERTY_STRING, NULL, true},
    {"Conditions[].HttpHeaderConfig.Values", PROPERTY_LIST, NULL, true},
    {"Conditions[].HttpRequestMethodConfig.Values", PROPERTY_LIST, NULL, true},
    {"Conditions[].QueryStringConfig.Values[].Key", PROPERTY_STRING, NULL, false},
    {"Conditions[].QueryStringConfig.Values[].Value", PROPERTY_STRING, NULL, true},
    {"Conditions[].SourceIpConfig.Values", PROPERTY_LIST, NULL, true},
    {"Actions[].Type", PROPERTY_STRING, NULL, true},
    {"Actions[].Order", PROPERTY_INTEGER, NULL, false},
    {"Actions[].TargetGroupArn", PROPERTY_STRING, NULL, true},
    {"Tags[].Key", PROPERTY_STRING, NULL, true},
    {"Tags[].Value", PROPERTY_STRING, NULL, true},
    {NULL, PROPERTY_STRING, NULL, false},
};

static const char *const attributes[] = {"RuleArn", "IsDefault", "LoadBalancerDNSName", NULL};

static int rule_identity(const struct step_ctx *s _unused_, json_t *props, json_t **ret,
                         struct fault *f)
{
    json_t *actions = json_object_get(props, "Actions");
    json_t *action = json_array_get(actions, 0);
    const char *logical = type_reference(json_object_get(action, "TargetGroupArn"));
    const char *type = type_text(action, "Type");
    char target_group[256];

    if (json_array_size(actions) != 1 || !type || !streq(type, "forward") || !logical)
        return fault_set(f, -EINVAL,
                         "Actions: must be one `forward` to the Ref of a target group "
                         "of this blueprint: that is how the rule is found again");
    if (str_format(target_group, sizeof(target_group), "!%s", logical) < 0)
        return fault_set(f, -EINVAL, "Actions[0].TargetGroupArn: the name is too long");
    return type_identity(ret, f, "t", target_group, NULL);
}

static int rule_check(const struct step_ctx *s _unused_, json_t *props, struct fault *f)
{
    json_t *priority = json_object_get(props, "Priority");
    json_int_t n = type_number(props, "Priority", 0);

    if (json_array_size(json_object_get(props, "Conditions")) == 0)
        return fault_set(f, -EINVAL, "Conditions: at least one is needed");
    if (priority && !json_is_object(priority) && (n < 1 || n > PRIORITY_MAX))
        return fault_set(f, -EINVAL, "Priority: must be from 1 to %d", PRIORITY_MAX);
    return 0;
}

/* --- looking --- */

static bool forwards_to(json_t *rule, const char *target_group)
{
    _cleanup_json_ json_t *actions = type_list(rule, "Actions");
    size_t i, k;
    json_t *a, *t;

    json_array_foreach(actions, i, a)
    {
        const char *arn = type_text(a, "TargetGroupArn");
        if (arn && streq(arn, target_group))
            return true;
        _cleanup_json_ json_t *many =
            type_list(json_object_get(a, "ForwardConfig"), "TargetGroups");
        json_array_foreach(many, k, t)
        {
            arn = type_text(t, "TargetGroupArn");
            if (arn && streq(arn, target_group))
                return true;
        }
    }
    return false;
}

/* *ret: the rule of this ARN if it forwards to the target group, else NULL. */
static int find_by_arn(struct step_ctx *s, const char *arn, const char *target_group, json_t **ret,
                       struct fault *f)
{
    _cleanup_json_ json_t *rule = NULL;

    int r = elbv2_describe_rule(s->aws, s->call, arn, &rule, f);
    if (r == 0 && forwards_to(rule, target_group))
        *ret = steal_ptr(rule);
    return r == -ENOENT ? 0 : r;
}

static int is_ours(struct step_ctx *s, const char *arn, struct fault *f)
{
    _cleanup_json_ json_t *tags = NULL;

    int r = elbv2_describe_tags(s->aws, s->call, arn, &tags, f);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    return type_claimed(s, tags, "Key", "Value");
}

/* Takes the listener's rule to the target group: ours before a stranger's. 1: ours was found, the
 * search is over. */
static int find_on_listener(struct step_ctx *s, const char *listener, const char *target_group,
                            json_t **ret, struct fault *f)
{
    _cleanup_json_ json_t *rules = NULL;
    size_t i;
    json_t *rule;

    int r = elbv2_describe_rules(s->aws, s->call, listener, &rules, f);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    json_array_foreach(rules, i, rule)
    {
        const char *arn = type_text(rule, "RuleArn");
        if (!arn || !forwards_to(rule, target_group))
            continue;
        r = is_ours(s, arn, f);
        if (r < 0)
            return r;
        if (r == 0 && *ret)
            continue;
        json_decref(*ret);
        *ret = json_incref(rule);
        if (r == 1)
            return 1;
    }
    return 0;
}

static int find_by_target_group(struct step_ctx *s, const char *target_group, json_t **ret,
                                struct fault *f)
{
    _cleanup_json_ json_t *d = NULL, *balancers = NULL;
    size_t i, k;
    json_t *balancer, *listener;

    int r = elbv2_describe_target_group(s->aws, s->call, NULL, target_group, &d, f);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    balancers = type_list(d, "LoadBalancerArns");
    json_array_foreach(balancers, i, balancer)
    {
        _cleanup_json_ json_t *listeners = NULL;
        const char *arn = json_string_value(balancer);
        if (!arn)
            continue;
        r = elbv2_describe_listeners(s->aws, s->call, arn, &listeners, f);
        if (r < 0 && r != -ENOENT)
            return r;
        json_array_foreach(listeners, k, listener)
        {
            const char *l = type_text(listener, "ListenerArn");
            r = l ? find_on_listener(s, l, target_group, ret, f) : 0;
            if (r != 0)
                return r < 0 ? r : 0;
        }
    }
    return 0;
}

/* arn:…:listener-rule/app/NAME/LB/LISTENER/RULE → arn:…:loadbalancer/app/NAME/LB */
static int balancer_of_rule(const char *rule, char *out, size_t size)
{
    const char *kind = strstr(rule, ":listener-rule/");

    if (!kind)
        return -EPROTO;
    const char *path = kind + strlen(":listener-rule/"), *end = path;
    for (int i = 0; i < 3 && end; i++)
        end = strchr(end + (i > 0), '/');
    if (!end)
        return -EPROTO;
    return str_format(out, size, "%.*s:loadbalancer/%.*s", (int)(kind - rule), rule,
                      (int)(end - path), path);
}

static int set_dns_name(struct step_ctx *s, struct step_state *st, struct fault *f)
{
    const char *known = type_attribute_of(s->known, "LoadBalancerDNSName");
    _cleanup_json_ json_t *d = NULL;
    char balancer[512];

    if (known && streq(s->known->key, st->key))
        return type_attribute(st, "LoadBalancerDNSName", known);
    if (balancer_of_rule(st->physical, balancer, sizeof(balancer)) < 0)
        return fault_set(f, -EPROTO, "%s is not the ARN of a rule", st->physical);
    int r = elbv2_describe_load_balancer(s->aws, s->call, balancer, &d, f);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    return type_attribute(st, "LoadBalancerDNSName", type_text(d, "DNSName"));
}

static int rule_describe(struct step_ctx *s, json_t *rule, struct step_state *ret, struct fault *f)
{
    const char *arn = type_text(rule, "RuleArn");

    int r = type_set_ids(ret, arn, elbv2_arn_tail(arn), arn, f);
    if (r < 0)
        return r;
    r = is_ours(s, arn, f);
    if (r < 0)
        return r;
    ret->found = r ? FOUND_OURS : FOUND_STRANGER;
    if (ret->found == FOUND_STRANGER)
        type_detail(ret, "listener rule %s", arn);
    else
        type_hint_put(s->token, arn);
    if (type_attribute(ret, "RuleArn", arn) < 0 || type_attribute(ret, "IsDefault", "false") < 0)
        return type_no_memory(f);
    return set_dns_name(s, ret, f);
}

static int rule_look(struct step_ctx *s, struct step_state *ret, struct fault *f)
{
    _cleanup_json_ json_t *rule = NULL;
    char target_group[256], hint[256];
    enum step_found found;

    int r = type_id_resolve(s, "t", target_group, sizeof(target_group), &found, f);
    if (r == -ENOENT || (r == 0 && found != FOUND_OURS))
        return 0; /* a target group with rules cannot be deleted: none, no rule */
    if (r < 0)
        return r;
    if (s->known && *s->known->physical)
        r = find_by_arn(s, s->known->physical, target_group, &rule, f);
    else if (type_hint_get(s->token, hint, sizeof(hint)))
        r = find_by_arn(s, hint, target_group, &rule, f);
    if (r == 0 && !rule)
        r = find_by_target_group(s, target_group, &rule, f);
    if (r < 0 || !rule)
        return r;
    return rule_describe(s, rule, ret, f);
}

/* --- making --- */

struct making {
    struct step_ctx *s;
    json_t *request;
    char *listeners[LISTENERS_MAX];
    size_t n_listeners;
    const char *hosts[HOSTS_MAX]; /* of the request */
    size_t n_hosts;
    unsigned first, last; /* priorities; the same where one is given */
};

static void making_done(struct making *m)
{
    json_decref(m->request);
    for (size_t i = 0; i < m->n_listeners; i++)
        free(m->listeners[i]);
}

static int add_listeners(struct making *m, const char *text, struct fault *f)
{
    while (*text) {
        size_t n = strcspn(text, ",");
        while (n && isspace((unsigned char)*text))
            text++, n--;
        size_t len = n;
        while (len && isspace((unsigned char)text[len - 1]))
            len--;
        if (len && m->n_listeners == LISTENERS_MAX)
            return fault_set(f, -EINVAL, "ListenerArn: more than %d", LISTENERS_MAX);
        if (len && !(m->listeners[m->n_listeners] = strndup(text, len)))
            return type_no_memory(f);
        m->n_listeners += len > 0;
        text += n + (text[n] == ',');
    }
    return 0;
}

static int read_listeners(struct making *m, json_t *v, struct fault *f)
{
    size_t i;
    json_t *e;
    int r = json_is_string(v) ? add_listeners(m, json_string_value(v), f) : 0;

    json_array_foreach(v, i, e) if (r == 0 && json_is_string(e)) r =
        add_listeners(m, json_string_value(e), f);
    if (r == 0 && m->n_listeners == 0)
        return fault_set(f, -EINVAL, "ListenerArn: names no listener");
    return r;
}

/* The host names of a rule's conditions; borrowed. */
static size_t hosts_of(json_t *conditions, const char *out[HOSTS_MAX])
{
    size_t n = 0, i, k;
    json_t *c, *v;

    json_array_foreach(conditions, i, c)
    {
        const char *field = type_text(c, "Field");
        if (!field || !streq(field, "host-header"))
            continue;
        json_t *values = json_object_get(json_object_get(c, "HostHeaderConfig"), "Values");
        if (!json_is_array(values) || json_array_size(values) == 0)
            values = json_object_get(c, "Values");
        json_array_foreach(values, k, v) if (n < HOSTS_MAX && json_is_string(v)) out[n++] =
            json_string_value(v);
    }
    return n;
}

static int read_range(struct making *m, json_t *props, struct fault *f)
{
    const char *range = type_text(props, "svcfs:PriorityRange");
    json_int_t given = type_number(props, "Priority", 0);

    m->first = 1;
    m->last = PRIORITY_MAX;
    if (given > 0 && given <= PRIORITY_MAX)
        m->first = m->last = (unsigned)given;
    else if (range && sscanf(range, "%u-%u", &m->first, &m->last) != 2)
        return fault_set(f, -EINVAL, "PriorityRange: must be `FIRST-LAST`");
    return 0;
}

static int making_init(struct making *m, struct step_ctx *s, json_t *props, struct fault *f)
{
    m->s = s;
    int r = property_convert(properties, PROPERTY_AS_IS, props, &m->request, f);
    if (r == 0)
        r = read_listeners(m, json_object_get(props, "ListenerArn"), f);
    if (r == 0)
        r = read_range(m, props, f);
    if (r < 0)
        return r;
    m->n_hosts = hosts_of(json_object_get(m->request, "Conditions"), m->hosts);
    json_t *tags = type_tags(s, json_object_get(props, "Tags"), "Key", "Value");
    return json_object_set_new(m->request, "Tags", tags) < 0 ? type_no_memory(f) : 0;
}

static bool shares_host(const struct making *m, json_t *rule)
{
    _cleanup_json_ json_t *conditions = type_list(rule, "Conditions");
    const char *hosts[HOSTS_MAX];
    size_t n = hosts_of(conditions, hosts);

    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < m->n_hosts; k++)
            if (strcasecmp(hosts[i], m->hosts[k]) == 0)
                return true;
    return false;
}

/* Rules of a listener: the priorities in use into set; -EEXIST where somebody else's has our host.
 */
static int read_rules(const struct making *m, const char *listener, struct priority_set *set,
                      struct fault *f)
{
    _cleanup_json_ json_t *rules = NULL;
    size_t i;
    json_t *rule;

    int r = elbv2_describe_rules(m->s->aws, m->s->call, listener, &rules, f);
    if (r < 0)
        return fault_prefix(f, r, "listener %s", listener);
    memset(set, 0, sizeof(*set));
    json_array_foreach(rules, i, rule)
    {
        const char *arn = type_text(rule, "RuleArn");
        priority_use(set, (long)type_number(rule, "Priority", 0));
        if (!arn || !shares_host(m, rule))
            continue;
        r = is_ours(m->s, arn, f);
        if (r < 0)
            return r;
        if (r == 0)
            return fault_set(f, -EEXIST, "exists, not ours: the host %s has a rule: %s",
                             m->hosts[0], arn);
    }
    return 0;
}

static bool is_full(const struct fault *f)
{
    static const char *const codes[] = {"TooManyRules", "TooManyTargetGroups",
                                        "TooManyUniqueTargetGroupsPerLoadBalancer"};

    for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
        if (str_starts(f->code, codes[i]))
            return true;
    return false;
}

static void tell_priority(struct making *m, const char *arn, unsigned priority)
{
    char text[320];

    type_hint_put(m->s->token, arn);
    if (!m->s->event)
        return;
    str_format(text, sizeof(text), "priority %u", priority);
    m->s->event(m->s, "priority", elbv2_arn_tail(arn), text);
}

enum outcome { MADE, TAKEN, FULL, FAILED };

/* One sending. */
static enum outcome send_rule(struct making *m, const char *listener, unsigned priority,
                              struct fault *f)
{
    _cleanup_free_ char *arn = NULL;

    *f = FAULT_INIT;
    if (json_object_set_new(m->request, "ListenerArn", json_string(listener)) < 0 ||
        json_object_set_new(m->request, "Priority", json_integer(priority)) < 0) {
        type_no_memory(f);
        return FAILED;
    }
    int r = elbv2_create_rule(m->s->aws, m->s->call, m->request, &arn, f);
    if (r == 0) {
        tell_priority(m, arn, priority);
        return MADE;
    }
    if (f->unclear)
        return FAILED;
    if (str_starts(f->code, "PriorityInUse"))
        return TAKEN; /* the reservation stays: the rules read next may not show it yet */
    priority_release(listener, priority);
    return is_full(f) ? FULL : FAILED;
}

/* 0: made; 1: no room on this listener; negative: failed. */
static int make_on(struct making *m, const char *listener, struct fault *f)
{
    struct clock *clock = m->s->clock;
    struct priority_set used;

    for (int i = 0; i < TRIES; i++) {
        int r = read_rules(m, listener, &used, f);
        if (r < 0)
            return r;
        int64_t now = clock->monotonic_ms(clock);
        unsigned p = priority_reserve(listener, &used, m->first, m->last, now, now + RESERVED_MS);
        if (!p)
            return 1;
        switch (send_rule(m, listener, p, f)) {
        case MADE:
            return 0;
        case FULL:
            return 1;
        case FAILED:
            return f->err;
        case TAKEN:
            break;
        }
    }
    return fault_set(f, -EAGAIN, "every free priority on %s was taken by somebody faster",
                     listener);
}

static int rule_create(struct step_ctx *s, json_t *props, struct fault *f)
{
    _cleanup_(making_done) struct making m = {0};
    struct fault own = FAULT_INIT;
    struct priority_set unused;

    int r = making_init(&m, s, props, &own);
    for (size_t i = 1; r == 0 && i < m.n_listeners; i++)
        r = read_rules(&m, m.listeners[i], &unused, &own); /* for hosts; the first is read below */
    for (size_t i = 0; r == 0 && i < m.n_listeners; i++) {
        r = make_on(&m, m.listeners[i], &own);
        if (r == 0)
            return 0;
        r = r == 1 ? 0 : r;
    }
    if (r < 0)
        return fault_copy(f, &own);
    fault_prefix(&own, -EDQUOT, "no room for a rule, priorities %u to %u, on any listener", m.first,
                 m.last);
    return fault_copy(f, &own);
}

static int rule_remove(struct step_ctx *s, const struct step_state *st, struct fault *f)
{
    return elbv2_delete_rule(s->aws, s->call, st->physical, f);
}

const struct resource_type type_listener_rule = {
    .name = "AWS::ElasticLoadBalancingV2::ListenerRule",
    .code = "rule",
    .properties = properties,
    .attributes = attributes,
    .short_id_max = 16,
    .identity = rule_identity,
    .check = rule_check,
    .look = rule_look,
    .create = rule_create,
    .remove = rule_remove,
    .retag = elbv2_retag,
};
