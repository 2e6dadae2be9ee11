"""An image with one of everything, as each builder makes it, is pulled and run by everybody: digests and files are the same for all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from images_data import sha256
from peers.engines import Engine
from peers.peers_world import World
from peers.sources import context, differences, of_the_image
from trees import Entry, everything


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


@pytest.fixture(scope="session", params=["moby", "podman", "docker", "umoci"])
def built(request: pytest.FixtureRequest, world: World, base: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Who built it, and its name in the registry."""
    if request.param == "moby":
        return request.param, request.getfixturevalue("every")
    reference = world.new(f"by-{request.param}")
    if request.param == "umoci":
        _by_umoci(world, base, reference)
    else:
        builder: Engine = getattr(world, request.param)
        builder.pull(base)
        builder.build(context(tmp_path_factory.mktemp("by"), base, link_to_link=request.param != "podman"), reference)
        builder.push(reference)
    return request.param, reference


#: By builder and reader. umoci tells of whiteouts after the folder that they are in; the others leave it with the time of the unpacking.
_THEIR_OWN = {("umoci", "podman"): {"every"}, ("umoci", "docker"): {"every"}}


def test_everybody_reads_the_same(world: World, built: tuple[str, str]) -> None:
    builder, reference = built
    raw = world.umoci.raw(f"docker://{reference}")
    manifest, configuration = json.loads(raw), json.loads(world.umoci.skopeo("inspect", "--config", f"docker://{reference}"))
    expected = of_the_image(world.umoci.tree(f"docker://{reference}"))
    assert len(expected) > 70
    for engine in world.engines:
        if engine.name == builder:
            engine.forget(reference)
        engine.pull(reference)
        assert engine.id(reference) == manifest["config"]["digest"], engine.name
        assert engine.layers(reference) == configuration["rootfs"]["diff_ids"], engine.name
        assert sha256(raw) in engine.digests(reference), engine.name
        assert engine.run(reference, "cat", "/every/capable") == "x", engine.name
        found = differences(of_the_image(engine.tree(reference)), expected)
        assert found.keys() <= _THEIR_OWN.get((builder, engine.name), set()), (engine.name, found)
    assert differences(of_the_image(world.moby.exported(reference)), _exportable(expected)) == {}


def _exportable(tree: dict[str, Entry]) -> dict[str, Entry]:
    """An export holds capabilities and what users noted, not what is for the host's root alone."""

    def kept(entry: Entry) -> Entry:
        return entry._replace(attributes=tuple(item for item in entry.attributes if not item[0].startswith("trusted.")))

    return {path: kept(entry) for path, entry in tree.items()}


def test_a_file_where_umoci_had_a_folder(world: World, every: str) -> None:
    """Its layer then holds whiteouts below the file; dockerd refuses it."""
    place = world.umoci.layout(f"docker://{every}")
    bundle = world.umoci.unpack(place)
    shutil.rmtree(bundle / "rootfs/every/own")
    (bundle / "rootfs/every/own").write_text("a file")
    world.umoci.repack(place, bundle)
    reference = world.new("file")
    world.umoci.copy(f"oci:{place}", f"docker://{reference}")
    world.moby.pull(reference)
    assert world.moby.run(reference, "cat", "/every/own") == "a file"
    assert differences(of_the_image(world.moby.tree(reference)), of_the_image(world.umoci.tree(f"docker://{reference}"))) == {}
