/*
 * AWS::EC2::SecurityGroup. Identity: name and VPC. Rules are calls of their own, so they are made
 * to hold in settle: what the description shows is compared with what the blueprint says, what is
 * missing is authorized, "duplicate" is success. What is there beyond the blueprint is left, since
 * it may be somebody's repair, with one exception that CloudFormation makes too: the egress rule to
 * everywhere that AWS gives a new group goes where the blueprint lists egress of its own.
 *
 * A fresh group is unknown to EC2 for moments after its creation (InvalidGroup.NotFound): ask
 * again.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "awsapi/ec2.h"
#include "base/str.h"
#include "provision/types/common.h"

#define RULE(list)                                                                                 \
    {list "[].IpProtocol", PROPERTY_STRING, NULL, true},                                           \
        {list "[].FromPort", PROPERTY_INTEGER, NULL, false},                                       \
        {list "[].ToPort", PROPERTY_INTEGER, NULL, false},                                         \
        {list "[].CidrIp", PROPERTY_STRING, NULL, false},                                          \
        {list "[].CidrIpv6", PROPERTY_STRING, NULL, false},                                        \
    {                                                                                              \
        list "[].Description", PROPERTY_STRING, NULL, false                                        \
    }

static const struct property properties[] = {
    {"GroupDescription", PROPERTY_STRING, NULL, true},
    {"GroupName", PROPERTY_STRING, NULL, false},
    {"VpcId", PROPERTY_STRING, NULL, true},
    RULE("SecurityGroupIngress"),
    {"SecurityGroupIngress[].SourceSecurityGroupId", PROPERTY_STRING, NULL, false},
    {"SecurityGroupIngress[].SourceSecurityGroupOwnerId", PROPERTY_STRING, NULL, false},
    {"SecurityGroupIngress[].SourcePrefixListId", PROPERTY_STRING, NULL, false},
    RULE("SecurityGroupEgress"),
    {"SecurityGroupEgress[].DestinationSecurityGroupId", PROPERTY_STRING, NULL, false},
    {"SecurityGroupEgress[].DestinationPrefixListId", PROPERTY_STRING, NULL, false},
    {"Tags[].Key", PROPERTY_STRING, NULL, true},
    {"Tags[].Value", PROPERTY_STRING, NULL, true},
    {NULL, PROPERTY_STRING, NULL, false},
};

static const char *const attributes[] = {"GroupId", "Id", "VpcId", NULL};

/* Where a rule's peer stands: in CloudFormation, in requests, in answers. */
static const struct peer {
    const char *property[2]; /* of ingress, egress */
    const char *list, *member;
    const char *answer_list, *answer_member;
} peers[] = {
    {{"CidrIp", "CidrIp"}, "IpRanges", "CidrIp", "ipRanges", "cidrIp"},
    {{"CidrIpv6", "CidrIpv6"}, "Ipv6Ranges", "CidrIpv6", "ipv6Ranges", "cidrIpv6"},
    {{"SourceSecurityGroupId", "DestinationSecurityGroupId"},
     "Groups",
     "GroupId",
     "groups",
     "groupId"},
    {{"SourcePrefixListId", "DestinationPrefixListId"},
     "PrefixListIds",
     "PrefixListId",
     "prefixListIds",
     "prefixListId"},
};

static const char *const rule_lists[] = {
    [EC2_INGRESS] = "SecurityGroupIngress", [EC2_EGRESS] = "SecurityGroupEgress"};

static int group_identity(const struct step_ctx *s, json_t *props, json_t **ret, struct fault *f)
{
    const char *given, *vpc;
    char name[256];

    int r = type_plain(props, "GroupName", &given, f);
    if (r == 0)
        r = type_plain_required(props, "VpcId", &vpc, f);
    if (r < 0)
        return r;
    if (given)
        r = str_format(name, sizeof(name), "%s", given);
    else
        r = naming_default(s->service_id, s->token, 64, name);
    if (r < 0 || !*name)
        return fault_set(f, -EINVAL, "GroupName: 1 to 255 characters");
    /* EC2 takes a name that begins so for an id, and refuses it. */
    if (!given && strncasecmp(name, "sg-", 3) == 0)
        name[2] = '_';
    return type_identity(ret, f, "n", name, "v", vpc, NULL);
}

static int check_rule(json_t *rule, enum ec2_direction d, size_t i, struct fault *f)
{
    unsigned n = 0;

    for (size_t p = 0; p < ARRAY_SIZE(peers); p++)
        n += json_object_get(rule, peers[p].property[d]) != NULL;
    if (n == 1)
        return 0;
    return fault_set(f, -EINVAL, "%s[%zu]: exactly one of CidrIp, CidrIpv6, %s, %s is needed",
                     rule_lists[d], i, peers[2].property[d], peers[3].property[d]);
}

static int group_check(const struct step_ctx *s _unused_, json_t *props, struct fault *f)
{
    size_t i;
    json_t *rule;

    for (int d = EC2_INGRESS; d <= EC2_EGRESS; d++)
        json_array_foreach(json_object_get(props, rule_lists[d]), i, rule)
        {
            int r = check_rule(rule, (enum ec2_direction)d, i, f);
            if (r < 0)
                return r;
        }
    return 0;
}

static int group_describe(struct step_ctx *s, json_t **ret, struct fault *f)
{
    _cleanup_json_ json_t *groups = NULL;
    size_t i;
    json_t *g;

    int r =
        ec2_describe_security_groups(s->aws, s->call, type_id(s, "v"), type_id(s, "n"), &groups, f);
    if (r < 0)
        return r;
    /* The filter knows wildcards; a name may hold one. */
    json_array_foreach(groups, i, g)
    {
        const char *name = type_text(g, "groupName");
        if (name && strcasecmp(name, type_id(s, "n")) == 0) {
            *ret = json_incref(g);
            return 0;
        }
    }
    return fault_set(f, -ENOENT, "there is no security group %s", type_id(s, "n"));
}

static int group_look(struct step_ctx *s, struct step_state *ret, struct fault *f)
{
    _cleanup_json_ json_t *g = NULL;
    char arn[640];

    int r = group_describe(s, &g, f);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return r;
    const char *id = type_text(g, "groupId");
    const char *owner = type_text(g, "ownerId");
    str_format(arn, sizeof(arn), "arn:%s:ec2:%s:%s:security-group/%s", s->partition, s->region,
               owner ? owner : s->account, id ? id : "");
    r = type_set_ids(ret, id, NULL, arn, f);
    if (r < 0)
        return r;
    _cleanup_json_ json_t *tags = type_list(g, "tagSet");
    ret->found = type_claimed(s, tags, "key", "value") ? FOUND_OURS : FOUND_STRANGER;
    if (ret->found == FOUND_STRANGER)
        type_detail(ret, "security group %s (%s)", id, type_id(s, "n"));
    if (type_attribute(ret, "GroupId", id) < 0 || type_attribute(ret, "Id", id) < 0 ||
        type_attribute(ret, "VpcId", type_text(g, "vpcId")) < 0)
        return type_no_memory(f);
    return 0;
}

static int group_create(struct step_ctx *s, json_t *props, struct fault *f)
{
    _cleanup_json_ json_t *tags = type_tags(s, json_object_get(props, "Tags"), "Key", "Value");
    _cleanup_free_ char *id = NULL;
    const char *description = type_text(props, "GroupDescription");

    if (!tags)
        return type_no_memory(f);
    return ec2_create_security_group(s->aws, s->call, type_id(s, "n"),
                                     description ? description : "", type_id(s, "v"), tags, &id, f);
}

/* --- rules --- */

/* A blueprint's rule as an IpPermission of one peer. */
static json_t *permission_of(json_t *rule, enum ec2_direction d)
{
    json_t *from = json_object_get(rule, "FromPort"), *to = json_object_get(rule, "ToPort");
    json_t *description = json_object_get(rule, "Description");
    json_t *owner = json_object_get(rule, "SourceSecurityGroupOwnerId");
    json_t *out = json_object();

    json_object_set(out, "IpProtocol", json_object_get(rule, "IpProtocol"));
    if (from)
        json_object_set(out, "FromPort", from);
    if (to || from)
        json_object_set(out, "ToPort", to ? to : from);
    for (size_t p = 0; p < ARRAY_SIZE(peers); p++) {
        json_t *value = json_object_get(rule, peers[p].property[d]);
        if (!value)
            continue;
        json_t *peer = json_pack("{s:O}", peers[p].member, value);
        if (description)
            json_object_set(peer, "Description", description);
        if (owner && streq(peers[p].member, "GroupId"))
            json_object_set(peer, "UserId", owner);
        json_object_set_new(out, peers[p].list, json_pack("[o]", peer));
    }
    return out;
}

static bool same_protocol(const char *a, const char *b)
{
    static const char *const names[][2] = {
        {"tcp", "6"}, {"udp", "17"}, {"icmp", "1"}, {"icmpv6", "58"}, {"all", "-1"}};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        a = strcasecmp(a, names[i][0]) == 0 ? names[i][1] : a;
        b = strcasecmp(b, names[i][0]) == 0 ? names[i][1] : b;
    }
    return streq(a, b);
}

/* Whether an answer's permission holds the peer of ours, for the same protocol and ports. */
static bool permission_has(json_t *have, json_t *want)
{
    const char *protocol = type_text(want, "IpProtocol"), *other = type_text(have, "ipProtocol");

    if (!protocol || !other || !same_protocol(protocol, other))
        return false;
    if (!same_protocol(protocol, "-1") &&
        (type_number(have, "fromPort", -1) != type_number(want, "FromPort", -1) ||
         type_number(have, "toPort", -1) != type_number(want, "ToPort", -1)))
        return false;
    for (size_t p = 0; p < ARRAY_SIZE(peers); p++) {
        json_t *mine = json_array_get(json_object_get(want, peers[p].list), 0), *theirs;
        const char *value = type_text(mine, peers[p].member);
        _cleanup_json_ json_t *list = type_list(have, peers[p].answer_list);
        size_t i;
        json_array_foreach(list, i, theirs)
        {
            const char *v = type_text(theirs, peers[p].answer_member);
            if (value && v && strcasecmp(v, value) == 0)
                return true;
        }
    }
    return false;
}

static bool group_has(json_t *group, enum ec2_direction d, json_t *want)
{
    _cleanup_json_ json_t *have =
        type_list(group, d == EC2_INGRESS ? "ipPermissions" : "ipPermissionsEgress");
    size_t i;
    json_t *e;

    json_array_foreach(have, i, e) if (permission_has(e, want)) return true;
    return false;
}

/* 0: the rule is there; 1: the group is too fresh. */
static int hold_rule(struct step_ctx *s, const char *id, json_t *group, enum ec2_direction d,
                     json_t *rule, struct fault *f)
{
    _cleanup_json_ json_t *want = permission_of(rule, d);
    struct fault own = FAULT_INIT;

    if (!want)
        return type_no_memory(f);
    if (group_has(group, d, want))
        return 0;
    int r = ec2_authorize(s->aws, s->call, d, id, want, &own);
    if (r == 0 || (r == -EEXIST && !own.unclear))
        return 0;
    if (r == -ENOENT && str_starts(own.code, "InvalidGroup"))
        return 1;
    return fault_copy(f, &own);
}

/* The rule that AWS gives every group. */
static int drop_default_egress(struct step_ctx *s, const char *id, json_t *group, json_t *wanted,
                               struct fault *f)
{
    _cleanup_json_ json_t *all =
        json_pack("{s:s, s:[{s:s}]}", "IpProtocol", "-1", "IpRanges", "CidrIp", "0.0.0.0/0");
    size_t i;
    json_t *rule;

    if (!all)
        return type_no_memory(f);
    json_array_foreach(wanted, i, rule)
    {
        const char *protocol = type_text(rule, "IpProtocol"), *cidr = type_text(rule, "CidrIp");
        if (protocol && cidr && same_protocol(protocol, "-1") && streq(cidr, "0.0.0.0/0"))
            return 0;
    }
    if (!group_has(group, EC2_EGRESS, all))
        return 0;
    int r = ec2_revoke_egress(s->aws, s->call, id, all, f);
    return r == -ENOENT ? 0 : r;
}

static int group_settle(struct step_ctx *s, json_t *props, struct step_state *st, struct fault *f)
{
    _cleanup_json_ json_t *group = NULL, *wanted = NULL;
    size_t i;
    json_t *rule;

    int r = property_convert(properties, PROPERTY_AS_IS, props, &wanted, f);
    if (r == 0)
        r = group_describe(s, &group, f);
    if (r < 0)
        return r == -ENOENT ? 1 : r;
    for (int d = EC2_INGRESS; d <= EC2_EGRESS; d++)
        json_array_foreach(json_object_get(wanted, rule_lists[d]), i, rule)
        {
            r = hold_rule(s, st->physical, group, (enum ec2_direction)d, rule, f);
            if (r != 0)
                return r;
        }
    json_t *egress = json_object_get(wanted, rule_lists[EC2_EGRESS]);
    return egress ? drop_default_egress(s, st->physical, group, egress, f) : 0;
}

static int group_remove(struct step_ctx *s, const struct step_state *st, struct fault *f)
{
    return ec2_delete_security_group(s->aws, s->call, st->physical, f);
}

static int group_retag(struct step_ctx *s, const struct step_state *st, json_t *set, json_t *unset,
                       struct fault *f)
{
    _cleanup_json_ json_t *tags = type_tag_list(set, "Key", "Value");

    if (!tags)
        return type_no_memory(f);
    int r = ec2_create_tags(s->aws, s->call, st->physical, tags, f);
    return r < 0 ? r : ec2_delete_tags(s->aws, s->call, st->physical, unset, f);
}

const struct resource_type type_security_group = {
    .name = "AWS::EC2::SecurityGroup",
    .code = "sg",
    .properties = properties,
    .attributes = attributes,
    .short_id_max = 20,
    .identity = group_identity,
    .check = group_check,
    .look = group_look,
    .create = group_create,
    .settle = group_settle,
    .remove = group_remove,
    .retag = group_retag,
};
