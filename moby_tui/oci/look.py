"""``state``, ``list``, ``ps``, ``spec`` and ``features``: what is there, and what could be."""

from __future__ import annotations

import json
import os
from typing import Any

from moby_tui.engine.kernel.capability import NUMBERS as CAPABILITIES
from moby_tui.engine.runtime.birth.hooks import STAGES
from moby_tui.errors import MobyError
from moby_tui.oci.store import VERSION, Container, Store

_DEFAULT_CAPABILITIES = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]


def state(store: Store, ident: str) -> None:
    print(json.dumps(_described(store.get(ident)), indent=2))


def _described(container: Container) -> dict[str, Any]:
    """The state of the specification, with what runc adds to it."""
    values = container.values
    return {**container.state(), "rootfs": values["rootfs"], "created": values["created"], "owner": "root"}


def listing(store: Store, form: str, *, quiet: bool) -> None:
    states = [_described(container) for container in store.all()]
    if quiet:
        for container in states:
            print(container["id"])
    elif form == "json":
        print(json.dumps(states))
    else:
        rows: list[tuple[str, ...]] = [("ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER")]
        rows += [tuple(str(one[key]) for key in ("id", "pid", "status", "bundle", "created", "owner")) for one in states]
        _print_table(rows)


def _print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def processes(store: Store, ident: str, form: str, options: list[str]) -> None:
    """The processes of a container, through ps(1) if a table is asked for."""
    pids = sorted(store.get(ident).cgroup.pids())
    if form == "json":
        print(json.dumps(pids))
        return
    import subprocess

    done = subprocess.run(["ps", *(options or ["-ef"])], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise MobyError(f"ps: {done.stderr.strip() or 'failed'}")
    lines = done.stdout.splitlines()
    titles = lines[0].split()
    if "PID" not in titles:
        raise MobyError("the options of ps must leave the column PID")
    column = titles.index("PID")
    print(lines[0])
    for line in lines[1:]:
        cells = line.split()
        if len(cells) > column and cells[column].isdecimal() and int(cells[column]) in pids:
            print(line)


def write_spec(bundle: str) -> None:
    """A ``config.json`` to begin with, in the bundle's folder."""
    path = os.path.join(bundle, "config.json")
    try:
        with open(path, "x") as file:
            json.dump(_sample(), file, indent="\t")
    except FileExistsError:
        raise MobyError(f"file {path} exists: remove it first") from None


def _sample() -> dict[str, Any]:
    strict = ["nosuid", "noexec", "nodev"]

    def mount(destination: str, kind: str, *options: str) -> dict[str, Any]:
        return {"destination": destination, "type": kind, "source": kind, "options": list(options)}

    sets = {name: _DEFAULT_CAPABILITIES for name in ("bounding", "effective", "permitted")}
    return {
        "ociVersion": VERSION,
        "process": {
            "terminal": True,
            "user": {"uid": 0, "gid": 0},
            "args": ["sh"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": sets,
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "moby",
        "mounts": [
            mount("/proc", "proc"),
            mount("/dev", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
            mount("/dev/pts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
            mount("/dev/shm", "tmpfs", *strict, "mode=1777", "size=65536k"),
            mount("/dev/mqueue", "mqueue", *strict),
            mount("/sys", "sysfs", *strict, "ro"),
            mount("/sys/fs/cgroup", "cgroup", *strict, "relatime", "ro"),
        ],
        "linux": {
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount", "cgroup")],
            "maskedPaths": ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    }


def features() -> None:
    """What this runtime can do (runtime-spec, features.md)."""
    from moby_tui.engine.runtime.plan.mount_options import OPTION_NAMES

    print(
        json.dumps(
            {
                "ociVersionMin": "1.0.0",
                "ociVersionMax": VERSION,
                "hooks": list(STAGES),
                "mountOptions": sorted({*OPTION_NAMES, "bind", "rbind", "idmap", "ridmap", "tmpcopyup"}),
                "linux": {
                    "namespaces": ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"],
                    "capabilities": list(CAPABILITIES),
                    "cgroup": {"v1": True, "v2": True, "systemd": False, "systemdUser": False, "rdma": False},
                    "seccomp": {"enabled": True},
                    "apparmor": {"enabled": True},
                    "selinux": {"enabled": False},
                    "intelRdt": {"enabled": False},
                    "mountExtensions": {"idmap": {"enabled": True}},
                },
            },
            indent=2,
        )
    )
