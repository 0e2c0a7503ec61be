/*
 * Elastic File System. ctx as in client.h; f may be NULL; errors: tree.md's table. Descriptions and
 * requests are the API's own objects ("FileSystemId"). All pages are read. Deletes: -ENOENT where
 * it is gone, -EBUSY while something hangs on it.
 */
#pragma once

#include "awsapi/client.h"

/* *ret: array, of one or none. */
int efs_describe_file_systems(struct aws_client *c, const struct aws_ctx *ctx,
                              const char *creation_token, json_t **ret, struct fault *f);
int efs_create_file_system(struct aws_client *c, const struct aws_ctx *ctx, json_t *request,
                           struct fault *f);
int efs_delete_file_system(struct aws_client *c, const struct aws_ctx *ctx, const char *id,
                           struct fault *f);
/* Settings; each may be put again. */
int efs_put_lifecycle(struct aws_client *c, const struct aws_ctx *ctx, const char *id,
                      json_t *policies, struct fault *f);
int efs_put_backup(struct aws_client *c, const struct aws_ctx *ctx, const char *id,
                   const char *status, struct fault *f);
/* policy: the JSON text. */
int efs_put_policy(struct aws_client *c, const struct aws_ctx *ctx, const char *id,
                   const char *policy, struct fault *f);

/* *ret: array; -ENOENT where the file system is not there. */
int efs_describe_mount_targets(struct aws_client *c, const struct aws_ctx *ctx,
                               const char *file_system, json_t **ret, struct fault *f);
int efs_create_mount_target(struct aws_client *c, const struct aws_ctx *ctx, json_t *request,
                            struct fault *f);
int efs_delete_mount_target(struct aws_client *c, const struct aws_ctx *ctx, const char *id,
                            struct fault *f);

/* By one of file_system and id. *ret: array. -ENOENT where file system or access point is not
 * there. */
int efs_describe_access_points(struct aws_client *c, const struct aws_ctx *ctx,
                               const char *file_system, const char *id, json_t **ret,
                               struct fault *f);
/* *ret_id malloc'ed: of the new one. -EEXIST: the token was used. */
int efs_create_access_point(struct aws_client *c, const struct aws_ctx *ctx, json_t *request,
                            char **ret_id, struct fault *f);
int efs_delete_access_point(struct aws_client *c, const struct aws_ctx *ctx, const char *id,
                            struct fault *f);

/* *ret: object of strings. */
int efs_list_tags(struct aws_client *c, const struct aws_ctx *ctx, const char *id, json_t **ret,
                  struct fault *f);
/* tags: list of {"Key", "Value"}. */
int efs_tag(struct aws_client *c, const struct aws_ctx *ctx, const char *id, json_t *tags,
            struct fault *f);
/* keys: list of strings. */
int efs_untag(struct aws_client *c, const struct aws_ctx *ctx, const char *id, json_t *keys,
              struct fault *f);
