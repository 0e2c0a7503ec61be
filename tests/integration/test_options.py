"""The command line: what it takes, and that each mistake is one clear line and status 1."""
import os
import socket
import subprocess

import pytest

from tests.lib.account import FAMILY
from tests.lib.aws import ACCESS_KEY, REGION, SECRET_KEY
from tests.lib.mount import BINARY, SLOW, dummy_environment
from tests.lib.process import free_port, wait_until


def svcfs(*arguments, env=None, timeout=30, **more):
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=timeout * SLOW,
                          env=dummy_environment() if env is None else env, **more)


def refused(done, *words):
    assert done.returncode == 1, done
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("svcfs: "), done.stderr
    for word in words:
        assert word in lines[0], lines[0]
    return lines[0]


@pytest.fixture
def point(lab):
    path = os.path.join(lab.directory, "point")
    os.mkdir(path)
    yield path
    subprocess.run(["fusermount3", "-u", "-z", path], capture_output=True)


def words(lab, **options):
    return ",".join(f"{k}={v}" for k, v in lab.options(**options).items() if v is not None)


def test_help_and_version():
    done = svcfs("--help")
    assert done.returncode == 0
    for option in ("profile", "region", "endpoint_url", "blueprints", "service_tag", "family_tag", "refresh", "describe", "cache_dir",
                   "lease", "log_level", "save_power", "ro", "allow_other"):
        assert option in done.stdout, option
    done = svcfs("--version")
    assert done.returncode == 0 and done.stdout.startswith("svcfs ")


def test_returns_when_the_mount_can_be_used(lab, point):
    done = svcfs("-o", words(lab), point)
    assert (done.returncode, done.stderr) == (0, "")
    assert "legacy1" in os.listdir(os.path.join(point, "families", FAMILY))
    pid = daemon_of(point)
    assert subprocess.run(["fusermount3", "-u", point], timeout=20).returncode == 0
    wait_until(lambda: not os.path.exists(f"/proc/{pid}") or is_zombie(pid), 20 * SLOW, "the daemon to end", 0.05)


def daemon_of(point):
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                words_of = file.read().split(b"\0")
        except OSError:
            continue
        if os.fsencode(point) in words_of and os.fsencode(BINARY) in words_of:
            return int(name)
    raise AssertionError("no daemon")


def is_zombie(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.parametrize("options, said", [
    (dict(nosuchoption="1"), ["nosuchoption"]), (dict(refresh="soon"), ["refresh", "soon"]), (dict(lease="-1"), ["lease"]),
    (dict(refresh="0"), ["refresh"]), (dict(profile="nosuch"), ["nosuch"]), (dict(log_level="loud"), ["log_level"]),
    (dict(blueprints="/nonexistent/dir"), ["/nonexistent/dir"]), (dict(rate_share="x"), ["rate_share"]),
    (dict(endpoint_url="ftp://127.0.0.1"), ["ftp://127.0.0.1"]), (dict(family_tag=""), ["family_tag"]),
])
@pytest.mark.parametrize("flags", [[], ["-f"]], ids=["background", "foreground"])
def test_mistakes_are_one_clear_line(lab, point, options, said, flags):
    refused(svcfs(*flags, "-o", words(lab, **options), point), *said)
    assert not os.path.ismount(point)


def test_no_region_no_credentials_no_mount_point(lab, point):
    refused(svcfs("-o", words(lab, region=None), point), "region")
    env = {k: v for k, v in dummy_environment().items() if k not in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    refused(svcfs("-o", words(lab), point, env=env), "credentials")
    done = svcfs("-o", words(lab))
    assert done.returncode == 1 and done.stderr.startswith("svcfs: ")
    refused(svcfs("-o", words(lab), os.path.join(point, "none")), "none")
    plain = os.path.join(point, "plain")
    open(plain, "w").close()
    refused(svcfs("-o", words(lab), plain), "plain")


def test_mount_point_in_use(lab, mount):
    refused(svcfs("-o", words(lab), mount.path), mount.path)
    assert "legacy1" in mount.ls("families", FAMILY), "the first mount is not harmed"


def test_endpoint_that_does_not_answer(lab, point):
    port = free_port()
    refused(svcfs("-o", words(lab, endpoint_url=f"http://127.0.0.1:{port}"), point), str(port))
    with socket.create_server(("127.0.0.1", 0)) as mute:
        refused(svcfs("-o", words(lab, endpoint_url=f"http://127.0.0.1:{mute.getsockname()[1]}"), point))


def test_rejected_credentials(lab, point):
    lab.proxy.rule("sts:GetCallerIdentity", error=(403, "ExpiredToken", "The security token is expired"))
    refused(svcfs("-o", words(lab), point), "expired")


def test_configuration_as_aws_configure_leaves_it(lab):
    config, credentials = (os.path.join(lab.directory, n) for n in ("config", "credentials"))
    with open(config, "w") as file:
        file.write(f"[default]\nregion = us-west-2\n\n[profile wp]\nregion = {REGION}\nservices = here\n\n"
                   f"[services here]\nssm =\n  endpoint_url = {lab.proxy.url}\n")
    with open(credentials, "w") as file:
        file.write(f"[wp]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n")
    env = {"AWS_CONFIG_FILE": config, "AWS_SHARED_CREDENTIALS_FILE": credentials, "AWS_ENDPOINT_URL": lab.proxy.url,
           "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    mount = lab.mount(env=env, profile="wp", region=None, endpoint_url=None)
    identity = mount.read(".svcfs", "identity")
    assert REGION in identity and "123456789012" in identity
    assert "legacy1" in mount.ls("families", FAMILY)


def test_other_tag_names(lab):
    lab.aws.ec2.create_security_group(GroupName="x", Description="x", VpcId=lab.account.vpc, TagSpecifications=[
        {"ResourceType": "security-group", "Tags": [{"Key": "app", "Value": "one"}, {"Key": "team", "Value": "red"}]}])
    mount = lab.mount(service_tag="app", family_tag="team", blueprints=None)
    assert mount.ls("families") == ["red"] and mount.ls("services") == ["one"]
    assert not mount.exists("families", "red", "blueprint.json")


def test_type_and_source_of_the_mount(lab, mount):
    with open("/proc/self/mountinfo") as file:
        line = next(text for text in file if text.split()[4] == mount.path)
    kind, source = line.split(" - ")[1].split()[:2]
    assert kind == "fuse.svcfs" and "123456789012" in source and REGION in source
