"""The devices that a jail sees: its devfs ruleset has to hide those of the host before the jail starts."""

from __future__ import annotations

import re

import pytest
from world import World

from potnet.errors import PotnetError
from potnet.executors.base import Command
from potnet.operations.running.start import start

MADE = ("pot", "sauce")


@pytest.fixture
def kitchen(world: World) -> World:
    for name in MADE:
        world.create(name, "public-bridge", base="12.2")
        (world.host.tree / f"opt/potnet/jails/{name}/m/etc/rc").unlink()
    return world


def template(world: World, ruleset: str | None) -> None:
    """Give jails another ruleset, as an administrator does."""
    folder = world.directory / "templates"
    folder.mkdir()
    text = "{{ name | quoted }} {\n\tpath = {{ root | quoted }};\n\tpersist;\n\tvnet;\n"
    line = "" if ruleset is None else f"\tdevfs_ruleset = {ruleset};\n"
    text += "\tvnet.interface = {{ vnet_interfaces | join(', ') }};\n\tmount.devfs;\n" + line + "}\n"
    (folder / "jail.conf.j2").write_text(text)
    world.configure(f'[paths]\ntemplates = "{folder}"\n')


def rules(world: World, *lines: str) -> None:
    for line in lines:
        world.do_there("devfs", "rule", *line.split())


@pytest.mark.parametrize("names", [["pot"], MADE])
@pytest.mark.parametrize("gone", [["-s 4 delset"], ["-s 1 delset"], ["-s 4 del 100"]])
def test_no_jail_starts_that_would_see_the_hosts_devices(
    kitchen: World, gone: list[str], names: list[str]
) -> None:
    rules(kitchen, *gone)
    before = kitchen.snapshot()
    with pytest.raises(PotnetError, match="devfs ruleset 4 hides nothing") as caught:
        kitchen.do(start, names)
    assert kitchen.snapshot() == before
    assert caught.value.hint is not None
    step = re.search("`(.*)`", caught.value.hint)
    assert step is not None
    kitchen.do_there(*step[1].split())
    kitchen.do(start, names)
    assert sorted(kitchen.jails()) == sorted(names)


@pytest.mark.parametrize("ruleset", ["4", '"500"', "500", None])
def test_the_ruleset_of_the_template_counts(kitchen: World, ruleset: str | None) -> None:
    template(kitchen, ruleset)
    if ruleset not in ("4", None):
        rules(kitchen, "-s 500 add include 4", "-s 500 add path bpf* unhide")
        # The kernel follows an include of an include no further.
        with pytest.raises(PotnetError, match="devfs ruleset 500 hides nothing"):
            kitchen.do(start, ["pot"])
        rules(kitchen, "-s 500 delset", *(f"-s 500 add include {each}" for each in (1, 2, 3, 4)))
        rules(kitchen, "-s 4 delset")
    kitchen.do(start, ["pot"])
    assert kitchen.jails() == ["pot"]


def test_includes_are_followed_as_deep_as_the_kernel_does(kitchen: World) -> None:
    template(kitchen, "500")
    rules(kitchen, "-s 500 add include 4")
    kitchen.do_there("sysctl", "vfs.devfs.rule_depth=2")
    kitchen.do(start, ["pot"])


def test_a_jail_without_devices_needs_no_ruleset(kitchen: World) -> None:
    rules(kitchen, "-s 4 delset")
    (kitchen.host.tree / "opt/potnet/jails/pot/m/dev").rmdir()
    kitchen.executor.commands.clear()
    kitchen.do(start, ["pot"])
    assert not [c for c in kitchen.executor.commands if c.argv[0] == "devfs"]


#: From a session on FreeBSD 14: the command, its code, output and error.
RECORDED = (
    ("showsets", 0, "1\n2\n3\n4\n", ""),
    (
        *("-s 4 show", 0),
        *("100 include 1\n200 include 2\n300 include 3\n400 path fuse unhide\n500 path zfs unhide\n", ""),
    ),
    ("-s 5 show", 0, "", ""),
    ("-s 500 add include 4", 0, "", ""),
    ("-s 500 add path bpf* unhide", 0, "", ""),
    ("-s 500 show", 0, "100 include 4\n200 path bpf* unhide\n", ""),
    ("showsets", 0, "1\n2\n3\n4\n500\n", ""),
    ("-s 501 add 100 include 4", 0, "", ""),
    ("-s 501 add 200 path bpf* unhide mode 0600", 0, "", ""),
    ("-s 501 show", 0, "100 include 4\n200 path bpf* unhide mode 600\n", ""),
    ("-s 501 add 200 path bpf* unhide", 1, "", "devfs rule: ioctl DEVFSIO_RADD: File exists\n"),
    ("-s 501 add 300 path nosuch* unhidee", 1, "", "devfs rule: unknown argument: unhidee\n"),
    ("-s 501 del 200", 0, "", ""),
    ("-s 501 del 200", 1, "", "devfs rule: ioctl DEVFSIO_RDEL: No such file or directory\n"),
    ("-s 501 delset", 0, "", ""),
    ("-s 501 delset", 0, "", ""),
    ("-s 501 show", 0, "", ""),
    ("-s 65536 show", 1, "", "devfs rule: error converting to number: 65536\n"),
    ("-s 65535 show", 0, "", ""),
    ("-s 0 show", 0, "", ""),
)


def test_the_simulated_host_answers_as_recorded(world: World) -> None:
    for words, code, out, err in RECORDED:
        result = world.host.run(Command(("devfs", "rule", *words.split())))
        assert (result.code, result.out, result.err) == (code, out, err), words
