"""Times of log lines: nanoseconds since 1970, read from RFC 3339 and written for people; spans as ``5m`` and ``1h30m``."""

from __future__ import annotations

import re
import time
from datetime import datetime
from functools import lru_cache

SECOND = 1_000_000_000
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?")


def parse_stamp(stamp: str) -> int:
    """RFC 3339, with up to nine digits of a second and any offset, in nanoseconds; 0 if it is no time."""
    try:
        seconds = _seconds(stamp[:19])
        rest = stamp[19:]
        fraction = 0
        if rest.startswith("."):
            digits = len(rest) - len(rest[1:].lstrip("0123456789")) - 1
            fraction = int(rest[1 : 1 + digits][:9].ljust(9, "0"))
            rest = rest[1 + digits :]
        return (seconds - _offset(rest)) * SECOND + fraction
    except ValueError:
        return 0


@lru_cache(maxsize=4096)
def _seconds(text: str) -> int:
    """``2026-11-29T16:41:32`` in UTC; lines come many to a second."""
    return int(datetime.fromisoformat(text + "+00:00").timestamp())


def _offset(text: str) -> int:
    if text in ("Z", "z", ""):
        return 0
    hours, _, minutes = text[1:].partition(":")
    seconds = int(hours) * 3600 + int(minutes or 0) * 60
    return -seconds if text[0] == "-" else seconds


def parse_span(text: str) -> float | None:
    """``5m``, ``1h30m``, ``2d`` in seconds; None if it is no span."""
    if not text or _SPAN.sub("", text):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _SPAN.findall(text))


def parse_moment(text: str, now: float) -> int | None:
    """A time as a person writes it, in nanoseconds: a span before ``now`` (``5m``), a clock time of the last 24 hours (``14:03``), a date
    or an RFC 3339 time (local without an offset). None if it is none of these.
    """
    span = parse_span(text)
    if span is not None:
        return int((now - span) * SECOND)
    if clock := _CLOCK.fullmatch(text):
        return _clock_time(int(clock[1]), int(clock[2]), int(clock[3] or 0), now)
    try:
        return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * SECOND)
    except (ValueError, OverflowError, OSError):
        return None


def _clock_time(hour: int, minute: int, second: int, now: float) -> int | None:
    if hour > 23 or minute > 59 or second > 59:
        return None
    today = datetime.fromtimestamp(now).replace(hour=hour, minute=minute, second=second, microsecond=0).timestamp()
    return int((today if today <= now else today - 86400) * SECOND)


@lru_cache(maxsize=8192)
def _local(seconds: int, form: str) -> str:
    return time.strftime(form, time.localtime(seconds))


@lru_cache(maxsize=8192)
def _utc(seconds: int, form: str) -> str:
    return time.strftime(form, time.gmtime(seconds))


def local(stamp: int, form: str = "%H:%M:%S") -> str:
    """``16:41:32.123`` in the person's own time zone."""
    return f"{_local(stamp // SECOND, form)}.{stamp % SECOND // 1_000_000:03}"


def day(stamp: int) -> str:
    """``11-29 16:41`` in the person's own time zone."""
    return _local(stamp // SECOND, "%m-%d %H:%M")


def utc(stamp: int, form: str = "%H:%M:%S") -> str:
    """``16:41:32.123Z``."""
    return f"{_utc(stamp // SECOND, form)}.{stamp % SECOND // 1_000_000:03}Z"


def relative(stamp: int, now: float) -> str:
    """``-3.2s``, ``-5m12s``, ``-2h05m``, ``-3d04h`` before ``now``; at most seven characters."""
    seconds = max(now - stamp / SECOND, 0.0)
    if seconds < 60:
        return f"-{seconds:.1f}s"
    whole = int(seconds)
    if whole < 3600:
        return f"-{whole // 60}m{whole % 60:02}s"
    if whole < 86400:
        return f"-{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"-{min(whole // 86400, 999)}d{whole % 86400 // 3600:02}h"


def rfc3339(stamp: int) -> str:
    """As ``docker logs --timestamps`` writes it."""
    return f"{_utc(stamp // SECOND, '%Y-%m-%dT%H:%M:%S')}.{stamp % SECOND:09}Z"
