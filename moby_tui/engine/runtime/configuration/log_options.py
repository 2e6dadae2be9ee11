"""``--log-driver`` and ``--log-opt``: what may be asked for, in Docker's words, and what it means for one container."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import msgspec

from moby_tui.engine.protocol.log import LogSettings
from moby_tui.errors import InvalidArgument

Options = dict[str, str]

_ATTRIBUTES = frozenset({"labels", "labels-regex", "env", "env-regex", "tag"})
_CACHE = frozenset({"cache-disabled", "cache-max-size", "cache-max-file", "cache-compress"})
_FILES = frozenset({"max-size", "max-file", "compress"})
_COMMON = frozenset({"mode", "max-buffer-size"})
_SYSLOG = frozenset(
    {
        *("syslog-address", "syslog-facility", "syslog-format"),
        *("syslog-tls-ca-cert", "syslog-tls-cert", "syslog-tls-key", "syslog-tls-skip-verify"),
    }
)
#: For each driver the options it takes. As in Docker, those of the cache are any driver's but local's; they have no effect on a log that
#: is read here.
DRIVERS: dict[str, frozenset[str]] = {
    "json-file": _FILES | _ATTRIBUTES | _CACHE,
    "local": _FILES | _ATTRIBUTES,
    "journald": _ATTRIBUTES | _CACHE,
    "syslog": _ATTRIBUTES | _SYSLOG | _CACHE,
    "none": frozenset(),
}
_UNITS = ("", "k", "m", "g", "t", "p")
_SIZE = r"(\d+(?:\.\d+)?) ?([kmgtp]?)i?b?"
_TEMPLATE = r"{{\s*\.(\w+)\s*}}"
_BOOLEANS = {text: True for text in ("1", "t", "T", "TRUE", "true", "True")} | {
    text: False for text in ("0", "f", "F", "FALSE", "false", "False")
}
#: By name the numbers of syslog(3); those from 12 to 15 have none.
_FACILITIES = {
    **{
        name: number
        for number, name in enumerate(
            ("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp")
        )
    },
    **{f"local{number}": 16 + number for number in range(8)},
}
_FORMATS = ("", "rfc3164", "rfc5424", "rfc5424micro")
_SCHEMES = ("unix", "unixgram", "udp", "tcp", "tcp+tls")
_DEFAULT_BUFFER = 1024 * 1024


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """The container that is logged. ``env`` holds ``NAME=value``."""

    id: str
    name: str
    image: str
    image_id: str
    command: str
    labels: dict[str, str]
    env: list[str]


def validate(driver: str, options: Options) -> None:
    """Raises ``InvalidArgument`` for what Docker's driver would refuse, in its words."""
    driver = driver or "json-file"
    nobody = Subject(id="", name="", image="", image_id="", command="", labels={}, env=[])
    resolve(driver, options, nobody)


def resolve(driver: str, options: Options, subject: Subject) -> LogSettings:
    """What the monitor is told. Raises ``InvalidArgument``."""
    driver = driver or "json-file"
    if driver == "none":
        return LogSettings(driver="none")
    buffer = _buffer(options)
    if driver not in DRIVERS:
        raise InvalidArgument(f'error looking up logging plugin {driver}: plugin "{driver}" not found')
    for key in options:
        if key not in DRIVERS[driver] | _COMMON:
            raise InvalidArgument(_unknown(driver, key))
    settings = _RESOLVERS[driver](options, subject)
    return settings.replaced(driver=driver, buffer=buffer)


def _unknown(driver: str, key: str) -> str:
    return f"unknown log opt '{key}' for " + (f"log driver {driver}" if driver == "local" else f"{driver} log driver")


def _buffer(options: Options) -> int:
    mode = options.get("mode", "")
    if mode not in ("", "blocking", "non-blocking"):
        raise InvalidArgument(f"logger: logging mode not supported: {mode}")
    size = options.get("max-buffer-size")
    if size is None:
        return _DEFAULT_BUFFER if mode == "non-blocking" else 0
    if mode != "non-blocking":
        raise InvalidArgument("logger: max-buffer-size option is only supported with 'mode=non-blocking'")
    return _parse_size("max-buffer-size", size, 1024)


def _json_file(options: Options, subject: Subject) -> LogSettings:
    settings = _files(LogSettings(), options, "")
    return settings.replaced(attributes=_attributes(options, subject, with_tag=True))


def _local(options: Options, subject: Subject) -> LogSettings:
    settings = _files(LogSettings(max_size=20 * 1024 * 1024, max_files=5, compress=True), options, "")
    return settings.replaced(attributes=_attributes(options, subject, with_tag=True))


def _files(settings: LogSettings, options: Options, prefix: str) -> LogSettings:
    """The settings with what the options say of the log's files: size, number, compression. ``prefix`` is what the names of the options
    begin with.

    Sizes are decimal, as ``docker logs`` counts them: 10k is 10000 bytes. Raises ``InvalidArgument``.
    """
    key = f"{prefix}max-size"
    if (text := options.get(key)) is not None:
        settings = settings.replaced(max_size=0 if text == "-1" else _parse_size(key, text, 1000))
    key = f"{prefix}max-file"
    if (text := options.get(key)) is not None:
        settings = settings.replaced(max_files=_parse_count(key, text))
    key = f"{prefix}compress"
    if (text := options.get(key)) is not None:
        settings = settings.replaced(compress=_parse_bool(key, text))
        if settings.compress and (settings.max_files == 1 or not settings.max_size):
            raise InvalidArgument(f"{key} cannot be true when {prefix}max-file is less than 2 or {prefix}max-size is not set")
    return settings.replaced(compress=settings.compress and settings.max_files > 1)


def _cached(options: Options, remote: dict[str, str], subject: Subject) -> LogSettings:
    """A driver that sends away: what it sends is kept here too, in the form of ``local``, to be read back."""
    settings = _files(LogSettings(max_size=20 * 1024 * 1024, max_files=5, compress=True), options, "cache-")
    disabled = options.get("cache-disabled")
    return settings.replaced(
        cached=disabled is None or not _parse_bool("cache-disabled", disabled),
        remote=[list(pair) for pair in remote.items()],
        attributes=_attributes(options, subject, with_tag=False),
    )


def _syslog(options: Options, subject: Subject) -> LogSettings:
    form = options.get("syslog-format", "")
    if form not in _FORMATS:
        raise InvalidArgument("invalid syslog format")
    remote = {
        **_address(options.get("syslog-address", "")),
        "facility": _facility(options.get("syslog-facility", "")),
        "format": form,
        "tag": _tag(options.get("tag", ""), subject),
        "ca": options.get("syslog-tls-ca-cert", ""),
        "cert": options.get("syslog-tls-cert", ""),
        "key": options.get("syslog-tls-key", ""),
        # Docker asks for the option's presence alone
        "skip-verify": "yes" if "syslog-tls-skip-verify" in options else "",
    }
    return _cached(options, remote, subject)


def _facility(text: str) -> str:
    if not text:
        return str(_FACILITIES["daemon"])
    if text in _FACILITIES:
        return str(_FACILITIES[text])
    if text.isascii() and text.isdecimal() and int(text) <= 23:
        return text
    raise InvalidArgument("invalid syslog facility")


def _address(text: str) -> dict[str, str]:
    if not text:
        return {"scheme": ""}
    # imported here, since few containers log to a server
    from urllib.parse import urlsplit

    parts = urlsplit(text)
    if parts.scheme not in _SCHEMES:
        raise InvalidArgument(f"unsupported syslog scheme {parts.scheme!r} in {text!r}: use one of {', '.join(_SCHEMES)}")
    if parts.scheme.startswith("unix"):
        if not parts.path.startswith("/"):
            raise InvalidArgument(f"syslog-address {text!r} names no socket: write it as {parts.scheme}:///path")
        return {"scheme": parts.scheme, "path": parts.path}
    try:
        port = parts.port or 514
    except ValueError as error:
        raise InvalidArgument(f"invalid port in syslog-address {text!r}") from error
    if not parts.hostname:
        raise InvalidArgument(f"syslog-address {text!r} names no host: write it as {parts.scheme}://host:port")
    return {"scheme": parts.scheme, "host": parts.hostname, "port": str(port)}


def _journald(options: Options, subject: Subject) -> LogSettings:
    tag = _tag(options.get("tag", ""), subject)
    attributes = json.loads(_attributes(options, subject, with_tag=False) or "{}")
    fields = {
        **{_field_name(key): value for key, value in attributes.items()},
        "CONTAINER_ID": subject.id[:12],
        "CONTAINER_ID_FULL": subject.id,
        "CONTAINER_NAME": subject.name,
        "CONTAINER_TAG": tag,
        "IMAGE_NAME": subject.image,
        "SYSLOG_IDENTIFIER": tag,
    }
    return _cached(options, fields, subject)


def _field_name(key: str) -> str:
    """A journal field's name: capitals, digits and underscores, not beginning with an underscore."""
    return re.sub(r"[^A-Z0-9_]", "_", key.upper()).lstrip("_")


def _attributes(options: Options, subject: Subject, *, with_tag: bool) -> str:
    """The labels and variables that were asked for, as Docker's ``ExtraAttributes``: environment wins over labels, both sorted."""
    attributes: dict[str, str] = {}
    environment = dict(entry.partition("=")[::2] for entry in subject.env)
    for kind, source in (("labels", subject.labels), ("env", environment)):
        for name in options.get(kind, "").split(","):
            if name in source:
                attributes[name] = source[name]
        if pattern := options.get(f"{kind}-regex"):
            from moby_tui.expressions import compile_expression  # imported here, since few containers have it

            try:
                matcher = compile_expression(pattern)
            except ValueError as error:
                raise InvalidArgument(f"invalid log option {kind}-regex={pattern}: {error}") from error
            attributes |= {name: value for name, value in source.items() if matcher.search(name)}
    tag = _tag(options.get("tag", ""), subject)
    if with_tag and options.get("tag"):
        attributes["tag"] = tag
    return _encode(attributes) if attributes else ""


def _encode(values: dict[str, str]) -> str:
    """As Go's encoder writes it: what would be markup in HTML is escaped."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _tag(template: str, subject: Subject) -> str:
    """``{{.Name}}`` and its like, replaced; the short id if nothing is asked for (Docker, "Customize log driver output")."""
    values = {
        "ID": subject.id[:12],
        "FullID": subject.id,
        "Name": subject.name,
        "FullName": f"/{subject.name}",
        "ImageID": subject.image_id.removeprefix("sha256:")[:12],
        "ImageFullID": subject.image_id,
        "ImageName": subject.image,
        "Command": subject.command,
        "DaemonName": "docker",
    }

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise InvalidArgument(f"invalid log option tag={template}: no field {match[1]}; there are {', '.join(values)}")
        return values[match[1]]

    text = re.sub(_TEMPLATE, value, template or "{{.ID}}")
    if "{{" in re.sub(_TEMPLATE, "", template):
        raise InvalidArgument(f"invalid log option tag={template}: only fields like {{{{.Name}}}} are understood")
    return text


def _parse_size(key: str, text: str, base: int) -> int:
    """The bytes that ``10m`` means; ``base`` is 1000 or 1024. Raises ``InvalidArgument``."""
    match = re.fullmatch(_SIZE, text, flags=re.IGNORECASE)
    size = int(float(match[1]) * base ** _UNITS.index(match[2].lower())) if match else -1
    if size < 0:
        raise InvalidArgument(f"invalid size: '{text}' for log option {key}")
    if size == 0:
        raise InvalidArgument(f"{key} must be a positive number")
    return size


def _parse_count(key: str, text: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,9}", text):
        raise InvalidArgument(f'invalid log option {key}: strconv.Atoi: parsing "{text}": invalid syntax')
    if int(text) < 1:
        raise InvalidArgument(f"{key} cannot be less than 1")
    return int(text)


def _parse_bool(key: str, text: str) -> bool:
    if text not in _BOOLEANS:
        raise InvalidArgument(f'invalid log option {key}: strconv.ParseBool: parsing "{text}": invalid syntax')
    return _BOOLEANS[text]


_RESOLVERS: dict[str, Callable[[Options, Subject], LogSettings]] = {
    "json-file": _json_file,
    "local": _local,
    "journald": _journald,
    "syslog": _syslog,
}
