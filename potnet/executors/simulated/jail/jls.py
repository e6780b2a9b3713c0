"""The command jls(8)."""

from __future__ import annotations

from potnet.executors.base import CommandResult
from potnet.executors.simulated.world import jail_parameters as parameters
from potnet.executors.simulated.world.entities import Jail
from potnet.executors.simulated.world.libxo import libxo
from potnet.executors.simulated.world.world import ToolError, World, unknown

_SHOWN = (
    "jid", "parent", "name", "path", "host.hostname", "vnet", "ip4", "ip6", "ip4.addr", "ip6.addr", "dying",
)  # fmt: skip


def jls(world: World, argv: list[str], seen: list[Jail] | None = None) -> CommandResult:
    """jls [-dnN] [--libxo json] [-j JAIL] [PARAMETER …]. seen: the jails, if not all."""
    args, flags, wanted, as_json = argv[1:], "", None, False
    while args and args[0].startswith("-"):
        option = args.pop(0)
        if option == "-j" and args:
            wanted = args.pop(0)
        elif option == "--libxo" and args[:1] == ["json"]:
            args.pop(0)
            as_json = True
        elif set(option[1:]) <= set("dnN"):
            flags += option[1:]
        else:
            raise unknown(f"the jls option {option}")
    dying = "d" in flags
    if wanted is None:
        found = world.jails(dying) if seen is None else seen
    else:
        single = world.jail(wanted, dying)
        if single is None and not dying and world.jail(wanted, dying=True) is not None:
            raise ToolError(f'jls: jail "{wanted}" is dying')
        if single is None:
            raise ToolError(f'jls: jail "{wanted}" not found')
        found = [single]
    for name in args:
        _known(name)
    if as_json:
        if args and "n" not in flags:
            raise unknown("jls --libxo json with the names of parameters and without -n")
        entries = ", ".join(_named(world, jail, args) if args else _usual(jail) for jail in found)
        return CommandResult(0, f'{{"__version": "2", "jail-information": {{"jail": [{entries}]}}}}\n')
    if args:
        lines = [" ".join(_value(world, jail, name, "n" in flags) for name in args) for jail in found]
        return CommandResult(0, "".join(f"{line}\n" for line in lines))
    if "n" in flags:
        if found:
            raise unknown("jls -n without the names of parameters")
        return CommandResult()
    return CommandResult(0, _table(found, names="N" in flags))


def _table(jails: list[Jail], names: bool) -> str:
    first = " JID             IP Address      " if names else "   JID  IP Address      "
    lines = [f"{first}{'Hostname':<30}Path"]
    for jail in jails:
        key = f" {jail.name[:15]:<15} " if names else f"{jail.jid:6d}  "
        address = (jail.ip4_addr or [""])[0]
        shown = jail.hostname[:29]
        # Only printable characters take a column.
        width = 29 + sum(not each.isprintable() for each in shown)
        lines.append(f"{key}{address[:15]:<15} {shown:<{width}} {jail.path[:74]}")
    return "\n".join(lines) + "\n"


def _usual(jail: Jail) -> str:
    address = (jail.ip4_addr or [""])[0]
    shown = f'"jid":{jail.jid},"ipv4":"{address}","hostname":{libxo(jail.hostname)},"path":{libxo(jail.path)}'
    return f"{{{shown}}}"


def _named(world: World, jail: Jail, names: list[str]) -> str:
    """Return a jail in libxo's JSON; only flags are not quoted (print_jail in jls)."""
    pairs = ((name, _value(world, jail, name, named=False)) for name in names)
    return "{" + ",".join(f'"{n}":{v if n == "dying" else libxo(v)}' for n, v in pairs) + "}"


def _value(world: World, jail: Jail, name: str, named: bool) -> str:
    if name == "dying":
        if named:
            return "nodying" if jail.dying is None else "dying"
        return "false" if jail.dying is None else "true"
    if name not in _SHOWN:
        children = sum(each.name.startswith(f"{jail.name}.") for each in world.jails())
        text = f"{name}={children}" if name == "children.cur" else parameters.shown(jail, name)
        if text is None or not (named or "=" in text):
            raise unknown(f"the jls parameter {name}")
        return text if named else text.partition("=")[2]
    values = {
        "jid": str(jail.jid),
        "parent": str(jail.parent),
        "name": jail.name,
        "path": jail.path,
        "host.hostname": jail.hostname,
        "vnet": "new" if jail.vnet else "inherit",
        "ip4": jail.ip4,
        "ip6": jail.ip6,
        "ip4.addr": ",".join(jail.ip4_addr),
        "ip6.addr": ",".join(jail.ip6_addr),
    }
    return f"{name}={values[name]}" if named else values[name]


def _known(name: str) -> None:
    if name in _SHOWN:
        return
    if parameters.known(name) or name == "children.cur":
        return
    raise ToolError(f"jls: unknown parameter: {name}")
