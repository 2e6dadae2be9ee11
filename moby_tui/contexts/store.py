"""The contexts in docker's configuration folder (docs.docker.com, "Docker contexts"; the layout is that of docker's own store).

``contexts/meta/ID/meta.json`` describes one, ``contexts/tls/ID/docker/{ca,cert,key}.pem`` are its TLS files; ID is the SHA-256 of its
name. ``currentContext`` in ``config.json`` names the one in use. Members that this version does not know are kept.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from moby_tui.docker_folder import read_configuration, write_configuration, write_whole
from moby_tui.errors import Conflict, InvalidArgument, MobyError, NotFound

#: The name of what is used without any context: the engine in this process, or the one that ``DOCKER_HOST`` names.
DEFAULT = "default"
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.+-]+")
TLS_FILES = ("ca.pem", "cert.pem", "key.pem")
_MOST_BYTES = 1 << 20


class Endpoint(msgspec.Struct, rename={"host": "Host", "skip_tls_verify": "SkipTLSVerify"}):
    host: str = ""
    skip_tls_verify: bool = False


class Context(msgspec.Struct, kw_only=True):
    """``metadata`` has a ``Description`` and whatever else its maker wrote. ``tls`` are its TLS files by name, read on demand."""

    name: str
    metadata: dict[str, Any] = {}
    endpoints: dict[str, dict[str, Any]] = {}

    @property
    def endpoint(self) -> Endpoint:
        """Raises ``InvalidArgument`` if it names no engine of Docker's API."""
        try:
            return msgspec.convert(self.endpoints["docker"], Endpoint)
        except (KeyError, msgspec.ValidationError):
            raise InvalidArgument(f'context "{self.name}" names no docker endpoint: make it anew') from None

    @property
    def description(self) -> str:
        return str(self.metadata.get("Description") or "")


def check_name(name: str) -> None:
    """Raises ``InvalidArgument``."""
    if not name:
        raise InvalidArgument("context name cannot be empty")
    if name == DEFAULT:
        raise InvalidArgument(f'"{DEFAULT}" is a reserved context name')
    if not _NAME.fullmatch(name):
        raise InvalidArgument(f'context name "{name}" is invalid, names are validated against regexp "^{_NAME.pattern}$"')


class Store:
    """``folder`` is docker's configuration folder, which need not be there yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def metadata_folder(self, name: str) -> Path:
        return self.folder / "contexts/meta" / _identify(name)

    def tls_folder(self, name: str) -> Path:
        return self.folder / "contexts/tls" / _identify(name)

    def list(self) -> list[Context]:
        """All, by name. One that cannot be read is left out here, and told of by ``get``."""
        contexts = []
        with suppress(FileNotFoundError, NotADirectoryError):
            for folder in os.scandir(self.folder / "contexts/meta"):
                with suppress(MobyError, OSError):
                    contexts.append(_decode(Path(folder.path, "meta.json")))
        return sorted(contexts, key=lambda context: context.name)

    def get(self, name: str) -> Context:
        """Raises ``NotFound``, ``InvalidArgument`` for a name that cannot be, ``MobyError`` for a file that is damaged."""
        check_name(name)
        try:
            return _decode(self.metadata_folder(name) / "meta.json")
        except OSError as error:
            file = self.metadata_folder(name) / "meta.json"
            reason = (os.strerror(error.errno) if error.errno else str(error)).lower()
            raise NotFound(f'context "{name}": context not found: open {file}: {reason}') from None

    def has(self, name: str) -> bool:
        return (self.metadata_folder(name) / "meta.json").exists()

    def tls_files(self, name: str) -> dict[str, Path]:
        """Those that the context has, by their names."""
        folder = self.tls_folder(name) / "docker"
        return {file: folder / file for file in TLS_FILES if (folder / file).is_file()}

    def create(self, context: Context, tls: dict[str, bytes]) -> None:
        """Raises ``Conflict`` for a name in use, ``InvalidArgument`` for one that cannot be."""
        self.require_new(context.name)
        self.write(context, tls)

    def require_new(self, name: str) -> None:
        """Raises ``Conflict`` for a name in use, ``InvalidArgument`` for one that cannot be."""
        check_name(name)
        if self.has(name):
            raise Conflict(f'context "{name}" already exists')

    def write(self, context: Context, tls: dict[str, bytes] | None) -> None:
        """``tls`` None: its TLS files stay."""
        if tls is not None:
            shutil.rmtree(self.tls_folder(context.name), ignore_errors=True)
            for name, data in tls.items():
                write_whole(self.tls_folder(context.name) / "docker" / name, data, secret=True)
        write_whole(self.metadata_folder(context.name) / "meta.json", encode(context), secret=False)

    def require(self, name: str) -> None:
        """Raises ``NotFound`` for a context that is not there."""
        check_name(name)
        if not self.has(name):
            raise NotFound(f'context "{name}" does not exist')

    def remove(self, name: str) -> None:
        """Raises ``NotFound``."""
        self.require(name)
        shutil.rmtree(self.metadata_folder(name))
        shutil.rmtree(self.tls_folder(name), ignore_errors=True)

    # which one is in use

    def current(self) -> str:
        """The name in ``config.json``; empty for none. Raises ``MobyError`` for a file that is damaged."""
        return str(read_configuration(self.folder / "config.json").get("currentContext") or "")

    def use(self, name: str) -> None:
        """``default`` for none. The file keeps whatever else is in it. Raises ``NotFound``."""
        if name != DEFAULT:
            self.get(name)
        file = self.folder / "config.json"
        configuration = read_configuration(file)
        configuration.pop("currentContext", None)
        if name != DEFAULT:
            configuration["currentContext"] = name
        write_configuration(file, configuration)


def _identify(name: str) -> str:
    return hashlib.sha256(os.fsencode(name)).hexdigest()


def encode(context: Context) -> bytes:
    """What ``meta.json`` says of a context."""
    return msgspec.json.encode({"Name": context.name, "Metadata": context.metadata, "Endpoints": context.endpoints})


def decode(data: bytes, source: str) -> Context:
    """Raises ``InvalidArgument`` for what is no description of a context."""
    try:
        document = msgspec.json.decode(data, type=dict[str, Any])
        values = {key: document.get(key.title()) or {} for key in ("metadata", "endpoints")}
        return msgspec.convert({"name": document["Name"], **values}, Context)
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, RecursionError):
        raise InvalidArgument(f"{source} does not describe a context: make it anew") from None


def _decode(file: Path) -> Context:
    with file.open("rb") as opened:
        return decode(opened.read(_MOST_BYTES), str(file))
