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
from moby_tui.schema.operations import Attested, Subject

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


def stated(
    predicate_type: str, predicate: Any, image: oci.Descriptor, tags: Sequence[Reference], subjects: Sequence[Subject] = ()
) -> Statement:
    """A statement of an image, whose platform is set; of the image by its tags if no ``subjects`` are given."""
    platform = image.platform or platforms.host()
    own = [{"name": package(tag, platform), "digest": {"sha256": hex_of(image.digest)}} for tag in tags]
    subject = [] if subjects else own
    for each in subjects:
        digests = dict(digest.split(":", 1) for digest in each.digests if ":" in digest)
        if each.is_image and not each.name:
            subject += own
        else:
            subject.append({"name": each.name, "digest": {"sha256": hex_of(image.digest)} if each.is_image else digests})
    body = {"_type": _STATEMENT, "predicateType": predicate_type, "subject": subject, "predicate": predicate}
    return Statement(predicate_type, encode(body))


def of_bundle(data: bytes, needed: str, image: oci.Descriptor, tags: Sequence[Reference]) -> Statement:
    """The statement in a file, which names no image: it is one of this image. Its predicate is of the type ``needed``, if that is given.

    Raises ``InvalidArgument``.
    """
    written = _decoded(data)
    try:
        kind, predicate_type, predicate = written["_type"], str(written["predicateType"]), written["predicate"]
        named = [
            Subject(str(each["name"]), [f"{name}:{value}" for name, value in each["digest"].items()])
            for each in written.get("subject") or []
        ]
    except (TypeError, LookupError, AttributeError):
        raise InvalidArgument("a file that is to be a statement is no in-toto statement") from None
    if kind != _STATEMENT:
        raise InvalidArgument(f"a file that is to be a statement is none of the type {_STATEMENT}")
    if needed and predicate_type != needed:
        raise InvalidArgument(f"a statement {predicate_type[:200]} where {needed[:200]} is needed")
    return stated(predicate_type, predicate, image, tags, named)


def of_predicate(data: bytes, attested: Attested, image: oci.Descriptor, tags: Sequence[Reference]) -> Statement:
    """A statement whose predicate is in a file. Raises ``InvalidArgument``."""
    return stated(attested.predicate_type, _decoded(data), image, tags, attested.subjects)


def _decoded(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise InvalidArgument("a file that is to be a statement is no in-toto statement") from None


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
