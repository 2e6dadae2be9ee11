"""An archive that is unpacked into a volume: all of it, or nothing."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from images_data import Tar
from moby_tui.engine.engine import Engine
from moby_tui.errors import InvalidArgument, MobyError, StorageFull
from volumes.test_copying import made, nothing_left

Cli = Callable[..., subprocess.CompletedProcess[str]]


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


async def test_it_merges_as_docker_unpacks(engine: Engine) -> None:
    data = await made(engine.volumes, "vol")
    for folder in ("kept", "mine", "dir"):
        (data / folder).mkdir(0o750)
        (data / folder / "old").write_text("old")
    os.chown(data / "mine", 7, 8)
    os.utime(data / "mine", (1, 1))
    (data / "file").write_text("old")
    (data / "link").symlink_to("kept")
    (data / "gone").symlink_to("kept")
    tar = (
        Tar()
        .add("new/deep/x", data=b"new")
        .add("mine/x", data=b"new")
        .add("link/x", data=b"new")
        .directory("gone")
        .add("gone/x", data=b"new")
        .directory("file")
        .add("dir", data=b"new")
        .link("linked", "kept/old")
    )
    await engine.volumes.archive_put("vol", "/", pieces(tar.bytes()))
    assert contents(data) == {
        "dir": "new",
        "gone/x": "new",
        "kept/old": "old",
        "kept/x": "new",
        "linked": "old",
        "mine/old": "old",
        "mine/x": "new",
        "new/deep/x": "new",
    }
    status = (data / "mine").stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (7, 8, 0o750) and status.st_mtime > 1
    assert (data / "link").is_symlink() and (data / "file").is_dir() and not (data / "gone").is_symlink()
    assert (data / "linked").stat().st_ino == (data / "kept/old").stat().st_ino and nothing_left(engine.paths.volumes)


async def test_into_a_folder_of_the_volume(engine: Engine) -> None:
    data = await made(engine.volumes, "vol")
    (data / "a/b").mkdir(parents=True, mode=0o700)
    (data / "way").symlink_to("/a/b")
    await engine.volumes.archive_put("vol", "/way", pieces(Tar().add("x", data=b"1").add("c/y", data=b"2").bytes()))
    assert contents(data) == {"a/b/x": "1", "a/b/c/y": "2"} and (data / "way").is_symlink()


@pytest.mark.parametrize(("there", "coming"), [("directory", "non-directory"), ("non-directory", "directory")])
async def test_nothing_takes_the_place_of_a_directory_if_that_is_not_wanted(engine: Engine, there: str, coming: str) -> None:
    data = await made(engine.volumes, "vol")
    (data / "d").mkdir()
    if there == "directory":
        (data / "d/x").mkdir()
    else:
        (data / "d/x").write_text("old")
    tar = Tar().add("first", data=b"1")
    tar = tar.add("d/x", data=b"new") if coming == "non-directory" else tar.directory("d/x")
    with pytest.raises(InvalidArgument, match=f'cannot overwrite {there} "/d/x" with {coming} "d/x"'):
        await engine.volumes.archive_put("vol", "/", pieces(tar.bytes()), no_overwrite_dir_non_dir=True)
    assert os.listdir(data) == ["d"] and nothing_left(engine.paths.volumes)


async def test_one_that_fails_changes_nothing(engine: Engine) -> None:
    data, _ = await made(engine.volumes, "vol"), await made(engine.volumes, "small", size="2m")
    for volume in ("vol", "small"):
        await engine.volumes.archive_put(volume, "/", pieces(Tar().add("a", data=b"old").bytes()))
    good = Tar().add("a", data=b"new").add("b", data=b"new").add("c", data=os.urandom(4 << 20)).bytes()
    for bad in (good[: 3 << 20], good[:512] + good[700:], good[: 1 << 20] + b"\1" * (1 << 20), b"\x1f\x8b\x08" + good):
        with pytest.raises(InvalidArgument):
            await engine.volumes.archive_put("vol", "/", pieces(bad))
    with pytest.raises(StorageFull):
        await engine.volumes.archive_put("small", "/", pieces(good))
    (data / "sub").mkdir()
    with pytest.raises(MobyError, match="leads out"):
        await engine.volumes.archive_put("vol", "/", pieces(Tar().add("a", data=b"new").add("../x", data=b"x").bytes()))
    assert contents(data) == {"a": "old"} and nothing_left(engine.paths.volumes)
    assert [entry.name async for entry in engine.volumes.files("small") if entry.name != "lost+found"] == ["a"]


async def test_a_caller_that_hangs_up(engine: Engine) -> None:
    data = await made(engine.volumes, "vol")
    began = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield Tar().add("a", data=os.urandom(2 << 20)).bytes()[: 2 << 20]
        began.set()
        await asyncio.Event().wait()

    importing = asyncio.ensure_future(engine.volumes.archive_put("vol", "/", slow()))
    await began.wait()
    importing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await importing
    assert os.listdir(data) == [] and nothing_left(engine.paths.volumes)


@pytest.mark.parametrize(
    ("point", "whole"),
    [
        ("volumes.copy noted", False),
        ("volumes.import begun", False),
        ("volumes.copy complete", True),
        ("volumes.copy entry placed", True),
    ],
)
async def test_one_that_was_killed(cli: Cli, engine: Engine, tmp_path: Path, point: str, whole: bool) -> None:
    data = await made(engine.volumes, "vol")
    (data / "a").mkdir()
    (tmp_path / "tar").write_bytes(Tar().add("a", data=b"new").add("b", data=b"new").bytes())
    fault = tmp_path / "fault"
    fault.write_text(json.dumps({"point": point, "action": "kill"}))
    killed = cli("volume", "import", "vol", str(tmp_path / "tar"), env={"MOBY_FAULT": str(fault)}, check=False)
    assert killed.returncode == -signal.SIGKILL
    async with Engine.open(engine.paths.data_root, engine.paths.exec_root):
        pass
    assert contents(data) == (dict.fromkeys("ab", "new") if whole else {}) and nothing_left(engine.paths.volumes)


async def test_one_that_is_killed_while_it_reads(engine: Engine, roots: tuple[Path, Path]) -> None:
    data = await made(engine.volumes, "vol")
    environment = os.environ | {"MOBY_DATA_ROOT": str(roots[0]), "MOBY_EXEC_ROOT": str(roots[1])}
    command = [sys.executable, "-m", "moby_tui", "volume", "import", "vol", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) as process:
        assert process.stdin is not None
        process.stdin.write(Tar().add("a", data=b"new").bytes()[:1024])
        process.stdin.write(Tar().add("b", data=os.urandom(4 << 20)).bytes()[: 3 << 20])
        process.stdin.flush()
        while not list(data.glob(".moby-copying-*/a")):
            await asyncio.sleep(0.01)
        process.kill()
        process.stdin.close()
    async with Engine.open(*roots):
        pass
    assert os.listdir(data) == [] and nothing_left(engine.paths.volumes)
