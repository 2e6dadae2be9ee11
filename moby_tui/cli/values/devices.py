"""Devices and limits: ``--device``, ``--ulimit``, ``--device-read-bps`` and their kin, ``--gpus``."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from moby_tui.cli import session
from moby_tui.cli.values import comma
from moby_tui.cli.values.units import parse_size
from moby_tui.errors import InvalidArgument
from moby_tui.schema.container import DeviceMapping, DeviceRequest, ThrottleDevice, Ulimit, WeightDevice

#: getrlimit(2)
ULIMITS = frozenset(
    {
        *("as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile"),
        *("nproc", "rss", "rtprio", "rttime", "sigpending", "stack"),
    }
)


def _is_mode(text: str) -> bool:
    return bool(text) and set(text) <= set("rwm") and len(set(text)) == len(text)


def parse_device(spec: str) -> DeviceMapping:
    """``/dev/fuse[:/dev/inside][:rwm]``. Raises ``InvalidArgument``."""
    parts = spec.split(":")
    host, inside, mode = parts[0], parts[0], "rwm"
    if len(parts) == 2 and _is_mode(parts[1]):
        mode = parts[1]
    elif len(parts) in (2, 3):
        inside = parts[1]
        mode = parts[2] if len(parts) == 3 else mode
    elif len(parts) != 1:
        own = f"invalid device {spec!r}: write it as host[:container][:rwm]"
        raise InvalidArgument(session.phrase(own, f"bad format for path: {spec}"))
    if not host.startswith("/") or not inside.startswith("/") or not _is_mode(mode):
        own = f"invalid device {spec!r}: absolute paths, and r, w, m for what is allowed"
        relative = next((path for path in (host, inside) if not path.startswith("/")), "")
        dockers = f"{relative} is not an absolute path" if relative else f"bad mode specified: {mode}"
        raise InvalidArgument(session.phrase(own, dockers))
    return DeviceMapping(path_on_host=host, path_in_container=inside, cgroup_permissions=mode)


def devices(specs: Iterable[str]) -> tuple[list[DeviceMapping], list[DeviceRequest]]:
    """All ``--device``: paths, and what is named by the Container Device Interface (``vendor.com/class=name``)."""
    mapped, requested = [], []
    for spec in specs:
        if not spec.startswith("/") and "=" in spec and "/" in spec:
            requested.append(spec)
        else:
            mapped.append(parse_device(spec))
    return mapped, [DeviceRequest(driver="cdi", device_ids=requested)] if requested else []


def parse_ulimit(spec: str) -> Ulimit:
    """``nofile=1024[:4096]``, -1 for no limit. Raises ``InvalidArgument``."""
    name, _, value = spec.partition("=")
    soft, colon, hard = value.partition(":")
    if name not in ULIMITS:
        raise InvalidArgument(f"invalid ulimit {spec!r}: no limit is called {name!r}")
    try:
        limit = Ulimit(name=name, soft=int(soft), hard=int(hard if colon else soft))
    except ValueError:
        raise InvalidArgument(f"invalid ulimit {spec!r}: write it as {name}=soft[:hard]") from None
    if limit.hard != -1 and (limit.soft > limit.hard or limit.soft == -1):
        raise InvalidArgument(f"invalid ulimit {spec!r}: the soft limit is above the hard one")
    return limit


def _path_and_number(option: str, spec: str, number: Callable[[str], int]) -> tuple[str, int]:
    path, _, value = spec.rpartition(":")
    if not path.startswith("/dev/"):
        raise InvalidArgument(f"invalid value for {option}: {spec!r}; write it as /dev/name:number")
    try:
        return path, number(value)
    except ValueError:
        raise InvalidArgument(f"invalid value for {option}: {spec!r}; {value!r} is not a number") from None


def throttles(option: str, specs: Iterable[str], *, size: bool) -> list[ThrottleDevice] | None:
    """``/dev/sda:1mb`` where ``size``, ``/dev/sda:1000`` otherwise."""
    parsed = [_path_and_number(option, spec, parse_size if size else int) for spec in specs]
    return [ThrottleDevice(path=path, rate=rate) for path, rate in parsed] or None


def weights(specs: Iterable[str]) -> list[WeightDevice] | None:
    parsed = [_path_and_number("--blkio-weight-device", spec, int) for spec in specs]
    return [WeightDevice(path=path, weight=weight) for path, weight in parsed] or None


def parse_gpus(spec: str) -> DeviceRequest:
    """``all``, a number, or ``device=0,capabilities=utility``. Raises ``InvalidArgument``."""
    request = DeviceRequest(capabilities=[["gpu"]])
    for key, equals, value in comma.fields("--gpus", spec):
        if not equals:
            key, value = "count", key
        if key == "count" and (value == "all" or value.removeprefix("-").isdecimal()):
            request.count = -1 if value == "all" else int(value)
        elif key == "driver":
            request.driver = value
        elif key == "device":
            request.device_ids = value.split(",")
        elif key == "capabilities":
            request.capabilities = [["gpu", *value.split(",")]]
        elif key == "options":
            name, _, text = value.partition("=")
            request.options = {**(request.options or {}), name: text}
        else:
            raise InvalidArgument(f"invalid value for --gpus: {key}={value!r}")
    if not request.device_ids and not request.count:
        request.count = 1
    return request
