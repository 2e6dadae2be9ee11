"""A client's logins to registries: moby.filesync.v1.Auth.

The client gives us a login, and our registry client fetches its tokens with it. (BuildKit has the client fetch them, and compares the
clients of a token that it keeps with GetTokenAuthority and VerifyTokenAuthority; we keep no token beyond one transfer.)
"""

from __future__ import annotations

from moby_tui.api.buildkit.grpc.client import Method
from moby_tui.api.buildkit.session.caller import Caller
from moby_tui.api.buildkit.wire.filesync_pb2 import (
    CredentialsRequest,
    CredentialsResponse,
    FetchTokenRequest,
    FetchTokenResponse,
)
from moby_tui.errors import MobyError, Unavailable
from moby_tui.logins import DEFAULT_DOMAIN
from moby_tui.schema.image import RegistryAuth

_CREDENTIALS = Method("/moby.filesync.v1.Auth/Credentials", CredentialsRequest, CredentialsResponse)
_FETCH_TOKEN = Method("/moby.filesync.v1.Auth/FetchToken", FetchTokenRequest, FetchTokenResponse)
#: The host by which a client knows Docker Hub.
_HUB_HOST = "registry-1.docker.io"


async def credentials(client: Caller, domain: str) -> RegistryAuth | None:
    """The client's login to a registry, as our registry client takes it; None for none. Raises ``MobyError``."""
    if not client.offers(_CREDENTIALS):
        return None
    host = _HUB_HOST if domain == DEFAULT_DOMAIN else domain
    login = await client.call(_CREDENTIALS, CredentialsRequest(Host=host))
    if login.Username and login.Secret:
        return RegistryAuth(username=login.Username, password=login.Secret)
    if login.Secret:
        return RegistryAuth(identitytoken=login.Secret)
    return await _written_token(client, host)


async def _written_token(client: Caller, host: str) -> RegistryAuth | None:
    """The token that is written into the client's configuration; None for none: any other would need a token server's address."""
    if not client.offers(_FETCH_TOKEN):
        return None
    try:
        token = await client.call(_FETCH_TOKEN, FetchTokenRequest(ClientID="moby", Host=host))
    except Unavailable:
        raise
    except MobyError:
        return None
    return RegistryAuth(registrytoken=token.Token) if token.Token else None
