/*
 * Elastic Container Service: task definitions and services. ctx as in client.h; f may be NULL;
 * errors: tree.md's table. Descriptions and requests are the API's own objects ("serviceArn"; tags
 * are {"key", "value"}). All pages are read.
 */
#pragma once

#include "awsapi/client.h"

/* *ret: array of the ARNs of the family's ACTIVE revisions, newest first; of exactly this family.
 */
int ecs_list_task_definitions(struct aws_client *c, const struct aws_ctx *ctx, const char *family,
                              json_t **ret, struct fault *f);
/* id: ARN, FAMILY or FAMILY:REVISION. *ret: {"taskDefinition": …, "tags": […]}; -ENOENT. */
int ecs_describe_task_definition(struct aws_client *c, const struct aws_ctx *ctx, const char *id,
                                 json_t **ret, struct fault *f);
/* Each sending makes a revision. *ret_arn malloc'ed. */
int ecs_register_task_definition(struct aws_client *c, const struct aws_ctx *ctx, json_t *request,
                                 char **ret_arn, struct fault *f);
int ecs_deregister_task_definition(struct aws_client *c, const struct aws_ctx *ctx, const char *arn,
                                   struct fault *f);
/* arns: array of deregistered ones; ten a call are sent. What AWS names as failed: -EBUSY. */
int ecs_delete_task_definitions(struct aws_client *c, const struct aws_ctx *ctx, json_t *arns,
                                struct fault *f);

/* *ret: the service, whatever its status, with its tags; -ENOENT: MISSING, or no such cluster. */
int ecs_describe_service(struct aws_client *c, const struct aws_ctx *ctx, const char *cluster,
                         const char *name, json_t **ret, struct fault *f);
/* -EEXIST: there is one of that name that does not match. */
int ecs_create_service(struct aws_client *c, const struct aws_ctx *ctx, json_t *request,
                       struct fault *f);
int ecs_set_desired_count(struct aws_client *c, const struct aws_ctx *ctx, const char *cluster,
                          const char *name, int count, struct fault *f);
/* With its tasks (force). */
int ecs_delete_service(struct aws_client *c, const struct aws_ctx *ctx, const char *cluster,
                       const char *name, struct fault *f);
/* *ret: array of at most 10 of the service's tasks that have stopped, as DescribeTasks gives them.
 */
int ecs_stopped_tasks(struct aws_client *c, const struct aws_ctx *ctx, const char *cluster,
                      const char *service, json_t **ret, struct fault *f);

/* *ret: object of strings. */
int ecs_list_tags(struct aws_client *c, const struct aws_ctx *ctx, const char *arn, json_t **ret,
                  struct fault *f);
/* tags: list of {"key", "value"}; keys: list of strings. */
int ecs_tag(struct aws_client *c, const struct aws_ctx *ctx, const char *arn, json_t *tags,
            struct fault *f);
int ecs_untag(struct aws_client *c, const struct aws_ctx *ctx, const char *arn, json_t *keys,
              struct fault *f);
