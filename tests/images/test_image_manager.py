"""Load, import, names, lists, removal."""

from __future__ import annotations

import gzip
import json
import os
from datetime import datetime

import pytest

import images_data
from images.image_store import Store, load, stream
from moby_tui.engine.resources.images.store import staging
from moby_tui.errors import Conflict, InvalidArgument, MobyError, NotFound
from servers.registry import Registry


def layers_of(image: images_data.ImageData) -> list[str]:
    """An image of one layer: its chain id is its diff id."""
    (layer,) = image.layers
    return [images_data.sha256(layer)]


def small(name: str, **execution: object) -> images_data.ImageData:
    return images_data.ImageData([images_data.Tar().add(name, data=name.encode()).bytes()], {"Cmd": [name], **execution})


@pytest.mark.parametrize("way", ["docker", "docker.gz", "oci"])
async def test_load(store: Store, way: str) -> None:
    image = images_data.busybox()
    archive = images_data.oci_layout(image, "docker.io/library/bb:1") if way == "oci" else images_data.busybox_archive("bb:1")
    lines = await load(store, gzip.compress(archive, 1) if way.endswith("gz") else archive)
    assert [line.stream for line in lines] == ["Loaded image: bb:1\n"]
    assert store.images.resolve("bb:1").id == image.id and len(store.images.resolve("bb:1").layers) == 2
    assert store.events == [("image", "load", image.id, {"name": image.id})]
    assert store.staged() == []


async def test_load_without_a_name_and_of_nothing(store: Store) -> None:
    image = small("a")
    lines = await load(store, images_data.docker_archive((image, [])))
    assert [line.stream for line in lines] == [f"Loaded image ID: {image.id}\n"]
    assert [found.repo_tags for found in await store.images.list(filters={"dangling": ["true"]})] == [[]]
    for bad in (b"", b"no tar", images_data.Tar().add("x").bytes(), images_data.Tar().add("manifest.json", data=b"[{}]").bytes()):
        with pytest.raises(InvalidArgument):
            await load(store, bad)
    assert store.staged() == []


async def test_load_of_a_configuration_without_a_system(store: Store) -> None:
    """Archives of 2013 name none; dockerd takes Linux for it."""
    image = small("a")
    config = json.loads(image.config)
    del config["os"], config["architecture"]
    tar = images_data.Tar().add("l", data=image.layers[0]).add("c", data=json.dumps(config).encode())
    await load(store, tar.add("manifest.json", data=b'[{"Config":"c","RepoTags":["a:1"],"Layers":["l"]}]').bytes())
    found = await store.images.inspect("a:1")
    assert (found.os, found.architecture, found.id) == ("linux", "", images_data.sha256(json.dumps(config).encode()))


async def test_load_with_a_layer_that_is_not_what_it_says(store: Store) -> None:
    image = small("a")
    tar = images_data.Tar().add("l", data=small("b").layers[0]).add("c", data=image.config)
    archive = tar.add("manifest.json", data=b'[{"Config":"c","RepoTags":["a:1"],"Layers":["l"]}]').bytes()
    with pytest.raises(MobyError, match="layer verification failed"):
        await load(store, archive)
    assert store.layers() == set() and store.staged() == []


async def test_import(store: Store) -> None:
    tar = images_data.busybox_rootfs()
    changes = ['CMD ["sh"]', "ENV A=1 B='2 3'", "EXPOSE 80", "LABEL x=y", "USER 5", "WORKDIR /w", "ENTRYPOINT e f", "VOLUME /v"]
    lines = [
        line
        async for line in store.images.import_tar(stream(gzip.compress(tar, 1)), reference="made:1", message="m", changes=changes)
    ]
    found = await store.images.inspect("made:1")
    assert lines[-1].status == found.id and found.comment == "m"
    config = found.config
    assert (config.cmd, config.entrypoint, config.env) == (["sh"], ["/bin/sh", "-c", "e f"], ["A=1", "B=2 3"])
    assert (config.user, config.working_dir, config.labels) == ("5", "/w", {"x": "y"})
    assert (config.exposed_ports, config.volumes) == ({"80/tcp": {}}, {"/v": {}})
    assert found.root_fs.layers == [images_data.sha256(tar)] and datetime.fromisoformat(found.created).tzinfo
    with pytest.raises(InvalidArgument, match="RUN is not a valid change command"):
        [line async for line in store.images.import_tar(stream(tar), changes=["RUN x"])]


async def test_names(store: Store) -> None:
    image = small("a")
    await load(store, images_data.docker_archive((image, ["a:1"])))
    bare = image.id.removeprefix("sha256:")
    for name in ("a:1", "docker.io/library/a:1", image.id, bare, bare[:12], image.id[:20]):
        assert store.images.resolve(name).id == image.id
    for name, text in (
        ("a", "No such image: a:latest"),
        ("abc", "No such image: abc:latest"),
        ("f" * 64, f"No such image: {'f' * 64}"),
    ):
        with pytest.raises(NotFound, match=f"^{text}$"):
            store.images.resolve(name)
    with pytest.raises(InvalidArgument, match="invalid reference format"):
        store.images.resolve("A b")
    with pytest.raises(InvalidArgument, match="image name cannot be blank"):
        await store.images.remove(" ")
    await store.images.tag("a:1", "reg.example:5/b")
    assert (await store.images.inspect("reg.example:5/b:latest")).repo_tags == ["a:1", "reg.example:5/b:latest"]
    with pytest.raises(InvalidArgument):
        await store.images.tag("a:1", "b@sha256:" + "0" * 64)
    (top,) = await store.images.history("a:1")
    assert (top.id, top.created_by, top.tags) == (image.id, "layer 0", ["a:1", "reg.example:5/b:latest"])


async def test_inspect_tells_what_only_the_configuration_holds(store: Store) -> None:
    check = {"Test": ["CMD", "true"], "Interval": 5, "Retries": 2}
    await load(store, images_data.docker_archive((small("a", Healthcheck=check, Env=None, Unknown=1), ["a:1"])))
    config = (await store.images.inspect("a:1")).config
    assert config.healthcheck and config.healthcheck.test == ["CMD", "true"] and config.env is None


async def test_filters(store: Store) -> None:
    await load(store, images_data.docker_archive((small("a", Labels={"k": "v"}), ["a:1", "x/a:2"]), (small("b"), ["b:1"])))

    async def names(**filters: list[str]) -> list[list[str]]:
        return [
            image.repo_tags
            for image in await store.images.list(filters={key.replace("_not", "!"): value for key, value in filters.items()})
        ]

    assert await names(label=["k"]) == await names(label=["k=v"]) == [["a:1", "x/a:2"]]
    assert await names(label=["k=w"]) == [] and await names(label_not=["k"]) == [["b:1"]]
    assert await names(reference=["b*"]) == await names(reference=["b"]) == [["b:1"]] and await names(reference=["*"]) != []
    assert await names(reference=["x/*"]) == [["x/a:2"]] and await names(dangling=["true"]) == []
    assert len(await names(until=["1h"])) == 2 and await names(until=["2020-01-01"]) == []
    for bad in ({"nope": ["x"]}, {"dangling": ["maybe"]}, {"until": ["soon"]}):
        with pytest.raises(InvalidArgument, match=r"invalid|failed to parse"):
            await store.images.list(filters=bad)


async def test_remove_by_reference_and_id(store: Store) -> None:
    image = small("a")
    await load(store, images_data.docker_archive((image, ["a:1", "a:2", "b:1"])))
    with pytest.raises(Conflict, match=r"\(must be forced\) - image is referenced in multiple repositories"):
        await store.images.remove(image.id)
    assert [item.untagged for item in await store.images.remove("a:1")] == ["a:1"]
    assert store.images.count() == 1
    deleted = await store.images.remove(image.id[:20], force=True)
    assert [item.untagged or item.deleted for item in deleted] == ["a:2", "b:1", image.id, *layers_of(image)]
    assert store.images.count() == 0 and store.layers() == set() and list((store.paths.blobs / "sha256").iterdir()) == []
    assert store.actions() == ["load", "untag", "untag", "untag", "delete"]
    with pytest.raises(NotFound, match="No such image: a:1"):
        await store.images.remove("a:1")


async def test_images_in_use_stay(store: Store) -> None:
    image = small("a")
    await load(store, images_data.docker_archive((image, ["a:1"])))
    users = [("c" * 64, True)]
    store.images.used_by = lambda image_id: users if image_id == image.id else []
    with pytest.raises(
        Conflict, match=r'unable to remove repository reference "a:1" .must force. - container cccccccccccc is using'
    ):
        await store.images.remove("a:1")
    with pytest.raises(Conflict, match=r"cannot be forced. - image is being used by running container cccccccccccc"):
        await store.images.remove(image.id, force=True)
    users[:] = [("d" * 64, False)]
    with pytest.raises(Conflict, match=r"must be forced. - image is being used by stopped container dddddddddddd"):
        await store.images.remove(image.id)
    assert (await store.images.prune(filters={"dangling": ["false"]})).images_deleted is None
    assert [item.untagged for item in await store.images.remove("a:1", force=True)] == ["a:1"]
    assert store.images.resolve(image.id).layers[0].is_dir(), "the stopped container can be started again"
    users.clear()
    pruned = await store.images.prune()
    assert [item.deleted for item in pruned.images_deleted or []] == [image.id, *layers_of(image)]
    assert pruned.space_reclaimed > 4096


async def test_shared_layers_stay_and_removed_ones_wait_for_arrivals(store: Store) -> None:
    first, second = small("a"), small("b")
    second.layers = first.layers + second.layers
    await load(store, images_data.docker_archive((first, ["a:1"]), (second, ["b:1"])))
    await store.images.remove("b:1")
    assert store.layers() == {images_data.sha256(first.layers[0])}
    await load(store, images_data.docker_archive((second, ["b:1"])))
    with staging.shared(store.paths.blobs / "lock"):  # as a pull in another process holds it
        await store.images.remove("b:1")
        assert len(store.layers()) == 2
    for layer in store.paths.layers.iterdir():
        os.utime(layer, (0, 0))
    await store.images.collect_rubbish()
    assert store.layers() == {images_data.sha256(first.layers[0])}


async def test_tag_moves_and_leaves_a_dangling_image(store: Store) -> None:
    first, second = small("a"), small("b")
    await load(store, images_data.docker_archive((first, ["x:1"])))
    lines = await load(store, images_data.docker_archive((second, ["x:1"])))
    told = f"The image x:1 already exists, renaming the old one with ID {first.id} to empty string\n"
    assert [line.stream for line in lines] == [told, "Loaded image: x:1\n"]
    assert store.images.resolve("x:1").id == second.id
    again = await load(store, images_data.docker_archive((second, ["x:1"])))
    assert [line.stream for line in again] == ["Loaded image: x:1\n"]
    assert [image.id for image in await store.images.list(filters={"dangling": ["true"]})] == [first.id]


async def test_a_layer_twice_and_an_opaque_root(store: Store) -> None:
    low, high = small("a").layers[0], small("b").layers[0]
    opaque = images_data.Tar().add(".wh..wh..opq").add("c", data=b"").bytes()
    twice, covered = images_data.ImageData([low, high, low]), images_data.ImageData([low, opaque, high])
    await load(store, images_data.docker_archive((twice, ["twice:1"]), (covered, ["opaque:1"])))
    names = [layer.parent.name for layer in store.images.resolve("twice:1").layers]
    assert names == [images_data.sha256(layer)[7:] for layer in (low, high)]
    names = [layer.parent.name for layer in store.images.resolve("opaque:1").layers]
    assert names == [images_data.sha256(layer)[7:] for layer in (high, opaque)]


async def test_an_image_is_listed_with_its_platforms(store: Store, registry: Registry) -> None:
    images = {"linux/amd64": small("amd"), "linux/arm64": small("arm")}
    images["linux/arm64"].architecture = "arm64"
    index = registry.push_index("tree/multi", "1", images)
    name = f"{registry.address}/tree/multi:1"
    async for _ in store.images.pull(name):
        pass
    (found,) = await store.images.list(manifests=True, shared_size=True)
    told = {one.image_data.platform.architecture: one for one in found.manifests or () if one.image_data}
    assert set(told) == {"amd64", "arm64"} and found.repo_digests == [f"{registry.address}/tree/multi@{index}"]
    here, elsewhere = told["amd64"], told["arm64"]
    assert (here.available, elsewhere.available) == (True, False)
    assert here.size.total == here.size.content + found.size and here.size.content > 0 and elsewhere.size.total == 0
    async for _ in store.images.pull(name, platform="linux/arm64"):
        pass
    both = await store.images.list(manifests=True)
    assert [[one.available for one in image.manifests or ()] for image in both] == [[True, True], [True, True]]


async def test_a_filter_of_references_chooses_the_tags_that_are_told(store: Store) -> None:
    await load(store, images_data.docker_archive((small("a"), ["a:1", "a:2", "b/c:1"])))
    assert [image.repo_tags for image in await store.images.list(filters={"reference": ["a:2"]})] == [["a:2"]]
    assert [image.repo_tags for image in await store.images.list(filters={"reference": ["*/c", "a"]})] == [
        ["b/c:1", "a:1", "a:2"]
    ]
