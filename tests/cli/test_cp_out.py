"""``moby cp`` out of a container: what docker's command line makes of the same tree is the right value."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import images_data

Cli = Callable[..., subprocess.CompletedProcess[str]]

CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")
MODES = (0o777, 0o666, 0o755, 0o644, 0o4755, 0o2755, 0o6711, 0o1777, 0o444, 0o400, 0o000)
#: Before the first, after the last, and with nanoseconds.
TIMES = ("1.5", "981173106", "1700000000.123456789", "4102444800.999999999")


def tree() -> bytes:
    """A root file system whose ``/d`` has all that a tree can have."""
    tar = images_data.Tar().directory("d", mode=0o1775, pax={"mtime": TIMES[1]})
    for mode in MODES:
        tar.add(f"d/file-{mode:o}", data=b"x", mode=mode).directory(f"d/folder-{mode:o}", mode=mode, pax={"mtime": TIMES[2]})
        tar.add(f"d/folder-{mode:o}/in", data=b"in", mode=mode)
    for number, moment in enumerate(TIMES):
        tar.add(f"d/time-{number}", pax={"mtime": moment}).directory(f"d/times-{number}", pax={"mtime": moment})
        tar.symlink(f"d/linked-{number}", "x", pax={"mtime": moment})
    tar.symlink("d/absolute", "/etc/passwd").symlink("d/relative", "../e/file").symlink("d/dead", "no/where")
    tar.symlink("d/above", "../../../../etc").symlink("d/circle", "circle").symlink("d/to-sub", "sub").symlink(
        "d/to-file", "file-644"
    )
    tar.directory("d/sub").add("d/sub/file", data=b"in sub")
    tar.add("d/fifo", b"6", mode=0o640).add("d/null", b"3", devmajor=1, devminor=3, mode=0o666)
    tar.add("d/disk", b"4", devmajor=7, devminor=200, mode=0o600)
    tar.add("d/first", data=b"linked", mode=0o640).link("d/second", "d/first").link("d/sub/third", "d/first")
    tar.add("d/capable", data=b"", mode=0o755, pax={"SCHILY.xattr.security.capability": CAPABILITY.decode("latin-1")})
    tar.add("d/noted", data=b"", pax={"SCHILY.xattr.user.note": "written"})
    tar.add("d/owned", data=b"", uid=12, gid=34).directory("d/theirs", uid=56, gid=78)
    tar.add("d/latin-\udce9\udcff", data=b"odd").add("d/line\nbreak", data=b"").add("d/" + "n" * 250, data=b"long")
    tar.directory("e").add("e/file", data=b"in e")
    return tar.bytes()


def picture(folder: Path, *, owners: bool = False) -> dict[str, tuple[object, ...]]:
    """All that is to be kept of a tree."""
    shown: dict[str, tuple[object, ...]] = {}
    first: dict[int, str] = {}
    for path in sorted([folder, *folder.rglob("*")]):
        status = path.lstat()
        name = str(path.relative_to(folder))
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) else os.readlink(path) if path.is_symlink() else ""
        xattrs = {} if path.is_symlink() else {key: os.getxattr(path, key) for key in os.listxattr(path)}
        owner = (status.st_uid, status.st_gid) if owners else ()
        same = first.setdefault(status.st_ino, name)
        shown[name] = (status.st_mode, status.st_rdev, status.st_mtime_ns, content, xattrs, same, owner)
    return shown


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """The tree as GNU tar makes it."""
    folder = tmp_path / "original"
    folder.mkdir()
    command = ["tar", "--xattrs", "--xattrs-include=*", "--numeric-owner", "-xpf", "-", "-C", str(folder)]
    subprocess.run(command, input=tree(), check=True)
    os.setxattr(folder / "d/capable", "security.capability", CAPABILITY)
    return folder / "d"


@pytest.fixture
def box(cli: Cli, original: Path, tmp_path: Path) -> str:
    """A container that does not run, with the tree."""
    packed = tmp_path / "root.tar"
    command = ["tar", "--format=pax", "--xattrs", "--xattrs-include=*", "-cpf", str(packed), "-C", str(original.parent), "d", "e"]
    subprocess.run(command, check=True)
    cli("import", str(packed), "tree")
    cli("create", "--name", "box", "tree", "x")
    return "box"


def test_a_tree_comes_out_with_everything_it_has(cli: Cli, box: str, original: Path, tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        cli("cp", f"{box}:/d", str(tmp_path))
    finally:
        os.umask(old)
    assert picture(tmp_path / "d") == picture(original)
    assert {path.lstat().st_uid for path in (tmp_path / "d").rglob("*")} == {os.geteuid()}


def test_with_owners(cli: Cli, box: str, original: Path, tmp_path: Path) -> None:
    cli("cp", "-a", f"{box}:/d/.", str(tmp_path / "new"))
    assert picture(tmp_path / "new", owners=True) == picture(original, owners=True)


def test_over_what_was_copied_before(cli: Cli, box: str, original: Path, tmp_path: Path) -> None:
    """Folders are merged, all else is replaced, also what cannot be written to and what leads elsewhere."""
    cli("cp", f"{box}:/d", str(tmp_path))
    victim = tmp_path / "victim"
    victim.write_text("kept")
    (tmp_path / "d/file-644").unlink()
    (tmp_path / "d/file-644").symlink_to(victim)
    (tmp_path / "d/mine").write_text("mine")
    cli("cp", f"{box}:/d", str(tmp_path))
    assert victim.read_text() == "kept" and (tmp_path / "d/mine").read_text() == "mine"
    (tmp_path / "d/mine").unlink()
    os.utime(tmp_path / "d", ns=(original.stat().st_mtime_ns,) * 2)
    assert picture(tmp_path / "d") == picture(original)


@pytest.mark.parametrize("follow", [(), ("-L",)])
@pytest.mark.parametrize("target", ["there/", "there", "new"])
def test_links_as_sources(cli: Cli, box: str, tmp_path: Path, follow: tuple[str, ...], target: str) -> None:
    for link, kind in (("to-sub", "folder"), ("to-file", "file"), ("dead", ""), ("absolute", "")):
        (tmp_path / "there").mkdir(exist_ok=True)
        done = cli("cp", *follow, f"{box}:/d/{link}", str(tmp_path / target) + "/" * target.endswith("/"), check=False)
        made = tmp_path / ("new" if target == "new" else f"there/{link}")
        if follow and not kind:
            assert (done.returncode, os.path.lexists(made)) == (1, False) and done.stderr.count("\n") == 1
        elif follow:
            assert made.is_dir() == (kind == "folder") and not made.is_symlink()
        else:
            assert made.is_symlink()
        subprocess.run(["rm", "-rf", tmp_path / "there", tmp_path / "new"], check=True)


@pytest.mark.parametrize(
    ("source", "target", "made"),
    [
        ("/d/sub", "there", "there/sub/file"),
        ("/d/sub", "there/.", "there/sub/file"),
        ("/d/sub/", "there/", "there/sub/file"),
        ("/d/sub/.", "there", "there/file"),
        ("/d/sub/..", "there", "there/d/sub/file"),
        ("/d/to-sub/", "there", "there/to-sub/file"),
        ("/d/to-sub/.", "there", "there/file"),
        ("/d/sub", "new", "new/file"),
        ("/d/sub/.", "new/", "new/file"),
        ("/d/sub", "link-to-there", "there/sub/file"),
        ("/d/sub/.", "link-to-new", "new/file"),
        ("/e", "there", "there/e/file"),
        ("/", "new", "new/d/sub/file"),
        ("/d/sub/file", "there", "there/file"),
        ("/d/sub/file", "new", "new"),
        ("/d/sub/file", "file", "file"),
        ("/d/sub/file", "link-to-file", "file"),
        ("/d/sub/file", "link-to-new", "new"),
        ("d/sub/file", "link-to-there/", "there/file"),
        ("/d/sub", "file", "not a directory|over the file"),
        ("/d/sub", "link-to-file", "over the file"),
        ("/d/sub/file", "new/", "no such directory"),
        ("/d/sub/file", "file/", "not a directory"),
        ("/d/sub", "new/.", "no such directory"),
        ("/d/sub", "no/such", "no such directory"),
        ("/d/sub/file", "link-to-nowhere", "no such directory"),
        ("/d/sub/file", "/dev/null", "device"),
        ("/d", "blocked", "cannot overwrite non-directory"),
        ("/d/sub/.", "blocked", "cannot overwrite directory"),
        ("/d/none", "there", "Could not find"),
        ("/d/file-644/", "there", "not a directory"),
    ],
)
def test_where_it_goes(cli: Cli, box: str, tmp_path: Path, source: str, target: str, made: str) -> None:
    here = tmp_path / "here"
    (here / "there").mkdir(parents=True)
    (here / "file").write_text("old")
    (here / "blocked/file").mkdir(parents=True)
    (here / "blocked/d").touch()
    for name, to in (("there", "there"), ("file", "file"), ("new", "new"), ("nowhere", "no/such")):
        (here / f"link-to-{name}").symlink_to(to)
    done = cli("cp", f"{box}:{source}", target, check=False, cwd=here)
    if " " in made or made == "device":
        assert done.returncode == 1 and re.search(made, done.stderr) and done.stderr.count("\n") == 1, done.stderr
        assert "Traceback" not in done.stderr and (here / "file").read_text() == "old"
    else:
        assert done.returncode == 0, done.stderr
        assert (here / made).read_bytes() == (b"in e" if source == "/e" else b"in sub")
    assert all((here / f"link-to-{name}").is_symlink() for name in ("there", "file", "new", "nowhere"))


def test_a_sparse_file(cli: Cli, box: str, tmp_path: Path) -> None:
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as file:
        file.seek(5 << 20)
        file.write(b"end")
        file.truncate(8 << 20)
    cli("cp", str(sparse), f"{box}:/d/sparse")
    cli("cp", f"{box}:/d/sparse", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == sparse.read_bytes()


def test_to_standard_output(cli: Cli, box: str, original: Path, tmp_path: Path) -> None:
    with (tmp_path / "out.tar").open("wb") as out:
        cli("cp", f"{box}:/d", "-", capture_output=False, stdout=out)
    (tmp_path / "unpacked").mkdir()
    command = ["tar", "--xattrs", "--xattrs-include=*", "-xpf", str(tmp_path / "out.tar"), "-C", str(tmp_path / "unpacked")]
    subprocess.run(command, check=True)
    assert picture(tmp_path / "unpacked/d") == picture(original)


@pytest.mark.parametrize("target", ["/e", "/e/new"])
def test_in_and_out_again(cli: Cli, box: str, original: Path, tmp_path: Path, target: str) -> None:
    """Times, modes and attributes go in as they come out."""
    cli("cp", str(original), f"{box}:{target}")
    cli("cp", f"{box}:{target}" + "/d" * (target == "/e"), str(tmp_path / "again"))
    assert picture(tmp_path / "again") == picture(original)
