"""jail(8): creating, changing and removing jails, with their aliases and mounts."""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import dataclass, field

from potnet.executors.base import CommandResult
from potnet.executors.simulated.jail import jailconf
from potnet.executors.simulated.net import addresses, interfaces
from potnet.executors.simulated.system import devfs, processes
from potnet.executors.simulated.system.seed import make_loopback, make_pflog
from potnet.executors.simulated.world import jail_parameters as parameters
from potnet.executors.simulated.world import modules
from potnet.executors.simulated.world.entities import Address, Interface, Jail
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
            return _from_arguments(world, args)
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
        _dissolve(world, target)
        _clean(world, found, target)
        return CommandResult(0, "" if quiet else f"{name}: removed\n")
    if world.jail(name) is not None:
        raise ToolError(f'jail: "{name}" already exists')
    made = _create(call, {**found, "name": [name]}, created="" if quiet else f"{name}: ")
    return CommandResult(0, f"{made.jid}\n" if "-i" in options else "" if quiet else f"{name}: created\n")


def _from_arguments(world: World, args: list[str]) -> CommandResult:
    found: jailconf.Parameters = {}
    for arg in args:
        name, equals, value = arg.partition("=")
        found[name] = (found.get(name, []) if "." in name else []) + ([value] if equals else [])
    _create(_Call(world), found)
    return CommandResult()


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
        _let_go(world, target)
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


def _let_go(world: World, target: Jail) -> None:
    """End a jail that need not persist, unless processes or child jails keep it."""
    children = [each for each in world.jails() if each.name.startswith(f"{target.name}.")]
    if not children and not processes.running(world, target.jid):
        _dissolve(world, target)


def _remove_plain(world: World, args: list[str]) -> CommandResult:
    for name in args:
        target = world.jail(name)
        if target is None:
            raise ToolError(f'jail: "{name}" not found')
        _dissolve(world, target)
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
        call.undo.append(lambda: _finish(world, made))
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
    if not name:
        raise unknown("a jail without a name")
    if world.jail(name) is not None:
        raise ToolError(f'jail: "{name}" already exists')
    if "." in name:
        raise ToolError(f'{call.prefix}jail "{name.split(".")[0]}" not found')
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


def beget(world: World, parent: Jail, args: list[str]) -> CommandResult:
    """jail -c PARAMETER… in a jail that may have children: the new one shares its network."""
    given = dict(arg.partition("=")[::2] for arg in args[1:])
    room = parent.parameters.get("children.max", "0") != "0"
    if args[:1] != ["-c"] or set(given) != {"path", "persist", "name"} or not room:
        raise unknown(f"jail {' '.join(args)} in a jail")
    name, path = f"{parent.name}.{given['name']}", f"{parent.path}{given['path']}".rstrip("/")
    if world.jail(name) is not None:
        raise ToolError(f'jail: "{given["name"]}" already exists')
    made = Jail(world.state.next_number("jid"), name, path, given["name"], ip4="inherit", ip6="inherit")
    world.save_jail(made)
    world.state.put("jail-name", name, {"jid": made.jid})
    return CommandResult()


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
    )
    world.save_jail(made)
    if not name.isdigit():
        world.state.put("jail-name", name, {"jid": jid})
    if vnet:
        make_loopback(world, made.stack, configured=False)
        if modules.loaded(world.state, "pflog"):
            make_pflog(world, made.stack)
    return made


def _dissolve(world: World, target: Jail) -> None:
    """Remove a jail with its processes; a jail that still has sockets stays as dying."""
    processes.end_all(world, target.jid)
    world.state.delete("jail-name", target.name)
    linger = world.state.get("test", "linger")
    if linger is None:
        _finish(world, target)
        return
    world.state.delete("test", "linger")
    target.dying = int(linger["looks"])
    world.save_jail(target)
    world.state.put("dying", f"{target.jid:09}", {})


def _finish(world: World, target: Jail) -> None:
    """Remove the stack with the interfaces created in it, and return the host's interfaces."""
    world.state.delete("jail", f"{target.jid:09}")
    world.state.delete("dying", f"{target.jid:09}")
    if _owns_name(world, target):
        world.state.delete("jail-name", target.name)
    for key, row in world.state.scan("listen", f"{target.stack}/"):
        if target.vnet or row.get("jail") == target.name:
            world.state.delete("listen", key)
    if not target.vnet:
        return
    for child in world.jails(dying=True):
        if child.name.startswith(f"{target.name}."):
            _finish(world, child)
    theirs = world.interfaces(target.stack)
    for interface in theirs:
        if interface.home != target.stack:
            interfaces.come_back(world, interface)
    for interface in theirs:
        if interface.home == target.stack and world.at(interface.index) is not None:
            world.detach(interface)
    for kind in ("route", "sysctl"):
        for key in world.state.keys(kind, f"{target.stack}/"):
            world.state.delete(kind, key)


def _owns_name(world: World, target: Jail) -> bool:
    row = world.state.get("jail-name", target.name)
    return row is not None and row["jid"] == target.jid


def look_at_dying(world: World) -> None:
    """Count a look at each dying jail, which ends after some looks."""
    for target in world.dying():
        world.state.look()
        if not target.dying:
            _finish(world, target)
        else:
            target.dying -= 1
            world.save_jail(target)
