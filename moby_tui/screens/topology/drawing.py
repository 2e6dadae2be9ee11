"""The drawing of a graph: networks as boxes beside the host's rail, in as many columns as the width has room for.

A line is a list of pieces of text with a style each, so that a widget draws only what is seen. The styles are names, which the widget
turns into colours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

from moby_tui.screens.topology.graph import Graph, Member, Net, Published, on_the_wire

#: The width of a column with its rail, at the least; cells.
LEAST = 60
#: The rail of the host with the published ports beside each box, at the least; the box beside it has at least so much.
RAIL, LEAST_BOX = 18, 42
#: More of a box's width than this helps nobody.
MOST = 100

Piece = tuple[str, str]
Line = list[Piece]


@dataclass(frozen=True, slots=True)
class Spot:
    """What the cursor may stand on: a network (``container`` empty) or a container in it. Cells and lines from the top left."""

    network: str
    container: str
    column: int
    x: int
    y: int
    width: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """``lines`` are all as wide as the drawing."""

    lines: tuple[Line, ...] = ()
    spots: tuple[Spot, ...] = ()
    width: int = 0

    def find(self, network: str, container: str) -> int | None:
        """The place of a spot among all."""
        return next((place for place, one in enumerate(self.spots) if (one.network, one.container) == (network, container)), None)


#: Says how a member is drawn just now: ``reached``, ``cut``, ``chosen`` or nothing.
Mark = Callable[[Member], str]


def draw(graph: Graph, width: int, mark: Mark = lambda _: "") -> Drawing:
    """Draws it, in ``width`` cells."""
    count = max(1, min(width // LEAST, len(graph.networks) or 1, 4))
    room = min(width // count, MOST + RAIL)
    rail = _rail_width(graph, room)
    columns: list[list[Line]] = [[] for _ in range(count)]
    spots: list[Spot] = []
    for net in graph.networks:
        column = min(range(count), key=lambda place: len(columns[place]))
        top = len(columns[column])
        lines, offsets = _box(net, room, rail, mark)
        for container, offset in offsets:
            spots.append(Spot(net.id, container, column, column * room + rail, top + offset, room - rail))
        columns[column] += lines
    return Drawing(tuple(_beside(columns, room)), tuple(sorted(spots, key=lambda one: (one.column, one.y))), room * count)


def _rail_width(graph: Graph, room: int) -> int:
    """So that the published ports are whole, if there is room for them."""
    ports = (port for net in graph.networks for one in net.members if _shows_ports(net, one) for port in one.published)
    longest = max((cell_len(str(port)) for port in ports), default=0)
    return max(RAIL, min(longest + 6, room - LEAST_BOX))


def _beside(columns: Sequence[list[Line]], room: int) -> list[Line]:
    height = max((len(column) for column in columns), default=0)
    blank: Line = [(" " * room, "")]
    return [[piece for column in columns for piece in (column[row] if row < len(column) else blank)] for row in range(height)]


def _box(net: Net, room: int, rail: int, mark: Mark) -> tuple[list[Line], list[tuple[str, int]]]:
    """The lines of a network, and at which of them the network and each container stands."""
    inner = room - rail - 3
    corners = tuple("╔╗╚╝═║" if net.internal else "╭╮╰╯─│")
    top_left, top_right, low_left, low_right, flat, side = corners
    frame = "internal" if net.internal else "frame"
    title = f" {net.name} "
    facts = " ".join(part for part in (net.driver, *net.subnets[:2]) if part)
    facts = f" {facts} " if cell_len(title) + cell_len(facts) < inner - 2 else ""
    title = _cut(title, inner - cell_len(facts) - 1)
    fill = flat * (inner - 1 - cell_len(title) - cell_len(facts))
    lines: list[Line] = [
        [
            *_way_out(net, rail),
            (f"{top_left}{flat}", frame),
            (title, "network"),
            (fill, frame),
            (facts, "faint"),
            (f"{top_right} ", frame),
        ]
    ]
    offsets = [("", 0)]
    for note in _notes(net):
        lines.append([*_rail(rail), (side, frame), (_fit(f" {note}", inner), "note"), (f"{side} ", frame)])
    widths = _widths(net, inner)
    for member in net.members:
        offsets.append((member.container, len(lines)))
        ports = member.published if _shows_ports(net, member) else ()
        lines.append([*_rail(rail, *ports[:1]), (side, frame), *_row(member, widths, mark(member)), (f"{side} ", frame)])
        lines += [[*_rail(rail, port), (side, frame), (" " * inner, ""), (f"{side} ", frame)] for port in ports[1:]]
    if not net.members:
        lines.append([*_rail(rail), (side, frame), (_fit(" no container", inner), "faint"), (f"{side} ", frame)])
    lines.append([*_rail(rail), (low_left + flat * inner + low_right + " ", frame)])
    return lines, offsets


def _shows_ports(net: Net, member: Member) -> bool:
    """Ports lead into networks that something leaves; in an internal one they are not drawn."""
    return net.leaves and member.running


def _way_out(net: Net, rail: int) -> Line:
    """How the network is joined to the host."""
    if net.driver == "null" or net.internal:
        return [("  ┃", "rail"), (_fit("  ╳ no way out", rail - 3), "cut")]
    word = "host" if net.driver == "host" else "on the wire" if on_the_wire(net) else "routed" if net.routed else "NAT"
    return [("  ┃", "rail"), (_fit(f"◀─ {word} ", rail - 3, "─"), "faint")]


def _rail(rail: int, port: Published | None = None) -> Line:
    """A piece of the host's rail, perhaps with a port that is published there."""
    if port is None:
        return [("  ┃", "rail"), (" " * (rail - 3), "")]
    return [("  ┃", "rail"), (_fit(f" {_cut(str(port), rail - 6)} ", rail - 4, "─") + "▶", "local" if port.is_local else "port")]


def _notes(net: Net) -> list[str]:
    notes = []
    if net.internal:
        notes.append("internal: reaches nothing outside of it")
    if not net.icc:
        notes.append("icc=false: its containers do not reach each other")
    return notes


@dataclass(frozen=True, slots=True)
class _Widths:
    """The cells of the three parts of a box's rows."""

    name: int
    address: int
    others: int


def _widths(net: Net, room: int) -> _Widths:
    """Names come first, then addresses; the other networks have what is left."""
    address = min(max((cell_len(_address(one)) for one in net.members), default=0), max(room // 3, min(15, room - 12)))
    name = max((cell_len(one.name) for one in net.members), default=0)
    others = max((cell_len(_others(one)) for one in net.members), default=0)
    room -= 3 + address + 2 + bool(others)
    others = min(others, max(room - name, min(room // 3, 10)))
    return _Widths(max(room - others, 0), address, others)


def _address(member: Member) -> str:
    return member.address or ("" if member.running else "does not run")


def _others(member: Member) -> str:
    return f"⇄ {', '.join(member.others)}" if member.others else ""


def _row(member: Member, widths: _Widths, mark: str) -> Line:
    """``● name   address   ⇄ other networks``."""
    sign, style = ("●", "up") if member.running else ("○", "down")
    if mark in ("reached", "cut"):
        sign, style = ("✓", "reached") if mark == "reached" else ("✗", "cut")
    pieces: Line = [
        (f" {sign} ", style),
        (_fit(member.name, widths.name), "chosen" if mark == "chosen" else "name" if member.running else "faint"),
        (f" {_fit(_address(member), widths.address)} ", "address" if member.running else "faint"),
    ]
    if widths.others:
        pieces.append((f"{_fit(_others(member), widths.others)} ", "other"))
    return pieces


def _cut(said: str, room: int) -> str:
    return said if cell_len(said) <= room else set_cell_size(said, max(room - 1, 0)) + "…"


def _fit(said: str, room: int, fill: str = " ") -> str:
    """Exactly so many cells."""
    said = _cut(said, room)
    return said + fill * (room - cell_len(said))
