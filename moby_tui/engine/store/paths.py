"""Where things lie on disk.

The data root holds what must survive a reboot, the exec root what must not. Every path of the engine is made here.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path

import msgspec

from moby_tui.engine.store.state import LIMITED, STATE_FILE

DEFAULT_DATA_ROOT = Path("/var/lib/moby")
DEFAULT_EXEC_ROOT = Path("/run/moby")


class ContainerPaths(msgspec.Struct, frozen=True, dict=True):
    """One container's files. ``data`` survives a reboot, ``run`` does not. What a start asks for several times is made once."""

    data: Path
    run: Path
    #: The container's own layer lies on a file system of its own, which is mounted.
    limited: bool = False

    @property
    def cache(self) -> Path:
        """What the containers of one data root share."""
        return self.data.parents[1] / "cache"

    @functools.cached_property
    def upper(self) -> Path:
        return self._layer / "upper"

    @functools.cached_property
    def work(self) -> Path:
        return self._layer / "work"

    @property
    def _layer(self) -> Path:
        return self.data / LIMITED if self.limited else self.data

    @property
    def linked(self) -> Path:
        """A file that exists once another container has been created with a link to this one."""
        return self.data / "linked"

    @functools.cached_property
    def state(self) -> Path:
        """What is so now; the monitor alone replaces it, atomically."""
        return self.data / STATE_FILE

    @property
    def health(self) -> Path:
        """What the health check has found; the monitor alone replaces it."""
        return self.data / "health.json"

    @property
    def log(self) -> Path:
        return self.data / "container-json.log"

    @property
    def local_log(self) -> Path:
        """That of the log driver ``local``."""
        return self.data / "container.log"

    @property
    def hostname(self) -> Path:
        return self.data / "hostname"

    @property
    def hosts(self) -> Path:
        return self.data / "hosts"

    @property
    def resolv_conf(self) -> Path:
        return self.data / "resolv.conf"

    @functools.cached_property
    def lock(self) -> Path:
        """Locked while somebody changes the container (start, stop, remove); dies with its holder."""
        return self.run / "lock"

    @functools.cached_property
    def monitor_lock(self) -> Path:
        """Locked by the monitor for as long as it lives."""
        return self.run / "monitor.lock"

    @property
    def network(self) -> Path:
        """The network state of the running container."""
        return self.run / "network.json"

    @property
    def socket(self) -> Path:
        return self.run / "monitor.sock"

    @property
    def bundle(self) -> Path:
        """The OCI runtime configuration."""
        return self.run / "config.json"

    @property
    def attachments(self) -> Path:
        """Listening sockets of those who attached before the start; the monitor calls them first."""
        return self.run / "attach"

    @property
    def execs(self) -> Path:
        return self.run / "execs"


@functools.lru_cache(maxsize=4096)
def _container(data_root: Path, exec_root: Path, container_id: str) -> ContainerPaths:
    """A start asks for the same one some fifteen times, a list some four times for each container, and pathlib is slow."""
    return ContainerPaths(data_root / "containers" / container_id, exec_root / "containers" / container_id)


class Paths(msgspec.Struct, frozen=True):
    """The two roots of one engine."""

    data_root: Path
    exec_root: Path

    @property
    def database(self) -> Path:
        return self.data_root / "moby.db"

    @property
    def backup(self) -> Path:
        """A copy of the database that was whole: see ``store/backup.py``."""
        return self.data_root / "moby.db.backup"

    @property
    def blobs(self) -> Path:
        """OCI content store: ``sha256/<hex>``."""
        return self.data_root / "blobs"

    @property
    def layers(self) -> Path:
        """Unpacked layers, ``<diff id hex>/diff``."""
        return self.data_root / "layers"

    @property
    def mount_points(self) -> Path:
        """Layers of what images lack to be mounted on: see ``resources/images/snapshots/mount_points.py``."""
        return self.data_root / "mountpoints"

    @property
    def staging(self) -> Path:
        """Half-made things; anything here that nobody holds locked is rubbish."""
        return self.data_root / "staging"

    @property
    def volumes(self) -> Path:
        return self.data_root / "volumes"

    @property
    def secrets(self) -> Path:
        """Encrypted, with their key beside them: see ``resources/secrets/store.py``."""
        return self.data_root / "secrets"

    @property
    def journal(self) -> Path:
        return self.data_root / "events"

    @property
    def history(self) -> Path:
        """What containers used, and the ends of the logs of removed ones; made when the first is written."""
        return self.data_root / "history"

    @property
    def cache(self) -> Path:
        return self.data_root / "cache"

    @property
    def build_steps(self) -> Path:
        """What instructions of Dockerfiles made: see ``resources/builder/graph/cache.py``."""
        return self.cache / "build"

    @property
    def build_mounts(self) -> Path:
        """What ``RUN --mount=type=cache`` keeps, and the folders that callers have sent (``sources/folders.py``)."""
        return self.cache / "build-mounts"

    @property
    def networks(self) -> Path:
        """Address leases and port reservations: valid while the machine is up."""
        return self.exec_root / "networks"

    @property
    def mounted_volumes(self) -> Path:
        """A lock for each volume that is mounted as a file system of its own: see ``kernel/shared_mount.py``."""
        return self.exec_root / "volumes"

    @property
    def plugin_mounts(self) -> Path:
        """A record for each volume that a plug-in has mounted: see ``plugins/volume_mounts.py``."""
        return self.exec_root / "plugin-mounts"

    @property
    def id_ranges(self) -> Path:
        """The ranges of ids that running containers hold: see ``store/id_ranges.py``."""
        return self.exec_root / "ids"

    @property
    def containers(self) -> Path:
        """A folder for each container, by its id."""
        return self.data_root / "containers"

    def container(self, container_id: str) -> ContainerPaths:
        return _container(self.data_root, self.exec_root, container_id)

    @property
    def instance(self) -> str:
        """A short name of this data root, for what is named in the kernel (bridges, nft tables); empty for the system's own."""
        if self.data_root == DEFAULT_DATA_ROOT:
            return ""
        from moby_tui.engine.store.digest import sha256

        return sha256(os.fsencode(self.data_root.resolve())).hexdigest()[:8]

    def make(self) -> None:
        """Creates the folders that every engine needs, closed to others (mode 0710 on the roots, 0700 below)."""
        for root in (self.data_root, self.exec_root):
            root.mkdir(mode=0o710, parents=True, exist_ok=True)
        for folder in (
            self.blobs / "sha256",
            self.layers,
            self.staging,
            self.volumes,
            self.journal,
            self.cache,
            self.networks,
            self.data_root / "containers",
            self.exec_root / "containers",
        ):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
