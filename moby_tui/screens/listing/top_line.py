"""The line at the top: the pages, how many containers run, which engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rich.style import Style
from rich.text import Text

from moby_tui.screens.session.containers import ContainerModel

#: The least that the state of the engine gets at the right.
_STATE = 14
#: With fewer columns the line begins with the pages.
_WIDE = 100
#: The style of the name of a page, by which it can be clicked.
Link = Callable[[str], Style]


@dataclass(frozen=True, slots=True)
class Tab:
    """A page as the line names it. ``key`` is the key that goes there, perhaps none."""

    mode: str
    title: str
    key: str = ""


def states(model: ContainerModel, *, named: str, read_only: bool, up: bool, engine: str, host: str, problems: int) -> list[Text]:
    """``● 4/7 running · moby 0.1.0``, then what is said if there is less room. Before a new engine has answered, what is shown is
    stale.

    ``named`` is the name of the engine that was changed to, ``engine`` what it is, ``host`` where it runs; each may be empty.
    """
    parts = [named] if named else []
    parts += ["read-only"] if read_only else []
    parts += [] if up else ["stale"] if len(model) else ["no engine"]
    running = f"{model.running()}/{len(model)}"
    more = [part for part in (engine, host) if part]
    noun = f" problem{'s' if problems > 1 else ''}"
    lines = [(noun, [*parts, f"{running} running", *more[:kept]]) for kept in range(len(more), -1, -1)]
    lines += [("", [*parts, f"{running} running"]), ("", [*parts, running])]
    light = ("● ", "green" if up else "red")
    return [
        Text.assemble(
            light, (f"▲ {problems}{noun} · ", "red") if problems else "", " · ".join(line), no_wrap=True, overflow="ellipsis"
        )
        for noun, line in lines
    ]


def line(width: int, tabs: Iterable[Tab], here: str, states: Sequence[Text], link: Link) -> Text:
    """The whole line. If there is no room for all names, those of other pages are cut, or left out but for their numbers."""
    pages = [(tab, link(tab.mode)) for tab in tabs]
    brand = Text(" moby ", "bold") if width >= _WIDE else Text()
    room = width - len(brand) - _STATE
    names = next((one for cut in (None, 3, 0) if (one := _names(pages, here, cut)).cell_len <= room), _names(pages, here, 0))
    left = Text.assemble(brand, names, no_wrap=True)
    room = max(width - left.cell_len - 1, 0)
    state = next((one for one in states if one.cell_len <= room), states[-1]).copy()
    state.truncate(room, overflow="ellipsis")
    return Text.assemble(left, " " * max(room - state.cell_len, 0), state, end="", no_wrap=True, overflow="crop")


def _names(tabs: Iterable[tuple[Tab, Style]], here: str, cut: int | None) -> Text:
    """Of the titles of other pages so many letters; None: whole."""
    names = Text(no_wrap=True)
    for tab, link in tabs:
        is_here = tab.mode == here
        style = link + Style(bold=is_here, reverse=is_here)
        title = tab.title if is_here or not tab.key else tab.title[:cut]
        names.append(f" {tab.key}{' ' if tab.key and title else ''}{title} ", style)
    return names
