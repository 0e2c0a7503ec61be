"""Every request is signed as botocore would sign it.

Each test of the run checks the requests that it captured when it ends (lab.close); here the shapes that are easily
signed wrong are made to occur, and counted.
"""
import pytest

from tests.lib import signing
from tests.lib.account import FAMILY
from tests.lib.witness import check_service


@pytest.mark.limit(180)
def test_every_request_of_a_life(lab, mount):
    mount.provision(FAMILY, "site1")
    check_service(lab, "site1")
    mount.refresh()
    mount.tear_down(FAMILY, "site1")
    requests = [r.request for r in lab.proxy.seen()]
    services = {r.service for r in requests}
    assert services >= {"ssm", "tagging", "sts", "ec2", "ecs", "elasticloadbalancing", "elasticfilesystem",
                        "secretsmanager", "resource-groups", "rds"}
    assert {r.method for r in requests} >= {"GET", "POST", "DELETE"}
    assert any("%3A" in r.path for r in requests), "a path with an ARN: encoded twice in what is signed"
    assert any(r.query.count("=") >= 1 for r in requests), "a query string"
    assert any(r.operation == "?" for r in requests) is False
    assert [m for m in map(signing.mismatch, requests) if m] == []


def test_temporary_credentials_sign_their_token(lab):
    mount = lab.mount(env={"AWS_SESSION_TOKEN": "IQoJb3JpZ2luX2VjEXAMPLE/+=="})
    mount.refresh()
    requests = [r.request for r in lab.proxy.seen()]
    assert requests
    for request in requests:
        assert request.header("x-amz-security-token") == "IQoJb3JpZ2luX2VjEXAMPLE/+=="
        assert "x-amz-security-token" in request.header("authorization")
        assert signing.mismatch(request) is None


def test_connections_are_kept(lab, mount):
    for _ in range(10):
        mount.refresh()
    reads = lab.proxy.seen("tagging:GetResources")
    assert len(reads) >= 20 and len({r.connection for r in reads}) <= 6


def test_a_clock_that_is_wrong_is_learned_from_the_answer(lab):
    """AWS refuses a request of another time, with its own in Date: sent again with that."""
    lab.proxy.clock_offset = 3600
    lab.proxy.rule("tagging:GetResources", times=1, error=(403, "RequestExpired", "Request has expired"))
    mount = lab.mount()
    assert "legacy1" in mount.ls("families", FAMILY)
