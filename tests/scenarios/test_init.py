"""init, on a host as its installer leaves it."""

from __future__ import annotations

import pytest
from world import Faulty, World

from potnet.errors import PotnetError
from potnet.executors.base import Command
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.maintenance.init import init
from potnet.operations.running.start import start


def test_a_bare_host_becomes_one_that_can_start_pots(bare_world: World) -> None:
    world = bare_world
    world.create("casserole", "public-bridge")
    world.do(export_ports, "casserole", ExportRequest(["80:30080"]))
    with pytest.raises(PotnetError, match="pf is not enabled"):
        world.do(start, ["casserole"])
    report = world.do(init, False, False)
    assert not report.loaded
    assert report.load_commands[-1] == "pfctl -e"
    assert "pfctl -f /etc/pf.conf" in report.load_commands
    text = (world.host.tree / "etc/pf.conf").read_text()
    assert 'rdr-anchor "pot-rdr/*"' in text
    with pytest.raises(PotnetError, match="pf is not enabled"):
        world.do(start, ["casserole"])
    assert world.do(init, True, False).loaded
    world.do(start, ["casserole"])
    assert world.host.connect("outside", "192.168.178.20", 30080).ok


def test_twice_is_harmless(bare_world: World) -> None:
    bare_world.do(init, True, True)
    before = bare_world.host.snapshot()
    again = bare_world.do(init, True, True)
    assert (again.done, again.load_commands) == ((), ())
    assert bare_world.host.snapshot() == before


def test_a_prepared_host_is_left_alone(world: World) -> None:
    before = world.host.snapshot()
    report = world.do(init, True, False)
    assert (report.done, report.load_commands) == ((), ())
    assert world.host.snapshot() == before


def test_the_file_as_it_was_is_kept(bare_world: World) -> None:
    rules = bare_world.host.tree / "etc/pf.conf"
    rules.write_text("set skip on lo0\npass\n")
    rules.chmod(0o600)
    report = bare_world.do(init, False, False)
    assert "before-potnet" in report.done[0]
    assert (rules.parent / "pf.conf.before-potnet").read_text() == "set skip on lo0\npass\n"
    assert rules.stat().st_mode & 0o777 == 0o600
    assert rules.read_text().splitlines()[0] == "set skip on lo0"
    assert rules.read_text().splitlines()[-1] == "pass"
    assert [p.name for p in rules.parent.iterdir() if "potnet-new" in p.name] == []


def test_rules_that_pf_would_not_take_are_not_put_in_place(bare_world: World) -> None:
    rules = bare_world.host.tree / "etc/pf.conf"
    rules.write_text("pass in on\n")
    before = bare_world.host.snapshot()["files"]
    with pytest.raises(PotnetError, match="pfctl -nf"):
        bare_world.do(init, True, False)
    after = bare_world.host.snapshot()["files"]
    assert {p for p in after if "potnet-new" in p} == set()
    assert after["/etc/pf.conf"] == before["/etc/pf.conf"]


def test_a_failure_at_any_step_leaves_pf_conf_whole(bare_world: World) -> None:
    rules = bare_world.host.tree / "etc/pf.conf"
    rules.write_text("pass\n")
    for number in range(6):
        bare_world.executor = Faulty(bare_world.host, fail_at=number)
        try:
            bare_world.do(init, False, False)
        except PotnetError:
            assert rules.read_text() == "pass\n" or 'anchor "pot-filter/*"' in rules.read_text()
            assert [p.name for p in rules.parent.iterdir() if "potnet-new" in p.name] == []
    bare_world.executor = Faulty(bare_world.host)
    bare_world.do(init, True, False)
    assert 'anchor "pot-filter/*"' in rules.read_text()


FILTER = 'anchor "pot-filter/*" all'
LOAD = "anchor ssh\nload anchor ssh from"
OWN = "block in\npass out\npass in proto tcp to port 22\n"


def put(world: World, path: str, text: str) -> None:
    file = world.host.tree / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def run_own(world: World, text: str = OWN) -> None:
    """Let pf run rules that are in no file that rc knows."""
    put(world, "/usr/local/etc/pf.rules", text)
    world.do_there("pfctl", "-f", "/usr/local/etc/pf.rules")
    world.do_there("pfctl", "-e")


def pf(world: World) -> tuple[list[str], list[str]]:
    """The rules in force, and the marks of skipped interfaces."""
    marks = world.host.run(Command(("pfctl", "-v", "-s", "Interfaces"))).out.splitlines()
    return world.host.anchor(), [line for line in marks if "skip" in line]


def test_a_running_firewall_is_not_replaced(bare_world: World) -> None:
    run_own(bare_world)
    before = pf(bare_world), bare_world.host.snapshot()["files"]
    with pytest.raises(PotnetError, match=r"pf runs other rules than those of /etc/pf\.conf") as refused:
        bare_world.do(init, True, False)
    assert "only in force: block drop in all" in refused.value.message
    assert "--pf-conf FILE" in (refused.value.hint or "")
    assert (pf(bare_world), bare_world.host.snapshot()["files"]) == before
    report = bare_world.do(init, False, False)
    assert report.differences and report.load_commands == ("potnet init --apply --pf-conf FILE",)
    assert "only in force: block drop in all" in bare_world.notices[-1]
    assert pf(bare_world) == before[0]


def test_the_file_of_the_rules_in_force_can_be_named(bare_world: World) -> None:
    run_own(bare_world)
    before = pf(bare_world)[0]
    report = bare_world.do(init, True, False, "/usr/local/etc/pf.rules")
    assert report.loaded
    assert [rule for rule in pf(bare_world)[0] if "pot-" not in rule] == before
    assert 'pf_rules="/usr/local/etc/pf.rules"' in (bare_world.host.tree / "etc/rc.conf").read_text()
    again = bare_world.do(init, True, False)
    assert (again.done, again.load_commands, again.differences) == ((), (), ())
    bare_world.create("casserole", "public-bridge")
    bare_world.do(start, ["casserole"])


@pytest.mark.parametrize(
    "rules",
    [
        OWN,
        'ext = "em0"\nports = "{ 22, 443 }"\npass in on $ext proto tcp to port $ports\nblock in on $ext\n',
        "table <bad> persist { 192.0.2.1, 198.51.100.0/24 }\nset skip on lo0\nscrub in\nblock from <bad>\n",
        'anchor "f2b/*"\nanchor "blacklistd/*" in on em0\nblock in\n',
        "anchor in on em0 {\n  block in proto tcp to port 25\n  pass\n}\npass out\n",
        'anchor "own" {\n  block in\n}\npass out\n',
        'include "/etc/pf.inc"\npass out\n',
        'anchor ssh\nload anchor ssh from "/etc/pf.ssh"\npass out\n',
        "set limit states 20000\nset timeout { frag 31, udp.single 10 }\nset block-policy return\nblock\n",
        "set optimization aggressive\nset skip on { lo bridge }\npass\n",
        "nat on em0 from 172.16.0.0/12 -> (em0)\nrdr on em0 proto tcp to port 81 -> 172.16.0.2\npass\n",
        "binat on em0 from 172.16.0.2 to any -> 10.9.9.9\nantispoof for em0\npass proto tcp to port http\n",
        'nat-anchor "pot-nat"\nrdr-anchor "pot-rdr/*"\npass\n',
    ],
)
def test_the_same_rules_are_known_in_whatever_form(bare_world: World, rules: str) -> None:
    put(bare_world, "/etc/pf.inc", "block in\n")
    put(bare_world, "/etc/pf.ssh", "pass in proto tcp to port 22\n")
    put(bare_world, "/etc/pf.conf", rules)
    bare_world.do_there("pfctl", "-f", "/etc/pf.conf")
    bare_world.do_there("pfctl", "-e")
    before = pf(bare_world)
    report = bare_world.do(init, True, False)
    assert report.loaded and report.differences == ()
    assert [rule for rule in pf(bare_world)[0] if '"pot-' not in rule] == [
        rule for rule in before[0] if '"pot-' not in rule
    ]
    assert pf(bare_world)[1] == before[1]
    assert bare_world.do(init, True, False).load_commands == ()
    bare_world.create("casserole", "public-bridge")
    bare_world.do(start, ["casserole"])


@pytest.mark.parametrize(
    ("running", "written"),
    [
        (OWN, ""),
        ("", OWN),
        ("pass\nblock in\n", "block in\npass\n"),
        ("set skip on em1\npass\n", "pass\n"),
        ("pass\n", "set skip on em1\npass\n"),
        ("set timeout frag 90\npass\n", "pass\n"),
        ("set limit states 5000\npass\n", "pass\n"),
        ("set optimization aggressive\npass\n", "pass\n"),
        (
            "table <bad> { 192.0.2.1, 192.0.2.9 }\nblock from <bad>\n",
            "table <bad> { 192.0.2.1 }\nblock from <bad>\n",
        ),
        ('anchor "f2b/*"\npass\n', 'anchor "crowdsec/*"\npass\n'),
        ('anchor "own" {\n  block in\n}\n', 'anchor "own" {\n  pass in\n}\n'),
        ("anchor in on em0 {\n  block in\n}\n", "anchor in on em0 {\n  pass in\n}\n"),
        (f'{LOAD} "/etc/pf.inc"\n', f'{LOAD} "/etc/pf.ssh"\n'),
        ("nat on em0 from 172.16.0.0/12 -> (em0:0)\n", ""),
    ],
)
def test_whatever_would_be_lost_is_shown(bare_world: World, running: str, written: str) -> None:
    put(bare_world, "/etc/pf.inc", "block in\n")
    put(bare_world, "/etc/pf.ssh", "pass in proto tcp to port 22\n")
    bare_world.do_there("pfctl", "-f", "-", stdin=running)
    bare_world.do_there("pfctl", "-e")
    put(bare_world, "/etc/pf.conf", written)
    before = pf(bare_world)
    with pytest.raises(PotnetError, match="pf runs other rules"):
        bare_world.do(init, True, False)
    assert pf(bare_world) == before
    assert (bare_world.host.tree / "etc/pf.conf").read_text() == written


def test_rules_that_are_loaded_while_pf_is_off_are_not_replaced(bare_world: World) -> None:
    bare_world.do_there("pfctl", "-f", "-", stdin=OWN)
    with pytest.raises(PotnetError, match="pf runs other rules"):
        bare_world.do(init, True, False)
    report = bare_world.do(init, False, False)
    assert report.load_commands == ("potnet init --apply --pf-conf FILE",)


def test_a_module_that_is_not_loaded_runs_no_rules(bare_world: World) -> None:
    put(bare_world, "/etc/pf.conf", OWN)
    bare_world.do_there("kldunload", "pf")
    assert bare_world.do(init, True, False).loaded
    assert len(bare_world.host.anchor()) == 3 + 4


@pytest.mark.parametrize("folder", ["/etc/rc.conf.d", "/usr/local/etc/rc.conf.d"])
def test_files_of_rc_conf_d_count(bare_world: World, folder: str) -> None:
    put(bare_world, f"{folder}/pf", 'pf_rules="/etc/pf.own"\npf_flags="-D ext=em0"\npf_enable="NO"\n')
    put(bare_world, "/etc/pf.own", "pass in on $ext\n")
    report = bare_world.do(init, True, False)
    assert report.loaded
    assert 'anchor "pot-filter/*"' in (bare_world.host.tree / "etc/pf.own").read_text()
    assert not (bare_world.host.tree / "etc/pf.conf").exists()
    assert 'pf_enable="YES"' in (bare_world.host.tree / folder.lstrip("/") / "pf").read_text()
    assert pf(bare_world)[0][-1] == "pass in on em0 all flags S/SA keep state"
    assert bare_world.do(init, True, False).done == ()


@pytest.mark.parametrize(
    "text",
    [
        'anchor "ssh"\nload anchor "ssh" from "/etc/pf.ssh"\nblock in\n',
        'load anchor ssh from "/etc/pf.ssh"\nnat on em0 from 172.16.0.0/12 -> (em0:0)\nanchor ssh\npass\n',
        'include "/etc/pf.inc"\n',
        'scrub in\ninclude "/etc/pf.inc"\n',
        'include "/etc/pf.all"\n',
        'ext = "em0"\ninclude "/etc/pf.all"\npass out\n',
        'rule = "block in"\n$rule\npass\n',
        "table <bad> {\n  192.0.2.1 # one\n}\nscrub in no-df\naltq on em0 priq bandwidth 1Mb queue { a }\n"
        "queue a priority 1 priq(default)\npass\n",
        "# block \\\npass all\nblock in\n",
        "nat on em0 from { 172.16.0.0/12, \\\n 10.9.0.0/16 } -> (em0:0)\npass in on {\n em0\n}\n",
        'anchor "own" {\n  block in\n  anchor "pot-filter/*"\n}\npass\n',
        'binat-anchor "x/*"\nno nat on lo0\nrdr-anchor "ftp/*"\nantispoof quick for em0\n',
        "set skip on lo0\n\n",
        "pass",
        'anchor "pot-filter/*" in on em0\npass\n',
    ],
)
def test_anchors_are_put_where_pf_takes_them(bare_world: World, text: str) -> None:
    put(bare_world, "/etc/pf.ssh", "pass in proto tcp to port 22\n")
    put(bare_world, "/etc/pf.inc", "block in\npass out\n")
    put(bare_world, "/etc/pf.all", "set timeout frag 20\nscrub in\nnat on em0 -> (em0:0)\nblock in\n")
    put(bare_world, "/etc/pf.conf", text)
    bare_world.do_there("pfctl", "-nf", "/etc/pf.conf")
    assert bare_world.do(init, True, False).loaded
    others = ("nat", "rdr", "binat", "no ", "scrub")
    assert next(rule for rule in bare_world.host.anchor() if not rule.startswith(others)) == FILTER
    assert 'rdr-anchor "pot-rdr/*" all' in bare_world.host.anchor()
    again = bare_world.do(init, True, False)
    assert (again.done, again.load_commands) == ((), ())
    bare_world.create("casserole", "public-bridge")
    bare_world.do(start, ["casserole"])
    assert [line for line in bare_world.notices if "anchor" in line] == []


def test_a_file_that_pf_does_not_take_is_left_alone(bare_world: World) -> None:
    for text in ("pass\r\nblock\r\n", "pass\nnat on em0 -> (em0)\n", 'include "/etc/nosuch"\npass\n'):
        put(bare_world, "/etc/pf.conf", text)
        with pytest.raises(PotnetError, match="pfctl -nf"):
            bare_world.do(init, True, False)
        assert (bare_world.host.tree / "etc/pf.conf").read_bytes() == text.encode()
        assert not bare_world.host.pf_enabled()


def test_a_named_file_must_be_absolute(bare_world: World) -> None:
    with pytest.raises(PotnetError, match="absolute path"):
        bare_world.do(init, True, False, "pf.rules")


@pytest.mark.parametrize(("place", "mode"), [("srv/pf.rules", 0o666), ("srv", 0o777)])
@pytest.mark.parametrize("apply_now", [False, True])
def test_a_ruleset_that_others_can_change_is_not_loaded(
    bare_world: World, place: str, mode: int, apply_now: bool
) -> None:
    rules = bare_world.host.tree / "srv/pf.rules"
    rules.parent.mkdir(0o755)
    rules.write_text("pass\n")
    before = bare_world.snapshot()
    former = (bare_world.host.tree / place).stat().st_mode & 0o7777
    (bare_world.host.tree / place).chmod(mode)
    with pytest.raises(PotnetError, match=r"ruleset /srv/pf\.rules is not safe: everybody can write"):
        bare_world.do(init, apply_now, False, "/srv/pf.rules")
    (bare_world.host.tree / place).chmod(former)
    assert bare_world.snapshot() == before
    bare_world.do(init, apply_now, False, "/srv/pf.rules")
