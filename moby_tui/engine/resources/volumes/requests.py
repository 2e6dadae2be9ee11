"""The mounts that a request for a container names: ``-v``, ``--mount``, ``--tmpfs`` and the image's volumes, read into one list.

The texts of errors are those of the Docker Engine. No function here reads the disk.
"""

from __future__ import annotations

import posixpath
import re

import msgspec

from moby_tui.engine.policy import mount_ids
from moby_tui.engine.store.records.containers import BindOptions, ContainerConfig, HostConfig, Mount, TmpfsOptions
from moby_tui.errors import InvalidArgument

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_NAME_MAX = 255
_PROPAGATION = frozenset(("private", "rprivate", "shared", "rshared", "slave", "rslave"))
_TYPES = frozenset(("bind", "volume", "tmpfs", "image"))
_ACCESS = frozenset(("ro", "rw"))
_SELINUX = frozenset(("z", "Z"))
#: Docker accepts these words; only Docker Desktop acts on them.
_CONSISTENCY = frozenset(("default", "consistent", "cached", "delegated"))
#: The options of tmpfs(5), and those that every mount has (mount(8)).
_TMPFS_VALUES = frozenset(("size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol", "huge"))
_TMPFS_FLAGS = frozenset(
    (
        *("defaults", "ro", "rw", "suid", "nosuid", "dev", "nodev", "exec", "noexec", "sync", "async", "dirsync", "noswap"),
        *("mand", "nomand", *_PROPAGATION, "unbindable", "runbindable"),
        *("atime", "noatime", "diratime", "nodiratime", "relatime", "norelatime", "strictatime", "nostrictatime"),
    )
)
_MODES = _PROPAGATION | _ACCESS | _SELINUX | _CONSISTENCY | {"nocopy"}


class MountRequest(msgspec.Struct):
    """One mount of a request. ``target`` is an absolute path in the container.

    ``source`` is an absolute path of the host for a bind mount, and a name for a volume, empty for an anonymous one. ``copy``: a new volume
    gets the image's content. ``create_source``: a missing directory of the host is made. ``propagation``: what the request says.
    """

    type: str
    target: str
    source: str = ""
    mode: str = ""
    read_only: bool = False
    propagation: str = ""
    copy: bool = True
    create_source: bool = False
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    #: the part of the volume or image that is mounted; empty for all of it
    subpath: str = ""
    #: the volume's driver
    driver: str = ""
    #: options of the volume's driver: for ``local`` see ``driver_options``
    driver_options: dict[str, str] = msgspec.field(default_factory=dict)


def mount_requests(config: ContainerConfig, host_config: HostConfig) -> list[MountRequest]:
    """All mounts of a request. A mount of the request replaces a volume that the image has at the same path.

    Raises ``InvalidArgument``, also for two mounts at one path, and ``NotImplementedYet``.
    """
    requests = [_bind_request(bind, host_config.volume_driver) for bind in host_config.binds or ()]
    requests += [_mount_request(mount) for mount in host_config.mounts or ()]
    requests += [_tmpfs_request(target, mode) for target, mode in (host_config.tmpfs or {}).items()]
    targets: set[str] = set()
    for request in requests:
        if request.target in targets:
            raise InvalidArgument(f"Duplicate mount point: {request.target}")
        targets.add(request.target)
    # an image may name its volumes relative to the root
    preset = {_target("volume", f"/{target}"): None for target in config.volumes or ()}
    driver = host_config.volume_driver
    return requests + [MountRequest("volume", target, driver=driver) for target in preset if target not in targets]


def is_volume_name(name: str) -> bool:
    """True for a name that a volume can have (Docker's rule), of at most 255 characters."""
    return len(name) <= _NAME_MAX and _NAME.fullmatch(name) is not None


def check_volume_name(name: str) -> None:
    """Raises ``InvalidArgument`` for a name that a volume cannot have."""
    if len(name.encode()) == 1:
        raise InvalidArgument(f"create {name}: volume name is too short, names should be at least two alphanumeric characters")
    if not is_volume_name(name):
        raise InvalidArgument(
            f'create {name}: "{name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" '
            "are allowed. If you intended to pass a host directory, use absolute path"
        )


def _bind_request(specification: str, volume_driver: str) -> MountRequest:
    """Reads the option ``-v``: ``[source:]target[:mode,mode]``, with an absolute path or a volume's name as the source."""
    parts = specification.split(":")
    if len(parts) == 3 and not parts[2]:
        # as with dockerd, no mode after the colon is no fault
        parts.pop()
    if not all(parts) or len(parts) > 3 or (len(parts) == 2 and _MODES.issuperset(parts[1].split(","))):
        raise InvalidArgument(f"invalid volume specification: '{specification}'")
    source, target = ("", parts[0]) if len(parts) == 1 else parts[:2]
    modes = parts[2].split(",") if len(parts) == 3 else []
    _check_modes(modes)
    kind = "bind" if source.startswith("/") else "volume"
    propagation = next((mode for mode in modes if mode in _PROPAGATION), "")
    try:
        path = _target(kind, target)
        if kind == "bind" and "nocopy" in modes:
            raise _invalid(kind, "field VolumeOptions must not be specified")
        if kind == "volume" and propagation:
            raise _invalid(kind, "field BindOptions must not be specified")
    except InvalidArgument as error:
        raise InvalidArgument(f"invalid volume specification: '{specification}': {error}") from error
    request = MountRequest(kind, path, mode=",".join(modes), read_only="ro" in modes, propagation=propagation)
    if kind == "bind":
        request.source, request.create_source = posixpath.normpath(source), True
        return request
    if source:
        check_volume_name(source)
    request.source, request.driver, request.copy = source, volume_driver, "nocopy" not in modes
    return request


def _invalid(kind: str, reason: str) -> InvalidArgument:
    return InvalidArgument(f'invalid mount config for type "{kind}": {reason}')


def _check_modes(modes: list[str]) -> None:
    for family in (_ACCESS, _PROPAGATION, _SELINUX, _CONSISTENCY, frozenset(("nocopy",))):
        if sum(mode in family for mode in modes) > 1:
            raise InvalidArgument(f"invalid mode: {','.join(modes)}")
    if sum(map(mount_ids.is_option, modes)) > 1:
        raise InvalidArgument(f"invalid mode: {','.join(modes)}")
    for mode in modes:
        if mount_ids.is_option(mode):
            mount_ids.parse(mode)
    if not all(mode in _MODES or mount_ids.is_option(mode) for mode in modes):
        raise InvalidArgument(f"invalid mode: {','.join(modes)}")


def _mount_request(mount: Mount) -> MountRequest:
    """Reads the option ``--mount``. Raises ``InvalidArgument``."""
    _check_options(mount)
    _check_id_map(mount)
    request = MountRequest(
        mount.type, _target(mount.type, mount.target), source=mount.source, read_only=mount.read_only, mode=mount.id_map
    )
    if mount.type == "bind":
        return _with_bind_options(request, mount)
    if mount.type == "volume":
        return _with_volume_options(request, mount)
    if mount.type == "tmpfs":
        if mount.source:
            raise _invalid("tmpfs", "field Source must not be specified")
        request.mode = _tmpfs_mode(mount.tmpfs_options or TmpfsOptions(), mount.read_only)
        return request
    return _with_image_options(request, mount)


def _check_options(mount: Mount) -> None:
    """Raises ``InvalidArgument`` for an unknown type, and for options of another type than the mount's, even if they are empty."""
    if mount.type not in _TYPES:
        raise _invalid(mount.type, "mount type unknown" if mount.target else "field Target must not be empty")
    for kind, options in (
        ("bind", mount.bind_options),
        ("volume", mount.volume_options),
        ("tmpfs", mount.tmpfs_options),
        ("image", mount.image_options),
    ):
        if options is None or mount.type == kind:
            continue
        if kind == "image":
            raise _invalid(mount.type, "field ImageOptions must not be specified")
        raise InvalidArgument(f'{kind.capitalize()}Options must not be specified on mount type "{mount.type}"')


def _check_id_map(mount: Mount) -> None:
    if not mount.id_map:
        return
    if mount.type not in ("bind", "volume"):
        raise _invalid(mount.type, "field IDMap must not be specified")
    if not mount_ids.is_option(mount.id_map) or "," in mount.id_map:
        raise _invalid(
            mount.type, f"invalid IDMap {mount.id_map!r}: write it as idmap, or idmap=uids=FROM-TO-SIZE;gids=FROM-TO-SIZE"
        )
    mount_ids.parse(mount.id_map)


def _with_bind_options(request: MountRequest, mount: Mount) -> MountRequest:
    if not mount.source:
        raise _invalid("bind", "field Source must not be empty")
    if not mount.source.startswith("/"):
        raise _invalid("bind", f"invalid mount path: '{mount.source}' mount path must be absolute")
    request.source = posixpath.normpath(mount.source)
    options = mount.bind_options
    if options is None:
        return request
    _check_recursion(options, mount)
    if options.propagation:
        if options.propagation not in _PROPAGATION:
            raise _invalid("bind", f"invalid propagation mode: {options.propagation}")
        request.propagation = options.propagation
    request.create_source = options.create_mountpoint
    return request


def _check_recursion(options: BindOptions, mount: Mount) -> None:
    """Raises ``InvalidArgument`` for options of read-only mounts that contradict each other, by Docker's rules.

    Docker also refuses what the kernel cannot do. mount_setattr(2) is in every kernel that moby runs on, so there is no such case here.
    """
    wrong = ""
    if options.read_only_non_recursive and not mount.read_only:
        wrong = "mount is configured with ReadOnlyNonRecursive but not ReadOnly"
    elif options.read_only_non_recursive and options.non_recursive:
        wrong = "mount is configured with both ReadOnlyNonRecursive and NonRecursive"
    elif options.read_only_force_recursive and not mount.read_only:
        wrong = "mount is configured with ReadOnlyForceRecursive but not ReadOnly"
    elif options.read_only_force_recursive and (options.read_only_non_recursive or options.non_recursive):
        wrong = "mount is configured with both ReadOnlyForceRecursive and a narrower reach"
    elif options.read_only_force_recursive and options.propagation != "rprivate":
        wrong = "ReadOnlyForceRecursive requires propagation rprivate; add bind-propagation=rprivate"
    if wrong:
        raise _invalid("bind", wrong)


def _with_volume_options(request: MountRequest, mount: Mount) -> MountRequest:
    if mount.source:
        check_volume_name(mount.source)
    options = mount.volume_options
    if options is None:
        return request
    if options.driver_config is not None:
        request.driver, request.driver_options = options.driver_config.name, options.driver_config.options or {}
    request.subpath = _subpath(options.subpath, "volume")
    if request.subpath and not mount.source:
        raise _invalid("volume", "must not set Subpath when using anonymous volumes")
    request.copy, request.labels = not options.no_copy, options.labels or {}
    return request


def _with_image_options(request: MountRequest, mount: Mount) -> MountRequest:
    """Completes a mount of an image, which is always read-only: several containers share the image's layers."""
    if not mount.source:
        raise _invalid("image", "field Source must not be empty")
    request.subpath = _subpath(mount.image_options.subpath if mount.image_options else "", "image")
    request.read_only = True
    return request


def _subpath(path: str, kind: str) -> str:
    """A relative path within a volume or image; empty for all of it. Raises ``InvalidArgument``.

    This looks at the text alone. The kernel resolves symbolic links in it when the container starts, and refuses those that lead outside.
    """
    if path and (path.startswith("/") or "\0" in path or posixpath.normpath(path).split("/")[0] == ".."):
        raise _invalid(kind, "subpath must be a relative path within the volume")
    return "" if posixpath.normpath(path or ".") == "." else path


def _tmpfs_request(target: str, mode: str) -> MountRequest:
    words = [word for word in mode.split(",") if word]
    _check_tmpfs(words)
    return MountRequest("tmpfs", _target("tmpfs", target), mode=",".join(words))


def _check_tmpfs(words: list[str]) -> None:
    for word in words:
        name, equals, _ = word.partition("=")
        if name not in _TMPFS_VALUES if equals else word not in _TMPFS_FLAGS:
            raise InvalidArgument(f'invalid tmpfs option "{word}"')


def _tmpfs_mode(options: TmpfsOptions, read_only: bool) -> str:
    """The mount options of ``--mount type=tmpfs`` as tmpfs(5) writes them. Raises ``InvalidArgument``."""
    if options.size_bytes < 0:
        raise _invalid("tmpfs", "the size must not be negative")
    words = ["ro"] if read_only else []
    words += [f"size={options.size_bytes}"] if options.size_bytes else []
    words += [f"mode={options.mode & 0o7777:o}"] if options.mode else []
    words += ["=".join(option) for option in options.options or ()]
    _check_tmpfs(words)
    return ",".join(words)


def _target(kind: str, path: str) -> str:
    if not path:
        raise _invalid(kind, "field Target must not be empty")
    if not path.startswith("/"):
        raise _invalid(kind, f"invalid mount path: '{path}' mount path must be absolute")
    clean = "/" + posixpath.normpath(path).strip("/")
    if clean == "/":
        raise _invalid(kind, "invalid specification: destination can't be '/'")
    return clean
