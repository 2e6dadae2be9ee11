"""The report of a birth: what a process that is being made writes on a pipe to whoever has it made.

Two kinds of message, in any order: ``Made``, by a process that has made the one that stays, and ``Failed``. The pipe ends when execve(2)
closes it: a report with no failure is that of a process that has become its program.

The messages are not JSON, since they are written in the container's root, where nothing may be imported or looked up (``plan/program.py``).
Two processes write to the same pipe, so each message is written in one piece of at most PIPE_BUF bytes (pipe(7)).
"""

from __future__ import annotations

from moby_tui.engine.protocol.message import MalformedMessage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

_NUMBER = 4
#: PIPE_BUF. A report is at most two messages; one that is longer comes from no process of ours.
_MOST = 4096
_MOST_TEXT = 2000
_ORDER: Literal["little"] = "little"
_NAME = "report of the process"


class Made:
    """``pid``: of the process that stays, as its maker's parent sees it. Written as four bytes, never 0."""

    __slots__ = ("pid",)

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def encode(self) -> bytes:
        return self.pid.to_bytes(_NUMBER, _ORDER)


class Failed:
    """``error``: an errno, 0 where ``step`` is the whole text of what went wrong; else ``step`` is the name of the step that failed.

    Written as four zero bytes, the errno in four bytes, and the text with a zero byte at its end.
    """

    __slots__ = ("error", "step")

    def __init__(self, error: int, step: str) -> None:
        self.error = error
        self.step = step

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Failed) and (self.error, self.step) == (other.error, other.step)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Failed({self.error}, {self.step!r})"

    def encode(self) -> bytes:
        return encode_failure(self.error, self.step.encode(errors="replace"))


def encode_failure(error: int, step: bytes) -> bytes:
    """As ``Failed.encode``, of a text that was encoded ahead: it calls no codec, for a process that is in the container's root."""
    return bytes(_NUMBER) + error.to_bytes(_NUMBER, _ORDER) + step[:_MOST_TEXT].replace(b"\0", b"?") + b"\0"


class Report:
    """What was read so far: ``pid`` of the process that was made, 0 if none was, and the first ``failure``, if any."""

    __slots__ = ("_rest", "_size", "failure", "pid")

    def __init__(self) -> None:
        self.pid = 0
        self.failure: Failed | None = None
        self._rest = b""
        self._size = 0

    def feed(self, data: bytes) -> None:
        """Takes the next piece, which need not end with a message. Raises ``MalformedMessage``."""
        self._rest += data
        self._size += len(data)
        if self._size > 2 * _MOST:
            raise MalformedMessage(f"{_NAME}: longer than {2 * _MOST} bytes")
        while len(self._rest) >= _NUMBER:
            pid = int.from_bytes(self._rest[:_NUMBER], _ORDER, signed=True)
            if pid < 0 or (pid and self.pid):
                raise MalformedMessage(f"{_NAME}: expected the pid of one process, got {pid}")
            if pid:
                self.pid, self._rest = pid, self._rest[_NUMBER:]
            elif not self._take_failure():
                return

    def finish(self) -> None:
        """The pipe has ended. Raises ``MalformedMessage`` if it ended in the middle of a message."""
        if self._rest:
            raise MalformedMessage(f"{_NAME}: it ends in the middle")

    def _take_failure(self) -> bool:
        end = self._rest.find(b"\0", 2 * _NUMBER)
        if end < 0:
            return False
        error = int.from_bytes(self._rest[_NUMBER : 2 * _NUMBER], _ORDER)
        step = self._rest[2 * _NUMBER : end].decode(errors="replace")
        self.failure = self.failure or Failed(error, step)
        self._rest = self._rest[end + 1 :]
        return True
