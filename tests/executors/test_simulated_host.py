"""The simulated host as a host: strict, lazy, shared by processes, and the jails that linger."""

from __future__ import annotations

import contextlib
import io
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from potnet.errors import HostError
from potnet.executors.base import Command, CommandResult
from potnet.executors.simulated import HostFacts, SimulatedHost

Run = Callable[..., CommandResult]


@pytest.mark.parametrize(
    "line",
    [
        "nosuchtool",
        "ifconfig em0 frobnicate",
        "ifconfig -x",
        "ifconfig bridge1 create nonsense",
        "jls --nonsense",
        "jls -s jid",
        "jail -R x",
        "route flush",
        "netstat -an",
        "pfctl -s all",
        "pfctl -T show",
        "sysctl -a",
        "sysrc -x y",
        "mount -t unionfs a b",
        "find / -name x",
        "rm -Rv /tmp",
        "tar -c -f x y",
        "tee -i x",
        "mv -n a b",
        "cp -R a b",
        "chmod u+x /tmp",
        "stat /tmp",
        "fetch http://x/y",
        "service sshd start",
        "kldload -v pf",
        "test a = b",
        "env A=1 a b",
        "jexec",
    ],
)
def test_what_it_does_not_know_is_an_error(run: Run, line: str) -> None:
    result = run(line, code=64)
    assert result.err.startswith("simulated host: does not know ") and result.out == ""


@pytest.mark.parametrize(
    "rule",
    [
        "scrub in all",
        "nat on em0 from 10.0.0.1 to any -> { (em0) (em1) }",
        "pass in on em0 route-to (em0 10.0.0.1)",
        "pass on em0 proto tcp from any to any port > 1024",
        'ext = "em0"',
        "set skip on lo0",
        "pass proto tcp keep state (max-src-conn-rate 1/2)",
    ],
)
def test_pf_words_it_does_not_know(run: Run, host: SimulatedHost, rule: str) -> None:
    assert "does not know" in run("pfctl -a x -f -", stdin=rule + "\n", code=64).err
    assert host.anchor("x") == []


def test_a_fresh_host_is_prepared(host: SimulatedHost, run: Run) -> None:
    assert host.interfaces() == ["em0", "lo0"]
    assert host.pf_enabled() and host.sysctl("net.inet.ip.forwarding") == "1"
    assert host.anchor() == [
        'nat-anchor "pot-nat" all',
        'nat-anchor "pot-rdr/*" all',
        'rdr-anchor "pot-rdr/*" all',
        'anchor "pot-filter/*" all',
        "pass all flags S/SA keep state",
    ]
    assert run("sysrc -n pf_enable").out == "YES\n"
    run("pfctl -nf /etc/pf.conf")
    assert run("route -n get default").out.count("192.168.178.1\n") == 1


def test_a_bare_host(tmp_path: Path) -> None:
    bare = SimulatedHost(tmp_path / "host", bare=True)
    assert not bare.pf_enabled() and bare.anchor() == [] and bare.sysctl("net.inet.ip.forwarding") == "0"
    assert not (bare.tree / "etc/pf.conf").exists()
    assert bare.run(Command(("sysrc", "-n", "gateway_enable"))).out == "NO\n"
    (bare.tree / "etc/pf.conf").write_text('nat-anchor "pot-nat"\n')
    refused = bare.run(Command(("service", "pf", "start")))
    assert refused.code == 1 and "Set pf_enable to YES" in refused.err
    bare.run(Command(("sysrc", "pf_enable=YES")))
    assert bare.run(Command(("service", "pf", "start"))).code == 0
    assert bare.pf_enabled() and bare.anchor() == ['nat-anchor "pot-nat" all']


def test_reading_makes_nothing(tmp_path: Path) -> None:
    host = SimulatedHost(tmp_path / "host")
    for line in ("ifconfig -l", "jls", "pfctl -sn", "sysctl -n net.inet.ip.forwarding"):
        assert host.run(Command(tuple(line.split()), changes_host=False)).code == 0
    assert not (tmp_path / "host").exists()
    assert host.run(Command(("cat", "/etc/hosts"), changes_host=False)).code == 0
    assert stat.S_IMODE((tmp_path / "host").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "host/host.db").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "line",
    ["ifconfig bridge1 create", "tee /tmp/x", "pfctl -d", "sysctl net.inet.ip.forwarding=0", "rm /tmp/x"],
)
def test_a_command_called_reading_that_changes(host: SimulatedHost, line: str) -> None:
    before = host.snapshot()
    result = host.run(Command(tuple(line.split()), changes_host=False))
    assert result.code == 64 and "reading only" in result.err
    assert host.snapshot() == before


def test_a_new_process_finds_the_same_host(tmp_path: Path) -> None:
    first = SimulatedHost(tmp_path / "host", facts=HostFacts(hostname="one"))
    first.run(Command(("ifconfig", "bridge3", "create", "descr", "x y", "up")))
    second = SimulatedHost(tmp_path / "host", bare=True)
    assert second.snapshot() == first.snapshot()
    assert second.run(Command(("hostname",))).out == "one\n"


WORKER = """
import sys
from pathlib import Path
from potnet.executors.base import Command
from potnet.executors.simulated import SimulatedHost
host = SimulatedHost(Path(sys.argv[1]))
for unit in range(int(sys.argv[2]), int(sys.argv[2]) + 20):
    for line in (f"ifconfig epair{unit} create group potnet up", f"ifconfig bridge1 addm epair{unit}a"):
        result = host.run(Command(tuple(line.split())))
        assert result.code == 0, result
"""


def test_processes_at_the_same_time(tmp_path: Path) -> None:
    host = SimulatedHost(tmp_path / "host")
    host.run(Command(("ifconfig", "bridge1", "create", "up")))
    package = str(Path(__file__).parents[2])
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER, str(tmp_path / "host"), str(start)], cwd=package)
        for start in (0, 100, 200)
    ]
    assert [worker.wait(timeout=30) for worker in workers] == [0, 0, 0]
    bridge = host.interface("bridge1")
    assert bridge is not None and len(bridge.members) == 60
    indexes = host.run(Command(("ifconfig", "bridge1"))).out.split("port ")[2:]
    assert len({text.split()[0] for text in indexes}) == 60


def test_two_processes_make_the_host_at_once(tmp_path: Path) -> None:
    package = str(Path(__file__).parents[2])
    code = WORKER.replace("ifconfig bridge1 addm epair{unit}a", "ifconfig epair{unit}a")
    workers = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "new"), str(start)], cwd=package)
        for start in (0, 100)
    ]
    assert [worker.wait(timeout=30) for worker in workers] == [0, 0]
    assert len(SimulatedHost(tmp_path / "new").interfaces()) == 2 + 80


def _vnet_jail(run: Run, name: str = "a", unit: int = 7) -> str:
    run(f"mkdir -p /jails/{name}")
    run(f"ifconfig epair{unit} create group potnet up")
    text = f'{name} {{ path = "/jails/{name}"; persist; vnet; vnet.interface = "epair{unit}b"; }}'
    run(f"jail -i -f - -c {name}", stdin=text)
    return text


def test_a_jail_that_lingers(host: SimulatedHost, run: Run) -> None:
    text = _vnet_jail(run)
    host.linger(2)
    assert run("jail -f - -r a", stdin=text).out == "a: removed\n"
    assert run("jls -n jid name").out == ""
    assert run("jls -d -n jid name path dying").out == "jid=1 name=a path=/jails/a dying\n"
    run("ifconfig epair7b", code=0)
    assert host.interface("epair7b") is not None and host.jails(dying=True) == {}


def test_the_name_of_a_dying_jail_is_free_and_its_epair_can_go(host: SimulatedHost, run: Run) -> None:
    text = _vnet_jail(run)
    host.linger(50)
    run("jail -f - -r a", stdin=text)
    run("ifconfig epair7b", code=1)
    assert run("jls -j a jid", code=1).err == 'jls: jail "a" is dying\n'
    assert run("jls -d -n -j a name dying").out == "name=a dying\n"
    run("ifconfig epair7a destroy")
    run("ifconfig epair7 create")
    assert run("jail -i -f - -c a", stdin=text).out == "2\n"
    assert run("jls -d -n -j a jid dying").out == "jid=2 nodying\n"


def test_everything_is_as_before_after_a_start_and_a_stop(host: SimulatedHost, run: Run) -> None:
    run("mkdir -p /jails/a")
    run("ifconfig bridge1 create up")
    before = host.snapshot()
    text = _vnet_jail(run)
    run("ifconfig bridge1 addm epair7a private epair7a")
    run("ifconfig -j a epair7b inet 10.0.0.2/24 up")
    run("route -j a add default 10.0.0.1")
    run("pfctl -a pot-rdr/a -f -", stdin="rdr pass on em0 proto tcp from any to (em0) port 1 -> 10.0.0.2\n")
    assert host.snapshot() != before
    run("pfctl -a pot-rdr/a -f -", stdin="")
    run("jail -f - -r a", stdin=text)
    run("ifconfig epair7a destroy")
    assert host.snapshot() == before


def test_a_jail_that_fails_half_way_leaves_nothing(host: SimulatedHost, run: Run) -> None:
    run("mkdir -p /jails/a/dev")
    before = host.snapshot()
    text = """a { path = "/jails/a"; persist; mount.devfs; vnet; vnet.interface = "nosuch0"; }"""
    result = run("jail -f - -c a", stdin=text, code=1)
    assert result.out == "a: created\na: removed\n"
    assert result.err.splitlines()[1] == "jail: a: /sbin/ifconfig nosuch0 vnet a: failed"
    aliased = """a { path = "/jails/a"; persist; ip4.addr = "em0|192.168.178.9", "nosuch0|192.168.178.8"; }"""
    run("jail -f - -c a", stdin=aliased, code=1)
    assert host.snapshot() == before


def test_programs_in_a_jail(host: SimulatedHost, run: Run) -> None:
    _vnet_jail(run)
    assert run("jexec a sh", code=1).err == "jexec: execvp: sh: No such file or directory\n"
    assert run("jexec a vi", code=1).err == "jexec: execvp: vi: No such file or directory\n"
    assert "the simulated host answers" in run("jexec a ifconfig -l").err
    assert run("jexec a ifconfig -l").err == ""
    run("fetch -q -o /tmp/base.txz https://x.org/14.2-RELEASE/base.txz")
    run("tar -x -f /tmp/base.txz -C /jails/a")
    run("jexec a /bin/sh /etc/rc")
    run("jexec a /bin/sh /etc/rc.shutdown")
    assert host.jails()["a"].ran == ["/bin/sh /etc/rc", "/bin/sh /etc/rc.shutdown"]
    (host.tree / "jails/a/bin/vi").touch(0o755)
    refused = run("jexec a vi", code=126)
    assert refused.err.startswith("simulated host: vi is in the jail but is not simulated; these are: cat, ")
    (host.tree / "jails/a/etc/resolv.conf").symlink_to("/etc/hosts")
    assert "localhost" in run("jexec a cat /etc/resolv.conf").out


def test_a_shell_in_a_jail(
    host: SimulatedHost, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _vnet_jail(run)
    assert host.attach(Command(("jexec", "a", "/bin/sh"))) == 1
    run("fetch -q -o /tmp/base.txz https://x.org/14.2-RELEASE/base.txz")
    run("tar -x -f /tmp/base.txz -C /jails/a")
    capsys.readouterr()
    monkeypatch.setattr("sys.stdin", io.StringIO("echo 'one two'\nifconfig -l\nnosuch\n\nexit 3\necho no\n"))
    assert host.attach(Command(("jexec", "a", "/bin/sh"))) == 3
    captured = capsys.readouterr()
    assert captured.out == "one two\nlo0 epair7b\n" and captured.err == "sh: nosuch: not found\n"
    assert host.attach(Command(("jexec", "a", "false"))) == 1


def test_hooks_are_recorded_and_not_run(host: SimulatedHost, run: Run) -> None:
    run("tee /tmp/hook", stdin="#!/bin/sh\ntouch /tmp/ran\n")
    said = run("env _POT_NAME=a _POT_IP=10.0.0.1 /tmp/hook").out
    assert "/tmp/hook" in said
    assert host.hooks() == [{"path": "/tmp/hook", "environment": {"_POT_NAME": "a", "_POT_IP": "10.0.0.1"}}]


def test_sockets(host: SimulatedHost, run: Run) -> None:
    host.listen("tcp", 1024, command="nginx")
    host.listen("udp", 53, address="127.0.0.1")
    lines = run("sockstat -46l").out.splitlines()
    assert [line.split()[4:6] for line in lines[1:]] == [["tcp4", "*:1024"], ["udp4", "127.0.0.1:53"]]


def test_a_command_takes_about_as_long_with_many_jails(host: SimulatedHost, run: Run) -> None:
    def seconds(unit: int) -> float:
        run(f"mkdir -p /jails/j{unit}")
        text = f'j{unit} {{ path = "/jails/j{unit}"; persist; vnet; vnet.interface = "epair{unit}b"; }}'
        began = time.process_time()
        run(f"ifconfig epair{unit} create group potnet up")
        run(f"ifconfig bridge1 addm epair{unit}a")
        run(f"jail -i -f - -c j{unit}", stdin=text)
        run(f"ifconfig -j j{unit} epair{unit}b inet 10.0.0.{unit}/24 up")
        run(
            f"pfctl -a pot-rdr/j{unit} -f -",
            stdin="rdr on em0 proto tcp from any to any port 1 -> 10.0.0.2\n",
        )
        return time.process_time() - began

    run("ifconfig bridge1 create up")
    times = [seconds(unit) for unit in range(1, 121)]
    # The medians, so that a busy machine does not matter; growth with the number would be tenfold.
    early, late = sorted(times[:30])[15], sorted(times[-30:])[15]
    assert late < 4 * early


def _refused(directory: Path, argv: tuple[str, ...] = ("ifconfig", "bridge1", "create")) -> HostError:
    with pytest.raises(HostError) as caught:
        SimulatedHost(directory).run(Command(argv))
    assert caught.value.hint and str(directory) in caught.value.hint
    return caught.value


@pytest.mark.parametrize("argv", [("ifconfig", "-l"), ("ifconfig", "bridge1", "create")])
def test_a_damaged_database_is_named(tmp_path: Path, argv: tuple[str, ...]) -> None:
    directory = tmp_path / "sim"
    directory.mkdir()
    (directory / "host.db").write_bytes(b"no database at all " * 100)
    error = _refused(directory, argv)
    assert error.message == f"the simulated host cannot use {directory}/host.db: file is not a database"
    assert error.hint == f"remove {directory} to begin with a fresh simulated host"


def test_a_damaged_row_is_named(tmp_path: Path) -> None:
    directory = tmp_path / "sim"
    SimulatedHost(directory).run(Command(("true",)))
    with contextlib.closing(sqlite3.connect(directory / "host.db")) as database, database:
        database.execute("UPDATE thing SET value = '{' WHERE kind = 'interface'")
    assert f"cannot read {directory}/host.db" in _refused(directory, ("ifconfig", "-l")).message


@pytest.mark.parametrize("reads", [True, False])
def test_a_file_in_the_place_of_the_directory(tmp_path: Path, reads: bool) -> None:
    (tmp_path / "sim").touch()
    with pytest.raises(HostError) as caught:
        SimulatedHost(tmp_path / "sim").run(Command(("ifconfig", "-l"), changes_host=not reads))
    assert caught.value.message == f"the simulated host cannot use {tmp_path}/sim: Not a directory"
    (tmp_path / "other").touch()
    with pytest.raises(HostError, match=r"cannot use .*/other"):
        SimulatedHost(tmp_path / "other/sim").run(Command(("true",)))


def test_a_full_disk_takes_back_what_was_begun(tmp_path: Path) -> None:
    host = SimulatedHost(tmp_path / "sim")
    host.run(Command(("true",)))
    state = host._world().state
    pages = state._db.execute("PRAGMA page_count").fetchone()[0]
    state._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(HostError, match=r"host\.db: database or disk is full"):
        for number in range(1, 1000):
            host.run(Command(("ifconfig", f"bridge{number}", "create")))
    state._db.execute("PRAGMA max_page_count = 100000")
    assert f"bridge{number}" not in host.interfaces()
    assert host.run(Command(("ifconfig", f"bridge{number}", "create"))).code == 0


def test_a_database_that_cannot_be_written(host: SimulatedHost, run: Run) -> None:
    run("true")
    host._world().state._db.execute("PRAGMA query_only = ON")
    with pytest.raises(HostError, match=r"host\.db: attempt to write a readonly database"):
        run("ifconfig bridge1 create")
    assert host.run(Command(("ifconfig", "-l"), changes_host=False)).out == "em0 lo0\n"


@pytest.fixture
def jailed(run: Run) -> Run:
    """Runs a command line in a jail that has the stand-in of a base system."""
    run("mkdir -p /jails/a")
    run("fetch -q -o /tmp/base.txz https://download.freebsd.org/releases/amd64/14.2-RELEASE/base.txz")
    run("tar -x -f /tmp/base.txz -C /jails/a")
    run("jail -c name=a path=/jails/a host.hostname=a.example.org persist vnet osrelease=14.2-RELEASE")
    return lambda line, code=0: run(f"jexec a {line}", code=code)


def test_what_people_type_first_in_a_jail(run: Run, jailed: Run, host: SimulatedHost) -> None:
    host.listen("tcp", 80, jail="a")
    assert jailed("ls").out == jailed("ls /").out and "etc\n" in jailed("ls").out
    assert jailed("pwd").out == jailed("sh -c pwd").out == "/\n"
    assert jailed("hostname -s").out == "a\n" and jailed("hostname").out == "a.example.org\n"
    assert jailed("uname").out == "FreeBSD\n"
    assert jailed("uname -a").out == (
        "FreeBSD a.example.org 14.2-RELEASE FreeBSD 14.2-RELEASE GENERIC amd64\n"
    )
    assert jailed("ifconfig -l").out == "lo0\n"
    refused = jailed("ps", code=126)
    assert refused.err.startswith("simulated host: ps is in the jail but is not simulated; these are: cat,")
    assert jailed("sockstat").out == jailed("sockstat -46l").out == jailed("sockstat -4 -l").out
    assert jailed("sockstat").err == "" and jailed("sockstat").out.endswith(
        "root     server     1000  3   tcp4   *:80                  *:*                  \n"
    )
    assert len(jailed("sockstat -6l").out.splitlines()) == 1


@pytest.mark.parametrize("where", ["host", "jail"])
def test_what_people_type_first_anywhere(run: Run, jailed: Run, where: str) -> None:
    here = run if where == "host" else jailed
    assert here("id").out == "uid=0(root) gid=0(wheel) groups=0(wheel),5(operator)\n"
    assert (here("id -u").out, here("id -un").out) == ("0\n", "root\n")
    inet, inet6 = (here(f"netstat -rn -f {family}").out for family in ("inet", "inet6"))
    assert here("netstat -rn").out == inet + inet6.removeprefix("Routing tables\n")
    for port, wrong in (("99999", "too large"), ("65536", "too large"), ("0", "too small"), ("x", "invalid")):
        assert here(f"nc -z 10.0.0.1 {port}", code=1).err == f"nc: port number {wrong}: {port}\n"


def test_the_host_says_what_it_is(run: Run) -> None:
    assert run("uname").out == "FreeBSD\n" and run("uname -rs").out == "FreeBSD 14.3-RELEASE\n"
    assert run("uname -a").out == "FreeBSD freebsd 14.3-RELEASE FreeBSD 14.3-RELEASE GENERIC amd64\n"
    assert run("hostname -s").out == "freebsd\n"
    assert "does not know" in run("hostname new", code=64).err
    assert "does not know" in run("uname -x", code=64).err


@pytest.mark.parametrize("end", ["", " -blackhole", " -interface"])
@pytest.mark.parametrize("what", ["add 10.9.0.0/16", "change default", "add -inet6 fd00::/64"])
def test_a_route_without_a_gateway_is_not_simulated(run: Run, what: str, end: str) -> None:
    assert "without a gateway" in run(f"route {what}{end}", code=None).err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("10.1.2.3", 0, "1/1 addresses match.\n"),
        ("10.1.2.3/32 !10.1.2.3 10.2.0.1", 2, "2/3 addresses match.\n"),
        ("10.0.0.0/8", 255, "pfctl: Invalid argument.\n"),
        ("10.1.2.3 ::/0", 255, "pfctl: Invalid argument.\n"),
    ],
)
def test_addresses_of_a_table_can_be_asked_for(run: Run, words: str, code: int, said: str) -> None:
    """pfr_tst_addrs in pf_table.c: no networks, and whatever the sign of an address."""
    run("pfctl -t t -T add 10.1.0.0/16")
    done = run(f"pfctl -t t -T test {words}", code=None)
    assert (done.code, done.err) == (code, said)
