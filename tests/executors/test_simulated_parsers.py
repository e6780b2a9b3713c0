"""The parsers of pf.conf and jail.conf: what they list they read again, and no text makes them fall over."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from potnet.executors.simulated.jail import jailconf
from potnet.executors.simulated.pf.parse import Parser
from potnet.executors.simulated.pf.rules import Ruleset, ruleset_from
from potnet.executors.simulated.pf.tokens import PfUnknownError
from potnet.executors.simulated.world.world import ToolError


def parse(text: str, main: bool = True) -> Ruleset:
    parser = Parser(text, {"em0": ["192.0.2.1"]}.get, main)
    result = parser.parse()
    assert parser.errors == [], (text, parser.errors)
    return result


def errors(text: str) -> list[str]:
    parser = Parser(text, {"em0": ["192.0.2.1"]}.get, True)
    parser.parse()
    return parser.errors


def listed(rules: Ruleset, numeric: bool) -> str:
    return "".join(f"{rule.listed(numeric)}\n" for rule in (*rules.translation(), *rules.filters()))


ORDER = "Rules must be in order: options, ethernet, normalization, queueing, translation, filtering"
NAMES = st.sampled_from(["em0", "bridge10", "potbridge", "lo0", "epair7a"])
PORTS = st.integers(1, 65535)
V4 = st.ip_addresses(v=4).map(str)
V6 = st.ip_addresses(v=6).map(str)


def _networks(text: st.SearchStrategy[str], width: int) -> st.SearchStrategy[str]:
    return st.tuples(text, st.integers(1, width)).map(lambda pair: f"{pair[0]}/{pair[1]}")


@st.composite
def hosts(draw: st.DrawFn, plain: st.SearchStrategy[str], width: int) -> str:
    one = st.one_of(plain, _networks(plain, width), st.just("any"), NAMES.map(lambda n: f"({n})"))
    chosen = draw(st.lists(one, min_size=1, max_size=3))
    text = chosen[0] if len(chosen) == 1 else "{ " + " ".join(chosen) + " }"
    return ("! " if len(chosen) == 1 and text != "any" and draw(st.booleans()) else "") + text


@st.composite
def conditions(draw: st.DrawFn, translation: bool) -> tuple[str, str]:
    """The middle of a rule and an address of its family."""
    plain, width, family = draw(st.sampled_from([(V4, 32, "inet"), (V6, 128, "inet6")]))
    on = draw(st.lists(NAMES, min_size=1, max_size=2, unique=True))
    protocol = draw(st.sampled_from(["tcp", "udp", "{ tcp udp }"]))
    text = f"on {{ {' '.join(on)} }} {family} proto {protocol} from {draw(hosts(plain, width))}"
    low, high = sorted((draw(PORTS), draw(PORTS)))
    port = draw(st.sampled_from([f"{low}", f"{low}:{high}", "http", f"{{ {low} {high} }}"]))
    text += f" to {draw(hosts(plain, width))} port {port}"
    return text, draw(plain)


@st.composite
def rulesets(draw: st.DrawFn) -> str:
    lines = []
    for _ in range(draw(st.integers(0, 3))):
        middle, target = draw(conditions(translation=True))
        action = draw(st.sampled_from(["nat", "rdr", "rdr pass", "no rdr", "no nat", "rdr pass log"]))
        end = "" if action.startswith("no") else f" -> {target}"
        end += f" port {draw(PORTS)}" if action.startswith("rdr") else ""
        lines.append(f"{action} {middle}{end}")
    for _ in range(draw(st.integers(0, 3))):
        middle, _target = draw(conditions(translation=False))
        head = draw(
            st.sampled_from(["pass", "pass in quick", "block return in quick", "block out", "block drop log"])
        )
        end = (
            draw(st.sampled_from(["", " keep state", " no state", ' label "a b"'])) if head[0] == "p" else ""
        )
        lines.append(f"{head} {middle}{end}")
    return "".join(f"{line}\n" for line in lines)


@given(rulesets(), st.booleans())
def test_a_listing_reads_as_itself(text: str, numeric: bool) -> None:
    first = parse(text)
    again = listed(first, numeric)
    assert listed(parse(again), numeric) == again
    assert ruleset_from(first.row()) == Ruleset([*first.rules], first.tables, first.skip)


VOCABULARY = """
nat rdr pass block in out on inet inet6 proto tcp from to any port { } ( ) < > ! = , -> em0 80 80:* 10.0.0.0/8
fd00::/64 table const anchor "x/*" quick log label keep state no set skip return all ::1 1:2:3
"""
WORDS = st.sampled_from(VOCABULARY.split())


@given(st.one_of(st.text(), st.lists(st.one_of(WORDS, st.just("\n"))).map(" ".join)))
def test_no_text_breaks_the_pf_parser(text: str) -> None:
    parser = Parser(text, {"em0": ["192.0.2.1"]}.get, main=True)
    try:
        result = parser.parse()
    except PfUnknownError:
        return
    if not parser.errors:
        again = listed(result, numeric=True)
        # Options and tables are not part of a listing; rules that name tables still read.
        assert listed(parse(again), numeric=True) == again


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("block in all", "block drop in all"),
        ("pass out keep state", "pass out all flags S/SA keep state"),
        ("pass in on potbridge keep state", "pass in on potbridge all flags S/SA keep state"),
        ("pass proto udp", "pass proto udp all keep state"),
        ("pass in quick on e0a inet from 10.1.2.3 to any no state", None),
        (
            "nat on em0 inet from 10.0.2.15/24 to any -> em0",
            "nat on em0 inet from 10.0.2.0/24 to any -> 192.0.2.1",
        ),
        ('anchor "pot-filter/*"', 'anchor "pot-filter/*" all'),
        (
            "rdr on em0 proto tcp to port 53 -> ::1",
            "rdr on em0 inet6 proto tcp from any to any port = 53 -> ::1",
        ),
        (
            "pass in on b proto tcp to 10.0.0.1 dnpipe (1, 2)",
            "pass in on b inet proto tcp from any to 10.0.0.1 flags S/SA keep state dnpipe(1, 2)",
        ),
        (
            "pass in on b proto tcp to 10.0.0.1 keep state (max-src-conn 2)",
            "pass in on b inet proto tcp from any to 10.0.0.1 flags S/SA "
            "keep state (source-track rule, max-src-conn 2)",
        ),
    ],
)
def test_normal_forms(text: str, wanted: str | None) -> None:
    assert listed(parse(text), numeric=True) == (wanted or text) + "\n"


def test_tables_and_quick_blocks() -> None:
    text = (
        "table <others> const { 10.192.0.0/10, !10.192.0.16/29, fd00:192::/48 }\n"
        "block return in quick on bridge20 from any to <others>\n"
    )
    found = parse(text, main=False)
    assert found.tables == {"others": ["10.192.0.0/10", "!10.192.0.16/29", "fd00:192::/48"]}
    assert listed(found, True) == "block return in quick on bridge20 from any to <others>\n"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("pass\nrdr on em0 proto tcp to port 1 ->", "stdin:2: syntax error"),
        ("pass\nrdr on em0 proto tcp to port 1 -> ::1", f"stdin:2: {ORDER}"),
        ("bogus", "stdin:1: syntax error"),
        ("pass from nosuch0", "stdin:1: could not parse host specification"),
        ("pass proto tcp to any port 65536", "stdin:1: illegal port value 65536"),
        ("pass from 10.0.0.0/33", "stdin:1: could not parse host specification"),
        ("rdr on em0 inet from any to ::1 -> 10.0.0.1", "stdin:1: rule expands to no valid combination"),
    ],
)
def test_errors_in_pfctls_words(text: str, wanted: str) -> None:
    assert errors(text)[-1] == wanted


def test_a_continued_line_counts_as_the_lines_it_has() -> None:
    assert listed(parse("pass in \\\n  quick\n"), True) == "pass in quick all flags S/SA keep state\n"
    assert errors("pass \\\n in\nbogus\n") == ["stdin:3: syntax error"]


def test_all_bad_lines_are_told() -> None:
    assert errors("bogus\npass\n(\n") == ["stdin:1: syntax error", "stdin:3: syntax error"]


@given(st.one_of(st.text(), st.lists(st.sampled_from(list("a{};=,\"'\\\n #/*+$.|"))).map("".join)))
def test_no_text_breaks_the_jail_conf_parser(text: str) -> None:
    try:
        found = jailconf.parse(text)
    except ToolError as error:
        assert error.result.code in (1, 64) and error.result.err
    else:
        assert all(isinstance(value, str) for jail in found.values() for v in jail.values() for value in v)


VALUES = st.text(st.characters(exclude_characters="$", exclude_categories=("Cs",)), max_size=20)


@given(VALUES, st.lists(VALUES, min_size=1, max_size=3))
def test_quoted_values_come_back(name: str, values: list[str]) -> None:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    listing = ", ".join(map(quoted, values))
    text = f"j {{ host.hostname = {quoted(name)}; # comment\n list = {listing}; persist; }}"
    assert jailconf.parse(text) == {"j": {"host.hostname": [name], "list": values, "persist": []}}


def test_modules_stay_short_and_apart() -> None:
    """House rules: files below 400 lines; of potnet it needs nothing but the base, errors and signals."""
    import potnet.executors.simulated as package

    for path in Path(str(package.__file__)).parent.rglob("*.py"):
        text = path.read_text()
        assert text.count("\n") < 400, path
        for line in text.splitlines():
            if line.startswith(("from potnet", "import potnet")):
                assert line.startswith(
                    (
                        "from potnet.executors.simulated",
                        "from potnet.executors.base",
                        "from potnet.errors",
                        "from potnet.runtime.interrupts",
                    )
                ), (path, line)
