/*
 * The types that are described, one row each. Batches are as large as AWS takes them (or, where it
 * does not say, as is known to work): EC2's filters 200 values, Elastic Load Balancing's lists 20
 * ARNs, ECS's 10 services and 100 of all else, RDS's pages 100, SSM's filter 50 values (two for
 * each name), ECR's and CloudWatch Logs' lists 100 and 50. What has no row of its own, but a type
 * that Cloud Control knows, comes from there, one call each; its names are CloudFormation's.
 *
 * A file system's description says which mount targets it has: they have neither ARN nor tags, so
 * nothing else tells. That is one call more for each file system that has some; rounds make it, but
 * nobody who reads waits for it, or causes it for others. (No filter
 * finds mount targets of several file systems; the descriptions of their network interfaces, which
 * would come in one call, are prose.) Their security groups come with their interfaces, in batches.
 */
#include "awsapi/describe_private.h"
#include "base/macro.h"

#define CALL(service, name, bucket)                                                                \
    {                                                                                              \
        service, name, bucket, false, NULL, NULL, NULL                                             \
    }
#define GET(service, name, bucket, path, query)                                                    \
    {                                                                                              \
        service, name, bucket, false, "GET", path, query                                           \
    }

/* clang-format off */
#define EC2(type_, name, filter, list_, id_)                                                       \
    {"ec2", type_, 0, CALL(AWS_EC2, name, BUCKET_EC2_READ), DESCRIBE_FILTER, filter,            \
     DESCRIBE_ID_NAME, 200, {"NextToken", "nextToken", list_, "item"}, .named = id_}
#define ELB(type_, slashes_, name, in_, list_, id_)                                                   \
    {"elasticloadbalancing", type_, slashes_, CALL(AWS_ELBV2, name, BUCKET_ELB_READ), DESCRIBE_LIST,  \
     in_, DESCRIBE_ID_ARN, 20, {"Marker", "NextMarker", list_, NULL}, .named = id_}
#define ECS(type_, name, put_, in_, batch_, id_)                                                   \
    {"ecs", type_, 0, CALL(AWS_ECS, name, BUCKET_ECS_READ), put_, in_, DESCRIBE_ID_ARN, batch_, \
     {NULL, NULL, in_, NULL}, .named = id_}
#define RDS(type_, name, filter, list_, item_, id_)                                                \
    {"rds", type_, 0, CALL(AWS_RDS, name, BUCKET_RDS_READ), DESCRIBE_RDS_FILTER, filter,        \
     DESCRIBE_ID_NAME, 100, {"Marker", "Marker", list_, item_}, .named = id_}
#define OTHER(service_, type_, name, id_)                                                          \
    {service_, type_, 0, CALL(AWS_CLOUDCONTROL, "GetResource", BUCKET_CLOUDCONTROL),            \
     DESCRIBE_CLOUDCONTROL, name, id_, 1, {NULL, NULL, "ResourceDescription", NULL}, .named = NULL}
#define ARN DESCRIBE_ID_ARN
#define NAME DESCRIBE_ID_NAME
#define LAST DESCRIBE_ID_LAST

static const struct describe_more mount_targets = {
    GET(AWS_EFS, "DescribeMountTargets", BUCKET_EFS_READ, "/2015-02-01/mount-targets",
        "Marker,FileSystemId"),
    {"Marker", "NextMarker", "MountTargets", NULL},
    .named = "MountTargetId",
    .shown = "MountTargets",
    .number = "NumberOfMountTargets"};

static const struct describe_row rows[] = {
    EC2("security-group", "DescribeSecurityGroups", "group-id", "securityGroupInfo", "groupId"),
    {"ec2", "instance", 0, CALL(AWS_EC2, "DescribeInstances", BUCKET_EC2_READ), DESCRIBE_FILTER,
     "instance-id", NAME, 200, {"NextToken", "nextToken", "reservationSet", "item"},
     .inner = "instancesSet", .named = "instanceId"},
    EC2("vpc", "DescribeVpcs", "vpc-id", "vpcSet", "vpcId"),
    EC2("subnet", "DescribeSubnets", "subnet-id", "subnetSet", "subnetId"),
    EC2("network-interface", "DescribeNetworkInterfaces", "network-interface-id",
        "networkInterfaceSet", "networkInterfaceId"),
    EC2("volume", "DescribeVolumes", "volume-id", "volumeSet", "volumeId"),

    ELB("loadbalancer", 3, "DescribeLoadBalancers", "LoadBalancerArns", "LoadBalancers",
        "LoadBalancerArn"),
    ELB("listener", 0, "DescribeListeners", "ListenerArns", "Listeners", "ListenerArn"),
    ELB("listener-rule", 0, "DescribeRules", "RuleArns", "Rules", "RuleArn"),
    ELB("targetgroup", 0, "DescribeTargetGroups", "TargetGroupArns", "TargetGroups",
        "TargetGroupArn"),

    {"elasticfilesystem", "file-system", 0,
     GET(AWS_EFS, "DescribeFileSystems", BUCKET_EFS_READ, "/2015-02-01/file-systems",
         "MaxItems,Marker,FileSystemId"),
     DESCRIBE_ONE_OR_ALL, "FileSystemId", NAME, 100,
     {"Marker", "NextMarker", "FileSystems", NULL}, .named = "FileSystemId",
     .more = &mount_targets},
    {"elasticfilesystem", "access-point", 0,
     GET(AWS_EFS, "DescribeAccessPoints", BUCKET_EFS_READ, "/2015-02-01/access-points",
         "MaxResults,NextToken,AccessPointId"),
     DESCRIBE_ONE_OR_ALL, "AccessPointId", NAME, 1000,
     {"NextToken", "NextToken", "AccessPoints", NULL}, .named = "AccessPointId"},
    {"elasticfilesystem", "mount-target", 0,
     GET(AWS_EFS, "DescribeMountTargets", BUCKET_EFS_READ, "/2015-02-01/mount-targets",
         "Marker,MountTargetId"),
     DESCRIBE_ONE, "MountTargetId", NAME, 1, {"Marker", "NextMarker", "MountTargets", NULL},
     .named = "MountTargetId"},

    ECS("cluster", "DescribeClusters", DESCRIBE_LIST, "clusters", 100, "clusterArn"),
    ECS("service", "DescribeServices", DESCRIBE_OF_CLUSTER, "services", 10, "serviceArn"),
    ECS("task", "DescribeTasks", DESCRIBE_OF_CLUSTER, "tasks", 100, "taskArn"),
    {"ecs", "task-definition", 0,
     CALL(AWS_ECS, "DescribeTaskDefinition", BUCKET_ECS_TASKDEF_READ), DESCRIBE_ONE,
     "taskDefinition", ARN, 1, {NULL, NULL, "taskDefinition", NULL},
     .gone = "ClientException", .fixed = true},

    RDS("db", "DescribeDBInstances", "db-instance-id", "DBInstances", "DBInstance",
        "DBInstanceIdentifier"),
    RDS("cluster", "DescribeDBClusters", "db-cluster-id", "DBClusters", "DBCluster",
        "DBClusterIdentifier"),

    {"secretsmanager", "secret", 0,
     CALL(AWS_SECRETSMANAGER, "DescribeSecret", BUCKET_SECRETS_READ), DESCRIBE_ONE, "SecretId", ARN,
     .batch = 1},
    {"ecr", "repository", 0, CALL(AWS_ECR, "DescribeRepositories", BUCKET_ECR_READ),
     DESCRIBE_LIST, "repositoryNames", NAME, 100, {"nextToken", "nextToken", "repositories", NULL},
     .named = "repositoryName"},
    {"lambda", "function", 0,
     GET(AWS_LAMBDA, "GetFunctionConfiguration", BUCKET_LAMBDA_READ,
         "/2015-03-31/functions/{FunctionName}/configuration", NULL),
     DESCRIBE_ONE, "FunctionName", ARN, .batch = 1},
    {"logs", "log-group", 0, CALL(AWS_LOGS, "DescribeLogGroups", BUCKET_LOGS_READ),
     DESCRIBE_LIST, "logGroupIdentifiers", NAME, 50, {"nextToken", "nextToken", "logGroups", NULL},
     .named = "logGroupName"},
    {"ssm", "parameter", 0, CALL(AWS_SSM, "DescribeParameters", BUCKET_SSM_DESCRIBE),
     DESCRIBE_PARAMETERS, "Name", NAME, 25, {"NextToken", "NextToken", "Parameters", NULL},
     .named = "Name"},

    OTHER("acm", "certificate", "AWS::CertificateManager::Certificate", ARN),
    OTHER("apigateway", "restapis", "AWS::ApiGateway::RestApi", NAME),
    OTHER("apigateway", "apis", "AWS::ApiGatewayV2::Api", NAME),
    OTHER("appmesh", "mesh", "AWS::AppMesh::Mesh", ARN),
    OTHER("appsync", "apis", "AWS::AppSync::GraphQLApi", NAME),
    OTHER("athena", "workgroup", "AWS::Athena::WorkGroup", NAME),
    OTHER("autoscaling", "autoScalingGroup", "AWS::AutoScaling::AutoScalingGroup", LAST),
    OTHER("backup", "backup-vault", "AWS::Backup::BackupVault", NAME),
    OTHER("backup", "backup-plan", "AWS::Backup::BackupPlan", NAME),
    OTHER("cloudformation", "stack", "AWS::CloudFormation::Stack", ARN),
    OTHER("cloudfront", "distribution", "AWS::CloudFront::Distribution", NAME),
    OTHER("cloudwatch", "alarm", "AWS::CloudWatch::Alarm", NAME),
    OTHER("codebuild", "project", "AWS::CodeBuild::Project", NAME),
    OTHER("codepipeline", "pipeline", "AWS::CodePipeline::Pipeline", NAME),
    OTHER("cognito-idp", "userpool", "AWS::Cognito::UserPool", NAME),
    OTHER("dynamodb", "table", "AWS::DynamoDB::Table", NAME),
    OTHER("ec2", "dhcp-options", "AWS::EC2::DHCPOptions", NAME),
    OTHER("ec2", "internet-gateway", "AWS::EC2::InternetGateway", NAME),
    OTHER("ec2", "launch-template", "AWS::EC2::LaunchTemplate", NAME),
    OTHER("ec2", "natgateway", "AWS::EC2::NatGateway", NAME),
    OTHER("ec2", "network-acl", "AWS::EC2::NetworkAcl", NAME),
    OTHER("ec2", "route-table", "AWS::EC2::RouteTable", NAME),
    OTHER("ec2", "transit-gateway", "AWS::EC2::TransitGateway", NAME),
    OTHER("ec2", "vpc-endpoint", "AWS::EC2::VPCEndpoint", NAME),
    OTHER("ec2", "vpc-flow-log", "AWS::EC2::FlowLog", NAME),
    OTHER("ec2", "vpc-peering-connection", "AWS::EC2::VPCPeeringConnection", NAME),
    OTHER("ecs", "capacity-provider", "AWS::ECS::CapacityProvider", NAME),
    OTHER("eks", "cluster", "AWS::EKS::Cluster", NAME),
    OTHER("elasticache", "cluster", "AWS::ElastiCache::CacheCluster", NAME),
    OTHER("elasticache", "replicationgroup", "AWS::ElastiCache::ReplicationGroup", NAME),
    OTHER("elasticache", "serverlesscache", "AWS::ElastiCache::ServerlessCache", NAME),
    OTHER("elasticbeanstalk", "application", "AWS::ElasticBeanstalk::Application", NAME),
    OTHER("es", "domain", "AWS::OpenSearchService::Domain", NAME),
    OTHER("events", "event-bus", "AWS::Events::EventBus", NAME),
    OTHER("events", "rule", "AWS::Events::Rule", ARN),
    OTHER("firehose", "deliverystream", "AWS::KinesisFirehose::DeliveryStream", NAME),
    OTHER("iam", "instance-profile", "AWS::IAM::InstanceProfile", LAST),
    OTHER("iam", "policy", "AWS::IAM::ManagedPolicy", ARN),
    OTHER("iam", "role", "AWS::IAM::Role", LAST),
    OTHER("iam", "user", "AWS::IAM::User", LAST),
    OTHER("kinesis", "stream", "AWS::Kinesis::Stream", NAME),
    OTHER("kms", "key", "AWS::KMS::Key", NAME),
    OTHER("memorydb", "cluster", "AWS::MemoryDB::Cluster", NAME),
    OTHER("mq", "broker", "AWS::AmazonMQ::Broker", LAST),
    OTHER("rds", "cluster-pg", "AWS::RDS::DBClusterParameterGroup", NAME),
    OTHER("rds", "og", "AWS::RDS::OptionGroup", NAME),
    OTHER("rds", "pg", "AWS::RDS::DBParameterGroup", NAME),
    OTHER("rds", "subgrp", "AWS::RDS::DBSubnetGroup", NAME),
    OTHER("redshift", "cluster", "AWS::Redshift::Cluster", NAME),
    OTHER("route53", "healthcheck", "AWS::Route53::HealthCheck", NAME),
    OTHER("route53", "hostedzone", "AWS::Route53::HostedZone", NAME),
    OTHER("s3", "bucket", "AWS::S3::Bucket", NAME),
    OTHER("sns", "topic", "AWS::SNS::Topic", ARN),
    OTHER("sqs", "queue", "AWS::SQS::Queue", DESCRIBE_ID_QUEUE),
    OTHER("ssm", "document", "AWS::SSM::Document", NAME),
    OTHER("ssm", "maintenancewindow", "AWS::SSM::MaintenanceWindow", NAME),
    OTHER("states", "stateMachine", "AWS::StepFunctions::StateMachine", ARN),
    OTHER("synthetics", "canary", "AWS::Synthetics::Canary", NAME),
    OTHER("transfer", "server", "AWS::Transfer::Server", ARN),
};
/* clang-format on */

const struct describe_row *const describe_rows = rows;
const size_t describe_n_rows = ARRAY_SIZE(rows);
