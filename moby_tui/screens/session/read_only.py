"""A client that changes nothing: it lets through what reads, and refuses the rest before it reaches the engine."""

from __future__ import annotations

from typing import Any, cast

from moby_tui.api.client import protocol
from moby_tui.api.client.protocol import Client
from moby_tui.api.operations.operation import operations_of
from moby_tui.errors import Forbidden

_FAMILIES = ("containers", "images", "networks", "volumes", "secrets", "builder", "registry", "events", "history", "system")
#: Methods that read, although the API has them under another HTTP method than GET and HEAD, or under none.
_READS = {"containers.wait", "images.verify", "registry.list", "system.ping", "system.prunable", "volumes.list"}


class _Family:
    def __init__(self, family: Any, name: str, allowed: frozenset[str]) -> None:
        self._family, self._name, self._allowed = family, name, allowed

    def __getattr__(self, method: str) -> Any:
        if method not in self._allowed:
            raise Forbidden(
                f"the dashboard is read-only: {self._name} {method.replace('_', ' ')} is refused; start it without --read-only"
            )
        return getattr(self._family, method)


class _ReadOnlyClient:
    def __init__(self, client: Client) -> None:
        self._client = client
        for name in _FAMILIES:
            setattr(self, name, _Family(getattr(client, name, None), name, _reading(name)))

    async def close(self) -> None:
        await self._client.close()


def read_only(client: Client) -> Client:
    """The client without what changes anything. A refused method raises ``Forbidden`` when it is looked up."""
    return cast("Client", _ReadOnlyClient(client))


def _reading(family: str) -> frozenset[str]:
    """The methods of a family that only read."""
    declared = getattr(protocol, family.capitalize())
    reads = {operation.name for operation in operations_of(declared) if operation.method in ("GET", "HEAD")}
    return frozenset(reads | {name.partition(".")[2] for name in _READS if name.startswith(f"{family}.")})
