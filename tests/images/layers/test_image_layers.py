"""Layers against what hostile and merely odd archives hold."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest

from images_data import Tar
from moby_tui.engine.archive.tar import Reader, number, parse_pax
from moby_tui.engine.resources.images.store.form import is_whiteout
from moby_tui.engine.resources.images.unpack.apply import Applied, apply
from moby_tui.errors import InvalidArgument


@pytest.fixture
def root(roots: tuple[Path, Path]) -> Path:
    """The layer's directory, beside a file that nothing may touch."""
    folder = roots[0] / "layer"
    folder.mkdir(parents=True)
    (roots[0] / "secret").write_text("untouched")
    return folder


def unpack(root: Path, archive: Tar | bytes, piece: int = 1 << 16) -> Applied:
    data = archive.bytes() if isinstance(archive, Tar) else archive
    fd = os.open(root, os.O_RDONLY)
    try:
        return apply((data[at : at + piece] for at in range(0, len(data), piece)), fd)
    finally:
        os.close(fd)
        assert (root.parent / "secret").read_text() == "untouched"
        assert sorted(path.name for path in root.parent.iterdir()) == ["layer", "secret"]


@pytest.mark.parametrize(
    "archive",
    [
        lambda: Tar().add("../secret", data=b"x"),
        lambda: Tar().add("a/../../secret", data=b"x"),
        lambda: Tar().directory("..", mode=0o777),
        lambda: Tar().link("s", "../secret"),
        lambda: Tar().add(".wh.."),
        lambda: Tar().add(".wh..."),
        lambda: Tar().add(".wh."),
        lambda: Tar().link("x", "not-there"),
        lambda: Tar().add("null", tarfile.CHRTYPE),
        lambda: Tar().symlink("loop", "loop").add("loop/x", data=b"x"),
        lambda: Tar().add("n" * 300, data=b"x"),
    ],
)
def test_hostile_and_damaged_archives_are_refused(root: Path, archive: object) -> None:
    with pytest.raises(InvalidArgument):
        unpack(root, archive())  # type: ignore[operator]


@pytest.mark.parametrize("target", ["..", "../..", "/..", "../../../../..", "/"])
def test_links_lead_nowhere_outside(root: Path, target: str) -> None:
    """A link out of the root is kept as it is, and what is written through it stays inside."""
    unpack(root, Tar().symlink("out", target).add("out/secret", data=b"x").add("/absolute", data=b"y"))
    assert (root / "out").readlink() == Path(target)
    assert (root / "secret").read_bytes() == b"x" and (root / "absolute").read_bytes() == b"y"


def test_link_to_a_lower_layer_is_followed_not_replaced(root: Path) -> None:
    applied = unpack(root, Tar().symlink("var/run", "/run").add("var/run/x", data=b"x"))
    assert (root / "var/run").is_symlink() and (root / "run/x").read_bytes() == b"x"
    assert applied.implied == {b"var", b"run"}


def test_files_are_made_anew_never_written_through(root: Path) -> None:
    unpack(root, Tar().symlink("f", "../secret").add("f", data=b"x").add("g", data=b"1").link("h", "g").add("h", data=b"2"))
    assert not (root / "f").is_symlink() and (root / "f").read_bytes() == b"x"
    assert (root / "g").read_bytes() == b"1" and (root / "h").read_bytes() == b"2"


def test_hard_link_to_a_link_links_the_link(root: Path) -> None:
    """CVE-2021-32760: a mode is never set through it."""
    before = stat.S_IMODE((root.parent / "secret").stat().st_mode)
    unpack(root, Tar().symlink("s", "../secret").link("h", "s", mode=0o777))
    assert (root / "h").is_symlink() and stat.S_IMODE((root.parent / "secret").stat().st_mode) == before


def test_whiteouts_hide_lower_content_only(root: Path) -> None:
    tar = Tar().directory("d").add("d/own", data=b"x").add("file", data=b"x").add(".wh.file").add(".wh.d").add(".wh.gone")
    tar.add(".wh.again").add("again", data=b"y").add(".wh.dir").directory("dir").add(".wh.deep").add("deep/er/x", data=b"z")
    tar.directory("o").add("o/.wh.x").add("o/.wh..wh..opq").add("o/.wh.y").add("o/own", data=b"").add(".wh..wh.plnk")
    unpack(root, tar)
    assert (
        (root / "file").read_bytes() == b"x" and (root / "d/own").read_bytes() == b"x" and (root / "again").read_bytes() == b"y"
    )
    assert is_whiteout((root / "gone").lstat()) and not (root / ".wh.gone").exists()
    for opaque in ("d", "dir", "deep", "o"):
        assert os.getxattr(root / opaque, "trusted.overlay.opaque") == b"y", opaque
    assert os.listdir(root / "o") == ["own"]
    assert sorted(os.listdir(root)) == ["again", "d", "deep", "dir", "file", "gone", "o"]


def test_metadata(root: Path) -> None:
    capability = b"\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    pax = {"SCHILY.xattr.security.capability": capability.decode("utf-8", "surrogateescape"), "mtime": "1234567890.000000001"}
    foreign = {
        "SCHILY.xattr.trusted.overlay.opaque": "y",
        "SCHILY.xattr.security.selinux": "x",
        "SCHILY.xattr.user.overlay.opaque": "y",
    }
    tar = Tar().directory("d", mode=0o2755, uid=5, gid=6, pax=foreign).add("d/f", data=b"x", mode=0o4755, uid=7, gid=8, pax=pax)
    tar.symlink("d/l", "f", uid=9, gid=10).add("d/p", tarfile.FIFOTYPE, mode=0o622)
    tar.add("d/null", tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666).add("d/large", uid=2**31 + 5)
    tar.directory("./", mode=0o711)
    unpack(root, tar)
    d, f, link = (root / "d").lstat(), (root / "d/f").lstat(), (root / "d/l").lstat()
    assert (stat.S_IMODE(d.st_mode), d.st_uid, d.st_gid, d.st_mtime) == (0o2755, 5, 6, 1_700_000_000)
    assert (stat.S_IMODE(f.st_mode), f.st_uid, f.st_gid, f.st_mtime_ns) == (0o4755, 7, 8, 1234567890_000000001)
    assert os.getxattr(root / "d/f", "security.capability") == capability, "set after chown, which clears it"
    assert (link.st_uid, link.st_gid, link.st_mtime) == (9, 10, 1_700_000_000)
    assert os.listxattr(root / "d") == []
    assert stat.S_ISFIFO((root / "d/p").lstat().st_mode) and (root / "d/null").lstat().st_rdev == os.makedev(1, 3)
    assert (root / "d/large").lstat().st_uid == 2**31 + 5
    assert stat.S_IMODE(root.stat().st_mode) == 0o711


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names(root: Path, format: int) -> None:
    name = "/".join(["d" * 60] * (3 if format == tarfile.USTAR_FORMAT else 20))
    tar = Tar(format).add(f"{name}/file", data=b"x")
    unpack(root, tar.symlink("link", "t" * (90 if format == tarfile.USTAR_FORMAT else 200)), piece=100)
    assert (root / name / "file").read_bytes() == b"x"


def test_a_directory_over_a_directory_merges_and_anything_else_replaces(root: Path) -> None:
    tar = (
        Tar()
        .directory("a")
        .add("a/x", data=b"1")
        .directory("a", mode=0o700)
        .directory("b")
        .add("b/x", data=b"")
        .add("b", data=b"2")
    )
    tar.symlink("c", "a").directory("c").add("c/y", data=b"3").add("e", data=b"").add("e/below", data=b"4")
    unpack(root, tar)
    assert (root / "a/x").read_bytes() == b"1" and stat.S_IMODE((root / "a").stat().st_mode) == 0o700
    assert (root / "b").read_bytes() == b"2" and (root / "c").is_dir() and not (root / "c").is_symlink()
    assert (root / "e/below").read_bytes() == b"4"


@pytest.mark.parametrize("version", ["", "0.0", "0.1", "1.0"])
def test_sparse_files_of_gnu_tar(root: Path, tmp_path: Path, version: str) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        for at in range(0, 40):
            file.seek(at * 1_000_000)
            file.write(b"%d" % at)
        file.truncate(50_000_000)
    options = ["--format=pax", f"--sparse-version={version}"] if version else ["--format=gnu"]
    archive = subprocess.run(["tar", "-cS", *options, "-C", str(tmp_path), "sparse"], check=True, stdout=subprocess.PIPE).stdout
    assert len(archive) < 1_000_000
    unpack(root, archive)
    assert (root / "sparse").read_bytes() == (tmp_path / "sparse").read_bytes()
    assert (root / "sparse").stat().st_blocks * 512 < 1_000_000


def test_truncated_anywhere(root: Path) -> None:
    data = Tar().add("a", data=bytes(1000)).add("b" * 150, data=b"x").bytes()
    for end in (100, 600, 1400, 1536 + 100, 1536 + 512 + 10, 1536 + 1024 + 300):
        with pytest.raises(InvalidArgument, match="unexpected EOF"):
            unpack(root, data[:end])


def test_missing_end_marker_and_trailing_garbage_are_borne(root: Path) -> None:
    whole = Tar().add("a", data=b"x").bytes()
    unpack(root, whole[:1024])
    unpack(root, whole[:1024] + bytes(1024) + b"garbage")


def test_damaged_headers_are_refused(root: Path) -> None:
    whole = Tar().add("a", data=b"x").bytes()
    for bad in (whole[:100] + b"9" + whole[101:], b"not a tar at all" * 64):
        with pytest.raises(InvalidArgument):
            unpack(root, bad)
    large = Tar(tarfile.PAX_FORMAT).add("a", pax={"comment": "x" * (2 << 20)}).bytes()
    with pytest.raises(InvalidArgument, match="extended header"):
        unpack(root, large)


def test_global_headers_are_ignored(root: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(
        fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"path": "elsewhere", "comment": "git"}
    ) as tar:
        tar.addfile(tarfile.TarInfo("here"))
    unpack(root, buffer.getvalue())
    assert os.listdir(root) == ["here"]


def test_numbers_and_records() -> None:
    assert number(b"0000644\0") == 0o644 and number(b" 12 \0\0\0\0") == 0o12 and number(bytes(8)) == 0
    assert number(b"\x80" + bytes(6) + b"\x05") == 5 and number(b"\xff" * 11 + b"\xfe") == -2
    assert parse_pax(b"11 path=aa\n14 comment=bc\n10 path=c\n") == {b"path": b"c", b"comment": b"bc"}
    for bad in (b"99 path=a\n", b"9 path=a", b"x path=a\n", b"-5 path=a\n", b"4 a\n", b"6 =aa\n"):
        with pytest.raises(InvalidArgument):
            parse_pax(bad)


def test_reader_never_reads_more_than_a_member(root: Path) -> None:
    reader = Reader([Tar().add("a", data=b"first").add("b", data=b"second").bytes()])
    assert [(entry.name, b"".join(reader.data())) for entry in reader] == [(b"a", b"first"), (b"b", b"second")]
