#include "awsapi/tags.h"

#include <errno.h>

#include "awsapi/ec2.h"
#include "awsapi/ecs.h"
#include "awsapi/efs.h"
#include "awsapi/elbv2.h"
#include "awsapi/page.h"
#include "awsapi/rds.h"
#include "awsapi/resource_groups.h"
#include "awsapi/secretsmanager.h"
#include "awsapi/ssm.h"
#include "base/str.h"

typedef int (*read_fn)(struct aws_client *c, const struct aws_ctx *ctx, const char *id,
                       json_t **ret, struct fault *f);
typedef int (*write_fn)(struct aws_client *c, const struct aws_ctx *ctx, const char *id,
                        json_t *what, struct fault *f);

/* How the service names the resource, and how it takes tags. */
enum id_form { ID_ARN, ID_LAST, ID_PARAMETER };
enum tag_form { FORM_OBJECT, FORM_UPPER, FORM_LOWER };

struct row {
    const char *service; /* as the ARN has it */
    enum id_form id;
    enum tag_form form;
    read_fn read;
    write_fn add, remove;
};

static int read_balancer(struct aws_client *c, const struct aws_ctx *ctx, const char *arn,
                         json_t **ret, struct fault *f)
{
    static const struct aws_action action = {.service = AWS_ELBV2, .name = "DescribeTags"};
    _cleanup_json_ json_t *list = NULL;
    int r = elbv2_describe_tags(c, ctx, arn, &list, f);

    return r < 0 ? r : aws_tags_object(list, &action, ret, f);
}

static int read_secret(struct aws_client *c, const struct aws_ctx *ctx, const char *arn,
                       json_t **ret, struct fault *f)
{
    static const struct aws_action action = {.service = AWS_SECRETSMANAGER,
                                             .name = "DescribeSecret"};
    _cleanup_json_ json_t *description = NULL;
    int r = secretsmanager_describe(c, ctx, arn, &description, f);

    return r < 0 ? r : aws_tags_object(json_object_get(description, "Tags"), &action, ret, f);
}

static int add_parameter(struct aws_client *c, const struct aws_ctx *ctx, const char *name,
                         json_t *tags, struct fault *f)
{
    struct ssm_tag *list _cleanup_free_ = calloc(json_object_size(tags) + 1, sizeof(*list));
    size_t n = 0;
    const char *key;
    json_t *value;

    if (!list)
        return aws_no_memory(f);
    json_object_foreach(tags, key, value) list[n++] =
        (struct ssm_tag){key, json_string_value(value)};
    return ssm_add_tags(c, ctx, name, list, n, f);
}

static const struct row rows[] = {
    {"ec2", ID_LAST, FORM_UPPER, ec2_describe_tags, ec2_create_tags, ec2_delete_tags},
    {"elasticloadbalancing", ID_ARN, FORM_UPPER, read_balancer, elbv2_add_tags, elbv2_remove_tags},
    {"ssm", ID_PARAMETER, FORM_OBJECT, ssm_list_tags, add_parameter, ssm_remove_tags},
    {"ecs", ID_ARN, FORM_LOWER, ecs_list_tags, ecs_tag, ecs_untag},
    {"elasticfilesystem", ID_LAST, FORM_UPPER, efs_list_tags, efs_tag, efs_untag},
    {"secretsmanager", ID_ARN, FORM_UPPER, read_secret, secretsmanager_tag, secretsmanager_untag},
    {"rds", ID_ARN, FORM_UPPER, rds_list_tags, rds_add_tags, rds_remove_tags},
    {"resource-groups", ID_ARN, FORM_OBJECT, groups_get_tags, groups_tag, groups_untag},
};

/* The part behind n colons, or NULL. */
static const char *part(const char *arn, int n)
{
    for (; arn && n > 0; n--) {
        arn = strchr(arn, ':');
        arn += arn != NULL;
    }
    return arn;
}

static const struct row *row_of(const char *arn)
{
    const char *service = part(arn, 2);
    size_t n = service ? strcspn(service, ":") : 0;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (strlen(rows[i].service) != n || strncmp(rows[i].service, service, n) != 0)
            continue;
        if (rows[i].id == ID_PARAMETER && !str_starts(part(arn, 5), "parameter/"))
            return NULL;
        return &rows[i];
    }
    return NULL;
}

bool tags_known(const char *arn)
{
    return row_of(arn) != NULL;
}

/* A parameter's ARN has one slash before its name, whether that begins with one or not: it does
 * where it has further ones. malloc'ed. */
static char *id_of(const struct row *row, const char *arn)
{
    const char *last = strrchr(arn, '/'), *resource = part(arn, 5);

    switch (row->id) {
    case ID_LAST:
        return strdup(last ? last + 1 : arn);
    case ID_PARAMETER:
        resource += strlen("parameter");
        return strdup(strchr(resource + 1, '/') ? resource : resource + 1);
    default:
        return strdup(arn);
    }
}

static json_t *list_of(json_t *tags, bool upper)
{
    json_t *list = json_array(), *value;
    const char *key;

    json_object_foreach(
        tags, key,
        value) if (json_array_append_new(list, json_pack("{s:s, s:O}", upper ? "Key" : "key", key,
                                                         upper ? "Value" : "value", value)) < 0)
    {
        json_decref(list);
        return NULL;
    }
    return list;
}

/* Who is asked, and as what: *ret_id is malloc'ed. */
static int locate(const char *arn, const struct row **ret, char **ret_id, struct fault *f)
{
    const struct row *row = row_of(arn);
    char *id = row ? id_of(row, arn) : NULL;

    if (!row)
        return fault_set(f, -EOPNOTSUPP, "svcfs knows no tag call of the service of %s", arn);
    if (!id)
        return aws_no_memory(f);
    *ret = row;
    *ret_id = id;
    return 0;
}

int tags_read(struct aws_client *c, const struct aws_ctx *ctx, const char *arn, json_t **ret,
              struct fault *f)
{
    char *id _cleanup_free_ = NULL;
    const struct row *row;
    int r = locate(arn, &row, &id, f);

    return r < 0 ? r : row->read(c, ctx, id, ret, f);
}

int tags_add(struct aws_client *c, const struct aws_ctx *ctx, const char *arn, json_t *tags,
             struct fault *f)
{
    char *id _cleanup_free_ = NULL;
    const struct row *row;
    int r = locate(arn, &row, &id, f);

    if (r < 0)
        return r;
    _cleanup_json_ json_t *what =
        row->form == FORM_OBJECT ? json_incref(tags) : list_of(tags, row->form == FORM_UPPER);
    return what ? row->add(c, ctx, id, what, f) : aws_no_memory(f);
}

int tags_remove(struct aws_client *c, const struct aws_ctx *ctx, const char *arn, json_t *keys,
                struct fault *f)
{
    char *id _cleanup_free_ = NULL;
    const struct row *row;
    int r = locate(arn, &row, &id, f);

    return r < 0 ? r : row->remove(c, ctx, id, keys, f);
}
