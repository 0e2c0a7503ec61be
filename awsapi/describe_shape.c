/*
 * Items of answers as `aws` shows them. XML has neither numbers nor empty lists, and EC2's names
 * are not those of its documents; which members are what is said here, after AWS's models, for what
 * the table describes. JSON's times are seconds.
 *
 *     <groupSet><item><groupId>sg-1</groupId></item></groupSet>   →   "Groups": [{"GroupId":
 * "sg-1"}]
 */
#include "awsapi/describe_private.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "awsapi/xml.h"
#include "base/clock.h"
#include "base/str.h"

/* EC2: a name on the wire as a name that is shown, where it is not the same with a capital. type
 * and parent, where they are given, say of what and below what; the first that fits. */
static const struct {
    const char *type, *parent, *wire, *shown; /* parent "": at the top */
} renamed[] = {
    {"instance", "", "groupSet", "SecurityGroups"},
    {"instance", "", "dnsName", "PublicDnsName"},
    {"instance", "", "ipAddress", "PublicIpAddress"},
    {"instance", "", "reason", "StateTransitionReason"},
    {"instance", "", "instanceState", "State"},
    {"instance", "", "blockDeviceMapping", "BlockDeviceMappings"},
    {"security-group", "", "groupDescription", "Description"},
    {"security-group", NULL, "groups", "UserIdGroupPairs"},
    {"volume", NULL, "status", "State"},
    {NULL, "productCodes", "productCode", "ProductCodeId"},
    {NULL, "productCodes", "type", "ProductCodeType"},
    {NULL, NULL, "associatedSubnetSet", "AssociatedSubnets"},
    {NULL, NULL, "attachmentSet", "Attachments"},
    {NULL, NULL, "elasticGpuAssociationSet", "ElasticGpuAssociations"},
    {NULL, NULL, "elasticInferenceAcceleratorAssociationSet",
     "ElasticInferenceAcceleratorAssociations"},
    {NULL, NULL, "groupSet", "Groups"},
    {NULL, NULL, "ipv4PrefixSet", "Ipv4Prefixes"},
    {NULL, NULL, "ipv6AddressesSet", "Ipv6Addresses"},
    {NULL, NULL, "ipv6PrefixSet", "Ipv6Prefixes"},
    {NULL, NULL, "licenseSet", "Licenses"},
    {NULL, NULL, "metricCategoryIdSet", "MetricCategoryIds"},
    {NULL, NULL, "networkInterfaceSet", "NetworkInterfaces"},
    {NULL, NULL, "privateIpAddressSet", "PrivateIpAddresses"},
    {NULL, NULL, "privateIpAddressesSet", "PrivateIpAddresses"},
    {NULL, NULL, "secondaryInterfaceSet", "SecondaryInterfaces"},
    {"network-interface", "", "tagSet", "TagSet"},
    {NULL, NULL, "tagSet", "Tags"},
};

static const char *const ec2_lists[] = {"associatedSubnetSet",
                                        "attachmentSet",
                                        "blockDeviceMapping",
                                        "cidrBlockAssociationSet",
                                        "elasticGpuAssociationSet",
                                        "elasticInferenceAcceleratorAssociationSet",
                                        "groupSet",
                                        "groups",
                                        "ipPermissions",
                                        "ipPermissionsEgress",
                                        "ipRanges",
                                        "ipv4PrefixSet",
                                        "ipv6AddressesSet",
                                        "ipv6CidrBlockAssociationSet",
                                        "ipv6PrefixSet",
                                        "ipv6Ranges",
                                        "licenseSet",
                                        "metricCategoryIdSet",
                                        "networkInterfaceSet",
                                        "prefixListIds",
                                        "privateIpAddressSet",
                                        "privateIpAddressesSet",
                                        "productCodes",
                                        "secondaryInterfaceSet",
                                        "tagSet",
                                        NULL};
static const char *const ec2_numbers[] = {"AmiLaunchIndex",
                                          "AvailableIpAddressCount",
                                          "Code",
                                          "CoreCount",
                                          "DeviceIndex",
                                          "EbsCardIndex",
                                          "EnaQueueCount",
                                          "EnableLniAtDeviceIndex",
                                          "FromPort",
                                          "HttpPutResponseHopLimit",
                                          "Iops",
                                          "NetworkCardIndex",
                                          "PartitionNumber",
                                          "Size",
                                          "TcpEstablishedTimeout",
                                          "ThreadsPerCore",
                                          "Throughput",
                                          "ToPort",
                                          "UdpStreamTimeout",
                                          "UdpTimeout",
                                          "VolumeInitializationRate",
                                          NULL};
static const char *const ec2_truths[] = {"AssignIpv6AddressOnCreation",
                                         "Configured",
                                         "DefaultForAz",
                                         "DeleteOnTermination",
                                         "DenyAllIgwTraffic",
                                         "EbsOptimized",
                                         "EnaSrdEnabled",
                                         "EnaSrdUdpEnabled",
                                         "EnaSupport",
                                         "EnableDns64",
                                         "EnableResourceNameDnsAAAARecord",
                                         "EnableResourceNameDnsARecord",
                                         "Enabled",
                                         "Encrypted",
                                         "FastRestored",
                                         "HiddenByDefault",
                                         "Ipv6Native",
                                         "IsDefault",
                                         "IsPrimaryIpv6",
                                         "Managed",
                                         "MapCustomerOwnedIpOnLaunch",
                                         "MapPublicIpOnLaunch",
                                         "MultiAttachEnabled",
                                         "Primary",
                                         "RequesterManaged",
                                         "SourceDestCheck",
                                         NULL};

static const char *const elb_lists[] = {"Actions",
                                        "AdditionalClaims",
                                        "AlpnPolicy",
                                        "AvailabilityZones",
                                        "Certificates",
                                        "Conditions",
                                        "DefaultActions",
                                        "LoadBalancerAddresses",
                                        "LoadBalancerArns",
                                        "RegexValues",
                                        "Rewrites",
                                        "SecurityGroups",
                                        "SourceNatIpv6Prefixes",
                                        "TargetGroups",
                                        "Transforms",
                                        "Values",
                                        NULL};
static const char *const elb_numbers[] = {"DurationSeconds",
                                          "HealthCheckIntervalSeconds",
                                          "HealthCheckTimeoutSeconds",
                                          "HealthyThresholdCount",
                                          "Order",
                                          "Port",
                                          "SessionTimeout",
                                          "TargetControlPort",
                                          "UnhealthyThresholdCount",
                                          "Weight",
                                          NULL};
static const char *const elb_truths[] = {
    "Enabled",   "HealthCheckEnabled",      "IgnoreClientCertificateExpiry",
    "IsDefault", "UseExistingClientSecret", NULL};

/* RDS: with the names of their items, after "/"; several may be. */
static const char *const rds_lists[] = {
    "AdditionalStorageVolumes",
    "AssociatedRoles/DBInstanceRole",
    "AssociatedRoles/DBClusterRole",
    "AvailabilityZones/AvailabilityZone",
    "CustomEndpoints",
    "DBClusterMembers/DBClusterMember",
    "DBClusterOptionGroupMemberships/DBClusterOptionGroup",
    "DBInstanceAutomatedBackupsReplications/DBInstanceAutomatedBackupsReplication",
    "DBParameterGroups/DBParameterGroup",
    "DBSecurityGroups/DBSecurityGroup",
    "DnsIps",
    "DomainMemberships/DomainMembership",
    "EnabledCloudwatchLogsExports",
    "LogTypesToDisable",
    "LogTypesToEnable",
    "OptionGroupMemberships/OptionGroupMembership",
    "ProcessorFeatures/ProcessorFeature",
    "ReadReplicaDBClusterIdentifiers/ReadReplicaDBClusterIdentifier",
    "ReadReplicaDBInstanceIdentifiers/ReadReplicaDBInstanceIdentifier",
    "ReadReplicaIdentifiers/ReadReplicaIdentifier",
    "StatusInfos/DBInstanceStatusInfo",
    "StatusInfos/DBClusterStatusInfo",
    "Subnets/Subnet",
    "SupportedNetworkTypes",
    "TagList/Tag",
    "VpcSecurityGroups/VpcSecurityGroupMembership",
    NULL};
static const char *const rds_numbers[] = {"AllocatedStorage",
                                          "BacktrackConsumedChangeRecords",
                                          "BacktrackWindow",
                                          "BackupRetentionPeriod",
                                          "Capacity",
                                          "DbInstancePort",
                                          "IOPS",
                                          "Iops",
                                          "MaxAllocatedStorage",
                                          "MaxCapacity",
                                          "MinCapacity",
                                          "MinRequiredACU",
                                          "MonitoringInterval",
                                          "PerformanceInsightsRetentionPeriod",
                                          "Port",
                                          "PromotionTier",
                                          "SecondsBeforeTimeout",
                                          "SecondsUntilAutoPause",
                                          "StorageOperationPercentProgress",
                                          "StorageThroughput",
                                          NULL};
static const char *const rds_truths[] = {"ActivityStreamEngineNativeAuditFieldsIncluded",
                                         "AutoMinorVersionUpgrade",
                                         "AutoPause",
                                         "CopyTagsToSnapshot",
                                         "CrossAccountClone",
                                         "CustomerOwnedIpEnabled",
                                         "DedicatedLogVolume",
                                         "DeletionProtection",
                                         "GlobalWriteForwardingRequested",
                                         "HttpEndpointEnabled",
                                         "IAMDatabaseAuthenticationEnabled",
                                         "InternetAccessGatewayEnabled",
                                         "IsClusterWriter",
                                         "IsStorageConfigUpgradeAvailable",
                                         "MultiAZ",
                                         "MultiTenant",
                                         "PerformanceInsightsEnabled",
                                         "PubliclyAccessible",
                                         "StorageEncrypted",
                                         "VPCNetworkingEnabled",
                                         NULL};

/* JSON: seconds since 1970. */
static const char *const times[] = {
    "connectivityAt",     "createdAt",         "deleteRequestedAt", "deregisteredAt",
    "executionStoppedAt", "lastStartedAt",     "pullStartedAt",     "pullStoppedAt",
    "registeredAt",       "stabilityStatusAt", "startedAt",         "stoppedAt",
    "stoppingAt",         "updatedAt",         "CreatedDate",       "DeletedDate",
    "LastAccessedDate",   "LastChangedDate",   "LastRotatedDate",   "NextRotationDate",
    "LastModifiedDate",   "CreationTime",      "Timestamp",         NULL};

struct schema {
    const char *const *lists, *const *numbers, *const *truths;
};

struct shaping {
    const struct schema *schema;
    const char *type; /* EC2: whose names are to be changed; else NULL */
};

static bool is_in(const char *const *list, const char *name)
{
    for (; *list; list++)
        if (streq(*list, name))
            return true;
    return false;
}

/* Whether it is a list, and the name of its items in this value (NULL: it is one already). */
static bool is_list(const struct schema *s, const char *name, json_t *value, const char **ret_item)
{
    size_t len = strlen(name);

    *ret_item = NULL;
    for (const char *const *at = s->lists; *at; at++) {
        if (strncmp(*at, name, len) != 0)
            continue;
        if ((*at)[len] == '\0')
            return true;
        if ((*at)[len] != '/')
            continue;
        *ret_item = *at + len + 1;
        if (!json_is_object(value) || json_object_get(value, *ret_item))
            return true;
    }
    return *ret_item;
}

/* The name that is shown; out has size bytes for one that is made. */
static const char *shown_name(const struct shaping *s, const char *parent, const char *wire,
                              char *out, size_t size)
{
    if (!s->type)
        return wire;
    for (size_t i = 0; i < ARRAY_SIZE(renamed); i++)
        if (streq(renamed[i].wire, wire) && (!renamed[i].type || streq(renamed[i].type, s->type)) &&
            (!renamed[i].parent || streq(renamed[i].parent, parent)))
            return renamed[i].shown;
    if (str_format(out, size, "%s", wire) < 0)
        return wire;
    if (out[0] >= 'a' && out[0] <= 'z')
        out[0] = (char)(out[0] - 'a' + 'A');
    return out;
}

/* What is no number all the same (a port "#{port}", a code "Server.InternalError") stays text. */
static json_t *number(const char *text)
{
    char *end;

    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (end != text && !*end && !errno)
        return json_integer(n);
    double real = strtod(text, &end);
    return end != text && !*end && isfinite(real) ? json_real(real) : json_string(text);
}

static json_t *scalar(const struct schema *s, const char *name, json_t *value)
{
    const char *text = json_string_value(value);

    if (!text)
        return json_incref(value);
    if (is_in(s->truths, name) && (streq(text, "true") || streq(text, "false")))
        return json_boolean(text[0] == 't');
    if (is_in(s->numbers, name))
        return number(text);
    return json_incref(value);
}

static json_t *shape(const struct shaping *s, const char *parent, const char *name, json_t *value);

static json_t *shape_list(const struct shaping *s, const char *wire, json_t *list)
{
    _cleanup_json_ json_t *all = json_array();
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (json_array_append_new(all, shape(s, wire, "", item)) < 0)
            return NULL;
    }
    return steal_ptr(all);
}

static json_t *shape_object(const struct shaping *s, const char *parent, json_t *object)
{
    _cleanup_json_ json_t *all = json_object();
    const char *wire, *item;
    json_t *value;
    char made[128];

    json_object_foreach(object, wire, value)
    {
        const char *name = shown_name(s, parent, wire, made, sizeof(made));
        json_t *shaped;

        if (is_list(s->schema, wire, value, &item)) {
            _cleanup_json_ json_t *holder = json_pack("{s:O}", wire, value);
            _cleanup_json_ json_t *list = xml_list(holder, wire, item);

            shaped = list ? shape_list(s, wire, list) : NULL;
        } else {
            shaped = shape(s, wire, name, value);
        }
        if (json_object_set_new(all, name, shaped) < 0)
            return NULL;
    }
    return steal_ptr(all);
}

static json_t *shape(const struct shaping *s, const char *parent, const char *name, json_t *value)
{
    if (json_is_object(value))
        return shape_object(s, parent, value);
    if (json_is_array(value))
        return shape_list(s, parent, value);
    return scalar(s->schema, name, value);
}

/* --- JSON --- */

/* And what is null is not there. */
static int show_times(json_t *value)
{
    char text[CLOCK_TIME_SIZE];
    const char *key;
    json_t *child;
    void *next;
    size_t i;

    json_array_foreach(value, i, child)
    {
        if (show_times(child) < 0)
            return -ENOMEM;
    }
    json_object_foreach_safe(value, next, key, child)
    {
        if (json_is_null(child)) {
            json_object_del(value, key);
            continue;
        }
        if (!json_is_number(child) || !is_in(times, key)) {
            if (show_times(child) < 0)
                return -ENOMEM;
            continue;
        }
        (void)clock_format((int64_t)(json_number_value(child) * 1000), text);
        if (json_object_set_new(value, key, json_string(text)) < 0)
            return -ENOMEM;
    }
    return 0;
}

json_t *describe_shape(const struct describe_row *row, json_t *item)
{
    static const struct schema ec2 = {ec2_lists, ec2_numbers, ec2_truths},
                               elb = {elb_lists, elb_numbers, elb_truths},
                               rds = {rds_lists, rds_numbers, rds_truths};
    enum aws_service service = row->action.service;
    const struct shaping s = {service == AWS_EC2     ? &ec2
                              : service == AWS_ELBV2 ? &elb
                                                     : &rds,
                              service == AWS_EC2 ? row->type : NULL};

    if (service == AWS_EC2 || service == AWS_ELBV2 || service == AWS_RDS)
        return shape(&s, "", "", item);
    _cleanup_json_ json_t *copy = json_deep_copy(item);
    return copy && show_times(copy) == 0 ? steal_ptr(copy) : NULL;
}
