"""The files of a log, oldest first, whatever their format, and however they are rotated and compressed meanwhile."""

# no annotations from __future__: msgspec would have each one compiled and evaluated, in every command that reads a log

import os
from collections.abc import Iterator
from typing import Protocol

import msgspec

from moby_tui.engine.runtime.monitor.logs import local
from moby_tui.engine.runtime.monitor.logs.json_file import format_time
from moby_tui.engine.runtime.monitor.logs.rotation import identity_comment, read_identity

_CHUNK = 256 * 1024
#: Length of a time with nine digits of a second, in UTC.
_TIME_LENGTH = 30
#: This many numbers without a file end a log: one may be missing while a rotation is under way.
_GAP = 2
Attributes = dict[str, str]


class Entry(msgspec.Struct):
    """A line with its newline, or a piece of a long one."""

    text: bytes
    stream: str
    time: str
    attributes: Attributes


class Format(Protocol):
    """How the entries lie in one file."""

    def forward(self, offset: int) -> tuple[list[Entry], int]:
        """The next whole entries and where they end; the same offset at the end of the file."""

    def backward(self) -> Iterator[tuple[int, list[Entry]]]:
        """What begins at each offset, the last first, each with its entries in their order."""


class JsonLines:
    """The format of ``json-file``."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def forward(self, offset: int) -> tuple[list[Entry], int]:
        chunk = _lines_at(self._fd, offset)
        entries = [entry for line in chunk.split(b"\n") if (entry := _decode(line)) is not None]
        return entries, offset + len(chunk)

    def backward(self) -> Iterator[tuple[int, list[Entry]]]:
        begin = os.fstat(self._fd).st_size
        rest = b""
        while begin > 0:
            size = min(_CHUNK, begin)
            begin -= size
            pieces = (os.pread(self._fd, size, begin) + rest).split(b"\n")
            rest = pieces[0]
            end = begin + sum(len(piece) + 1 for piece in pieces)
            for piece in reversed(pieces[1:]):
                end -= len(piece) + 1
                yield end, _one(piece)
        yield 0, _one(rest)


class _Line(msgspec.Struct):
    time: str
    log: str = ""
    stream: str = ""
    attrs: Attributes = {}


_decoder = msgspec.json.Decoder(_Line)


def _decode(line: bytes) -> Entry | None:
    """What a crash tore is passed over."""
    try:
        read = _decoder.decode(line)
    except msgspec.MsgspecError:
        return None
    if read.stream not in local.STREAMS:
        return None
    return Entry(read.log.encode(), read.stream, _full_time(read.time), read.attrs)


def _full_time(text: str) -> str:
    """Docker leaves zeros at the end of a fraction out; with them, text order is time order."""
    if len(text) == _TIME_LENGTH:
        return text
    seconds, _, fraction = text.rstrip("Z").partition(".")
    return f"{seconds}.{fraction:0<9}Z"


def _one(line: bytes) -> list[Entry]:
    entry = _decode(line)
    return [] if entry is None else [entry]


def _lines_at(fd: int, offset: int) -> bytes:
    """The next whole lines; empty at the end. A line that is not finished is left for later."""
    size = _CHUNK
    while True:
        chunk = os.pread(fd, size, offset)
        end = chunk.rfind(b"\n") + 1
        if end or len(chunk) < size:
            return chunk[:end]
        size *= 2


_STREAMS = {number: name for name, number in local.STREAMS.items()}


class Records:
    """The format of ``local``."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._attributes: Attributes | None = None

    def forward(self, offset: int) -> tuple[list[Entry], int]:
        head = local.record_at(self._fd, offset)
        # a record that is being written ends behind the file's end
        if head is None or head[0] > os.fstat(self._fd).st_size:
            return [], offset
        return self._entries(offset, *head), head[0]

    def backward(self) -> Iterator[tuple[int, list[Entry]]]:
        end = os.fstat(self._fd).st_size
        while (begin := local.record_before(self._fd, end)) is not None:
            head = local.record_at(self._fd, begin)
            assert head is not None
            yield begin, self._entries(begin, *head)
            end = begin

    def _entries(self, begin: int, end: int, when: int, flags: int) -> list[Entry]:
        stream = _STREAMS.get(flags & ~local.PARTIAL)
        if stream is None:
            return []
        text = os.pread(self._fd, end - begin - local.AROUND, begin + local.HEAD.size)
        time, attributes = format_time(when), self._of_file()
        return [Entry(line, stream, time, attributes) for line in _split(text)]

    def _of_file(self) -> Attributes:
        """What the record at the file's beginning says of all others."""
        if self._attributes is None:
            self._attributes = {}
            head = local.record_at(self._fd, 0)
            if head is not None and head[2] == 0:
                text = os.pread(self._fd, head[0] - local.AROUND, local.HEAD.size)
                self._attributes = msgspec.json.decode(text, type=Attributes)
        return self._attributes


def _split(text: bytes) -> list[bytes]:
    """Lines with their newlines."""
    lines = [line + b"\n" for line in text.split(b"\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


class LogFile:
    """One file, held open: a rotation does not take away what is read. A compressed one is unpacked when it is read."""

    def __init__(self, path: str, kind: str, *, compressed: bool) -> None:
        """Raises ``FileNotFoundError``."""
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._compressed = compressed
        self._kind = kind
        self._reader: Format | None = None
        self.identity = (read_identity(self._fd) if compressed else b"") or identity_comment(os.fstat(self._fd))

    @property
    def reader(self) -> Format:
        if self._reader is None:
            if self._compressed:
                self._unpack()
            self._reader = JsonLines(self._fd) if self._kind == "json-file" else Records(self._fd)
        return self._reader

    def _unpack(self) -> None:
        """On the disk, not in memory; what was cut short is read as far as it goes."""
        import tempfile

        from isal import igzip

        with os.fdopen(self._fd, "rb") as packed, tempfile.TemporaryFile() as unpacked:
            self._fd = os.dup(unpacked.fileno())
            try:
                with igzip.GzipFile(fileobj=packed) as source:
                    while data := source.read(_CHUNK):
                        unpacked.write(data)
            except (OSError, EOFError, igzip.BadGzipFile):
                pass
            unpacked.flush()

    def close(self) -> None:
        os.close(self._fd)


def newer_than(path: str, kind: str, known: LogFile | None) -> list[LogFile]:
    """The files of a log that are newer than a known one, oldest first.

    Opened from the newest to the oldest, so that a rotation meanwhile shows a file twice rather than hiding one.
    """
    files: list[LogFile] = []
    missing = 0
    for number in range(1000):
        file = _open(f"{path}.{number}" if number else path, kind)
        if file is None:
            missing += 1
            if missing > _GAP:
                break
            continue
        missing = 0
        if known is not None and file.identity == known.identity:
            file.close()
            break
        if files and file.identity == files[-1].identity:
            file.close()
            continue
        files.append(file)
    return files[::-1]


def _open(path: str, kind: str) -> LogFile | None:
    for suffix in ("", ".gz"):
        try:
            return LogFile(path + suffix, kind, compressed=bool(suffix))
        except FileNotFoundError:
            continue
    return None
