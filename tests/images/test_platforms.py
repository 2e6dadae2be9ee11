"""Several platforms of one image: which is saved, loaded, pushed, inspected; archives that are compressed as a whole."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import images_data
from images.image_store import Store, load, open_store, stream
from images_data import ImageData, Tar
from moby_tui.engine.store.paths import Paths
from moby_tui.errors import InvalidArgument, NotFound
from servers.registry import MANIFEST, Registry

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Cli = Callable[..., subprocess.CompletedProcess[str]]


def of(architecture: str) -> ImageData:
    return ImageData([Tar().add(architecture, data=architecture.encode()).bytes()], architecture=architecture)


async def pulled(store: Store, registry: Registry, name: str) -> tuple[str, dict[str, str]]:
    """An image of two platforms, both here; its name and the ids."""
    registry.push_index(name, "1", {"linux/amd64": of("amd64"), "linux/arm64": of("arm64")})
    reference = f"{registry.address}/{name}:1"
    for platform in ("linux/arm64", "linux/amd64"):
        async for _ in store.images.pull(reference, platform=platform):
            pass
    return reference, {architecture: of(architecture).id for architecture in ("amd64", "arm64")}


async def test_a_platform_is_chosen_by_name(store: Store, registry: Registry) -> None:
    reference, ids = await pulled(store, registry, "platforms/inspected")
    assert (await store.images.inspect(reference)).id == ids["amd64"]
    assert (await store.images.inspect(reference, platform="linux/arm64")).id == ids["arm64"]
    assert (await store.images.history(reference, platform="arm64"))[0].id == ids["arm64"]
    for wrong in ("linux/s390x", "windows/amd64"):
        with pytest.raises(NotFound, match="does not provide the specified platform"):
            await store.images.inspect(reference, platform=wrong)
    with pytest.raises(InvalidArgument, match="cannot parse platform specifier"):
        await store.images.inspect(reference, platform="a/b/c/d")


async def test_platforms_are_saved_and_loaded(store: Store, registry: Registry, tmp_path: Path) -> None:
    reference, ids = await pulled(store, registry, "platforms/saved")
    both = b"".join([piece async for piece in store.images.save([reference], platforms=["linux/amd64", "linux/arm64"])])
    one = b"".join([piece async for piece in store.images.save([reference], platforms=["linux/arm64"])])
    other = open_store(Paths(tmp_path / "d", tmp_path / "r"))
    with pytest.raises(InvalidArgument, match="no image for linux/s390x"):
        async for _ in other.images.load(stream(both), platforms=["linux/amd64", "linux/s390x"]):
            pass
    assert not await other.images.list() and not [*(other.paths.layers).iterdir()]
    async for _ in other.images.load(stream(both), platforms=["linux/arm64"]):
        pass
    assert [(image.id, image.repo_tags) for image in await other.images.list()] == [(ids["arm64"], [reference])]
    async for _ in other.images.load(stream(both), platforms=["linux/arm64", "linux/amd64"]):
        pass
    assert {image.id for image in await other.images.list()} == set(ids.values())
    assert (await other.images.inspect(reference)).id == ids["amd64"]
    await other.images.prune(filters={"dangling": ["false"]})
    await load(other, one)
    assert [image.id for image in await other.images.list()] == [ids["arm64"]]
    other.database.close()


async def test_one_platform_is_removed(store: Store, registry: Registry) -> None:
    reference, ids = await pulled(store, registry, "platforms/removed")
    with pytest.raises(NotFound, match="does not provide the specified platform"):
        await store.images.remove(reference, platforms=["linux/amd64", "linux/s390x"])
    assert {image.id for image in await store.images.list()} == set(ids.values())
    await store.images.remove(reference, platforms=["linux/arm64"])
    assert [(image.id, image.repo_tags) for image in await store.images.list()] == [(ids["amd64"], [reference])]
    with pytest.raises(NotFound, match="does not match the specified platform"):
        await store.images.remove(reference, platforms=["linux/arm64"])
    await pulled(store, registry, "platforms/removed")
    gone = await store.images.remove(reference, platforms=["linux/amd64", "linux/arm64", "linux/amd64"])
    assert {one.deleted for one in gone} >= set(ids.values()) and not await store.images.list()


async def test_a_platform_is_pushed(store: Store, registry: Registry) -> None:
    reference, ids = await pulled(store, registry, "platforms/pushed")
    await store.images.tag(reference, f"{registry.address}/platforms/target:1")
    async for _ in store.images.push(f"{registry.address}/platforms/target:1", platform="linux/arm64"):
        pass
    answer = registry.request("GET", "/v2/platforms/target/manifests/1", headers={"Accept": MANIFEST})
    assert json.loads(answer.content)["config"]["digest"] == ids["arm64"]  # type: ignore[attr-defined]


async def test_all_tags_are_pulled(store: Store, registry: Registry) -> None:
    for tag in ("1", "2", "latest"):
        registry.push("platforms/tags", tag, ImageData([Tar().add(tag).bytes()]))
    async for _ in store.images.pull(f"{registry.address}/platforms/tags", all_tags=True):
        pass
    tags = [tag for image in await store.images.list() for tag in image.repo_tags]
    assert sorted(tags) == [f"{registry.address}/platforms/tags:{tag}" for tag in ("1", "2", "latest")]
    with pytest.raises(InvalidArgument, match="tag can't be used"):
        async for _ in store.images.pull(f"{registry.address}/platforms/tags:1", all_tags=True):
            pass


@pytest.mark.parametrize("form", ["docker", "oci"])
@pytest.mark.parametrize("compress", [gzip.compress, zstd.compress], ids=["gzip", "zstd"])
async def test_archives_compressed_as_a_whole(store: Store, compress: Callable[[bytes], bytes], form: str) -> None:
    image = images_data.busybox()
    plain = images_data.docker_archive((image, ["x:1"])) if form == "docker" else images_data.oci_layout(image, "x:1")
    await load(store, compress(plain))
    assert (await store.images.inspect("x:1")).id == image.id


def test_save_to_a_pipe_and_back(cli: Cli, roots: tuple[Path, Path], tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    archive.write_bytes(images_data.docker_archive((of("amd64"), ["a:1", "a:2"]), (of("arm64"), ["b:1"])))
    cli("load", "-i", str(archive))
    with (tmp_path / "piped").open("wb") as out:
        moby = subprocess.Popen(
            [sys.executable, "-m", "moby_tui", "--data-root", str(roots[0]), "--exec-root", str(roots[1]), "save", "a", "b:1"],
            stdout=subprocess.PIPE,
        )
        subprocess.run(["gzip", "-1"], stdin=moby.stdout, stdout=out, check=True)
        assert moby.wait() == 0
    cli("rmi", "-f", "a:1", "a:2", "b:1")
    cli("load", "-i", str(tmp_path / "piped"))
    assert sorted(cli("images", "--format", "{{.Repository}}:{{.Tag}}").stdout.split()) == ["a:1", "a:2", "b:1"]
    assert "linux/amd64" in cli("images", "--tree").stdout
    assert (
        "no suitable export target found for platform linux/s390x"
        in cli("save", "--platform", "linux/s390x", "a:1", check=False).stderr
    )
