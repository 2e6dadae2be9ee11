"""Detached mounts of layers, both ways."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import images_data
from images.image_store import Store, load
from moby_tui.engine.kernel import mount as kernel
from moby_tui.engine.kernel import overlay
from moby_tui.engine.resources.images.snapshots import snapshot
from moby_tui.errors import MobyError

Way = Callable[[list[Path], Path | None, Path | None], int]


@contextmanager
def listed(fd: int) -> Iterator[int]:
    """A readable descriptor of the mount's root."""
    directory = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
    yield directory
    os.close(directory)
    os.close(fd)


def old_way(layers: list[Path], upper: Path | None, work: Path | None) -> int:
    writable = (str(upper), str(work)) if upper and work else None
    return overlay._mount_old([str(layer) for layer in layers], writable)


@pytest.mark.parametrize("way", [snapshot.mount, old_way])
async def test_layers_are_merged(store: Store, tmp_path: Path, way: Way) -> None:
    await load(store, images_data.busybox_archive())
    layers = store.images.resolve("busybox").layers
    upper, work = tmp_path / "upper", tmp_path / "work"
    upper.mkdir()
    work.mkdir()
    mounts = Path("/proc/self/mountinfo").read_text()
    with listed(way(layers, upper, work)) as root:
        assert {"bin", "etc", "tmp"} <= set(os.listdir(root))
        etc = os.open("etc", os.O_RDONLY, dir_fd=root)
        assert sorted(os.listdir(etc)) == ["attributes", "greeting", "greeting.again", "passwd"]
        os.close(os.open("new", os.O_CREAT | os.O_WRONLY, dir_fd=etc))
        os.close(etc)
        assert os.stat("tmp", dir_fd=root).st_mode & 0o7777 == 0o1777
    assert (upper / "etc/new").exists()
    assert Path("/proc/self/mountinfo").read_text() == mounts, "the mount is attached nowhere"
    assert Path.cwd() != Path("/proc")


@pytest.mark.parametrize("way", [snapshot.mount, old_way])
async def test_without_upper_it_is_read_only(store: Store, way: Way) -> None:
    await load(store, images_data.busybox_archive())
    layers = store.images.resolve("busybox").layers
    for some in [layers, layers[1:]] if way is snapshot.mount else [layers]:
        with listed(way(some, None, None)) as root:
            assert "etc" in os.listdir(root)
            with pytest.raises(OSError, match="Read-only"):
                os.mkdir("x", dir_fd=root)


def test_no_layers(tmp_path: Path) -> None:
    upper, work = tmp_path / "u", tmp_path / "w"
    upper.mkdir()
    work.mkdir()
    with listed(snapshot.mount([], upper, work)) as root:
        os.mkdir("x", dir_fd=root)
    assert (upper / "x").is_dir()
    with pytest.raises(MobyError):
        snapshot.mount([], None, None)


@pytest.mark.parametrize("way", [snapshot.mount, old_way])
def test_many_layers_with_awkward_names(roots: tuple[Path, Path], way: Way) -> None:
    base = roots[0] / ("a,b:c\\" + "n" * 200)
    layers = [base / f"{number}{'x' * 60}" for number in range(100)]
    for layer in layers:
        layer.mkdir(parents=True)
        (layer / layer.name).touch()
    (base / "upper").mkdir()
    (base / "work").mkdir()
    with listed(way(layers, base / "upper", base / "work")) as root:
        assert len(os.listdir(root)) == 100


def test_a_missing_layer_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(MobyError, match="cannot mount the root file system"):
        snapshot.mount([tmp_path / "a", tmp_path / "b"], None, None)


def test_the_kernel_says_why() -> None:
    context = kernel.fsopen("overlay")
    with pytest.raises(OSError, match="Unknown parameter 'nonsense'"):
        kernel.fsconfig_string(context, "nonsense", "1")
    os.close(context)
