"""Where `potnet graph --format svg` puts things: beside each bridge, rows of tiles for its pots.

Units are pixels. All text is of one fixed width, so that its extent is known without the font.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field
from typing import TypeVar

from potnet.cli.picture import drawing
from potnet.cli.picture.drawing import STACK, Node, View
from potnet.runtime.fast_dataclass import dataclass

#: Advance of a character in the widest of the common fonts at 12 pixels, and from line to line.
CHARACTER, LINE = 7.3, 17
PAD, GAP, MARGIN = 10, 14, 24
#: Room for the lines between two columns, and between a line and the tiles below it; from line to line.
CHANNEL, STUB, LANE = 36, 12, 8
#: How wide the picture grows in any case before tiles go into another row, and how high beside its width
#: before it grows wider.
WIDTH, HEIGHT = 1280, 1.25
#: How many policies there are below each other before they go into another column.
ROWS = 12
#: The mark of whether a pot runs takes as much as these characters.
MARK = 2

Point = tuple[int, int]
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Box:
    """A node with its place: the upper left corner and the extent."""

    node: Node
    x: int
    y: int
    width: int
    height: int

    @property
    def texts(self) -> list[tuple[int, int, str]]:
        """Each line of text: where its baseline begins, the title first."""
        shift = round(MARK * CHARACTER) if self.node.kind == "pot" else 0
        first = self.y + PAD + 12
        found = [(self.x + PAD + shift, first, self.node.title)]
        below = enumerate(self.node.lines, start=1)
        return found + [(self.x + PAD, first + number * LINE, text) for number, text in below]


@dataclass(frozen=True, slots=True)
class Wire:
    """A line through points; active: the pot or bridge at its end is up."""

    points: tuple[Point, ...]
    active: bool = True


@dataclass(frozen=True, slots=True)
class Label:
    """A text above a line, by the place where its baseline begins."""

    x: int
    y: int
    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """All that is drawn. joints: where lines meet; elsewhere they cross. legend: one box of each kind."""

    title: str
    width: int
    height: int
    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]
    labels: tuple[Label, ...]
    joints: tuple[Point, ...]
    legend: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class _Section:
    """A bridge, or the host's stack, and the pots that are on it alone. how: it reaches the outside."""

    head: Node
    tiles: tuple[Node, ...]
    how: str = ""


@dataclass(frozen=True, slots=True)
class _Shared:
    """A pot on several bridges, by their keys."""

    node: Node
    bridges: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where the columns begin, how wide they are, and how many tiles are beside each other.

    lanes: by the key of a bridge, where its line to pots on several bridges runs down.
    """

    outer: int
    outer_width: int
    trunk: int
    heads: int
    head_width: int
    lanes: dict[str, int]
    spine: int
    tiles: int
    tile_width: int
    count: int

    def lefts(self, tiles: Sequence[object]) -> list[int]:
        """Where the tiles of a row begin."""
        return [self.tiles + number * (self.tile_width + GAP) for number in range(len(tiles))]


@dataclass(slots=True)
class _Canvas:
    """The parts of the picture that are placed so far."""

    boxes: list[Box] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    joints: list[Point] = field(default_factory=list)

    def bottom(self, default: int) -> int:
        return max([box.y + box.height for box in self.boxes], default=default)


def picture(view: View) -> Picture:
    """The whole of what `potnet.operations.reports.graph` gives.

    There are as many columns of pots as the usual width takes, and more while the picture is much higher
    than it is wide.
    """
    sections, shared = [*_bridges(view), *_stack(view)], _shared(view)
    most = max([len(shared), *(len(section.tiles) for section in sections)])
    found = _arranged(view, sections, shared, 1)
    for count in range(2, most + 1):
        wider = _arranged(view, sections, shared, count)
        if wider.width > WIDTH and found.height <= HEIGHT * max(found.width, WIDTH):
            break
        found = wider
    return found


def _arranged(view: View, sections: list[_Section], shared: list[_Shared], count: int) -> Picture:
    outer = [drawing.interface_node(each) for each in view["interfaces"]]
    columns = _columns(outer, sections, shared, count)
    top = y = MARGIN + 2 * LINE + PAD
    canvas, starts = _Canvas(), dict[str, int]()
    for section in sections:
        starts[section.head.key] = y + STUB
        y = _place_section(canvas, section, columns, y) + GAP + PAD
    _place_shared(canvas, shared, columns, starts, y)
    interfaces = _column(outer, columns.outer, top, columns.outer_width)
    leading = {each["name"] for each in view["interfaces"] if each["external"] or not each["passed"]}
    _draw_trunk(
        canvas, interfaces, [box for box in interfaces if box.node.title in leading], columns, sections
    )
    canvas.boxes[:0] = interfaces
    canvas.boxes += _policies(view, columns.outer, canvas.bottom(top) + 2 * GAP)
    title = drawing.title(view)
    right = max([box.x + box.width for box in canvas.boxes], default=columns.outer)
    right = max(right, columns.outer + _text_width([title]))
    legend = _legend(canvas.boxes, columns.outer, canvas.bottom(top) + 2 * GAP, right)
    bottom = max([box.y + box.height for box in legend], default=canvas.bottom(top))
    right = max([right, *(box.x + box.width for box in legend)])
    edge = columns.outer
    drawn = (tuple(canvas.boxes), tuple(canvas.wires), tuple(canvas.labels), tuple(canvas.joints))
    return Picture(title, right + edge, bottom + edge, *drawn, tuple(legend))


def _columns(outer: list[Node], sections: list[_Section], shared: list[_Shared], count: int) -> _Columns:
    left = MARGIN + PAD
    first, second = _widest(outer), _widest([section.head for section in sections])
    tile = _widest([*(node for s in sections for node in s.tiles), *(each.node for each in shared)])
    labels = _text_width(section.how for section in sections)
    trunk = left + first + CHANNEL // 2
    heads = trunk + max(CHANNEL // 2, labels + STUB) if outer else left
    ends = heads + second
    joined = {bridge for each in shared for bridge in each.bridges}
    keys = [section.head.key for section in sections if section.head.key in joined]
    lanes = {key: ends + STUB + number * LANE for number, key in enumerate(keys)}
    spine = ends + len(lanes) * LANE + CHANNEL // 2
    tiles = spine + CHANNEL // 2 if sections else left
    return _Columns(left, first, trunk, heads, second, lanes, spine, tiles, tile, count)


def _bridges(view: View) -> Iterator[_Section]:
    """Each bridge with the pots that are on no other; a line leads to it where the host reaches outside."""
    apart = drawing.apart_bridges(view)
    outside = any(interface["external"] for interface in view["interfaces"])
    for bridge in view["bridges"]:
        own = [pot for pot in view["pots"] if _bridges_of(pot) == [bridge["name"]]]
        how = drawing.uplink_text(bridge) if outside else ""
        yield _Section(drawing.bridge_node(bridge), tuple(_tile(pot, apart) for pot in own), how)


def _shared(view: View) -> list[_Shared]:
    """The pots on several bridges: each is drawn once, with a line from every one of its bridges."""
    apart = drawing.apart_bridges(view)
    return [
        _Shared(_tile(pot, apart), tuple(f"bridge {name}" for name in _bridges_of(pot)))
        for pot in view["pots"]
        if len(_bridges_of(pot)) > 1
    ]


def _bridges_of(pot: View) -> list[str]:
    return list(dict.fromkeys(link["bridge"] for link in pot["links"] if link["bridge"] is not None))


def _tile(pot: View, apart: set[str]) -> Node:
    """A pot with its interfaces; on several bridges, each interface names its bridge."""
    several = len(_bridges_of(pot)) > 1
    lines: list[str] = []
    for link in pot["links"]:
        if link["bridge"] is not None:
            where = f" on {link['bridge']}" if several else ""
            lines += [f"{link['interface']}{where}", *drawing.link_lines(link, apart)]
    return _pot(pot, (*lines, *drawing.pot_lines(pot)))


def _stack(view: View) -> Iterator[_Section]:
    """The pots that share the host's stack, if there are any."""
    found = [
        _pot(pot, tuple(f"{link['interface']} {a}" for link in pot["links"] for a in drawing.addresses(link)))
        for pot in view["pots"]
        if not _bridges_of(pot)
    ]
    if found:
        yield _Section(Node("stack", "stack", STACK, ("inherit and alias",)), tuple(found))


def _pot(pot: View, lines: tuple[str, ...]) -> Node:
    return Node(f"pot {pot['name']}", "pot", pot["name"], lines, pot["state"] == "running")


def _place_section(canvas: _Canvas, section: _Section, columns: _Columns, y: int) -> int:
    """Put a bridge and its pots at a height; where the section ends."""
    head = Box(section.head, columns.heads, y, columns.head_width, _height(section.head))
    canvas.boxes.append(head)
    row_top, bus = y, y + STUB
    for row in _rows(section.tiles, columns.count):
        bus = row_top + STUB
        height = max(map(_height, row))
        for node, left in zip(row, columns.lefts(row), strict=True):
            box = Box(node, left, bus + STUB, columns.tile_width, height)
            canvas.boxes.append(box)
            canvas.wires.append(Wire(((box.x + PAD, bus), (box.x + PAD, box.y)), node.active))
        canvas.wires.append(Wire(((columns.spine, bus), (columns.lefts(row)[-1] + PAD, bus))))
        row_top = bus + STUB + height
    if section.tiles:
        start = (head.x + head.width, y + STUB)
        canvas.wires.append(Wire((start, (columns.spine, y + STUB), (columns.spine, bus))))
    return max(head.y + head.height, row_top)


def _place_shared(
    canvas: _Canvas, shared: list[_Shared], columns: _Columns, starts: dict[str, int], y: int
) -> None:
    """Put the pots on several bridges below all bridges; above each row is a line for each bridge in it.

    starts: the height at which a bridge's line begins, by the bridge's key.
    """
    ends: dict[str, int] = {}
    for row in _rows(shared, columns.count):
        used = [key for key in columns.lanes if any(key in each.bridges for each in row)]
        ends |= {key: y + STUB + number * LANE for number, key in enumerate(used)}
        tops, reached = y + STUB * 2 + len(used) * LANE, dict[str, int]()
        height = max(_height(each.node) for each in row)
        for each, left in zip(row, columns.lefts(row), strict=True):
            canvas.boxes.append(Box(each.node, left, tops, columns.tile_width, height))
            step = min(2 * LANE, (columns.tile_width - 2 * PAD) // len(each.bridges))
            for number, key in enumerate(each.bridges):
                x = reached[key] = left + PAD + number * step
                canvas.wires.append(Wire(((x, ends[key]), (x, tops)), each.node.active))
                canvas.joints.append((x, ends[key]))
        for key, right in reached.items():
            canvas.wires.append(Wire(((columns.lanes[key], ends[key]), (right, ends[key]))))
        y = tops + height
    for key, bottom in ends.items():
        lane, start = columns.lanes[key], starts[key]
        canvas.wires.append(
            Wire(((columns.heads + columns.head_width, start), (lane, start), (lane, bottom)))
        )


def _draw_trunk(
    canvas: _Canvas, interfaces: list[Box], leading: list[Box], columns: _Columns, sections: list[_Section]
) -> None:
    """Draw the lines from outside to the interfaces, and from those that lead there to the bridges.

    leading: the interfaces that do not belong to a pot.
    """
    canvas.wires += [Wire(((0, box.y + STUB), (box.x, box.y + STUB))) for box in interfaces]
    heads = {box.node.key: box.y + STUB for box in canvas.boxes}
    if not leading or not sections:
        return
    x = columns.trunk
    canvas.wires += [Wire(((box.x + box.width, box.y + STUB), (x, box.y + STUB))) for box in leading]
    lowest = max(heads[sections[-1].head.key], leading[-1].y + STUB)
    canvas.wires.append(Wire(((x, leading[0].y + STUB), (x, lowest))))
    for section in sections:
        y = heads[section.head.key]
        canvas.wires.append(Wire(((x, y), (columns.heads, y)), section.head.active))
        canvas.labels += [Label(x + STUB // 2, y - 4, section.how)] if section.how else []


def _policies(view: View, x: int, y: int) -> list[Box]:
    """All policies in their order, in as few columns as are not too high."""
    texts = drawing.policy_lines(view)
    if not texts:
        return []
    width = _text_width([*texts, "policies 000 to 000"]) + 2 * PAD
    columns = max(1, (WIDTH - 2 * x + GAP) // (width + GAP))
    rows = max(ROWS, -(-len(texts) // columns))
    boxes: list[Box] = []
    for at in range(0, len(texts), rows):
        some = texts[at : at + rows]
        title = f"policies {at + 1} to {at + len(some)}" if len(texts) > rows else "policies"
        node = Node(f"policies {at}", "policies", title, some)
        boxes.append(Box(node, x + len(boxes) * (width + GAP), y, width, _height(node)))
    return boxes


#: The legend: the meaning of a box, by its kind and whether it is active.
_MEANINGS = {
    ("interface", True): "interface of the host",
    ("bridge", True): "bridge",
    ("bridge", False): "bridge, down",
    ("stack", True): STACK,
    ("pot", True): "pot, running",
    ("pot", False): "pot, stopped",
    ("policies", True): "policies",
}


def _legend(boxes: Iterable[Box], x: int, y: int, right: int) -> list[Box]:
    """A box of each kind that there is, beside each other as far as the picture is wide."""
    there = {(box.node.kind, box.node.active) for box in boxes}
    found: list[Box] = []
    at = x
    for (kind, active), text in _MEANINGS.items():
        if (kind, active) in there:
            node = Node(f"legend {text}", kind, text, (), active)
            width = _widest([node])
            if found and at + width > right:
                at, y = x, y + _height(node) + GAP
            found.append(Box(node, at, y, width, _height(node)))
            at += width + GAP
    return found


def _rows(items: Sequence[_Item], count: int) -> Iterator[Sequence[_Item]]:
    for start in range(0, len(items), count):
        yield items[start : start + count]


def _column(nodes: Sequence[Node], x: int, y: int, width: int) -> list[Box]:
    boxes: list[Box] = []
    for node in nodes:
        boxes.append(Box(node, x, y, width, _height(node)))
        y += boxes[-1].height + GAP
    return boxes


def _widest(nodes: Sequence[Node]) -> int:
    texts = [(" " * MARK if n.kind == "pot" else "") + n.title for n in nodes]
    texts += [line for node in nodes for line in node.lines]
    return _text_width(texts) + 2 * PAD if nodes else 0


def _text_width(texts: Iterable[str]) -> int:
    return round(max(map(len, texts), default=0) * CHARACTER) + 1


def _height(node: Node) -> int:
    return (1 + len(node.lines)) * LINE + 2 * PAD - 2
