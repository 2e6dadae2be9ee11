"""A layer beside what GNU tar makes of the same archive: every name, kind, mode, owner, time, attribute, link and hole."""

from __future__ import annotations

import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from images_data import Tar
from moby_tui.engine.archive.compression import decompress
from moby_tui.engine.resources.images.unpack.apply import apply
from trees import Entry, entries, everything


def ours(archive: Path, root: Path) -> dict[str, Entry]:
    root.mkdir()
    fd = os.open(root, os.O_RDONLY)
    try:
        with archive.open("rb") as file:
            apply(decompress(iter(lambda: file.read(1 << 18), b"")), fd)
    finally:
        os.close(fd)
    return entries(root)


def tars(archive: Path, root: Path) -> dict[str, Entry]:
    root.mkdir()
    command = [
        "tar",
        "--xattrs",
        "--xattrs-include=*",
        "--numeric-owner",
        "--same-owner",
        "--delay-directory-restore",
        "-xpSf",
        str(archive),
        "-C",
        str(root),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return entries(root)


@pytest.mark.parametrize("format", ["gnu", "pax"])
@pytest.mark.parametrize("compression", [[], ["--gzip"], ["--zstd"]])
def test_one_of_everything(tmp_path: Path, format: str, compression: list[str]) -> None:
    (tmp_path / "tree").mkdir()
    everything(tmp_path / "tree")
    options = ["--format=pax", "--xattrs", "--xattrs-include=*"] if format == "pax" else ["--format=gnu"]
    archive = tmp_path / "archive"
    subprocess.run(["tar", *options, *compression, "-cSf", str(archive), "-C", str(tmp_path / "tree"), "."], check=True)
    found = ours(archive, tmp_path / "ours")
    assert found == tars(archive, tmp_path / "tars")
    if format == "pax":
        assert found == entries(tmp_path / "tree"), "nothing is lost on the way"
    assert len(found) == 15


_NAME = st.sampled_from(["a", "b", "c"])
_PATH = st.lists(_NAME, min_size=1, max_size=3).map("/".join)
_MEMBER = st.tuples(
    st.sampled_from(["file", "directory", "symlink", "fifo"]),
    _PATH,
    st.integers(0, 0o7777),
    st.integers(0, 70_000),
    st.integers(0, 2**33),
)


def _sensible(members: list[tuple[str, str, int, int, int]]) -> Callable[[str], bool]:
    """No name twice, and nothing below what is no directory: there tar and layers differ on purpose."""
    taken: dict[str, str] = {}
    for kind, path, *_ in members:
        taken.setdefault(path, kind)
    return lambda path: all(
        taken.get("/".join(path.split("/")[:depth]), "directory") == "directory" for depth in range(1, path.count("/") + 1)
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_MEMBER, max_size=8, unique_by=lambda member: member[1]))
def test_any_archive(tmp_path_factory: pytest.TempPathFactory, members: list[tuple[str, str, int, int, int]]) -> None:
    folder = tmp_path_factory.mktemp("any")
    fits = _sensible(members)
    tar = Tar(tarfile.GNU_FORMAT)
    for kind, path, mode, owner, mtime in members:
        if fits(path):
            values: dict[str, Any] = {"mode": mode, "uid": owner, "gid": owner // 2, "mtime": mtime}
            if kind == "file":
                tar.add(path, data=path.encode() * 100, **values)
            elif kind == "directory":
                tar.directory(path, **values)
            elif kind == "symlink":
                tar.symlink(path, "../x", **values)
            else:
                tar.add(path, tarfile.FIFOTYPE, **values)
    (folder / "archive").write_bytes(tar.bytes())
    described = {path for _, path, *_ in members}
    found, expected = ours(folder / "archive", folder / "ours"), tars(folder / "archive", folder / "tars")
    assert found.keys() == expected.keys()
    # a directory that is only implied has the time at which it was made
    assert {path: found[path] for path in described & found.keys()} == {path: expected[path] for path in described & found.keys()}
