"""Opens a container's file system for ``cp`` and ``export``: that of its process while it runs, else a mount that is made for the call."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress

import msgspec

from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.containers.start import isolation
from moby_tui.engine.kernel import mount as kernel
from moby_tui.engine.kernel import overlay
from moby_tui.engine.kernel.path import FILE, FOLDER, make_in_root
from moby_tui.engine.protocol.configuration import Mount
from moby_tui.engine.resources.images.snapshots import snapshot
from moby_tui.engine.runtime.configuration import spec
from moby_tui.engine.runtime.plan.filesystem import own_source
from moby_tui.engine.runtime.plan.filesystem.source import open_bind_source
from moby_tui.engine.runtime.plan.mount_options import MountOptions
from moby_tui.engine.store.paths import ContainerPaths
from moby_tui.engine.store.records.containers import ContainerRecord
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import Conflict, MobyError, NotFound

_COPY = kernel.OPEN_TREE_CLONE | kernel.OPEN_TREE_CLOEXEC | kernel.AT_EMPTY_PATH | kernel.AT_RECURSIVE


@asynccontextmanager
async def opened(parts: Parts, record: ContainerRecord, *, mounts: bool) -> AsyncIterator[int]:
    """Yields a descriptor of the root, which is closed at the end of the block.

    With ``mounts`` that of a container that does not run has its volumes, binds and images mounted. Raises ``Conflict``, ``NotFound``.
    """
    state = parts.current_state(record)
    parts.check_settled(record, state)
    parts.check_reachable(record, state)
    if state.alive:
        try:
            root = os.open(f"/proc/{state.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise Conflict(f"container {record.id} is not running") from error
        try:
            yield root
        finally:
            os.close(root)
        return
    files = parts.files(record)
    # the lock prevents a start meanwhile: two overlay mounts of one upper folder would corrupt it
    lock = await parts.acquire(record)
    try:
        if not files.data.exists():
            raise NotFound(f"No such container: {record.id}")
        async with _mounted(parts, record, files, mounts=mounts) as root:
            yield root
    finally:
        lock.release()


@asynccontextmanager
async def _mounted(parts: Parts, record: ContainerRecord, files: ContainerPaths, *, mounts: bool) -> AsyncIterator[int]:
    roots = [snapshot.mount(parts.layers(record), files.upper, files.work)]
    held, namespaces = None, dict[str, int]()
    try:
        if mounts:
            held = await parts.volumes.mounts.hold(record.mounts)
            record = msgspec.structs.replace(record, mounts=held.with_places(record.mounts))
            binds = _mounts(parts, record)
            for bind in binds:
                if bind.uid_mappings:
                    user, network = await parts.launcher.make_user_namespace(bind.uid_mappings, bind.gid_mappings)
                    namespaces[bind.destination] = user
                    os.close(network)
            # the thread adds the copy to ``roots`` itself, so that it is closed also if the caller is cancelled meanwhile
            await in_thread(lambda: roots.append(_with_mounts(record, binds, namespaces, roots[0])))
        yield roots[-1]
    finally:
        for fd in (*roots, *namespaces.values()):
            os.close(fd)
        if held is not None:
            held.close()
            await parts.volumes.mounts.unmount_released(held)


def _mounts(parts: Parts, record: ContainerRecord) -> list[Mount]:
    """The bind mounts of the next start. A tmpfs is empty until then, and left out.

    Owners are shown without the container's user namespace, which there is not yet; an ID-mapped mount has its own map.
    """
    own = [mount for mount in spec.own_files(record, _names(parts, record)) if os.path.exists(mount.source)]
    mounts = spec.asked_mounts(record, parts.mounted_images(record), {}, [], [])
    return spec.outer_first(own + [mount for mount in mounts if mount.type == "bind"])


def _with_mounts(record: ContainerRecord, mounts: list[Mount], namespaces: dict[str, int], root: int) -> int:
    """A copy of the root's mount, with the container's mounts in it. Raises ``MobyError``.

    ``namespaces`` are the user namespaces of ID-mapped mounts, by destination.
    """
    _make_sources(record)
    with ExitStack() as stack:
        trees = [(mount.destination, _open_tree(mount, namespaces.get(mount.destination, -1), stack)) for mount in mounts]
        try:
            return overlay.in_own_namespace(lambda: _assemble(root, trees, read_only=record.host_config.readonly_rootfs))
        except OSError as error:
            raise MobyError(f"cannot show what container {record.name} has mounted: {error.strerror}") from error


def _make_sources(record: ContainerRecord) -> None:
    """Makes the missing source folders of ``-v`` again, so that one removed from the host does not prevent access to the other files."""
    others = {os.path.normpath(mount.target) for mount in record.host_config.mounts or ()}
    for mount in record.mounts:
        if mount.type == "bind" and mount.destination not in others:
            # the source is a file, or the folder cannot be made: ``_open_tree`` raises the error then
            with suppress(OSError):
                os.makedirs(mount.source, 0o755, exist_ok=True)


def _names(parts: Parts, record: ContainerRecord) -> ContainerPaths:
    """The files of the container whose hostname, hosts and resolv.conf it has: another one's, if it shares its network."""
    with suppress(NotFound):
        if other := isolation.references(record.host_config).get("network"):
            return parts.files(parts.get(other))
    return parts.files(record)


def _open_tree(mount: Mount, user_namespace: int, stack: ExitStack) -> int:
    """A detached mount of one mount, as at a start, but private: mounts that are made in it are not propagated."""
    options = MountOptions(mount.options)
    try:
        if mount.subpath or mount.layers is not None:
            tree, _ = own_source.open_own(
                mount,
                options,
                user_namespace,
                ([], []),
                lambda part: open_bind_source("", options, user_namespace, directory=part),
            )
        else:
            tree, _ = open_bind_source(mount.source, options, user_namespace)
        stack.callback(os.close, tree)
        kernel.mount_setattr(tree, "", kernel.AT_EMPTY_PATH | kernel.AT_RECURSIVE, propagation=kernel.MS_PRIVATE)
    except OSError as error:
        raise MobyError(f"cannot mount {mount.source} at {mount.destination}: {error.strerror or error}") from error
    return tree


def _assemble(root: int, trees: list[tuple[str, int]], *, read_only: bool) -> int:
    """Mounts the trees below the root, and returns a copy of that mount.

    Runs in a mount namespace that only this thread has: move_mount(2) needs a mount of the caller's namespace.
    """
    # sets the umask of this thread alone: unshare(2) of the mount namespace implies CLONE_FS
    os.umask(0)
    kernel.move_mount(root, "", kernel.AT_FDCWD, overlay.PLACE, kernel.MOVE_MOUNT_F_EMPTY_PATH)
    for destination, tree in trees:
        try:
            target = make_in_root(root, os.fsencode(destination), FOLDER if stat.S_ISDIR(os.fstat(tree).st_mode) else FILE)
            try:
                kernel.move_mount(tree, "", target, "", kernel.MOVE_MOUNT_F_EMPTY_PATH | kernel.MOVE_MOUNT_T_EMPTY_PATH)
            finally:
                os.close(target)
        except OSError as error:
            raise OSError(error.errno, f"{destination}: {os.strerror(error.errno or 0).lower()}") from error
    if read_only:
        kernel.mount_setattr(root, set=kernel.MOUNT_ATTR_RDONLY)
    return kernel.open_tree(root, "", _COPY)
