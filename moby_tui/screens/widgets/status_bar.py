"""The line at the top: which engine, which page, how many containers; and the banner for when the engine is lost."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Static

from moby_tui.screens.session.session import Connection, Session


@dataclass(frozen=True, slots=True)
class Tab:
    """A page as the line names it. ``key`` is the key that goes there, perhaps none."""

    mode: str
    title: str
    key: str = ""


class PageTab(Static):
    """The name of a page; a click goes there."""

    DEFAULT_CSS = """
    PageTab { width: auto; padding: 0 1; color: $text-muted; }
    PageTab:hover { background: $block-hover-background; }
    PageTab.-here { color: $text; background: $primary 30%; text-style: bold; }
    """

    class Picked(Message):
        def __init__(self, mode: str) -> None:
            super().__init__()
            self.mode = mode

    def __init__(self, tab: Tab, *, here: bool) -> None:
        super().__init__(Text.assemble((f"{tab.key} ".lstrip(), "dim"), tab.title), classes="-here" if here else "")
        self._mode = tab.mode

    def on_click(self) -> None:
        self.post_message(self.Picked(self._mode))


class StatusBar(Horizontal):
    """Names the pages in their order; ``here`` is the ``mode`` of the page that has this line."""

    DEFAULT_CSS = """
    StatusBar { height: 1; background: $panel; dock: top; }
    StatusBar #brand { width: auto; padding: 0 1; color: $primary; text-style: bold; }
    StatusBar #engine { width: 1fr; min-width: 0; text-align: right; padding: 0 1; color: $text-muted; }
    StatusBar #engine { text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self, session: Session, tabs: tuple[Tab, ...], here: str) -> None:
        super().__init__()
        self._session, self._tabs, self._here = session, tabs, here

    def compose(self) -> ComposeResult:
        yield Static("moby", id="brand")
        for tab in self._tabs:
            yield PageTab(tab, here=tab.mode == self._here)
        yield Static("", id="engine", markup=False)

    def on_mount(self) -> None:
        self._session.connection_changed.subscribe(self, lambda _: self._tell())
        self._session.containers_changed.subscribe(self, lambda _: self._tell())
        self._tell()

    def _tell(self) -> None:
        connection, model = self._session.connection, self._session.model
        mark = ("● ", "green") if connection.up else ("● ", "red")
        width = self.app.size.width
        parts = ["read-only"] if self._session.read_only else []
        parts += [f"{model.running()}/{len(model)}{' running' if width >= 100 else ''}"]
        if width >= 120:
            parts += [part for part in (connection.engine, connection.host) if part]
        self.query_one("#engine", Static).update(Text.assemble(mark, " · ".join(parts), no_wrap=True, overflow="ellipsis"))


class Banner(Static):
    """Says that the engine is lost and what is being done about it; not seen otherwise."""

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
        self.update(f"engine lost: {connection.reason} · what you see is from before · next try in {connection.retry:.0f}s")
