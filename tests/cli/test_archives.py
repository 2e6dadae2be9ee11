"""Tars from containers, which are hostile, and tars of build contexts."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import subprocess
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moby_tui.cli.files.context import add_context
from moby_tui.cli.streams import packed
from moby_tui.copying.archive import extract, placement, source, tree
from moby_tui.errors import InvalidArgument, MobyError, NotFound
from moby_tui.patterns import Ignore


def archive_of(*members: tuple[str, bytes, str, bytes]) -> AsyncIterator[bytes]:
    """Members as ``(name, type, link, content)``."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, kind, link, content in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size, member.mode = kind, link, len(content), 0o4755
            archive.addfile(member, io.BytesIO(content))
    return pieces(data.getvalue())


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    yield data


FOLDER = ("src", tarfile.DIRTYPE, "", b"")


async def test_the_root_gets_the_name_that_was_asked_for(tmp_path: Path) -> None:
    members = [FOLDER, ("src/a", tarfile.REGTYPE, "", b"x"), ("src/b", tarfile.LNKTYPE, "src/a", b"")]
    await extract(archive_of(*members), str(tmp_path), name="copy", owners=False)
    assert (tmp_path / "copy" / "a").read_bytes() == b"x" and (tmp_path / "copy" / "b").samefile(tmp_path / "copy" / "a")
    assert (tmp_path / "copy" / "a").stat().st_mode & 0o7777 == 0o4755


async def test_contents_alone(tmp_path: Path) -> None:
    await extract(archive_of(FOLDER, ("src/a", tarfile.REGTYPE, "", b"x")), str(tmp_path), name=".", owners=False)
    assert (tmp_path / "a").read_bytes() == b"x"


#: What an archive tries with a victim beside the folder that it is unpacked in: ``evil`` is what it would make, ``victim`` is there.
HOSTILE = {
    "above": [("src/../../evil", tarfile.REGTYPE, "", b"x")],
    "absolute": [("/etc/evil", tarfile.REGTYPE, "", b"x")],
    "beside": [("other", tarfile.REGTYPE, "", b"x")],
    "a name that begins alike": [("srcevil", tarfile.REGTYPE, "", b"x")],
    "through a link": [("src/link", tarfile.SYMTYPE, "../../victims", b""), ("src/link/evil", tarfile.REGTYPE, "", b"x")],
    "through an absolute link": [("src/link", tarfile.SYMTYPE, "/var/tmp", b""), ("src/link/evil", tarfile.REGTYPE, "", b"x")],
    "through links to links": [
        ("src/a", tarfile.SYMTYPE, "b/..", b""),
        ("src/b", tarfile.SYMTYPE, "../..", b""),
        ("src/a/evil", tarfile.REGTYPE, "", b"x"),
    ],
    "over a link": [("src/link", tarfile.SYMTYPE, "../../victims/victim", b""), ("src/link", tarfile.REGTYPE, "", b"x")],
    "a directory over a link": [("src/link", tarfile.SYMTYPE, "../../victims", b""), ("src/link", tarfile.DIRTYPE, "", b"")],
    "a link to above": [("src/hard", tarfile.LNKTYPE, "../../victims/victim", b"")],
    "a link to an absolute name": [("src/hard", tarfile.LNKTYPE, "/etc/passwd", b"")],
    "a link through a link": [
        ("src/link", tarfile.SYMTYPE, "../../victims", b""),
        ("src/hard", tarfile.LNKTYPE, "src/link/victim", b""),
        ("src/hard", tarfile.REGTYPE, "", b"x"),
    ],
    "a link to a link": [
        ("src/link", tarfile.SYMTYPE, "../../victims/victim", b""),
        ("src/hard", tarfile.LNKTYPE, "src/link", b""),
        ("src/hard", tarfile.REGTYPE, "", b"x"),
    ],
    "the root as a link": [("src", tarfile.SYMTYPE, "../victims", b""), ("src/evil", tarfile.REGTYPE, "", b"x")],
    "a path too long to check (CVE-2025-4517)": [
        ("src/" + "/".join(["d" * 200] * 18), tarfile.DIRTYPE, "", b""),
        ("src/long", tarfile.SYMTYPE, "/".join(["d" * 200] * 18), b""),
        ("src/out", tarfile.SYMTYPE, "long/" + "../" * 25 + "victims", b""),
        ("src/out/evil", tarfile.REGTYPE, "", b"x"),
    ],
    "a node that hides": [("src/null", tarfile.CHRTYPE, "", b"")],
}


@pytest.mark.parametrize("how", HOSTILE)
@pytest.mark.parametrize("name", ["src", "renamed", "."])
async def test_nothing_is_written_outside(tmp_path: Path, how: str, name: str) -> None:
    inside, victims = tmp_path / "a" / "b", tmp_path / "a" / "victims"
    inside.mkdir(parents=True)
    victims.mkdir()
    (victims / "victim").write_text("kept")
    before = (victims.stat(), (victims / "victim").stat())
    try:
        await extract(archive_of(FOLDER, *HOSTILE[how]), str(inside), name=name, owners=False)
    except MobyError as error:
        assert "\n" not in error.message
    assert {path for path in tmp_path.rglob("evil") if inside not in path.parents} == set() and not Path("/var/tmp/evil").exists()
    after = (victims.stat(), (victims / "victim").stat())
    assert [(one.st_mode, one.st_nlink, one.st_ctime_ns) for one in after] == [
        (one.st_mode, one.st_nlink, one.st_ctime_ns) for one in before
    ]
    assert (victims / "victim").read_text() == "kept"


_PART = st.sampled_from(["a", "b", "..", ".", "", "victims", "victim"])
_NAME = st.lists(_PART, min_size=1, max_size=4).map("/".join)
_KINDS = st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(_KINDS, _NAME, _NAME, st.booleans()), max_size=10), st.sampled_from(["src", "new", "."]))
def test_no_archive_reaches_out(tmp_path: Path, members: list[tuple[bytes, str, str, bool]], name: str) -> None:
    inside, victims = tmp_path / "inside", tmp_path / "victims"
    inside.mkdir(exist_ok=True)
    victims.mkdir(exist_ok=True)
    (victims / "victim").touch()
    before = (tmp_path.lstat().st_nlink, victims.lstat().st_ctime_ns, (victims / "victim").lstat().st_ctime_ns)
    packed = [
        (f"src/{member}", kind, ("/" if absolute and kind == tarfile.SYMTYPE else "") + target, b"")
        for kind, member, target, absolute in members
    ]
    try:
        asyncio.run(extract(archive_of(FOLDER, *packed), str(inside), name=name, owners=False))
    except MobyError as error:
        assert "\n" not in error.message
    after = (tmp_path.lstat().st_nlink, victims.lstat().st_ctime_ns, (victims / "victim").lstat().st_ctime_ns)
    assert after == before and {path.name for path in tmp_path.iterdir()} == {"inside", "victims"}
    subprocess.run(["rm", "-rf", inside], check=True)


async def test_what_was_not_asked_for_is_refused(tmp_path: Path) -> None:
    for name in ("other", "/etc/evil", "srcevil"):
        with pytest.raises(InvalidArgument, match="not asked for"):
            await extract(archive_of(FOLDER, (name, tarfile.REGTYPE, "", b"x")), str(tmp_path), name="src", owners=False)


async def test_a_link_in_the_place_of_a_file_is_replaced_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("kept")
    target = tmp_path / "target"
    (target / "src").mkdir(parents=True)
    (target / "src" / "file").symlink_to(victim)
    await extract(archive_of(FOLDER, ("src/file", tarfile.REGTYPE, "", b"new")), str(target), name="src", owners=False)
    assert victim.read_text() == "kept"
    assert (target / "src" / "file").read_text() == "new"


def test_placement(tmp_path: Path) -> None:
    folder, file = tmp_path / "folder", tmp_path / "file"
    folder.mkdir()
    file.touch()
    assert placement(str(folder), "x", is_directory=False) == (str(folder), "x")
    assert placement(str(folder), ".", is_directory=True) == (str(folder), ".")
    assert placement(str(file), "x", is_directory=False) == (str(tmp_path), "file")
    assert placement(str(tmp_path / "new"), "x", is_directory=True) == (str(tmp_path), "new")
    assert placement(f"{tmp_path}/new/", "x", is_directory=True) == (str(tmp_path), "new")
    assert placement("new", "x", is_directory=True) == (".", "new")
    with pytest.raises(NotFound):
        placement(f"{tmp_path}/new/", "x", is_directory=False)
    with pytest.raises(NotFound):
        placement(f"{tmp_path}/new/.", "x", is_directory=True)
    with pytest.raises(NotFound):
        placement(str(tmp_path / "no" / "new"), "x", is_directory=False)
    with pytest.raises(InvalidArgument):
        placement(str(file), "x", is_directory=True)
    with pytest.raises(InvalidArgument):
        placement(f"{file}/", "x", is_directory=False)
    with pytest.raises(InvalidArgument):
        placement("/dev/null", "x", is_directory=False)


def test_placement_through_links(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    links = {
        "to-folder": "folder",
        "to-file": "file",
        "to-nothing": "new",
        "to-nowhere": "no/new",
        "twice": "to-file",
        "circle": "circle",
    }
    for name, to in links.items():
        (tmp_path / name).symlink_to(to)
    assert placement(f"{tmp_path}/to-folder", "x", is_directory=True) == (f"{tmp_path}/folder", "x")
    assert placement(f"{tmp_path}/to-folder/", "x", is_directory=True) == (f"{tmp_path}/folder/", "x")
    for name, found in (("to-file", "file"), ("twice", "file"), ("to-nothing", "new")):
        assert placement(f"{tmp_path}/{name}", "x", is_directory=False) == (str(tmp_path), found)
    with pytest.raises(NotFound):
        placement(f"{tmp_path}/to-nowhere", "x", is_directory=False)
    with pytest.raises(InvalidArgument, match="too many"):
        placement(f"{tmp_path}/circle", "x", is_directory=False)


@pytest.mark.parametrize(
    ("path", "link", "read", "name"),
    [
        ("/d", "", "/d", "d"),
        ("d", "", "/d", "d"),
        ("/d/", "", "/d/", "d"),
        ("/d/.", "", "/d/.", "."),
        ("/d/..", "", "/", "."),
        ("/d/e/..", "", "/d", "d"),
        ("//d//e/../f", "", "/d/f", "f"),
        ("/", "", "/", "."),
        ("/.", "", "/", "."),
        ("/d/rel", "/d/sub", "/d/sub", "rel"),
        ("/d/dead", "nowhere", "/d/nowhere", "dead"),
        ("/d/up", "../e", "/e", "up"),
    ],
)
def test_what_is_read_and_how_it_is_called(path: str, link: str, read: str, name: str) -> None:
    assert source(path, link) == (read, name)


async def test_a_tree_goes_through_a_pipe(tmp_path: Path) -> None:
    sent = tmp_path / "tree"
    sent.mkdir()
    (sent / "big").write_bytes(os.urandom(3 << 20))
    target = tmp_path / "target"
    target.mkdir()
    await extract(tree(str(sent), "name", owners=False), str(target), name="copy", owners=False)
    assert (target / "copy" / "big").read_bytes() == (sent / "big").read_bytes()


async def test_a_failure_in_the_thread_is_raised(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        async for _ in packed(lambda archive: add_context(archive, str(tmp_path / "gone"), "")):
            pass
    with pytest.raises(NotFound):
        async for _ in tree(str(tmp_path / "gone"), "name", owners=False):
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
