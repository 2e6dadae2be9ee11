"""Volumes of Docker's volume plug-ins, which an engine calls (``engine/plugins`` has the protocol). All functions block.

The texts of errors are those of the Docker Engine.
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
    """The plug-ins of one engine; each is activated at its first call. ``mounts`` is the folder with a record of each volume that a plug-in
    has mounted."""

    def __init__(self, mounts: Path) -> None:
        self._mounts = mounts
        self._drivers: dict[str, VolumeDriver] = {}

    def create(self, driver: str, name: str, options: dict[str, str]) -> Volume:
        """Makes a volume at a plug-in, or returns the one of this name that the plug-in has. Raises ``NotFound`` and ``MobyError``."""
        with _plugin_errors(f"create {name}", driver):
            plugin = self._driver(driver)
            volume = self._get(plugin, name)
            if volume is None:
                plugin.create(name, options)
                volume = Found(name, _path(plugin, name), "", None)
            return self._volume(plugin, volume)

    def get(self, driver: str, name: str) -> Volume | None:
        """A volume as its plug-in describes it now; None if the plug-in has none of this name. Raises ``NotFound`` and ``MobyError``."""
        with _plugin_errors(f"get {name}", driver):
            plugin = self._driver(driver)
            volume = self._get(plugin, name)
            return None if volume is None else self._volume(plugin, volume)

    def find(self, name: str) -> Volume | None:
        """The volume of the first plug-in that has one of this name. A plug-in that does not answer is skipped."""
        for driver in discovery.names():
            plugin = self._driver(driver)
            try:
                if volume := plugin.get(name, patience=0):
                    volume.name = name
                    return self._volume(plugin, volume)
            except (PluginFailure, UnicodeEncodeError):
                continue
        return None

    def remove(self, driver: str, name: str) -> None:
        """Removes a volume at its plug-in. Raises ``NotFound`` for a missing plug-in, and ``MobyError``."""
        with _plugin_errors(f"remove {name}", driver):
            self._driver(driver).remove(name)

    def list(self, driver: str) -> tuple[Volumes, str]:
        """The volumes of a plug-in, and a warning, which is empty if the plug-in has listed all of them."""
        plugin = self._driver(driver)
        try:
            listed = plugin.list()
            volumes = [self._volume(plugin, volume) for volume in listed if is_volume_name(volume.name)]
        except failure.NotFound:
            # it is no volume driver, or has ended since it was found
            return [], ""
        except PluginFailure as error:
            return [], f"list {driver}: {error}"
        except UnicodeEncodeError:
            return [], f"list {driver}: a volume's text is not Unicode"
        left_out = len(listed) - len(volumes)
        return volumes, f"list {driver}: {left_out} volumes have names that no volume can have here" if left_out else ""

    def hold(self, volume: VolumeRecord) -> tuple[str, int, str]:
        """Has a plug-in mount a volume: the path of the mount's record, its locked descriptor, and where the volume is mounted.

        See ``volume_mounts.hold``. Raises ``NotFound`` and ``MobyError``.
        """
        self._mounts.mkdir(mode=0o700, exist_ok=True)
        with _plugin_errors(f"error while mounting volume '{volume.mountpoint}'", volume.driver):
            return volume_mounts.hold(str(self._mounts), self._driver(volume.driver), volume.name)

    def _driver(self, name: str) -> VolumeDriver:
        return self._drivers.setdefault(name, VolumeDriver(name))

    @staticmethod
    def _get(plugin: VolumeDriver, name: str) -> Found | None:
        """A volume of a plug-in; None if the plug-in has none of this name. Raises ``PluginFailure``."""
        try:
            volume = plugin.get(name)
        except failure.Refused:
            # a plug-in answers with an error for a volume that it does not have
            return None
        if volume is not None:
            # not the name in the answer, which is hostile: the name becomes that of a folder
            volume.name = name
        return volume

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
    """The volume's path; empty if the plug-in has no answer, since some know it only once the volume is mounted."""
    try:
        return plugin.path(name)
    except PluginFailure:
        return ""


def _encodable(status: dict[str, object] | None) -> dict[str, object] | msgspec.UnsetType:
    """The status; unset if it is empty or cannot be written as JSON (integers of hundreds of digits, lone surrogates)."""
    try:
        msgspec.json.encode(status)
    except (UnicodeEncodeError, OverflowError, RecursionError):
        return msgspec.UNSET
    return status or msgspec.UNSET


@contextmanager
def _plugin_errors(what: str, driver: str) -> Iterator[None]:
    """Turns the failures of a plug-in in the block into ``NotFound`` and ``MobyError``. ``what`` is being done, and begins the text."""
    try:
        yield
    except failure.NotFound as error:
        raise NotFound(f"{what}: error looking up volume plugin {driver}: {error}") from error
    except PluginFailure as error:
        raise MobyError(f"{what}: {error}") from error
    except UnicodeEncodeError as error:
        raise MobyError(f"{what}: plug-in {driver} answered with a text that is not Unicode") from error
