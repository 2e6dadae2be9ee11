"""An image is pinned by its digest: nobody but a registry gives an image a name with one."""

from __future__ import annotations

import pytest

import images_data
from images.image_store import Store, load, stream
from moby_tui.engine.engine import Engine
from moby_tui.errors import InvalidArgument, MobyError, NotFound
from moby_tui.schema.build import BuildOptions
from moby_tui.schema.container import ContainerCreate
from servers.registry import Registry

CHOSEN = "sha256:" + "ab" * 32
#: What would be taken for another image's digest or id.
FORGED = [f"nginx@{CHOSEN}", f"nginx:1@{CHOSEN}", f"reg.example:5000/team/app:1@{CHOSEN}", CHOSEN, "sha256:latest"]


def small(name: str) -> images_data.ImageData:
    return images_data.ImageData([images_data.Tar().add(name, data=name.encode()).bytes()], {"Cmd": [name]})


@pytest.mark.parametrize("name", FORGED)
@pytest.mark.parametrize("form", ["docker", "docker, after a good one", "oci"])
async def test_an_archive_names_no_digest(store: Store, name: str, form: str) -> None:
    if form == "oci":
        archive = images_data.oci_layout(small("a"), name)
    elif form == "docker":
        archive = images_data.docker_archive((small("a"), [name]))
    else:
        archive = images_data.docker_archive((small("b"), ["good:1"]), (small("a"), ["good:2", name]))
    with pytest.raises(InvalidArgument, match="invalid tag"):
        await load(store, archive)
    assert store.database.query("SELECT * FROM image_references") == [] and store.images.records() == []
    assert store.layers() == set() and store.staged() == []
    with pytest.raises(NotFound):
        store.images.resolve(name)


@pytest.mark.parametrize("key", ["org.opencontainers.image.ref.name", "io.containerd.image.name"])
async def test_neither_annotation_of_a_layout_names_one(store: Store, key: str) -> None:
    with pytest.raises(InvalidArgument, match="invalid tag"):
        await load(store, images_data.oci_layout(small("a"), f"docker.io/library/nginx@{CHOSEN}", annotation=key))
    assert store.images.records() == []


@pytest.mark.parametrize("name", FORGED)
async def test_nobody_here_gives_such_a_name(store: Store, name: str) -> None:
    await load(store, images_data.docker_archive((small("a"), ["a:1"])))
    with pytest.raises(InvalidArgument, match="invalid tag"):
        await store.images.tag("a:1", name)
    with pytest.raises(InvalidArgument, match="invalid tag"):
        async for _ in store.images.import_tar(stream(small("b").layers[0]), reference=name):
            pass
    assert [image.repo_tags for image in await store.images.list()] == [["a:1"]]
    assert [image.repo_digests for image in await store.images.list()] == [[]]


@pytest.mark.parametrize("name", FORGED)
async def test_no_build_and_no_commit_gives_such_a_name(engine: Engine, busybox: str, name: str) -> None:
    before = len(await engine.images.list())
    with pytest.raises(MobyError, match="invalid tag"):
        async for _ in engine.builder.build(stream(b"FROM busybox\n"), BuildOptions(tags=[name])):
            pass
    created = await engine.containers.create(ContainerCreate(image="busybox", cmd=["true"]))
    with pytest.raises(InvalidArgument, match="invalid tag"):
        await engine.containers.commit(created.id, reference=name)
    assert len(await engine.images.list()) == before


async def test_a_loaded_image_has_no_digest_until_a_registry_tells_it(store: Store, registry: Registry) -> None:
    await load(store, images_data.docker_archive((small("a"), [f"{registry.address}/a:1"])))
    assert [image.repo_digests for image in await store.images.list()] == [[]]
