"""Starts a container: prepares its namespaces, root, network, user and configuration, and sends the order to its monitor. Runs in an
engine."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from moby_tui.engine.containers import logs
from moby_tui.engine.containers.parts import Parts, event_attributes
from moby_tui.engine.containers.start import isolation as isolations
from moby_tui.engine.containers.start import orphans
from moby_tui.engine.kernel import fault
from moby_tui.engine.kernel.path import open_in_root
from moby_tui.engine.policy import security
from moby_tui.engine.protocol import order as protocol
from moby_tui.engine.protocol.descriptors import Descriptors
from moby_tui.engine.protocol.network import Holding
from moby_tui.engine.protocol.order import ExitEvent, Order
from moby_tui.engine.resources.images.snapshots import snapshot
from moby_tui.engine.resources.networks.endpoints import ContainerNames
from moby_tui.engine.resources.networks.sandbox import Sandbox
from moby_tui.engine.resources.networks.sandboxes import SandboxRequest
from moby_tui.engine.runtime.client import attachment
from moby_tui.engine.runtime.client.launcher import MonitorKilled
from moby_tui.engine.runtime.configuration import spec, user
from moby_tui.engine.runtime.configuration.isolation import Isolation
from moby_tui.engine.store.disk import check_writable, refusals_told
from moby_tui.engine.store.locks import FileLock
from moby_tui.engine.store.paths import ContainerPaths
from moby_tui.engine.store.records import record_files
from moby_tui.engine.store.records.containers import ContainerRecord, NetworkState
from moby_tui.engine.store.state import State
from moby_tui.errors import CommandNotFound, CommandNotInvocable, Conflict, MobyError, NotFound, NotModified

_EXIT_CODES: dict[type[Exception], int] = {CommandNotFound: 127, CommandNotInvocable: 126}


class _Root(msgspec.Struct, frozen=True):
    """The descriptor of the root's mount, and the folders that it shows, from which the monitor mounts it again for a restart."""

    mount: int
    folders: protocol.RootMount


async def start(parts: Parts, record: ContainerRecord, *, restarts: int = 0, trees: Mapping[str, int] | None = None) -> None:
    """Starts a container that does not run, and returns when its program runs.

    ``restarts`` is the number of starts by its restart policy, this one included. ``trees`` are descriptors of mounts that take the place
    of the record's binds in this run, by destination; they stay open, and the caller closes them. Raises ``NotModified`` if the container
    runs already, ``Conflict``, ``CommandNotFound``, ``CommandNotInvocable`` and other ``MobyError``s.
    """
    lock = await parts.acquire(record)
    try:
        state = parts.state(record)
        if parts.is_orphan(record, state):
            state = await orphans.settle(parts, record, state)
        if state.status == "paused" and state.alive:
            raise Conflict("cannot start a paused container, try unpause instead")
        if state.alive:
            raise NotModified(f"container {record.name} is running already")
        _check_stays(parts, record, state)
        await parts.until_cut_off_has_ended(record, state.monitor)
        # a creator that was killed has not done it
        record_files.note_committed(parts.files(record).data)
        fault.point("start.locked")
        with refusals_told(parts.paths.data_root, parts.paths.exec_root):
            await _start(parts, record, lock, restarts, trees or {})
        fault.point("start.done")
        if record.host_config.auto_remove:
            parts.will_leave(record)
    finally:
        lock.release()


def _check_stays(parts: Parts, record: ContainerRecord, state: State) -> None:
    """Raises ``NotFound`` for a removed container, ``Conflict`` for one with ``--rm`` that has ended and is being removed."""
    if not parts.files(record).data.exists():
        raise NotFound(f"No such container: {record.name}")
    if record.host_config.auto_remove and state.status == "exited":
        raise Conflict(f"container {record.name} is marked for removal and cannot be started")


async def _start(parts: Parts, record: ContainerRecord, lock: FileLock, restarts: int, trees: Mapping[str, int]) -> None:
    files = parts.files(record)
    waiting = attachment.waiting(files.attachments)
    has_begun = False
    try:
        try:
            await _prepare_and_start(parts, record, files, lock, restarts, trees)
        except MonitorKilled:
            # a client that was attached has lost its stream with this monitor, and would not see the output of a second run
            if attachment.waiting(files.attachments) != waiting:
                raise
            has_begun = await _settle_killed(parts, record, files, remove=False)
            if has_begun:
                raise
            await _prepare_and_start(parts, record, files, lock, restarts, trees)
    except (MobyError, OSError, RuntimeError) as error:
        # RuntimeError: the kernel refuses to start another thread
        if not (has_begun or await _settle_killed(parts, record, files)):
            _record_failure(files, error)
        attachment.dismiss(files.attachments)
        if record.host_config.auto_remove and files.data.exists():
            _remove(parts, record, files)
        raise


async def _prepare_and_start(
    parts: Parts, record: ContainerRecord, files: ContainerPaths, lock: FileLock, restarts: int, trees: Mapping[str, int]
) -> None:
    record = isolations.with_names(parts, record)
    linked_hosts = ""
    if record.host_config.links:
        from moby_tui.engine.containers import links  # imported here, since few containers have links

        linked = links.linked(parts, record)
        record, linked_hosts = links.with_environment(record, linked), links.host_lines(linked)
    isolation = await isolations.prepare(parts, record)
    isolation.trees |= {destination: os.dup(tree) for destination, tree in trees.items()}
    held = None
    try:
        if secrets := record.host_config.secrets:
            from moby_tui.engine.tasks import in_thread  # imported here, since few containers have secrets

            await in_thread(parts.secrets.open, secrets, isolation.uids, isolation.gids, isolation.secrets)
        if any(mount.type == "volume" and mount.driver != "local" for mount in record.mounts):
            # some plug-ins do not count their mounts: the last run's unmount has to come before this run's mount
            await parts.until_put_away(record)
        if any(mount.type == "volume" for mount in record.mounts):
            held = await parts.volumes.mounts.hold(record.mounts)
            isolation.volumes, isolation.plugin_mounts = held.locks, held.records
            if held.places:
                record = msgspec.structs.replace(record, mounts=held.with_places(record.mounts))
        fault.point("start.volumes mounted")
        await _start_isolated(parts, record, files, lock, isolation, restarts, linked_hosts)
    finally:
        isolation.close()
        if held is not None:
            await parts.volumes.mounts.unmount_released(held)


async def _start_isolated(
    parts: Parts,
    record: ContainerRecord,
    files: ContainerPaths,
    lock: FileLock,
    isolation: Isolation,
    restarts: int,
    linked_hosts: str,
) -> None:
    # the mount ends when its descriptor is closed: a failure leaves nothing
    root = _mount_root(parts, record, files, isolation)
    try:
        fault.point("start.root mounted")
        sandbox = await _prepare_network(parts, record, isolation, linked_hosts)
        try:
            fault.point("start.network made")
            await _launch(parts, record, files, lock, root, sandbox, isolation, restarts)
        except BaseException:
            await parts.networks.sandboxes.release(sandbox)
            raise
        sandbox.close()
        _update_links(parts, record, files, sandbox)
        parts.networks.sandboxes.prepare_next()
    finally:
        os.close(root.mount)


def _update_links(parts: Parts, record: ContainerRecord, files: ContainerPaths, sandbox: Sandbox) -> None:
    """Writes the container's new address into the /etc/hosts of the containers that link to it."""
    place = sandbox.endpoints.get("bridge")
    if place is not None and files.linked.exists():
        from moby_tui.engine.containers import links

        links.tell(parts, record, place)


def _mount_root(parts: Parts, record: ContainerRecord, files: ContainerPaths, isolation: Isolation) -> _Root:
    layers = parts.layers(record)
    check_writable(parts.paths.data_root)
    if isolation.user is None:
        mount = snapshot.mount(layers, files.upper, files.work)
    else:
        mount = snapshot.mount_mapped(layers, files.upper, files.work, isolation.user, isolation.host_root)
    return _Root(mount, protocol.RootMount(layers=[str(layer) for layer in layers], upper=str(files.upper), work=str(files.work)))


async def _settle_killed(parts: Parts, record: ContainerRecord, files: ContainerPaths, *, remove: bool = True) -> bool:
    """Cleans up after a monitor that was killed during the start.

    Returns True if the container's program ran already: then its end is written and published.
    """
    await parts.until_put_away(record)
    state = parts.state(record)
    if orphans.needs_settling(parts, record):
        await orphans.settle(parts, record, state, remove=remove or state.alive)
    return state.alive


async def _prepare_network(parts: Parts, record: ContainerRecord, isolation: Isolation, linked_hosts: str) -> Sandbox:
    host, config = record.host_config, record.config
    if "network" in isolation.joined:
        return Sandbox(netns_fd=isolation.joined.pop("network"))
    endpoints = record.networking.endpoints_config if record.networking else None
    mode = "none" if config.network_disabled else host.network_mode
    return await parts.networks.sandboxes.prepare(
        SandboxRequest(
            names=ContainerNames.of(record),
            mode=mode,
            domainname=config.domainname,
            endpoints=endpoints,
            ports=host.port_bindings or {},
            exposed=list(config.exposed_ports or {}),
            publish_all=host.publish_all_ports,
            dns=host.dns or parts.options().dns,
            dns_search=host.dns_search or parts.options().dns_search,
            dns_options=host.dns_options or parts.options().dns_options,
            extra_hosts=host.extra_hosts or [],
            linked_hosts=linked_hosts,
            create=isolation.take_network if isolation.network >= 0 else None,
        )
    )


async def _launch(
    parts: Parts,
    record: ContainerRecord,
    files: ContainerPaths,
    lock: FileLock,
    root: _Root,
    sandbox: Sandbox,
    isolation: Isolation,
    restarts: int,
) -> None:
    profile = security.resolve(record.host_config, parts.paths)
    who = user.resolve(root.mount, record.config.user, record.host_config.group_add or [], _sources(record, isolation))
    isolation.check_user(who.uid, [who.gid, *who.groups])
    _write_files(files, record, sandbox)
    fault.point("start.files written")
    identity = spec.Identity(who, profile, isolation, parts.mounted_images(record), _modes_below(record, root.mount))
    configuration = spec.build(
        record,
        identity,
        files,
        cgroup=parts.cgroup_path(record),
        has_network=sandbox.netns_fd is not None,
    )
    if hooks_dirs := parts.options().hooks_dirs:
        # imported here, since few engines have hook files
        from moby_tui.engine.runtime.configuration import hook_files

        hook_files.add(configuration, hooks_dirs, has_binds=any(mount.type == "bind" for mount in record.mounts))
    program = str(profile.seccomp_program or "")
    joined = isolation.joined | ({} if sandbox.netns_fd is None else {"network": sandbox.netns_fd})
    order = _order(parts, record, files, sandbox, program)
    order.volumes = {mounted: parts.volumes.mounts.lock_of(mounted) for mounted in isolation.volumes}
    order.plugin_mounts = [*isolation.plugin_mounts]
    order.runtime = parts.runtimes().resolve(record.host_config.runtime) or None
    order.root = root.folders
    if record.is_restarted:
        # imported here, since few containers have a restart policy
        from moby_tui.engine.containers.start import restarting

        order.restart = restarting.order(record, restarts)
    if record.config.healthcheck:
        # imported here, since few containers have a health check
        from moby_tui.engine.containers.start import health

        order.health = health.order(record, identity, files)
    if sandbox.name_sockets:
        order.names = parts.networks.sandboxes.name_service(record.id, sandbox.servers)
    descriptors = _descriptors(root.mount, lock, joined, sandbox, isolation)
    configuration_file = spec.write(configuration, files.bundle)
    try:
        fault.point("start.bundle written")
        descriptors.add(protocol.CONFIGURATION, configuration_file)
        await parts.launcher.start(order, files.run / "order.json", descriptors)
    finally:
        os.close(configuration_file)
    fault.point("start.answered")
    for event in _mount_events("mount", record):
        parts.publish(*event)


def _descriptors(root: int, lock: FileLock, joined: dict[str, int], sandbox: Sandbox, isolation: Isolation) -> Descriptors:
    """The descriptors that go to the monitor with the order. They stay open in this process too."""
    descriptors = Descriptors()
    descriptors.add(protocol.ROOT, root)
    descriptors.add(protocol.LOCK, lock.fileno())
    for kind, namespace in joined.items():
        descriptors.add(protocol.NAMESPACE + kind, namespace)
    for destination, tree in isolation.trees.items():
        descriptors.add(protocol.TREE + destination, tree)
    for path, content in isolation.secrets.items():
        descriptors.add(protocol.SECRET + path, content)
    for holding in sandbox.holdings:
        for descriptor in holding.descriptors:
            descriptors.add(protocol.HOLDING + holding.name, descriptor)
    for descriptor in sandbox.name_sockets:
        descriptors.add(protocol.NAMES, descriptor)
    for descriptor in (*isolation.kept, *isolation.volumes.values(), *isolation.plugin_mounts.values()):
        descriptors.add(protocol.KEEP, descriptor)
    return descriptors


def _modes_below(record: ContainerRecord, root: int) -> dict[str, int]:
    """The modes of the directories over which a tmpfs is mounted, by destination: the tmpfs gets the same mode."""
    destinations = [mount.destination for mount in record.mounts if mount.type == "tmpfs"]
    if not destinations:
        return {}
    # imported here, since few containers have a tmpfs
    from moby_tui.engine.kernel.trees import closing

    modes = {}
    for destination in destinations:
        with suppress(OSError), closing(open_in_root(root, destination, os.O_PATH | os.O_DIRECTORY)) as folder:
            modes[destination] = stat.S_IMODE(os.fstat(folder).st_mode)
    return modes


def _sources(record: ContainerRecord, isolation: Isolation) -> user.Mounts:
    """The container's mounts, from which its passwd and group files may come, by destination."""
    return {
        mount.destination: isolation.trees.get(
            mount.destination,
            (mount.source, mount.subpath or "") if mount.type in ("bind", "volume") and mount.source else None,
        )
        for mount in record.mounts
    }


def _write_files(files: ContainerPaths, record: ContainerRecord, sandbox: Sandbox) -> None:
    """Writes the files that are mounted over the image's /etc/hostname, /etc/hosts and /etc/resolv.conf, and the network state."""
    _write_readable(files.hostname, record.config.hostname + "\n")
    _write_readable(files.hosts, sandbox.hosts)
    _write_readable(files.resolv_conf, sandbox.resolv_conf)
    servers = sandbox.servers if sandbox.name_sockets else None
    NetworkState(sandbox.endpoints, sandbox.ports, sandbox.interfaces, servers=servers).write(files.network)


def _write_readable(path: Path, text: str) -> None:
    """Writes a file that every user may read, whatever this process's umask."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644), "wb") as file:
        os.fchmod(file.fileno(), 0o644)
        file.write(text.encode())


def _order(
    parts: Parts,
    record: ContainerRecord,
    files: ContainerPaths,
    sandbox: Sandbox,
    seccomp: str,
) -> Order:
    config, host = record.config, record.host_config
    log = logs.settings(record)
    paths = protocol.Paths(
        bundle=str(files.bundle),
        data=str(files.data),
        run=str(files.run),
        state=str(files.state),
        socket=str(files.socket),
        monitor_lock=str(files.monitor_lock),
        attachments=str(files.attachments),
        execs=str(files.execs),
        journal=str(parts.paths.journal),
        log=str(logs.path(files, log)),
        seccomp=seccomp,
    )
    return Order(
        id=record.id,
        attributes=event_attributes(record),
        paths=paths,
        cgroup=parts.cgroup_path(record),
        boot=parts.boot,
        log=log,
        streams=protocol.Streams(
            tty=config.tty,
            open_stdin=config.open_stdin,
            stdin_once=config.stdin_once,
            console_size=host.console_size or [0, 0],
        ),
        auto_remove=host.auto_remove,
        holdings=[Holding(name=made.name, teardown=made.teardown, forwards=made.forwards) for made in sandbox.holdings],
        exit_events=_exit_events(parts, record, sandbox),
    )


def _exit_events(parts: Parts, record: ContainerRecord, sandbox: Sandbox) -> list[ExitEvent]:
    """The events that the monitor publishes after the container's end."""
    events = [
        ("network", "disconnect", endpoint.network_id, {"container": record.id, "name": name, "type": _driver(name)})
        for name, endpoint in sandbox.endpoints.items()
    ]
    events += _mount_events("unmount", record)
    return [ExitEvent(type=kind, action=action, id=ident, attributes=attributes) for kind, action, ident, attributes in events]


def _driver(network: str) -> str:
    return "null" if network == "none" else network


def _remove(parts: Parts, record: ContainerRecord, files: ContainerPaths) -> None:
    """Removes a container with ``--rm`` whose start has failed."""
    orphans.remove_files(files.data, files.run)
    parts.event("destroy", record)
    parts.forget(record)


def _record_failure(files: ContainerPaths, error: Exception) -> None:
    """Writes the state of a container whose start has failed: it stays created, with the reason and the exit code that a shell would have."""
    code = _EXIT_CODES.get(type(error), 128)
    with suppress(OSError):
        State(exit_code=code, error=str(error)).write(str(files.state))


def _mount_events(action: str, record: ContainerRecord) -> list[tuple[str, str, str, dict[str, str]]]:
    if not record.mounts:
        return []
    from moby_tui.engine.resources.volumes.container_mounts import mount_events

    return mount_events(action, record.id, record.mounts)
