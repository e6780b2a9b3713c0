"""What potnet does to a host for pots without options: each type and stack, from create to destroy.

tests/data/commands has it as it was before there were options that could change it. After a change that is
meant, make it anew, and read the difference before it is committed:

    PYTHONPATH=.:tests/linux python tests/scenarios/commands.py
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import linux_world

from potnet.cli.main import run

DATA = Path(__file__).resolve().parents[1] / "data" / "commands"
#: That of one interface, which is another one each time.
_MAC = re.compile(r"\b[0-9a-f][02468ace](?::[0-9a-f]{2}){5}\b")
#: Types with their stacks, and what create has to be told of each; in the braces an IPv4 address.
TYPES = (
    ("inherit", ("ipv4", "ipv6", "dual"), ""),
    ("alias", ("ipv4", "ipv6", "dual"), "-i {} -i 2001:db8:7::200"),
    ("public-bridge", ("ipv4", "ipv6", "dual"), ""),
    ("private-bridge", ("ipv4", "dual"), "-B stove"),
)
#: Runs one command line of potnet, which must succeed, and returns what it prints.
Potnet = Callable[[str], str]


def lives(potnet: Potnet, address: str, only: str | None = None) -> Iterator[str]:
    """Line by line, the commands of each life, or of one by its title.

    address: one that the host's network has, for an alias.
    """
    potnet("create-private-bridge -B stove -S 4")
    for kind, stacks, more in TYPES:
        for stack in stacks:
            given = more.format(address)
            title, options = f"{kind}, {stack}", f"-N {kind} -S {stack} {given}"
            if only in (None, title):
                yield f"# {title}"
                yield from _life(potnet, options, kind.endswith("bridge"))
    if only is None:
        yield "# several at once"
        yield from _together(potnet)


def life(text: str, title: str) -> str:
    """One of the lives in a text, by its title."""
    head = f"# {title}\n"
    return head + text.partition(head)[2].partition("\n# ")[0]


def _life(potnet: Potnet, options: str, exports: bool) -> Iterator[str]:
    yield from _done(potnet, f"create -p wok {options}")
    if exports:
        yield from _done(potnet, "export-ports -p wok -e 80:30080 -e udp:53")
    yield from _done(potnet, "start wok")
    if exports:
        yield from _done(potnet, "export-ports -p wok -e 80:30080 -e 443:30443")
    yield from _done(potnet, "stop wok")
    yield from _done(potnet, "destroy -p wok")


def _together(potnet: Potnet) -> Iterator[str]:
    potnet("create -p wok -N public-bridge")
    potnet("create -p pan -N public-bridge")
    potnet("create -p lid -N private-bridge -B stove")
    yield from _done(potnet, "start wok pan lid")
    yield from _done(potnet, "stop --all")


def _done(potnet: Potnet, line: str) -> Iterator[str]:
    """A command line, and what it does to the host, which it then has done."""
    shown = potnet(f"{line} --dry-run")
    potnet(line)
    yield f"## {line.strip()}"
    yield from _MAC.sub("02:xx:xx:xx:xx:xx", shown).splitlines()


def freebsd() -> str:
    """All of it on the simulated host."""
    with tempfile.TemporaryDirectory() as directory:

        def potnet(line: str) -> str:
            out, err = io.StringIO(), io.StringIO()
            with redirect_stdout(out), redirect_stderr(err):
                code = run(["--host", "sim", "--state-dir", f"{directory}/state", *line.split()])
            assert code == 0, (line, err.getvalue())
            return out.getvalue()

        return "\n".join(lives(potnet, "192.168.178.200")) + "\n"


def linux(only: str | None = None) -> str:
    """All of it on a kernel, or one life."""
    with linux_world.World() as world:
        return "\n".join(lives(lambda line: world.potnet(*line.split()), "192.0.2.200", only)) + "\n"


if __name__ == "__main__":
    for name, make in (("freebsd", freebsd), ("linux", linux)):
        (Path(sys.argv[1]) if sys.argv[1:] else DATA).joinpath(f"{name}.txt").write_text(make(), "utf-8")
