"""Points in time: ``--since`` and ``--until``, and the times the engine tells.

A moment is Unix seconds with a fraction.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

from moby_tui.cli import session
from moby_tui.cli.values.units import human_duration, parse_nanoseconds
from moby_tui.errors import InvalidArgument

_UNIX = re.compile(r"\d+(\.\d{1,9})?", re.ASCII)
_HOUR_ONLY = re.compile(r"\d{4}-\d\d-\d\dT\d\d", re.ASCII)


def parse_moment(text: str, now: float, of_log: str = "") -> float:
    """The moment of a Unix time, of an RFC 3339 time (local where it names no zone), or of a duration before ``now``.

    Empty text is 0, which stands for no moment. Raises ``InvalidArgument``; ``of_log`` is the option of a log that docker names then.
    """
    if not text:
        return 0
    if _UNIX.fullmatch(text):
        return float(text)
    try:
        return datetime.fromisoformat(f"{text}:00" if _HOUR_ONLY.fullmatch(text) else text).timestamp()
    except (ValueError, OverflowError):
        pass
    try:
        return now - parse_nanoseconds(text) / 1e9
    except InvalidArgument:
        own = f"invalid time: {text!r}; give a duration (10m), a date (2026-01-31T12:00:00Z) or Unix seconds"
        dockers = f'failed to parse value as time or duration: "{text}"'
        before = f'invalid value for "{of_log}": ' if of_log else ""
        raise InvalidArgument(session.phrase(own, before + dockers)) from None


def seconds_of(rfc3339: str) -> float:
    """The moment of a time as the engine writes it; 0 for Docker's zero time."""
    if rfc3339.startswith("0001-") or not rfc3339:
        return 0
    return datetime.fromisoformat(rfc3339).timestamp()


def ago(seconds: float) -> str:
    """``3 weeks ago`` of a moment; ``N/A`` of none."""
    return f"{human_duration(time.time() - seconds)} ago" if seconds > 0 else "N/A"


def local_text(seconds: float) -> str:
    """``2026-01-31 12:00:00 +0100 CET``: the time as docker's tables print it."""
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S %z %Z")


def nanosecond_text(nanoseconds: int) -> str:
    """RFC 3339 in local time with all nine decimals: events sort and align."""
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    local = datetime.fromtimestamp(seconds, UTC).astimezone()
    offset = local.strftime("%z")
    zone = "Z" if offset == "+0000" else f"{offset[:3]}:{offset[3:]}"
    return f"{local:%Y-%m-%dT%H:%M:%S}.{fraction:09d}{zone}"
