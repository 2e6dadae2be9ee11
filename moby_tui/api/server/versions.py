"""Which version of the Engine API a request speaks, and what every answer says about ours."""

from __future__ import annotations

import re

from moby_tui.errors import InvalidArgument
from moby_tui.version import API_VERSION, MIN_API_VERSION, VERSION

ApiVersion = tuple[int, ...]

_PREFIX = re.compile(r"/v(?P<version>[0-9.]+)(?P<path>/.*)")

#: Sent with every answer; clients look up Api-Version and Ostype.
HEADERS = {
    "Api-Version": API_VERSION,
    "Docker-Experimental": "false",
    "Ostype": "linux",
    "Server": f"Docker/{VERSION} (linux)",
}


class TooOld(InvalidArgument):
    """A version before the first that had errors in JSON."""


def parse(text: str) -> ApiVersion:
    """``1.47`` as a tuple of at least two numbers, without zeros behind them: ``1.47.0`` is ``1.47``. Raises ``InvalidArgument``."""
    parts = text.split(".")
    if not all(part.isdigit() for part in parts) or len(text) > 16:
        raise InvalidArgument(f"invalid API version {text!r}: must be like {API_VERSION}")
    numbers = [int(part) for part in parts] + [0]
    while len(numbers) > 2 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


NEWEST = parse(API_VERSION)
OLDEST = parse(MIN_API_VERSION)


def split(path: str) -> tuple[str | None, str]:
    """``/v1.47/info`` as ``("1.47", "/info")``; a bare path has no version."""
    match = _PREFIX.fullmatch(path)
    return (match["version"], match["path"]) if match else (None, path)


def accept(text: str | None) -> ApiVersion:
    """The version to answer in: a bare path means the newest. Raises ``InvalidArgument`` outside what we speak, and ``TooOld`` below it."""
    if text is None:
        return NEWEST
    version = parse(text)
    if version > NEWEST:
        raise InvalidArgument(f"client version {text} is too new. Maximum supported API version is {API_VERSION}")
    if version < OLDEST:
        raise TooOld(
            f"client version {text} is too old. Minimum supported API version is {MIN_API_VERSION}, "
            "please upgrade your client to a newer version"
        )
    return version
