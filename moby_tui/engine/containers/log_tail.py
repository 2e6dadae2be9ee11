"""The end of a container's log, kept in the history when the container is removed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from moby_tui.engine.containers import logs
from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.history.journal import HistoryJournal
from moby_tui.engine.history.records import LogLine, LogTail
from moby_tui.engine.runtime.client.log_files import Entry, LogFile, newer_than
from moby_tui.engine.store.records.containers import ContainerRecord
from moby_tui.errors import MobyError

#: Of a log at most so many lines and bytes are kept.
MOST_LINES, MOST_BYTES = 2000, 256 * 1024


class HeldLog:
    """The files of a log, held open: they can be read after the container's folder is gone.

    Nothing is held of a container that was given secrets: what it wrote of them goes with it.
    """

    def __init__(self, parts: Parts, record: ContainerRecord) -> None:
        """Of a log that cannot be read there is nothing to hold."""
        self._record = record
        self._files: list[LogFile] = []
        self._path = self._kind = ""
        with contextlib.suppress(MobyError):
            kept = logs.settings(record)
            if kept.readable and not record.host_config.secrets:
                self._path, self._kind = str(logs.path(parts.files(record), kept)), kept.format
        self.look_again()

    def look_again(self) -> None:
        """Holds the files that a rotation has made too. The two newest are enough for a tail."""
        if self._path:
            with contextlib.suppress(OSError):
                self._files += newer_than(self._path, self._kind, self._files[-1] if self._files else None)
        while len(self._files) > 2:
            self._files.pop(0).close()

    def tail(self, exit_code: int) -> LogTail | None:
        """The last lines; None for a log without any."""
        lines: list[LogLine] = []
        size = 0
        for entry in self._backward():
            size += len(entry.text)
            if len(lines) == MOST_LINES or size > MOST_BYTES:
                break
            lines.append(LogLine(entry.time, entry.stream, entry.text))
        if not lines:
            return None
        record = self._record
        return LogTail(time.time_ns(), record.id, record.name, record.image, exit_code, tuple(reversed(lines)))

    def close(self) -> None:
        for file in self._files:
            file.close()
        self._files.clear()

    def _backward(self) -> Iterator[Entry]:
        for file in reversed(self._files):
            with contextlib.suppress(OSError, ValueError):
                for _, entries in file.reader.backward():
                    yield from reversed(entries)


def open_journal(parts: Parts) -> HistoryJournal | None:
    """The history of this data root; None if none is kept."""
    options = parts.options()
    if not options.history_size:
        return None
    return HistoryJournal(parts.paths.history, max_bytes=options.history_size, max_age=options.history_days * 86400.0)


def keep(parts: Parts, record: ContainerRecord, exit_code: int) -> None:
    """Keeps the end of the log of a container that is about to be removed. Never raises: the removal goes on."""
    journal = open_journal(parts)
    if journal is None:
        return
    held = HeldLog(parts, record)
    try:
        tail = held.tail(exit_code)
    finally:
        held.close()
    if tail is not None:
        journal.append(tail)
