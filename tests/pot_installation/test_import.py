"""import: pots of every kind into the store, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_up import Call, MadeUp

from potnet.executors.base import Command
from potnet.executors.simulated import SimulatedHost
from potnet.runtime.trust import real_root
from potnet.store.store import Store


def mixed(directory: Path) -> MadeUp:
    """Pots of every type and stack, old and new keys, and some that cannot come."""
    made = MadeUp.at(directory)
    made.bridge("stove", "10.192.0.16/29")
    made.bridge("oven", "10.192.0.32/28", "10.192.0.40")
    made.pot("host", "network_type=inherit", "vnet=false", "pot.stack=dual", "pot.dns=off")
    made.pot(
        "named", "network_type=alias", "vnet=false", "pot.stack=dual", "ip=em0|192.168.178.200 2a00:1234::80"
    )
    made.public(
        "web", "10.192.0.10", "pot.stack=ipv4", "pot.export.ports=80:30080 udp:53:30053 443",
        "pot.attr.localhost-tunnel=YES", "pot.attr.start-at-boot=YES",
    )  # fmt: skip
    made.public("both", "10.192.0.11", "pot.stack=dual", "pot.dns=pot", "pot.depend=dns")
    made.public("six", "10.192.0.12", "pot.stack=ipv6")
    made.public("dns", "10.192.0.2")
    made.private("pan", "10.192.0.19", "stove", "pot.dns=custom", "pot.cmd=/usr/bin/true -v 'a b'")
    (made.root / "jails/pan/conf/resolv.conf").write_text("nameserver 9.9.9.9\n")
    made.pot("old", "ip4=10.192.0.13", "vnet=true", "pot.export.static.ports=8080", "pot.export.ports=22")
    made.pot("oldest", "ip4=192.168.178.201", "vnet=false")
    made.pot(
        "rich", "network_type=inherit", "pot.attr.persistent=NO", "pot.attr.nullfs=YES",
        "pot.attr.children=3", "pot.attr.enforce_statfs=9", "pot.env=A=b", "pot.env=C=d",
        "pot.rss.memory=1G", "pot.hosts=10.1.1.1 db", "pot.depend=web",
        "pot.attr.no-etc-hosts=YES",
    )  # fmt: skip
    (made.root / "jails/rich/conf/prestart.sh").write_text("#!/bin/sh\n")
    (made.root / "jails/rich/conf/fscomp.conf").write_text("/data /mnt/data ro\n")
    made.pot("layers", "network_type=inherit", "pot.type=multi", "pot.level=1")
    made.pot("x" * 64, "network_type=inherit")
    return made


def _json(call: Call, line: str, made: MadeUp) -> dict:
    found = call(f"--host sim -o json {line}", made.path)
    assert found.code == 0, found.err
    return json.loads(found.out)


def test_a_mixed_installation_comes_with_nothing_lost(tmp_path: Path, call: Call) -> None:
    made = mixed(tmp_path)
    before = made.contents()
    shown = call("--host sim -n import pot --all", made.path)
    assert (shown.code, call("--host sim -q list", made.path).out) == (0, "")
    done = call("--host sim import pot --all", made.path)
    assert done.code == 0
    assert made.contents() == before
    infos = {info["name"]: info for info in _json(call, "list", made)}
    assert set(infos) == {
        "host", "named", "web", "both", "six", "dns", "pan", "old", "oldest", "rich",
    }  # fmt: skip
    found = {
        name: (
            info["network_type"],
            info["stack"],
            [
                (a["interface"] if info["network_type"] == "alias" else "", a["address"])
                for a in info["addresses"]
            ],
            info["resolver"],
            [(e["protocol"], e["pot_port"], e["host_port"]) for e in info["exports"]],
        )
        for name, info in infos.items()
    }
    assert found == {
        "host": ("inherit", "dual", [], "off", []),
        "named": ("alias", "dual", [("em0", "192.168.178.200"), ("em0", "2a00:1234::80")], "inherit", []),
        "web": (
            "public-bridge", "ipv4", [("", "10.192.0.10")], "inherit",
            [("tcp", 80, 30080), ("udp", 53, 30053), ("tcp", 443, None)],
        ),
        "both": ("public-bridge", "dual", [("", "10.192.0.11"), ("", None)], "pot", []),
        "six": ("public-bridge", "ipv6", [("", None)], "inherit", []),
        "dns": ("public-bridge", "ipv4", [("", "10.192.0.2")], "inherit", []),
        "pan": ("private-bridge", "ipv4", [("", "10.192.0.19")], "custom", []),
        "old": (
            "public-bridge", "ipv4", [("", "10.192.0.13")], "inherit",
            [("tcp", 22, None), ("tcp", 8080, 8080)],
        ),
        "oldest": ("alias", "ipv4", [("em0", "192.168.178.201")], "inherit", []),
        "rich": ("inherit", "ipv4", [], "inherit", []),
    }  # fmt: skip
    for name, info in infos.items():
        assert info["root"] == str(made.root / "jails" / name / "m")
        assert info["hostname"] == f"{name}.example.org"
        assert info["base"] == "14.1"
        assert info["boot"] == (name == "web")
    with Store.open(tmp_path / "state", "sim") as store:
        web, pan = store.pot("web"), store.pot("pan")
    assert web is not None
    assert pan is not None
    assert all(export.loopback for export in web.exports)
    assert (pan.resolver.text, pan.command) == ("nameserver 9.9.9.9\n", ("/usr/bin/true", "-v", "a b"))
    ipc = ["sysvshm=new", "sysvsem=new", "sysvmsg=new"]
    assert infos["host"]["parameters"] == ipc
    assert infos["rich"]["parameters"] == ["allow.mount.nullfs", *ipc, "children.max=3"]
    bridges = {b["name"]: (b["network"], b["gateway"]) for b in _json(call, "list --bridges", made)}
    assert bridges["stove"] == ("10.192.0.16/29", "10.192.0.17")
    assert bridges["oven"] == ("10.192.0.32/28", "10.192.0.40")


def test_what_cannot_come_is_listed_by_name(tmp_path: Path, call: Call) -> None:
    view = _json(call, "import pot --all", mixed(tmp_path))
    left = {pot["name"]: pot["left"] for pot in view["pots"]}
    assert [line.partition(":")[0] for line in left["rich"]] == [
        "hook prestart", "mount /data /mnt/data ro", "pot.attr.persistent=NO", "pot.attr.enforce_statfs=9",
        "pot.env=A=b", "pot.env=C=d", "pot.rss.memory=1G", "pot.hosts=10.1.1.1 db", "pot.depend=web",
        "pot.attr.no-etc-hosts=YES",
    ]  # fmt: skip
    assert left["six"] == ["address 10.192.0.12, which the stack ipv6 does not use"]
    assert {name for name, lines in left.items() if lines} == {"rich", "six"}
    assert [each["name"] for each in view["skipped"]] == ["layers", "x" * 64]
    assert "type multi, level 1" in view["skipped"][0]["reason"]


def test_twice_is_harmless(tmp_path: Path, call: Call) -> None:
    made = mixed(tmp_path)
    call("--host sim import pot --all", made.path)
    before = call("--host sim -o json list", made.path).out
    again = _json(call, "import pot --all", made)
    assert not any(each["changed"] for each in (*again["pots"], *again["bridges"]))
    assert call("--host sim -o json list", made.path).out == before
    assert call("--host sim import pot web", made.path).out == "web is already imported\n"


def test_one_pot_brings_its_bridge(tmp_path: Path, call: Call) -> None:
    made = mixed(tmp_path)
    done = call("--host sim import pot pan", made.path)
    assert done.out.splitlines() == [
        "bridge stove imported: 10.192.0.16/29, gateway 10.192.0.17",
        "pan imported: private-bridge on stove, ipv4, 10.192.0.19",
    ]
    assert call("--host sim -q list", made.path).out == "pan\n"
    assert call("--host sim next -b stove", made.path).out == "10.192.0.18\n"


def test_imported_pots_start_and_stop(tmp_path: Path, call: Call) -> None:
    made = mixed(tmp_path)
    call("--host sim init --loopback --apply", made.path)
    call("--host sim import pot --all", made.path)
    program = made.root / "jails/pan/m/usr/bin/true"
    program.parent.mkdir(parents=True)
    program.write_text("")
    program.chmod(0o755)
    started = call("--host sim start --all", made.path)
    assert (started.code, started.out.count(" started\n")) == (0, 10), started.err
    assert "10.192.0.10 port 80" in call("--host sim show -p web", made.path).out
    stopped = call("--host sim stop --all", made.path)
    assert (stopped.code, stopped.out.count(" stopped\n")) == (0, 10)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (
            ["create -p x -N public-bridge -i 10.192.0.50", "create -p pan"],
            "another pot of that name exists here",
        ),
        (["create-private-bridge -B stove -S 2"], "another bridge of that name exists here"),
        (
            ["create -p x -N alias -i em0|192.168.178.200"],
            "named: 192.168.178.200 on em0 is an alias of pot x",
        ),
        (
            ["create -p x -N public-bridge -i 10.192.0.50", "export-ports -p x -e 80:30080"],
            "web: host port tcp 30080 is exported by pot x",
        ),
    ],
)
def test_whatever_is_in_the_way_stops_all_of_it(
    tmp_path: Path, call: Call, lines: list[str], words: str
) -> None:
    made = mixed(tmp_path)
    for line in lines:
        assert call(f"--host sim {line}").code == 0
    before = (call("--host sim -o json list").out, call("--host sim list --bridges").out)
    found = call("--host sim import pot --all", made.path)
    assert (found.code, found.out) == (1, "")
    assert words in found.err
    assert "nothing was imported" in found.err
    assert (call("--host sim -o json list").out, call("--host sim list --bridges").out) == before


def test_an_address_that_is_leased_here_is_in_the_way(tmp_path: Path, call: Call) -> None:
    made = MadeUp.at(tmp_path)
    assert call("--host sim create -p mine -N public-bridge").code == 0
    made.public("theirs", "10.192.0.3")
    made.public("free", "10.192.0.4")
    made.bridge("far", "172.16.0.0/24")
    found = call("--host sim import pot --all", made.path)
    assert "theirs: 10.192.0.3 is in use by pot mine" in found.err
    assert "bridge far: 172.16.0.0/24 is not in network public (10.192.0.0/10)" in found.err
    assert call("--host sim -q list").out == "mine\n"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["network_type=other"], "use one of inherit, alias, public-bridge, private-bridge"),
        (["network_type=public-bridge"], "it has 0 addresses for bridge public"),
        (["network_type=private-bridge", "ip=10.192.0.9"], "private-bridge without a bridge"),
        (["network_type=inherit", "pot.export.ports=99999"], "ports are 1 to 65535"),
        (["network_type=inherit", "pot.dns=custom"], "resolv.conf: file not found"),
        (["network_type=inherit", "pot.stack=both"], "use one of ipv4, ipv6, dual"),
        (["network_type=inherit", "pot.cmd=a 'b"], "an invalid command"),
        (["network_type=alias", "ip=em9|10.0.0.1"], "the host has no interface em9"),
        (["vnet=true"], "neither network_type nor ip4"),
    ],
)
def test_a_file_that_is_wrong_is_told_with_its_line(
    tmp_path: Path, call: Call, lines: list[str], words: str
) -> None:
    made = MadeUp.at(tmp_path)
    made.pot("wrong", *lines)
    found = call("--host sim import pot wrong", made.path)
    assert (found.code, found.out) == (1, "")
    assert words in found.err


def test_pots_that_are_not_there(tmp_path: Path, call: Call) -> None:
    assert "no installation of pot" in call("--host sim import pot --all").err
    made = mixed(tmp_path)
    assert "has no pot 'nobody'" in call("--host sim import pot nobody", made.path).err
    assert "several datasets" in call("--host sim import pot layers", made.path).err
    assert call("--host sim import pot", made.path).code == 2
    assert call("--host sim import pot --all web", made.path).code == 2


def test_many_pots_come_at_once(tmp_path: Path, call: Call) -> None:
    made = MadeUp.at(tmp_path)
    for number in range(600):
        made.public(f"p{number}", f"10.192.{1 + number // 200}.{1 + number % 200}")
    assert len(_json(call, "import pot --all", made)["pots"]) == 600
    assert call("--host sim next", made.path).out == "10.192.0.3\n"


def _running(tmp_path: Path, *parameters: str) -> None:
    """A jail that pot has started."""
    host = SimulatedHost(tmp_path / "state" / "sim")
    root = next(text for text in parameters if text.startswith("path=")).removeprefix("path=")
    assert host.run(Command(("test", "-d", root))).code == 0  # The simulated host has it from now on.
    done = host.run(Command(("jail", "-c", *parameters, "persist")))
    assert (done.code, done.err) == (0, "")


def test_a_jail_that_runs_is_taken_over_where_it_fits(tmp_path: Path, call: Call) -> None:
    made = mixed(tmp_path)
    call("--host sim list", made.path)
    jails = made.root / "jails"
    _running(tmp_path, "name=host", f"path={jails}/host/m", "ip4=inherit", "ip6=inherit")
    _running(tmp_path, "name=oldest", f"path={jails}/oldest/m", "ip4.addr=em0|192.168.178.201")
    _running(tmp_path, "name=named", f"path={jails}/named/m", "ip4.addr=em0|192.168.178.200")
    _running(tmp_path, "name=web", f"path={jails}/web/m", "vnet")
    _running(tmp_path, "name=rich", f"path={jails}/six/m", "ip4=inherit")
    view = _json(call, "import pot --all", made)
    running = {pot["name"]: pot["running"] for pot in view["pots"] if pot["running"]}
    assert set(running) == {"host", "oldest", "named", "web", "rich"}
    assert (running["host"], running["oldest"]) == ("runs and is taken over",) * 2
    assert "not taken over: 2a00:1234::80 is not on em0" in running["named"]
    assert "not taken over: its interface and bridge belong to pot" in running["web"]
    assert f"not taken over: the jail of that name has the root {jails}/six/m" in running["rich"]
    states = {info["name"]: info["state"] for info in _json(call, "list", made)}
    assert {name for name, state in states.items() if state == "running"} == {"host", "oldest"}
    assert call("--host sim start host", made.path).out == "host is already running\n"
    assert call("--host sim stop host oldest", made.path).code == 0
    assert "that potnet did not start" in call("--host sim start web", made.path).err
    host = SimulatedHost(tmp_path / "state" / "sim")
    assert host.run(Command(("jls", "name"), changes_host=False)).out.split() == ["named", "web", "rich"]
    assert "192.168.178.201" not in host.interface("em0").addresses


@pytest.mark.skipif(not real_root(), reason="anybody but root may obey whom he likes")
@pytest.mark.parametrize("name", ["pot.conf", "pot.default.conf"])
def test_root_obeys_no_configuration_that_others_can_write(tmp_path: Path, call: Call, name: str) -> None:
    made = MadeUp.at(tmp_path)
    (made.prefix / "etc/pot" / name).chmod(0o666)
    found = call("--host sim import pot --all", made.path)
    assert found.code == 1
    assert f"others can write {made.prefix}/etc/pot/{name}" in found.err
    (made.prefix / "etc/pot" / name).chmod(0o644)
    assert call("--host sim import pot --all", made.path).code == 0


@pytest.mark.parametrize("hooks", ["m/jails", "m"])
def test_a_root_in_which_anothers_hooks_are_is_not_imported(tmp_path: Path, call: Call, hooks: str) -> None:
    made = MadeUp.at(tmp_path)
    made.public("web", "10.192.0.10")
    made.public("db", "10.192.0.11")
    (tmp_path / "data").mkdir()
    (tmp_path / "hook").write_text("#!/bin/sh\n")
    (tmp_path / "potnet.toml").write_text(f'[paths]\njails = "{made.root}/jails/web/{hooks}"\n')
    options = f"--host sim --config {tmp_path}/potnet.toml"
    assert call(f"{options} create -p d --path {tmp_path}/data", made.path).code == 0
    assert call(f"{options} set-hook -p d -s {tmp_path}/hook", made.path).code == 0
    # Its directory is recorded, whatever the configuration says by now.
    (tmp_path / "potnet.toml").write_text("")
    (tmp_path / f"state/sim/root{made.root}/jails/db/m/etc").mkdir(parents=True)
    for line in ("import pot web db", "import pot --all"):
        done = call(f"{options} {line}", made.path)
        assert (done.code, "where the hooks of pot d are kept, overlap" in done.err) == (1, True), done.err
    assert call(f"{options} list -q", made.path).out == "d\n"
    # Without those hooks nothing is in the way.
    assert call(f"{options} destroy -p d", made.path).code == 0
    assert call(f"{options} import pot web db", made.path).code == 0
