"""One key after the other: the next is handed on once what the one before does is done.

Textual hands each key to the widget that has the focus when the key arrives, and runs the key's binding once it has bubbled up through
that widget's queues. Of two keys of which the first changes the page, the second went through the queues of a page that was left, and
came late: after keys typed later, and to a page that it was not typed for. What a key does may also be a message that its widget posts, as
the one that a line was entered: the next key waits until the widgets above and the application have taken what was posted before.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from textual.events import Key
from textual.message_pump import MessagePump

#: A key that is not done after this time was lost with its widget; seconds.
LOST = 2.0


class TravellingKey(Key):
    """A key on its way through widgets. ``done`` is called when one of them stops it. ``path``: who has it first, up to the application."""

    path: Sequence[MessagePump] = ()

    def __init__(self, key: Key, done: Callable[[], None]) -> None:
        super().__init__(key.key, key.character)
        self.time = key.time
        self._sender = None  # of a key that the application sends Textual stops the way up before its bindings have had it
        self._done = done

    def stop(self, stop: bool = True) -> TravellingKey:
        super().stop(stop)
        if stop:
            self._done()
        return self


# Widgets take it as the key that it is.
TravellingKey.handler_name = Key.handler_name


class KeyOrder:
    """``take`` what is typed; ``proceed`` is called whenever ``next`` may have a key to hand on."""

    def __init__(self, proceed: Callable[[], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._proceed, self._clock = proceed, clock
        self._waiting: deque[Key] = deque()
        self._under_way: TravellingKey | None = None
        self._settling: TravellingKey | None = None
        self._since = 0.0

    @property
    def busy(self) -> bool:
        """True while a key is under way or waits."""
        return bool(self._under_way or self._waiting)

    def take(self, key: Key) -> None:
        """Another key was typed."""
        self._waiting.append(key)

    def next(self) -> TravellingKey | None:
        """The key that is to be handed on now, if any; it is under way until ``done``."""
        if self._under_way and self._clock() - self._since < LOST:
            return None
        self._under_way = None
        if self._waiting:
            travelling = TravellingKey(self._waiting.popleft(), lambda: self.done(travelling))
            self._under_way, self._since = travelling, self._clock()
        return self._under_way

    def done(self, key: Key) -> None:
        """The key was taken. What it does is done once all on its path have taken what was posted until now."""
        if isinstance(key, TravellingKey) and key is self._under_way and key is not self._settling:
            self._settling = key
            # twice through the first: one that stops a key may post a message in the same breath
            _pass_on(iter([*key.path[:1], *key.path]), partial(self._settled, key))

    def _settled(self, key: Key) -> None:
        if key is self._under_way:
            self._under_way = self._settling = None
            if self._waiting:
                self._proceed()

    def put_back(self, keys: Iterable[Key]) -> None:
        """These were typed before those that wait."""
        self._waiting.extendleft(reversed([*keys]))

    def take_waiting(self) -> list[Key]:
        """The keys that wait; they wait here no more."""
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting


def _pass_on(path: Iterator[MessagePump], arrived: Callable[[], None]) -> None:
    """Goes through the queues of these, one after the other, past those that are closed."""
    for pump in path:
        if pump.call_later(_pass_on, path, arrived):
            return
    arrived()
