"""The local manifest lists, in the layout of docker's own store: ``manifests/LIST/MANIFEST`` below docker's configuration folder.

LIST and MANIFEST are canonical references with ``-`` for each colon and ``_`` for each slash. Two references can make the same name
(``a_b`` and ``a/b``): a file is that of the reference which is in it.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec

from moby_tui.cli.manifests.entry import Entry, escaped
from moby_tui.errors import Conflict, MobyError, NotFound
from moby_tui.reference import Reference

#: A manifest has at most 4 MiB; it is in its file twice, once in base64.
_MOST_BYTES = 16 << 20


class Store:
    """``folder`` is docker's configuration folder, which need not be there yet. All calls raise ``MobyError`` for files that cannot be
    read, written or understood."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "manifests"

    def has(self, name: Reference) -> bool:
        """True if there is such a list."""
        return self._list(name).is_dir()

    def entries(self, name: Reference) -> list[Entry]:
        """The manifests of a list, in the order of their files' names, as docker has them. Raises ``NotFound``."""
        try:
            files = sorted(os.scandir(self._list(name)), key=lambda file: os.fsencode(file.name))
        except FileNotFoundError:
            raise NotFound(f"No such manifest: {name.canonical}") from None
        except OSError as error:
            raise _failure(self._list(name), error) from error
        return [_read(Path(file.path)) for file in files]

    def get(self, name: Reference, manifest: Reference) -> Entry:
        """Raises ``NotFound``."""
        file = self._list(name) / _file_name(manifest)
        try:
            entry = _read(file)
        except FileNotFoundError:
            raise NotFound(f"No such manifest: {manifest.canonical}") from None
        if entry.ref != manifest.canonical:
            raise NotFound(f"No such manifest: {manifest.canonical}")
        return entry

    def save(self, name: Reference, entry: Entry) -> None:
        """In one piece, so that nobody reads half of it. Raises ``Conflict`` if the file is that of another manifest."""
        file = self._list(name) / _file_name(entry.reference)
        partial = self._folder / f".{os.getpid()}"
        try:
            if file.exists() and (other := _read(file).ref) != entry.ref:
                raise Conflict(f"docker's name for the file of {entry.ref} is taken by {other}: name one of them by its digest")
            file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            # not beside the file, since each file there counts as a manifest
            partial.write_text(escaped(msgspec.json.encode(entry).decode()), encoding="utf-8")
            partial.replace(file)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise _failure(file, error) from error

    def remove(self, name: Reference) -> None:
        """Raises ``NotFound``."""
        try:
            shutil.rmtree(self._list(name))
        except FileNotFoundError:
            raise NotFound(f"No such manifest: {name.canonical}") from None
        except OSError as error:
            raise _failure(self._list(name), error) from error

    def _list(self, name: Reference) -> Path:
        return self._folder / _file_name(name)


def _file_name(reference: Reference) -> str:
    return reference.canonical.replace(":", "-").replace("/", "_")


def _read(file: Path) -> Entry:
    """Raises ``FileNotFoundError``, ``MobyError``."""
    try:
        with file.open("rb") as opened:
            return msgspec.json.decode(opened.read(_MOST_BYTES), type=Entry)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise MobyError(
            f"{file} is no manifest that can be read: remove its list with `moby manifest rm`, and create it anew"
        ) from None
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _failure(file, error) from error


def _failure(file: Path, error: OSError) -> MobyError:
    return MobyError(f"{file}: {(os.strerror(error.errno) if error.errno else str(error)).lower()}")
