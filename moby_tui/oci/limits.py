"""``update``: limits from a file of ``linux.resources``, or from the command line."""

from __future__ import annotations

import json
import sys
from typing import Any

from moby_tui.oci.arguments import Options, UsageError

_PLACES = {
    "blkio-weight": ("blockIO", "weight"),
    "cpu-period": ("cpu", "period"),
    "cpu-quota": ("cpu", "quota"),
    "cpu-share": ("cpu", "shares"),
    "cpuset-cpus": ("cpu", "cpus"),
    "cpuset-mems": ("cpu", "mems"),
    "memory": ("memory", "limit"),
    "memory-reservation": ("memory", "reservation"),
    "memory-swap": ("memory", "swap"),
    "pids-limit": ("pids", "limit"),
}


def requested_limits(options: Options) -> dict[str, Any]:
    """The limits that ``update`` sets, in the form of the specification's ``linux.resources``.

    Raises ``UsageError`` for a figure that is none, ``ValueError`` for a file that is not JSON.
    """
    if options.get("resources"):
        return _without_zeros(_read(options.get("resources")))
    limits: dict[str, Any] = {}
    for name, (section, key) in _PLACES.items():
        text = options.get(name)
        if text:
            limits.setdefault(section, {})[key] = text if key in ("cpus", "mems") else _number(name, text)
    if not limits:
        raise UsageError("update needs --resources or a limit")
    return limits


def _read(path: str) -> dict[str, Any]:
    if path == "-":
        return json.load(sys.stdin)  # type: ignore[no-any-return]
    with open(path) as file:
        return json.load(file)  # type: ignore[no-any-return]


def _number(name: str, text: str) -> int:
    if not text.removeprefix("-").isdecimal():
        raise UsageError(f"--{name} takes a whole number, not {text!r}")
    return int(text)


def _without_zeros(resources: dict[str, Any]) -> dict[str, Any]:
    """Engines write every figure; one that is zero or empty changes nothing, nor do device rules in an update."""
    return {
        name: {key: value for key, value in section.items() if value}
        for name, section in resources.items()
        if isinstance(section, dict)
    }
