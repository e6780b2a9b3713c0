"""pf's main ruleset as recorded: marks of skipped interfaces, listings of anchor calls, files of rc.conf."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from potnet.executors.base import Command
from potnet.executors.simulated import SimulatedHost

RECORDS = Path(__file__).parent.parent / "data" / "freebsd"


def commands(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((RECORDS / name).read_text())["commands"]
    return found


def do(host: SimulatedHost, line: str) -> None:
    result = host.run(Command(tuple(line.split())))
    assert result.code == 0, (line, result)


def marks(text: str) -> list[str]:
    """The marked interfaces; which others there are depends on the machine."""
    return [line for line in text.splitlines() if line.endswith(" (skip)")]


def test_marks_and_listings(tmp_path: Path) -> None:
    host = SimulatedHost(tmp_path, bare=True)
    do(host, "pfctl -e")
    for number, recorded in enumerate(commands("43-pf-skip-and-anchors.json"), 1):
        argv = tuple(recorded["argv"])
        result = host.run(Command(argv, recorded.get("stdin")))
        assert result.code == recorded["code"], (number, argv, result)
        if "Interfaces" in argv:
            assert marks(result.out) == marks(recorded["stdout"]), (number, argv)
        elif argv[0] == "pfctl":
            assert result.out == recorded["stdout"], (number, recorded.get("stdin"))


def test_marks_decide_what_pf_looks_at(tmp_path: Path) -> None:
    host = SimulatedHost(tmp_path, bare=True)
    for line in (
        "ifconfig bridge0 create group potbridge group potnet up", "ifconfig bridge0 inet 10.192.0.1/24",
        "ifconfig epair1 create up", "mkdir -p /jails/j1",
        "jail -c name=j1 path=/jails/j1 vnet vnet.interface=epair1b persist",
        "ifconfig -j j1 epair1b inet 10.192.0.5/24 up", "ifconfig bridge0 addm epair1a", "pfctl -e",
    ):  # fmt: skip
        do(host, line)
    host.listen("tcp", 7777)
    compared = 0
    for number, recorded in enumerate(commands("43b-pf-skip-on-groups.json"), 1):
        argv = tuple(recorded["argv"])
        if argv[:3] == ("jexec", "j1", "ask"):
            assert host.connect("j1", "10.192.0.1", 7777).ok == (recorded["code"] == 0), number
            compared += 1
            continue
        if argv[0] == "ask":
            continue
        result = host.run(Command(argv, recorded.get("stdin")))
        assert result.code == recorded["code"], (number, argv, result)
        if "Interfaces" in argv:
            assert marks(result.out) == marks(recorded["stdout"]), (number, argv)
        elif argv[1:] != ("-F", "states"):
            assert (result.out, result.err) == (recorded["stdout"], recorded["stderr"]), (number, argv)
    assert compared == 12


def test_files_of_rc(tmp_path: Path) -> None:
    host = SimulatedHost(tmp_path, bare=True)
    rc = host.tree / "etc/rc.conf"
    rc.write_text('pf_enable="YES"\n')
    compared = 0
    for recorded in commands("44-pf-rules-file.json"):
        argv = tuple(recorded["argv"])
        if argv[:2] == ("sh", "-c") and "load_rc_config" not in argv[2]:
            _write(host.tree, argv[2])
        elif argv[0] == "rm":
            _write(host.tree, " ".join(argv))
        elif argv[0] == "sysrc" and {"-n", "-F"} & {*argv}:
            result = host.run(Command(argv))
            wanted = (recorded["code"], recorded["stdout"], recorded["stderr"])
            assert (result.code, result.out, result.err) == wanted, argv
            compared += 1
    assert compared > 8


def _write(tree: Path, script: str) -> None:
    """What the recorded shell lines do."""
    import shutil

    for part in script.split("; "):
        words = part.split()
        if words[0] == "mkdir":
            (tree / words[-1].lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif words[0] == "echo":
            (tree / words[-1].lstrip("/")).write_text(words[1].strip("'") + "\n")
        elif words[0] == "rm":
            for word in words[2:]:
                path = tree / word.lstrip("/")
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


PORTS = [
    f"pass in on em0 proto tcp from any to any port = {port} flags S/SA keep state" for port in (80, 443)
]
MACROS = 'ext = "em0"\nports = "{ 80, 443 }"\npass in on $ext proto tcp to port $ports\n'


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        (MACROS, PORTS),
        ("pass in on {\n  em0 # the outer one\n}\n", ["pass in on em0 all flags S/SA keep state"]),
        ("# one \\\nblock all\npass \\\n all\n", ["pass all flags S/SA keep state"]),
        ("set skip on lo0\nscrub in\nblock\n", ["scrub in all fragment reassemble", "block drop all"]),
        ("set block-policy return\nblock in\n", ["block return in all"]),
        (
            "anchor in on em0 {\n pass\n}\n",
            ["anchor in on em0 all {", "  pass all flags S/SA keep state", "}"],
        ),
        (
            "pass proto tcp to port > 1023",
            ["pass proto tcp from any to any port > 1023 flags S/SA keep state"],
        ),
        ("pass\nset skip on em0\n", ["pass all flags S/SA keep state"]),
        (
            "antispoof for em0",
            [
                "block drop in on ! em0 inet from 192.168.178.0/24 to any",
                "block drop in inet from 192.168.178.20 to any",
            ],
        ),
    ],
)
def test_what_main_rulesets_are_made_of(tmp_path: Path, text: str, listed: list[str]) -> None:
    host = SimulatedHost(tmp_path, bare=True)
    assert host.run(Command(("pfctl", "-f", "-"), text)).code == 0
    assert host.run(Command(("pfctl", "-sr", "-P"))).out.splitlines() == listed


@pytest.mark.parametrize(
    "text",
    [
        "pass\r\nblock\r\n",
        "pass\nnat-anchor x\n",
        "pass\nscrub in\n",
        'include "/etc/nosuch"\n',
        "pass on $x\n",
        "anchor { pass\n}\n",
        "pass\nset timeout frag 10\n",
    ],
)
def test_what_pf_refuses(tmp_path: Path, text: str) -> None:
    host = SimulatedHost(tmp_path, bare=True)
    assert host.run(Command(("pfctl", "-nf", "-"), text)).code == 1


def test_files_within_files(tmp_path: Path) -> None:
    host = SimulatedHost(tmp_path, bare=True)
    (host.tree / "etc/pf.inc").write_text("block in\npass out\n")
    (host.tree / "etc/pf.ssh").write_text("pass in proto tcp to port 22\n")
    text = 'include "/etc/pf.inc"\nanchor ssh\nload anchor ssh from "/etc/pf.ssh"\n'
    assert host.run(Command(("pfctl", "-f", "-"), text)).code == 0
    assert len(host.anchor()) == 3
    assert host.anchor("ssh") == ["pass in proto tcp from any to any port = 22 flags S/SA keep state"]
    text = 'anchor "f2b/*"\nanchor x {\n block\n}\n'
    printed = host.run(Command(("pfctl", "-n", "-v", "-P", "-f", "-"), text))
    assert printed.out == 'anchor "/*" all\nanchor "x" all {\n  block drop all\n}\n'


def test_without_its_module(tmp_path: Path) -> None:
    host = SimulatedHost(tmp_path)
    do(host, "kldunload pf")
    result = host.run(Command(("pfctl", "-s", "info")))
    assert (result.code, result.err) == (1, "pfctl: /dev/pf: No such file or directory\n")
    do(host, "kldload -n pf")
    assert host.anchor() == []
