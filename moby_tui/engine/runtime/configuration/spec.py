"""The OCI runtime configuration of a container: the whole contract between the engine and whatever runs it.

Specification: opencontainers/runtime-spec 1.2, config.md and config-linux.md.
"""

from __future__ import annotations

import os
import posixpath
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from moby_tui.engine.kernel.ids import IdMap
from moby_tui.engine.policy.security import SecurityProfile
from moby_tui.engine.protocol.configuration import Capabilities, Configuration, Hook, Linux, Mount, Process, Rlimit, Root
from moby_tui.engine.protocol.configuration import User as ProcessUser
from moby_tui.engine.protocol.defaults import STAGED, SYS
from moby_tui.engine.protocol.message import Json
from moby_tui.engine.runtime.configuration import devices as device_list
from moby_tui.engine.runtime.configuration import isolation, resources
from moby_tui.engine.runtime.configuration.isolation import Isolation
from moby_tui.engine.runtime.configuration.user import User
from moby_tui.engine.store.paths import ContainerPaths
from moby_tui.engine.store.records.containers import BindOptions, ContainerRecord, ExecConfig, MountPoint

if TYPE_CHECKING:
    from moby_tui.engine.runtime.configuration import cdi

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_STRICT = ["nosuid", "noexec", "nodev"]


class Identity(msgspec.Struct, frozen=True):
    """What only the start knows: the user as the root file system has it, and the security that policy decided on."""

    user: User
    security: SecurityProfile
    isolation: Isolation = msgspec.field(default_factory=Isolation)
    #: the layers, top-most first, of each image that is mounted, by its id
    images: dict[str, list[str]] = {}
    #: the modes that the root's own folders have where a tmpfs is mounted over them
    modes: dict[str, int] = {}


def build(record: ContainerRecord, identity: Identity, paths: ContainerPaths, *, cgroup: str, has_network: bool) -> Configuration:
    """The configuration. Raises ``InvalidArgument`` on a device that is not there, or a bind that cannot share its mounts."""
    config, host = record.config, record.host_config
    own = identity.isolation
    devices = device_list.resolve(host)
    _check_propagation(record)
    limits = resources.limits(host)
    limits.devices = devices.rules
    configuration = Configuration(
        oci_version="1.2.0",
        process=_process(record, identity, record.config.tty),
        root=Root(path=str(paths.run / "rootfs"), readonly=host.readonly_rootfs),
        hostname="" if host.uts_mode == "host" else config.hostname,
        domainname=config.domainname,
        mounts=isolation.adapt_mounts(_mounts(record, own.names or paths, identity), host, record.mounts, own),
        linux=Linux(
            namespaces=isolation.namespaces(host, own, has_network=has_network),
            uid_mappings=own.uids,
            gid_mappings=own.gids,
            cgroups_path=cgroup,
            resources=limits.values(),
            devices=devices.nodes,
            sysctl=isolation.sysctls(host.sysctls or {}, host, own, has_network=has_network),
            masked_paths=identity.security.masked_paths,
            readonly_paths=identity.security.readonly_paths,
            seccomp=identity.security.seccomp,
        ),
        annotations=host.annotations or {},
    )
    if host.init:
        _put_init_first(configuration, paths)
    if devices.edits is not None:
        _edit(configuration, devices.edits)
    return configuration


def write(configuration: Configuration, path: Path) -> int:
    """Writes the whole configuration to ``path``; returns a file in memory (memfd_create(2)) with all but the rules of the seccomp filter.

    These are most of it, and those that make the container are given the compiled filter.
    """
    values = configuration.values()
    path.write_bytes(msgspec.json.encode(values))
    cast(Json, values["linux"]).pop("seccomp", None)
    memory = os.memfd_create("config.json", os.MFD_CLOEXEC)
    os.write(memory, msgspec.json.encode(values))
    return memory


def _check_propagation(record: ContainerRecord) -> None:
    """Checks the binds for which the request names a propagation that needs a source of its kind."""
    named = {
        _destination(mount.target): (mount.bind_options or BindOptions()).propagation for mount in record.host_config.mounts or ()
    }
    if propagating := [
        mount
        for mount in record.mounts
        if mount.type == "bind"
        and mount.propagation.lstrip("r") in ("shared", "slave")
        and mount.propagation in (named.get(mount.destination), *mount.mode.split(","))
    ]:
        # few containers come here
        from moby_tui.engine.runtime.configuration import propagation

        propagation.check(propagating)


def _put_init_first(configuration: Configuration, paths: ContainerPaths) -> None:
    """The command becomes the child of an init that lies on the host, so that an empty image needs none."""
    from moby_tui.engine.runtime import init

    program = init.program(paths.cache)
    configuration.mounts.append(
        Mount(destination=init.PATH, type="bind", source=str(program), options=["bind", "rprivate", "ro"])
    )
    configuration.process.args[:0] = [init.PATH, "--"]


def _edit(configuration: Configuration, edits: cdi.Edits) -> None:
    """What the Container Device Interface adds beside devices."""
    for hook in edits.hooks:
        configuration.hooks.of(hook.hook_name).append(Hook(path=hook.path, args=hook.args, env=hook.env, timeout=hook.timeout))
    process = configuration.process
    process.env = _merge_environment(process.env, edits.env)
    process.user.groups = list(dict.fromkeys([*process.user.groups, *edits.additional_gids]))
    for mount in edits.mounts:
        options = mount.options or ["rbind", "rprivate"]
        kind = "tmpfs" if mount.type == "tmpfs" else "bind"
        if kind == "bind" and not {"bind", "rbind"} & set(options):
            options = ["rbind", *options]
        configuration.mounts.append(Mount(destination=mount.container_path, type=kind, source=mount.host_path, options=options))


def exec_process(record: ContainerRecord, identity: Identity, config: ExecConfig) -> Process:
    """The OCI process object of an exec: the container's own environment (if it inherits that) and security, with what the exec asks for.

    ``TERM`` is there if the exec has a terminal, whether the container has one or not.
    """
    if not config.inherits_environment:
        record = msgspec.structs.replace(record, config=msgspec.structs.replace(record.config, env=[]))
    process = _process(record, identity, config.tty)
    process.args = config.cmd or []
    process.cwd = config.working_dir or process.cwd
    process.env = _with_home(_merge_environment(process.env, config.env or []), identity.user)
    return process


def _process(record: ContainerRecord, identity: Identity, tty: bool) -> Process:
    config, host, user, security = record.config, record.host_config, identity.user, identity.security
    environment = [f"PATH={DEFAULT_PATH}", f"HOSTNAME={config.hostname}", *(["TERM=xterm"] if tty else [])]
    environment = _merge_environment(environment, config.env or [])
    capabilities = list(security.capabilities)
    held = capabilities if user.uid == 0 else []
    return Process(
        terminal=tty,
        user=ProcessUser(uid=user.uid, gid=user.gid, groups=user.groups, umask=int(host.umask or "022", 8)),
        args=[record.path, *record.args],
        env=_with_home(environment, user),
        cwd=config.working_dir or "/",
        capabilities=Capabilities(bounding=capabilities, effective=held, permitted=held),
        no_new_privileges=security.no_new_privileges,
        apparmor_profile=security.apparmor_profile,
        rlimits=[Rlimit(type=f"RLIMIT_{limit.name.upper()}", soft=limit.soft, hard=limit.hard) for limit in host.ulimits or []],
        oom_score_adj=host.oom_score_adj,
    )


def _with_home(environment: list[str], user: User) -> list[str]:
    """An empty HOME counts as none, as for runc."""
    if any(entry.startswith("HOME=") and entry != "HOME=" for entry in environment):
        return environment
    return [*(entry for entry in environment if entry != "HOME="), f"HOME={user.home}"]


def _merge_environment(*parts: list[str]) -> list[str]:
    """Later entries win; one without ``=`` removes the name, as docker's does."""
    merged: dict[str, str] = {}
    for entry in (entry for part in parts for entry in part):
        name, equals, value = entry.partition("=")
        if equals:
            merged[name] = value
        else:
            merged.pop(name, None)
    return [f"{name}={value}" for name, value in merged.items()]


def _mounts(record: ContainerRecord, paths: ContainerPaths, identity: Identity) -> list[Mount]:
    host, own = record.host_config, identity.isolation
    writable = {"/sys": host.privileged, "/sys/fs/cgroup": identity.security.writable_cgroups}
    mounts = [_writable(mount) if writable.get(mount.destination) else mount for mount in (SYS, *STAGED)]
    if host.ipc_mode == "host":
        shared = Mount(destination="/dev/shm", type="bind", source="/dev/shm", options=["rbind", *_STRICT])
        mounts = [shared if mount.destination == "/dev/shm" else mount for mount in mounts]
    elif host.shm_size:
        options = [*_STRICT, "mode=1777", f"size={host.shm_size}"]
        sized = Mount(destination="/dev/shm", type="tmpfs", source="shm", options=options)
        mounts = [sized if mount.destination == "/dev/shm" else mount for mount in mounts]
    taken = {mount.destination for mount in record.mounts}
    mounts = [mount for mount in mounts if mount.destination not in taken]
    if "/dev" in taken:
        mounts = [mount for mount in mounts if not mount.destination.startswith("/dev/")]
    mounts += outer_first(own_files(record, paths) + asked_mounts(record, identity.images, identity.modes, own.uids, own.gids))
    return mounts + _secret_mounts([secret.target for secret in host.secrets]) if host.secrets else mounts


def _secret_mounts(targets: list[str]) -> list[Mount]:
    """Those that the monitor makes of what it is handed; nothing can be found at the source."""
    # few containers have any
    from moby_tui.engine.protocol.order import secret_mount

    return [
        Mount(destination=destination, type="bind", source="/proc/self/fd/secrets", options=["bind", "rprivate", "ro"])
        for destination in dict.fromkeys(map(secret_mount, targets))
    ]


def own_files(record: ContainerRecord, paths: ContainerPaths) -> list[Mount]:
    """What is bound over the image's own resolv.conf, hostname and hosts: read-only where the root is, as in Docker."""
    taken = {mount.destination for mount in record.mounts}
    options = ["rbind", "rprivate", *(["ro"] if record.host_config.readonly_rootfs else [])]
    return [
        Mount(destination=destination, type="bind", source=str(source), options=options)
        for destination, source in (
            ("/etc/resolv.conf", paths.resolv_conf),
            ("/etc/hostname", paths.hostname),
            ("/etc/hosts", paths.hosts),
        )
        if destination not in taken
    ]


def outer_first(mounts: list[Mount]) -> list[Mount]:
    """The mounts in the order in which they are made: an outer folder before what lies in it, so that one of /etc hides no own file."""
    return sorted(mounts, key=lambda mount: mount.destination.rstrip("/").count("/"))


def asked_mounts(
    record: ContainerRecord, images: dict[str, list[str]], modes: dict[str, int], uids: IdMap, gids: IdMap
) -> list[Mount]:
    """The binds, volumes, images and tmpfs of a container. See ``Identity``; ``outer_first`` has the order.

    ``uids`` and ``gids`` are the maps of its user namespace, empty ones without. Raises ``InvalidArgument`` for ids that are not mapped.
    """
    binds = {_destination(mount.target): mount.bind_options for mount in record.host_config.mounts or ()}
    mounts = []
    for mount in record.mounts:
        mounts.append(_asked_mount(mount, binds.get(mount.destination) or BindOptions(), images, modes))
        if "idmap" in mount.mode:
            _map_ids(mounts[-1], mount.mode, uids, gids)
    return mounts


def _destination(target: str) -> str:
    """The path of a request's mount as the container's mounts have it."""
    return "/" + posixpath.normpath(target).strip("/")


def _map_ids(mount: Mount, mode: str, uids: IdMap, gids: IdMap) -> None:
    """Has the ids of a bind or volume mapped as its option ``idmap`` says."""
    # few mounts have it
    from moby_tui.engine.policy import mount_ids

    if wanted := mount_ids.of_mode(mode):
        mount.options = [*mount.options, "idmap"]
        if wanted.is_own:
            mount.uid_mappings, mount.gid_mappings = wanted.maps(uids, gids)


def _writable(mount: Mount) -> Mount:
    return mount.replaced(options=["rw" if option == "ro" else option for option in mount.options])


def _asked_mount(mount: MountPoint, bind: BindOptions, images: dict[str, list[str]], modes: dict[str, int]) -> Mount:
    """Read-only is so for what is mounted below too, unless asked otherwise, as in Docker since version 25."""
    if mount.type == "tmpfs":
        options = ["nosuid", "nodev", "noexec", *(option for option in mount.mode.split(",") if option)]
        if mount.destination in modes and not any(option.startswith("mode=") for option in options):
            options.append(f"mode={modes[mount.destination]:o}")
        return Mount(destination=mount.destination, type="tmpfs", source="tmpfs", options=options)
    reach = "bind" if bind.non_recursive else "rbind"
    read_only = "ro" if bind.non_recursive or bind.read_only_non_recursive else "rro"
    options = [reach, mount.propagation or "rprivate", "rw" if mount.rw else read_only]
    return Mount(
        destination=mount.destination,
        type="bind",
        source=mount.source,
        options=options,
        subpath=mount.subpath or "",
        layers=images[mount.name] if mount.type == "image" else None,
    )
