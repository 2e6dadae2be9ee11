"""The calls to a plug-in that is a volume driver (Docker Engine, "Docker volume plugins"). Bounds in time are dockerd's. Blocking."""

from __future__ import annotations

import json
import time

from moby_tui.engine.plugins import connection, discovery
from moby_tui.engine.plugins.failure import Malformed, NotFound, NotListening, PluginFailure, Refused

#: Seconds for Create and Mount, and for all other calls.
LONG, SHORT = 120.0, 60.0
#: Seconds for which a plug-in whose socket refuses connections is tried again: it may be starting.
PATIENCE = 30.0

Json = dict[str, object]


class Found:
    """A volume as its plug-in tells it; ``status`` is whatever the plug-in says of it."""

    __slots__ = ("created_at", "mountpoint", "name", "status")

    def __init__(self, name: str, mountpoint: str, created_at: str, status: Json | None) -> None:
        self.name, self.mountpoint, self.created_at, self.status = name, mountpoint, created_at, status


class VolumeDriver:
    """A plug-in, found and activated when it is first called; with no ``patience`` a call is tried once.

    Every method raises ``PluginFailure``: ``NotFound``, ``NotListening`` and ``Refused`` say that nothing was done.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._active = False
        self._scope = ""

    def activate(self, patience: float, seconds: float = SHORT, *, expected: bool = False) -> None:
        """Greets the plug-in, once. Raises ``NotFound`` if it is no volume driver.

        ``expected``: it has volumes of ours, so it is waited for also while there is no socket and no specification of it.
        """
        if self._active:
            return
        implemented = self._post("Plugin.Activate", b"", patience, seconds, expected=expected).get("Implements")
        if not isinstance(implemented, list) or "VolumeDriver" not in implemented:
            raise NotFound(f'plugin "{self.name}" does not implement VolumeDriver')
        self._active = True

    def create(self, name: str, options: dict[str, str]) -> None:
        self._call("Create", {"Name": name, "Opts": options or None}, LONG)

    def remove(self, name: str) -> None:
        self._call("Remove", {"Name": name}, SHORT)

    def mount(self, name: str, ident: str) -> str:
        """Where the plug-in says that the volume is mounted now: any text."""
        return _text(self._call("Mount", {"Name": name, "ID": ident}, LONG), "Mountpoint", "VolumeDriver.Mount")

    def unmount(self, name: str, ident: str, *, patience: float = PATIENCE, seconds: float = SHORT) -> None:
        self._call("Unmount", {"Name": name, "ID": ident}, seconds, patience)

    def path(self, name: str) -> str:
        return _text(self._call("Path", {"Name": name}, SHORT), "Mountpoint", "VolumeDriver.Path")

    def get(self, name: str, *, patience: float = PATIENCE) -> Found | None:
        """None if the plug-in has no such volume and says so by silence. Most raise ``Refused`` then."""
        volume = self._call("Get", {"Name": name}, SHORT, patience).get("Volume")
        return None if volume is None else _read_volume(volume, "VolumeDriver.Get")

    def list(self) -> list[Found]:
        volumes = self._call("List", {}, SHORT, 0).get("Volumes")
        if volumes is None:
            return []
        if not isinstance(volumes, list):
            raise Malformed("VolumeDriver.List: Volumes is not a list")
        return [_read_volume(volume, "VolumeDriver.List") for volume in volumes]

    def scope(self) -> str:
        """``local`` or ``global``; ``local`` if the plug-in does not say, as not all do."""
        if not self._scope:
            try:
                capabilities = self._call("Capabilities", {}, SHORT, 0).get("Capabilities")
            except PluginFailure:
                capabilities = None
            scope = capabilities.get("Scope") if isinstance(capabilities, dict) else None
            self._scope = "global" if isinstance(scope, str) and scope.lower() == "global" else "local"
        return self._scope

    def _call(self, method: str, request: Json, seconds: float, patience: float | None = None) -> Json:
        patience = PATIENCE if patience is None else patience
        self.activate(patience, seconds)
        answer = self._post(f"VolumeDriver.{method}", json.dumps(request).encode(), patience, seconds)
        error = answer.get("Err")
        if error:
            raise Refused(_line(error) if isinstance(error, str) else f"VolumeDriver.{method}: Err is not a string")
        return answer

    def _post(self, method: str, body: bytes, patience: float, seconds: float, *, expected: bool = False) -> Json:
        try:
            status, content = self._patiently(method, body, patience, seconds, expected)
        except NotFound:
            raise
        except PluginFailure as error:
            raise type(error)(f"{method}: {error}") from error
        if status != 200:
            raise Refused(f"{method}: {_line(_reason(content))}")
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError):
            raise Malformed(f"{method}: plug-in {self.name} did not answer with JSON") from None
        if not isinstance(answer, dict):
            raise Malformed(f"{method}: plug-in {self.name} did not answer with an object")
        return answer

    def _patiently(self, method: str, body: bytes, patience: float, seconds: float, expected: bool) -> tuple[int, bytes]:
        """Tries again after 1, 2, 4, ... seconds, as dockerd, while nobody listens."""
        awaited = (NotListening, NotFound) if expected else (NotListening,)
        begin, pause = time.monotonic(), 1.0
        while True:
            try:
                return connection.post(discovery.find(self.name), method, body, seconds)
            except awaited:
                if time.monotonic() - begin + pause >= patience:
                    raise
            time.sleep(pause)
            pause *= 2


def _reason(content: bytes) -> str:
    """What a failure says of itself: ``Err`` of an object, else its text."""
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict) and isinstance(answer.get("Err"), str) and answer["Err"]:
        return str(answer["Err"])
    return content[:4096].decode(errors="replace")


def _line(text: str) -> str:
    """A plug-in's text as one line without control characters, cut where it is too long."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text[:4096]).split())


def _text(values: Json, key: str, method: str) -> str:
    value = values.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Malformed(f"{method}: {key} is not a string")
    return value


def _read_volume(volume: object, method: str) -> Found:
    if not isinstance(volume, dict):
        raise Malformed(f"{method}: a volume is not an object")
    status = volume.get("Status")
    if status is not None and not isinstance(status, dict):
        raise Malformed(f"{method}: Status is not an object")
    name, mountpoint, created_at = (_text(volume, key, method) for key in ("Name", "Mountpoint", "CreatedAt"))
    return Found(name, mountpoint, created_at, status or None)
