"""Sizes and durations, read and printed as the docker command line does (github.com/docker/go-units).

Sizes are bytes, durations seconds unless a name says nanoseconds.
"""

from __future__ import annotations

import re

from moby_tui.errors import InvalidArgument

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?", re.IGNORECASE | re.ASCII)
_DURATION = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+|[+-]?0", re.ASCII)
_DURATION_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_DECIMAL = ("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB")
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB")
_LARGEST = 2**63 - 1


def parse_size(text: str) -> int:
    """Bytes of ``512``, ``64k``, ``512m``, ``1.5GiB``: every unit is a power of 1024. Raises ``InvalidArgument``."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise InvalidArgument(f"invalid size: {text!r}; write it like 512m or 1g")
    number, unit = match.groups()
    power = "kmgtp".index(unit.lower()) + 1 if unit else 0
    whole, _, fraction = number.partition(".")
    size = int(whole + fraction) * (1 << 10 * power) // int("1" + "0" * len(fraction))
    if size > _LARGEST:
        raise InvalidArgument(f"size {text!r} is too large")
    return size


def parse_swap(text: str) -> int:
    """A size, or -1 for no limit (``--memory-swap``)."""
    return -1 if text.strip() == "-1" else parse_size(text)


def parse_nanoseconds(text: str) -> int:
    """Nanoseconds of a Go duration: ``1m30s``, ``1.5h``, ``200ms``. Raises ``InvalidArgument``."""
    if not _DURATION.fullmatch(text):
        raise InvalidArgument(f"invalid duration: {text!r}; write it like 30s or 1m30s")
    total = 0
    for number, unit in _DURATION_PART.findall(text):
        whole, _, fraction = number.partition(".")
        total += int(f"{whole}{fraction}") * _NANOSECONDS[unit] // 10 ** len(fraction)
    return -total if text.startswith("-") else total


def parse_nano_cpus(text: str) -> int:
    """Billionths of a CPU of ``1.5``. Raises ``InvalidArgument`` for more than nine decimals."""
    match = re.fullmatch(r"([-+]?\d*)(?:\.(\d*))?", text, re.ASCII)
    if match is None or not text.strip("+-."):
        raise InvalidArgument(f"invalid number of cpus: {text!r}; write it like 1.5")
    fraction = (match[2] or "").rstrip("0")
    if len(fraction) > 9:
        raise InvalidArgument(f"number of cpus {text!r} is too precise: at most nine decimals")
    return int(f"{match[1] or 0}{fraction:0<9}")


def _scaled(size: float, base: float, units: tuple[str, ...], precision: int) -> str:
    index = 0
    while index < len(units) - 1 and float(f"{size:.{precision}g}") >= base:
        size /= base
        index += 1
    digits = f"{size:.{precision}g}"
    if "e" in digits:
        digits = str(round(size))
    return digits + units[index]


def human_size(size: float, precision: int = 4) -> str:
    """``7.834MB``: decimal units, so many significant digits."""
    return _scaled(size, 1000.0, _DECIMAL, precision)


def binary_size(size: float) -> str:
    """``1.944GiB``: units of 1024, four significant digits."""
    return _scaled(size, 1024.0, _BINARY, 4)


def human_duration(seconds: float) -> str:
    """``About an hour``, ``3 weeks``: how long ago, in words."""
    whole = int(seconds)
    if whole < 1:
        return "Less than a second"
    if whole == 1:
        return "1 second"
    if whole < 60:
        return f"{whole} seconds"
    minutes = whole // 60
    if minutes == 1:
        return "About a minute"
    if minutes < 60:
        return f"{minutes} minutes"
    hours = int(seconds / 3600 + 0.5)
    if hours == 1:
        return "About an hour"
    if hours < 48:
        return f"{hours} hours"
    for limit, divisor, name in ((24 * 14, 24, "days"), (24 * 60, 24 * 7, "weeks"), (24 * 365 * 2, 24 * 30, "months")):
        if hours < limit:
            return f"{hours // divisor} {name}"
    return f"{hours // (24 * 365)} years"
