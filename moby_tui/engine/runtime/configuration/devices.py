"""The devices of a container: the nodes made in its /dev, and what its control group lets it open."""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING

from msgspec import Struct

from moby_tui.engine.protocol.configuration import Device, DeviceRule
from moby_tui.engine.protocol.defaults import DEVICE_RULES
from moby_tui.engine.store.records.containers import DeviceMapping, HostConfig
from moby_tui.errors import InvalidArgument

if TYPE_CHECKING:
    from moby_tui.engine.runtime.configuration import cdi

#: Of every container its own.
_OWN = frozenset(("pts", "shm", "mqueue", "fd", "console"))


class Devices(Struct):
    """``nodes`` and ``rules`` in the words of the OCI runtime specification; ``edits`` is what CDI adds beside devices."""

    nodes: list[Device]
    rules: list[DeviceRule]
    edits: cdi.Edits | None


def resolve(host: HostConfig) -> Devices:
    """Raises ``InvalidArgument`` for a device that is not there, ``MobyError`` for a CDI device that cannot be had."""
    edits = _cdi_edits(host)
    nodes: dict[str, Device] = {}
    rules = [DeviceRule(allow=True, access="rwm")] if host.privileged else list(DEVICE_RULES)
    if host.privileged:
        nodes |= {node.path: node for path in _tree("/dev") if (node := _node(path, path)) is not None}
    pairs = [pair for mapping in host.devices or [] for pair in _mapped(mapping)]
    pairs += [_cdi_node(device) for device in (edits.device_nodes if edits else ())]
    for node, access in pairs:
        nodes[node.path] = node
        if access and not host.privileged:
            rules.append(_rule(node.type, node.major, node.minor, access))
    if not host.privileged:
        rules += [_asked_rule(text) for text in host.device_cgroup_rules or []]
    return Devices(list(nodes.values()), rules, edits)


def _rule(kind: str, major: int | None, minor: int | None, access: str) -> DeviceRule:
    return DeviceRule(allow=True, type=kind, major=major, minor=minor, access=access)


def _asked_rule(text: str) -> DeviceRule:
    """``c 13:* rwm``."""
    # imported here, since few containers have such rules
    from moby_tui.engine.policy.admission import DEVICE_RULE

    match = re.fullmatch(DEVICE_RULE, text)
    if match is None:
        raise InvalidArgument(f"invalid device cgroup rule format: '{text}'")
    kind, access = match[1], match[4]
    major, minor = (None if number == "*" else int(number) for number in match.group(2, 3))
    return _rule(kind, major, minor, access)


def _mapped(mapping: DeviceMapping) -> list[tuple[Device, str]]:
    """The nodes of one ``--device``: a device, or all that are in a directory, links to them followed."""
    source, inside = mapping.path_on_host, mapping.path_in_container or mapping.path_on_host
    access = mapping.cgroup_permissions or "rwm"
    try:
        mode = os.stat(source).st_mode
    except OSError as error:
        raise _unusable(source, (error.strerror or str(error)).lower()) from None
    if not stat.S_ISDIR(mode):
        node = _node(source, inside)
        if node is None:
            raise _unusable(source, "not a device node")
        return [(node, access)]
    source = os.path.realpath(source)
    nodes = [_node(path, inside.rstrip("/") + path.removeprefix(source)) for path in _tree(source)]
    if not any(nodes):
        raise _unusable(mapping.path_on_host, "not a device node")
    return [(node, access) for node in nodes if node is not None]


def _unusable(path: str, why: str) -> InvalidArgument:
    return InvalidArgument(f'error gathering device information while adding custom device "{path}": {why}')


def _node(source: str, path: str) -> Device | None:
    try:
        status = os.stat(source)
    except OSError:
        return None
    if not (stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode)):
        return None
    return Device(
        path=path,
        type="b" if stat.S_ISBLK(status.st_mode) else "c",
        major=os.major(status.st_rdev),
        minor=os.minor(status.st_rdev),
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
    )


def _tree(folder: str) -> list[str]:
    """The device nodes below a folder of the host, without terminals and what each container has of its own."""
    paths: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name in _OWN:
                continue
            if entry.is_dir(follow_symlinks=False):
                paths += _tree(entry.path)
            elif not entry.is_file(follow_symlinks=False) and not entry.is_symlink():
                paths.append(entry.path)
    return paths


def _cdi_edits(host: HostConfig) -> cdi.Edits | None:
    if not host.device_requests:
        return None
    # few containers have any
    from moby_tui.engine.runtime.configuration import cdi

    return cdi.resolve(host.device_requests)


def _cdi_node(device: cdi.DeviceNode) -> tuple[Device, str]:
    """A node as its CDI file has it; what the file leaves out is the host's (CDI specification, "deviceNodes")."""
    source = device.host_path or device.path
    node = _node(source, device.path)
    if node is None:
        if device.type not in ("b", "c", "u") or device.major is None or device.minor is None:
            from moby_tui.engine.runtime.configuration import cdi

            raise cdi.failed(f"{source} is not a device of this machine")
        node = Device(path=device.path, type=device.type, major=device.major, minor=device.minor, mode=0o600)
    changes = {
        "type": device.type and ("b" if device.type == "b" else "c"),
        "major": device.major,
        "minor": device.minor,
        "mode": device.file_mode,
        "uid": device.uid,
        "gid": device.gid,
    }
    named = {name: value for name, value in changes.items() if value not in (None, "")}
    return node.replaced(**named), device.permissions or "rwm"
