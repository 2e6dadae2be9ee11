"""Secrets of plain containers: moby's own. Docker's engine has secrets for a swarm's services alone."""

from __future__ import annotations

import builtins
from typing import Protocol

from moby_tui.api.operations.fields import filters
from moby_tui.api.operations.operation import delete, get, post
from moby_tui.schema.base import Filters
from moby_tui.schema.secret import Secret, SecretCreate, SecretCreated


class Secrets(Protocol):
    """``ref`` is a name, an id or the beginning of one."""

    @get("/moby/secrets", filters("id", "label", "name"), needs="secret ls")
    async def list(self, *, filters: Filters | None = None) -> builtins.list[Secret]:
        """Lists secrets, without what they hold."""
        ...

    @post("/moby/secrets/create", status=201, errors=(409,), needs="secret create")
    async def create(self, config: SecretCreate) -> SecretCreated:
        """Keeps a secret, encrypted on disk."""
        ...

    @get("/moby/secrets/{ref}", errors=(404,), needs="secret inspect")
    async def inspect(self, ref: str) -> Secret:
        """Tells of a secret, without what it holds."""
        ...

    @delete("/moby/secrets/{ref}", errors=(404, 409), needs="secret rm")
    async def remove(self, ref: str) -> None:
        """Removes a secret that no container has."""
        ...
