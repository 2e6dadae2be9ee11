"""The mounts of a new container, made of its ``MountRequest``s, and the events of a container's volumes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from moby_tui.engine.resources.volumes.requests import MountRequest
from moby_tui.engine.store.records.containers import MountPoint
from moby_tui.errors import InvalidArgument, NotImplementedYet
from moby_tui.schema.volume import Volume, VolumeCreate

Mounts = list[MountPoint]
Names = list[str]
Events = list[tuple[str, str, str, dict[str, str]]]


class Resolution(msgspec.Struct):
    """The result of ``add``: a container's mounts, the names of the volumes that were made for it alone, and the mounts of volumes that get
    the image's content if they are empty."""

    mounts: Mounts
    anonymous: Names
    populated: Mounts


async def add(resolution: Resolution, request: MountRequest, create: Callable[[VolumeCreate], Awaitable[Volume]]) -> None:
    """Adds one mount to a resolution. ``create`` makes the volume, or returns the one that has this name.

    Raises ``InvalidArgument`` and ``NotImplementedYet``.
    """
    _refuse_selinux(request)
    if request.type == "bind":
        _check_source(request)
    if request.type != "volume":
        resolution.mounts.append(_mount_point(request, request.source))
        return
    labels = request.labels or None
    volume = await create(
        VolumeCreate(name=request.source, driver=request.driver, labels=labels, driver_opts=request.driver_options)
    )
    mount = _mount_point(request, volume.mountpoint, volume.name, volume.driver)
    resolution.mounts.append(mount)
    if not request.source:
        resolution.anonymous.append(volume.name)
    if request.copy:
        resolution.populated.append(mount)


def mount_events(action: str, container_id: str, mounts: Mounts) -> Events:
    """The events of a container's volumes, as ``Journal.publish`` takes them. ``action`` is ``mount`` or ``unmount``."""
    events: Events = []
    for mount in mounts:
        if mount.type != "volume":
            continue
        attributes = {"driver": mount.driver, "container": container_id}
        if action == "mount":
            access = {"read/write": str(mount.rw).lower(), "propagation": mount.propagation}
            attributes |= {"destination": mount.destination} | access
        events.append(("volume", action, mount.name, attributes))
    return events


def _refuse_selinux(request: MountRequest) -> None:
    if {"z", "Z"} & set(request.mode.split(",")) and Path("/sys/fs/selinux/enforce").exists():
        raise NotImplementedYet("volume option z on a machine with SELinux")


def _check_source(request: MountRequest) -> None:
    """Makes the missing source directory of ``-v``. Raises ``InvalidArgument`` for the missing source of ``--mount``."""
    if Path(request.source).exists():
        return
    if not request.create_source:
        raise InvalidArgument(f'invalid mount config for type "bind": bind source path does not exist: {request.source}')
    try:
        Path(request.source).mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidArgument(f"error while creating mount source path '{request.source}': {error.strerror}") from error


def _mount_point(request: MountRequest, source: str, name: str = "", driver: str = "") -> MountPoint:
    return MountPoint(
        type=request.type,
        name=name,
        source=source,
        destination=request.target,
        driver=driver,
        mode=request.mode,
        rw=not request.read_only,
        propagation=request.propagation,
        subpath=request.subpath,
    )
