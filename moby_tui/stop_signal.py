"""The signal that stops a container, as users write it, and the seconds that the container has to end."""

from __future__ import annotations

import re
import signal as signals
from contextlib import suppress

from moby_tui.errors import InvalidArgument

#: Seconds from the signal to the kill if nobody has said.
DEFAULT_STOP_SECONDS = 10
_INT64 = range(-(2**63), 2**63)
#: From RTMIN 15 names count upward, from RTMAX 14 downward.
_UPWARD, _DOWNWARD = 15, 14


def parse_signal(text: str) -> int:
    """``TERM``, ``SIGTERM``, ``15``, ``RTMIN+3`` or ``RTMAX-1`` as a number. Raises ``InvalidArgument``.

    As in Docker a number may be one that the kernel has no signal for (``is_sent``), but not 0.
    """
    if re.fullmatch(r"[+-]?[0-9]+", text):
        number = int(text) if len(text) < 25 else 0
        return number if number and number in _INT64 else _invalid(text)
    name = text.upper().removeprefix("SIG")
    if (real_time := re.fullmatch(r"RT(?:MIN\+|MAX-)([1-9][0-9]?)", name)) is not None:
        offset = int(real_time[1])
        if offset > (_UPWARD if "+" in name else _DOWNWARD):
            return _invalid(text)
        return signals.SIGRTMIN + offset if "+" in name else signals.SIGRTMAX - offset
    with suppress(AttributeError, ValueError):
        return int(getattr(signals, f"SIG{name}")) if name.isalnum() else _invalid(text)
    return _invalid(text)


def is_sent(number: int) -> bool:
    """True for a number of a signal that the kernel can send to a process."""
    return 0 < number < signals.NSIG


def _invalid(text: str) -> int:
    raise InvalidArgument(f"invalid signal: {text}")
