"""A client's logins to registries: moby.filesync.v1.Auth.

A client that names an authority for its tokens (GetTokenAuthority) keeps its login and fetches tokens itself; any other gives us the login,
with which our registry client fetches them. (With VerifyTokenAuthority BuildKit asks whether the client of another build may have a token
that it keeps. We keep none beyond one transfer.)
"""

from __future__ import annotations

import os
from functools import partial

from moby_tui.api.buildkit.grpc.client import Method
from moby_tui.api.buildkit.session.caller import Caller
from moby_tui.api.buildkit.wire.filesync_pb2 import (
    CredentialsRequest,
    CredentialsResponse,
    FetchTokenRequest,
    FetchTokenResponse,
    GetTokenAuthorityRequest,
    GetTokenAuthorityResponse,
)
from moby_tui.errors import MobyError, Unavailable
from moby_tui.logins import DEFAULT_DOMAIN
from moby_tui.schema.image import HeldLogin, RegistryAuth

_CREDENTIALS = Method("/moby.filesync.v1.Auth/Credentials", CredentialsRequest, CredentialsResponse)
_FETCH_TOKEN = Method("/moby.filesync.v1.Auth/FetchToken", FetchTokenRequest, FetchTokenResponse)
_AUTHORITY = Method("/moby.filesync.v1.Auth/GetTokenAuthority", GetTokenAuthorityRequest, GetTokenAuthorityResponse)
#: Bytes of the salt of an authority, and our name to token servers.
_SALT, _CLIENT = 32, "moby"
#: The host by which a client knows Docker Hub.
_HUB_HOST = "registry-1.docker.io"


async def credentials(client: Caller, domain: str) -> RegistryAuth | None:
    """The client's login to a registry, as our registry client takes it; None for none. Raises ``MobyError``."""
    host = _HUB_HOST if domain == DEFAULT_DOMAIN else domain
    if await _keeps_login(client, host):
        return HeldLogin(token=partial(_fetched_token, client, host), login=partial(_given, client, host))
    return await _given(client, host)


async def _keeps_login(client: Caller, host: str) -> bool:
    """The authority itself is of no interest, since no token is kept."""
    if not (client.offers(_AUTHORITY) and client.offers(_FETCH_TOKEN)):
        return False
    try:
        return bool((await client.call(_AUTHORITY, GetTokenAuthorityRequest(Host=host, Salt=os.urandom(_SALT)))).PublicKey)
    except MobyError:
        # a client that fetches no tokens says so with any status
        return False


async def _fetched_token(client: Caller, host: str, realm: str, service: str, scopes: list[str]) -> str:
    request = FetchTokenRequest(ClientID=_CLIENT, Host=host, Realm=realm, Service=service, Scopes=scopes)
    return (await client.call(_FETCH_TOKEN, request)).Token


async def _given(client: Caller, host: str) -> RegistryAuth | None:
    if not client.offers(_CREDENTIALS):
        return None
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
        token = await client.call(_FETCH_TOKEN, FetchTokenRequest(ClientID=_CLIENT, Host=host))
    except Unavailable:
        raise
    except MobyError:
        return None
    return RegistryAuth(registrytoken=token.Token) if token.Token else None
