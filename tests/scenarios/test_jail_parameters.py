"""Parameters of jail(8) for pots: given, changed, in the jail, and drifting from there."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest
from world import World, both_hosts

from potnet.errors import PotnetError, UsageError
from potnet.executors.base import Command
from potnet.executors.simulated.jail import jailconf
from potnet.host.findings import Kind
from potnet.model import jail_parameters
from potnet.model.pots import Pot
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.repair import repair
from potnet.operations.pots.settings import SettingsRequest, set_options
from potnet.operations.reports import completion_names
from potnet.operations.running.attach import attach, jail_conf
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop
from potnet.templates import quoted

GIVEN = ("allow.mlock", "sysvshm=new", "children.max=3")


def shown(world: World, *names: str) -> str:
    """The parameters of the jail of web, as jls(8) prints them."""
    result = world.host.run(Command(("jls", "-n", "-j", "web", *names), changes_host=False))
    assert result.code == 0, result
    return str(result.out).strip()


def change(world: World, *given: str, without: tuple[str, ...] = ()) -> bool:
    request = SettingsRequest(parameters=given, no_parameters=without)
    return bool(world.do(set_options, "web", request))


def of_web(world: World) -> tuple[str, ...]:
    (pot,) = world.records()["pots"]
    found: tuple[str, ...] = pot.parameters
    return found


def rules(world: World, number: int, *lines: str) -> None:
    for line in lines:
        world.do_there("devfs", "rule", "-s", str(number), *line.split())


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("allow.mlock", "allow.mlock"),
        ("allow.mlock=1", "allow.mlock"),
        ("allow.mlock=TRUE", "allow.mlock"),
        ("allow.mlock=false", "allow.nomlock"),
        ("allow.nomlock=0", "allow.mlock"),
        ("allow.mount.nonullfs", "allow.mount.nonullfs"),
        ("sysvmsg=inherit", "sysvmsg=inherit"),
        ("securelevel=-1", "securelevel=-1"),
        ("osrelease=13.2-RELEASE", "osrelease=13.2-RELEASE"),
        ('host.domainname=a = "b"', 'host.domainname=a = "b"'),
    ],
)
def test_a_parameter_has_one_form(text: str, normal: str) -> None:
    assert jail_parameters.parse(text) == jail_parameters.parse(normal) == normal


@pytest.mark.parametrize(
    "text",
    [
        "name=x", "path=/", "vnet", "novnet", "vnet=inherit", "vnet.interface=em0", "ip4=inherit",
        "ip4.addr=192.0.2.1", "ip6.saddrsel", "ip6.nosaddrsel", "host.hostname=x", "host=inherit", "persist",
        "nopersist", "persist=0", "mount.devfs", "mount.nodevfs", "mount=tmpfs /tmp tmpfs rw 0 0",
        "mount.fstab=/x", "exec.start=x", "exec.noclean", "command=x", "jid=5", "parent=0",
        "dying", "allow.dying", "allow.nodying", "children.cur=1", "cpuset.id=1", "interface=em0",
        "ip_hostname", "noip_hostname", "depend=db",
    ],
)  # fmt: skip
def test_what_potnet_sets_is_refused_by_its_name(text: str) -> None:
    name = jail_parameters.positive(text.partition("=")[0])
    with pytest.raises(UsageError, match=f"{name} cannot be given") as caught:
        jail_parameters.parse(text)
    assert caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "", "=", "=1", "a b=1", "Allow.mlock", "allow.", ".mlock", "allow..mlock", "a;b", "a{}=1",
        "allow.mlock=maybe", "allow.mlock=", "devfs_ruleset", "devfs_ruleset=", "devfs_ruleset=abc",
        "devfs_ruleset=0", "devfs_ruleset=70000", "devfs_ruleset=٤", "enforce_statfs=3", "sysvshm=bogus",
        "sysvshm", "children.max=-1", "securelevel=9", "osrelease=a\nb", "osrelease=\udce9",
        "osrelease=a\x1b[m", "osrelease", "stop.timeout=x", "-x", "#x=1",
    ],
)  # fmt: skip
def test_what_is_no_parameter_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="invalid jail parameter"):
        jail_parameters.parse(text)


@pytest.mark.parametrize("kind", ["inherit", "alias", "public-bridge"])
def test_a_jail_has_them_while_it_runs(world: World, kind: str) -> None:
    world.create("web", kind, parameters=GIVEN)
    before = world.snapshot()
    world.do(start, ["web"])
    names = [jail_parameters.positive(jail_parameters.split(each)[0]) for each in GIVEN]
    assert shown(world, *names) == " ".join(GIVEN)
    assert world.do(check, ["web"], None) == ()
    world.do(stop, ["web"])
    assert world.snapshot() == before


def test_a_jail_that_the_kernel_refuses_leaves_nothing(world: World) -> None:
    pot = world.create("web", "public-bridge")
    with world.app() as app:
        # The module was loaded when the pot got the parameter.
        app.store.update_pot(replace(pot, parameters=("allow.vmm",)))
    before = world.snapshot()
    with pytest.raises(PotnetError, match=r"unknown parameter: allow\.vmm") as caught:
        world.do(start, ["web"])
    assert "kernel module" in str(caught.value.hint)
    assert world.snapshot() == before


def test_set_changes_one_parameter_at_a_time(world: World) -> None:
    world.create("web", "public-bridge", parameters=GIVEN)
    world.do(start, ["web"])
    assert change(world, "allow.mlock=false", "securelevel=2", without=("sysvshm", "absent"))
    assert of_web(world) == ("allow.nomlock", "children.max=3", "securelevel=2")
    assert world.do(completion_names.parameters, None) == ("allow.mlock", "children.max", "securelevel")
    # A running jail keeps the parameters of its start, and check expects those.
    assert shown(world, "allow.mlock", "sysvshm") == "allow.mlock sysvshm=new"
    assert world.do(check, [], None) == ()
    world.do(stop, ["web"])
    world.do(start, ["web"])
    assert shown(world, "allow.mlock", "sysvshm") == "allow.nomlock sysvshm=disable"


@pytest.mark.parametrize(
    ("given", "without", "words"),
    [
        (("allow.mlok",), (), "this host does not know the jail parameter allow.mlok"),
        (("linux=new",), (), "does not know the jail parameter linux"),
        (("allow.mlock", "allow.nomlock"), (), "--param gives allow.mlock twice"),
        (("allow.mlock",), ("allow.mlock",), "given for allow.mlock"),
        (("devfs_ruleset=77",), (), "devfs ruleset 77 hides nothing"),
    ],
)
def test_what_cannot_be_set_changes_nothing(
    world: World, given: tuple[str, ...], without: tuple[str, ...], words: str
) -> None:
    world.create("web", "public-bridge", parameters=("sysvsem=new",))
    with pytest.raises(PotnetError, match=words) as caught:
        change(world, *given, without=without)
    assert caught.value.hint
    assert of_web(world) == ("sysvsem=new",)


def test_parameters_are_for_jails_that_can_use_them(world: World) -> None:
    for more, words in (
        ({"kind": "inherit", "parameters": ("allow.nfsd",)}, "allow.nfsd requires a bridge"),
        ({"kind": "public-bridge", "parameters": ("allow.mlock",), "tap": True}, "--param is for jails"),
    ):
        with pytest.raises(UsageError, match=words):
            world.create("web", **more)
    world.create("web", "public-bridge", parameters=("allow.nfsd",))
    world.create("vm", "public-bridge", tap=True)
    with pytest.raises(UsageError, match="--param is for jails"):
        world.do(set_options, "vm", SettingsRequest(no_parameters=("allow.mlock",)))


@both_hosts
def test_only_a_host_with_jails_takes_them(world: World) -> None:
    if world.kind == "linux":
        with pytest.raises(PotnetError, match="pots do not use jail"):
            world.create("web", "public-bridge", parameters=GIVEN)
        assert world.records()["pots"] == ()
    else:
        assert world.create("web", "public-bridge", parameters=GIVEN).parameters == GIVEN


def test_a_devfs_ruleset_has_to_hide_devices(world: World) -> None:
    rules(world, 77, "add include 1", "add include 2", "add include 3", "add path bpf* unhide")
    pot = world.create("web", "public-bridge", parameters=("devfs_ruleset=77",), base=world.base)
    (world.host.tree / pot.root.removeprefix("/") / "etc/rc").unlink()
    world.do(start, ["web"])
    assert shown(world, "devfs_ruleset") == "devfs_ruleset=77"
    rules(world, 77, "delset")
    (finding,) = world.do(check, [], None)
    assert (finding.kind, finding.found) == (Kind.DEVICES_EXPOSED, "ruleset 77 hides nothing")
    world.do(stop, ["web"])
    before = world.snapshot()
    with pytest.raises(PotnetError, match="devfs ruleset 77 hides nothing"):
        world.do(start, ["web"])
    assert world.snapshot() == before


def test_a_jail_that_mounts_devfs_itself_gets_a_ruleset(world: World) -> None:
    world.create("web", "public-bridge", parameters=("allow.mount", "allow.mount.devfs", "enforce_statfs=1"))
    world.do(start, ["web"])
    assert shown(world, "devfs_ruleset") == "devfs_ruleset=4"
    world.do(stop, ["web"])
    rules(world, 4, "delset")
    with pytest.raises(PotnetError, match="devfs ruleset 4 hides nothing"):
        world.do(start, ["web"])


def test_a_parameter_changed_by_hand_is_found_and_repaired(world: World) -> None:
    world.create("web", "public-bridge", parameters=(*GIVEN, "securelevel=1"))
    world.do(start, ["web"])
    # A jail may raise its own level, and nobody else's.
    world.do_there("jail", "-m", "name=web", "allow.nomlock", "sysvshm=inherit", "securelevel=2")
    found = world.do(check, [], None)
    assert [(each.kind, each.expected, each.found) for each in found] == [
        (Kind.PARAMETER_DIFFERS, "the jail parameter allow.mlock", "allow.nomlock"),
        (Kind.PARAMETER_DIFFERS, "the jail parameter sysvshm=new", "sysvshm=inherit"),
    ]
    world.do(repair, [], None)
    assert world.do(check, [], None) == ()
    assert shown(world, "allow.mlock", "sysvshm") == "allow.mlock sysvshm=new"


def make(world: World, pot: Pot, *parameters: str) -> None:
    """Another manager's jail."""
    world.do_there("jail", "-c", f"name={pot.name}", f"path={pot.root}", "persist", "vnet", *parameters)
    world.do_there("ifconfig", "-j", pot.name, "lo0", "inet", "127.0.0.1/8")


def test_attach_sets_them_and_a_failure_sets_them_back(world: World) -> None:
    make(world, world.create("web", "public-bridge", parameters=GIVEN), "sysvshm=inherit")

    def seen() -> object:
        # The parameters have defaults, so what was set is not all that is in force.
        return {**world.snapshot(), "jails": shown(world, "allow.mlock", "sysvshm", "children.max")}

    before = seen()
    for number in count():
        world.executor.commands.clear()
        world.executor.fail_at = number
        try:
            world.do(attach, "web", None, created=False)
        except PotnetError:
            assert seen() == before, number
        else:
            break
    world.executor.fail_at = None
    assert number > 5
    assert shown(world, "allow.mlock", "sysvshm", "children.max") == " ".join(GIVEN)
    assert world.do(check, [], None) == ()


def test_jail_conf_has_them(world: World) -> None:
    world.create("web", "public-bridge", parameters=(*GIVEN, "allow.noraw_sockets"))
    (found,) = jailconf.parse(world.do(jail_conf, "web", ["potnet"])).values()
    assert {name: found.get(name) for name in ("allow.mlock", "sysvshm", "children.max")} == {
        "allow.mlock": [], "sysvshm": ["new"], "children.max": ["3"],
    }  # fmt: skip
    assert "allow.raw_sockets" not in found


@pytest.mark.parametrize("value", ['x"; exec.start = "id', "$path", "a\\", "${name}", "'; } evil {", "é#//"])
def test_a_value_stays_a_value(world: World, value: str) -> None:
    pot = world.create("web", "public-bridge", parameters=(f"host.domainname={value}",))
    world.do(start, ["web"])
    (starting,) = (each for each in world.executor.commands if each.argv[:2] == ("jail", "-i"))
    assert isinstance(starting.stdin, str)
    found = jailconf.parse(starting.stdin)
    assert list(found) == ["web"]
    assert found["web"]["host.domainname"] == [value]
    assert not [name for name in found["web"] if name.startswith("exec")]
    assert quoted(value) in world.do(jail_conf, pot.name, ["potnet"])


def test_a_template_that_leaves_them_out_is_told(world: World) -> None:
    world.create("web", "public-bridge", parameters=GIVEN)
    folder = world.directory / "templates"
    folder.mkdir()
    text = "{{ name | quoted }} {\n\tpath = {{ root | quoted }};\n\tpersist;\n\tvnet;\n"
    text += "\tvnet.interface = {{ vnet_interfaces | join(', ') }};\n}\n"
    (folder / "jail.conf.j2").write_text(text)
    world.configure(f'[paths]\ntemplates = "{folder}"\n')
    before = world.snapshot()
    with pytest.raises(PotnetError, match=r"jail\.conf\.j2 does not set allow\.mlock"):
        world.do(start, ["web"])
    assert world.snapshot() == before
