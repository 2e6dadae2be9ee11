"""Where the control groups of this machine lie: v2 alone, v1 alone, or both side by side (cgroups(7), cgroup-v2.rst).

What counts is what this process sees: the mounts of its own mount namespace, at whatever place they are.
"""

from __future__ import annotations

import os

#: The parent of the control groups of containers that name none.
CGROUP_PARENT = "/moby"
#: The group of the monitors.
MONITORS = f"{CGROUP_PARENT}/monitors"
#: A group whose name begins so belongs to the monitor of that pid, until it is renamed.
CGROUP_PREFIX = "standby-"
#: Words among a v1 mount's options that are not controllers.
_FLAGS = frozenset(
    {"rw", "ro", "all", "none", "noprefix", "clone_children", "xattr", "cpuset_v2_mode", "favordynmods", "seclabel"}
)
#: The v2 mount is the one to use where the kernel has given it one of these; else it is the idle half of a hybrid.
_DECISIVE = frozenset({"cpu", "memory", "pids"})


class Hierarchy:
    """One mounted tree of groups. ``name`` is that of a v1 tree without controllers (``systemd``), else empty."""

    __slots__ = ("controllers", "mountpoint", "name", "version")

    def __init__(self, version: int, mountpoint: str, controllers: tuple[str, ...], name: str = "") -> None:
        self.version = version
        self.mountpoint = mountpoint
        self.controllers = controllers
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hierarchy) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        return self.version, self.mountpoint, self.controllers, self.name


class Layout:
    """Version 2: ``unified`` is all there is to use. Version 1: the ``legacy`` trees, and in a hybrid ``unified`` beside them."""

    __slots__ = ("legacy", "roots", "trees", "unified", "version")

    def __init__(self, legacy: list[Hierarchy], unified: Hierarchy | None) -> None:
        self.legacy = legacy
        self.unified = unified
        self.trees = [*legacy, *([unified] if unified else [])]
        #: where each controller of version 1 is mounted
        self.roots = {name: tree.mountpoint for tree in legacy for name in tree.controllers}
        has_controllers = any(tree.controllers for tree in legacy)
        decisive = unified is not None and not _DECISIVE.isdisjoint(unified.controllers)
        self.version = 2 if unified is not None and (decisive or not has_controllers) else 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Layout) and (self.legacy, self.unified) == (other.legacy, other.unified)

    def __hash__(self) -> int:
        return hash((*self.legacy, self.unified))


def detect() -> Layout:
    """The layout as this process sees it. Raises ``FileNotFoundError`` if no control group file system is mounted."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        layout = parse(file.read(), _visible)
    if layout.unified is not None:
        layout = Layout(layout.legacy, _with_controllers(layout.unified))
    if layout.unified is None and not layout.legacy:
        raise FileNotFoundError(2, "no control group file system is mounted; mount cgroup2 on /sys/fs/cgroup")
    return layout


def parse(mountinfo: str, visible: object = None) -> Layout:
    """Reads the text of /proc/PID/mountinfo (proc_pid_mountinfo(5)).

    A tree that is mounted several times counts once: the writable mount of its root wins, the first one among equals.
    ``visible(mountpoint, device)`` tells whether a mount is not hidden under another.
    """
    best: dict[tuple[int, tuple[str, ...], str], tuple[tuple[bool, bool], Hierarchy]] = {}
    for line in mountinfo.splitlines():
        before, separator, after = line.partition(" - ")
        mount, source = before.split(" "), after.split(" ")
        if not separator or len(mount) < 6 or len(source) < 3 or source[0] not in ("cgroup", "cgroup2"):
            continue
        mountpoint = _unescape(mount[4])
        if callable(visible) and not visible(mountpoint, mount[2]):
            continue
        tree = _hierarchy(source[0], mountpoint, source[2].split(","))
        rank = (mount[3] == "/", "rw" in mount[5].split(","))
        key = (tree.version, tree.controllers, tree.name)
        if key not in best or rank > best[key][0]:
            best[key] = (rank, tree)
    trees = [tree for _, tree in best.values()]
    return Layout([tree for tree in trees if tree.version == 1], next((tree for tree in trees if tree.version == 2), None))


def _hierarchy(kind: str, mountpoint: str, options: list[str]) -> Hierarchy:
    if kind == "cgroup2":
        return Hierarchy(2, mountpoint, ())
    controllers = tuple(option for option in options if "=" not in option and option not in _FLAGS)
    name = next((option[5:] for option in options if option.startswith("name=")), "")
    return Hierarchy(1, mountpoint, controllers, name)


def _unescape(path: str) -> str:
    """The kernel writes blank, tab, newline and backslash as three octal digits."""
    head, *rest = path.split("\\")
    return head + "".join(chr(int(part[:3], 8)) + part[3:] if part[:3].isdigit() else "\\" + part for part in rest)


def _visible(mountpoint: str, device: str) -> bool:
    try:
        number = os.stat(mountpoint).st_dev
    except OSError:
        return False
    return f"{os.major(number)}:{os.minor(number)}" == device


def _with_controllers(tree: Hierarchy) -> Hierarchy:
    with open(f"{tree.mountpoint}/cgroup.controllers", encoding="utf-8") as file:
        return Hierarchy(2, tree.mountpoint, tuple(file.read().split()))
