"""Block I/O in both versions: weights and throttles as they are asked for, and what was read and written.

Kernel: Documentation/admin-guide/cgroup-v1/blkio-controller.rst, cgroup-v2.rst ("IO"), Documentation/block/bfq-iosched.rst.
"""

from __future__ import annotations

import os

from moby_tui.engine.kernel.cgroup import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from moby_tui.engine.kernel.cgroup.group import Section

#: For each throttle of the OCI runtime specification its file in version 1 and its word in ``io.max`` of version 2.
THROTTLES = {
    "throttleReadBpsDevice": ("blkio.throttle.read_bps_device", "rbps"),
    "throttleWriteBpsDevice": ("blkio.throttle.write_bps_device", "wbps"),
    "throttleReadIOPSDevice": ("blkio.throttle.read_iops_device", "riops"),
    "throttleWriteIOPSDevice": ("blkio.throttle.write_iops_device", "wiops"),
}
#: One entry of what a group has read and written: major, minor, word, number.
Entry = tuple[int, int, str, int]
_NO_WEIGHTS = "no disk scheduler of this kernel knows weights; leave the block I/O weight out or use the bfq scheduler"


def limit_v1(folder: str, asked: Section) -> None:
    """Writes what is asked for. Raises ``OSError``, and ``ValueError`` if the kernel has no weights."""
    _weigh(folder, asked, ("blkio.bfq.weight", "blkio.weight"), "blkio.{}weight_device", int)
    for key, (file, _) in THROTTLES.items():
        for device in _devices(asked, key):
            # 0 takes a limit away
            files.write(f"{folder}/{file}", f"{_number(device)} {device['rate']}")


def limit_v2(folder: str, asked: Section) -> None:
    """The limits of ``limit_v1``, as they are written to the files of version 2."""
    own = "io.bfq.weight" if os.path.exists(f"{folder}/io.bfq.weight") else ""
    _weigh(folder, asked, ("io.bfq.weight", "io.weight"), own or "io.weight", int if own else weight_of_blkio)
    for key, (_, word) in THROTTLES.items():
        for device in _devices(asked, key):
            files.write(f"{folder}/io.max", f"{_number(device)} {word}={device['rate'] or 'max'}")


def _weigh(folder: str, asked: Section, names: tuple[str, str], by_device: str, scale: Callable[[int], int]) -> None:
    weight, devices = asked.get("weight"), _devices(asked, "weightDevice")
    if not weight and not devices:
        return
    name = next((name for name in names if os.path.exists(f"{folder}/{name}")), None)
    if name is None:
        raise ValueError(_NO_WEIGHTS)
    if isinstance(weight, int) and weight:
        files.write(f"{folder}/{name}", scale(weight))
    for device in devices:
        value = int(str(device.get("weight") or 0))
        # the default weight again is what a weight of 0 asks for
        text = "default" if value == 0 and "{}" not in by_device else scale(value) if value else 0
        files.write(f"{folder}/{by_device.format('bfq.' if 'bfq' in name else '')}", f"{_number(device)} {text}")


def weight_of_blkio(weight: int) -> int:
    """``blkio.weight`` (10 to 1000) as ``io.weight`` (1 to 10000)."""
    return 1 + (min(max(weight, 10), 1000) - 10) * 9999 // 990


def _devices(asked: Section, key: str) -> list[dict[str, object]]:
    devices = asked.get(key) or []
    if not isinstance(devices, list):
        raise ValueError(f"control groups: {key} is not a list")
    return devices


def _number(device: dict[str, object]) -> str:
    return f"{device['major']}:{device['minor']}"


def usage_v1(folder: str) -> dict[str, object]:
    return {
        "bytes": _lines_v1(f"{folder}/blkio.throttle.io_service_bytes_recursive"),
        "operations": _lines_v1(f"{folder}/blkio.throttle.io_serviced_recursive"),
    }


def _lines_v1(path: str) -> list[Entry]:
    """Lines ``8:0 Read 4096``; the line of the total has no device."""
    entries: list[Entry] = []
    for line in _read(path):
        words = line.replace(":", " ").split()
        if len(words) == 4:
            entries.append((int(words[0]), int(words[1]), words[2].lower(), int(words[3])))
    return entries


def usage_v2(folder: str) -> dict[str, object]:
    lines = _read(f"{folder}/io.stat")
    return {
        "bytes": _lines_v2(lines, {"rbytes": "read", "wbytes": "write"}),
        "operations": _lines_v2(lines, {"rios": "read", "wios": "write"}),
    }


def _lines_v2(lines: list[str], words: dict[str, str]) -> list[Entry]:
    """Lines ``8:0 rbytes=4096 wbytes=0 ...``."""
    entries: list[Entry] = []
    for line in lines:
        device, _, rest = line.partition(" ")
        major, _, minor = device.partition(":")
        for pair in rest.split():
            key, _, value = pair.partition("=")
            if key in words:
                entries.append((int(major), int(minor), words[key], int(value)))
    return entries


def _read(path: str) -> list[str]:
    try:
        return files.read(path).splitlines()
    except OSError:
        return []
