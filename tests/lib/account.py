"""The small account that tests and the demo start from, laid with boto3 straight into moto.

What a university would have: a VPC with two subnets, an ECS cluster with its security group, a load balancer with two
listeners, an RDS instance (its endpoint is the laboratory's MariaDB), a shared EFS file system, the database
administrator's secret; and three services tagged by hand long ago, in two families, one of them no WordPress.
"""
import dataclasses
import json
import os
import shutil

from . import aws as awslib
from . import mariadb as mariadblib
from .aws import ecs_tags, tags

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FAMILY, SHARED = "wp-containers", "wp-containers-shared"
IMAGE = f"{awslib.ACCOUNT}.dkr.ecr.{awslib.REGION}.amazonaws.com/wordpress:6.8.1-php8.3-apache"
HAND_TAGGED = {"legacy1": FAMILY, "legacy2": FAMILY, "shop": "shops"}


@dataclasses.dataclass
class Account:
    vpc: str = None
    subnets: list = None
    cluster: str = "wordpress"
    cluster_group: str = None
    balancer: str = None
    balancer_dns: str = None
    listeners: list = None
    rds: str = "wp-db"
    file_system: str = None
    admin_secret: str = None
    roles: dict = None
    image: str = IMAGE
    hand_made: dict = None      # ARN -> tags of all that the three hand-tagged services have
    groups: list = None         # resource groups made by hand


def lay(aws, mariadb_port):
    account = Account()
    _network(aws, account)
    _cluster(aws, account)
    _balancer(aws, account)
    _database(aws, account, mariadb_port)
    _shared_files(aws, account)
    _by_hand(aws, account)
    return account


def _network(aws, a):
    a.vpc = aws.ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    for name in ("EnableDnsSupport", "EnableDnsHostnames"):
        aws.ec2.modify_vpc_attribute(VpcId=a.vpc, **{name: {"Value": True}})
    a.subnets = [aws.ec2.create_subnet(VpcId=a.vpc, CidrBlock=f"10.20.{i}.0/24",
                                       AvailabilityZone=aws.region + zone)["Subnet"]["SubnetId"]
                 for i, zone in ((1, "a"), (2, "b"))]


def _cluster(aws, a):
    aws.ecs.create_cluster(clusterName=a.cluster, tags=[{"key": "owner", "value": "it"}])
    a.cluster_group = aws.ec2.create_security_group(GroupName="wordpress-cluster", Description="tasks of the cluster",
                                                    VpcId=a.vpc)["GroupId"]
    a.roles = {n: f"arn:aws:iam::{awslib.ACCOUNT}:role/wp-{n}" for n in ("execution", "task")}


def _balancer(aws, a):
    made = aws.elbv2.create_load_balancer(Name="wp", Subnets=a.subnets, Tags=tags(service_family=FAMILY))
    a.balancer, a.balancer_dns = made["LoadBalancers"][0]["LoadBalancerArn"], made["LoadBalancers"][0]["DNSName"]
    refuse = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain",
                                                                 "MessageBody": "no such site"}}]
    a.listeners = [aws.elbv2.create_listener(LoadBalancerArn=a.balancer, Protocol="HTTP", Port=port,
                                             DefaultActions=refuse)["Listeners"][0]["ListenerArn"]
                   for port in (80, 8080)]


def _database(aws, a, port):
    aws.rds.create_db_instance(DBInstanceIdentifier=a.rds, Engine="mariadb", EngineVersion="10.11.8",
                               DBInstanceClass="db.t3.small", AllocatedStorage=20, MasterUsername=mariadblib.ADMIN,
                               MasterUserPassword=mariadblib.ADMIN_PASSWORD, Port=port, Tags=tags(service_family=FAMILY))
    secret = aws.secretsmanager.create_secret(Name="wp-db-admin", SecretString=json.dumps(
        {"username": mariadblib.ADMIN, "password": mariadblib.ADMIN_PASSWORD}))
    a.admin_secret = secret["ARN"]


def _shared_files(aws, a):
    a.file_system = aws.efs.create_file_system(CreationToken="shared", Encrypted=True,
                                               Tags=tags(service_family=SHARED))["FileSystemId"]
    for subnet in a.subnets:
        aws.efs.create_mount_target(FileSystemId=a.file_system, SubnetId=subnet, SecurityGroups=[a.cluster_group])


def _by_hand(aws, a):
    a.hand_made = {}
    for number, (service, family) in enumerate(HAND_TAGGED.items()):
        own = dict(service_id=service, service_family=family)
        _hand_made_service(aws, a, own, number)
    a.groups = ["old-sites", "reporting"]
    for name, key in zip(a.groups, ("service-family", "owner")):
        aws.resource_groups.create_group(Name=name, Tags={"made": "by-hand"}, ResourceQuery={
            "Type": "TAG_FILTERS_1_0", "Query": json.dumps({
                "ResourceTypeFilters": ["AWS::AllSupported"],
                "TagFilters": [{"Key": key, "Values": [FAMILY if key == "service-family" else "it"]}]})})


def _hand_made_service(aws, a, own, number):
    service = own["service_id"]
    as_ecs = ecs_tags(tags(**own))
    group = aws.ec2.create_security_group(
        GroupName=f"{service}-nfs", Description="by hand", VpcId=a.vpc,
        TagSpecifications=[{"ResourceType": "security-group", "Tags": tags(**own)}])["GroupId"]
    target = aws.elbv2.create_target_group(Name=f"{service}-tg", Protocol="HTTP", Port=80, VpcId=a.vpc, TargetType="ip",
                                           Tags=tags(**own))["TargetGroups"][0]["TargetGroupArn"]
    aws.elbv2.create_rule(ListenerArn=a.listeners[0], Priority=number + 1,
                          Conditions=[{"Field": "host-header", "HostHeaderConfig": {"Values": [f"{service}.ou.example.edu"]}}],
                          Actions=[{"Type": "forward", "TargetGroupArn": target}], Tags=tags(**own))
    aws.ecs.register_task_definition(
        family=service, networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512", tags=as_ecs,
        containerDefinitions=[{"name": "web", "image": a.image, "memory": 256, "portMappings": [{"containerPort": 80}]}])
    aws.ecs.create_service(
        cluster=a.cluster, serviceName=service, taskDefinition=service, desiredCount=1, launchType="FARGATE", tags=as_ecs,
        loadBalancers=[{"targetGroupArn": target, "containerName": "web", "containerPort": 80}],
        networkConfiguration={"awsvpcConfiguration": {"subnets": a.subnets, "securityGroups": [group]}})
    aws.secretsmanager.create_secret(Name=f"{service}/database", SecretString='{"password": "by hand"}', Tags=tags(**own))
    a.hand_made.update(witness(aws, own["service_id"]))


def witness(aws, service):
    """{ARN: tags} of all that carries the service's id: by the tag index, and rules (which moto's lacks) by their own
    service."""
    found = aws.tagged(service_id=service)
    for arn, rule_tags in rules(aws).items():
        if rule_tags.get("service-id") == service:
            found[arn] = rule_tags
    return found


def rules(aws):
    """{ARN: tags} of all rules of all listeners but the default ones."""
    found = {}
    for balancer in aws.elbv2.describe_load_balancers()["LoadBalancers"]:
        for listener in aws.elbv2.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]:
            pages = aws.elbv2.get_paginator("describe_rules").paginate(ListenerArn=listener["ListenerArn"])
            arns = [r["RuleArn"] for p in pages for r in p["Rules"] if not r["IsDefault"]]
            for start in range(0, len(arns), 20):
                for item in aws.elbv2.describe_tags(ResourceArns=arns[start:start + 20])["TagDescriptions"]:
                    found[item["ResourceArn"]] = {t["Key"]: t["Value"] for t in item["Tags"]}
    return found


def blueprint_parameters(account, family, instance=None):
    values = {
        "Domain": "ou.example.edu", "VpcId": account.vpc, "SubnetA": account.subnets[0], "SubnetB": account.subnets[1],
        "Cluster": account.cluster, "ClusterSecurityGroup": account.cluster_group,
        "ListenerArns": ",".join(account.listeners), "DatabaseInstance": instance or account.rds,
        "DatabaseAdminSecret": account.admin_secret, "Image": account.image,
        "ExecutionRoleArn": account.roles["execution"], "TaskRoleArn": account.roles["task"],
    }
    if family == SHARED:
        values["FileSystem"] = account.file_system
    return values


def write_blueprints(account, directory, mariadb_port):
    """The shipped blueprints with the account's parameters; the shared one names its database server by host and port."""
    os.makedirs(directory, mode=0o755, exist_ok=True)
    for family, instance in ((FAMILY, None), (SHARED, f"127.0.0.1:{mariadb_port}")):
        shutil.copyfile(os.path.join(ROOT, "blueprints", family + ".json"), os.path.join(directory, family + ".json"))
        write_parameters(directory, family, blueprint_parameters(account, family, instance))


def write_parameters(directory, family, values):
    with open(os.path.join(directory, family + ".parameters.json"), "w") as file:
        json.dump([{"ParameterKey": k, "ParameterValue": v} for k, v in values.items()], file, indent=2)
        file.write("\n")
