"""jail(8): creating, changing and removing jails, with their aliases and mounts."""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import dataclass, field

from potnet.executors.base import CommandResult
from potnet.executors.simulated.jail import endings, jailconf
from potnet.executors.simulated.net import addresses, interfaces
from potnet.executors.simulated.system import devfs
from potnet.executors.simulated.system.seed import make_loopback, make_pflog
from potnet.executors.simulated.world import jail_parameters as parameters
from potnet.executors.simulated.world import modules
from potnet.executors.simulated.world.entities import HOST, Address, Interface, Jail
from potnet.executors.simulated.world.world import ToolError, World, unknown


@dataclass
class _Call:
    """One invocation. prefix: the start of messages about a jail of a configuration."""

    world: World
    prefix: str = "jail: "
    undo: list[Callable[[], object]] = field(default_factory=list)


def jail(world: World, argv: list[str], stdin: str) -> CommandResult:
    """jail [-iq] [-f -] -c NAME|PARAMETER… | [-q] [-f -] -r NAME | -m PARAMETER…."""
    world.state.changing()
    args, options, verb = argv[1:], set(), ""
    while args and args[0].startswith("-"):
        option = args.pop(0)
        if option == "-f":
            if args[:1] != ["-"]:
                raise unknown("a jail.conf other than standard input")
            args.pop(0)
        if option in ("-c", "-r", "-m"):
            verb = option
        elif option not in ("-i", "-q", "-f"):
            raise unknown(f"the jail option {option}")
        options.add(option)
    if not args or not verb:
        raise unknown(f"jail {' '.join(argv[1:])}")
    try:
        if "-f" in options:
            return _configured(world, stdin, verb, args, options)
        if verb == "-c":
            return _from_arguments(world, args, "-i" in options)
        return _modify(world, args) if verb == "-m" else _remove_plain(world, args)
    except ToolError as failure:
        if "-q" not in options or failure.result.code != 1:
            raise
        raise ToolError("", 1) from None


def _configured(world: World, text: str, verb: str, args: list[str], options: set[str]) -> CommandResult:
    if len(args) != 1 or verb == "-m":
        raise unknown("more than one jail at a time with -f")
    name = args[0]
    found = jailconf.parse(text).get(name)
    if found is None:
        raise ToolError(f'jail: "{name}" not found')
    call = _Call(world, f"jail: {name}: ")
    quiet = bool(options & {"-i", "-q"})
    if verb == "-r":
        target = world.jail(name)
        if target is None:
            raise ToolError(f'jail: "{name}" not found')
        endings.dissolve(world, target)
        _clean(world, found, target)
        return CommandResult(0, "" if quiet else f"{name}: removed\n")
    if world.jail(name) is not None:
        raise ToolError(f'jail: "{name}" already exists')
    made = _create(call, {**found, "name": [name]}, created="" if quiet else f"{name}: ")
    return CommandResult(0, f"{made.jid}\n" if "-i" in options else "" if quiet else f"{name}: created\n")


def _from_arguments(world: World, args: list[str], number: bool) -> CommandResult:
    found: jailconf.Parameters = {}
    for arg in args:
        name, equals, value = arg.partition("=")
        found[name] = (found.get(name, []) if "." in name else []) + ([value] if equals else [])
    made = _create(_Call(world), found)
    return CommandResult(0, f"{made.jid}\n" if number else "")


def _modify(world: World, args: list[str]) -> CommandResult:
    """jail -m name=NAME|jid=JID PARAMETER …, in which a JID allows another name."""
    found: jailconf.Parameters = {}
    for arg in args:
        key, equals, value = arg.partition("=")
        if key in found:
            raise ToolError(f'jail: cannot redefine parameter "{key}".')
        found[key] = [value] if equals else []
    target = _named(world, found)
    renamed = found.pop("name", [""])[-1] if "jid" in found else ""
    found.pop("jid", None)
    found.pop("name", None)
    parameters.check("jail: ", {**found, "name": [renamed]})
    changes = parameters.changed(target, found)
    if renamed and renamed != target.name:
        _rename(world, target, renamed)
    target.hostname = found["host.hostname"][-1] if found.get("host.hostname") else target.hostname
    for key in ("ip4.addr", "ip6.addr"):
        if key in found:
            setattr(target, key.replace(".", "_"), [text for _, text in _addresses(found, key)])
    target.parameters = changes
    world.save_jail(target)
    if "nopersist" in found or found.get("persist") == ["0"]:
        endings.settle(world)
    return CommandResult()


def _named(world: World, found: jailconf.Parameters) -> Jail:
    key = "jid" if "jid" in found else "name"
    wanted = (found.get(key) or [""])[-1]
    if key == "jid" and not wanted.isdigit():
        raise ToolError(f'jail: jid: non-integer value "{wanted}"')
    target = world.jail(wanted) if wanted else None
    if target is None:
        raise ToolError(f"jail: jail {wanted} not found" if key == "jid" else f'jail: "{wanted}" not found')
    return target


def _rename(world: World, target: Jail, name: str) -> None:
    if name.isdigit() and name != str(target.jid):
        raise ToolError("jail: name cannot be numeric (unless it is the jid)")
    if name.rpartition(".")[0] != target.name.rpartition(".")[0]:
        raise ToolError("jail: cannot change jail's parent")
    if world.jail(name) is not None:
        raise ToolError(f'jail: jail "{name}" already exists')
    world.state.delete("jail-name", target.name)
    target.name = name
    world.state.put("jail-name", name, {"jid": target.jid})


def _remove_plain(world: World, args: list[str]) -> CommandResult:
    for name in args:
        target = world.jail(name, dying=True)
        if target is None:
            raise ToolError(f'jail: "{name}" not found')
        if target.dying is None:
            endings.dissolve(world, target)
    return CommandResult()


def _create(call: _Call, given: jailconf.Parameters, created: str = "") -> Jail:
    """Create a jail completely, or change nothing. created: the start of the lines on standard output."""
    world = call.world
    name = (given.get("name") or [""])[-1]
    _check(call, given, name)
    jid = ""
    try:
        _aliases(call, given)
        if "mount.devfs" in given:
            _mount(call, given)
        made = _record(world, given, name)
        call.undo.append(lambda: endings.finish(world, made))
        jid = str(made.jid)
        for text in given.get("vnet.interface", []):
            for wanted in text.replace(",", " ").split():
                found = world.interface(wanted)
                if found is None:
                    raise ToolError(
                        f"ifconfig: interface {wanted} does not exist\n"
                        f"{call.prefix}/sbin/ifconfig {wanted} vnet {name}: failed"
                    )
                interfaces.give(world, found, made.stack)
    except ToolError as failure:
        for step in reversed(call.undo):
            step()
        if jid and created:
            out = f"{created}created\n{created}removed\n"
            raise ToolError(failure.result.err.rstrip("\n"), failure.result.code, out) from None
        raise
    return made


def _check(call: _Call, given: jailconf.Parameters, name: str) -> None:
    world = call.world
    parameters.check(call.prefix, given)
    if name and world.jail(name) is not None:
        raise ToolError(f'jail: "{name}" already exists')
    above = name.rpartition(".")[0]
    if above and world.jail(above) is None:
        raise ToolError(f'{call.prefix}jail "{above}" not found')
    path = (given.get("path") or ["/"])[-1]
    if world.tree.stat(path) is None:
        raise ToolError(f"{call.prefix}path {path}: No such file or directory")
    if not world.tree.is_dir(path):
        raise ToolError(f"{call.prefix}path {path}: Not a directory")
    if _is_vnet(given) and any(key in given for key in ("ip4.addr", "ip6.addr", "ip4", "ip6")):
        raise ToolError(f"{call.prefix}vnet jails cannot have IP address restrictions")
    if "persist" not in given:
        raise ToolError(f"{call.prefix}new jail must persist or attach")


def _is_vnet(given: jailconf.Parameters) -> bool:
    return "vnet" in given and (given["vnet"] or ["new"])[-1] == "new"


def _addresses(given: jailconf.Parameters, key: str) -> list[tuple[str, str]]:
    """Return the (interface or "", address) pairs of ip4.addr or ip6.addr, in order."""
    found = []
    for text in given.get(key, []):
        for item in text.replace(" ", "").split(","):
            before, bar, after = item.partition("|")
            found.append((before, after.split("/")[0]) if bar else ("", before.split("/")[0]))
    return found


def _aliases(call: _Call, given: jailconf.Parameters) -> None:
    world = call.world
    for key, family in (("ip4.addr", "inet"), ("ip6.addr", "inet6")):
        for name, text in _addresses(given, key):
            if not name:
                continue
            mask = "netmask 255.255.255.255" if family == "inet" else "prefixlen 128"
            target = world.interface(name)
            refusal = _no_alias(world, name, target)
            if target is None or refusal:
                line = f"/sbin/ifconfig {name} {family} {text} {mask} alias"
                raise ToolError(f"{refusal}\n{call.prefix}{line}: failed")
            _alias(world, target, family, text)
            call.undo.append(lambda name=name, text=text: _unalias(world, name, text))  # type: ignore[misc]


def _no_alias(world: World, name: str, target: Interface | None) -> str:
    """Return why an interface can get no alias, in the words of ifconfig(8); "" if it can."""
    if target is None:
        return f"ifconfig: interface {name} does not exist"
    return interfaces.MEMBER_REFUSED if interfaces.refuses_addresses(world, target) else ""


def _alias(world: World, target: Interface, family: str, text: str) -> None:
    if family == "inet":
        addresses.add_inet(world, target, Address(text, 32), alias=True)
    else:
        addresses.add_inet6(world, target, Address(text, 128))
    world.save(target)


def _unalias(world: World, name: str, text: str) -> None:
    target = world.interface(name)
    if target is not None and addresses.remove(world, target, text):
        world.save(target)


def _mount(call: _Call, given: jailconf.Parameters) -> None:
    point = _devfs(given)
    status = call.world.tree.lstat(point)
    if status is None:
        raise ToolError(f"{call.prefix}mount.devfs: {point}: No such file or directory")
    if stat.S_ISLNK(status.st_mode):
        raise ToolError(f"{call.prefix}mount.devfs: {point} is a symbolic link")
    if not stat.S_ISDIR(status.st_mode):
        raise ToolError(f"{call.prefix}mount.devfs: {point}: Not a directory")
    call.world.mount(point)
    # jail(8) mounts with ruleset 4 if the configuration names none.
    devfs.apply(call.world, call.world.without_links(point), (given.get("devfs_ruleset") or ["4"])[-1])
    call.undo.append(lambda: call.world.unmount(point))


def _devfs(given: jailconf.Parameters) -> str:
    return (given.get("path") or ["/"])[-1].rstrip("/") + "/dev"


def _clean(world: World, given: jailconf.Parameters, target: Jail) -> None:
    """Remove the mounts and addresses that the configuration of a removed jail names."""
    # The second path covers another spelling of a root that is gone.
    if "mount.devfs" in given and not world.unmount(_devfs(given)):
        world.unmount(_devfs({**given, "path": [target.path]}))
    for key in ("ip4.addr", "ip6.addr"):
        for name, text in _addresses(given, key):
            if name:
                _unalias(world, name, text)


def _record(world: World, given: jailconf.Parameters, name: str) -> Jail:
    jid = int(name) if name.isdigit() else world.state.next_number("jid")
    while not name.isdigit() and world.state.get("jail", f"{jid:09}") is not None:
        jid = world.state.next_number("jid")
    vnet = _is_vnet(given)
    name = name or str(jid)
    parent = world.jail(name.rpartition(".")[0]) if "." in name else None

    def mode(family: str) -> str:
        chosen = (given.get(family) or [""])[-1]
        if chosen and f"{family}.addr" not in given:
            return chosen
        return "inherit" if vnet else "disable"

    made = Jail(
        jid,
        name,
        # The kernel keeps the path with its links resolved.
        world.tree.canonical((given.get("path") or ["/"])[-1]),
        hostname=(given.get("host.hostname") or [""])[-1],
        vnet=vnet,
        ip4=mode("ip4"),
        ip6=mode("ip6"),
        ip4_addr=[text for _, text in _addresses(given, "ip4.addr")],
        ip6_addr=[text for _, text in _addresses(given, "ip6.addr")],
        parameters={key: ",".join(values) for key, values in given.items()},
        parent=parent.jid if parent is not None else 0,
        shared=parent.stack if parent is not None else HOST,
    )
    world.save_jail(made)
    if not name.isdigit():
        world.state.put("jail-name", name, {"jid": jid})
    if vnet:
        make_loopback(world, made.stack, configured=False)
        if modules.loaded(world.state, "pflog"):
            make_pflog(world, made.stack)
    return made
