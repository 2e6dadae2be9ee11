"""The history on disk: bounds, damage, several writers."""

from __future__ import annotations

import logging
import os
import threading
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moby_tui.engine.history import journal as module
from moby_tui.engine.history.journal import HistoryJournal
from moby_tui.engine.history.records import LogLine, LogTail, Name, Row, Sample


def journal(folder: Path, *, max_bytes: int = 64 << 20, max_age: float = 86400.0) -> HistoryJournal:
    return HistoryJournal(folder / "history", max_bytes=max_bytes, max_age=max_age)


def some(count: int, size: int = 1) -> list[Sample]:
    return [Sample(number + 1, tuple(Row(id=f"{number:x}" * 4, cpu=number) for _ in range(size))) for number in range(count)]


def segments(folder: Path) -> list[Path]:
    return sorted((folder / "history").glob("*.history"))


def test_what_is_written_is_read_and_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1)
    kept = journal(tmp_path)
    tail = LogTail(5, "b" * 64, "web", "nginx", 137, (LogLine("2026-11-29T10:00:00.000000000Z", "stderr", b"\xff\n"),))
    records: list[Sample | Name | LogTail] = [*some(3), Name(4, "a" * 64, "db", "postgres"), tail]
    assert kept.append(*records)
    assert list(kept.read()) == records
    assert list(kept.read(2, 4)) == records[1:4]
    assert segments(tmp_path)[0].stat().st_mode & 0o777 == 0o600 and (tmp_path / "history").stat().st_mode & 0o777 == 0o700
    assert list(journal(tmp_path / "none").read()) == [] and journal(tmp_path / "none").size() == 0


def test_bytes_and_age_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = journal(tmp_path, max_bytes=1 << 20)
    for sample in some(600, size=100):
        assert kept.append(sample)
        assert kept.size() <= 1 << 20
    left = list(kept.read())
    assert left[-1].time == 600 and 0 < len(left) < 600, "the newest stay"
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now + 3 * 86400 * 10**9)
    kept.append(Sample(now, ()))
    assert len(segments(tmp_path)) <= 2 and list(kept.read())[-1] == Sample(now, ())


@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_damage_costs_only_the_records_it_is_in(tmp_path_factory: Any, place: Any, rubbish: Any) -> None:
    folder = tmp_path_factory.mktemp("damage")
    kept = journal(folder)
    records = some(40)
    kept.append(*records)
    file = segments(folder)[0]
    data = bytearray(file.read_bytes())
    place %= len(data)
    data[place : place + len(rubbish)] = rubbish
    file.write_bytes(data)
    read = list(kept.read())
    size = len(data) // len(records)
    assert all(one in records for one in read)
    assert len(read) >= len(records) - 2 - len(rubbish) // size


def test_a_killed_writer_loses_only_its_record(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept = journal(tmp_path)
    kept.append(*some(3))
    file = segments(tmp_path)[0]
    os.truncate(file, file.stat().st_size - 5)
    assert kept.append(Sample(9, ()))
    with caplog.at_level(logging.WARNING):
        assert [one.time for one in kept.read()] == [1, 2, 9]
    assert len(caplog.records) == 1 and "damaged bytes" in caplog.text


def test_hostile_segments_are_passed_over_with_a_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept = journal(tmp_path, max_bytes=1 << 20)
    kept.append(*some(2))
    folder = tmp_path / "history"
    (folder / f"{1:020d}.history").symlink_to("/dev/zero")
    os.mkfifo(folder / f"{2:020d}.history")
    (folder / f"{3:020d}.history").mkdir()
    with (folder / f"{4:020d}.history").open("wb") as file:
        file.truncate(1 << 33)
    (folder / "not a number.history").write_bytes(b"x")
    header = module._HEAD.pack(module._MAGIC, 1, 0xFFFFFFFF, 0)
    (folder / f"{5:020d}.history").write_bytes(header + b"\xf5MH" * 100)
    later = module._HEAD.pack(module._MAGIC, 9, 3, zlib.crc32(b"new")) + b"new"
    (folder / f"{6:020d}.history").write_bytes(later)
    with caplog.at_level(logging.WARNING):
        assert [one.time for one in kept.read()] == [1, 2]
    assert len(caplog.records) == 4


def test_many_writers(tmp_path: Path) -> None:
    def write(number: int) -> None:
        kept = journal(tmp_path)
        for turn in range(50):
            assert kept.append(Sample(number * 1000 + turn + 1, (Row(id="x" * 64),) * 20))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(journal(tmp_path).read())) == 200


def test_a_full_disk_or_a_file_in_the_way_raises_nothing(tmp_path: Path) -> None:
    (tmp_path / "history").write_text("in the way")
    kept = journal(tmp_path)
    assert not kept.append(*some(1)) and list(kept.read()) == [] and kept.oldest() == 0
