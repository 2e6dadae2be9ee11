"""The arguments of instructions in their forms: JSON lists, ``name=value`` pairs, ports, signals."""

from __future__ import annotations

import json
import re
from ipaddress import ip_address

from moby_tui.engine.resources.dockerfile import shell_words
from moby_tui.errors import InvalidArgument
from moby_tui.schema.container import HealthConfig
from moby_tui.stop_signal import parse_signal

_PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp))?", re.IGNORECASE)
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_WITHOUT_UNIT = re.compile(r"\d*\.?\d*[1-9]\d*\.?\d*")
_NANOSECONDS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_HOST_PORT = re.compile(r"\d{1,5}(?:-\d{1,5})?")


def listed(value: str) -> list[str] | None:
    """The items of a JSON list of strings (the exec form), or None for other text (the shell form).

    Raises ``InvalidArgument`` for a list of anything else."""
    if not value.startswith("["):
        return None
    try:
        items = json.loads(value, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    if not all(isinstance(item, str) for item in items):
        raise InvalidArgument("when using JSON array syntax, arrays must be comprised of strings only")
    if any("\0" in item for item in items):
        raise InvalidArgument("a NUL character in a list of arguments")
    # JSON can name half of a surrogate pair, which is no character
    return [item.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for item in items]


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def command(value: str, shell: list[str]) -> list[str]:
    """The exec form as it is; the shell form for the shell to read."""
    items = listed(value)
    return [*shell, value] if items is None else items


def shell(value: str) -> list[str]:
    """The list of SHELL. Raises ``InvalidArgument``."""
    items = listed(value)
    if items is None:
        raise InvalidArgument('SHELL requires the arguments to be in JSON form; write it as ["/bin/sh", "-c"]')
    if not items:
        raise InvalidArgument("SHELL requires at least one argument")
    return items


def volumes(value: str) -> list[str]:
    """The paths of VOLUME; quotes and variables are still in them. Raises ``InvalidArgument``."""
    items = listed(value)
    paths = value.split() if items is None else items
    if not paths:
        raise InvalidArgument("VOLUME requires at least one argument")
    for path in paths:
        check_volume(path)
    return paths


def check_volume(path: str) -> None:
    """Raises ``InvalidArgument`` for a path that is blank."""
    if not path.strip():
        raise InvalidArgument("VOLUME specified can not be an empty string")


def sources_and_destination(name: str, value: str) -> list[str]:
    """The words of COPY or ADD, the destination last; quotes and variables are still in them. Raises ``InvalidArgument``."""
    items = listed(value)
    words = value.split() if items is None else items
    if len(words) < 2:
        raise InvalidArgument(
            f"{name} requires at least two arguments, but only one was provided. Destination could not be determined"
        )
    return words


def argument(word: str) -> tuple[str, str | None]:
    """Name and default of an ARG, None without a default. Raises ``InvalidArgument``."""
    name, equals, default = word.partition("=")
    if not name:
        raise InvalidArgument("ARG names can not be blank")
    return name, default if equals else None


def pairs(name: str, value: str, escape: str) -> list[tuple[str, str]]:
    """``a=1 b="2 3"``, or the older ``a 1 2``; quotes and variables are still in them. Raises ``InvalidArgument``."""
    found = assignments(name, value, escape)
    if not all(key for key, _ in found):
        raise InvalidArgument(f"{name} names can not be blank")
    return found


def assignments(name: str, value: str, escape: str) -> list[tuple[str, str]]:
    """The same; names may be blank."""
    words = shell_words.raw_words(value, escape)
    if "=" not in words[0]:
        key, _, rest = (value.split(None, 1)[0], "", value[len(words[0]) :].strip())
        if not rest:
            raise InvalidArgument(f"{name} must have two arguments; write {name} name=value")
        return [(key, rest)]
    assigned = []
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise InvalidArgument(f'Syntax error - can\'t find = in "{word[:80]}". Must be of the form: name=value')
        assigned.append((key, text))
    return assigned


def ports(words: list[str]) -> list[str]:
    """``80``, ``53/udp``, ``8000-8003``, each as ``number/protocol``; what docker run would bind it to, as in ``127.0.0.1:80:8080``,
    means nothing here. Raises ``InvalidArgument``."""
    ports_of_all: list[str] = []
    for word in words:
        _, _, port = word.rpartition(":")
        match = _PORT.fullmatch(port)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if match is None or not 0 < first <= last < 65536 or not _is_bound(word[: -len(port) - 1]):
            raise InvalidArgument(f"invalid containerPort: {word[:40]}; write it as 80, 53/udp or 8000-8003")
        ports_of_all += [f"{port}/{(match[3] or 'tcp').lower()}" for port in range(first, last + 1)]
    return ports_of_all


def _is_bound(text: str) -> bool:
    """True if this may stand before a container's port: nothing, an address, a port of the host, or both."""
    if not text or _HOST_PORT.fullmatch(text):
        return True
    address, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    try:
        ip_address((address if colon else text).removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return not port or _HOST_PORT.fullmatch(port) is not None


def check_signal(text: str) -> None:
    """Raises ``InvalidArgument`` for what is neither a signal's number nor its name."""
    try:
        parse_signal(text)
    except InvalidArgument:
        raise InvalidArgument(f"invalid signal: {text[:40]}; give a name such as SIGTERM, or a number") from None


def duration(name: str, text: str) -> int:
    """``1m30s`` in nanoseconds, as Go writes durations. Raises ``InvalidArgument``; less than a millisecond is too short, 0 inherits."""
    sign, amount = re.fullmatch(r"([-+]?)(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
    if _WITHOUT_UNIT.fullmatch(amount):
        raise InvalidArgument(f'time: missing unit in duration "{text[:40]}"; write --{name} as 30s or 1m30s')
    parts = _DURATION.findall(amount)
    if amount != "0" and (not parts or "".join(number + unit for number, unit in parts) != amount):
        raise InvalidArgument(f'time: invalid duration "{text[:40]}"; write --{name} as 30s or 1m30s')
    nanoseconds = round(sum(float(number) * _NANOSECONDS[unit] for number, unit in parts))
    if nanoseconds and (sign == "-" or nanoseconds < 10**6):
        raise InvalidArgument(f'Interval "{name}" cannot be less than 1ms')
    return nanoseconds


_SECOND = 10**9
_SMALL = (("ms", 10**6), ("\u00b5s", 10**3), ("ns", 1))
#: Characters that Go writes with a letter or a backslash.
_ESCAPES = {7: r"\a", 8: r"\b", 9: r"\t", 10: r"\n", 11: r"\v", 12: r"\f", 13: r"\r", 39: r"\'", 92: r"\\"}


def health(value: str, flags: dict[str, str]) -> HealthConfig:
    """``NONE``, or ``CMD`` and a command in either form. Raises ``InvalidArgument``."""
    kind, _, rest = value.partition(" ")
    rest = rest.strip()
    if kind.upper() == "NONE":
        if rest:
            raise InvalidArgument("HEALTHCHECK NONE takes no arguments")
        return HealthConfig(test=["NONE"])
    if kind.upper() != "CMD":
        raise InvalidArgument(f'Unknown type "{kind[:40].upper()}" in HEALTHCHECK (try CMD)')
    items = listed(rest)
    if not rest or items == []:
        raise InvalidArgument("Missing command after HEALTHCHECK CMD")
    retries = flags.get("retries", "0")
    if not re.fullmatch(r"[-+]?[0-9]{1,9}", retries):
        raise InvalidArgument(f'strconv.ParseInt: parsing "{retries[:40]}": invalid syntax; --retries is a number')
    if int(retries) < 0:
        raise InvalidArgument(f"--retries cannot be negative ({retries})")
    times = {name: duration(name, flags[name]) for name in flags if name != "retries"}
    return HealthConfig(
        test=["CMD-SHELL", rest] if items is None else ["CMD", *items],
        retries=int(retries),
        **{name.replace("-", "_"): nanoseconds for name, nanoseconds in times.items()},
    )


def health_told(health: HealthConfig) -> str:
    """As BuildKit writes it in the history: Go's form of the structure with ``%q``, in which the number of retries is a character."""
    words = " ".join(map(_quoted, health.test or ()))
    times = (health.interval, health.timeout, health.start_period, health.start_interval)
    return f"&{{[{words}] {' '.join(_quoted(_go_duration(time or 0)) for time in times)} {_character(health.retries or 0)}}}"


def _quoted(text: str) -> str:
    return json.dumps(text)


def _character(number: int) -> str:
    if number in _ESCAPES:
        return f"'{_ESCAPES[number]}'"
    if number < ord(" ") or number == 0x7F:
        return f"'\\x{number:02x}'"
    return f"'{chr(number)}'" if number < 0x7F else f"'\\u{number:04x}'"


def _go_duration(nanoseconds: int) -> str:
    """As Go's ``Duration.String``: ``1m30s``, ``0s``, ``5ms``."""
    if abs(nanoseconds) < _SECOND:
        return next((f"{nanoseconds / unit:g}{name}" for name, unit in _SMALL if nanoseconds >= unit), "0s")
    minutes, rest = divmod(nanoseconds, 60 * _SECOND)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{rest / _SECOND:.9f}".rstrip("0").rstrip(".")
    return "".join((f"{hours}h" if hours else "", f"{minutes}m" if hours or minutes else "", f"{seconds}s"))
