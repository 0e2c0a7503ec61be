"""properties.json: what the owning services say, in few calls, and only when it is asked for."""
import collections
import errno
import io
import json
import math
import os
import re
import signal
import subprocess
import threading
import time
import zipfile

import pytest

from tests.lib.aws import ecs_tags, tags
from tests.lib.mount import SLOW, in_parallel
from tests.lib.process import wait_until, waits_in_kernel

FAMILY = "described"
# Calls that describe; those of the lists that svcfs reads itself are others.
_DESCRIBE = ("ec2:Describe*", "elasticloadbalancing:Describe*", "elasticfilesystem:Describe*", "ecs:Describe*", "rds:Describe*",
             "secretsmanager:Describe*", "ecr:*", "lambda:*", "logs:*", "ssm:DescribeParameters", "cloudcontrolapi:*")


def own(service="d1", family=FAMILY):
    return tags(service_id=service, service_family=family)


def described(lab):
    """{operation: calls} of the daemon's."""
    counts = collections.Counter()
    for pattern in _DESCRIBE:
        for record in lab.proxy.seen(pattern):
            if not lab._is_the_tests(record.request):
                counts[record.operation] += 1
    return counts


def path_of(mount, arn):
    parts = arn.split(":", 5)
    kind, rest = parts[2], parts[5]
    if kind == "s3":
        rest = "bucket/" + rest
    at = min(rest.index(c) for c in "/:" if c in rest)
    return mount.at("resources", kind, rest[:at], rest[at + 1:].replace("+", "%2B").replace("/", "+"), "properties.json")


def properties(mount, arn):
    with open(path_of(mount, arn)) as file:
        return json.load(file)


def open_errno(path):
    """Of open and read in a process of their own; 0: all went well."""
    done = subprocess.run(["/usr/bin/python3", "-I", "-S", "-c", "import sys\n"
                           "try: open(sys.argv[1]).read()\n"
                           "except OSError as e: sys.exit(e.errno)", path], timeout=60 * SLOW)
    return done.returncode


def groups(lab, n, family=FAMILY, first=0):
    """n security groups: their ARNs."""
    made = []
    for i in range(first, first + n):
        made.append(lab.aws.ec2.create_security_group(
            GroupName=f"{family}-{i}", Description=f"number {i}", VpcId=lab.account.vpc,
            TagSpecifications=[{"ResourceType": "security-group", "Tags": own(f"s{i}", family)}])["GroupId"])
    return [f"arn:aws:ec2:{lab.aws.region}:123456789012:security-group/{g}" for g in made]


# Content

def _seconds(text):
    return time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def _plain(value):
    """As JSON has it: times as texts, to the second; without what is empty."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if v not in (None, "", [], {})}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if isinstance(value, str) and len(value) > 20 and value[10:11] == "T" and value.endswith(("Z", "+00:00")):
        return value[:19] + "Z"
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if hasattr(value, "strftime") else value


def differences(shown, witness, at=""):
    """Of what boto3 knows: moto answers some members that are in no model."""
    if isinstance(witness, dict) and isinstance(shown, dict):
        return [d for k in witness for d in differences(shown.get(k), witness[k], f"{at}.{k}")]
    if isinstance(witness, list) and isinstance(shown, list) and len(witness) == len(shown):
        return [d for i in range(len(witness)) for d in differences(shown[i], witness[i], f"{at}[{i}]")]
    if shown != witness and all(isinstance(v, str) and v[10:11] == "T" for v in (shown, witness)):
        return differences(abs(_seconds(shown) - _seconds(witness)) < 60, True, at)  # moto's "now"
    return [] if shown == witness else [f"{at}: {shown!r} != {witness!r}"]


def everything(lab):
    """{ARN: what boto3 describes} of one thing of each type."""
    aws, a, region = lab.aws, lab.account, lab.aws.region
    arn = f"arn:aws:ec2:{region}:123456789012:"
    ec2 = aws.ec2
    spec = lambda kind: [{"ResourceType": kind, "Tags": own()}]
    (group,) = groups(lab, 1)
    group_id = group.rsplit("/", 1)[1]
    ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[{
        "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "inside"}],
        "UserIdGroupPairs": [{"GroupId": a.cluster_group}]}])
    vpc = ec2.create_vpc(CidrBlock="10.30.0.0/16", TagSpecifications=spec("vpc"))["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.30.1.0/24", TagSpecifications=spec("subnet"))["Subnet"]["SubnetId"]
    interface = ec2.create_network_interface(SubnetId=a.subnets[0], Groups=[group_id],
                                             TagSpecifications=spec("network-interface"))["NetworkInterface"]["NetworkInterfaceId"]
    volume = ec2.create_volume(AvailabilityZone=region + "a", Size=8, Encrypted=True,
                               TagSpecifications=spec("volume"))["VolumeId"]
    instance = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1, SubnetId=a.subnets[0],
                                 TagSpecifications=spec("instance"))["Instances"][0]["InstanceId"]
    found = {
        group: ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0],
        arn + "vpc/" + vpc: ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0],
        arn + "subnet/" + subnet: ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0],
        arn + "network-interface/" + interface:
            ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"][0],
        arn + "volume/" + volume: ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0],
        arn + "instance/" + instance: ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0],
    }
    found.update(_balancing(lab))
    found.update(_containers(lab))
    found.update(_stores(lab))
    return found


def _balancing(lab):
    aws, a = lab.aws, lab.account
    elb = aws.elbv2
    balancer = elb.create_load_balancer(Name="d", Subnets=a.subnets, Tags=own())["LoadBalancers"][0]["LoadBalancerArn"]
    target = elb.create_target_group(Name="d", Protocol="HTTP", Port=80, VpcId=a.vpc, TargetType="ip", Tags=own())
    target = target["TargetGroups"][0]["TargetGroupArn"]
    action = [{"Type": "forward", "TargetGroupArn": target}]
    listener = elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=action,
                                   Tags=own())["Listeners"][0]["ListenerArn"]
    rule = elb.create_rule(ListenerArn=listener, Priority=5, Actions=action, Tags=own(),
                           Conditions=[{"Field": "path-pattern", "Values": ["/d"]}])["Rules"][0]["RuleArn"]
    return {
        balancer: elb.describe_load_balancers(LoadBalancerArns=[balancer])["LoadBalancers"][0],
        target: elb.describe_target_groups(TargetGroupArns=[target])["TargetGroups"][0],
        listener: elb.describe_listeners(ListenerArns=[listener])["Listeners"][0],
        rule: elb.describe_rules(RuleArns=[rule])["Rules"][0],
    }


def _containers(lab):
    aws, a = lab.aws, lab.account
    ecs = aws.ecs
    cluster = ecs.create_cluster(clusterName="d", tags=ecs_tags(own()))["cluster"]["clusterArn"]
    definition = ecs.register_task_definition(
        family="d", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512", tags=ecs_tags(own()),
        containerDefinitions=[{"name": "web", "image": a.image, "memory": 256}])["taskDefinition"]["taskDefinitionArn"]
    network = {"awsvpcConfiguration": {"subnets": a.subnets, "securityGroups": [a.cluster_group]}}
    service = ecs.create_service(cluster="d", serviceName="d", taskDefinition="d", desiredCount=0, launchType="FARGATE",
                                 networkConfiguration=network, tags=ecs_tags(own()))["service"]["serviceArn"]
    return {
        cluster: ecs.describe_clusters(clusters=[cluster])["clusters"][0],
        definition: ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"],
        service: lab.through.ecs.describe_services(cluster="d", services=[service])["services"][0],
    }


def _stores(lab):
    aws, region = lab.aws, lab.aws.region
    system = aws.efs.create_file_system(CreationToken="d", Tags=own())
    point = aws.efs.create_access_point(ClientToken="d", FileSystemId=system["FileSystemId"], Tags=own())
    for subnet in lab.account.subnets:
        aws.efs.create_mount_target(FileSystemId=system["FileSystemId"], SubnetId=subnet)
    aws.rds.create_db_instance(DBInstanceIdentifier="d", Engine="mariadb", EngineVersion="10.11.8", AllocatedStorage=20,
                               DBInstanceClass="db.t3.small", MasterUsername="admin", MasterUserPassword="very-secret-1",
                               VpcSecurityGroupIds=[lab.account.cluster_group], Tags=own())
    cluster = aws.rds.create_db_cluster(DBClusterIdentifier="dc", Engine="aurora-mysql", MasterUsername="admin",
                                        MasterUserPassword="very-secret-2", Tags=own())["DBCluster"]
    instance = aws.rds.describe_db_instances(DBInstanceIdentifier="d")["DBInstances"][0]
    secret = aws.secretsmanager.create_secret(Name="d/x", SecretString="very-secret-3", Tags=own())["ARN"]
    aws.ssm.put_parameter(Name="/d/p", Value="very-secret-4", Type="SecureString", Tags=own())
    parameter = f"arn:aws:ssm:{region}:123456789012:parameter/d/p"
    repository = aws.ecr.create_repository(repositoryName="team/d")["repository"]
    aws.logs.create_log_group(logGroupName="/ecs/d")
    role = aws.iam.create_role(RoleName="d", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("d.py", "def h(e, c): pass\n")
    function = getattr(aws, "lambda").create_function(
        FunctionName="d", Runtime="python3.12", Role=role, Handler="d.h", Code={"ZipFile": code.getvalue()},
        Environment={"Variables": {"DB_PASSWORD": "very-secret-5", "STAGE": "test"}})["FunctionArn"]
    group = f"arn:aws:logs:{region}:123456789012:log-group:/ecs/d"
    bucket = {"BucketName": "d-bucket", "Arn": "arn:aws:s3:::d-bucket", "VersioningConfiguration": {"Status": "Enabled"}}
    lab.proxy.config.cloud_control["AWS::S3::Bucket"] = {"d-bucket": bucket}
    flat = {"service-id": "d1", "service-family": FAMILY}
    lab.proxy.config.more_resources.update({a: flat for a in (repository["repositoryArn"], function, group, bucket["Arn"])})
    configuration = getattr(aws, "lambda").get_function_configuration(FunctionName="d")
    configuration["Environment"]["Variables"]["DB_PASSWORD"] = "***"
    return {
        system["FileSystemArn"]: aws.efs.describe_file_systems(FileSystemId=system["FileSystemId"])["FileSystems"][0],
        point["AccessPointArn"]: aws.efs.describe_access_points(AccessPointId=point["AccessPointId"])["AccessPoints"][0],
        instance["DBInstanceArn"]: instance,
        cluster["DBClusterArn"]: aws.rds.describe_db_clusters(DBClusterIdentifier="dc")["DBClusters"][0],
        secret: aws.secretsmanager.describe_secret(SecretId=secret),
        parameter: aws.ssm.describe_parameters(ParameterFilters=[{"Key": "Name", "Values": ["/d/p"]}])["Parameters"][0],
        repository["repositoryArn"]: repository,
        function: configuration,
        group: aws.logs.describe_log_groups(logGroupNamePrefix="/ecs/d")["logGroups"][0],
        bucket["Arn"]: bucket,
    }


@pytest.mark.limit(120)
def test_each_type_as_boto3_describes_it(lab):
    found = everything(lab)
    mount = lab.mount()
    wrong = []
    for arn, witness in found.items():
        witness.pop("ResponseMetadata", None)
        if os.path.exists(path_of(mount, arn)):
            wrong += [arn + d for d in differences(_plain(properties(mount, arn)), _plain(witness))]
        else:
            wrong.append(arn + " is not there")
    assert not wrong, "\n".join(wrong)
    everything_shown = subprocess.run(["grep", "-rhs", "very-secret", mount.path], capture_output=True, text=True)
    assert everything_shown.stdout == "" and "very-secret" not in mount.log_text()


@pytest.mark.limit(60)
def test_secrets_in_the_environment_are_not_shown(lab):
    environment = {"WORDPRESS_DB_PASSWORD": "hunter2-a", "API_TOKEN": "hunter2-b", "AWS_SECRET_ACCESS_KEY": "hunter2-c",
                   "DATABASE_URL": "mysql://wp:hunter2-d@db/wp", "MAIL": "AKIAHUNTER2XXXXXXXXX", "HOST": "db.example.edu",
                   "SECRET_ARN": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:x"}
    made = lab.aws.ecs.register_task_definition(family="e", tags=ecs_tags(own()), containerDefinitions=[{
        "name": "web", "image": "i", "memory": 64, "environment": [{"name": k, "value": v} for k, v in environment.items()],
        "logConfiguration": {"logDriver": "splunk", "options": {"splunk-token": "hunter2-e", "splunk-url": "https://s"}}}])
    mount = lab.mount()
    shown = properties(mount, made["taskDefinition"]["taskDefinitionArn"])["containerDefinitions"][0]
    values = {v["name"]: v["value"] for v in shown["environment"]}
    plain = ("HOST", "SECRET_ARN")
    assert values == {k: v if k in plain else "***" for k, v in environment.items()}
    assert shown["logConfiguration"]["options"] == {"splunk-token": "***", "splunk-url": "https://s"}
    found = subprocess.run(["grep", "-rliE", "hunter2", mount.path], capture_output=True, text=True)
    assert found.stdout == "" and "hunter2" not in mount.log_text()


@pytest.mark.limit(60)
def test_what_has_no_call_says_so_and_hinders_no_copy(lab):
    strange = "arn:aws:quantum:eu-central-1:123456789012:cat/alive"
    lab.proxy.config.more_resources[strange] = {"service-id": "d1", "service-family": FAMILY}
    mount = lab.mount()
    path = path_of(mount, strange)
    assert os.listdir(os.path.dirname(path)) == ["arn", "impact.tsv", "tags", "services"]
    assert open_errno(path) == errno.EOPNOTSUPP
    assert "quantum/cat" in mount.read(".svcfs", "errors")
    assert mount.sh("cp -r resources/quantum /tmp/svcfs-copy-$$ && rm -r /tmp/svcfs-copy-$$").returncode == 0


@pytest.mark.limit(60)
def test_mount_targets_have_no_arn_and_a_description(lab):
    mount = lab.mount()
    mount.provision("wp-containers", "site1")
    kind = ("resources", "elasticfilesystem", "mount-target")
    targets = mount.ls(*kind)
    assert targets
    shown = json.loads(mount.read(*kind, targets[0], "properties.json"))
    witness = lab.aws.efs.describe_mount_targets(MountTargetId=targets[0])["MountTargets"][0]
    assert not differences(_plain(shown), _plain(witness))
    assert "properties.json" not in [n for k in ("database", "user") for t in mount.ls("resources", "mariadb", k)
                                     for n in mount.ls("resources", "mariadb", k, t)]
    mount.tear_down("wp-containers", "site1")


# Calls

@pytest.mark.limit(120)
def test_names_cost_nothing_one_costs_one_call_all_cost_the_batches(lab):
    made = groups(lab, 230)
    names = [lab.aws.elbv2.create_target_group(Name=f"t{i}", Protocol="HTTP", Port=80, VpcId=lab.account.vpc, TargetType="ip",
             Tags=own(f"s{i}"))["TargetGroups"][0]["TargetGroupArn"] for i in range(45)]
    lab.aws.ecr.create_repository(repositoryName="wordpress")   # an image's: else it is gone once it is looked at
    lab.aws.ecs.create_cluster(clusterName="big")
    lab.aws.ecs.register_task_definition(family="big", containerDefinitions=[{"name": "w", "image": "i", "memory": 64}])
    services = [lab.aws.ecs.create_service(cluster="big", serviceName=f"e{i}", taskDefinition="big", desiredCount=0,
                tags=ecs_tags(own(f"s{i}")))["service"]["serviceArn"] for i in range(34)]
    parameters = []
    for i in range(60):
        lab.aws.ssm.put_parameter(Name=f"/big/{i}", Value="x", Type="String", Tags=own(f"s{i}"))
        parameters.append(f"arn:aws:ssm:{lab.aws.region}:123456789012:parameter/big/{i}")
    secrets = [lab.aws.secretsmanager.create_secret(Name=f"k{i}", SecretString="x", Tags=own(f"s{i}"))["ARN"] for i in range(7)]
    points = [lab.aws.efs.create_access_point(ClientToken=f"c{i}", FileSystemId=lab.account.file_system,
              Tags=own(f"s{i}"))["AccessPointArn"] for i in range(30)]
    mount = lab.mount(refresh=3600)
    assert mount.sh("ls -R . && find . && ls -R resources && find -L services | head -100000").returncode == 0
    assert sum(described(lab).values()) == 0
    properties(mount, made[100])
    assert described(lab) == {"ec2:DescribeSecurityGroups": 1}
    begun = time.monotonic()
    done = mount.sh("cat $(find resources -name properties.json) > /dev/null", 120)
    assert done.returncode == 0 and done.stderr == ""
    counts = described(lab)
    # What only these descriptions name stands there now, too.
    done = mount.sh("grep -rq nothing-like-this resources", 120)
    assert done.returncode == 1 and done.stderr == ""
    assert len(groups_asked_for(lab, *made)) <= math.ceil((len(made) + 3) / 200)   # those only used come to light meanwhile
    batches = {"elasticloadbalancing:DescribeTargetGroups": (len(names) + 3, 20),
               "ssm:DescribeParameters": (len(parameters), 25), "secretsmanager:DescribeSecret": (len(secrets) + 3, 1),
               "elasticfilesystem:DescribeAccessPoints": (len(points), 1000), "elasticloadbalancing:DescribeRules": (3, 20)}
    for operation, (n, batch) in batches.items():
        assert counts[operation] <= math.ceil(n / batch), (operation, counts)
    # Those of another cluster go with another call.
    assert counts["ecs:DescribeServices"] <= math.ceil(len(services) / 10) + 1, counts
    print(f"{sum(counts.values())} calls, {time.monotonic() - begun:.1f} s: {dict(counts)}")


def file_systems(lab, n):
    """File systems tagged by hand, each with two mount targets. [(ARN, ids)]"""
    found = []
    for i in range(n):
        system = lab.aws.efs.create_file_system(CreationToken=f"f{i}", Tags=own(f"s{i}"))
        found.append((system["FileSystemArn"], sorted(
            lab.aws.efs.create_mount_target(FileSystemId=system["FileSystemId"], SubnetId=subnet,
                                            SecurityGroups=[lab.account.cluster_group])["MountTargetId"]
            for subnet in lab.account.subnets)))
    return found


def of_file_systems(request):
    return "MountTargetId=" not in request.query


@pytest.mark.limit(90)
def test_file_systems_cost_one_call_and_in_rounds_one_more_each(lab):
    made = file_systems(lab, 6)
    mount = lab.mount()
    assert mount.sh("ls -R . && find resources").returncode == 0
    assert sum(described(lab).values()) == 0
    for arn, _ in made:
        assert "MountTargets" not in properties(mount, arn)
    assert described(lab) == {"elasticfilesystem:DescribeFileSystems": 1}
    mount.stop()
    kind = ("resources", "elasticfilesystem", "mount-target")
    # rounds: one call for the list, one for each that has mount targets (the account has one more file system)
    before = described(lab)
    asked = lab.proxy.count("elasticfilesystem:DescribeMountTargets", of_file_systems)
    rule = lab.proxy.rule("elasticfilesystem:DescribeMountTargets", where=of_file_systems, skip=1, times=1, delay=5)
    second = lab.mount(describe=900)
    wait_until(lambda: rule.hits, 20 * SLOW, "the round", 0.1)
    begun = time.monotonic()
    assert properties(second, made[5][0])["FileSystemId"]   # who reads does not wait for the round
    assert time.monotonic() - begun < 4 * SLOW
    wait_until(lambda: second.exists(*kind) and len(second.ls(*kind)) == 2 * len(made) + 2, 40 * SLOW, "all", 0.2)
    counts = described(lab)
    assert counts["elasticfilesystem:DescribeFileSystems"] - before["elasticfilesystem:DescribeFileSystems"] <= 2
    assert lab.proxy.count("elasticfilesystem:DescribeMountTargets", of_file_systems) - asked <= len(made) + 2
    assert all(properties(second, arn)["MountTargets"] == targets for arn, targets in made)
    assert sorted(second.ls(*kind, made[3][1][0])) == ["impact.tsv", "properties.json", "services"]


@pytest.mark.limit(60)
def test_who_reads_at_once_shares_a_call(lab):
    made = groups(lab, 40)
    mount = lab.mount()
    mount.ls("resources", "ec2", "security-group")
    lab.proxy.rule("ec2:DescribeSecurityGroups", delay=0.5)
    results = in_parallel([lambda arn=arn: properties(mount, arn)["GroupId"] for arn in made])
    assert results == [arn.rsplit("/", 1)[1] for arn in made]
    assert described(lab) == {"ec2:DescribeSecurityGroups": 1}


@pytest.mark.limit(60)
def test_stat_waits_and_names_do_not(lab):
    (arn,) = groups(lab, 1)
    mount = lab.mount()
    path = path_of(mount, arn)
    mount.ls("resources", "ec2", "security-group")
    rule = lab.proxy.rule("ec2:DescribeSecurityGroups", delay=30)
    reader = subprocess.Popen(["cat", path], stdout=subprocess.PIPE)
    lab.proxy.wait_for("ec2:DescribeSecurityGroups")
    begun = time.monotonic()
    assert "properties.json" in os.listdir(os.path.dirname(path))
    assert mount.sh("ls -R resources > /dev/null; find resources > /dev/null").returncode == 0
    assert time.monotonic() - begun < 5 * SLOW and reader.poll() is None
    reader.kill()
    reader.wait(5 * SLOW)
    lab.proxy.remove_rule(rule)


@pytest.mark.limit(60)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("program", [["stat"], ["cat"]])
def test_who_waits_can_be_stopped(lab, number, program):
    (arn,) = groups(lab, 1)
    mount = lab.mount()
    path = path_of(mount, arn)
    assert "properties.json" in os.listdir(os.path.dirname(path)) and not described(lab)
    ended = threading.Event()
    lab.proxy.rule("ec2:DescribeSecurityGroups", times=1, before=lambda _: ended.wait(30))
    reader = subprocess.Popen([*program, path], stdout=subprocess.PIPE)
    wait_until(lambda: described(lab) and waits_in_kernel(reader), 20 * SLOW, f"{program[0]} to wait", 0.02)
    reader.send_signal(number)
    assert reader.wait(2 * SLOW) == -number
    ended.set()
    # The call went on, and brought what the next one reads.
    assert properties(mount, arn)["Description"] == "number 0"
    assert described(lab) == {"ec2:DescribeSecurityGroups": 1}


# Time

@pytest.mark.limit(60)
def test_an_old_one_is_served_while_the_new_one_is_fetched(lab):
    (arn,) = groups(lab, 1)
    mount = lab.mount(refresh=1)
    path = path_of(mount, arn)
    first = os.stat(path)
    assert first.st_size == len(open(path, "rb").read())
    group = arn.rsplit("/", 1)[1]
    lab.aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[
        {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}])
    time.sleep(1.1)
    rule = lab.proxy.rule("ec2:DescribeSecurityGroups", delay=1)
    begun = time.monotonic()
    assert properties(mount, arn)["IpPermissions"] == [] and time.monotonic() - begun < 0.8 * SLOW
    lab.proxy.remove_rule(rule)
    wait_until(lambda: properties(mount, arn)["IpPermissions"] != [], 20 * SLOW, "the new one", 0.2)
    second = os.stat(path)
    assert second.st_size == len(open(path, "rb").read()) != first.st_size and second.st_mtime_ns > first.st_mtime_ns
    assert second.st_ino == first.st_ino


@pytest.mark.limit(60)
def test_what_did_not_change_is_not_told(lab):
    (arn,) = groups(lab, 1)
    mount = lab.mount(refresh=1)
    properties(mount, arn)
    before = os.stat(path_of(mount, arn))

    def told():
        lines = mount.read(".svcfs", "metrics").splitlines()
        return [line for line in lines if line.startswith('svcfs_fuse_notifications_total{kind="inval_inode"}')]
    notifications = told()
    time.sleep(1.1)
    properties(mount, arn)
    wait_until(lambda: described(lab)["ec2:DescribeSecurityGroups"] >= 2, 10 * SLOW, "a second look", 0.1)
    time.sleep(0.3)
    after = os.stat(path_of(mount, arn))
    assert told() == notifications and after.st_mtime_ns == before.st_mtime_ns


# What goes wrong

@pytest.mark.limit(60)
def test_one_that_is_gone_hides_no_other(lab):
    made = [lab.aws.elbv2.create_target_group(Name=f"g{i}", Protocol="HTTP", Port=80, VpcId=lab.account.vpc, TargetType="ip",
            Tags=own(f"s{i}"))["TargetGroups"][0]["TargetGroupArn"] for i in range(12)]
    more = groups(lab, 12)
    mount = lab.mount(refresh=3600)
    mount.ls("resources", "elasticloadbalancing", "targetgroup")
    lab.aws.elbv2.delete_target_group(TargetGroupArn=made[5])
    lab.aws.ec2.delete_security_group(GroupId=more[5].rsplit("/", 1)[1])
    for arns in (made, more):
        answers = {}
        for arn in arns:
            answers[arn] = open_errno(path_of(mount, arn))
        assert {a: e for a, e in answers.items() if e} == {arns[5]: errno.ENOENT}
    counts = described(lab)
    assert counts["ec2:DescribeSecurityGroups"] == 1 and counts["elasticloadbalancing:DescribeTargetGroups"] <= 1 + 2 * 5


@pytest.mark.limit(60)
@pytest.mark.parametrize("error, number", [
    ((403, "UnauthorizedOperation", "You are not authorized to perform this operation."), errno.EACCES),
    ((503, "RequestLimitExceeded", "Request limit exceeded."), errno.EAGAIN),
    ((500, "InternalError", "An internal error has occurred"), errno.EREMOTEIO),
])
def test_errors_are_told_and_pass(lab, error, number):
    (arn,) = groups(lab, 1)
    mount = lab.mount()
    path = path_of(mount, arn)
    rule = lab.proxy.rule("ec2:DescribeSecurityGroups", error=error)
    assert mount.errno_of("stat", path, timeout=40) == number
    assert open_errno(path) == number
    assert error[1] in mount.read(".svcfs", "errors")
    assert mount.sh("ls -R resources && find resources > /dev/null").returncode == 0
    calls = described(lab)["ec2:DescribeSecurityGroups"]
    assert calls <= 3, "who asks a second time soon is answered from memory"
    lab.proxy.remove_rule(rule)
    wait_until(lambda: open_errno(path) == 0, 30 * SLOW, "it to pass", 0.5)
    assert properties(mount, arn)["GroupId"] == arn.rsplit("/", 1)[1]


# Behind the sweeps

def groups_asked_for(lab, *some):
    """The ids in each of the daemon's calls that asks for any of these (none given: in all)."""
    calls = [set(re.findall(r"sg-\w+", r.request.body.decode())) for r in lab.proxy.seen("ec2:DescribeSecurityGroups")
             if not lab._is_the_tests(r.request)]
    wanted = {arn.rsplit("/", 1)[1] for arn in some}
    return [ids for ids in calls if ids & wanted or not some]


@pytest.mark.limit(90)
def test_rounds_describe_everything_in_batches(lab):
    made = groups(lab, 210)
    mount = lab.mount(describe=900, refresh=3600)
    wait_until(lambda: (lambda t: t[0] == t[2] and int(t[0]) >= len(made))(mount.freshness()["described"].split()), 60 * SLOW,
               "a round", 0.2)
    # what is only used comes to light with the first round, and has calls of its own
    calls = math.ceil((len(made) + 3) / 200)
    assert len(groups_asked_for(lab, *made)) == calls
    assert mount.freshness()["describe-error"] == "-"
    for arn in made:
        properties(mount, arn)
    assert len(groups_asked_for(lab, *made)) == calls
    (new,) = groups(lab, 1, first=500)
    mount.refresh()
    wait_until(lambda: groups_asked_for(lab, new), 20 * SLOW, "the new one", 0.1)
    assert len(groups_asked_for(lab, new)) == 1 and len(groups_asked_for(lab, *made)) == calls
    assert properties(mount, new)["Description"] == "number 500"


@pytest.mark.limit(90)
def test_rounds_tell_what_they_may_not_see(lab):
    groups(lab, 3)
    lab.proxy.rule("ec2:DescribeSecurityGroups", error=(403, "UnauthorizedOperation", "no"))
    mount = lab.mount(describe=900)
    wait_until(lambda: "UnauthorizedOperation" in mount.freshness()["describe-error"], 30 * SLOW, "the error", 0.2)
    wait_until(lambda: (lambda t: t[0] == t[2])(mount.freshness()["described"].split()), 60 * SLOW, "a round", 0.2)
    asked = groups_asked_for(lab)
    assert len(set.union(*asked)) == sum(map(len, asked))   # none twice
