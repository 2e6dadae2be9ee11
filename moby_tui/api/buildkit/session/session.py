"""A client's session, as a build uses it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from moby_tui.api.buildkit.session import agents, contents, logins, secrets, uploads
from moby_tui.api.buildkit.session.caller import Caller
from moby_tui.api.buildkit.session.files import sending
from moby_tui.api.buildkit.session.files.receiving import Progress, Received, Selection, receive_tree
from moby_tui.schema.image import RegistryAuth


class Session(Caller):
    """What the client offers. Everything raises ``MobyError``, ``Unavailable`` if the client is gone."""

    async def secret(self, ident: str) -> bytes:
        """Raises ``NotFound``."""
        return await secrets.get(self, ident)

    async def credentials(self, domain: str) -> RegistryAuth | None:
        """The client's login to a registry (``docker.io``, ``reg.example:5000``); None for none."""
        return await logins.credentials(self, domain)

    def ssh(self, ident: str, folder: Path) -> AbstractAsyncContextManager[str]:
        """The path of a socket in ``folder``, which only root reads: the client's agent, until the end of the block."""
        return agents.opened(self, ident, folder)

    def upload(self, address: str) -> AsyncIterator[bytes]:
        """The archive behind ``http://buildkit-session/ID``; it comes once."""
        return uploads.pull(self, address)

    def read_blob(self, store: str, digest: str) -> AsyncIterator[bytes]:
        """A blob of one of the client's stores, not verified. Raises ``NotFound``."""
        return contents.read(self, store, digest)

    async def write_blob(self, store: str, digest: str, size: int, pieces: AsyncIterator[bytes]) -> None:
        """Stores a blob in one of the client's stores, unless it is there."""
        await contents.write(self, store, digest, size, pieces)

    async def sync_context(
        self, selection: Selection, into: Path, progress: Progress | None = None, inventory: bytes = b""
    ) -> Received:
        """Makes the folder ``into`` equal to a tree of the client; see ``files.receiving.receive_tree``."""
        return await receive_tree(self, selection, into, progress, inventory)

    async def send_file(self, pieces: AsyncIterator[bytes], attributes: Mapping[str, str], output: int = 0) -> None:
        """Sends one file, for the build's output with this number. Raises ``Conflict`` if the client has it already."""
        await sending.send_file(self, pieces, attributes, output)

    async def send_trees(self, folders: Sequence[tuple[str, Path]], output: int = 0) -> None:
        """Sends everything in folders, for the build's output with this number; see ``files.sending.send_trees``."""
        await sending.send_trees(self, folders, output)
