"""What registries have; nothing is pulled."""

from __future__ import annotations

import builtins
from typing import Protocol

from moby_tui.api.operations.fields import filters
from moby_tui.api.operations.operation import get, put
from moby_tui.schema.base import Filters
from moby_tui.schema.image import DistributionInspect, ManifestUpload, RegistryAuth, RegistryManifest, SearchResult
from moby_tui.schema.oci import Descriptor


class Registry(Protocol):
    """Docker's API has an operation for ``search`` and ``inspect``, moby's own for ``manifest`` and ``put_manifest``: an engine elsewhere
    does these alone.

    ``auth`` is the login; the engine in this process finds a stored one itself. ``insecure``: the registry's certificate is not checked,
    and one without TLS is spoken to over plain HTTP.
    """

    @get("/images/search", filters("is-automated", "is-official", "stars"))
    async def search(
        self, term: str, *, limit: int = 0, filters: Filters | None = None, auth: RegistryAuth | None = None
    ) -> builtins.list[SearchResult]:
        """Repositories of Docker Hub, or of the registry that the term begins with."""
        ...

    @get("/distribution/{reference:.*}/json", errors=(401, 404), since="1.30")
    async def inspect(self, reference: str, *, auth: RegistryAuth | None = None) -> DistributionInspect:
        """The descriptor and the platforms of an image in its registry."""
        ...

    @get("/moby/registry/manifests/{reference:.*}", errors=(401, 404), needs="a manifest of a registry")
    async def manifest(self, reference: str, *, insecure: bool = False, auth: RegistryAuth | None = None) -> RegistryManifest:
        """A manifest or index as its registry has it."""
        ...

    @put("/moby/registry/manifests/{reference:.*}", status=201, errors=(401, 403, 404), needs="pushing a manifest")
    async def put_manifest(
        self, reference: str, upload: ManifestUpload, *, insecure: bool = False, auth: RegistryAuth | None = None
    ) -> Descriptor:
        """Puts a manifest or index into its registry, byte by byte as it is. The blobs of a manifest are mounted from ``source``.

        Raises ``NotFound`` for a blob that the registry does not mount, ``InvalidArgument`` for what is no manifest or has another digest
        than the reference."""
        ...

    async def list(self, server: str = "", *, auth: RegistryAuth | None = None) -> builtins.list[str]:
        """The repositories of a registry, of those that let themselves be listed."""
        ...

    async def tags(self, repository: str, *, auth: RegistryAuth | None = None) -> builtins.list[str]:
        """The tags of a repository."""
        ...

    async def referrers(
        self, reference: str, *, artifact_type: str = "", auth: RegistryAuth | None = None
    ) -> builtins.list[Descriptor]:
        """What refers to a manifest: signatures, bills of materials."""
        ...

    async def remove(self, reference: str, *, auth: RegistryAuth | None = None) -> str:
        """By digest a manifest with all its tags, by tag the tag alone; what is deleted.

        Raises ``Forbidden`` if the registry does not let that be done."""
        ...
