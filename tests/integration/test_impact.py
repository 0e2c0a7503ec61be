"""Who breaks if I change this: what services/ and impact.tsv say, when they say it, and what the kernel is told."""
import json
import os
import re
import subprocess
import time

import pytest

from tests.lib.account import FAMILY
from tests.lib.aws import ecs_tags, tags
from tests.lib.lab import SLOW
from tests.lib.process import wait_until


def described(mount):
    """(done, of) of .svcfs/freshness."""
    words = mount.freshness()["described"].split()
    return int(words[0]), int(words[2])


def table(mount, directory):
    lines = mount.read(*directory, "impact.tsv").splitlines()
    assert lines[0] == "service\tfamily\tdistance\tpath"
    assert lines[1:] == sorted(lines[1:], key=str.encode)
    return [line.split("\t") for line in lines[1:]]


def services_of(mount, *resource):
    return set(mount.ls("resources", *resource, "services"))


def without_clocks(lab):
    """Takes away what has another description at each look: a database's restorable time, a file system's size."""
    lab.aws.rds.delete_db_instance(DBInstanceIdentifier=lab.account.rds, SkipFinalSnapshot=True)
    for target in lab.aws.efs.describe_mount_targets(FileSystemId=lab.account.file_system)["MountTargets"]:
        lab.aws.efs.delete_mount_target(MountTargetId=target["MountTargetId"])
    lab.aws.efs.delete_file_system(FileSystemId=lab.account.file_system)


@pytest.mark.limit(120)
def test_changes_are_told(lab):
    """What the kernel keeps is told, and nothing else."""
    without_clocks(lab)
    mount = lab.mount(refresh=1, describe=2)
    cluster = ("ecs", "cluster", lab.account.cluster)
    wait_until(lambda: mount.exists("resources", *cluster), 20 * SLOW, "the cluster", 0.1)
    assert services_of(mount, *cluster) == {"legacy1", "legacy2", "shop"}
    path = mount.at("resources", *cluster, "impact.tsv")
    assert len(open(path).read().splitlines()) == 4
    size = os.stat(path).st_size
    # nothing changes: nothing is told, whatever is swept and described again
    wait_until(lambda: described(mount)[0] == described(mount)[1], 20 * SLOW, "the descriptions", 0.1)
    look = "ls -lR . >/dev/null; cat graph.dot families/*/graph.dot families/*/*/graph.dot >/dev/null"
    for _ in range(3):
        assert mount.sh(look).returncode == 0
    lab.wait_quiet(0.5)
    before, sweeps = notifications(mount), lab.proxy.count("tagging:GetResources")
    assert sum(map(int, before.values())) > 0
    time.sleep(6)
    assert lab.proxy.count("tagging:GetResources") > sweeps and notifications(mount) == before
    # a service needs another one
    arn = next(a for a, t in lab.account.hand_made.items() if t["service-id"] == "shop" and ":security-group/" in a)
    legacy = next(a for a, t in lab.account.hand_made.items() if t["service-id"] == "legacy1" and ":security-group/" in a)
    own = ("ec2", "security-group", legacy.rsplit("/", 1)[1])
    assert services_of(mount, *own) == {"legacy1"}
    lab.aws.ec2.create_tags(Resources=[arn.rsplit("/", 1)[1]], Tags=tags(service_dependency="legacy1"))
    wait_until(lambda: services_of(mount, *own) == {"legacy1", "shop"}, 20 * SLOW, "the dependency", 0.1)
    assert " < legacy1 < shop\n" in mount.read("resources", *own, "impact.tsv")
    assert '"families/shops/shop" -> "families/wp-containers/legacy1"' in mount.read("families", FAMILY, "legacy1", "graph.dot")
    # a rule of a security group: known by its description alone
    lab.aws.ec2.authorize_security_group_ingress(GroupId=legacy.rsplit("/", 1)[1], IpPermissions=[
        {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [{"GroupId": lab.account.cluster_group}]}])
    wait_until(lambda: mount.exists("resources", "ec2", "security-group", lab.account.cluster_group), 20 * SLOW, "the rule", 0.1)
    shared = ("ec2", "security-group", lab.account.cluster_group)
    wait_until(lambda: services_of(mount, *shared) == {"legacy1", "shop"}, 20 * SLOW, "the rule", 0.1)
    lab.aws.ec2.revoke_security_group_ingress(GroupId=legacy.rsplit("/", 1)[1], IpPermissions=[
        {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [{"GroupId": lab.account.cluster_group}]}])
    wait_until(lambda: not mount.exists("resources", *shared), 20 * SLOW, "nobody uses it", 0.1)
    # a service goes
    for gone, gone_tags in lab.account.hand_made.items():
        if gone_tags["service-id"] == "legacy2":
            lab.through.tagging.untag_resources(ResourceARNList=[gone], TagKeys=["service-id", "service-family"])
    wait_until(lambda: services_of(mount, *cluster) == {"legacy1", "shop"}, 20 * SLOW, "the service to go", 0.1)
    assert os.stat(path).st_size < size and len(open(path).read().splitlines()) == 3


def notifications(mount):
    return {k: v for k, v in re.findall(r"^(svcfs_\S*notif\S*) (\d+)$", mount.read(".svcfs", "metrics"), re.M)}


@pytest.mark.limit(120)
def test_a_managed_service_and_its_database(lab):
    """The database's server is told by name, and so is the instance whose endpoint that is."""
    mount = lab.mount(refresh=1, describe=2)
    mount.mkdir(FAMILY, "n1abcdef")
    assert mount.wait(FAMILY, "n1abcdef") == "ready"
    instance = ("rds", "db", lab.account.rds)
    wait_until(lambda: services_of(mount, *instance) == {"n1abcdef"}, 30 * SLOW, "the instance", 0.1)
    path = dict((r[0], r[3]) for r in table(mount, ("resources", *instance)))["n1abcdef"]
    assert f"rds/db/{lab.account.rds} < mariadb/server/127.0.0.1:{lab.db.port} < mariadb/" in path
    # who mounts a file system goes through its mount targets, their interfaces, and the groups of those
    cluster_group = ("ec2", "security-group", lab.account.cluster_group)
    assert "n1abcdef" in services_of(mount, *cluster_group)
    (subnet, *_) = lab.account.subnets
    assert "n1abcdef" in services_of(mount, "ec2", "subnet", subnet)
    mount.rmdir(FAMILY, "n1abcdef")
    wait_until(lambda: not mount.exists("deleting", FAMILY, "n1abcdef"), 60 * SLOW, "the end", 0.2)
    wait_until(lambda: services_of(mount, *instance) == set(), 30 * SLOW, "nobody", 0.1)
    lab.check_restored()


@pytest.mark.limit(120)
def test_mount_targets_of_a_file_system_tagged_by_hand(lab):
    """No record names them, and they have no tags: their file system tells them. Who mounts it breaks with them."""
    aws, account = lab.aws, lab.account
    system = aws.efs.create_file_system(CreationToken="hand", Tags=tags(service_id="files", service_family="shops"))["FileSystemId"]
    groups = [aws.ec2.create_security_group(GroupName=f"mounts-{i}", Description="x", VpcId=account.vpc)["GroupId"] for i in range(2)]
    targets = [aws.efs.create_mount_target(FileSystemId=system, SubnetId=subnet, SecurityGroups=[group])["MountTargetId"]
               for subnet, group in zip(account.subnets, groups)]
    own = tags(service_id="reader", service_family="shops")
    aws.ecs.register_task_definition(
        family="reader", containerDefinitions=[{"name": "w", "image": "i", "memory": 64}],
        volumes=[{"name": "v", "efsVolumeConfiguration": {"fileSystemId": system}}],
        tags=ecs_tags(own))
    mount = lab.mount(refresh=1, describe=2)
    both = {"files", "reader"}
    for target, group in zip(targets, groups):
        directory = ("elasticfilesystem", "mount-target", target)
        wait_until(lambda: mount.exists("resources", "ec2", "security-group", group), 30 * SLOW, "the group", 0.1)
        wait_until(lambda: services_of(mount, "ec2", "security-group", group) == both, 30 * SLOW, "who mounts it", 0.1)
        assert services_of(mount, *directory) == both
        assert json.loads(mount.read("resources", *directory, "properties.json"))["FileSystemId"] == system
        assert sorted(mount.ls("resources", *directory)) == ["impact.tsv", "properties.json", "services"]
        paths = {r[0]: r[3] for r in table(mount, ("resources", "ec2", "security-group", group))}
        assert re.fullmatch(rf"ec2/security-group/{group} < ec2/network-interface/eni-\w+ < elasticfilesystem/mount-target/{target}"
                            rf" < elasticfilesystem/file-system/{system} < files", paths["files"])
        assert f" < elasticfilesystem/file-system/{system} < ecs/task-definition/reader:1 < reader" in paths["reader"]
    subnet = ("ec2", "subnet", account.subnets[0])
    assert both <= services_of(mount, *subnet)
    # one goes, and with it what it led to
    aws.efs.delete_mount_target(MountTargetId=targets[0])
    wait_until(lambda: not mount.exists("resources", "elasticfilesystem", "mount-target", targets[0]), 30 * SLOW, "its end", 0.1)
    wait_until(lambda: not mount.exists("resources", "ec2", "security-group", groups[0]), 30 * SLOW, "its group", 0.1)
    assert services_of(mount, "ec2", "security-group", groups[1]) == both


@pytest.mark.limit(120)
def test_a_refresh_brings_what_arns_tell(lab):
    """A cluster, a listener and its load balancer without a tag: known by their users' ARNs, as soon as the refresh is over."""
    aws, account = lab.aws, lab.account
    mount = lab.mount(refresh=3600)
    mount.refresh()
    for number in range(3):     # a refresh that returns too early may be lucky once
        own = tags(service_id=f"far{number}", service_family="shops")
        aws.ecs.create_cluster(clusterName=f"far{number}")
        aws.ecs.create_service(cluster=f"far{number}", serviceName="web", taskDefinition="shop", desiredCount=0,
                               tags=ecs_tags(own))
        balancer = aws.elbv2.create_load_balancer(Name=f"far{number}", Subnets=account.subnets)["LoadBalancers"][0]
        listener = aws.elbv2.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=[
                {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}])["Listeners"][0]
        aws.elbv2.create_rule(ListenerArn=listener["ListenerArn"], Priority=1, Tags=own,
                              Conditions=[{"Field": "path-pattern", "Values": ["/far"]}],
                              Actions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}])
        mount.refresh()
        balancers = mount.ls("resources", "elasticloadbalancing", "loadbalancer")
        assert services_of(mount, "ecs", "cluster", f"far{number}") == {f"far{number}"}
        assert any(f"far{number}" in name for name in balancers), balancers
        assert any(f"far{number}" in name for name in mount.ls("resources", "elasticloadbalancing", "listener"))


@pytest.mark.limit(120)
def test_the_whole_answer_is_waited_for(lab):
    """impact.tsv waits for the first round; services/ does not; a signal ends the wait."""
    stalled = lab.proxy.rule("ecs:DescribeServices", stall=True)
    mount = lab.mount(refresh=3600, describe=3600)
    cluster = ("resources", "ecs", "cluster", lab.account.cluster)
    wait_until(lambda: mount.exists(*cluster), 20 * SLOW, "the cluster", 0.1)
    assert mount.ls(*cluster, "services") == ["legacy1", "legacy2", "shop"]
    reader = subprocess.Popen(["cat", mount.at(*cluster, "impact.tsv")], stdout=subprocess.PIPE)
    with pytest.raises(subprocess.TimeoutExpired):
        reader.wait(2)
    reader.terminate()
    assert reader.wait(5 * SLOW) != 0
    reader = subprocess.Popen(["cat", mount.at(*cluster, "impact.tsv")], stdout=subprocess.PIPE, text=True)
    lab.proxy.remove_rule(stalled)
    assert len(reader.communicate(timeout=60 * SLOW)[0].splitlines()) == 4
