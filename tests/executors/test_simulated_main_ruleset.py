"""pf's main ruleset: what it is made of, what pf refuses, and files within files."""

from __future__ import annotations

from pathlib import Path

import pytest

from potnet.executors.base import Command
from potnet.executors.simulated import SimulatedHost


def do(host: SimulatedHost, line: str) -> None:
    result = host.run(Command(tuple(line.split())))
    assert result.code == 0, (line, result)


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
