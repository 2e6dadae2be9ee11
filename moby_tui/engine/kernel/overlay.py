"""Mounts layers with overlayfs, as a detached mount (light imports: a monitor mounts it again when it restarts its container).

Kernel, Documentation/filesystems/overlayfs.rst. Since Linux 6.8 each layer is given by itself (``lowerdir+``); before,
all of them had to fit the one page of mount(2)'s options, so there they are named by short relative paths in a mount namespace that
is thrown away.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from contextlib import ExitStack

from moby_tui.engine.kernel import mount as kernel
from moby_tui.engine.kernel.calls import unshare
from moby_tui.engine.kernel.ids import making_files_as
from moby_tui.engine.kernel.path import open_in_root

#: Features that are turned off: layers are made without them, and ``commit`` could not read a renamed directory.
_OPTIONS = ("redirect_dir", "metacopy", "index")
_CLONE_NEWNS = 0x00020000
#: A directory that every system has, to mount over in a mount namespace of our own.
PLACE = "/dev"
#: How kernels without ``lowerdir+`` answer.
_NOT_KNOWN = (errno.EINVAL, errno.ENOSYS)
#: ``upperdir``, which takes the changes, and ``workdir``, an empty folder beside it for overlayfs itself.
Writable = tuple[str, str]


def mount(layers: list[str], writable: Writable | None) -> int:
    """A descriptor of a detached mount of ``layers`` (top-most first); read-only where nothing is writable. Raises ``OSError``."""
    if not layers and writable:
        return _clone(writable[0])
    if len(layers) == 1 and not writable:  # overlayfs needs at least two layers if there is no upperdir
        fd = _clone(layers[0])
        kernel.mount_setattr(fd, set=kernel.MOUNT_ATTR_RDONLY)
        return fd
    try:
        return _mount_each(layers, writable)
    except OSError as error:
        if error.errno not in _NOT_KNOWN:
            raise
        return _mount_old(layers, writable)


def subtree_over(lower: int, path: bytes, writable: Writable) -> int:
    """A part of an overlay over the detached mount ``lower``, as a detached mount; on a thread of its own, as ``namespaces.subtree``.

    ``lower`` is of no mount namespace afterwards. Raises ``OSError``.
    """
    _enter_own_namespace()
    _attach(lower)
    whole = mount([PLACE], writable)
    try:
        _attach(whole)
        place = open_in_root(whole, path or b".", os.O_PATH)
        try:
            return kernel.open_tree(place, "", kernel.OPEN_TREE_CLONE | kernel.OPEN_TREE_CLOEXEC | kernel.AT_EMPTY_PATH)
        finally:
            os.close(place)
    finally:
        os.close(whole)


def _open(directory: str, stack: ExitStack) -> int:
    fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    stack.callback(os.close, fd)
    return fd


def _clone(directory: str) -> int:
    """A detached bind mount of the directory itself."""
    return kernel.open_tree(kernel.AT_FDCWD, directory, kernel.OPEN_TREE_CLONE | kernel.OPEN_TREE_CLOEXEC)


def _mount_each(layers: list[str], writable: Writable | None) -> int:
    """One parameter per layer, as a path below /proc/self/fd: so names may have any length, colons and commas."""
    with ExitStack() as stack:
        context = kernel.fsopen("overlay")
        stack.callback(os.close, context)
        # for df and mount in the container
        kernel.fsconfig_string(context, "source", "overlay")
        for layer in layers:
            kernel.fsconfig_string(context, "lowerdir+", f"/proc/self/fd/{_open(layer, stack)}")
        if writable:
            kernel.fsconfig_string(context, "upperdir", f"/proc/self/fd/{_open(writable[0], stack)}")
            kernel.fsconfig_string(context, "workdir", f"/proc/self/fd/{_open(writable[1], stack)}")
        for option in _OPTIONS:
            kernel.fsconfig_string(context, option, "off")
        kernel.fsconfig_create(context)
        return kernel.fsmount(context, attributes=0 if writable else kernel.MOUNT_ATTR_RDONLY)


def mount_mapped(layers: list[str], writable: Writable | None, user_namespace: int, owner: tuple[int, int]) -> int:
    """As ``mount``, seen through the id map of a user namespace: what its root owns belongs to the image's root on disk.

    Overlayfs itself cannot be mapped, its layers can (Linux 5.19), where their file system can (mount_setattr(2)). ``owner`` are the
    host's ids of the namespace's root: overlayfs does its own work as whoever mounts it, who must be mapped there. Raises ``OSError``.
    """

    def work() -> int:
        _enter_own_namespace()
        for folder in _to_cover(layers, writable):
            _cover_mapped(folder, user_namespace)
        with making_files_as(*owner):
            return _mount_covered(layers, writable)

    return _on_own_thread(work)


def _to_cover(layers: list[str], writable: Writable | None) -> set[str]:
    """The folders to map: each layer is in exactly one of them, and none is inside another, so that nothing is mapped twice."""
    written = {os.path.dirname(writable[0])} if writable else set()
    if not layers:
        return written
    common = os.path.commonpath(layers)
    within = any(os.path.commonpath([common, folder]) == common for folder in written)
    return written | ({*layers} if within else {common})


def in_own_namespace(work: Callable[[], int]) -> int:
    """Runs ``work`` in a mount namespace of a new thread, which ends with it, and returns its result. Raises its ``OSError``."""

    def alone() -> int:
        _enter_own_namespace()
        return work()

    return _on_own_thread(alone)


def _cover_mapped(folder: str, user_namespace: int) -> None:
    """Mounts an id-mapped copy of a folder over the folder, in this thread's mount namespace."""
    fd = _clone(folder)
    try:
        kernel.mount_setattr(fd, set=kernel.MOUNT_ATTR_IDMAP, userns_fd=user_namespace)
        kernel.move_mount(fd, "", kernel.AT_FDCWD, folder, kernel.MOVE_MOUNT_F_EMPTY_PATH)
    finally:
        os.close(fd)


def _mount_covered(layers: list[str], writable: Writable | None) -> int:
    """Mounts with the new or the old interface. The calling thread is in a mount namespace of its own already."""
    if writable is None and len(layers) == 1:
        return _clone(layers[0])
    if not layers:
        assert writable is not None
        return _clone(writable[0])
    try:
        return _mount_each(layers, writable)
    except OSError as error:
        if error.errno not in _NOT_KNOWN:
            raise
        return _mount_in_own_namespace(layers, writable)


def _mount_old(layers: list[str], writable: Writable | None) -> int:
    """mount(2) in a namespace of a thread's own, then a detached copy; the namespace ends with the thread."""

    return in_own_namespace(lambda: _mount_in_own_namespace(layers, writable))


def _on_own_thread(work: Callable[[], int]) -> int:
    import threading

    outcome: list[int | OSError] = []

    def run() -> None:
        try:
            outcome.append(work())
        except OSError as error:
            outcome.append(error)

    thread = threading.Thread(target=run, name="overlay-mount")
    thread.start()
    thread.join()
    if isinstance(outcome[0], OSError):
        raise outcome[0]
    return outcome[0]


def _attach(tree: int) -> None:
    kernel.move_mount(tree, "", kernel.AT_FDCWD, PLACE, kernel.MOVE_MOUNT_F_EMPTY_PATH)


def _enter_own_namespace() -> None:
    if unshare(_CLONE_NEWNS) != 0:  # gives this thread a working directory of its own, too
        raise OSError(ctypes.get_errno(), "unshare a mount namespace")
    kernel.mount(None, "/", None, kernel.MS_REC | kernel.MS_PRIVATE)


def _mount_in_own_namespace(layers: list[str], writable: Writable | None) -> int:
    """The options are short because the working directory is /proc/thread-self/fd: a layer is its descriptor's number."""
    with ExitStack() as stack:  # opened after unshare: overlayfs takes directories of the caller's mount namespace only
        options = ["lowerdir=" + ":".join(str(_open(layer, stack)) for layer in layers)]
        if writable:
            options += [f"upperdir={_open(writable[0], stack)}", f"workdir={_open(writable[1], stack)}"]
        os.chdir("/proc/thread-self/fd")
        data = ",".join(options + [f"{option}=off" for option in _OPTIONS])
        target = layers[0]
        kernel.mount("overlay", target, "overlay", 0 if writable else kernel.MS_RDONLY, data)
        os.chdir("/")
        return kernel.open_tree(kernel.AT_FDCWD, target, kernel.OPEN_TREE_CLONE | kernel.OPEN_TREE_CLOEXEC)
