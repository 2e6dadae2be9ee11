"""Reading a bundle: what its configuration asks for, put into the one form that the plan knows; what we do not have is refused.

Specification: opencontainers/runtime-spec 1.2, config.md and config-linux.md.
"""

from __future__ import annotations

import os

from moby_tui.engine.protocol.configuration import (
    Configuration,
    DeviceRule,
    Linux,
    Mount,
    Process,
    Resources,
    Seccomp,
    check_mappings,
)
from moby_tui.engine.protocol.configuration import (
    read as read_configuration,
)
from moby_tui.engine.protocol.message import MalformedMessage
from moby_tui.errors import MobyError
from moby_tui.oci import listening

_DENY_ALL = DeviceRule(allow=False, access="rwm")
#: What every container may open whatever its rules say (as runc): the default devices, terminals; and it may make any node.
_ALLOWED_DEVICES = [
    DeviceRule(allow=True, type="c", access="m"),
    DeviceRule(allow=True, type="b", access="m"),
    *(
        DeviceRule(allow=True, type="c", major=major, minor=minor, access="rwm")
        for major, minor in ((1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2))
    ),
    DeviceRule(allow=True, type="c", major=136, access="rwm"),
]
_CGROUP_KINDS = frozenset({"cgroup", "cgroup2"})
#: The kernel uses the id above for "no id" (credentials(7)).
_MAX_ID = 2**32 - 2
#: What one may ask for and this runtime does not do: the name in the configuration, and why.
_REFUSED_LINUX = {
    "intelRdt": "intelRdt is not supported; leave it out",
    "mountLabel": "SELinux labels are not supported; leave mountLabel out",
}


def read(bundle: str) -> Configuration:
    """The configuration of the bundle, normalized. Raises ``MobyError`` with what is wrong in it."""
    path = f"{bundle}/config.json"
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        raise MobyError(f"JSON specification file {path} not found: name the bundle with --bundle") from None
    except OSError as error:
        raise MobyError(f"{path}: {(error.strerror or str(error)).lower()}") from error
    try:
        spec = read_configuration(data)
        seccomp = Seccomp.from_values(spec.linux.seccomp or {}, "config.json: linux: seccomp")
        resources = Resources.from_values(spec.linux.resources, "config.json: linux: resources")
        for mount in spec.mounts:
            check_mappings(mount.uid_mappings, f"config.json: uidMappings of the mount {mount.destination}")
            check_mappings(mount.gid_mappings, f"config.json: gidMappings of the mount {mount.destination}")
    except MalformedMessage as error:
        raise MobyError(str(error)) from error
    _check_shape(spec)
    _refuse(spec, seccomp)
    spec.root.path = os.path.realpath(os.path.join(bundle, spec.root.path))
    if not os.path.isdir(spec.root.path):
        raise MobyError(f"invalid rootfs: {spec.root.path} is not a directory")
    resources.devices = [*(resources.devices or [_DENY_ALL]), *_ALLOWED_DEVICES]
    spec.linux.resources = resources.values()
    has_user_namespace = any(namespace.type == "user" for namespace in spec.linux.namespaces)
    spec.mounts = [_normal_mount(mount, bundle, has_user_namespace=has_user_namespace) for mount in spec.mounts]
    # what is this program's own is not a bundle's to say
    spec.process.executable, spec.keyring = "", None
    return spec


def _check_shape(spec: Configuration) -> None:
    if not spec.root.path:
        raise MobyError("config.json: root.path is missing")
    if not spec.process.args:
        raise MobyError("config.json: process.args must not be empty")
    check_process(spec.process)
    if not spec.oci_version.startswith("1."):
        raise MobyError(f"config.json: version {spec.oci_version!r} of the specification is not supported; this is 1.2.0")
    kinds = [namespace.type for namespace in spec.linux.namespaces]
    if len(set(kinds)) != len(kinds):
        raise MobyError("config.json: a namespace is named twice")
    if "mount" not in kinds:
        raise MobyError("config.json: a container needs a mount namespace of its own")


def check_process(process: Process) -> None:
    """Raises ``MobyError`` for a process that cannot be, here or in ``exec``."""
    if not os.path.isabs(process.cwd):
        raise MobyError(f"process.cwd must be an absolute path, not {process.cwd!r}")
    if process.selinux_label:
        raise MobyError("SELinux labels are not supported; leave process.selinuxLabel out")
    if any("\0" in text for text in (*process.args, *process.env)):
        raise MobyError("process.args and process.env must not hold NUL bytes")
    user = process.user
    for number in (user.uid, user.gid, *user.groups):
        if not 0 <= number <= _MAX_ID:
            raise MobyError(f"process.user: the id {number!r} is not in range 0-{_MAX_ID}")


def _refuse(spec: Configuration, seccomp: Seccomp) -> None:
    linux = spec.linux
    others = linux.others
    for key, reason in _REFUSED_LINUX.items():
        if others.get(key):
            raise MobyError(reason)
    listening.check(seccomp)
    if any(namespace.type == "mount" and namespace.path for namespace in linux.namespaces):
        raise MobyError("joining a mount namespace is not supported; leave its path out")
    _check_user_namespace(linux)
    if linux.time_offsets and not any(namespace.type == "time" for namespace in linux.namespaces):
        raise MobyError("linux.timeOffsets needs a time namespace")


def _check_user_namespace(linux: Linux) -> None:
    own = [namespace for namespace in linux.namespaces if namespace.type == "user"]
    for key, rows in (("uidMappings", linux.uid_mappings), ("gidMappings", linux.gid_mappings)):
        if rows and not own:
            raise MobyError(f"linux.{key} needs a user namespace")
        if own and not own[0].path and not rows:
            raise MobyError(f"linux.{key} is missing: give it at least one row")


def _normal_mount(mount: Mount, bundle: str, *, has_user_namespace: bool) -> Mount:
    """One kind for every way to say bind mount or control groups, absolute paths, and no option that we do not have."""
    options, kind, source = [*mount.options], mount.type or "none", mount.source
    destination = os.path.normpath("/" + mount.destination.lstrip("/"))
    for option in options:
        if option.startswith(("idmap=", "ridmap=")):
            raise MobyError(f"mount option {option} of {destination} is not supported: give uidMappings and gidMappings")
    if mount.uid_mappings or mount.gid_mappings:
        for key, rows in (("uidMappings", mount.uid_mappings), ("gidMappings", mount.gid_mappings)):
            if not rows:
                raise MobyError(f"{key} of the mount {destination} is missing: give it at least one row")
        options += [] if {"idmap", "ridmap"} & set(options) else ["idmap"]
    if "bind" in options or "rbind" in options:
        kind, source = "bind", os.path.join(bundle, source)
    elif kind in _CGROUP_KINDS:
        kind = "cgroup"
    elif kind == "bind":
        options, source = ["bind", *options], os.path.join(bundle, source)
    if {"idmap", "ridmap"} & set(options):
        if kind != "bind":
            raise MobyError(f"the ids of the mount {destination} cannot be mapped: only a bind mount's can")
        if not (mount.uid_mappings or has_user_namespace):
            raise MobyError(f"the ids of the mount {destination} are to be mapped, but neither it nor the container has a map")
    if kind != "tmpfs" and "tmpcopyup" in options:
        raise MobyError(f"mount option tmpcopyup of {destination} is for tmpfs only")
    return Mount(
        destination=destination,
        type=kind,
        source=source,
        options=options,
        uid_mappings=mount.uid_mappings,
        gid_mappings=mount.gid_mappings,
    )
