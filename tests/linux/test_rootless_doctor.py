"""doctor for a user without root: what the machine has of what his host needs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rootless_world import User, eventually


def conditions(user: User) -> tuple[int, dict[str, dict[str, Any]]]:
    done = user.try_potnet("-o", "json", "doctor")
    assert "Traceback" not in done.err, done.err
    found = json.loads(done.out)
    assert all((each["remedy"] is None) == (each["verdict"] == "ok") for each in found)
    assert eventually(lambda: not user.processes())
    return done.code, {each["subject"]: each for each in found}


def test_a_machine_that_has_it_all(cook: User) -> None:
    before = cook.world.snapshot()
    code, found = conditions(cook)
    assert code == 0, found
    assert found["slirp4netns"]["found"][:1].isdigit()
    assert found["uplink"]["found"] == "slirp4netns"
    assert "pasta" not in found
    assert found["external interface"]["found"] == "tap0"
    needed = {"user namespaces", "subordinate ids", "/dev/net/tun", "ports of users", "rootless host"}
    assert {found[subject]["verdict"] for subject in needed} == {"ok"}
    assert found["subordinate ids"]["found"] == f"listed for {cook.name}"
    assert found["ports of users"]["found"].startswith("1024 and above")
    assert cook.world.snapshot() == before


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("#!/bin/sh\necho soup >&2; exit 3\n", "slirp4netns --version fails: soup"),
        ("#!/bin/sh\nprintf '\\377\\000%s' 7\n", "unknown version"),
        ("#!/bin/sh\nexec yes\n", "unknown version"),
        pytest.param(
            "#!/bin/sh\nexec sleep 100\n", "slirp4netns --version does not end", marks=pytest.mark.slow
        ),
    ],
)
def test_a_driver_that_answers_nonsense_is_told(cook: User, script: str, words: str) -> None:
    # The system's program comes before one in the user's PATH.
    cook.stand_in("slirp4netns")
    mine, real = (
        f"{cook.home}/bin/slirp4netns",
        cook.world.run("sh", "-c", "command -v slirp4netns").out.strip(),
    )
    cook.world.run("tee", mine, stdin=script)
    assert cook.world.run("mount", "--bind", mine, real).code == 0
    code, found = conditions(cook)
    assert words in found["slirp4netns"]["found"]
    fails = found["slirp4netns"]["verdict"] != "ok"
    assert (code, found["uplink"]["verdict"]) == ((1, "missing") if fails else (0, "ok"))
    if fails:
        assert found["uplink"]["remedy"] == "apt-get install --reinstall slirp4netns"


@pytest.mark.slow
def test_what_the_configuration_asks_for_is_compared(cook: User) -> None:
    cook.configure(uplink="slirp4netns", bridge="br0", mtu=65522)
    code, found = conditions(cook)
    assert code == 1
    assert "slirp4netns joins no bridge" in found["slirp4netns"]["found"]
    assert "slirp4netns takes 65521 at most" in found["slirp4netns"]["found"]
    assert found["uplink"]["verdict"] == "missing"
    cook.configure(uplink="vpnkit")
    code, found = conditions(cook)
    assert (code, found["vpnkit"]["found"]) == (1, "vpnkit is not installed")
    # By itself an uplink is taken that has what is asked for.
    cook.stand_in("vpnkit")
    cook.configure(uplink="auto", bridge="br0")
    code, found = conditions(cook)
    assert (code, found["uplink"]["verdict"]) == (1, "missing")
    cook.configure(uplink="auto", seccomp=False, mtu=1400)
    code, found = conditions(cook)
    assert (code, found["uplink"]["found"]) == (0, "slirp4netns")
    assert "pasta always gives up" in found["pasta"]["found"]


def test_a_host_that_cannot_be_made_is_told(cook: User) -> None:
    cook.configure(uplink="slirp4netns", copy_up=["/nowhere"])
    code, found = conditions(cook)
    assert (code, found["rootless host"]["verdict"]) == (1, "missing")
    assert "/nowhere" in found["rootless host"]["found"]
