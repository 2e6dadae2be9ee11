"""The namespaces of a container at its start: those of other containers that it joins, and its user namespace. Runs before its root is
mounted."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec

from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.kernel.ids import IdMap
from moby_tui.engine.kernel.network import netns
from moby_tui.engine.runtime.configuration.isolation import Isolation
from moby_tui.engine.store.records.containers import ContainerRecord, HostConfig
from moby_tui.errors import Conflict, InvalidArgument, MobyError, NotFound

if TYPE_CHECKING:
    from moby_tui.engine.policy.user_namespaces import UserNamespace

_CONTAINER = "container:"
_TRACES = "CAP_SYS_PTRACE"


def references(host: HostConfig) -> dict[str, str]:
    """From each kind of namespace that another container shares (``pid``, ``ipc``, ``network``) to that container's name or id."""
    modes = {"pid": host.pid_mode, "ipc": host.ipc_mode, "network": host.network_mode}
    return {kind: mode.removeprefix(_CONTAINER) for kind, mode in modes.items() if mode.startswith(_CONTAINER)}


def settle_references(parts: Parts, host: HostConfig) -> None:
    """Replaces the names of containers in the modes by their ids, as docker does, since a container can be renamed. The name
    of a container that is not there yet stays if only its network or user namespace is shared. Raises ``InvalidArgument``."""
    for field in ("pid_mode", "ipc_mode", "network_mode", "userns_mode"):
        mode: str = getattr(host, field)
        if mode.startswith(_CONTAINER):
            try:
                setattr(host, field, _CONTAINER + parts.get(mode.removeprefix(_CONTAINER)).id)
            except NotFound as error:
                if field in ("pid_mode", "ipc_mode"):
                    raise InvalidArgument(error.message) from error


def with_names(parts: Parts, record: ContainerRecord) -> ContainerRecord:
    """A copy of the record with the host name of the container whose network it joins, as with docker; else the record itself."""
    ref = references(record.host_config).get("network")
    if ref is None:
        return record
    other = _shared_with(parts, "network", ref).config
    config = msgspec.structs.replace(record.config, hostname=other.hostname, domainname=other.domainname)
    return msgspec.structs.replace(record, config=config)


async def prepare(parts: Parts, record: ContainerRecord) -> Isolation:
    """Opens the namespaces that the container joins, and makes its user namespace. The caller closes what is returned.

    Raises ``Conflict`` if a container to join does not run, ``InvalidArgument`` if it cannot be joined, ``NotFound`` if there is none.
    """
    host = record.host_config
    others = references(host)
    isolation = Isolation()
    if not others and host.userns_mode in ("", "host"):
        return isolation
    # imported here, since few containers have a user namespace
    from moby_tui.engine.policy import user_namespaces

    wanted = user_namespaces.parse(host.userns_mode)
    try:
        for kind, ref in others.items():
            _join(parts, record, isolation, kind, ref)
        if wanted.kind == "container":
            await _join_user_namespace(parts, isolation, wanted.container)
        elif wanted.kind != "host":
            await _make_user_namespace(parts, isolation, wanted)
        if isolation.uids:
            _check_owners(parts, isolation, wanted, others)
    except BaseException:
        isolation.close()
        raise
    return isolation


def _join(parts: Parts, record: ContainerRecord, isolation: Isolation, kind: str, ref: str) -> None:
    from moby_tui.engine.kernel import namespaces

    target = _running(parts, record, kind, ref)
    if kind == "ipc" and target.host_config.ipc_mode in ("", "private", "none"):
        hint = "non-shareable IPC (hint: use IpcMode:shareable for the donor container)"
        raise InvalidArgument(f"failed to join IPC namespace: container {target.id}: {hint}")
    if kind == "pid":
        _check_tracing(parts, record, target)
    pid, isolation.joined[kind] = _open(parts, target, kind)
    isolation.paths[kind] = f"/proc/{pid}/ns/{namespaces.KINDS[kind][1]}"
    if kind == "ipc":
        isolation.trees["/dev/shm"] = _shared_memory(parts, target)
        isolation.sources["/dev/shm"] = f"/proc/{pid}/root/dev/shm"
    elif kind == "network":
        isolation.names = parts.files(target)


def _check_tracing(parts: Parts, record: ContainerRecord, target: ContainerRecord) -> None:
    """Refuses a container that could trace execs while they still have root's capabilities (CVE-2016-9962).

    An exec gives everything up before it enters the pid namespace, unless the seccomp filter that it loads then keeps it from making a
    process there (``plan.exec.compile_exec``). Only the container that the namespace was made for has such execs: those of containers that
    joined it are refused. Raises ``InvalidArgument``.
    """
    from moby_tui.engine.policy import capabilities

    host = record.host_config
    if _TRACES not in capabilities.resolve(host.cap_add, host.cap_drop, privileged=host.privileged).granted:
        return
    while ref := references(target.host_config).get("pid"):
        target = parts.get(ref)
    bundle = _bundle(parts, target)
    if bundle.linux.seccomp is None or bundle.process.no_new_privileges:
        return
    from moby_tui.engine.policy.seccomp.cache import cached_program
    from moby_tui.engine.protocol.filter import MAKES_PROCESSES, admits

    loadable = cached_program(parts.paths, bundle.linux.seccomp).read_bytes()
    if not admits(loadable, MAKES_PROCESSES):
        raise InvalidArgument(
            f"cannot join the PID namespace of container {target.id} with CAP_SYS_PTRACE: its seccomp profile refuses clone, setsid, ioctl, "
            f"read or write, so that its execs could be traced while they enter; drop SYS_PTRACE, or give {target.name} no-new-privileges"
        )


def _shared_with(parts: Parts, kind: str, ref: str) -> ContainerRecord:
    try:
        return parts.get(ref)
    except NotFound as error:
        raise NotFound(
            f"joining {kind if kind == 'network' else kind.upper()} namespace of container: {error.message}"
        ) from error


def _running(parts: Parts, record: ContainerRecord, kind: str, ref: str) -> ContainerRecord:
    """The container to join. Raises ``InvalidArgument``, ``Conflict`` and ``MobyError`` with the Docker Engine's texts."""
    target = _shared_with(parts, kind, ref)
    if target.id == record.id:
        raise InvalidArgument(f"cannot join own {'network' if kind == 'network' else kind.upper()} namespace")
    state = parts.state(target)
    if state.status == "restarting":
        raise Conflict(f"Container {target.id} is restarting, wait until the container is running")
    if not state.alive or parts.is_orphan(target, state):
        if kind == "network":
            raise Conflict(f"cannot join network namespace of a non running container: container {target.name} is {state.status}")
        text = f"failed to join {kind.upper()} namespace: container {target.id} is not running"
        # of a pid namespace dockerd says so at a later step, as an error of its own
        raise MobyError(text) if kind == "pid" else Conflict(text)
    return target


def _open(parts: Parts, target: ContainerRecord, kind: str) -> tuple[int, int]:
    """The pid of the container's first process, and a descriptor of its namespace of this kind. Raises ``Conflict`` if it has just ended."""
    from moby_tui.engine.kernel import namespaces

    state = parts.state(target)
    try:
        return state.pid, namespaces.open_of(state.pid, state.pid_started, [kind])[0]
    except OSError as error:
        raise Conflict(f"cannot join the {kind} namespace of container {target.id}: it has just ended") from error


def _shared_memory(parts: Parts, target: ContainerRecord) -> int:
    """A descriptor of a copy of the container's mount of /dev/shm, which has the same memory.

    It is opened in the container's mount namespace, never by a path of the host, which the container could replace. Raises ``MobyError``.
    """
    from moby_tui.engine.kernel import namespaces

    _, mounted = _open(parts, target, "mount")
    try:
        return netns.on_own_thread(lambda: namespaces.clone_tree(mounted, "/dev/shm"))
    except OSError as error:
        raise MobyError(f"cannot share /dev/shm of container {target.id}: {os.strerror(error.errno or 0).lower()}") from error
    finally:
        os.close(mounted)


async def _make_user_namespace(parts: Parts, isolation: Isolation, wanted: UserNamespace) -> None:
    isolation.uids, isolation.gids = _maps(parts, isolation, wanted)
    user, network = await parts.launcher.make_user_namespace(isolation.uids, isolation.gids)
    isolation.joined["user"], isolation.network = user, network


def _maps(parts: Parts, isolation: Isolation, wanted: UserNamespace) -> tuple[IdMap, IdMap]:
    """The maps of user and group ids of a new user namespace. Claims a range of ids for ``auto``."""
    from moby_tui.engine.policy import user_namespaces

    if wanted.kind == "keep-id":
        return user_namespaces.identity_maps()
    if wanted.kind == "nomap":
        return user_namespaces.root_maps()
    if wanted.kind == "auto":
        from moby_tui.engine.store import id_ranges

        first, held = id_ranges.claim(parts.paths.id_ranges, user_namespaces.auto_pool(), wanted.size)
        isolation.kept.append(held)
        ids = [{"containerID": 0, "hostID": first, "size": wanted.size}]
        return ids, ids
    if wanted.uid_name:
        return user_namespaces.shared_maps(wanted.uid_name, wanted.gid_name)
    return wanted.uids, wanted.gids


async def _join_user_namespace(parts: Parts, isolation: Isolation, ref: str) -> None:
    """Joins the user namespace of another container. The range of ids stays claimed until both have ended. Raises ``Conflict``."""
    target = parts.get(ref)
    state = parts.state(target)
    if not state.alive or parts.is_orphan(target, state):
        raise Conflict(f"failed to join USER namespace: container {target.id} is not running")
    isolation.uids, isolation.gids = maps_of(parts, target)
    if isolation.uids:
        _, user = _open(parts, target, "user")
        try:
            made = await parts.launcher.make_user_namespace([], [], user)
        finally:
            os.close(user)
        isolation.joined["user"], isolation.network = made
        from moby_tui.engine.store import id_ranges

        held = id_ranges.share(parts.paths.id_ranges, isolation.uids[0]["hostID"], isolation.uids[0]["size"])
        isolation.kept += [] if held is None else [held]


def _check_owners(parts: Parts, isolation: Isolation, wanted: UserNamespace, others: dict[str, str]) -> None:
    """Checks that the joined namespaces belong to the container's user namespace: the kernel refuses to mount /proc and message queues of
    others.

    Raises ``InvalidArgument``.
    """
    for kind, ref in others.items():
        same = wanted.kind == "container" and maps_of(parts, parts.get(ref)) == (isolation.uids, isolation.gids)
        if kind == "network":
            isolation.owns_network = same
        elif not same:
            raise InvalidArgument(
                f"cannot join the {kind.upper()} namespace of container {ref} from another user namespace: use --userns container:{ref}"
            )


class _Linux(msgspec.Struct, rename="camel"):
    uid_mappings: IdMap = []
    gid_mappings: IdMap = []
    seccomp: dict[str, Any] | None = None


class _Process(msgspec.Struct, rename="camel"):
    no_new_privileges: bool = False


class _Bundle(msgspec.Struct):
    linux: _Linux
    process: _Process


def maps_of(parts: Parts, record: ContainerRecord) -> tuple[IdMap, IdMap]:
    """The id maps of a running container; empty ones if it is in the host's user namespace."""
    linux = _bundle(parts, record).linux
    return linux.uid_mappings, linux.gid_mappings


def _bundle(parts: Parts, record: ContainerRecord) -> _Bundle:
    return msgspec.json.decode(parts.files(record).bundle.read_bytes(), type=_Bundle)
