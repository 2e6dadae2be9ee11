"""Content that is not on the disk yet when the power goes, or its engine is killed, never becomes a wrong image."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import images_data
from images.image_store import Store, load, open_store
from moby_tui.engine.kernel import fault
from moby_tui.engine.resources.images.snapshots import layers as layer_store
from moby_tui.engine.resources.images.store import staging, written
from moby_tui.engine.resources.images.store.content import Ingest
from moby_tui.engine.store.paths import Paths
from moby_tui.errors import MobyError

#: FS_IOC_GOINGDOWN (ioctl_xfs_goingdown(2)): the file system stops as if the power went, with its journal written or without.
_GOING_DOWN = 0x8004587D
JOURNAL_WRITTEN, NOTHING_WRITTEN = 1, 2
#: The second is unpacked in a process of its own.
SMALL, LARGE = os.urandom(100_000), os.urandom(3 << 20)
IMAGE = images_data.ImageData(
    [images_data.Tar().add("small", data=SMALL).bytes(), images_data.Tar().add("d/large", data=LARGE).bytes()]
)
ARCHIVE = images_data.docker_archive((IMAGE, ["cut:1"]))


class Disk:
    """A file system of its own for the data root, whose power can be cut."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "disk"
        self._file = folder / "disk.img"
        self.folder.mkdir()
        with self._file.open("wb") as file:
            file.truncate(96 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", str(self._file)], check=True)
        self.mount()

    def mount(self) -> None:
        subprocess.run(["mount", "-o", "loop", str(self._file), str(self.folder)], check=True)

    def unmount(self) -> None:
        subprocess.run(["umount", str(self.folder)], check=True)

    def cut(self, how: int) -> None:
        fd = os.open(self.folder, os.O_RDONLY)
        fcntl.ioctl(fd, _GOING_DOWN, struct.pack("I", how))
        os.close(fd)
        self.unmount()
        # the stopped file system lives on in mount namespaces that others made meanwhile, and would be mounted again
        again = self._file.with_name("again.img")
        subprocess.run(["cp", "--sparse=always", str(self._file), str(again)], check=True)
        again.rename(self._file)
        self.mount()


@pytest.fixture
def disk(roots: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    roots[0].mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(layer_store, "_SECONDS_UNTIL_WRITTEN", 1000.0)
    made = Disk(roots[0].parent)
    yield made
    made.unmount()


def opened(disk: Disk) -> Store:
    return open_store(Paths(disk.folder / "data", disk.folder / "run"))


def another_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written, "boot_id", lambda: "another")
    monkeypatch.setattr(written, "_pending", set())


def abandoned(store: Store) -> None:
    """The engine is gone, without a word."""
    if store.images.layers._writing:
        store.images.layers._writing.cancel()
    if store.images.layers._workers:
        store.images.layers._workers.close()
    store.database.close()


async def closed(store: Store) -> None:
    await store.images.close()
    store.database.close()


def whole(store: Store) -> None:
    large, small = store.images.resolve("cut:1").layers
    assert (small / "small").read_bytes() == SMALL and (large / "d/large").read_bytes() == LARGE


def marked(store: Store) -> set[Path]:
    paths = [*store.paths.layers.iterdir(), *(store.paths.blobs / "sha256").iterdir()]
    return {path for path in paths if written.MARK in os.listxattr(path)}


@pytest.mark.parametrize("how", [JOURNAL_WRITTEN, NOTHING_WRITTEN])
async def test_power_cut_before_anything_is_on_the_disk(disk: Disk, monkeypatch: pytest.MonkeyPatch, how: int) -> None:
    """With the journal written names are there, and files of the right names without what was in them: none is believed."""
    store = opened(disk)
    await load(store, ARCHIVE)
    whole(store)
    abandoned(store)
    disk.cut(how)
    another_boot(monkeypatch)
    store = opened(disk)
    await store.images.collect_rubbish()
    if await store.images.list():
        with pytest.raises(MobyError, match="pull or load the image again"):
            store.images.resolve("cut:1")
    await load(store, ARCHIVE)
    whole(store)
    await closed(store)


async def test_power_cut_when_all_is_on_the_disk_and_nobody_knows(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blobs are verified and layers made anew of them; what was damaged is mended so."""
    store = opened(disk)
    await load(store, ARCHIVE)
    os.sync()
    assert len(marked(store)) == 6, "two layers, four blobs"
    abandoned(store)
    disk.cut(NOTHING_WRITTEN)
    another_boot(monkeypatch)
    store = opened(disk)
    (store.diff(images_data.sha256(IMAGE.layers[0])) / "small").write_bytes(b"")
    with pytest.raises(MobyError, match="pull or load the image again"):
        store.images.resolve("cut:1")
    await store.images.collect_rubbish()
    whole(store)
    await closed(store)
    assert marked(store) == set() and store.staged() == []


async def test_power_cut_after_all_was_written_through(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened(disk)
    await load(store, ARCHIVE)
    await store.images.close()
    assert marked(store) == set()
    abandoned(store)
    disk.cut(NOTHING_WRITTEN)
    another_boot(monkeypatch)
    store = opened(disk)
    whole(store)
    before = {path: path.stat().st_ino for path in store.paths.layers.iterdir()}
    await store.images.collect_rubbish()
    assert {path: path.stat().st_ino for path in store.paths.layers.iterdir()} == before, "nothing was made anew"
    await closed(store)


async def test_a_damaged_blob_goes_and_its_layer_stays_lost(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened(disk)
    await load(store, ARCHIVE)
    abandoned(store)
    another_boot(monkeypatch)
    for blob in (store.paths.blobs / "sha256").iterdir():
        if blob.stat().st_size > 1 << 20:
            blob.write_bytes(b"\0" * blob.stat().st_size)
    store = opened(disk)
    await store.images.collect_rubbish()
    with pytest.raises(MobyError, match="pull or load the image again"):
        store.images.resolve("cut:1")
    assert (await store.images.list())[0].repo_tags == ["cut:1"]
    await load(store, ARCHIVE)
    whole(store)
    await closed(store)


async def test_it_is_written_through_by_itself(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_store, "_SECONDS_UNTIL_WRITTEN", 0.0)
    store = opened(disk)
    await load(store, ARCHIVE)
    assert store.images.layers._writing
    await asyncio.wait([store.images.layers._writing])
    assert marked(store) == set()
    await closed(store)


@pytest.mark.parametrize("point", ["layer.unpacked", "layer.appeared", "layer.written"])
async def test_killed_meanwhile(store: Store, tmp_path: Path, point: str) -> None:
    """The next engine of this boot goes on with what is there, or makes it."""
    archive, plan = tmp_path / "archive", tmp_path / "fault"
    archive.write_bytes(ARCHIVE)
    plan.write_text(json.dumps({"point": point, "action": "kill"}))
    program = (
        "import asyncio, sys; sys.path[:0] = sys.argv[1:3]\n"
        "from pathlib import Path; from images.image_store import load, open_store, Paths\n"
        "async def main():\n"
        "    store = open_store(Paths(Path(sys.argv[3]), Path(sys.argv[4])))\n"
        "    await load(store, Path(sys.argv[5]).read_bytes())\n"
        "    await store.images.close()\n"
        "asyncio.run(main())\n"
    )
    here = Path(__file__).parents[1]
    arguments = [here, here.parent, store.paths.data_root, store.paths.exec_root, archive]
    killed = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], env={**os.environ, fault.VARIABLE: str(plan)}, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    while store.staged():
        await store.images.collect_rubbish()
    await load(store, ARCHIVE)
    whole(store)


# -- the processes that unpack ---------------------------------------------------------------------------------------


def unpackers() -> list[int]:
    """The unpacker and its children that belong to this process."""
    found = []
    children = {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with suppress(OSError):
            alive = Path(f"/proc/{name}/cmdline").read_bytes()
            if alive and Path(f"/proc/{name}/comm").read_text().strip() == "moby-unpacker" and os.getpgid(int(name)) in children:
                found.append(int(name))
    return found


async def test_an_unpacker_that_is_killed_is_told_and_the_next_load_has_another(store: Store) -> None:
    data, layers = IMAGE.layers[1], store.images.layers
    diff_id = images_data.sha256(data)
    async with staging.claim(store.paths.staging, layers.claim_name(diff_id)) as folder:
        with Ingest(folder / "blob") as ingest:
            ingest.write(data[:1000])  # the child waits for the rest
            unpacking = asyncio.create_task(layers.unpack_following(ingest, len(data), diff_id, folder))
            while len(unpackers()) < 2:
                await asyncio.sleep(0.001)
            for pid in unpackers():
                os.kill(pid, signal.SIGKILL)
            with pytest.raises(MobyError, match="killed"):
                await unpacking
    assert store.staged() == [] and store.layers() == set()
    await load(store, ARCHIVE)
    whole(store)


async def test_a_cancelled_unpacking_leaves_no_process(store: Store) -> None:
    data, layers = IMAGE.layers[1], store.images.layers
    diff_id = images_data.sha256(data)
    async with staging.claim(store.paths.staging, layers.claim_name(diff_id)) as folder:
        with Ingest(folder / "blob") as ingest:
            ingest.write(data[:1000])  # the child waits for the rest
            unpacking = asyncio.create_task(layers.unpack_following(ingest, len(data), diff_id, folder))
            while len(unpackers()) < 2:
                await asyncio.sleep(0.001)
            unpacking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await unpacking
            assert len(unpackers()) <= 1, "the child is gone"
    assert store.staged() == [] and store.layers() == set()


def test_an_unpacker_imports_what_it_needs_only() -> None:
    heavy = {"asyncio", "aiohttp", "msgspec", "ssl", "inspect", "dataclasses", "subprocess", "sqlite3"}
    program = "import moby_tui.engine.resources.images.unpack.unpacker, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & heavy == set()


def test_memory_that_the_allocator_keeps_for_later_is_given_back() -> None:
    """As after a pull: many blocks were freed, and one in use lies above them."""
    program = """
import re
from moby_tui.engine.kernel import process
def resident():
    return int(re.search(r"RssAnon:\\s+(\\d+)", open("/proc/self/status").read())[1])
blocks = [bytes(100_000) for _ in range(400)]
blocks = blocks[-1:]
kept = resident()
process.trim_heap()
print(kept - resident())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 20_000, "KiB"
