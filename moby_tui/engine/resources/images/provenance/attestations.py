"""The attestations of an image: bills of materials, provenance. They are shown unverified; ``image verify`` checks signatures.

Attached by BuildKit in the image's index (BuildKit, attestation-storage.md), by cosign under tags, or by reference (OCI 1.1).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from moby_tui.engine.resources.images import manifest as manifests
from moby_tui.engine.resources.images import platform as platforms
from moby_tui.engine.resources.images.provenance import attachments, documents
from moby_tui.engine.resources.images.provenance.attachments import Attached, Source
from moby_tui.errors import NotFound
from moby_tui.schema import oci
from moby_tui.schema.provenance import Attestation

INDEX, COSIGN, REFERRER = "index", "cosign", "referrer"
_REFERENCE_TYPE, _REFERENCE_DIGEST = "vnd.docker.reference.type", "vnd.docker.reference.digest"
_ATTESTATION_MANIFEST = "attestation-manifest"
#: Annotations with the predicate's type, by which the statement need not be read: of BuildKit, of cosign, of bundles.
_PREDICATE_TYPES = ("in-toto.io/predicate-type", "predicateType", "dev.sigstore.bundle.predicateType")
_LARGEST = 32 << 20


@dataclass(frozen=True)
class _Listed:
    attached: Attached
    subject: str
    source: str
    platform: str = ""


async def find(source: Source, top: str, *, statements: bool, predicate_type: str = "") -> AsyncIterator[Attestation]:
    """The attestations of a manifest or index, each read only where its ``statement`` or its type is asked for.

    ``predicate_type`` may be a part of it: ``spdx``. Raises ``Unavailable``, ``InvalidArgument`` for a document that cannot be read.
    """
    async for listed in _all(source, top):
        if listed.attached.descriptor.media_type == documents.SIMPLE_SIGNING:
            continue
        attestation = _from_listing(listed)
        if predicate_type and attestation.predicate_type and predicate_type not in attestation.predicate_type:
            continue
        if statements or not attestation.predicate_type:
            await _read(source, listed.attached.descriptor, attestation, keep=statements)
        if attestation.predicate_type != documents.SIGN_PREDICATE and predicate_type in attestation.predicate_type:
            yield attestation


async def _all(source: Source, top: str) -> AsyncIterator[_Listed]:
    fetched = await source.manifest(top)
    document = manifests.read(fetched.body, fetched.media_type, top)
    subjects = [(top, "")]
    if isinstance(document, oci.Index):
        async for listed in _of_index(source, document):
            yield listed
        chosen = platforms.choose(platforms.host(), document.manifests)
        subjects += [(chosen.digest, _platform(chosen))] if chosen else []
    for subject, platform in subjects:
        for suffix in ("att", "sbom"):
            async for attached in attachments.by_tag(source, subject, suffix):
                yield _Listed(attached, subject, COSIGN, platform)
        async for attached in attachments.by_reference(source, subject):
            yield _Listed(attached, subject, REFERRER, platform)


async def _of_index(source: Source, index: oci.Index) -> AsyncIterator[_Listed]:
    named = {item.digest: _platform(item) for item in index.manifests}
    for item in index.manifests[: attachments.MOST]:
        if item.annotations.get(_REFERENCE_TYPE) != _ATTESTATION_MANIFEST:
            continue
        with suppress(NotFound):
            manifest = attachments.read(await source.manifest(item.digest), item.digest)
            subject = item.annotations.get(_REFERENCE_DIGEST, "")
            for descriptor in manifest.layers[: attachments.MOST]:
                yield _Listed(Attached(item.digest, manifest.artifact_type, descriptor), subject, INDEX, named.get(subject, ""))


def _platform(descriptor: oci.Descriptor) -> str:
    return platforms.text(descriptor.platform) if descriptor.platform else ""


def _from_listing(listed: _Listed) -> Attestation:
    """What the manifest says of an attestation, without reading the statement."""
    descriptor = listed.attached.descriptor
    kind = next((descriptor.annotations[name] for name in _PREDICATE_TYPES if descriptor.annotations.get(name)), "")
    if not kind and not _is_envelope(descriptor) and descriptor.media_type != documents.IN_TOTO:
        kind = descriptor.media_type  # a bare document, without a statement around it
    return Attestation(
        subject=listed.subject,
        source=listed.source,
        media_type=descriptor.media_type,
        digest=descriptor.digest,
        size=descriptor.size,
        predicate_type=kind,
        signed=_is_envelope(descriptor),
        platform=listed.platform,
    )


def _is_envelope(descriptor: oci.Descriptor) -> bool:
    return descriptor.media_type == documents.DSSE or descriptor.media_type.startswith(documents.BUNDLE)


async def _read(source: Source, descriptor: oci.Descriptor, told: Attestation, *, keep: bool) -> None:
    body = await source.small_blob(descriptor, _LARGEST)
    if _is_envelope(descriptor):
        bundle = descriptor.media_type.startswith(documents.BUNDLE)
        body = (documents.bundled(body) if bundle else documents.envelope(documents.strict(body, "the envelope"))).payload
    document = _document(body)
    if isinstance(document, dict) and isinstance(document.get("predicateType"), str):
        told.predicate_type = document["predicateType"]
    if keep:
        told.statement = document


def _document(body: bytes) -> Any:
    """The document: JSON as an object, anything else as text."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body.decode("utf-8", "backslashreplace")
