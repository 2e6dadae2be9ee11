"""A network namespace that the engine makes before a start needs it, since the kernel takes longer for it than for most of a start."""

from __future__ import annotations

import asyncio
import os
import threading

from moby_tui.engine.kernel.network import netns
from moby_tui.engine.resources.networks.drivers.bridge import set_loopback_up

#: Seconds between the use of a namespace and the making of the next, so that both do not compete for the processors.
_PAUSE_SECONDS = 0.01


class NamespacePool:
    """Keeps one namespace ready, with its loopback up, from the second start on: many engines start a single container."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spare: int | None = None
        self._taken = 0
        self._making = False
        self._closed = False
        self._due: asyncio.TimerHandle | None = None

    def take(self) -> int:
        """The descriptor of the namespace that is ready, else of a new one. Can be called on any thread. Raises ``OSError``."""
        with self._lock:
            self._taken += 1
            spare, self._spare = self._spare, None
        return _make() if spare is None else spare

    @property
    def ready(self) -> bool:
        """True if ``take`` need not make a namespace."""
        return self._spare is not None

    def refill(self) -> None:
        """Makes the next namespace on a thread, from the second start on. To be called on the thread of the event loop."""
        if self._taken > 1 and self._spare is None and not self._making and not self._closed:
            self._making = True
            loop = asyncio.get_running_loop()
            self._due = loop.call_later(_PAUSE_SECONDS, self._begin, loop)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            loop.run_in_executor(None, self._fill)
        except RuntimeError:
            # the loop starts no threads any more: ``take`` makes a namespace then
            self._making = False

    def close(self) -> None:
        """Closes the namespace that is ready; none is made any more."""
        if self._due is not None:
            self._due.cancel()
        with self._lock:
            self._closed = True
            spare, self._spare = self._spare, None
        if spare is not None:
            os.close(spare)

    def _fill(self) -> None:
        try:
            made = _make()
        except OSError:
            # the next ``take`` raises the error
            return
        finally:
            self._making = False
        with self._lock:
            is_surplus = self._closed or self._spare is not None
            if not is_surplus:
                self._spare = made
        if is_surplus:
            os.close(made)


def _make() -> int:
    namespace = netns.create()
    try:
        set_loopback_up(namespace)
    except OSError:
        os.close(namespace)
        raise
    return namespace
