"""What the docker CLI says of images, from a real dockerd and from us: the same archive, the same commands, the same words."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

import images_data
from api.world import Docker
from images_data import ImageData, Tar
from moby_tui.api.client.connect import connect
from moby_tui.api.server.serve import serving
from moby_tui.engine.engine import Engine
from moby_tui.errors import MobyError
from moby_tui.schema.provenance import VerifyOptions
from moby_tui.schema.system import PruneOptions
from servers.dockerd import running


@pytest.fixture(scope="module")
def dockerd() -> Iterator[Path]:
    """The socket of a dockerd without containers or networks."""
    with running() as path:
        yield path


@pytest.fixture
async def both(dockerd: Path, engine: Engine, tmp_path: Path) -> AsyncIterator[list[Docker]]:
    """dockerd and us, with the same two images."""
    first = ImageData(images_data.busybox().layers, {"Cmd": ["sh"], "Labels": {"a": "b"}, "ExposedPorts": {"80/tcp": {}}})
    second = ImageData([*first.layers, Tar().add("more", data=b"more").bytes()], {"Entrypoint": ["/bin/sh"], "User": "nobody"})
    archive = tmp_path / "a.tar"
    archive.write_bytes(images_data.docker_archive((first, ["first:1", "first:2"]), (second, ["team/second:1"])))
    async with serving(engine, [f"unix://{tmp_path}/s"]):
        sides = [Docker(dockerd, tmp_path), Docker(tmp_path / "s", tmp_path)]
        for side in sides:
            side.env["DOCKER_API_VERSION"] = "1.41"
            await side("load", "-i", str(archive))
        yield sides
        await sides[0]("image", "prune", "-af")


def comparable(inspected: str) -> Any:
    """Without what is of the store, not of the image."""
    images = json.loads(inspected)
    for image in images:
        for store in ("GraphDriver", "Metadata"):
            del image[store]
    return images


async def same(both: list[Docker], *command: str, ordered: bool = True) -> str:
    """``ordered``: images of the same age come in any order."""
    theirs, ours = [await side(*command, check=False) for side in both]
    lines = [done.out.splitlines() if ordered else sorted(done.out.splitlines()) for done in (theirs, ours)]
    assert (ours.status, lines[1], ours.err) == (theirs.status, lines[0], theirs.err), command
    return ours.out


async def test_inspect_and_history(both: list[Docker]) -> None:
    for name in ("first:1", "team/second:1"):
        theirs, ours = [comparable((await side("image", "inspect", name)).out) for side in both]
        # dockerd 20.10 shows none of an image that was not built there; docker-compose 1 looks here for the volumes of any image
        del theirs[0]["ContainerConfig"]
        assert ours[0].pop("ContainerConfig") == ours[0]["Config"]
        for key in theirs[0]:
            assert (key, ours[0].get(key)) == (key, theirs[0][key])
        assert ours[0].keys() == theirs[0].keys()
        await same(both, "history", "--no-trunc", "--format", "json", name)


async def test_lists(both: list[Docker]) -> None:
    await same(both, "images", "--digests", "--no-trunc", ordered=False)
    for chosen in ("reference=first", "reference=first:2", "reference=*/second", "dangling=true", "label=a=b", "label=a=c"):
        await same(both, "images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}} {{.Size}}", "--filter", chosen, ordered=False)
    await same(both, "images", "first:1")
    await same(both, "images", "--filter", "before=nothere")


async def test_removal(both: list[Docker]) -> None:
    await same(both, "tag", "first:1", "other/name:1")
    first = (await same(both, "images", "-q", "first:1")).strip()
    await same(both, "rmi", first)
    await same(both, "rmi", "nothere", "sha256:1234")
    await same(both, "rmi", "first:1", "first:2")
    await same(both, "rmi", first)
    assert await same(both, "images", "-q", first) == ""
    await same(both, "rmi", "team/second:1")
    assert await same(both, "images", "-aq") == ""
    await same(both, "rmi", "-f", "nothere")


async def test_forced_removal_and_dangling_images(both: list[Docker]) -> None:
    first = (await same(both, "images", "-q", "first:1")).strip()
    await same(both, "rmi", "-f", first)
    await same(both, "tag", "team/second:1", "x:1")
    await same(both, "rmi", "--no-prune", "team/second:1", "x:1")
    await same(both, "images", "-aq")
    await same(both, "image", "prune", "-f")
    await same(both, "images", "-aq")


async def test_what_dockerd_does_not_know_is_told(dockerd: Path) -> None:
    async with connect(f"unix://{dockerd}") as client:
        for asked in (
            client.images.explore("x"),
            anext(client.images.layer_files("x")),
            anext(client.images.files("x")),
            anext(client.containers.files("x")),
            client.volumes.delete_file("x", "/y"),
            client.images.attestations("x"),
            client.images.verify("x", VerifyOptions()),
            client.system.prunable(PruneOptions()),
            client.history.status(),
            client.history.containers(),
            anext(client.history.figures("x")),
            anext(client.history.log("x")),
        ):
            with pytest.raises(MobyError, match="needs moby at the other end"):
                await asked
