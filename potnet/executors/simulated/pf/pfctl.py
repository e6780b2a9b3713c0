"""The command pfctl(8)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from potnet.executors.base import CommandResult
from potnet.executors.simulated.pf import heard, load, state_table, tables
from potnet.executors.simulated.pf.options import LIMITS, TIMEOUTS
from potnet.executors.simulated.pf.rules import Rule, Ruleset
from potnet.executors.simulated.world import modules, pf_skip
from potnet.executors.simulated.world.release import Release
from potnet.executors.simulated.world.world import ToolError, World, unknown

_ALTQ = "No ALTQ support in kernel\nALTQ related functions disabled\n"
_COUNTERS = (
    "match", "bad-offset", "fragment", "short", "normalize", "memory", "bad-timestamp", "congestion",
    "ip-option",
    "proto-cksum", "state-mismatch", "state-insert", "state-limit", "src-limit", "synproxy", "map-failed",
)  # fmt: skip
_USAGE = """\
usage: pfctl [-AdeghMmNnOPqRrvz] [-a anchor] [-D macro=value] [-F modifier]
\t[-f file] [-i interface] [-K host | network]
\t[-k host | network | gateway | label | id] [-o level] [-p device]
\t[-s modifier] [-t table -T command [address ...]] [-x level]"""
_SHOW = {
    "n": "nat", "nat": "nat", "r": "rules", "rules": "rules", "A": "Anchors", "Anchors": "Anchors",
    "info": "info", "i": "info", "states": "states", "labels": "labels", "Running": "Running",
    "Interfaces": "Interfaces", "I": "Interfaces", "timeouts": "timeouts", "memory": "memory",
    "Tables": "Tables", "T": "Tables",
}  # fmt: skip
#: The longest path of an anchor, and of one of its components, in bytes (PF_ANCHOR_NAME_SIZE).
_LONGEST = 63


@dataclass
class _Options:
    anchor: str = ""
    file: str | None = None
    test: bool = False
    show: str = ""
    flush: str = ""
    table: str = ""
    table_command: str = ""
    words: list[str] = field(default_factory=list)
    kills: list[str] = field(default_factory=list)
    verbose: int = 0
    numeric: bool = False
    interface: str = ""
    macros: list[str] = field(default_factory=list)
    enable: bool | None = None
    wildcard: bool = False


def pfctl(world: World, argv: list[str], stdin: str) -> CommandResult:
    """pfctl [-a anchor] [-nPqv] -f FILE | -s WHAT | -F WHAT | -k … -k … | -t TABLE -T … | -e | -d."""
    options = _parse(argv[1:])
    if not modules.loaded(world.state, "pf") and not options.test:
        raise ToolError("pfctl: /dev/pf: No such file or directory")
    if options.show:
        return _show(world, options)
    reserved = options.anchor.startswith("_") or "/_" in options.anchor
    if reserved and options.table_command not in ("show", "test") and not options.test:
        raise ToolError("pfctl: anchor names beginning with '_' cannot be modified from the command line")
    if options.table and options.table_command:
        return _table(world, options, stdin)
    if options.file is not None:
        return _load(world, options, stdin)
    world.state.changing()
    if options.flush:
        return _flush(world, options)
    if options.kills:
        return state_table.kill(world, options.kills)
    if options.enable is not None:
        return _switch(world, options.enable)
    raise unknown(f"pfctl {' '.join(argv[1:])}")


def _parse(args: list[str]) -> _Options:
    import getopt

    try:
        found, rest = getopt.getopt(args, "a:dD:ef:F:i:k:nPqs:t:T:v")
    except getopt.GetoptError as error:
        raise unknown(f"the pfctl option: {error}") from None
    options = _Options(words=rest)
    for name, value in found:
        match name:
            case "-a":
                options.anchor = value
            case "-f":
                options.file = value
            case "-D":
                options.macros.append(value)
            case "-i":
                options.interface = value
            case "-t":
                options.table = value
            case "-T" if value in tables.COMMANDS:
                options.table_command = value
            case "-T":
                raise unknown(f"pfctl -T {value}")
            case "-F":
                options.flush = value
            case "-k":
                options.kills.append(value)
            case "-s":
                if value not in _SHOW:
                    raise unknown(f"pfctl -s {value}")
                options.show = _SHOW[value]
            case "-e" | "-d":
                options.enable = name == "-e"
            case "-n":
                options.test = True
            case "-P":
                options.numeric = True
            case "-v":
                options.verbose += 1
    if rest and not options.table_command:
        raise unknown(f"the pfctl argument {rest[0]}")
    # A slash before the path, and a star after it, change nothing but how rules are shown.
    options.wildcard = options.anchor.endswith("*")
    options.anchor = options.anchor.removesuffix("*")
    options.anchor = options.anchor.removesuffix("/") if options.wildcard else options.anchor
    options.anchor = options.anchor.removeprefix("/")
    return options


def _show(world: World, options: _Options) -> CommandResult:
    note = _ALTQ if options.verbose else ""
    match options.show:
        case "info":
            return CommandResult(0, _info(world), note)
        case "states":
            kept = [*heard.states(world), *state_table.states(world)]
            return CommandResult(0, state_table.listing(kept, options.verbose > 1), note)
        case "Anchors":
            return _anchors(world, options, note)
        case "Running":
            on = (world.state.get("pf", "status") or {})["enabled"]
            return CommandResult(0 if on else 1, "Enabled\n" if on else "Disabled\n")
        case "Interfaces":
            return CommandResult(0, _interfaces(world, options), note)
        case "timeouts" | "memory":
            return CommandResult(0, _settings(world, options.show), note)
        case "Tables":
            return CommandResult(0, tables.listing(world, options.anchor, bool(options.verbose)), note)
    if not load.exists(world, options.anchor):
        # The listing of translation rules kept its words.
        words = Release().no_rules if options.show == "nat" else world.release.no_rules
        return CommandResult(0, "", f"{note}pfctl: {words}\n")
    found = load.ruleset(world, options.anchor) or Ruleset()
    if options.show == "labels":
        return CommandResult(0, "".join(f"{r.label} 0 0 0 0 0 0 0 0\n" for r in found.rules if r.label), note)
    return _rules(world, options, found, note)


def _rules(world: World, options: _Options, found: Ruleset, note: str) -> CommandResult:
    """pfctl -s nat and -s rules. With ``*``, an error ends the list of translation rules at an anchor."""
    out = ""
    for rule in found.translation() if options.show == "nat" else [*found.scrubs(), *found.filters()]:
        text = _shown(world, options, options.anchor, rule)
        out += text
        if options.show == "nat" and text.endswith("}\n"):
            return CommandResult(0, out, f"{note}pfctl: DIOCGETRULE: Device busy\n")
    return CommandResult(0, out, note)


def _interfaces(world: World, options: _Options) -> str:
    """-s Interfaces; only a lost interface depends on the rules that name it."""
    named: frozenset[str] = frozenset()
    if world.state.keys("pf-lost"):
        found = [load.ruleset(world, path) or Ruleset() for path in ("", *world.state.keys("anchor"))]
        rules = [rule for each in found for rule in each.rules]
        ends = [end for rule in rules for end in (rule.source, rule.destination, rule.target) if end]
        dynamic = {end.text.partition(":")[0] for end in ends}
        named = frozenset({rule.interface for rule in rules} | dynamic)
    return pf_skip.listing(world.state, options.interface, bool(options.verbose), named)


def _shown(world: World, options: _Options, path: str, rule: Rule, depth: int = 0) -> str:
    """Return the lines of a rule; an anchor without a name, and with ``*`` any anchor, with its contents."""
    opened = rule.anchor.startswith("_") or (options.wildcard and bool(rule.anchor))
    out = f"{'  ' * depth}{rule.listed(options.numeric)}{' {' if opened else ''}\n"
    if options.verbose:
        packets, octets, made = load.counters(world, path, rule)
        out += f"  [ Evaluations: {made:<8}  Packets: {packets:<8}  Bytes: {octets:<10}  "
        out += f"States: {made:<6}]\n"
        out += f"  [ Inserted: uid 0 pid 100 State Creations: {made:<6}]\n"
    if not opened:
        return out
    below = rule.anchor.lstrip("/") if not path else f"{path}/{rule.anchor}"
    if below.endswith("/*"):
        parent = below.removesuffix("/*")
        for child in load.children(world, parent):
            call = Rule(rule.action, anchor=child.removeprefix(f"{parent}/"))
            out += _shown(world, options, parent, call, depth + 1)
    else:
        inner = load.ruleset(world, below) or Ruleset()
        rules = inner.filters() if rule.action == "anchor" else inner.translation()
        out += "".join(_shown(world, options, below, each, depth + 1) for each in rules)
    return f"{out}{'  ' * depth}}}\n"


def _settings(world: World, what: str) -> str:
    """pfctl -s timeouts and -s memory."""
    found = (world.state.get("pf", "status") or {}).get("settings", {})
    if what == "memory":
        return "".join(f"{name:<13} hard limit {found.get(name, most):>8}\n" for name, most in LIMITS.items())
    known = {**TIMEOUTS, **found}
    if "states" in found and not {"adaptive.start", "adaptive.end"} & {*found}:
        known |= {"adaptive.start": found["states"] // 10 * 6, "adaptive.end": found["states"] // 10 * 12}
    units = {"adaptive.start": " states", "adaptive.end": " states"}
    return "".join(f"{name:<20} {known[name]:>10}{units.get(name, 's')}\n" for name in TIMEOUTS)


def _table(world: World, options: _Options, stdin: str) -> CommandResult:
    """Run -t TABLE -T COMMAND; addresses may come from standard input."""
    if len(options.table.encode("utf-8", "surrogateescape")) > tables.LONGEST:
        raise ToolError(_USAGE)
    words = options.words
    if options.file in ("-", "/dev/stdin"):
        words = [*words, *stdin.split()]
    return tables.command(world, options.anchor, options.table, options.table_command, words)


def _anchors(world: World, options: _Options, note: str) -> CommandResult:
    def below(parent: str) -> list[str]:
        found = []
        for child in load.children(world, parent):
            found += [child, *(below(child) if options.verbose or world.release.all_anchors else [])]
        return found

    if not load.exists(world, options.anchor):
        raise ToolError(f"{note}pfctl: {world.release.no_anchors}")
    # The message is about rules for Ethernet frames.
    err = f"{note}Anchor '{options.anchor}' not found.\n" if options.anchor else note
    found = below(options.anchor)
    if not options.anchor:
        found += world.state.keys("anchor-empty")
    return CommandResult(0, "".join(f"  {name}\n" for name in found), err)


def _info(world: World) -> str:
    status = world.state.get("pf", "status") or {}
    word = "Enabled" if status["enabled"] else "Disabled"
    rate = f"{'0.0/s':>17}"
    if status["enabled"] or status.get("used"):
        seconds = int(max(0, world.now() - status["since"]))
        days, rest = divmod(seconds, 86400)
        word += f" for {days} days {rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
        # pfctl prints no rate within the first second.
        rate = rate if seconds else " " * 15
    states = len(world.state.keys("state"))
    lines = [f"{'Status: ' + word:<46}Debug: Urgent", "", f"{'State Table':<27}{'Total':>15}{'Rate':>17}"]
    lines.append(f"  {'current entries':<25}{states:>15}{'':15}")
    lines += [f"  {name:<25}{count:>15}{rate}" for name, count in _traffic(world, states)]
    lines += ["Counters"] + [f"  {name:<25}{0:>15}{rate}" for name in _COUNTERS]
    return "\n".join(lines) + "\n"


def _traffic(world: World, states: int) -> list[tuple[str, int]]:
    row = world.state.get("counter", "state")
    made = 0 if row is None else int(row["n"])
    return [("searches", made), ("inserts", made), ("removals", made - states)]


def _load(world: World, options: _Options, stdin: str) -> CommandResult:
    text, name = stdin, "stdin"
    assert options.file is not None
    if options.file != "-":
        name = options.file
        try:
            text = world.tree.read(options.file).decode("utf-8", "surrogateescape")
        except OSError as error:
            lines = [f"pfctl: {name}: {error.strerror}"]
            lines.append(f"pfctl: cannot open the main config file!: {error.strerror}")
            lines += [] if options.test else ["pfctl: Syntax error in config file: pf rules not loaded"]
            raise ToolError("\n".join(lines)) from None
    if len(options.anchor.encode("utf-8", "surrogateescape")) > _LONGEST:
        raise ToolError("pfctl: pfctl_rules: strlcpy")
    if options.anchor and "" in options.anchor.split("/"):
        raise ToolError("pfctl: pfctl_rules\npfctl: DIOCXROLLBACK: Invalid argument")
    macros = {name: value.strip('"') for name, _, value in (each.partition("=") for each in options.macros)}
    source = load.Source(text, name, macros)
    if options.test:
        found = load.check(world, options.anchor, source)
        return _parsed(world, found, options) if options.verbose else CommandResult()
    world.state.changing()
    load.load(world, options.anchor, source)
    return CommandResult(0, "", tables.collisions(world))


def _parsed(world: World, found: Ruleset, options: _Options) -> CommandResult:
    """Return the output of -v for parsed rules: definitions in their order, then each kind of rules."""
    out = "".join(f"{line}\n" for line in found.definitions) + _read(found, options.numeric)
    err = ""
    for anchor, file in found.loads:
        err += f"\nLoading anchor {anchor} from {file}\n"
        text = load.read(world, file)
        if text is None:
            return CommandResult(1, out, f"{err}pfctl: {file}: No such file or directory\n")
        inner = load.check(world, "", load.Source(text, file))
        out += "".join(f"{line}\n" for line in inner.definitions) + _read(inner, options.numeric)
    return CommandResult(0, out, err)


def _read(found: Ruleset, numeric: bool, depth: int = 0) -> str:
    """Return rules before they are loaded, including braces; only the end of an anchor's path is shown."""
    out = ""
    for rule in (*found.scrubs(), *found.translation(), *found.filters()):
        slash = rule.anchor.rfind("/")
        line = replace(rule, anchor=rule.anchor[max(slash, 0) :]).listed(numeric)
        inner = found.inline.get(rule.anchor)
        out += f"{'  ' * depth}{line}"
        if inner is not None and inner.rules:
            out += f" {{\n{_read(inner, numeric, depth + 1)}{'  ' * depth}}}"
        out += "\n"
    return out


def _flush(world: World, options: _Options) -> CommandResult:
    match options.flush:
        case "nat":
            load.flush(world, options.anchor, "nat")
            return CommandResult(0, "", "nat cleared\n")
        case "rules":
            load.flush(world, options.anchor, "rules")
            return CommandResult(0, "", "rules cleared\n")
        case "states":
            return CommandResult(0, "", f"{state_table.flush(world)} states cleared\n")
        case "Tables":
            return CommandResult(0, "", f"{_drop_tables(world, options.anchor)} tables deleted.\n")
        case "all" if options.anchor:
            return _clear(world, options.anchor)
        case "all":
            states = state_table.flush(world)
            tables = len((load.ruleset(world, "") or Ruleset()).tables)
            load.unload(world)
            lines = ["Ethernet rules cleared", "rules cleared", "nat cleared", f"{tables} tables deleted."]
            lines += [f"{states} states cleared", "source tracking entries cleared", "pf: statistics cleared"]
            lines.append("pf: interface flags reset")
            return CommandResult(0, "", "\n".join(lines) + "\n")
        case "Sources" | "info" | "osfp" | "Reset" | "queue" | "ethernet":
            raise unknown(f"pfctl -F {options.flush}")
    raise ToolError(f"pfctl: Unknown flush modifier '{options.flush}'\n{_USAGE}")


def _clear(world: World, anchor: str) -> CommandResult:
    """pfctl -a ANCHOR -F all."""
    above, _, last = anchor.rpartition("/")
    if len(last) > _LONGEST:
        # pf has made the anchor above it by then, for rules about Ethernet frames.
        world.state.put("anchor-empty", above, {})
        raise ToolError("pfctl: pfctl_clear_eth_rules: Invalid argument")
    count = load.clear(world, anchor)
    lines = ["Ethernet rules cleared", "rules cleared", "nat cleared"]
    gone = "pfctl: Anchor or Ruleset does not exist."
    lines.append(gone if count is None else f"{count} tables deleted.")
    return CommandResult(0, "", "\n".join(lines) + "\n")


def _drop_tables(world: World, anchor: str) -> int:
    """Drop the tables of a ruleset, also those that wait for the purge, and return their number."""
    names = tables.known(world, anchor)
    found = load.ruleset(world, anchor) or Ruleset()
    found.tables, found.persist = {}, []
    load.keep(world, anchor, found)
    if anchor and names:
        world.state.put("anchor-purged", anchor, {"at": world.now() + load.PURGE_SECONDS, "tables": {}})
    return len(names)


def _switch(world: World, on: bool) -> CommandResult:
    """Switch pf on or off; net.pf.filter_local takes effect only when pf is enabled."""
    status = world.state.get("pf", "status") or {}
    if status["enabled"] == on:
        raise ToolError("pfctl: pf already enabled" if on else "pfctl: pf not enabled")
    local = world.sysctl("net.pf.filter_local") == "1"
    changed = {**status, "enabled": on, "since": world.now(), "used": True}
    if on:
        changed["filter_local"] = local
    world.state.put("pf", "status", changed)
    return CommandResult(0, "", "pf enabled\n" if on else "pf disabled\n")
