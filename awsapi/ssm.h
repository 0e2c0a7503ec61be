/* SSM Parameter Store. ctx as in client.h; f may be NULL; errors: tree.md's table. */
#pragma once

#include "awsapi/client.h"

struct ssm_parameter {
    char *name;
    char *value;
};
struct ssm_parameters {
    struct ssm_parameter *items;
    size_t n;
};
void ssm_parameters_done(struct ssm_parameters *p);
#define _cleanup_ssm_ _cleanup_(ssm_parameters_done)

struct ssm_tag {
    const char *key, *value;
};

/* Type String, standard tier. Overwrite=false: -EEXIST where it is there. tags only without
 * overwrite (n_tags 0 otherwise). */
int ssm_put_parameter(struct aws_client *c, const struct aws_ctx *ctx, const char *name,
                      const char *value, bool overwrite, const struct ssm_tag *tags, size_t n_tags,
                      struct fault *f);
/* *ret malloc'ed; -ENOENT where there is none. */
int ssm_get_parameter(struct aws_client *c, const struct aws_ctx *ctx, const char *name, char **ret,
                      struct fault *f);
/* All below path, recursively, all pages; a chain that breaks is an error, never a short list. */
int ssm_get_parameters_by_path(struct aws_client *c, const struct aws_ctx *ctx, const char *path,
                               struct ssm_parameters *ret, struct fault *f);
/* One page of the same: of *token (NULL: the first), which is replaced by the next one's
 * (malloc'ed; NULL: that was the last). */
int ssm_get_parameters_page(struct aws_client *c, const struct aws_ctx *ctx, const char *path,
                            char **token, struct ssm_parameters *ret, struct fault *f);
/* names: at most 10 a call are sent, as many calls as needed; those not found are left out of *ret.
 */
int ssm_get_parameters(struct aws_client *c, const struct aws_ctx *ctx, const char *const *names,
                       size_t n, struct ssm_parameters *ret, struct fault *f);
/* -ENOENT where there is none. */
int ssm_delete_parameter(struct aws_client *c, const struct aws_ctx *ctx, const char *name,
                         struct fault *f);
/* *ret: object of strings. -ENOENT where there is no such parameter. */
int ssm_list_tags(struct aws_client *c, const struct aws_ctx *ctx, const char *name, json_t **ret,
                  struct fault *f);
/* keys: list of strings. */
int ssm_remove_tags(struct aws_client *c, const struct aws_ctx *ctx, const char *name, json_t *keys,
                    struct fault *f);
int ssm_add_tags(struct aws_client *c, const struct aws_ctx *ctx, const char *name,
                 const struct ssm_tag *tags, size_t n_tags, struct fault *f);
