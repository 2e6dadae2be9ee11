"""The Container Device Interface: what a vendor's file says must be done to a container that is to use a device.

Specification: github.com/cncf-tags/container-device-interface, SPEC.md (cdiVersion 0.3.0 to 1.1.0). Files are root's; they are
checked all the same, so that a mistake in one is told and not acted on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from moby_tui.engine.store.records.containers import DeviceRequest
from moby_tui.errors import InvalidArgument, MobyError

#: Where the files are; the same device in a later folder wins.
FOLDERS = (Path("/etc/cdi"), Path("/var/run/cdi"))
_VERSIONS = frozenset(("0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0", "1.1.0"))
_MAX_BYTES = 4 * 1024 * 1024
_VENDOR = re.compile(r"[a-zA-Z](?:[a-zA-Z0-9_.-]*[a-zA-Z0-9])?")
_CLASS = re.compile(r"[a-zA-Z](?:[a-zA-Z0-9_-]*[a-zA-Z0-9])?")
_NAME = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9_.:-]*[a-zA-Z0-9])?")
#: The kinds of hook of the OCI runtime specification (config.md, "POSIX-platform Hooks").
HOOKS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
#: The vendors whose devices ``--gpus`` means, the first that has any.
_GPUS = ("nvidia.com/gpu", "amd.com/gpu")


class DeviceNode(Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    path: str
    host_path: str = ""
    type: str = ""
    major: int | None = None
    minor: int | None = None
    file_mode: int | None = None
    permissions: str = ""
    uid: int | None = None
    gid: int | None = None


class Hook(Struct, rename="camel", forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    hook_name: str
    path: str
    args: list[str] = field(default_factory=list)
    env: list[str] = field(default_factory=list)
    timeout: int | None = None


class CdiMount(Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    host_path: str
    container_path: str
    options: list[str] = field(default_factory=list)
    type: str = "bind"


class Edits(Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """``containerEdits``. What is not listed here (Intel RDT, network devices) makes the file invalid."""

    env: list[str] = field(default_factory=list)
    device_nodes: list[DeviceNode] = field(default_factory=list)
    mounts: list[CdiMount] = field(default_factory=list)
    hooks: list[Hook] = field(default_factory=list)
    additional_gids: list[int] = field(default_factory=list)

    def add(self, other: Edits) -> None:
        for name in self.__struct_fields__:
            getattr(self, name).extend(getattr(other, name))


class _Device(Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    name: str
    container_edits: Edits
    annotations: dict[str, str] = field(default_factory=dict)


class _File(Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    cdi_version: str
    kind: str
    devices: list[_Device]
    container_edits: Edits = field(default_factory=Edits)
    annotations: dict[str, str] = field(default_factory=dict)


class Registry(Struct):
    """What the folders hold. ``devices`` maps ``vendor.com/class=name`` to its file; ``errors`` says what is wrong with others."""

    devices: dict[str, tuple[_File, _Device]]
    errors: dict[Path, str]


def resolve(requests: Iterable[DeviceRequest], folders: Iterable[Path] = FOLDERS) -> Edits:
    """The edits for what ``--device vendor.com/class=name`` and ``--gpus`` ask for. Raises ``InvalidArgument`` and ``MobyError``."""
    requests = list(requests)
    if not requests:
        return Edits()
    registry = read(folders)
    edits, files = Edits(), set[int]()
    for name in dict.fromkeys(name for request in requests for name in _names(request, registry)):
        registered = registry.devices.get(name)
        if registered is None:
            reasons = "".join(f"; {path}: {text}" for path, text in registry.errors.items())
            raise failed(f"unresolvable CDI devices {name}{reasons}")
        file, device = registered
        if id(file) not in files:
            files.add(id(file))
            edits.add(file.container_edits)
        edits.add(device.container_edits)
    return edits


def failed(why: str) -> MobyError:
    return InvalidArgument(f"CDI device injection failed: {why}")


def _names(request: DeviceRequest, registry: Registry) -> list[str]:
    if request.driver == "cdi":
        if request.count:
            raise InvalidArgument("unexpected count in CDI device request")
        if request.options:
            raise InvalidArgument("unexpected options in CDI device request")
        return request.device_ids or []
    if any("gpu" in choice for choice in request.capabilities or []):
        for kind in _GPUS:
            names = [name for name in registry.devices if name.startswith(f"{kind}=")]
            if names and request.driver in ("", kind.partition(".")[0]):
                return _gpus(request, kind, names)
    capabilities = " ".join(f"[{' '.join(choice)}]" for choice in request.capabilities or [])
    raise MobyError(f'could not select device driver "{request.driver}" with capabilities: [{capabilities}]')


def _gpus(request: DeviceRequest, kind: str, names: list[str]) -> list[str]:
    """``--gpus`` as the vendor's CDI names: all, the first so many, or those named."""
    if request.device_ids:
        if request.count:
            raise InvalidArgument("cannot set both Count and DeviceIDs on device request")
        return [f"{kind}={name}" for name in request.device_ids]
    if request.count < 0:
        return [f"{kind}=all"] if f"{kind}=all" in names else names
    return [f"{kind}={number}" for number in range(request.count)]


def read(folders: Iterable[Path] = FOLDERS) -> Registry:
    """All devices. One that two files of the same folder define is nobody's; files that cannot be read are in ``errors``."""
    registry = Registry({}, {})
    for folder in folders:
        here: dict[str, tuple[_File, _Device]] = {}
        clashes: set[str] = set()
        for path in sorted((*folder.glob("*.json"), *folder.glob("*.yaml"))):
            try:
                file = _read_file(path)
            except (OSError, ValueError) as error:
                registry.errors[path] = str(error)
                continue
            for device in file.devices:
                name = f"{file.kind}={device.name}"
                if name in here:
                    clashes.add(name)
                    registry.errors[path] = f"{name} is defined by another file of this folder too"
                here[name] = (file, device)
        registry.devices |= here
        for name in clashes:
            del registry.devices[name]
    return registry


def _read_file(path: Path) -> _File:
    """Raises ``ValueError`` that says what is wrong with it."""
    with path.open("rb") as opened:
        data = opened.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise ValueError(f"it is larger than {_MAX_BYTES} bytes")
    file: _File = msgspec.convert(_parse(path, data), _File)
    _check(file)
    return file


def _parse(path: Path, data: bytes) -> Any:
    if path.suffix == ".json":
        return msgspec.json.decode(data)
    import yaml

    try:
        return yaml.safe_load(data)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None


def _check(file: _File) -> None:
    vendor, _, kind = file.kind.partition("/")
    _require(file.cdi_version in _VERSIONS, f"unknown cdiVersion {file.cdi_version!r}")
    _require(
        bool(_VENDOR.fullmatch(vendor) and _CLASS.fullmatch(kind)), f"{file.kind!r} is no kind, write it as vendor.com/class"
    )
    _require(bool(file.devices), "it has no devices")
    names = [device.name for device in file.devices]
    _require(len(names) == len(set(names)), "it names a device twice")
    for device in file.devices:
        _require(bool(_NAME.fullmatch(device.name)), f"{device.name!r} is no name of a device")
        _require(device.container_edits != Edits(), f"device {device.name} has no edits")
        _check_edits(device.container_edits)
    _check_edits(file.container_edits)


def _check_edits(edits: Edits) -> None:
    for entry in edits.env:
        _require(not entry.startswith("=") and "=" in entry and "\0" not in entry, f"{entry!r} is no environment variable")
    for node in edits.device_nodes:
        _require(node.path.startswith("/") and "\0" not in node.path + node.host_path, f"{node.path!r} is no device path")
        _require(node.type in ("", "b", "c", "u"), f"{node.type!r} is no type of a device node that can be made")
        _require(set(node.permissions) <= set("rwm"), f"{node.permissions!r} are no permissions")
        _require(node.file_mode is None or 0 <= node.file_mode <= 0o7777, f"{node.file_mode} is no mode of a file")
    for mount in edits.mounts:
        _require(mount.host_path.startswith("/") and mount.container_path.startswith("/"), "a mount needs two absolute paths")
        _require(mount.type in ("", "bind", "none", "tmpfs"), f"{mount.type!r} is no type of a mount that CDI knows")
    for hook in edits.hooks:
        _require(hook.hook_name in HOOKS and hook.path.startswith("/"), f"{hook.hook_name} {hook.path!r} is no hook")
    _require(all(0 <= gid < 2**32 - 1 for gid in edits.additional_gids), "a group number is out of range")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
