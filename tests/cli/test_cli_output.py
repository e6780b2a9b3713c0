"""What commands print, to the byte."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from netaddr import IPAddress, IPNetwork

from potnet.cli import views
from potnet.host.findings import Finding, Kind
from potnet.model.bridges import Bridge, BridgeKind
from potnet.model.ports import Export, Transport
from potnet.operations.exports.change_exports import Abridged

NETWORK: dict[str, Any] = {
    "network": "10.192.0.0/10",
    "gateway": "10.192.0.1",
    "dns": "10.192.0.2",
    "addresses": [
        {"address": "10.192.0.0", "owner": "", "kind": "network"},
        {"address": "10.192.0.1", "owner": "", "kind": "gateway"},
        {"address": "10.192.0.2", "owner": "", "kind": "dns"},
        {"address": "10.192.0.10", "owner": "casserole4", "kind": "pot"},
        {"address": "10.192.0.16", "owner": "stove", "kind": "network"},
        {"address": "10.192.0.17", "owner": "stove", "kind": "gateway"},
        {"address": "10.192.0.18", "owner": "stove", "kind": "bridge"},
        {"address": "10.192.0.23", "owner": "stove", "kind": "broadcast"},
        {"address": "10.255.255.255", "owner": "", "kind": "broadcast"},
    ],
}
NETWORK_TEXT = (
    "Network topology:\n"
    "\tnetwork : 10.192.0.0/10\n"
    "\tmin addr: 10.192.0.0\n"
    "\tmax addr: 10.255.255.255\n"
    "\n"
    "Addresses already taken:\n"
    "\t10.192.0.0\t\n"
    "\t10.192.0.1\tdefault gateway\n"
    "\t10.192.0.2\tdns\n"
    "\t10.192.0.10\tcasserole4\n"
    "\t10.192.0.16\tstove bridge - network \n"
    "\t10.192.0.17\tstove bridge - gateway \n"
    "\t10.192.0.18\tstove bridge - allocated address\n"
    "\t10.192.0.23\tstove bridge - broadcast \n"
    "\t10.255.255.255\t\n"
)
BRIDGE = {
    "bridge": "stove",
    "network": "10.192.0.16/29",
    "gateway": "10.192.0.17",
    "size": 4,
    "free": 4,
    "addresses": [
        {"address": "10.192.0.16", "owner": "stove", "kind": "network"},
        {"address": "10.192.0.17", "owner": "stove", "kind": "gateway"},
        {"address": "10.192.0.19", "owner": "casserole", "kind": "pot"},
        {"address": "10.192.0.23", "owner": "stove", "kind": "broadcast"},
    ],
}
BRIDGE_TEXT = (
    "\t10.192.0.16\tstove bridge - network \n"
    "\t10.192.0.17\tstove bridge - gateway \n"
    "\t10.192.0.19\tcasserole\n"
    "\t10.192.0.23\tstove bridge - broadcast \n"
)
REDIRECTION = {
    "interface": "em0", "protocol": "tcp", "address": "192.168.178.20", "port": 30080,
    "pot_address": "10.192.0.11", "pot_port": 80,
}  # fmt: skip
POT: dict[str, Any] = {
    "name": "casserole4", "state": "stopped", "network_type": "public-bridge", "stack": "ipv4",
    "addresses": [
        {"family": 4, "address": "10.192.0.10", "prefix": 10, "interface": "epair0b", "network": "public"}
    ],
    "bridge": "public", "bridges": ["public"], "mac": "02:00:00:00:00:01", "resolver": "inherit",
    "exports": [], "passed": [],
    "root": "/opt/potnet/jails/casserole4/m", "interfaces": [], "jid": None, "type": "single", "level": 0,
    "base": "12.2", "hostname": "casserole4", "boot": False, "command": [],
    "redirections": [], "usage": {"disk": None, "virtual_memory": None, "physical_memory": None},
}  # fmt: skip
EXPORTS = [
    {"protocol": "tcp", "pot_port": 80, "host_port": 30080, "host_address": None},
    {"protocol": "tcp", "pot_port": 443, "host_port": None, "host_address": None},
    {"protocol": "udp", "pot_port": 53, "host_port": 5353, "host_address": None},
]
RUNNING = POT | {
    "name": "casserole",
    "state": "running",
    "exports": EXPORTS,
    "redirections": [REDIRECTION, REDIRECTION | {"protocol": "udp", "port": 5353, "pot_port": 53}],
    "usage": {"disk": "266M", "virtual_memory": "33M", "physical_memory": "17M"},
}
RUNNING_TEXT = (
    "pot casserole\n"
    "\tdisk usage      : 266M\n"
    "\tvirtual memory  : 33M\n"
    "\tphysical memory : 17M\n"
    "\n"
    "\tNetwork port redirection\n"
    "\t\t192.168.178.20 port 30080 -> 10.192.0.11 port 80\n"
    "\t\t192.168.178.20 port 5353 -> 10.192.0.11 port 53 (udp)\n"
)
INFO_TEXT = (
    "pot name : casserole4\n"
    "\ttype : single\n"
    "\tbase : 12.2\n"
    "\tlevel : 0\n"
    "\tnetwork_type : public-bridge\n"
    "\tip : 10.192.0.10\n"
    "\t\tno ports exported\n"
    "\tactive : false\n"
)
TREE = {
    "name": "stove", "kind": "private", "interface": "bridge1", "network": "10.192.0.16/29",
    "gateway": "10.192.0.17", "network6": None, "size": 4, "state": "up", "pots": ["kettle", "pan"],
}  # fmt: skip
TREE6 = TREE | {
    "name": "public6", "kind": "public6", "network": None, "gateway": None, "size": None, "pots": [],
}  # fmt: skip

VIEWS = [
    ("show", "show_network", NETWORK, NETWORK_TEXT),
    ("show -b stove", "show_bridge", BRIDGE, BRIDGE_TEXT),
    (
        "show -b public",
        "show_bridge",
        NETWORK | {"bridge": "public", "addresses": NETWORK["addresses"][:4]},
        "".join(NETWORK_TEXT.splitlines(keepends=True)[6:10]),
    ),
    ("show -p casserole", "show_pot", RUNNING, RUNNING_TEXT),
    ("show -p casserole4", "show_pot", POT, "pot casserole4\n"),
    ("show -a", "show_all", [RUNNING, POT], RUNNING_TEXT + "\npot casserole4\n"),
    ("info -vp casserole4", "info", POT, INFO_TEXT),
    ("info -p casserole4", "info", POT, INFO_TEXT),
    (
        "info -p casserole",
        "info",
        RUNNING,
        INFO_TEXT.replace("casserole4", "casserole")
        .replace("no ports exported", "exported ports: 80:30080 443 udp:53:5353")
        .replace("false", "true"),
    ),
    (
        "info -p casserole4",
        "info",
        POT | {"network_type": "inherit", "addresses": [], "base": None},
        "pot name : casserole4\n\ttype : single\n\tbase : none\n\tlevel : 0\n\tnetwork_type : inherit\n"
        "\tactive : false\n",
    ),
    (
        "info -E -p casserole",
        "environment",
        {"_POT_NAME": "casserole", "_POT_IP": "10.192.0.10 fd00::1"},
        "export _POT_NAME=casserole\nexport _POT_IP='10.192.0.10 fd00::1'\n",
    ),
    (
        "info -B stove",
        "bridge_info",
        TREE,
        "bridge name : stove\n\tkind : private\n\tinterface : bridge1\n\tnetwork : 10.192.0.16/29\n"
        "\tgateway : 10.192.0.17\n\tsize : 4\n\tstate : up\n\tpots : kettle pan\n",
    ),
    (
        "list",
        "list_pots",
        [RUNNING, POT],
        "name        state    type           stack  addresses    bridge  exports\n"
        "----------  -------  -------------  -----  -----------  ------  ------------\n"
        "casserole   running  public-bridge  ipv4   10.192.0.10  public  80:30080 443\n"
        "                                                                udp:53:5353\n"
        "casserole4  stopped  public-bridge  ipv4   10.192.0.10  public\n",
    ),
    (
        "list --wide",
        "list_pots",
        [RUNNING, POT],
        "name        state    type           stack    addresses    bridge    exports\n"
        "----------  -------  -------------  -------  -----------  --------  ------------------------\n"
        "casserole   running  public-bridge  ipv4     10.192.0.10  public    80:30080 443 udp:53:5353\n"
        "casserole4  stopped  public-bridge  ipv4     10.192.0.10  public\n",
    ),
    (
        "list --bridges --wide",
        "list_bridges",
        [TREE, TREE6],
        "name     kind     interface    state    network         gateway      size    pots\n"
        "-------  -------  -----------  -------  --------------  -----------  ------  ----------\n"
        "stove    private  bridge1      up       10.192.0.16/29  10.192.0.17  4       kettle pan\n"
        "public6  public6  bridge1      up\n",
    ),
    ("list -q", "list_pots", [RUNNING, POT], "casserole\ncasserole4\n"),
]


@pytest.mark.parametrize(("line", "operation", "view", "text"), VIEWS)
def test_views_as_text(
    stage: Any, potnet: Callable[..., Any], line: str, operation: str, view: object, text: str
) -> None:
    stage.answers[operation] = view
    assert potnet(*line.split()) == (0, text, "")


@pytest.mark.parametrize(("line", "operation", "view", "text"), VIEWS)
def test_views_as_json_are_the_views(
    stage: Any, potnet: Callable[..., Any], line: str, operation: str, view: object, text: str
) -> None:
    stage.answers[operation] = view
    result = potnet(*line.split(), "-o", "json")
    assert json.loads(result.out) == view
    assert result.out == json.dumps(view, indent=2) + "\n"


def test_an_alias_is_shown_with_its_interface(stage: Any, potnet: Callable[..., Any]) -> None:
    addresses = [
        {"family": 6, "address": "2a00::443", "prefix": 128, "interface": "em0", "network": None},
        {"family": 4, "address": "192.168.178.200", "prefix": 32, "interface": "em0", "network": None},
    ]
    stage.answers["info"] = POT | {"network_type": "alias", "addresses": addresses}
    out = potnet("info", "-p", "c").out
    assert "\tip : em0|2a00::443 em0|192.168.178.200\n" in out
    assert "ports" not in out


def test_an_address_to_come_is_shown_as_auto(stage: Any, potnet: Callable[..., Any]) -> None:
    address = {"family": 6, "address": None, "prefix": None, "interface": "epair0b", "network": "public6"}
    stage.answers["info"] = POT | {"addresses": [address]}
    assert "\tip : auto\n" in potnet("info", "-p", "c").out


def test_the_dns_pot_is_named_where_there_is_one(stage: Any, potnet: Callable[..., Any]) -> None:
    entry = {"address": "10.192.0.2", "owner": "unbound", "kind": "dns"}
    stage.answers["show_network"] = NETWORK | {"addresses": [entry]}
    assert potnet("show").out.endswith("\t10.192.0.2\tunbound\n")


def made(name: str, *addresses: str, aliases: tuple[SimpleNamespace, ...] = ()) -> SimpleNamespace:
    leased = tuple(map(IPAddress, addresses))
    return SimpleNamespace(name=name, leased=leased, aliases=aliases, by_dhcp=())


def outcome(name: str, changed: bool) -> SimpleNamespace:
    return SimpleNamespace(name=name, changed=changed)


BRIDGE_MADE = Bridge("stove", BridgeKind.PRIVATE, 0, IPNetwork("10.192.0.16/29"), IPAddress("10.192.0.17"))
BRIDGE_MADE6 = replace(BRIDGE_MADE, network6=IPNetwork("fd00:192::/64"))
EXPORTED = SimpleNamespace(
    name="c",
    exports=(Export(Transport.TCP, 80, 30080), Export(Transport.UDP, 53)),
    withdrawn=(Export(Transport.TCP, 443, 30443), replace(Export(Transport.TCP, 80, 30080), loopback=True)),
)
ABRIDGED = Abridged("c", EXPORTED.exports[:1], EXPORTED.withdrawn)
INIT = SimpleNamespace(done=("pf.conf changed",), load_commands=("service pf reload",), loaded=False)
DONE = [
    ("create -p c", "create", made("c"), "c created\n", {"name": "c", "changed": True}),
    ("create c", "create", made("c", "10.192.0.3"), "c created: 10.192.0.3\n", None),
    ("create -p c", "create", made("c", "10.192.0.3", "fd00::3"), "c created: 10.192.0.3, fd00::3\n", None),
    (
        "create -p c", "create", made("c", aliases=(SimpleNamespace(interface="em0", address="192.0.2.1"),)),
        "c created: em0|192.0.2.1\n", None,
    ),
    ("destroy -p c", "destroy_pot", None, "c destroyed\n", {"name": "c", "changed": True}),
    ("destroy -B stove", "destroy_bridge", None, "stove destroyed\n", {"name": "stove", "changed": True}),
    (
        "start a b", "start", (outcome("a", True), outcome("b", False)),
        "a started\nb is already running\n",
        [{"name": "a", "changed": True}, {"name": "b", "changed": False}],
    ),
    (
        "stop a b", "stop", (outcome("a", True), outcome("b", False)),
        "a stopped\nb is already stopped\n",
        [{"name": "a", "changed": True}, {"name": "b", "changed": False}],
    ),
    (
        "restart a b c", "restart",
        tuple(SimpleNamespace(name=name, changed=changed, stopped=stopped) for name, changed, stopped in (
            ("a", True, True), ("b", True, False), ("c", False, False),
        )),
        "a restarted\nb started\nc is already running\n",
        [
            {"name": "a", "changed": True, "stopped": True},
            {"name": "b", "changed": True, "stopped": False},
            {"name": "c", "changed": False, "stopped": False},
        ],
    ),
    (
        "export-ports --add -e 80:30080", "export_ports", ABRIDGED,
        "c exports 80:30080 and keeps its other exports; withdrawn: 443:30443\n",
        {
            "name": "c", "changed": True,
            "exports": [{"protocol": "tcp", "pot_port": 80, "host_port": 30080}],
        },
    ),
    (
        "export-ports --remove -e 443", "export_ports", Abridged("c", (), EXPORTED.withdrawn[:1]),
        "c keeps its other exports; withdrawn: 443:30443\n", {"name": "c", "changed": True, "exports": []},
    ),
    (
        "export-ports -e 80:30080 -e udp:53", "export_ports", EXPORTED,
        "c exports 80:30080, udp:53; withdrawn: 443:30443\n",
        {
            "name": "c", "changed": True,
            "exports": [
                {"protocol": "tcp", "pot_port": 80, "host_port": 30080},
                {"protocol": "udp", "pot_port": 53, "host_port": None},
            ],
        },
    ),
    (
        "create-private-bridge -B stove -S 4", "create_private_bridge", BRIDGE_MADE,
        "stove created: 10.192.0.16/29, gateway 10.192.0.17\n",
        {"name": "stove", "changed": True, "network": "10.192.0.16/29", "gateway": "10.192.0.17"},
    ),
    (
        "create-private-bridge -B stove -S 4 -6 fd00:192::/64", "create_private_bridge", BRIDGE_MADE6,
        "stove created: 10.192.0.16/29, gateway 10.192.0.17; fd00:192::/64, gateway fd00:192::1\n",
        {
            "name": "stove", "changed": True, "network": "10.192.0.16/29", "gateway": "10.192.0.17",
            "network6": "fd00:192::/64", "gateway6": "fd00:192::1",
        },
    ),
    ("vnet-start", "vnet_start", True, "bridge public is up\n", {"name": "public", "changed": True}),
    (
        "vnet-start -B stove", "vnet_start", False,
        "bridge stove is already up\n", {"name": "stove", "changed": False},
    ),
    ("vnet-stop", "vnet_stop", True, "bridge public is down\n", {"name": "public", "changed": True}),
    (
        "set -p c -d off", "set_options", True,
        "c changed; the change takes effect at the next start\n",
        {"name": "c", "changed": True, "from_next_start": True},
    ),
    (
        "set -p c --boot", "set_options", False,
        "c changed\n", {"name": "c", "changed": True, "from_next_start": False},
    ),
    (
        "set -B stove --mtu 1400", "set_bridge", True,
        "stove changed; `potnet repair -B stove` changes the running bridge\n",
        {"name": "stove", "changed": True, "from_next_start": True},
    ),
    (
        "set -B stove --isolate", "set_bridge", False,
        "stove changed\n", {"name": "stove", "changed": True, "from_next_start": False},
    ),
    ("set-hook -p c -s a -t b", "set_hook", None, "c: prestart and prestop set\n", None),
    (
        "clone a b", "clone", SimpleNamespace(name="b", leased=("10.192.0.4",)),
        "b cloned from a: 10.192.0.4\n",
        {"name": "b", "origin": "a", "changed": True},
    ),
    (
        "rename a b", "rename", SimpleNamespace(name="b"), "a renamed to b\n",
        {"name": "b", "former": "a", "changed": True},
    ),
    ("copy-in -p c -s a -d /b", "copy_in", None, "a copied to /b in c\n", {"name": "c", "changed": True}),
    (
        "init", "init", INIT, "pf.conf changed\nto load it:\n\tservice pf reload\n",
        {
            "changed": True, "done": ["pf.conf changed"], "load_commands": ["service pf reload"],
            "loaded": False,
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("line", "operation", "answer", "text", "view"), DONE)
def test_what_changing_commands_say(
    stage: Any, potnet: Callable[..., Any], line: str, operation: str, answer: object, text: str, view: object
) -> None:
    stage.answers[operation] = answer
    assert potnet(*line.split()) == (0, text, "")
    assert potnet(*line.split(), "-q") == (0, "", "")
    assert potnet(*line.split(), "-n") == (0, "", "")
    said = json.loads(potnet(*line.split(), "-o", "json").out)
    assert said == (view or {"name": "c", "changed": True})


def test_nothing_to_do_for_init(stage: Any, potnet: Callable[..., Any]) -> None:
    stage.answers["init"] = SimpleNamespace(done=(), load_commands=(), loaded=False)
    assert potnet("init").out == "nothing to do: the host is prepared\n"


def test_init_says_what_it_loaded(stage: Any, potnet: Callable[..., Any]) -> None:
    stage.answers["init"] = SimpleNamespace(done=(), load_commands=("pfctl -f /etc/pf.conf",), loaded=True)
    assert potnet("init", "--apply").out == "loaded by:\n\tpfctl -f /etc/pf.conf\n"
    assert json.loads(potnet("init", "--apply", "-o", "json").out)["changed"] is True


def test_a_chosen_name_is_printed_alone(stage: Any, potnet: Callable[..., Any]) -> None:
    stage.answers["create"] = made("pot1", "10.192.0.3")
    assert potnet("create").out == "pot1\n"
    assert potnet("create", "-q").out == "pot1\n"
    assert potnet("create", "-n").out == ""


def test_the_exit_code_of_the_jail_is_ours(stage: Any, potnet: Callable[..., Any]) -> None:
    stage.answers |= {"run": 3, "execute": 255}
    assert potnet("run", "c").code == 3
    assert potnet("exec", "c", "--", "false").code == 255


def test_the_configuration_may_ask_for_json(stage: Any, potnet: Callable[..., Any]) -> None:
    stage.app.config = replace(stage.app.config, output="json")
    stage.answers["list_pots"] = []
    assert potnet("list").out == "[]\n"
    assert potnet("list", "-o", "text").out.startswith("name ")


LOST = Finding(
    Kind.MEMBER_MISSING, "epair0a is on bridge0", "it is on no bridge", "repair puts it there",
    pot="c", bridge="public", interface="epair0a",
)  # fmt: skip
RULES = Finding(Kind.RULES_DIFFER, "nat a\nrdr b", "rdr b\nrdr c", "repair loads pot-rdr/c", pot="c")
OFF = Finding(Kind.FILTER_DISABLED, "pf is enabled", "it is not", "`pfctl -e`", repairable=False)


def test_what_check_says(stage: Any, potnet: Callable[..., Any]) -> None:
    stage.answers["check"] = (LOST, RULES, OFF)
    assert potnet("check") == (
        1,
        "member-missing c public epair0a: it is on no bridge; expected: epair0a is on bridge0; "
        "repair puts it there\n"
        "rules-differ c: repair loads pot-rdr/c\n\t- nat a\n\t+ rdr c\n"
        "filter-disabled: it is not; expected: pf is enabled; `pfctl -e`\n",
        "",
    )
    said = json.loads(potnet("check", "-o", "json").out)
    assert [each["kind"] for each in said] == ["member-missing", "rules-differ", "filter-disabled"]
    assert said[2] == {
        "kind": "filter-disabled", "pot": None, "bridge": None, "interface": None,
        "expected": "pf is enabled", "found": "it is not", "remedy": "`pfctl -e`", "repairable": False,
    }  # fmt: skip
    stage.answers["check"] = (replace(RULES, found="rdr b\nnat a"),)
    assert potnet("check").out.endswith("\n\tthe same rules in another order\n")
    stage.answers["check"] = ()
    assert potnet("check") == (0, "", "")
    assert potnet("check", "-o", "json") == (0, "[]\n", "")


def test_what_repair_says(stage: Any, potnet: Callable[..., Any]) -> None:
    stage.answers["repair"] = SimpleNamespace(mended=(LOST,), left=(OFF,))
    assert potnet("repair") == (
        1,
        "member-missing c public epair0a: repaired\n"
        "filter-disabled: it is not; expected: pf is enabled; `pfctl -e`\n",
        "",
    )
    silent = (1, "", "filter-disabled: it is not; expected: pf is enabled; `pfctl -e`\n")
    assert potnet("repair", "-q") == silent
    assert potnet("repair", "-n") == silent
    assert set(json.loads(potnet("repair", "-o", "json").out)) == {"mended", "left"}
    stage.answers["repair"] = SimpleNamespace(mended=(), left=())
    assert potnet("repair") == (0, "nothing to do: the host is as it should be\n", "")
    assert potnet("repair", "c", "-B", "stove").code == 2


def test_info_tells_what_a_machine_needs() -> None:
    learning = {"family": 6, "address": None, "gateway": None}
    view = POT | {
        "type": "tap", "owner": "alice", "dns": ["192.0.2.53", "2001:db8::53"],
        "taps": [
            {
                "name": "tap0", "bridge": "public6", "mac": "02:00:00:00:00:01", "mtu": 1400,
                "addresses": [learning], "qemu": "-netdev …",
            }
        ],
    }  # fmt: skip
    assert views.info_text(view, {}).splitlines()[-6:] == [
        "\ttap : tap0 on public6",
        "\t\tmac : 02:00:00:00:00:01",
        "\t\taddress : auto, from router advertisements",
        "\t\tdns : 192.0.2.53 2001:db8::53",
        "\t\tmtu : 1400",
        "\t\tqemu : -netdev …",
    ]
