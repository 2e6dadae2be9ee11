"""Finds what a registry has attached to a manifest: under a tag made of its digest (cosign), or as a referrer (OCI 1.1).

Registries are hostile: lists are bounded in number and size, and content is verified against its digest.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import msgspec

from moby_tui.engine.resources.images.registry.registry import Fetched
from moby_tui.errors import InvalidArgument, NotFound
from moby_tui.reference import is_digest
from moby_tui.schema import oci
from moby_tui.schema.base import decode

#: The limits for each manifest, and for each list of referrers.
MOST = 100


class Source(Protocol):
    """A repository, or its mirrors."""

    async def manifest(self, which: str) -> Fetched: ...
    async def small_blob(self, descriptor: oci.Descriptor, limit: int = ...) -> bytes: ...
    async def referrers(self, digest: str, artifact_type: str = "") -> list[oci.Descriptor]: ...


@dataclass(frozen=True)
class Attached:
    """One blob; ``place`` is the tag or the digest of the manifest that lists it."""

    place: str
    artifact_type: str
    descriptor: oci.Descriptor


async def by_tag(source: Source, digest: str, suffix: str) -> AsyncIterator[Attached]:
    """The blobs that cosign keeps under the tag ``sha256-<digest>.<suffix>``."""
    tag = f"{digest.replace(':', '-')}.{suffix}"
    with suppress(NotFound):
        manifest = read(await source.manifest(tag), tag)
        for descriptor in manifest.layers[:MOST]:
            yield Attached(tag, manifest.artifact_type, descriptor)


async def by_reference(source: Source, digest: str) -> AsyncIterator[Attached]:
    """The blobs of the manifest's referrers."""
    for referrer in (await source.referrers(digest))[:MOST]:
        if not is_digest(referrer.digest):
            continue
        with suppress(NotFound):
            manifest = read(await source.manifest(referrer.digest), referrer.digest)
            kind = manifest.artifact_type or referrer.artifact_type or manifest.config.media_type
            for descriptor in manifest.layers[:MOST]:
                yield Attached(referrer.digest, kind, descriptor)


def read(fetched: Fetched, name: str) -> oci.Manifest:
    """A manifest of anything, not only of an image. Raises ``InvalidArgument``."""
    try:
        manifest = decode(fetched.body, oci.Manifest)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidArgument(f"the manifest of {name} is invalid: {error}") from error
    for descriptor in manifest.layers:
        if not is_digest(descriptor.digest) or descriptor.size < 0:
            raise InvalidArgument(f"the manifest of {name} holds an invalid descriptor ({descriptor.digest[:80]!r})")
    return manifest
