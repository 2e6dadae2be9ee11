"""Reading a container's log: from any point, back to the oldest rotated file, and on while the container writes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from io import FileIO
from pathlib import Path

import msgspec

from moby_tui.engine.kernel.inotify import IN_CREATE, IN_MODIFY, IN_MOVED_TO, Inotify
from moby_tui.engine.runtime.container_log import format_time
from moby_tui.errors import Unavailable
from moby_tui.schema.container import LogOptions
from moby_tui.schema.stream import STDERR, STDOUT

_CHUNK = 256 * 1024
#: How often a follower looks whether the container still runs, where nothing told it.
_LOOK = 1.0
_STREAMS = {"stdout": STDOUT, "stderr": STDERR}


class _Entry(msgspec.Struct):
    log: str
    stream: str
    time: str


_decoder = msgspec.json.Decoder(_Entry)


async def read(
    path: str | os.PathLike[str], options: LogOptions, alive: Callable[[], bool] = lambda: False
) -> AsyncIterator[tuple[int, bytes]]:
    """Yields ``(STDOUT or STDERR, text)``, one entry of the log each: a line with its newline, or a piece of a long one.

    ``tail`` counts lines among those that the other options select. With ``follow`` it goes on, over rotations, until ``alive``
    is false and all is read; the folder of ``path`` must exist, and a change in it (the container's ``state.json``) prompts the
    question. Raises ``Unavailable`` at the user's limit of inotify instances.
    """
    selection = _Selection(options)
    with contextlib.ExitStack() as stack:
        change = stack.enter_context(_Change(Path(path).parent)) if options.follow else None
        log = stack.enter_context(contextlib.closing(_Log(os.fspath(path))))
        if options.tail is not None:
            log.seek(_tail_position(log.files, selection, options.tail))
        while True:
            last_look = change is None or not alive()
            for chunk in log.read():
                for entry in _entries(chunk):
                    if selection.has(entry):
                        yield _STREAMS[entry.stream], selection.text(entry)
                await asyncio.sleep(0)
            if last_look or change is None or selection.is_over():
                return
            await change.wait(min(_LOOK, selection.remaining()))


class _Selection:
    """Which entries were asked for, and how they are shown."""

    def __init__(self, options: LogOptions) -> None:
        self._streams = {name for name, wanted in (("stdout", options.stdout), ("stderr", options.stderr)) if wanted}
        self._since = format_time(int(options.since * 1e6) * 1000) if options.since else ""
        self._until = format_time(int(options.until * 1e6 + 1) * 1000) if options.until else "~"
        self._end = options.until
        self._timestamps = options.timestamps
        self._within_line: set[str] = set()

    def has(self, entry: _Entry) -> bool:
        return entry.stream in self._streams and self._since <= entry.time <= self._until

    def text(self, entry: _Entry) -> bytes:
        """What is shown of an entry; the time stands at the beginning of a line, not within one."""
        begins = entry.stream not in self._within_line
        if entry.log.endswith("\n"):
            self._within_line.discard(entry.stream)
        else:
            self._within_line.add(entry.stream)
        return f"{entry.time} {entry.log}".encode() if self._timestamps and begins else entry.log.encode()

    def is_over(self) -> bool:
        """Whether nothing that will be written can be selected."""
        return bool(self._end) and time.time() > self._end

    def remaining(self) -> float:
        return max(0.0, self._end - time.time()) + 0.001 if self._end else _LOOK


class _Log:
    """The files of a log, oldest first, held open: a rotation does not take away what is read."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.files = self._newer_than(None)
        self._offset = 0

    def seek(self, position: tuple[int, int]) -> None:
        """Goes to an offset in one of the files, and lets go of the older ones."""
        index, self._offset = position
        for file in self.files[:index]:
            file.close()
        del self.files[:index]

    def read(self) -> Iterator[bytes]:
        """The whole lines that are there and were not read yet, some at a time."""
        # Looked up before the end is read: what has been replaced by then is written no more.
        self.files += self._newer_than(self.files[-1] if self.files else None)
        while self.files:
            yield from self._read_first()
            if len(self.files) == 1:
                return
            self.seek((1, 0))

    def close(self) -> None:
        for file in self.files:
            file.close()

    def _read_first(self) -> Iterator[bytes]:
        while chunk := _lines_at(self.files[0].fileno(), self._offset):
            self._offset += len(chunk)
            yield chunk

    def _newer_than(self, known: FileIO | None) -> list[FileIO]:
        """Opened from the newest to the oldest, so that a rotation meanwhile shows a file twice rather than hiding one."""
        found: list[FileIO] = []
        seen: set[tuple[int, int]] = set()
        stop = _identity(known) if known is not None else None
        for number in range(1000):
            try:
                file = FileIO(f"{self._path}.{number}" if number else self._path)
            except FileNotFoundError:
                if number:
                    break
                continue
            if _identity(file) == stop:
                file.close()
                break
            if _identity(file) in seen:
                file.close()
                continue
            seen.add(_identity(file))
            found.append(file)
        return found[::-1]


class _Change:
    """Waits for changes in a folder."""

    def __init__(self, folder: Path) -> None:
        try:
            self._inotify = Inotify()
        except OSError as error:
            raise Unavailable(f"cannot follow the log: {error.strerror}; raise fs.inotify.max_user_instances") from error
        self._inotify.add_watch(str(folder), IN_MODIFY | IN_CREATE | IN_MOVED_TO)
        self._changed = asyncio.Event()

    def __enter__(self) -> _Change:
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._inotify.fileno(), self._wake)
        return self

    def __exit__(self, *_exc: object) -> None:
        if not self._loop.is_closed():
            self._loop.remove_reader(self._inotify.fileno())
        self._inotify.close()

    async def wait(self, timeout: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._changed.wait()
        self._changed.clear()

    def _wake(self) -> None:
        self._inotify.read()
        self._changed.set()


def _identity(file: FileIO) -> tuple[int, int]:
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino


def _lines_at(fd: int, offset: int) -> bytes:
    """The next whole lines; empty at the end. A line that is not finished is left for later."""
    size = _CHUNK
    while True:
        chunk = os.pread(fd, size, offset)
        end = chunk.rfind(b"\n") + 1
        if end or len(chunk) < size:
            return chunk[:end]
        size *= 2


def _entries(chunk: bytes) -> Iterator[_Entry]:
    """The entries of some lines; what a crash tore is passed over."""
    for line in chunk.split(b"\n"):
        entry = _decode(line)
        if entry is not None:
            yield entry


def _decode(line: bytes) -> _Entry | None:
    try:
        entry = _decoder.decode(line)
    except msgspec.MsgspecError:
        return None
    return entry if entry.stream in _STREAMS else None


def _tail_position(files: list[FileIO], selection: _Selection, count: int) -> tuple[int, int]:
    """Where the last ``count`` selected lines begin: ``(index of the file, offset in it)``. Reads backwards from the end."""
    position = (len(files) - 1, next(_lines_backwards(files[-1].fileno()))[0]) if files else (0, 0)
    open_lines: set[str] = set()
    lines = 0
    for index in range(len(files) - 1, -1, -1):
        for offset, line in _lines_backwards(files[index].fileno()):
            entry = _decode(line)
            if entry is None or not selection.has(entry):
                continue
            if entry.log.endswith("\n") or entry.stream not in open_lines:
                if lines == count:
                    return position
                lines += 1
                open_lines.add(entry.stream)
            position = (index, offset)
    return position


def _lines_backwards(fd: int) -> Iterator[tuple[int, bytes]]:
    """Offset and text of each line, the last one first: it begins with what follows the last newline, mostly nothing."""
    begin = os.fstat(fd).st_size
    rest = b""
    while begin > 0:
        size = min(_CHUNK, begin)
        begin -= size
        pieces = (os.pread(fd, size, begin) + rest).split(b"\n")
        rest = pieces[0]
        end = begin + sum(len(piece) + 1 for piece in pieces)
        for piece in reversed(pieces[1:]):
            end -= len(piece) + 1
            yield end, piece
    yield 0, rest
