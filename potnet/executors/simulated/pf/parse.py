"""A parser for the part of pf.conf(5) that jail networks use.

Lists in braces expand as pfctl's do: interfaces outermost, then protocols, then addresses. Statements that pf
rejects have pfctl's error; valid statements that the parser lacks have its own error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from potnet.executors.simulated.pf.conditions import Draft, Lookup, family_of
from potnet.executors.simulated.pf.lex import Lexer
from potnet.executors.simulated.pf.rules import ANCHORS, Rule, Ruleset
from potnet.executors.simulated.pf.tokens import PfError, PfUnknownError, prefix
from potnet.executors.simulated.pf.translation import Translation

_UNKNOWN = ("route-to", "reply-to", "queue", "tos", "allow-opts", "divert-to")
#: The options by which a rule translates on FreeBSD 15; before, they are syntax errors.
_TARGETS = ("nat-to", "rdr-to", "binat-to")
_RETURNS = ("return", "drop", "return-rst", "return-icmp", "return-icmp6")


#: Returns the text of a file, or None if the file does not exist.
Reader = Callable[[str], str | None]


class Parser(Translation):
    """Parses the statements of one text. lookup: for a bare interface name used as an address."""

    def __init__(self, text: str, lookup: Lookup, main: bool, read: Reader = lambda path: None) -> None:
        super().__init__(lookup, main)
        self._text = text
        self._read = read
        self._files = ["stdin"]
        self._bodies = 0
        self.errors: list[str] = []
        self.targets = False

    def parse(self) -> Ruleset:
        """Parse on after a bad line, as pfctl does; the errors are in `errors`."""
        self._parse(self._text)
        return self.result

    def _parse(self, text: str) -> None:
        for statement in Lexer(text, self.macros).statements():
            try:
                if statement.error is not None:
                    raise statement.error
                self.begin(statement.words)
                self._statement()
            except PfError as error:
                self.errors += [error.before] if error.before else []
                self.errors.append(f"{self._files[-1]}:{statement.number}: {error.text}")

    def _file(self, path: str) -> str | None:
        return self._read(path)

    # Statements

    def _statement(self) -> None:
        word = self._next()
        if word in ("set", "table", "load", "altq", "queue", "include"):
            simple = {"set": self._set, "table": self._table, "load": self._load, "include": self._include}
            simple.get(word, self._queue)()
        elif re.fullmatch(r"[A-Za-z_]\w*", word) and self._peek() == "=":
            self._only_main("macros in pf rules")
            self._macro(word)
        elif word == "ether":
            raise PfUnknownError(f"the pf statement {word}")
        else:
            self._rule(word)
        if self._tokens:
            raise PfError

    def _rule(self, word: str) -> None:
        if word == "no":
            word = self._next()
            if word not in ("nat", "rdr", "binat"):
                raise PfError
            self._translation(Rule(word, no=True))
        elif word in ("nat", "rdr", "binat"):
            self._translation(Rule(word))
        elif word in ANCHORS:
            self._anchor(word)
        elif word in ("block", "pass", "match"):
            self._filter(word)
        elif word == "scrub":
            self._only_main(f"the pf statement {word}")
            self._scrub()
        elif word == "antispoof":
            self._antispoof()
        else:
            raise PfError

    def _only_main(self, what: str) -> None:
        """Refuse in an anchor a statement that only the main ruleset needs."""
        if not self._main:
            raise PfUnknownError(what)

    def _include(self) -> None:
        path = self._name()
        text = self._file(path)
        if text is None or len(self._files) > 15:
            raise PfError(f"failed to include file {path}")
        rest, self._tokens = self._tokens, []
        self._files.append(path)
        self._parse(text if text.endswith("\n") else f"{text}\n")
        self._files.pop()
        self._tokens = rest

    def _scrub(self) -> None:
        direction = self._next() if self._peek() in ("in", "out") else ""
        draft = self._conditions(Draft(Rule("scrub", direction=direction, log=self._accept("log"))))
        found = []
        while self._tokens:
            word = self._next()
            if word in ("no-df", "random-id"):
                found.append(word)
            elif word in ("min-ttl", "max-mss"):
                found.append(f"{word} {self._number()}")
            elif word == "fragment":
                self._expect("reassemble")
            elif word == "reassemble":
                self._expect("tcp")
                found.append("reassemble tcp")
            else:
                raise PfError
        draft.rule = replace(draft.rule, scrub=" ".join([*found, "fragment reassemble"]))
        self._expand(draft, stage=2)

    def _antispoof(self) -> None:
        log, quick = self._accept("log"), self._accept("quick")
        self._expect("for")
        names = self._listed(self._name)
        family = self._next() if self._peek() in ("inet", "inet6") else ""
        self._order(5)
        block = Rule("block", drop="drop", direction="in", log=log, quick=quick)
        for name in names:
            for sources, outside in ((f"{name}:network", name), (name, "")):
                for text in self._lookup(sources) or ():
                    source = prefix(text)
                    rule = replace(block, interface=outside, outside=bool(outside), source=source)
                    own = family_of(rule) or ""
                    if family in ("", own) and not (outside == "" and name.startswith("lo")):
                        self.result.rules.append(replace(rule, family=own))

    def _body(self, name: str) -> str:
        """Parse the rules in braces after an anchor; an anchor without a name gets one of pf's own."""
        self._bodies += 1
        name = name or f"_{self._bodies}"
        self._expect("{")
        self._expect("\n")
        rest: list[str] = []
        depth = 1
        while depth:
            word = self._next()
            depth += {"{": 1, "}": -1}.get(word, 0)
            rest.append(word)
        outer, outside, stage = self.result, self._tokens, self._stage
        self.result = Ruleset()
        for words in _lines(rest[:-1]):
            self.begin(words)
            self._rule(self._next())
            if self._tokens:
                raise PfError
        outer.inline[name] = self.result
        self.result, self._tokens, self._stage = outer, outside, stage
        return name

    def _anchor(self, word: str) -> None:
        unnamed = word == "anchor" and self._peek() in ("in", "out", "on", "quick", "inet", "inet6", "{", "")
        rule = Rule(word, anchor="" if unnamed else self._name())
        if rule.anchor.startswith("_") or "/_" in rule.anchor:
            raise PfError("anchor names beginning with '_' are reserved for internal use")
        if word == "anchor" and self._peek() in ("in", "out"):
            rule = replace(rule, direction=self._next())
        if word == "anchor":
            rule = replace(rule, quick=self._accept("quick"))
        draft = self._conditions(Draft(rule))
        if word == "anchor":
            draft.rule = self._options(draft.rule, draft)
            if draft.rule.state or draft.rule.limits:
                raise PfError("cannot specify state handling on anchors")
            if self._peek() == "{":
                draft.rule = replace(draft.rule, anchor=self._body(draft.rule.anchor))
            elif not draft.rule.anchor:
                raise PfError("anchors without explicit rules must specify a name")
        elif self._accept("rtable"):
            draft.rule = replace(draft.rule, table=str(self._number()))
        if word == "binat-anchor":
            draft.interfaces = draft.interfaces[:1]
            draft = replace(draft, interfaces=[("", False)])
        self._expand(draft, stage=5 if word == "anchor" else 4)

    def _filter(self, word: str) -> None:
        drop = ""
        if word == "block":
            drop = self._next() if self._peek() in _RETURNS else self.chosen["block-policy"]
        direction = self._next() if self._peek() in ("in", "out") else ""
        rule = self._log(Rule(word, drop=drop, direction=direction))
        rule = replace(rule, quick=self._accept("quick"))
        draft = self._conditions(Draft(rule, protocols=[""]))
        rule = self._options(draft.rule, draft)
        if word == "pass" and not rule.state:
            rule = replace(rule, state="keep")
        if rule.keeps and self.chosen["state-policy"] == "if-bound" and "if-bound" not in rule.limits:
            rule = replace(rule, limits=(*rule.limits, "if-bound"))
        draft.rule = rule
        self._expand(draft, stage=5)

    def _options(self, rule: Rule, draft: Draft) -> Rule:
        while self._tokens and self._peek() != "{":
            word = self._next()
            if word in ("keep", "no", "modulate", "synproxy") and self._accept("state"):
                rule = replace(rule, state=word)
                if word != "no" and self._accept("("):
                    rule = replace(rule, limits=self._limits())
            elif word in ("icmp-type", "icmp6-type"):
                rule = replace(rule, icmp=f"{word} {self._name()}")
            elif word == "flags":
                rule = replace(rule, flags=self._name())
            elif word == "label":
                rule = replace(rule, label=self._name())
            elif word == "tag":
                rule = replace(rule, tag=self._name())
            elif word == "tagged" or (word == "!" and self._accept("tagged")):
                rule = replace(rule, tagged=self._name(), untagged=word == "!")
            elif word == "dnpipe":
                rule = replace(rule, pipes=self._pipes())
            elif word in ("user", "group"):
                rule = replace(rule, owner=f"{word} = {self._owner()}")
            elif word == "probability":
                rule = replace(rule, chance=self._name())
            elif word == "rtable":
                rule = replace(rule, table=str(self._number()))
            elif word in _UNKNOWN or (self.targets and word in _TARGETS):
                raise PfUnknownError(f"the pf rule option {word}")
            else:
                raise PfError
        return rule

    def _owner(self) -> int:
        """Return a user or a group by its number, as pf shows it."""
        word = self._name()
        numbers = {"root": 0, "wheel": 0}
        if word not in numbers and not word.isdigit():
            raise PfUnknownError(f"the user {word}")
        return numbers.get(word, int(word) if word.isdigit() else 0)

    def _limits(self) -> tuple[str, ...]:
        shown: list[str] = []
        bound: list[str] = []
        track = ""
        while not self._accept(")"):
            name = self._next()
            if name == "source-track":
                track = self._next() if self._peek() in ("rule", "global") else "rule"
                self._accept(",")
                continue
            if name == "if-bound":
                bound = [name]
                self._accept(",")
                continue
            if name not in ("max", "max-src-conn", "max-src-nodes", "max-src-states"):
                raise PfUnknownError(f"the pf state option {name}")
            number = self._name()
            if not number.isdigit() or number == "0":
                raise PfError
            shown.append(f"{name} {number}")
            self._accept(",")
        names = {item.split()[0] for item in shown}
        if not track and names & {"max-src-conn", "max-src-nodes", "max-src-states"}:
            # Only these two count for each rule by themselves (parse.y of pfctl).
            track = "rule" if names & {"max-src-conn", "max-src-nodes"} else "global"
        first = [item for item in shown if item.startswith("max ")]
        rest = [item for item in shown if item not in first]
        return (*first, *([f"source-track {track}"] if track else []), *rest, *bound)

    def _pipes(self) -> tuple[int, ...]:
        bracket = self._accept("(")
        numbers = [self._number()]
        if bracket:
            if self._accept(","):
                numbers.append(self._number())
            self._expect(")")
        return tuple(numbers)

    def _number(self) -> int:
        word = self._name()
        if not word.isdigit():
            raise PfError
        return int(word)


def _lines(words: list[str]) -> Iterator[list[str]]:
    """Yield the statements in braces; each ends with its line."""
    line: list[str] = []
    depth = 0
    for word in (*words, "\n"):
        depth += {"{": 1, "}": -1}.get(word, 0)
        if word == "\n" and depth == 0:
            if line:
                yield line
            line = []
        else:
            line.append(word)
