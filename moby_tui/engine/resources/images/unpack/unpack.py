"""One layer, from the bytes of its blob to a folder that can become the layer store's (light imports: see ``unpacker``)."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator

from moby_tui.engine.archive.compression import decompress
from moby_tui.engine.kernel.path import sync_file_system
from moby_tui.engine.resources.images.store import written
from moby_tui.engine.resources.images.store.form import DIFF, IMPLIED, SIZE
from moby_tui.engine.resources.images.unpack.apply import apply
from moby_tui.engine.store.disk import refusals_told
from moby_tui.errors import MobyError


def unpack(chunks: Iterable[bytes], diff_id: str, layer: str, cancelled: Callable[[], bool] = lambda: False) -> str:
    """Makes the folder ``layer`` of a layer's blob, compressed or not; returns its diff id, and verifies it if ``diff_id`` is not empty.

    Blocking. ``cancelled`` is asked between pieces. Raises ``MobyError`` for another digest than promised, ``InvalidArgument``
    for a bad archive, ``StorageFull``; the caller deletes the folder then. The folder carries the mark of ``written``.
    """
    with refusals_told():
        os.makedirs(layer, 0o755)
        marked = written.mark(layer)
        os.mkdir(os.path.join(layer, DIFF))
    root = os.open(os.path.join(layer, DIFF), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fchmod(root, 0o755)
        digest = hashlib.sha256()
        applied = apply(_hashed(decompress(chunks), digest.update, cancelled), root)
        if not marked:
            sync_file_system(root)
    finally:
        os.close(root)
    actual = "sha256:" + digest.hexdigest()
    if diff_id and actual != diff_id:
        raise MobyError(f"layer verification failed: expected diff id {diff_id}, unpacked {actual}; the image is damaged")
    with refusals_told():
        _write(layer, SIZE, str(applied.size))
        if applied.implied:
            _write(layer, IMPLIED, json.dumps(sorted(os.fsdecode(path) for path in applied.implied)))
    return actual


def _hashed(chunks: Iterable[bytes], update: Callable[[bytes], None], cancelled: Callable[[], bool]) -> Iterator[bytes]:
    for chunk in chunks:
        if cancelled():
            raise MobyError("the transfer was interrupted")
        update(chunk)
        yield chunk


def _write(layer: str, name: str, text: str) -> None:
    with open(os.path.join(layer, name), "w") as file:
        file.write(text)
