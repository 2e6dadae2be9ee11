"""The sources of a build on the command line: the context, the Dockerfile, named contexts, caches in folders."""

from __future__ import annotations

import os
import sys
import tarfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from moby_tui.cli.files.context import add_context
from moby_tui.cli.streams import chunks_of, packed
from moby_tui.errors import InvalidArgument
from moby_tui.schema.build import UPLOADED, UPLOADED_CACHE, UPLOADED_LAYOUT, BuildOptions

_LAYOUT = "oci-layout://"
#: Prefixes of sources that the engine fetches, or has, itself.
_ELSEWHERE = ("docker-image://", "target:", "http://", "https://", "git://", "ssh://", "git@", "github.com/")
#: The largest Dockerfile, as in the engine.
_TEXT_LIMIT = 4 << 20


@dataclass
class Sources:
    """``context`` is the archive to send, or None if the engine fetches it; ``uploads`` are further files to send."""

    context: AsyncIterator[bytes] | None
    uploads: dict[str, AsyncIterator[bytes]] = field(default_factory=dict)


def gather(options: BuildOptions, context: str, dockerfile: str, named: Mapping[str, str], caches: Mapping[str, str]) -> Sources:
    """Fills in ``options`` where things come from. Raises ``InvalidArgument`` for what is not there."""
    sources = Sources(_context(options, context, dockerfile))
    for name, path in named.items():
        if not path.startswith(_ELSEWHERE):
            sources.uploads[name] = _upload(options, name, path)
        else:
            options.contexts[name] = path
    for name, path in caches.items():
        options.contexts[name] = UPLOADED_CACHE
        sources.uploads[name] = _layout(path, "--cache-from")
    return sources


def is_address(context: str) -> bool:
    """True for an address, which the engine fetches."""
    return context.startswith(("http://", "https://", "git://", "ssh://", "git@", "github.com/"))


def _context(options: BuildOptions, context: str, dockerfile: str) -> AsyncIterator[bytes] | None:
    if dockerfile == "-":
        if context == "-":
            raise InvalidArgument("standard input cannot be both the context and the Dockerfile: name one of them")
        options.dockerfile_text = _text(sys.stdin.buffer.read(_TEXT_LIMIT + 1), "standard input")
        dockerfile = ""
    if is_address(context):
        options.remote = context
        options.dockerfile = dockerfile or "Dockerfile"
        return None
    if context == "-" or os.path.isfile(context):
        options.dockerfile = dockerfile or "Dockerfile"
        return chunks_of(context)
    if not os.path.isdir(context):
        raise InvalidArgument(f"build context {context} is neither a directory, a tar file nor an address")
    name = os.path.relpath(dockerfile, context) if dockerfile else "Dockerfile"
    path = dockerfile or os.path.join(context, name)
    if options.dockerfile_text is not None:
        name = ""
    elif not os.path.isfile(path):
        raise InvalidArgument(f"no such Dockerfile: {path}")
    elif name.split(os.sep)[0] == "..":
        options.dockerfile, name = os.path.basename(path), ""
        options.dockerfile_text = _read(path)
        if os.path.isfile(ignore := f"{path}.dockerignore"):
            options.ignore_text = _read(ignore)
    options.dockerfile = name or options.dockerfile
    ignore_text = options.ignore_text
    return packed(lambda archive: add_context(archive, context, name, ignore_text))


def _upload(options: BuildOptions, name: str, path: str) -> AsyncIterator[bytes]:
    if path.startswith(_LAYOUT):
        folder, which = path.removeprefix(_LAYOUT), ""
        if not os.path.isdir(folder):
            cut = "@" if "@" in folder else ":"
            folder, _, which = folder.partition(cut)
        options.contexts[name] = f"{UPLOADED_LAYOUT}:{which}" if which else UPLOADED_LAYOUT
        return _layout(folder, "--build-context")
    if not os.path.isdir(path):
        raise InvalidArgument(f"build context {name}: {path} is no directory")
    options.contexts[name] = UPLOADED
    return packed(lambda archive: add_context(archive, path, ""))


def _layout(folder: str, option: str) -> AsyncIterator[bytes]:
    if not os.path.isfile(os.path.join(folder, "index.json")):
        raise InvalidArgument(f"{option}: {folder} is no OCI layout: it has no index.json")

    def add(archive: tarfile.TarFile) -> None:
        for entry in sorted(os.listdir(folder)):
            archive.add(os.path.join(folder, entry), arcname=entry)

    return packed(add)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return _text(file.read(_TEXT_LIMIT + 1), path)
    except OSError as error:
        raise InvalidArgument(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from None


def _text(data: bytes, where: str) -> bytes:
    if len(data) > _TEXT_LIMIT:
        raise InvalidArgument(f"{where} has more than {_TEXT_LIMIT} bytes; that is no Dockerfile")
    if not data.strip():
        raise InvalidArgument(f"the Dockerfile ({where}) cannot be empty")
    return data
