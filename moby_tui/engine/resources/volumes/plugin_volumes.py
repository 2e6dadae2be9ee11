"""Volumes that plug-ins keep: Docker's volume plug-ins, asked by an engine (``engine/plugins`` has the protocol). Blocking.

Texts of refusals are those of the Docker Engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from moby_tui.engine.plugins import discovery, failure, volume_mounts
from moby_tui.engine.plugins.failure import PluginFailure
from moby_tui.engine.plugins.volume_driver import Found, VolumeDriver
from moby_tui.engine.resources.volumes.requests import is_volume_name
from moby_tui.engine.store.records.volumes import VolumeRecord
from moby_tui.errors import MobyError, NotFound
from moby_tui.schema.base import ZERO_TIME
from moby_tui.schema.volume import Volume

Volumes = list[Volume]


class PluginVolumes:
    """The plug-ins of one engine; each is activated once. ``mounts`` is the folder of the records of what they have mounted."""

    def __init__(self, mounts: Path) -> None:
        self._mounts = mounts
        self._drivers: dict[str, VolumeDriver] = {}

    def create(self, driver: str, name: str, options: dict[str, str]) -> Volume:
        """Has a plug-in make a volume; one that it has already is taken as it is. Raises ``NotFound`` and ``MobyError``."""
        with _told(f"create {name}", driver):
            plugin = self._driver(driver)
            found = self._get(plugin, name)
            if found is None:
                plugin.create(name, options)
                found = Found(name, _path(plugin, name), "", None)
            return self._volume(plugin, found)

    def get(self, driver: str, name: str) -> Volume | None:
        """A volume as its plug-in tells it now; None if it has none of this name. Raises ``NotFound`` and ``MobyError``."""
        with _told(f"get {name}", driver):
            plugin = self._driver(driver)
            found = self._get(plugin, name)
            return None if found is None else self._volume(plugin, found)

    def find(self, name: str) -> Volume | None:
        """The volume of the first plug-in that has one of this name; those that do not answer are passed over."""
        for driver in discovery.names():
            plugin = self._driver(driver)
            try:
                if found := plugin.get(name, patience=0):
                    found.name = name
                    return self._volume(plugin, found)
            except (PluginFailure, UnicodeEncodeError):
                continue
        return None

    def remove(self, driver: str, name: str) -> None:
        """Raises ``NotFound`` for a plug-in that is not there, and ``MobyError``."""
        with _told(f"remove {name}", driver):
            self._driver(driver).remove(name)

    def list(self, driver: str) -> tuple[Volumes, str]:
        """The volumes of a plug-in, and a warning, which is empty if all is well."""
        plugin = self._driver(driver)
        try:
            found = plugin.list()
            volumes = [self._volume(plugin, volume) for volume in found if is_volume_name(volume.name)]
        except failure.NotFound:
            # it is no volume driver, or has just gone
            return [], ""
        except PluginFailure as error:
            return [], f"list {driver}: {error}"
        except UnicodeEncodeError:
            return [], f"list {driver}: a volume's text is not Unicode"
        left_out = len(found) - len(volumes)
        return volumes, f"list {driver}: {left_out} volumes have names that no volume can have here" if left_out else ""

    def hold(self, volume: VolumeRecord) -> tuple[str, int, str]:
        """See ``volume_mounts.hold``. Raises ``NotFound`` and ``MobyError``."""
        self._mounts.mkdir(mode=0o700, exist_ok=True)
        with _told(f"error while mounting volume '{volume.mountpoint}'", volume.driver):
            return volume_mounts.hold(str(self._mounts), self._driver(volume.driver), volume.name)

    def _driver(self, name: str) -> VolumeDriver:
        return self._drivers.setdefault(name, VolumeDriver(name))

    @staticmethod
    def _get(plugin: VolumeDriver, name: str) -> Found | None:
        try:
            found = plugin.get(name)
        except failure.Refused:
            # what plug-ins say of a volume that they do not have
            return None
        if found is not None:
            # whatever it calls itself: the name becomes a folder's
            found.name = name
        return found

    @staticmethod
    def _volume(plugin: VolumeDriver, found: Found) -> Volume:
        for text in (found.mountpoint, found.created_at):
            text.encode()
        return Volume(
            name=found.name,
            driver=plugin.name,
            mountpoint=found.mountpoint,
            created_at=found.created_at or ZERO_TIME,
            scope=plugin.scope(),
            status=_encodable(found.status),
        )


def _path(plugin: VolumeDriver, name: str) -> str:
    """Empty if the plug-in does not say: it need not know before it has mounted the volume."""
    try:
        return plugin.path(name)
    except PluginFailure:
        return ""


def _encodable(status: dict[str, object] | None) -> dict[str, object] | msgspec.UnsetType:
    """Unset for what JSON cannot say to everybody: numbers of hundreds of digits, halves of characters."""
    try:
        msgspec.json.encode(status)
    except (UnicodeEncodeError, OverflowError, RecursionError):
        return msgspec.UNSET
    return status or msgspec.UNSET


@contextmanager
def _told(what: str, driver: str) -> Iterator[None]:
    """Failures of a plug-in as errors for a person."""
    try:
        yield
    except failure.NotFound as error:
        raise NotFound(f"{what}: error looking up volume plugin {driver}: {error}") from error
    except PluginFailure as error:
        raise MobyError(f"{what}: {error}") from error
    except UnicodeEncodeError as error:
        raise MobyError(f"{what}: plug-in {driver} answered with a text that is not Unicode") from error
