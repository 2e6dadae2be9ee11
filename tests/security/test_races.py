"""Links exchanged for folders while the engine works in a container's files; short, and bounded by time."""

from __future__ import annotations

import asyncio
import ctypes
import io
import os
import tarfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from moby_tui.errors import MobyError
from security.attacker import Attacker

_RENAME_EXCHANGE = 2
_TURNS = 12
_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def exchanging(folder: Path, one: str, other: str) -> Iterator[None]:
    """Exchanges two names without pause (renameat2), as an attacker in the container or beside it does."""
    stop = threading.Event()
    first, second = os.fsencode(folder / one), os.fsencode(folder / other)

    def work() -> None:
        while not stop.is_set():
            _libc.renameat2(-100, first, -100, second, _RENAME_EXCHANGE)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def trap(folder: Path, outside: Path) -> None:
    """``real`` is a folder, ``link`` leads out: to the host's, by an absolute and a relative way."""
    (folder / "real").mkdir()
    (folder / "link").symlink_to("../" * 12 + str(outside).lstrip("/"))


async def test_a_mount_point_that_is_exchanged(attacker: Attacker, tmp_path: Path) -> None:
    """CVE-2021-30465, CVE-2024-45310: the mount points lie in a volume that another container changes meanwhile."""
    shared, outside, source = tmp_path / "shared", tmp_path / "outside", tmp_path / "source"
    for folder in (shared, outside, source):
        folder.mkdir()
    (source / "file").write_text("bound")
    trap(shared, outside)
    host = {"binds": [f"{shared}:/v", f"{source}:/v/real/deep/er"], "tmpfs": {"/v/real/tmp": ""}}
    with exchanging(shared, "real", "link"):
        for _ in range(_TURNS):
            ident = await attacker.create("cat", "/v/real/deep/er/file", host=host)
            with suppress(MobyError):
                await attacker.engine.containers.start(ident)
                await (await attacker.engine.containers.wait(ident)).result()
            await attacker.engine.containers.remove(ident, force=True)
    assert list(outside.iterdir()) == [] and str(outside) not in Path("/proc/self/mountinfo").read_text()


async def test_a_dev_that_is_exchanged(attacker: Attacker, tmp_path: Path) -> None:
    """CVE-2026-41579, CVE-2026-47766: device nodes made through a /dev that is a link when it matters."""
    outside = tmp_path / "outside"
    outside.mkdir()
    for _ in range(_TURNS // 2):
        ident = await attacker.create("true", tty=True)
        layer = attacker.layer(ident)
        (layer / "dev").mkdir()
        (layer / "other").symlink_to("../" * 12 + str(outside).lstrip("/"))
        with exchanging(layer, "dev", "other"), suppress(MobyError):
            await attacker.engine.containers.start(ident)
        await attacker.engine.containers.remove(ident, force=True)
    assert list(outside.iterdir()) == []


async def test_a_copy_out_past_an_exchanged_link(attacker: Attacker, tmp_path: Path) -> None:
    """CVE-2018-15664, reading: no byte of the host's file is in any archive."""
    (tmp_path / "secret").write_text("of the host")
    ident = await attacker.start("sleep", "60")
    layer = attacker.layer(ident)
    trap(layer, tmp_path)
    (layer / "real" / "secret").write_text("of the image")
    with exchanging(layer, "real", "link"):
        for _ in range(_TURNS * 3):
            for path in ("/real/secret", "/real", "/real/."):
                with suppress(MobyError):
                    _, pieces = await attacker.engine.containers.archive_get(ident, path)
                    assert b"of the host" not in b"".join([piece async for piece in pieces])


async def test_a_copy_in_past_an_exchanged_link(attacker: Attacker, tmp_path: Path) -> None:
    """CVE-2018-15664, writing: nothing is made on the host."""
    ident = await attacker.start("sleep", "60")
    layer = attacker.layer(ident)
    trap(layer, tmp_path)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in ("file", "real/file", "folder/file"):
            entry = tarfile.TarInfo(name)
            entry.size = 1
            tar.addfile(entry, io.BytesIO(b"x"))

    async def content() -> AsyncIterator[bytes]:
        yield buffer.getvalue()

    with exchanging(layer, "real", "link"):
        for _ in range(_TURNS * 3):
            for path in ("/real", "/"):
                with suppress(MobyError):
                    await attacker.engine.containers.archive_put(ident, path, content())
    assert list(tmp_path.iterdir()) == []


async def test_a_working_directory_that_is_exchanged(attacker: Attacker, tmp_path: Path) -> None:
    """An exec enters its working directory while that becomes a link and back."""
    ident = await attacker.start("sleep", "60")
    layer = attacker.layer(ident)
    trap(layer, tmp_path)
    (tmp_path / "mark").touch()
    with exchanging(layer, "real", "link"):
        for _ in range(_TURNS):
            done = await attacker.exec(ident, "ls", working_dir="/real")
            assert "mark" not in done.out
            await asyncio.sleep(0)
