"""Waiting until something can be read, by poll(2) (light imports).

select(2) refuses descriptors from 1024 on. A daemon with many clients, and a monitor with many published ports, have such descriptors.
"""

from __future__ import annotations

import math
import select


def wait_readable(*descriptors: int, seconds: float | None = None) -> list[int]:
    """Those of them that can be read, or whose other end is closed, as soon as there is one. Empty after ``seconds`` (None: no limit)."""
    poll = select.poll()
    for fd in descriptors:
        poll.register(fd, select.POLLIN)
    return [fd for fd, _ in poll.poll(None if seconds is None else math.ceil(seconds * 1000))]
