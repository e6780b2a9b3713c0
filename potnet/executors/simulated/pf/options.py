"""The pf.conf(5) statements beside rules: macros, options, tables, queues and files to load."""

from __future__ import annotations

from collections.abc import Mapping

from potnet.executors.simulated.pf.rules import Ruleset
from potnet.executors.simulated.pf.tokens import PfError, PfUnknownError, Tokens, prefix

_ORDER = "Rules must be in order: options, ethernet, normalization, queueing, translation, filtering"
#: The defaults of pf (pfctl -s timeouts, -s memory), in the listed order.
TIMEOUTS = {
    "tcp.first": 120, "tcp.opening": 30, "tcp.established": 86400, "tcp.closing": 900, "tcp.finwait": 45,
    "tcp.closed": 90, "tcp.tsdiff": 30, "sctp.first": 120, "sctp.opening": 30, "sctp.established": 86400,
    "sctp.closing": 900, "sctp.closed": 90, "udp.first": 60, "udp.single": 30, "udp.multiple": 60,
    "icmp.first": 20, "icmp.error": 10, "other.first": 60, "other.single": 30, "other.multiple": 60,
    "frag": 30, "interval": 10, "adaptive.start": 60000, "adaptive.end": 120000, "src.track": 0,
}  # fmt: skip
LIMITS = {"states": 100000, "src-nodes": 10000, "frags": 5000, "table-entries": 200000}
#: The tcp timeouts that `set optimization` chooses (pf_hints in pfctl.c).
_HINTS = tuple(TIMEOUTS)[:7]
_OPTIMIZATIONS = {
    "normal": (120, 30, 86400, 900, 45, 90, 30),
    "satellite": (180, 35, 86400, 905, 50, 95, 60),
    "high-latency": (180, 35, 86400, 905, 50, 95, 60),
    "conservative": (3600, 900, 432000, 3600, 600, 180, 60),
    "aggressive": (30, 5, 18000, 60, 30, 30, 10),
}
#: Options with one of these words. The options in the second table may stand anywhere.
_CHOICES = {
    "block-policy": ("drop", "return"), "fail-policy": ("drop", "return"),
    "debug": ("none", "urgent", "misc", "loud"),
}  # fmt: skip
_ANYWHERE = {
    "state-policy": ("floating", "if-bound"), "require-order": ("yes", "no"),
    "ruleset-optimization": ("none", "basic", "profile"),
}  # fmt: skip


class Options(Tokens):
    """Reads these statements into `result`. macros: by name. given: macros of the command line."""

    def __init__(self, main: bool) -> None:
        super().__init__()
        self._main = main
        self.result = Ruleset()
        self.macros: dict[str, str] = {}
        self.given: Mapping[str, str] = {}
        self.chosen = {"block-policy": "drop", "state-policy": "floating", "require-order": "yes"}
        self._stage = 0

    def _order(self, stage: int) -> None:
        if stage < self._stage and self.chosen["require-order"] == "yes":
            raise PfError(_ORDER)
        self._stage = max(stage, self._stage)

    def _say(self, line: str) -> None:
        self.result.definitions.append(line)

    def _macro(self, name: str) -> None:
        self._expect("=")
        words = []
        while self._tokens:
            words.append(self._name())
        if not words:
            raise PfError
        value = " ".join(words)
        self.macros[name] = self.given.get(name, value)
        self._say(f'{name} = "{value}"')

    def _set(self) -> None:
        option = self._next()
        if not self._main:
            raise PfUnknownError("options inside an anchor")
        if option == "skip":
            self._expect("on")
            names = self._listed(self._name)
            self.result.skip += names
            self._say(f"set skip on {{ {' '.join(names)} }}")
        elif option in ("timeout", "limit"):
            self._order(0)
            for name, value in self._listed(lambda: (self._name(), self._name())):
                known = TIMEOUTS if option == "timeout" else LIMITS
                if name not in known or not value.isdigit():
                    raise PfError(f"unknown {option} {name}")
                self.result.settings[name] = int(value)
                self._say(f"set {option} {name} {value}")
        elif option == "optimization":
            self._order(0)
            word = self._name()
            if word not in _OPTIMIZATIONS:
                raise PfError(f"unknown optimization {word}")
            self.result.settings |= dict(zip(_HINTS, _OPTIMIZATIONS[word], strict=True))
            self._say(f"set optimization {word}")
        elif option in ("loginterface", "fingerprints", "hostid"):
            self._order(0 if option != "hostid" else self._stage)
            word = self._name()
            self._say(f'set {option} "{word}"' if option == "fingerprints" else f"set {option} {word}")
        else:
            self._choose(option)

    def _choose(self, option: str) -> None:
        words = {**_CHOICES, **_ANYWHERE}.get(option)
        if words is None:
            raise PfUnknownError(f"the pf option {option}")
        if option in _CHOICES:
            self._order(0)
        word = self._name()
        if word not in words:
            raise PfError
        self.chosen[option] = word
        if option != "ruleset-optimization":
            self._say(f"set {option} {word}")

    def _table(self) -> None:
        self._expect("<")
        name = self._name()
        self._expect(">")
        flags, entries, files, filled = [], list[str](), [], False
        while self._tokens:
            word = self._next()
            if word in ("const", "persist", "counters"):
                flags.append(word)
            elif word == "file":
                files.append(self._name())
            elif word == "{":
                entries += self._entries()
                filled = True
            else:
                raise PfError
        self.result.tables[name] = entries + [each for path in files for each in self._entries_of(path)]
        if "persist" in flags:
            self.result.persist.append(name)
        if filled or files:
            self.result.filled.append(name)
        listed = f" {{ {' '.join(entries)} }}" if entries else ""
        listed += "".join(f' file "{path}"' for path in files)
        self._say(" ".join([f"table <{name}>", *sorted(flags)]) + listed)

    def _entries(self) -> list[str]:
        entries = []
        self._skip_ends()
        while not self._accept("}"):
            negated = self._accept("!")
            entries.append(("!" if negated else "") + prefix(self._name()).text)
            self._accept(",")
            self._skip_ends()
        return entries

    def _entries_of(self, path: str) -> list[str]:
        """Return the entries of a table's file: one in each word, with comments removed."""
        text = self._file(path)
        if text is None:
            raise PfError(f"failed to load {path}")
        words = [word for line in text.splitlines() for word in line.partition("#")[0].split()]
        return [("!" if word.startswith("!") else "") + prefix(word.lstrip("!")).text for word in words]

    def _file(self, path: str) -> str | None:
        """Return the text of a file of the host; None if the file is missing."""
        raise NotImplementedError

    def _queue(self) -> None:
        """Read altq and queue, which have no effect, as on a kernel without ALTQ."""
        self._order(3)
        self._tokens = [word for word in self._tokens if word != "\n"]
        if not self._tokens or self._tokens.count("{") != self._tokens.count("}"):
            raise PfError
        self._tokens.clear()

    def _load(self) -> None:
        """load anchor NAME from FILE; the file is loaded last."""
        if not self._main:
            raise PfUnknownError("load anchor inside an anchor")
        self._expect("anchor")
        name = self._name()
        self._expect("from")
        self.result.loads.append((name, self._name()))
