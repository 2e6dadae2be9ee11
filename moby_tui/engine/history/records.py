"""What the history keeps, as MessagePack. A record begins with its kind; fields are only ever added at the end."""

# no annotations from __future__: msgspec would have each one compiled and evaluated, in every `moby run --rm` that keeps the end of a log

from msgspec import Struct


class Row(Struct, frozen=True, array_like=True):
    """What one container had used when it was looked at. Totals since its start: ``cpu`` in nanoseconds, the others in bytes.

    ``memory`` is without the page cache that can be dropped; ``limit`` is the host's memory for a container without a limit.
    """

    id: str
    cpu: int = 0
    memory: int = 0
    limit: int = 0
    processes: int = 0
    received: int = 0
    sent: int = 0
    read: int = 0
    written: int = 0


class Sample(Struct, frozen=True, array_like=True, tag="sample"):
    """All running containers at one time, in nanoseconds since 1970."""

    time: int
    rows: tuple[Row, ...]


class Name(Struct, frozen=True, array_like=True, tag="name"):
    """What a container is called; written when it is first sampled, and again in each segment."""

    time: int
    id: str
    name: str
    image: str


class LogLine(Struct, frozen=True, array_like=True):
    """``time`` is RFC 3339 with nine digits of a second, ``stream`` stdout or stderr, ``text`` one line with its newline, or a piece."""

    time: str
    stream: str
    text: bytes


class LogTail(Struct, frozen=True, array_like=True, tag="log"):
    """The end of the log of a container that was removed at ``time``."""

    time: int
    id: str
    name: str
    image: str
    exit_code: int
    lines: tuple[LogLine, ...]


Record = Sample | Name | LogTail
