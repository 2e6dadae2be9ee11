"""Registries, through a remote engine: what Docker's API has a door for."""

from __future__ import annotations

import builtins
from typing import NoReturn

from moby_tui.api.client.remote import Remote
from moby_tui.api.operations.registry import Registry
from moby_tui.errors import NotImplementedYet
from moby_tui.schema import oci
from moby_tui.schema.image import RegistryAuth


class RemoteRegistry(Remote):
    family = Registry

    async def list(self, server: str = "", *, auth: RegistryAuth | None = None) -> builtins.list[str]:
        _no_door("listing the repositories of a registry")

    async def tags(self, repository: str, *, auth: RegistryAuth | None = None) -> builtins.list[str]:
        _no_door("listing the tags of a repository")

    async def referrers(
        self, reference: str, *, artifact_type: str = "", auth: RegistryAuth | None = None
    ) -> builtins.list[oci.Descriptor]:
        _no_door("listing what refers to an image")

    async def remove(self, reference: str, *, auth: RegistryAuth | None = None) -> str:
        _no_door("deleting in a registry")


def _no_door(what: str) -> NoReturn:
    raise NotImplementedYet(f"{what} by an engine elsewhere (Docker's API has no place for it: run it without -H)")
