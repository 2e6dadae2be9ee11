"""The container's log and its reader: what was written comes back, whatever happens to the files."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moby_tui.engine.protocol.log import LogSettings
from moby_tui.engine.runtime.client.log_reader import read
from moby_tui.engine.runtime.monitor.logs.container_log import MAX_PIECE, ContainerLog
from moby_tui.engine.runtime.monitor.logs.destination import open_sink
from moby_tui.engine.runtime.monitor.logs.json_file import JsonFile
from moby_tui.schema.container import LogOptions

UNBOUNDED = LogSettings(max_size=0)
text = st.text(alphabet=st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from('\n\n"\\\r\t\x00\x1b\x7f\u2028')))
writes = st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), text), max_size=12)


def opened(path: str, kept: LogSettings | None = None) -> ContainerLog:
    return ContainerLog(open_sink(path, kept or LogSettings()))


async def collect(path: Path, **options: object) -> list[tuple[int, bytes]]:
    return [item async for item in read(str(path), LogOptions(**options))]  # type: ignore[arg-type]


def lines(entries: list[tuple[int, bytes]]) -> list[bytes]:
    return [line for _, line in entries]


def entries(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_a_line_is_dockers(tmp_path: Path) -> None:
    log = opened(str(tmp_path / "log"))
    log.write("stderr", b'say "hi" \\ \x1b[1m\n')
    log.close()
    pattern = rb'\{"log":"say \\"hi\\" \\\\ \\u001b\[1m\\n","stream":"stderr","time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z"\}\n'
    assert re.fullmatch(pattern, (tmp_path / "log").read_bytes())


@settings(deadline=None)
@given(writes, st.sampled_from([1, 7, 1 << 20]))
def test_what_is_written_in_any_pieces_comes_back(written: list[tuple[str, str]], piece: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "log"
        log = opened(str(path), UNBOUNDED)
        for stream, data in written:
            raw = data.encode()
            for start in range(0, len(raw), piece):
                log.write(stream, raw[start : start + piece])
        log.close()
        found = asyncio.run(collect(path))
        for fd, name in ((1, "stdout"), (2, "stderr")):
            assert (
                b"".join(data for number, data in found if number == fd) == "".join(d for s, d in written if s == name).encode()
            )
        assert all(data.count(b"\n") == data.endswith(b"\n") for _, data in found)


@pytest.mark.parametrize("length", [MAX_PIECE - 1, MAX_PIECE, MAX_PIECE + 1, 3 * MAX_PIECE, 3 * MAX_PIECE + 5])
@pytest.mark.parametrize("character", ["x", "é", "🐍"])
@pytest.mark.parametrize("block", [1000, 1 << 20])
async def test_long_lines_are_cut_at_characters_and_only_the_last_piece_ends_the_line(
    tmp_path: Path, length: int, character: str, block: int
) -> None:
    raw = ("a" + character * length).encode() + b"\r\nnext\n"
    log = opened(str(tmp_path / "log"), UNBOUNDED)
    for start in range(0, len(raw), block):
        log.write("stdout", raw[start : start + block])
    log.close()
    pieces = lines(await collect(tmp_path / "log"))
    assert b"".join(pieces) == raw and pieces[-1] == b"next\n"
    assert all(len(piece) <= MAX_PIECE + 1 for piece in pieces)
    assert [piece.endswith(b"\n") for piece in pieces] == [False] * (len(pieces) - 2) + [True, True]
    shown = lines(await collect(tmp_path / "log", timestamps=True))
    assert sum(re.match(rb"\d{4}-\d\d-\d\dT", piece) is not None for piece in shown) == 2


async def test_what_is_not_utf8_is_replaced_and_breaks_no_line(tmp_path: Path) -> None:
    log = opened(str(tmp_path / "log"))
    log.write("stdout", b"a\xff\xfeb\n\xc3\nok\n" + b"\x80" * (MAX_PIECE * 2))
    log.close()
    found = lines(await collect(tmp_path / "log"))
    assert found[:3] == ["a��b\n".encode(), "�\n".encode(), b"ok\n"]
    assert b"".join(found[3:]).decode() == "�" * (MAX_PIECE * 2)


def test_rotation_keeps_the_bound_and_whole_lines(tmp_path: Path) -> None:
    log = opened(str(tmp_path / "log"), LogSettings(max_size=1000, max_files=3))
    for number in range(0, 200, 20):
        log.write("stdout", b"".join(b"line %d\n" % n for n in range(number, number + 20)))
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1", "log.2"]
    assert all(path.stat().st_size <= 1000 for path in tmp_path.iterdir())
    kept = [entry["log"] for name in ("log.2", "log.1", "log") for entry in entries(tmp_path / name)]
    assert kept == [f"line {n}\n" for n in range(200 - len(kept), 200)] and len(kept) > 20


def test_one_file_only_and_a_line_larger_than_the_bound(tmp_path: Path) -> None:
    log = opened(str(tmp_path / "log"), LogSettings(max_size=100, max_files=1))
    for _ in range(3):
        log.write("stdout", b"x" * 500 + b"\n")
    log.close()
    assert [len(entry["log"]) for entry in entries(tmp_path / "log")] == [501]
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


async def test_a_line_torn_by_a_crash_costs_no_other(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b'{"log":"to')
    log = opened(str(path))
    log.write("stdout", b"whole\n")
    log.close()
    assert lines(await collect(path)) == [b"whole\n"]


def test_a_full_disk_drops_and_counts_whole_lines(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], check=True)
    try:
        sink = JsonFile(str(tmp_path / "log"), LogSettings(max_size=40_000, max_files=3))
        log = ContainerLog(sink)
        for number in range(100):
            log.write("stdout", b"%d " % number + b"x" * 3000 + b"\n")
        assert sink.dropped > 0
        for path in tmp_path.iterdir():
            path.unlink() if path.name != "log" else None
        log.write("stdout", b"again\n")
        log.close()
        assert entries(tmp_path / "log")[-1]["log"] == "again\n"
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@settings(deadline=None)
@given(writes, st.integers(0, 30), st.booleans(), st.booleans(), st.sampled_from([0, 300, 4000]))
def test_tail_is_the_end_of_everything(written: list[tuple[str, str]], tail: int, stdout: bool, stderr: bool, size: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "log"
        log = opened(str(path), LogSettings(max_size=size, max_files=50))
        for stream, data in written:
            log.write(stream, data.encode())
        log.close()
        everything = asyncio.run(collect(path, stdout=stdout, stderr=stderr))
        expected = everything[max(0, len(everything) - tail) :]
        assert asyncio.run(collect(path, stdout=stdout, stderr=stderr, tail=tail)) == expected


async def test_tail_counts_a_long_line_once(tmp_path: Path) -> None:
    log = opened(str(tmp_path / "log"), UNBOUNDED)
    log.write("stdout", b"first\n" + b"x" * 50_000 + b"\n" + b"y" * 40_000)
    log.close()
    assert b"".join(lines(await collect(tmp_path / "log", tail=1))) == b"y" * 40_000
    assert b"".join(lines(await collect(tmp_path / "log", tail=2))) == b"x" * 50_000 + b"\n" + b"y" * 40_000


async def test_tail_of_a_large_log_reads_only_its_end(tmp_path: Path) -> None:
    log = opened(str(tmp_path / "log"), UNBOUNDED)
    for start in range(0, 200_000, 10_000):
        log.write("stdout", b"".join(b"line %d\n" % n for n in range(start, start + 10_000)))
    log.close()
    before = int(re.search(r"rchar: (\d+)", Path("/proc/self/io").read_text())[1])  # type: ignore[index]
    assert lines(await collect(tmp_path / "log", tail=3)) == [b"line 199997\n", b"line 199998\n", b"line 199999\n"]
    after = int(re.search(r"rchar: (\d+)", Path("/proc/self/io").read_text())[1])  # type: ignore[index]
    assert after - before < 1_500_000 < (tmp_path / "log").stat().st_size


async def test_since_and_until(tmp_path: Path) -> None:
    log = opened(str(tmp_path / "log"))
    log.write("stdout", b"early\n")
    await asyncio.sleep(0.01)
    middle = time.time()
    await asyncio.sleep(0.01)
    log.write("stdout", b"late\n")
    log.close()
    assert lines(await collect(tmp_path / "log", since=middle)) == [b"late\n"]
    assert lines(await collect(tmp_path / "log", until=middle)) == [b"early\n"]
    assert lines(await collect(tmp_path / "log", until=middle, tail=1)) == [b"early\n"]
    assert lines(await collect(tmp_path / "log", since=middle - 100)) == [b"early\n", b"late\n"]


async def test_timestamps_are_those_of_the_log(tmp_path: Path) -> None:
    log = opened(str(tmp_path / "log"))
    log.write("stderr", b"hello\n")
    log.close()
    stamp = entries(tmp_path / "log")[0]["time"]
    assert await collect(tmp_path / "log", timestamps=True) == [(2, f"{stamp} hello\n".encode())]


async def test_no_log_is_empty(tmp_path: Path) -> None:
    assert await collect(tmp_path / "log") == [] == await collect(tmp_path / "log", follow=True, tail=5)


WRITER = """
import sys, time
from moby_tui.engine.runtime.monitor.logs.container_log import ContainerLog
from moby_tui.engine.runtime.monitor.logs.destination import open_sink
from moby_tui.engine.protocol.log import LogSettings
log = ContainerLog(open_sink(sys.argv[1], LogSettings(max_size=30000, max_files=4)))
for number in range(3000):
    log.write("stdout", b"line %d\\n" % number)
    if number % 100 == 0:
        time.sleep(0.005)
log.write("stdout", b"unfinished")
log.close()
"""


async def test_a_follower_reads_all_across_rotations_until_the_end(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", WRITER, str(tmp_path / "log"))
    found = []
    async with asyncio.timeout(30):
        async for _, line in read(str(tmp_path / "log"), LogOptions(follow=True), lambda: process.returncode is None):
            found.append(line)
    assert found == [b"line %d\n" % number for number in range(3000)] + [b"unfinished"]
    assert (tmp_path / "log.3").exists()


async def test_follow_from_a_tail_and_until_a_time(tmp_path: Path) -> None:
    log = opened(str(tmp_path / "log"))
    log.write("stdout", b"1\n2\n3\n")
    found: list[bytes] = []

    async def follow() -> None:
        async for _, line in read(str(tmp_path / "log"), LogOptions(follow=True, tail=1, until=time.time() + 0.5), lambda: True):
            found.append(line)

    task = asyncio.create_task(follow())
    await asyncio.sleep(0.1)
    log.write("stdout", b"4\n")
    async with asyncio.timeout(10):
        await task
    log.close()
    assert found == [b"3\n", b"4\n"]
