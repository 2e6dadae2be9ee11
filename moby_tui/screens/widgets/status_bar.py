"""The line at the top: the pages, which engine, how many containers; and the banner for when the engine is lost."""

from __future__ import annotations

from rich.style import Style
from rich.text import Text
from textual.widget import Widget
from textual.widgets import Static

from moby_tui.screens.listing import top_line
from moby_tui.screens.listing.top_line import Tab
from moby_tui.screens.session.session import Connection, Session


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
        session = self._session
        return top_line.states(
            session.model,
            named=session.engine_name,
            read_only=session.read_only,
            up=connection.up,
            engine=connection.engine,
            host=connection.host,
            problems=session.problem_count,
        )

    def render(self) -> Text:
        return top_line.line(self.size.width, self._tabs, self._here, self._states, _link)


def _link(mode: str) -> Style:
    return Style(meta={"@click": f"app.page({mode!r})"})


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
