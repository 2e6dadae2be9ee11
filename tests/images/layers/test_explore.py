"""What explore says of layers, held against what an overlay of them shows."""

from __future__ import annotations

import io
import json
import os
import random
import stat
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

import images_data
from images.image_store import Store, load
from images_data import ImageData, Tar
from moby_tui.errors import InvalidArgument, NotFound

Cli = Callable[..., subprocess.CompletedProcess[str]]


def layered() -> ImageData:
    lowest = Tar().directory("d").add("d/a", data=b"a" * 100).add("d/b", data=b"b" * 50).add("kept", data=b"k" * 10)
    lowest.add("turned", data=b"t" * 7).directory("was").add("was/deep", data=b"w" * 9).link("again", "kept")
    middle = Tar().add("d/a", data=b"A" * 30).add("d/.wh.b").add("new", data=b"n" * 5)
    middle.directory("turned").add("turned/in", data=b"i").add("was", data=b"file")
    upper = Tar().directory("d").add("d/.wh..wh..opq").add("d/c", data=b"c" * 3).add("d/a", data=b"a" * 100)
    return ImageData([lowest.bytes(), middle.bytes(), upper.bytes()])


async def test_each_layer_is_told(store: Store) -> None:
    await load(store, images_data.docker_archive((layered(), ["x:1"])))
    found = await store.images.explore("x:1")
    told = [(layer.added, layer.changed, layer.deleted, layer.size, layer.wasted) for layer in found.layers]
    assert told == [(6, 0, 0, 176, 166), (3, 1, 3, 40, 30), (1, 1, 0, 103, 0)]
    assert (found.size, found.wasted, found.files) == (319, 196, 7)
    assert found.layers[0].created_by == "layer 0"
    assert [(file.path, file.copies, file.size) for file in found.wasted_files[:2]] == [("d/a", 2, 130), ("d/b", 1, 50)]
    changes = [(item.layer, item.kind, item.path, item.size) async for item in store.images.layer_files("x:1", layer=1)]
    assert changes == [
        (1, "added", "new", 5),
        (1, "deleted", "turned", 7),
        (1, "added", "was", 4),
        (1, "changed", "d/a", 30),
        (1, "deleted", "d/b", 50),
        (1, "added", "turned/in", 1),
        (1, "deleted", "was/deep", 9),
    ]
    assert len([item async for item in store.images.layer_files("x:1")]) == 6 + 7 + 2
    with pytest.raises(InvalidArgument, match="no layer 3"):
        await anext(store.images.layer_files("x:1", layer=3))
    with pytest.raises(NotFound):
        await store.images.explore("y")


async def test_files_of_an_image_and_of_its_layers(store: Store) -> None:
    await load(store, images_data.docker_archive((layered(), ["x:1"])))

    async def names(path: str, layer: int | None = None) -> list[str]:
        return [entry.name async for entry in store.images.files("x:1", path, layer=layer)]

    assert await names("/d") == ["a", "c"] and await names("d", 1) == ["a"] and await names("d", 0) == ["a", "b"]
    assert await names("/") == ["again", "d", "kept", "new", "turned", "was"]
    for layer, content in ((0, b"a" * 100), (1, b"A" * 30), (None, b"a" * 100)):
        told, archive = await store.images.archive_get("x:1", "/d/a", layer=layer)
        data = b"".join([piece async for piece in archive])
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            member = tar.extractfile("a")
            assert member is not None and member.read() == content and told.size == len(content)
    with pytest.raises(NotFound, match="Could not find the file d/b in the image"):
        await store.images.archive_get("x:1", "d/b")
    with pytest.raises(InvalidArgument, match="no layer 3"):
        await store.images.archive_stat("x:1", "d/a", layer=3)
    with pytest.raises(InvalidArgument, match="not a directory"):
        await names("/d/a")


def test_the_command_line_shows_it(cli: Cli, tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    archive.write_bytes(images_data.docker_archive((layered(), ["x:1"])))
    cli("load", "-i", str(archive))
    shown = cli("image", "explore", "x:1").stdout
    assert "Wasted:      196B" in shown and "d/a" in shown
    assert json.loads(cli("image", "explore", "--json", "x:1").stdout)["Wasted"] == 196
    assert "C      30B /d/a" in cli("image", "explore", "--layer", "1", "x:1").stdout
    assert len(cli("image", "explore", "--files", "--format", "json", "x:1").stdout.splitlines()) == 15
    assert "moby: --json and --format" in cli("image", "explore", "--json", "--format", "x", "x:1", check=False).stderr


PATHS = ["a", "b", "d/a", "d/b", "d/e/a", "d/e/g/a", "d", "d/e", "h/a"]


def random_layer(dice: random.Random) -> bytes:
    """Files, links, deletions and opaque directories; no path of it lies below a file of it."""
    tar, taken = Tar(), set[str]()
    for path in dice.sample(PATHS, dice.randint(1, 6)):
        if any(path == other or path.startswith(f"{other}/") or other.startswith(f"{path}/") for other in taken):
            continue
        taken.add(path)
        folder, _, name = path.rpartition("/")
        match dice.choice(["file", "file", "file", "link", "deletion", "opaque"]):
            case "file":
                tar.add(path, data=b"x" * dice.randint(0, 5000))
            case "link" if name in ("a", "b"):
                tar.symlink(path, "elsewhere")
            case "link":
                pass  # a layer that reaches through a link of a lower one is not taken
            case "deletion":
                tar.add(f"{folder}/.wh.{name}".lstrip("/"))
            case _:
                tar.directory(path).add(f"{path}/.wh..wh..opq")
    return tar.bytes()


@pytest.mark.parametrize("seed", range(25))
async def test_what_is_seen_is_what_an_overlay_shows(store: Store, tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    image = ImageData(list(dict.fromkeys(random_layer(dice) for _ in range(dice.randint(2, 5)))))
    await load(store, images_data.docker_archive((image, ["x:1"])))
    found = await store.images.explore("x:1")
    lower = ":".join(str(layer) for layer in [*store.images.resolve("x:1").layers, tmp_path])
    place = store.paths.data_root.parent / "merged"
    place.mkdir()
    subprocess.run(["mount", "-t", "overlay", "-o", f"ro,lowerdir={lower}", "overlay", str(place)], check=True)
    try:
        # overlayfs lists a deletion of what was never there, and has no such file
        entries = [path for path in place.rglob("*") if os.path.lexists(path)]
        files = {path: path.lstat() for path in entries if path.is_symlink() or not path.is_dir()}
    finally:
        subprocess.run(["umount", str(place)], check=True)
    regular = sum(status.st_size for status in files.values() if stat.S_ISREG(status.st_mode))
    assert found.files == len(files)
    assert found.size - found.wasted == regular
    alive: dict[str, int] = {}
    async for change in store.images.layer_files("x:1"):
        assert (change.path in alive) == (change.kind != "added")
        if change.kind == "deleted":
            del alive[change.path]
        else:
            alive[change.path] = change.size
    assert set(alive) == {str(path.relative_to(place)) for path in files}
