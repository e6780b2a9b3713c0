"""Where `potnet graph --format svg` puts things: beside each bridge, rows of tiles for its pots.

Units are pixels. All text is of one fixed width, so that its extent is known without the font.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from potnet.cli.picture import drawing
from potnet.cli.picture.drawing import STACK, Node, View
from potnet.runtime.fast_dataclass import dataclass

#: Advance of a character in the widest of the common fonts at 12 pixels, and from line to line.
CHARACTER, LINE = 7.3, 17
PAD, GAP, MARGIN = 10, 14, 24
#: Room for the lines between two columns, and between a line that pots hang on and their tiles.
CHANNEL, STUB = 36, 12
#: How wide the picture grows before tiles go into another row.
WIDTH = 1280
#: How many policies there are below each other before they go into another column.
ROWS = 12
#: The mark of whether a pot runs takes as much as these characters.
MARK = 2

Point = tuple[int, int]


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
    """A line through points; active: what it leads to is up."""

    points: tuple[Point, ...]
    active: bool = True


@dataclass(frozen=True, slots=True)
class Picture:
    """All that is to be drawn."""

    title: str
    width: int
    height: int
    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]


@dataclass(frozen=True, slots=True)
class _Section:
    """What pots hang on, and the pots."""

    head: Node
    tiles: tuple[Node, ...]


def picture(view: View) -> Picture:
    """The whole of what `potnet.operations.reports.graph` gives."""
    sections = [*_bridges(view), *_stack(view)]
    outer = [drawing.interface_node(each) for each in view["interfaces"]]
    first, second = _widest(outer), _widest([s.head for s in sections])
    tile = _widest([node for s in sections for node in s.tiles])
    left = MARGIN + PAD
    heads = left + (first + CHANNEL if outer else 0)
    tiles = heads + (second + CHANNEL if sections else 0)
    columns = max(1, (WIDTH - tiles - left + GAP) // (tile + GAP))
    top = MARGIN + 2 * LINE + PAD
    boxes, wires, starts, y = [], [], [], top
    for section in sections:
        placed, more, below = _placed(section, (heads, y), second, (tiles, tile, columns))
        starts.append((y + STUB, section.head.active))
        boxes += placed
        wires += more
        y = below + GAP + PAD
    interfaces = _column(outer, left, top, first)
    bottom = max([box.y + box.height for box in (*boxes, *interfaces)], default=top)
    policies = _policies(view, left, bottom + 2 * GAP)
    boxes = [*interfaces, *boxes, *policies]
    bottom = max([box.y + box.height for box in policies], default=bottom)
    right = max([box.x + box.width for box in boxes], default=left)
    title = drawing.title(view)
    right = max(right, left + _text_width([title]))
    leading = {each["name"] for each in view["interfaces"] if each["external"] or not each["passed"]}
    wires += _trunk(interfaces, leading, starts, heads)
    return Picture(title, right + left, bottom + left, tuple(boxes), tuple(wires))


def _bridges(view: View) -> Iterable[_Section]:
    apart = drawing.apart_bridges(view)
    for bridge in view["bridges"]:
        found = [
            _tile(pot, link, apart)
            for pot in view["pots"]
            for link in pot["links"]
            if link["bridge"] == bridge["name"]
        ]
        yield _Section(drawing.bridge_node(bridge), tuple(found))


def _tile(pot: View, link: View, apart: set[str]) -> Node:
    """A pot as it is to be seen on one of its bridges; what is not of a bridge is told with the first."""
    others = [each["bridge"] for each in pot["links"] if each["bridge"] not in (None, link["bridge"])]
    own = drawing.pot_lines(pot) if link is pot["links"][0] else ()
    also = (f"also on {', '.join(dict.fromkeys(others))}",) if others else ()
    return _pot(pot, (link["interface"], *drawing.link_lines(link, apart), *own, *also))


def _stack(view: View) -> Iterable[_Section]:
    """The pots that share the host's stack, if there are any."""
    found = [
        _pot(pot, tuple(f"{link['interface']} {a}" for link in pot["links"] for a in drawing.addresses(link)))
        for pot in view["pots"]
        if all(link["bridge"] is None for link in pot["links"])
    ]
    if found:
        yield _Section(Node("stack", "stack", STACK, ("inherit and alias",)), tuple(found))


def _policies(view: View, x: int, y: int) -> list[Box]:
    """All policies in their order, in as few columns as are not too high."""
    texts = drawing.policy_lines(view)
    if not texts:
        return []
    width = _text_width([*texts, "policies 000 to 000"]) + 2 * PAD
    columns = max(1, (WIDTH - 2 * x + GAP) // (width + GAP))
    rows = max(ROWS, -(-len(texts) // columns))
    starts = range(0, len(texts), rows)
    nodes = [
        Node(
            f"policies {at}",
            "policies",
            f"policies {at + 1} to {min(at + rows, len(texts))}" if len(starts) > 1 else "policies",
            texts[at : at + rows],
        )
        for at in starts
    ]
    return [
        Box(node, x + number * (width + GAP), y, width, _height(node)) for number, node in enumerate(nodes)
    ]


def _pot(pot: View, lines: tuple[str, ...]) -> Node:
    return Node(f"pot {pot['name']}", "pot", pot["name"], lines, pot["state"] == "running")


def _widest(nodes: Sequence[Node]) -> int:
    texts = [("  " if n.kind == "pot" else "") + n.title for n in nodes]
    texts += [line for node in nodes for line in node.lines]
    return _text_width(texts) + 2 * PAD if nodes else 0


def _text_width(texts: Iterable[str]) -> int:
    return round(max(map(len, texts), default=0) * CHARACTER) + 1


def _height(node: Node) -> int:
    return (1 + len(node.lines)) * LINE + 2 * PAD - 2


def _placed(
    section: _Section, place: Point, width: int, grid: tuple[int, int, int]
) -> tuple[list[Box], list[Wire], int]:
    """The boxes of a section and the lines between them, and where the section ends.

    grid: where the first tile begins, how wide each is, and how many are in a row.
    """
    x, y = place
    left, tile, columns = grid
    head = Box(section.head, x, y, width, _height(section.head))
    boxes, wires, bottom, bus = [head], list[Wire](), y + head.height, y + STUB
    row_top, spine = y, left - CHANNEL // 2
    for start in range(0, len(section.tiles), columns):
        row = section.tiles[start : start + columns]
        bus, height = row_top + STUB, max(map(_height, row))
        lefts = [left + number * (tile + GAP) for number in range(len(row))]
        placed = [Box(node, at, bus + STUB, tile, height) for node, at in zip(row, lefts, strict=True)]
        wires += [Wire(((b.x + PAD, bus), (b.x + PAD, b.y)), b.node.active) for b in placed]
        wires.append(Wire(((spine, bus), (placed[-1].x + PAD, bus))))
        boxes += placed
        row_top = bus + STUB + height
        bottom = max(bottom, row_top)
    if section.tiles:
        wires.append(Wire(((x + width, y + STUB), (spine, y + STUB), (spine, bus))))
    return boxes, wires, bottom


def _column(nodes: Sequence[Node], x: int, y: int, width: int) -> list[Box]:
    boxes: list[Box] = []
    for node in nodes:
        boxes.append(Box(node, x, y, width, _height(node)))
        y += boxes[-1].height + GAP
    return boxes


def _trunk(
    interfaces: Sequence[Box], leading: Collection[str], starts: Sequence[tuple[int, bool]], heads: int
) -> list[Wire]:
    """From the interfaces that lead outside to what pots hang on; leading: those that are not a pot's own."""
    wires = [Wire(((0, box.y + STUB), (box.x, box.y + STUB))) for box in interfaces]
    tied = [box for box in interfaces if box.node.title in leading]
    if not tied or not starts:
        return wires
    x = heads - CHANNEL // 2
    wires += [Wire(((box.x + box.width, box.y + STUB), (x, box.y + STUB))) for box in tied]
    lowest = max(starts[-1][0], tied[-1].y + STUB)
    wires.append(Wire(((x, tied[0].y + STUB), (x, lowest))))
    wires += [Wire(((x, y), (heads, y)), active) for y, active in starts]
    return wires
