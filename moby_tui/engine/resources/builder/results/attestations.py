"""What is stated of an image, beside it in an index: a manifest whose layers are in-toto statements.

https://docs.docker.com/build/metadata/attestations/attestation-storage/
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from moby_tui.engine.resources.images import platform as platforms
from moby_tui.engine.resources.images.store.content import digest_of
from moby_tui.errors import InvalidArgument
from moby_tui.reference import Reference, hex_of
from moby_tui.schema import oci
from moby_tui.schema.base import encode

#: The kind of a bill of materials.
SPDX = "https://spdx.dev/Document"
_STATEMENT = "https://in-toto.io/Statement/v0.1"
_MEDIA_TYPE = "application/vnd.in-toto+json"


@dataclass(frozen=True)
class Statement:
    """``predicate_type`` is that of ``body``, which is the statement in JSON."""

    predicate_type: str
    body: bytes


@dataclass(frozen=True)
class Attestation:
    """``descriptor`` is that of the manifest, the last of ``bodies``, in the index."""

    descriptor: oci.Descriptor
    bodies: list[tuple[oci.Descriptor, bytes]]


def stated(predicate_type: str, predicate: Any, image: oci.Descriptor, tags: Sequence[Reference]) -> Statement:
    """A statement of an image, whose platform is set."""
    platform = image.platform or platforms.host()
    subject = [{"name": package(tag, platform), "digest": {"sha256": hex_of(image.digest)}} for tag in tags]
    body = {"_type": _STATEMENT, "predicateType": predicate_type, "subject": subject, "predicate": predicate}
    return Statement(predicate_type, encode(body))


def of_scanner(data: bytes, image: oci.Descriptor, tags: Sequence[Reference]) -> Statement:
    """The statement that a scanner has written, of this image. Raises ``InvalidArgument`` for what is none, or of another kind."""
    try:
        written = json.loads(data)
        kind, predicate_type = written["_type"], written["predicateType"]
        predicate, subjects = written["predicate"], written.get("subject") or []
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise InvalidArgument("the scanner has written a file that is no in-toto statement") from None
    if kind != _STATEMENT or predicate_type != SPDX or subjects:
        raise InvalidArgument(f"the scanner has written no statement of the kind {SPDX} of the image that it was given")
    return stated(SPDX, predicate, image, tags)


def attest(image: oci.Descriptor, statements: Sequence[Statement]) -> Attestation:
    unknown = oci.Platform(architecture="unknown", os="unknown")
    rootfs = {"type": "layers", "diff_ids": [digest_of(each.body) for each in statements]}
    config = encode({"architecture": unknown.architecture, "os": unknown.os, "config": {}, "rootfs": rootfs})
    layers = [
        (_described(each.body, _MEDIA_TYPE, {"in-toto.io/predicate-type": each.predicate_type}), each.body) for each in statements
    ]
    configured = _described(config, oci.MEDIA_CONFIG)
    listed = [layer for layer, _ in layers]
    manifest = encode(oci.Manifest(schema_version=2, media_type=oci.MEDIA_MANIFEST, config=configured, layers=listed))
    refers = {"vnd.docker.reference.digest": image.digest, "vnd.docker.reference.type": "attestation-manifest"}
    described = _described(manifest, oci.MEDIA_MANIFEST, refers, unknown)
    return Attestation(described, [*layers, (configured, config), (described, manifest)])


def package(reference: Reference, platform: oci.Platform) -> str:
    """An image as a package URL: https://github.com/package-url/purl-spec."""
    version = f"@{reference.tag}" if reference.tag else ""
    qualifiers = [f"digest={reference.digest}"] if reference.digest else []
    qualifiers.append(f"platform={quote(platforms.text(platform), safe='')}")
    return f"pkg:docker/{quote(reference.familiar_repository, safe='/:')}{version}?{'&'.join(qualifiers)}"


def _described(
    body: bytes, media_type: str, annotations: dict[str, str] | None = None, platform: oci.Platform | None = None
) -> oci.Descriptor:
    return oci.Descriptor(
        media_type=media_type, digest=digest_of(body), size=len(body), annotations=annotations or {}, platform=platform
    )
