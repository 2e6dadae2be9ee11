"""The mounts of a container's secrets: small file systems in memory, made anew for each run, that go with the container's mounts.

The monitor holds what the secrets contain in files of memory (memfd_create(2)), so that a restart needs no engine and no key (light imports).
"""

from __future__ import annotations

import os

from moby_tui.engine.kernel import ids, overlay
from moby_tui.engine.kernel import mount as kernel
from moby_tui.engine.protocol.order import SECRETS_FOLDER, secret_mount

_ATTRIBUTES = kernel.MOUNT_ATTR_NOSUID | kernel.MOUNT_ATTR_NODEV | kernel.MOUNT_ATTR_NOEXEC
#: The name, in a file system of its own, of a secret that lies elsewhere than in the secrets' folder.
_ALONE = "secret"
Owner = tuple[int, int]


def mount_trees(secrets: dict[str, int], uids: ids.IdMap, gids: ids.IdMap) -> dict[str, int]:
    """Detached read-only mounts by destination, for ``secrets`` by their paths in the container: a folder, and files elsewhere.

    The maps are those of the container's user namespace, whose root has the folders. The descriptors are the caller's. Raises ``OSError``.
    """
    root = (ids.to_host(uids, ids.first(uids)), ids.to_host(gids, ids.first(gids))) if uids else (0, 0)
    trees: dict[str, int] = {}
    try:
        for destination in {secret_mount(path): None for path in secrets}:
            if destination == SECRETS_FOLDER:
                below = {path: fd for path, fd in secrets.items() if secret_mount(path) == destination}
                trees[destination] = _folder({os.path.relpath(path, destination): fd for path, fd in below.items()}, root)
            else:
                trees[destination] = _file(secrets[destination], root)
            kernel.mount_setattr(trees[destination], set=_ATTRIBUTES | kernel.MOUNT_ATTR_RDONLY, propagation=kernel.MS_PRIVATE)
    except BaseException:
        for tree in trees.values():
            os.close(tree)
        raise
    return trees


def _folder(files: dict[str, int], root: Owner) -> int:
    """A tmpfs with copies of these files, by their paths in it."""
    context = kernel.fsopen("tmpfs")
    try:
        for key, value in (("source", "tmpfs"), ("mode", "755"), ("uid", str(root[0])), ("gid", str(root[1]))):
            kernel.fsconfig_string(context, key, value)
        kernel.fsconfig_create(context)
        tree = kernel.fsmount(context, attributes=_ATTRIBUTES)
    finally:
        os.close(context)
    try:
        for path, content in files.items():
            _make_folders(tree, os.path.dirname(path), root)
            _copy(content, tree, path)
    except BaseException:
        os.close(tree)
        raise
    return tree


def _make_folders(tree: int, path: str, root: Owner) -> None:
    made = ""
    for name in path.split("/") if path else ():
        made = f"{made}/{name}" if made else name
        try:
            os.mkdir(made, 0o755, dir_fd=tree)
        except FileExistsError:
            continue
        os.chmod(made, 0o755, dir_fd=tree)
        os.chown(made, *root, dir_fd=tree)


def _copy(content: int, tree: int, path: str) -> None:
    """With the owner and mode of ``content``, whose position stays as it is."""
    status = os.fstat(content)
    data = memoryview(os.pread(content, status.st_size, 0))
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=tree)
    try:
        while data:
            data = data[os.write(fd, data) :]
        os.fchown(fd, status.st_uid, status.st_gid)
        os.fchmod(fd, status.st_mode & 0o777)
    finally:
        os.close(fd)


def _file(content: int, root: Owner) -> int:
    """A mount of one file."""
    whole = _folder({_ALONE: content}, root)
    try:
        return overlay.in_own_namespace(lambda: _clone(whole))
    finally:
        os.close(whole)


def _clone(whole: int) -> int:
    """Only what is attached can be copied (before Linux 6.15), so it is, where nobody sees it."""
    kernel.move_mount(whole, "", kernel.AT_FDCWD, "/proc", kernel.MOVE_MOUNT_F_EMPTY_PATH)
    return kernel.open_tree(whole, _ALONE, kernel.OPEN_TREE_CLONE | kernel.OPEN_TREE_CLOEXEC)
