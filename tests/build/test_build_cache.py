"""The cache tells of content: it is bounded, it is kept, and it travels."""

from __future__ import annotations

import io
import os
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build.building import Build, Done, another, build, pieces, run
from moby_tui.engine.engine import Engine
from moby_tui.engine.resources.builder.graph import travelling
from moby_tui.engine_options import CacheBounds, EngineOptions
from moby_tui.errors import InvalidArgument
from moby_tui.schema.build import CacheTarget, Output
from moby_tui.schema.container import HostConfig
from servers.registry import Registry

pytestmark = pytest.mark.usefixtures("busybox")
TEXT = """
FROM busybox AS other
RUN cat /proc/sys/kernel/random/uuid > /other
FROM busybox
COPY a /
RUN cat /proc/sys/kernel/random/uuid > /made
COPY --from=other /other /
CMD cat /made /other
"""
FILES = {"a": b"1"}


async def exported(engine: Engine, **options: Any) -> tuple[Done, bytes]:
    """A build, and the bytes of what comes back."""
    out, ident, text = b"", "", ""
    async for line in Build(engine, TEXT, FILES, **options).lines():
        out += line.output or b""
        ident, text = str((line.aux or {}).get("ID", ident)), text + (line.stream or "")
    return Done(ident, text), out


async def test_a_folder(engine: Engine, roots: tuple[Path, Path], busybox_archive: Path) -> None:
    _, cache = await exported(engine, cache_to=[CacheTarget(kind="local", everything=True)], tags=["t"])
    expected = await run(engine, "t")
    async with another(roots, busybox_archive) as second:
        uploads = {"c": pieces(cache)}
        done = await build(second, TEXT, FILES, tags=["t"], contexts={"c": "cache"}, uploads=uploads)
        assert done.text.count("Using cache") == 5
        assert await run(second, "t") == expected
        more = TEXT + "RUN touch /more\n"
        done = await build(second, more, FILES, contexts={"c": "cache"}, uploads={"c": pieces(cache)})
        assert done.text.count("Using cache") == 5
        # whoever does not name the cache does not trust it, nor what was made on top of it
        again = await build(second, more, FILES)
        assert "Using cache" not in again.text


async def test_a_registry(engine: Engine, roots: tuple[Path, Path], busybox_archive: Path, registry: Registry) -> None:
    name = f"{registry.address}/cache:x"
    await build(engine, TEXT, FILES, cache_to=[CacheTarget(kind="registry", reference=name, everything=True)], tags=["t"])
    expected = await run(engine, "t")
    async with another(roots, busybox_archive) as second:
        done = await build(second, TEXT, FILES, cache_from=[name], tags=["t"])
        assert done.text.count("Using cache") == 5
        assert await run(second, "t") == expected
        missing = await build(second, "FROM busybox\nRUN true\n", cache_from=[f"{registry.address}/none"])
        assert "[Warning] no cache from" in missing.text


@pytest.mark.parametrize(
    "how",
    [{"cache_to": [CacheTarget(kind="inline")]}, {"build_args": {"BUILDKIT_INLINE_CACHE": "1"}}],
    ids=lambda how: next(iter(how)),
)
async def test_inline_with_a_push(
    how: dict[str, Any], engine: Engine, roots: tuple[Path, Path], busybox_archive: Path, registry: Registry
) -> None:
    name = f"{registry.address}/app:1"
    pushed = [Output(kind="image", push=True)]
    await build(engine, TEXT, FILES, **how, tags=[name], outputs=pushed)
    async with another(roots, busybox_archive) as second:
        done = await build(second, TEXT, FILES, cache_from=[name], tags=["t"])
        # the other stage is made anew, since its layers are not told; what was copied from it is known by its step, as with BuildKit
        assert done.text.count("Using cache") == 3
        assert (await run(second, "t"))[1].splitlines()[0] == (await run(engine, name))[1].splitlines()[0]


async def test_keys_tell_of_content_alone(engine: Engine, roots: tuple[Path, Path], busybox_archive: Path) -> None:
    await build(engine, TEXT, FILES)
    async with another(roots, busybox_archive) as second:
        await build(second, "FROM busybox\nCOPY a /\n", FILES)
        assert set(os.listdir(second.paths.cache / "build")) < set(os.listdir(engine.paths.cache / "build"))


async def test_layers_that_only_the_cache_has_are_kept(engine: Engine) -> None:
    await build(engine, TEXT, FILES, tags=["t"])
    await engine.images.remove("t")
    old = time.time() - 7200
    for folder in (engine.paths.layers, engine.paths.blobs / "sha256"):
        for entry in folder.iterdir():
            os.utime(entry, (old, old))
    await engine.images.prune()
    again = await build(engine, TEXT, FILES)
    assert again.text.count("Using cache") == 5


async def test_pruning(engine: Engine) -> None:
    text = "FROM busybox\nRUN head -c 300000 /dev/zero > /{0}; echo {0} >> /{0}\n"
    for name in ("first", "second", "third"):
        await build(engine, text.format(name), tags=["t"])
        await engine.images.remove("t")
    rows = (await engine.system.disk_usage()).build_cache
    assert [row.size >= 300000 for row in rows] == [True, True, True]
    assert any("/first" in row.description for row in rows)
    layers = len(os.listdir(engine.paths.layers))
    # there is enough, and the cache keeps what is reserved though nothing is to be used
    assert (await engine.builder.prune(reserved_space=1 << 40, max_used_space=1, min_free_space=1 << 60)).caches_deleted == []
    pruned = await engine.builder.prune(max_used_space=350_000)
    assert len(pruned.caches_deleted or []) == 2
    assert pruned.space_reclaimed >= 600_000
    assert len(os.listdir(engine.paths.layers)) == layers - 2
    assert "Using cache" in (await build(engine, text.format("third"), tags=["kept"])).text
    assert (await engine.builder.prune()).caches_deleted == []
    assert [row.in_use for row in (await engine.system.disk_usage()).build_cache] == [True]
    # as with BuildKit, without a bound everything goes, whatever is to be free
    assert len((await engine.builder.prune(all=True, min_free_space=1)).caches_deleted or []) == 1
    assert (await run(engine, "kept", ["tail", "-n1", "/third"]))[1].endswith("third\n")


async def test_the_cache_bounds_itself_once_a_day(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.builder, "reserved", lambda: 350_000)
    text = "FROM busybox\nRUN head -c 300000 /dev/zero > /{0}; echo {0} >> /{0}\n"
    steps = engine.paths.build_steps
    for name in ("first", "second"):
        await build(engine, text.format(name), tags=["t"])
        await engine.images.remove("t")
    assert len(os.listdir(steps)) == 2, "not again so soon"
    os.utime(engine.paths.cache / "build-bounded", (0, 0))
    await build(engine, text.format("third"))
    left = [row.description for row in (await engine.system.disk_usage()).build_cache]
    assert len(left) == 2 and not any("/first" in description for description in left)


async def test_stages_that_are_not_to_be_cached(engine: Engine) -> None:
    text = "FROM busybox AS a\nRUN true\nFROM busybox AS b\nRUN echo\nFROM a\nCOPY --from=b /bin/sh /x\n"
    await build(engine, text)
    done = await build(engine, text, no_cache_filter=["B"])
    assert done.text.count("Using cache") == 2


async def test_a_false_cache_is_no_poison(engine: Engine, roots: tuple[Path, Path], busybox_archive: Path) -> None:
    _, cache = await exported(engine, cache_to=[CacheTarget(kind="local", everything=True)])
    bent, buffer = io.BytesIO(cache), io.BytesIO()
    with tarfile.open(fileobj=bent) as archive, tarfile.open(fileobj=buffer, mode="w") as other:
        for member in archive:
            data = archive.extractfile(member).read() if member.isreg() else b""  # type: ignore[union-attr]
            if data[:2] == b"\x1f\x8b":
                data = data[:-1] + bytes([data[-1] ^ 1])
            other.addfile(member, io.BytesIO(data))
    async with another(roots, busybox_archive) as second:
        done = await build(second, TEXT, FILES, contexts={"c": "cache"}, uploads={"c": pieces(buffer.getvalue())})
        assert "Using cache" not in done.text


@given(st.binary(max_size=200))
def test_what_is_no_cache_is_told(data: bytes) -> None:
    for read in (travelling.read_steps, lambda body: travelling.from_annotation(body.decode("latin-1"))):
        try:
            assert isinstance(read(data), dict)
        except InvalidArgument:
            pass


async def test_a_linked_copy_of_another_engine_is_found_on_another_base(
    engine: Engine, roots: tuple[Path, Path], busybox_archive: Path
) -> None:
    """As with BuildKit, whose name for ``COPY --link`` does not depend on what lies below; the build has named the cache, and believes it."""
    text = "FROM busybox\nCOPY --link a /\n"
    cache = b""
    async for line in Build(engine, text, FILES, cache_to=[CacheTarget(kind="local", everything=True)]).lines():
        cache += line.output or b""
    async with another(roots, busybox_archive) as second:
        changed = "FROM busybox\nENV x=y\nCOPY --link a /\n"
        done = await build(second, changed, FILES, contexts={"c": "cache"}, uploads={"c": pieces(cache)}, tags=["t"])
        assert done.text.count("Using cache") == 1
        assert await run(second, "t", ["cat", "/a"]) == (0, "1")
        other = await build(second, changed, {"a": b"2"}, contexts={"c": "cache"}, uploads={"c": pieces(cache)}, tags=["t"])
        # the metadata of ENV is cached by now, the copy of another file is not
        assert other.text.count("Using cache") == 1 and await run(second, "t", ["cat", "/a"]) == (0, "2")


async def test_a_step_without_a_name_in_buildkits_caches_says_why(engine: Engine) -> None:
    text = "FROM busybox\nRUN --network=default true\nRUN true\n"
    asked: dict[str, Any] = {"cache_to": [CacheTarget(kind="inline")], "host": HostConfig(network_mode="none")}
    done = await build(engine, text, {}, **asked)
    assert done.text.count("no name in caches of BuildKit's, nor for the steps on top of it: --network=default runs in") == 1


@pytest.mark.parametrize(
    ("bounds", "is_kept"), [(CacheBounds(), True), (CacheBounds(most=1), False), (CacheBounds(enabled=False, most=1), True)]
)
async def test_the_bounds_of_the_cache(
    roots: tuple[Path, Path], busybox_archive: Path, bounds: CacheBounds, is_kept: bool
) -> None:
    data_root, exec_root = roots
    async with Engine(EngineOptions(data_root=data_root, exec_root=exec_root, builder=bounds)) as engine:
        async for _ in engine.images.load(pieces(busybox_archive.read_bytes())):
            pass
        # no image needs these steps: they go nowhere
        await build(engine, TEXT, FILES, outputs=[Output(kind="cacheonly")])
        again = await build(engine, TEXT, FILES)
        assert ("Using cache" in again.text) == is_kept
