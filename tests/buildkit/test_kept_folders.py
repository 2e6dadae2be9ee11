"""The folders that clients have sent, kept for their next builds."""

from __future__ import annotations

from pathlib import Path

from buildkit.file_services import SYNC, FileSync
from buildkit.peer import Daemon
from moby_tui.api.buildkit.session.files.receiving import Selection
from moby_tui.api.buildkit.wire.fsutil_pb2 import Packet
from moby_tui.engine.resources.builder.sources.folders import kept

CONTEXT = Selection("context")


async def test_a_build_beside_another_of_the_same_client_is_sent_what_has_changed_alone(daemon: Daemon, tmp_path: Path) -> None:
    """Compose builds several services of one folder at the same time."""
    there, scratch, places = (tmp_path / name for name in ("there", "scratch", "places"))
    (there / "sub").mkdir(parents=True)
    scratch.mkdir()
    for name in ("same", "changed", "sub/gone"):
        (there / name).write_text(name)
    (there / "link").symlink_to("same")
    service = FileSync(there)
    async with daemon.session({SYNC: service}) as session, kept(places, "key", scratch) as first:
        await session.sync_context(CONTEXT, first)
        (there / "changed").write_text("is another")
        (there / "sub/gone").unlink()
        async with kept(places, "key", scratch) as second, kept(places, "other", scratch) as other:
            assert second.parent == scratch and other.parent.parent == places
            await session.sync_context(CONTEXT, second)
            # the contents of one file, and their end
            assert service.sent[Packet.PACKET_DATA] == 2
            assert {str(place.relative_to(second)) for place in second.rglob("*")} == {"same", "changed", "sub", "link"}
            assert (second / "changed").read_text() == "is another"
            assert list(other.iterdir()) == []
        assert (first / "changed").read_text() == "changed" and (first / "sub/gone").read_text() == "sub/gone"
    async with kept(places, "key", scratch) as again:
        assert again == first
    async with kept(places, "", scratch) as nothing:
        assert list(nothing.iterdir()) == [] and nothing.parent == scratch
