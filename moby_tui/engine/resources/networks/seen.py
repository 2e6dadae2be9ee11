"""When our nftables tables were last found right. Commands that list look here first: nothing else is imported for it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from moby_tui.engine.kernel.network.generation import generation
from moby_tui.engine.kernel.process import boot_id
from moby_tui.engine.resources.networks import left


def is_due(networks: Path) -> bool:
    """Whether the tables of the engine whose records are in this folder are to be looked at: a container is in a network, and some table
    has been changed."""
    try:
        return bool(left.files(left.sandboxes(networks))) and not note(networks).is_current()
    except OSError:
        return False


def note(networks: Path) -> Seen:
    """The note of the engine whose records are in this folder."""
    return Seen(networks / "firewall")


class Seen:
    """The generation of nftables at which all tables of an engine were last found right, noted in a file.

    The kernel counts the transactions of a network namespace (NFT_MSG_GETGEN). The note is worth something in that namespace and boot
    only, and says so. It is advisory: without it tables are looked through once more.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def is_current(self) -> bool:
        """Whether nothing has happened to any table since. Raises ``OSError``."""
        return self.read() == generation()

    def read(self) -> int:
        """The generation; -1 where none is noted for this namespace."""
        with suppress(OSError, ValueError):
            where, _, generation = self._path.read_text().rpartition(" ")
            if where == _where():
                return int(generation)
        return -1

    def write(self, generation: int) -> None:
        with suppress(OSError):
            self._path.write_text(f"{_where()} {generation}")


def _where() -> str:
    namespace = os.stat("/proc/thread-self/ns/net")
    return f"{boot_id()} {namespace.st_dev}:{namespace.st_ino}"
