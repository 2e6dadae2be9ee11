"""What a client says when it opens a session: in the headers of ``POST /session``, or in the metadata of Control.Session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from moby_tui.errors import InvalidArgument

if TYPE_CHECKING:
    from multidict import MultiMapping

_HEADER = "x-docker-expose-session-"


@dataclass(frozen=True)
class Opening:
    """``id`` names the session. A client that comes again with the same ``shared_key`` has the same files to build from.

    ``methods`` are the procedures that the client offers, as ``/package.Service/Procedure``.
    """

    id: str
    name: str
    shared_key: str
    methods: frozenset[str]


def read(headers: MultiMapping[str]) -> Opening:
    """Raises ``InvalidArgument`` for a session without an id."""
    if not (session := headers.get(_HEADER + "uuid")):
        raise InvalidArgument("a session needs an id: send the header X-Docker-Expose-Session-Uuid")
    return Opening(
        session,
        headers.get(_HEADER + "name") or "",
        headers.get(_HEADER + "sharedkey") or "",
        frozenset(headers.getall(_HEADER + "grpc-method", [])),
    )
