"""Tables of pf: pfctl -t TABLE -T COMMAND, and -s Tables (pfctl(8), pf_table.c)."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_network

from potnet.executors.base import CommandResult
from potnet.executors.simulated.pf import load
from potnet.executors.simulated.pf.rules import Ruleset
from potnet.executors.simulated.pf.tokens import PfError, prefix
from potnet.executors.simulated.world.world import ToolError, World

#: The longest name of a table, in bytes (PF_TABLE_NAME_SIZE).
LONGEST = 31


def shown(entries: list[str]) -> list[str]:
    """Return entries in the order of pf's trees: by address, of equal ones the longer prefix first."""

    def place(entry: str) -> tuple[int, int, int]:
        network = ip_network(entry.lstrip("!"))
        return network.version, int(network.network_address), -network.prefixlen

    return sorted(entries, key=place)


def inside(entries: list[str], text: str) -> bool:
    """Return whether a table contains an address; the most specific entry decides, and ``!`` excludes."""
    address = ip_address(text)
    best, found = -1, False
    for entry in entries:
        network = ip_network(entry.lstrip("!"))
        if address in network and network.prefixlen > best:
            best, found = network.prefixlen, not entry.startswith("!")
    return found


def known(world: World, anchor: str) -> dict[str, list[str]]:
    """Return the tables of an anchor, also those that pf has not purged yet."""
    found = load.ruleset(world, anchor)
    return {**(load.lingering(world, anchor) or {}), **(found.tables if found is not None else {})}


def listing(world: World, anchor: str, verbose: bool) -> str:
    """pfctl -s Tables; verbose: with flags."""
    return "".join(
        f"{_flags(world, anchor, name)}\t{name}\n" if verbose else f"{name}\n"
        for name in sorted(known(world, anchor))
    )


def _flags(world: World, anchor: str, name: str) -> str:
    found = load.ruleset(world, anchor) or Ruleset()
    named = any(name == host.text for rule in found.rules for host in (rule.source, rule.destination))
    persist = "p" if name in found.persist else "-"
    return f"-{persist}a-{'r' if named else '-'}{'h' if name in _colliding(world) else '-'}-"


def command(world: World, anchor: str, name: str, verb: str, words: list[str]) -> CommandResult:
    """Run -T show, test, kill, add, delete, replace or expire; words: the addresses."""
    entries = known(world, anchor).get(name)
    if verb in ("kill", "add", "delete", "replace"):
        world.state.changing()
    if verb == "kill":
        if entries is not None:
            _put(world, anchor, name, None)
        return CommandResult(0, "", f"{int(entries is not None)} table deleted.\n")
    if entries is None and verb in ("show", "test", "expire"):
        return CommandResult(255, "", f"pfctl: {world.release.no_table}\n")
    if entries is None and verb == "delete":
        return CommandResult(255, "", "pfctl: Table does not exist.\n")
    given = [] if verb == "expire" else _addresses(words)
    result = _COMMANDS[verb](world, anchor, name, entries or [], given)
    if entries is not None:
        return result
    return CommandResult(0, "", f"{collisions(world, name)}1 table created.\n{result.err}")


def _show(_: World, __: str, ___: str, entries: list[str], ____: list[str]) -> CommandResult:
    return CommandResult(0, "".join(f"  {'' if e.startswith('!') else ' '}{e}\n" for e in shown(entries)))


def _test(_: World, __: str, ___: str, entries: list[str], given: list[str]) -> CommandResult:
    """Networks cannot be tested, and a ``!`` has no effect (pfr_tst_addrs in pf_table.c)."""
    tested = [ip_network(each.removeprefix("!")) for each in given]
    if any(each.num_addresses > 1 for each in tested):
        return CommandResult(255, "", "pfctl: Invalid argument.\n")
    found = sum(inside(entries, str(each.network_address)) for each in tested)
    return CommandResult(0 if found == len(given) else 2, "", f"{found}/{len(given)} addresses match.\n")


def _expire(_: World, __: str, ___: str, ____: list[str], _____: list[str]) -> CommandResult:
    """No table here keeps statistics, so nothing expires."""
    return CommandResult(0, "", "0/0 addresses expired.\n")


def _add(world: World, anchor: str, name: str, entries: list[str], given: list[str]) -> CommandResult:
    new = [each for each in given if each not in entries]
    _put(world, anchor, name, [*entries, *new])
    return CommandResult(0, "", f"{len(new)}/{len(given)} addresses added.\n")


def _delete(world: World, anchor: str, name: str, entries: list[str], given: list[str]) -> CommandResult:
    left = [each for each in entries if each not in given]
    _put(world, anchor, name, left)
    return CommandResult(0, "", f"{len(entries) - len(left)}/{len(given)} addresses deleted.\n")


def _replace(world: World, anchor: str, name: str, entries: list[str], given: list[str]) -> CommandResult:
    _put(world, anchor, name, given)
    added, gone = len({*given} - {*entries}), len({*entries} - {*given})
    words = [f"{added} addresses added."] if added else []
    words += [f"{gone} addresses deleted."] if gone else []
    return CommandResult(0, "", "".join(f"{each}\n" for each in words or ["no changes."]))


_COMMANDS: dict[str, Callable[[World, str, str, list[str], list[str]], CommandResult]] = {
    "show": _show,
    "test": _test,
    "expire": _expire,
    "add": _add,
    "delete": _delete,
    "replace": _replace,
}
COMMANDS = ("kill", *_COMMANDS)


def _addresses(words: list[str]) -> list[str]:
    try:
        return [("!" if word.startswith("!") else "") + prefix(word.lstrip("!")).text for word in words]
    except PfError as error:
        raise ToolError(f"pfctl: {error.before}") from None


def _put(world: World, anchor: str, name: str, entries: list[str] | None) -> None:
    """Keep a table's entries, None for no table; a table that pfctl makes is persistent."""
    found = load.ruleset(world, anchor) or Ruleset()
    if entries is None:
        # The table goes at once, and does not wait for the purge.
        found.tables.pop(name, None)
        found.persist = [each for each in found.persist if each != name]
        world.state.put("anchor", anchor, found.row())
        load.keep(world, anchor, found)
        return
    if name not in found.tables:
        found.persist.append(name)
    found.tables[name] = entries
    load.keep(world, anchor, found)


def _colliding(world: World) -> list[str]:
    """Return the main ruleset's tables whose name an anchor's table has, too (warn_namespace_collision)."""
    main = (world.state.get("anchor", "") or {"tables": {}})["tables"]
    inner = {name for key, row in world.state.scan("anchor") if key for name in row["tables"]} if main else ()
    return [name for name in main if name in inner]


def collisions(world: World, only: str = "") -> str:
    """Return pfctl's warning about tables that both the main ruleset and anchors have."""
    names = [name for name in _colliding(world) if only in ("", name)]
    if len(names) > 1:
        return f"pfctl: warning: namespace collisions with {len(names)} global tables.\n"
    return f"pfctl: warning: namespace collision with <{names[0]}> global table.\n" if names else ""
