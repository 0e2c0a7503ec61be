/*
 * AWS::EFS::FileSystem, MountTarget, AccessPoint. A file system is found by its CreationToken, an
 * access point by its ClientToken: both are the step's token, so that nobody else can stand under
 * our identity but by copying it, and the claim tells that apart. A mount target has no tags; it is
 * ours if its file system is, and found by file system and subnet.
 *
 * An access point on a shared file system has up to ten thousand neighbours, and AWS cannot be
 * asked by token: the id from create's answer is kept as a hint; the whole list is read only where
 * there is none (a taker before the record has the id, a lost answer).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "awsapi/efs.h"
#include "base/str.h"
#include "provision/types/common.h"

/* --- file system --- */

static const struct property file_system_properties[] = {
    {"AvailabilityZoneName", PROPERTY_STRING, NULL, false},
    {"Encrypted", PROPERTY_BOOLEAN, NULL, false},
    {"KmsKeyId", PROPERTY_STRING, NULL, false},
    {"PerformanceMode", PROPERTY_STRING, NULL, false},
    {"ThroughputMode", PROPERTY_STRING, NULL, false},
    {"ProvisionedThroughputInMibps", PROPERTY_INTEGER, NULL, false},
    {"BackupPolicy.Status", PROPERTY_STRING, NULL, true},
    {"FileSystemPolicy", PROPERTY_JSON, NULL, false},
    {"LifecyclePolicies[].TransitionToIA", PROPERTY_STRING, NULL, false},
    {"LifecyclePolicies[].TransitionToArchive", PROPERTY_STRING, NULL, false},
    {"LifecyclePolicies[].TransitionToPrimaryStorageClass", PROPERTY_STRING, NULL, false},
    {"FileSystemTags[].Key", PROPERTY_STRING, NULL, true},
    {"FileSystemTags[].Value", PROPERTY_STRING, NULL, true},
    {NULL, PROPERTY_STRING, NULL, false},
};
static const char *const file_system_attributes[] = {"Arn", "FileSystemId", NULL};

static const char *const file_system_settings[] = {"BackupPolicy", "FileSystemPolicy",
                                                   "LifecyclePolicies", "FileSystemTags"};

/* Nothing beside the token, which the claim and the logical id give. */
static int token_identity(const struct step_ctx *s _unused_, json_t *props _unused_, json_t **ret,
                          struct fault *f)
{
    return type_identity(ret, f, NULL);
}

/* What a lifecycle state means; absent where it is over. */
static enum step_found found_of_state(const char *state)
{
    if (!state || streq(state, "deleted"))
        return FOUND_ABSENT;
    return streq(state, "deleting") ? FOUND_GOING : FOUND_OURS;
}

static int settle_state(const struct step_state *st, struct fault *f)
{
    const char *state = type_attribute_of(st, "svcfs:state");

    if (state && streq(state, "error"))
        return fault_set(f, -EIO, "%s: EFS says that its state is `error`", st->physical);
    if (state && streq(state, "available"))
        return 0;
    fault_set(f, -ETIMEDOUT, "%s: its state is `%s`", st->physical, state ? state : "unknown");
    return 1;
}

/* The claim decides, unless the thing is gone. */
static void judge(struct step_ctx *s, struct step_state *st, const char *what, const char *state,
                  json_t *tags)
{
    st->found = found_of_state(state);
    if (st->found == FOUND_ABSENT || type_claimed(s, tags, "Key", "Value"))
        return;
    st->found = FOUND_STRANGER;
    type_detail(st, "%s %s", what, st->physical);
}

static int file_system_look(struct step_ctx *s, struct step_state *ret, struct fault *f)
{
    _cleanup_json_ json_t *list = NULL;
    char arn[640];

    int r = efs_describe_file_systems(s->aws, s->call, s->token, &list, f);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return r;
    json_t *d = json_array_get(list, 0);
    if (!d)
        return 0;
    const char *id = type_text(d, "FileSystemId"), *given = type_text(d, "FileSystemArn");
    str_format(arn, sizeof(arn), "arn:%s:elasticfilesystem:%s:%s:file-system/%s", s->partition,
               s->region, s->account, id ? id : "");
    r = type_set_ids(ret, id, NULL, given ? given : arn, f);
    if (r < 0)
        return r;
    judge(s, ret, "file system", type_text(d, "LifeCycleState"), json_object_get(d, "Tags"));
    if (type_attribute(ret, "Arn", ret->key) < 0 || type_attribute(ret, "FileSystemId", id) < 0 ||
        type_attribute(ret, "svcfs:state", type_text(d, "LifeCycleState")) < 0)
        return type_no_memory(f);
    return 0;
}

static int file_system_create(struct step_ctx *s, json_t *props, struct fault *f)
{
    _cleanup_json_ json_t *request = NULL;

    int r = property_convert(file_system_properties, PROPERTY_AS_IS, props, &request, f);
    if (r < 0)
        return r;
    for (size_t i = 0; i < ARRAY_SIZE(file_system_settings); i++)
        json_object_del(request, file_system_settings[i]);
    json_t *tags = type_tags(s, json_object_get(props, "FileSystemTags"), "Key", "Value");
    if (json_object_set_new(request, "Tags", tags) < 0 ||
        json_object_set_new(request, "CreationToken", json_string(s->token)) < 0)
        return type_no_memory(f);
    return efs_create_file_system(s->aws, s->call, request, f);
}

static int put_policy(struct step_ctx *s, const char *id, json_t *policy, struct fault *f)
{
    _cleanup_free_ char *text = json_is_string(policy) ? strdup(json_string_value(policy))
                                                       : json_dumps(policy, JSON_COMPACT);

    return text ? efs_put_policy(s->aws, s->call, id, text, f) : type_no_memory(f);
}

static int file_system_settle(struct step_ctx *s, json_t *props, struct step_state *st,
                              struct fault *f)
{
    json_t *lifecycle = json_object_get(props, "LifecyclePolicies");
    json_t *policy = json_object_get(props, "FileSystemPolicy");
    const char *backup = type_text(json_object_get(props, "BackupPolicy"), "Status");

    int r = settle_state(st, f);
    if (r == 0 && json_array_size(lifecycle) > 0)
        r = efs_put_lifecycle(s->aws, s->call, st->physical, lifecycle, f);
    if (r == 0 && backup)
        r = efs_put_backup(s->aws, s->call, st->physical, backup, f);
    if (r == 0 && policy)
        r = put_policy(s, st->physical, policy, f);
    return r;
}

static int file_system_remove(struct step_ctx *s, const struct step_state *st, struct fault *f)
{
    return efs_delete_file_system(s->aws, s->call, st->physical, f);
}

static int efs_retag(struct step_ctx *s, const struct step_state *st, json_t *set, json_t *unset,
                     struct fault *f)
{
    _cleanup_json_ json_t *tags = type_tag_list(set, "Key", "Value");

    if (!tags)
        return type_no_memory(f);
    int r = efs_tag(s->aws, s->call, st->physical, tags, f);
    return r < 0 ? r : efs_untag(s->aws, s->call, st->physical, unset, f);
}

const struct resource_type type_file_system = {
    .name = "AWS::EFS::FileSystem",
    .code = "fs",
    .properties = file_system_properties,
    .attributes = file_system_attributes,
    .short_id_max = 20,
    .identity = token_identity,
    .look = file_system_look,
    .create = file_system_create,
    .settle = file_system_settle,
    .remove = file_system_remove,
    .retag = efs_retag,
};

/* --- mount target --- */

#define MOUNT_TARGET_KEY "elasticfilesystem/mount-target/"

static const struct property mount_target_properties[] = {
    {"FileSystemId", PROPERTY_STRING, NULL, true},
    {"SubnetId", PROPERTY_STRING, NULL, true},
    {"SecurityGroups", PROPERTY_LIST, NULL, true},
    {"IpAddress", PROPERTY_STRING, NULL, false},
    {"IpAddressType", PROPERTY_STRING, NULL, false},
    {"Ipv6Address", PROPERTY_STRING, NULL, false},
    {NULL, PROPERTY_STRING, NULL, false},
};
static const char *const mount_target_attributes[] = {"Id", "IpAddress", NULL};

static int mount_target_identity(const struct step_ctx *s _unused_, json_t *props, json_t **ret,
                                 struct fault *f)
{
    char file_system[256];
    const char *subnet;

    int r = type_plain_or_step(props, "FileSystemId", file_system, sizeof(file_system), f);
    if (r == 0)
        r = type_plain_required(props, "SubnetId", &subnet, f);
    if (r < 0)
        return r;
    if (*file_system != '!')
        return fault_set(f, -EINVAL,
                         "FileSystemId: must be the Ref of a file system of this "
                         "blueprint: a mount target has no tags that could say whose it is");
    return type_identity(ret, f, "f", file_system, "s", subnet, NULL);
}

static json_t *by_subnet(json_t *list, const char *subnet)
{
    size_t i;
    json_t *d;

    json_array_foreach(list, i, d)
    {
        const char *at = type_text(d, "SubnetId"), *state = type_text(d, "LifeCycleState");
        if (at && streq(at, subnet) && found_of_state(state) != FOUND_ABSENT)
            return d;
    }
    return NULL;
}

static int mount_target_look(struct step_ctx *s, struct step_state *ret, struct fault *f)
{
    _cleanup_json_ json_t *list = NULL;
    char file_system[256], key[300];

    int r = type_id_resolve(s, "f", file_system, sizeof(file_system), NULL, f);
    if (r == 0)
        r = efs_describe_mount_targets(s->aws, s->call, file_system, &list, f);
    if (r == -ENOENT) /* with its file system */
        return 0;
    if (r < 0)
        return r;
    json_t *d = by_subnet(list, type_id(s, "s"));
    if (!d)
        return 0;
    const char *id = type_text(d, "MountTargetId"), *state = type_text(d, "LifeCycleState");
    str_format(key, sizeof(key), MOUNT_TARGET_KEY "%s", id ? id : "");
    r = type_set_ids(ret, id, NULL, key, f);
    if (r < 0)
        return r;
    ret->found = found_of_state(state);
    if (type_attribute(ret, "Id", id) < 0 ||
        type_attribute(ret, "IpAddress", type_text(d, "IpAddress")) < 0 ||
        type_attribute(ret, "svcfs:state", state) < 0)
        return type_no_memory(f);
    return 0;
}

static int mount_target_create(struct step_ctx *s, json_t *props, struct fault *f)
{
    _cleanup_json_ json_t *request = NULL;

    int r = property_convert(mount_target_properties, PROPERTY_AS_IS, props, &request, f);
    return r < 0 ? r : efs_create_mount_target(s->aws, s->call, request, f);
}

static int state_settle(struct step_ctx *s _unused_, json_t *props _unused_, struct step_state *st,
                        struct fault *f)
{
    return settle_state(st, f);
}

static int mount_target_remove(struct step_ctx *s, const struct step_state *st, struct fault *f)
{
    return efs_delete_mount_target(s->aws, s->call, st->physical, f);
}

const struct resource_type type_mount_target = {
    .name = "AWS::EFS::MountTarget",
    .code = "mt",
    .properties = mount_target_properties,
    .attributes = mount_target_attributes,
    .short_id_max = 22,
    .key_prefix = MOUNT_TARGET_KEY,
    .identity = mount_target_identity,
    .look = mount_target_look,
    .create = mount_target_create,
    .settle = state_settle,
    .remove = mount_target_remove,
};

/* --- access point --- */

static const struct property access_point_properties[] = {
    {"FileSystemId", PROPERTY_STRING, NULL, true},
    {"PosixUser.Uid", PROPERTY_INTEGER, NULL, true},
    {"PosixUser.Gid", PROPERTY_INTEGER, NULL, true},
    {"PosixUser.SecondaryGids[]", PROPERTY_INTEGER, NULL, false},
    {"RootDirectory.Path", PROPERTY_STRING, NULL, false},
    {"RootDirectory.CreationInfo.OwnerUid", PROPERTY_INTEGER, NULL, true},
    {"RootDirectory.CreationInfo.OwnerGid", PROPERTY_INTEGER, NULL, true},
    {"RootDirectory.CreationInfo.Permissions", PROPERTY_STRING, NULL, true},
    {"AccessPointTags[].Key", PROPERTY_STRING, NULL, true},
    {"AccessPointTags[].Value", PROPERTY_STRING, NULL, true},
    {NULL, PROPERTY_STRING, NULL, false},
};
static const char *const access_point_attributes[] = {"AccessPointId", "Arn", NULL};

static int access_point_identity(const struct step_ctx *s _unused_, json_t *props, json_t **ret,
                                 struct fault *f)
{
    char file_system[256];

    int r = type_plain_or_step(props, "FileSystemId", file_system, sizeof(file_system), f);
    return r < 0 ? r : type_identity(ret, f, "f", file_system, NULL);
}

static json_t *by_token(json_t *list, const char *token)
{
    size_t i;
    json_t *d, *over = NULL;

    json_array_foreach(list, i, d)
    {
        const char *t = type_text(d, "ClientToken");
        if (!t || !streq(t, token))
            continue;
        if (found_of_state(type_text(d, "LifeCycleState")) != FOUND_ABSENT)
            return d;
        over = d;
    }
    return over;
}

/* By an id that a create or an earlier look gave. 0: asked, *ret may be NULL; 1: no id is known. */
static int access_point_by_id(struct step_ctx *s, json_t **ret, struct fault *f)
{
    _cleanup_json_ json_t *list = NULL;
    char id[256];

    if (s->known && *s->known->physical)
        str_format(id, sizeof(id), "%s", s->known->physical);
    else if (s->short_id && *s->short_id)
        str_format(id, sizeof(id), "%s", s->short_id);
    else if (!type_hint_get(s->token, id, sizeof(id)))
        return 1;
    int r = efs_describe_access_points(s->aws, s->call, NULL, id, &list, f);
    if (r == 0)
        *ret = json_incref(by_token(list, s->token));
    return r == -ENOENT ? 0 : r;
}

/* *ret: the description, or NULL where there is none. */
static int access_point_find(struct step_ctx *s, json_t **ret, struct fault *f)
{
    _cleanup_json_ json_t *list = NULL;
    char file_system[256];

    int r = access_point_by_id(s, ret, f);
    if (r <= 0)
        return r;
    r = type_id_resolve(s, "f", file_system, sizeof(file_system), NULL, f);
    if (r == 0)
        r = efs_describe_access_points(s->aws, s->call, file_system, NULL, &list, f);
    if (r == 0)
        *ret = json_incref(by_token(list, s->token));
    if (*ret && type_text(*ret, "AccessPointId"))
        type_hint_put(s->token, type_text(*ret, "AccessPointId"));
    return r == -ENOENT ? 0 : r;
}

static int access_point_look(struct step_ctx *s, struct step_state *ret, struct fault *f)
{
    _cleanup_json_ json_t *d = NULL;

    int r = access_point_find(s, &d, f);
    if (r < 0 || !d)
        return r;
    const char *id = type_text(d, "AccessPointId"), *arn = type_text(d, "AccessPointArn");
    r = type_set_ids(ret, id, NULL, arn, f);
    if (r < 0)
        return r;
    judge(s, ret, "access point", type_text(d, "LifeCycleState"), json_object_get(d, "Tags"));
    if (type_attribute(ret, "AccessPointId", id) < 0 || type_attribute(ret, "Arn", arn) < 0 ||
        type_attribute(ret, "svcfs:state", type_text(d, "LifeCycleState")) < 0)
        return type_no_memory(f);
    return 0;
}

static int access_point_create(struct step_ctx *s, json_t *props, struct fault *f)
{
    _cleanup_json_ json_t *request = NULL;
    _cleanup_free_ char *id = NULL;

    int r = property_convert(access_point_properties, PROPERTY_AS_IS, props, &request, f);
    if (r < 0)
        return r;
    json_object_del(request, "AccessPointTags");
    json_t *tags = type_tags(s, json_object_get(props, "AccessPointTags"), "Key", "Value");
    if (json_object_set_new(request, "Tags", tags) < 0 ||
        json_object_set_new(request, "ClientToken", json_string(s->token)) < 0)
        return type_no_memory(f);
    r = efs_create_access_point(s->aws, s->call, request, &id, f);
    if (r == 0)
        type_hint_put(s->token, id);
    return r;
}

static int access_point_remove(struct step_ctx *s, const struct step_state *st, struct fault *f)
{
    return efs_delete_access_point(s->aws, s->call, st->physical, f);
}

const struct resource_type type_access_point = {
    .name = "AWS::EFS::AccessPoint",
    .code = "ap",
    .properties = access_point_properties,
    .attributes = access_point_attributes,
    .short_id_max = 22,
    .identity = access_point_identity,
    .look = access_point_look,
    .create = access_point_create,
    .settle = state_settle,
    .remove = access_point_remove,
    .retag = efs_retag,
};
