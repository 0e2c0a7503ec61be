/*
 * The one table that maps AWS's error codes to errno. Order of judgement: the table, by the exact
 * code; then the shape of the code, since AWS's services agree on a few endings (…NotFound,
 * …AlreadyExists, …InUse, …LimitExceeded) and new codes follow them; then the HTTP status. A code
 * that only looks like one of the endings and means something else stands in the table.
 *
 * LimitExceededException is on the SDKs' list of throttling codes, but for ECS and Secrets Manager
 * it is a quota: never retried here.
 *
 * Texts of refused signatures hold the canonical request and in it the session token, and a
 * validation text of Secrets Manager may repeat the value: both are cut.
 */
#include "awsapi/errors.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "awsapi/xml.h"
#include "base/str.h"

struct row {
    const char *code;
    struct error_class class;
};

#define THROTTLED(code)                                                                            \
    {                                                                                              \
        code,                                                                                      \
        {                                                                                          \
            -EAGAIN, ERROR_THROTTLED                                                               \
        }                                                                                          \
    }
#define TRANSIENT(code)                                                                            \
    {                                                                                              \
        code,                                                                                      \
        {                                                                                          \
            -EREMOTEIO, ERROR_TRANSIENT                                                            \
        }                                                                                          \
    }
#define SKEW(code, e)                                                                              \
    {                                                                                              \
        code,                                                                                      \
        {                                                                                          \
            -(e), ERROR_CLOCK_SKEW                                                                 \
        }                                                                                          \
    }
#define FINAL(code, e)                                                                             \
    {                                                                                              \
        code,                                                                                      \
        {                                                                                          \
            -(e), ERROR_FINAL                                                                      \
        }                                                                                          \
    }

static const struct row table[] = {
    THROTTLED("Throttling"),
    THROTTLED("ThrottlingException"),
    THROTTLED("ThrottledException"),
    THROTTLED("RequestThrottled"),
    THROTTLED("RequestThrottledException"),
    THROTTLED("RequestLimitExceeded"),
    THROTTLED("TooManyRequests"),
    THROTTLED("TooManyRequestsException"),
    THROTTLED("ProvisionedThroughputExceededException"),
    THROTTLED("TransactionInProgressException"),
    THROTTLED("BandwidthLimitExceeded"),
    THROTTLED("SlowDown"),
    THROTTLED("EC2ThrottledException"),
    THROTTLED("PriorRequestNotComplete"),
    THROTTLED("TooManyUpdates"), /* SSM: several writers of one parameter at once */

    TRANSIENT("InternalError"),
    TRANSIENT("InternalFailure"),
    TRANSIENT("InternalServerError"),
    TRANSIENT("InternalServerErrorException"),
    TRANSIENT("InternalServiceError"),
    TRANSIENT("InternalServiceException"),
    TRANSIENT("ServerException"),
    TRANSIENT("ServiceUnavailable"),
    TRANSIENT("ServiceUnavailableException"),
    TRANSIENT("Unavailable"),
    TRANSIENT("RequestTimeout"),
    TRANSIENT("RequestTimeoutException"),
    TRANSIENT("IDPCommunicationError"),
    TRANSIENT("DependencyTimeout"),

    SKEW("AuthFailure", EKEYREJECTED),
    SKEW("InvalidSignatureException", EKEYREJECTED),
    SKEW("SignatureDoesNotMatch", EKEYREJECTED),
    SKEW("RequestInTheFuture", EKEYREJECTED),
    SKEW("RequestTimeTooSkewed", EKEYREJECTED),
    SKEW("RequestExpired", EKEYEXPIRED), /* EC2 says this of an expired token, too */

    FINAL("ExpiredToken", EKEYEXPIRED),
    FINAL("ExpiredTokenException", EKEYEXPIRED),
    FINAL("TokenRefreshRequired", EKEYEXPIRED),
    FINAL("InvalidClientTokenId", EKEYREJECTED),
    FINAL("UnrecognizedClientException", EKEYREJECTED),
    FINAL("UnrecognizedClient", EKEYREJECTED),
    FINAL("InvalidSignature", EKEYREJECTED),
    FINAL("IncompleteSignature", EKEYREJECTED),
    FINAL("IncompleteSignatureException", EKEYREJECTED),
    FINAL("InvalidAccessKeyId", EKEYREJECTED),
    FINAL("InvalidToken", EKEYREJECTED),
    FINAL("MissingAuthenticationToken", EKEYREJECTED),
    FINAL("MissingAuthenticationTokenException", EKEYREJECTED),
    FINAL("NotAuthorized", EACCES),

    FINAL("AccessDenied", EACCES),
    FINAL("AccessDeniedException", EACCES),
    FINAL("UnauthorizedOperation", EACCES),
    FINAL("UnauthorizedException", EACCES),
    FINAL("UnauthorizedAccess", EACCES),
    FINAL("AuthorizationError", EACCES),
    FINAL("ForbiddenException", EACCES),
    FINAL("OptInRequired", EACCES),
    FINAL("SubscriptionRequiredException", EACCES),
    FINAL("RegionDisabledException", EACCES),
    FINAL("OperationNotPermitted", EACCES),
    FINAL("EncryptionFailure", EACCES),
    FINAL("DecryptionFailure", EACCES),
    FINAL("KMSKeyNotAccessibleFault", EACCES),
    FINAL("IamRoleMissingPermissions", EACCES),
    FINAL("BlockedException", EACCES),

    FINAL("LimitExceeded", EDQUOT),
    FINAL("LimitExceededException", EDQUOT),
    FINAL("NoFreeAddressesInSubnet", EDQUOT),
    FINAL("InsufficientFreeAddressesInSubnet", EDQUOT),
    FINAL("TargetGroupAssociationLimit", EDQUOT),
    FINAL("ResourceCountExceeded", EDQUOT),
    FINAL("TooManyTagsError", EDQUOT),

    FINAL("ParameterNotFound", ENOENT),
    FINAL("ResourceNotFoundException", ENOENT),
    FINAL("NotFoundException", ENOENT),
    FINAL("ServiceNotActiveException", ENOENT),
    FINAL("InvalidResourceId", ENOENT), /* SSM's tag calls: no such parameter */
    FINAL("ClusterNotFoundException", ENOENT),
    FINAL("DBInstanceNotFound", ENOENT),

    FINAL("ParameterAlreadyExists", EEXIST),
    FINAL("ResourceExistsException", EEXIST),
    FINAL("InvalidGroup.Duplicate", EEXIST),
    FINAL("InvalidPermission.Duplicate", EEXIST),
    FINAL("MountTargetConflict", EEXIST),
    FINAL("DuplicateTargetGroupName", EEXIST),
    FINAL("DuplicateTagKeys", EINVAL),

    FINAL("DependencyViolation", EBUSY),
    FINAL("ResourceInUse", EBUSY),
    FINAL("ResourceInUseException", EBUSY),
    FINAL("PriorityInUse", EBUSY),
    FINAL("FileSystemInUse", EBUSY),
    FINAL("IncorrectMountTargetState", EBUSY),
    FINAL("IncorrectFileSystemLifeCycleState", EBUSY),
    FINAL("ConflictException", EBUSY),
    FINAL("ConcurrentModificationException", EBUSY),
    FINAL("UpdateInProgressException", EBUSY),
    FINAL("IpAddressInUse", EBUSY),
    FINAL("DBInstanceNotReady", EBUSY),

    FINAL("ValidationException", EINVAL),
    FINAL("ValidationError", EINVAL),
    FINAL("InvalidParameterException", EINVAL),
    FINAL("InvalidParameterValue", EINVAL),
    FINAL("InvalidRequestException", EINVAL),
    FINAL("BadRequest", EINVAL),
    FINAL("BadRequestException", EINVAL),
    FINAL("ClientException", EINVAL),
};

/* What AWS's services agree on; the first that fits. */
static const struct {
    const char *text;
    enum { PREFIX, SUFFIX, PART } where;
    int err;
} shapes[] = {
    {"NotFound", SUFFIX, ENOENT},
    {"NotFoundException", SUFFIX, ENOENT},
    {"NotFoundFault", SUFFIX, ENOENT},
    {"DoesNotExist", SUFFIX, ENOENT},
    {"DoesNotExistException", SUFFIX, ENOENT},
    {"AlreadyExists", PART, EEXIST},
    {"AlreadyExist", SUFFIX, EEXIST},
    {".Duplicate", SUFFIX, EEXIST},
    {"Duplicate", PREFIX, EEXIST},
    {"InUse", SUFFIX, EBUSY},
    {"InUseException", SUFFIX, EBUSY},
    {"LimitExceeded", PART, EDQUOT},
    {"QuotaExceeded", PART, EDQUOT},
    {"TooMany", PREFIX, EDQUOT},
    {"AccessDenied", PREFIX, EACCES},
    {"Unauthorized", PREFIX, EACCES},
    {"ExpiredToken", PREFIX, EKEYEXPIRED},
    {"Validation", PREFIX, EINVAL},
    {"Invalid", PREFIX, EINVAL},
};

static struct error_class classify_status(int status)
{
    switch (status) {
    case 401:
    case 403:
        return (struct error_class){-EACCES, ERROR_FINAL};
    case 404:
        return (struct error_class){-ENOENT, ERROR_FINAL};
    case 408:
        return (struct error_class){-EREMOTEIO, ERROR_TRANSIENT};
    case 409:
        return (struct error_class){-EBUSY, ERROR_FINAL};
    case 429:
        return (struct error_class){-EAGAIN, ERROR_THROTTLED};
    case 500:
    case 502:
    case 503:
    case 504:
        return (struct error_class){-EREMOTEIO, ERROR_TRANSIENT};
    default:
        if (status >= 500)
            return (struct error_class){-EREMOTEIO, ERROR_FINAL};
        return (struct error_class){status >= 400 ? -EINVAL : -EPROTO, ERROR_FINAL};
    }
}

static bool shape_fits(size_t i, const char *code)
{
    switch (shapes[i].where) {
    case PREFIX:
        return str_starts(code, shapes[i].text);
    case SUFFIX:
        return str_ends(code, shapes[i].text);
    default:
        return strstr(code, shapes[i].text) != NULL;
    }
}

struct error_class error_classify(_unused_ enum aws_service s, const char *code, int http_status)
{
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (streq(code, table[i].code))
            return table[i].class;
    }
    if (http_status == 429 || http_status >= 500)
        return classify_status(http_status);
    for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
        if (shape_fits(i, code))
            return (struct error_class){-shapes[i].err, ERROR_FINAL};
    }
    /* "404" without a code is a wrong endpoint or a proxy's page, not an absent resource: taking it
     * for one would let a teardown believe that something is gone. */
    if (code[0] == '\0' && http_status == 404)
        return (struct error_class){-EPROTO, ERROR_FINAL};
    return classify_status(http_status);
}

/* "com.amazonaws.ssm#ParameterNotFound", "ValidationException:http://…" → the name alone. */
static void set_code(struct fault *f, const char *raw)
{
    const char *hash = strchr(raw, '#');
    size_t len;

    if (hash != NULL)
        raw = hash + 1;
    len = MIN(strcspn(raw, ": \t\r\n"), sizeof(f->code) - 1);
    memcpy(f->code, raw, len);
    f->code[len] = '\0';
}

static const char *member(json_t *o, const char *a, const char *b)
{
    const char *s = json_string_value(json_object_get(o, a));

    return s != NULL ? s : json_string_value(json_object_get(o, b));
}

struct parsed {
    const char *code, *message, *request_id; /* of body; NULL: not there */
    json_t *body;
};

static void parse_json(const struct http_response *r, struct parsed *p)
{
    p->body = json_loadb(buf_str(&r->body), r->body.len, 0, NULL);
    p->code = member(p->body, "__type", "code");
    if (p->code == NULL)
        p->code = member(p->body, "Code", "ErrorCode");
    p->message = member(p->body, "message", "Message");
}

/* query: ErrorResponse/Error; ec2: Response/Errors/Error; some front ends: Error. */
static void parse_xml(const struct http_response *r, struct parsed *p)
{
    json_t *root, *error;

    if (xml_to_json(buf_str(&r->body), r->body.len, &p->body) < 0)
        return;
    root = json_object_iter_value(json_object_iter(p->body));
    error = json_object_get(json_object_get(root, "Errors"), "Error");
    if (json_is_array(error))
        error = json_array_get(error, 0);
    if (error == NULL)
        error = json_object_get(root, "Error");
    if (error == NULL && json_object_get(p->body, "Error") != NULL)
        error = root;
    p->code = member(error, "Code", "code");
    p->message = member(error, "Message", "message");
    p->request_id = member(root, "RequestId", "RequestID");
    if (p->request_id == NULL)
        p->request_id = member(root, "requestId", "RequestID");
}

static void set_request_id(const struct http_response *r, const struct parsed *p, struct fault *f)
{
    static const char *const names[] = {"x-amzn-requestid", "x-amz-request-id", "x-amz-requestid"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        _cleanup_free_ char *value = http_response_header(r, names[i]);

        if (value != NULL) {
            (void)snprintf(f->request_id, sizeof(f->request_id), "%s", value);
            return;
        }
    }
    (void)snprintf(f->request_id, sizeof(f->request_id), "%s",
                   p->request_id != NULL ? p->request_id : "");
}

static void set_message(enum aws_service s, const struct http_response *r, const char *message,
                        struct fault *f)
{
    struct fault text = FAULT_INIT;
    int err = error_classify(s, f->code, r->status).err;

    if (message == NULL || message[0] == '\0') {
        (void)fault_set(&text, err, "HTTP status %d without a text", r->status);
    } else if (s == AWS_SECRETSMANAGER && strstr(f->code, "Validation") != NULL) {
        (void)fault_set(&text, err, "a parameter of the call was refused as invalid");
    } else {
        size_t len = strlen(message);

        if (err == -EKEYREJECTED || err == -EKEYEXPIRED) {
            const char *cut = strstr(message, "anonical");

            len = cut != NULL ? strcspn(message, "\n.") : strcspn(message, "\n");
        }
        (void)fault_set(&text, err, "%.*s", (int)MIN(len, (size_t)4096), message);
    }
    memcpy(f->message, text.message, sizeof(f->message));
}

void error_parse(enum aws_service s, const struct http_response *r, struct fault *f)
{
    _cleanup_free_ char *type = http_response_header(r, "x-amzn-errortype");
    const char *body = buf_str(&r->body);
    struct parsed p = {0};

    if (body[strspn(body, " \t\r\n")] == '<')
        parse_xml(r, &p);
    else
        parse_json(r, &p);
    f->http_status = r->status;
    f->code[0] = '\0';
    if (type != NULL)
        set_code(f, type);
    else if (p.code != NULL)
        set_code(f, p.code);
    set_request_id(r, &p, f);
    set_message(s, r, p.message, f);
    json_decref(p.body);
}
