"""What a build's caller gives to it: secrets, agents and logins, sent with the request or asked for when they are needed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from moby_tui.engine.resources.builder import git
from moby_tui.engine.resources.builder.execution import agents
from moby_tui.errors import InvalidArgument
from moby_tui.reference import parse
from moby_tui.schema.build import BuildOptions, Caller
from moby_tui.schema.image import RegistryAuth

_HUB = "docker.io"
#: The name of Docker Hub in stored logins.
_HUB_LOGIN = "https://index.docker.io/v1/"


class Supplies:
    """Of one build. Only root reads ``private``, where agents have their sockets."""

    def __init__(self, options: BuildOptions, caller: Caller | None, private: Path) -> None:
        self._secrets = options.secrets
        self._ssh = options.ssh
        self._auths = options.auths
        self._caller = caller
        self._private = private

    async def secret(self, ident: str) -> bytes | None:
        """A secret by its id; None for one that the caller does not have. Raises ``Unavailable`` if the caller is gone."""
        if ident in self._secrets or self._caller is None:
            return self._secrets.get(ident)
        return await self._caller.secret(ident)

    async def tokens(self, host: str) -> dict[str, bytes]:
        """The secrets that are tokens for repositories of this host, as ``git.checkout`` takes them."""
        tokens = {name: await self.secret(name) for name in (f"{git.TOKEN}.{host}", git.TOKEN)}
        return {name: value for name, value in tokens.items() if value is not None}

    @asynccontextmanager
    async def agent(self, ident: str) -> AsyncIterator[str]:
        """The socket of an agent, until the end of the block; empty if the caller does not have it."""
        if ident in self._ssh:
            async with agents.opened(self._ssh[ident], self._private) as agent:
                yield agent
        elif self._caller is not None:
            async with self._caller.agent(ident, self._private) as socket:
                yield socket or ""
        else:
            yield ""

    async def login(self, name: str) -> RegistryAuth | None:
        """The caller's login for an image's registry; None: use the login stored on this machine."""
        try:
            domain = parse(name).domain
        except InvalidArgument:
            return None
        if login := self._auths.get(domain) or (self._auths.get(_HUB_LOGIN) if domain == _HUB else None):
            return login
        return await self._caller.login(domain) if self._caller is not None else None
