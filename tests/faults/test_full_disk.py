"""The disk is full, or cannot be written to: what runs goes on, what ends is told, and nothing is lost."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Iterator
from pathlib import Path

import pytest

from moby_tui.engine.containers.start import orphans
from moby_tui.engine.engine import Engine
from moby_tui.engine.store.state import State
from moby_tui.errors import MobyError
from moby_tui.schema.container import ContainerCreate, HostConfig, LogOptions

_SIZE = 24 * 1024 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system, for the data root."""
    path = tmp_path / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "none", path], check=True)
    yield path
    subprocess.run(["umount", path], check=True)


@pytest.fixture
async def engine(disk: Path, tmp_path: Path, busybox_archive: Path) -> AsyncIterator[Engine]:
    async with Engine.open(disk, tmp_path / "run") as opened:

        async def content() -> AsyncIterator[bytes]:
            yield busybox_archive.read_bytes()

        async for _ in opened.images.load(content()):
            pass
        yield opened


def _fill(disk: Path) -> Path:
    filler = disk / f"filler-{os.urandom(4).hex()}"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass
    assert os.statvfs(disk).f_bavail == 0
    return filler


async def _create(engine: Engine, script: str) -> str:
    asked = ContainerCreate(image="busybox", cmd=["sh", "-c", script], host_config=HostConfig(network_mode="none", init=True))
    return (await engine.containers.create(asked)).id


async def _start(engine: Engine, script: str) -> str:
    ident = await _create(engine, script)
    await engine.containers.start(ident)
    return ident


async def _ended(engine: Engine, ident: str) -> int:
    return (await asyncio.wait_for((await engine.containers.wait(ident)).result(), 30)).status_code


async def _remove_all(engine: Engine) -> None:
    for row in await engine.containers.list(all=True):
        await engine.containers.remove(row.id, force=True, volumes=True)


async def _refused(attempt: Awaitable[object], why: str) -> None:
    with pytest.raises(MobyError, match=why) as failed:
        await attempt
    assert "\n" not in str(failed.value)


async def _log(engine: Engine, ident: str) -> bytes:
    return b"".join([data async for _, data in engine.containers.logs(ident, LogOptions())])


async def test_full_disk(engine: Engine, disk: Path, tmp_path: Path) -> None:
    """Ends are recorded, with their codes; a log that cannot be written holds nobody up; what needs space says so; afterwards all is well."""
    waits = await _start(engine, "trap 'exit 7' TERM; while :; do sleep 0.1; done")
    talks = await _start(engine, "trap 'exit 3' TERM; while :; do echo some words to be logged; sleep 0.01; done")
    watched = await _start(engine, "sleep 60")
    later = await _create(engine, "exit 5")
    filler = _fill(disk)
    await asyncio.sleep(0.3)
    for ident, code in ((waits, 7), (talks, 3)):
        await engine.containers.stop(ident, timeout=20)
        state = (await engine.containers.inspect(ident)).state
        assert (state.status, state.exit_code, state.pid) == ("exited", code, 0)
    monitor = engine._parts.state(engine._parts.get(watched)).monitor
    os.kill(monitor, 9)
    async with Engine.open(disk, tmp_path / "run") as other:
        # it gave up what was held back
        assert (await other.containers.inspect(watched)).state.status == "exited"
        await other.containers.remove(waits)
        more = _fill(disk)
        for attempt in (other.containers.start(later), _create(other, "true")):
            await _refused(attempt, "no space left")
        rows = {row.id: row.state for row in await other.containers.list(all=True)}
        assert rows == {talks: "exited", watched: "exited", later: "created"}
    filler.unlink()
    more.unlink()
    await engine.containers.start(later)
    assert await _ended(engine, later) == 5
    await _remove_all(engine)


async def test_full_to_the_last_byte(engine: Engine, disk: Path, tmp_path: Path) -> None:
    """Even without the space that was held back for it, an engine opens and tells what there is."""
    ident = await _create(engine, "true")
    await engine.close()
    (disk / "reserve").unlink()
    filler = _fill(disk)
    async with Engine.open(disk, tmp_path / "run") as looking:
        assert [row.id for row in await looking.containers.list(all=True)] == [ident]
        await _refused(_create(looking, "true"), "no space left")
    filler.unlink()
    async with Engine.open(disk, tmp_path / "run") as again:
        await _remove_all(again)


async def test_disk_that_a_log_keeps_full(engine: Engine, disk: Path, tmp_path: Path) -> None:
    """Whatever space is given up, the container's log takes it: it can be looked at, stopped and removed all the same."""
    talks = await _start(engine, "trap 'exit 3' TERM; while :; do echo some words to be logged; done")
    await engine.close()
    filler = _fill(disk)
    for _ in range(3):
        async with Engine.open(disk, tmp_path / "run") as looking:
            assert [(row.id, row.state) for row in await looking.containers.list(all=True)] == [(talks, "running")]
            (disk / "reserve").unlink(missing_ok=True)
            _fill(disk)
    async with Engine.open(disk, tmp_path / "run") as ending:
        assert (await _log(ending, talks)).startswith(b"some words")
        await ending.containers.stop(talks, timeout=20)
        assert (await ending.containers.inspect(talks)).state.exit_code == 3
        await _refused(_create(ending, "true"), "no space left")
        await ending.containers.remove(talks)
        assert not await ending.containers.list(all=True)
        filler.unlink()
        await _create(ending, "true")
        await _remove_all(ending)


async def test_removal_makes_too_little_space(
    engine: Engine, disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program takes what the container's files leave: the container is gone all the same, and its row once there is space."""
    ident = await _create(engine, "true")
    await engine.close()
    fillers = [_fill(disk)]

    def remove(*folders: Path) -> None:
        remove_files(*folders)
        fillers.append(_fill(disk))

    remove_files = orphans.remove_files
    monkeypatch.setattr(orphans, "remove_files", remove)
    async with Engine.open(disk, tmp_path / "run") as other:
        (disk / "reserve").unlink(missing_ok=True)
        fillers.append(_fill(disk))
        await other.containers.remove(ident)
        assert not await other.containers.list(all=True)
        await _refused(other.containers.inspect(ident), "No such container")
        assert set(other._parts.store.ids()) == {ident}
    for filler in fillers:
        filler.unlink()
    async with Engine.open(disk, tmp_path / "run") as again:
        assert not await again.containers.list(all=True)
        assert not again._parts.store.ids()


async def test_removal_makes_space(engine: Engine, disk: Path) -> None:
    """A container that has filled the disk can be removed, and its space is there again."""
    ident = await _start(engine, "cat /dev/zero > /file; exit 4")
    assert await _ended(engine, ident) == 4
    assert os.statvfs(disk).f_bavail == 0
    await engine.containers.remove(ident)
    assert os.statvfs(disk).f_bavail > 0
    assert not await engine.containers.list(all=True)


async def test_read_only_data_root(engine: Engine, disk: Path, tmp_path: Path) -> None:
    """What only looks works; what changes something says in one line what to do."""
    ident = await _start(engine, "echo kept; exit 6")
    assert await _ended(engine, ident) == 6
    await engine._parts.until_put_away(engine._parts.get(ident))
    lost = await _create(engine, "true")
    State(status="running", pid=os.getpid(), boot="another boot").write(str(engine.paths.container(lost).state))
    await engine.close()
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    try:
        async with Engine.open(disk, tmp_path / "run") as looking:
            assert (await looking.containers.inspect(ident)).state.exit_code == 6
            assert {row.id for row in await looking.containers.list(all=True)} == {ident, lost}
            assert [image.repo_tags for image in await looking.images.list()]
            assert await _log(looking, ident) == b"kept\n"
            assert (await looking.containers.inspect(lost)).state.status == "exited"
            for attempt in (_create(looking, "true"), looking.containers.start(ident), looking.containers.remove(ident)):
                await _refused(attempt, "read-only")
    finally:
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    async with Engine.open(disk, tmp_path / "run") as again:
        await _remove_all(again)
