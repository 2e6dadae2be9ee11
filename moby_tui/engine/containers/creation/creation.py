"""Creates a container: checks the request, merges it with the image's configuration, makes its volumes, writes its row and folder."""

from __future__ import annotations

import os
import posixpath
import stat
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import msgspec

from moby_tui.engine.containers import wire
from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.containers.start.isolation import references, settle_references
from moby_tui.engine.kernel import cgroup, fault
from moby_tui.engine.policy import admission, security
from moby_tui.engine.resources.images.manager import LocalImage
from moby_tui.engine.resources.images.snapshots import snapshot
from moby_tui.engine.runtime.configuration.log_options import DRIVERS as LOG_DRIVERS
from moby_tui.engine.runtime.configuration.log_options import validate as validate_log
from moby_tui.engine.store.containers import check_name
from moby_tui.engine.store.paths import ContainerPaths
from moby_tui.engine.store.records import record_files
from moby_tui.engine.store.records.containers import ContainerConfig as KeptConfig
from moby_tui.engine.store.records.containers import ContainerRecord, HostConfig, MountPoint
from moby_tui.engine.store.records.images import ExecutionConfig
from moby_tui.engine.store.state import LIMITED, STATE_FILE, now
from moby_tui.engine_options import EngineOptions
from moby_tui.errors import Conflict, InvalidArgument, NotFound, NotImplementedYet
from moby_tui.schema.container import ContainerConfig, ContainerCreate, ContainerCreated, NetworkingConfig
from moby_tui.schema.container import HostConfig as RequestedHostConfig

_OF_STEPS = EngineOptions(default_cgroupns_mode="private")


async def create(parts: Parts, asked: ContainerCreate, name: str, platform: str = "") -> ContainerCreated:
    """Creates a container. The answer has its id and the warnings of the checks.

    Raises ``NotFound`` for a missing image, ``Conflict`` for a name in use, ``InvalidArgument`` and ``NotImplementedYet``.
    """
    if name:
        check_name(name.removeprefix("/"))
    asked = msgspec.structs.replace(
        asked,
        # the engine's options are for users' containers; a step of a build has BuildKit's defaults
        host_config=_preset(_OF_STEPS if parts.step_images else parts.options(), asked.host_config),
    )
    asked, warnings = admission.check(asked)
    image = parts.images.resolve(asked.image)
    host = wire.host_to_keep(asked.host_config)
    if requested := wire.networking_to_keep(asked.networking_config):
        parts.networks.sandboxes.check_requested(requested.endpoints_config or {})
    if platform:
        _check_platform(image, asked.image, platform)
    warnings += security.resolve(host, parts.paths).warnings
    if (driver := host.log_config.type) not in ("", "none", *LOG_DRIVERS):
        raise InvalidArgument(f'error looking up logging plugin {driver}: plugin "{driver}" not found')
    validate_log(driver, host.log_config.config or {})
    ident = os.urandom(32).hex()
    config = wire.config_to_keep(_merge(asked, image, ident))
    if config.stop_signal:
        # imported here, since few containers have one of their own
        from moby_tui.stop_signal import parse_signal

        parse_signal(config.stop_signal)
    command = [*_words(config.entrypoint), *_words(config.cmd)]
    if not command:
        raise InvalidArgument("no command specified: give one after the image, or use an image that has one")
    has_mounts = _has_mounts(config, host)
    mounts: list[MountPoint] = []
    anonymous: list[str] = []
    try:
        async with (
            parts.volumes.guard() if has_mounts else nullcontext(),
            parts.secrets.guard() if host.secrets else nullcontext(),
        ):
            shared, anonymous_of_others = _inherited(parts, host.volumes_from or [])
            if has_mounts:
                own = {path: value for path, value in (config.volumes or {}).items() if _absolute(path) not in shared}
                volumes = await parts.volumes.resolve(msgspec.structs.replace(config, volumes=own), host)
                mounts, anonymous = volumes.mounts, volumes.anonymous
                for mount in mounts:
                    if mount.type == "image":
                        mount.name = parts.images.resolve(mount.source).id
                await _fill(parts, volumes.populated, image.layers)
            taken = {mount.destination for mount in mounts}
            _settle_host(parts, host)
            _check_ids(host, mounts)
            networking = wire.networking_to_keep(_networking(asked))
            if host.secrets:
                host.secrets = parts.secrets.settle(host.secrets, taken | shared.keys())
            if host.links:
                # imported here, since few containers have links
                from moby_tui.engine.containers import links

                networking = links.settle(parts, host, networking)
            inherited = [mount for path, mount in shared.items() if path not in taken]
            record = ContainerRecord(
                id=ident,
                name=name.removeprefix("/"),
                created=time.time(),
                created_at=now(),
                image=asked.image,
                image_id=image.id,
                path=command[0],
                args=command[1:],
                config=config,
                host_config=host,
                networking=networking,
                mounts=inherited + mounts,
                inherited_mounts=[mount.destination for mount in inherited],
                # the last container that has one, removed with its volumes, takes it along
                anonymous_volumes=anonymous + [mount.name for mount in inherited if mount.name in anonymous_of_others],
                warnings=warnings,
            )
            stored = _write(parts, record, image.layers)
            fault.point("create.row written")
    except BaseException:
        if anonymous:
            parts.volumes.remove_anonymous(anonymous)
        raise
    parts.event("create", stored)
    return ContainerCreated(id=stored.id, warnings=warnings)


def _inherited(parts: Parts, sources: list[str]) -> tuple[dict[str, MountPoint], set[str]]:
    """The mounts of ``--volumes-from``, by destination, and the names of the anonymous volumes among them."""
    if not sources:
        return {}, set()
    # imported here, since few containers have any
    from moby_tui.engine.containers.creation.inheritance import inherited

    return inherited(parts, sources)


def _has_mounts(config: KeptConfig, host: HostConfig) -> bool:
    """True if the container has mounts. Without one, as for most containers, no module for volumes is imported."""
    return bool(config.volumes or host.binds or host.mounts or host.tmpfs or host.volumes_from)


def _absolute(path: str) -> str:
    """The absolute path of a volume; an image may name it relative to the root."""
    return "/" + posixpath.normpath(f"/{path}").strip("/")


def _cleaned(path: str) -> str:
    """An absolute path without empty parts, ``.`` and ``..``."""
    return "/" + posixpath.normpath(path).lstrip("/") if path.startswith("/") else path


def _networking(asked: ContainerCreate) -> NetworkingConfig | None:
    if not asked.mac_address and (asked.networking_config is None or not asked.networking_config.endpoints_config):
        return None
    # imported here, since few requests name networks
    from moby_tui.engine.containers.creation import networking

    return networking.settle(asked)


def _check_platform(image: LocalImage, reference: str, platform: str) -> None:
    """Raises ``NotFound`` for an image of another platform: a client then pulls the image of the right one."""
    from moby_tui.engine.resources.images import platform as platforms
    from moby_tui.schema.oci import Platform

    wanted = platforms.parse(platform)
    image_platform = Platform(architecture=image.config.architecture, os=image.config.os, variant=image.config.variant)
    if not platforms.runs(wanted, image_platform):
        raise NotFound(
            f"image with reference {reference} was found but its platform ({platforms.text(image_platform)}) does not match "
            f"the specified platform ({platforms.text(wanted)})"
        )


async def _fill(parts: Parts, volumes: list[MountPoint], layers: list[Path]) -> None:
    """Copies the image's files at the volumes' destinations into empty volumes, before the container exists, so that it never has half of
    them.

    The files keep the owners of the image, also for a container in a user namespace. Raises ``StorageFull`` and ``MobyError``.
    """
    if not volumes or not layers:
        return
    # imported here, since few containers have volumes to fill
    from moby_tui.engine.kernel.trees import closing

    with closing(snapshot.mount(layers, None, None)) as root:
        for mount in volumes:
            await parts.volumes.populate(mount.name, root, mount.destination, mount.subpath)
    fault.point("create.volumes filled")


def _preset(options: EngineOptions, given: RequestedHostConfig) -> RequestedHostConfig:
    """A copy of a request's host configuration in which the engine's options stand for what the request leaves open.

    Raises ``InvalidArgument`` for a seccomp profile that cannot be read.
    """
    host = msgspec.structs.replace(given)
    _preset_log(options, host)
    host.shm_size = host.shm_size or options.default_shm_size
    host.ipc_mode = host.ipc_mode or options.default_ipc_mode
    host.cgroupns_mode = host.cgroupns_mode or options.default_cgroupns_mode
    host.cgroup_parent = host.cgroup_parent or options.cgroup_parent
    if host.init is None and options.init:
        host.init = True
    if options.default_ulimits:
        named = {limit.name for limit in host.ulimits or []}
        host.ulimits = [*(host.ulimits or []), *(limit for limit in options.default_ulimits if limit.name not in named)]
    _preset_security(options, host)
    return host


def _preset_log(options: EngineOptions, host: RequestedHostConfig) -> None:
    """Applies the engine's log options to a container that has the engine's log driver, named or not."""
    chosen = host.log_config.type or options.log_driver
    given = host.log_config.config or {}
    config = {**options.log_options, **given} if chosen == options.log_driver else given
    host.log_config = msgspec.structs.replace(host.log_config, type=chosen, config=config or host.log_config.config)


def _preset_security(options: EngineOptions, host: RequestedHostConfig) -> None:
    labels = [text.replace(":", "=", 1).partition("=")[0] for text in host.security_opt or []]
    added = []
    if options.no_new_privileges and "no-new-privileges" not in labels:
        added.append("no-new-privileges")
    if options.seccomp_profile not in ("", "builtin") and "seccomp" not in labels and not host.privileged:
        added.append(f"seccomp={_profile(options.seccomp_profile)}")
    if added:
        host.security_opt = [*(host.security_opt or []), *added]


def _profile(name: str) -> str:
    """The value of ``--security-opt seccomp=``: ``unconfined``, or the text of the profile in this file. Raises ``InvalidArgument``."""
    if name == "unconfined":
        return name
    try:
        return Path(name).read_text()
    except (OSError, ValueError) as error:
        raise InvalidArgument(f"opening seccomp profile ({name}) failed: {error}") from None


def _write(parts: Parts, record: ContainerRecord, layers: list[Path]) -> ContainerRecord:
    """Writes the container's row and makes its folder, or neither: a row without a folder is that of a removed container."""
    files = parts.files(record)
    furnish = partial(_make_folder, files, layers)
    try:
        try:
            stored = parts.store.insert(record, furnish)
        except Conflict:
            if not parts.is_free(record.name):
                raise
            stored = parts.store.insert(record, furnish)
    except BaseException:
        from moby_tui.engine.kernel.removal import remove_with_mount

        remove_with_mount(str(files.data), STATE_FILE, LIMITED)
        raise
    record_files.note_committed(files.data)
    return stored


def _make_folder(files: ContainerPaths, layers: list[Path], record: ContainerRecord) -> None:
    files.data.mkdir(mode=0o710)
    record_files.write_uncommitted(files.data, record.name, msgspec.json.encode(record))
    files.upper.mkdir(mode=0o755)
    fault.point("create.upper made")
    files.work.mkdir(mode=0o710)
    fault.point("create.folder made")
    if record.host_config.storage_opt:
        # imported here, since few containers have a limited layer
        from moby_tui.engine.containers import own_layer

        files = own_layer.limit(files, record.host_config.storage_opt)
    if layers:
        _copy_owner(layers[0], files.upper)
    if record.config.working_dir not in ("", "/"):
        # imported here, since most containers begin in the root
        from moby_tui.engine.containers.creation import working_directory

        working_directory.make(record.config.working_dir, layers, files)


def _copy_owner(layer: Path, upper: Path) -> None:
    """Gives the upper folder the mode and owner of the image's root, since overlayfs shows those of the top-most folder."""
    status = layer.stat()
    os.chown(upper, status.st_uid, status.st_gid)
    upper.chmod(stat.S_IMODE(status.st_mode))


def _merge(asked: ContainerCreate, image: LocalImage, ident: str) -> ContainerConfig:
    """The container's configuration: that of the request, then that of the image. Environment, labels, ports and volumes are joined
    (docker run, "Overriding image defaults")."""
    preset = image.config.config or ExecutionConfig()
    values = {name: getattr(asked, name) for name in ContainerConfig.__struct_fields__}
    config = ContainerConfig(**values)
    config.env = _merge_environment(preset.env or [], asked.env or [])
    config.labels = {**(preset.labels or {}), **(asked.labels or {})}
    config.exposed_ports = {**(preset.exposed_ports or {}), **(asked.exposed_ports or {})} or None
    config.volumes = {**(preset.volumes or {}), **(asked.volumes or {})} or None
    if not _words(asked.entrypoint):
        config.entrypoint = preset.entrypoint if asked.entrypoint is None else []
        # the image's arguments belong to the image's entrypoint
        config.cmd = asked.cmd if _words(asked.cmd) else preset.cmd
    else:
        # a list with nothing but an empty word takes the image's away
        config.entrypoint = None if _words(asked.entrypoint) == [""] else _words(asked.entrypoint)
    config.cmd = None if config.cmd is None else _words(config.cmd)
    config.user = asked.user or preset.user
    config.working_dir = _cleaned(asked.working_dir or preset.working_dir)
    config.stop_signal = asked.stop_signal or preset.stop_signal
    if asked.healthcheck or preset.healthcheck:
        # imported here, since few containers have a health check
        from moby_tui.engine.containers.start import health

        config.healthcheck = health.merge(asked.healthcheck, preset.healthcheck)
    config.healthcheck_on_failure_action = admission.on_failure(asked)
    if not config.hostname:
        config.hostname = os.uname().nodename if asked.host_config.network_mode == "host" else ident[:12]
    return config


def _settle_host(parts: Parts, host: HostConfig) -> None:
    """Completes the host configuration with defaults, and replaces names of containers in it by their ids."""
    host.network_mode = host.network_mode or "bridge"
    if host.network_mode == "default":
        host.network_mode = "bridge"
    if host.memory and not host.memory_swap:
        host.memory_swap = host.memory * 2
    # Docker has two values for "no limit", 0 and -1
    host.pids_limit = host.pids_limit if (host.pids_limit or 0) > 0 else None
    if host.oom_kill_disable is None and cgroup.detect().version == 1:
        # control groups of version 2 have no such switch
        host.oom_kill_disable = False
    if host.privileged or "host" in (host.pid_mode, host.ipc_mode):
        # as in Docker, no label confines one of them
        host.security_opt = list(dict.fromkeys([*(host.security_opt or []), "label=disable"]))
    # an empty list of links is none
    host.links = host.links or None
    settle_references(parts, host)
    if parts.options().userns_remap and not host.userns_mode:
        # imported here, since few engines remap user namespaces
        from moby_tui.engine.policy import remap

        host.userns_mode = remap.choose(parts.remap().mode, host, references(host))
    if not host.cgroupns_mode:
        # a user namespace cannot come back to the host's
        shares = cgroup.detect().version == 1 and host.userns_mode in ("", "host")
        host.cgroupns_mode = "host" if shares else "private"
    host.runtime = host.runtime or parts.runtimes().default
    _check_runtime(parts, host)
    host.log_config.type = host.log_config.type or "json-file"
    host.restart_policy.name = host.restart_policy.name or "no"


def _check_ids(host: HostConfig, mounts: list[MountPoint]) -> None:
    """Raises ``InvalidArgument`` for ``idmap`` of a container that has no user namespace; a start checks one that is shared."""
    for mount in mounts:
        if host.userns_mode in ("", "host") and "idmap" in mount.mode.split(","):
            from moby_tui.engine.policy import mount_ids  # few mounts have it

            raise mount_ids.without_map(mount.destination)


def _check_runtime(parts: Parts, host: HostConfig) -> None:
    """Raises ``InvalidArgument`` for an unknown runtime, ``NotImplementedYet`` for an option that only the built-in one has."""
    if parts.runtimes().resolve(host.runtime) and host.userns_mode not in ("", "host"):
        raise NotImplementedYet(f"option --userns {host.userns_mode} with --runtime {host.runtime}")


def _merge_environment(preset: list[str], asked: list[str]) -> list[str]:
    """The environment of the request, then the image's other variables, in Docker's order. Of a name that comes twice the last value counts
    in the container (``runtime/configuration/spec.py``)."""
    names = {entry.partition("=")[0] for entry in asked}
    return [*asked, *(entry for entry in preset if entry.partition("=")[0] not in names)]


def _words(value: list[str] | str | None) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])
