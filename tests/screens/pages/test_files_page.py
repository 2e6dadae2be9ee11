"""Files in the dashboard: the tree, the content and an edited file as models; the page over the real engine."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from moby_tui.engine.engine import Engine
from moby_tui.errors import InvalidArgument, OtherEngine
from moby_tui.schema.container import ContainerCreate, HostConfig, MountPoint, PathChange, PathStat
from moby_tui.screens.dialogs.ask import Ask
from moby_tui.screens.dialogs.confirm import Confirm
from moby_tui.screens.files.content import Content
from moby_tui.screens.files.entry import Entry, shown
from moby_tui.screens.files.source import Place
from moby_tui.screens.files.tree import FileTree
from moby_tui.screens.widgets.files.tree import FileTreeView
from moby_tui.screens.widgets.files.view import FileView
from screens.conftest import Eventually, Open
from screens.fake_client import summary


def file(path: str, size: int = 1, mark: str = "") -> Entry:
    return Entry(path, os.path.basename(path), "file", size, 0o644, "0:0", mark=mark)


def folder(path: str, mark: str = "") -> Entry:
    return Entry(path, os.path.basename(path), "directory", 4096, 0o755, "0:0", mark=mark)


def names(tree: FileTree) -> list[str]:
    return [row.entry.path for row in tree.rows()]


def test_a_tree_is_read_as_it_is_opened_and_keeps_its_cursor() -> None:
    tree = FileTree()
    assert tree.unread == ["/"]
    tree.put("/", [file("/z"), folder("/etc"), folder("/bin")])
    assert names(tree) == ["/bin", "/etc", "/z"] and tree.chosen == folder("/bin")
    tree.go(1)
    tree.open("/etc")
    assert tree.unread == ["/etc"]
    tree.note("/etc", "no such file")
    assert tree.unread == [] and tree.rows()[1].note == "no such file"
    tree.put("/etc", [file("/etc/b", 5), file("/etc/a", 9)])
    assert names(tree) == ["/bin", "/etc", "/etc/a", "/etc/b", "/z"] and tree.place == 1
    tree.sort()
    assert tree.order == "size" and names(tree)[2:4] == ["/etc/a", "/etc/b"]
    tree.go(3)
    tree.leave()
    assert tree.chosen == folder("/etc")
    tree.leave()
    assert not tree.is_open("/etc") and names(tree) == ["/bin", "/etc", "/z"]
    tree.go(2)
    tree.put("/", [folder("/etc")])
    assert tree.place == 0
    tree.put("/", [])
    assert tree.chosen is None and tree.root_note == "empty"


def test_a_filter_shows_the_folders_above_and_changes_alone() -> None:
    tree = FileTree()
    tree.put("/", [folder("/a", "C"), folder("/b"), file("/c", mark="D")])
    tree.put("/a", [file("/a/needle", mark="A"), file("/a/hay")])
    tree.open("/a")
    tree.filter("NEEDLE")
    assert names(tree) == ["/a", "/a/needle"]
    tree.filter("nowhere")
    assert names(tree) == [] and tree.root_note == "nothing matches"
    tree.filter("")
    tree.show_changed(True)
    assert names(tree) == ["/a", "/a/needle", "/c"]


def test_a_deep_tree_is_no_recursion() -> None:
    tree = FileTree()
    path = ""
    for number in range(3000):
        tree.put(path or "/", [folder(f"{path}/{number}")])
        path = f"{path}/{number}"
    tree.open(path)
    assert len(tree.rows()) == 3000 and tree.rows()[-1].depth == 2999


def test_names_that_are_hostile_are_cleaned() -> None:
    assert shown("a\x1b[31mb\u202e\n") == "ab"
    assert shown(os.fsdecode(b"x\xffy")) == "x\\xffy"
    assert shown("\x1b[2J") == "?"


def content(*pieces: bytes) -> Content:
    made = Content()
    for piece in pieces:
        made.append(piece)
    made.finish()
    return made


def test_a_text_is_read_by_lines_however_it_comes() -> None:
    made = content(b"first\r\nse", b"cond\ttab\n\x1b[31mred\n", b"x" * 9000, b"\nlast")
    assert (made.hexadecimal, made.rows) == (False, 5)
    assert [made.row(number) for number in (0, 1, 2, 4)] == ["first", "second  tab", "red", "last"]
    assert made.row(3) == "x" * 4096 + " …" and made.label(4) == "5"
    assert (made.find("LAST", 0), made.find("se", 0), made.find("first", 4), made.find("nowhere", 0)) == (None, 1, 0, None)
    assert made.find("last", 4) == 4 and made.find("e", 4, backward=True) == 2


def test_bytes_are_shown_as_bytes() -> None:
    made = content(bytes(range(40)))
    assert made.hexadecimal and made.rows == 3
    assert made.row(0) == "00 01 02 03 04 05 06 07  08 09 0a 0b 0c 0d 0e 0f  ················"
    assert made.row(2).startswith("20 21 22") and made.row(2).endswith(" !\"#$%&'") and made.label(2) == "00000020"
    assert made.find("!", 0) == 2
    assert not content("漢字 é\n".encode() * 900).hexadecimal and content().rows == 0
    assert content(bytes(range(128, 256)) * 4).hexadecimal


def test_a_huge_file_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moby_tui.screens.files.content.MOST", 1000)
    made = Content()
    assert made.append(b"y" * 501) and not made.append(b"y" * 501)
    assert (made.size, made.cut, made.rows) == (1000, True, 1)


async def once(data: bytes) -> AsyncIterator[bytes]:
    yield data


class Docker:
    """The client of an engine that lists no folders, as dockerd: its archive is a tar of all."""

    def __init__(self) -> None:
        self.containers = self.images = self.volumes = self
        self.asked: list[tuple[str, str]] = []

    async def files(self, ref: str, path: str, **_: Any) -> Any:
        raise OtherEngine("listing needs moby at the other end")
        yield

    async def changes(self, ref: str) -> Any:
        return [PathChange(path="/etc", kind=0), PathChange(path="/etc/new", kind=1), PathChange(path="/etc/gone", kind=2)]

    async def archive_get(self, ref: str, path: str) -> Any:
        self.asked.append((ref, path))
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for name, kind in (("./", b"5"), ("./etc/", b"5"), ("./etc/new", b"0"), ("./etc/link", b"2")):
                member = tarfile.TarInfo(name)
                member.type, member.linkname = kind, "new" if kind == b"2" else ""
                tar.addfile(member)
        return PathStat(name=".", size=0, mode=1 << 31, mtime=""), once(buffer.getvalue())

    async def list(self, **_: Any) -> Any:
        mount = MountPoint(type="volume", name="data", destination="/srv/data/")
        return [summary(255, "x", mounts=[mount])]


async def test_an_engine_that_lists_no_folders_is_read_by_its_archive() -> None:
    client = Docker()
    session = type("Session", (), {"client": client})()
    place = Place(session, "container", "web", "web")
    assert [entry.path for entry in await place.entries("/")] == ["/etc"]
    found = {entry.name: entry for entry in await place.entries("/etc")}
    assert {name: entry.mark for name, entry in found.items()} == {"new": "A", "link": "", "gone": "D"}
    assert found["link"].target == "new" and client.asked == [("web", "/.")]
    volume = Place(session, "volume", "data", "data")
    assert [entry.name for entry in await volume.entries("/")] == ["etc"]
    assert client.asked[1:] == [("ff" * 32, "/srv/data/.")] and "container" in volume.note and not volume.deletes
    with pytest.raises(OtherEngine):
        await Place(session, "image", "x", "x").entries("/")
    with pytest.raises(OtherEngine, match="a volume that a container has"):
        await Place(session, "volume", "other", "other").entries("/")


async def test_the_page_over_the_kernel(
    roots: tuple[Path, Path],
    busybox: str,
    engine: Engine,
    open_dashboard: Open,
    eventually: Eventually,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from moby_tui.engine.engine import Engine

    script = "mkdir /new; echo hello > /new/file; chmod 640 /new/file; chown 7:8 /new/file; rm /bin/wget; sleep 1000"
    config = ContainerCreate(
        image=busybox,
        cmd=["sh", "-c", script],
        stop_timeout=1,
        host_config=HostConfig(network_mode="none", binds=["data:/data"]),
    )
    web = (await engine.containers.create(config, name="web")).id
    await engine.containers.start(web)
    data = os.path.join((await engine.volumes.inspect("data")).mountpoint, "kept")
    open(data, "w").close()
    async with open_dashboard(lambda: Engine.open(*roots), size=(130, 40)) as (app, pilot):
        await eventually(pilot, lambda: app.screen.chosen and app.screen.chosen.state == "running")
        await pilot.press("f")
        await eventually(pilot, lambda: app.current_mode == "files")
        tree, view = app.screen.query_one(FileTreeView), app.screen.query_one(FileView)
        await eventually(pilot, lambda: "/new" in names(tree.tree_model))
        await pilot.press("c")
        await eventually(pilot, lambda: {"/bin/wget", "/new/file"} <= set(names(tree.tree_model)))
        marks = {row.entry.path: row.entry.mark for row in tree.tree_model.rows()}
        assert (marks["/bin"], marks["/bin/wget"], marks["/new"], marks["/new/file"]) == ("C", "D", "A", "A")
        tree.tree_model.cursor = "/new/file"
        tree.show()
        assert tree.tree_model.chosen.permissions == "-rw-r-----" and tree.tree_model.chosen.owner == "7:8"
        await eventually(pilot, lambda: view.content and view.content.rows == 1 and view.content.row(0) == "hello")

        def edit(path: str) -> None:
            with open(path, "a") as opened:
                opened.write("more\n")

        monkeypatch.setattr(app.screen, "edit_locally", edit)
        await pilot.press("e")
        await eventually(pilot, lambda: view.content and view.content.rows == 2)
        copy = tmp_path / "out"
        await pilot.press("o")
        await eventually(pilot, lambda: isinstance(app.screen, Ask))
        app.screen.query_one("#field-target").value = str(copy)
        await pilot.press("enter")
        await eventually(pilot, lambda: copy.exists() and copy.read_text() == "hello\nmore\n")
        changed = {entry.name: entry async for entry in engine.containers.files(web, "/new")}["file"]
        assert (changed.uid, changed.gid, changed.mode) == (7, 8, 0o640)

        def overtake(path: str) -> None:
            edit(path)
            os.utime(f"/proc/{pid}/root/new/file", (1, 1))

        pid = (await engine.containers.inspect(web)).state.pid
        monkeypatch.setattr(app.screen, "edit_locally", overtake)
        await pilot.press("e")
        await eventually(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("n")
        await eventually(pilot, lambda: any("your text is in" in note.message for note in app._notifications))

        app.go("files", "volume", "data")
        await eventually(pilot, lambda: names(tree.tree_model) == ["/kept"])
        await pilot.press("i")
        await eventually(pilot, lambda: isinstance(app.screen, Ask))
        app.screen.query_one("#field-source").value = str(copy)
        await pilot.press("enter")
        await eventually(pilot, lambda: names(tree.tree_model) == ["/kept", "/out"])
        await pilot.press("d", "y")
        await eventually(pilot, lambda: names(tree.tree_model) == ["/out"] and not os.path.exists(data))

        app.go("files", "image", busybox, "/bin/sh")
        await eventually(pilot, lambda: "/bin/sh" in names(tree.tree_model))
        assert tree.tree_model.chosen.path == "/bin/sh"
        offered = {action: app.screen.check_action(action, ()) for action in ("delete", "edit", "copy_in", "copy_out")}
        for draft in os.scandir(tempfile.gettempdir()):
            if draft.name.startswith("moby-edit-"):
                shutil.rmtree(draft)
        assert offered == {"delete": False, "edit": False, "copy_in": False, "copy_out": True}


async def test_an_archive_that_holds_no_file() -> None:
    from moby_tui.copying.reading import read_file

    with pytest.raises(InvalidArgument, match="empty archive"):
        await read_file(once(bytes(1024)), lambda part: True)
