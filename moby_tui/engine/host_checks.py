"""What of the kernel, the control groups, the capabilities, the firewall and the file system an engine has here, and what is missing.

Each check is one function, which says what a lack means and what to do about it. Nothing is changed. Blocks.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from moby_tui.engine.kernel.capability import NUMBERS
from moby_tui.engine.kernel.cgroup import detect
from moby_tui.engine.kernel.cgroup.features import has
from moby_tui.engine.kernel.cgroup.layout import Layout
from moby_tui.engine.kernel.file_systems.mount_table import file_system
from moby_tui.engine.kernel.network.generation import generation
from moby_tui.engine.policy import apparmor
from moby_tui.engine.policy.seccomp import library
from moby_tui.errors import MobyError
from moby_tui.schema.system import Check

OK, ABSENT, WARNING, ERROR = "ok", "absent", "warning", "error"

#: mount_setattr(2) came with this version.
_LEAST_KERNEL = (5, 12)
#: Kinds of namespaces (namespaces(7)), and whether a container can be without.
_NAMESPACES = {"mnt": ERROR, "pid": ERROR, "net": ERROR, "ipc": ERROR, "uts": ERROR, "cgroup": WARNING, "user": ABSENT}
#: For each controller or limit what is not there without it, and how much that matters.
_LIMITS = {
    "memory": (ERROR, "--memory is refused, and stats have no memory"),
    "memory swap": (ABSENT, "--memory-swap is refused; on version 1 the kernel's option swapaccount=1 brings it"),
    "cpu quota": (WARNING, "--cpus is refused"),
    "cpuset": (WARNING, "--cpuset-cpus is refused"),
    "pids": (WARNING, "--pids-limit is refused: a container may fork until the host is full"),
    "read bps": (ABSENT, "--device-read-bps and the like are refused"),
    "block weights": (ABSENT, "--blkio-weight is refused; the I/O scheduler bfq brings it"),
}
#: Without these no container starts; without the others some option or image does not work.
_NEEDED = ("CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_SETUID", "CAP_SETGID")
_WANTED = {
    "CAP_SYS_RESOURCE": "limits (--ulimit) cannot be raised above the engine's own, and the daemon's OOM score not lowered",
    "CAP_MKNOD": "devices are bound from the host instead of made",
    "CAP_SYS_PTRACE": "processes of other users cannot be looked at",
    "CAP_NET_RAW": "containers have no ping",
    "CAP_SETPCAP": "capabilities cannot be dropped for containers",
    "CAP_SETFCAP": "files of images lose their capabilities",
    "CAP_KILL": "processes of other users cannot be stopped",
    "CAP_SYS_CHROOT": "images cannot be unpacked with their users",
}
#: File systems on which an overlay cannot have its writable layer (overlayfs.rst, "Upper and lower").
_NO_UPPER = frozenset({"overlay", "nfs", "nfs4", "cifs", "smb3", "vfat", "exfat", "fuseblk", "9p", "virtiofs"})
#: Parts in a hundred of the data root's file system that are free.
_LOW, _VERY_LOW = 10, 3
#: inotify watches that programs in containers share; fewer are soon used up.
_LEAST_INOTIFY = 128


def examine(data_root: Path, exec_root: Path) -> list[Check]:
    """All checks, in the order of the layers of a host. Raises nothing for what a host lacks."""
    checks: tuple[Callable[[], Iterator[Check]], ...] = (
        _kernel,
        _namespaces,
        _control_groups,
        _capabilities,
        _seccomp,
        _labels,
        _firewall,
        _links,
        partial(_storage, data_root),
        partial(_space, data_root, "data root"),
        partial(_space, exec_root, "exec root"),
        _bounds,
    )
    return [result for check in checks for result in check()]


def _check(about: str, severity: str, message: str, advice: str = "") -> Check:
    return Check(about=about, severity=severity, message=message, advice=advice)


def _kernel() -> Iterator[Check]:
    release = os.uname().release
    match = re.match(r"(\d+)\.(\d+)", release)
    if match and (int(match[1]), int(match[2])) < _LEAST_KERNEL:
        yield _check(
            "kernel", ERROR, f"Linux {release} is older than 5.12: no container can be started", "install a newer kernel"
        )
    else:
        yield _check("kernel", OK, f"Linux {release}")


def _namespaces() -> Iterator[Check]:
    missing = [kind for kind in _NAMESPACES if not os.path.exists(f"/proc/self/ns/{kind}")]
    for kind in missing:
        advice = f"a kernel with CONFIG_{kind.upper().replace('MNT', 'MOUNT')}_NS brings them"
        yield _check("namespaces", _NAMESPACES[kind], f"the kernel has no {kind} namespaces", advice)
    if not missing:
        yield _check("namespaces", OK, f"{', '.join(_NAMESPACES)}")
    if _number("/proc/sys/user/max_user_namespaces", 1) == 0:
        advice = "sysctl -w user.max_user_namespaces=10000"
        yield _check("namespaces", ABSENT, "user.max_user_namespaces is 0: --userns is refused", advice)


def _control_groups() -> Iterator[Check]:
    try:
        layout = detect()
    except FileNotFoundError as error:
        advice = "mount -t cgroup2 cgroup2 /sys/fs/cgroup"
        yield _check("control groups", ERROR, f"{error.strerror}: no container can be limited or counted", advice)
        return
    yield _check("control groups", OK, _described(layout))
    for feature, (severity, meaning) in _LIMITS.items():
        if not has(layout, feature):
            yield _check(
                "control groups",
                severity,
                f"no {feature}: {meaning.partition(';')[0]}",
                meaning.partition("; ")[2] or _advice(layout),
            )


def _described(layout: Layout) -> str:
    if layout.version == 2:
        return f"version 2: {' '.join(layout.unified.controllers) if layout.unified else 'no controller'}"
    beside = ", beside it version 2" if layout.unified else ""
    return f"version 1: {' '.join(sorted(layout.roots))}{beside}"


def _advice(layout: Layout) -> str:
    if layout.version == 1:
        return "mount its controller below /sys/fs/cgroup, or boot with systemd.unified_cgroup_hierarchy=1"
    return "have it in cgroup.subtree_control of the parent group, and not in the kernel's cgroup_disable="


def _capabilities() -> Iterator[Check]:
    effective = int(_field("/proc/self/status", "CapEff") or "0", 16)
    lacking = [name for name, number in NUMBERS.items() if not effective >> number & 1]
    needed = [name for name in _NEEDED if name in lacking]
    if needed:
        yield _check(
            "capabilities",
            ERROR,
            f"the engine lacks {', '.join(needed)}: containers cannot be made",
            "run it as root, not in a container",
        )
    for name, meaning in _WANTED.items():
        if name in lacking:
            yield _check(
                "capabilities", WARNING, f"the engine lacks {name}: {meaning}", "give it to the engine, or ask the host's owner"
            )
    if not needed and not _WANTED.keys() & set(lacking):
        yield _check("capabilities", OK, "all that the engine and its containers need")


def _seccomp() -> Iterator[Check]:
    if not os.path.exists("/proc/sys/kernel/seccomp/actions_avail"):
        advice = "a kernel with CONFIG_SECCOMP_FILTER; until then --security-opt seccomp=unconfined"
        yield _check("seccomp", ERROR, "the kernel has no seccomp filters: containers are refused", advice)
        return
    try:
        yield _check("seccomp", OK, f"filters, with libseccomp {library.version()}")
    except MobyError as error:
        message, _, advice = str(error).partition(": ")
        yield _check("seccomp", ERROR, message, advice)


def _labels() -> Iterator[Check]:
    if apparmor.enabled():
        yield _check("apparmor", OK, "containers get the profile moby-default")
    elif os.path.isdir("/sys/module/apparmor"):
        advice = "boot with lsm=...,apparmor, and mount securityfs on /sys/kernel/security"
        yield _check("apparmor", ABSENT, "the kernel has it, and it is not in force: containers go without a profile", advice)
    else:
        yield _check("apparmor", ABSENT, "this kernel has none: seccomp, capabilities and masked paths hold containers alone")
    if _read("/sys/fs/selinux/enforce").strip() == "1":
        advice = "setenforce 0, or a policy that lets containers run"
        yield _check("selinux", WARNING, "it is enforcing, and moby labels no files: containers may be denied their own", advice)


def _firewall() -> Iterator[Check]:
    try:
        generation()
    except OSError as error:
        advice = "modprobe nf_tables nft_chain_nat nft_masq; until then use --network host or none"
        message = f"nftables does not answer ({error.strerror or error}): no bridge networks and no published ports"
        yield _check("firewall", ERROR, message, advice)
        return
    yield _check("firewall", OK, "nftables answers; moby network doctor looks at the rules")
    if _number("/proc/sys/net/ipv4/ip_forward", 0) == 0:
        advice = "sysctl -w net.ipv4.ip_forward=1; the engine sets it when it makes its first bridge"
        yield _check("firewall", ABSENT, "net.ipv4.ip_forward is 0: nothing passes between containers and the world", advice)


def _links() -> Iterator[Check]:
    """Which kinds of network interfaces the kernel can make, as far as its lists of modules tell."""
    wanted = {"bridge": ERROR, "veth": ERROR, "macvlan": ABSENT, "ipvlan": ABSENT}
    modules = _modules()
    missing = {name: severity for name, severity in wanted.items() if not _has_module(name, modules)}
    if modules:
        for name, severity in missing.items():
            refused = "bridge networks are" if severity == ERROR else f"networks with the driver {name} are"
            yield _check(
                "interfaces",
                severity,
                f"the kernel lists no module {name}: {refused} refused",
                f"install the kernel's package with {name}",
            )
    there = [name for name in wanted if name not in missing]
    if there:
        yield _check("interfaces", OK, ", ".join(there))


def _modules() -> str:
    folder = f"/lib/modules/{os.uname().release}"
    return _read(f"{folder}/modules.builtin") + _read(f"{folder}/modules.dep")


def _has_module(name: str, modules: str) -> bool:
    return os.path.isdir(f"/sys/module/{name}") or bool(re.search(rf"/{name}\.ko[.:\n]?", modules))


def _storage(data_root: Path) -> Iterator[Check]:
    if "\toverlay\n" not in _read("/proc/filesystems"):
        yield _check("storage", ERROR, "the kernel has no overlay file system: no container can be started", "modprobe overlay")
    kind, options = file_system(data_root.stat().st_dev)
    if kind in _NO_UPPER:
        advice = "move it to ext4, xfs, btrfs or tmpfs: --data-root FOLDER"
        yield _check(
            "storage",
            ERROR,
            f"the data root {data_root} is on {kind}, which cannot hold the writable layer of an overlay",
            advice,
        )
        return
    yield _check("storage", OK, f"overlay on {kind or 'an unknown file system'}, {data_root}")
    if not {"prjquota", "pquota"} & set(options.split(",")):
        message = "the data root has no project quotas: what --storage-opt size= limits lies in a sparse file"
        yield _check("storage", ABSENT, message, "mount it with prjquota, if you limit many containers")


def _space(folder: Path, what: str) -> Iterator[Check]:
    """Bytes and files that are left; what root alone may still use is not counted."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return
    for total, free, unit in ((disk.f_blocks, disk.f_bavail, "space"), (disk.f_files, disk.f_favail, "inodes")):
        if not total:
            continue
        left = 100 * free / total
        severity = ERROR if left < _VERY_LOW else WARNING if left < _LOW else OK
        amount = f"{free * disk.f_frsize / 1e9:.1f} GB" if unit == "space" else f"{free}"
        message = f"{left:.0f} % of the {unit} of the {what} is free ({amount})"
        if severity != OK:
            yield _check(
                "disk",
                severity,
                f"{message}: nearly full",
                "moby system df shows what takes it, moby system prune --dry-run what can go",
            )
        elif unit == "space":
            yield _check("disk", OK, message)


def _bounds() -> Iterator[Check]:
    instances = _number("/proc/sys/fs/inotify/max_user_instances", _LEAST_INOTIFY)
    if instances < _LEAST_INOTIFY:
        message = f"fs.inotify.max_user_instances is {instances}: programs that watch files fail in many containers"
        yield _check("limits", WARNING, message, "sysctl -w fs.inotify.max_user_instances=1024")
    keys = _number("/proc/sys/kernel/pid_max", 32768)
    if keys < 32768:
        yield _check("limits", WARNING, f"kernel.pid_max is {keys}: few processes at a time", "sysctl -w kernel.pid_max=4194304")


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def _number(path: str, default: int) -> int:
    text = _read(path).strip()
    return int(text) if text.isdecimal() else default


def _field(path: str, name: str) -> str:
    return next((line.partition(":")[2].strip() for line in _read(path).splitlines() if line.startswith(f"{name}:")), "")
