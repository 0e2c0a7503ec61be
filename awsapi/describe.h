/*
 * Descriptions of resources: one row a type says by which call, how the ids are put in, how many
 * one call takes, and where in the answer the items are. What comes out has the names that `aws`
 * shows, and nothing secret in it.
 */
#pragma once

#include "awsapi/client.h"
#include "awsapi/page.h"

/* How ids go into the request. */
enum describe_put {
    DESCRIBE_FILTER,     /* EC2's: what is not there is left out of the answer */
    DESCRIBE_RDS_FILTER, /* the same of RDS */
    DESCRIBE_LIST,       /* a list: one that is not there may fail the call */
    DESCRIBE_OF_CLUSTER, /* a list of ARNs, all of one ECS cluster */
    DESCRIBE_PARAMETERS, /* SSM's filter by name */
    DESCRIBE_ONE,
    DESCRIBE_ONE_OR_ALL, /* one, or else none: then all that the account has come, in pages */
    DESCRIBE_CLOUDCONTROL,
};

/* What of a key (an ARN, or "SERVICE/TYPE/ID") is the id. */
enum describe_id {
    DESCRIBE_ID_ARN,  /* all of it; there is none without an ARN */
    DESCRIBE_ID_NAME, /* what stands behind the type */
    DESCRIBE_ID_LAST, /* the same, behind its last slash or colon */
    DESCRIBE_ID_QUEUE /* SQS: the URL made of it */
};

/* What only a second call tells, one for each item: the ids of things that belong to it. */
struct describe_more {
    struct aws_action action; /* takes the item's id as the row's own call does */
    struct aws_paging paging;
    const char *named;  /* the member that is an id */
    const char *shown;  /* as this member of the description, in order */
    const char *number; /* the member that tells how many there are; of none nothing is asked */
};

struct describe_row {
    const char *service, *type; /* of the path below resources/ */
    unsigned slashes; /* only keys with so many at least: a classic load balancer has fewer */
    struct aws_action action;
    enum describe_put put;
    const char *in; /* name of the member, or of the filter, that takes the ids; of Cloud Control:
                       the TypeName */
    enum describe_id id;
    unsigned batch;           /* ids in a call; with ONE_OR_ALL: items on a page */
    struct aws_paging paging; /* list NULL: the answer itself is the item */
    const char *inner;        /* a list in each item of the list that holds what is looked for */
    const char *named;        /* the member of an item that is its id */
    const char *gone;         /* error code that says, too, that there is none */
    bool fixed;               /* what is described never changes */
    const struct describe_more *more; /* or NULL */
};

/* NULL: nothing describes it. */
const struct describe_row *aws_describe_row(const char *service, const char *type, const char *key);
/* Whether one call can describe both. */
bool aws_describe_together(const struct describe_row *row, const char *key, const char *other);

/* properties: an object, lent; or NULL, and why (-ENOENT: it is gone). */
typedef void (*aws_described_fn)(void *arg, size_t i, json_t *properties, const struct fault *f);
/*
 * Describes n things of one row, row->batch of them at most (with ONE_OR_ALL: any number), all
 * together; calls fn for each of them once. One that is gone, or that AWS refuses as malformed,
 * does not hide the others: then there are more calls. Where whole and row->more, one call for each
 * comes after, and fn before the next of them. Blocks; any thread.
 */
void aws_describe(struct aws_client *c, const struct aws_ctx *ctx, const struct describe_row *row,
                  const char *const *keys, size_t n, bool whole, aws_described_fn fn, void *arg);
