"""The laboratory itself: what the proxy counts, breaks and corrects, seen with boto3."""
import json
import socket
import threading
import time

import botocore.exceptions
import botocore.parsers
import pytest

from tests.lib import signing
from tests.lib.account import FAMILY, SHARED
from tests.lib.aws import tags
from tests.lib.inventory import added, difference


def code_of(error):
    return error.value.response["Error"]["Code"]


def refused(*exceptions):
    return pytest.raises(exceptions or botocore.exceptions.ClientError)


def test_account_has_three_services_in_two_families(lab):
    found = lab.through.tagged(service_family=FAMILY)
    assert {t["service-id"] for t in found.values() if "service-id" in t} == {"legacy1", "legacy2"}
    assert any(":listener-rule/" in arn for arn in found), "the proxy adds rules to the index"
    assert {t["service-id"] for t in lab.through.tagged(service_family="shops").values()} == {"shop"}
    assert lab.through.tagged(service_family=SHARED)


def test_index_pages_and_ends_with_an_empty_token(lab):
    first = lab.through.tagging.get_resources(ResourcesPerPage=5)
    assert len(first["ResourceTagMappingList"]) == 5 and first["PaginationToken"]
    arns, token = [r["ResourceARN"] for r in first["ResourceTagMappingList"]], first["PaginationToken"]
    while token:
        page = lab.through.tagging.get_resources(ResourcesPerPage=5, PaginationToken=token)
        arns += [r["ResourceARN"] for r in page["ResourceTagMappingList"]]
        token = page["PaginationToken"]
    assert token == "" and len(arns) == len(set(arns)) > 10
    with refused() as error:
        lab.through.tagging.get_resources(PaginationToken="no-such:0")
    assert code_of(error) == "PaginationTokenExpiredException"


def test_group_members_come_from_the_stored_query(lab):
    members = lab.through.resource_groups.list_group_resources(Group="old-sites")["Resources"]
    assert {m["Identifier"]["ResourceArn"] for m in members} == set(lab.through.tagged(service_family=FAMILY))
    assert lab.through.resource_groups.get_group(Group="old-sites")["Group"]["Name"] == "old-sites"
    with refused() as error:
        lab.through.resource_groups.get_group(Group="none")
    assert code_of(error) == "NotFoundException"


def test_index_lags_when_told(lab):
    lab.proxy.corrections.index.prime(lab.aws.region)
    lab.proxy.config.change({"tag_lag_add": 1.0, "tag_lag_remove": 1.0})
    group = lab.aws.ec2.create_security_group(
        GroupName="lag", Description="x", VpcId=lab.account.vpc,
        TagSpecifications=[{"ResourceType": "security-group", "Tags": tags(service_id="lag")}])["GroupId"]
    assert not lab.through.tagged(service_id="lag")
    end = time.monotonic() + 20
    while not lab.through.tagged(service_id="lag"):
        assert time.monotonic() < end
    lab.aws.ec2.delete_security_group(GroupId=group)
    assert lab.through.tagged(service_id="lag"), "a ghost"
    while lab.through.tagged(service_id="lag"):
        assert time.monotonic() < end


def test_ecs_service_takes_its_time_and_drains(lab):
    a, ecs = lab.account, lab.through.ecs
    made = dict(cluster=a.cluster, serviceName="s1", taskDefinition="shop", desiredCount=1, clientToken="t" * 32)
    ecs.create_service(**made)
    ecs.create_service(**made)  # the same token: the same service
    with refused() as error:
        ecs.create_service(**{**made, "clientToken": "u" * 32})
    assert code_of(error) == "InvalidParameterException" and "not idempotent" in str(error.value)

    def look():
        return ecs.describe_services(cluster=a.cluster, services=["s1"])["services"][0]
    first, second = look(), look()
    assert (first["runningCount"], first["deployments"][0]["rolloutState"]) == (0, "IN_PROGRESS")
    assert (second["runningCount"], second["deployments"][0]["rolloutState"]) == (1, "COMPLETED")
    ecs.delete_service(cluster=a.cluster, service="s1", force=True)
    with refused() as error:
        ecs.create_service(**made)
    assert "Draining" in str(error.value)
    assert [look()["status"], look()["status"]] == ["DRAINING", "INACTIVE"]
    assert not any(arn.endswith("/s1") for arn in lab.through.tagged())
    assert not any(arn.endswith("/s1") for arn in ecs.list_services(cluster=a.cluster)["serviceArns"])


def test_failed_deployment_tells_why(lab):
    lab.proxy.config.failing_services["bad"] = "CannotPullContainerError: no such image"
    ecs, a = lab.through.ecs, lab.account
    ecs.create_service(cluster=a.cluster, serviceName="bad", taskDefinition="shop", desiredCount=1)
    shown = ecs.describe_services(cluster=a.cluster, services=["bad"])["services"][0]
    assert shown["deployments"][0]["rolloutState"] == "FAILED"
    tasks = ecs.list_tasks(cluster=a.cluster, serviceName="bad", desiredStatus="STOPPED")["taskArns"]
    assert "CannotPull" in ecs.describe_tasks(cluster=a.cluster, tasks=tasks)["tasks"][0]["stoppedReason"]


def test_efs_states_and_idempotency(lab):
    efs = lab.through.efs
    system = efs.create_file_system(CreationToken="c1")
    assert system["LifeCycleState"] == "creating"
    with refused() as error:
        efs.create_mount_target(FileSystemId=system["FileSystemId"], SubnetId=lab.account.subnets[0])
    assert code_of(error) == "IncorrectFileSystemLifeCycleState"
    with pytest.raises(efs.exceptions.FileSystemAlreadyExists) as error:
        efs.create_file_system(CreationToken="c1")
    assert error.value.response["FileSystemId"] == system["FileSystemId"]
    states = [efs.describe_file_systems(CreationToken="c1")["FileSystems"][0]["LifeCycleState"] for _ in range(2)]
    assert states == ["creating", "available"]
    target = efs.create_mount_target(FileSystemId=system["FileSystemId"], SubnetId=lab.account.subnets[0])["MountTargetId"]
    point = efs.create_access_point(ClientToken="p1", FileSystemId=system["FileSystemId"], Tags=tags(x="y"))
    with pytest.raises(efs.exceptions.AccessPointAlreadyExists) as error:
        efs.create_access_point(ClientToken="p1", FileSystemId=system["FileSystemId"])
    assert error.value.response["AccessPointId"] == point["AccessPointId"]
    with pytest.raises(efs.exceptions.FileSystemInUse):
        efs.delete_file_system(FileSystemId=system["FileSystemId"])
    assert efs.list_tags_for_resource(ResourceId=point["AccessPointArn"])["Tags"] == [{"Key": "x", "Value": "y"}]
    efs.delete_mount_target(MountTargetId=target)
    gone = efs.describe_mount_targets(MountTargetId=target)["MountTargets"]
    assert gone[0]["LifeCycleState"] == "deleting"
    with pytest.raises(efs.exceptions.MountTargetNotFound):
        efs.describe_mount_targets(MountTargetId=target)
    efs.delete_file_system(FileSystemId=system["FileSystemId"])
    with pytest.raises(efs.exceptions.AccessPointNotFound):
        efs.describe_access_points(AccessPointId=point["AccessPointId"])
    with pytest.raises(efs.exceptions.AccessPointNotFound):
        efs.delete_access_point(AccessPointId=point["AccessPointId"])


def test_load_balancing_as_aws_has_it(lab):
    elb, a = lab.through.elbv2, lab.account
    settings = dict(Name="tg", Protocol="HTTP", Port=80, VpcId=a.vpc, TargetType="ip")
    arn = elb.create_target_group(**settings)["TargetGroups"][0]["TargetGroupArn"]
    assert elb.create_target_group(**settings)["TargetGroups"][0]["TargetGroupArn"] == arn
    with refused() as error:
        elb.create_target_group(**{**settings, "Port": 81})
    assert code_of(error) == "DuplicateTargetGroupName"
    rule = dict(ListenerArn=a.listeners[0], Priority=77, Actions=[{"Type": "forward", "TargetGroupArn": arn}],
                Conditions=[{"Field": "host-header", "HostHeaderConfig": {"Values": ["x.example.edu"]}}])
    lab.proxy.config.full_listeners.append(a.listeners[0])
    with refused() as error:
        elb.create_rule(**rule)
    assert code_of(error) == "TooManyRules"
    lab.proxy.config.full_listeners.clear()
    made = elb.create_rule(**rule, Tags=tags(service_id="x"))["Rules"][0]["RuleArn"]
    assert made in lab.through.tagged(service_id="x")
    elb.delete_rule(RuleArn=made)
    with refused() as error:
        elb.describe_tags(ResourceArns=[made])
    assert code_of(error) == "RuleNotFound"
    assert made not in lab.through.tagged(service_id="x")


def test_security_group_is_in_use_for_a_while(lab):
    group = lab.through.ec2.create_security_group(GroupName="g", Description="x", VpcId=lab.account.vpc)["GroupId"]
    with refused() as error:
        lab.through.ec2.delete_security_group(GroupId=group)
    assert code_of(error) == "DependencyViolation"
    lab.through.ec2.delete_security_group(GroupId=group)


def test_parameters_and_secrets(lab):
    ssm, secrets = lab.through.ssm, lab.through.secretsmanager
    for value, word in (("x" * 4097, "4096"), ("a {{b}} c", "nest")):
        with refused() as error:
            ssm.put_parameter(Name="/t/x", Value=value, Type="String")
        assert code_of(error) == "ValidationException" and word in str(error.value)
    for i in range(25):
        ssm.put_parameter(Name=f"/t/{i:02}", Value="v&Name=/t/other&Action=X&", Type="String")
    first = ssm.get_parameters_by_path(Path="/t", MaxResults=10)
    ssm.delete_parameter(Name="/t/00")
    second = ssm.get_parameters_by_path(Path="/t", MaxResults=10, NextToken=first["NextToken"])
    assert second["Parameters"][0]["Name"] == "/t/10", "a deletion between two pages skips nothing"
    assert second["Parameters"][0]["Value"] == "v&Name=/t/other&Action=X&"
    arn = secrets.create_secret(Name="s", SecretString="1", Tags=tags(service_id="s"))["ARN"]
    secrets.delete_secret(SecretId=arn)
    assert not lab.through.tagged(service_id="s")
    with refused() as error:
        secrets.create_secret(Name="s", SecretString="2")
    assert code_of(error) == "InvalidRequestException"
    with refused() as error:
        secrets.describe_secret(SecretId="none")
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_rds_endpoint_is_the_real_server(lab):
    endpoint = lab.through.rds.describe_db_instances(DBInstanceIdentifier=lab.account.rds)["DBInstances"][0]["Endpoint"]
    assert (endpoint["Address"], endpoint["Port"]) == ("127.0.0.1", lab.db.port)
    assert lab.db.query("SELECT 1") == ((1,),)


@pytest.mark.parametrize("service, operation, call", [
    ("ssm", "ssm:GetParameter", lambda c: c.get_parameter(Name="x")),
    ("resource_groups", "resource-groups:ListGroups", lambda c: c.list_groups()),
    ("elbv2", "elasticloadbalancing:DescribeLoadBalancers", lambda c: c.describe_load_balancers()),
    ("ec2", "ec2:DescribeVpcs", lambda c: c.describe_vpcs()),
])
def test_injected_errors_in_each_protocol(lab, service, operation, call):
    lab.proxy.rule(operation, error=(400, "AccessDenied", "not <allowed> & refused"))
    with refused() as error:
        call(getattr(lab.through, service))
    assert code_of(error) == "AccessDenied" and error.value.response["Error"]["Message"] == "not <allowed> & refused"
    assert error.value.response["ResponseMetadata"]["RequestId"] == lab.proxy.seen(operation)[-1].answer_id


def test_rules_count_delay_and_break(lab):
    sts = lab.through.sts
    lab.proxy.rule("sts:*", skip=1, times=1, delay=0.3)
    took = []
    for _ in range(3):
        began = time.monotonic()
        sts.get_caller_identity()
        took.append(time.monotonic() - began)
    assert took[1] >= 0.3 > max(took[0], took[2])
    assert lab.proxy.count("sts:GetCallerIdentity") == 3
    lab.proxy.clear_rules()
    lab.proxy.rule("sts:*", times=1, truncate=True)
    with pytest.raises((botocore.parsers.ResponseParserError, botocore.exceptions.BotoCoreError)):
        sts.get_caller_identity()
    lab.proxy.rule("sts:*", times=1, reset="before")
    lab.proxy.rule("sts:*", times=1, reset="after")
    sts.get_caller_identity()  # boto3 tries again
    assert lab.proxy.count("sts:*") >= 5


def test_hook_and_keep_alive(lab):
    seen = threading.Event()
    lab.proxy.rule("sts:*", skip=2, times=1, before=lambda request: seen.set())
    raw = socket.create_connection(("127.0.0.1", lab.proxy.port), timeout=10)
    head = ("POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 43\r\n"
            "Authorization: AWS4-HMAC-SHA256 Credential=a/20260101/eu-central-1/sts/aws4_request, SignedHeaders=host, "
            "Signature=0\r\nX-Lab: raw\r\n\r\nAction=GetCallerIdentity&Version=2011-06-15")
    for i in range(3):
        assert not seen.is_set()
        raw.sendall(head.encode())
        answer = b""
        while b"</GetCallerIdentityResponse>" not in answer:
            answer += raw.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200")
    raw.close()
    assert seen.is_set() and len({r.connection for r in lab.proxy.seen("sts:*")}) == 1


def test_many_connections_at_once(lab):
    gate, failures = threading.Barrier(60), []

    def one():
        try:
            with socket.create_connection(("127.0.0.1", lab.proxy.port), timeout=30) as raw:
                gate.wait(30)
                raw.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AmazonSSM.GetParameter\r\n"
                            b"Authorization: AWS4-HMAC-SHA256 Credential=a/20260101/eu-central-1/ssm/aws4_request\r\n"
                            b"X-Lab: raw\r\nConnection: close\r\nContent-Length: 14\r\n\r\n" + b'{"Name": "/x"}')
                assert b"ParameterNotFound" in b"".join(iter(lambda: raw.recv(65536), b""))
        except Exception as error:
            failures.append(error)
    threads = [threading.Thread(target=one) for _ in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_signature_check_knows_right_from_wrong(lab):
    lab.through.resource_groups.get_tags(Arn=lab.through.resource_groups.get_group(Group="old-sites")["Group"]["GroupArn"])
    lab.through.efs.describe_file_systems(CreationToken="a b+c/d")
    lab.through.ec2.describe_vpcs()
    lab.through.ssm.put_parameter(Name="/x", Value="ä", Type="String")
    requests = [r.request for r in lab.proxy.seen()]
    assert len(requests) == 5 and [signing.mismatch(r) for r in requests] == [None] * 5
    requests[-1].body += b" "
    assert "botocore has" in signing.mismatch(requests[-1])


def test_inventory_sees_what_changes(lab):
    assert difference(lab.before, lab.inventory()) == []
    lab.aws.ssm.put_parameter(Name="/svcfs/x", Value="1", Type="String")
    lab.db.query("CREATE DATABASE x1")
    assert added(lab.before, lab.inventory()) == {"parameters": ["/svcfs/x"], "databases": ["x1"]}
    lab.aws.elbv2.delete_rule(RuleArn=next(iter(lab.before["rules"])))
    assert any(line.startswith("rules: gone") for line in difference(lab.before, lab.inventory()))


def test_blueprints_are_written_with_the_accounts_values(lab):
    for family in (FAMILY, SHARED):
        with open(f"{lab.blueprints}/{family}.json") as file:
            declared = set(json.load(file)["Parameters"])
        with open(f"{lab.blueprints}/{family}.parameters.json") as file:
            given = {p["ParameterKey"] for p in json.load(file)}
        assert given <= declared
