"""The drawing of the networks, with a cursor that walks over networks and containers."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding
from textual.events import Click, Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from moby_tui.screens.theme import row_ground
from moby_tui.screens.topology.drawing import Drawing, Spot, draw
from moby_tui.screens.topology.graph import Graph, Member

#: For each style of the drawing the component class that gives its colours.
_PARTS = {
    "frame": "topology--frame",
    "internal": "topology--internal",
    "network": "topology--network",
    "faint": "topology--faint",
    "note": "topology--note",
    "rail": "topology--rail",
    "port": "topology--port",
    "local": "topology--faint",
    "up": "topology--up",
    "down": "topology--faint",
    "reached": "topology--up",
    "cut": "topology--cut",
    "name": "topology--name",
    "chosen": "topology--name",
    "address": "topology--address",
    "other": "topology--other",
}


class TopologyView(ScrollView, can_focus=True):
    """``show`` gives it a graph. ``Chosen`` is posted when the cursor stands on another network or container."""

    COMPONENT_CLASSES = {*_PARTS.values(), "topology--cursor"}  # noqa: RUF012
    BINDINGS = [  # noqa: RUF012
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("right,l", "across(1)", "Next column", show=False),
        Binding("left,h", "across(-1)", "Column before", show=False),
        Binding("pagedown", "move(10)", "Page down", show=False),
        Binding("pageup", "move(-10)", "Page up", show=False),
        Binding("home,g", "move(-100000)", "First", show=False),
        Binding("end,G", "move(100000)", "Last", show=False),
    ]

    class Chosen(Message):
        def __init__(self, spot: Spot | None) -> None:
            super().__init__()
            self.spot = spot

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._graph = Graph()
        self._drawing = Drawing()
        self._place = 0
        self._chosen: tuple[str, str] = ("", "")
        self._styles: dict[str, Style] = {}

    @property
    def chosen(self) -> Spot | None:
        return self._drawing.spots[self._place] if self._place < len(self._drawing.spots) else None

    @property
    def line_of_cursor(self) -> int:
        """The line of what is under the cursor, from the first line that is seen on."""
        return self.chosen.y - self.scroll_offset.y if self.chosen else 0

    @property
    def column_of_cursor(self) -> int:
        """The column at which its row begins, in the frame of its network."""
        return self.chosen.x + 1 - self.scroll_offset.x if self.chosen else 0

    def show(self, graph: Graph) -> None:
        """Draws a graph; the cursor stays on the same object."""
        self._graph = graph
        self._redraw()
        self._tell()

    def choose(self, network: str, container: str = "") -> None:
        """Puts the cursor on a network, or on a container in it."""
        place = self._drawing.find(network, container)
        if place is not None:
            self._go(place)

    def _redraw(self) -> None:
        # with the scroll bar, which comes and goes with the drawing that is made here
        whole = self.content_region
        self._drawing = draw(self._graph, max(whole.width, 40), self._mark)
        if len(self._drawing.lines) > whole.height:
            self._drawing = draw(self._graph, max(whole.width - self.styles.scrollbar_size_vertical, 40), self._mark)
        place = self._drawing.find(*self._chosen)
        self._place = min(self._place, max(len(self._drawing.spots) - 1, 0)) if place is None else place
        self._chosen = (self.chosen.network, self.chosen.container) if self.chosen else ("", "")
        self.virtual_size = Size(self._drawing.width, len(self._drawing.lines))
        self.refresh()

    def _mark(self, member: Member) -> str:
        """The chosen container, and which of the others it reaches."""
        chosen = self._chosen[1]
        if not chosen or not member.running:
            return ""
        if member.container == chosen:
            return "chosen"
        return "reached" if self._graph.reach(chosen, member.container).reached else "cut"

    def _go(self, place: int) -> None:
        self._place = max(min(place, len(self._drawing.spots) - 1), 0)
        before, spot = self._chosen, self.chosen
        self._chosen = (spot.network, spot.container) if spot else ("", "")
        if self._chosen != before:
            self._redraw()
        if spot:
            self.scroll_to_region(Region(spot.x, spot.y, spot.width, 1).grow((1, 0, 2, 0)), animate=False, force=True)
        self._tell()

    def _tell(self) -> None:
        self.post_message(self.Chosen(self.chosen))

    def action_move(self, step: int) -> None:
        self._go(self._place + step)

    def action_across(self, step: int) -> None:
        """To the spot of the next column that is nearest in height."""
        here = self.chosen
        if here is None:
            return
        columns = [place for place, one in enumerate(self._drawing.spots) if one.column == here.column + step]
        if columns:
            self._go(min(columns, key=lambda place: abs(self._drawing.spots[place].y - here.y)))

    def on_click(self, event: Click) -> None:
        x, y = event.x + self.scroll_offset.x, event.y + self.scroll_offset.y
        for place, spot in enumerate(self._drawing.spots):
            if spot.y == y and spot.x <= x < spot.x + spot.width:
                self._go(place)

    def on_resize(self, event: Resize) -> None:
        self._redraw()

    def notify_style_update(self) -> None:
        self._styles.clear()
        super().notify_style_update()

    def _style(self, name: str) -> Style:
        if name not in self._styles:
            self._styles[name] = self.get_component_rich_style(_PARTS[name], partial=True) if name in _PARTS else Style.null()
        return self._styles[name]

    def render_line(self, y: int) -> Strip:
        left, top = self.scroll_offset
        row = top + y
        width = self.scrollable_content_region.width
        if row >= len(self._drawing.lines):
            return Strip.blank(width, self.rich_style)
        segments = [Segment(words, self._style(style)) for words, style in self._drawing.lines[row]]
        strip = Strip(segments, self._drawing.width)
        spot = self.chosen
        if spot and spot.y == row:
            cursor = row_ground(self.get_component_rich_style("topology--cursor"))
            first, last = spot.x + 1, spot.x + spot.width - 2
            strip = Strip.join([strip.crop(0, first), strip.crop(first, last).apply_style(cursor), strip.crop(last)])
        return strip.crop_extend(left, left + width, self.rich_style).apply_style(self.rich_style)
