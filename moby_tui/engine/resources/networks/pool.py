"""A network namespace that is ready before it is asked for: making one waits on the kernel longer than most of a start."""

from __future__ import annotations

import asyncio
import os
import threading

from moby_tui.engine.kernel.network import netns
from moby_tui.engine.resources.networks.drivers.bridge import set_loopback_up

#: The start that has just taken one needs the processors more than the next one.
_PAUSE_SECONDS = 0.01


class NamespacePool:
    """Keeps one namespace, its loopback up, once a second one has been taken: who starts one container may never start another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spare: int | None = None
        self._taken = 0
        self._making = False
        self._closed = False
        self._due: asyncio.TimerHandle | None = None

    def take(self) -> int:
        """A namespace, from any thread; ``ready`` tells whether that takes no time. Raises ``OSError``."""
        with self._lock:
            self._taken += 1
            spare, self._spare = self._spare, None
        return _make() if spare is None else spare

    @property
    def ready(self) -> bool:
        return self._spare is not None

    def refill(self) -> None:
        """Has another one made in the background, where it is worth it. To be called where an event loop runs."""
        if self._taken > 1 and self._spare is None and not self._making and not self._closed:
            self._making = True
            loop = asyncio.get_running_loop()
            self._due = loop.call_later(_PAUSE_SECONDS, self._begin, loop)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            loop.run_in_executor(None, self._fill)
        except RuntimeError:
            # no thread is to be had: whoever needs a namespace makes it
            self._making = False

    def close(self) -> None:
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
            # whoever needs one will hear of it
            return
        finally:
            self._making = False
        with self._lock:
            unwanted = self._closed or self._spare is not None
            if not unwanted:
                self._spare = made
        if unwanted:
            os.close(made)


def _make() -> int:
    namespace = netns.create()
    try:
        set_loopback_up(namespace)
    except OSError:
        os.close(namespace)
        raise
    return namespace
