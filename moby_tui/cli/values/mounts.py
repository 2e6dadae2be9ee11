"""``-v``, ``--mount`` and ``--tmpfs``."""

from __future__ import annotations

import os
from collections.abc import Iterable

from moby_tui.cli.values import comma
from moby_tui.cli.values.units import parse_size
from moby_tui.errors import InvalidArgument
from moby_tui.schema.container import BindOptions, ImageMountOptions, Mount, TmpfsOptions, VolumeDriverConfig, VolumeOptions

_TYPES = ("bind", "volume", "tmpfs", "image")
_ALIASES = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly"}
_TRUE, _FALSE = ("", "1", "true"), ("0", "false")


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
        if not path.startswith("/"):
            raise InvalidArgument(f"invalid tmpfs {spec!r}: the path must be absolute")
        result[path] = options
    return result


def _boolean(key: str, value: str) -> bool:
    if value.lower() in _TRUE:
        return True
    if value.lower() in _FALSE:
        return False
    raise InvalidArgument(f"invalid value for {key} in --mount: {value!r}; use true or false")


def parse_mount(spec: str) -> Mount:
    """One ``--mount type=bind,source=/a,target=/b,readonly``. Raises ``InvalidArgument``."""
    fields = [(_ALIASES.get(key, key), value) for key, _, value in comma.fields("--mount", spec)]
    mount = Mount(type=next((value.lower() for key, value in fields if key == "type"), "volume"))
    if mount.type not in _TYPES:
        raise InvalidArgument(f"invalid mount type {mount.type!r}: use {', '.join(_TYPES)}")
    for key, value in fields:
        family = key.partition("-")[0]
        if family in _TYPES and family != mount.type and key != "type":
            raise InvalidArgument(f"option {key} cannot be used with a mount of type {mount.type}")
        _set(mount, key, value)
    if not mount.target:
        raise InvalidArgument(f"invalid --mount {spec!r}: target is required")
    if mount.type == "bind" and not mount.source:
        raise InvalidArgument(f"invalid --mount {spec!r}: source is required for a bind")
    return mount


def _set(mount: Mount, key: str, value: str) -> None:
    match key:
        case "type":
            pass
        case "source":
            mount.source = _absolute(value) if mount.type == "bind" else value
        case "target":
            mount.target = value
        case "readonly":
            mount.read_only = _boolean(key, value)
        case "consistency":
            mount.consistency = value.lower()
        case "bind-propagation" | "bind-recursive" | "bind-create-src":
            mount.bind_options = mount.bind_options or BindOptions()
            _set_bind(mount.bind_options, key, value)
        case "volume-nocopy" | "volume-subpath" | "volume-label" | "volume-driver" | "volume-opt":
            mount.volume_options = mount.volume_options or VolumeOptions()
            _set_volume(mount.volume_options, key, value)
        case "tmpfs-size" | "tmpfs-mode":
            mount.tmpfs_options = mount.tmpfs_options or TmpfsOptions()
            _set_tmpfs(mount.tmpfs_options, key, value)
        case "image-subpath":
            mount.image_options = ImageMountOptions(subpath=value)
        case _:
            raise InvalidArgument(f"unknown key {key!r} in --mount")


def _set_bind(options: BindOptions, key: str, value: str) -> None:
    if key == "bind-propagation":
        options.propagation = value.lower()
    elif key == "bind-create-src":
        options.create_mountpoint = _boolean(key, value)
    elif value in ("disabled", "writable", "readonly", "enabled"):
        options.non_recursive = value == "disabled"
        options.read_only_non_recursive = value == "writable"
        options.read_only_force_recursive = value == "readonly"
    else:
        raise InvalidArgument(f"invalid value for bind-recursive: {value!r}; use enabled, disabled, writable or readonly")


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
        options.size_bytes = parse_size(value)
        return
    try:
        options.mode = int(value, 8)
    except ValueError:
        raise InvalidArgument(f"invalid value for tmpfs-mode: {value!r}; an octal mode is needed") from None
