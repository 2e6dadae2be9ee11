"""The namespaces of a container that is about to start, and what they change in its configuration."""

from __future__ import annotations

import os
from contextlib import suppress

import msgspec

from moby_tui.engine.kernel.ids import IdMap, first, is_identity, to_host
from moby_tui.engine.protocol.configuration import Mount, Namespace
from moby_tui.engine.store.paths import ContainerPaths
from moby_tui.engine.store.records.containers import HostConfig, MountPoint
from moby_tui.errors import InvalidArgument

_STRICT = ["nosuid", "noexec", "nodev"]


class Isolation(msgspec.Struct, kw_only=True):
    """What was opened and made ahead. Descriptors are this process's until ``close``; the monitor gets its own."""

    #: the namespaces that are joined rather than made, by kind, and where they are found
    joined: dict[str, int] = {}
    paths: dict[str, str] = {}
    #: mounts that were made ahead, by destination, and what they are a copy of
    trees: dict[str, int] = {}
    sources: dict[str, str] = {}
    #: what its secrets hold, as files in memory, by their paths in the container
    secrets: dict[str, int] = {}
    #: what only has to stay open while the container runs
    kept: list[int] = []
    #: where volumes were mounted for it, and what keeps them so
    volumes: dict[str, int] = {}
    #: the records of what plug-ins have mounted for it, and what keeps that so
    plugin_mounts: dict[str, int] = {}
    #: the maps of its user namespace; empty in the host's
    uids: IdMap = []
    gids: IdMap = []
    #: the network namespace that belongs to its user namespace; -1 if none was made
    network: int = -1
    #: whether the network namespace, joined or not, is one that its user namespace owns
    owns_network: bool = True
    #: the container whose hostname, hosts and resolv.conf it shares, with the network
    names: ContainerPaths | None = None

    @property
    def user(self) -> int | None:
        """The user namespace through which its files are seen; None if ids are not mapped."""
        return None if is_identity(self.uids) and is_identity(self.gids) else self.joined["user"]

    @property
    def host_root(self) -> tuple[int, int]:
        """The host's ids of the container's root."""
        return to_host(self.uids, first(self.uids)), to_host(self.gids, first(self.gids))

    def take_network(self) -> int:
        """Hands the network namespace over: who takes it closes it."""
        taken, self.network = self.network, -1
        return taken

    def check_user(self, uid: int, groups: list[int]) -> None:
        """Raises ``InvalidArgument`` if one that the process is to be has no id on the host."""
        for ids, ident, what in ((self.uids, uid, "user"), *((self.gids, group, "group") for group in groups)):
            try:
                to_host(ids, ident)
            except ValueError:
                raise InvalidArgument(f"{what} {ident} is not mapped in the container's user namespace: map more ids") from None

    def close(self) -> None:
        for fd in (
            *self.joined.values(),
            *self.trees.values(),
            *self.kept,
            *self.volumes.values(),
            *self.plugin_mounts.values(),
            *self.secrets.values(),
            self.network,
        ):
            if fd >= 0:
                with suppress(OSError):
                    os.close(fd)
        self.joined, self.trees, self.kept, self.secrets, self.network = {}, {}, [], {}, -1
        self.volumes, self.plugin_mounts = {}, {}


def namespaces(host: HostConfig, isolation: Isolation, *, has_network: bool) -> list[Namespace]:
    """``linux.namespaces``: what is neither the host's nor joined is made new."""
    shared = {"pid": host.pid_mode, "uts": host.uts_mode, "ipc": host.ipc_mode, "cgroup": host.cgroupns_mode}
    kinds = ["mount", *(kind for kind, mode in shared.items() if mode != "host"), *(["network"] if has_network else [])]
    kinds += ["user"] if isolation.uids else []
    # the paths of what is handed on beside the order stand for the descriptors
    paths = {"network": "/proc/self/fd/network", "user": "/proc/self/fd/user", **isolation.paths}
    return [Namespace(type=kind, path=paths.get(kind, "")) for kind in kinds]


def adapt_mounts(mounts: list[Mount], host: HostConfig, asked: list[MountPoint], isolation: Isolation) -> list[Mount]:
    """The mounts as these namespaces need them.

    A user namespace's root may mount procfs, sysfs, mqueue and cgroup only for namespaces that are its own; of the host's it gets a
    bind. Volumes and our own files are seen through its map; what is bound from the host keeps the host's owners, but with ``idmap``.
    Raises ``InvalidArgument`` for ``idmap`` without a map.
    """
    if host.ipc_mode == "none":
        mounts = _without(mounts, "/dev/shm")
    if isolation.uids and host.ipc_mode == "host" and not os.path.isdir("/dev/mqueue"):
        mounts = _without(mounts, "/dev/mqueue")
    replaced = {destination: _bind(destination, source, []) for destination, source in isolation.sources.items()}
    if isolation.uids:
        replaced |= _of_the_host(host, isolation)
    mounts = [replaced.get(mount.destination, mount) for mount in mounts]
    if isolation.user is not None:
        volumes = {mount.destination for mount in asked if mount.type == "volume"}
        # an image's layers are mapped before they are laid over each other
        mapped = volumes | {"/etc/resolv.conf", "/etc/hostname", "/etc/hosts"} - {mount.destination for mount in asked}
        for mount in mounts:
            if mount.destination in mapped and "idmap" not in mount.options:
                mount.options = [*mount.options, "ridmap"]
    elif not isolation.uids:
        for mount in mounts:
            if "idmap" in mount.options and not mount.uid_mappings:
                from moby_tui.engine.policy import mount_ids  # few mounts have it

                raise mount_ids.without_map(mount.destination)
    return mounts


def _without(mounts: list[Mount], destination: str) -> list[Mount]:
    return [mount for mount in mounts if mount.destination != destination]


def _of_the_host(host: HostConfig, isolation: Isolation) -> dict[str, Mount]:
    foreign = {}
    if host.network_mode == "host" or not isolation.owns_network:
        foreign["/sys"] = _bind("/sys", "/sys", [*_STRICT, "ro"])
    if host.pid_mode == "host":
        foreign["/proc"] = _bind("/proc", "/proc", _STRICT)
    if host.ipc_mode == "host":
        foreign["/dev/mqueue"] = _bind("/dev/mqueue", "/dev/mqueue", _STRICT)
    if host.cgroupns_mode == "host":
        foreign["/sys/fs/cgroup"] = _bind("/sys/fs/cgroup", "/sys/fs/cgroup", [*_STRICT, "ro"])
    return foreign


def _bind(destination: str, source: str, options: list[str]) -> Mount:
    return Mount(destination=destination, type="bind", source=source, options=["rbind", "rprivate", *options])


def sysctls(asked: dict[str, str], host: HostConfig, isolation: Isolation, *, has_network: bool) -> dict[str, str]:
    """As docker: in a network namespace of its own a container may ping, and bind low ports, without capabilities."""
    if not has_network or host.network_mode.startswith("container:"):
        return asked
    defaults = {"net.ipv4.ip_unprivileged_port_start": "0"}
    highest = 2147483647
    if isolation.gids:
        # a group that is not mapped cannot be named
        highest = next((row["size"] - 1 for row in isolation.gids if row["containerID"] == 0), -1)
    if highest >= 0:
        defaults["net.ipv4.ping_group_range"] = f"0 {min(highest, 2147483647)}"
    return {**defaults, **asked}
