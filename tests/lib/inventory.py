"""All that stands in the account and on the database server, as one value: two of them compare exactly.

Asked of moto with boto3 and of MariaDB with SQL, never of svcfs. What AWS keeps of deleted things (INACTIVE
services and task definitions) is left out.
"""
import botocore.exceptions

from .account import rules as listener_rules


def _has_gone(error):
    """What moto says of a thing that went between listing and describing it; of a resource group's tags, 500."""
    code = error.response["Error"]["Code"]
    return "NotFound" in code or "Unable to describe" in str(error) or (code == "500" and error.operation_name == "GetTags")


def inventory(aws, db):
    """Begins anew when something goes meanwhile."""
    for _ in range(20):
        try:
            return _look(aws, db)
        except botocore.exceptions.ClientError as error:
            if not _has_gone(error):
                raise
    raise RuntimeError("the account does not stand still")


def _look(aws, db):
    return {
        "parameters": parameters(aws), "secrets": _secrets(aws), "security groups": _security_groups(aws),
        **_files(aws), "target groups": _target_groups(aws), "rules": _rules(aws),
        "task definitions": _task_definitions(aws), "services": _services(aws), "groups": _groups(aws),
        "databases": sorted(db.databases()), "users": sorted(db.users()),
    }


def added(before, after):
    """What is in after and not in before: {kind: [keys]}."""
    result = {}
    for kind, now in after.items():
        new = sorted(k for k in now if k not in before[kind])
        if new:
            result[kind] = new
    return result


def difference(before, after):
    """Lines that say what changed, in either direction; empty: nothing did."""
    lines = []
    for kind, now in after.items():
        then = before[kind]
        for key in sorted(set(then) | set(now)):
            if key not in now:
                lines.append(f"{kind}: gone: {key}")
            elif key not in then:
                lines.append(f"{kind}: new: {key}")
            elif isinstance(now, dict) and now[key] != then[key]:
                lines.append(f"{kind}: changed: {key}: {then[key]} -> {now[key]}")
    return lines


def tag_dict(tags):
    return {t.get("Key", t.get("key")): t.get("Value", t.get("value")) for t in tags or []}


def parameters(aws):
    pages = aws.ssm.get_paginator("get_parameters_by_path").paginate(Path="/", Recursive=True)
    return {p["Name"]: p["Value"] for page in pages for p in page["Parameters"]}


def _secrets(aws):
    pages = aws.secretsmanager.get_paginator("list_secrets").paginate()
    return {s["Name"]: {"arn": s["ARN"], "tags": tag_dict(s.get("Tags")),
                        "value": aws.secretsmanager.get_secret_value(SecretId=s["ARN"])["SecretString"]}
            for page in pages for s in page["SecretList"] if not s.get("DeletedDate")}


def _security_groups(aws):
    return {g["GroupId"]: {"name": g["GroupName"], "vpc": g["VpcId"], "tags": tag_dict(g.get("Tags")),
                           "ingress": g["IpPermissions"], "egress": g["IpPermissionsEgress"]}
            for g in aws.ec2.describe_security_groups()["SecurityGroups"]}


def _files(aws):
    systems, targets, points = {}, {}, {}
    for page in aws.efs.get_paginator("describe_file_systems").paginate():
        for f in page["FileSystems"]:
            systems[f["FileSystemId"]] = {"token": f["CreationToken"], "tags": tag_dict(f.get("Tags")),
                                          "encrypted": f.get("Encrypted")}
    for system in systems:
        for t in aws.efs.describe_mount_targets(FileSystemId=system)["MountTargets"]:
            groups = aws.efs.describe_mount_target_security_groups(MountTargetId=t["MountTargetId"])
            targets[t["MountTargetId"]] = {"system": system, "subnet": t["SubnetId"], "groups": groups["SecurityGroups"]}
    for a in aws.efs.describe_access_points()["AccessPoints"]:
        points[a["AccessPointId"]] = {"system": a["FileSystemId"], "tags": tag_dict(a.get("Tags")), "token": a["ClientToken"],
                                      "user": a.get("PosixUser"), "root": a.get("RootDirectory")}
    return {"file systems": systems, "mount targets": targets, "access points": points}


def _target_groups(aws):
    found = {}
    for page in aws.elbv2.get_paginator("describe_target_groups").paginate():
        for g in page["TargetGroups"]:
            arn = g["TargetGroupArn"]
            tags = aws.elbv2.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"]
            found[arn] = {"name": g["TargetGroupName"], "vpc": g.get("VpcId"), "type": g.get("TargetType"),
                          "port": g.get("Port"), "tags": tag_dict(tags)}
    return found


def _rules(aws):
    found = {}
    tags = listener_rules(aws)
    for arn in tags:
        rule = aws.elbv2.describe_rules(RuleArns=[arn])["Rules"][0]
        hosts = [v for c in rule["Conditions"] if c["Field"] == "host-header"
                 for v in c.get("HostHeaderConfig", {}).get("Values") or c.get("Values", [])]
        found[arn] = {"listener": _listener_of(arn), "priority": rule["Priority"], "hosts": hosts,
                      "targets": [a.get("TargetGroupArn") or a["ForwardConfig"]["TargetGroups"][0]["TargetGroupArn"]
                                  for a in rule["Actions"] if a["Type"] == "forward"], "tags": tags[arn]}
    return found


def _listener_of(rule_arn):
    return rule_arn.replace(":listener-rule/", ":listener/").rsplit("/", 1)[0]


def _task_definitions(aws):
    found = {}
    for page in aws.ecs.get_paginator("list_task_definitions").paginate(status="ACTIVE"):
        for arn in page["taskDefinitionArns"]:
            described = aws.ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
            found[arn] = {"definition": described["taskDefinition"], "tags": tag_dict(described.get("tags"))}
    for item in found.values():
        item["definition"].pop("registeredAt", None)
    return found


def _services(aws):
    found = {}
    for cluster in aws.ecs.list_clusters()["clusterArns"]:
        arns = aws.ecs.list_services(cluster=cluster)["serviceArns"]
        for start in range(0, len(arns), 10):
            for s in aws.ecs.describe_services(cluster=cluster, services=arns[start:start + 10], include=["TAGS"])["services"]:
                if s["status"] != "ACTIVE":
                    continue
                found[s["serviceArn"]] = {
                    "name": s["serviceName"], "definition": s["taskDefinition"], "desired": s["desiredCount"],
                    "balancers": s["loadBalancers"], "tags": tag_dict(s.get("tags")),
                    "network": s.get("networkConfiguration")}
    return found


def _groups(aws):
    found = {}
    for g in aws.resource_groups.list_groups()["Groups"]:
        query = aws.resource_groups.get_group_query(GroupName=g["Name"])["GroupQuery"]["ResourceQuery"]
        found[g["Name"]] = {"query": query["Query"], "tags": aws.resource_groups.get_tags(Arn=g["GroupArn"])["Tags"]}
    return found
