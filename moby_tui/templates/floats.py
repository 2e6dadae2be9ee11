"""Floating-point numbers as text: as Go's ``fmt`` prints them, and as its JSON encoder does."""

from __future__ import annotations

import math
from decimal import Decimal


def float_text(value: float, limit: int = 6) -> str:
    """The shortest text that reads back as the same number; from 1e6 on, and below 1e-4, with an exponent."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    shortest = _shortest(value)
    scale = int(shortest.partition("e")[2])
    if scale < -4 or scale >= limit:
        return shortest
    digits = len(shortest.partition("e")[0].replace("-", "").replace(".", ""))
    return f"{value:.{max(digits - 1 - scale, 0)}f}"


def _shortest(value: float) -> str:
    """With an exponent, in the digits that are needed."""
    for digits in range(17):
        text = f"{value:.{digits}e}"
        if float(text) == value:
            return text
    return f"{value:.17e}"


def json_float(value: float) -> str:
    """As Go's JSON encoder writes a number."""
    if value and not 1e-6 <= abs(value) < 1e21:
        mantissa, _, exponent = _shortest(value).partition("e")
        sign, digits = exponent[0], exponent[1:].lstrip("0")
        return f"{mantissa}e{sign}{digits}"
    text = float_text(value, limit=21)
    return text if "e" not in text else format(Decimal(text), "f")
