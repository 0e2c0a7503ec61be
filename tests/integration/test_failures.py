"""Provisioning that fails half-way: told in `error`, and removable."""
import errno
import getpass
import json
import os

import pytest

from tests.lib.account import FAMILY, SHARED, blueprint_parameters, write_parameters
from tests.lib.process import free_port, wait_until
from tests.lib.witness import check_service, error_lines, fails, nothing_made


@pytest.mark.limit(180)
@pytest.mark.parametrize("operation, step", [
    ("elasticfilesystem:CreateMountTarget", "MountTarget"),
    ("secretsmanager:CreateSecret", "Secret"),
    ("ecs:RegisterTaskDefinition", "TaskDefinition"),
    ("elasticloadbalancing:CreateRule", "ListenerRule"),
    ("ecs:CreateService", "Service"),
])
def test_refused_half_way(lab, mount, operation, step):
    lab.proxy.rule(operation, error=(400, "AccessDeniedException", "User is not authorized to perform that"))
    lines = fails(mount, "site1")
    assert lines["step"].startswith(step) and lines["code"] == "AccessDeniedException"
    assert lines["call"] == operation or lines["call"].split(":")[1] == operation.split(":")[1]
    assert lines["request-id"] in {r.answer_id for r in lab.proxy.seen(operation)}
    assert "not authorized" in lines["message"] and lines["next"]
    assert mount.status(FAMILY, "site1") == "failed" and "/svcfs/site1" in nothing_made(lab)["parameters"]
    lab.proxy.clear_rules()
    mount.tear_down(FAMILY, "site1")
    lab.check_restored()


@pytest.mark.limit(180)
def test_error_is_the_same_on_every_mount_and_after_a_restart(lab, mount):
    other = lab.mount()
    lab.proxy.rule("ecs:RegisterTaskDefinition", error=(400, "AccessDeniedException", "no"))
    fails(mount, "site1")
    text = mount.read("families", FAMILY, "site1", "error")
    wait_until(lambda: other.exists("families", FAMILY, "site1", "error"), 30, "the error on the other mount", 0.1)
    assert other.read("families", FAMILY, "site1", "error") == text
    mount.stop()
    mount.restart()
    wait_until(lambda: mount.status(FAMILY, "site1") == "failed", 30, "the record or its tag", 0.1)
    wait_until(lambda: mount.read("families", FAMILY, "site1", "error") == text, 30, "the record to be read", 0.1)


@pytest.mark.limit(180)
def test_a_deployment_that_fails_tells_why_its_tasks_stop(lab, mount):
    why = "CannotPullContainerError: manifest unknown"
    lab.proxy.rule("ecs:CreateService", before=lambda request: lab.proxy.config.failing_services.update(
        {request.params["serviceName"]: why}))
    lines = fails(mount, "site1")
    assert lines["step"] == "Service" and why in lines["message"]
    lab.proxy.config.failing_services.clear()
    mount.tear_down(FAMILY, "site1")
    lab.check_restored()


@pytest.mark.limit(180)
@pytest.mark.parametrize("operation", ["secretsmanager:CreateSecret", "elasticloadbalancing:CreateTargetGroup",
                                       "elasticfilesystem:CreateFileSystem", "ec2:CreateSecurityGroup"])
def test_throttled_writes_are_sent_again(lab, mount, operation):
    code = {"ec2": "RequestLimitExceeded", "elasticloadbalancing": "Throttling"}.get(operation.split(":")[0],
                                                                                      "ThrottlingException")
    lab.proxy.rule(operation, times=2, error=(400, code, "Rate exceeded"))
    assert mount.provision(FAMILY, "site1") == "ready"
    check_service(lab, "site1")


@pytest.mark.limit(240)
@pytest.mark.parametrize("operation", ["secretsmanager:CreateSecret", "elasticloadbalancing:CreateTargetGroup",
                                       "elasticloadbalancing:CreateRule", "elasticfilesystem:CreateFileSystem",
                                       "elasticfilesystem:CreateAccessPoint", "ec2:CreateSecurityGroup",
                                       "ecs:RegisterTaskDefinition", "ecs:CreateService"])
def test_an_answer_that_is_lost_doubles_nothing(lab, mount, operation):
    """The call is done, its answer is not seen: found again by its identity, and never sent blindly."""
    lab.proxy.rule(operation, times=1, reset="after")
    assert mount.provision(FAMILY, "site1", 200) == "ready"
    check_service(lab, "site1")
    mount.tear_down(FAMILY, "site1")
    lab.check_restored()


@pytest.mark.limit(240)
@pytest.mark.parametrize("how", [dict(truncate=True), dict(plain=503), dict(reset="before"),
                                 dict(error=(500, "InternalFailure", "try again"))])
def test_reads_are_tried_again(lab, mount, how):
    for operation in ("secretsmanager:Describe*", "elasticloadbalancing:Describe*", "elasticfilesystem:Describe*",
                      "ec2:Describe*", "ecs:Describe*", "tagging:GetResources"):
        lab.proxy.rule(operation, times=1, **how)
    assert mount.provision(FAMILY, "site1") == "ready"
    check_service(lab, "site1")


@pytest.mark.limit(180)
def test_security_group_in_use_is_waited_for(lab, mount):
    lab.proxy.config.sg_dependency_tries = 3
    mount.provision(FAMILY, "site1")
    mount.tear_down(FAMILY, "site1")
    lab.check_restored()
    assert lab.proxy.count("ec2:DeleteSecurityGroup") == 4


@pytest.mark.limit(180)
def test_a_teardown_that_fails_for_good_brings_the_service_back(lab, mount):
    mount.provision(FAMILY, "site1")
    rule = lab.proxy.rule("elasticfilesystem:DeleteFileSystem", error=(403, "AccessDeniedException", "keep it"))
    mount.rmdir(FAMILY, "site1")
    wait_until(lambda: mount.exists("families", FAMILY, "site1"), 90, "the service to come back", 0.1)
    assert mount.status(FAMILY, "site1") == "failed" and not mount.exists("deleting", FAMILY, "site1")
    lines = error_lines(mount, "site1")
    assert lines["code"] == "AccessDeniedException" and lines["step"] == "FileSystem"
    lab.proxy.remove_rule(rule)
    mount.tear_down(FAMILY, "site1")
    lab.check_restored()


@pytest.mark.limit(180)
def test_a_database_that_cannot_be_reached(lab):
    write_parameters(lab.blueprints, SHARED, blueprint_parameters(lab.account, SHARED, f"127.0.0.1:{free_port()}"))
    path = os.path.join(lab.blueprints, SHARED + ".json")
    with open(path) as file:
        blueprint = json.load(file)
    blueprint["Metadata"]["svcfs"]["CreateTimeout"] = 15  # unreachable is no answer: it is tried until then
    with open(path, "w") as file:
        json.dump(blueprint, file)
    mount = lab.mount()
    lines = fails(mount, "site1", SHARED)
    assert lines["step"] == "Database" and "mariadb" in lines["call"]


def looks(mount, status):
    mount.stop()
    mount.restart()
    checked = lambda: mount.sh(f"awk '$1 == \"site1\" {{ print $3 }}' families/{FAMILY}/services.tsv").stdout.strip()  # noqa: E731
    wait_until(lambda: checked() not in ("", "-"), 60, "the look at its health", 0.2)
    assert mount.status(FAMILY, "site1") == status


@pytest.mark.limit(180)
def test_a_stopped_service_is_degraded(lab, mount):
    mount.provision(FAMILY, "site1")
    own = check_service(lab, "site1")
    # Each daemon's first look at a service comes soon after its start, the next ones much later.
    lab.proxy.config.short_of_tasks.append(next(iter(own["services"].values()))["name"])
    looks(mount, "degraded")
    assert mount.wait(FAMILY, "site1") == "degraded"
    lab.proxy.config.short_of_tasks.clear()
    looks(mount, "ready")
    lab.aws.efs.delete_access_point(AccessPointId=next(iter(own["access points"])))
    looks(mount, "degraded")
    mount.tear_down(FAMILY, "site1")
    lab.check_restored()


@pytest.mark.limit(120)
def test_claim_that_cannot_be_made(lab, mount):
    for error, number in ((("400", "AccessDeniedException"), errno.EACCES), (("400", "ParameterLimitExceeded"), errno.EDQUOT),
                          (("400", "ExpiredTokenException"), errno.EKEYEXPIRED),
                          (("400", "UnrecognizedClientException"), errno.EKEYREJECTED)):
        lab.proxy.clear_rules()
        lab.proxy.rule("ssm:PutParameter", error=(int(error[0]), error[1], "no"))
        with pytest.raises(OSError) as refused:
            mount.mkdir(FAMILY, "site1")
        assert refused.value.errno == number, error
        assert not mount.exists("families", FAMILY, "site1")
        assert error[1] in mount.read(".svcfs", "errors")
    assert nothing_made(lab) == {}


@pytest.mark.limit(120)
@pytest.mark.parametrize("sent", [False, True])
def test_claim_whose_answer_is_lost(lab, mount, sent):
    """Decided after its deadline: there and ours: 0; not there: ETIMEDOUT and no trace."""
    lab.proxy.rule("ssm:PutParameter", times=1, reset="after" if sent else "before",
                   where=lambda r: r.params.get("Name") == "/svcfs/site1")
    if sent:
        mount.mkdir(FAMILY, "site1")
        assert mount.wait(FAMILY, "site1") == "ready"
        check_service(lab, "site1")
        return
    with pytest.raises(OSError) as refused:
        mount.mkdir(FAMILY, "site1")
    assert refused.value.errno == errno.ETIMEDOUT
    assert not mount.exists("families", FAMILY, "site1") and nothing_made(lab) == {}


@pytest.mark.limit(120)
def test_outage_is_not_an_empty_directory(lab, mount):
    before = mount.ls("families", FAMILY)
    lab.proxy.rule("*", plain=503)
    with pytest.raises(OSError) as error:
        mount.refresh()
    assert error.value.errno in (errno.EREMOTEIO, errno.EAGAIN)
    assert mount.ls("families", FAMILY) == before
    assert not mount.read(".svcfs", "health").startswith("ok")
    lab.proxy.clear_rules()
    mount.refresh()
    assert mount.read(".svcfs", "health").startswith("ok")


@pytest.mark.limit(120)
def test_mount_in_an_outage_shows_an_error_and_then_the_tree(lab):
    rule = lab.proxy.rule("tagging:Get*", error=(400, "AccessDeniedException", "no"))
    mount = lab.mount()
    for names in ("families",), ("families", FAMILY), ("services",), ("resources", "ec2"):
        with pytest.raises(OSError) as error:
            mount.ls(*names)
        assert error.value.errno == errno.EACCES
    assert mount.read(".svcfs", "health") and mount.read("README")
    lab.proxy.remove_rule(rule)
    mount.refresh()
    assert FAMILY in mount.ls("families")


@pytest.mark.limit(120)
def test_record_tells_who_asked(lab, mount):
    mount.provision(FAMILY, "site1")
    text = lab.aws.ssm.get_parameter(Name="/svcfs/site1")["Parameter"]["Value"]
    assert getpass.getuser() in json.dumps(json.loads(text))
