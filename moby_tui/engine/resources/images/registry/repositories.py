"""``moby registry`` and ``moby manifest``: lists and inspects repositories, tags and referrers of a registry, deletes tags, reads and
writes manifests. Pulls nothing."""

from __future__ import annotations

import builtins

from moby_tui.engine.resources.images import manifest as manifests
from moby_tui.engine.resources.images.registry import search
from moby_tui.engine.resources.images.registry.hosts import PUSH
from moby_tui.engine.resources.images.registry.registry import DELETE, Registry
from moby_tui.engine.resources.images.store.content import digest_of
from moby_tui.engine_options import EngineOptions
from moby_tui.errors import Forbidden, InvalidArgument, NotFound
from moby_tui.logins import domain_of
from moby_tui.reference import Reference, parse
from moby_tui.schema import oci
from moby_tui.schema.base import Filters
from moby_tui.schema.image import DistributionInspect, ManifestUpload, RegistryAuth, RegistryManifest, SearchResult


class Repositories:
    """Implements ``Registry`` of ``api/client/protocol.py``. Raises ``NotFound``, ``Unauthorized``, ``Unavailable``."""

    def __init__(self, options: EngineOptions) -> None:
        self._options = options

    async def search(
        self, term: str, *, limit: int = 0, filters: Filters | None = None, auth: RegistryAuth | None = None
    ) -> builtins.list[SearchResult]:
        return await search.search(term, limit, filters or {}, auth, self._options)

    async def inspect(self, reference: str, *, auth: RegistryAuth | None = None) -> DistributionInspect:
        wanted = parse(reference).tagged()
        async with Registry(wanted, auth, self._options) as registry:
            fetched = await registry.manifest(wanted.digest or wanted.tag)
            document = manifests.read(fetched.body, fetched.media_type, wanted.familiar)
            if isinstance(document, oci.Index):
                platforms = [one.platform for one in document.manifests if one.platform]
            else:
                body = await registry.small_blob(document.config, manifests.CONFIG_LIMIT)
                config = manifests.read_config(body, len(document.layers), wanted.familiar)
                platforms = [oci.Platform(os=config.os, architecture=config.architecture, variant=config.variant)]
        kind = document.media_type or fetched.media_type
        descriptor = oci.Descriptor(media_type=kind, digest=digest_of(fetched.body), size=len(fetched.body))
        return DistributionInspect(descriptor=descriptor, platforms=platforms)

    async def manifest(self, reference: str, *, insecure: bool = False, auth: RegistryAuth | None = None) -> RegistryManifest:
        wanted = parse(reference).tagged()
        async with Registry(wanted, auth, self._options_for(wanted, insecure=insecure)) as registry:
            fetched = await registry.manifest(wanted.digest or wanted.tag)
            document = manifests.read_any(fetched.body, fetched.media_type, wanted.familiar)
            platform = None
            if isinstance(document, oci.Manifest):
                config = await registry.small_blob(document.config, manifests.CONFIG_LIMIT)
                platform = manifests.platform_of(config, wanted.familiar)
        kind = manifests.kind_of(document, fetched.media_type)
        descriptor = oci.Descriptor(media_type=kind, digest=fetched.digest, size=len(fetched.body), platform=platform)
        return RegistryManifest(descriptor=descriptor, content=fetched.body)

    async def put_manifest(
        self, reference: str, upload: ManifestUpload, *, insecure: bool = False, auth: RegistryAuth | None = None
    ) -> oci.Descriptor:
        target = parse(reference).tagged()
        digest = digest_of(upload.content)
        if target.digest not in ("", digest):
            raise InvalidArgument(f"the manifest for {target.familiar} has another digest: {digest}")
        document = manifests.read_any(upload.content, upload.media_type, target.familiar)
        kind = manifests.kind_of(document, upload.media_type)
        source = parse(f"{target.domain}/{upload.source}").path if upload.source else ""
        options = self._options_for(target, insecure=insecure)
        async with Registry(target, auth, options, purpose=PUSH, sources=[source] if source else []) as registry:
            if source and isinstance(document, oci.Manifest):
                await _mount_blobs(registry, document, source, target)
            await registry.put_manifest(target.digest or target.tag, kind, upload.content)
        return oci.Descriptor(media_type=kind, digest=digest, size=len(upload.content))

    def _options_for(self, reference: Reference, *, insecure: bool) -> EngineOptions:
        if not insecure:
            return self._options
        return self._options.replaced(insecure_registries=(*self._options.insecure_registries, reference.domain))

    async def list(self, server: str = "", *, auth: RegistryAuth | None = None) -> builtins.list[str]:
        async with Registry(Reference(domain_of(server), ""), auth, self._options) as registry:
            return sorted(await registry.catalog())

    async def tags(self, repository: str, *, auth: RegistryAuth | None = None) -> builtins.list[str]:
        wanted = parse(repository)
        if wanted.tag or wanted.digest:
            raise InvalidArgument(f"name a repository without a tag: {wanted.familiar_repository}")
        async with Registry(wanted, auth, self._options) as registry:
            return await registry.tags()

    async def referrers(
        self, reference: str, *, artifact_type: str = "", auth: RegistryAuth | None = None
    ) -> builtins.list[oci.Descriptor]:
        wanted = parse(reference).tagged()
        async with Registry(wanted, auth, self._options) as registry:
            digest = wanted.digest or (await registry.manifest(wanted.tag)).digest
            return await registry.referrers(digest, artifact_type)

    async def remove(self, reference: str, *, auth: RegistryAuth | None = None) -> str:
        wanted = parse(reference)
        if not (wanted.tag or wanted.digest):
            raise InvalidArgument(f"name what to delete by tag or digest: {wanted.familiar}:TAG")
        async with Registry(wanted, auth, self._options, purpose=DELETE) as registry:
            if await registry.delete_manifest(wanted.digest or wanted.tag):
                return wanted.familiar
            if wanted.digest:
                raise Forbidden(f"registry {wanted.domain} does not let anything be deleted; its operator can allow that")
            digest = (await registry.manifest(wanted.tag)).digest
        whole = wanted.at(digest).familiar
        raise Forbidden(
            f"registry {wanted.domain} does not let a tag alone be deleted; `moby registry rm {whole}` deletes the image with all its tags"
        )


async def _mount_blobs(registry: Registry, manifest: oci.Manifest, source: str, target: Reference) -> None:
    """Makes the registry link the blobs of a manifest from another of its repositories. Raises ``NotFound``."""
    for blob in (manifest.config, *manifest.layers):
        if manifests.is_foreign(blob) or await registry.mount_blob(blob.digest, source) or await registry.has_blob(blob.digest):
            continue
        raise NotFound(f"error mounting {target.domain}/{source}@{blob.digest} to {target.canonical}")
