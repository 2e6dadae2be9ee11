"""The list of containers: its columns and the cells of a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.text import Text

from moby_tui.screens import text
from moby_tui.screens.listing.columns import Cells, Column, coloured
from moby_tui.screens.session.containers import Container

HEADING = "Containers"
#: The characters of a CPU number, and of the plot beside it.
NUMBER, SPARK = 6, 8
_STATE_MARK = {"running": ("●", "success"), "restarting": ("↻", "warning"), "paused": ("‖", "warning"), "dead": ("✗", "error")}

#: The colour of a theme, by its name.
Ink = Callable[[str], str]


def columns(latest: Callable[[Container, str], Any]) -> tuple[Column[Container], ...]:
    """``latest`` gives the newest value of a container's ``cpu`` or ``memory``, by which a list may be sorted."""
    return (
        Column("name", "NAME", 10, 44, lambda one: one.name, rank=0, fair=18),
        Column("state", "STATE", 10, 28, lambda one: (one.state, -one.since), rank=1),
        Column("cpu", "CPU %", NUMBER, NUMBER + 1 + SPARK, lambda one: latest(one, "cpu"), rank=2, number=True, whole=True),
        Column("memory", "MEM", 7, 7, lambda one: latest(one, "memory"), rank=5, number=True),
        Column("image", "IMAGE", 10, 40, lambda one: one.image, rank=3),
        Column("ports", "PORTS", 8, 30, lambda one: one.ports, rank=4),
        Column("command", "COMMAND", 16, 80, lambda one: one.command, rank=6, late=True),
        Column("id", "ID", 12, 12, lambda one: one.id, rank=7, late=True),
    )


def cells(row: Container, now: float, ink: Ink) -> Cells:
    """The cells of a row by the keys of the columns, those of what it uses empty. ``now`` in Unix seconds."""
    mark, colour = _mark(row)
    shade = "foreground" if row.running else "text-muted"
    name = coloured("", ink("foreground"))
    name.append(f"{mark} ", ink(colour)).append(row.name, f"bold {ink(shade)}")
    return {
        "name": name,
        "state": state(row, now, ink),
        "cpu": Text("", justify="right"),
        "memory": Text("", justify="right"),
        "image": coloured(row.image, ink(shade)),
        "ports": coloured(row.ports, ink("accent")),
        "command": coloured(row.command, ink("text-muted")),
        "id": coloured(text.short_id(row.id), ink("text-muted")),
    }


def state(row: Container, now: float, ink: Ink) -> Text:
    """The cell of its state and the age of that."""
    return coloured(row.describe(now), ink("error" if row.status == "unhealthy" else _mark(row)[1]))


def _mark(one: Container) -> tuple[str, str]:
    """The sign before the name, and its colour in the theme."""
    if one.state == "exited" and one.status not in ("", "0"):
        return "●", "error"
    return _STATE_MARK.get(one.state, ("○", "text-muted"))
