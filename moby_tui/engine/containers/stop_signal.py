"""The signal that stops a container, as users write it, and the seconds that the container has to end."""

from __future__ import annotations

import re
import signal as signals
from contextlib import suppress

from moby_tui.errors import InvalidArgument

#: Seconds from the signal to the kill if nobody has said.
DEFAULT_STOP_SECONDS = 10


def parse_signal(text: str) -> int:
    """``TERM``, ``SIGTERM``, ``15``, ``RTMIN+3`` or ``RTMAX-1`` as a number. Raises ``InvalidArgument``."""
    if text.isdecimal() and 0 < int(text) <= signals.NSIG - 1:
        return int(text)
    name = text.strip().upper().removeprefix("SIG")
    if (real_time := re.fullmatch(r"RT(?:MIN\+|MAX-)(\d{1,2})", name)) is not None:
        offset = int(real_time[1])
        number = signals.SIGRTMIN + offset if "+" in name else signals.SIGRTMAX - offset
        return number if signals.SIGRTMIN <= number <= signals.SIGRTMAX else _invalid(text)
    with suppress(AttributeError, ValueError):
        return int(getattr(signals, f"SIG{name}")) if name.isalnum() else _invalid(text)
    return _invalid(text)


def _invalid(text: str) -> int:
    raise InvalidArgument(f"invalid signal: {text}")
