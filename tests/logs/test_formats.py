"""The files of the drivers json-file and local: their bytes, their rotation, and what is read back of them."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moby_tui.engine.protocol.log import LogSettings
from moby_tui.engine.runtime.client.log_reader import read
from moby_tui.engine.runtime.monitor.logs.container_log import ContainerLog
from moby_tui.engine.runtime.monitor.logs.destination import open_sink
from moby_tui.engine.runtime.monitor.logs.json_file import escape
from moby_tui.schema.container import LogOptions

KINDS = ("json-file", "local")


def opened(path: Path, kept: LogSettings) -> ContainerLog:
    return ContainerLog(open_sink(str(path), kept))


async def collect(path: Path, kind: str, **options: object) -> list[bytes]:
    return [text async for _, text in read(str(path), LogOptions(**options), kind=kind)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("raw", "written"),
    [
        (b"\t\b\f\r\x1b\x7f", rb"\u0009\u0008\u000c\r\u001b" + b"\x7f"),
        (b'<a href="x">&</a>', rb"\u003ca href=\"x\"\u003e\u0026\u003c/a\u003e"),
        (b"back\\slash \\u0041", rb"back\\slash \\u0041"),
        ("é 🐍 \u2028\u2029".encode(), "é 🐍 ".encode() + rb"\u2028\u2029"),
        (b"?\xff?\xe2\x82?\x01", rb"?\ufffd?\ufffd\ufffd?\u0001"),
        (b"\0" * 1000, rb"\u0000" * 1000),
        (b"\0" * 300 + b"x" + b"\0" * 300, rb"\u0000" * 300 + b"x" + rb"\u0000" * 300),
    ],
)
def test_escapes_are_dockers(raw: bytes, written: bytes) -> None:
    assert escape(raw) == written


@given(st.binary(max_size=400))
def test_whatever_is_escaped_is_json_of_the_same_text(raw: bytes) -> None:
    raw = raw.replace(b"\n", b"")
    text = raw.decode("utf-8", "surrogateescape")
    expected = "".join("\ufffd" if "\udc80" <= character <= "\udcff" else character for character in text)
    assert json.loads(b'"' + escape(raw) + b'"') == expected


def test_attributes_stand_before_the_time(tmp_path: Path) -> None:
    log = opened(tmp_path / "log", LogSettings(attributes='{"a":"1"}'))
    log.write("stdout", b"x\n")
    log.close()
    assert re.fullmatch(
        rb'\{"log":"x\\n","stream":"stdout","attrs":\{"a":"1"\},"time":"[^"]{30}"\}\n', (tmp_path / "log").read_bytes()
    )


@pytest.mark.parametrize("kind", KINDS)
async def test_details_are_shown_in_every_file(tmp_path: Path, kind: str) -> None:
    log = opened(tmp_path / "log", LogSettings(driver=kind, max_size=150, max_files=20, attributes='{"b":"x y","a":"1"}'))
    for number in range(10):
        log.write("stdout", b"%d\n" % number)
    log.close()
    assert (tmp_path / "log.1").exists()
    shown = await collect(tmp_path / "log", kind, details=True)
    assert shown == [b"a=1,b=x+y %d\n" % number for number in range(10)]
    assert await collect(tmp_path / "log", kind, details=True, tail=1) == shown[-1:]


async def test_a_log_of_docker_itself_is_read(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(
        '{"log":"a\\n","stream":"stdout","attrs":{"tag":"t"},"time":"2026-01-01T00:00:00.12Z"}\n'
        '{"stream":"stdout","time":"2026-01-01T00:00:01Z"}\n'
    )
    assert await collect(tmp_path / "log", "json-file", timestamps=True) == [
        b"2026-01-01T00:00:00.120000000Z a\n",
        b"2026-01-01T00:00:01.000000000Z ",
    ]


text = st.text(alphabet=st.one_of(st.characters(exclude_categories=["Cs"]), st.just("\n")), max_size=60)
writes = st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), text), max_size=25)


@settings(deadline=None, max_examples=60)
@given(writes, st.sampled_from(KINDS), st.integers(1, 900), st.booleans(), st.integers(0, 12))
def test_nothing_is_lost_at_any_boundary(written: list[tuple[str, str]], kind: str, size: int, compress: bool, tail: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "log"
        log = opened(path, LogSettings(driver=kind, max_size=size, max_files=900, compress=compress))
        for stream, data in written:
            log.write(stream, data.encode())
        log.close()
        found = asyncio.run(collect(path, kind))
        for stream in ("stdout", "stderr"):
            mine = asyncio.run(collect(path, kind, stdout=stream == "stdout", stderr=stream == "stderr"))
            assert b"".join(mine) == "".join(data for name, data in written if name == stream).encode()
        assert asyncio.run(collect(path, kind, tail=tail)) == found[max(0, len(found) - tail) :]
        plain = [each for each in Path(directory).iterdir() if re.search(r"\.\d+$", each.name)]
        assert not (compress and plain)


async def test_local_keeps_every_byte(tmp_path: Path) -> None:
    raw = bytes(range(256)) * 300
    log = opened(tmp_path / "log", LogSettings(driver="local"))
    for start in range(0, len(raw), 777):
        log.write("stdout", raw[start : start + 777])
    log.close()
    assert b"".join(await collect(tmp_path / "log", "local")) == raw


async def test_a_record_that_a_crash_tore_is_cut_off(tmp_path: Path) -> None:
    log = opened(tmp_path / "log", LogSettings(driver="local"))
    log.write("stdout", b"one\ntwo\n")
    log.close()
    whole = (tmp_path / "log").read_bytes()
    (tmp_path / "log").write_bytes(whole + whole[:9])
    assert await collect(tmp_path / "log", "local") == [b"one\n", b"two\n"]
    log = opened(tmp_path / "log", LogSettings(driver="local"))
    log.write("stderr", b"three\n")
    log.close()
    assert await collect(tmp_path / "log", "local") == [b"one\n", b"two\n", b"three\n"]
    assert await collect(tmp_path / "log", "local", tail=2) == [b"two\n", b"three\n"]


def test_rotated_files_are_compressed_and_bounded(tmp_path: Path) -> None:
    log = opened(tmp_path / "log", LogSettings(max_size=10_000, max_files=3, compress=True))
    for number in range(2000):
        log.write("stdout", b"line %d\n" % number)
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1.gz", "log.2.gz"]
    older = gzip.decompress((tmp_path / "log.1.gz").read_bytes())
    assert len(older) <= 10_000 and json.loads(older.splitlines()[0])["log"].startswith("line ")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_follower_goes_on_behind_compressed_files(tmp_path: Path, kind: str) -> None:
    """Its file is renamed, compressed and taken away while it waits: it goes on with the next, and misses nothing."""
    log = opened(tmp_path / "log", LogSettings(driver=kind, max_size=2_000, max_files=60, compress=True))
    running = True
    found: list[bytes] = []

    async def follow() -> None:
        async for _, line in read(str(tmp_path / "log"), LogOptions(follow=True), lambda: running, kind):
            found.append(line)

    task = asyncio.create_task(follow())
    for number in range(0, 600, 30):
        for each in range(number, number + 30):
            log.write("stdout", b"line %d\n" % each)
        await asyncio.sleep(0.01)
    log.close()
    running = False
    async with asyncio.timeout(20):
        await task
    assert found == [b"line %d\n" % number for number in range(600)]
    assert list(tmp_path.glob("log.*.gz"))
