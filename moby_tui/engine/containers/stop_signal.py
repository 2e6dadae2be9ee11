"""The signal that stops a container, as users write it, and the seconds that the container has to end."""

from __future__ import annotations

import signal as signals
from contextlib import suppress

from moby_tui.errors import InvalidArgument

#: Seconds from the signal to the kill where nobody has said.
DEFAULT_STOP_SECONDS = 10


def parse_signal(text: str) -> int:
    """``TERM``, ``SIGTERM``, ``15`` or ``RTMIN+3`` as a number. Raises ``InvalidArgument``."""
    name = text.strip().upper().removeprefix("SIG")
    if name.isdecimal() and 0 < int(name) <= signals.NSIG - 1:
        return int(name)
    base, plus, offset = name.partition("+")
    if plus and base == "RTMIN" and offset.isdecimal() and signals.SIGRTMIN + int(offset) <= signals.SIGRTMAX:
        return signals.SIGRTMIN + int(offset)
    with suppress(AttributeError, ValueError):
        return int(getattr(signals, f"SIG{name}")) if name.isalnum() else _invalid(text)
    return _invalid(text)


def _invalid(text: str) -> int:
    raise InvalidArgument(f"invalid signal: {text}")
