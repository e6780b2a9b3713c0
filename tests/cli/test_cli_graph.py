"""Pictures: nothing overlaps, everything is inside, and names mean nothing to the formats they are put in."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import combinations
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potnet.cli.commands.graph import drawn
from potnet.cli.picture import drawing, layout
from potnet.templates import dot_quoted, mermaid_text, xml_text

View = dict[str, Any]

SVG = "{http://www.w3.org/2000/svg}"
#: Longest address with its prefix, and the longest name.
ADDRESSES = st.sampled_from(["10.192.0.3/10", "2001:db8:1111:2222:3333:4444:5555:6666/128"])
NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
NAMES = st.text("abcxyz-_09", min_size=1, max_size=51)


def bridge(name: str, up: bool) -> View:
    return {
        "name": name, "kind": "private", "interface": "bridge4294967", "network": "10.255.255.128/25",
        "gateway": "10.255.255.129", "network6": "fd00:1111:2222:3333::/64",
        "state": "up" if up else "down", "uplink": "nat", "vlan": "em0.30",
        "routed": up, "mtu": 65535, "isolated": not up,
    }  # fmt: skip


def pot(name: str, runs: bool, links: list[View], exports: int) -> View:
    return {
        "name": name, "state": "running" if runs else "stopped", "links": links,
        "internet": runs, "owner": None if runs else "alice",
        "bandwidth_in": None if runs else "999999999bit/s", "bandwidth_out": None if runs else "8Kbit/s",
        "passed": [each["interface"] for each in links if each["bridge"] is None and not each["addresses"]],
        "exports": [{"protocol": "udp", "pot_port": 65535, "host_port": 65000 + n} for n in range(exports)],
    }  # fmt: skip


@st.composite
def views(draw: st.DrawFn) -> View:
    """Hosts with up to forty pots, each on up to three bridges, on an interface, or on the host's stack."""
    names = draw(st.lists(NAMES, unique=True, max_size=6))
    outer = draw(st.lists(st.sampled_from(["em0", "em1", "vtnet10.4094"]), unique=True))

    def link(where: str, bridged: bool) -> View:
        addresses = draw(st.lists(ADDRESSES, max_size=2))
        return {
            "interface": "epair70000b" if bridged else where,
            "bridge": where if bridged else None,
            "addresses": addresses,
            "isolated": bridged and draw(st.booleans()),
        }

    def links() -> list[View]:
        places = draw(st.lists(st.sampled_from(names), unique=True, max_size=3)) if names else []
        if places or not outer or draw(st.booleans()):
            return [link(place, True) for place in places]
        return [link(outer[0], False)]

    facts = st.tuples(NAMES, st.booleans(), st.integers(0, 9))
    pots = draw(st.lists(facts, max_size=40, unique_by=lambda each: each[0]))
    own = st.lists(ADDRESSES, max_size=3)
    return {
        "host": draw(st.sampled_from(["oven.example.org", None, "x" * 64])),
        "kind": "freebsd",
        "interfaces": [
            {"name": name, "external": draw(st.booleans()), "addresses": draw(own), "passed": passed}
            for name in outer
            for passed in [draw(st.sampled_from([None, "x" * 51]))]
        ],
        "bridges": [bridge(name, draw(st.booleans())) for name in names],
        "pots": [pot(name, runs, links(), exports) for name, runs, exports in pots],
        "policies": draw(policies([name for name, *_ in pots], names)),
    }  # fmt: skip


@st.composite
def policies(draw: st.DrawFn, pots: list[str], bridges: list[str]) -> list[View]:
    """Up to sixty between the pots and bridges that there are."""
    ends = [(name, False) for name in pots] + [(name, True) for name in bridges]
    if not ends:
        return []
    end = st.sampled_from(ends)
    action, port = st.sampled_from(["allow", "deny"]), st.sampled_from([None, "tcp:60000-65535"])
    facts = st.tuples(action, end, end, port)
    return [policy(*each) for each in draw(st.lists(facts, max_size=60))]


def policy(action: str, source: tuple[str, bool], to: tuple[str, bool], port: str | None) -> View:
    return {
        "action": action, "from": source[0], "from_bridge": source[1], "to": to[0], "to_bridge": to[1],
        "port": port,
    }  # fmt: skip


def segments(wire: layout.Wire) -> Iterator[tuple[int, int, int, int]]:
    """The pieces of a line, each from its upper left to its lower right end."""
    for (x1, y1), (x2, y2) in zip(wire.points, wire.points[1:], strict=False):
        assert x1 == x2 or y1 == y2
        yield min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


@settings(max_examples=40)
@given(views())
def test_nothing_overlaps_and_everything_is_inside(view: View) -> None:
    found = layout.picture(view)
    boxes = (*found.boxes, *found.legend)
    for one, other in combinations(boxes, 2):
        beside = one.x + one.width < other.x or other.x + other.width < one.x
        assert beside or one.y + one.height < other.y or other.y + other.height < one.y
    for box in boxes:
        assert 24 < box.x < box.x + box.width <= found.width - 24
        assert 24 < box.y < box.y + box.height <= found.height - 24
        for x, y, text in box.texts:
            assert box.x < x < x + len(text) * layout.CHARACTER < box.x + box.width
            assert box.y + 12 <= y <= box.y + box.height - 4
        for x1, y1, x2, y2 in (piece for wire in found.wires for piece in segments(wire)):
            outside = x2 <= box.x or box.x + box.width <= x1 or y2 <= box.y or box.y + box.height <= y1
            assert outside, "a line runs through a box"
        for label in found.labels:
            right = label.x + len(label.text) * layout.CHARACTER
            beside = right < box.x or box.x + box.width < label.x
            assert beside or label.y < box.y or box.y + box.height < label.y - 12
    assert 34 + len(found.title) * layout.CHARACTER < found.width - 24


@settings(max_examples=40)
@given(views())
def test_each_pot_is_there_once_with_a_line_from_each_of_its_bridges(view: View) -> None:
    found = layout.picture(view)
    boxes = [box for box in found.boxes if box.node.kind == "pot"]
    assert sorted(box.node.title for box in boxes) == sorted(pot["name"] for pot in view["pots"])
    ends = [wire.points[-1] for wire in found.wires]
    for box in boxes:
        pot = next(pot for pot in view["pots"] if pot["name"] == box.node.title)
        lines = [(x, y) for x, y in ends if y == box.y and box.x < x < box.x + box.width]
        assert len(lines) == max(1, len({link["bridge"] for link in pot["links"]}))


def simple(names: list[str], bridges: int = 1) -> View:
    """A host with pots on bridges, in turn."""
    interface = {"name": "em0", "external": True, "addresses": ["192.0.2.1/24"], "passed": None}
    made = [bridge(f"bridge{number}", True) for number in range(bridges)]
    pots = [
        pot(name, True, [{
            "interface": f"epair{number}b", "bridge": made[number % bridges]["name"],
            "addresses": [f"10.192.0.{number}/10"], "isolated": False,
        }], 1)
        for number, name in enumerate(names)
    ]  # fmt: skip
    return {
        "host": "oven", "kind": "freebsd", "interfaces": [interface], "bridges": made, "pots": pots,
        "policies": [],
    }  # fmt: skip


@pytest.mark.parametrize("bridges", [1, 3, 9])
def test_a_hundred_pots_are_no_ribbon(bridges: int) -> None:
    found = layout.picture(simple([f"web{number}" for number in range(100)], bridges))
    assert found.height <= 1.25 * found.width <= 2.5 * found.height
    assert len({box.x for box in found.boxes if box.node.kind == "pot"}) > 3


def test_lines_to_bridges_say_how_and_each_kind_of_box_is_explained() -> None:
    view = simple(["web", "db"])
    view["bridges"].append(bridge("outer", False) | {"uplink": "member"})
    view["pots"][1]["state"] = "stopped"
    found = layout.picture(view)
    assert [label.text for label in found.labels] == ["NAT", "member"]
    assert [box.node.title for box in found.legend] == [
        "interface of the host", "bridge", "bridge, down", "pot, running", "pot, stopped",
    ]  # fmt: skip


def test_thirty_pots_fit_on_a_page() -> None:
    bridges = [bridge(name, True) for name in ("public", "stove", "grill")]
    links = [
        {
            "interface": f"epair{n}b",
            "bridge": bridges[n % 3]["name"],
            "addresses": [f"10.192.0.{n}/10"],
            "isolated": n % 3 == 0,
        }
        for n in range(30)
    ]
    pots = [pot(f"casserole{n}", True, [links[n]], n % 3) for n in range(30)]
    interface = {"name": "em0", "external": True, "addresses": ["192.0.2.1/24"], "passed": None}
    rules = [policy("allow", ("casserole1", False), (f"casserole{n}", False), "tcp:5432") for n in range(30)]
    view = {"host": "oven", "kind": "freebsd", "interfaces": [interface], "bridges": bridges, "pots": pots}
    found = layout.picture(view | {"policies": []})
    assert found.width <= 1300
    assert found.height <= 1300
    found = layout.picture(view | {"policies": rules})
    assert found.width <= 1300
    assert found.height <= 1600


@settings(max_examples=20)
@given(views())
def test_what_is_drawn_is_well_formed_and_always_the_same(view: View) -> None:
    root = ElementTree.fromstring(drawn(None, view, "svg"))
    texts = {element.text for element in root.iter(f"{SVG}text")}
    assert {pot["name"] for pot in view["pots"]} | {drawing.title(view)} <= texts
    for form in ("dot", "svg", "mermaid"):
        assert drawn(None, view, form) == drawn(None, view, form)
    edge = re.compile(r"^\tn\d+ (?:---|-\.-)(?:\|\".*\"\|)? n\d+$", re.MULTILINE)
    assert len(edge.findall(drawn(None, view, "mermaid"))) == len(list(drawing.edges(view)))


HOSTILE_LINK = {"interface": "e|b", "bridge": 'st"ove]\n', "addresses": ["\\"], "isolated": True}
HOSTILE = {
    "host": 'a"]\n<script>&amp;\\N #quot; `x`', "kind": "freebsd",
    "interfaces": [{"name": 'em"0\\', "external": True, "addresses": ["<b>"], "passed": "]]>"}],
    "bridges": [bridge('st"ove]\n', True)],
    "pots": [
        pot("]]><&\x00\x1b", True, [HOSTILE_LINK], 1)
    ],
    "policies": [policy("deny", ('st"ove]\n', True), ("]]><&\x00\x1b", False), "]|<")],
}  # fmt: skip


def test_dot_takes_the_strangest_names() -> None:
    dot = shutil.which("dot")
    if dot is None:
        pytest.skip("graphviz is not installed")
    done = subprocess.run(
        [dot, "-Tsvg"], input=drawn(None, HOSTILE, "dot"), capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    texts = [element.text for element in ElementTree.fromstring(done.stdout).iter(f"{SVG}text")]
    assert "<script>&amp;\\N #quot; `x` (freebsd)" in texts
    assert 'em"0\\' in texts


def test_names_are_text_in_an_svg() -> None:
    texts = [e.text for e in ElementTree.fromstring(drawn(None, HOSTILE, "svg")).iter(f"{SVG}text")]
    assert "]]><&\ufffd\ufffd" in texts
    assert 'em"0\\' in texts


@given(st.text())
def test_quoting_for_dot_can_be_undone(text: str) -> None:
    quoted = dot_quoted(text)
    inner = quoted[1:-1]
    assert (quoted[0], quoted[-1]) == ('"', '"')
    assert re.fullmatch(r'(?:[^"\\\n\0]|\\["\\n])*', inner)
    undone = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], inner).replace("&amp;", "&")
    assert undone == NO_XML.sub("\ufffd", text)


@given(st.text())
def test_escaping_for_xml_can_be_undone(text: str) -> None:
    escaped = xml_text(text)
    element = ElementTree.fromstring(f'<a b="{escaped}">{escaped}</a>')
    # White space is normalised by whoever reads it (XML 1.0, 2.11 and 3.3.3).
    allowed = NO_XML.sub("\ufffd", text)
    assert (element.text or "") == allowed.replace("\r\n", "\n").replace("\r", "\n")


@given(st.text())
def test_escaping_for_mermaid_can_be_undone(text: str) -> None:
    escaped = mermaid_text(text)
    assert not set(escaped) & set('"<>`[]{}\n\\')
    assert re.sub(r"#(\d+);", lambda m: chr(int(m[1])), escaped) == text
