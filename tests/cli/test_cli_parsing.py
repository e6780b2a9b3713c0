"""Which operation each command line calls, and with what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from potnet.model.pots import HookKind, NetworkType, Stack
from potnet.operations.exports.change_exports import Change
from potnet.operations.exports.export_ports import ExportRequest
from potnet.operations.networks.bridges import BridgeRequest
from potnet.operations.pots.create import CreateRequest
from potnet.operations.pots.settings import SettingsRequest
from potnet.runtime.command_log import Record

POT = SimpleNamespace(name="casserole", exports=(), withdrawn=(), leased=(), aliases=(), by_dhcp=())


def test_create_takes_the_letters_of_pot(stage: Any, potnet: Callable[..., Any]) -> None:
    stage.answers["create"] = POT
    line = "create -p casserole -t single -b 12.2 -N alias -i em0|192.168.178.200 -i 2a00::80 -S dual -d off"
    assert potnet(*line.split(), "--hostname", "h", "--cmd", "sleep 9", "--boot", "--path", "/r").code == 0
    ((name, (request,), _),) = stage.calls
    assert name == "create"
    assert request == CreateRequest(
        name="casserole",
        network_type=NetworkType.ALIAS,
        stack=Stack.DUAL,
        addresses=("em0|192.168.178.200", "2a00::80"),
        resolver="off",
        hostname="h",
        path="/r",
        base="12.2",
        command="sleep 9",
        boot=True,
    )


def test_create_leaves_open_what_was_not_given(stage: Any, potnet: Callable[..., Any]) -> None:
    stage.answers["create"] = POT
    assert potnet("create").code == 0
    assert stage.call[1] == (CreateRequest(),)


def test_long_options(stage: Any, potnet: Callable[..., Any]) -> None:
    stage.answers["create"] = POT
    line = "create --pot c --type single --base 12.2 --network-type private-bridge --ip auto --stack ipv4"
    assert potnet(*line.split(), "--bridge", "stove", "--dns", "pot", "--no-boot").code == 0
    request = stage.call[1][0]
    assert (request.name, request.bridge, request.resolver) == ("c", "stove", "pot")


def test_several_networks(stage: Any, potnet: Callable[..., Any]) -> None:
    stage.answers["create"] = POT
    line = "create -N private-bridge -B stove -N public-bridge -N private-bridge -B oven -B grill"
    assert potnet(*line.split()).code == 0
    request = stage.call[1][0]
    private, public = NetworkType.PRIVATE_BRIDGE, NetworkType.PUBLIC_BRIDGE
    assert (request.network_type, request.bridge) == (private, "stove")
    assert request.more == ((public, None), (private, "oven"), (private, "grill"))
    assert potnet("create", "-N", "public-bridge", "-B", "stove").code == 2


@pytest.mark.parametrize(
    ("line", "call"),
    [
        ("destroy -p c", ("destroy_pot", ("c",), {})),
        ("destroy -B stove", ("destroy_bridge", ("stove",), {})),
        ("run c", ("run", ("c",), {})),
        ("run -p c", ("run", ("c",), {})),
        ("exec c -- ls -l", ("execute", ("c", ("ls", "-l")), {})),
        ("exec c ls -n", ("execute", ("c", ("ls", "-n")), {})),
        ("exec -p c -- ls -- -l", ("execute", ("c", ("ls", "--", "-l")), {})),
        ("exec c -- ls --help", ("execute", ("c", ("ls", "--help")), {})),
        (
            "export-ports -p c -e 80:3 -e udp:53",
            ("export_ports", ("c", ExportRequest(("80:3", "udp:53"))), {}),
        ),
        (
            "export-ports -e 80 --loopback --add --from 10.0.0.0/8 --from ::1 --max-connections 3",
            ("export_ports", (None, ExportRequest(("80",), True, ("10.0.0.0/8", "::1"), 3, Change.ADD)), {}),
        ),
        (
            "export-ports -p c --remove -e 80",
            ("export_ports", ("c", ExportRequest(("80",), change=Change.REMOVE)), {}),
        ),
        ("export-ports -p c --clear", ("export_ports", ("c", ExportRequest(())), {})),
        ("policy add --from a --to b --port 80", ("add", ("a", "b", "80", False), {})),
        ("policy add --from pot:a --to bridge:b --deny", ("add", ("pot:a", "bridge:b", None, True), {})),
        ("policy remove --from a --to b", ("remove", ("a", "b", None), {})),
        ("policy list", ("listed", (), {})),
        (
            "create-private-bridge -B stove -S 4",
            ("create_private_bridge", (BridgeRequest("stove", 4),), {}),
        ),
        (
            "create-private-bridge -B stove --net 172.30.1.0/24",
            ("create_private_bridge", (BridgeRequest("stove", network="172.30.1.0/24"),), {}),
        ),
        (
            "create-private-bridge -B stove -S 4 -6 auto --routed",
            ("create_private_bridge", (BridgeRequest("stove", 4, "auto", True),), {}),
        ),
        ("vnet-start", ("vnet_start", (None,), {})),
        ("vnet-start -B stove", ("vnet_start", ("stove",), {})),
        ("vnet-stop -B stove", ("vnet_stop", ("stove",), {})),
        ("clone a b -i auto", ("clone", ("a", "b", ("auto",)), {})),
        ("rename a b", ("rename", ("a", "b"), {})),
        ("copy-in -p c -s a -d /etc/b", ("copy_in", ("c", Path("a"), "/etc/b"), {})),
        (
            "set-hook -p c -s a -T b",
            ("set_hook", ("c", {HookKind.PRESTART: Path("a"), HookKind.POSTSTOP: Path("b")}), {}),
        ),
        (
            "set -p c -d off --no-boot",
            ("set_options", ("c", SettingsRequest(resolver="off", boot=False)), {}),
        ),
        ("init --apply --loopback", ("init", (True, True, None), {})),
        ("show", ("show_network", (), {})),
        ("show -b stove", ("show_bridge", ("stove",), {})),
        ("show -p c", ("show_pot", ("c",), {})),
        ("show -a", ("show_all", (), {})),
        ("info -p c", ("info", ("c",), {})),
        ("info -vp c", ("info", ("c",), {})),
        ("info -E -p c", ("environment", ("c",), {})),
        ("info -B stove", ("bridge_info", ("stove",), {})),
        ("check", ("check", ((), None), {})),
        ("check c -p d", ("check", (("d", "c"), None), {})),
        ("check -B stove", ("check", ((), "stove"), {})),
        ("repair", ("repair", ((), None, False), {})),
        ("repair c --rules", ("repair", (("c",), None, True), {})),
        ("list", ("list_pots", (), {"bridge": None})),
        ("list -B stove --running", ("list_pots", (), {"bridge": "stove"})),
        ("list --bridges", ("list_bridges", (), {})),
    ],
)
def test_calls(
    stage: Any, potnet: Callable[..., Any], line: str, call: tuple[str, tuple[object, ...], dict[str, object]]
) -> None:
    stage.answers |= {"export_ports": POT, "run": 0, "execute": 0, "list_pots": [], "list_bridges": []}
    stage.answers["create_private_bridge"] = SimpleNamespace(name="stove", subnets=())
    stage.answers |= {"check": (), "repair": SimpleNamespace(mended=(), left=())}
    stage.answers["init"] = SimpleNamespace(done=(), load_commands=(), loaded=False)
    stage.answers["clone"] = SimpleNamespace(name="b", leased=())
    stage.answers["rename"] = SimpleNamespace(name="b")
    # JSON, so that no view needs to be complete here.
    result = potnet("-o", "json", *line.split())
    assert (result.code, result.err) == (0, "")
    assert stage.call == call


@pytest.mark.parametrize("verb", ["start", "stop"])
@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("a b", ("a", "b")),
        ("-p a -p b", ("a", "b")),
        ("b -p a", ("a", "b")),
    ],
)
def test_start_and_stop_take_names(
    stage: Any, potnet: Callable[..., Any], verb: str, line: str, names: tuple[str, ...]
) -> None:
    stage.answers[verb] = ()
    assert potnet(verb, *line.split()).code == 0
    assert stage.calls[0][:2] == ("named_pots", (names,))
    assert stage.calls[1][:2] == (verb, (list(names),))


def test_start_at_boot(stage: Any, potnet: Callable[..., Any]) -> None:
    stage.answers["start"] = ()
    assert potnet("start", "--boot-only").code == 0
    assert [call[:2] for call in stage.calls] == [("boot_pots", ()), ("start", (["boots"],))]


@pytest.mark.parametrize("verb", ["start", "stop"])
def test_start_and_stop_of_all(stage: Any, potnet: Callable[..., Any], verb: str) -> None:
    stage.answers[verb] = ()
    assert potnet(verb, "--all").code == 0
    assert [call[:2] for call in stage.calls] == [("all_pots", ()), (verb, (["every", "pot"],))]


@pytest.mark.parametrize(
    "line",
    [
        "destroy", "destroy -p a -B b", "start", "start a --all", "start --all --boot-only", "stop", "run",
        "run a -p b", "exec", "exec a", "exec a --", "exec -p a", "exec a -n -- ls", "export-ports",
        "export-ports -e 80 --clear", "export-ports --add", "export-ports -e 80 --add --remove",
        "export-ports --clear --from ::1", "export-ports -e 80 --remove --loopback",
        "export-ports -e 80 --max-connections x",
        "policy add --from a", "policy add --to a", "policy list --from a", "policy list --deny",
        "policy remove --from a --to b --deny",
        "create-private-bridge -B b", "create-private-bridge -B b -S x",
        "create-private-bridge -B b -S 4 --net 172.30.1.0/24",
        "set", "set -p a", "set-hook -p a",
        "set -B b", "set -p a -B b --mtu 1400", "set -B b --mtu 1400 --boot", "set -B b --no-internet",
        "copy-in -p a -s b", "show -p a -b b", "show -a -p a", "info", "info -E", "info -p a -B b",
        "info -E -B b", "create -N lan", "create -S ipv5", "create -t multi", "create a extra",
        "list -o xml", "list -b -B stove",
        "list -b --type alias", "list --type vnet", "--host plan9 list", "--nothing", "create --nothing",
    ],
)  # fmt: skip
def test_wrong_usage(stage: Any, potnet: Callable[..., Any], line: str) -> None:
    result = potnet(*line.split())
    assert result.code == 2
    assert result.out == ""
    assert not stage.settings
    message, hint = result.err.splitlines()
    assert message.startswith("potnet: ")
    assert hint.startswith("hint: see potnet")


def test_multi_is_refused_with_the_reason(potnet: Callable[..., Any]) -> None:
    assert "requires layered file systems" in potnet("create", "-t", "multi").err


def test_a_misspelt_command_is_guessed(potnet: Callable[..., Any]) -> None:
    assert "did you mean `potnet create`?" in potnet("crate").err


GLOBAL = [
    ("--config x.toml", "config_file", Path("x.toml")),
    ("--host sim", "host", "sim"),
    ("--state-dir d", "state_dir", Path("d")),
    ("--via doas", "via", "doas"),
    ("--rootless", "rootless", True),
    ("-n", "dry_run", True),
    ("--dry-run", "dry_run", True),
    ("-v", "verbose", 1),
    ("-vv", "verbose", 2),
    ("-q", "quiet", True),
]


@pytest.mark.parametrize(("option", "name", "value"), GLOBAL)
@pytest.mark.parametrize("after", [False, True])
def test_global_options_stand_on_either_side(
    stage: Any, potnet: Callable[..., Any], option: str, name: str, value: object, after: bool
) -> None:
    line = ["vnet-start", *option.split()] if after else [*option.split(), "vnet-start"]
    assert potnet(*line).code == 0
    (settings,) = stage.settings
    assert vars(settings).pop(name) == value
    assert isinstance(vars(settings).pop("record"), Record)
    rest = {
        "config_file": None, "host": None, "state_dir": None, "via": None, "rootless": False,
        "dry_run": False, "verbose": 0,
        "quiet": False, "purpose": "change",
    }  # fmt: skip
    assert vars(settings) == {key: rest[key] for key in rest if key != name}


@pytest.mark.parametrize(
    ("variable", "given", "name", "value"),
    [
        ("CONFIG", "x.toml", "config_file", Path("x.toml")),
        ("HOST", "sim", "host", "sim"),
        ("STATE_DIR", "d", "state_dir", Path("d")),
        ("VIA", "ssh root@host", "via", "ssh root@host"),
        ("DRY_RUN", "1", "dry_run", True),
        ("VERBOSE", "2", "verbose", 2),
        ("QUIET", "yes", "quiet", True),
    ],
)
def test_the_environment_sets_global_options(
    stage: Any,
    potnet: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    given: str,
    name: str,
    value: object,
) -> None:
    monkeypatch.setenv(f"POTNET_{variable}", given)
    assert potnet("vnet-start").code == 0
    assert getattr(stage.settings[0], name) == value


@pytest.mark.parametrize("line", ["--host freebsd vnet-start", "vnet-start --host freebsd"])
def test_what_is_typed_wins_over_the_environment(
    stage: Any, potnet: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setenv("POTNET_HOST", "sim")
    potnet(*line.split())
    assert stage.settings[0].host == "freebsd"


def test_export_ports_takes_the_pot_from_the_environment(
    stage: Any, potnet: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.answers["export_ports"] = POT
    monkeypatch.setenv("POTNET_POT", "c")
    potnet("export-ports", "-e", "80")
    potnet("export-ports", "-e", "80", "-p", "d")
    assert [arguments[0] for _, arguments, _ in stage.calls] == ["c", "d"]


@pytest.mark.parametrize("line", ["list", "info -p c", "show", "show -a"])
def test_views_do_not_change_the_host(stage: Any, potnet: Callable[..., Any], line: str) -> None:
    potnet("-o", "json", *line.split())
    assert stage.settings[0].purpose == "read"


@pytest.mark.parametrize(
    "line",
    [
        ["--state-dir", "", "list"], ["list", "--state-dir="], ["--config", "", "list"],
        ["store", "backup", ""],
        ["store", "restore", ""], ["serve", "--socket", ""], ["copy-in", "web", "-s", "", "-d", "/etc/x"],
        ["set-hook", "web", "--prestart", ""],
    ],
)  # fmt: skip
def test_an_empty_path_is_not_the_directory_here(
    stage: Any, potnet: Callable[..., Any], line: list[str]
) -> None:
    result = potnet(*line)
    assert result.code == 2
    assert "invalid value for" in result.err and "it is empty" in result.err
    assert not stage.calls
