"""``save``: an archive that we, skopeo and podman read, with every digest kept."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from moby_tui.engine.engine import Engine
from moby_tui.errors import InvalidArgument, NotFound
from moby_tui.schema.container import ContainerCreate, HostConfig

Cli = Callable[..., subprocess.CompletedProcess[str]]


async def _saved(engine: Engine, *refs: str) -> bytes:
    return b"".join([piece async for piece in engine.images.save(refs)])


async def _committed(engine: Engine) -> str:
    """An image of two layers, the second made here."""
    config = ContainerCreate(image="busybox", cmd=["sh", "-c", "echo kept > /kept"], host_config=HostConfig(network_mode="none"))
    ident = (await engine.containers.create(config)).id
    await engine.containers.start(ident)
    await (await engine.containers.wait(ident)).result()
    return await engine.containers.commit(ident, reference="mine:1")


def _members(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}  # type: ignore[union-attr]


async def test_what_is_in_the_archive(engine: Engine, busybox: str) -> None:
    await _committed(engine)
    await engine.images.tag("mine:1", "mine:2")
    archive = await _saved(engine, "mine", "busybox:latest")
    assert archive == await _saved(engine, "mine", "busybox:latest")
    members = _members(archive)
    blobs = {name.rpartition("/")[2]: data for name, data in members.items() if name.startswith("blobs/sha256/")}
    assert all(hashlib.sha256(data).hexdigest() == name for name, data in blobs.items())
    assert json.loads(members["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    first, second = json.loads(members["manifest.json"])
    assert (first["RepoTags"], second["RepoTags"]) == (["mine:1", "mine:2"], ["busybox:latest"])
    assert len(first["Layers"]) == 2 and all(name in members for name in (first["Config"], *first["Layers"]))
    names = [entry["annotations"]["io.containerd.image.name"] for entry in json.loads(members["index.json"])["manifests"]]
    assert names == ["docker.io/library/mine:1", "docker.io/library/mine:2", "docker.io/library/busybox:latest"]
    nameless = json.loads(_members(await _saved(engine, (await engine.images.inspect("mine:1")).id))["manifest.json"])
    assert nameless[0]["RepoTags"] is None


async def test_blobs_have_the_time_of_their_image(engine: Engine, busybox: str) -> None:
    """As in dockerd's archives; what names them has none."""
    await _committed(engine)
    with tarfile.open(fileobj=io.BytesIO(await _saved(engine, "mine:1"))) as tar:
        times = {member.name: member.mtime for member in tar}
        config = json.loads(tar.extractfile("manifest.json").read())[0]["Config"]  # type: ignore[union-attr]
    [row] = [row for row in await engine.images.list() if "mine:1" in row.repo_tags]
    assert times[config] == times["blobs/sha256"] == row.created > 0
    assert times["index.json"] == times["manifest.json"] == times["oci-layout"] == 0


async def test_an_image_without_layers_is_loaded(engine: Engine) -> None:
    """Go writes null for a list without members."""
    config = json.dumps(
        {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": None}}
    ).encode()
    listed = json.dumps([{"Config": "config.json", "RepoTags": ["bare:1"], "Layers": None}]).encode()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, data in (("config.json", config), ("manifest.json", listed)):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))

    async def content() -> AsyncIterator[bytes]:
        yield archive.getvalue()

    assert [line.stream async for line in engine.images.load(content())] == ["Loaded image: bare:1\n"]
    assert (await engine.images.inspect("bare:1")).root_fs.layers == []


async def test_it_is_loaded_again(engine: Engine, busybox: str) -> None:
    made = await _committed(engine)
    archive = await _saved(engine, "mine:1")
    for row in await engine.containers.list(all=True):
        await engine.containers.remove(row.id)
    for image in ("mine:1", "busybox"):
        await engine.images.remove(image)

    async def content() -> AsyncIterator[bytes]:
        yield archive

    assert [line.stream async for line in engine.images.load(content())] == ["Loaded image: mine:1\n"]
    assert (await engine.images.inspect("mine:1")).id == made
    assert await engine.containers.run("mine:1", ["cat", "/kept"], remove=True) == b"kept\n"


async def test_what_save_refuses(engine: Engine, busybox: str) -> None:
    for refs in (["nothing"], ["busybox", "busybox:2"], ["deadbeef"]):
        with pytest.raises(NotFound):
            await _saved(engine, *refs)
    with pytest.raises(InvalidArgument):
        await _saved(engine)


async def test_skopeo_reads_a_saved_image(engine: Engine, busybox: str, cli: Cli, tmp_path: Path) -> None:
    """skopeo by both forms: the digests of the layers, uncompressed, are those that we say."""
    await _committed(engine)
    archive = tmp_path / "mine.tar"
    assert cli("save", "-o", str(archive), "mine:1").stdout == ""
    ours = (await engine.images.inspect("mine:1")).root_fs.layers
    for form in (f"docker-archive:{archive}", f"oci-archive:{archive}:1"):
        shown = subprocess.run(["skopeo", "inspect", "--config", form], capture_output=True, text=True, check=True).stdout
        assert json.loads(shown)["rootfs"]["diff_ids"] == ours
    copied = tmp_path / "copied"
    subprocess.run(["skopeo", "copy", "--quiet", f"oci-archive:{archive}:1", f"dir:{copied}"], check=True, capture_output=True)
    assert cli("save", "-o", "/dev/full", "mine:1", check=False).returncode == 1
    assert Path("/dev/full").is_char_device()
