"""The addresses of plug-ins, from the folders in which plug-ins leave them (Docker Engine, "Plugin discovery")."""

from __future__ import annotations

import json
import os
import stat

from moby_tui.engine.plugins.failure import NotFound, PluginFailure

#: Sockets ``NAME.sock``, or ``NAME/NAME.sock``.
SOCKETS = "/run/docker/plugins"
#: Files ``NAME.spec`` and ``NAME.json``, or ``NAME/NAME.spec`` and so on. The first that is found counts.
SPECIFICATIONS = ("/etc/docker/plugins", "/usr/lib/docker/plugins")
#: A specification holds an address and the names of three files.
_LARGEST = 64 << 10


class Tls:
    """The files that secure a connection over TCP. Without an authority any certificate of the plug-in is accepted, as by dockerd."""

    __slots__ = ("authority", "certificate", "key", "verify")

    def __init__(self, authority: str, certificate: str, key: str, verify: bool) -> None:
        self.authority, self.certificate, self.key, self.verify = authority, certificate, key, verify


class Address:
    """Where a plug-in listens: the path of a unix socket, or with a ``port`` a host."""

    __slots__ = ("host", "name", "port", "tls")

    def __init__(self, name: str, host: str, port: int = 0, tls: Tls | None = None) -> None:
        self.name, self.host, self.port, self.tls = name, host, port, tls

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host and self.port else self.host
        return f"{host}:{self.port}" if self.port else host


def find(name: str) -> Address:
    """The address of a plug-in. Raises ``NotFound``, and ``PluginFailure`` for a file that names no address."""
    if name.startswith(".") or "/" in name or "\0" in name or len(name) > 200:
        raise NotFound(f'plugin "{name}" not found')
    for path in _paths(SOCKETS, name, ".sock"):
        if _is_socket(path):
            return Address(name, path)
    for folder in SPECIFICATIONS:
        for extension, read in ((".spec", _from_address), (".json", _from_json)):
            for path in _paths(folder, name, extension):
                if os.path.exists(path):
                    return _read(path, name, read)
    raise NotFound(f'plugin "{name}" not found')


def names() -> list[str]:
    """The names of all plug-ins that can be found, whatever they implement."""
    plugins: set[str] = set()
    for folder, extensions in ((SOCKETS, (".sock",)), *((folder, (".spec", ".json")) for folder in SPECIFICATIONS)):
        try:
            entries = os.listdir(folder)
        except OSError:
            continue
        for entry in entries:
            name, extension = os.path.splitext(entry)
            if extension in extensions:
                plugins.add(name)
            elif any(os.path.exists(os.path.join(folder, entry, entry + extension)) for extension in extensions):
                plugins.add(entry)
    return sorted(plugins)


def _paths(folder: str, name: str, extension: str) -> tuple[str, str]:
    return os.path.join(folder, name + extension), os.path.join(folder, name, name + extension)


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False


def _read(path: str, name: str, read: Reader) -> Address:
    try:
        # a FIFO there must not hold up whoever opens it
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            text = file.read(_LARGEST).decode()
        return read(name, text)
    except OSError as error:
        raise PluginFailure(f"plug-in {name}: cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise PluginFailure(f"plug-in {name}: {path} names no address: {error}") from error


def _from_address(name: str, text: str, tls: Tls | None = None) -> Address:
    scheme, separator, rest = text.strip().partition("://")
    if not separator or not rest:
        raise ValueError("write unix:///PATH or tcp://HOST:PORT into it")
    if scheme == "unix":
        if not rest.startswith("/") or "\0" in rest or len(os.fsencode(rest)) > 107:
            raise ValueError("the path of a unix socket is absolute and has at most 107 bytes")
        return Address(name, rest)
    if scheme not in ("tcp", "http", "https"):
        raise ValueError(f"{scheme}:// is neither unix:// nor tcp://")
    host, colon, port = rest.rstrip("/").rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port[:6]) < 1 << 16:
        raise ValueError("write tcp://HOST:PORT into it")
    if scheme == "https" and tls is None:
        tls = Tls("", "", "", verify=True)
    return Address(name, host.strip("[]"), int(port[:6]), tls)


def _from_json(name: str, text: str) -> Address:
    values = json.loads(text)
    if not isinstance(values, dict) or not isinstance(values.get("Addr"), str):
        raise ValueError("it must be an object with a string Addr")
    settings = values.get("TLSConfig")
    if settings is None:
        return _from_address(name, values["Addr"])
    if not isinstance(settings, dict):
        raise ValueError("TLSConfig must be an object")
    files = [settings.get(key) or "" for key in ("CAFile", "CertFile", "KeyFile")]
    if not all(isinstance(file, str) for file in files):
        raise ValueError("the files of TLSConfig must be strings")
    authority, certificate, key = files
    verify = bool(authority) and settings.get("InsecureSkipVerify") is not True
    return _from_address(name, values["Addr"], Tls(authority, certificate, key, verify))


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Reader = Callable[[str, str], Address]
