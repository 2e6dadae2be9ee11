"""``moby volume cp A:/x B:/y``: what is kept, where it goes, and that a copy that fails or is killed leaves nothing half made."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

import trees
from moby_tui.api.client.address import Address
from moby_tui.api.client.http import HttpClient
from moby_tui.api.client.protocol import Volumes
from moby_tui.api.server.serve import serving
from moby_tui.engine.engine import Engine
from moby_tui.errors import InvalidArgument, MobyError, NotFound, StorageFull
from moby_tui.schema.volume import VolumeCreate

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(params=["engine", "remote"])
async def volumes(request: pytest.FixtureRequest, engine: Engine, tmp_path: Path) -> AsyncIterator[Volumes]:
    if request.param == "engine":
        yield engine.volumes
        return
    async with serving(engine, [f"unix://{tmp_path}/s"]), HttpClient(Address(path=f"{tmp_path}/s")) as client:
        yield client.volumes


async def made(volumes: Volumes, name: str, **options: str) -> Path:
    return Path((await volumes.create(VolumeCreate(name=name, driver_opts=options))).mountpoint)


def fill(folder: Path) -> None:
    """One of everything, a file with holes among it."""
    trees.everything(folder)
    with (folder / "holes").open("wb") as file:
        file.truncate(1 << 24)
        file.seek(1 << 23)
        file.write(b"in the middle")
    os.chown(folder / "holes", 7, 8)


def nothing_left(volumes: Path) -> bool:
    return not [path for path in volumes.rglob(".*") if "copying" in path.name]


async def test_everything_is_kept(volumes: Volumes, engine: Engine) -> None:
    source, target = await made(volumes, "from"), await made(volumes, "to")
    (source / "x").mkdir()
    fill(source / "x")
    await volumes.copy("from", "/x", "to", "/y")
    assert trees.entries(target / "y") == trees.entries(source / "x")
    holes = (target / "y/holes").stat()
    assert (holes.st_size, holes.st_uid, holes.st_gid) == (1 << 24, 7, 8) and holes.st_blocks * 512 < 1 << 20
    # the whole of a volume, its own folder's owner too; and a volume into itself
    source.chmod(0o2711)
    await volumes.copy("from", "/.", "to", "/")
    assert stat.S_IMODE(target.stat().st_mode) == 0o2711 and sorted(os.listdir(target)) == ["x", "y"]
    await volumes.copy("to", "/", "to", "/y/all")
    assert trees.entries(target / "y/all/x") == trees.entries(source / "x") and nothing_left(engine.paths.volumes)


async def test_where_it_goes(volumes: Volumes, engine: Engine) -> None:
    source, target = await made(volumes, "from"), await made(volumes, "to")
    for name in ("dir/new", "dir/same", "file"):
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_text(name)
    (source / "link").symlink_to("file")
    (source / "dir").chmod(0o700)
    (target / "there/dir").mkdir(parents=True)
    (target / "there/dir/kept").touch()
    (target / "there/dir/same").write_text("old")
    (target / "out").symlink_to("/")
    await volumes.copy("from", "/dir", "to", "/there")
    assert (
        sorted(os.listdir(target / "there/dir")) == ["kept", "new", "same"]
        and (target / "there/dir").stat().st_mode & 0o777 == 0o700
    )
    assert (target / "there/dir/same").read_text() == "dir/same"
    await volumes.copy("from", "/file", "to", "/there")
    await volumes.copy("from", "/file", "to", "/there/dir/kept")
    await volumes.copy("from", "/link", "to", "/alias")
    await volumes.copy("from", "/link", "to", "/plain", follow_link=True)
    await volumes.copy("from", "/file", "to", "/out/inside")
    assert (
        (target / "there/file").read_text()
        == (target / "there/dir/kept").read_text()
        == (target / "inside").read_text()
        == "file"
    )
    assert os.readlink(target / "alias") == "file" and (target / "plain").read_text() == "file"
    for source_path, to, error, text in (
        ("/none", "/x", NotFound, "Could not find the file /none"),
        ("/file", "/no/x", NotFound, "Could not find the file /no"),
        ("/file", "/new/", NotFound, "no such directory in the volume: /new/"),
        ("/dir", "/plain", InvalidArgument, "is not a directory"),
        ("/file", "/plain/", InvalidArgument, "not a directory"),
    ):
        with pytest.raises(error, match=text):
            await volumes.copy("from", source_path, "to", to)
    with pytest.raises(NotFound):
        await volumes.copy("from", "/", "none", "/")
    assert nothing_left(engine.paths.volumes)


async def test_a_copy_that_fails_changes_nothing(engine: Engine) -> None:
    source, small = await made(engine.volumes, "from"), await made(engine.volumes, "small", size="2m")
    (source / "a").mkdir()
    (source / "a/big").write_bytes(os.urandom(8 << 20))
    with pytest.raises(StorageFull, match="no space left in volume small to copy /a to /; nothing was changed"):
        await engine.volumes.copy("from", "/a", "small", "/")
    assert [entry.name async for entry in engine.volumes.files("small")] == []
    target = await made(engine.volumes, "to")
    (source / "a/sub").mkdir()
    (target / "a/big").mkdir(parents=True)
    with pytest.raises(InvalidArgument, match="cannot put a file in the place of big"):
        await engine.volumes.copy("from", "/a", "to", "/")
    assert os.listdir(target / "a") == ["big"] and nothing_left(engine.paths.volumes)
    await made(engine.volumes, "ro", type="tmpfs", device="tmpfs", o="ro")
    with pytest.raises(MobyError, match="cannot copy /a to / in volume ro: read-only file system"):
        await engine.volumes.copy("from", "/a", "ro", "/")
    assert small.exists() and nothing_left(engine.paths.volumes)


@pytest.mark.parametrize(
    ("point", "whole"),
    [
        ("volumes.copy noted", False),
        ("volumes.copy begun", False),
        ("volumes.copy complete", True),
        ("volumes.copy entry placed", True),
    ],
)
async def test_a_copy_that_was_killed(cli: Cli, engine: Engine, tmp_path: Path, point: str, whole: bool) -> None:
    source, target = await made(engine.volumes, "from"), await made(engine.volumes, "to")
    for name in "abc":
        (source / name).write_text("new")
    (target / "a").write_text("old")
    fault = tmp_path / "fault"
    fault.write_text(json.dumps({"point": point, "action": "kill"}))
    assert cli("volume", "cp", "from:/.", "to:/", env={"MOBY_FAULT": str(fault)}, check=False).returncode != 0
    left = [path.name for path in engine.paths.volumes.glob(".copying-*")]
    assert len(left) == 1
    async with Engine.open(engine.paths.data_root, engine.paths.exec_root):
        pass
    contents = {name: (target / name).read_text() for name in os.listdir(target)}
    assert contents == (dict.fromkeys("abc", "new") if whole else {"a": "old"}) and nothing_left(engine.paths.volumes)
