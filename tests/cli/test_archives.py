"""Tars from containers, which are hostile, and tars of build contexts."""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moby_tui.cli.archive import add_tree, extract, placement
from moby_tui.cli.context import add_context
from moby_tui.cli.streams import packed, unpacked
from moby_tui.errors import InvalidArgument, NotFound
from moby_tui.patterns import Ignore


def archive_of(*members: tuple[str, bytes, str, bytes]) -> tarfile.TarFile:
    """Members as ``(name, type, link, content)``."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, kind, link, content in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size, member.mode = kind, link, len(content), 0o4755
            archive.addfile(member, io.BytesIO(content))
    data.seek(0)
    return tarfile.open(fileobj=data)


FOLDER = ("src", tarfile.DIRTYPE, "", b"")


def test_the_root_gets_the_name_that_was_asked_for(tmp_path: Path) -> None:
    extract(archive_of(FOLDER, ("src/a", tarfile.REGTYPE, "", b"x")), str(tmp_path), name="copy", owners=False)
    assert (tmp_path / "copy" / "a").read_bytes() == b"x"
    assert (tmp_path / "copy" / "a").stat().st_mode & 0o7000 == 0


def test_contents_alone(tmp_path: Path) -> None:
    extract(archive_of(FOLDER, ("src/a", tarfile.REGTYPE, "", b"x")), str(tmp_path), name=".", owners=False)
    assert (tmp_path / "a").read_bytes() == b"x"


@pytest.mark.parametrize(
    "members",
    [
        [("src/../../evil", tarfile.REGTYPE, "", b"x")],
        [("/etc/evil", tarfile.REGTYPE, "", b"x")],
        [("other", tarfile.REGTYPE, "", b"x")],
        [("src/link", tarfile.SYMTYPE, "..", b""), ("src/link/evil", tarfile.REGTYPE, "", b"x")],
        [("src/link", tarfile.SYMTYPE, "/", b""), ("src/link/evil", tarfile.REGTYPE, "", b"x")],
        [("src/hard", tarfile.LNKTYPE, "../../evil", b"")],
        [("src/hard", tarfile.LNKTYPE, "/etc/passwd", b"")],
        [("src/null", tarfile.CHRTYPE, "", b"")],
    ],
)
def test_nothing_is_written_outside(tmp_path: Path, members: list[tuple[str, bytes, str, bytes]]) -> None:
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    with pytest.raises(InvalidArgument):
        extract(archive_of(FOLDER, *members), str(inside), name="src", owners=False)
    assert not list(tmp_path.rglob("evil"))


def test_a_link_in_the_place_of_a_file_is_replaced_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("kept")
    target = tmp_path / "target"
    (target / "src").mkdir(parents=True)
    (target / "src" / "file").symlink_to(victim)
    extract(archive_of(FOLDER, ("src/file", tarfile.REGTYPE, "", b"new")), str(target), name="src", owners=False)
    assert victim.read_text() == "kept"
    assert (target / "src" / "file").read_text() == "new"


def test_placement(tmp_path: Path) -> None:
    folder, file = tmp_path / "folder", tmp_path / "file"
    folder.mkdir()
    file.touch()
    assert placement(str(folder), is_directory=False, source_name="x", contents=False) == (str(folder), "x")
    assert placement(str(folder), is_directory=True, source_name="x", contents=True) == (str(folder), ".")
    assert placement(str(file), is_directory=False, source_name="x", contents=False) == (str(tmp_path), "file")
    assert placement(str(tmp_path / "new"), is_directory=True, source_name="x", contents=False) == (str(tmp_path), "new")
    with pytest.raises(NotFound):
        placement(f"{tmp_path}/new/", is_directory=False, source_name="x", contents=False)
    with pytest.raises(NotFound):
        placement(str(tmp_path / "no" / "new"), is_directory=False, source_name="x", contents=False)
    with pytest.raises(InvalidArgument):
        placement(str(file), is_directory=True, source_name="x", contents=False)


async def test_a_tree_goes_through_a_pipe(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "big").write_bytes(os.urandom(3 << 20))
    target = tmp_path / "target"
    target.mkdir()
    chunks = packed(lambda archive: add_tree(archive, str(tree), "name", owners=False))
    await unpacked(chunks, lambda archive: extract(archive, str(target), name="copy", owners=False))
    assert (target / "copy" / "big").read_bytes() == (tree / "big").read_bytes()


async def test_a_failure_in_the_thread_is_raised(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        async for _ in packed(lambda archive: add_tree(archive, str(tmp_path / "gone"), "name", owners=False)):
            pass


@pytest.mark.parametrize(
    ("text", "path", "excluded"),
    [
        ("*.log", "a.log", True),
        ("*.log", "sub/a.log", False),
        ("**/*.log", "sub/deep/a.log", True),
        ("**/*.log", "a.log", True),
        ("node_modules", "node_modules/x/y", True),
        ("/build", "build", True),
        ("build/", "build/a", True),
        ("a?c", "abc", True),
        ("[a-c]x", "bx", True),
        ("[^a-c]x", "bx", False),
        ("# no\n\n*\n!keep", "keep", False),
        ("*\n!keep", "other", True),
        ("!keep\n*", "keep", True),
        ("docs/**/b", "docs/a/x/b", True),
        ("./x", "x", True),
        (r"\*", "*", True),
        (r"\*", "a", False),
    ],
)
def test_ignore(text: str, path: str, excluded: bool) -> None:
    assert Ignore(text).excludes(path) is excluded


@given(st.text(alphabet="ab*?[]!\\/^-.", max_size=12))
def test_any_pattern_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidArgument):
        Ignore(text).excludes("a/b")


def test_context(tmp_path: Path) -> None:
    for name in ("Dockerfile", "keep", "drop.log", "sub/keep", "sub/drop.log", "gone/kept", "gone/other"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".dockerignore").write_text("**/*.log\ngone\n!gone/kept\nDockerfile\n")
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        add_context(archive, str(tmp_path), "Dockerfile")
    data.seek(0)
    with tarfile.open(fileobj=data) as sent:
        names = sorted(sent.getnames())
    assert names == [
        ".dockerignore",
        "Dockerfile",
        "gone/kept",
        "keep",
        "sub",
        "sub/keep",
    ]
