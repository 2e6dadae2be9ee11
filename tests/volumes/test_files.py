"""Volumes beyond Docker's: what is in them, copies in and out, clones, other names; by the engine itself and through the API."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import socket
import stat
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from images_data import Tar
from moby_tui.api.client.address import Address
from moby_tui.api.client.http import HttpClient
from moby_tui.api.client.protocol import Volumes
from moby_tui.api.server.serve import serving
from moby_tui.engine.engine import Engine
from moby_tui.engine.kernel.trees import closing
from moby_tui.engine.resources.volumes import driver_options
from moby_tui.errors import Conflict, InvalidArgument, MobyError, NotFound
from moby_tui.schema.volume import VolumeCreate

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(params=["engine", "remote"])
async def volumes(request: pytest.FixtureRequest, engine: Engine, tmp_path: Path) -> AsyncIterator[Volumes]:
    if request.param == "engine":
        yield engine.volumes
        return
    async with serving(engine, [f"unix://{tmp_path}/s"]), HttpClient(Address(path=f"{tmp_path}/s")) as client:
        yield client.volumes


async def made(volumes: Volumes, name: str, **options: dict[str, str]) -> Path:
    return Path((await volumes.create(VolumeCreate(name=name, **options))).mountpoint)  # type: ignore[arg-type]


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def test_what_is_in_a_folder(volumes: Volumes) -> None:
    data = await made(volumes, "vol")
    (data / "folder").mkdir(0o1750)
    (data / "folder/file").write_bytes(b"12345")
    os.chown(data / "folder/file", 7, 8)
    os.utime(data / "folder/file", ns=(1_000_000_001, 2_000_000_002))
    os.mkfifo(data / "folder/pipe")
    os.mknod(data / "folder/null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    os.symlink("/etc/passwd", data / "folder/out")
    Path(os.fsdecode(os.fsencode(data) + b"/folder/\xff")).touch()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{data}/folder/sock")
    found = {file.name: file async for file in volumes.files("vol", "/folder")}
    assert {name: file.type for name, file in found.items() if not file.name_bytes} == {
        "file": "file",
        "pipe": "fifo",
        "null": "character",
        "out": "link",
        "sock": "socket",
    }
    file = found["file"]
    assert (file.size, file.uid, file.gid) == (5, 7, 8)
    assert (file.accessed, file.modified) == ("1970-01-01T00:00:01.000000001Z", "1970-01-01T00:00:02.000000002Z")
    assert found["out"].target == "/etc/passwd"
    [odd] = [file for file in found.values() if file.name_bytes]
    assert base64.b64decode(str(odd.name_bytes)) == b"\xff"
    [folder] = [file async for file in volumes.files("vol")]
    assert (folder.name, folder.type, folder.mode) == ("folder", "directory", 0o1750)


async def test_hostile_links_and_times_of_a_volume(volumes: Volumes, tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host/secret").touch()
    data = await made(volumes, "vol")
    (data / "in").mkdir()
    (data / "in/mine").touch()
    os.symlink("/in", data / "absolute")
    os.symlink(f"{tmp_path}/host", data / "out")
    os.symlink("../" * 20 + str(tmp_path)[1:] + "/host", data / "relative")
    os.symlink("/proc/self/root", data / "magic")
    os.symlink("loop", data / "loop")
    os.utime(data / "in/mine", (10**11, -(10**11)))
    for path in ("absolute", "/in/../in/", "../../in"):
        assert [file.name async for file in volumes.files("vol", path)] == ["mine"]
    for path in ("out", "relative", "magic/etc", "loop", "none", "../../etc"):
        with pytest.raises(NotFound):
            [file async for file in volumes.files("vol", path)]
        with pytest.raises(NotFound):
            await volumes.archive_get("vol", f"{path}/")
        with pytest.raises(NotFound):
            await volumes.archive_put("vol", path, pieces(Tar().add("x").bytes()))
    with pytest.raises(InvalidArgument, match="not a directory"):
        [file async for file in volumes.files("vol", "in/mine")]
    with pytest.raises(NotFound, match="no such volume"):
        [file async for file in volumes.files("none")]
    assert (await volumes.archive_stat("vol", "in/mine")).mtime


async def test_an_archive_that_would_reach_outside(volumes: Volumes, tmp_path: Path) -> None:
    data = await made(volumes, "vol")
    (tmp_path / "host").mkdir()
    (data / "in").mkdir()
    await volumes.archive_put("vol", "/", pieces(Tar().symlink("link", "/in").add("link/x", data=b"x").bytes()))
    assert (data / "in/x").read_bytes() == b"x"
    with pytest.raises(MobyError, match="cannot unpack 'out/x'"):
        await volumes.archive_put("vol", "/", pieces(Tar().symlink("out", f"{tmp_path}/host").add("out/x", data=b"x").bytes()))
    assert not list((tmp_path / "host").iterdir())
    with pytest.raises(InvalidArgument, match="leads out"):
        await volumes.archive_put("vol", "/", pieces(Tar().add("../x", data=b"x").bytes()))


async def test_deleting_in_a_volume(volumes: Volumes, tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host/secret").touch()
    data = await made(volumes, "vol")
    (data / "folder/deep").mkdir(parents=True)
    (data / "folder/deep/file").touch()
    (data / "kept").touch()
    os.symlink(f"{tmp_path}/host", data / "out")
    os.symlink("/folder", data / "in")
    await volumes.delete_file("vol", "/in/deep/file")
    assert list((data / "folder/deep").iterdir()) == []
    for path in ("/out/secret", "/none", "../../host/secret", "/kept/x"):
        with pytest.raises((NotFound, InvalidArgument)):
            await volumes.delete_file("vol", path)
    for path in ("/", "/folder/..", "/folder/."):
        with pytest.raises(InvalidArgument, match="cannot be deleted"):
            await volumes.delete_file("vol", path)
    await volumes.delete_file("vol", "/folder")
    await volumes.delete_file("vol", "out")
    assert sorted(os.listdir(data)) == ["in", "kept"] and (tmp_path / "host/secret").exists()


async def test_export_and_import(volumes: Volumes) -> None:
    first, second = await made(volumes, "first"), await made(volumes, "second")
    (first / "d").mkdir(0o700)
    (first / "d/file").write_bytes(b"content")
    os.link(first / "d/file", first / "same")
    os.chown(first / "same", 3, 4)
    (second / "kept").touch()
    _, archive = await volumes.archive_get("first", "/.")
    await volumes.archive_put("second", "/", archive)
    assert sorted(os.listdir(second)) == ["d", "kept", "same"] and (second / "d").stat().st_mode & 0o777 == 0o700
    status = (second / "same").stat()
    assert (status.st_nlink, status.st_uid, status.st_gid) == (2, 3, 4) and (second / "same").read_bytes() == b"content"


async def test_clone(volumes: Volumes, engine: Engine) -> None:
    data = await made(volumes, "vol", labels={"a": "b"})
    (data / "file").write_bytes(b"content")
    os.link(data / "file", data / "same")
    data.chmod(0o2711)
    clone = await volumes.clone("vol", "other")
    there = Path(clone.mountpoint)
    assert clone.labels == {"a": "b"} and stat.S_IMODE(there.stat().st_mode) == 0o2711
    assert (there / "same").stat().st_nlink == 2 and (there / "file").read_bytes() == b"content"
    (there / "file").write_bytes(b"other")
    assert (data / "file").read_bytes() == b"content"
    with pytest.raises(Conflict, match="a volume other is there already"):
        await volumes.clone("vol", "other")
    with pytest.raises(InvalidArgument, match="invalid characters"):
        await volumes.clone("vol", "../x")
    with pytest.raises(NotFound):
        await volumes.clone("none", "new")
    anonymous = await volumes.create(VolumeCreate())
    assert (await volumes.clone(anonymous.name, "named")).labels is None
    assert not list(engine.paths.volumes.glob(".*-*"))


async def test_a_clone_of_a_volume_that_is_a_file_system(volumes: Volumes, tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host/file").touch()
    await made(volumes, "bound", driver_opts={"type": "none", "device": f"{tmp_path}/host", "o": "bind"})
    clone = await volumes.clone("bound", "plain")
    assert clone.options is None and os.listdir(clone.mountpoint) == ["file"]
    assert [file.name async for file in volumes.files("bound")] == ["file"]
    assert f"{tmp_path}/host" not in Path("/proc/self/mountinfo").read_text()


async def test_rename(volumes: Volumes, engine: Engine, busybox: str) -> None:
    data = await made(volumes, "vol", labels={"a": "b"})
    (data / "file").touch()
    await volumes.rename("vol", "other")
    renamed = await volumes.inspect("other")
    assert renamed.labels == {"a": "b"} and os.listdir(renamed.mountpoint) == ["file"] and not data.exists()
    with pytest.raises(NotFound):
        await volumes.rename("vol", "third")
    await made(volumes, "taken")
    with pytest.raises(Conflict, match="a volume taken is there already"):
        await volumes.rename("other", "taken")
    with pytest.raises(InvalidArgument):
        await volumes.rename("other", "a/b")
    assert [file.name async for file in volumes.files("other")] == ["file"]
    async with Engine.open(engine.paths.data_root, engine.paths.exec_root) as second:  # it is no database of another data root
        assert [volume.name for volume in await second.volumes.list()] == ["other", "taken"]


@pytest.mark.parametrize("point", ["volumes.rename noted", "volumes.folder renamed", "volumes.rename committed"])
def test_a_rename_that_was_killed(cli: Cli, roots: tuple[Path, Path], tmp_path: Path, point: str) -> None:
    cli("volume", "create", "vol")
    (roots[0] / "volumes/vol/_data/file").touch()
    fault = tmp_path / "fault"
    fault.write_text(json.dumps({"point": point, "action": "kill"}))
    assert cli("volume", "rename", "vol", "other", env={"MOBY_FAULT": str(fault)}, check=False).returncode != 0
    if point == "volumes.folder renamed":
        (roots[0] / "volumes/vol/_data").mkdir(
            parents=True
        )  # of an engine that has been open all the time, and mounted the volume
    name = cli("volume", "ls", "-q").stdout.strip()
    assert name == ("other" if "committed" in point else "vol")
    assert os.listdir(roots[0] / f"volumes/{name}/_data") == ["file"]
    assert sorted(os.listdir(roots[0] / "volumes")) == [".lock", name]
    assert (roots[0] / f"volumes/{name}/record.json").exists()


def test_the_command_line(cli: Cli, busybox: str, tmp_path: Path) -> None:
    cli("create", "--name", "user", "--network", "none", "-v", "vol:/v", "busybox", "true")
    assert "rename vol: volume is in use - [" in cli("volume", "rename", "vol", "x1", check=False).stderr
    (tmp_path / "file").write_bytes(b"x" * 10_000)
    cli("volume", "cp", str(tmp_path / "file"), "vol:/copy")
    cli("volume", "cp", "vol:/copy", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == b"x" * 10_000
    cli("volume", "export", "-o", str(tmp_path / "tar"), "vol")
    assert cli("volume", "clone", "vol", "other").stdout == "other\n"
    cli("volume", "rename", "other", "third")
    cli("volume", "create", "empty")
    cli("volume", "import", "empty", str(tmp_path / "tar"))
    sizes = dict(line.split()[1:] for line in cli("volume", "ls", "--size").stdout.splitlines()[1:])
    assert set(sizes) == {"vol", "third", "empty"} and sizes["vol"] == sizes["third"] == sizes["empty"] != "N/A"
    assert (
        cli("volume", "cp", "vol:/copy", "empty:/more/", check=False).stderr == "moby: no such directory in the volume: /more/\n"
    )
    assert cli("volume", "cp", "vol:/copy", "empty:/more").stdout == ""
    cli("volume", "cp", "empty:/more", str(tmp_path / "more"))
    assert (tmp_path / "more").read_bytes() == b"x" * 10_000
    missing = cli("volume", "import", "none", str(tmp_path / "tar"), check=False)
    assert missing.returncode == 1 and missing.stderr == "moby: get none: no such volume\n"


async def test_clones_that_were_cut_short_are_swept_and_those_at_work_are_not(engine: Engine, roots: tuple[Path, Path]) -> None:
    left, busy = (roots[0] / f"volumes/.cloning-{name}" for name in ("left", "busy"))
    for folder in (left, busy):
        (folder / "_data").mkdir(parents=True)
        (folder / "_data/file").touch()
    with closing(os.open(busy, os.O_RDONLY)) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        await engine.volumes.settle()
        assert busy.exists() and not left.exists()
    await engine.volumes.settle()
    assert not busy.exists()


async def test_a_clone_is_limited_before_anything_is_copied(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    limited: list[list[str]] = []

    def limit(options: dict[str, str], volume: Path) -> None:
        assert options == {"size": "4m"}
        limited.append(os.listdir(volume / "_data"))

    monkeypatch.setattr(driver_options, "limit", limit)
    data = await made(engine.volumes, "vol", driver_opts={"size": "4m"})
    (data / "file").touch()
    clone = await engine.volumes.clone("vol", "other")
    assert limited == [[], []] and clone.options == {"size": "4m"} and os.listdir(clone.mountpoint) == ["file"]
