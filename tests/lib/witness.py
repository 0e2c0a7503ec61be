"""What a provisioned service must consist of, looked up with boto3 and SQL."""
import errno
import json
import re

import pymysql
import pytest

from .account import FAMILY, SHARED
from .inventory import added

MODE, CLAIM = "management-mode", "svcfs:claim"


def record_of(lab, service):
    return json.loads(lab.aws.ssm.get_parameter(Name="/svcfs/" + service)["Parameter"]["Value"])


def claim_of(lab, service):
    """The claim, from the tags of the record."""
    tags = lab.aws.ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="/svcfs/" + service)["TagList"]
    return {t["Key"]: t["Value"] for t in tags}[CLAIM]


def check_service(lab, service, family=FAMILY, now=None):
    """Asserts that the service is there, whole and single. Gives what belongs to it: {kind: {key: description}}."""
    now = now or lab.inventory()
    claim = claim_of(lab, service)
    assert re.fullmatch("[0-9a-z]{26}", claim)
    expected_tags = {"service-id": service, "service-family": family, MODE: "automatic", CLAIM: claim}
    own = {kind: {k: v for k, v in things.items() if isinstance(v, dict) and v.get("tags", {}).get(CLAIM) == claim}
           for kind, things in now.items() if isinstance(things, dict)}
    for kind, things in own.items():
        for key, thing in things.items():
            for name, value in expected_tags.items():
                assert thing["tags"].get(name) == value, f"{kind} {key}: tag {name}"
    _record(lab, service, claim, now)
    secret = _secret(own)
    target = _target_group(lab, own)
    _rule(lab, own, service, target, now)
    _database(lab, service, claim, secret)
    point = _files(lab, own, now, family, service, claim)
    definition = _task_definition(lab, own, secret, point, service)
    _ecs_service(lab, own, definition, target)
    _groups(own, now, family, service)
    counts = {kind: len(things) for kind, things in own.items() if things}
    expected = {"secrets": 1, "target groups": 1, "rules": 1, "access points": 1, "task definitions": 1, "services": 1,
                "groups": 1}
    if family == FAMILY:
        expected |= {"security groups": 1, "file systems": 1}
    assert counts == expected
    return own


def _only(own, kind):
    assert len(own[kind]) == 1, f"{kind}: {sorted(own[kind])}"
    return next(iter(own[kind].items()))


def _record(lab, service, claim, now):
    assert "/svcfs/" + service in now["parameters"]
    text = now["parameters"]["/svcfs/" + service]
    assert claim in text and len(text.encode()) <= 4000 and "{{" not in text
    tags = {t["Key"]: t["Value"] for t in lab.aws.ssm.list_tags_for_resource(
        ResourceType="Parameter", ResourceId="/svcfs/" + service)["TagList"]}
    assert tags["svcfs:phase"] == "ready" and tags["service-id"] == service and tags[MODE] == "automatic"
    for name in now["parameters"]:
        if name.startswith(f"/svcfs/{service}/"):
            assert name.startswith(f"/svcfs/{service}/{claim}/"), name


def _secret(own):
    name, secret = _only(own, "secrets")
    value = json.loads(secret["value"])
    assert len(value["password"]) >= 20
    return {"name": name, "arn": secret["arn"], "password": value["password"]}


def _target_group(lab, own):
    arn, group = _only(own, "target groups")
    assert (group["type"], group["port"], group["vpc"]) == ("ip", 80, lab.account.vpc)
    assert len(group["name"]) <= 32
    attributes = {a["Key"]: a["Value"] for a in lab.aws.elbv2.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]}
    assert attributes["deregistration_delay.timeout_seconds"] == "15"
    return arn


def _rule(lab, own, service, target, now):
    arn, rule = _only(own, "rules")
    assert rule["hosts"] == [service + ".ou.example.edu"] and rule["targets"] == [target]
    assert rule["listener"] in lab.account.listeners
    same = [a for a, r in now["rules"].items() if r["listener"] == rule["listener"] and r["priority"] == rule["priority"]]
    assert same == [arn], "a priority of its own"
    assert not [a for a, r in now["rules"].items() if a != arn and rule["hosts"][0] in r["hosts"]]


def _database(lab, service, claim, secret):
    assert service in lab.db.databases() and service in lab.db.users()
    comment = lab.db.query("SELECT SCHEMA_COMMENT FROM information_schema.SCHEMATA WHERE SCHEMA_NAME=%s", service)[0][0]
    assert comment == f"svcfs:claim={claim}"
    login = dict(user=service, password=secret["password"])
    lab.db.query("CREATE TABLE witness (x INT)", database=service, **login)
    lab.db.query("DROP TABLE witness", database=service, **login)
    visible = {row[0] for row in lab.db.query("SHOW DATABASES", **login)}
    assert visible == {service, "information_schema"}
    for other in sorted(lab.db.databases() - {service}) + ["mysql"]:
        with pytest.raises(pymysql.err.MySQLError):
            lab.db.query("SELECT 1", database=other, **login)
    with pytest.raises(pymysql.err.MySQLError):
        lab.db.query("CREATE DATABASE elsewhere", **login)
    assert secret["password"] not in lab.db.statements(), "no statement log holds a password"


def _files(lab, own, now, family, service, claim):
    identifier, point = _only(own, "access points")
    assert (point["user"]["Uid"], point["user"]["Gid"]) == (33, 33)
    if family == SHARED:
        assert point["system"] == lab.account.file_system
        assert point["root"]["Path"] == f"/wp/{service}-{claim}"
        return {"point": identifier, "system": point["system"]}
    system, description = _only(own, "file systems")
    assert point["system"] == system and description["encrypted"]
    group, rules = _only(own, "security groups")
    assert rules["vpc"] == lab.account.vpc
    (permission,) = rules["ingress"]
    assert (permission["IpProtocol"], permission["FromPort"], permission["ToPort"]) == ("tcp", 2049, 2049)
    assert [p["GroupId"] for p in permission["UserIdGroupPairs"]] == [lab.account.cluster_group]
    assert not permission["IpRanges"] and not permission["Ipv6Ranges"] and not permission["PrefixListIds"]
    targets = [t for t in now["mount targets"].values() if t["system"] == system]
    assert sorted(t["subnet"] for t in targets) == sorted(lab.account.subnets)
    assert all(t["groups"] == [group] for t in targets)
    return {"point": identifier, "system": system}


def _task_definition(lab, own, secret, files, service):
    arn, item = _only(own, "task definitions")
    (container,) = item["definition"]["containerDefinitions"]
    assert container["image"] == lab.account.image
    assert {"name": "WORDPRESS_DB_PASSWORD", "valueFrom": secret["arn"] + ":password::"} in container["secrets"]
    environment = {e["name"]: e["value"] for e in container["environment"]}
    assert environment == {"WORDPRESS_DB_HOST": f"127.0.0.1:{lab.db.port}", "WORDPRESS_DB_NAME": service,
                           "WORDPRESS_DB_USER": service}
    assert container["mountPoints"] == [{"sourceVolume": "uploads", "readOnly": False,
                                         "containerPath": "/var/www/html/wp-content/uploads"}]
    (volume,) = item["definition"]["volumes"]
    efs = volume["efsVolumeConfiguration"]
    assert efs["fileSystemId"] == files["system"] and efs["transitEncryption"] == "ENABLED"
    assert efs["authorizationConfig"] == {"accessPointId": files["point"], "iam": "ENABLED"}
    assert secret["password"] not in json.dumps(item["definition"])
    return arn


def _ecs_service(lab, own, definition, target):
    _, item = _only(own, "services")
    assert item["definition"] == definition and item["desired"] == 1
    assert [(b["targetGroupArn"], b["containerName"], b["containerPort"]) for b in item["balancers"]] == \
        [(target, "wordpress", 80)]
    network = item["network"]["awsvpcConfiguration"]
    assert sorted(network["subnets"]) == sorted(lab.account.subnets)


def _groups(own, now, family, service):
    name, group = _only(own, "groups")
    assert re.match(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$", name) and name == f"{family}.{service}"
    assert service in group["query"]
    of_family = now["groups"][family]
    assert of_family["tags"][MODE] == "automatic" and of_family["tags"]["service-family"] == family
    assert CLAIM not in of_family["tags"]


def nothing_made(lab):
    """What is in the account and was not there at first: {kind: [keys]}."""
    return added(lab.before, lab.inventory())


def fails(mount, service, family=FAMILY):
    """mkdir, waits, and gives the lines of `error` as a dict."""
    mount.mkdir(family, service)
    with pytest.raises(OSError) as error:
        mount.wait(family, service)
    assert error.value.errno == errno.ECANCELED
    assert mount.status(family, service) == "failed"
    return error_lines(mount, service, family)


def error_lines(mount, service, family=FAMILY):
    text = mount.read("families", family, service, "error")
    lines = dict(line.split(": ", 1) if ": " in line else (line.rstrip(":"), "") for line in text.splitlines())
    assert set(lines) <= {"step", "call", "code", "request-id", "message", "next"}
    return lines
