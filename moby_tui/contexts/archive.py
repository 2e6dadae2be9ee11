"""A context as a tar archive, as `docker context export` writes it: ``meta.json`` and ``tls/docker/{ca,cert,key}.pem``."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from moby_tui.contexts import store
from moby_tui.contexts.store import Context, Store
from moby_tui.errors import InvalidArgument

#: Bytes of an archive, which holds three certificates at most; as docker's.
_MOST_BYTES = 10 << 20
_NO_METADATA = "invalid context: no metadata found"
_TLS = "tls/docker/"


def export(contexts: Store, name: str, out: BinaryIO) -> None:
    """Raises ``NotFound``."""
    contexts.get(name)
    write((contexts.metadata_folder(name) / "meta.json").read_bytes(), contexts.tls_files(name), out)


def write(metadata: bytes, tls: Mapping[str, Path], out: BinaryIO) -> None:
    """``metadata`` is the content of ``meta.json``."""
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.USTAR_FORMAT) as archive:
        _add(archive, "meta.json", 0o644, metadata)
        for folder in ("tls", "tls/docker"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o700
            archive.addfile(entry)
        for file, path in tls.items():
            _add(archive, _TLS + file, 0o600, path.read_bytes())


def _add(archive: tarfile.TarFile, name: str, mode: int, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    archive.addfile(entry, io.BytesIO(data))


def read(name: str, source: BinaryIO) -> tuple[Context, dict[str, bytes]]:
    """The context of an archive under a new ``name``, and its TLS files. Members of other names are refused, and so are links.

    Raises ``InvalidArgument``."""
    store.check_name(name)
    data = source.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise InvalidArgument(f"this is no archive of a context: it is larger than {_MOST_BYTES >> 20} MiB")
    if not data:
        raise InvalidArgument(_NO_METADATA)
    context: Context | None = None
    tls: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for entry in archive:
                if entry.isdir():
                    continue
                file = archive.extractfile(entry) if entry.isreg() else None
                content = file.read() if file else b""
                if file and entry.name == "meta.json":
                    context = store.decode(content, "meta.json of the archive")
                elif file and entry.name.removeprefix(_TLS) in store.TLS_FILES and entry.name.startswith(_TLS):
                    tls[entry.name.removeprefix(_TLS)] = content
                else:
                    raise InvalidArgument(f"this is no archive of a context: {entry.name[:80]!r} is in it")
    except (tarfile.TarError, EOFError, ValueError, OverflowError):
        raise InvalidArgument("unexpected EOF") from None
    if context is None:
        raise InvalidArgument(_NO_METADATA)
    context.name = name
    return context, tls
