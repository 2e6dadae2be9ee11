"""Notification that the kernel has killed a process for lack of memory (cgroup-v1/memory.rst section 10; cgroup-v2.rst, memory.events)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

_LOOKS, _PAUSE_SECONDS = 10, 0.005


class OomWatch:
    """A descriptor to wait on: an eventfd that becomes readable on version 1, a file that has POLLPRI on version 2."""

    def __init__(self, fd: int, kills: Callable[[], int], *, by_event: bool) -> None:
        self.fd = fd
        #: True (version 1): wait until it is readable. False (version 2): wait for POLLPRI
        self.by_event = by_event
        self._kills = kills
        self._seen = 0

    @classmethod
    def of_v1(cls, folder: str, kills: Callable[[], int]) -> OomWatch | None:
        """None if the kernel has no such events (PREEMPT_RT)."""
        event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        try:
            control = os.open(f"{folder}/memory.oom_control", os.O_RDONLY | os.O_CLOEXEC)
            try:
                register = os.open(f"{folder}/cgroup.event_control", os.O_WRONLY | os.O_CLOEXEC)
                try:
                    os.write(register, f"{event} {control}".encode())
                finally:
                    os.close(register)
            finally:
                os.close(control)
        except OSError:
            os.close(event)
            return None
        return cls(event, kills, by_event=True)

    @classmethod
    def of_v2(cls, path: str, kills: Callable[[], int]) -> OomWatch | None:
        """None if the group has no memory controller."""
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        # POLLPRI is for changes since the last reading
        os.read(fd, 4096)
        return cls(fd, kills, by_event=False)

    def take(self) -> bool:
        """Clears the event. True if processes were killed since the last call; the kernel also signals the removal of a group."""
        notifications = self._clear()
        before, tries = self._seen, _LOOKS if notifications else 1
        while (now := self._kills()) <= before and (tries := tries - 1) > 0:
            # version 1 signals before it kills
            time.sleep(_PAUSE_SECONDS)
        self._seen = now
        return now > before

    def _clear(self) -> bool:
        """True if the eventfd of version 1 was signalled."""
        try:
            if self.by_event:
                os.read(self.fd, 8)
                return True
            os.pread(self.fd, 4096, 0)
        except OSError:
            # not signalled; version 2: the group is gone
            pass
        return False

    def close(self) -> None:
        os.close(self.fd)
