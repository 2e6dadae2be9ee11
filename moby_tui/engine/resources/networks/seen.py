"""A note of when an engine last found its nftables tables as they should be. Commands that list containers read it first, and import
nothing more if no table has changed since."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from moby_tui.engine.kernel.network.generation import generation
from moby_tui.engine.kernel.process import boot_id
from moby_tui.engine.resources.networks import left


def is_due(networks: Path) -> bool:
    """True if the tables are to be checked: a container is in a network, and some nftables table has changed since the note.

    ``networks`` is the folder with the engine's records.
    """
    try:
        return bool(left.files(left.sandboxes(networks))) and not note(networks).is_current()
    except OSError:
        return False


def note(networks: Path) -> Seen:
    """The note of the engine whose records are in this folder."""
    return Seen(networks / "firewall")


class Seen:
    """The generation of nftables at which an engine last found all its tables as they should be, in a file.

    The generation is the kernel's count of the transactions of a network namespace (NFT_MSG_GETGEN). The file names the namespace and the
    boot, and counts for these only. If it is lost, the tables are checked once more.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def is_current(self) -> bool:
        """True if no nftables table has changed since. Raises ``OSError``."""
        return self.read() == generation()

    def read(self) -> int:
        """The generation in the file; -1 if it has none for this namespace and boot."""
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
