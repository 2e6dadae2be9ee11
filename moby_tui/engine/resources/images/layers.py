"""The layer store: unpacked layers, named by the digest of their plain tar (the diff id).

``layers/<hex>/diff`` is what overlayfs takes; ``size`` holds the bytes of its files; ``implied`` lists directories that the
archive uses without describing them: they take their attributes from the layer below, once that is known.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from moby_tui.engine.kernel.path import open_in_root, sync_file_system
from moby_tui.engine.resources.images import staging
from moby_tui.engine.resources.images.apply import OPAQUE, apply
from moby_tui.engine.resources.images.compression import decompress
from moby_tui.engine.resources.images.content import hex_of
from moby_tui.engine.resources.images.threads import in_thread
from moby_tui.engine.store.disk import refusals_told
from moby_tui.errors import MobyError, NotImplementedYet


class LayerStore:
    def __init__(self, layers: Path, staging_folder: Path) -> None:
        self._layers = layers
        self._staging = staging_folder

    def folder(self, diff_id: str) -> Path:
        return self._layers / hex_of(diff_id)

    def has(self, diff_id: str) -> bool:
        return self.folder(diff_id).exists()

    def size(self, diff_id: str) -> int:
        """Bytes of the files in a layer that is there."""
        return int((self.folder(diff_id) / "size").read_text())

    def diff_ids(self) -> list[str]:
        return ["sha256:" + folder.name for folder in self._layers.iterdir()]

    def claim_name(self, diff_id: str) -> str:
        """The folder in staging in which this layer, and no other, is made."""
        return f"layer-{hex_of(diff_id)}"

    def unpack(self, chunks: Iterable[bytes], diff_id: str, folder: Path, cancelled: Callable[[], bool] = lambda: False) -> None:
        """Unpacks a layer (compressed or not) within a claimed folder, verifies its diff id and makes it appear.

        Blocking: run it in a thread. ``cancelled`` is asked between pieces. Raises ``MobyError`` for another digest than
        promised, ``InvalidArgument`` for a bad archive, ``StorageFull``; then nothing appears.
        """
        layer = folder / "layer"
        diff = layer / "diff"
        with refusals_told():
            diff.mkdir(parents=True)
            diff.chmod(0o755)
        digest = hashlib.sha256()
        root = os.open(diff, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            applied = apply(_hashed(decompress(chunks), digest.update, cancelled), root)
            if (actual := "sha256:" + digest.hexdigest()) != diff_id:
                raise MobyError(f"layer verification failed: expected diff id {diff_id}, unpacked {actual}; the image is damaged")
            with refusals_told():
                (layer / "size").write_text(str(applied.size))
                if applied.implied:
                    (layer / "implied").write_text(json.dumps(sorted(os.fsdecode(path) for path in applied.implied)))
                sync_file_system(root)
                if not self.has(diff_id):
                    layer.rename(self.folder(diff_id))
        finally:
            os.close(root)

    def stack(self, diff_ids: list[str]) -> list[Path]:
        """The directories for overlayfs, top-most first.

        A layer that occurs twice counts where it is highest (all that it holds, it holds again there, and overlayfs refuses a
        directory twice); below a layer whose root is opaque nothing can be seen.
        """
        seen: set[str] = set()
        directories = []
        for diff_id in reversed(diff_ids):
            if diff_id in seen:
                continue
            seen.add(diff_id)
            directory = self.folder(diff_id) / "diff"
            directories.append(directory)
            if _is_opaque(directory):
                break
        return directories

    def adopt_attributes(self, diff_ids: list[str]) -> None:
        """Gives the implied directories of these layers, lowest first, the attributes they have below (a layer with ``tmp/x`` and
        no ``tmp`` must not close /tmp). Blocking. Raises ``NotImplementedYet`` where one goes through a link of a lower layer."""
        for position, diff_id in enumerate(diff_ids):
            note = self.folder(diff_id) / "implied"
            if position == 0 or not note.exists():
                continue
            lowers = [self.folder(lower) / "diff" for lower in reversed(diff_ids[:position])]
            for name in json.loads(note.read_text()):
                _adopt(self.folder(diff_id) / "diff", lowers, name)
            note.unlink(missing_ok=True)

    async def make(self, chunks: Iterable[bytes], diff_id: str) -> None:
        """Unpacks a layer from what is on this machine already, unless it is there."""
        async with staging.claim(self._staging, self.claim_name(diff_id)) as folder:
            if not self.has(diff_id):
                await in_thread(self.unpack, chunks, diff_id, folder)


def _hashed(chunks: Iterable[bytes], update: Callable[[bytes], None], cancelled: Callable[[], bool]) -> Iterator[bytes]:
    for chunk in chunks:
        if cancelled():
            raise MobyError("the transfer was interrupted")
        update(chunk)
        yield chunk


def _is_opaque(directory: Path) -> bool:
    try:
        return os.getxattr(directory, OPAQUE) == b"y"
    except OSError:
        return False


def _adopt(diff: Path, lowers: list[Path], name: str) -> None:
    root = os.open(diff, os.O_PATH | os.O_DIRECTORY)
    try:
        target = open_in_root(root, name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return
    finally:
        os.close(root)
    try:
        for lower in lowers:
            try:
                status = _lstat_in(lower, name)
            except FileNotFoundError:
                continue
            except NotADirectoryError:
                return
            if stat.S_ISLNK(status.st_mode):
                raise NotImplementedYet(f"a layer that reaches through a link of a lower layer (/{name})")
            if stat.S_ISDIR(status.st_mode):
                os.fchown(target, status.st_uid, status.st_gid)
                os.fchmod(target, stat.S_IMODE(status.st_mode))
                os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
            return
    finally:
        os.close(target)


def _lstat_in(directory: Path, name: str) -> os.stat_result:
    root = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        fd = open_in_root(root, name, os.O_PATH | os.O_NOFOLLOW)
    finally:
        os.close(root)
    try:
        return os.fstat(fd)
    finally:
        os.close(fd)
