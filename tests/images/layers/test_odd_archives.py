"""Hostile and odd archives: each is refused with a reason, or applied as others apply it, and nothing outside is touched."""

from __future__ import annotations

import gzip
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from images.layers.odd_archives import APPLIED, END, REFUSED, F, header, member, pax, record, seen, zstd
from images_data import Tar
from moby_tui.engine.archive.compression import decompress
from moby_tui.engine.archive.tar import Reader
from moby_tui.engine.resources.images.store import staging
from moby_tui.engine.resources.images.unpack.apply import apply
from moby_tui.engine.resources.images.unpack.unpack import unpack as unpack_layer
from moby_tui.errors import InvalidArgument, StorageFull

SECRET = "untouched"


@pytest.fixture
def root(roots: tuple[Path, Path]) -> Path:
    """The layer's directory, two below a folder in which nothing may be touched."""
    folder = roots[0] / "outside" / "layer"
    folder.mkdir(parents=True)
    (roots[0] / "secret").write_text(SECRET)
    (folder.parent / "secret").write_text(SECRET)
    return folder


def apply_to(root: Path, archive: bytes | Tar, piece: int = 1 << 16) -> None:
    data = archive.bytes() if isinstance(archive, Tar) else archive
    fd = os.open(root, os.O_RDONLY)
    before = untouched(root)
    try:
        apply(decompress(data[at : at + piece] for at in range(0, len(data), piece)), fd)
    finally:
        os.close(fd)
        assert untouched(root) == before


def untouched(root: Path) -> list[tuple[str, int, int, int, int]]:
    """All that is around the layer, and when it was last changed in any way."""
    around = [root.parent, *root.parent.iterdir(), root.parents[1], *root.parents[1].iterdir()]
    found = [(path, path.lstat()) for path in around if path != root]
    return [(str(path), status.st_mode, status.st_nlink, status.st_size, status.st_ctime_ns) for path, status in found]


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_a_reason(root: Path, name: str) -> None:
    archive, reason = REFUSED[name]
    with pytest.raises(InvalidArgument, match=reason) as refused:
        apply_to(root, archive())
    assert "\n" not in refused.value.message and len(refused.value.message) < 500


@pytest.mark.parametrize("name", APPLIED)
def test_applied(root: Path, name: str) -> None:
    archive, tree = APPLIED[name]
    apply_to(root, archive())
    assert seen(root) == tree


@pytest.mark.parametrize("name", [*APPLIED])
def test_however_it_comes(root: Path, name: str) -> None:
    """The pieces in which an archive arrives make no difference."""
    archive, tree = APPLIED[name]
    apply_to(root, archive(), piece=97)
    assert seen(root) == tree


def test_times(root: Path) -> None:
    """Before 1970 is 1970, as in Docker; what no file system can store is the last that all can; nanoseconds are kept."""
    times = {
        b"a": b"-1.5",
        b"b": b"1700000000.123456789123",
        b"c": b"99999999999999",
        b"d": b"2000000000.000000001",
        b"e": b"4000000000",
    }
    apply_to(root, b"".join(pax(record(b"mtime", text)) + member(name) for name, text in times.items()) + END)
    found = {name: (root / os.fsdecode(name)).stat().st_mtime_ns for name in times}
    last = found.pop(b"c")
    assert found == {b"a": 0, b"b": 1_700_000_000_123_456_789, b"d": 2_000_000_000_000_000_001, b"e": 4_000_000_000 * 10**9}
    assert last == 2**33 * 10**9


def test_times_of_directories_are_set_last(root: Path) -> None:
    apply_to(
        root, Tar().directory("a", mtime=1).directory("a/b", mtime=2).add("a/b/f").symlink("l", "a").add("l/g").add("a/.wh.x")
    )
    assert (root / "a").stat().st_mtime == 1 and (root / "a/b").stat().st_mtime == 2


def test_time_before_1970_in_base_256(root: Path) -> None:
    apply_to(root, header(b"f", raw={136: (-86400 % (1 << 96)).to_bytes(12, "big")}) + END)
    assert (root / "f").stat().st_mtime == 0


def test_truncated_anywhere(root: Path) -> None:
    """Between members it is a shorter archive, anywhere else it is refused."""
    whole = F + pax(record(b"path", b"n" * 200)) + member(b"x", b"y" * 700)
    for end in range(1, len(whole) + 1, 37):
        try:
            names = [entry.name for entry in Reader([whole[:end]])]
        except InvalidArgument as error:
            assert "unexpected EOF" in error.message, end
        else:
            assert names in ([b"f"], [b"f", b"n" * 200]), end


def test_directories_without_end(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Directories are remembered until their times are set: a million of them in a mebibyte of gzip shall not eat the memory."""
    monkeypatch.setenv("MOBY_MOST_DIRECTORIES", "100")
    with pytest.raises(InvalidArgument, match="more than 100 directories"):
        apply_to(root, b"".join(member(b"d%d/" % number, kind=b"5") for number in range(200)))
    with pytest.raises(InvalidArgument, match="more than 100 directories"):
        apply_to(root, b"".join(member(b"i%d/f" % number) for number in range(200)))


def test_members_without_end_are_not_kept(root: Path) -> None:
    """A thousand members replace each other; nothing is left of all but the last."""
    apply_to(root, b"".join(member(b"f", b"%d" % number) for number in range(1000)) + END)
    assert seen(root) == {"f": "f 644 999"}


def test_a_failed_layer_is_told_by_the_function_that_makes_it(roots: tuple[Path, Path]) -> None:
    with pytest.raises(InvalidArgument, match="leads out"):
        unpack_layer([Tar().add("../x").bytes()], "sha256:" + "0" * 64, str(roots[0] / "layer"))


def test_a_tree_deeper_than_a_path_can_say_is_unpacked_and_deleted(root: Path) -> None:
    """Two thousand directories within one another, and through a link to them two thousand more."""
    deep = "d/" * 2000
    links = Tar(tarfile.GNU_FORMAT).add(deep + "f", data=b"x").symlink("l", deep).symlink("m", "l/" + deep[:4000])
    apply_to(root, links.directory("e").symlink("e/l", "/l").add("l/" + deep + "g", data=b"y").add("e", data=b"z"))
    assert (root / "e").read_bytes() == b"z"
    apply_to(root, Tar().add("d", data=b"instead"))
    assert (root / "d").read_bytes() == b"instead"
    staging.delete(root)
    assert not root.exists()
    root.mkdir()


@pytest.mark.parametrize("compress", [gzip.compress, zstd.compress])
def test_a_bomb_meets_the_end_of_the_disk(root: Path, compress: Callable[[bytes], bytes]) -> None:
    """Four mebibytes of a few kilobytes, on a disk of one."""
    archive = compress(Tar().add("f", data=bytes(4 << 20)).bytes())
    assert len(archive) < 10_000
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(root)], check=True)
    try:
        with pytest.raises(StorageFull):
            apply_to(root, archive)
    finally:
        subprocess.run(["umount", str(root)], check=True)


# -- at random -------------------------------------------------------------------------------------------------------

_PART = st.sampled_from(["a", "b", "c", "..", ".", "", ".wh.a", ".wh.b", ".wh..wh..opq", "secret"])
_NAME = st.lists(_PART, min_size=1, max_size=4).map("/".join)
_KIND = st.sampled_from(["file", "directory", "symlink", "link"])
_MEMBERS = st.lists(st.tuples(_KIND, _NAME, _NAME, st.booleans()), max_size=12)
_RELAXED = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@_RELAXED
@given(_MEMBERS)
@example([("symlink", "a", "..", False), ("file", "a/secret", "", False)])
@example(
    [("directory", "b", "", False), ("symlink", "a", "b", False), ("directory", "a/c", "", False), ("symlink", "b", "b", False)]
)
def test_no_archive_reaches_out(root: Path, members: list[tuple[str, str, str, bool]]) -> None:
    tar = Tar()
    for kind, name, target, absolute in members:
        target = ("/" if absolute else "") + target
        if kind == "file":
            tar.add(name or ".", data=b"x")
        elif kind == "directory":
            tar.directory(name or ".")
        elif kind == "symlink":
            tar.symlink(name or ".", target or ".")
        else:
            tar.link(name or ".", target or ".")
    try:
        apply_to(root, tar)
    except InvalidArgument as error:
        assert "\n" not in error.message


_WHOLE = (
    F
    + pax(record(b"path", b"long") + record(b"SCHILY.xattr.user.a", b"1"))
    + member(b"x", b"y" * 600)
    + member(b"l", kind=b"2")
    + END
)


@_RELAXED
@given(st.lists(st.tuples(st.integers(0, len(_WHOLE) - 1), st.binary(min_size=1, max_size=12)), max_size=4), st.booleans())
def test_damaged_archives_are_read_or_refused(changes: list[tuple[int, bytes]], mended: bool) -> None:
    data = bytearray(_WHOLE)
    for at, new in changes:
        data[at : at + len(new)] = new
    if mended:  # with a checksum that fits, so that what is behind it is met
        for at in range(0, len(data) - 511, 512):
            if data[at + 257 : at + 262] == b"ustar":
                data[at + 148 : at + 156] = b" " * 8
                data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + 512])
    reader = Reader([bytes(data)])
    try:
        for _ in reader:
            for _ in reader.data():
                pass
    except InvalidArgument as error:
        assert "\n" not in error.message


@_RELAXED
@given(st.binary(max_size=300), st.sampled_from([b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18", b""]))
def test_damaged_compression_is_read_or_refused(data: bytes, magic: bytes) -> None:
    try:
        assert sum(len(piece) for piece in decompress([magic + data])) < 1 << 30
    except InvalidArgument as error:
        assert "\n" not in error.message


def test_the_corpus_is_large() -> None:
    assert len(REFUSED) + len(APPLIED) >= 120
