"""``--storage-opt size=`` and volumes with a size: kept by project quotas, on file systems of the test's own.

Where the kernel has no quotas compiled in, only the refusal can be seen (``tests/cli/arguments/test_options.py``).
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from moby_tui.engine.engine import Engine
from runtime.box import Box

_MAKE = {
    "ext4": ("mkfs.ext4", "-q", "-O", "quota,project", "-E", "quotatype=prjquota"),
    "xfs": ("mkfs.xfs", "-q"),
}


@pytest.fixture(params=sorted(_MAKE))
async def limited(
    request: pytest.FixtureRequest, roots: tuple[Path, Path], tmp_path: Path, busybox_archive: Path
) -> AsyncIterator[Box]:
    """An engine whose data root is on a file system with project quotas."""
    make = _MAKE[request.param]
    if shutil.which(make[0]) is None:
        pytest.fail(f"{make[0]} is not installed; make test installs it")
    disk, point = tmp_path / "disk", tmp_path / "mounted"
    disk.touch()
    with disk.open("r+b") as file:
        file.truncate(400 * 1024 * 1024)
    subprocess.run([*make, str(disk)], check=True)
    point.mkdir()
    mounted = subprocess.run(["mount", "-o", "loop,prjquota", str(disk), str(point)], capture_output=True)
    if mounted.returncode:
        pytest.skip(
            f"this kernel mounts no {request.param} with project quotas; Debian's does: make test-cgroup2 runs these on it"
        )
    try:
        async with Engine.open(point / "d", roots[1]) as engine:

            async def content() -> AsyncIterator[bytes]:
                yield busybox_archive.read_bytes()

            async for _ in engine.images.load(content()):
                pass
            yield Box(engine, "busybox")
            for container in await engine.containers.list(all=True):
                await engine.containers.remove(container.id, force=True, volumes=True)
    finally:
        for _ in range(50):
            if subprocess.run(["umount", str(point)], capture_output=True).returncode == 0:
                break
            await asyncio.sleep(0.1)


_FILL = "dd if=/dev/zero of=/{}/big bs=1M count=8 2>/dev/null && echo whole; ls -l /{}/big"


async def test_a_container_writes_no_more_than_it_may(limited: Box) -> None:
    done = await limited.run("sh", "-c", _FILL.format("", ""), host={"storage_opt": {"size": "4M"}})
    assert "whole" not in done.out, done.err
    done = await limited.run("sh", "-c", _FILL.format("", ""), host={"storage_opt": {"size": "16M"}})
    assert "whole" in done.out, done.err
    assert "whole" in (await limited.run("sh", "-c", _FILL.format("", ""))).out


async def test_a_volume_with_a_size(limited: Box) -> None:
    from moby_tui.schema.volume import VolumeCreate

    await limited.engine.volumes.create(VolumeCreate(name="small", driver_opts={"size": "4m"}))
    await limited.engine.volumes.clone("small", "other")
    for name in ("small", "other"):
        done = await limited.run("sh", "-c", _FILL.format("v", "v"), host={"binds": [f"{name}:/v"]})
        assert "whole" not in done.out, done.err
    done = await limited.run("sh", "-c", _FILL.format("v", "v"), host={"binds": ["large:/v"]})
    assert "whole" in done.out, done.err
