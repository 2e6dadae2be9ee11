"""Layers of an archive are unpacked while it arrives; whatever else is in it, the result is the same."""

from __future__ import annotations

import asyncio
import gzip
import random
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress

import pytest

from images.image_store import Store, load, stream
from images_data import ImageData, Tar, docker_archive, oci_layout, sha256
from moby_tui.engine.resources.images.snapshots.layers import LayerStore
from moby_tui.errors import MobyError

_RANDOM = random.Random(4)
#: Of which an unpacker takes one.
LARGE = 3 << 20


def layer(number: int, size: int = LARGE) -> bytes:
    return Tar().add(f"file{number}", data=_RANDOM.randbytes(size)).bytes()


LAYERS = [layer(0), layer(1), layer(2, 1000)]
IMAGE = ImageData(LAYERS)
ARCHIVES = {"docker": docker_archive((IMAGE, ["a:1"])), "layout": oci_layout(IMAGE, "docker.io/library/a:1")}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The diff ids of layers that were unpacked after the archive had come."""
    made: list[str] = []
    make_of = LayerStore.make_of

    async def note(self: LayerStore, blob: object, diff_id: str) -> None:
        made.append(diff_id)
        await make_of(self, blob, diff_id)  # type: ignore[arg-type]

    monkeypatch.setattr(LayerStore, "make_of", note)
    return made


@pytest.mark.parametrize("archive", ARCHIVES.values(), ids=ARCHIVES)
async def test_large_layers_are_unpacked_early(store: Store, archive: bytes, made: list[str]) -> None:
    await load(store, archive)
    assert made == [sha256(LAYERS[2])] and store.layers() == set(map(sha256, LAYERS))
    assert (store.diff(sha256(LAYERS[1])) / "file1").stat().st_size == LARGE
    assert not store.staged()


async def test_they_are_unpacked_before_the_archive_is_whole(store: Store) -> None:
    archive, rest = ARCHIVES["docker"], asyncio.Event()

    async def halting() -> AsyncIterator[bytes]:
        half = 2 * LARGE + LARGE // 2
        async for piece in stream(archive[:half]):
            yield piece
        await rest.wait()
        async for piece in stream(archive[half:]):
            yield piece

    async def read() -> None:
        async for _ in store.images.load(halting()):
            pass

    task = asyncio.create_task(read())
    async with asyncio.timeout(60):
        while not any(file.stat().st_size == LARGE for file in store.paths.staging.glob("load-*/early/*/layer/diff/file0")):
            await asyncio.sleep(0.02)
    rest.set()
    await task
    assert store.layers() == set(map(sha256, LAYERS))


@pytest.mark.parametrize("archive", ARCHIVES.values(), ids=ARCHIVES)
async def test_what_is_here_is_not_unpacked_again(
    store: Store, archive: bytes, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await load(store, archive)

    def fail(*arguments: object) -> None:
        raise AssertionError("unpacked")

    monkeypatch.setattr(LayerStore, "unpack_early", fail)
    await load(store, archive)


async def test_a_file_that_is_no_layer_is_nothing(store: Store, made: list[str]) -> None:
    garbage = {"plain": _RANDOM.randbytes(LARGE), "gzip": b"\x1f\x8b\x08" + bytes(LARGE), "tar": layer(7)[: LARGE - 512 * 9]}
    tar = Tar()
    for name, data in garbage.items():
        tar.add(name, data=data)
    head = tar.bytes().rstrip(b"\0")
    head += bytes(-len(head) % 512)
    await load(store, head + ARCHIVES["docker"])
    assert store.layers() == set(map(sha256, LAYERS)) and not store.staged()


async def test_an_archive_that_is_cut_leaves_nothing(store: Store) -> None:
    for size in (LARGE // 2, LARGE + LARGE // 2, 2 * LARGE + 5000):
        with pytest.raises(MobyError):
            await load(store, ARCHIVES["docker"][:size])
        assert not store.layers() and not store.staged()


async def test_a_client_that_leaves_leaves_nothing(store: Store) -> None:
    began = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        async for piece in stream(ARCHIVES["docker"][: 2 * LARGE]):
            yield piece
        began.set()
        await asyncio.Event().wait()

    async def read() -> None:
        async with aclosing(store.images.load(endless())) as lines:  # type: ignore[type-var]
            async for _ in lines:
                pass

    task = asyncio.create_task(read())
    await began.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert not store.layers() and not store.staged()


async def test_another_diff_id_than_the_configuration_has(store: Store) -> None:
    wrong = ImageData([LAYERS[0], LAYERS[1]])
    archive = docker_archive((wrong, ["a:1"])).replace(LAYERS[1], layer(9), 1)
    with pytest.raises(MobyError, match="layer verification failed"):
        await load(store, archive)
    assert sha256(LAYERS[1]) not in store.layers() and not store.staged()


async def test_layers_of_other_platforms_are_ended(store: Store) -> None:
    other = ImageData([layer(5)], architecture="riscv64")
    archive = docker_archive((other, ["b:1"]), (IMAGE, ["a:1"]))
    lines = [line async for line in store.images.load(stream(archive), platforms=["linux/riscv64"])]
    assert lines and store.layers() == {sha256(other.layers[0])}
    await load(store, archive)
    assert store.layers() == {sha256(one) for one in (*LAYERS, *other.layers)} and not store.staged()


async def test_two_images_with_one_layer(store: Store, made: list[str]) -> None:
    shared = gzip.compress(LAYERS[0], 1, mtime=0)
    assert len(shared) > LARGE
    await load(store, docker_archive((IMAGE, ["a:1"]), (ImageData(LAYERS[:1]), ["b:1"])))
    assert made.count(sha256(LAYERS[0])) == 0 and store.layers() == set(map(sha256, LAYERS))
