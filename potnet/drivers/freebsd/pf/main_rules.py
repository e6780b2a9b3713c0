"""Compare pf's active main rules with those of a file, both as pfctl(8) prints them.

pfctl(8) prints a file differently from active rules (pfctl.c). It shortens the path of an anchor, prints the
contents of braces after it, and names its own tables anew each time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from potnet.drivers.freebsd.pf import parse_pf
from potnet.drivers.reading import lines_of
from potnet.executors.base import CommandResult
from potnet.host.ruleset import MainText, RulesetDrift

#: Runs a command that only reads, with a text as its standard input.
Run = Callable[[tuple[str, ...], str | None], CommandResult]

_CALL = re.compile(r'((?:nat-|rdr-|binat-)?anchor) "([^"]*)"')
_AUTOMATIC = re.compile(r"<__automatic_[0-9a-f]+_(\d+)>")
_SET = re.compile(r"set (timeout|limit) (\S+) (\d+)")
_SKIP = re.compile(r"set skip on \{ (.*) \}")
_TIMEOUT = re.compile(r"(\S+) +(\d+)(?:s| states)")
_LIMIT = re.compile(r"(\S+) +hard limit +(\d+)")
#: The defaults of pf (pfctl -s timeouts, -s memory).
_DEFAULTS = {
    "tcp.first": 120, "tcp.opening": 30, "tcp.established": 86400, "tcp.closing": 900, "tcp.finwait": 45,
    "tcp.closed": 90, "tcp.tsdiff": 30, "udp.first": 60, "udp.single": 30, "udp.multiple": 60,
    "icmp.first": 20, "icmp.error": 10, "other.first": 60, "other.single": 30, "other.multiple": 60,
    "frag": 30, "interval": 10, "adaptive.start": 60000, "adaptive.end": 120000, "src.track": 0,
    "states": 100000, "src-nodes": 10000, "frags": 5000, "table-entries": 200000,
}  # fmt: skip
_TCP = tuple(_DEFAULTS)[:7]
#: The values of `set optimization` for the first seven (pf_hints in pfctl.c).
_OPTIMIZATIONS = {
    "satellite": (180, 35, 86400, 905, 50, 95, 60),
    "high-latency": (180, 35, 86400, 905, 50, 95, 60),
    "conservative": (3600, 900, 432000, 3600, 600, 180, 60),
    "aggressive": (30, 5, 18000, 60, 30, 30, 10),
}


def drift(run: Run, wanted: MainText) -> RulesetDrift:
    """Return the lines that only one of the two has. refused: why pf rejects the file."""
    printed = run(("pfctl", *wanted.flags, "-n", "-v", "-P", "-f", "-"), wanted.text)
    if printed.code != 0:
        return RulesetDrift(refused=printed.err.strip())
    lines = lines_of(printed.out)
    ours = set(wanted.calls)
    in_force = [line for what in ("-sn", "-sr") for line in lines_of(run(("pfctl", what, "-P"), None).out)]
    kept = [line for line in in_force if not _is_one_of(line, ours)]
    expected, inner = _read_apart([line for line in lines if _is_rule(line)])
    pairs = [(list(map(_normal, kept)), list(map(_normal, expected)))]
    pairs += [(_anchor(run, name), rules) for name, rules in inner.items()]
    for name, path in wanted.loads:
        read = run(("pfctl", "-a", name, "-n", "-v", "-P", "-f", path), None)
        pairs.append((_anchor(run, name), [_normal(each) for each in lines_of(read.out) if _is_rule(each)]))
    pairs += [(_names(kept), [each for each in _names(kept) if each.split()[-1] in wanted.names])]
    pairs += [*_tables(run, printed.out), _settings(run, lines), _skips(run, lines)]
    return RulesetDrift(
        lost=tuple(line for found, other in pairs for line in _beyond(found, other)),
        gained=tuple(line for found, other in pairs for line in _beyond(other, found)),
        reordered=any(found != other and Counter(found) == Counter(other) for found, other in pairs[:1]),
        empty=not in_force,
    )


def _beyond(some: Iterable[str], others: Iterable[str]) -> Iterator[str]:
    return (Counter(some) - Counter(others)).elements()


def _is_rule(line: str) -> bool:
    return parse_pf.is_rule(line.strip()) or line.strip() == "}"


def _is_one_of(line: str, calls: set[tuple[str, str]]) -> bool:
    return any(line == f'{word} "{name}" all' for word, name in calls)


def _normal(line: str) -> str:
    """Return a line in a form that does not depend on loading."""
    line = _AUTOMATIC.sub(r"<__automatic_\1>", line)
    return _CALL.sub(lambda call: f'{call[1]} "{call[2][max(call[2].rfind("/"), 0) :]}"', line)


def _names(lines: Iterable[str]) -> list[str]:
    """Return the called anchors; pfctl shows only half the name for a file."""
    return sorted({f"a call of the anchor {call[2]}" for call in map(_CALL.match, lines) if call})


def _read_apart(lines: Sequence[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Separate the rules of the main ruleset from the rules in braces of named anchors."""
    top: list[str] = []
    inner: dict[str, list[str]] = {}
    name: str | None = None
    for line in lines:
        if name is not None:
            if line == "}":
                name = None
            else:
                inner[name].append(_normal(line.removeprefix("  ")))
            continue
        call = _CALL.match(line)
        if call and line.endswith(" {"):
            name = call[2]
            inner[name] = []
            line = line.removesuffix(" {")
        top.append(line)
    return top, inner


def _anchor(run: Run, name: str) -> list[str]:
    shown = [run(("pfctl", "-a", name, what, "-P"), None).out for what in ("-sn", "-sr")]
    return [_normal(line) for text in shown for line in lines_of(text)]


def _tables(run: Run, printed: str) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the tables whose addresses the file sets, with wanted and active entries."""
    for name, entries in parse_pf.loaded_rules(printed).tables:
        if name.startswith("__automatic_"):
            continue
        shown = run(("pfctl", "-t", name, "-T", "show"), None)
        if shown.code == 0:
            found = parse_pf.table_entries(shown.out)
            both = [[f"table <{name}>: {each}" for each in sorted(side)] for side in (found, entries)]
            yield both[0], both[1]


def _settings(run: Run, lines: Sequence[str]) -> tuple[list[str], list[str]]:
    """Compare timeouts and limits; values that a file does not set return to pf's defaults."""
    wanted = dict(_DEFAULTS)
    adaptive = False
    for line in lines:
        if line.startswith("set optimization "):
            values = _OPTIMIZATIONS.get(line.split()[-1], tuple(_DEFAULTS[name] for name in _TCP))
            wanted |= dict(zip(_TCP, values, strict=True))
        found = _SET.fullmatch(line)
        if found:
            wanted[found[2]] = int(found[3])
            adaptive = adaptive or found[2].startswith("adaptive.")
            if found[2] == "states" and not adaptive:
                tenth = int(found[3]) // 10
                wanted |= {"adaptive.start": tenth * 6, "adaptive.end": tenth * 12}
    there = {
        match[1]: int(match[2])
        for what, form in (("timeouts", _TIMEOUT), ("memory", _LIMIT))
        for match in map(form.fullmatch, lines_of(run(("pfctl", "-s", what), None).out))
        if match
    }
    known = [name for name in wanted if name in there]
    return ([f"set {name} {there[name]}" for name in known], [f"set {name} {wanted[name]}" for name in known])


def _skips(run: Run, lines: Sequence[str]) -> tuple[list[str], list[str]]:
    """Compare the skipped interfaces; a group in a file includes its members."""
    options = [skip[1] for skip in map(_SKIP.fullmatch, lines) if skip]
    named = {name for option in options for name in option.split()}
    marked = parse_pf.skipped(run(("pfctl", "-v", "-s", "Interfaces"), None).out)
    members = {each for name in named & marked for each in run(("ifconfig", "-g", name), None).out.split()}
    beyond = (marked - members - named, named - marked)
    found, wanted = ([f"set skip on {name}" for name in sorted(names)] for names in beyond)
    return found, wanted
