"""Reading and writing the files of a group, and taking a tree of groups down."""

from __future__ import annotations

import errno
import os
import time

#: "No limit" as v1 reports it: the largest multiple of a page.
UNLIMITED_V1 = 1 << 62
_PIECE = 1 << 16
#: Where the processes of a container are moved in which an engine runs.
VACATED = "/init"
#: How often processes that were made meanwhile are moved.
_ROUNDS = 5
#: The longest number with its line's end, and more.
_NUMBER = 64


def read(path: str) -> str:
    """The whole text of a control file. Raises ``OSError``."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        pieces = []
        while piece := os.read(fd, _PIECE):
            pieces.append(piece)
    finally:
        os.close(fd)
    return b"".join(pieces).decode("utf-8", "replace")


def read_number(path: str, default: int = 0) -> int:
    """A file of one number; ``default`` where the file is missing or holds ``max``."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return int(os.read(fd, _NUMBER))
        finally:
            os.close(fd)
    except (OSError, ValueError):
        return default


def read_table(path: str) -> dict[str, int]:
    """A file of ``key number`` lines; empty if it is missing."""
    try:
        text = read(path)
    except OSError:
        return {}
    words = text.split()
    try:
        return dict(zip(words[::2], map(int, words[1::2]), strict=True))
    except ValueError:  # some value is no number
        pairs = (line.split() for line in text.splitlines())
        return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def write(path: str, value: object) -> None:
    """Writes in one system call, as the kernel wants it. Raises ``OSError`` that says which value which file refused."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, str(value).encode())
        finally:
            os.close(fd)
    except OSError as error:
        raise OSError(
            error.errno, f"cannot write {value!s} to {os.path.basename(path)}: {os.strerror(error.errno or 0)}", path
        ) from error


def make(root: str, path: str) -> None:
    """Makes the group ``path`` and those above it. Another engine may be removing an empty one above at the same moment.

    Raises ``FileExistsError`` if the group itself is there already.
    """
    for _ in range(100):
        folder = root
        try:
            *above, leaf = path.strip("/").split("/")
            for name in above:
                folder = f"{folder}/{name}"
                try:
                    os.mkdir(folder, 0o755)
                except FileExistsError:
                    continue
            os.mkdir(f"{folder}/{leaf}", 0o755)
            return
        except FileNotFoundError:
            continue
    raise OSError(errno.EAGAIN, "the parent group was removed again and again", f"{root}{path}")


def make_if_missing(root: str, path: str) -> None:
    """As ``make``, for a group that others may have made."""
    try:
        make(root, path)
    except FileExistsError:
        return


def hand_down(root: str, path: str, controllers: tuple[str, ...] = ()) -> None:
    """Enables controllers (all that there are, or those named) in every group of version 2 above ``path``.

    One at a time, because the kernel refuses the whole write if it refuses one of them. A refusal is no error yet: it becomes one when a
    limit needs the controller.
    """
    folder = root
    for name in path.strip("/").split("/"):
        have = set(read(f"{folder}/cgroup.subtree_control").split())
        for controller in controllers or read(f"{folder}/cgroup.controllers").split():
            if controller not in have:
                try:
                    write(f"{folder}/cgroup.subtree_control", f"+{controller}")
                except OSError as error:
                    if error.errno == errno.EBUSY and folder == root and _vacate(root):
                        write(f"{folder}/cgroup.subtree_control", f"+{controller}")
        folder = f"{folder}/{name}"


def _vacate(root: str) -> bool:
    """Moves the processes of the topmost group that can be seen to its group ``init``. Returns False if some stay.

    Only the machine's own topmost group may have processes and give controllers on. In a container, whose control group namespace makes its
    own group the topmost one, the container's processes are in it (cgroup-v2.rst, "No Internal Process Constraint"). Docker's image of
    Docker moves them likewise.
    """
    for _ in range(_ROUNDS):
        processes = read(f"{root}/cgroup.procs").split()
        if not processes:
            return True
        make_if_missing(root, VACATED)
        for pid in processes:
            try:
                write(f"{root}{VACATED}/cgroup.procs", pid)
            except OSError as error:
                if error.errno != errno.ESRCH:
                    return False
    return False


def subgroups(group: str) -> list[str]:
    """A group and all groups below it, the deepest first."""
    names: list[str] = []
    try:
        with os.scandir(group) as entries:
            children = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    for child in children:
        names += subgroups(child)
    return [*names, group]


def pids(group: str) -> list[int]:
    """The processes of a group and of those below it. Processes of a threaded group count in its parent."""
    numbers: dict[int, None] = {}
    for folder in subgroups(group):
        try:
            text = read(f"{folder}/cgroup.procs")
        except OSError:
            continue
        numbers.update(dict.fromkeys(map(int, text.split())))
    return list(numbers)


def remove(group: str, *, patience: float = 3.0, parent: bool = False) -> None:
    """Removes a group with those below it, and with ``parent`` the one above where it is empty then.

    A process that has ended is counted until it is reaped, so EBUSY is waited out for ``patience`` seconds; then it is raised.
    """
    if not _try_to_remove(group):
        # it has groups below it, or processes
        _remove_tree(group, patience)
    if not parent:
        return
    try:
        os.rmdir(os.path.dirname(group))
    except OSError:
        return  # the group of another container is below it


def _remove_tree(group: str, patience: float) -> None:
    """Removes a group and all below it, the deepest first. Raises ``OSError`` as ``remove`` does."""
    deadline, pause = time.monotonic() + patience, 0.002
    while not all(map(_try_to_remove, subgroups(group))):
        if time.monotonic() > deadline:
            raise OSError(errno.EBUSY, "the control group still holds processes", group)
        time.sleep(pause)
        pause = min(pause * 2, 0.2)


def _try_to_remove(folder: str) -> bool:
    """False if the group holds processes or other groups; true for one that is gone already. Raises ``OSError``."""
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno not in (errno.EBUSY, errno.ENOTEMPTY):
            raise
        return False
    return True
