"""The folders that clients have sent, kept for their next builds."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast

from buildkit.file_services import SYNC, FileSync
from buildkit.peer import Daemon
from moby_tui.api.buildkit.control.supplier import Supplier
from moby_tui.api.buildkit.session.files.receiving import Selection
from moby_tui.api.buildkit.wire.fsutil_pb2 import Packet
from moby_tui.engine.resources.builder.sources.context import Sources
from moby_tui.engine.resources.builder.sources.folders import kept

CONTEXT = Selection("context")


@asynccontextmanager
async def _folder(places: Path, key: str, scratch: Path) -> AsyncIterator[Path]:
    async with kept(places, key, scratch) as own:
        yield own.folder


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
            supplier = Supplier(session, lambda _: None)
            supplier.key = "key"
            async with AsyncExitStack() as stack:
                sources = Sources(scratch, stack, cast(Any, None), caller=supplier, places=places)
                context, _ = await sources.folder("context", None)
                return context.digests.of([b"file"], ["x"], compute)

    changes: list[Callable[[], object]] = [
        lambda: (there / "file").write_text("another"),
        lambda: (there / "sub").chmod(0o700),
        lambda: (there / "sub/new").touch(),
        lambda: (there / "sub/new").unlink(),
        lambda: os.replace(there / "other link", there / "link"),
        lambda: os.link(there / "file", there / "second"),
        lambda: os.setxattr(there / "file", "user.x", b"y"),
    ]
    assert await digest() == await digest() == "digest 1"
    for number, change in enumerate(changes, 2):
        change()
        assert await digest() == await digest() == f"digest {number}"
    # a build that is killed meanwhile leaves none, and one that fails has not used any
    async with kept(places, "key\0context", scratch) as own:
        own.digests = own.before
        assert not [*places.glob("*/digests")]
    assert await digest() == f"digest {len(changes) + 2}"
    [file] = places.glob("*/digests")
    file.write_text("{}")
    assert await digest() == f"digest {len(changes) + 3}"
