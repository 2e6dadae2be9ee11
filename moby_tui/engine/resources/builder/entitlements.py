"""Entitlements: what a build may do only if its caller allows it by name, with ``moby build --allow``."""

from __future__ import annotations

from collections.abc import Iterable

from moby_tui.engine.resources.dockerfile.parser import nearest
from moby_tui.errors import Forbidden, InvalidArgument

#: As BuildKit names them.
HOST_NETWORK = "network.host"
INSECURE = "security.insecure"
_KNOWN = (HOST_NETWORK, INSECURE)


def read(names: Iterable[str]) -> frozenset[str]:
    """The allowed entitlements. Raises ``InvalidArgument`` for an unknown name."""
    entitlements = frozenset(names)
    for name in sorted(entitlements - set(_KNOWN)):
        raise InvalidArgument(f"unknown entitlement {name[:80]!r}{nearest(name, _KNOWN)}: it is {' or '.join(_KNOWN)}")
    return entitlements


def require(allowed: frozenset[str], name: str, asked: str) -> None:
    """Raises ``Forbidden`` if ``asked``, the flag of an instruction, needs an entitlement that is not allowed."""
    if name not in allowed:
        raise Forbidden(f"{asked} is not allowed: {name} is not granted; build with --allow {name}")
