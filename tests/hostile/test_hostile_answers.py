"""Tools that answer what they never answer: recorded answers of real hosts, spoilt, fed to whole commands."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sandbox import NASTY, Sandbox

from potnet import app
from potnet.drivers.freebsd.facts import parse as freebsd
from potnet.drivers.freebsd.facts import parse_ifconfig as freebsd_ifconfig
from potnet.drivers.freebsd.facts import parse_netstat as freebsd_netstat
from potnet.drivers.freebsd.pf import parse_pf as freebsd_pf
from potnet.drivers.linux.facts import default_route, names
from potnet.drivers.linux.facts import parse as linux
from potnet.errors import PotnetError
from potnet.executors.base import Command, CommandResult, Executor
from potnet.store.store import Store

DATA = Path(__file__).resolve().parents[1] / "data"

LIFE = (
    "create-private-bridge -B stove -S 4",
    "create-private-bridge -B store -S 4 -6 auto --mtu 1400 --isolate",
    "create-private-bridge -B floor -S 4 --uplink em0.30",
    "create -p casserole -N public-bridge -S dual",
    "create -p kettle -N private-bridge -B stove",
    "create -p ladle -N alias -i 192.168.178.210",
    "create -p lid -N private-bridge -B store -B floor -S dual --mac 02:00:00:00:00:01 --no-internet"
    " --bandwidth-in 10Mbit/s --bandwidth-out 500KByte/s",
    "create -p tap -N private-bridge -B floor --pass em1 --isolate",
    "create -p vm1 -N private-bridge -B stove --tap --owner daemon --isolate",
    "policy add --from lid --to kettle --port tcp:80",
    "export-ports -p lid -e 8000-8009:30000-30009 -e 192.168.178.20@tcp+udp:53:30053"
    " --from 192.168.178.0/24 --max-connections 5",
    "start casserole lid tap vm1",
)
USUAL = (
    "list", "list -b", "info -p casserole", "show -p casserole", "start kettle", "start ladle", "check",
    "stop --all", "export-ports -p casserole -e 80:30080 -e 443", "create -p wok -N public-bridge",
    "create -N alias -i 192.168.178.211", "vnet-start -B stove", "vnet-stop", "destroy -p kettle",
    "stop casserole", "vnet-start",
    "set -p casserole -i auto", "run casserole", "init --apply", "repair", "graph", "dns", "create -b 14.2",
    "graph --format svg", "metrics", "doctor", "ports", "show -a", "info -B floor", "dns --format hosts",
    "dhcp", "dhcp --format kea",
    "policy add --from stove --to store", "policy add --from tap --to kettle --deny", "policy list",
    "policy remove --from lid --to kettle --port tcp:80", "stop lid tap vm1", "start --all",
    "info -p vm1", "set -p vm1 --owner root", "destroy -p vm1",
    "set -p lid --param osrelease=13.2 --param sysvshm=new --no-param allow.mlock", "start lid",
    "create-private-bridge -B oven -S 2 -6 auto --routed --mtu 9000 --isolate --uplink em1.7",
    "create -p pan -N public-bridge -N private-bridge -B store --mac 02:00:00:00:00:02 --isolate",
    "create -p pan -N private-bridge -B stove --mtu 1300 --pass em1 --bandwidth-in 8Kbit/s",
    "set -p lid --internet --no-isolate --bandwidth-in none --bandwidth-out 1Mbit/s",
    "set -p tap --no-pass --mac 02:00:00:00:00:03", "set -p kettle --mtu 1280 --pass em1",
    "export-ports -p kettle -e udp:53 --loopback", "export-ports -p lid --remove -e 8000-8009",
    "export-ports -p casserole --add -e 192.168.178.20@80-81 --from 2001:db8::/32 --max-connections 1",
    "export-ports -p lid --clear", "serve --socket control -p casserole", "serve --socket control",
    "attach kettle", "detach lid", "jail-conf lid", "destroy -p lid", "destroy -B floor",
    "vnet-start -B floor", "create-bridge -B lan --join em1 --net 192.0.2.0/24 --range 192.0.2.60-192.0.2.69",
    "create -p nas -N bridge -B lan -i auto", "create -p nas -N bridge -B lan -i 192.0.2.70", "start nas",
    "create -p kea -N bridge -B lan -i dhcp", "start kea",
    "create-bridge -B wan --join em0 --net 192.168.178.0/24 -6 2001:db8:7::/64 --slaac", "destroy -B lan",
)  # fmt: skip
#: What is asked of a server.
REQUESTS = tuple(
    json.dumps(request).encode()
    for request in (
        {"execute": "list_hostfwd"},
        {"execute": "add_hostfwd", "arguments": {"proto": "tcp", "host_port": 30081, "guest_port": 80}},
        {"execute": "add_hostfwd", "arguments": {"proto": "udp", "host_port": 30000, "guest_port": 53}},
        {"execute": "remove_hostfwd", "arguments": {"id": 1}},
        {"execute": "list_hostfwd"},
    )
)

#: What stands in no text that a tool prints, but might.
INSERTED = [text for text in NASTY if text and "\0" not in text and len(text) < 300] + [
    "9" * 5000, "\0", "\udcff", "eth0\nlink del dev eth0", 'em0" ; pass', "em0 }\npass quick all", "em0$(id)",
    "2147483648", "-1", "{}", "[]", "[[]]", "[null]", '[{"ifname": 5}]', '[{"ifname": "a\\"b"}]', "null",
    "[" * 5000, "jid=1 name=casserole path=/ nodying", "potnet-uplink:eth0;id promisc", "%lo0",
]  # fmt: skip


def records(kind: str) -> Iterator[dict[str, object]]:
    """The answers of real hosts of a kind."""
    for path in sorted((DATA / kind).glob("*.json")):
        found = json.loads(path.read_text("utf-8"))
        yield from found["commands"] if isinstance(found, dict) else found


def spoilt(text: str, chance: random.Random) -> str:
    """A text with something wrong with it."""
    lines = text.splitlines(keepends=True)
    place = chance.randrange(len(lines)) if lines else 0
    words = text.split(" ")
    word = chance.randrange(len(words))
    inserted = chance.choice(INSERTED)
    match chance.randrange(10):
        case 0:
            return "".join(lines[:place] + lines[place + 1 :])
        case 1:
            return "".join(lines[: place + 1] + lines[place:])
        case 2:
            return text[: chance.randrange(len(text) + 1)]
        case 3:
            return ""
        case 4:
            return inserted
        case 5:
            return "".join([*lines[:place], inserted, "\n", *lines[place:]])
        case 6:
            return " ".join([*words[:word], inserted, *words[word + 1 :]])
        case 7:
            cut = chance.randrange(len(text) + 1)
            return text[:cut] + inserted + text[cut:]
        case 8:
            return "".join(chance.choice('9x \t"{},:') if chance.random() < 0.02 else c for c in text)
        case _:
            return text.replace(chance.choice("0123456789abcdef"), chance.choice('0123456789abcdef{"'))


@dataclass
class Lying:
    """Answers as the host does, and now and then otherwise."""

    inner: Executor
    chance: random.Random
    others: dict[str, list[str]]

    def run(self, command: Command) -> CommandResult:
        result = self.inner.run(command)
        if self.chance.random() > 0.3:
            return result
        out = result.out
        if self.chance.random() < 0.3 and command.argv[0] in self.others:
            out = self.chance.choice(self.others[command.argv[0]])
        code = self.chance.choice((result.code,) * 6 + (1, 71, 124, 126, 127, 255))
        return CommandResult(code, spoilt(out, self.chance), spoilt(result.err, self.chance))

    def attach(self, command: Command) -> int:
        return 0


@dataclass
class Replaying:
    """Answers from records: what was recorded for a command, else for one of the same program."""

    known: dict[tuple[str, ...], list[CommandResult]]
    chance: random.Random

    def run(self, command: Command) -> CommandResult:
        found = self.known.get((*command.argv, str(command.stdin or "")))
        if found is None:
            start = command.argv[:3]
            found = [r for argv, results in self.known.items() if argv[:3] == start for r in results]
        return self.chance.choice(found) if found else CommandResult()

    def attach(self, command: Command) -> int:
        return 0


def answers(kind: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for record in records(kind):
        argv = record["argv"]
        assert isinstance(argv, list)
        found.setdefault(argv[0], []).append(str(record["stdout"]))
    return found


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sandbox = Sandbox(tmp_path_factory.mktemp("prepared"))
    for line in LIFE:
        assert sandbox.potnet("--host", "sim", "--state-dir", str(sandbox.state), *line.split()).code == 0
    return sandbox.state


#: The same inputs each time, so that a failure is found again.
CHECKS = {"suppress_health_check": list(HealthCheck), "deadline": None, "derandomize": True}


def fuzz_freebsd(prepared: Path, figure: Callable[..., None], examples: int) -> None:
    others = answers("freebsd")

    @settings(max_examples=examples, **CHECKS)  # type: ignore[arg-type]
    @given(st.lists(st.sampled_from(USUAL), min_size=1, max_size=3), st.integers(0, 1 << 32))
    def tried(typed: list[str], seed: int) -> None:
        with tempfile.TemporaryDirectory() as directory:
            sandbox = Sandbox(Path(directory))
            sandbox.requests = REQUESTS
            sandbox.copy_state(prepared)
            chance = random.Random(seed)
            sandbox.executor = lambda inner: Lying(inner, chance, others)
            for line in typed:
                sandbox.potnet("--host", "sim", "--state-dir", str(sandbox.state), *line.split())
                figure("hostile answers, FreeBSD", commands_tried=1, failures=0)
            sound(sandbox, typed)

    tried()


def sound(sandbox: Sandbox, typed: list[str]) -> None:
    """The store is whole, and once the host says what is so again, all that was started can be stopped."""
    sandbox.executor = lambda inner: inner
    options = ("--host", "sim", "--state-dir", str(sandbox.state), "-q")
    with Store.open_copy(sandbox.state, "sim") as store:
        assert store.damage() is None, typed
    sandbox.potnet(*options, "repair")
    sandbox.potnet(*options, "stop", "--all")
    sandbox.potnet(*options, "repair")
    found = sandbox.potnet(*options, "check")
    # A jail that was not seen when its pot was stopped is nobody's from then on.
    assert found.code == 0 or "jail-foreign" in found.out, (typed, found)


@contextmanager
def on_linux(sandbox: Sandbox, make: Callable[[], Executor]) -> Iterator[None]:
    """With a Linux host that is nothing but answers."""
    sandbox.executor = lambda _: make()
    with mock.patch.object(app, "require_system"), mock.patch.object(app, "require_root"):
        yield


@pytest.fixture(scope="module")
def recorded() -> dict[tuple[str, ...], list[CommandResult]]:
    known: dict[tuple[str, ...], list[CommandResult]] = {}
    for record in records("linux"):
        argv = record["argv"]
        assert isinstance(argv, list)
        result = CommandResult(int(str(record["code"])), str(record["stdout"]), str(record["stderr"]))
        known.setdefault((*argv, str(record["stdin"] or "")), []).append(result)
    assert len(known) > 50
    return known


def fuzz_linux(
    recorded: dict[tuple[str, ...], list[CommandResult]], figure: Callable[..., None], examples: int
) -> None:
    others = answers("linux")

    @settings(max_examples=examples, **CHECKS)  # type: ignore[arg-type]
    @given(st.lists(st.sampled_from(USUAL), min_size=1, max_size=3), st.integers(0, 1 << 32))
    def tried(typed: list[str], seed: int) -> None:
        with tempfile.TemporaryDirectory() as directory:
            sandbox, chance = Sandbox(Path(directory)), random.Random(seed)
            sandbox.requests = REQUESTS
            options = ("--host", "linux", "--state-dir", str(sandbox.state), "-q")
            with on_linux(sandbox, lambda: Replaying(recorded, chance)):
                for line in (*LIFE, "export-ports -p casserole -e 80:30080"):
                    sandbox.potnet(*options, *line.replace("192.168.178", "eth0|192.0.2").split())
            with on_linux(sandbox, lambda: Lying(Replaying(recorded, chance), chance, others)):
                for line in typed:
                    sandbox.potnet(*options, *line.split())
                    figure("hostile answers, Linux", commands_tried=1, failures=0)
            with Store.open_copy(sandbox.state, "linux") as store:
                assert store.damage() is None, typed

    tried()


def test_a_sample_of_answers_of_freebsd(prepared: Path, figure: Callable[..., None]) -> None:
    fuzz_freebsd(prepared, figure, 5)


@pytest.mark.slow
def test_thousands_of_answers_of_freebsd(prepared: Path, figure: Callable[..., None]) -> None:
    fuzz_freebsd(prepared, figure, 600)


def test_a_sample_of_answers_of_linux(
    recorded: dict[tuple[str, ...], list[CommandResult]], figure: Callable[..., None]
) -> None:
    fuzz_linux(recorded, figure, 5)


@pytest.mark.slow
def test_thousands_of_answers_of_linux(
    recorded: dict[tuple[str, ...], list[CommandResult]], figure: Callable[..., None]
) -> None:
    fuzz_linux(recorded, figure, 400)


#: Each reader with the recorded programs whose answers it is for.
READERS: dict[str, tuple[tuple[Callable[[str], object], tuple[str, ...]], ...]] = {
    "freebsd": (
        (freebsd_ifconfig.interface, ("ifconfig",)),
        (freebsd.jails, ("jls",)),
        (freebsd.jail, ("jls",)),
        (freebsd_netstat.interfaces, ("netstat",)),
        (freebsd_pf.main_rules, ("pfctl",)),
        (freebsd_pf.redirections, ("pfctl",)),
        (freebsd.listeners, ("sockstat",)),
        (freebsd_netstat.routes, ("netstat",)),
        (freebsd.default_interface, ("route",)),
        (freebsd_netstat.gateways, ("netstat",)),
        (freebsd_netstat.traffic, ("netstat",)),
        (freebsd_pf.export_traffic, ("pfctl",)),
        (freebsd_pf.loaded_rules, ("pfctl",)),
        (freebsd.file_kinds, ("stat",)),
        (freebsd.mount_points, ("mount",)),
    ),
    "linux": (
        (lambda text: linux.interfaces(linux.documents(text)), ("ip",)),
        (lambda text: linux.routes(linux.documents(text)), ("ip",)),
        (lambda text: default_route.leading_out(default_route.default(linux.documents(text)), []), ("ip",)),
        (linux.listeners, ("ss",)),
        (linux.inodes, ("stat",)),
        (linux.file_kinds, ("stat",)),
        (linux.mount_points, ("cat",)),
        (linux.blocks, ("nft",)),
        (lambda text: linux.network(linux.documents(text)), ("ip",)),
        (lambda text: linux.traffic(linux.documents(text)), ("ip",)),
        (linux.failed_line, ("ip",)),
    ),
}


@pytest.mark.parametrize("rounds", [20, pytest.param(2000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["freebsd", "linux"])
def test_readers_read_or_refuse(kind: str, rounds: int, figure: Callable[..., None]) -> None:
    chance, texts = random.Random(rounds), answers(kind)
    for reader, programs in READERS[kind]:
        known = [text for program in programs for text in texts.get(program, [""])]
        for _ in range(rounds):
            text = spoilt(chance.choice(known), chance)
            try:
                reader(text)
            except PotnetError as error:
                assert error.hint
            figure("hostile texts for parsers", tried=1, failures=0)


@pytest.mark.parametrize("name", ["eth0;id", 'em0"', "a b", "em0\npass all", "$(id)", "x" * 16, "", "{", "é"])
def test_an_interface_that_cannot_stand_in_rules_is_refused(name: str) -> None:
    assert freebsd.default_interface("  interface: igb0.100\n") == "igb0.100"
    assert default_route.leading_out([{"dst": "default", "dev": "br-lan"}], []) == ("br-lan",)
    assert names.marked_uplink(f"potnet-uplink:{name} promisc") is None or " " in name
    with pytest.raises(PotnetError):
        default_route.leading_out([{"dst": "default", "dev": name}], [])
    if name.split() == [name]:
        with pytest.raises(PotnetError):
            freebsd.default_interface(f"  interface: {name}\n")
