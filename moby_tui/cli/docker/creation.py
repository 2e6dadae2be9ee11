"""What docker's command line refuses in a line of ``run`` and ``create`` whose options can all be read, in its order and its words."""

from __future__ import annotations

from moby_tui.cli.docker.values import number, quoted
from moby_tui.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from moby_tui.cli.table.run import CreateOptions

_PROTOCOLS = ("tcp", "udp", "sctp")
_PREDEFINED = ("", "default", "bridge", "host", "none")
_LARGEST_SWAPPINESS = 100


def check(options: CreateOptions, *, is_detached: bool) -> None:
    """Raises ``InvalidArgument``."""
    if options.pull not in ("always", "missing", "never"):
        raise InvalidArgument(f'invalid pull option: \'{options.pull}\': must be one of "always", "missing" or "never"')
    if is_detached and options.attach:
        raise InvalidArgument("conflicting options: cannot specify both --attach and --detach")
    if options.mac_address:
        _require_mac(options.mac_address)
    if not -1 <= options.memory_swappiness <= _LARGEST_SWAPPINESS:
        raise InvalidArgument(f"invalid value: {options.memory_swappiness}. Valid memory swappiness range is 0-100")
    for spec in options.volume:
        _require_volume(spec)
    for spec in options.publish:
        _require_port(spec)
    for spec in options.expose:
        _require_exposed(spec)
    for path, is_environment in (*((path, True) for path in options.env_file), *((path, False) for path in options.label_file)):
        _require_file(path, is_environment=is_environment)
    _require_modes(options)
    _require_restart(options)
    _require_security(options.security_opt)
    if any("=" not in spec for spec in options.storage_opt):
        raise InvalidArgument("invalid storage option")
    _require_health(options)
    _require_networks(options)


def require_image(image: str) -> None:
    """Raises ``InvalidArgument`` for what cannot be the name of an image."""
    from moby_tui.reference import parse

    try:
        parse(image)
    except InvalidArgument as error:
        if not error.message.startswith("invalid reference format"):
            # an id
            return
        raise InvalidArgument(error.message.partition(": '")[0]) from None


def _require_mac(text: str) -> None:
    import re

    if not re.fullmatch(
        r"[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}(([:-][0-9a-fA-F]{2}){2})?|[0-9a-fA-F]{4}(\.[0-9a-fA-F]{4}){2,3}", text
    ):
        raise InvalidArgument(f"{text} is not a valid mac address")


def _require_volume(spec: str) -> None:
    parts = spec.split(":")
    if not spec:
        raise InvalidArgument("invalid empty volume spec")
    if not all(parts):
        raise InvalidArgument(f"invalid spec: {spec}: empty section between colons")
    if len(parts) > 3:
        raise InvalidArgument(f"invalid spec: {spec}: too many colons")


def _is_range(text: str) -> bool:
    """True for a port, or two with a dash between, the lower one first."""
    numbers = text.split("-")
    if len(numbers) > 2 or not all(part.isdecimal() and int(part) <= 65535 for part in numbers):
        return False
    return int(numbers[0]) <= int(numbers[-1])


def _count(text: str) -> int:
    first, _, last = text.partition("-")
    return int(last or first) - int(first) + 1


def _require_port(spec: str) -> None:
    """As nat.ParsePortSpec (docker/go-connections)."""
    if "=" in spec:
        return
    before, _, container = spec.rpartition(":")
    address, _, host = before.rpartition(":")
    container, slash, protocol = container.partition("/")
    if address:
        _require_address(address)
    if not container:
        raise InvalidArgument(f"No port specified: {spec}<empty>")
    if not _is_range(container):
        raise InvalidArgument(f"Invalid containerPort: {container}")
    if host and not _is_range(host):
        raise InvalidArgument(f"Invalid hostPort: {host}")
    if host and _count(container) not in (1, _count(host)):
        raise InvalidArgument(f"Invalid ranges specified for container and host Ports: {container} and {host}")
    if slash and protocol.lower() not in ("", *_PROTOCOLS):
        raise InvalidArgument(f"Invalid proto: {protocol}")


def _require_address(text: str) -> None:
    import ipaddress

    plain = text.removeprefix("[").removesuffix("]")
    if text.startswith("[") != text.endswith("]"):
        raise InvalidArgument(f"Invalid ip address {text}: address {text}:: missing ']' in address")
    if ":" in plain and not text.startswith("["):
        raise InvalidArgument(f"Invalid ip address {text}: address {text}:: too many colons in address")
    try:
        ipaddress.ip_address(plain)
    except ValueError:
        raise InvalidArgument(f"Invalid ip address: {plain}") from None


def _require_exposed(spec: str) -> None:
    before = f"invalid range format for --expose: {spec}, error: "
    ports = spec.partition("/")[0]
    if ":" in spec:
        raise InvalidArgument(f"invalid port format for --expose: {spec}")
    try:
        for text in ports.split("-", 1):
            number(text, 16, signed=False)
    except ValueError as error:
        raise InvalidArgument(f"{before}{error}") from None
    if not _is_range(ports):
        raise InvalidArgument(f"{before}Invalid range specified for the Port: {ports}")


def _require_file(path: str, *, is_environment: bool) -> None:
    """A file of variables or labels that can be read."""
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
            lines = [line.lstrip() for line in file]
    except OSError as error:
        raise InvalidArgument(f"open {path}: {(error.strerror or str(error)).lower()}") from None
    for line in lines:
        name = line.removesuffix("\n").partition("=")[0]
        if not line or line.startswith("#"):
            continue
        if name != name.strip() or any(letter.isspace() for letter in name):
            raise InvalidArgument(f"invalid env file ({path}): variable '{name}' contains whitespaces")
        if not name and "=" in line:
            raise InvalidArgument(f"invalid env file ({path}): no variable name on line '{line.strip()}'")


def _require_modes(options: CreateOptions) -> None:
    joined = options.pid.removeprefix("container:")
    if options.pid not in ("", "host", "private") and not (options.pid.startswith("container:") and joined):
        raise InvalidArgument("--pid: invalid PID mode")
    if options.uts not in ("", "host"):
        raise InvalidArgument("--uts: invalid UTS mode")
    if options.userns.partition(":")[0] not in ("", "host", "auto", "keep-id", "nomap", "container"):
        raise InvalidArgument("--userns: invalid USER mode")
    if options.cgroupns not in ("", "host", "private"):
        raise InvalidArgument("--cgroupns: invalid CGROUP mode")


def _require_restart(options: CreateOptions) -> None:
    name, _, count = options.restart.partition(":")
    if options.restart.startswith(":"):
        raise InvalidArgument("invalid restart policy format: no policy provided before colon")
    if count and not count.removeprefix("-").removeprefix("+").isdecimal():
        raise InvalidArgument("invalid restart policy format: maximum retry count must be an integer")
    if options.rm and name not in ("", "no"):
        raise InvalidArgument("conflicting options: cannot specify both --restart and --rm")


def _require_security(specs: Sequence[str]) -> None:
    import json

    for spec in specs:
        name, equals, text = spec.partition("=")
        if not equals and ":" in spec:
            name, equals, text = spec.partition(":")
        if (not equals or not text) and name != "no-new-privileges":
            raise InvalidArgument(f"Invalid --security-opt: {quoted(spec)}")
        if name == "seccomp" and text not in ("unconfined", "builtin"):
            try:
                with open(text, "rb") as file:
                    json.load(file)
            except OSError as error:
                reason = f"open {text}: {(error.strerror or str(error)).lower()}"
                raise InvalidArgument(f"opening seccomp profile ({text}) failed: {reason}") from None
            except ValueError as error:
                reason = _in_gos_words(text, error)
                raise InvalidArgument(f"compacting json for seccomp profile ({text}) failed: {reason}") from None


def _in_gos_words(path: str, error: ValueError) -> str:
    """What Go's encoding/json says of a file that is no JSON."""
    with open(path, "rb") as file:
        text = file.read().decode(errors="replace")
    place = getattr(error, "pos", 0)
    if place >= len(text):
        return "unexpected end of JSON input"
    return f"invalid character '{text[place]}' looking for beginning of value"


def _require_health(options: CreateOptions) -> None:
    durations = {
        "interval": options.health_interval,
        "timeout": options.health_timeout,
        "start-period": options.health_start_period,
        "start-interval": options.health_start_interval,
    }
    if options.no_healthcheck and (options.health_cmd or options.health_retries or any(durations.values())):
        raise InvalidArgument("--no-healthcheck conflicts with --health-* options")
    for name, text in durations.items():
        if text.startswith("-") and text.strip("-0"):
            raise InvalidArgument(f"--health-{name} cannot be negative")
    if options.health_retries < 0:
        raise InvalidArgument("--health-retries cannot be negative")


def _require_networks(options: CreateOptions) -> None:
    if "" in options.network:
        raise InvalidArgument("no name set for network")
    names = [_network_name(spec) for spec in options.network]
    if repeated := next((name for place, name in enumerate(names) if name in names[:place]), ""):
        raise InvalidArgument(f"network {quoted(repeated)} is specified multiple times")
    first = names[0] if names else ""
    if options.network_alias and not _is_defined_by_user(first):
        raise InvalidArgument("network-scoped aliases are only supported for user-defined networks")
    if len(set(map(_is_defined_by_user, names))) > 1:
        raise InvalidArgument("conflicting options: cannot attach both user-defined and non-user-defined network-modes")


def _is_defined_by_user(name: str) -> bool:
    return name not in _PREDEFINED and not name.startswith("container:")


def _network_name(spec: str) -> str:
    from moby_tui.cli.values import comma

    if "=" not in spec:
        return spec
    return next((value for key, _, value in comma.fields("--network", spec) if key == "name"), "")
