"""What the README shows is what happens."""
import pytest

from tests.lib import transcript


def readme():
    with open(transcript.README, encoding="utf-8") as file:
        return transcript.parts(file.read())[1]


def test_what_is_made_up_is_told_from_what_is_not():
    first = transcript.normal("sg-06e0e2bd3a4bd8a1f < ecs/service/wordpress+blog-7d0ea323 < blog, sg-06e0e2bd3a4bd8a1f, deadbeef\n")
    assert first == "sg-<1> < ecs/service/wordpress+blog-<2> < blog, sg-<1>, deadbeef\n"
    assert transcript.normal("defaced facade ecs wordpress 127.0.0.1:33077+blog") == \
        "defaced facade ecs wordpress 127.0.0.1:<1>+blog"


def test_a_transcript_is_run_as_typed(lab):
    mount = lab.mount()
    mount.refresh()
    lines = ["shop=$(readlink services/shop)", "echo $shop", "ls services", "cat services/nobody/status"]
    assert transcript.run(mount, lines) == (
        "$ shop=$(readlink services/shop)\n$ echo $shop\n../families/shops/shop\n"
        "$ ls services\nlegacy1  legacy2  shop\n"
        "$ cat services/nobody/status\ncat: services/nobody/status: No such file or directory\n")


@pytest.mark.limit(240)
def test_who_breaks(lab):
    shown = readme()
    mount = transcript.prepare(lab)
    assert transcript.normal(transcript.run(mount, transcript.commands(shown))) == transcript.normal(shown), \
        "tools/transcript writes it anew"
