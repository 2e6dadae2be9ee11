"""An image with one of everything, as each builder makes it, is pulled and run by everybody: digests and files are the same for all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import World
from sources import MOUNTED, context

from images_data import ImageData, busybox_rootfs, docker_archive, sha256
from trees import Entry, everything


@pytest.fixture(scope="session")
def base(world: World, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Debian's busybox, pushed by us."""
    reference, archive = world.new("busybox"), tmp_path_factory.mktemp("base") / "base.tar"
    archive.write_bytes(docker_archive((ImageData([busybox_rootfs()]), [reference])))
    world.moby.load(archive)
    world.moby.push(reference)
    return reference


def _by_umoci(world: World, base: str, reference: str) -> None:
    place = world.umoci.layout(f"docker://{base}")
    bundle = world.umoci.unpack(place)
    every = bundle / "rootfs/every"
    every.mkdir()
    everything(every)
    world.umoci.repack(place, bundle)
    again = world.umoci.unpack(place)
    _change(again / "rootfs")
    world.umoci.repack(place, again)
    world.umoci.copy(f"oci:{place}", f"docker://{reference}")


def _change(root: Path) -> None:
    (root / "every/fifo").unlink()
    (root / "bin/yes").unlink()
    (root / "every/d/same").hardlink_to(root / "every/capable")
    for path in sorted((root / "every/d/e").iterdir()):
        path.unlink()
    (root / "every/d/e").rmdir()
    (root / "every/d/e").write_bytes(b"a file where a folder was")


@pytest.fixture(scope="session", params=["moby", "podman", "docker", "umoci"])
def built(request: pytest.FixtureRequest, world: World, base: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Who built it, and its name in the registry."""
    reference = world.new(f"by-{request.param}")
    if request.param == "umoci":
        _by_umoci(world, base, reference)
    else:
        builder = getattr(world, request.param)
        builder.pull(base)
        builder.build(context(tmp_path_factory.mktemp("by"), base, link_to_link=request.param != "podman"), reference)
        builder.push(reference)
    return request.param, reference


def _of_the_image(tree: dict[str, Entry]) -> dict[str, Entry]:
    return {path: entry for path, entry in tree.items() if path.partition("/")[0] not in MOUNTED}


def _differences(theirs: dict[str, Entry], ours: dict[str, Entry]) -> dict[str, tuple[Entry | None, Entry | None]]:
    return {
        path: (theirs.get(path), ours.get(path)) for path in theirs.keys() | ours.keys() if theirs.get(path) != ours.get(path)
    }


def test_everybody_reads_the_same(world: World, built: tuple[str, str]) -> None:
    builder, reference = built
    raw = world.umoci.raw(f"docker://{reference}")
    manifest, configuration = json.loads(raw), json.loads(world.umoci.skopeo("inspect", "--config", f"docker://{reference}"))
    expected = _of_the_image(world.umoci.tree(f"docker://{reference}"))
    assert len(expected) > 70
    for engine in world.engines:
        if engine.name == builder:
            engine.forget(reference)
        engine.pull(reference)
        assert engine.id(reference) == manifest["config"]["digest"], engine.name
        assert engine.layers(reference) == configuration["rootfs"]["diff_ids"], engine.name
        assert sha256(raw) in engine.digests(reference), engine.name
        assert engine.run(reference, "cat", "/every/d/e") != "", engine.name
        assert _differences(_of_the_image(engine.tree(reference)), expected) == {}, engine.name
    assert _differences(_of_the_image(world.moby.exported(reference)), expected) == {}
