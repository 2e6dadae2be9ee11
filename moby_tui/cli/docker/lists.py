"""Which values docker's options with several values take, in its words for others (docker/cli, opts)."""

from __future__ import annotations

from moby_tui.cli.docker.values import number, quoted, size
from moby_tui.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# every line with an option of these imports this module: no more than it needs
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*\.?"
_DEVICE_RULE = r"[acb] (?:\d+|\*):(?:\d+|\*) [rwm]{1,3}"
#: The kernel's parameters that belong to a namespace of the container (runc, libcontainer/configs/validate).
_SYSCTLS = frozenset(
    {
        *("kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax", "kernel.shmmni"),
        "kernel.shm_rmid_forced",
    }
)
_RATE = "The correct format is <device-path>:<number>"


def _variable(text: str) -> None:
    if not text.partition("=")[0]:
        raise ValueError(f"invalid environment variable: {text}")


def _label(text: str) -> None:
    if not text.partition("=")[0]:
        raise ValueError(f"invalid label '{text}': empty name")


def _filter(text: str) -> None:
    if text and "=" not in text:
        raise ValueError("bad format of filter (expected name=value)")


def _stream(text: str) -> None:
    if text.lower() not in ("stdin", "stdout", "stderr"):
        raise ValueError("valid streams are STDIN, STDOUT and STDERR")


def _is_address(text: str) -> bool:
    import ipaddress

    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def _host(text: str) -> None:
    name, separator, address = text.partition("=" if "=" in text else ":")
    if not separator or not name:
        raise ValueError(f"bad format for add-host: {quoted(text)}")
    if len(address) > 2 and address[0] == "[" and address[-1] == "]":
        address = address[1:-1]
    if address != "host-gateway" and not _is_address(address):
        raise ValueError(f"invalid IP address in add-host: {quoted(address)}")


def _server(text: str) -> None:
    if not _is_address(text.strip()):
        raise ValueError(f"IP address is not correctly formatted: {text}")


def _domain(text: str) -> None:
    import re

    if text.strip(" ") != "." and not re.fullmatch(_DOMAIN, text):
        raise ValueError(f"{text} is not a valid domain")


def _link(text: str) -> None:
    if not text:
        raise ValueError("empty string specified for links")
    if text.count(":") > 1:
        raise ValueError(f"bad format for links: {text}")


def _device_rule(text: str) -> None:
    import re

    if not re.fullmatch(_DEVICE_RULE, text):
        raise ValueError(f"invalid device cgroup format '{text}'")


def _sysctl(text: str) -> None:
    name, equals, _ = text.partition("=")
    if not equals or not (name in _SYSCTLS or name.startswith(("net.", "fs.mqueue."))):
        raise ValueError(f"sysctl '{text}' is not allowed")


def _ulimit(text: str) -> None:
    from moby_tui.cli.values.devices import ULIMITS

    name, equals, limits = text.partition("=")
    if not equals:
        raise ValueError(f"invalid ulimit argument: {text}")
    if name not in ULIMITS:
        raise ValueError(f"invalid ulimit type: {name}")
    values = limits.split(":")
    if len(values) > 2:
        raise ValueError(f"too many limit value arguments - {limits}, can only have up to two, `soft[:hard]`")
    soft, hard = (number(values[0]), number(values[-1]))
    if hard != -1 and soft == -1:
        raise ValueError(f"ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: {hard}")
    if hard != -1 and soft > hard:
        raise ValueError(f"ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}")


def _device_and(text: str, check: Callable[[str], None]) -> None:
    path, colon, value = text.partition(":")
    if not colon or not path:
        raise ValueError(f"bad format: {text}")
    if not path.startswith("/dev/"):
        raise ValueError(f"bad format for device path: {text}")
    check(value)


def _weight(text: str) -> None:
    def check(value: str) -> None:
        if not value.isdecimal() or not (int(value) == 0 or 10 <= int(value) <= 1000):
            raise ValueError(f"invalid weight for device: {text}")

    _device_and(text, check)


def _bytes_per_second(text: str) -> None:
    def check(value: str) -> None:
        try:
            size(value)
        except ValueError:
            more = "[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb"
            raise ValueError(f"invalid rate for device: {text}. {_RATE}{more}") from None

    _device_and(text, check)


def _operations_per_second(text: str) -> None:
    def check(value: str) -> None:
        if not value.isdecimal():
            raise ValueError(f"invalid rate for device: {text}. {_RATE}. Number must be a positive integer")

    _device_and(text, check)


def _mount(text: str) -> None:
    from moby_tui.cli.values.mounts import mount_of

    if not text:
        raise ValueError("EOF")
    try:
        mount_of(text)
    except InvalidArgument as error:
        raise ValueError(error.message) from None


def _network(text: str) -> None:
    from moby_tui.cli.values import comma
    from moby_tui.cli.values.networks import KEYS

    if "=" not in text:
        return
    fields = comma.fields("--network", text)
    for key, equals, _ in fields:
        if not equals:
            raise ValueError(f"invalid field {key}")
        if key not in KEYS:
            raise ValueError(f"invalid field key {key}")
    if not any(key == "name" and value for key, _, value in fields):
        raise ValueError("network name/id is not specified")


def _gpus(text: str) -> None:
    from moby_tui.cli.values import comma

    seen: set[str] = set()
    for key, equals, value in comma.fields("--gpus", text):
        if key in seen:
            raise ValueError(f"gpu request key '{key}' can be specified only once")
        seen.add(key)
        if equals and key not in ("driver", "count", "device", "capabilities", "options"):
            raise ValueError(f"unexpected key '{key}' in '{key}={value}'")
        count = (value if equals else key) if key == "count" or not equals else "all"
        if count != "all" and not count.removeprefix("-").isdecimal():
            raise ValueError(f'invalid count ({count}): value must be either "all" or an integer: invalid syntax')


CHECKS: dict[str, Callable[[str], object]] = {
    "filter": _filter,
    "--env": _variable,
    "--label": _label,
    "--attach": _stream,
    "--add-host": _host,
    "--dns": _server,
    "--dns-search": _domain,
    "--link": _link,
    "--device-cgroup-rule": _device_rule,
    "--sysctl": _sysctl,
    "--ulimit": _ulimit,
    "--blkio-weight-device": _weight,
    "--device-read-bps": _bytes_per_second,
    "--device-write-bps": _bytes_per_second,
    "--device-read-iops": _operations_per_second,
    "--device-write-iops": _operations_per_second,
    "--mount": _mount,
    "--network": _network,
    "--gpus": _gpus,
}
