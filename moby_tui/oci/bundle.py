"""Reading a bundle: what its configuration asks for, put into the one form that the plan knows; what we do not have is refused.

Specification: opencontainers/runtime-spec 1.2, config.md and config-linux.md.
"""

from __future__ import annotations

import json
import os
from typing import Any

from moby_tui.engine.protocol.configuration import Configuration, Part
from moby_tui.engine.protocol.message import MalformedMessage
from moby_tui.errors import MobyError
from moby_tui.oci import listening

Spec = dict[str, Any]
_DENY_ALL: Spec = {"allow": False, "access": "rwm"}
#: What every container may open whatever its rules say (as runc): the default devices, terminals; and it may make any node.
_ALLOWED_DEVICES: list[Spec] = [
    {"allow": True, "type": "c", "access": "m"},
    {"allow": True, "type": "b", "access": "m"},
    *(
        {"allow": True, "type": "c", "major": major, "minor": minor, "access": "rwm"}
        for major, minor in ((1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2))
    ),
    {"allow": True, "type": "c", "major": 136, "access": "rwm"},
]
_NAMESPACES = frozenset({"mount", "pid", "uts", "ipc", "network", "cgroup", "time", "user"})
_CGROUP_KINDS = frozenset({"cgroup", "cgroup2"})
#: The kernel uses the id above for "no id" (credentials(7)).
_MAX_ID = 2**32 - 2
#: What one may ask for and this runtime does not do: the name in the configuration, and why.
_REFUSED_LINUX = {
    "intelRdt": "intelRdt is not supported; leave it out",
    "mountLabel": "SELinux labels are not supported; leave mountLabel out",
}


def read(bundle: str) -> Spec:
    """The configuration of the bundle, normalized. Raises ``MobyError`` with what is wrong in it."""
    path = f"{bundle}/config.json"
    try:
        with open(path) as file:
            spec = json.load(file)
    except FileNotFoundError:
        raise MobyError(f"JSON specification file {path} not found: name the bundle with --bundle") from None
    except OSError as error:
        raise MobyError(f"{path}: {(error.strerror or str(error)).lower()}") from error
    except (ValueError, RecursionError) as error:
        raise MobyError(f"{path} is not JSON: {error}") from error
    check_types(Configuration, spec, "config.json")
    _check_shape(spec)
    _refuse(spec)
    spec["root"]["path"] = os.path.realpath(os.path.join(bundle, spec["root"]["path"]))
    if not os.path.isdir(spec["root"]["path"]):
        raise MobyError(f"invalid rootfs: {spec['root']['path']} is not a directory")
    resources = spec["linux"]["resources"] = spec["linux"].get("resources") or {}
    resources["devices"] = [*(resources.get("devices") or [_DENY_ALL]), *_ALLOWED_DEVICES]
    spec["mounts"] = [_normal_mount(mount, bundle) for mount in spec.get("mounts") or []]
    return spec  # type: ignore[no-any-return]


def check_types(part: type[Part], value: object, where: str) -> None:
    """Raises ``MobyError`` where what is used of this part of a configuration is of another type than the specification says."""
    try:
        part.from_values(value, where)
    except MalformedMessage as error:
        raise MobyError(str(error)) from error


def _check_shape(spec: Spec) -> None:
    process, root, linux = (spec.get(key) or {} for key in ("process", "root", "linux"))
    if not root.get("path"):
        raise MobyError("config.json: root.path is missing")
    if not process.get("args"):
        raise MobyError("config.json: process.args must not be empty")
    check_process(process)
    if not str(spec.get("ociVersion", "")).startswith("1."):
        raise MobyError(f"config.json: version {spec.get('ociVersion')!r} of the specification is not supported; this is 1.2.0")
    kinds = [namespace["type"] for namespace in linux.get("namespaces") or []]
    if len(set(kinds)) != len(kinds):
        raise MobyError("config.json: a namespace is named twice")
    for kind in kinds:
        if kind not in _NAMESPACES:
            raise MobyError(f"config.json: unknown namespace {kind!r}")
    if "mount" not in kinds:
        raise MobyError("config.json: a container needs a mount namespace of its own")


def check_process(process: Spec) -> None:
    """Raises ``MobyError`` for a process that cannot be, here or in ``exec``."""
    if not os.path.isabs(str(process.get("cwd") or "")):
        raise MobyError(f"process.cwd must be an absolute path, not {process.get('cwd')!r}")
    if process.get("selinuxLabel"):
        raise MobyError("SELinux labels are not supported; leave process.selinuxLabel out")
    if any("\0" in str(text) for text in (*process["args"], *(process.get("env") or []))):
        raise MobyError("process.args and process.env must not hold NUL bytes")
    user = process["user"] = process.get("user") or {}
    for number in (user.get("uid") or 0, user.get("gid") or 0, *(user.get("additionalGids") or [])):
        if not isinstance(number, int) or not 0 <= number <= _MAX_ID:
            raise MobyError(f"process.user: the id {number!r} is not in range 0-{_MAX_ID}")


def _refuse(spec: Spec) -> None:
    linux = spec["linux"]
    for key, reason in _REFUSED_LINUX.items():
        if linux.get(key):
            raise MobyError(reason)
    listening.check(linux.get("seccomp") or {})
    for namespace in linux["namespaces"]:
        if namespace["type"] == "mount" and namespace.get("path"):
            raise MobyError("joining a mount namespace is not supported; leave its path out")
        if not namespace.get("path"):
            namespace.pop("path", None)
    _check_user_namespace(linux)
    if linux.get("timeOffsets") and not any(namespace["type"] == "time" for namespace in linux["namespaces"]):
        raise MobyError("linux.timeOffsets needs a time namespace")


def _check_user_namespace(linux: Spec) -> None:
    own = [namespace for namespace in linux["namespaces"] if namespace["type"] == "user"]
    for key in ("uidMappings", "gidMappings"):
        if linux.get(key) and not own:
            raise MobyError(f"linux.{key} needs a user namespace")
        if own and not own[0].get("path"):
            check_mappings(f"linux.{key}", linux.get(key))


def check_mappings(name: str, rows: object) -> None:
    """Raises ``MobyError`` for what is no list of at least one row of three numbers."""
    keys = ("containerID", "hostID", "size")
    if not isinstance(rows, list) or not rows:
        raise MobyError(f"{name} is missing: give it at least one row")
    for row in rows:
        if not isinstance(row, dict) or not all(isinstance(row.get(key), int) and row[key] >= 0 for key in keys):
            raise MobyError(f"{name}: a row needs containerID, hostID and size")


def _normal_mount(mount: Spec, bundle: str) -> Spec:
    """One kind for every way to say bind mount or control groups, absolute paths, and no option that we do not have."""
    options = [str(option) for option in mount.get("options") or []]
    kind = str(mount.get("type") or "none")
    destination = os.path.normpath("/" + str(mount["destination"]).lstrip("/"))
    source = str(mount.get("source") or "")
    for option in options:
        if option.startswith(("idmap=", "ridmap=")):
            raise MobyError(f"mount option {option} of {destination} is not supported: give uidMappings and gidMappings")
    mapped = {key: mount[key] for key in ("uidMappings", "gidMappings") if mount.get(key)}
    if mapped:
        for key in ("uidMappings", "gidMappings"):
            check_mappings(f"{key} of the mount {destination}", mapped.get(key))
        options += [] if {"idmap", "ridmap"} & set(options) else ["idmap"]
    if "bind" in options or "rbind" in options:
        kind, source = "bind", os.path.join(bundle, source)
    elif kind in _CGROUP_KINDS:
        kind = "cgroup"
    elif kind == "bind":
        options, source = ["bind", *options], os.path.join(bundle, source)
    if kind != "bind" and {"idmap", "ridmap"} & set(options):
        raise MobyError(f"the ids of the mount {destination} cannot be mapped: only a bind mount's can")
    if kind != "tmpfs" and "tmpcopyup" in options:
        raise MobyError(f"mount option tmpcopyup of {destination} is for tmpfs only")
    return {"destination": destination, "type": kind, "source": source, "options": options, **mapped}
