"""A context as a tar archive, as `docker context export` writes it: ``meta.json`` and ``tls/docker/{ca,cert,key}.pem``."""

from __future__ import annotations

import io
import tarfile
from typing import BinaryIO

from moby_tui.contexts import store
from moby_tui.contexts.store import Context, Store
from moby_tui.errors import InvalidArgument

#: Bytes of an archive, which holds three certificates at most; as docker's.
_MOST_BYTES = 10 << 20
_TLS = "tls/docker/"


def export(contexts: Store, name: str, out: BinaryIO) -> None:
    """Raises ``NotFound``."""
    contexts.get(name)
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.USTAR_FORMAT) as archive:
        _add(archive, "meta.json", 0o644, (contexts.metadata_folder(name) / "meta.json").read_bytes())
        for folder in ("tls", "tls/docker"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o700
            archive.addfile(entry)
        for file, path in contexts.tls_files(name).items():
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
        raise InvalidArgument("this is no archive of a context: export one with `docker context export`") from None
    if context is None:
        raise InvalidArgument("this is no archive of a context: meta.json is missing")
    context.name = name
    return context, tls
