"""The line at the top: the pages, which engine, how many containers; and the banner for when the engine is lost."""

from __future__ import annotations

from dataclasses import dataclass

from rich.style import Style
from rich.text import Text
from textual.widget import Widget
from textual.widgets import Static

from moby_tui.screens.session.session import Connection, Session

#: The least that the state of the engine gets at the right.
_STATE = 14


@dataclass(frozen=True, slots=True)
class Tab:
    """A page as the line names it. ``key`` is the key that goes there, perhaps none."""

    mode: str
    title: str
    key: str = ""


class StatusBar(Widget):
    """Names the pages in their order; ``here`` is the ``mode`` of the page that has this line. A click on a name goes there.

    If there is no room for all names, those of other pages are cut, or left out but for their numbers.
    """

    DEFAULT_CSS = """
    StatusBar { height: 1; background: $panel; color: $text-muted; dock: top; }
    """

    def __init__(self, session: Session, tabs: tuple[Tab, ...], here: str) -> None:
        super().__init__()
        self._session, self._tabs, self._here = session, tabs, here
        #: What the right says, the fullest first.
        self._states = [Text()]

    def on_mount(self) -> None:
        self._session.connection_changed.subscribe(self, lambda _: self._tell())
        self._session.containers_changed.subscribe(self, lambda _: self._tell())
        self._session.problems_changed.subscribe(self, lambda _: self._tell())
        self._tell()

    def _tell(self) -> None:
        states = self._states_of(self._session.connection)
        if states != self._states:
            self._states = states
            self.refresh()

    def _states_of(self, connection: Connection) -> list[Text]:
        """``● 4/7 running · moby 0.1.0``, then what is said if there is less room. Before a new engine has answered, what is shown is
        stale.
        """
        model = self._session.model
        parts = [self._session.engine_name] if self._session.engine_name else []
        parts += ["read-only"] if self._session.read_only else []
        parts += [] if connection.up else ["stale"] if len(model) else ["no engine"]
        running, count = f"{model.running()}/{len(model)}", self._session.problem_count
        more = [part for part in (connection.engine, connection.host) if part]
        noun = f" problem{'s' if count > 1 else ''}"
        lines = [(noun, [*parts, f"{running} running", *more[:kept]]) for kept in range(len(more), -1, -1)]
        lines += [("", [*parts, f"{running} running"]), ("", [*parts, running])]
        light = ("● ", "green" if connection.up else "red")
        return [
            Text.assemble(
                light, (f"▲ {count}{noun} · ", "red") if count else "", " · ".join(line), no_wrap=True, overflow="ellipsis"
            )
            for noun, line in lines
        ]

    def render(self) -> Text:
        width = self.size.width
        brand = Text(" moby ", "bold") if width >= 100 else Text()
        room = width - len(brand) - _STATE
        names = next((names for cut in (None, 3, 0) if (names := self._names(cut)).cell_len <= room), self._names(0))
        left = Text.assemble(brand, names, no_wrap=True)
        room = max(width - left.cell_len - 1, 0)
        state = next((one for one in self._states if one.cell_len <= room), self._states[-1]).copy()
        state.truncate(room, overflow="ellipsis")
        return Text.assemble(left, " " * max(room - state.cell_len, 0), state, end="", no_wrap=True, overflow="crop")

    def _names(self, cut: int | None) -> Text:
        """Of the titles of other pages so many letters; None: whole."""
        line = Text(no_wrap=True)
        for tab in self._tabs:
            here = tab.mode == self._here
            style = Style(meta={"@click": f"app.page({tab.mode!r})"}, bold=here, reverse=here)
            title = tab.title if here or not tab.key else tab.title[:cut]
            line.append(f" {tab.key}{' ' if tab.key and title else ''}{title} ", style)
        return line


class Banner(Static):
    """Says that the engine is lost and what is being done about it; not seen otherwise. It stands below the pages' names."""

    DEFAULT_CSS = """
    Banner { display: none; height: auto; max-height: 2; padding: 0 1; background: $error; color: $text; }
    Banner.-lost { display: block; }
    """

    def __init__(self, session: Session) -> None:
        super().__init__("", markup=False)
        self._session = session

    def on_mount(self) -> None:
        self._session.connection_changed.subscribe(self, self._tell)
        self._tell(self._session.connection)

    def _tell(self, connection: Connection) -> None:
        self.set_class(not connection.up and bool(connection.reason), "-lost")
        name = f" {self._session.engine_name}" if self._session.engine_name else ""
        self.update(f"engine{name} lost: {connection.reason} · what you see is from before · next try in {connection.retry:.0f}s")
