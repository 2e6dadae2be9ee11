"""Trees of files between a build client and the daemon: equal afterwards, only what changed travels, and nothing leads out."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from buildkit.peer import Daemon
from buildkit.sessions.file_services import SEND, SYNC, FileSend, FileSync, FileTarget, Scripted
from moby_tui.api.buildkit.session.files import entry
from moby_tui.api.buildkit.session.files.receiving import Selection
from moby_tui.api.buildkit.session.files.tree import Tree
from moby_tui.api.buildkit.wire.fsutil_pb2 import Packet, Stat, Xattr
from moby_tui.engine.archive import go_mode
from moby_tui.errors import Conflict, InvalidArgument, MobyError, NotFound

CONTEXT = Selection("context")
FILE, FOLDER, LINK = 0o644, 1 << 31 | 0o755, 1 << 27 | 0o777


def look(folder: Path) -> dict[str, object]:
    """Everything that can be seen of a tree; of names of one file: which."""
    seen: dict[str, object] = {}
    first: dict[int, str] = {}
    for place in sorted(folder.rglob("*")):
        name, status = str(place.relative_to(folder)), place.lstat()
        of = ""
        if stat.S_ISLNK(status.st_mode):
            of = os.readlink(place)
        elif stat.S_ISREG(status.st_mode):
            of = first.setdefault(status.st_ino, name) + ":" + place.read_bytes().hex()
        xattrs = {} if stat.S_ISLNK(status.st_mode) else {key: os.getxattr(place, key) for key in os.listxattr(place)}
        seen[name] = (status.st_mode, status.st_uid, status.st_gid, status.st_rdev, status.st_mtime_ns, of, xattrs)
    return seen


def everything(folder: Path) -> None:
    (folder / "a/deep/er").mkdir(parents=True)
    (folder / "a.b").write_bytes(b"beside a/")
    (folder / "a/deep/er/file").write_bytes(os.urandom(100_000))
    (folder / "empty").touch()
    (folder / "private").write_text("secret")
    (folder / "private").chmod(0o4711)
    os.chown(folder / "private", 12, 34)
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "to-nowhere").symlink_to("a/../../x")
    os.link(folder / "a.b", folder / "second name")
    os.link(folder / "a.b", folder / "a/deep/third name")
    os.mkfifo(folder / "pipe", 0o600)
    os.mknod(folder / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.setxattr(folder / "empty", "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
    os.makedirs(os.fsencode(folder) + b"/not utf-8 \xff")
    for place in (*folder.rglob("*"),):
        os.utime(place, ns=(1_600_000_000_123_456_789, 1_600_000_000_123_456_789), follow_symlinks=False)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    return there, here


async def test_a_tree_arrives_as_it_is_and_then_only_what_changes_travels(daemon: Daemon, folders: tuple[Path, Path]) -> None:
    there, here = folders
    everything(there)
    service = FileSync(there)
    async with daemon.session({SYNC: service}) as session:
        told: list[int] = []
        await session.sync_context(CONTEXT, here, told.append)
        assert look(here) == look(there)
        assert told[-1] == 100_000 + len("beside a/secret")

        inodes = {place: place.lstat().st_ino for place in here.rglob("*")}
        await session.sync_context(CONTEXT, here)
        assert Packet.PACKET_DATA not in service.sent
        assert {place: place.lstat().st_ino for place in here.rglob("*")} == inodes

        (there / "private").write_text("another")
        (there / "link").unlink()
        (there / "link").mkdir()
        (there / "link/inside").write_text("was a link")
        (there / "second name").unlink()
        (there / "a/deep/er/file").unlink()
        (there / "a/deep/er").rmdir()
        (there / "a/deep/er").write_text("was a folder")
        os.removexattr(there / "empty", "security.capability")
        await session.sync_context(CONTEXT, here)
        assert look(here) == look(there)
        # three files with contents, and their ends, and the file that has lost its capability
        assert service.sent[Packet.PACKET_DATA] == 7


async def test_a_client_in_go_resets_the_call_when_it_has_answered(daemon: Daemon, folders: tuple[Path, Path]) -> None:
    class Resetting(FileSync):
        async def diff_copy(self, stream: Any) -> None:
            await super().diff_copy(stream)
            await stream.send_trailing_metadata()
            stream._stream.reset_nowait()

    (folders[0] / "file").write_text("x")
    async with daemon.session({SYNC: Resetting(folders[0])}) as session:
        await session.sync_context(CONTEXT, folders[1])
    assert (folders[1] / "file").read_text() == "x"


async def test_what_is_selected_is_told_to_the_client(daemon: Daemon, folders: tuple[Path, Path]) -> None:
    there, here = folders
    service = FileSync(there)
    async with daemon.session({SYNC: service}) as session:
        await session.sync_context(Selection("context", ["a", "b c"], ["é+ x"], ["link"]), here)
        told = service.metadata
        assert told.getall("include-patterns") == ["a", "b c"]
        assert (told["exclude-patterns"], told["exclude-patterns-encoded"]) == ("%C3%A9%2B+x", "1")
        assert told["followpaths"] == "link"
        with pytest.raises(NotFound, match="no access allowed to dir 'other'"):
            await session.sync_context(Selection("other"), here)


def _stat(path: bytes, mode: int = FILE, **more: Any) -> Packet:
    return Packet(type=Packet.PACKET_STAT, stat=Stat(path=path, mode=mode, **more))


END = Packet(type=Packet.PACKET_STAT)


@pytest.mark.parametrize(
    ("packets", "text"),
    [
        ([_stat(b"a"), END, Packet(type=Packet.PACKET_DATA, ID=7, data=b"x")], "not asked for"),
        ([_stat(b"a"), END, Packet(type=Packet.PACKET_DATA, ID=0), Packet(type=Packet.PACKET_DATA, ID=0)], "not asked for"),
        ([_stat(b"a"), END, Packet(type=Packet.PACKET_FIN)], "some have not"),
        ([_stat(b"a"), END, END], "twice"),
        ([Packet(type=Packet.PACKET_ERR, data=b"disk\nburns")], "disk burns"),
        ([Packet(type=Packet.PACKET_REQ, ID=1)], "packet of type 1"),
        ([_stat(b"a"), Packet(type=Packet.PACKET_DATA, ID=0, data=bytes((1 << 20) + 1))], "more than 1048576 bytes"),
    ],
)
async def test_packets_out_of_place_end_the_call(
    daemon: Daemon, folders: tuple[Path, Path], packets: list[Packet], text: str
) -> None:
    async with daemon.session({SYNC: Scripted(packets)}) as session:
        with pytest.raises(MobyError, match=text):
            await session.sync_context(CONTEXT, folders[1])
    assert not any(path.is_file() and path.stat().st_size for path in folders[1].rglob("*"))


async def test_a_client_that_stops_in_the_middle_is_gone(daemon: Daemon, folders: tuple[Path, Path]) -> None:
    async with daemon.session({SYNC: Scripted([_stat(b"a")], ends=True)}) as session:
        with pytest.raises(MobyError, match="closed its session"):
            await session.sync_context(CONTEXT, folders[1])


@contextmanager
def _tree(folder: Path) -> Iterator[Tree]:
    root = os.open(folder, os.O_RDONLY)
    try:
        with Tree(root) as tree:
            yield tree
    finally:
        os.close(root)


@pytest.mark.parametrize(
    "stats",
    [
        [Stat(path=b"..", mode=FOLDER)],
        [Stat(path=b"../x", mode=FILE)],
        [Stat(path=b"/etc/x", mode=FILE)],
        [Stat(path=b"", mode=FILE)],
        [Stat(path=b"a/./b", mode=FILE)],
        [Stat(path=b"a\0b", mode=FILE)],
        [Stat(path=b"x" * 256, mode=FILE)],
        [Stat(path=b"a/" * 3000 + b"x", mode=FILE)],
        # in a folder that has not come, or in what is a link
        [Stat(path=b"a/b", mode=FILE)],
        [Stat(path=b"out", mode=LINK, linkname=b"/"), Stat(path=b"out/x", mode=FILE)],
        [Stat(path=b"out", mode=LINK, linkname=b".."), Stat(path=b"out", mode=FOLDER), Stat(path=b"out/x", mode=FILE)],
        # out of order, or twice
        [Stat(path=b"b", mode=FILE), Stat(path=b"a", mode=FILE)],
        [Stat(path=b"a", mode=FILE), Stat(path=b"a", mode=FILE)],
        [Stat(path=b"a", mode=FOLDER), Stat(path=b"b", mode=FILE), Stat(path=b"a/x", mode=FILE)],
        # names of files that are not there, not earlier, or not files
        [Stat(path=b"b", mode=FILE, linkname=b"../../etc/passwd")],
        [Stat(path=b"b", mode=FILE, linkname=b"/etc/passwd")],
        [Stat(path=b"b", mode=FILE, linkname=b"a")],
        [Stat(path=b"b", mode=FILE, linkname=b"c")],
        [Stat(path=b"a", mode=LINK, linkname=b"/etc/passwd"), Stat(path=b"b", mode=FILE, linkname=b"a")],
        [Stat(path=b"a", mode=LINK, linkname=b"/etc"), Stat(path=b"b", mode=FILE, linkname=b"a/passwd")],
        # of no kind, or of several
        [Stat(path=b"a", mode=1 << 19 | 0o644)],
        [Stat(path=b"a", mode=1 << 31 | 1 << 27)],
        [Stat(path=b"a", mode=LINK)],
        [Stat(path=b"a", mode=1 << 26 | 1 << 21 | 0o600)],
        [Stat(path=b"a", mode=1 << 26, devmajor=-1)],
        [Stat(path=b"a", mode=1 << 26, devmajor=1 << 40)],
        [Stat(path=b"a", mode=FILE, uid=0xFFFFFFFF)],
    ],
    ids=str,
)
def test_entries_that_no_client_sends_are_refused(folders: tuple[Path, Path], stats: list[Stat]) -> None:
    beside, here = folders
    with pytest.raises(MobyError), _tree(here) as tree:
        for sent in stats:
            tree.add(entry.read(sent))
    assert list(beside.iterdir()) == []
    assert not [place for place in here.rglob("*") if place.is_file() and not place.is_symlink() and place.stat().st_size]


def test_nothing_comes_after_the_end(folders: tuple[Path, Path]) -> None:
    with _tree(folders[1]) as tree:
        tree.end()
        assert tree.complete
        with pytest.raises(InvalidArgument, match="after their end"):
            tree.add(entry.read(Stat(path=b"a", mode=FILE)))


def test_a_tree_has_a_bound(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOBY_MOST_FILES", "3")
    with _tree(folders[1]) as tree, pytest.raises(InvalidArgument, match="more than 3 files; set MOBY_MOST_FILES"):
        for number in range(9):
            tree.add(entry.read(Stat(path=b"%d" % number, mode=FILE)))


def test_contents_of_another_length_than_said_are_sent_again_next_time(folders: tuple[Path, Path]) -> None:
    for _ in range(2):
        with _tree(folders[1]) as tree:
            tree.add(entry.read(Stat(path=b"a", mode=FILE, size=1 << 60, modTime=5)))
            tree.end()
            assert tree.wanted == [0]
            tree.write(0, b"short")
            tree.write(0, b"")
            assert tree.complete
    assert (folders[1] / "a").read_bytes() == b"short"


@pytest.mark.parametrize("time", [-(1 << 63), (1 << 63) - 1])
def test_a_time_beyond_what_a_disk_can_note_is_taken_as_near_as_it_can(folders: tuple[Path, Path], time: int) -> None:
    """A client on Windows has files of the year 1601."""
    with _tree(folders[1]) as tree:
        tree.add(entry.read(Stat(path=b"a", mode=FOLDER, modTime=time)))
        tree.add(entry.read(Stat(path=b"a/b", mode=FILE, modTime=time)))
        tree.add(entry.read(Stat(path=b"c", mode=LINK, linkname=b"a", modTime=time)))
        tree.end()
        tree.write(1, b"")
        assert tree.complete


def test_few_files_are_open_at_a_time(folders: tuple[Path, Path]) -> None:
    with _tree(folders[1]) as tree, pytest.raises(InvalidArgument, match="at the same time"):
        for number in range(100):
            tree.add(entry.read(Stat(path=b"%03d" % number, mode=FILE)))
        for number in range(100):
            tree.write(number, b"x")


NAMES = st.sampled_from([b"a", b"b", b"a.b", b"..", b".", b"", b"c\xff"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(b"/".join)
STATS = st.builds(
    Stat,
    path=PATHS,
    mode=st.sampled_from([FILE, FOLDER, LINK, 1 << 25 | 0o600, 1 << 24, 1 << 31 | 1 << 27]),
    linkname=st.one_of(st.just(b""), PATHS, st.just(b"/")),
    uid=st.sampled_from([0, 1, 0xFFFFFFFF]),
    modTime=st.integers(-(1 << 63), (1 << 63) - 1),
    xattrs=st.lists(
        st.builds(Xattr, key=st.sampled_from([b"user.x", b"security.capability", b"trusted.x"]), value=st.binary(max_size=3)),
        max_size=2,
    ),
)


@given(st.lists(st.one_of(STATS, st.tuples(st.integers(0, 5), st.binary(max_size=3)), st.none()), max_size=25))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_comes_stays_inside_and_fails_with_one_line(tmp_path_factory: pytest.TempPathFactory, sent: list[Any]) -> None:
    beside = tmp_path_factory.mktemp("x")
    here = beside / "here"
    here.mkdir()
    try:
        with _tree(here) as tree:
            for part in sent:
                if part is None:
                    tree.end()
                elif isinstance(part, tuple):
                    tree.write(*part)
                else:
                    tree.add(entry.read(part))
    except MobyError as error:
        assert "\n" not in error.message
    assert os.listdir(beside) == ["here"]


SHAPES = st.dictionaries(
    st.lists(st.sampled_from(["a", "b", "a.b", "a-", "z"]), min_size=1, max_size=3).map("/".join),
    st.one_of(st.binary(max_size=4), st.sampled_from([None, "link"])),
    max_size=8,
)


def _build(folder: Path, shape: dict[str, bytes | str | None]) -> None:
    for path, what in shape.items():
        place = folder / path
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            if what is None:
                place.mkdir()
            elif isinstance(what, str):
                place.symlink_to(what)
            else:
                place.write_bytes(what)
                os.utime(place, ns=(hash(what) & 0xFFFFFFFF, hash(what) & 0xFFFFFFFF))
        except OSError:
            # what is there already is something else
            continue


@given(SHAPES, SHAPES)
@settings(max_examples=60, deadline=None)
def test_any_tree_becomes_equal_to_any_other(
    tmp_path_factory: pytest.TempPathFactory, before: dict[Any, Any], after: dict[Any, Any]
) -> None:
    from moby_tui.api.buildkit.session.files.sending import _contents, _walk

    folder = tmp_path_factory.mktemp("x")
    here, there = folder / "here", folder / "there"
    here.mkdir()
    there.mkdir()
    _build(here, before)
    _build(there, after)
    root = os.open(there, os.O_RDONLY)
    try:
        with _tree(here) as tree:
            stats = list(_walk(root))
            for sent in stats:
                tree.add(entry.read(sent))
            tree.end()
            for number in tree.wanted:
                for piece in (*_contents(root, stats[number].path), b""):
                    tree.write(number, piece)
            assert tree.complete
    finally:
        os.close(root)
    assert look(here) == look(there)


def test_a_mode_is_the_same_in_both_languages() -> None:
    for mode in (
        stat.S_IFREG | 0o6755,
        stat.S_IFDIR | 0o1777,
        stat.S_IFLNK | 0o777,
        stat.S_IFIFO,
        stat.S_IFCHR | 1,
        stat.S_IFBLK,
    ):
        assert go_mode.read(go_mode.of(mode)) == mode


async def test_a_tree_is_sent_beside_what_the_client_has(daemon: Daemon, folders: tuple[Path, Path]) -> None:
    here, there = folders
    everything(here)
    service = FileSend(there)
    async with daemon.session({SEND: service}) as session:
        await session.send_trees([("", here)], output=2)
    assert look(here) == look(there)
    assert service.metadata["buildkit-attachable-exporter-id"] == "2"


async def test_a_file_is_sent_once(daemon: Daemon) -> None:
    async def pieces() -> AsyncGenerator[bytes]:
        yield b"x" * 100_000
        yield b"end"

    service = FileTarget()
    async with daemon.session({SEND: service}) as session:
        async with aclosing(pieces()) as given_pieces:
            await session.send_file(given_pieces, {"containerimage.digest": "sha256:0"})
        assert service.data == b"x" * 100_000 + b"end"
        assert service.metadata["exporter-md-containerimage.digest"] == "sha256:0"
        with pytest.raises(Conflict, match="target already exists"):
            await session.send_file(pieces(), {})
    async with daemon.session({}, "two") as session:
        with pytest.raises(NotFound, match=r"does not offer moby\.filesync\.v1\.FileSend/DiffCopy"):
            await session.send_file(pieces(), {})
