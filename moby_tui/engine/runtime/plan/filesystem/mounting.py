"""The mounts of a configuration, and what is written through them and hidden in them, while the host's tree is still there."""

from __future__ import annotations

import ctypes
import os

from moby_tui.engine.kernel import calls
from moby_tui.engine.kernel import mount as mounts
from moby_tui.engine.protocol.configuration import Configuration, Device, Linux, Mount
from moby_tui.engine.protocol.defaults import STAGED
from moby_tui.engine.runtime.plan.filesystem import ahead, cgroups, guard, masks
from moby_tui.engine.runtime.plan.filesystem.devices import Devices
from moby_tui.engine.runtime.plan.filesystem.root import FileSystemPlan
from moby_tui.engine.runtime.plan.filesystem.source import Bind
from moby_tui.engine.runtime.plan.filesystem.stage import HIDDEN, MASKS, PROTECTED, ROOT_POINT, Stage
from moby_tui.engine.runtime.plan.mount_options import MountOptions
from moby_tui.engine.runtime.plan.process import identity
from moby_tui.engine.runtime.plan.program import Program, Slot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


class MountInputs:
    """What the mounts of a container are made of, opened before the clone by the process that makes it: descriptors of detached mounts.

    ``root`` is its root; ``binds`` are the bind mounts of the configuration, in its order; ``devpts`` has its terminal, -1 for a devpts
    that is made with the mounts; ``procfs`` has those of a pid namespace that is joined, by destination. A process made ahead stands on its
    ``stage``. Any other sees the host's tree: there it attaches its root and its masks to the two folders ``points``, and mounts the
    control groups from ``cgroups`` (see ``mount_cgroups``).
    """

    __slots__ = ("binds", "cgroups", "devpts", "mask_point", "procfs", "root", "root_point", "stage")

    def __init__(
        self,
        *,
        root: int,
        binds: list[Bind],
        devpts: int = -1,
        procfs: dict[str, int] | None = None,
        cgroups: list[dict[str, object]] | None = None,
        stage: Stage | None = None,
        points: tuple[str, str] = (ROOT_POINT, ""),
    ) -> None:
        self.root: Final = root
        self.binds: Final = tuple(binds)
        self.devpts: Final = devpts
        self.procfs: Final = procfs or {}
        self.cgroups: Final = cgroups or []
        self.stage: Final = stage
        self.root_point: Final = points[0]
        self.mask_point: Final = points[1]


def mount_all(
    files: FileSystemPlan, devices: Devices, spec: Configuration, inputs: MountInputs, staged: set[str], premade: dict[str, Slot]
) -> None:
    """In the order of the configuration: a later mount may lie inside an earlier one.

    /proc and /sys are put on real directories only: a link would move them to where the image, or who shares a volume with it, has
    a say in what they show (CVE-2019-19921, CVE-2023-27561).
    """
    requested = spec.linux.devices
    binds = iter(inputs.binds)
    if inputs.stage is not None:
        _fit_stage(files.program, devices, staged, requested)
    _set_sysctls_without_mount(files, spec, inputs, staged, premade)
    for mount in spec.mounts:
        destination, kind = mount.destination, mount.type
        options = MountOptions(mount.options)
        if destination in staged:
            if not destination.startswith("/dev/"):
                files.move(destination, destination, real=kind == "proc")
        elif destination in premade:
            files.attach(premade[destination], destination)
        elif kind == "bind":
            bind = next(binds)
            files.attach(bind.tree, destination, directory=bind.directory, over_proc=bind.over_proc)
        elif kind == "cgroup":
            cgroups.mount_cgroups(files, destination, options, inputs.cgroups)
        elif kind == "devpts" and inputs.devpts >= 0:
            files.attach(inputs.devpts, destination)
        elif kind == "tmpfs" and destination == "/dev":
            devices.mount_tree(options, requested)
        elif kind == "proc" and destination in inputs.procfs:
            _attach_procfs(files, spec, destination, inputs.procfs[destination])
        else:
            _mount_new(files, spec, mount, options)
    for device in requested:
        if not device.path.startswith("/dev/"):
            devices.make_elsewhere(device)


def _attach_procfs(files: FileSystemPlan, spec: Configuration, destination: str, tree: int) -> None:
    """The procfs of a pid namespace that this process is not in, and therefore could not mount."""
    identity.set_sysctls(files.program, tree, b"sys/", spec.linux.sysctl)
    files.attach(tree, destination, real=True)


def _mount_new(files: FileSystemPlan, spec: Configuration, mount: Mount, options: MountOptions) -> None:
    """A file system that is made for this mount."""
    destination, kind = mount.destination, mount.type
    if kind == "proc":
        tree_slot = files.new_mount(destination, kind, options)
        _write_through_proc(files.program, spec, tree_slot)
        files.attach(tree_slot, destination, real=True)
    elif kind == "sysfs":
        files.attach(files.new_mount(destination, kind, options), destination, real=True)
    else:
        over_proc = guard.check_destination(destination, kind)
        tree_slot = files.new_mount(destination, kind, options, source=mount.source)
        if options.propagation:
            files.set_propagation(destination, tree_slot, options.propagation)
        files.attach(tree_slot, destination, over_proc=over_proc)


def _set_sysctls_without_mount(
    files: FileSystemPlan, spec: Configuration, inputs: MountInputs, staged: set[str], premade: dict[str, Slot]
) -> None:
    """Writes sysctls and the AppArmor profile now, where no procfs is mounted for the container later."""
    if "/proc" in staged:
        assert inputs.stage is not None
        _write_through_stage(files.program, spec, inputs.stage)
    elif not any(mount.type == "proc" for mount in spec.mounts):
        _use_own_procfs(files.program, files, spec, premade.get(ahead.PROCFS))


def _use_own_procfs(program: Program, files: FileSystemPlan, spec: Configuration, made: Slot | None) -> None:
    """Where the container's /proc is a bind mount of another, sysctls and profile are written through a procfs that is never attached."""
    if spec.linux.sysctl or spec.process.apparmor_profile:
        proc = made if made is not None else files.new_mount("/proc", "proc", MountOptions([]))
        _write_through_proc(program, spec, proc)
        program.add("close", calls.close, proc)


def _fit_stage(program: Program, devices: Devices, staged: set[str], asked: list[Device]) -> None:
    """Makes the staged ``/dev`` what this container asks for."""
    if "/dev" not in staged:
        return
    for mount in STAGED:
        path = mount.destination
        if path.startswith("/dev/") and path not in staged:
            program.add(f"unmount {path}", calls.umount2, path.encode(), mounts.MNT_DETACH)
    devices.add_staged(asked)


def _write_through_stage(program: Program, spec: Configuration, stage: Stage) -> None:
    identity.set_sysctls(program, stage.proc_sys, b"", spec.linux.sysctl)
    if profile := spec.process.apparmor_profile:
        proc = program.open_slot()
        # still of the stage's making: nothing of the image lies in it
        program.add("open /proc", calls.openat, mounts.AT_FDCWD, b"/proc", os.O_PATH | os.O_CLOEXEC, 0, out=proc)
        identity.set_apparmor(program, proc, profile)


def _write_through_proc(program: Program, spec: Configuration, proc: ctypes.c_int) -> None:
    """While our procfs is still detached, what is written to it cannot be led astray by the image."""
    identity.set_sysctls(program, proc, b"sys/", spec.linux.sysctl)
    if profile := spec.process.apparmor_profile:
        identity.set_apparmor(program, proc, profile)


def hide(
    files: FileSystemPlan, devices: Devices, linux: Linux, inputs: MountInputs, staged: set[str], premade: dict[str, Slot]
) -> None:
    """What of it is to be read-only or not to be seen, where the stage has not seen to it."""
    done: tuple[str, ...] = (*HIDDEN, *PROTECTED) if "/proc" in staged else ()
    for path in linux.readonly_paths:
        if path not in done:
            masks.make_read_only(files, path)
    masked = [path for path in linux.masked_paths if path not in done]
    if masked:
        if inputs.stage is None:
            pair = masks.make_masks(files, devices, inputs.mask_point, premade.get(ahead.MASKS))
        else:
            pair = masks.open_masks(files.program, *MASKS)
        for path in masked:
            masks.mask(files, path, pair)
