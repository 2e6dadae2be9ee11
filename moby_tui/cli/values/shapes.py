"""Times, percentages and rates of ``network shape``, written as tc(8) has them."""

from __future__ import annotations

import re

from moby_tui.errors import InvalidArgument

_NUMBER = re.compile(r"(\d+(?:\.\d+)?)([a-z]*)")
#: In microseconds.
_TIMES = {"us": 1, "ms": 1_000, "s": 1_000_000}
#: In bits per second; bps are bytes per second.
_RATES = {
    f"{prefix}{unit}": factor * bits
    for prefix, factor in (("", 1), ("k", 1_000), ("m", 1_000_000), ("g", 1_000_000_000))
    for unit, bits in (("bit", 1), ("bps", 8))
}


def parse_time(option: str, text: str) -> int:
    """Microseconds. Raises ``InvalidArgument``."""
    return round(_scaled(text, _TIMES, f"invalid argument {text!r} for {option}: give a time such as 50ms"))


def parse_rate(text: str) -> int:
    """Bits per second. Raises ``InvalidArgument``."""
    return round(_scaled(text, _RATES, f"invalid argument {text!r} for --rate: give a rate such as 10mbit"))


def parse_percentage(text: str) -> float:
    """Raises ``InvalidArgument``."""
    return _scaled(text.removesuffix("%"), {"": 1}, f"invalid argument {text!r} for --loss: give a percentage such as 1%")


def time_text(microseconds: int) -> str:
    return _text(microseconds, _TIMES)


def rate_text(bits: int) -> str:
    return _text(bits, {unit: factor for unit, factor in _RATES.items() if unit.endswith("bit")})


def _scaled(text: str, units: dict[str, int], refusal: str) -> float:
    match = _NUMBER.fullmatch(text.strip().lower())
    if match is None or match[2] not in units:
        raise InvalidArgument(refusal)
    return float(match[1]) * units[match[2]]


def _text(value: int, units: dict[str, int]) -> str:
    """In the largest unit that it is a whole of; a dash for nothing."""
    if not value:
        return "-"
    unit, factor = max((pair for pair in units.items() if value % pair[1] == 0), key=lambda pair: pair[1])
    return f"{value // factor}{unit}"
