"""What somebody made by hand under our names is never adopted, changed or deleted."""
import json
import os

import pymysql
import pytest

from tests.lib.account import FAMILY
from tests.lib.aws import tags
from tests.lib.inventory import difference, parameters
from tests.lib.process import wait_until
from tests.lib.witness import check_service, claim_of, fails


def make_target_group(lab, request):
    p = request.params
    settings = dict(Name=p["Name"], Protocol=p["Protocol"], Port=int(p["Port"]), VpcId=p["VpcId"],
                    TargetType=p["TargetType"], HealthCheckPath=p["HealthCheckPath"])
    lab.aws.elbv2.create_target_group(**settings)


def make_security_group(lab, request):
    lab.aws.ec2.create_security_group(GroupName=request.params["GroupName"], Description="by hand",
                                      VpcId=request.params["VpcId"])


def make_secret(lab, request):
    lab.aws.secretsmanager.create_secret(Name=request.params["Name"], SecretString='{"password": "theirs"}')


def make_ecs_service(lab, request):
    lab.aws.ecs.create_service(cluster=request.params["cluster"], serviceName=request.params["serviceName"],
                               taskDefinition="shop", desiredCount=1)


def make_rule(lab, request):
    lab.aws.elbv2.create_rule(
        ListenerArn=lab.account.listeners[1], Priority=9,
        Conditions=[{"Field": "host-header", "HostHeaderConfig": {"Values": ["site1.ou.example.edu"]}}],
        Actions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}])


def make_database(lab, request):
    lab.db.query("CREATE DATABASE site1")
    lab.db.query("CREATE TABLE site1.posts (x INT)")


def make_user(lab, request):
    lab.db.query("CREATE USER 'site1'@'%' IDENTIFIED BY 'theirs'")


# Names that hold the claim are known only when the request comes: the stranger is a moment faster.
STRANGERS = [
    ("elasticloadbalancing:CreateTargetGroup", make_target_group, "TargetGroup"),
    ("ec2:CreateSecurityGroup", make_security_group, "FileSystemSecurityGroup"),
    ("secretsmanager:CreateSecret", make_secret, "Secret"),
    ("ecs:CreateService", make_ecs_service, "Service"),
    ("elasticloadbalancing:CreateTargetGroup", make_rule, "ListenerRule"),
    (None, make_database, "Database"),
    (None, make_user, "DatabaseUser"),
]


@pytest.mark.limit(180)
@pytest.mark.parametrize("operation, make, step", STRANGERS, ids=[s[1].__name__[5:] for s in STRANGERS])
def test_stranger_under_our_name(lab, mount, operation, make, step):
    theirs = {}

    def first(request):
        make(lab, request)
        theirs.update(lab.inventory())
    if operation:
        lab.proxy.rule(operation, times=1, before=first)
    else:
        first(None)
    lines = fails(mount, "site1")
    assert lines["step"] == step
    assert "exists, not ours" in lines["message"]
    strangers = own_of_strangers(lab, theirs)
    assert strangers, "the stranger was made"
    assert strangers_intact(lab, strangers)
    mount.tear_down(FAMILY, "site1")
    assert strangers_intact(lab, strangers)
    # What stands beneath the record goes right after it.
    wait_until(lambda: len(difference(lab.before, lab.inventory())) == len(strangers), 20, "ours to be gone", 0.2)
    if make is make_user:
        assert lab.db.query("SELECT 1", user="site1", password="theirs") == ((1,),)


def own_of_strangers(lab, snapshot):
    """What the snapshot, taken right after the stranger came, has more than the account at first, but for ours."""
    found = []
    for kind, things in snapshot.items():
        for key in things:
            if key in lab.before[kind] or kind == "parameters":
                continue
            thing = things[key] if isinstance(things, dict) else None
            if isinstance(thing, dict) and "svcfs:claim" in thing.get("tags", {}):
                continue
            if kind in ("mount targets", "groups"):
                continue
            if kind in ("databases", "users") and not is_theirs(lab, kind):
                continue
            found.append((kind, key, thing))
    return found


def is_theirs(lab, kind):
    if kind == "databases":
        comment = lab.db.query("SELECT SCHEMA_COMMENT FROM information_schema.SCHEMATA WHERE SCHEMA_NAME='site1'")
        return not comment or "svcfs:claim" not in comment[0][0]
    try:
        lab.db.query("SELECT 1", user="site1", password="theirs")
        return True
    except pymysql.err.OperationalError:
        return False


def strangers_intact(lab, strangers):
    now = lab.inventory()
    for kind, key, thing in strangers:
        assert key in now[kind], f"{kind}: {key} is gone"
        if thing is not None:
            assert now[kind][key] == thing, f"{kind}: {key} was changed"
    return True


@pytest.mark.limit(180)
def test_a_copied_claim_tag_deletes_nobody(lab, mount):
    mount.provision(FAMILY, "site1")
    check_service(lab, "site1")
    copied = tags(service_id="site1", service_family=FAMILY, management_mode="automatic") + \
        [{"Key": "svcfs:claim", "Value": claim_of(lab, "site1")}]
    group = lab.aws.ec2.create_security_group(GroupName="copy", Description="x", VpcId=lab.account.vpc, TagSpecifications=[
        {"ResourceType": "security-group", "Tags": copied}])["GroupId"]
    target = lab.aws.elbv2.create_target_group(Name="copy", Protocol="HTTP", Port=80, VpcId=lab.account.vpc, TargetType="ip",
                                               Tags=copied)["TargetGroups"][0]["TargetGroupArn"]
    lab.aws.secretsmanager.create_secret(Name="copy", SecretString="1", Tags=copied)
    system = lab.aws.efs.create_file_system(CreationToken="backup", Tags=copied)["FileSystemId"]
    mount.refresh()
    mount.rmdir(FAMILY, "site1")
    wait_until(lambda: not parameters(lab.aws), 120, "the record to go", 0.3)
    left = difference(lab.before, lab.inventory())
    assert sorted(line.split(": ")[-1] for line in left) == sorted([group, target, "copy", system]), left


@pytest.mark.limit(180)
def test_a_namesake_resource_group_is_left_alone(lab, mount):
    lab.aws.resource_groups.create_group(Name=f"{FAMILY}.site1", Tags={"by": "hand"}, ResourceQuery={
        "Type": "TAG_FILTERS_1_0", "Query": json.dumps({"ResourceTypeFilters": ["AWS::AllSupported"], "TagFilters": [{"Key": "x", "Values": ["y"]}]})})
    before = lab.inventory()["groups"][f"{FAMILY}.site1"]
    assert mount.provision(FAMILY, "site1") == "ready", "a group is no reason to fail"
    mount.tear_down(FAMILY, "site1")
    assert lab.inventory()["groups"][f"{FAMILY}.site1"] == before


@pytest.mark.limit(180)
def test_an_id_that_somebody_tagged_by_hand(lab, mount):
    lab.aws.ec2.create_security_group(GroupName="x", Description="x", VpcId=lab.account.vpc, TagSpecifications=[
        {"ResourceType": "security-group", "Tags": tags(service_id="site1", service_family="other")}])
    mount.refresh()
    with pytest.raises(FileExistsError):
        os.mkdir(mount.at("families", FAMILY, "site1"))
