/*
 * Elastic File System's calls (rest-json). Errors of EFS are 409 for all that is not yet or no more
 * possible; which of them mean "in use, ask again" is told here, since the same codes stand for
 * nothing else.
 */
#include "awsapi/efs.h"

#include <errno.h>
#include <string.h>

#include "awsapi/page.h"
#include "base/str.h"

#define BASE "/2015-02-01/"
#define READ(name, path, query)                                                                    \
    {                                                                                              \
        AWS_EFS, name, BUCKET_EFS_READ, false, "GET", BASE path, query                             \
    }
#define WRITE(name, method, path, query)                                                           \
    {                                                                                              \
        AWS_EFS, name, BUCKET_EFS_WRITE, true, method, BASE path, query                            \
    }

static const struct aws_action describe_file_systems =
    READ("DescribeFileSystems", "file-systems", "MaxItems,Marker,CreationToken,FileSystemId");
static const struct aws_action create_file_system =
    WRITE("CreateFileSystem", "POST", "file-systems", NULL);
static const struct aws_action delete_file_system =
    WRITE("DeleteFileSystem", "DELETE", "file-systems/{FileSystemId}", NULL);
static const struct aws_action put_lifecycle =
    WRITE("PutLifecycleConfiguration", "PUT", "file-systems/{FileSystemId}/lifecycle-configuration",
          NULL);
static const struct aws_action put_backup =
    WRITE("PutBackupPolicy", "PUT", "file-systems/{FileSystemId}/backup-policy", NULL);
static const struct aws_action put_policy =
    WRITE("PutFileSystemPolicy", "PUT", "file-systems/{FileSystemId}/policy", NULL);
static const struct aws_action describe_mount_targets =
    READ("DescribeMountTargets", "mount-targets", "MaxItems,Marker,FileSystemId,MountTargetId");
static const struct aws_action create_mount_target =
    WRITE("CreateMountTarget", "POST", "mount-targets", NULL);
static const struct aws_action delete_mount_target =
    WRITE("DeleteMountTarget", "DELETE", "mount-targets/{MountTargetId}", NULL);
static const struct aws_action describe_access_points = READ(
    "DescribeAccessPoints", "access-points", "MaxResults,NextToken,AccessPointId,FileSystemId");
static const struct aws_action create_access_point =
    WRITE("CreateAccessPoint", "POST", "access-points", NULL);
static const struct aws_action delete_access_point =
    WRITE("DeleteAccessPoint", "DELETE", "access-points/{AccessPointId}", NULL);
static const struct aws_action tag =
    WRITE("TagResource", "POST", "resource-tags/{ResourceId}", NULL);
static const struct aws_action list_tags =
    READ("ListTagsForResource", "resource-tags/{ResourceId}", "MaxResults,NextToken");
static const struct aws_action untag =
    WRITE("UntagResource", "DELETE", "resource-tags/{ResourceId}", "tagKeys");

static int delete_one(struct aws_client *c, const struct aws_action *a, const struct aws_ctx *ctx,
                      const char *member, const char *id, struct fault *f)
{
    static const char *const busy[] = {"FileSystemInUse", "IncorrectFileSystemLifeCycleState",
                                       "IncorrectMountTargetState", "DependencyTimeout"};
    _cleanup_json_ json_t *request = json_pack("{s:s}", member, id);
    struct fault own = FAULT_INIT;

    if (!request)
        return aws_no_memory(f);
    int r = aws_call(c, a, ctx, request, NULL, &own);
    if (r == 0)
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(busy); i++)
        if (streq(own.code, busy[i]) && !own.unclear)
            own.err = -EBUSY;
    return fault_copy(f, &own);
}

static int put_setting(struct aws_client *c, const struct aws_action *a, const struct aws_ctx *ctx,
                       const char *id, const char *member, json_t *value, struct fault *f)
{
    _cleanup_json_ json_t *request = json_pack("{s:s, s:o}", "FileSystemId", id, member, value);

    if (!request)
        return aws_no_memory(f);
    return aws_call(c, a, ctx, request, NULL, f);
}

int efs_describe_file_systems(struct aws_client *c, const struct aws_ctx *ctx,
                              const char *creation_token, json_t **ret, struct fault *f)
{
    static const struct aws_paging paging = {"Marker", "NextMarker", "FileSystems", NULL};
    _cleanup_json_ json_t *request = json_pack("{s:s}", "CreationToken", creation_token);

    if (!request)
        return aws_no_memory(f);
    return aws_pages(c, &describe_file_systems, ctx, request, &paging, ret, f);
}

int efs_create_file_system(struct aws_client *c, const struct aws_ctx *ctx, json_t *request,
                           struct fault *f)
{
    return aws_call(c, &create_file_system, ctx, request, NULL, f);
}

int efs_delete_file_system(struct aws_client *c, const struct aws_ctx *ctx, const char *id,
                           struct fault *f)
{
    return delete_one(c, &delete_file_system, ctx, "FileSystemId", id, f);
}

int efs_put_lifecycle(struct aws_client *c, const struct aws_ctx *ctx, const char *id,
                      json_t *policies, struct fault *f)
{
    return put_setting(c, &put_lifecycle, ctx, id, "LifecyclePolicies", json_incref(policies), f);
}

int efs_put_backup(struct aws_client *c, const struct aws_ctx *ctx, const char *id,
                   const char *status, struct fault *f)
{
    return put_setting(c, &put_backup, ctx, id, "BackupPolicy",
                       json_pack("{s:s}", "Status", status), f);
}

int efs_put_policy(struct aws_client *c, const struct aws_ctx *ctx, const char *id,
                   const char *policy, struct fault *f)
{
    return put_setting(c, &put_policy, ctx, id, "Policy", json_string(policy), f);
}

int efs_describe_mount_targets(struct aws_client *c, const struct aws_ctx *ctx,
                               const char *file_system, json_t **ret, struct fault *f)
{
    static const struct aws_paging paging = {"Marker", "NextMarker", "MountTargets", NULL};
    _cleanup_json_ json_t *request = json_pack("{s:s}", "FileSystemId", file_system);

    if (!request)
        return aws_no_memory(f);
    return aws_pages(c, &describe_mount_targets, ctx, request, &paging, ret, f);
}

int efs_create_mount_target(struct aws_client *c, const struct aws_ctx *ctx, json_t *request,
                            struct fault *f)
{
    return aws_call(c, &create_mount_target, ctx, request, NULL, f);
}

int efs_delete_mount_target(struct aws_client *c, const struct aws_ctx *ctx, const char *id,
                            struct fault *f)
{
    return delete_one(c, &delete_mount_target, ctx, "MountTargetId", id, f);
}

int efs_describe_access_points(struct aws_client *c, const struct aws_ctx *ctx,
                               const char *file_system, const char *id, json_t **ret,
                               struct fault *f)
{
    static const struct aws_paging paging = {"NextToken", "NextToken", "AccessPoints", NULL};
    _cleanup_json_ json_t *request =
        aws_strings(id ? "AccessPointId" : "FileSystemId", id ? id : file_system, NULL);

    if (!request)
        return aws_no_memory(f);
    return aws_pages(c, &describe_access_points, ctx, request, &paging, ret, f);
}

int efs_create_access_point(struct aws_client *c, const struct aws_ctx *ctx, json_t *request,
                            char **ret_id, struct fault *f)
{
    _cleanup_json_ json_t *answer = NULL;

    int r = aws_call(c, &create_access_point, ctx, request, &answer, f);
    if (r < 0)
        return r;
    const char *id = json_string_value(json_object_get(answer, "AccessPointId"));
    if (!id)
        return fault_set(f, -EPROTO, "the answer to CreateAccessPoint holds no AccessPointId");
    *ret_id = strdup(id);
    return *ret_id ? 0 : aws_no_memory(f);
}

int efs_delete_access_point(struct aws_client *c, const struct aws_ctx *ctx, const char *id,
                            struct fault *f)
{
    return delete_one(c, &delete_access_point, ctx, "AccessPointId", id, f);
}

int efs_tag(struct aws_client *c, const struct aws_ctx *ctx, const char *id, json_t *tags,
            struct fault *f)
{
    _cleanup_json_ json_t *request = json_pack("{s:s, s:O}", "ResourceId", id, "Tags", tags);

    if (!request)
        return aws_no_memory(f);
    return aws_call(c, &tag, ctx, request, NULL, f);
}

int efs_untag(struct aws_client *c, const struct aws_ctx *ctx, const char *id, json_t *keys,
              struct fault *f)
{
    _cleanup_json_ json_t *request = json_pack("{s:s, s:O}", "ResourceId", id, "tagKeys", keys);

    if (!request)
        return aws_no_memory(f);
    return aws_call(c, &untag, ctx, request, NULL, f);
}

int efs_list_tags(struct aws_client *c, const struct aws_ctx *ctx, const char *id, json_t **ret,
                  struct fault *f)
{
    static const struct aws_paging paging = {"NextToken", "NextToken", "Tags", NULL};
    _cleanup_json_ json_t *request = json_pack("{s:s}", "ResourceId", id), *list = NULL;

    if (!request)
        return aws_no_memory(f);
    int r = aws_pages(c, &list_tags, ctx, request, &paging, &list, f);
    return r < 0 ? r : aws_tags_object(list, &list_tags, ret, f);
}
