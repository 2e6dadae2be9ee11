"""``--storage-opt size=`` and volumes with a size where the data root has no quotas: each is a file system in a file."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

import leaks
from moby_tui.engine.engine import Engine
from moby_tui.engine.kernel.file_systems import loop_device
from moby_tui.engine.policy import quota
from moby_tui.errors import InvalidArgument
from moby_tui.schema.volume import VolumeCreate
from runtime.box import Box

_FILL = "dd if=/dev/zero of=/{}/big bs=1M count=8 2>/dev/null && echo whole; ls -l /{}/big"


def _devices(image: Path) -> list[str]:
    told = subprocess.run(["losetup", "-n", "-O", "NAME", "-j", str(image)], capture_output=True, text=True, check=True)
    return told.stdout.split()


async def test_a_volume_holds_no_more_than_its_size(box: Box, roots: tuple[Path, Path]) -> None:
    volumes = box.engine.volumes
    await volumes.create(VolumeCreate(name="small", driver_opts={"size": "4m"}))
    folder = roots[0] / "volumes" / "small"
    await box.run("sh", "-c", "echo kept > /v/word", host={"binds": ["small:/v"]})
    assert leaks.settled(lambda: _devices(folder / "_image")) == []
    await volumes.clone("small", "other")
    for name in ("small", "other"):
        done = await box.run("sh", "-c", f"cat /v/word; {_FILL.format('v', 'v')}", host={"binds": [f"{name}:/v"]})
        assert "kept" in done.out and "whole" not in done.out
    for container in await box.engine.containers.list(all=True):
        await box.engine.containers.remove(container.id)
    await volumes.rename("other", "third")
    assert [entry.name async for entry in volumes.files("third")] == ["big", "word"]
    assert await volumes.size("small") < 5 << 20
    for name in ("small", "third"):
        await volumes.remove(name)
    assert [name for name in os.listdir(roots[0] / "volumes") if name != ".lock"] == []


async def test_an_image_s_files_fill_a_volume_with_a_size(box: Box) -> None:
    await box.engine.volumes.create(VolumeCreate(name="filled", driver_opts={"size": "8m"}))
    done = await box.run("ls", "/v", host={"binds": ["filled:/v"]})
    assert done.out == ""
    done = await box.run("ls", "/bin", host={"binds": ["filled:/bin"]})
    assert "busybox" in done.out and "lost+found" not in done.out


async def test_a_container_writes_no_more_than_it_may(box: Box, roots: tuple[Path, Path]) -> None:
    """Its files are there for diff, commit and the next start, also after they were unmounted, as by a new start of the machine."""
    containers = box.engine.containers
    ident = (await box.run("sh", "-c", _FILL.format("", ""), host={"storage_opt": {"size": "4M"}})).id
    folder = roots[0] / "containers" / ident
    for _ in range(2):
        ended = await containers.wait(ident, condition="next-exit")
        await containers.start(ident)
        await ended.result()
        subprocess.run(["umount", str(folder / "limited")], check=True)
        assert leaks.settled(lambda: _devices(folder / "limited.img")) == []
    assert [change.path for change in await containers.changes(ident)] == ["/big"]
    seen = await containers.inspect(ident, size=True)
    assert isinstance(seen.size_rw, int) and 1 << 20 < seen.size_rw < 4 << 20
    image = await containers.commit(ident, reference="full")
    assert (await box.engine.images.inspect(image)).size > seen.size_rw
    await containers.remove(ident)
    assert not folder.exists()


async def test_one_that_goes_with_its_end_takes_its_file_system_along(box: Box, roots: tuple[Path, Path]) -> None:
    ident = await box.create("true", host={"storage_opt": {"size": "4M"}, "auto_remove": True})
    gone = await box.engine.containers.wait(ident, condition="removed")
    await box.engine.containers.start(ident)
    await gone.result()
    assert str(roots[0]) not in Path("/proc/self/mountinfo").read_text()


async def test_what_cannot_be_is_refused_and_leaves_nothing(
    engine: Engine, roots: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidArgument, match="without it the least size is 1m"):
        await engine.volumes.create(VolumeCreate(name="vol", driver_opts={"size": "100k"}))
    monkeypatch.setattr("shutil.which", lambda *_args, **_more: None)
    with pytest.raises(InvalidArgument, match=r"mkfs.ext4 \(of e2fsprogs\), .* is not installed"):
        await engine.volumes.create(VolumeCreate(name="vol", driver_opts={"size": "4m"}))
    assert await engine.volumes.list() == [] and not (roots[0] / "volumes" / "vol").exists()


def test_two_mounts_of_one_file_have_one_device(tmp_path: Path) -> None:
    image, here, there = tmp_path / "image", tmp_path / "here", tmp_path / "there"
    quota.make_image(image, 4 << 20, refusal="")
    for place in (here, there):
        place.mkdir()
        loop_device.mount(str(image), str(place))
    try:
        assert len(_devices(image)) == 1
        (here / "word").write_text("one")
        assert (there / "word").read_text() == "one"
    finally:
        for place in (here, there):
            subprocess.run(["umount", str(place)], check=True)
    assert _devices(image) == []
