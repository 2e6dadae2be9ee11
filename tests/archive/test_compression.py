"""Compressed archives, whichever door they come in by: one reader knows them all, by their first bytes."""

from __future__ import annotations

import io
import json
import lzma
import subprocess
import sys
import tarfile
import tracemalloc
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import images_data
from archive.compressing import COMPRESSIONS
from moby_tui.engine.archive.compression import decompress
from moby_tui.engine.engine import Engine
from moby_tui.errors import InvalidArgument
from moby_tui.schema.build import BuildOptions
from moby_tui.schema.container import ContainerCreate

Cli = Callable[..., subprocess.CompletedProcess[str]]


async def pieces(data: bytes, size: int = 4096) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


def root_file_system() -> bytes:
    return images_data.Tar().directory("d").add("d/f", data=b"content" * 3000).bytes()


def member_of(archive: bytes, name: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(archive)) as reader:
        file = reader.extractfile(name)
        assert file
        return file.read()


async def exported(engine: Engine, image: str, name: str) -> bytes:
    created = await engine.containers.create(ContainerCreate(image=image, cmd=["x"]))
    return member_of(b"".join([piece async for piece in engine.containers.export(created.id)]), name)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(COMPRESSIONS)), st.binary(min_size=20, max_size=5000), st.integers(1, 3000))
def test_what_was_compressed_comes_back_however_it_is_cut(how: str, data: bytes, size: int) -> None:
    packed = COMPRESSIONS[how](b"begin" + data)
    assert b"".join(decompress(packed[at : at + size] for at in range(0, len(packed), size))) == b"begin" + data


@pytest.mark.parametrize("how", [how for how in COMPRESSIONS if how != "plain" and "padding" not in how])
def test_what_is_cut_short_or_followed_by_something_else_is_refused(how: str) -> None:
    packed = COMPRESSIONS[how](b"data" * 5000)
    for damaged in (packed[:-1], packed[: len(packed) // 3], packed + b"garbage, not padding"):
        with pytest.raises(InvalidArgument):
            b"".join(decompress([damaged]))


@pytest.mark.parametrize("how", ["gzip", "bzip2", "xz", "zstd"])
def test_a_bomb_takes_little_memory(how: str) -> None:
    """Three hundred mebibytes of zeros, never held."""
    packed = COMPRESSIONS[how](bytes(300 << 20))
    assert len(packed) < 1 << 20
    tracemalloc.start()
    try:
        assert sum(map(len, decompress([packed]))) == 300 << 20
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_an_xz_dictionary_of_any_size_is_not_believed() -> None:
    filters = [
        {"id": lzma.FILTER_LZMA2, "dict_size": 256 << 20, "mode": lzma.MODE_FAST, "nice_len": 4, "mf": lzma.MF_HC3, "depth": 1}
    ]
    packed = lzma.compress(b"x" * 100, filters=filters)
    with pytest.raises(InvalidArgument, match="Memory"):
        b"".join(decompress([packed]))


def test_only_what_is_used_is_imported() -> None:
    """Whoever unpacks layers is light."""
    program = "import sys; import moby_tui.engine.archive.tar, moby_tui.engine.archive.compression; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert {"lzma", "bz2", "_lzma", "tarfile", "asyncio", "isal"} & set(loaded) == set()


@pytest.mark.parametrize("how", COMPRESSIONS)
async def test_import(engine: Engine, how: str) -> None:
    async for _ in engine.images.import_tar(pieces(COMPRESSIONS[how](root_file_system())), reference="imported"):
        pass
    assert await exported(engine, "imported", "d/f") == b"content" * 3000
    saved = b"".join([piece async for piece in engine.images.save(["imported"])])
    document = json.loads(member_of(saved, "manifest.json"))
    layer = member_of(saved, document[0]["Layers"][0])
    assert layer[:4] in (b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18") or layer[257:262] == b"ustar"


@pytest.mark.parametrize("how", COMPRESSIONS)
async def test_load_of_an_archive_and_of_its_layers(engine: Engine, how: str) -> None:
    compress = COMPRESSIONS[how]
    image = images_data.ImageData([root_file_system()], {"Cmd": ["x"]})
    packed = images_data.Tar().add("config.json", data=image.config).add("layer", data=compress(image.layers[0]))
    described = json.dumps([{"Config": "config.json", "RepoTags": ["packed:1"], "Layers": ["layer"]}]).encode()
    archive = compress(packed.add("manifest.json", data=described).bytes())
    async for _ in engine.images.load(pieces(archive)):
        pass
    assert (await engine.images.inspect("packed:1")).id == image.id
    assert await exported(engine, "packed:1", "d/f") == b"content" * 3000


@pytest.mark.parametrize("how", COMPRESSIONS)
async def test_build_of_a_context_and_add(engine: Engine, how: str) -> None:
    compress = COMPRESSIONS[how]
    text = b"FROM scratch\nADD root.archive /\nADD notes.gz /\nCMD x\n"
    context = images_data.Tar().add("Dockerfile", data=text).add("root.archive", data=compress(root_file_system()))
    notes = compress(b"no archive at all")
    context.add("notes.gz", data=notes)
    async for _ in engine.builder.build(pieces(compress(context.bytes())), BuildOptions(tags=["built"])):
        pass
    assert await exported(engine, "built", "d/f") == b"content" * 3000
    assert await exported(engine, "built", "notes.gz") == notes


@pytest.mark.parametrize("how", COMPRESSIONS)
async def test_into_a_container(engine: Engine, busybox: str, how: str) -> None:
    created = await engine.containers.create(ContainerCreate(image=busybox, cmd=["true"]))
    await engine.containers.archive_put(created.id, "/etc", pieces(COMPRESSIONS[how](root_file_system())))
    _, sent = await engine.containers.archive_get(created.id, "/etc/d/f")
    assert member_of(b"".join([piece async for piece in sent]), "f") == b"content" * 3000


@pytest.mark.parametrize("how", ["bzip2", "xz of two streams"])
def test_the_command_line(cli: Cli, busybox: str, tmp_path: Path, how: str) -> None:
    archive = tmp_path / "named-as-nothing"
    archive.write_bytes(COMPRESSIONS[how](root_file_system()))
    cli("import", str(archive), "imported")
    cli("create", "--name", "box", "imported", "x")
    cli("cp", "box:/d/f", str(tmp_path))
    assert (tmp_path / "f").read_bytes() == b"content" * 3000
    context = tmp_path / "context"
    context.write_bytes(COMPRESSIONS[how](images_data.Tar().add("Dockerfile", data=b"FROM imported\n").bytes()))
    with context.open("rb") as stdin:
        cli("build", "-t", "built", "-", stdin=stdin)
    with archive.open("rb") as stdin:
        cli("cp", "-", "box:/", stdin=stdin)
