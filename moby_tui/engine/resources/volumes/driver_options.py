"""The options of the volume driver ``local``: a file system that is mounted as the volume (docker volume create, "Driver-specific options").

The texts of errors are those of the Docker Engine.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

from moby_tui.engine.kernel import mount as kernel
from moby_tui.engine.kernel import overlay
from moby_tui.engine.kernel.trees import closing
from moby_tui.engine.policy import quota
from moby_tui.engine.resources.volumes import ownership
from moby_tui.engine.resources.volumes.ownership import Ownership
from moby_tui.engine.resources.volumes.populate import DATA
from moby_tui.errors import InvalidArgument, MobyError

#: Beside the data of a volume with a size, where the data root has no quotas: the file with its file system.
IMAGE = "_image"
_KNOWN = frozenset(("type", "o", "device", "size", *ownership.KEYS))
_NEEDED = {"device": ("type",), "type": ("device",), "o": ("device", "type")}
_NETWORK_TYPES = ("nfs", "nfs4", "cifs")

#: The words of ``o`` that mount(2) takes as flags: to be set, to be cleared.
_FLAGS = {
    "defaults": (0, 0),
    "ro": (kernel.MS_RDONLY, 0),
    "rw": (0, kernel.MS_RDONLY),
    "nosuid": (kernel.MS_NOSUID, 0),
    "suid": (0, kernel.MS_NOSUID),
    "nodev": (kernel.MS_NODEV, 0),
    "dev": (0, kernel.MS_NODEV),
    "noexec": (kernel.MS_NOEXEC, 0),
    "exec": (0, kernel.MS_NOEXEC),
    "sync": (kernel.MS_SYNCHRONOUS, 0),
    "async": (0, kernel.MS_SYNCHRONOUS),
    "noatime": (kernel.MS_NOATIME, 0),
    "atime": (0, kernel.MS_NOATIME),
    "nodiratime": (kernel.MS_NODIRATIME, 0),
    "diratime": (0, kernel.MS_NODIRATIME),
    "relatime": (kernel.MS_RELATIME, 0),
    "norelatime": (0, kernel.MS_RELATIME),
    "strictatime": (kernel.MS_STRICTATIME, 0),
    "nostrictatime": (0, kernel.MS_STRICTATIME),
    "bind": (kernel.MS_BIND, 0),
    "rbind": (kernel.MS_BIND | kernel.MS_REC, 0),
}
_PROPAGATION = {
    "private": kernel.MS_PRIVATE,
    "rprivate": kernel.MS_PRIVATE | kernel.MS_REC,
    "shared": kernel.MS_SHARED,
    "rshared": kernel.MS_SHARED | kernel.MS_REC,
    "slave": kernel.MS_SLAVE,
    "rslave": kernel.MS_SLAVE | kernel.MS_REC,
}


def check(volume: str, options: dict[str, str]) -> None:
    """Raises ``InvalidArgument`` for options that the driver ``local`` does not take. ``volume`` is the volume's name, for the text."""
    try:
        _check(options)
    except InvalidArgument as error:
        raise InvalidArgument(f"create {volume}: {error}") from error


def _check(options: dict[str, str]) -> None:
    for name in options:
        if name not in _KNOWN:
            raise InvalidArgument(f'invalid option: "{name}"')
    ownership.of(options)
    for name, needed in _NEEDED.items():
        for other in needed if name in options and not ownership.is_of_podman(options) else ():
            if other not in options:
                raise InvalidArgument(f'missing required option: "{other}"')
    if quota.parse(options.get("size", "0")) and "type" in options:
        raise InvalidArgument("quota size requested but no quota support: a file system that is mounted has a size of its own")
    if any("\0" in value for value in options.values()):
        raise InvalidArgument("invalid volume option: a NUL byte cannot be in it")
    if options.get("type") == "cifs" and _has_port(options["device"]):
        raise InvalidArgument("port not allowed in CIFS device URL, include 'port' in 'o='")
    if len(options.get("o", "")) > 4000:
        raise InvalidArgument("the volume option o is longer than the kernel takes (4000 bytes)")


def _has_port(device: str) -> bool:
    try:
        return urlsplit(device).port is not None
    except ValueError:
        return True


def limit(options: dict[str, str], volume: Path) -> None:
    """Limits a new volume, whose folders exist, to the option ``size``. Raises ``InvalidArgument`` if the disk has no means for it."""
    size = quota.parse(options.get("size", "0"))
    if size and not quota.limit([volume / DATA], size):
        quota.make_image(volume / IMAGE, size, refusal="quota size requested but no quota support")


def own(owner: Ownership, volume: Path) -> None:
    """Gives a new volume its owner and mode. Raises ``MobyError`` and ``OSError``.

    If it is a file system in a file, a thread mounts that in a mount namespace of its own, which ends with the thread or the process.
    """

    def apply() -> int:
        with closing(os.open(volume / DATA, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)) as folder:
            owner.apply(folder)
        return 0

    def apply_mounted() -> int:
        quota.mount_image(volume / IMAGE, volume / DATA)
        return apply()

    if (volume / IMAGE).exists():
        overlay.in_own_namespace(apply_mounted)
    else:
        apply()


def has_mount(options: dict[str, str], volume: Path) -> bool:
    """True for a volume that is a file system of its own: it is mounted while containers use it."""
    return "type" in options or (volume / IMAGE).exists()


def mount(options: dict[str, str], volume: Path) -> None:
    """Mounts a volume that is a file system of its own. Blocking. Raises ``MobyError``."""
    if "type" in options:
        _mount(options, str(volume / DATA))
    else:
        quota.mount_image(volume / IMAGE, volume / DATA)


def _mount(options: dict[str, str], target: str) -> None:
    """Mounts the file system that the options name, as mount(8) does without its helper programs. Raises ``MobyError``."""
    try:
        device, kind, flags, propagation, data = _parse(options)
    except MobyError as error:
        raise MobyError(f"{_mount_failure(target)}: {error}") from error
    try:
        kernel.mount(device, target, kind, flags, data)
        if flags & kernel.MS_BIND and flags & ~(kernel.MS_BIND | kernel.MS_REC):
            # for a bind mount the kernel ignores the other flags until it is mounted again (mount(2), MS_REMOUNT)
            kernel.mount(None, target, None, flags & ~kernel.MS_REC | kernel.MS_REMOUNT)
        if propagation:
            kernel.mount(None, target, None, propagation)
    except OSError as error:
        raise MobyError(
            f"{_mount_failure(target)}: failed to mount local volume: mount {_mount_arguments(device, target, flags, data)}: {_reason(error)}"
        ) from error


def _mount_failure(target: str) -> str:
    return f"error while mounting volume '{target}'"


def _mount_arguments(device: str, target: str, flags: int, data: str) -> str:
    """The arguments of mount(2) in an error's text."""
    text = f"{device}:{target}" + (f", flags: {flags:#x}" if flags else "")
    return text + (f", data: {data}" if data else "")


def _reason(error: OSError) -> str:
    return os.strerror(error.errno or 0).lower()


def _parse(options: dict[str, str]) -> tuple[str, str, int, int, str]:
    kind, device = options["type"], options["device"]
    flags = propagation = 0
    data = []
    for word in filter(None, options.get("o", "").split(",")):
        if word in _FLAGS:
            wanted, cleared = _FLAGS[word]
            flags = flags & ~cleared | wanted
        elif word in _PROPAGATION:
            propagation |= _PROPAGATION[word]
        else:
            data.append(word)
    if kind in _NETWORK_TYPES:
        data = [_with_address(word) for word in data]
        device = _url_with_address(device) if kind == "cifs" else device
    return device, kind, flags, propagation, ",".join(data)


def _with_address(word: str) -> str:
    """A word of the option ``o``; the host name of ``addr=`` becomes an address, since the kernel resolves no names."""
    key, _, value = word.partition("=")
    return f"addr={_address(value)}" if key == "addr" else word


def _url_with_address(device: str) -> str:
    host = urlsplit(device).hostname
    return device.replace(host, _address(host), 1) if host else device


def _address(host: str) -> str:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        try:
            return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
        except OSError as error:
            raise MobyError(f"error resolving passed in network volume address: {host}: {error.strerror}") from error
    return host
