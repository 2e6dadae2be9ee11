"""The methods of Go's ``time.Time``, ``time.Duration``, ``time.Month`` and ``time.Weekday`` that a template can call.

A template that calls none of them does not import this module. A moment is a :class:`~moby_tui.templates.values.Time`, text in
RFC 3339. Layouts, names and results are those of Go's package ``time`` (its documentation, https://pkg.go.dev/time#Layout).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, NamedTuple

from moby_tui.templates.values import Duration, Month, Time, Weekday

_TEXT = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)")


@dataclass(frozen=True)
class Moment:
    """``seconds`` is the wall clock in whole seconds, with its zone; ``nanoseconds`` what is beyond it, below 10**9.

    ``utc`` is true if the text named UTC by its letter, which Go then prints by name.
    """

    seconds: datetime
    nanoseconds: int
    utc: bool

    @classmethod
    def of(cls, text: str) -> Moment:
        """The moment of a text in RFC 3339; Go's zero moment for what is none, as for an empty text."""
        match = _TEXT.fullmatch(text)
        try:
            return cls._read(match) if match else _ZERO
        except ValueError:  # the thirteenth month
            return _ZERO

    @classmethod
    def _read(cls, match: re.Match[str]) -> Moment:
        *parts, fraction, zone = match.groups()
        utc = zone in "Zz"
        offset = timedelta() if utc else timedelta(hours=int(zone[1:3]), minutes=int(zone[4:]))
        tz = UTC if utc else timezone(-offset if zone[0] == "-" else offset)
        year, month, day, hour, minute, second = map(int, parts)
        return cls(datetime(year, month, day, hour, minute, second, tzinfo=tz), int((fraction or "").ljust(9, "0")[:9]), utc)

    @property
    def unix_nanoseconds(self) -> int:
        """Nanoseconds since 1970; negative before."""
        return int((self.seconds - _EPOCH) / _SECOND) * 10**9 + self.nanoseconds

    def offset_minutes(self) -> int:
        """Minutes east of UTC."""
        return int((self.seconds.utcoffset() or timedelta()) / timedelta(minutes=1))

    def text(self) -> Time:
        """As RFC 3339, with as many digits of the second as it has."""
        fraction = f".{self.nanoseconds:09}".rstrip("0") if self.nanoseconds else ""
        zone = "Z" if self.utc else format_offset(self.offset_minutes(), ":")
        return Time(f"{self.seconds:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + fraction + zone)


_SECOND = timedelta(seconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ZERO = Moment(datetime(1, 1, 1, tzinfo=UTC), 0, utc=True)


def format_offset(minutes: int, between: str) -> str:
    """A zone's offset: ``+0130``, or ``+01:30`` with a colon between."""
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{between}{abs(minutes) % 60:02}"


def _zone_name(moment: Moment) -> str:
    """``MST``: the zone's name. A moment that was read from text has none but UTC, and Go then writes the offset in its place."""
    return "UTC" if moment.utc else format_offset(moment.offset_minutes(), "")


def _offset(pattern: str) -> Callable[[Moment], str]:
    """``-0700`` and its kin: with a colon, with seconds, only hours; with ``Z`` in place of the sign UTC is written as Z."""

    def write(moment: Moment) -> str:
        minutes = moment.offset_minutes()
        if pattern[0] == "Z" and minutes == 0:
            return "Z"
        between = ":" if ":" in pattern else ""
        text = format_offset(minutes, between)
        if len(pattern) == 3:
            return text[:3]
        return text + (f"{between}00" if len(pattern) in (7, 9) else "")

    return write


def _hour12(moment: Moment) -> int:
    return moment.seconds.hour % 12 or 12


#: What each piece of a layout stands for, the longer pieces before those that they begin with.
_PIECES: dict[str, Callable[[Moment], str]] = {
    "January": lambda moment: str(Month(moment.seconds.month).go_text()),
    "Jan": lambda moment: Month(moment.seconds.month).go_text()[:3],
    "Monday": lambda moment: Weekday(moment.seconds.isoweekday() % 7).go_text(),
    "Mon": lambda moment: Weekday(moment.seconds.isoweekday() % 7).go_text()[:3],
    "MST": _zone_name,
    "2006": lambda moment: f"{moment.seconds.year:04}",
    "__2": lambda moment: f"{moment.seconds.timetuple().tm_yday:3}",
    "002": lambda moment: f"{moment.seconds.timetuple().tm_yday:03}",
    "01": lambda moment: f"{moment.seconds.month:02}",
    "02": lambda moment: f"{moment.seconds.day:02}",
    "03": lambda moment: f"{_hour12(moment):02}",
    "04": lambda moment: f"{moment.seconds.minute:02}",
    "05": lambda moment: f"{moment.seconds.second:02}",
    "06": lambda moment: f"{moment.seconds.year % 100:02}",
    "15": lambda moment: f"{moment.seconds.hour:02}",
    "_2": lambda moment: f"{moment.seconds.day:2}",
    "PM": lambda moment: "PM" if moment.seconds.hour >= 12 else "AM",
    "pm": lambda moment: "pm" if moment.seconds.hour >= 12 else "am",
    **{sign + rest: _offset(sign + rest) for sign in "-Z" for rest in ("07:00:00", "070000", "07:00", "0700", "07")},
    "1": lambda moment: str(moment.seconds.month),
    "2": lambda moment: str(moment.seconds.day),
    "3": lambda moment: str(_hour12(moment)),
    "4": lambda moment: str(moment.seconds.minute),
    "5": lambda moment: str(moment.seconds.second),
}

#: ``Jan`` and ``Mon`` are not pieces where a small letter follows (``Janet``), ``_2`` not where it begins ``_2006``; a fraction of the
#: second (``.000``, ``,999``) not where another digit follows.
_LAYOUT = re.compile(
    r"(?P<fraction>[.,](?:0+|9+)(?!\d))|January|Jan(?![a-z])|Monday|Mon(?![a-z])|_(?=2006)|"
    + "|".join(re.escape(piece) for piece in _PIECES if piece not in ("January", "Jan", "Monday", "Mon"))
)


def format_moment(text: str, layout: str) -> str:
    """Go's ``Time.Format``."""
    moment = Moment.of(text)

    def write(match: re.Match[str]) -> str:
        if match["fraction"]:
            return _fraction(moment.nanoseconds, match["fraction"])
        return _PIECES[match[0]](moment) if match[0] != "_" else "_"

    return _LAYOUT.sub(write, layout)


def _fraction(nanoseconds: int, pattern: str) -> str:
    """``.000``: as many digits; ``.999``: as many, less the zeros at the end, and nothing if all are zeros."""
    digits = f"{nanoseconds:09}"[: len(pattern) - 1].ljust(len(pattern) - 1, "0")
    if pattern[1] == "9":
        digits = digits.rstrip("0")
    return pattern[0] + digits if digits else ""


def _in_zone(text: str, zone: timezone | None) -> Time:
    moment = Moment.of(text)
    try:
        return Moment(moment.seconds.astimezone(zone), moment.nanoseconds, utc=zone is UTC).text()
    except (OverflowError, ValueError):  # the year 0 or 10000
        return moment.text()


def _order(first: str, second: str) -> int:
    left, right = Moment.of(first).unix_nanoseconds, Moment.of(second).unix_nanoseconds
    return (left > right) - (left < right)


class Method(NamedTuple):
    """``parameters`` are the kinds of the arguments, by Go's names; ``call`` takes the value and them."""

    parameters: tuple[str, ...]
    call: Callable[..., Any]


def _field(name: str) -> Method:
    return Method((), lambda value: getattr(Moment.of(value).seconds, name))


def _difference(later: Moment, earlier: Moment) -> Duration:
    """No longer than the longest duration of Go, 292 years."""
    return Duration(max(-(2**63), min(2**63 - 1, later.unix_nanoseconds - earlier.unix_nanoseconds)))


def _as_int64(number: int) -> int:
    """As Go's ``int64`` holds it: beyond the years 1678 to 2262 nanoseconds do not fit, and run over."""
    return (number + 2**63) % 2**64 - 2**63


def _since_1970(unit: int) -> Method:
    return Method((), lambda value: Moment.of(value).unix_nanoseconds // unit)


_OF_TIME: dict[str, Method] = {
    "Format": Method(("string",), format_moment),
    "String": Method((), lambda value: Time(value).go_text()),
    "Unix": _since_1970(10**9),
    "UnixMilli": _since_1970(10**6),
    "UnixMicro": _since_1970(10**3),
    "UnixNano": Method((), lambda value: _as_int64(Moment.of(value).unix_nanoseconds)),
    "Year": _field("year"),
    "Month": Method((), lambda value: Month(Moment.of(value).seconds.month)),
    "Day": _field("day"),
    "Weekday": Method((), lambda value: Weekday(Moment.of(value).seconds.isoweekday() % 7)),
    "YearDay": Method((), lambda value: Moment.of(value).seconds.timetuple().tm_yday),
    "Hour": _field("hour"),
    "Minute": _field("minute"),
    "Second": _field("second"),
    "Nanosecond": Method((), lambda value: Moment.of(value).nanoseconds),
    "IsZero": Method((), lambda value: Moment.of(value).unix_nanoseconds == _ZERO.unix_nanoseconds),
    "UTC": Method((), lambda value: _in_zone(value, UTC)),
    "Local": Method((), lambda value: _in_zone(value, None)),
    "Before": Method(("time.Time",), lambda value, other: _order(value, other) < 0),
    "After": Method(("time.Time",), lambda value, other: _order(value, other) > 0),
    "Equal": Method(("time.Time",), lambda value, other: _order(value, other) == 0),
    "Compare": Method(("time.Time",), _order),
    "Sub": Method(("time.Time",), lambda value, other: _difference(Moment.of(value), Moment.of(other))),
}

_OF_DURATION: dict[str, Method] = {
    "String": Method((), Duration.go_text),
    "Nanoseconds": Method((), int),
    "Microseconds": Method((), lambda value: int(value / 10**3)),
    "Milliseconds": Method((), lambda value: int(value / 10**6)),
    "Seconds": Method((), lambda value: value / 10**9),
    "Minutes": Method((), lambda value: value / (60 * 10**9)),
    "Hours": Method((), lambda value: value / (3600 * 10**9)),
}

METHODS: dict[type, dict[str, Method]] = {
    Time: _OF_TIME,
    Duration: _OF_DURATION,
    Month: {"String": Method((), Month.go_text)},
    Weekday: {"String": Method((), Weekday.go_text)},
}
