"""Reading what a client sent: query parameters, filters, times and JSON bodies, by the rules of the Docker Engine's server."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
from datetime import datetime
from typing import TypeVar
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web
from multidict import MultiMapping

from moby_tui.api.client import lenient
from moby_tui.api.server import platforms
from moby_tui.errors import InvalidArgument
from moby_tui.schema.base import Filters
from moby_tui.schema.image import RegistryAuth

T = TypeVar("T")

#: Bytes; the largest real create requests are a few tens of kilobytes.
MAX_JSON = 4 * 1024 * 1024
#: Seconds a client has to send a JSON body.
BODY_TIMEOUT = 30.0

_FALSE = frozenset({"", "0", "no", "false", "none"})
_TRUE_IN_GO = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE_IN_GO = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_MOST_CELLS = 2**16 - 1
_UINT32 = range(2**32)
_DIMENSIONS = {"h": "height", "w": "width"}
_INT64 = range(-(2**63), 2**63)
_FRACTION = re.compile(r"(?<=\.)\d+")


class Query:
    """The query string of one request."""

    def __init__(self, values: MultiMapping[str], raw: str = "") -> None:
        """``raw`` is the query as it was sent."""
        self._values = values
        self._raw = raw

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, default: str = "") -> str:
        return self._values.get(name, default)

    def path(self, name: str, *, required: bool = False) -> str:
        """A path in a container, whose bytes need not be UTF-8 (PEP 383)."""
        fields = parse_qsl(self._raw, keep_blank_values=True, errors="surrogateescape")
        path = next((value for key, value in fields if key == name), "")
        if required and not path:
            raise InvalidArgument(f"bad parameter: the query parameter {name!r} is required")
        return path

    def all(self, name: str) -> list[str]:
        return list(self._values.getall(name, []))

    def flag(self, name: str, default: bool = False) -> bool:
        """``"" 0 no false none`` are false, everything else is true; absent is the default."""
        value = self._values.get(name)
        return default if value is None else value.strip().lower() not in _FALSE

    def boolean(self, name: str, default: bool = False) -> bool:
        """As Go's ``strconv.ParseBool`` reads it; absent is the default."""
        value = self._values.get(name, "")
        if not value:
            return default
        if value in _TRUE_IN_GO or value in _FALSE_IN_GO:
            return value in _TRUE_IN_GO
        raise InvalidArgument(f"invalid value for {name}: {value}: expected true or false")

    def integer(self, name: str, default: int = 0) -> int:
        value = self._values.get(name, "")
        if not value:
            return default
        try:
            number = int(value)
        except ValueError:
            raise InvalidArgument(f"invalid value for {name}: {value[:80]!r} is not a number") from None
        if number not in _INT64:
            raise InvalidArgument(f"invalid value for {name}: {value[:80]} is out of range")
        return number

    def tail(self, name: str) -> int | None:
        """A number of lines; None, which is all, for any other word."""
        value = self._values.get(name, "")
        return int(value) if value.isascii() and value.isdigit() else None

    def reference(self, name: str) -> str:
        """The name of an image, whose tag has a field of its own."""
        return with_tag(self._values.get(name, ""), self._values.get("tag", ""))

    def dimension(self, name: str) -> int:
        """A terminal's height or width: a number of 32 bits without sign, of which ``struct winsize`` takes 16 (ioctl_tty(2))."""
        value = self._values.get(name, "")
        wrong = "" if re.fullmatch(r"-?[0-9]+", value) else "invalid syntax"
        if not wrong and int(value) not in _UINT32:
            wrong = "value out of range"
        if wrong:
            raise InvalidArgument(f"invalid resize {_DIMENSIONS[name]} {json.dumps(value, ensure_ascii=False)}: {wrong}")
        return int(value) & _MOST_CELLS

    def timestamp(self, name: str) -> float:
        """Unix seconds with or without a fraction, or RFC 3339; 0 where absent."""
        value = self._values.get(name, "")
        return parse_timestamp(name, value) if value else 0.0

    def moment(self, name: str) -> float | None:
        """As ``timestamp``; None where absent."""
        return self.timestamp(name) if self._values.get(name) else None

    def filters(self, known: frozenset[str] | None) -> Filters:
        """``filters=`` in both of its forms, lists or maps to true; a key that is not ``known`` is refused, none without ``known``."""
        value = self._values.get("filters", "")
        filters = parse_filters(value) if value else {}
        if known is not None and (unknown := filters.keys() - known):
            raise InvalidArgument(f"invalid filter '{min(unknown)}'")
        return filters

    def platforms(self, name: str) -> list[str]:
        """``os/architecture/variant`` of what the API writes as an OCI object in JSON; the field may be repeated."""
        return [platforms.decode(text) for text in self.all(name) if text]

    def platform(self, name: str) -> str:
        """The first of these; empty where absent."""
        return next(iter(self.platforms(name)), "")

    def map(self, name: str) -> dict[str, str | None]:
        """A parameter that is a JSON object of texts, as ``buildargs`` and ``labels`` are; null values are kept."""
        value = self._values.get(name, "")
        if not value:
            return {}
        try:
            return msgspec.json.decode(value, type=dict[str, str | None] | None) or {}
        except (msgspec.DecodeError, UnicodeEncodeError) as error:
            raise InvalidArgument(f"invalid {name}: {error}") from None


def with_tag(repository: str, tag: str) -> str:
    """The name of an image whose tag was given beside it: that tag takes the place of one in the name. A tag may be a digest."""
    if not (repository and tag):
        return repository
    folder, slash, last = repository.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}{'@' if ':' in tag else ':'}{tag}"


def parse_timestamp(name: str, value: str) -> float:
    """See ``Query.timestamp``; raises ``InvalidArgument``."""
    try:
        return float(value) if re.fullmatch(r"-?\d+(\.\d*)?", value) else _rfc3339(value)
    except (ValueError, OverflowError):
        raise InvalidArgument(f"invalid {name}: {value!r} is neither Unix seconds nor an RFC 3339 time") from None


def _rfc3339(value: str) -> float:
    # datetime keeps microseconds only; Go writes nanoseconds.
    return datetime.fromisoformat(_FRACTION.sub(lambda digits: digits[0][:6].ljust(6, "0"), value)).timestamp()


def parse_filters(text: str) -> Filters:
    """See ``Query.filters``; raises ``InvalidArgument``."""
    try:
        document = msgspec.json.decode(text, type=dict[str, list[str] | dict[str, bool] | None] | None) or {}
    except (msgspec.DecodeError, UnicodeEncodeError):
        raise InvalidArgument("invalid filter") from None
    return {
        key: [value for value, wanted in values.items() if wanted] if isinstance(values, dict) else list(values or ())
        for key, values in document.items()
    }


def registry_auth(header: str | None) -> RegistryAuth | None:
    """The header ``X-Registry-Auth``. One that cannot be read counts as absent, as with the Docker Engine."""
    if not header:
        return None
    try:
        raw = base64.urlsafe_b64decode(header.replace("+", "-").replace("/", "_") + "=" * (-len(header) % 4))
        return lenient.decode(raw, RegistryAuth)
    except (binascii.Error, ValueError, msgspec.DecodeError):
        return None


async def body(request: web.BaseRequest, limit: int = MAX_JSON) -> bytes:
    """The whole body of a small request; raises ``InvalidArgument`` when it is too large or comes too slowly."""
    if (request.content_length or 0) > limit:
        raise InvalidArgument(f"request body is larger than {limit} bytes")
    data = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            async for piece in request.content.iter_any():
                data += piece
                if len(data) > limit:
                    raise InvalidArgument(f"request body is larger than {limit} bytes")
    except TimeoutError:
        raise InvalidArgument(f"the request body did not arrive within {BODY_TIMEOUT:.0f} seconds") from None
    return bytes(data)


async def json_body(request: web.BaseRequest, kind: type[T], *, of_any_type: bool = False) -> T:
    """A JSON body as a typed object. An empty one is an object without fields. ``of_any_type``: whatever its Content-Type is."""
    data = await body(request)
    content_type = request.headers.get("Content-Type", "")
    if (data or content_type) and request.content_type != "application/json" and not of_any_type:
        raise InvalidArgument(f"unsupported Content-Type header ({content_type}): must be 'application/json'")
    if not data:
        return _convert(b"{}", kind)
    if data.strip() == b"null" and isinstance(kind, type):
        # to Go: leave everything as it is
        data = b"{}"
    return _convert(data, kind)


def _convert(data: bytes, kind: type[T]) -> T:
    try:
        return lenient.decode(data, kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if "trailing characters" in str(error):
            raise InvalidArgument("unexpected content after JSON") from None
        raise InvalidArgument(f"invalid JSON: {_malformed(data, error) or error}") from None


def _malformed(data: bytes, error: Exception) -> str:
    """Where the document is not JSON; empty if it is, but not what it should hold."""
    if isinstance(error, msgspec.ValidationError):
        return ""
    # imported here, since few requests are malformed
    from moby_tui.api.server import json_syntax

    text = data.decode("utf-8", "surrogateescape")
    return json_syntax.complaint(text) if text.strip(" \t\r\n") else "got EOF while reading request body"
