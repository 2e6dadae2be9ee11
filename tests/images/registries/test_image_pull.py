"""Pulls from a real registry."""

from __future__ import annotations

import gzip
import os
import stat
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import cast

import pytest

import images_data
from images.image_store import Store, open_store
from moby_tui.engine.kernel import mount
from moby_tui.engine.resources.images.registry import connection
from moby_tui.engine.store.paths import Paths
from moby_tui.errors import InvalidArgument, MobyError, NotFound, StorageFull, Unavailable
from moby_tui.schema.image import Progress
from servers.registry import Registry


async def pull(store: Store, reference: str, **options: str | bool) -> list[Progress]:
    return [line async for line in store.images.pull(reference, **options)]  # type: ignore[arg-type]


async def test_pull_unpacks_every_layer(store: Store, registry: Registry) -> None:
    image = images_data.busybox()
    digest = registry.push("pull/busybox", "1", image)
    reference = f"{registry.address}/pull/busybox:1"
    lines = await pull(store, reference)
    said = [line.status for line in lines]
    assert said[0] == "Pulling from pull/busybox" and lines[0].id == "1"
    assert said.count("Pull complete") == 2 and said.count("Download complete") == 2
    assert said[-2:] == [f"Digest: {digest}", f"Status: Downloaded newer image for {reference}"]
    local = store.images.resolve(reference)
    assert local.id == image.id and local.config.config and local.config.config.cmd == ["sh"]
    upper, lower = local.layers
    assert (lower / "bin/sh").samefile(lower / "bin/busybox") and os.access(lower / "bin/busybox", os.X_OK)
    assert (upper / "etc/greeting").stat().st_mtime_ns == 1_700_000_000_123_456_789
    assert (upper / "etc/greeting").samefile(upper / "etc/greeting.again")
    assert os.getxattr(upper / "etc/attributes", "user.moby") == b"yes"
    whiteout = (upper / "etc/group").lstat()
    assert stat.S_ISCHR(whiteout.st_mode) and whiteout.st_rdev == 0
    assert os.getxattr(upper / "home", "trusted.overlay.opaque") == b"y" and os.listdir(upper / "home") == []
    assert stat.S_IMODE((upper / "tmp").stat().st_mode) == 0o1777, "an undescribed parent keeps what it is below"
    assert store.staged() == []
    assert store.events == [("image", "pull", reference, {"name": f"{registry.address}/pull/busybox"})]


async def test_second_pull_is_up_to_date(store: Store, registry: Registry) -> None:
    registry.push("pull/twice", "latest", images_data.busybox())
    reference = f"{registry.address}/pull/twice"
    await pull(store, reference)
    said = [line.status for line in await pull(store, reference)]
    assert not {"Already exists", "Pulling fs layer"} & set(said), "as dockerd: of an image that is here no layer is named"
    assert said[-1] == f"Status: Image is up to date for {reference}:latest"


async def test_a_layer_that_is_there_in_another_compression(store: Store, registry: Registry) -> None:
    """Its blob comes too, so that the image can be pushed and saved as it is; one that holds another layer is refused."""
    image = images_data.busybox()
    registry.push("pull/form", "gzip", image)
    digest = registry.push("pull/form", "plain", image, compress=bytes, layer_type="application/vnd.oci.image.layer.v1.tar")
    for tag in ("gzip", "plain"):
        await pull(store, f"{registry.address}/pull/form:{tag}")
    await store.images.tag(f"{registry.address}/pull/form:plain", f"{registry.address}/pull/form-again:1")
    said = [line.aux async for line in store.images.push(f"{registry.address}/pull/form-again:1") if line.aux]
    assert said[-1]["Digest"] == digest
    registry.push("pull/form", "lie", image, compress=lambda layer: gzip.compress(layer[:-512] + bytes(512) * 2))
    with pytest.raises(MobyError, match="layer verification failed"):
        await pull(store, f"{registry.address}/pull/form:lie")
    assert store.staged() == []


async def test_all_tags(store: Store, registry: Registry) -> None:
    for tag in ("1", "2"):
        registry.push("pull/all", tag, images_data.ImageData([images_data.Tar().add(tag).bytes()]))
    reference = f"{registry.address}/pull/all"
    await pull(store, reference, all_tags=True)
    assert {tag for image in await store.images.list() for tag in image.repo_tags} == {f"{reference}:1", f"{reference}:2"}
    with pytest.raises(InvalidArgument, match="tag can't be used"):
        await pull(store, f"{reference}:1", all_tags=True)
    with pytest.raises(NotFound):
        await pull(store, f"{registry.address}/pull/nothing", all_tags=True)


async def test_missing_repository_and_tag(store: Store, registry: Registry) -> None:
    registry.push("pull/there", "1", images_data.ImageData([]))
    for name in ("there:2", "nowhere:2"):
        with pytest.raises(NotFound, match=rf"manifest for .*/pull/{name} not found: manifest unknown"):
            await pull(store, f"{registry.address}/pull/{name}")


async def test_index_chooses_this_platform(store: Store, registry: Registry) -> None:
    here, other = images_data.busybox(), images_data.ImageData([images_data.busybox_upper()], architecture="s390x")
    platform = f"linux/{images_data.ARCHITECTURE}"
    digest = registry.push_index("pull/multi", "1", {"linux/s390x": other, platform: here})
    reference = f"{registry.address}/pull/multi:1"
    await pull(store, reference)
    assert store.images.resolve(reference).id == here.id
    assert store.images.resolve(f"{registry.address}/pull/multi@{digest}").id == here.id
    await pull(store, reference, platform="linux/s390x")
    assert store.images.resolve(reference).id == other.id
    with pytest.raises(NotFound, match="no matching manifest for linux/riscv64 in the manifest list entries"):
        await pull(store, reference, platform="linux/riscv64")


async def test_every_compression(store: Store, registry: Registry) -> None:
    """Layers of several gzip members or zstd frames are one stream; plain ones are taken as they are."""
    layer = images_data.busybox_upper()
    zstd = __import__("backports.zstd", fromlist=["compress"]).compress
    half = len(layer) // 2
    skippable = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"
    ways = {
        "plain": lambda data: data,
        "gzip": lambda data: gzip.compress(data[:half]) + gzip.compress(data[half:]),
        "zstd": lambda data: skippable + zstd(data[:half]) + zstd(data[half:]) + skippable,
    }
    for name, compress in ways.items():
        image = images_data.ImageData([layer], {"Cmd": [name]})
        registry.push("pull/compressed", name, image, compress=compress)
        reference = f"{registry.address}/pull/compressed:{name}"
        await pull(store, reference)
        (diff,) = store.images.resolve(reference).layers
        assert (diff / "etc/greeting").read_text() == "hello from the upper layer\n"
        await store.images.remove(reference)
        assert store.layers() == set()


async def test_damaged_blob_is_refused_and_leaves_nothing(store: Store, registry: Registry) -> None:
    layer = images_data.Tar().add("big", data=os.urandom(3 << 20)).bytes()
    digest = images_data.sha256(layer)
    registry.push("pull/damaged", "1", images_data.ImageData([layer]), compress=lambda data: data)
    file = registry.blob_file(digest)
    good = file.read_bytes()
    reference = f"{registry.address}/pull/damaged:1"
    for bad in (good[:1_000_000] + bytes(1000) + good[1_001_000:], good[: len(good) // 2], good + b"more"):
        file.write_bytes(bad)
        with pytest.raises(MobyError):
            await pull(store, reference)
        assert store.staged() == [] and store.layers() == set()
        assert await store.images.list() == []
    file.write_bytes(good)
    await pull(store, reference)
    assert store.layers() == {digest}


async def test_full_disk_leaves_nothing_half_made(roots: tuple[Path, Path], registry: Registry) -> None:
    registry.push("pull/large", "1", images_data.ImageData([images_data.Tar().add("big", data=bytes(40 << 20)).bytes()]))
    roots[0].mkdir(parents=True)
    mount.mount("none", str(roots[0]), "tmpfs", 0, "size=16m")
    try:
        store = open_store(Paths(*roots))
        with pytest.raises(StorageFull, match="no space left"):
            await pull(store, f"{registry.address}/pull/large:1")
        assert store.staged() == [] and store.layers() == set() and await store.images.list() == []
        assert store.partials() == {}
        store.database.close()
    finally:
        mount.umount2(str(roots[0]), mount.MNT_DETACH)


async def test_two_processes_and_a_kill(store: Store, registry: Registry) -> None:
    """A pull that is killed half-way is finished by the next; what it left is collected."""
    layers = [images_data.Tar().add(f"file{number}", data=os.urandom(8 << 20)).bytes() for number in range(4)]
    registry.push("pull/killed", "1", images_data.ImageData(layers))
    reference = f"{registry.address}/pull/killed:1"
    program = (
        "import asyncio, sys; sys.path[:0] = sys.argv[1:3]\n"
        "from pathlib import Path; from images.image_store import open_store, Paths\n"
        "async def main():\n"
        "    async for line in open_store(Paths(Path(sys.argv[3]), Path(sys.argv[4]))).images.pull(sys.argv[5]):\n"
        "        print(line.status, flush=True)\n"
        "asyncio.run(main())\n"
    )
    here = Path(__file__).parents[2]
    arguments = [
        sys.executable,
        "-c",
        program,
        str(here),
        str(here.parent),
        str(store.paths.data_root),
        str(store.paths.exec_root),
        reference,
    ]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    for line in process.stdout:
        if line.startswith(("Downloading", "Extracting", "Download complete")):
            break
    process.kill()
    process.wait()
    assert store.staged() != []
    while store.staged():  # until the processes that unpacked have noticed
        await store.images.collect_rubbish()
    together = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    await pull(store, reference)
    assert together.wait() == 0
    local = store.images.resolve(reference)
    assert [path.name for layer in reversed(local.layers) for path in layer.iterdir()] == ["file0", "file1", "file2", "file3"]
    assert store.staged() == []


async def test_a_reader_that_stops_cancels_the_pull(store: Store, registry: Registry) -> None:
    registry.push("pull/stopped", "1", images_data.ImageData([images_data.Tar().add("f", data=os.urandom(20 << 20)).bytes()]))
    lines = cast(AsyncGenerator[Progress], store.images.pull(f"{registry.address}/pull/stopped:1"))
    async for line in lines:
        if line.status == "Downloading":
            break
    await lines.aclose()
    assert store.staged() == [] and store.layers() == set() and await store.images.list() == []


async def test_a_registry_that_refuses_the_first_connection_is_not_asked_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with dockerd: nothing listens there, or the name is wrong. One that goes away later is waited for (``test_image_resume``)."""

    def pause(failures: int) -> float:
        raise AssertionError(f"it is asked again after {failures} failures")

    monkeypatch.setattr(connection, "_pause", pause)
    with pytest.raises(Unavailable, match=r'Get "http://.*/v2/": dial tcp .*: connect: connection refused'):
        await pull(store, "127.0.0.1:1/none")
