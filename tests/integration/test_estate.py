"""Who breaks if I change this, in a laid-out account of 200 services: every set against a witness of its own."""
import os
import re
import subprocess
import time

import pytest

from tests.integration.test_impact import described, table
from tests.lib.aws import ACCOUNT, REGION
from tests.lib.estate import Estate
from tests.lib.lab import SLOW, Lab
from tests.lib.process import wait_until
from tests.lib.touched import Account


def resources(mount):
    """{thing as the witness names it: its directory} of all resources."""
    found = {}
    for service in mount.ls("resources"):
        for kind in mount.ls("resources", service):
            for name in mount.ls("resources", service, kind):
                directory = ("resources", service, kind, name)
                thing = mount.read(*directory, "arn").strip() if mount.exists(*directory, "arn") else f"{kind}/{name}"
                assert thing not in found
                found[thing] = directory
    return found


def check_directory(mount, directory, expected):
    assert set(mount.ls(*directory, "services")) == expected, directory
    rows = table(mount, directory)
    assert {r[0] for r in rows} == expected and len(rows) == len(expected), directory
    for service, family, distance, path in rows:
        link = os.readlink(mount.at(*directory, "services", service))
        assert link == f"../../../../../families/{family}/{service}/service.json"
        steps = path.split(" < ")
        assert steps[0] == "/".join(directory[1:]) and steps[-1] == service
        assert int(distance) == len(steps) - 2


def parse_dot(text):
    """(nodes, edges) of a drawing; a small reader of Graphviz's language, which is strict about quotes and braces."""
    token = re.compile(r'\s*(?:("(?:[^"\\]|\\.)*")|(->|[{}\[\];=,])|([A-Za-z_][A-Za-z0-9_]*))')
    tokens, at = [], 0
    while text[at:].strip():
        found = token.match(text, at)
        assert found, text[at:at + 80]
        tokens.append(found[1] or found[2] or found[3])
        at = found.end()
    assert tokens[:3] == ["digraph", "svcfs", "{"] and tokens[-1] == "}"
    nodes, edges, depth, i = [], [], 0, 0
    while i < len(tokens):
        depth += (tokens[i] == "{") - (tokens[i] == "}")
        if tokens[i].startswith('"') and tokens[i - 1] in (";", "{", "}"):
            if tokens[i + 1] == "->":
                edges.append((tokens[i], tokens[i + 2]))
                i += 2
            elif tokens[i + 1] == "[":
                nodes.append(tokens[i])
            assert tokens[i + 1] in "[;"
            i = tokens.index(";", i)
        i += 1
    assert depth == 0
    return nodes, edges


@pytest.fixture(scope="module")
def estate(servers):
    """One laid-out account and one mount on it, for the tests that only look."""
    lab = Lab(servers)
    lab.estate = Estate(lab.aws)
    mount = lab.mount(refresh=3600, describe=3600)
    wait_until(lambda: described(mount)[1] > 1000 and described(mount)[0] == described(mount)[1], 120 * SLOW,
               "the descriptions", 0.2)
    wait_until(lambda: is_quiet(lab, mount), 60 * SLOW, "nothing more to come to light", 0.2)
    yield lab, mount
    wrong = lab.close()
    lab.remove()
    assert not wrong, "\n".join(wrong[:20])


def is_quiet(lab, mount):
    first = described(mount)
    time.sleep(2.5)   # a round begins a second after what it is for
    return described(mount) == first and first[0] == first[1]


@pytest.fixture
def seen(estate):
    return estate


@pytest.mark.limit(300)
def test_every_set_is_what_the_witness_says(seen):
    lab, mount = seen
    expected = Account(lab.through, ACCOUNT, REGION).touched()
    shown = resources(mount)
    missing = [t for t in expected if t not in shown]
    assert missing == []
    for thing, directory in shown.items():
        check_directory(mount, directory, expected.get(thing, set()))
    assert len([t for t in expected if t.startswith("mount-target/")]) == 2 * len(lab.estate.systems)
    assert max(len(s) for s in expected.values()) >= 200
    assert len([s for s in expected.values() if len(s) > 1]) > 100


@pytest.mark.limit(300)
def test_looking_costs_nothing_and_ends(seen):
    lab, mount = seen
    before = lab.proxy.count()
    done = mount.sh("ls -R . >/dev/null && find . >/dev/null && find -L . >/dev/null", timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    calls = [r.operation for r in lab.proxy.seen()[before:] if not r.operation.startswith("ssm:Get")]
    assert calls == []


@pytest.mark.limit(300)
def test_grep_over_the_families_ends(seen):
    lab, mount = seen
    group = mount.ls("resources", "ec2", "security-group")[0]
    done = mount.sh(f"grep -rl {group} families/", timeout=240)
    assert done.returncode in (0, 1) and done.stderr == ""


@pytest.mark.limit(120)
def test_drawings(seen):
    lab, mount = seen
    nodes, edges = parse_dot(mount.read("graph.dot"))
    assert len(nodes) == len(set(nodes)) > 1200 and len(edges) > 2000
    assert set(sum(edges, ())) <= set(nodes)
    one, of_one = parse_dot(mount.read("families", "web", "s000", "graph.dot"))
    family, of_family = parse_dot(mount.read("families", "web", "graph.dot"))
    assert set(one) <= set(family) <= set(nodes) and set(of_one) <= set(of_family) <= set(edges)
    assert '"families/web/s000"' in one and '"ecs/service/estate-a+s000"' in one and '"families/lab/db-a"' in one
    assert ('"families/web/s000"', '"families/lab/db-a"') in of_one
    assert mount.read("graph.dot") == mount.read("graph.dot")
    if subprocess.run(["sh", "-c", "command -v dot"], capture_output=True).returncode == 0:
        assert mount.sh("dot -Tsvg families/web/s000/graph.dot").stdout.startswith("<?xml")
