"""Reading a container's log: from any point, back to the oldest rotated file, and on while the container writes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from urllib.parse import quote_plus

from moby_tui.engine.kernel.inotify import IN_CREATE, IN_MODIFY, IN_MOVED_TO, watching
from moby_tui.engine.runtime.client.log_files import Entry, LogFile, newer_than
from moby_tui.engine.runtime.monitor.logs.json_file import format_time
from moby_tui.schema.container import LogOptions
from moby_tui.schema.stream import STDERR, STDOUT

#: How often a follower looks whether the container still runs, where nothing told it.
_LOOK = 1.0
#: How often where nothing can tell it that the log has grown.
_UNWATCHED_SECONDS = 0.1
_STREAMS = {"stdout": STDOUT, "stderr": STDERR}


async def read(
    path: str | os.PathLike[str], options: LogOptions, alive: Callable[[], bool] = lambda: False, kind: str = "json-file"
) -> AsyncIterator[tuple[int, bytes]]:
    """Yields ``(STDOUT or STDERR, text)``, one entry of the log each: a line with its newline, or a piece of a long one.

    ``tail`` counts lines among those that the other options select. With ``follow`` it goes on, over rotations, until ``alive``
    is false and all is read; the folder of ``path`` must exist, and a change in it (the container's ``state.json``) prompts the
    question. ``kind`` is the format of the files. Raises ``Unavailable`` at the user's limit of inotify instances.
    """
    selection = _Selection(options)
    with contextlib.ExitStack() as stack:
        change = stack.enter_context(_Change(Path(path).parent)) if options.follow else None
        log = stack.enter_context(contextlib.closing(_Log(os.fspath(path), kind)))
        if options.tail is not None:
            log.seek(*_tail_position(log.files, selection, options.tail))
        while True:
            last_look = change is None or not alive()
            for entries in log.read():
                for entry in entries:
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
        self._details = options.details
        self._within_line: set[str] = set()

    def has(self, entry: Entry) -> bool:
        return entry.stream in self._streams and self._since <= entry.time <= self._until

    def text(self, entry: Entry) -> bytes:
        """What is shown of an entry; time and details stand at the beginning of a line, not within one."""
        begins = entry.stream not in self._within_line
        if entry.text.endswith(b"\n"):
            self._within_line.discard(entry.stream)
        else:
            self._within_line.add(entry.stream)
        if not begins:
            return entry.text
        before = f"{entry.time} " if self._timestamps else ""
        if self._details:
            before += _details(entry.attributes) + " "
        return before.encode() + entry.text if before else entry.text

    def is_over(self) -> bool:
        """Whether nothing that will be written can be selected."""
        return bool(self._end) and time.time() > self._end

    def remaining(self) -> float:
        return max(0.0, self._end - time.time()) + 0.001 if self._end else _LOOK


def _details(attributes: dict[str, str]) -> str:
    """As ``docker logs --details`` shows them: sorted, and quoted as in a query."""
    return ",".join(f"{quote_plus(key)}={quote_plus(value)}" for key, value in sorted(attributes.items()))


class _Log:
    """The files of a log, oldest first."""

    def __init__(self, path: str, kind: str) -> None:
        self._path = path
        self._kind = kind
        self.files = newer_than(path, kind, None)
        self._offset = 0
        self._skip = 0

    def seek(self, index: int, offset: int, skip: int) -> None:
        """Goes to an offset in one of the files, less the first entries there, and lets go of the older files."""
        self._offset, self._skip = offset, skip
        for file in self.files[:index]:
            file.close()
        del self.files[:index]

    def read(self) -> Iterator[list[Entry]]:
        """The whole entries that are there and were not read yet, some at a time."""
        # Looked up before the end is read: what has been replaced by then is written no more.
        self.files += newer_than(self._path, self._kind, self.files[-1] if self.files else None)
        while self.files:
            yield from self._read_first()
            if len(self.files) == 1:
                return
            self.seek(1, 0, 0)

    def close(self) -> None:
        for file in self.files:
            file.close()

    def _read_first(self) -> Iterator[list[Entry]]:
        reader = self.files[0].reader
        while True:
            entries, end = reader.forward(self._offset)
            if end == self._offset:
                return
            skipped, self._offset, self._skip = entries[self._skip :], end, 0
            yield skipped


class _Change:
    """Waits for changes in a folder. Where the kernel has no more watches to give, whoever waits looks for itself."""

    def __init__(self, folder: Path) -> None:
        self._inotify = watching(str(folder), IN_MODIFY | IN_CREATE | IN_MOVED_TO)
        self._changed = asyncio.Event()

    def __enter__(self) -> _Change:
        self._loop = asyncio.get_running_loop()
        if self._inotify is not None:
            self._loop.add_reader(self._inotify.fileno(), self._wake)
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._inotify is None:
            return
        if not self._loop.is_closed():
            self._loop.remove_reader(self._inotify.fileno())
        self._inotify.close()

    async def wait(self, timeout: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout if self._inotify is not None else min(timeout, _UNWATCHED_SECONDS)):
                await self._changed.wait()
        self._changed.clear()

    def _wake(self) -> None:
        assert self._inotify is not None
        self._inotify.read()
        self._changed.set()


def _tail_position(files: list[LogFile], selection: _Selection, count: int) -> tuple[int, int, int]:
    """Where the last ``count`` selected lines begin: index of the file, offset in it, entries to leave out there.

    Reads backwards from the end.
    """
    position = _end_of(files)
    open_lines: set[str] = set()
    lines = 0
    for index in range(len(files) - 1, -1, -1):
        for offset, entries in files[index].reader.backward():
            for number in range(len(entries) - 1, -1, -1):
                entry = entries[number]
                if not selection.has(entry):
                    continue
                if entry.text.endswith(b"\n") or entry.stream not in open_lines:
                    if lines == count:
                        return position
                    lines += 1
                    open_lines.add(entry.stream)
                position = (index, offset, number)
    return position


def _end_of(files: list[LogFile]) -> tuple[int, int, int]:
    """Behind the last whole entry."""
    if not files:
        return 0, 0, 0
    last = next(files[-1].reader.backward(), None)
    if last is None:
        return len(files) - 1, 0, 0
    return len(files) - 1, last[0], len(last[1])
