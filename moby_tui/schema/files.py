"""What is in a folder of a container, an image or a volume. Ours: the Docker Engine API has nothing like it."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from moby_tui.schema.base import Wire


class FolderEntry(Wire, kw_only=True):
    """One name in a folder.

    ``type`` is file, directory, link, fifo, socket, character or block; ``mode`` the permissions and the bits beside them (07777);
    ``size`` bytes, times UTC with nanoseconds.
    """

    name: str
    #: base64 of the name's bytes where they are not UTF-8; ``name`` has U+FFFD for each such byte then
    name_bytes: str | UnsetType = UNSET
    type: str
    size: int
    mode: int
    uid: int
    gid: int
    modified: str
    accessed: str
    changed: str
    #: where a link says that it leads
    target: str | UnsetType = UNSET
