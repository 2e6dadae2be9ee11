"""The history that an engine keeps of its containers: moby's own."""

from __future__ import annotations

from msgspec import Struct


class HistoryStatus(Struct, kw_only=True):
    """``size`` and ``limit`` are bytes, ``age`` and ``interval`` seconds; a ``limit`` of 0: no history is kept.

    ``recording`` is true while an engine takes samples; ``oldest`` is when the history begins, Unix seconds, 0 without one.
    """

    recording: bool = False
    size: int = 0
    limit: int = 0
    age: int = 0
    interval: float = 0
    oldest: float = 0


class Remembered(Struct, kw_only=True):
    """A container of which the history has something. Times are Unix seconds; ``removed`` is 0 while it exists, or if it is not known.

    ``first`` and ``last`` are the times of its samples, 0 without any. ``log``: the end of its log is kept. ``exit_code`` is that at its
    removal, None before.
    """

    id: str
    name: str
    image: str = ""
    first: float = 0
    last: float = 0
    removed: float = 0
    exit_code: int | None = None
    log: bool = False


class Figures(Struct, kw_only=True):
    """What a container used at a time (Unix seconds). ``cpu`` is percent of one CPU, ``memory`` and ``limit`` bytes; the others, which are
    rates, bytes a second."""

    time: float
    cpu: float = 0
    memory: int = 0
    limit: int = 0
    processes: int = 0
    received: float = 0
    sent: float = 0
    read: float = 0
    written: float = 0


class KeptLine(Struct, kw_only=True):
    """A line of a log, without its newline; ``time`` is RFC 3339, ``stream`` stdout or stderr."""

    time: str
    stream: str
    text: str
