"""What `moby save` writes is loaded by the others, and `moby load` takes what they write."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from images_data import sha256
from peers.peers_world import World
from peers.sources import differences, of_the_image


@pytest.fixture(scope="session")
def saved(world: World, every: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """docker-archive and OCI layout in one."""
    archive = tmp_path_factory.mktemp("saved") / "saved.tar"
    world.moby.save(archive, every)
    return archive


@pytest.mark.parametrize("loader", ["podman", "docker"])
def test_ours_is_loaded(world: World, every: str, saved: Path, loader: str) -> None:
    engine = getattr(world, loader)
    engine.load(saved)
    assert engine.id(every) == world.moby.id(every)
    assert engine.layers(every) == world.moby.layers(every)
    assert engine.run(every, "cat", "/every/own/plain") == "plain"
    assert differences(of_the_image(engine.tree(every)), of_the_image(world.moby.tree(every))) == {}


def test_skopeo_and_umoci_read_both_forms_of_ours(world: World, every: str, saved: Path, tmp_path: Path) -> None:
    with tarfile.open(saved) as archive:
        archive.extractall(tmp_path / "layout", filter="tar")
    expected = of_the_image(world.moby.tree(every))
    (listed,) = json.loads((tmp_path / "layout/index.json").read_text())["manifests"]
    tag = listed["annotations"]["org.opencontainers.image.ref.name"]
    place = f"{tmp_path}/layout:{tag}"
    assert sha256(world.umoci.raw(f"oci:{place}")) == listed["digest"]
    assert world.umoci.raw(f"oci:{place}") == world.umoci.raw(f"docker://{every}")
    assert differences(of_the_image(world.umoci.unpacked(place)), expected) == {}
    assert differences(of_the_image(world.umoci.tree(f"docker-archive:{saved}")), expected) == {}
    assert json.loads(world.umoci.raw(f"docker-archive:{saved}"))["config"]["digest"] == world.moby.id(every)


_WRITERS = {
    "podman": lambda world, every, path: world.podman.save(path, every),
    "podman-oci": lambda world, every, path: world.podman.ask("save", "--format", "oci-archive", "-o", str(path), every),
    "docker": lambda world, every, path: world.docker.save(path, every),
    "skopeo-docker": lambda world, every, path: world.umoci.copy(f"docker://{every}", f"docker-archive:{path}:{every}"),
    "skopeo-oci": lambda world, every, path: world.umoci.copy(f"docker://{every}", f"oci-archive:{path}:{every}"),
}


@pytest.mark.parametrize("writer", _WRITERS)
def test_theirs_is_loaded(world: World, every: str, tmp_path: Path, writer: str) -> None:
    expected, ident = world.moby.tree(every), world.moby.id(every)
    for engine in (world.podman, world.docker):
        if writer.startswith(engine.name):
            engine.pull(every)
    _WRITERS[writer](world, every, tmp_path / "archive")
    world.moby.forget(every)
    try:
        world.moby.load(tmp_path / "archive")
        # docker-archives hold the configuration as it is, and so does an image that came from a registry
        assert world.moby.id(every) == ident
        assert differences(world.moby.tree(every), expected) == {}
    finally:
        world.moby.pull(every)
