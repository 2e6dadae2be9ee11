"""Downloads and uploads that break, anywhere, and go on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from aiohttp import web

import images_data
from images.image_store import Store
from images.registries.cutter import cutting
from images.registries.test_image_registry import quick, server  # noqa: F401
from moby_tui.engine.resources.images.registry import download, upload
from moby_tui.engine.resources.images.store import partial
from moby_tui.errors import MobyError, Unavailable
from servers.registry import MANIFEST, Registry

pytestmark = pytest.mark.usefixtures("quick")
SIZE = 400_000


def one_layer(size: int = SIZE) -> images_data.ImageData:
    return images_data.ImageData([images_data.Tar().add("f", data=os.urandom(size)).bytes()])


def publish(registry: Registry, name: str, image: images_data.ImageData) -> str:
    """Pushes it with layers that are not compressed; the digest of the first."""
    registry.push(name, "1", image, compress=lambda data: data)
    return images_data.sha256(image.layers[0])


async def pull(store: Store, reference: str) -> None:
    async for _ in store.images.pull(reference):
        pass


async def nothing_usable(store: Store) -> None:
    assert await store.images.list() == [] and store.layers() == set() and store.staged() == []


async def test_a_pull_that_breaks_anywhere_goes_on_next_time(store: Store, registry: Registry) -> None:
    """The bytes of all answers together are cut at many places, in headers, manifests and the layer."""
    image = one_layer()
    layer = publish(registry, "resume/anywhere", image)
    async with cutting(registry.address) as proxy:
        reference = f"{proxy.address}/resume/anywhere:1"
        await pull(store, reference)
        total = (1 << 60) - proxy.down
        assert total > SIZE
        resumed = 0
        for cut in [*range(0, total - SIZE, 401), *range(total - SIZE, total, 40_011), total - 1]:
            await store.images.remove(reference)
            proxy.heal()
            proxy.down = cut
            with pytest.raises(Unavailable):
                await pull(store, reference)
            await nothing_usable(store)
            kept = {digest: file.stat().st_size for digest, file in store.partials().items()}
            assert set(kept) <= {layer} and all(partial._WORTH_KEEPING <= size < len(image.layers[0]) for size in kept.values())
            proxy.heal()
            await pull(store, reference)
            assert proxy.ranges() == [f"bytes={size}-" for size in kept.values()]
            assert store.partials() == {} and store.staged() == []
            assert (store.diff(layer) / "f").stat().st_size == SIZE
            resumed += len(kept)
        assert resumed > 6


async def test_breaks_with_something_new_between_are_no_reason_to_give_up(store: Store, registry: Registry) -> None:
    layer = publish(registry, "resume/often", one_layer())
    async with cutting(registry.address) as proxy:

        async def stumble() -> None:
            while True:
                proxy.down, proxy.breaks = 60_000, 1
                while proxy.down < 1 << 59:
                    await asyncio.sleep(0.001)

        stumbling = asyncio.create_task(stumble())
        await pull(store, f"{proxy.address}/resume/often:1")
        stumbling.cancel()
        assert len(proxy.ranges()) > 4, "more breaks than failures in a row are allowed"
    assert store.layers() == {layer}


PULLER = """
import asyncio, sys; sys.path[:0] = sys.argv[1:3]
from pathlib import Path; from images.image_store import open_store, Paths
async def main():
    async for line in open_store(Paths(Path(sys.argv[3]), Path(sys.argv[4]))).images.pull(sys.argv[5]):
        pass
asyncio.run(main())
"""


async def test_a_killed_pull_goes_on_next_time(store: Store, registry: Registry) -> None:
    layer = publish(registry, "resume/killed", one_layer())
    here = Path(__file__).parents[2]
    roots = [str(store.paths.data_root), str(store.paths.exec_root)]
    async with cutting(registry.address) as proxy:
        reference = f"{proxy.address}/resume/killed:1"
        for enough in (0, 70_000, 200_000, 390_000):
            proxy.heal()
            proxy.hold, proxy.down = True, enough + 3000
            process = subprocess.Popen([sys.executable, "-c", PULLER, str(here), str(here.parent), *roots, reference])
            while proxy.down > 0:
                assert process.poll() is None
                await asyncio.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(process.wait)
            await store.images.collect_rubbish()
            await nothing_usable(store)
            size = max([file.stat().st_size for file in store.partials().values()], default=0)
            proxy.heal()
            await pull(store, reference)
            assert proxy.ranges() == ([f"bytes={size}-"] if size else [])
            assert store.layers() == {layer} and store.partials() == {}
            await store.images.remove(reference)


async def test_what_was_kept_is_not_trusted(store: Store, registry: Registry) -> None:
    """Damaged, too long, or another's: the layer is fetched anew, in the same pull."""
    image = one_layer()
    layer = publish(registry, "resume/damaged", image)
    good = image.layers[0]
    reference = f"{registry.address}/resume/damaged:1"
    file = store.paths.staging / f"partial-{layer.removeprefix('sha256:')}"
    for kept in (bytes(100_000), good[:1000] + bytes(99_000), good + b"more", bytes(len(good)), b"", good, good[:-1]):
        file.write_bytes(kept)
        await pull(store, reference)
        assert store.layers() == {layer} and store.partials() == {}
        await store.images.remove(reference)
    file.symlink_to("/etc/passwd")
    with pytest.raises(MobyError):
        await pull(store, reference)
    file.unlink()


async def test_what_is_kept_is_bounded(store: Store) -> None:
    files = [store.paths.staging / f"partial-{number * 64}" for number in "abcd"]
    for age, file in enumerate(files):
        file.write_bytes(bytes(100))
        os.utime(file, (file.stat().st_mtime - age * 1000,) * 2)
    assert partial.collect(store.paths.staging, age=2500) == 100
    assert partial.collect(store.paths.staging, most=200) == 100
    async with partial.claim(store.paths.staging, f"sha256:{'b' * 64}", 1000) as held:
        assert held.resumed and held.ingest.size == 100
        await store.images.collect_rubbish()
        assert partial.collect(store.paths.staging, most=0) == 100
        assert [file.exists() for file in files] == [False, True, False, False]
    assert store.partials() == {}
    files[0].write_bytes(bytes(100))
    assert (await store.images.prune(filters={"until": ["1h"]})).space_reclaimed == 0
    assert (await store.images.prune()).space_reclaimed >= 100  # on disk


@pytest.fixture
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_LARGE", 100_000)
    monkeypatch.setattr(download, "_RANGE", 30_000)


@pytest.mark.usefixtures("small_ranges")
async def test_a_large_layer_comes_in_ranges(store: Store, registry: Registry) -> None:
    layer = publish(registry, "resume/ranges", one_layer())
    async with cutting(registry.address) as proxy:
        reference = f"{proxy.address}/resume/ranges:1"
        await pull(store, reference)
        whole = proxy.ranges()
        size = len(one_layer().layers[0])
        assert sorted(whole) == sorted(f"bytes={at}-{min(at + 30_000, size) - 1}" for at in range(0, size, 30_000))
        for cut in range(20_000, SIZE, 50_021):
            await store.images.remove(reference)
            proxy.heal()
            proxy.down = cut
            with pytest.raises(Unavailable):
                await pull(store, reference)
            kept = [file.stat().st_size for file in store.partials().values()]
            proxy.heal()
            await pull(store, reference)
            begins = [int(span.removeprefix("bytes=").partition("-")[0]) for span in proxy.ranges()]
            assert min(begins) == (kept[0] if kept else 0)
            assert store.layers() == {layer} and store.partials() == {}


@pytest.mark.usefixtures("small_ranges")
async def test_several_large_layers_share_what_may_wait_in_memory(
    store: Store, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is stuck because the others have taken all of it."""
    held: list[int] = []
    once = download.Download._one_range

    async def counted(self: download.Download, url: str, start: int) -> bytearray:
        held.append(download.AHEAD - self._ahead._value)
        return await once(self, url, start)

    monkeypatch.setattr(download.Download, "_one_range", counted)
    registry.push(
        "resume/several", "1", images_data.ImageData([one_layer().layers[0] for _ in range(5)]), compress=lambda data: data
    )
    await pull(store, f"{registry.address}/resume/several:1")
    assert len(store.layers()) == 5 and 1 < max(held) <= download.AHEAD


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "_CHUNK", 100_000)


@pytest.mark.usefixtures("small_chunks")
async def test_uploads_that_break_go_on(store: Store, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """In chunks; where the registry lost count it is begun anew, and the layer is whole in the end."""
    publish(registry, "resume/source", one_layer())
    source = f"{registry.address}/resume/source:1"
    await pull(store, source)
    monkeypatch.setattr(store.images._names, "lenders", lambda target: {})
    async with cutting(registry.address) as proxy:
        for number, cut in enumerate(range(30_000, SIZE, 60_013)):
            proxy.heal()
            proxy.up, proxy.breaks = cut, 1
            target = f"{proxy.address}/resume/target{number}:1"
            await store.images.tag(source, target)
            async for _ in store.images.push(target):
                pass
            sent = [span for method, _, span in proxy.asked if method == "PATCH"]
            assert len(sent) >= 5
        proxy.heal()
        proxy.up = 150_000
        target = f"{proxy.address}/resume/never:1"
        await store.images.tag(source, target)
        with pytest.raises(Unavailable):
            async for _ in store.images.push(target):
                pass
    fetched = registry.request("GET", "/v2/resume/target3/manifests/1", headers={"Accept": MANIFEST})
    assert fetched.status == 200


class Loading:
    """A registry of one blob that keeps what has come of an upload, breaks off, is busy, or takes no chunks, as it is told."""

    def __init__(self, *, breaks: list[int], chunks: bool = True) -> None:
        self.breaks = breaks
        self.chunks = chunks
        self.uploads: list[bytes] = []
        self.blobs: dict[str, bytes] = {}
        self.said: list[str] = []
        self.busy = 2

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.said.append(f"{request.method} {request.headers.get('Content-Range', '')}".strip())
        if request.method == "HEAD":
            return web.Response(status=404)
        if request.method == "POST":
            if self.busy:
                self.busy -= 1
                return web.Response(status=429, headers={"Retry-After": "0"})
            self.uploads.append(b"")
            return web.Response(status=202, headers={"Location": f"/v2/a/up/{len(self.uploads) - 1}"})
        if request.method == "PUT" and "/manifests/" in request.path:
            return web.Response(status=201)
        number = int(request.path.rpartition("/")[2])
        if request.method == "PATCH":
            if not self.chunks:
                await request.read()
                return web.Response(status=416)
            assert request.headers["Content-Range"].startswith(f"{len(self.uploads[number])}-"), "it goes on where it was"
            async for data in request.content.iter_any():
                self.uploads[number] += data
                if self.breaks and len(self.uploads[number]) > self.breaks[0]:
                    self.uploads[number] = self.uploads[number][: self.breaks.pop(0)]
                    assert request.transport
                    request.transport.close()
                    return web.Response()
        if request.method == "PUT":
            self.blobs[request.query["digest"]] = self.uploads[number] + await request.read()
            return web.Response(status=201)
        reached = {"Range": f"0-{max(0, len(self.uploads[number]) - 1)}", "Location": request.path}
        return web.Response(status=202 if request.method == "PATCH" else 204, headers=reached)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("chunks", [True, False])
async def test_a_registry_that_keeps_what_came_of_a_chunk(store: Store, registry: Registry, chunks: bool) -> None:
    image = one_layer()
    layer = publish(registry, "resume/kept", image)
    source = f"{registry.address}/resume/kept:1"
    await pull(store, source)
    loading = Loading(breaks=[1, 150_000, 200_000, 399_999] if chunks else [], chunks=chunks)
    async with server(loading.serve) as address:
        await store.images.tag(source, f"{address}/a:1")
        async for _ in store.images.push(f"{address}/a:1"):
            pass
    assert loading.blobs[layer] == image.layers[0]
    patches = [line for line in loading.said if line.startswith("PATCH")]
    if chunks:
        assert patches[:4] == ["PATCH 0-99999", "PATCH 0-99999", "PATCH 100000-199999", "PATCH 150000-249999"]
    else:
        assert patches == ["PATCH 0-99999"]


async def test_a_registry_is_left_alone_for_as_long_as_it_says(
    store: Store, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pauses are its own; where it wants more than we wait, it is told at once."""
    paused: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        paused.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", noted)
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    answers = iter(["7", "", later, "nonsense", "nonsense", "3600"])

    async def busy(request: web.Request) -> web.StreamResponse:
        return web.Response(status=429, headers={"Retry-After": next(answers)})

    async with server(busy) as address:
        with pytest.raises(Unavailable, match="answers 429"):
            await pull(store, f"{address}/a:1")
        assert paused[0] == 7 and paused[1] < 1 and 50 < paused[2] <= 60 and len(paused) == 4
        with pytest.raises(Unavailable, match="try again in 3600 seconds"):
            await pull(store, f"{address}/a:1")
        assert len(paused) == 4
