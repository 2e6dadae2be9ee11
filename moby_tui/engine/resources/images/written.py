"""Whether a layer is on the disk, or so far in the kernel's memory only.

To write a layer through takes longer than many a layer takes to unpack, so it is done behind the caller's back (``LayerStore``).
Until then the layer carries a note with the id of this boot. The note is on the disk before the first byte of the layer is
written, and goes when all of them are: a layer with the note of another boot may have lost something when the power went, and is
not used but made anew from its blob (``recovery``), which is written through before an image is registered. A note that stays
though all was written (its engine was killed, or the power went just then) costs that work, nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from moby_tui.engine.kernel import fault
from moby_tui.engine.kernel.path import sync_file_system
from moby_tui.engine.kernel.process import boot_id

NOTE = "unwritten"


def note(layer: str) -> None:
    """Puts the note into a layer that is about to be made or changed, unless it has one, and writes it through."""
    try:
        fd = os.open(os.path.join(layer, NOTE), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return
    try:
        os.write(fd, boot_id().encode())
        os.fsync(fd)
    finally:
        os.close(fd)
    folder = os.open(layer, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def may_be_lost(layer: str) -> bool:
    """Whether the machine has started anew since the layer was made, and it was not known to be on the disk."""
    try:
        with open(os.path.join(layer, NOTE)) as file:
            return file.read() != boot_id()
    except (FileNotFoundError, NotADirectoryError):
        return False


def write_through(layers: Iterable[str]) -> None:
    """Writes these layers, which lie on one file system, to the disk and takes their notes away. Blocking; raises ``OSError``."""
    there = [layer for layer in layers if os.path.exists(layer)]
    if not there:
        return
    folder = os.open(there[0], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync_file_system(folder)
    finally:
        os.close(folder)
    fault.point("layer.written")
    for layer in there:
        try:
            os.unlink(os.path.join(layer, NOTE))
        except FileNotFoundError:
            continue
