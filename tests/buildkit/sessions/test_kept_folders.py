"""The folders that clients have sent, kept for their next builds."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast

from buildkit.peer import Daemon
from buildkit.sessions.file_services import SYNC, FileSync
from moby_tui.api.buildkit.control import definition
from moby_tui.api.buildkit.control.supplier import Supplier
from moby_tui.api.buildkit.grpc.messages import framed
from moby_tui.api.buildkit.session.files.inventory import Inventory
from moby_tui.api.buildkit.session.files.receiving import Selection
from moby_tui.api.buildkit.wire.fsutil_pb2 import Packet
from moby_tui.engine.resources.builder.sources.context import Sources
from moby_tui.engine.resources.builder.sources.folders import kept

CONTEXT = Selection("context")


@asynccontextmanager
async def _folder(places: Path, key: str, scratch: Path) -> AsyncIterator[Path]:
    async with kept(places, key, scratch) as own:
        yield own.folder


def _seen(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Mode, size and time of all in a folder."""
    found = {str(place.relative_to(folder)): place.lstat() for place in folder.rglob("*")}
    return {name: (status.st_mode, status.st_size, status.st_mtime_ns) for name, status in found.items()}


async def test_a_build_beside_another_of_the_same_client_is_sent_what_has_changed_alone(daemon: Daemon, tmp_path: Path) -> None:
    """Compose builds several services of one folder at the same time."""
    there, scratch, places = (tmp_path / name for name in ("there", "scratch", "places"))
    (there / "sub").mkdir(parents=True)
    scratch.mkdir()
    for name in ("same", "changed", "sub/gone"):
        (there / name).write_text(name)
    (there / "link").symlink_to("same")
    service = FileSync(there)
    async with daemon.session({SYNC: service}) as session, _folder(places, "key", scratch) as first:
        await session.sync_context(CONTEXT, first)
        (there / "changed").write_text("is another")
        (there / "sub/gone").unlink()
        async with _folder(places, "key", scratch) as second, _folder(places, "other", scratch) as other:
            assert second.parent == scratch and other.parent.parent == places
            await session.sync_context(CONTEXT, second)
            # the contents of one file, and their end
            assert service.sent[Packet.PACKET_DATA] == 2
            assert {str(place.relative_to(second)) for place in second.rglob("*")} == {"same", "changed", "sub", "link"}
            assert (second / "changed").read_text() == "is another"
            assert list(other.iterdir()) == []
        assert (first / "changed").read_text() == "changed" and (first / "sub/gone").read_text() == "sub/gone"
    async with _folder(places, "key", scratch) as again:
        assert again == first
    async with _folder(places, "", scratch) as nothing:
        assert list(nothing.iterdir()) == [] and nothing.parent == scratch


async def test_digests_are_known_as_long_as_the_folder_is_the_same(daemon: Daemon, tmp_path: Path) -> None:
    there, scratch, places = (tmp_path / name for name in ("there", "scratch", "places"))
    (there / "sub").mkdir(parents=True)
    scratch.mkdir()
    (there / "file").write_text("one")
    (there / "link").symlink_to("file")
    (there / "other link").symlink_to("sub")
    made: list[str] = []

    def compute() -> str:
        made.append("a digest")
        return f"digest {len(made)}"

    async def digest() -> str:
        async with daemon.session({SYNC: FileSync(there)}) as session:
            supplier = Supplier(session, lambda _: None, definition.read_file)
            supplier.key = "key"
            async with AsyncExitStack() as stack:
                sources = Sources(scratch, stack, cast(Any, None), caller=supplier, places=places)
                context, _ = await sources.folder("context", None)
                return context.digests.of([b"file"], ["x"], compute)

    assert await digest() == await digest() == "digest 1"
    # while the client sends the same entries, nobody looks at the disk
    [place] = places.iterdir()
    (place / "content/file").chmod(0o640)
    assert await digest() == "digest 1" and (place / "content/file").stat().st_mode & 0o777 == 0o640
    changes: list[Callable[[], object]] = [
        lambda: (there / "file").write_text("another"),
        lambda: (there / "sub").chmod(0o700),
        lambda: (there / "sub/new").touch(),
        lambda: (there / "sub/new").unlink(),
        lambda: os.replace(there / "other link", there / "link"),
        lambda: os.link(there / "file", there / "second"),
        lambda: os.setxattr(there / "file", "user.x", b"y"),
    ]
    for number, change in enumerate(changes, 2):
        change()
        assert await digest() == await digest() == f"digest {number}"
        assert _seen(place / "content") == _seen(there)
    # a build that is killed meanwhile leaves none, and one that fails has not used any
    async with kept(places, "key\0context", scratch) as own:
        own.digests = own.before
        assert not [*places.glob("*/digests")]
    assert await digest() == f"digest {len(changes) + 2}"
    # after a power cut, and where the disk was full, the files are looked at
    note = place / "note"
    spoils: list[Callable[[bytes], bytes]] = [lambda data: b"another boot" + data[12:], lambda data: data[:-6]]
    for number, spoil in enumerate(spoils, 3):
        note.write_bytes(spoil(note.read_bytes()))
        (place / "content/file").chmod(0o640)
        assert await digest() == f"digest {len(changes) + number}" and _seen(place / "content") == _seen(there)
    [file] = places.glob("*/digests")
    file.write_text("{}")
    assert await digest() == f"digest {len(changes) + 5}"


def test_what_matched_before_the_first_difference_is_told() -> None:
    first = Inventory()
    for packet in (b"a", b"", b"c" * 300, b"end"):
        first.add(packet)
    same = Inventory(first.written())
    # the data comes in any pieces
    assert same.match(framed(b"a") + framed(b"") + framed(b"c" * 300)[:100]) and not same.same
    assert same.match(framed(b"c" * 300)[100:] + framed(b"end")) and same.same
    assert same.written() == first.written()
    # more than before: not the same, and nothing is added twice
    assert not same.match(framed(b"more")) and same.matched() == b""
    other = Inventory(first.written())
    begun = framed(b"a") + framed(b"c" * 300)[:2]
    assert other.match(begun) and not other.match(b"d")
    assert other.matched() == begun and other.matched() == b"" and not other.match(framed(b""))
    # cut short
    assert not Inventory(first.written()[:-1]).match(first.written())
