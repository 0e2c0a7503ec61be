"""The shipped blueprints: accepted by CloudFormation's own linter, and by svcfs with their example parameters."""
import importlib.util
import json
import os
import subprocess
import sys

import pytest

from tests.lib.account import FAMILY, ROOT, SHARED
from tests.lib.mount import dummy_environment

DIRECTORY = os.path.join(ROOT, "blueprints")
STEPS = {
    FAMILY: {"Secret": 1, "MariaDBDatabase": 1, "MariaDBUser": 1, "SecurityGroup": 1, "FileSystem": 1, "MountTarget": 2,
             "AccessPoint": 1, "TargetGroup": 1, "ListenerRule": 1, "TaskDefinition": 1, "Service": 1},
    SHARED: {"Secret": 1, "MariaDBDatabase": 1, "MariaDBUser": 1, "AccessPoint": 1, "TargetGroup": 1, "ListenerRule": 1,
             "TaskDefinition": 1, "Service": 1},
}


@pytest.mark.parametrize("family", [FAMILY, SHARED])
def test_cfn_lint_is_content(family):
    if importlib.util.find_spec("cfnlint") is None:
        pytest.skip("cfn-lint is not installed")
    done = subprocess.run([sys.executable, "-c", "from cfnlint.runner import main; main()", os.path.join(DIRECTORY, family + ".json")],
                          capture_output=True, text=True, timeout=120, env=dummy_environment())
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("family", [FAMILY, SHARED])
def test_steps_and_example_parameters(family):
    with open(os.path.join(DIRECTORY, family + ".json")) as file:
        blueprint = json.load(file)
    kinds = [r["Type"].split("::")[-1] for r in blueprint["Resources"].values()]
    assert {k: kinds.count(k) for k in kinds} == STEPS[family]
    with open(os.path.join(DIRECTORY, family + ".parameters.json")) as file:
        given = {p["ParameterKey"] for p in json.load(file)}
    filled_in = {"ServiceId", "ServiceFamily", "ServiceClaim"}
    needed = {k for k, p in blueprint["Parameters"].items() if "Default" not in p} - filled_in
    assert needed <= given <= set(blueprint["Parameters"])


def test_shipped_directory_as_it_is(lab):
    mount = lab.mount(blueprints=DIRECTORY)
    assert not [line for line in mount.read(".svcfs", "errors").splitlines() if ".json" in line]
    for family in (FAMILY, SHARED):
        assert len(mount.read("families", family, "next-id")) == 9
