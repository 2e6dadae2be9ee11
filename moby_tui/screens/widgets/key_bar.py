"""The line of keys at the bottom: what can be done just now, as much of it as there is room for. One widget, whatever the keys."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text
from textual import events
from textual.screen import Screen
from textual.widget import Widget

from moby_tui.screens.palette import ink


@dataclass(frozen=True, slots=True)
class Key:
    """One key as the line shows it. ``last`` stands at the right end, and goes last when room is short."""

    key: str
    shown: str
    title: str
    enabled: bool = True
    last: bool = False

    @property
    def width(self) -> int:
        return cell_len(self.shown) + cell_len(self.title) + 3


class KeyBar(Widget):
    """A click on a key does what the key does."""

    DEFAULT_CSS = """
    KeyBar { height: 1; dock: bottom; background: $panel; color: $text-muted; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._keys: tuple[Key, ...] = ()

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._updated)
        self.call_after_refresh(lambda: self._updated(self.screen))  # once the page's widgets are there

    def _updated(self, screen: Screen[object]) -> None:
        keys = self._of(screen)
        if keys != self._keys:
            self._keys = keys
            self.refresh()

    def _of(self, screen: Screen[object]) -> tuple[Key, ...]:
        """The keys of the page, an action of several keys once, then those of the application."""
        page: dict[str, Key] = {}
        app: dict[str, Key] = {}
        for active in screen.active_bindings.values():
            binding, of_app = active.binding, active.node is self.app
            if not binding.show or not binding.description or binding.system:
                continue
            key = Key(binding.key, self.app.get_key_display(binding), binding.description, active.enabled, of_app)
            (app if of_app else page).setdefault(binding.action, key)
        return (*page.values(), *app.values())

    @property
    def shown(self) -> list[Key]:
        """Those for which there is room: the application's, then the page's in their order."""
        room = self.size.width - sum(key.width for key in self._keys if key.last)
        shown = []
        for key in self._keys:
            if not key.last:
                room -= key.width
                if room < 0:
                    break
                shown.append(key)
        return [*shown, *(key for key in self._keys if key.last)]

    def on_resize(self, event: events.Resize) -> None:
        self.refresh()

    def render(self) -> Text:
        line, shown = Text(no_wrap=True, overflow="crop", end=""), self.shown
        colour = ink(self.app.theme_variables, "footer-key-foreground")
        spare = self.size.width - sum(key.width for key in shown)
        for key in shown:
            if key.last and spare > 0:
                line.append(" " * spare)
                spare = 0
            style = Style(meta={"@click": f"app.simulate_key({key.key!r})"} if key.enabled else {}, dim=not key.enabled)
            line.append(f" {key.shown}", style + Style.parse(f"bold {colour}"))
            line.append(f" {key.title} ", style)
        return line
