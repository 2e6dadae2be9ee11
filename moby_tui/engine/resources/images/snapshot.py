"""Root file systems from layers: overlayfs, as a mount that is attached nowhere yet.

Kernel, Documentation/filesystems/overlayfs.rst. Since Linux 6.8 each layer is given by itself (``lowerdir+``); before,
all of them had to fit the one page of mount(2)'s options, so there they are named by short relative paths in a mount namespace that
is thrown away.
"""

from __future__ import annotations

import ctypes
import errno
import os
import threading
from contextlib import ExitStack
from pathlib import Path

from moby_tui.engine.kernel import mount as kernel
from moby_tui.engine.kernel.calls import unshare
from moby_tui.errors import MobyError

#: The layers were not made with these features, and a directory renamed in place could not be committed.
_OPTIONS = ("redirect_dir", "metacopy", "index")
_CLONE_NEWNS = 0x00020000
#: Kernels without ``lowerdir+`` answer so.
_NOT_KNOWN = (errno.EINVAL, errno.ENOSYS)


def mount(layers: list[Path], upper: Path | None, work: Path | None) -> int:
    """A descriptor of a detached mount that shows ``layers`` (top-most first), written to in ``upper``, else read-only.

    ``work`` is an empty directory beside ``upper``. Blocking, some hundred microseconds. The caller closes the descriptor, which
    ends a mount that was not attached. Raises ``MobyError`` where overlayfs cannot be had.
    """
    if not layers and upper is None:
        raise MobyError("an image without layers has nothing to show; give it a writable layer")
    writable = (upper, work) if upper and work else None
    try:
        if not layers and writable:
            return _clone(writable[0])
        if len(layers) == 1 and not writable:  # overlayfs wants two layers where none can be written
            fd = _clone(layers[0])
            kernel.mount_setattr(fd, set=kernel.MOUNT_ATTR_RDONLY)
            return fd
        try:
            return _mount_each(layers, writable)
        except OSError as error:
            if error.errno not in _NOT_KNOWN:
                raise
            return _mount_old(layers, writable)
    except OSError as error:
        raise MobyError(f"cannot mount the root file system: {error}; the data root must lie where overlayfs works") from error


def _open(directory: Path, stack: ExitStack) -> int:
    fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    stack.callback(os.close, fd)
    return fd


def _clone(directory: Path) -> int:
    """A detached bind mount of the directory itself."""
    return kernel.open_tree(kernel.AT_FDCWD, str(directory), kernel.OPEN_TREE_CLONE | kernel.OPEN_TREE_CLOEXEC)


def _mount_each(layers: list[Path], writable: tuple[Path, Path] | None) -> int:
    """One parameter per layer. By descriptor's path: names of any length, with colons and commas, are no matter."""
    with ExitStack() as stack:
        context = kernel.fsopen("overlay")
        stack.callback(os.close, context)
        for layer in layers:
            kernel.fsconfig_string(context, "lowerdir+", f"/proc/self/fd/{_open(layer, stack)}")
        if writable:
            kernel.fsconfig_string(context, "upperdir", f"/proc/self/fd/{_open(writable[0], stack)}")
            kernel.fsconfig_string(context, "workdir", f"/proc/self/fd/{_open(writable[1], stack)}")
        for option in _OPTIONS:
            kernel.fsconfig_string(context, option, "off")
        kernel.fsconfig_create(context)
        return kernel.fsmount(context, attributes=0 if writable else kernel.MOUNT_ATTR_RDONLY)


def _mount_old(layers: list[Path], writable: tuple[Path, Path] | None) -> int:
    """mount(2) in a namespace of a thread's own, then a detached copy; the namespace ends with the thread."""
    outcome: list[int | OSError] = []

    def work() -> None:
        try:
            outcome.append(_mount_in_own_namespace(layers, writable))
        except OSError as error:
            outcome.append(error)

    thread = threading.Thread(target=work, name="overlay-mount")
    thread.start()
    thread.join()
    if isinstance(outcome[0], OSError):
        raise outcome[0]
    return outcome[0]


def _mount_in_own_namespace(layers: list[Path], writable: tuple[Path, Path] | None) -> int:
    """The options are short because the working directory is /proc/thread-self/fd: a layer is its descriptor's number."""
    if unshare(_CLONE_NEWNS) != 0:  # parts this thread's working directory from the process's, too
        raise OSError(ctypes.get_errno(), "unshare a mount namespace")
    kernel.mount(None, "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    with ExitStack() as stack:  # opened here: overlayfs takes directories of the caller's namespace only
        options = ["lowerdir=" + ":".join(str(_open(layer, stack)) for layer in layers)]
        if writable:
            options += [f"upperdir={_open(writable[0], stack)}", f"workdir={_open(writable[1], stack)}"]
        os.chdir("/proc/thread-self/fd")
        data = ",".join(options + [f"{option}=off" for option in _OPTIONS])
        target = str(layers[0])
        kernel.mount("overlay", target, "overlay", 0 if writable else kernel.MS_RDONLY, data)
        os.chdir("/")
        return kernel.open_tree(kernel.AT_FDCWD, target, kernel.OPEN_TREE_CLONE | kernel.OPEN_TREE_CLOEXEC)
