"""``-v``, ``--mount`` and ``--tmpfs``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from moby_tui.cli.values import comma
from moby_tui.cli.values.units import parse_size
from moby_tui.errors import InvalidArgument
from moby_tui.schema.container import BindOptions, ImageMountOptions, Mount, TmpfsOptions, VolumeDriverConfig, VolumeOptions

#: The types that have options of their own.
_FAMILIES = ("volume", "bind", "image", "tmpfs")
#: The keys that mean true if no value is given.
_BARE = frozenset(("readonly", "ro", "volume-nocopy", "bind-nonrecursive", "bind-create-src", "idmap"))
_OCTAL = re.compile(r"[0-7]{1,10}", re.ASCII)
#: As Go's strconv.ParseBool reads them.
_TRUE, _FALSE = ("1", "t", "T", "TRUE", "true", "True"), ("0", "f", "F", "FALSE", "false", "False")


def _absolute(source: str) -> str:
    """A source that names a path of the caller's (it begins with a dot) made absolute; names stay names."""
    return os.path.abspath(source) if source.startswith(".") else source


def volumes(specs: Iterable[str]) -> tuple[list[str], dict[str, dict[str, str]]]:
    """All ``-v``: the binds (``source:target[:options]``) and the anonymous volumes. Raises ``InvalidArgument``."""
    binds: list[str] = []
    anonymous: dict[str, dict[str, str]] = {}
    for spec in specs:
        parts = spec.split(":")
        if not 1 <= len(parts) <= 3 or not all(parts):
            raise InvalidArgument(f"invalid volume {spec!r}: write it as [source:]target[:options]")
        target = parts[0] if len(parts) == 1 else parts[1]
        if not target.startswith("/"):
            raise InvalidArgument(f"invalid volume {spec!r}: the path in the container must be absolute")
        if os.path.normpath(target) == "/":
            raise InvalidArgument(f"invalid volume {spec!r}: the target cannot be /")
        if len(parts) == 1:
            anonymous[target] = {}
        else:
            binds.append(":".join([_absolute(parts[0]), *parts[1:]]))
    return binds, anonymous


def tmpfs(specs: Iterable[str]) -> dict[str, str]:
    """All ``--tmpfs path[:options]``."""
    result: dict[str, str] = {}
    for spec in specs:
        path, _, options = spec.partition(":")
        result[path] = options
    return result


def _boolean(key: str, value: str) -> bool:
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise InvalidArgument(f"invalid value for {key}: {value}")


def parse_mount(spec: str) -> Mount:
    """One ``--mount type=bind,source=/a,target=/b,readonly``. Raises ``InvalidArgument``, with docker's texts."""
    try:
        return mount_of(spec)
    except InvalidArgument as error:
        raise InvalidArgument(f'invalid argument "{spec}" for "--mount" flag: {error}') from error


def mount_of(spec: str) -> Mount:
    """The same, without the words that name the option in the texts."""
    mount = Mount(type="volume")
    for key, equals, value in comma.fields("--mount", spec):
        if not equals and key not in _BARE:
            raise InvalidArgument(f"invalid field '{key}' must be a key=value pair")
        _set(mount, key, value if equals else "true")
    if mount.type == "bind":
        mount.source = _absolute(mount.source)
    if not mount.type:
        raise InvalidArgument("type is required")
    if not mount.target:
        raise InvalidArgument("target is required")
    for family in _FAMILIES:
        if getattr(mount, f"{family}_options") is not None and mount.type != family:
            raise InvalidArgument(f"cannot mix '{family}-*' options with mount type '{mount.type}'")
    if mount.bind_options:
        _check_recursion(mount, mount.bind_options)
    return mount


def _check_recursion(mount: Mount, options: BindOptions) -> None:
    if options.read_only_non_recursive and not mount.read_only:
        raise InvalidArgument("option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction")
    if options.read_only_force_recursive:
        if not mount.read_only:
            raise InvalidArgument("option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction")
        if options.propagation != "rprivate":
            raise InvalidArgument(
                "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction"
            )


def _set(mount: Mount, key: str, value: str) -> None:
    match key:
        case "type":
            mount.type = value.lower()
        case "source" | "src":
            mount.source = value
        case "target" | "dst" | "destination":
            mount.target = value
        case "readonly" | "ro":
            mount.read_only = _boolean(key, value)
        case "idmap":
            mount.id_map = _id_map(value)
        case "consistency":
            mount.consistency = value.lower()
        case "bind-propagation" | "bind-recursive" | "bind-nonrecursive" | "bind-create-src":
            mount.bind_options = mount.bind_options or BindOptions()
            _set_bind(mount.bind_options, key, value)
        case "uid" | "gid" | "mode":
            mount.volume_options = mount.volume_options or VolumeOptions()
            _set_volume(mount.volume_options, "volume-opt", f"{key}={value}")
        case "volume-nocopy" | "volume-subpath" | "volume-label" | "volume-driver" | "volume-opt":
            mount.volume_options = mount.volume_options or VolumeOptions()
            _set_volume(mount.volume_options, key, value)
        case "tmpfs-size" | "tmpfs-mode":
            mount.tmpfs_options = mount.tmpfs_options or TmpfsOptions()
            _set_tmpfs(mount.tmpfs_options, key, value)
        case "image-subpath":
            mount.image_options = ImageMountOptions(subpath=value)
        case _:
            raise InvalidArgument(f"unexpected key '{key}' in '{key}={value}'")


def _id_map(value: str) -> str:
    """The option as the engine reads it: podman's ``idmap``, ``idmap=true`` and ``idmap=uids=…;gids=…``."""
    if value in (*_TRUE, *_FALSE):
        return "idmap" if value in _TRUE else ""
    return f"idmap={value}"


def _set_bind(options: BindOptions, key: str, value: str) -> None:
    if key == "bind-propagation":
        options.propagation = value.lower()
    elif key == "bind-create-src":
        options.create_mountpoint = _boolean(key, value)
    elif key == "bind-nonrecursive":
        options.non_recursive = _boolean(key, value)
    elif value in ("disabled", "writable", "readonly", "enabled"):
        options.non_recursive = value == "disabled"
        options.read_only_non_recursive = value == "writable"
        options.read_only_force_recursive = value == "readonly"
    else:
        raise InvalidArgument(
            f'invalid value for bind-recursive: {value} (must be "enabled", "disabled", "writable", or "readonly")'
        )


def _set_volume(options: VolumeOptions, key: str, value: str) -> None:
    if key == "volume-nocopy":
        options.no_copy = _boolean(key, value)
    elif key == "volume-subpath":
        options.subpath = value
    elif key == "volume-label":
        name, _, text = value.partition("=")
        options.labels = {**(options.labels or {}), name: text}
    else:
        driver = options.driver_config = options.driver_config or VolumeDriverConfig()
        if key == "volume-driver":
            driver.name = value
        else:
            name, _, text = value.partition("=")
            driver.options = {**(driver.options or {}), name: text}


def _set_tmpfs(options: TmpfsOptions, key: str, value: str) -> None:
    if key == "tmpfs-size":
        try:
            options.size_bytes = parse_size(value)
        except InvalidArgument:
            raise InvalidArgument(f"invalid value for tmpfs-size: {value}") from None
    elif _OCTAL.fullmatch(value):
        options.mode = int(value, 8)
    else:
        raise InvalidArgument(f"invalid value for tmpfs-mode: {value}")
