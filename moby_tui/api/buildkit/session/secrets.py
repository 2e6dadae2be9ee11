"""A client's secrets: moby.buildkit.secrets.v1."""

from __future__ import annotations

from moby_tui.api.buildkit.grpc.client import Method
from moby_tui.api.buildkit.session.caller import Caller
from moby_tui.api.buildkit.wire.secrets_pb2 import GetSecretRequest, GetSecretResponse

_GET = Method("/moby.buildkit.secrets.v1.Secrets/GetSecret", GetSecretRequest, GetSecretResponse)


async def get(client: Caller, ident: str) -> bytes:
    """The secret with this id. Raises ``NotFound``."""
    return (await client.call(_GET, GetSecretRequest(ID=ident))).data
