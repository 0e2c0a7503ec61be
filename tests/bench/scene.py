"""A mount on the stub, and what both the bench and the tests do with it."""
import json
import os
import re
import subprocess
import time

from tests.lib import process
from tests.lib.aws import REGION
from tests.lib.mount import SLOW, Mount, in_parallel

# Two secrets, one after the other: enough for a service that takes a while to become ready.
_SECRET = {"Type": "AWS::SecretsManager::Secret",
           "Properties": {"GenerateSecretString": {"PasswordLength": 20, "ExcludePunctuation": True}}}
BLUEPRINT = {"Resources": {"First": _SECRET, "Second": {**_SECRET, "DependsOn": "First"}}}

# What one changed tag tells a kernel that has listed and read everything. The tag's file has another content: its inode.
# The service's document has another node with each content (tree.md): the old one's inode, so that whoever has it open
# or cached finds it outdated at once, and its name.
ONE_TAG = {"inval_inode": 2, "inval_entry": 1}


def mount_on(account, directory, name="mount", **options):
    """Started. Every rate is far above what the machine can do, and nothing is swept or described unless it is asked for."""
    return Mount(directory, name, {"region": REGION, "endpoint_url": account.url, "rate_share": 1000, "refresh": 86400,
                                   "describe": 0, "log_level": "error", **options}).start(timeout=60)


def write_blueprint(directory, family):
    path = os.path.join(directory, "blueprints")
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, family + ".json"), "w") as file:
        json.dump(BLUEPRINT, file)
    return path


def sweeps(mount):
    """How many sweeps have succeeded."""
    return int(re.search(r"^sweeps\t(\d+)$", mount.read(".svcfs", "freshness"), re.M).group(1))


def wait_swept(mount, n=1, timeout=120):
    process.wait_until(lambda: sweeps(mount) >= n, timeout * SLOW, f"sweep {n}", 0.05)


def wait_described(mount, timeout=600):
    """Where there are rounds: until one has looked at everything."""
    def done():
        n, _, of = re.search(r"^described\t(.*)$", mount.read(".svcfs", "freshness"), re.M).group(1).split()
        return n == of != "0"
    process.wait_until(done, timeout * SLOW, "all to be described", 0.2)


def mkdirs(mount, family, ids, relative=False, timeout=300):
    """All at once, each by a process of its own; gives the seconds after which each had its answer, sorted. One that
    failed is an error."""
    def make(service):
        where, name = (mount.at("families", family), service) if relative else ("/", mount.at("families", family, service))
        begun = time.monotonic()
        done = subprocess.run(["mkdir", name], cwd=where, capture_output=True, text=True, timeout=timeout * SLOW)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return time.monotonic() - begun
    took = in_parallel([lambda i=i: make(i) for i in ids])
    for failed in (t for t in took if isinstance(t, BaseException)):
        raise failed
    return sorted(took)
