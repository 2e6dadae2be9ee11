"""``cp`` and ``export``: everything of a file comes through, and nothing leads out of the container."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import stat
import subprocess
import tarfile
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moby_tui.engine.archive import files as archive
from moby_tui.errors import InvalidArgument, MobyError, NotFound, StorageFull

CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")
TIMES = (10**18 + 5, 10**18 + 123_456_789)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A container's root, and its descriptor; beside it ``outside/secret``."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "secret").write_text("secret")
    fd = os.open(root, os.O_PATH | os.O_DIRECTORY)
    yield root, fd
    os.close(fd)
    assert [path.name for path in outside.iterdir()] == ["secret"] and (outside / "secret").read_text() == "secret"


def furnish(folder: Path) -> None:
    (folder / "sub").mkdir(parents=True)
    (folder / "sub/file").write_bytes(b"hello" * 1000)
    os.link(folder / "sub/file", folder / "zz-same")
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "empty").touch()
    os.mkfifo(folder / "pipe", 0o640)
    os.mknod(folder / "null", stat.S_IFCHR, os.makedev(1, 3))
    (folder / "null").chmod(0o666)
    (folder / ("long" * 60)).write_bytes(b"x" * 513)
    (folder / "n\udcff\nü").write_bytes(b"odd")
    os.chown(folder / "zz-same", 12, 34)
    (folder / "zz-same").chmod(0o4751)
    os.setxattr(folder / "zz-same", "user.note", b"\x00\xff\n")
    os.setxattr(folder / "zz-same", "security.capability", CAPABILITY)
    os.chown(folder / "link", 5, 6, follow_symlinks=False)
    os.utime(folder / "link", ns=TIMES, follow_symlinks=False)
    for path in (folder / "zz-same", folder / "sub", folder):
        os.utime(path, ns=TIMES)
    folder.chmod(0o1770)


def picture(folder: Path) -> dict[str, tuple[object, ...]]:
    """All that is to be kept of a tree."""
    shown: dict[str, tuple[object, ...]] = {}
    inodes: dict[int, str] = {}
    for path in sorted([folder, *folder.rglob("*")]):
        status = path.lstat()
        name = str(path.relative_to(folder))
        first = inodes.setdefault(status.st_ino, name)
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        link = os.readlink(path) if path.is_symlink() else ""
        xattrs = {} if path.is_symlink() else {key: os.getxattr(path, key) for key in os.listxattr(path)}
        attributes = (status.st_mode, status.st_uid, status.st_gid, status.st_rdev, status.st_mtime_ns)
        shown[name] = (*attributes, content, link, xattrs, first)
    return shown


async def pieces(data: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]
        await asyncio.sleep(0)


def tar(*members: tuple[str, bytes, dict[str, object]]) -> bytes:
    """An archive of ``(name, type or content of a file, attributes)``."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as writer:
        for name, kind, attributes in members:
            info = tarfile.TarInfo(name)
            is_type = kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE)
            info.type = kind if is_type else tarfile.REGTYPE
            info.size = 0 if is_type else len(kind)
            for key, value in attributes.items():
                setattr(info, key, value)
            writer.addfile(info, None if is_type else io.BytesIO(kind))
    return buffer.getvalue()


def names(stream: Iterator[bytes]) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as reader:
        return reader.getnames()


# Reading


async def test_a_tree_goes_out_and_in_with_everything_it_has(box: tuple[Path, int]) -> None:
    root, fd = box
    furnish(root / "from")
    (root / "to").mkdir()
    await archive.put(fd, "/to", pieces(b"".join(archive.get(fd, "/from"))))
    assert picture(root / "to/from") == picture(root / "from")


async def test_gnu_tar_understands_what_is_written(box: tuple[Path, int], tmp_path: Path) -> None:
    root, fd = box
    furnish(root / "from")
    (tmp_path / "out.tar").write_bytes(b"".join(archive.get(fd, "/from")))
    command = ["tar", "--xattrs", "--xattrs-include=*", "--numeric-owner", "-xpf", str(tmp_path / "out.tar"), "-C", str(tmp_path)]
    process = await asyncio.create_subprocess_exec(*command)
    assert await process.wait() == 0
    assert picture(tmp_path / "from") == picture(root / "from")


def test_what_a_path_means(box: tuple[Path, int]) -> None:
    root, fd = box
    (root / "dir").mkdir()
    (root / "dir/file").touch()
    (root / "link").symlink_to("/dir")
    assert names(archive.get(fd, "/dir")) == names(archive.get(fd, "dir/")) == ["dir", "dir/file"]
    assert names(archive.get(fd, "/dir/.")) == [".", "./file"]
    assert names(archive.get(fd, "/dir/file")) == ["file"]
    assert names(archive.get(fd, "/link")) == ["link"]
    assert names(archive.get(fd, "/link/")) == ["link", "link/file"]
    assert names(archive.get(fd, "/../../dir")) == ["dir", "dir/file"]
    assert sorted(names(archive.export(fd))) == ["dir", "dir/file", "link"]
    with pytest.raises(NotFound, match="Could not find the file"):
        list(archive.get(fd, "/absent"))
    for path in ("/dir/file/", "/dir/file/x"):
        with pytest.raises(InvalidArgument, match=f"^lstat {path}: not a directory$"):
            list(archive.get(fd, path))


def test_stat_speaks_go(box: tuple[Path, int]) -> None:
    root, fd = box
    furnish(root / "dir")
    (root / "dir/rel").symlink_to("../dir/./sub")
    shown = archive.stat(fd, "/dir")
    assert (shown.name, shown.mode, shown.mtime[:19]) == ("dir", 1 << 31 | 1 << 20 | 0o770, archive.stat(fd, "/dir/").mtime[:19])
    shown = archive.stat(fd, "/dir/zz-same")
    assert (shown.size, shown.mode, shown.mtime) == (5000, 1 << 23 | 0o751, "2001-09-09T01:46:40.123456789Z")
    assert archive.stat(fd, "/dir/null").mode == 1 << 26 | 1 << 21 | 0o666
    assert archive.stat(fd, "/dir/pipe").mode == 1 << 25 | 0o640
    assert archive.stat(fd, "/dir/link").link_target == "/etc/passwd"
    assert archive.stat(fd, "/dir/rel").link_target == "/dir/sub"
    # as dockerd: where a chain of links leads, also if nothing is there
    for name, target in (
        ("one", "/two"),
        ("two", "dir/../three"),
        ("three", "made/x"),
        ("made", "../../dir/new"),
        ("circle", "circle"),
    ):
        (root / name).symlink_to(target)
    assert {name: archive.stat(fd, name).link_target for name in ("one", "two", "three", "made", "circle")} == {
        "one": "/dir/new/x",
        "two": "/dir/new/x",
        "three": "/dir/new/x",
        "made": "/dir/new",
        "circle": "circle",
    }
    assert archive.stat(fd, "/dir/rel").mode & 1 << 27 and archive.stat(fd, "/dir/rel/").name == "rel"
    assert archive.stat(fd, "/").name == "/"


@pytest.mark.parametrize("target", ["{outside}", "../outside", "/../../{outside}", "/proc/self/root{outside}"])
async def test_no_link_leads_out(box: tuple[Path, int], target: str) -> None:
    root, fd = box
    (root / "escape").symlink_to(target.format(outside=root.parent / "outside"))
    for path in ("/escape/", "/escape/secret", "/escape/."):
        with pytest.raises(MobyError):
            list(archive.get(fd, path))
        with pytest.raises(MobyError):
            archive.stat(fd, path)
    evil = tar(("escape/planted", b"x", {}), ("escape/secret", b"overwritten", {}))
    with pytest.raises(MobyError):
        await archive.put(fd, "/escape", pieces(tar(("planted", b"x", {}))))
    try:
        await archive.put(fd, "/", pieces(evil))
    except MobyError:
        pass


def test_a_tree_that_is_swapped_for_links_while_it_is_read_shows_nothing_of_outside(box: tuple[Path, int]) -> None:
    root, fd = box
    (root / "dir/sub").mkdir(parents=True)
    (root / "dir/sub/secret").write_text("harmless")
    (root / "dir/away").symlink_to(root.parent / "outside")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            for first, second, third in (("sub", "tmp", "away"),):
                os.rename(root / "dir" / first, root / "dir" / second)
                os.rename(root / "dir" / third, root / "dir" / first)
                os.rename(root / "dir" / first, root / "dir" / third)
                os.rename(root / "dir" / second, root / "dir" / first)

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        for _ in range(300):
            assert b"secret" not in b"".join(archive.get(fd, "/dir")).replace(b"sub/secret", b"").replace(b"tmp/secret", b"")
    finally:
        stop.set()
        swapper.join()


def test_a_file_that_is_cut_while_it_is_read_does_not_break_the_archive(box: tuple[Path, int]) -> None:
    root, fd = box
    (root / "dir").mkdir()
    (root / "dir/a").write_bytes(b"x" * 3_000_000)
    (root / "dir/b").write_bytes(b"after")
    stream = archive.get(fd, "/dir")
    data = b""
    while len(data) < 1_500_000:
        data += next(stream)
    os.truncate(root / "dir/a", 10)
    with tarfile.open(fileobj=io.BytesIO(data + b"".join(stream))) as reader:
        assert reader.getmember("dir/a").size == 3_000_000
        assert reader.extractfile("dir/b").read() == b"after"  # type: ignore[union-attr]


def test_export_does_not_enter_mounts(box: tuple[Path, int]) -> None:
    root, _ = box
    (root / "volume").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(root / "volume")], check=True)
    fd = os.open(root, os.O_PATH)
    try:
        (root / "volume/file").touch()
        assert names(archive.export(fd)) == ["volume"]
        assert "volume/file" in names(archive.get(fd, "/volume"))
    finally:
        os.close(fd)
        subprocess.run(["umount", str(root / "volume")], check=True)


# Unpacking


@pytest.mark.parametrize("compress", ["gzip", "bzip2", "xz", "zstd", "two gzip members"])
async def test_compressed_archives(box: tuple[Path, int], compress: str) -> None:
    root, fd = box
    plain = tar(("file", b"content" * 500, {}))
    if compress == "two gzip members":
        data = gzip.compress(plain[:700]) + gzip.compress(plain[700:])
    else:
        process = await asyncio.create_subprocess_exec(compress, "-c", stdin=-1, stdout=-1)
        data, _ = await process.communicate(plain)
    await archive.put(fd, "/", pieces(data, 100))
    assert (root / "file").read_bytes() == b"content" * 500


async def test_directories_merge_and_anything_else_is_replaced(box: tuple[Path, int]) -> None:
    root, fd = box
    (root / "dir/old").mkdir(parents=True)
    (root / "dir/file").write_text("old")
    (root / "dir/becomes-file").mkdir()
    (root / "dir/becomes-file/x").touch()
    (root / "dir/link").symlink_to(root.parent / "outside/secret")
    data = tar(
        ("dir", tarfile.DIRTYPE, {"mode": 0o711}),
        ("dir/file", b"new", {}),
        ("dir/becomes-file", b"file", {}),
        ("dir/link", b"plain", {}),
        ("dir/missing/parent/file", b"deep", {}),
    )
    await archive.put(fd, "/", pieces(data))
    assert (root / "dir/file").read_text() == "new" and (root / "dir/old").is_dir()
    assert (root / "dir/becomes-file").read_text() == "file"
    assert (root / "dir/link").read_text() == "plain" and not (root / "dir/link").is_symlink()
    assert (root / "dir/missing/parent/file").read_text() == "deep"
    assert stat.S_IMODE((root / "dir").stat().st_mode) == 0o711


async def test_a_deep_name_is_made_and_goes_out_again(box: tuple[Path, int]) -> None:
    root, fd = box
    name = "d/" * 1200 + "file"
    await archive.put(fd, "/", pieces(tar((name, b"deep", {}))))
    assert names(archive.get(fd, "/d"))[-1] == name
    await archive.put(fd, "/", pieces(tar(("d", b"flat", {}))))
    assert (root / "d").read_text() == "flat"


async def test_no_overwrite_of_a_directory_with_something_else(box: tuple[Path, int]) -> None:
    root, fd = box
    (root / "dir").mkdir()
    (root / "file").touch()
    with pytest.raises(InvalidArgument, match='cannot overwrite directory "/dir" with non-directory "dir"'):
        await archive.put(fd, "/", pieces(tar(("dir", b"x", {}))), no_overwrite_dir_non_dir=True)
    with pytest.raises(InvalidArgument, match='cannot overwrite non-directory "/file" with directory "file"'):
        await archive.put(fd, "/", pieces(tar(("file", tarfile.DIRTYPE, {}))), no_overwrite_dir_non_dir=True)


async def test_owners_are_the_archive_s_or_the_container_user_s(box: tuple[Path, int]) -> None:
    root, fd = box
    data = tar(("file", b"x", {"uid": 5, "gid": 6}), ("link", tarfile.SYMTYPE, {"linkname": "file", "uid": 5, "gid": 6}))
    await archive.put(fd, "/", pieces(data))
    assert [(root / name).lstat().st_uid for name in ("file", "link")] == [5, 5]
    await archive.put(fd, "/", pieces(data), belonging_to=(77, 88))
    assert [((root / n).lstat().st_uid, (root / n).lstat().st_gid) for n in ("file", "link")] == [(77, 88), (77, 88)]


@pytest.mark.parametrize(
    "members",
    [
        [("../outside/planted", b"x", {})],
        [("a/../../outside/planted", b"x", {})],
        [("hard", tarfile.LNKTYPE, {"linkname": "../outside/secret"})],
        [("hard", tarfile.LNKTYPE, {"linkname": "/../../outside/secret"}), ("hard", b"overwritten", {})],
        [("s", tarfile.SYMTYPE, {"linkname": "../outside"}), ("s/planted", b"x", {})],
        [("s", tarfile.SYMTYPE, {"linkname": "../outside/secret"}), ("h", tarfile.LNKTYPE, {"linkname": "s"}), ("h", b"x", {})],
        [("s", tarfile.SYMTYPE, {"linkname": "../outside"}), ("h", tarfile.LNKTYPE, {"linkname": "s/secret"})],
        [("hide", tarfile.CHRTYPE, {"devmajor": 0, "devminor": 0})],
    ],
)
async def test_hostile_archives_stay_inside(box: tuple[Path, int], members: list[tuple[str, bytes, dict[str, object]]]) -> None:
    root, fd = box
    (root / "to").mkdir()
    try:
        await archive.put(fd, "/to", pieces(tar(*members)))
    except MobyError as error:
        assert "\n" not in error.message
    assert (root.parent / "outside/secret").stat().st_nlink == 1
    assert not (root / "to/hide").exists()


async def test_a_hard_link_to_a_link_does_not_change_the_target_s_mode(box: tuple[Path, int]) -> None:
    root, fd = box
    (root / "target").touch(0o600)
    data = tar(("s", tarfile.SYMTYPE, {"linkname": "/target"}), ("h", tarfile.LNKTYPE, {"linkname": "s", "mode": 0o4777}))
    await archive.put(fd, "/", pieces(data))
    assert (root / "h").is_symlink() and stat.S_IMODE((root / "target").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"this is no archive" * 100, InvalidArgument),
        (tar(("a", b"x" * 2000, {}))[:1000], InvalidArgument),
        (tar(("a", b"x", {}), ("b", b"y", {}))[:1300], InvalidArgument),
        (tar(("a", b"x", {}))[:1024] + b"garbage" * 200, InvalidArgument),
        (gzip.compress(tar(("a", os.urandom(5000), {})))[:3000], InvalidArgument),
        (b"\x1f\x8bgarbage" * 100, InvalidArgument),
        (b"\x28\xb5\x2f\xfdgarbage" * 100, InvalidArgument),
        (b"BZhgarbage" * 100, InvalidArgument),
        (b"\xfd7zXZgarbage" * 100, InvalidArgument),
    ],
    ids=["text", "cut", "cut-at-header", "garbage-after", "cut-gzip", "gzip", "zstd", "bzip2", "xz"],
)
async def test_damaged_archives_are_told(box: tuple[Path, int], data: bytes, error: type[MobyError]) -> None:
    with pytest.raises(error) as caught:
        await archive.put(box[1], "/", pieces(data))
    assert "\n" not in caught.value.message


async def test_a_giant_extended_header_is_refused_before_it_is_read(box: tuple[Path, int]) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 8 << 30
    consumed = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal consumed
        yield header.tobuf(tarfile.GNU_FORMAT)
        while True:
            consumed += 1
            yield bytes(1 << 20)

    with pytest.raises(InvalidArgument, match="extended header"):
        await archive.put(box[1], "/", endless())
    assert consumed < 20


async def test_where_it_cannot_be_unpacked(box: tuple[Path, int]) -> None:
    root, fd = box
    (root / "file").touch()
    with pytest.raises(InvalidArgument, match="extraction point is not a directory"):
        await archive.put(fd, "/file", pieces(tar()))
    with pytest.raises(NotFound, match="Could not find the file /absent"):
        await archive.put(fd, "/absent", pieces(tar()))


def test_a_full_and_a_read_only_disk(box: tuple[Path, int]) -> None:
    root, _ = box
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(root)], check=True)
    fd = os.open(root, os.O_PATH)
    try:
        with pytest.raises(StorageFull):
            asyncio.run(archive.put(fd, "/", pieces(tar(("big", b"x" * 200_000, {})))))
        subprocess.run(["mount", "-o", "remount,ro", str(root)], check=True)
        with pytest.raises(InvalidArgument, match="read-only"):
            asyncio.run(archive.put(fd, "/", pieces(tar(("small", b"x", {})))))
    finally:
        os.close(fd)
        subprocess.run(["umount", str(root)], check=True)


async def test_a_cancelled_upload_has_ended_when_it_returns(box: tuple[Path, int]) -> None:
    async def stalled() -> AsyncIterator[bytes]:
        yield tar(("a", b"x" * 5000, {}))[:2000]
        await asyncio.sleep(60)

    threads = threading.active_count()
    task = asyncio.create_task(archive.put(box[1], "/", stalled()))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 10)
    assert threading.active_count() <= threads + 1


async def test_a_failing_source_is_raised_as_it_is(box: tuple[Path, int]) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"x"
        raise NotFound("the source is gone")

    with pytest.raises(NotFound, match="the source is gone"):
        await archive.put(box[1], "/", failing())


@settings(deadline=None, max_examples=30)
@given(st.dictionaries(st.from_regex(r"[a-c]{1,2}(/[a-c]{1,2}){0,2}", fullmatch=True), st.binary(max_size=1500), max_size=8))
def test_any_files_go_through(files: dict[str, bytes]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        (root / "from").mkdir()
        (root / "to").mkdir()
        for name, content in files.items():
            path = root / "from" / name
            if not path.exists() and all(not parent.is_file() for parent in path.parents):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        fd = os.open(root, os.O_PATH)
        try:
            asyncio.run(archive.put(fd, "/to", pieces(b"".join(archive.get(fd, "/from")), 777)))
        finally:
            os.close(fd)
        assert picture(root / "to/from") == picture(root / "from")
