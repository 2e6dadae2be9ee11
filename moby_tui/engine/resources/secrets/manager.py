"""Secrets of one data root: made, listed, removed, and handed to the monitors of containers."""

from __future__ import annotations

import builtins
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from moby_tui.engine.kernel.ids import IdMap, to_host
from moby_tui.engine.resources.secrets import requests
from moby_tui.engine.resources.secrets.store import SecretStore
from moby_tui.engine.store.locks import FileLock
from moby_tui.engine.store.records.containers import SecretReference
from moby_tui.engine.store.state import now
from moby_tui.errors import Conflict, InvalidArgument, NotFound
from moby_tui.schema.base import Filters
from moby_tui.schema.secret import Secret, SecretCreate, SecretCreated, SecretSpec

#: ``(type, action, id, attributes)``, as ``Journal.publish`` takes them.
Publish = Callable[[str, str, str, dict[str, str]], object]
#: Hexadecimal digits of an id; as many as those of Docker's have characters.
_ID_LENGTH = 25


class SecretManager:
    """The ``Secrets`` of the client protocol, and what a container's creation and start need of them."""

    def __init__(self, folder: Path, publish: Publish, used_by: Callable[[str], Sequence[str]]) -> None:
        """``used_by`` names the containers, running or not, that refer to the secret of an id."""
        self._store = SecretStore(folder)
        self._publish = publish
        self._used_by = used_by

    # The client protocol

    async def list(self, *, filters: Filters | None = None) -> list[Secret]:
        """The secrets by name. Filters: id, label, name. Raises ``InvalidArgument`` for others."""
        return requests.matching(self._store.all(), filters)

    async def create(self, config: SecretCreate) -> SecretCreated:
        """Encrypts and keeps it. Raises ``InvalidArgument``, ``Conflict`` for a name that is taken, ``StorageFull``."""
        requests.check_new(config)
        async with self._store.lock():
            if any(secret.spec.name == config.name for secret in self._store.all()):
                raise Conflict(f"secret {config.name} exists already: remove it first, or choose another name")
            made = self._new(config)
            self._store.add(made, config.data)
        self._publish("secret", "create", made.id, {"name": config.name})
        return SecretCreated(id=made.id)

    def _new(self, config: SecretCreate) -> Secret:
        created = now()
        spec = SecretSpec(name=config.name, labels=config.labels or {})
        return Secret(id=os.urandom(_ID_LENGTH).hex()[:_ID_LENGTH], created_at=created, updated_at=created, spec=spec)

    async def inspect(self, ref: str) -> Secret:
        """By name, id, or the beginning of an id that no other has. Raises ``NotFound``, ``InvalidArgument``."""
        return self._find(ref)

    async def remove(self, ref: str) -> None:
        """Raises ``NotFound``, and ``Conflict`` while there is a container that refers to it."""
        async with self._store.lock():
            secret = self._find(ref)
            if users := self._used_by(secret.id):
                raise Conflict(
                    f"secret {secret.spec.name} is in use by container {', '.join(users)}: remove the containers first"
                )
            self._store.remove(secret.id)
        self._publish("secret", "remove", secret.id, {"name": secret.spec.name})

    def _find(self, ref: str) -> Secret:
        known = self._store.all()
        matches = [secret for secret in known if ref in (secret.id, secret.spec.name)]
        matches = matches or [secret for secret in known if ref and secret.id.startswith(ref)]
        if not matches:
            raise NotFound(f"no such secret: {ref[:200]}")
        if len(matches) > 1:
            raise InvalidArgument(f"the secret {ref} is ambiguous: several ids begin so")
        return matches[0]

    # For containers

    def guard(self) -> FileLock:
        """To be held from ``settle`` until the container is in the store: no secret is removed meanwhile, by any process."""
        return self._store.lock(shared=True)

    def settle(self, references: builtins.list[SecretReference], mounted: set[str]) -> builtins.list[SecretReference]:
        """A container's references, complete. ``mounted`` is where else something is mounted. Raises ``NotFound``, ``InvalidArgument``."""
        settled = [requests.settled(reference, self._find(reference.source or reference.id)) for reference in references]
        requests.check_together(settled, mounted)
        return settled

    def open(self, references: builtins.list[SecretReference], uids: IdMap, gids: IdMap, opened: dict[str, int]) -> None:
        """Puts a file in memory (memfd_create(2)) into ``opened`` for each target: it holds the secret, with the owner and mode asked for.

        The maps are those of the container's user namespace. The descriptors are the caller's, also those of a call that fails.
        Blocking. Raises ``NotFound``, ``InvalidArgument`` for an owner without an id on the host, ``MobyError`` if it cannot
        be decrypted.
        """
        for reference in references:
            data = self._store.data(reference.id)
            owner = _owner(reference, uids, gids)
            opened[reference.target] = os.memfd_create("secret", os.MFD_CLOEXEC)
            _fill(opened[reference.target], data, owner, reference.mode)


def _owner(reference: SecretReference, uids: IdMap, gids: IdMap) -> tuple[int, int]:
    try:
        return to_host(uids, reference.uid), to_host(gids, reference.gid)
    except ValueError as error:
        raise InvalidArgument(f"secret {reference.source}: {error}: map more ids, or give another owner") from None


def _fill(fd: int, data: bytes, owner: tuple[int, int], mode: int) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    os.fchown(fd, *owner)
    os.fchmod(fd, mode)
